//! One look at a server: sessions, locks, prepared transactions, progress, and the names of what is locked.
//!
//! Sessions and locks come from one message, so in one round trip; the sessions are read just before the
//! locks, since both change all the time. `pg_locks` is read once: the server copies its whole lock table
//! for it, which is nearly all that a look costs. The names need a second message, because which relations
//! are locked is known only then. With them come the views that most servers have nothing in (progress,
//! prepared transactions, walsenders): to plan one costs a server more than to see that it is not needed.
//!
//! Texts come as the bytes that the server has (`client_encoding` SQL_ASCII): a query text can be of any
//! encoding, cut inside a character, and must fail neither the server's conversion nor ours. Names of
//! relations, though, are converted by the server, which knows every encoding.

mod lock;
mod progress;

use super::array_of;
use super::connect::{Connection, Encoding, Row};
use crate::model::{
    Backend, BackendState, ChangedRow, LockTarget, LockedRelation, Oid, PreparedXact, RelationKind,
    RelationName, Snapshot, Walsender, Xids, class,
};
use crate::{Error, Result};
use chrono::Utc;
use lock::Locks;
use std::collections::{BTreeMap, BTreeSet};

const MOMENT: &str = include_str!("moment.sql");
const ACTIVITY: &str = include_str!("activity.sql");
const LOCKS: &str = include_str!("locks.sql");
const RUNNING: &str = include_str!("running.sql");
const PREPARED: &str = include_str!("prepared.sql");
const PROGRESS: &str = include_str!("progress.sql");
const WALSENDERS: &str = include_str!("walsenders.sql");
const RELATIONS: &str = include_str!("relations.sql");
const CHANGED: &str = include_str!("changed.sql");
const SCHEMAS: &str = include_str!("schemas.sql");

/// What the server writes in place of a query that the role may not see (`pgstatfuncs.c`).
const MASKED: &[u8] = b"<insufficient privilege>";

/// The most bytes of a query text that are kept, however large `track_activity_query_size` is.
const LONGEST_QUERY: usize = 64 * 1024;

/// Bytes as they are, and enough memory that 50,000 lock rows do not go through a file on the server.
const RAW: &str = "SET LOCAL client_encoding = 'SQL_ASCII'; SET LOCAL work_mem = '64MB'";

/// Names as UTF-8; a database without an encoding has nothing to convert from.
const CONVERTED: &str = "SELECT set_config('client_encoding', \
     CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END, true) AS done";

/// Looks once.
///
/// # Errors
/// When the server cannot be asked, or not in time.
pub async fn look(connection: &mut Connection) -> Result<Snapshot> {
    let datid = connection.server().datid.to_string();
    let question = [RAW, MOMENT, ACTIVITY, LOCKS, RUNNING]
        .join(";\n")
        .replace("$datid", &datid);
    let mut reading = Reading::new(connection);
    connection
        .ask("read pg_stat_activity and pg_locks", &question, |row| {
            reading.take(row);
        })
        .await?;
    if reading.is_elsewhere {
        return Err(Error::Server {
            what: "look at the server".into(),
            why: "the pooler connected to another server than a moment before".into(),
            help: "connect to the server itself, past the pooler".into(),
        });
    }
    let details = reading.details();
    details.read(connection, reading.finish()).await
}

/// The catalog rows that open transactions of this look have changed; of columns only those of these relations.
///
/// # Errors
/// When the server cannot be asked, or keeps a catalog from the role.
pub async fn changed_rows(
    connection: &mut Connection,
    snapshot: &Snapshot,
    relations: &[Oid],
) -> Result<Vec<ChangedRow>> {
    let Some(oldest) = oldest_transaction(snapshot) else {
        return Ok(Vec::new());
    };
    let question = CHANGED
        .replace("$oids", &array_of(relations))
        .replace("$oldest", &oldest.to_string());
    let encoding = connection.encoding();
    let mut rows = Vec::new();
    connection
        .ask("read which catalog rows are changed", &question, |row| {
            rows.extend(changed_row(row, encoding));
        })
        .await?;
    Ok(rows)
}

fn changed_row(row: &Row<'_>, encoding: Encoding) -> Option<ChangedRow> {
    Some(ChangedRow {
        catalog: row.number(0)?,
        oid: row.number(1)?,
        name: row.text(2, encoding).unwrap_or_default(),
        transaction: row.number(3)?,
    })
}

