//! The sessions of one look.

use crate::model::{Pid, Role, Session};
use std::collections::HashMap;

/// The sessions of a snapshot: every backend is in exactly one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sessions {
    list: Vec<Session>,
    by_pid: HashMap<Pid, usize>,
}

impl Sessions {
    pub(super) fn new(mut list: Vec<Session>) -> Self {
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
