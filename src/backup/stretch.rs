//! What a clock counted, cut into stretches of time of about one length.

use super::moment::Moment;

/// One stretch of time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stretch {
    /// How long it was.
    pub seconds: f64,
    /// Logarithm of the units a second.
    pub log_speed: f64,
    /// Seconds from the beginning to its middle.
    pub middle: f64,
    /// Share of its work that each table had, by place.
    pub tables: Vec<(usize, f64)>,
    /// How far off its work may be: variance of the logarithm.
    pub doubt: f64,
}

/// The stretches of a course.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stretches {
    /// In order; no gaps.
    pub all: Vec<Stretch>,
    /// Seconds that one has, about.
    pub length: f64,
    /// Seconds that they have together: without pauses.
    pub now: f64,
    /// The first one is only inferred: nobody looked.
    pub is_first_inferred: bool,
}

/// The most stretches of a course, and the fewest seconds of one; those at its edges may be shorter.
const MOST: f64 = 16.0;
const SHORTEST: f64 = 1.0;

/// A stretch with less than this share of the usual work goes on until it has more, or until it is this many seconds long:
/// a client that still reads what lies in the buffers is not slow.
const FEW: f64 = 0.1;
const BUFFER: f64 = 30.0;

/// Less than this share of the usual speed is a standstill.
const SLOWEST: f64 = 0.03;

impl Stretches {
    /// Those of the work done at some moments. `unseen`: until when, in seconds, it is only inferred, and the variance
    /// of the logarithm of the work in there. `None`: nothing moved.
    pub fn of(
        moments: &[Moment],
        work: &[f64],
        units: &[f64],
        unseen: Option<(f64, f64)>,
    ) -> Option<Self> {
        let course: Vec<(f64, f64)> = moments
            .iter()
            .map(|m| m.at)
            .zip(work.iter().copied())
            .collect();
        let times = without_pauses(&course);
        let now = *times.last()?;
        let length = (now / MOST).max(SHORTEST);
        let is_edge =
            |nth: usize| unseen.is_some_and(|(until, _)| (moments[nth].at - until).abs() < 0.02);
        let (mut all, mut from) = (Vec::new(), 0);
        let mean = work.last().map_or(0.0, |all| all / now);
        for to in 1..moments.len() {
            let seconds = times[to] - times[from];
            let units_done = work[to] - work[from];
            let is_last = to + 1 == moments.len();
            let is_first_inferred = from == 0 && is_edge(to);
            let is_slow = units_done < FEW * mean * seconds && seconds < BUFFER;
            let is_whole = if is_last {
                from == 0 || !is_slow
            } else {
                is_first_inferred || (seconds >= length && !is_slow)
            };
            if !is_whole || units_done <= 0.0 || seconds <= 0.0 {
                continue;
            }
            all.push(Stretch {
                seconds,
                log_speed: (units_done / seconds).ln(),
                middle: 0.5 * (times[to] + times[from]),
                tables: shares(&moments[from], &moments[from + 1..=to], units),
                doubt: match unseen.filter(|_| is_first_inferred) {
                    Some((_, doubt)) => doubt,
                    None if moments[to].at - moments[from].at > seconds + 0.1 => PAUSED,
                    None => 0.0,
                },
            });
            from = to;
        }
        let is_first_inferred = unseen.is_some() && all.len() > 1;
        (!all.is_empty()).then_some(Self {
            all,
            length,
            now,
            is_first_inferred,
        })
    }
}

/// Share of the work between two moments that each table had, by place.
fn shares(before: &Moment, since: &[Moment], units: &[f64]) -> Vec<(usize, f64)> {
    let Some(last) = since.last() else {
        return Vec::new();
    };
    let mut ended: Vec<usize> = since.iter().flat_map(|m| &m.ended).copied().collect();
    ended.sort_unstable();
    let open = [&last.in_flight, &last.held, &before.held];
    let open = open.into_iter().flatten().map(|share| share.0);
    let mut places: Vec<usize> = ended.iter().copied().chain(open).collect();
    places.sort_unstable();
    places.dedup();
    let is_in_flight = |place: &usize| last.in_flight.iter().any(|s| s.0 == *place);
    let is_new = |place: &usize| ended.binary_search(place).is_ok() || is_in_flight(place);
    let work = places.iter().filter_map(|place| {
        let now = last.share_of(*place).unwrap_or(1.0);
        let then = before.share_of(*place);
        let then = then.unwrap_or(if is_new(place) { 0.0 } else { 1.0 });
        let work = units[*place] * (now - then);
        (work > 0.0).then_some((*place, work))
    });
    let mut work: Vec<(usize, f64)> = work.collect();
    let all: f64 = work.iter().map(|w| w.1).sum();
    for share in &mut work {
        share.1 /= all;
    }
    work
}

/// A standstill is a pause if it is this many times longer than three of four others, and longer than these seconds.
const PAUSE: f64 = 3.0;
const PAUSE_SECONDS: f64 = 4.0;

/// When a pause ended within a stretch is not known: variance of the logarithm of its work.
const PAUSED: f64 = 1.0;

/// The times of a course of (seconds, units) without its pauses, of which no more is left than what is usual: they say
/// little of what follows.
fn without_pauses(course: &[(f64, f64)]) -> Vec<f64> {
    let Some((now, all)) = course.last() else {
        return Vec::new();
    };
    let least = SLOWEST * all / now;
    let mut moves = vec![0];
    for (nth, (at, units)) in course.iter().enumerate() {
        let before = course[moves[moves.len() - 1]];
        if units - before.1 > least * (at - before.0) {
            moves.push(nth);
        }
    }
    let mut gaps: Vec<f64> = moves
        .windows(2)
        .map(|m| course[m[1]].0 - course[m[0]].0)
        .collect();
    gaps.sort_by(f64::total_cmp);
    let usual = gaps.get(gaps.len() * 3 / 4).copied().unwrap_or(0.0);
    let most = (PAUSE * usual).max(PAUSE_SECONDS);
    // From the last move until now it may be a pause too.
    moves.push(course.len() - 1);
    let mut times = vec![course[0].0];
    for gap in moves.windows(2) {
        let (from, begin) = (course[gap[0]].0, times[times.len() - 1]);
        let is_pause = course[gap[1]].0 - from > most;
        let longest = if is_pause { usual } else { f64::INFINITY };
        times.extend(
            course[gap[0] + 1..=gap[1]]
                .iter()
                .map(|(at, _)| begin + (at - from).min(longest)),
        );
    }
    times
}
