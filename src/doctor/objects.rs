//! Objects that a tool makes for the time of its work, and that nobody works with any more: pg_repack's and pgroll's.
//!
//! Sources: pg_repack's `lib/repack.c` (`repack_drop`) and `bin/pg_repack.c` (its advisory lock has two numbers: a prefix and
//! the table's oid); pgroll's `pkg/migrations` (`op_common.go`, `duplicate.go`) and `pkg/backfill/trigger.go`.

use super::case::Case;
use super::finding::{Finding, Harm, Kind, Remedy};
use crate::model::{Certainty, LockTarget, Maker, Oid, ToolObject};

/// The first number of pg_repack's advisory locks.
const REPACK_LOCK: u32 = 16_185_446;

/// How many objects are named.
const SHOWN: usize = 4;

/// Those of tables that no session of their tool works on.
pub fn left(case: &Case<'_>) -> Vec<Finding> {
    let objects = &case.leftovers.objects;
    objects
        .chunk_by(|a, b| (a.tool, a.table_oid) == (b.tool, b.table_oid))
        .filter(|group| !is_worked_on(case, group[0].tool, group[0].table_oid))
        .map(|group| match group[0].tool {
            Maker::Repack => repack(group),
            Maker::Pgroll => pgroll(group),
        })
        .collect()
}

/// Whether a session that is not known to be gone may be at it.
fn is_worked_on(case: &Case<'_>, tool: Maker, table: Oid) -> bool {
    match tool {
        // One that works in another database works on other tables, also where the oids are the same.
        Maker::Repack => case.snapshot.backends.iter().any(|backend| {
            let is_here = backend.datid == Some(case.snapshot.server.datid);
            let held = case.words.index().granted(backend.pid);
            let locks = held.iter().any(|lock| is_repack_lock(&lock.target, table));
            let is_its = backend.application_name == "pg_repack";
            is_here && (locks || is_its || backend.masked) && !case.is_gone(backend)
        }),
        // What it has begun and not completed is told by its own table.
        Maker::Pgroll => {
            let is_begun = |row: &crate::model::ToolRow| row.tool == "pgroll";
            case.leftovers.rows.iter().any(is_begun)
                || case.clients().any(|b| b.application_name == "pgroll")
        }
    }
}

const fn is_repack_lock(target: &LockTarget, table: Oid) -> bool {
    matches!(target, LockTarget::Advisory { classid, objid, .. } if *classid == REPACK_LOCK && *objid == table)
}

fn repack(group: &[ToolObject]) -> Finding {
    let table = &group[0].table;
    let has = |what: &str| group.iter().any(|object| object.what == what);
    let is_whole = has("trigger") || has("log") || has("copy");
    let (harm, cost) = match (has("trigger"), is_whole) {
        (true, _) => (
            Harm::StopsMigrations,
            "each write to the table is written to the log as well, which only grows; the next pg_repack of the table \
             refuses to start",
        ),
        (false, true) => (Harm::Costs, "they take the space of a table"),
        (false, false) => (
            Harm::Costs,
            "each write keeps it up to date as well, and it takes space",
        ),
    };
    let remedy = if is_whole {
        Remedy::sql(
            "if no pg_repack works on it; it needs ACCESS EXCLUSIVE on the table for a moment, and gives up after 2 seconds",
            format!(
                "SET lock_timeout = '2s'; SELECT repack.repack_drop({}, 4);",
                group[0].table_oid
            ),
        )
    } else {
        let indexes = group
            .iter()
            .map(|object| format!("DROP INDEX CONCURRENTLY {};", object.name));
        Remedy::sql(
            "if no pg_repack works on it",
            indexes.collect::<Vec<_>>().join("\n"),
        )
    };
    Finding {
        harm,
        cost: cost.into(),
        remedy,
        ..finding(
            format!(
                "a pg_repack of {table} did not end: it left {}",
                named(group)
            ),
            group,
            "no session has pg_repack's lock on the table",
        )
    }
}

fn pgroll(group: &[ToolObject]) -> Finding {
    let table = &group[0].table;
    let of = |what: &'static str| group.iter().filter(move |object| object.what == what);
    let triggers = of("trigger").map(|object| format!("DROP TRIGGER {} ON {table};", object.name));
    let drops = of("constraint")
        .map(|object| format!("DROP CONSTRAINT IF EXISTS {}", object.name))
        .chain(of("column").map(|object| format!("DROP COLUMN {}", object.name)));
    let drops = drops.collect::<Vec<_>>().join(", ");
    let alter = (!drops.is_empty()).then(|| format!("ALTER TABLE {table} {drops};"));
    let command = triggers.chain(alter).collect::<Vec<_>>().join("\n");
    Finding {
        harm: Harm::Costs,
        cost: "each write fills them as well; pgroll no longer knows of them".into(),
        remedy: Remedy::sql(
            "if the application needs none of them",
            format!("SET lock_timeout = '2s';\n{command}"),
        ),
        ..finding(
            format!(
                "pgroll left objects of a migration on {table}: {}",
                named(group)
            ),
            group,
            "pgroll's own table has no migration that is begun",
        )
    }
}

fn finding(what: String, group: &[ToolObject], nobody: &str) -> Finding {
    Finding {
        kind: Kind::ToolObjects,
        harm: Harm::Costs,
        certainty: Certainty::Likely,
        what,
        relation: Some(group[0].table.clone()),
        session: None,
        since: None,
        proof: vec![format!("the catalogs have them, and {nobody}")],
        cost: String::new(),
        remedy: Remedy::sql("", ""),
    }
}

/// `trigger repack_trigger, log repack.log_16400`
fn named(group: &[ToolObject]) -> String {
    let names = group.iter().take(SHOWN);
    let mut names: Vec<String> = names
        .map(|object| format!("the {} {}", object.what, object.name))
        .collect();
    if group.len() > SHOWN {
        names.push(format!("and {} more", group.len() - SHOWN));
    }
    names.join(", ")
}
