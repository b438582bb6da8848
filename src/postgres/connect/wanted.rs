//! `target_session_attrs`: which of several servers will do.

use crate::{Error, Result};

/// `target_session_attrs`: which of several servers will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Whichever answers.
    Any,
    /// One that takes writes by default.
    ReadWrite,
    /// One that does not.
    ReadOnly,
    /// One that is not in recovery.
    Primary,
    /// One that is.
    Standby,
    /// A standby, else whichever answers.
    PreferStandby,
}

const WANTED: [(&str, Wanted); 6] = [
    ("any", Wanted::Any),
    ("read-write", Wanted::ReadWrite),
    ("read-only", Wanted::ReadOnly),
    ("primary", Wanted::Primary),
    ("standby", Wanted::Standby),
    ("prefer-standby", Wanted::PreferStandby),
];

impl Wanted {
    /// Whether a server in this state will do.
    #[must_use]
    pub const fn accepts(self, in_recovery: bool, read_only: bool) -> bool {
        match self {
            Self::Any => true,
            Self::ReadWrite => !in_recovery && !read_only,
            Self::ReadOnly => in_recovery || read_only,
            Self::Primary => !in_recovery,
            Self::Standby | Self::PreferStandby => in_recovery,
        }
    }

    /// libpq's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        WANTED.iter().find(|w| w.1 == self).map_or("", |w| w.0)
    }
}

/// Reads the keyword's value.
///
/// # Errors
/// Libpq has no such value.
pub fn wanted(text: Option<&str>) -> Result<Wanted> {
    let Some(text) = text else {
        return Ok(Wanted::Any);
    };
    WANTED
        .iter()
        .find(|w| w.0 == text)
        .map(|w| w.1)
        .ok_or_else(|| {
            Error::unusable(
                "the value of target_session_attrs",
                "use any, read-write, read-only, primary, standby or prefer-standby",
            )
        })
}
