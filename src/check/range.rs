//! A threshold, in the monitoring plugins' words: `[@]start:end`.
//!
//! Source: Monitoring Plugins Development Guidelines, "Threshold and Ranges". A plain number is `0:number`;
//! `~` is no limit below; a missing end is no limit above; both ends belong to the range; without `@` it
//! alerts outside, with `@` inside. Beside numbers, durations (`90s`, `5m`, `1h30m`) are seconds.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A range of values, and on which side of it to alert.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Smallest value of the range; −∞ for `~`.
    pub start: f64,
    /// Largest value of the range; ∞ where there is none.
    pub end: f64,
    /// Alerts inside (`@`) rather than outside.
    pub inside: bool,
}

impl Range {
    /// From zero to this value: what a plain number says.
    #[must_use]
    pub const fn up_to(end: f64) -> Self {
        Self {
            start: 0.0,
            end,
            inside: false,
        }
    }

    /// Whether this value is one to alert on.
    #[must_use]
    pub fn alerts(&self, value: f64) -> bool {
        (self.start <= value && value <= self.end) == self.inside
    }
}

/// Why a text is no range, with what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no range: {why}; write it as [@]start:end, such as 10, 10:, ~:10, 5m or @1h:2h"
)]
pub struct NoRange {
    text: String,
    why: &'static str,
}

impl FromStr for Range {
    type Err = NoRange;

    fn from_str(text: &str) -> Result<Self, NoRange> {
        let wrong = |why| NoRange {
            text: text.to_owned(),
            why,
        };
        let trimmed = text.trim();
        let (inside, rest) = match trimmed.strip_prefix('@') {
            Some(rest) => (true, rest),
            None => (false, trimmed),
        };
        if rest.is_empty() {
            return Err(wrong("it is empty"));
        }
        let (start, end) = match rest.split_once(':') {
            None => (0.0, number(rest).ok_or_else(|| wrong(NO_NUMBER))?),
            Some((start, end)) => (
                start_of(start).ok_or_else(|| wrong(NO_NUMBER))?,
                end_of(end).ok_or_else(|| wrong(NO_NUMBER))?,
            ),
        };
        if start > end {
            return Err(wrong("its start is greater than its end"));
        }
        Ok(Self { start, end, inside })
    }
}

const NO_NUMBER: &str = "an end is neither a number nor a duration";

fn start_of(text: &str) -> Option<f64> {
    match text {
        "~" => Some(f64::NEG_INFINITY),
        "" => Some(0.0),
        _ => number(text),
    }
}

fn end_of(text: &str) -> Option<f64> {
    if text.is_empty() {
        Some(f64::INFINITY)
    } else {
        number(text)
    }
}

/// A plain decimal number, or a duration in seconds. No exponents, `inf` or `NaN`: no plugin takes them.
fn number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return text.parse().ok().filter(|n: &f64| n.is_finite());
    }
    if !text.chars().all(|c| c.is_ascii_alphanumeric()) {
        return None;
    }
    humantime::parse_duration(text)
        .ok()
        .as_ref()
        .map(Duration::as_secs_f64)
}

/// The range as performance data says it: plain numbers, without sugar.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.inside {
            f.write_str("@")?;
        }
        if self.start == f64::NEG_INFINITY {
            f.write_str("~:")?;
        } else if self.start != 0.0 || self.end == f64::INFINITY {
            write!(f, "{}:", self.start)?;
        }
        if self.end < f64::INFINITY {
            write!(f, "{}", self.end)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(text: &str) -> Range {
        text.parse().expect(text)
    }

    /// The guidelines' own table of examples, and the ends.
    #[test]
    fn the_examples_of_the_guidelines_hold() {
        let cases: [(&str, &[f64], &[f64]); 8] = [
            ("10", &[-0.1, 10.1], &[0.0, 10.0]),
            ("10:", &[9.9, -1.0], &[10.0, 1e12]),
            ("~:10", &[10.1], &[-1e12, 10.0]),
            ("10:20", &[9.9, 20.1], &[10.0, 20.0]),
            ("@10:20", &[10.0, 15.0, 20.0], &[9.9, 20.1]),
            ("@~:5", &[-9.0, 5.0], &[5.1]),
            ("-5:-1", &[-6.0, 0.0], &[-5.0, -1.0]),
            (":7", &[-1.0, 8.0], &[0.0, 7.0]),
        ];
        for (text, alerting, quiet) in cases {
            for &value in alerting {
                assert!(range(text).alerts(value), "{text} should alert on {value}");
            }
            for &value in quiet {
                assert!(
                    !range(text).alerts(value),
                    "{text} should be quiet on {value}"
                );
            }
        }
    }

    #[test]
    fn durations_are_seconds_and_lose_their_sugar_in_performance_data() {
        for (text, plain) in [
            ("90s", "90"),
            ("5m", "300"),
            ("1h30m", "5400"),
            ("@1h:2h", "@3600:7200"),
            ("500ms", "0.5"),
            ("~:1d", "~:86400"),
            ("5m:", "300:"),
            ("0:", "0:"),
            ("10", "10"),
            ("0:10", "10"),
        ] {
            assert_eq!(range(text).to_string(), plain);
        }
    }

    #[test]
    fn what_is_no_range_is_refused_with_what_to_write() {
        for text in [
            "", "@", "5:1", "a", "1:2:3", "1e3", "inf", "NaN", "~", "1,5", "10 20", "5x", "--1",
            "-5m",
        ] {
            let error = text.parse::<Range>().expect_err(text).to_string();
            assert!(error.contains("is no range"), "{error}");
            assert!(error.contains("[@]start:end"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_range_reads_back_from_what_it_says(
            start in prop::option::of(-1e6..1e6_f64), width in prop::option::of(0.0..1e6_f64), inside: bool
        ) {
            let start = start.unwrap_or(f64::NEG_INFINITY);
            let end = width.map_or(f64::INFINITY, |w| if start.is_finite() { start + w } else { w });
            let written = Range { start, end, inside };
            prop_assert_eq!(range(&written.to_string()), written);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,20}") {
            let _ = text.parse::<Range>();
        }
    }
}
