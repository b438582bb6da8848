//! Which sessions are the run's own: nobody else's is ever signalled.
//!
//! A session is its own where it bears the run's name, or where a socket of one of the command's processes on this
//! machine is the session's other end. Identity is pid and begin; once known it stays known: when the command is
//! killed, its sockets are gone while its session still waits.

use super::tag;
use crate::model::{Backend, BackendIdentity, Snapshot};
use crate::sessions::query_text::{Kind, kind};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// The end of a connection on this machine: its address and port, as the server shows them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Socket {
    /// Address.
    pub address: String,
    /// Port.
    pub port: u16,
}

/// Clocks of this machine and of the server, and the moment between start and connect.
const SLACK: TimeDelta = TimeDelta::seconds(2);

/// By what a session was known first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownBy {
    /// The run's name.
    Name,
    /// A socket of the command.
    Socket,
    /// Both.
    NameAndSocket,
    /// The run's name, on a connection that a pooler shares out.
    PooledName,
}

/// The sessions of a run.
#[derive(Debug, Clone)]
pub struct Own {
    run: String,
    known: BTreeMap<BackendIdentity, KnownBy>,
}

impl Own {
    /// Of the run of this name; none yet.
    #[must_use]
    pub const fn new(run: String) -> Self {
        Self {
            run,
            known: BTreeMap::new(),
        }
    }

    /// Takes in what a look shows. `begun`: when the command started, by the server's clock; older sessions are not
    /// its own, whatever socket they have.
    pub fn note(&mut self, look: &Snapshot, sockets: &BTreeSet<Socket>, begun: DateTime<Utc>) {
        for backend in look.backends.iter().filter(|b| b.is_client()) {
            if backend.backend_start.is_none() || backend.pid == look.server.own_pid {
                continue;
            }
            let named = tag::run_of(&backend.application_name) == Some(&*self.run);
            let found = match (named, has_socket(backend, sockets, begun)) {
                (true, true) => KnownBy::NameAndSocket,
                (true, false) if is_pooled(backend, look, begun) => KnownBy::PooledName,
                (true, false) => KnownBy::Name,
                (false, true) => KnownBy::Socket,
                (false, false) => continue,
            };
            let known = self.known.entry(backend.identity()).or_insert(found);
            if found == KnownBy::NameAndSocket {
                *known = found;
            }
        }
    }

    /// Takes in sessions that somebody else has known by their sockets.
    pub fn remember(&mut self, sessions: impl IntoIterator<Item = BackendIdentity>) {
        for identity in sessions {
            self.known.entry(identity).or_insert(KnownBy::Socket);
        }
    }

    /// Those that a socket tells.
    pub fn by_socket(&self) -> impl Iterator<Item = BackendIdentity> {
        self.all()
            .filter(|(_, by)| matches!(by, KnownBy::Socket | KnownBy::NameAndSocket))
            .map(|(identity, _)| identity)
    }

    /// Those of them that are there. One that only its name told is the run's as long as it bears that name: a pooler
    /// gives it to another client afterwards. A client without a name then goes on under ours (seen with pgbouncer), so
    /// that on a pooled connection only a schema change is taken for the run's own.
    pub fn here<'a>(&'a self, look: &'a Snapshot) -> impl Iterator<Item = &'a Backend> {
        look.backends
            .iter()
            .filter(|backend| match self.known.get(&backend.identity()) {
                Some(KnownBy::Name) => self.is_named(backend),
                Some(KnownBy::PooledName) => {
                    self.is_named(backend) && kind(&backend.query) == Kind::SchemaChange
                }
                Some(KnownBy::Socket | KnownBy::NameAndSocket) => true,
                None => false,
            })
    }

    fn is_named(&self, backend: &Backend) -> bool {
        tag::run_of(&backend.application_name) == Some(&*self.run)
    }

    /// Whether a session is one of them.
    #[must_use]
    pub fn has(&self, identity: BackendIdentity) -> bool {
        self.known.contains_key(&identity)
    }

