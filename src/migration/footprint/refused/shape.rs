//! What a statement says against itself, or of a kind of relation that cannot take it.

use crate::migration::footprint::act::{Act, Step, refuse};
use crate::migration::footprint::{names, tree};
use crate::migration::parts;
use crate::model::{Oid, RelationKind, quoted};
use crate::words::sql::literal;
use pg_query::protobuf::{
    ConstrType, Constraint, CreateTrigStmt, GrantStmt, GrantTargetType, InsertStmt, Node,
    ObjectType, RangeVar, SelectStmt, VariableSetKind, VariableSetStmt, ViewStmt,
};
use pg_query::{NodeEnum as N, NodeRef};
use std::collections::HashSet;

/// Refuses a statement that no catalog makes right.
pub fn is_sound(act: &Act, node: &N) -> Step {
    alone(act, node)?;
    if let N::CreateStmt(_)
    | N::AlterTableStmt(_)
    | N::CreateDomainStmt(_)
    | N::AlterDomainStmt(_) = node
    {
        checks(node)?;
    }
    match node {
        N::InsertStmt(s) => {
            once(&plain_targets(&s.cols))?;
            width(act, s)
        }
        N::UpdateStmt(s) => once(&plain_targets(&s.target_list)),
        N::ViewStmt(s) => once(&view_columns(s)),
        N::CreateTableAsStmt(s) => {
            let into = s.into.as_ref();
            let named = into.map(|i| names::list(&i.col_names)).unwrap_or_default();
            let query = s.query.as_deref().and_then(|q| q.node.as_ref());
            match query {
                Some(N::SelectStmt(query)) => once(&output(&named, query)),
                _ => Ok(()),
            }
        }
        N::CreateTrigStmt(s) => trigger(act, s),
        N::RefreshMatViewStmt(s) if s.concurrent && s.skip_data => {
            refuse("REFRESH MATERIALIZED VIEW does not take CONCURRENTLY and WITH NO DATA together")
        }
        N::GrantStmt(s) => privileges(act, s),
        N::VariableSetStmt(s) => timeout(s),
        _ => Ok(()),
    }?;
    match node {
        N::InsertStmt(s) => changes(act, s.relation.as_ref()),
        N::UpdateStmt(s) => changes(act, s.relation.as_ref()),
        N::DeleteStmt(s) => changes(act, s.relation.as_ref()),
        _ => Ok(()),
    }
}

// ---- transaction blocks -------------------------------------------------------------------------

/// Whole databases and files (`PreventInTransactionBlock` in `standard_ProcessUtility`, utility.c).
fn alone(act: &Act, node: &N) -> Step {
    let what = match node {
        N::CreatedbStmt(_) => "CREATE DATABASE",
        N::DropdbStmt(_) => "DROP DATABASE",
        N::AlterSystemStmt(_) => "ALTER SYSTEM",
        N::CreateTableSpaceStmt(_) => "CREATE TABLESPACE",
        N::DropTableSpaceStmt(_) => "DROP TABLESPACE",
        _ => return Ok(()),
    };
    act.not_in_block(what)
}

// ---- names --------------------------------------------------------------------------------------

/// Refuses a list of columns that has one twice.
fn once(columns: &[String]) -> Step {
    let mut seen = HashSet::new();
    match columns.iter().find(|name| !seen.insert(name.as_str())) {
        Some(name) => refuse(format!("column {} is named more than once", quoted(name))),
        None => Ok(()),
    }
}

/// The columns of SET that are set as a whole.
fn plain_targets(list: &[Node]) -> Vec<String> {
    tree::targets(list)
        .filter(|target| target.indirection.is_empty())
        .map(|target| target.name.clone())
        .collect()
}

fn view_columns(statement: &ViewStmt) -> Vec<String> {
    let query = statement.query.as_deref().and_then(|q| q.node.as_ref());
    match query {
        Some(N::SelectStmt(query)) => output(&names::list(&statement.aliases), query),
        _ => Vec::new(),
    }
}

/// The names of a query's columns that are sure: an alias, or a column (`FigureColname`, parse_target.c).
fn output(named: &[String], query: &SelectStmt) -> Vec<String> {
    let mut first = query;
    while let Some(left) = first.larg.as_deref() {
        first = left;
    }
    let mut found = named.to_vec();
    for item in &first.target_list {
        let Some(N::ResTarget(target)) = &item.node else {
            return Vec::new();
        };
        let value = target.val.as_deref().and_then(|v| v.node.as_ref());
        let column = match value {
            Some(N::ColumnRef(column)) => {
                match column.fields.last().and_then(|f| f.node.as_ref()) {
                    Some(N::String(name)) => Some(name.sval.clone()),
                    // How many a star stands for is not known here.
                    _ => return Vec::new(),
                }
            }
            _ => None,
        };
        let name = Some(target.name.clone()).filter(|name| !name.is_empty());
        found.extend(name.or(column).map_or_else(Vec::new, |name| vec![name]));
    }
    match named.is_empty() {
        true => found,
        // Which of the query's columns the names are given to is not followed.
        false => named.to_vec(),
    }
}

