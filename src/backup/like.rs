//! Whether a run goes as a past one went: compressed or not, over which line. The server does not tell, the pace does.

use super::clock::past_units;
use super::matching::PastRun;
use super::rows::Amount;
use super::view::View;

/// A run that is this many times slower or faster than another is of another kind.
const OTHER_PACE: f64 = 1.5;

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

/// Whether a run goes at the pace of a past one, of which it takes this many times the time.
pub(super) fn goes_like(times: f64) -> bool {
    !is_slower(times) && !is_slower(1.0 / times)
}

/// Whether this many times the time of a past run is too slow for one of its kind.
pub(super) fn is_slower(times: f64) -> bool {
    times >= OTHER_PACE
}
