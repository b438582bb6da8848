//! Recognising a backup by what it does to the server; its name only adds to that.

use super::group::Group;
use super::index::Index;
use super::query_text;
use crate::model::{
    Backend, BackendState, Backup, BackupTool, Certainty, FIRST_NORMAL_OID, LockMode, LockTarget,
    Oid, RelationKind, Work,
};
use crate::tools;
use chrono::TimeDelta;

/// Catalogs that pg_dump reads in its one transaction and hardly anything else reads together:
/// their oids are fixed (`catalog/pg_*.h`).
const DUMPED_CATALOGS: [Oid; 12] = [
    2753, // pg_opfamily
    2616, // pg_opclass
    2607, // pg_conversion
    2605, // pg_cast
    3600, // pg_ts_dict
    3601, // pg_ts_parser
    3602, // pg_ts_config
    3764, // pg_ts_template
    1417, // pg_foreign_server
    2328, // pg_foreign_data_wrapper
    3466, // pg_event_trigger
    826,  // pg_default_acl
];

/// So many of them make the signature: a dump that has just begun has read some of them.
const ENOUGH_CATALOGS: usize = 6;

/// Catalogs that pg_dump has read before it locks its tables (`getTables`, pg_dump.c).
const EARLY_CATALOGS: [Oid; 6] = [
    3118, // pg_foreign_table
    3079, // pg_extension
    2601, // pg_am
    1213, // pg_tablespace
    2608, // pg_depend
    2615, // pg_namespace
];

/// pgBackRest's session lock, 12340078987004321 (`LOCK_*` in its db/db.c): the same in every database and version.
const PGBACKREST_KEY: i64 = 12_340_078_987_004_321;

/// What speaks for and against a dump of one backend. Points: 5 and more are certain, 3 and 4 likely.
#[derive(Debug, Default)]
pub struct DumpSigns {
    pub score: i32,
    /// In words, with their points.
    pub evidence: Vec<(i32, String)>,
    /// Whether it has read the catalogs as only pg_dump's main connection does: a leader, no worker.
    pub leads: bool,
    /// Whether it copies or fetches a table at the moment, or did last.
    pub copies: bool,
    /// Tables it has locked, by oid, ascending.
    pub tables: Vec<Oid>,
    /// Whether it has any lock on a relation that is no system catalog.
    pub locks_relations: bool,
}

impl DumpSigns {
    fn add(&mut self, points: i32, words: impl Into<String>) {
        self.score += points;
        self.evidence.push((points, words.into()));
    }

    /// What the points say.
    #[must_use]
    pub const fn certainty(&self) -> Option<Certainty> {
        match self.score {
            5.. => Some(Certainty::Certain),
            3 | 4 => Some(Certainty::Likely),
            2 => Some(Certainty::Possible),
            _ => None,
        }
    }

    /// The words, the strongest first.
    pub fn into_evidence(mut self) -> Vec<String> {
        self.evidence.sort_by_key(|(points, _)| -points.abs());
        self.evidence.into_iter().map(|(_, words)| words).collect()
    }
}

/// Reads the signs of a dump off one backend: its locks, its snapshot, its statement, its name.
#[must_use]
pub fn dump_signs(backend: &Backend, index: &Index<'_>) -> DumpSigns {
    let mut signs = DumpSigns::default();
    let may_dump = backend.is_client() || backend.masked;
    // REPEATABLE READ from its first query on: it has a snapshot even while it idles.
    if !may_dump || backend.backend_xmin.is_none() {
        return signs;
    }
    let mut catalogs = 0;
    let mut early = 0;
    let mut relations = 0;
    let mut stronger = false;
    for lock in index.granted(backend.pid) {
        let LockTarget::Relation { relation, .. } = lock.target else {
            continue;
        };
        if DUMPED_CATALOGS.contains(&relation) {
            catalogs += 1;
        } else if EARLY_CATALOGS.contains(&relation) {
            early += 1;
        } else if relation >= FIRST_NORMAL_OID {
            signs.locks_relations = true;
            relations += 1;
            stronger |= lock.mode != LockMode::AccessShare;
            if is_table(backend, relation, index) {
                signs.tables.push(relation);
            }
        }
    }
    signs.tables.sort_unstable();
    signs.tables.dedup();

    if catalogs >= ENOUGH_CATALOGS {
        signs.leads = true;
        signs.add(
            3,
            "reads all catalogs in one transaction, as only a dump does",
        );
    }
    if relations > 1 && !stronger {
        signs.add(
            1,
            format!("holds ACCESS SHARE on {relations} relations and nothing stronger"),
        );
    }
    if !signs.leads && early == EARLY_CATALOGS.len() {
        signs.add(1, "has read the catalogs that a dump reads first");
    }
    if query_text::is_dump_lock(&backend.query, backend.query_truncated) {
        signs.add(2, "its LOCK TABLE is written the way pg_dump writes it");
    }
    if query_text::is_dump_copy(&backend.query, backend.query_truncated) {
        signs.copies = true;
        signs.add(2, "its COPY is written the way pg_dump writes it");
    } else if query_text::is_dump_cursor(&backend.query) {
        signs.copies = true;
        signs.add(4, "reads rows through pg_dump's own cursor");
    }
    if backend.application_name == "pg_dump" {
        signs.add(2, "calls itself pg_dump");
    }
    if stronger {
        signs.add(
            -4,
            "holds locks stronger than ACCESS SHARE, which no dump takes",
        );
    }
    if backend.backend_xid.is_some() {
        signs.add(-4, "has written, which no dump does");
    }
    if index
        .work(backend.pid)
        .iter()
        .any(|work| matches!(work, Work::Copy { relid: Some(0), .. }))
        && !query_text::is_dump_copy(&backend.query, backend.query_truncated)
    {
        signs.add(-3, "copies the result of a query");
    }
    signs
}

