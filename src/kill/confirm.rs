//! What a person has to type before a session is ended.

use crate::model::{Pid, Role};

/// What is asked, and what counts as yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmation {
    /// `y` will do.
    YesOrNo,
    /// These very words: they differ from session to session, so no reflex answers them.
    Words(String),
}

/// A role whose loss is noticed only when it is too late: the next restore, the next failover.
const fn word_for(role: Role) -> Option<&'static str> {
    match role {
        Role::Backup => Some("backup"),
        Role::Replication => Some("replication"),
        _ => None,
    }
}

impl Confirmation {
    /// For a session.
    #[must_use]
    pub fn for_session(role: Role, pid: Pid) -> Self {
        word_for(role).map_or(Self::YesOrNo, |word| {
            Self::Words(format!("end {word} {pid}"))
        })
    }

    /// For a prepared transaction: a coordinator has promised to commit it.
    #[must_use]
    pub fn for_prepared(gid: &str) -> Self {
        Self::Words(gid.trim().to_owned())
    }

    /// The question.
    #[must_use]
    pub fn question(&self, deed: &str) -> String {
        match self {
            Self::YesOrNo => format!("{deed}? [y/N] "),
            Self::Words(words) => format!("{deed}? Type \"{words}\" to do it: "),
        }
    }

    /// Whether this answer means yes.
    #[must_use]
    pub fn accepts(&self, answer: &str) -> bool {
        let answer = answer.trim();
        match self {
            Self::YesOrNo => ["y", "yes"].contains(&answer.to_lowercase().as_str()),
            Self::Words(words) => answer == words,
        }
    }
}
