//! UNDERSTAND: who is who in a snapshot, and who waits behind whom.
//!
//! [`understand`] gathers backends that belong together into sessions and names the role each one plays,
//! by what it does (locks, snapshot, statements, progress) before what it calls itself: anyone can set
//! `application_name`. What was seen is kept as evidence. [`waits`] builds the wait graph; [`tools`] is
//! the table of migration tools and how the server sees them.

mod backups;
mod groups;
mod index;
mod migrations;
pub mod query_text;
pub mod queue;
mod reach;
mod roles;
#[cfg(test)]
pub(crate) mod scene;
#[cfg(test)]
mod tests;
pub mod tools;
pub mod waits;
pub mod words;

pub use index::Index;
pub use roles::prevents_wraparound;
pub use waits::WaitGraph;
pub use words::Words;

use crate::model::{Pid, Role, Session, Snapshot};
use chrono::TimeDelta;
use std::collections::HashMap;

/// A dump that pauses for longer than this, all members idle in a transaction, has lost its client,
/// unless past runs of it paused longer.
pub const LEAKED_AFTER: TimeDelta = TimeDelta::minutes(15);

/// The sessions of a snapshot: every backend is in exactly one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sessions {
    list: Vec<Session>,
    by_pid: HashMap<Pid, usize>,
}

impl Sessions {
    fn new(mut list: Vec<Session>) -> Self {
        list.sort_by_key(|session| session.pid);
        let by_pid = list
            .iter()
            .enumerate()
            .flat_map(|(at, session)| session.members.iter().map(move |&pid| (pid, at)))
            .collect();
        Self { list, by_pid }
    }

    /// All of them, by pid.
    pub fn iter(&self) -> std::slice::Iter<'_, Session> {
        self.list.iter()
    }

    /// The session that a backend belongs to.
    #[must_use]
    pub fn of(&self, pid: Pid) -> Option<&Session> {
        self.by_pid.get(&pid).map(|&at| &self.list[at])
    }

    /// Those in a role, by pid.
    pub fn in_role(&self, role: Role) -> impl Iterator<Item = &Session> {
        self.list.iter().filter(move |session| session.role == role)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl FromIterator<Session> for Sessions {
    fn from_iter<I: IntoIterator<Item = Session>>(sessions: I) -> Self {
        Self::new(sessions.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a Sessions {
    type Item = &'a Session;
    type IntoIter = std::slice::Iter<'a, Session>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Who is who.
#[must_use]
pub fn understand(snapshot: &Snapshot) -> Sessions {
    understand_with(snapshot, LEAKED_AFTER)
}

/// Who is who, where a backup counts as leaked once it paused for longer than `leaked_after`.
#[must_use]
pub fn understand_with(snapshot: &Snapshot, leaked_after: TimeDelta) -> Sessions {
    let index = Index::new(snapshot);
    let groups = groups::gather(&index);
    Sessions::new(
        groups
            .iter()
            .map(|group| roles::session(group, &index, leaked_after))
            .collect(),
    )
}
