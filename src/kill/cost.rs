//! What it costs to end a session, one row for each kind of loss.

use super::case::Case;
use crate::model::{BackendState, Role, Work};
use crate::sessions::prevents_wraparound;
use crate::words::span;
use chrono::TimeDelta;

type Rule = fn(&Case<'_>) -> Option<String>;

/// Every rule that applies says its sentence.
const RULES: [Rule; 9] = [
    dump,
    physical_backup,
    replication,
    autovacuum,
    concurrent_index,
    writes,
    idle_in_transaction,
    migration,
    statement,
];

/// What would be lost or come back.
pub fn costs(case: &Case<'_>) -> Vec<String> {
    let mut costs: Vec<String> = RULES.iter().filter_map(|rule| rule(case)).collect();
    if costs.is_empty() {
        costs.push("its client loses the connection".into());
    }
    costs
}

fn lasted(case: &Case<'_>) -> String {
    case.backend
        .xact_age(case.now())
        .map_or_else(String::new, |age| format!(" ({} of work)", span(age)))
}

fn dump(case: &Case<'_>) -> Option<String> {
    let backup = case.session?.backup.as_ref()?;
    if !backup.blocks_ddl {
        return None;
    }
    if backup.leaked {
        return Some(
            "nobody seems to read this dump any more: what it wrote is incomplete already; \
             make sure that a later backup is complete"
                .into(),
        );
    }
    let workers = match backup.workers {
        0 => String::new(),
        count => format!(", its {count} workers go with it"),
    };
    Some(format!(
        "the backup will be incomplete and must be run again{}{workers}",
        lasted(case)
    ))
}

fn physical_backup(case: &Case<'_>) -> Option<String> {
    let backup = case.session?.backup.as_ref()?;
    (!backup.blocks_ddl).then(|| {
        "the base backup will be unusable and must be run again; it blocks no schema change".into()
    })
}

fn replication(case: &Case<'_>) -> Option<String> {
    (case.role == Role::Replication).then(|| {
        "the standby or subscriber falls behind until it has connected again, a first copy begins \
         from the start, and commits that wait for a synchronous standby stand still meanwhile"
            .into()
    })
}

fn autovacuum(case: &Case<'_>) -> Option<String> {
    if case.backend.backend_type.as_deref() != Some("autovacuum worker") {
        return None;
    }
    Some(if prevents_wraparound(case.backend) {
        "it prevents transaction id wraparound and comes straight back: let it finish, or run VACUUM \
         (FREEZE) on the table at a time of your choice"
            .into()
    } else {
        "it comes back later; it gives way to a waiting schema change by itself".into()
    })
}

fn concurrent_index(case: &Case<'_>) -> Option<String> {
    let form = case.work().find_map(|work| match work {
        Work::CreateIndex { form, .. } => form.clone(),
        _ => None,
    });
    let concurrently = form.map_or_else(
        || {
            let query = case.backend.query.to_uppercase();
            query.contains("INDEX") && query.contains("CONCURRENTLY")
        },
        |form| form.contains("CONCURRENTLY"),
    );
    (concurrently && case.backend.state == Some(BackendState::Active)).then(|| {
        "it leaves an invalid index, which costs every write and is of no use: DROP INDEX \
         CONCURRENTLY it afterwards (after REINDEX: the one that ends in _ccnew)"
            .into()
    })
}

/// From this age on, what a transaction wrote is worth a line.
const LONG: TimeDelta = TimeDelta::seconds(10);

fn writes(case: &Case<'_>) -> Option<String> {
    case.backend.backend_xid?;
    let age = case.backend.xact_age(case.now())?;
    Some(if age >= LONG {
        format!(
            "what it wrote in up to {} is rolled back, and the dead rows stay until a vacuum",
            span(age)
        )
    } else {
        "what it wrote is rolled back".into()
    })
}

fn idle_in_transaction(case: &Case<'_>) -> Option<String> {
    let idle = case.backend.state?.is_idle_in_transaction();
    (idle && case.role != Role::Backup).then(|| {
        "its client finds the connection closed at its next statement, and its transaction undone"
            .into()
    })
}

fn migration(case: &Case<'_>) -> Option<String> {
    (case.role == Role::Migration).then(|| {
        "the migration stops: steps outside its transaction stay, so look at what it left behind \
         before it is run again"
            .into()
    })
}

fn statement(case: &Case<'_>) -> Option<String> {
    (case.role == Role::Application && case.backend.state == Some(BackendState::Active))
        .then(|| "its client gets an error for the running statement".into())
}
