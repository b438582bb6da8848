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
    let weight = 1.0 / (doubt + 0.2 / (from / seen.length).clamp(0.02, 10.0));
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
    let course = without_pauses(course);
    let (now, total) = *course.last()?;
    if now <= 0.0 || total <= 0.0 {
        return None;
    }
    let length = (now / 14.0).max(2.0);
    let segments = segments(&course, length);
    let mean = total / now;
    let (mut uneven, moving) = unevenness(&segments, mean);
    let mut speed = 0.5 * (mean.ln() + late(&segments, now).unwrap_or(mean).ln());
    if let Some(change) = change(&segments) {
        speed += change.belief * (change.speed - speed);
        uneven += change.belief * (change.unevenness - uneven);
    }
    Some(Pace {
        speed: speed.exp(),
        unevenness: uneven,
        segments: moving,
        // Less than two seconds are worth less than one segment.
        variance: (uneven + 0.4) / moving.max(1.0).min((now / 2.0).max(0.05)),
        length,
    })
}

/// The speed by what was seen last, more than by what was seen long ago.
fn late(segments: &[Segment], now: f64) -> Option<f64> {
    let half_life = (0.45 * now).max(8.0);
    let (mut units, mut seconds) = (0.0, 0.0);
    for s in segments {
        let weight = (-(now - s.middle) / half_life).exp2();
        units += weight * s.units;
        seconds += weight * s.seconds;
    }
    (units > 0.0).then(|| units / seconds)
}

/// A standstill is a pause if it is this many times longer than three of four others, and longer than these seconds.
const PAUSE: f64 = 3.0;
const PAUSE_SECONDS: f64 = 4.0;

/// The course without its pauses, of which no more is left than what is usual: they say little of what follows.
fn without_pauses(course: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let is_move = |from: f64, to: f64| to > from * (1.0 + 1e-9);
    let mut gaps = Vec::new();
    let (mut since, mut last) = (0.0, 0.0);
    for &(at, units) in course.iter().filter(|c| c.0 > 0.0) {
        if is_move(last, units) {
            gaps.push(at - since);
            (since, last) = (at, units);
        }
    }
    gaps.sort_by(f64::total_cmp);
    let usual = gaps.get(gaps.len() * 3 / 4).copied().unwrap_or(0.0);
    let most = (PAUSE * usual).max(PAUSE_SECONDS);
    let (mut left_out, mut since, mut last) = (0.0, 0.0, 0.0);
    let shorter = course.iter().map(|&(at, units)| {
        let over = (at - since - most).max(0.0);
        let point = (at - left_out - over, units);
        if is_move(last, units) {
            left_out += over;
            (since, last) = (at, units);
        }
        point
    });
    shorter.collect()
}

/// A change of speed for good.
struct Change {
    /// How far it is believed, from 0 to 1.
    belief: f64,
    /// Logarithm of the speed since.
    speed: f64,
    /// Variance of the logarithm of the speed from segment to segment, but for the change.
    unevenness: f64,
}

/// A change shorter than these seconds, or by less than this logarithm, is none.
const SHORTEST: f64 = 8.0;
const SMALLEST: f64 = 0.3;

/// Variance of the logarithm from segment to segment that is there without any change, at least.
const USUAL_VARIANCE: f64 = 0.08;

/// How much better two speeds must tell the segments than one speed does (logarithm of their likelihoods' ratio).
const EVIDENCE: f64 = 4.0;

/// Where two speeds, one before and one since, tell what was seen much better than one does.
fn change(segments: &[Segment]) -> Option<Change> {
    let segments = moving(segments);
    let count = segments.len() as f64;
    if count < 5.0 {
        return None;
    }
    let one = Speed::of(&segments);
    let splits = (2..segments.len() - 1).filter_map(|split| {
        let (before, since) = segments.split_at(split);
        let (before, since) = (Speed::of(before), Speed::of(since));
        let left = (before.squares + since.squares) / one.seconds;
        let variance = (left * count / (count - 2.0)).max(USUAL_VARIANCE);
        let gain = 0.5 * count * (one.squares / one.seconds - left) / variance;
        let is_change = since.seconds >= SHORTEST && (before.log - since.log).abs() >= SMALLEST;
        is_change.then(|| Change {
            belief: 1.0 / (1.0 + (EVIDENCE - gain).exp()),
            speed: since.log,
            unevenness: left,
        })
    });
    splits.max_by(|a, b| a.belief.total_cmp(&b.belief))
}

/// The segments that moved, each with the time before it in which nothing did.
fn moving(segments: &[Segment]) -> Vec<Segment> {
    let mut waited = 0.0;
    let mut moving = Vec::new();
    for &segment in segments {
        waited += segment.seconds;
        if segment.units > 0.0 {
            moving.push(Segment {
                seconds: waited,
                ..segment
            });
            waited = 0.0;
        }
    }
    moving
}

/// One speed for some segments.
struct Speed {
    /// Its logarithm.
    log: f64,
    /// Their distances from it, squared, by seconds.
    squares: f64,
    seconds: f64,
}

impl Speed {
    fn of(segments: &[Segment]) -> Self {
        let units: f64 = segments.iter().map(|s| s.units).sum();
        let seconds: f64 = segments.iter().map(|s| s.seconds).sum();
        let log = (units / seconds).ln();
        let off = |s: &Segment| s.seconds * ((s.units / s.seconds).ln() - log).powi(2);
        Self {
            log,
            squares: segments.iter().map(off).sum(),
            seconds,
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A look a second, at the speed of that second.
    fn course(seconds: usize, speed: impl Fn(usize) -> f64) -> Vec<(f64, f64)> {
        let mut course = vec![(0.0, 0.0)];
        let mut units = 0.0;
        for second in 0..seconds {
            units += speed(second);
            course.push((second as f64 + 1.0, units));
        }
        course
    }

    #[test]
    fn a_change_for_good_is_believed_soon_and_a_wave_is_none() {
        let third = |second| if second < 30 { 1.0 } else { 0.33 };
        let speed = |seconds| pace(&course(seconds, third), None).expect("a pace").speed;
        assert!((0.9..1.1).contains(&speed(30)), "{}", speed(30));
        assert!(speed(45) < 0.4, "{}: after fifteen seconds", speed(45));
        assert!(speed(120) < 0.4, "{}: and ever after", speed(120));
        let wave = |second| if second % 8 < 4 { 1.5 } else { 0.5 };
        for seconds in [60, 64] {
            let speed = pace(&course(seconds, wave), None).expect("a pace").speed;
            assert!((0.8..1.25).contains(&speed), "{speed} after {seconds}");
        }
    }

    #[test]
    fn a_pause_says_little_of_what_follows() {
        let stall = |second| f64::from(u8::from(!(20..40).contains(&second)));
        for seconds in [35, 60] {
            let speed = pace(&course(seconds, stall), None).expect("a pace").speed;
            assert!((0.7..1.1).contains(&speed), "{speed} after {seconds}");
        }
        // A slow client's buffer fills in leaps: what comes between them is no pause.
        let leaps = |second| if second % 6 == 5 { 6.0 } else { 0.0 };
        let speed = pace(&course(60, leaps), None).expect("a pace").speed;
        assert!((0.9..1.1).contains(&speed), "{speed}");
    }
}
