//! Indexes that are not valid, and partitions whose DETACH … CONCURRENTLY did not end.
//!
//! Sources: `DefineIndex` and `ReindexRelationConcurrently` (indexcmds.c) are in pg_stat_progress_create_index to their
//! end; `index_drop` (index.c) keeps SHARE UPDATE EXCLUSIVE on the index, across its transactions.
//! `ATExecDetachPartition` (tablecmds.c).

use super::case::Case;
use super::finding::{Finding, Harm, Kind, Remedy};
use crate::model::{Certainty, Detaching, LockMode, UnfinishedIndex, Work};

/// The endings that REINDEX … CONCURRENTLY gives to the index that it builds, and to the one that it replaces; a number
/// may follow where the name was taken (`ChooseRelationName`).
const ENDINGS: [&str; 2] = ["_ccnew", "_ccold"];

/// Those that nobody is at.
pub fn indexes(case: &Case<'_>) -> Vec<Finding> {
    let left = case.leftovers.indexes.iter();
    left.filter(|index| !is_being_worked_on(case, index))
        .map(finding)
        .collect()
}

/// Whether somebody builds it, or drops it. Where the process may not be seen, it may be at it.
fn is_being_worked_on(case: &Case<'_>, index: &UnfinishedIndex) -> bool {
    let own = Some(case.snapshot.server.datid);
    let builds = case.snapshot.progress.iter().any(|row| {
        let Work::CreateIndex { relid, .. } = row.work else {
            return false;
        };
        row.datid == own && relid.is_none_or(|table| table == index.table_oid)
    });
    builds
        || case
            .at_work_on("concurrently")
            .any(|backend| case.holds(backend.pid, LockMode::ShareUpdateExclusive, index.oid))
}

/// `_ccnew` or `_ccold`, where the name ends with it.
fn ending(index: &UnfinishedIndex) -> Option<&'static str> {
    let name = index
        .name
        .relation
        .trim_end_matches(|c: char| c.is_ascii_digit());
    ENDINGS.into_iter().find(|ending| name.ends_with(ending))
}

fn finding(index: &UnfinishedIndex) -> Finding {
    let (name, table) = (&index.name, &index.table);
    let what = match ending(index) {
        _ if index.is_partitioned => {
            format!(
                "index {name} of the partitioned table {table} is not valid: a partition lacks its part"
            )
        }
        Some("_ccnew") => {
            format!(
                "index {name} on {table} is what an interrupted REINDEX CONCURRENTLY had begun to build"
            )
        }
        Some(_) => {
            format!(
                "index {name} on {table} is the old index that a REINDEX CONCURRENTLY did not drop"
            )
        }
        None if !index.is_live => {
            format!(
                "index {name} on {table} was being dropped, and the DROP INDEX CONCURRENTLY did not end"
            )
        }
        None => {
            format!(
                "index {name} on {table} is not valid: its CREATE INDEX CONCURRENTLY did not end"
            )
        }
    };
    Finding {
        kind: Kind::InvalidIndex,
        harm: match index.is_partitioned {
            true => Harm::Information,
            false => Harm::Costs,
        },
        certainty: Certainty::Certain,
        what,
        relation: Some(name.clone()),
        session: None,
        since: None,
        proof: vec![format!(
            "pg_index says {}, and no session builds or drops it",
            flags(index)
        )],
        cost: cost(index),
        remedy: remedy(index),
    }
}

fn flags(index: &UnfinishedIndex) -> String {
    let flags = [
        ("indisvalid", index.is_valid),
        ("indisready", index.is_ready),
        ("indislive", index.is_live),
    ];
    let wrong: Vec<String> = flags
        .iter()
        .filter(|(_, is_set)| !is_set)
        .map(|(flag, _)| format!("{flag} = false"))
        .collect();
    wrong.join(", ")
}

fn cost(index: &UnfinishedIndex) -> String {
    let cost = match (index.is_partitioned, index.is_ready && index.is_live) {
        (true, _) => "queries on the partitioned table still use the parts that are there",
        (false, true) if index.is_unique => {
            "no query uses it, every write keeps it up to date, and duplicates of new rows are refused"
        }
        (false, true) => "no query uses it, and every write keeps it up to date",
        (false, false) if index.is_live => {
            "no query uses it; it takes space, and HOT updates of its columns stay off"
        }
        (false, false) => "no query uses it, and it takes space",
    };
    match ending(index) {
        None if !index.is_partitioned && index.is_live => {
            format!("{cost}; CREATE INDEX IF NOT EXISTS of this name does nothing")
        }
        _ => cost.to_owned(),
    }
}

fn remedy(index: &UnfinishedIndex) -> Remedy {
    let name = &index.name;
    if index.is_partitioned {
        return Remedy::sql(
            "attach the index of each partition that lacks one (ALTER INDEX … ATTACH PARTITION); to see which",
            format!(
                "SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = {}::regclass",
                crate::words::literal(&index.table.to_string())
            ),
        );
    }
    // DROP INDEX CONCURRENTLY of a part of a partitioned index is refused (`RemoveRelations`, tablecmds.c).
    if index.is_attached && index.is_live {
        return Remedy::sql(
            "build it again",
            format!("REINDEX INDEX CONCURRENTLY {name};"),
        );
    }
    let advice = match ending(index) {
        Some("_ccnew") => "drop it, then run the REINDEX again",
        Some(_) => "drop it: the new index is in its place",
        None if !index.is_live => "drop it again",
        None => "drop it, then create it again",
    };
    Remedy::sql(advice, format!("DROP INDEX CONCURRENTLY {name};"))
}

/// Partitions that are neither attached nor detached, and nobody detaches them.
pub fn detaching(case: &Case<'_>) -> Vec<Finding> {
    if case.at_work_on("detach").next().is_some() {
        return Vec::new();
    }
    case.leftovers.detaching.iter().map(pending).collect()
}

fn pending(one: &Detaching) -> Finding {
    let (partition, parent) = (&one.partition, &one.parent);
    Finding {
        kind: Kind::DetachPending,
        harm: Harm::StopsMigrations,
        certainty: Certainty::Certain,
        what: format!("the DETACH PARTITION {partition} CONCURRENTLY of {parent} did not end"),
        relation: Some(partition.clone()),
        session: None,
        since: None,
        proof: vec!["pg_inherits says inhdetachpending, and no session detaches".into()],
        cost: format!(
            "its rows are no longer seen through {parent}, and Postgres refuses the next DETACH … CONCURRENTLY of {parent}"
        ),
        remedy: Remedy::sql(
            "finish it",
            format!("ALTER TABLE {parent} DETACH PARTITION {partition} FINALIZE;"),
        ),
    }
}