    /// All that were ever seen, and by what each was known.
    pub fn all(&self) -> impl Iterator<Item = (BackendIdentity, KnownBy)> {
        self.known.iter().map(|(identity, by)| (*identity, *by))
    }
}

/// Whether a pooler is in between: the look says so, or the session is older than the command.
fn is_pooled(backend: &Backend, look: &Snapshot, begun: DateTime<Utc>) -> bool {
    look.server.pooled
        || backend
            .backend_start
            .is_some_and(|start| start < begun - SLACK)
}

fn has_socket(backend: &Backend, sockets: &BTreeSet<Socket>, begun: DateTime<Utc>) -> bool {
    let (Some(address), Some(port)) = (&backend.client_addr, backend.client_port) else {
        return false;
    };
    let Ok(port) = u16::try_from(port) else {
        return false;
    };
    let socket = Socket {
        address: address.clone(),
        port,
    };
    let is_newer = backend
        .backend_start
        .is_some_and(|start| start >= begun - SLACK);
    is_newer && sockets.contains(&socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::BackendState;
    use crate::sessions::scene::Scene;

    fn socket(address: &str, port: u16) -> Socket {
        Socket {
            address: address.into(),
            port,
        }
    }

    #[test]
    fn a_session_is_own_by_its_name_or_its_socket_and_stays_so() {
        let begun = "2026-11-28T03:17:00Z".parse().expect("a time");
        let after = begun + TimeDelta::seconds(1);
        let client = |scene: Scene, pid, change: fn(&mut Backend)| {
            scene
                .client(pid, BackendState::Active, "SELECT 1")
                .with(change)
        };
        let scene = client(Scene::new(), 5, |b| {
            b.application_name = "x pgguard:r1".into()
        });
        let scene = client(scene, 2, |b| b.application_name = "pgguard:r11".into());
        let scene = client(scene, 3, |b| b.client_addr = Some("127.0.0.1".into()));
        let Scene(mut look) = scene;
        for backend in &mut look.backends {
            backend.backend_start = Some(after);
            backend.client_port = Some(4711);
        }
        let mut own = Own::new("r1".into());
        own.note(&look, &BTreeSet::new(), begun);
        assert_eq!(own.here(&look).map(|b| b.pid).collect::<Vec<_>>(), [5]);
        for other in [socket("127.0.0.2", 4711), socket("127.0.0.1", 4712)] {
            own.note(&look, &BTreeSet::from([other]), begun);
        }
        assert_eq!(own.here(&look).count(), 1);
        own.note(
            &look,
            &BTreeSet::from([socket("127.0.0.1", 4711)]),
            begun + TimeDelta::hours(1),
        );
        assert_eq!(
            own.here(&look).count(),
            1,
            "it began long before the command"
        );
        own.note(&look, &BTreeSet::from([socket("127.0.0.1", 4711)]), begun);
        own.note(&look, &BTreeSet::new(), begun);
        assert_eq!(own.here(&look).map(|b| b.pid).collect::<Vec<_>>(), [5, 3]);
        look.server.pooled = true;
        let mut pooled = Own::new("r1".into());
        pooled.note(&look, &BTreeSet::new(), begun);
        assert_eq!(pooled.here(&look).count(), 0, "anybody's query");
        look.backends[0].query = "ALTER TABLE t ADD x int".into();
        assert_eq!(pooled.here(&look).count(), 1, "a schema change");
        look.backends[0].application_name = "web".into();
        let pids: Vec<_> = own.here(&look).map(|b| b.pid).collect();
        assert_eq!(
            pids,
            [3],
            "a pooler has given the session to another client"
        );
        for backend in &mut look.backends {
            backend.backend_start = Some(after + TimeDelta::seconds(9));
        }
        assert_eq!(
            own.here(&look).count(),
            0,
            "the pids are other sessions' now"
        );
    }
}