/// `INSERT … SELECT` of more values than there are columns (`transformInsertRow`).
fn width(act: &Act, statement: &InsertStmt) -> Step {
    let query = statement
        .select_stmt
        .as_deref()
        .and_then(|q| q.node.as_ref());
    let Some(N::SelectStmt(query)) = query else {
        return Ok(());
    };
    let has_star = |item: &Node| parts::all(item).any(|n| matches!(n, NodeRef::AStar(_)));
    if query.target_list.is_empty() || query.target_list.iter().any(has_star) {
        return Ok(());
    }
    let named = statement.cols.len();
    let table = statement.relation.as_ref().and_then(|r| act.world.find(r));
    let table = table.filter(|oid| act.world.created_in(*oid).is_none());
    let columns = match (named, table) {
        (0, Some(oid)) if act.kind(oid).is_table() => {
            act.world.relation(oid).map_or(0, |r| r.columns.len())
        }
        (0, _) => return Ok(()),
        (named, _) => named,
    };
    match query.target_list.len() > columns {
        true => refuse(format!(
            "INSERT has more values than columns: {} for {columns}",
            query.target_list.len()
        )),
        false => Ok(()),
    }
}

// ---- expressions --------------------------------------------------------------------------------

/// No query in a CHECK, a default or a generated column (`transformSubLink`, parse_expr.c).
fn checks(node: &N) -> Step {
    for part in parts::all(node) {
        let NodeRef::Constraint(constraint) = part else {
            continue;
        };
        let what = match kind_of(constraint) {
            ConstrType::ConstrCheck => "a CHECK",
            ConstrType::ConstrDefault => "a default",
            ConstrType::ConstrGenerated => "a generated column",
            _ => continue,
        };
        let expression = constraint.raw_expr.as_deref();
        let has_query = |tree: &Node| parts::all(tree).any(|n| matches!(n, NodeRef::SubLink(_)));
        if expression.is_some_and(has_query) {
            return refuse(format!("{what} cannot have a query in it"));
        }
    }
    Ok(())
}

fn kind_of(constraint: &Constraint) -> ConstrType {
    ConstrType::try_from(constraint.contype).unwrap_or(ConstrType::Undefined)
}

// ---- kinds of relations -------------------------------------------------------------------------

/// INSERT, UPDATE, DELETE of what is no table and no view (`CheckValidResultRel`, execMain.c).
fn changes(act: &Act, range: Option<&RangeVar>) -> Step {
    let Some(oid) = range.and_then(|r| act.world.find(r)) else {
        return Ok(());
    };
    let kind = act.kind(oid);
    match kind {
        RelationKind::MaterializedView | RelationKind::Sequence => refuse(format!(
            "{} is a {}: its rows cannot be changed",
            act.shown(oid),
            kind.words()
        )),
        _ => Ok(()),
    }
}

/// Bits of `pg_trigger.h`.
const INSTEAD: i32 = 64;
const TRUNCATE: i32 = 32;

/// Which triggers a kind of relation takes (`CreateTriggerFiringOn`, trigger.c).
fn trigger(act: &Act, statement: &CreateTrigStmt) -> Step {
    let Some(oid) = statement.relation.as_ref().and_then(|r| act.world.find(r)) else {
        return Ok(());
    };
    let (timing, is_row) = (statement.timing, statement.row);
    if is_row && statement.events & TRUNCATE != 0 {
        return refuse("a trigger for TRUNCATE is one FOR EACH STATEMENT");
    }
    if timing == INSTEAD && !is_row {
        return refuse("an INSTEAD OF trigger is one FOR EACH ROW");
    }
    let kind = act.kind(oid);
    let why = match kind {
        kind if kind.is_table() && timing == INSTEAD => "cannot have INSTEAD OF triggers",
        RelationKind::View if is_row && timing != INSTEAD => {
            "cannot have BEFORE or AFTER triggers FOR EACH ROW"
        }
        RelationKind::View if statement.events & TRUNCATE != 0 => {
            "cannot have triggers for TRUNCATE"
        }
        RelationKind::MaterializedView | RelationKind::Sequence => "cannot have triggers",
        _ => return columns_of_trigger(act, oid, statement),
    };
    refuse(format!(
        "{} is a {}: it {why}",
        act.shown(oid),
        kind.words()
    ))
}

