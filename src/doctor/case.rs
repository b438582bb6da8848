//! What the doctor looks at.

use crate::model::{Backend, BackendState, Leftovers, LockMode, Oid, Pid, Snapshot};
use crate::sessions::{Sessions, WaitGraph, Words};

/// One look at a server, understood, with what its catalogs say.
pub struct Case<'a> {
    /// The look.
    pub snapshot: &'a Snapshot,
    /// Who is who in it.
    pub sessions: &'a Sessions,
    /// Who waits behind whom.
    pub graph: &'a WaitGraph,
    /// What the catalogs and the tables of tools say.
    pub leftovers: &'a Leftovers,
    /// Names of sessions and locks.
    pub words: Words<'a>,
}

impl<'a> Case<'a> {
    /// A look with what it means.
    #[must_use]
    pub fn new(
        snapshot: &'a Snapshot,
        sessions: &'a Sessions,
        graph: &'a WaitGraph,
        leftovers: &'a Leftovers,
    ) -> Self {
        Self {
            snapshot,
            sessions,
            graph,
            leftovers,
            words: Words::new(snapshot, sessions),
        }
    }

    /// Clients of the connected database that run a statement with this word in it, or one that may not be seen.
    pub fn at_work_on(&self, word: &str) -> impl Iterator<Item = &'a Backend> {
        let own = self.snapshot.server.datid;
        self.snapshot.backends.iter().filter(move |backend| {
            let runs = backend.query.to_ascii_lowercase().contains(word);
            backend.datid == Some(own)
                && (backend.masked || (backend.state == Some(BackendState::Active) && runs))
        })
    }

    /// Whether a process has this lock on a relation of the connected database.
    #[must_use]
    pub fn holds(&self, pid: Pid, mode: LockMode, relation: Oid) -> bool {
        let own = self.snapshot.server.datid;
        let index = self.words.index();
        let mut held = index.granted(pid).iter();
        held.any(|lock| lock.mode == mode && lock.is_on(own, relation))
    }

    /// ` (in database shop)` where something is not of the connected database.
    #[must_use]
    pub fn elsewhere(&self, database: &str) -> String {
        match database == self.snapshot.server.datname {
            true => String::new(),
            false => format!(", in database {}", crate::model::quoted(database)),
        }
    }
}
