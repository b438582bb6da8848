//! Sessions and locks in words: the same ones on every screen, in every message.

use super::alike;
use super::index::Index;
use super::list::Sessions;
use super::party::Party;
use crate::model::{
    Backend, FIRST_NORMAL_OID, Lock, LockTarget, Pid, PreparedXact, Role, Snapshot, age, quoted,
};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::HashMap;

/// Names the sessions and locks of a snapshot.
pub struct Words<'a> {
    index: Index<'a>,
    sessions: &'a Sessions,
    databases: HashMap<u32, &'a str>,
}

impl<'a> Words<'a> {
    /// For one look.
    #[must_use]
    pub fn new(snapshot: &'a Snapshot, sessions: &'a Sessions) -> Self {
        let known = snapshot
            .backends
            .iter()
            .filter_map(|b| Some((b.datid?, b.datname.as_deref()?)));
        let own = (snapshot.server.datid, snapshot.server.datname.as_str());
        Self {
            index: Index::new(snapshot),
            sessions,
            databases: known.chain([own]).collect(),
        }
    }

    /// The look, by process.
    #[must_use]
    pub const fn index(&self) -> &Index<'a> {
        &self.index
    }

    /// The row of a process.
    #[must_use]
    pub fn backend(&self, pid: Pid) -> Option<&'a Backend> {
        self.index.backend(pid)
    }

    /// The role of the session that a process belongs to.
    #[must_use]
    pub fn role_of(&self, pid: Pid) -> Role {
        self.sessions.of(pid).map_or(Role::Server, |s| s.role)
    }

    /// What a session has in common with those like it.
    #[must_use]
    pub fn kind(&self, pid: Pid) -> Option<alike::Kind<'a>> {
        alike::kind(self.backend(pid)?, self.sessions)
    }

    /// A session in one phrase: `backup pg_dump, pid 99, user nightly, database shop, application x`.
    #[must_use]
    pub fn session(&self, pid: Pid) -> String {
        let Some(backend) = self.backend(pid) else {
            return format!("pid {pid}, which ended while it was looked at");
        };
        let session = self.sessions.of(pid);
        let detail = session.and_then(|s| s.detail.as_deref());
        let role = crate::words::role(self.role_of(pid), detail);
        let part = |label: &str, text: Option<&str>| {
            text.filter(|t| !t.is_empty())
                .map(|t| format!("{label} {}", quoted(t)))
        };
        let application = Some(backend.application_name.as_str())
            .filter(|name| !role.contains(name) || name.is_empty());
        [
            Some(role.clone()),
            Some(format!("pid {pid}")),
            part("user", backend.usename.as_deref()),
            part("database", backend.datname.as_deref()),
            part("application", application),
            part("client", backend.client_addr.as_deref()),
        ]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(", ")
    }

    /// Who is in the way, in one phrase.
    #[must_use]
    pub fn party(&self, party: &Party) -> String {
        match party {
            Party::Pid(pid) => self.session(*pid),
            Party::Prepared(gid) => self.prepared(gid).map_or_else(
                || format!("prepared transaction {}", quoted(gid)),
                |xact| {
                    format!(
                        "prepared transaction {}, owner {}, database {}",
                        quoted(gid),
                        quoted(&xact.owner),
                        quoted(&xact.database)
                    )
                },
            ),
        }
    }

    /// A prepared transaction by its gid.
    #[must_use]
    pub fn prepared(&self, gid: &str) -> Option<&'a PreparedXact> {
        self.index
            .snapshot
            .prepared
            .iter()
            .find(|xact| xact.gid == gid)
    }

    /// Since when somebody's transaction runs, or has been prepared.
    #[must_use]
    pub fn party_age(&self, party: &Party) -> Option<TimeDelta> {
        let since = match party {
            Party::Pid(pid) => self.backend(*pid)?.xact_start?,
            Party::Prepared(gid) => self.prepared(gid)?.prepared,
        };
        Some(self.age(since))
    }

    /// The time since then, by the server's clock.
    #[must_use]
    pub fn age(&self, since: DateTime<Utc>) -> TimeDelta {
        age(since, self.index.snapshot.taken_at)
    }

    /// What a lock is on: `public.orders`, `transaction 771`, `advisory lock 42`.
    #[must_use]
    pub fn target(&self, target: &LockTarget) -> String {
        crate::words::target(target, |database, oid| self.relation(database, oid))
    }

    /// A relation's name. Oids of another database mean other relations, whatever is called so here.
    fn relation(&self, database: u32, oid: u32) -> String {
        let row = LockTarget::Relation {
            database,
            relation: oid,
        };
        if let Some(name) = self.index.name_of_target(&row) {
            return name.to_string();
        }
        match self.databases.get(&database) {
            Some(name) => format!("relation {oid} of database {}", quoted(name)),
            None => format!("relation {oid}"),
        }
    }

    /// The locks of a process that people care about: those on relations of users, and advisory ones,
    /// held before waited for, the strongest first.
    #[must_use]
    pub fn locks_that_matter(&self, pid: Pid) -> Vec<&'a Lock> {
        let mut locks: Vec<&'a Lock> = self
            .index
            .granted(pid)
            .iter()
            .chain(self.index.awaited(pid))
            .copied()
            .filter(|lock| match lock.target {
                LockTarget::Relation { relation, .. } => relation >= FIRST_NORMAL_OID,
                LockTarget::Advisory { .. } => true,
                _ => !lock.granted,
            })
            .collect();
        locks.sort_by(|a, b| {
            (b.granted, b.mode)
                .cmp(&(a.granted, a.mode))
                .then_with(|| a.target.cmp(&b.target))
        });
        locks
    }
}
