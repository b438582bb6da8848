//! Refusals that the catalog foretells and that ask for no rule of locks: columns that are not there, and what COPY
//! does not do.

use super::act::{Act, Step, refuse};
use super::{names, tree};
use crate::model::{Oid, RelationKind};
use pg_query::NodeEnum;
use pg_query::protobuf::{CopyStmt, DefElem, Node, RangeVar};

/// Refuses a statement that names a column which its table does not have, or an impossible COPY.
pub fn allows(act: &Act, node: &NodeEnum) -> Step {
    match node {
        NodeEnum::InsertStmt(s) => {
            has_columns(act, s.relation.as_ref(), &tree::columns_set(&s.cols))
        }
        NodeEnum::UpdateStmt(s) => {
            has_columns(act, s.relation.as_ref(), &tree::columns_set(&s.target_list))
        }
        NodeEnum::CopyStmt(s) => copy(act, s),
        _ => Ok(()),
    }
}

/// Whether a plain table has these columns (`checkInsertTargets`, parse_target.c).
fn has_columns(act: &Act, range: Option<&RangeVar>, columns: &[String]) -> Step {
    let Some(table) = range.and_then(|r| act.world.find(r)) else {
        return Ok(());
    };
    // Of what the migration makes itself, not every column may be known.
    let is_table = act.world.created_in(table).is_none()
        && matches!(
            act.kind(table),
            RelationKind::Table | RelationKind::PartitionedTable
        );
    let missing = columns
        .iter()
        .find(|c| act.world.column(table, c).is_none());
    match missing {
        Some(column) if is_table => refuse(format!(
            "column {} of {} does not exist",
            crate::model::quoted(column),
            act.shown(table)
        )),
        _ => Ok(()),
    }
}

/// `ProcessCopyOptions` (copy.c) and `BeginCopyTo` (copyto.c)
fn copy(act: &Act, statement: &CopyStmt) -> Step {
    let options: Vec<&DefElem> = statement.options.iter().filter_map(option).collect();
    options_are_known(act.version(), &options)?;
    let Some(table) = statement.relation.as_ref().and_then(|r| act.world.find(r)) else {
        return Ok(());
    };
    has_columns(
        act,
        statement.relation.as_ref(),
        &names::list(&statement.attlist),
    )?;
    match what_is_not_copied(act, table) {
        Some(kind) if !statement.is_from => refuse(format!(
            "COPY cannot read {kind} {}: COPY (SELECT …) TO can",
            act.shown(table)
        )),
        _ => Ok(()),
    }
}

/// What COPY TO does not read by name. Since 18 it reads a materialized view that is populated, since 19 a
/// partitioned table.
fn what_is_not_copied(act: &Act, table: Oid) -> Option<&'static str> {
    match act.kind(table) {
        RelationKind::View => Some("view"),
        RelationKind::Sequence => Some("sequence"),
        RelationKind::ForeignTable => Some("foreign table"),
        RelationKind::MaterializedView if act.version() < 18 => Some("materialized view"),
        RelationKind::PartitionedTable if act.version() < 19 => Some("partitioned table"),
        _ => None,
    }
}

fn option(node: &Node) -> Option<&DefElem> {
    match node.node.as_ref()? {
        NodeEnum::DefElem(option) => Some(option),
        _ => None,
    }
}

/// Options by name, and the major version since which they are known.
const OPTIONS: &[(&str, i32)] = &[
    ("format", 14),
    ("freeze", 14),
    ("delimiter", 14),
    ("null", 14),
    ("header", 14),
    ("quote", 14),
    ("escape", 14),
    ("force_quote", 14),
    ("force_not_null", 14),
    ("force_null", 14),
    ("convert_selectively", 14),
    ("encoding", 14),
    ("default", 16),
    ("on_error", 17),
    ("log_verbosity", 17),
    ("reject_limit", 18),
    ("force_array", 19),
];

/// Options that mean nothing but in one format.
const ONLY_CSV: &[&str] = &[
    "quote",
    "escape",
    "force_quote",
    "force_not_null",
    "force_null",
];

fn options_are_known(version: i32, options: &[&DefElem]) -> Step {
    let named = |o: &DefElem| o.defname.to_lowercase();
    for option in options {
        let name = named(option);
        let since = OPTIONS.iter().find(|(known, _)| *known == name);
        match since {
            Some((_, since)) if version < *since => {
                return refuse(format!(
                    "Postgres {since} knows the option {name} of COPY, this server is {version}"
                ));
            }
            None if version <= 18 => {
                return refuse(format!("COPY has no option {name}"));
            }
            _ => {}
        }
    }
    let value = |option: &&&DefElem| option.arg.as_deref().map(names::strings);
    let format = options
        .iter()
        .find(|o| named(o) == "format")
        .as_ref()
        .and_then(value);
    let format = format.unwrap_or_else(|| vec!["text".into()]).join(".");
    if version <= 18 && !["text", "csv", "binary"].contains(&format.as_str()) {
        return refuse(format!("COPY has no format {format}"));
    }
    let has = |wanted: &[&str]| {
        options
            .iter()
            .map(|o| named(o))
            .find(|n| wanted.contains(&n.as_str()))
    };
    let misplaced = match format.as_str() {
        "binary" => has(&["delimiter", "null"]).or_else(|| has(ONLY_CSV)),
        "text" => has(ONLY_CSV),
        _ => None,
    };
    match misplaced {
        Some(name) => refuse(format!("the format {format} of COPY has no option {name}")),
        None => Ok(()),
    }
}
