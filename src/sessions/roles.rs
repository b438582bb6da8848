//! The role of a session: rules in order, the first that recognises it wins.

use super::at_work::works_between_statements;
use super::group::Group;
use super::index::Index;
use super::query_text::{self, Kind};
use super::{backups, migrations};
use crate::model::{Backend, BackendState, Backup, Certainty, LockTarget, Role, Session, Work};
use crate::words::span;
use chrono::TimeDelta;

/// What a rule says of a session.
struct Finding {
    role: Role,
    certainty: Certainty,
    evidence: Vec<String>,
    detail: Option<String>,
    backup: Option<Backup>,
}

impl Finding {
    fn new(role: Role, certainty: Certainty, evidence: impl Into<String>) -> Self {
        Self {
            role,
            certainty,
            evidence: vec![evidence.into()],
            detail: None,
            backup: None,
        }
    }

    fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// A group of backends and what is known around it.
struct Case<'a> {
    group: &'a Group<'a>,
    leader: &'a Backend,
    index: &'a Index<'a>,
    leaked_after: TimeDelta,
}

type Rule = fn(&Case<'_>) -> Option<Finding>;

/// In order of what matters: what a session is for comes before the state it happens to be in.
const RULES: [Rule; 9] = [
    ourselves,
    backup,
    server_process,
    autovacuum,
    migration,
    maintenance,
    masked,
    monitor,
    by_state,
];

/// The session that a group is.
pub fn session(group: &Group<'_>, index: &Index<'_>, leaked_after: TimeDelta) -> Session {
    let case = Case {
        group,
        leader: group.leader(),
        index,
        leaked_after,
    };
    let finding = RULES
        .iter()
        .find_map(|rule| rule(&case))
        .unwrap_or_else(|| {
            Finding::new(Role::Server, Certainty::Possible, "says nothing of itself")
        });
    Session {
        pid: case.leader.pid,
        members: group.members.iter().map(|member| member.pid).collect(),
        role: finding.role,
        certainty: finding.certainty,
        evidence: finding.evidence,
        backup: finding.backup,
        detail: finding.detail,
    }
}

fn ourselves(case: &Case<'_>) -> Option<Finding> {
    (case.leader.pid == case.index.snapshot.server.own_pid).then(|| {
        Finding::new(Role::Monitoring, Certainty::Certain, "this very look").with_detail("pgguard")
    })
}

fn backup(case: &Case<'_>) -> Option<Finding> {
    let found = backups::recognise(case.group, case.index, case.leaked_after)?;
    Some(Finding {
        role: Role::Backup,
        certainty: found.certainty,
        evidence: found.evidence,
        detail: Some(found.backup.tool.word().to_owned()),
        backup: Some(found.backup),
    })
}

/// `pg_stat_activity.backend_type` of processes that replicate, in the words of 14 to 18.
const REPLICATION_TYPES: [&str; 8] = [
    "walsender",
    "walreceiver",
    "logical replication worker",
    "logical replication apply worker",
    "logical replication tablesync worker",
    "logical replication parallel worker",
    "slotsync worker",
    "standby slot sync worker",
];

/// And of those that serve no client at all. Other words are background workers of extensions.
const SERVER_TYPES: [&str; 12] = [
    "archiver",
    "autovacuum launcher",
    "background writer",
    "checkpointer",
    "io worker",
    "logger",
    "logical replication launcher",
    "startup",
    "standalone backend",
    "walsummarizer",
    "walwriter",
    "pg_cron launcher",
];

fn server_process(case: &Case<'_>) -> Option<Finding> {
    let kind = case.leader.backend_type.as_deref()?;
    if REPLICATION_TYPES.contains(&kind) {
        let copies = case.leader.query.trim_start().starts_with("COPY ");
        let detail = if kind == "walsender" && copies {
            "first copy of a subscription"
        } else {
            kind
        };
        let mut finding = Finding::new(
            Role::Replication,
            Certainty::Certain,
            format!("its process is a {kind}"),
        );
        if kind == "walsender" && copies {
            finding
                .evidence
                .push("a walsender that runs COPY: logical replication, no backup".into());
        }
        return Some(finding.with_detail(detail));
    }
    if SERVER_TYPES.contains(&kind) {
        return Some(
            Finding::new(
                Role::Server,
                Certainty::Certain,
                format!("its process is a {kind}"),
            )
            .with_detail(kind),
        );
    }
    None
}

/// Whether an autovacuum worker prevents wraparound: such a one never gives way (autovacuum.c,
/// `autovac_report_activity`, writes the words into its query text).
#[must_use]
pub fn prevents_wraparound(backend: &Backend) -> bool {
    backend.backend_type.as_deref() == Some("autovacuum worker")
        && backend.query.contains("(to prevent wraparound)")
}

fn autovacuum(case: &Case<'_>) -> Option<Finding> {
    let kind = case.leader.backend_type.as_deref()?;
    if kind != "autovacuum worker" {
        return None;
    }
    let finding = Finding::new(
        Role::Maintenance,
        Certainty::Certain,
        "its process is an autovacuum worker",
    );
    Some(finding.with_detail(if prevents_wraparound(case.leader) {
        "autovacuum to prevent wraparound"
    } else {
        "autovacuum"
    }))
}

fn migration(case: &Case<'_>) -> Option<Finding> {
    let found = migrations::recognise(case.group, case.index)?;
    Some(Finding {
        role: Role::Migration,
        certainty: found.certainty,
        evidence: found.evidence,
        detail: Some(found.detail),
        backup: None,
    })
}

/// pg_repack's advisory locks are two ints of which this is the first (`REPACK_LOCK_PREFIX_STR`, pg_repack.c).
const REPACK_KEY: u32 = 16_185_446;

fn maintenance(case: &Case<'_>) -> Option<Finding> {
    let leader = case.leader;
    let repacks = case.index.granted(leader.pid).iter().any(|lock| {
        matches!(
            lock.target,
            LockTarget::Advisory {
                classid: REPACK_KEY,
                objsubid: 2,
                ..
            }
        )
    });
    if repacks {
        return Some(
            Finding::new(
                Role::Maintenance,
                Certainty::Certain,
                "holds pg_repack's advisory lock",
            )
            .with_detail("pg_repack"),
        );
    }
    let busy = leader.state == Some(BackendState::Active);
    if let Some(words) = case
        .index
        .work(leader.pid)
        .iter()
        .find_map(|work| maintenance_work(work))
    {
        return Some(
            Finding::new(
                Role::Maintenance,
                Certainty::Certain,
                format!("reports the progress of {words}"),
            )
            .with_detail(words),
        );
    }
    if busy && query_text::kind(&leader.query) == Kind::Maintenance {
        let words = query_text::command(&leader.query, Kind::Maintenance)?;
        return Some(
            Finding::new(
                Role::Maintenance,
                Certainty::Likely,
                format!("runs {words}"),
            )
            .with_detail(words),
        );
    }
    None
}

/// What a progress view calls it; an index build is a schema change unless it is a REINDEX.
fn maintenance_work(work: &Work) -> Option<String> {
    match work {
        Work::Vacuum { .. } => Some("VACUUM".into()),
        Work::Analyze { .. } => Some("ANALYZE".into()),
        Work::Cluster { form, .. } => Some(form.clone().unwrap_or_else(|| "CLUSTER".into())),
        Work::CreateIndex { form, .. } => form.clone().filter(|form| form.starts_with("REINDEX")),
        Work::Copy { .. } | Work::Basebackup { .. } => None,
    }
}

fn masked(case: &Case<'_>) -> Option<Finding> {
    if !case.leader.masked {
        return None;
    }
    // A client always has a role and a database; a worker of autovacuum has only the database.
    let detail = match (&case.leader.usename, case.leader.datid) {
        (None, None) => {
            return Some(
                Finding::new(
                    Role::Server,
                    Certainty::Likely,
                    "has neither role nor database",
                )
                .with_detail("a process of the server"),
            );
        }
        (None, Some(_)) => "perhaps an autovacuum worker",
        (Some(_), _) => "hidden from the role that looks",
    };
    Some(
        Finding::new(
            Role::Masked,
            Certainty::Certain,
            "its row says <insufficient privilege>",
        )
        .with_detail(detail),
    )
}

/// `application_name`s of programs that only look. A hint: used only where nothing is locked.
const MONITORS: [&str; 16] = [
    "pgguard",
    "pg_activity",
    "pgcenter",
    "pgmetrics",
    "pgwatch",
    "pganalyze",
    "postgres_exporter",
    "pg_exporter",
    "pgscv",
    "check_postgres",
    "check_pgactivity",
    "datadog",
    "telegraf",
    "zabbix",
    "newrelic",
    "temboard",
];

fn monitor(case: &Case<'_>) -> Option<Finding> {
    let name = case.leader.application_name.to_lowercase();
    let known = MONITORS
        .iter()
        .find(|monitor| name.starts_with(**monitor))?;
    let locks = migrations::locks_user_relation(case.leader, case.index);
    (case.leader.is_client() && !locks).then(|| {
        Finding::new(
            Role::Monitoring,
            Certainty::Likely,
            format!(
                "calls itself {} and holds no lock on a table",
                case.leader.application_name
            ),
        )
        .with_detail(*known)
    })
}

fn by_state(case: &Case<'_>) -> Option<Finding> {
    let leader = case.leader;
    let worker_of = (!leader.is_client())
        .then(|| leader.backend_type.clone())
        .flatten();
    let Some(state) = leader.state else {
        return worker_of.map(|kind| {
            Finding::new(
                Role::Server,
                Certainty::Likely,
                format!("its process is a {kind}"),
            )
            .with_detail(kind)
        });
    };
    let words = format!("is {}", state.text());
    let finding = match state {
        _ if works_between_statements(leader, case.index.snapshot) => between(case),
        BackendState::IdleInTransaction => in_transaction(case, words),
        BackendState::IdleInTransactionAborted => {
            in_transaction(case, words).with_detail("after an error")
        }
        BackendState::Idle => Finding::new(Role::Idle, Certainty::Certain, words),
        _ => {
            let finding = Finding::new(Role::Application, Certainty::Likely, words);
            match worker_of.or_else(|| copy_detail(case)) {
                Some(detail) => finding.with_detail(detail),
                None => finding,
            }
        }
    };
    Some(finding)
}

fn between(case: &Case<'_>) -> Finding {
    let look = case.index.snapshot;
    let idle = case.leader.state_age(look.taken_at).unwrap_or_default();
    let why = if look.working.contains(&case.leader.pid) {
        "has run a statement between two looks: it is at work".to_owned()
    } else {
        format!(
            "has waited for its client for only {} inside its transaction: it is at work",
            span(idle)
        )
    };
    Finding::new(Role::Application, Certainty::Likely, why).with_detail("between two statements")
}

fn in_transaction(case: &Case<'_>, words: String) -> Finding {
    let finding = Finding::new(Role::IdleInTransaction, Certainty::Certain, words);
    match migrations::strongest(case.leader, case.index) {
        Some(lock) => match case.index.name_of(lock) {
            Some(name) => finding.with_detail(format!("holds {} on {name}", lock.mode)),
            None => finding.with_detail(format!("holds {}", lock.mode)),
        },
        None => finding,
    }
}

/// What looks like a backup and is none.
fn copy_detail(case: &Case<'_>) -> Option<String> {
    match query_text::kind(&case.leader.query) {
        Kind::Export => Some("data export (COPY)".into()),
        Kind::Import => Some("data load (COPY)".into()),
        _ => None,
    }
}
