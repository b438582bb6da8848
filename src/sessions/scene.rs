//! Snapshots made by hand for the tests of this room: who is there, what they hold and wait for.

use crate::model::{
    Backend, BackendState, Lock, LockMode, LockTarget, LockedRelation, Oid, Pid, PreparedXact,
    Progress, RelationKind, RelationName, Server, Snapshot, Work,
};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// The database of every scene.
pub const DATABASE: Oid = 5;

/// A snapshot in the making.
pub struct Scene(pub Snapshot);

fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap_or_default()
}

impl Scene {
    /// An empty server at noon.
    pub fn new() -> Self {
        Self(Snapshot {
            xids: None,
            taken_at: noon(),
            server: Server {
                version_num: 150_018,
                own_pid: 1,
                datid: DATABASE,
                datname: "shop".into(),
                user: "postgres".into(),
                in_recovery: false,
                sees_all: true,
                deadlock_timeout_ms: 1000,
                max_connections: 100,
                settings: BTreeMap::new(),
                started_at: None,
                system_identifier: None,
                address: None,
                pooled: false,
            },
            backends: Vec::new(),
            locks: Vec::new(),
            prepared: Vec::new(),
            progress: Vec::new(),
            walsenders: Vec::new(),
            serializable: Vec::new(),
            temporary_schemas: BTreeSet::new(),
            changed_rows: Vec::new(),
            working: BTreeSet::new(),
            relations: BTreeMap::new(),
        })
    }

    /// A table of the database.
    pub fn table(mut self, oid: Oid, name: &str) -> Self {
        self.0.relations.insert(
            oid,
            LockedRelation {
                name: RelationName::new("public", name),
                kind: RelationKind::Table,
                bytes: 0,
                tuples: 0.0,
                is_partition: false,
            },
        );
        self
    }

    /// A client in a state, with its statement, there for an hour, in that state for a minute.
    pub fn client(mut self, pid: Pid, state: BackendState, query: &str) -> Self {
        let in_transaction = state != BackendState::Idle;
        self.0.backends.push(Backend {
            pid,
            datid: Some(DATABASE),
            datname: Some("shop".into()),
            usename: Some("app".into()),
            backend_start: Some(noon() - TimeDelta::hours(1) + TimeDelta::seconds(pid.into())),
            xact_start: in_transaction.then(|| noon() - TimeDelta::minutes(1)),
            query_start: Some(noon() - TimeDelta::minutes(1)),
            state_change: Some(noon() - TimeDelta::minutes(1)),
            state: Some(state),
            query: query.into(),
            backend_type: Some("client backend".into()),
            ..Backend::default()
        });
        self
    }

    /// Changes the backend that was added last.
    pub fn with(mut self, change: impl FnOnce(&mut Backend)) -> Self {
        if let Some(backend) = self.0.backends.last_mut() {
            change(backend);
        }
        self
    }

    /// A lock on a relation, held.
    pub fn holds(self, pid: Pid, mode: LockMode, relation: Oid) -> Self {
        self.lock(Some(pid), mode, relation, None)
    }

    /// A lock on a relation, waited for since this many seconds.
    pub fn waits(self, pid: Pid, mode: LockMode, relation: Oid, seconds: i64) -> Self {
        self.lock(Some(pid), mode, relation, Some(seconds))
    }

    fn lock(self, pid: Option<Pid>, mode: LockMode, relation: Oid, waits: Option<i64>) -> Self {
        let target = LockTarget::Relation {
            database: DATABASE,
            relation,
        };
        self.lock_on(target, pid, mode, waits)
    }

    /// Any lock.
    pub fn lock_on(
        mut self,
        target: LockTarget,
        pid: Option<Pid>,
        mode: LockMode,
        waits: Option<i64>,
    ) -> Self {
        self.0.locks.push(Lock {
            target,
            pid,
            virtualtransaction: pid.map_or_else(|| "9/9".into(), |pid| format!("{pid}/1").into()),
            mode,
            granted: waits.is_none(),
            waitstart: waits.map(|seconds| noon() - TimeDelta::seconds(seconds)),
        });
        self
    }

    /// A prepared transaction that holds a lock on a relation.
    pub fn prepared(self, gid: &str, mode: LockMode, relation: Oid) -> Self {
        let xid = LockTarget::TransactionId { transactionid: 777 };
        let mut scene =
            self.lock(None, mode, relation, None)
                .lock_on(xid, None, LockMode::Exclusive, None);
        scene.0.prepared.push(PreparedXact {
            transaction: 777,
            gid: gid.into(),
            prepared: noon() - TimeDelta::hours(2),
            owner: "app".into(),
            database: "shop".into(),
        });
        scene
    }

    /// The catalogs that a dump reads.
    pub fn reads_catalogs(mut self, pid: Pid) -> Self {
        for catalog in [2753, 2616, 2607, 2605, 3600, 3601, 3602, 3764, 1259] {
            self = self.holds(pid, LockMode::AccessShare, catalog);
        }
        self
    }

    /// A row of a progress view.
    pub fn progress(mut self, pid: Pid, work: Work) -> Self {
        self.0.progress.push(Progress {
            pid,
            datid: Some(DATABASE),
            work,
            part: None,
        });
        self
    }
}
