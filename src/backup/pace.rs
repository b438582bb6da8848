//! How fast a clock runs, and how evenly.

/// The speed of one clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace {
    /// Units a second to expect from now on.
    pub speed: f64,
    /// Variance of the logarithm of the speed, segment by segment.
    pub unevenness: f64,
    /// Segments that moved.
    pub segments: f64,
    /// Variance of the logarithm of the speed as it is known.
    pub variance: f64,
    /// Seconds a segment.
    pub length: f64,
}

/// One stretch of time: seconds, units, and when its middle was.
#[derive(Debug, Clone, Copy)]
struct Segment {
    seconds: f64,
    units: f64,
    middle: f64,
}

/// The pace of a course of (seconds, units), from its beginning to its last entry. `unseen`: until
/// when, in seconds, it is only inferred, and the variance of the logarithm of the work in there.
pub(super) fn pace(course: &[(f64, f64)], unseen: Option<(f64, f64)>) -> Option<Pace> {
    let (now, total) = *course.last()?;
    if now <= 0.0 || total <= 0.0 {
        return None;
    }
    let Some((until, doubt)) = unseen else {
        return seen_pace(course);
    };
    let place = course
        .iter()
        .rposition(|c| c.0 <= until + 0.01)
        .unwrap_or(0);
    let (from, done) = course[place];
    let rest: Vec<(f64, f64)> = course[place..]
        .iter()
        .map(|(at, units)| (at - from, units - done))
        .collect();
    let Some(seen) = seen_pace(&rest) else {
        return seen_pace(course).map(|pace| Pace {
            variance: pace.variance + doubt,
            ..pace
        });
    };
    if place == 0 || done <= 0.0 {
        return Some(seen);
    }
    // Two witnesses: the work before the first look, and what was seen since.
    let before = (done / from).ln();
    let off = before - seen.speed.ln();
    // Much slower than what was seen since: then that work was more than statistics knew.
    let doubt = doubt + if off < 0.0 { 0.5 * off * off } else { 0.0 };
    let weight = 1.0 / (doubt + 0.2 / (from / 2.0).clamp(1.0, 10.0));
    let now_weight = 1.0 / seen.variance;
    let log = (before * weight + seen.speed.ln() * now_weight) / (weight + now_weight);
    let share = from / now;
    let surprise = (off * off - doubt - seen.variance).max(0.0) * share * (1.0 - share);
    Some(Pace {
        speed: log.exp(),
        variance: (1.0 + 0.5 * off * off * weight * now_weight / (weight + now_weight))
            / (weight + now_weight),
        segments: seen.segments + 1.0,
        unevenness: seen.unevenness + surprise,
        ..seen
    })
}

fn seen_pace(course: &[(f64, f64)]) -> Option<Pace> {
    let (now, total) = *course.last()?;
    if now <= 0.0 || total <= 0.0 {
        return None;
    }
    let length = (now / 14.0).max(2.0);
    let segments = segments(course, length);
    let half_life = (0.45 * now).max(8.0);
    let (mut all, mut time) = (0.0, 0.0);
    let (mut recent, mut recent_time) = (0.0, 0.0);
    for s in &segments {
        // A pause says little of what follows it.
        let seconds = if s.units > 0.0 {
            s.seconds
        } else {
            0.5 * s.seconds
        };
        let weight = (-(now - s.middle) / half_life * std::f64::consts::LN_2).exp();
        all += s.units;
        time += seconds;
        recent += weight * s.units;
        recent_time += weight * seconds;
    }
    let mean = all / time;
    let late = if recent > 0.0 {
        recent / recent_time
    } else {
        mean * 0.1
    };
    let (unevenness, moving) = unevenness(&segments, mean);
    Some(Pace {
        speed: lasting(course, now).unwrap_or_else(|| (mean * late).sqrt()),
        unevenness,
        segments: moving,
        // Less than two seconds are worth less than one segment.
        variance: (unevenness + 0.4) / moving.max(1.0).min((now / 2.0).max(0.05)),
        length,
    })
}

/// A change of speed is believed once it has lasted for a third of the time, no longer than this many seconds and no
/// shorter than half of them, and for this many looks.
const LASTING: f64 = 24.0;
const LOOKS: usize = 5;

/// The speed after a change for good: by half and more, in both halves of the last stretch, and further than the
/// stretches before it were from each other.
fn lasting(course: &[(f64, f64)], now: f64) -> Option<f64> {
    let speed = |from: f64, to: f64| {
        let inside: Vec<_> = course
            .iter()
            .filter(|c| (from - 0.01..=to + 0.01).contains(&c.0))
            .collect();
        let (first, last) = (inside.first()?, inside.last()?);
        let (seconds, units) = (last.0 - first.0, last.1 - first.1);
        (seconds > 0.5 * (to - from) && units > 0.0).then(|| (units / seconds).ln())
    };
    let long = (now / 3.0).clamp(LASTING / 2.0, LASTING);
    let begun = now - long;
    let looks = course.iter().filter(|c| c.0 >= begun).count();
    if looks < LOOKS || begun < long {
        return None;
    }
    let stretches = (begun / long).floor();
    let before: Vec<f64> = (0..stretches as usize)
        .filter_map(|nth| {
            let until = begun - nth as f64 * long;
            speed(until - long, until)
        })
        .collect();
    let usual = before.iter().sum::<f64>() / before.len() as f64;
    let apart = before.iter().map(|b| (b - usual).powi(2)).sum::<f64>() / before.len() as f64;
    let halves = [
        speed(begun, begun + long / 2.0)? - usual,
        speed(begun + long / 2.0, now)? - usual,
    ];
    let off = 0.5 * (halves[0] + halves[1]);
    let is_change = off.abs() > (2.0 * apart.sqrt()).max(0.4)
        && halves
            .iter()
            .all(|half| half.signum() == off.signum() && half.abs() > 0.5 * off.abs());
    is_change.then(|| (usual + 0.75 * off).exp())
}

fn segments(course: &[(f64, f64)], length: f64) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut from = course[0];
    for (i, point) in course.iter().enumerate().skip(1) {
        let is_last = i + 1 == course.len();
        let seconds = point.0 - from.0;
        if seconds >= length
            || (is_last && seconds > 0.3 * length)
            || (is_last && segments.is_empty())
        {
            if seconds > 0.0 {
                segments.push(Segment {
                    seconds,
                    units: point.1 - from.1,
                    middle: 0.5 * (point.0 + from.0),
                });
            }
            from = *point;
        }
    }
    segments
}

fn unevenness(segments: &[Segment], mean: f64) -> (f64, f64) {
    let moving: Vec<(f64, f64)> = segments
        .iter()
        .filter(|s| s.units > 0.0)
        .map(|s| ((s.units / s.seconds).max(0.02 * mean).ln(), s.seconds))
        .collect();
    let weight: f64 = moving.iter().map(|m| m.1).sum();
    if weight <= 0.0 {
        return (0.0, 0.0);
    }
    let centre = moving.iter().map(|m| m.0 * m.1).sum::<f64>() / weight;
    let variance = moving
        .iter()
        .map(|m| m.1 * (m.0 - centre).powi(2))
        .sum::<f64>()
        / weight;
    (variance, moving.len() as f64)
}
