//! What the migration itself holds as it goes: its own locks never stand in its way, and keep others
//! out while it waits for the next one.

use crate::model::{LockMode, LockRequest, Oid, RelationName, Statement};

/// One lock that the migration's transaction has by now.
#[derive(Debug, Clone)]
pub struct HeldLock {
    /// On which relation.
    pub oid: Oid,
    pub name: RelationName,
    /// In which mode.
    pub mode: LockMode,
    /// The line of the statement that took it.
    pub line: usize,
    /// Given back as the statement ends.
    transient: bool,
}

/// The locks of the migration's open transaction, in order.
#[derive(Debug, Default)]
pub struct Held {
    locks: Vec<HeldLock>,
    transaction: Option<usize>,
}

impl Held {
    /// Before a statement: a new transaction begins with nothing.
    pub fn begin_statement(&mut self, statement: &Statement) {
        if self.transaction != Some(statement.transaction) {
            self.locks.clear();
            self.transaction = Some(statement.transaction);
        }
    }

    /// Notes a lock as taken.
    pub fn add(&mut self, oid: Oid, request: &LockRequest, statement: &Statement) {
        if request.is_given_back {
            return;
        }
        self.locks.push(HeldLock {
            oid,
            name: request.name.clone(),
            mode: request.mode,
            line: statement.line,
            transient: request.transient || request.nowait,
        });
    }

    /// After a statement: what it held for a moment is gone.
    pub fn end_statement(&mut self) {
        self.locks.retain(|lock| !lock.transient);
    }

    /// The modes it has on a relation.
    #[must_use]
    pub fn modes_on(&self, oid: Oid) -> Vec<LockMode> {
        self.on(oid).map(|lock| lock.mode).collect()
    }

    fn on(&self, oid: Oid) -> impl Iterator<Item = &HeldLock> {
        self.locks.iter().filter(move |lock| lock.oid == oid)
    }

    /// What it has, in the order of asking.
    #[must_use]
    pub fn locks(&self) -> &[HeldLock] {
        &self.locks
    }
}
