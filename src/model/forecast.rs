//! What a gate would probably say at a later time. A guess, and never a verdict.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What is expected of a later time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outlook {
    /// All that is in the way now is over by then, by the estimates.
    WouldBeClear,
    /// Something may be over by then or not, or is not known at all.
    Unknown,
    /// Something is still there then, or has no known end.
    NotClear,
}

impl Outlook {
    /// The exit status: never 0, since nobody knows who comes until then.
    #[must_use]
    pub const fn exit_status(self) -> u8 {
        match self {
            Self::NotClear => 1,
            Self::WouldBeClear | Self::Unknown => 2,
        }
    }

    /// The headline for people.
    #[must_use]
    pub const fn headline(self) -> &'static str {
        match self {
            Self::WouldBeClear => "would be clear by the estimates",
            Self::Unknown => "unknown",
            Self::NotClear => "not clear",
        }
    }
}

/// One thing that decides it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectation {
    /// What it means for that time.
    pub outlook: Outlook,
    /// Whether it is a session, a prepared transaction or a backup, which may end.
    pub may_end: bool,
    /// What it is, in words without a time.
    pub what: String,
    /// When it begins, where it has not begun.
    pub begins: Option<DateTime<Utc>>,
    /// When it is over at the earliest.
    pub earliest: Option<DateTime<Utc>>,
    /// When it is over by the best guess; `None`: not known.
    pub expected: Option<DateTime<Utc>>,
    /// When it is over at the latest.
    pub latest: Option<DateTime<Utc>>,
    /// Where that comes from, in words.
    pub basis: Option<String>,
}

/// What is expected of a time that was asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// By the server's clock.
    pub at: DateTime<Utc>,
    /// The worst of all that decides it.
    pub outlook: Outlook,
    /// What decides it, the worst first.
    pub because: Vec<Expectation>,
}