/// Whether a locked relation is a table of the database that was looked at.
fn is_table(backend: &Backend, relation: Oid, index: &Index<'_>) -> bool {
    backend.datid == Some(index.snapshot.server.datid)
        && index
            .snapshot
            .relations
            .get(&relation)
            .is_some_and(|locked| locked.kind == RelationKind::Table)
}

/// A backup, as far as a group of backends shows one.
pub struct Found {
    /// How sure.
    pub certainty: Certainty,
    /// Why.
    pub evidence: Vec<String>,
    /// What.
    pub backup: Backup,
}

/// Recognises a backup. Physical ones first: their signs are unmistakable.
pub fn recognise(group: &Group<'_>, index: &Index<'_>, leaked_after: TimeDelta) -> Option<Found> {
    base_backup(group, index)
        .or_else(|| pgbackrest(group, index))
        .or_else(|| dump(group, index, leaked_after))
        .or_else(|| dumpall_alone(group))
        .or_else(|| low_level(group))
}

fn physical(tool: BackupTool, certainty: Certainty, evidence: Vec<String>) -> Found {
    Found {
        certainty,
        evidence,
        backup: Backup {
            tool,
            blocks_ddl: false,
            tables: Vec::new(),
            workers: 0,
            leaked: false,
        },
    }
}

/// Whether a walsender streams a base backup.
#[must_use]
pub fn streams_base_backup(backend: &Backend, index: &Index<'_>) -> bool {
    let progress = index
        .work(backend.pid)
        .iter()
        .any(|work| matches!(work, Work::Basebackup { .. }));
    let state = index
        .walsender(backend.pid)
        .is_some_and(|walsender| walsender.state.as_deref() == Some("backup"));
    let text = backend.backend_type.as_deref() == Some("walsender")
        && backend.state == Some(BackendState::Active)
        && backend.query.trim_start().starts_with("BASE_BACKUP");
    progress || state || text
}

fn base_backup(group: &Group<'_>, index: &Index<'_>) -> Option<Found> {
    let leader = group.leader();
    if !streams_base_backup(leader, index) {
        return None;
    }
    let tool = if leader.application_name.starts_with("barman") {
        BackupTool::Barman
    } else {
        BackupTool::PgBasebackup
    };
    let mut evidence = vec!["a walsender that streams BASE_BACKUP".to_owned()];
    if group.members.len() > 1 {
        evidence.push("a second walsender streams the WAL that goes with it".into());
    }
    Some(physical(tool, Certainty::Certain, evidence))
}

fn pgbackrest(group: &Group<'_>, index: &Index<'_>) -> Option<Found> {
    let leader = group.leader();
    let mut held = index.granted(leader.pid).iter();
    let locked = held.any(|lock| tools::key_of(&lock.target) == Some(PGBACKREST_KEY));
    if !locked {
        return None;
    }
    Some(physical(
        BackupTool::PgBackRest,
        Certainty::Certain,
        vec!["holds pgBackRest's advisory lock".into()],
    ))
}