/// The oldest transaction of others that has a number. Numbers wrap: older is what is behind in a circle
/// (`TransactionIdPrecedes`, transam.c).
fn oldest_transaction(snapshot: &Snapshot) -> Option<u32> {
    let numbers = snapshot.locks.iter().filter_map(|lock| match lock.target {
        LockTarget::TransactionId { transactionid }
            if lock.granted && lock.pid != Some(snapshot.server.own_pid) =>
        {
            Some(transactionid)
        }
        _ => None,
    });
    numbers.reduce(|a, b| {
        if a.wrapping_sub(b).cast_signed() < 0 {
            a
        } else {
            b
        }
    })
}

/// A snapshot that fills row by row.
struct Reading {
    snapshot: Snapshot,
    locks: Locks,
    own: Encoding,
    query_size: usize,
    /// The progress views that have rows.
    running: Vec<String>,
    /// Another server answers than at the beginning of the session.
    is_elsewhere: bool,
}

impl Reading {
    fn new(connection: &Connection) -> Self {
        Self {
            snapshot: Snapshot {
                xids: None,
                taken_at: Utc::now(),
                server: connection.server().clone(),
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
            },
            locks: Locks::new(connection.server().datid),
            own: connection.encoding(),
            query_size: connection.query_size(),
            running: Vec::new(),
            is_elsewhere: false,
        }
    }

    fn take(&mut self, row: &Row<'_>) {
        match row.kind() {
            "lock" => self.locks.take(row),
            "activity" => self
                .snapshot
                .backends
                .push(backend(row, self.own, self.query_size)),
            "moment" => self.take_moment(row),
            "running" => self.running.extend(row.word(0).map(str::to_owned)),
            _ => {}
        }
    }

    fn take_moment(&mut self, row: &Row<'_>) {
        let server = &mut self.snapshot.server;
        if let Some(taken_at) = row.time(0) {
            self.snapshot.taken_at = taken_at;
        }
        server.own_pid = row.number(1).unwrap_or(server.own_pid);
        server.in_recovery = row.flag(2).unwrap_or(server.in_recovery);
        server.sees_all = row.flag(3).unwrap_or(server.sees_all);
        let (xmin, xmax) = (row.number(5), row.number(6));
        self.snapshot.xids = xmin.zip(xmax).map(|(xmin, xmax)| Xids { xmin, xmax });
        self.is_elsewhere = server.pooled
            && matches!((row.time(4), server.started_at), (Some(now), Some(then)) if now != then);
    }

    fn finish(mut self) -> Snapshot {
        self.snapshot.serializable = self.locks.serializable();
        self.snapshot.locks = self.locks.finish();
        self.snapshot
    }
}

/// One row of `pg_stat_activity`.
fn backend(row: &Row<'_>, own: Encoding, query_size: usize) -> Backend {
    let encoding = row.word(18).map_or(own, Encoding::named);
    let raw = row.bytes(19).unwrap_or_default();
    let state = row.word(14).and_then(BackendState::from_text);
    let kept = &raw[..raw.len().min(LONGEST_QUERY)];
    Backend {
        pid: row.number(0).unwrap_or_default(),
        leader_pid: row.number(1),
        datid: row.number(2).filter(|&datid| datid != 0),
        datname: row.text(3, own),
        usename: row.text(4, own),
        application_name: row.text(5, encoding).unwrap_or_default(),
        client_addr: row.word(6).map(str::to_owned),
        client_port: row.number(7),
        backend_start: row.time(8),
        xact_start: row.time(9),
        query_start: row.time(10),
        state_change: row.time(11),
        wait_event_type: row.word(12).map(str::to_owned),
        wait_event: row.word(13).map(str::to_owned),
        state,
        backend_xid: row.number(15),
        backend_xmin: row.number(16),
        backend_type: row.word(17).map(str::to_owned),
        query: encoding.decode(kept),
        // pgstat_clip_activity: at most size - 1 bytes, cut before a character that does not fit whole.
        query_truncated: raw.len() + 4 >= query_size || kept.len() < raw.len(),
        masked: raw == MASKED && row.bytes(14).is_none(),
    }
}

fn prepared(row: &Row<'_>, own: Encoding) -> Option<PreparedXact> {
    Some(PreparedXact {
        transaction: row.number(0)?,
        gid: row.text(1, own)?,
        prepared: row.time(2)?,
        owner: row.text(3, own).unwrap_or_default(),
        database: row.text(4, own).unwrap_or_default(),
    })
}

fn walsender(row: &Row<'_>, own: Encoding) -> Walsender {
    Walsender {
        pid: row.number(0).unwrap_or_default(),
        state: row.word(1).map(str::to_owned),
        application_name: row.text(2, own).unwrap_or_default(),
        client_addr: row.word(3).map(str::to_owned),
    }
}