/// `UPDATE OF column`
fn columns_of_trigger(act: &Act, table: Oid, statement: &CreateTrigStmt) -> Step {
    if act.world.created_in(table).is_some() || !act.kind(table).is_table() {
        return Ok(());
    }
    let named = names::list(&statement.columns);
    match named
        .iter()
        .find(|name| act.world.column(table, name).is_none())
    {
        Some(name) => refuse(format!(
            "column {} of {} does not exist",
            quoted(name),
            act.shown(table)
        )),
        None => Ok(()),
    }
}

// ---- privileges ---------------------------------------------------------------------------------

/// The privileges of a kind of object (`ExecuteGrantStmt`, aclchk.c); those of tables have rows of their own.
const PRIVILEGES: &[(ObjectType, &str, &[&str])] = &[
    (
        ObjectType::ObjectDatabase,
        "a database",
        &["create", "temporary", "temp", "connect"],
    ),
    (ObjectType::ObjectSchema, "a schema", &["create", "usage"]),
    (ObjectType::ObjectFunction, "a function", &["execute"]),
    (ObjectType::ObjectProcedure, "a procedure", &["execute"]),
    (ObjectType::ObjectRoutine, "a routine", &["execute"]),
    (ObjectType::ObjectType, "a type", &["usage"]),
    (ObjectType::ObjectDomain, "a domain", &["usage"]),
    (ObjectType::ObjectLanguage, "a language", &["usage"]),
    (
        ObjectType::ObjectSequence,
        "a sequence",
        &["usage", "select", "update"],
    ),
    (
        ObjectType::ObjectTable,
        "a table",
        &[
            "select",
            "insert",
            "update",
            "delete",
            "truncate",
            "references",
            "trigger",
            "maintain",
        ],
    ),
];

fn privileges(act: &Act, statement: &GrantStmt) -> Step {
    let kind = ObjectType::try_from(statement.objtype).unwrap_or(ObjectType::Undefined);
    let Some((_, what, allowed)) = PRIVILEGES.iter().find(|(of, ..)| *of == kind) else {
        return Ok(());
    };
    let is_of_objects = statement.targtype == GrantTargetType::AclTargetObject as i32;
    // GRANT … ON name means a sequence as well.
    let are_tables = statement.objects.iter().all(|object| match &object.node {
        Some(N::RangeVar(range)) => act
            .world
            .find(range)
            .is_some_and(|oid| act.kind(oid).is_table() || act.kind(oid) == RelationKind::View),
        _ => true,
    });
    if kind == ObjectType::ObjectTable && !(is_of_objects && are_tables) {
        return Ok(());
    }
    let named = statement.privileges.iter().filter_map(|p| match &p.node {
        Some(N::AccessPriv(p)) if !p.priv_name.is_empty() => Some(p),
        _ => None,
    });
    for privilege in named {
        let name = privilege.priv_name.to_ascii_lowercase();
        if !allowed.contains(&name.as_str()) {
            return refuse(format!(
                "{} is no privilege of {what}",
                name.to_ascii_uppercase()
            ));
        }
        let columns = names::list(&privilege.cols);
        for object in statement.objects.iter().filter(|_| !columns.is_empty()) {
            if let Some(N::RangeVar(range)) = &object.node {
                super::columns::are_in(act, Some(range), &columns)?;
            }
        }
    }
    Ok(())
}

// ---- settings -----------------------------------------------------------------------------------

/// The settings that are spans of time (`guc_tables.c`, `GUC_UNIT_MS`).
const TIMEOUTS: &[&str] = &[
    "deadlock_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "lock_timeout",
    "statement_timeout",
    "transaction_timeout",
];

/// The units of a span of time (`time_unit_conversion_table`, guc.c).
const UNITS: &[&str] = &["", "us", "ms", "s", "min", "h", "d"];

/// `SET lock_timeout = '5 parsecs'`
fn timeout(statement: &VariableSetStmt) -> Step {
    let is_set = statement.kind == VariableSetKind::VarSetValue as i32;
    let name = statement.name.to_ascii_lowercase();
    let [value] = statement.args.as_slice() else {
        return Ok(());
    };
    let Some(text) = tree::constant(value).filter(|_| is_set && TIMEOUTS.contains(&name.as_str()))
    else {
        return Ok(());
    };
    let text = text.trim();
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let is_number = number.trim().parse::<f64>().is_ok_and(f64::is_finite);
    let is_span = is_number && UNITS.contains(&&text[number.len()..]);
    // The server reads numbers as C does.
    match is_span || text.starts_with("0x") {
        true => Ok(()),
        false => refuse(format!(
            "{name} cannot be {}: it takes a number and one of us, ms, s, min, h, d",
            literal(text)
        )),
    }
}
