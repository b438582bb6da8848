//! What COPY does not do.

use super::columns;
use crate::migration::footprint::act::{Act, Step, refuse};
use crate::migration::footprint::names;
use crate::model::{Oid, RelationKind};
use pg_query::NodeEnum;
use pg_query::protobuf::{CopyStmt, DefElem, Node};

/// Refuses a COPY that cannot be.
pub fn is_possible(act: &Act, node: &NodeEnum) -> Step {
    match node {
        NodeEnum::CopyStmt(s) => copy(act, s),
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
    columns::are_in(
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
