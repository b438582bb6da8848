//! Backends that belong together: one program often has several.

use crate::model::{Backend, Pid};

/// Backends that belong together, the leader first.
pub struct Group<'a> {
    /// The leader, then the others in the order of their beginning.
    pub members: Vec<&'a Backend>,
    /// pg_dumpall's own connection among them.
    pub dumpall: Option<Pid>,
}

impl<'a> Group<'a> {
    /// The one to name, wait for and signal.
    #[must_use]
    pub fn leader(&self) -> &'a Backend {
        self.members[0]
    }
}
