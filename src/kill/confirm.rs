//! What a person has to type before a session is ended.

use crate::model::{Pid, PreparedXact, Role};
use crate::safe::is_typable;

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

    /// For a prepared transaction: a coordinator has promised to commit it. Its gid, or where that is blank
    /// or nobody can type it, the deed and the time at which it was prepared.
    #[must_use]
    pub fn for_prepared(xact: &PreparedXact) -> Self {
        Self::Words(if is_typable(&xact.gid) {
            xact.gid.trim().to_owned()
        } else {
            format!("roll back {}", xact.prepared.format("%H:%M:%S"))
        })
    }

    #[must_use]
    pub fn question(&self, deed: &str) -> String {
        match self {
            Self::YesOrNo => format!("{deed}? [y/N] "),
            Self::Words(words) => format!("{deed}? Type \"{words}\" to do it: "),
        }
    }

    /// Whether this answer means yes. Nothing typed never does.
    #[must_use]
    pub fn accepts(&self, answer: &str) -> bool {
        let answer = answer.trim();
        match self {
            _ if answer.is_empty() => false,
            Self::YesOrNo => ["y", "yes"].contains(&answer.to_lowercase().as_str()),
            Self::Words(words) => answer == words,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(gid: &str) -> Confirmation {
        Confirmation::for_prepared(&PreparedXact {
            transaction: 1,
            gid: gid.into(),
            prepared: "2026-03-03T02:29:12Z".parse().unwrap(),
            owner: "app".into(),
            database: "shop".into(),
        })
    }

    #[test]
    fn a_gid_that_nobody_can_type_is_confirmed_by_other_words() {
        // cases/safety/04 and its neighbours: no answer, and no blank one, is a yes.
        for gid in [
            "",
            " ",
            "\u{a0}",
            "\t\n",
            "\u{200b}",
            "g\x1b]0;x\x07",
            "a\u{202e}b",
            "\u{3000}",
        ] {
            let asked = prepared(gid);
            for answer in ["", "\n", " \n", "\u{a0}\n", gid, "y\n", "yes\n"] {
                assert!(!asked.accepts(answer), "{gid:?} by {answer:?}");
            }
            assert!(asked.accepts("roll back 02:29:12\n"), "{gid:?}");
        }
        for gid in ["xa 1", " padded ", "Größe", "y"] {
            assert!(prepared(gid).accepts(&format!("{gid}\n")), "{gid:?}");
            assert!(!prepared(gid).accepts("\n"), "{gid:?}");
        }
    }
}
