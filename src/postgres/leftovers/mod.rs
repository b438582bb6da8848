//! Reads what an interrupted change may have left behind: in the catalogs of the connected database, and in the
//! tables of the migration tools.

mod changes;
mod tool_tables;
mod traces;

use super::connect::{Connection, Encoding, Row};
use crate::Result;
use crate::model::UnfinishedIndex;
use crate::model::{
    Detaching, Disabled, Leftovers, Maker, NotValid, RelationName, Slot, Switch, ToolObject,
    ToolRow,
};

const CATALOG: &str = include_str!("catalog.sql");
const PGROLL: &str = include_str!("pgroll.sql");
const EXCLUSIVE_BACKUP: &str = include_str!("exclusive_backup.sql");

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The catalogs alone, and what takes a few milliseconds: for a line of another command.
    Quick,
    /// All, the tables of migration tools too.
    Whole,
}

/// The first version without exclusive backups.
const NO_EXCLUSIVE_BACKUP: i32 = 150_000;

/// What the catalogs say. `depth`: [`Depth::Quick`] leaves out the tables of migration tools, and what takes longer on a large schema.
///
/// # Errors
/// As the server has it.
pub async fn read(connection: &mut Connection, depth: Depth) -> Result<Leftovers> {
    let encoding = connection.encoding();
    let server = connection.server();
    let old = server.version_num < NO_EXCLUSIVE_BACKUP && !server.in_recovery;
    let parts = [
        (CATALOG, true),
        (PGROLL, depth == Depth::Whole),
        (EXCLUSIVE_BACKUP, old),
    ];
    let parts: Vec<&str> = parts
        .into_iter()
        .filter_map(|(part, is_asked)| is_asked.then_some(part))
        .collect();
    let question = parts.join(";\n");
    let mut found = Leftovers::default();
    connection
        .ask(
            "read what is unfinished in the catalogs",
            &question,
            |row| {
                // A row that cannot be read whole is an object that was dropped meanwhile.
                let _ = take(row, encoding, &mut found);
            },
        )
        .await?;
    if depth == Depth::Whole {
        traces::read(connection, &mut found).await?;
        changes::read(connection, &mut found).await?;
    }
    Ok(found)
}

/// Lock rows of migration tools: nothing else of their tables is read.
///
/// # Errors
/// As the server has it.
pub async fn lock_rows(connection: &mut Connection) -> Result<Vec<ToolRow>> {
    let mut found = Leftovers::default();
    traces::read_of(connection, &mut found, |trace| trace.is_lock).await?;
    Ok(found.rows)
}

fn take(row: &Row<'_>, encoding: Encoding, found: &mut Leftovers) -> Option<()> {
    let name = |at| {
        Some(RelationName::new(
            row.text(at, encoding)?,
            row.text(at + 1, encoding)?,
        ))
    };
    let flag = |at| row.flag(at).unwrap_or_default();
    match row.kind() {
        "unfinished_index" => found.indexes.push(UnfinishedIndex {
            oid: row.number(0)?,
            name: name(1)?,
            table_oid: row.number(3)?,
            table: name(4)?,
            is_partitioned: flag(6),
            is_valid: flag(7),
            is_ready: flag(8),
            is_live: flag(9),
            is_unique: flag(10),
            is_attached: flag(11),
        }),
        "detaching" => found.detaching.push(Detaching {
            partition_oid: row.number(0)?,
            partition: name(1)?,
            parent_oid: row.number(3)?,
            parent: name(4)?,
        }),
        "disabled" => found.disabled.push(Disabled {
            what: switch(row.word(0)?),
            name: row.text(1, encoding)?,
            table: name(2),
        }),
        "not_valid" => found.not_valid.push(NotValid {
            name: row.text(0, encoding)?,
            table: name(1)?,
            kind: row.word(3)?.chars().next()?,
        }),
        "slot" => found.slots.push(Slot {
            name: row.text(0, encoding)?,
            is_logical: flag(1),
            retained_bytes: row.number(2),
            is_lost: flag(3),
            since: row.time(4),
        }),
        "tool_object" => found.objects.push(ToolObject {
            tool: match row.word(0)? {
                "repack" => Maker::Repack,
                _ => Maker::Pgroll,
            },
            table_oid: row.number(1)?,
            table: name(2)?,
            what: row.word(4)?.to_owned(),
            name: row.text(5, encoding)?,
        }),
        "port" => found.port = row.number(0),
        _ => found.exclusive_backup = row.time(0),
    }
    Some(())
}

fn switch(word: &str) -> Switch {
    match word {
        "constraint" => Switch::Constraint,
        "rule" => Switch::Rule,
        "event_trigger" => Switch::EventTrigger,
        _ => Switch::Trigger,
    }
}
