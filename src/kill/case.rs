//! One session with what the rules of cost look at.

use crate::model::{Backend, Role, Session, Snapshot, Work};
use chrono::{DateTime, Utc};

/// One session with what the rules of cost look at.
pub struct Case<'a> {
    /// Its leading process.
    pub backend: &'a Backend,
    pub session: Option<&'a Session>,
    pub role: Role,
    pub snapshot: &'a Snapshot,
}

impl<'a> Case<'a> {
    /// The time of the look.
    pub const fn now(&self) -> DateTime<Utc> {
        self.snapshot.taken_at
    }

    /// Its rows of the progress views.
    pub fn work(&self) -> impl Iterator<Item = &'a Work> {
        self.snapshot.progress_of(self.backend.pid)
    }
}
