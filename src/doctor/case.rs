//! What the doctor looks at.

use crate::model::{Backend, BackendState, Leftovers, LockMode, Oid, Pid, Snapshot};
use crate::sessions::{Sessions, WaitGraph, Words};
use crate::tools;

/// One look at a server, understood, with what its catalogs say.
pub struct Case<'a> {
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

    /// The tool whose advisory lock a process has.
    #[must_use]
    pub fn tool_lock_of(&self, backend: &Backend) -> Option<&'static str> {
        let database = backend.datname.as_deref()?;
        let held = self.words.index().granted(backend.pid).iter();
        let mut keys = held.filter_map(|lock| tools::key_of(&lock.target));
        keys.find_map(|key| tools::advisory_key_owner(database, key))
            .map(|tool| tool.name)
    }

    /// Whether a session's client is known to be gone.
    #[must_use]
    pub fn is_gone(&self, backend: &Backend) -> bool {
        let client = self.leftovers.clients.get(&backend.pid);
        client.is_some_and(|client| !client.is_there)
    }

    /// Clients of the connected database that may be seen, but for our own session.
    pub fn clients(&self) -> impl Iterator<Item = &'a Backend> {
        let server = &self.snapshot.server;
        self.snapshot.backends.iter().filter(move |backend| {
            backend.is_client()
                && !backend.masked
                && backend.pid != server.own_pid
                && backend.datid == Some(server.datid)
        })
    }
}
