//! Who can be in the way: a process, or a transaction that has none.

use crate::model::Pid;
use serde::Serialize;

/// Who can be in the way: a process, or a transaction that has none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// The leader of a lock group, or of a session.
    Pid(Pid),
    /// A prepared transaction, by its gid; by its virtual transaction where the gid is not known.
    Prepared(String),
}

impl Party {
    /// The pid, where it has one.
    #[must_use]
    pub const fn pid(&self) -> Option<Pid> {
        match self {
            Self::Pid(pid) => Some(*pid),
            Self::Prepared(_) => None,
        }
    }
}
