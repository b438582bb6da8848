//! Signs of an open schema change in the lock table, whatever its last statement was.
//!
//! A migration tool ends its transaction by writing its version row, so the text of a session's last statement
//! tells nothing of what the transaction did before; a masked row, a text that is cut and a prepared transaction
//! have no text at all. `pg_locks` does tell, to the end of the transaction:
//!
//! - a new relation is locked in ACCESS EXCLUSIVE, and nobody else finds its oid in `pg_class` (`heap_create`);
//! - who makes something keeps a lock on its schema (`RangeVarGetAndCheckCreationNamespace`, namespace.c), and
//!   who grants one on the role (`shdepLockAndCheckObject`, pg_shdepend.c);
//! - role and database commands keep ROW EXCLUSIVE on a shared catalog (`table_close(…, NoLock)`, user.c);
//! - a transaction with an id and no lock on any row-bearing relation has written catalogs alone;
//! - a migration tool's version table is written by migrations.
//!
//! And a catalog row that somebody has updated has the transaction's number in `xmax`, for everybody to see.
//!
//! An ordinary writer shows none of these: its locks are on relations that everybody finds. What nobody can see is a
//! new row of a catalog: CREATE SCHEMA, CREATE PUBLICATION and (before 18) CREATE FUNCTION or TYPE by a superuser,
//! followed by a write to an ordinary table.

use super::party::Party;
use crate::model::{
    ChangedRow, FIRST_NORMAL_OID, Lock, LockMode, LockTarget, Oid, Pid, Snapshot, class,
};
use crate::sessions::query_text;
use crate::tools::TOOLS;
use std::collections::{BTreeMap, BTreeSet};

/// `pg_authid`, whose rows shared dependencies lock.
const AUTHID: Oid = 1260;

/// Shared catalogs that role, database and tablespace commands write: `pg_authid`, `pg_auth_members`, `pg_database`,
/// `pg_tablespace`, `pg_db_role_setting`, `pg_parameter_acl`.
const SHARED: [Oid; 6] = [AUTHID, 1261, 1262, 1213, 2964, 6243];

/// What an open transaction shows.
#[derive(Debug)]
pub struct Signs<'a> {
    /// Whose.
    pub party: Party<'a>,
    /// The row of its transaction id: the transaction was open as the locks were read.
    pub lock: &'a Lock,
    /// It made a relation.
    pub made: bool,
    /// Schemas that it made something in; temporary ones are left out, nobody else's names are there.
    pub schemas: BTreeSet<Oid>,
    /// Its namesakes are its own alone: all that it made is temporary.
    pub only_temporary: bool,
    /// It keeps a lock on a role: it granted or revoked rights, or made something of its own.
    pub roles: bool,
    /// It has written a shared catalog.
    pub shared: bool,
    /// The tool whose version table it writes.
    pub books: Option<&'static str>,
    /// It has written catalogs alone.
    pub catalogs_only: bool,
    /// It is a transaction of the connected database.
    pub here: bool,
    /// The catalog rows that it has changed, or may have.
    pub changed: Vec<&'a ChangedRow>,
    /// Its number, and those of its savepoints that are still open.
    numbers: Vec<u32>,
}

impl Signs<'_> {
    /// What it shows, in words; `None`: nothing that a schema change leaves.
    #[must_use]
    pub fn in_words(&self) -> Option<String> {
        let made = !self.schemas.is_empty() || self.made && !self.only_temporary;
        [
            (made, "it has made something"),
            (self.rights(), "it keeps a lock on a role, as GRANT does"),
            (
                self.shared,
                "it has written a catalog of roles or databases",
            ),
            (self.catalogs_only, "it has written system catalogs alone"),
        ]
        .into_iter()
        .find_map(|(is_so, words)| is_so.then(|| words.to_owned()))
        .or_else(|| Some(format!("it writes the version table of {}", self.books?)))
    }

    /// It granted or revoked. Who makes a temporary table locks its own role too (`recordDependencyOnOwner`).
    #[must_use]
    pub const fn rights(&self) -> bool {
        self.roles && !self.only_temporary
    }
}

/// Every open transaction that has an id, with the signs it shows. One pass over the locks.
#[must_use]
pub fn signs(snapshot: &Snapshot) -> Vec<Signs<'_>> {
    let server = &snapshot.server;
    let mut found: BTreeMap<(Option<Pid>, &str), Signs> = snapshot
        .locks
        .iter()
        .filter(|lock| lock.granted && lock.pid != Some(server.own_pid))
        .filter(|lock| matches!(lock.target, LockTarget::TransactionId { .. }))
        .map(|lock| (key(lock), Signs::of(lock, snapshot)))
        .collect();
    let mut rows: BTreeMap<(Option<Pid>, &str), Vec<&Lock>> = BTreeMap::new();
    for lock in &snapshot.locks {
        if found.contains_key(&key(lock)) {
            rows.entry(key(lock)).or_default().push(lock);
        }
    }
    for (key, signs) in &mut found {
        signs.read(rows.get(key).map_or(&[][..], Vec::as_slice), snapshot);
    }
    let mut found: Vec<Signs> = found.into_values().collect();
    for row in &snapshot.changed_rows {
        add_changed(&mut found, row);
    }
    found
}