/// The relations of the own database, and shared ones, that somebody has locked or waits for. What is in
/// progress on one has locked it.
fn locked_oids(snapshot: &Snapshot) -> Vec<Oid> {
    let own = |database: Oid| database == 0 || database == snapshot.server.datid;
    let of_locks = snapshot.locks.iter().filter_map(|lock| match lock.target {
        LockTarget::Relation { database, relation }
        | LockTarget::Tuple {
            database, relation, ..
        } if own(database) => Some(relation),
        LockTarget::Other { relation, .. } => relation,
        _ => None,
    });
    // Tens of thousands of locks are on a few hundred relations.
    let mut oids: Vec<Oid> = of_locks.filter(|&oid| oid != 0).collect();
    oids.sort_unstable();
    oids.dedup();
    oids
}

/// The schemas that somebody has locked, most of them by making something in one.
fn locked_schemas(snapshot: &Snapshot) -> Vec<Oid> {
    let datid = snapshot.server.datid;
    let of_locks = snapshot.locks.iter().filter_map(|lock| match lock.target {
        LockTarget::Object {
            database,
            classid: class::SCHEMA,
            objid,
        } if database == datid => Some(objid),
        _ => None,
    });
    of_locks.collect()
}

/// What else is asked about what the first message brought.
struct Details {
    /// The views that have something to say.
    views: String,
}

impl Reading {
    fn details(&self) -> Details {
        let snapshot = &self.snapshot;
        let progress = PROGRESS.split(';').filter(|view| {
            let names = |name: &String| view.contains(&format!("pg_stat_progress_{name}"));
            self.running.iter().any(names)
        });
        // Who may not see what a process is may not see that it is a walsender.
        let may_send = |b: &Backend| b.backend_type.as_deref().is_none_or(|t| t == "walsender");
        let walsenders = snapshot.backends.iter().any(may_send).then_some(WALSENDERS);
        // A prepared transaction holds the lock on its own number, and no process has it.
        let prepared = self.locks.has_prepared().then_some(PREPARED);
        let views: Vec<&str> = progress.chain(walsenders).chain(prepared).collect();
        Details {
            views: views
                .join(";")
                .replace("$datid", &snapshot.server.datid.to_string()),
        }
    }
}

impl Details {
    async fn read(&self, connection: &mut Connection, mut snapshot: Snapshot) -> Result<Snapshot> {
        let names = RELATIONS.replace("$oids", &array_of(&locked_oids(&snapshot)));
        let raw = format!("SET LOCAL client_encoding = 'SQL_ASCII';\n{}", self.views);
        let names = match array_of(&locked_schemas(&snapshot)) {
            none if none == "{}" => names,
            schemas => format!("{names};\n{}", SCHEMAS.replace("$oids", &schemas)),
        };
        let question = format!("{raw};\n{CONVERTED};\n{names}");
        match fill(connection, &mut snapshot, &question).await {
            // A name that the server itself cannot convert: somebody wrote it under another encoding.
            Err(Error::Server { .. }) => {
                fill(connection, &mut snapshot, &format!("{raw};\n{names}")).await?;
            }
            other => other?,
        }
        Ok(snapshot)
    }
}

/// Fills in the details that a message asks for.
async fn fill(connection: &mut Connection, snapshot: &mut Snapshot, question: &str) -> Result<()> {
    let (own, block_size) = (connection.encoding(), connection.block_size());
    snapshot.prepared.clear();
    snapshot.progress.clear();
    snapshot.walsenders.clear();
    connection
        .ask(
            "read what is locked and in progress",
            question,
            |row| match row.kind() {
                "relation" => snapshot.relations.extend(relation(row, own, block_size)),
                "schema" => snapshot.temporary_schemas.extend(row.number::<Oid>(0)),
                "prepared" => snapshot.prepared.extend(prepared(row, own)),
                "walsender" => snapshot.walsenders.push(walsender(row, own)),
                _ => snapshot.progress.extend(progress::read(row)),
            },
        )
        .await
}

fn relation(row: &Row<'_>, encoding: Encoding, block_size: i64) -> Option<(Oid, LockedRelation)> {
    let relation = LockedRelation {
        name: RelationName::new(row.text(1, encoding)?, row.text(2, encoding)?),
        kind: RelationKind::from_relkind(row.word(3)?.chars().next()?)?,
        // relpages is a number of blocks, unsigned in the server.
        bytes: row.number::<i64>(4)?.saturating_mul(block_size),
        tuples: row.number(5)?,
        is_partition: row.flag(6).unwrap_or_default(),
    };
    Some((row.number(0)?, relation))
}
