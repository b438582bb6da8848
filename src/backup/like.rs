//! Whether a run goes as a past one went: compressed or not, over which line. The server does not tell, the pace does.

use super::clock::past_units;
use super::matching::PastRun;
use super::rows::Amount;
use super::view::View;

/// A run that is this many times slower or faster than another is of another kind.
pub(super) const OTHER_PACE: f64 = 1.5;

/// Less time than this, and less of a past run than this, tells no pace.
const LEAST_SECONDS: f64 = 3.0;
const LEAST_SHARE: f64 = 0.05;

/// How many times as long as in a past run took what is done so far; `None`: too little is done, or the past run timed too
/// little of it.
pub(super) fn pace_against(view: &View, past: &PastRun) -> Option<f64> {
    let bytes: Vec<f64> = view.amounts.iter().map(Amount::bytes).collect();
    let units = past_units(view.amounts, past, &bytes)?;
    let (now, then) = *view.course(&units).last()?;
    let enough = LEAST_SECONDS.max(LEAST_SHARE * past.seconds());
    (then >= enough && now >= LEAST_SECONDS).then(|| now / then)
}

/// Logarithms of the pace up to which a past run is believed in full, and from which on it is not at all. Workers
/// share the line, so a parallel dump's tables take more different times.
const SERIAL: (f64, f64) = (0.5, 0.8);
const PARALLEL: (f64, f64) = (0.7, 1.1);

/// How far a past run is believed, from 0 to 1, by the pace against it.
pub(super) fn likeness(view: &View, times: f64) -> f64 {
    let (full, none) = if view.watcher.workers > 1 {
        PARALLEL
    } else {
        SERIAL
    };
    ((none - times.ln().abs()) / (none - full)).clamp(0.0, 1.0)
}