fn dump(group: &Group<'_>, index: &Index<'_>, leaked_after: TimeDelta) -> Option<Found> {
    let leader = group.leader();
    let mut signs = dump_signs(leader, index);
    let dumpall = group.dumpall.is_some();
    let workers = group.members.len() - 1 - usize::from(dumpall);
    if workers > 0 {
        signs.add(1, format!("{workers} more read under the same snapshot"));
    }
    if dumpall {
        signs.add(1, "runs next to an idle pg_dumpall");
    }
    let certainty = signs.certainty()?;
    let leaked = is_leaked(group, index, leaked_after);
    if leaked {
        signs.add(
            0,
            "nothing has moved for long while its transaction is open: its client is gone",
        );
    }
    let tables = std::mem::take(&mut signs.tables);
    let blocks_ddl = signs.locks_relations || leader.backend_xmin.is_some();
    Some(Found {
        certainty,
        evidence: signs.into_evidence(),
        backup: Backup {
            tool: if dumpall {
                BackupTool::PgDumpall
            } else {
                BackupTool::PgDump
            },
            blocks_ddl,
            tables,
            workers,
            leaked,
        },
    })
}

/// A parallel dump's leader is idle in its transaction while its workers copy, and a serial one between two
/// statements: only when nobody has moved for long is the client gone.
fn is_leaked(group: &Group<'_>, index: &Index<'_>, leaked_after: TimeDelta) -> bool {
    let now = index.snapshot.taken_at;
    group
        .members
        .iter()
        .filter(|member| Some(member.pid) != group.dumpall)
        .all(|member| {
            member
                .state
                .is_some_and(BackendState::is_idle_in_transaction)
                && member.state_age(now).is_some_and(|age| age > leaked_after)
        })
}

/// Whether this is pg_dumpall's own connection: it lists the databases and then idles while one pg_dump
/// after another runs.
#[must_use]
pub fn is_dumpall(backend: &Backend) -> bool {
    backend.is_client()
        && (backend.application_name == "pg_dumpall"
            || backend
                .query
                .starts_with("SELECT datname FROM pg_database d WHERE datallowconn")
                && backend.query.contains("(datname <> 'template1')"))
}

fn dumpall_alone(group: &Group<'_>) -> Option<Found> {
    let leader = group.leader();
    if !is_dumpall(leader) {
        return None;
    }
    Some(physical(
        BackupTool::PgDumpall,
        Certainty::Likely,
        vec!["lists the databases as pg_dumpall does; no pg_dump of its runs at the moment".into()],
    ))
}

/// Programs that copy files between `pg_backup_start` and `pg_backup_stop` and hold a session open meanwhile:
/// how the program is told, which one, how sure.
type LowLevel = (fn(&Backend) -> bool, BackupTool, &'static str);
const LOW_LEVEL: [LowLevel; 5] = [
    (
        |b| b.application_name.starts_with("pgBackRest"),
        BackupTool::PgBackRest,
        "calls itself pgBackRest",
    ),
    (
        |b| b.application_name.starts_with("barman"),
        BackupTool::Barman,
        "calls itself barman",
    ),
    (
        |b| b.application_name.to_lowercase().starts_with("wal-g"),
        BackupTool::WalG,
        "calls itself wal-g",
    ),
    (
        |b| {
            b.query.contains("pg_walfile_name_offset(lsn)")
                && b.query.contains("pg_is_in_recovery()")
        },
        BackupTool::WalG,
        "starts the backup in WAL-G's words",
    ),
    // Its src/backup.c, `pg_start_backup`; Google's Cloud SQL has the same words.
    (
        |b| {
            b.query
                .starts_with("SELECT pg_catalog.pg_backup_start($1, $2)")
                && b.usename.as_deref() != Some("cloudsqladmin")
        },
        BackupTool::PgProbackup,
        "starts the backup in pg_probackup's words",
    ),
];

fn low_level(group: &Group<'_>) -> Option<Found> {
    let leader = group.leader();
    let starts = ["pg_backup_start", "pg_start_backup"]
        .iter()
        .any(|call| leader.query.contains(&format!("{call}(")));
    if !leader.is_client() || !starts {
        return None;
    }
    let mut evidence = vec!["its last statement began a backup: pg_backup_start".to_owned()];
    for (tells, tool, words) in LOW_LEVEL {
        if tells(leader) {
            evidence.push(words.into());
            return Some(physical(tool, Certainty::Likely, evidence));
        }
    }
    Some(physical(
        BackupTool::LowLevelApi,
        Certainty::Possible,
        evidence,
    ))
}