/// Gives a changed row to the transaction whose number it has. The number of a savepoint that was released is in no
/// view: then it is one of those that were there before.
fn add_changed<'a>(found: &mut [Signs<'a>], row: &'a ChangedRow) {
    let number = row.transaction;
    let is_known = found.iter().any(|signs| signs.numbers.contains(&number));
    let may_be = |signs: &Signs| {
        let mut numbers = signs.numbers.iter();
        if is_known {
            numbers.any(|own| *own == number)
        } else {
            numbers.any(|own| own.wrapping_sub(number).cast_signed() < 0)
        }
    };
    for signs in found.iter_mut().filter(|signs| may_be(signs)) {
        signs.changed.push(row);
    }
}

/// Whose a lock is: a process's, or a prepared transaction's, which has no process.
fn key(lock: &Lock) -> (Option<Pid>, &str) {
    let is_prepared = lock.pid.is_none();
    let name = if is_prepared {
        &*lock.virtualtransaction
    } else {
        ""
    };
    (lock.pid, name)
}

/// Whether a LOCK or TRUNCATE waits here: it has taken its transaction's number before it has the lock
/// (`LogAccessExclusiveLockPrepare`, standby.c), and may have written nothing yet.
fn waits_to_lock(lock: &Lock, snapshot: &Snapshot) -> bool {
    let verbs = || {
        let backend = snapshot.backend(lock.pid?)?;
        let heads = query_text::heads(&backend.query).into_iter();
        Some(heads.filter_map(|head| head.into_iter().next()).collect())
    };
    let only_locks = |verbs: Vec<String>| {
        let is_one = |names: &[&str]| verbs.iter().any(|verb| names.contains(&verb.as_str()));
        is_one(&["LOCK", "TRUNCATE"])
            && !is_one(&["ALTER", "COMMENT", "CREATE", "DROP", "GRANT", "REVOKE"])
    };
    !lock.granted
        && lock.mode == LockMode::AccessExclusive
        && lock.relation().is_some()
        && verbs().is_some_and(only_locks)
}

impl<'a> Signs<'a> {
    fn of(lock: &'a Lock, snapshot: &Snapshot) -> Self {
        let party = match lock.pid {
            Some(pid) => {
                let group = snapshot
                    .backend(pid)
                    .map_or(pid, crate::model::Backend::lock_group);
                Party::Group(group)
            }
            None => Party::Prepared(&lock.virtualtransaction),
        };
        let here = match lock.pid {
            Some(pid) => snapshot.backend(pid).and_then(|b| b.datid) == Some(snapshot.server.datid),
            None => snapshot
                .prepared_of(lock)
                .is_none_or(|xact| xact.database == snapshot.server.datname),
        };
        Self {
            party,
            lock,
            made: false,
            schemas: BTreeSet::new(),
            only_temporary: false,
            roles: false,
            shared: false,
            books: None,
            catalogs_only: false,
            here,
            changed: Vec::new(),
            numbers: Vec::new(),
        }
    }

    fn read(&mut self, rows: &[&Lock], snapshot: &Snapshot) {
        let here = snapshot.server.datid;
        let (mut temporary, mut touches_rows) = (false, false);
        for lock in rows.iter().filter(|lock| lock.granted) {
            match lock.target {
                LockTarget::Relation {
                    database: 0,
                    relation,
                } => {
                    self.shared |=
                        SHARED.contains(&relation) && lock.mode >= LockMode::RowExclusive;
                }
                LockTarget::Relation { database, relation } if database == here => {
                    touches_rows |= relation >= FIRST_NORMAL_OID && lock.mode >= LockMode::RowShare
                        // Large objects are rows of a catalog, and no schema.
                        || matches!(relation, 2613 | 2995);
                    self.read_relation(lock, relation, snapshot);
                }
                LockTarget::Object {
                    database,
                    classid: class::SCHEMA,
                    objid,
                } if database == here && lock.mode == LockMode::AccessShare => {
                    if snapshot.temporary_schemas.contains(&objid) {
                        temporary = true;
                    } else {
                        self.schemas.insert(objid);
                    }
                }
                LockTarget::Object {
                    database: 0,
                    classid: AUTHID,
                    ..
                } => self.roles = true,
                LockTarget::TransactionId { transactionid } => self.numbers.push(transactionid),
                _ => {}
            }
        }
        self.only_temporary = temporary && self.schemas.is_empty();
        touches_rows |= rows.iter().any(|lock| waits_to_lock(lock, snapshot));
        self.catalogs_only = self.here && !touches_rows && !self.only_temporary;
    }

    fn read_relation(&mut self, lock: &Lock, relation: Oid, snapshot: &Snapshot) {
        match snapshot.relations.get(&relation) {
            None if relation >= FIRST_NORMAL_OID => {
                self.made |= lock.mode == LockMode::AccessExclusive;
            }
            Some(known) if lock.mode == LockMode::RowExclusive => {
                let name = Some(known.name.relation.as_str());
                // `migrations` may be any table of a user's.
                let tool = TOOLS
                    .iter()
                    .find(|tool| tool.version_table == name && name != Some("migrations"));
                self.books = self.books.or_else(|| Some(tool?.name));
            }
            _ => {}
        }
    }
}
