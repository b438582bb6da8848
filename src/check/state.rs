//! What a check answers: a state, a sentence, figures.

use super::range::Range;
use std::fmt;

/// A plugin's state, which is its exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// 0
    Ok,
    /// 1
    Warning,
    /// 2
    Critical,
    /// 3: nothing can be said.
    Unknown,
}

impl State {
    /// The exit status; there is no other one.
    #[must_use]
    pub const fn exit_status(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        })
    }
}

/// When a value is worth a warning or an alarm. A missing one never is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Thresholds {
    /// `-w`
    pub warning: Option<Range>,
    /// `-c`
    pub critical: Option<Range>,
}

impl Thresholds {
    /// The state of a value: critical is asked first.
    #[must_use]
    pub fn state_of(&self, value: f64) -> State {
        let alerts = |range: Option<Range>| range.is_some_and(|r| r.alerts(value));
        if alerts(self.critical) {
            State::Critical
        } else if alerts(self.warning) {
            State::Warning
        } else {
            State::Ok
        }
    }
}

/// What a figure counts: performance data's unit of measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Seconds.
    Seconds,
}

impl Unit {
    /// The letters after the value.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::Seconds => "s",
        }
    }
}

/// One figure, the same label in every run.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What it is.
    pub label: &'static str,
    /// How much; `None`: not known.
    pub value: Option<f64>,
    /// Of what.
    pub unit: Unit,
    /// The thresholds that it was judged by, where it was.
    pub thresholds: Thresholds,
}

impl Figure {
    /// A number of things.
    #[must_use]
    pub const fn count(label: &'static str, value: usize) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
        let value = value as f64;
        Self::new(label, Some(value), Unit::Count)
    }

    /// A time in seconds.
    #[must_use]
    pub const fn seconds(label: &'static str, value: Option<f64>) -> Self {
        Self::new(label, value, Unit::Seconds)
    }

    const fn new(label: &'static str, value: Option<f64>, unit: Unit) -> Self {
        Self {
            label,
            value,
            unit,
            thresholds: Thresholds {
                warning: None,
                critical: None,
            },
        }
    }

    /// The figure that decided.
    #[must_use]
    pub const fn judged_by(mut self, thresholds: Thresholds) -> Self {
        self.thresholds = thresholds;
        self
    }
}

/// A check's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub state: State,
    /// One sentence that names the culprit.
    pub text: String,
    /// More lines, for `-v`.
    pub details: Vec<String>,
    /// Figures.
    pub figures: Vec<Figure>,
}

impl Answer {
    /// Nothing can be said, and why.
    #[must_use]
    pub fn unknown(text: impl Into<String>) -> Self {
        Self {
            state: State::Unknown,
            text: text.into(),
            details: Vec::new(),
            figures: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn critical_is_asked_before_warning_and_a_missing_threshold_never_alerts() {
        let both = Thresholds {
            warning: Some(Range::up_to(10.0)),
            critical: Some(Range::up_to(20.0)),
        };
        assert_eq!(both.state_of(10.0), State::Ok);
        assert_eq!(both.state_of(11.0), State::Warning);
        assert_eq!(both.state_of(21.0), State::Critical);
        assert_eq!(Thresholds::default().state_of(1e9), State::Ok);
        let only = Thresholds {
            critical: Some(Range::up_to(5.0)),
            ..Thresholds::default()
        };
        assert_eq!(only.state_of(6.0), State::Critical);
    }
}
