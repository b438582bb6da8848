//! Columns that a statement names and that its table does not have.

use crate::migration::footprint::act::{Act, Step, refuse};
use crate::migration::footprint::{names, tree};
use crate::migration::parts;
use crate::model::{Oid, quoted};
use pg_query::protobuf::{
    AlterTableCmd, ColumnRef, CommentStmt, CreateStmt, Node, ObjectType, RangeVar, SelectStmt,
};
use pg_query::{NodeEnum as N, NodeRef};

/// The columns that every table has (`SystemAttributeByName`, heap.c).
const SYSTEM: &[&str] = &["ctid", "xmin", "cmin", "xmax", "cmax", "tableoid"];

/// Refuses a statement that names a column which its table does not have.
pub fn exist(act: &Act, node: &N) -> Step {
    match node {
        N::InsertStmt(s) => are_in(act, s.relation.as_ref(), &tree::columns_set(&s.cols)),
        N::UpdateStmt(s) => {
            are_in(act, s.relation.as_ref(), &tree::columns_set(&s.target_list))?;
            let is_alone = s.from_clause.is_empty() && s.with_clause.is_none();
            let values = tree::targets(&s.target_list).filter_map(|t| t.val.as_deref());
            let read = values.chain(s.where_clause.as_deref());
            read_from(act, s.relation.as_ref().filter(|_| is_alone), read)
        }
        N::DeleteStmt(s) => {
            let is_alone = s.using_clause.is_empty() && s.with_clause.is_none();
            let range = s.relation.as_ref().filter(|_| is_alone);
            read_from(act, range, s.where_clause.as_deref().into_iter())
        }
        N::SelectStmt(s) => query(act, s),
        N::ViewStmt(s) => in_query(act, s.query.as_deref()),
        N::CreateTableAsStmt(s) => in_query(act, s.query.as_deref()),
        N::IndexStmt(s) => {
            let read = s.index_params.iter().chain(s.where_clause.as_deref());
            in_expressions(act, s.relation.as_ref(), read, &[])
        }
        N::CreatePolicyStmt(s) => {
            let read = s.qual.as_deref().into_iter().chain(s.with_check.as_deref());
            in_expressions(act, s.table.as_ref(), read, &[])
        }
        N::CreateStatsStmt(s) => match s.relations.as_slice() {
            [one] => match &one.node {
                Some(N::RangeVar(range)) => {
                    let named = s.exprs.iter().filter_map(|e| match &e.node {
                        Some(N::StatsElem(e)) if !e.name.is_empty() => Some(e.name.clone()),
                        _ => None,
                    });
                    are_in(act, Some(range), &named.collect::<Vec<_>>())
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        },
        N::AlterTableStmt(s) => {
            let cmds: Vec<&AlterTableCmd> = s.cmds.iter().filter_map(cmd).collect();
            let added: Vec<String> = cmds.iter().filter_map(|c| added(c)).collect();
            // The bounds of a partition have words that look like columns: MINVALUE.
            let is_read =
                |def: &&Node| matches!(def.node, Some(N::ColumnDef(_) | N::Constraint(_)));
            let read = cmds.iter().filter_map(|c| c.def.as_deref()).filter(is_read);
            in_expressions(act, s.relation.as_ref(), read, &added)
        }
        N::CreateStmt(s) => in_new_table(s),
        N::CommentStmt(s) => commented(act, s),
        _ => Ok(()),
    }
}

/// Whether a plain table has these columns (`checkInsertTargets`, parse_target.c).
pub fn are_in(act: &Act, range: Option<&RangeVar>, columns: &[String]) -> Step {
    let Some(table) = range.and_then(|r| known_table(act, r)) else {
        return Ok(());
    };
    let mut columns = columns.iter();
    let is_known =
        |c: &String| act.world.column(table, c).is_some() || SYSTEM.contains(&c.as_str());
    match columns.find(|c| !is_known(c)) {
        Some(column) => is_missing(act, table, column),
        None => Ok(()),
    }
}

fn is_missing(act: &Act, table: Oid, column: &str) -> Step {
    refuse(format!(
        "column {} of {} does not exist",
        quoted(column),
        act.shown(table)
    ))
}

/// A table all of whose columns are known: of what the migration makes itself, not every one may be.
fn known_table(act: &Act, range: &RangeVar) -> Option<Oid> {
    let table = act.world.find(range)?;
    (act.kind(table).is_table() && act.world.created_in(table).is_none()).then_some(table)
}

fn cmd(node: &Node) -> Option<&AlterTableCmd> {
    match node.node.as_ref()? {
        N::AlterTableCmd(cmd) => Some(cmd),
        _ => None,
    }
}

/// The column that a part of ALTER TABLE adds.
fn added(cmd: &AlterTableCmd) -> Option<String> {
    match cmd.def.as_ref()?.node.as_ref()? {
        N::ColumnDef(def) => Some(def.colname.clone()).filter(|name| !name.is_empty()),
        _ => None,
    }
}

// ---- queries ------------------------------------------------------------------------------------

fn in_query(act: &Act, query_node: Option<&Node>) -> Step {
    match query_node.and_then(|q| q.node.as_ref()) {
        Some(N::SelectStmt(select)) => query(act, select),
        _ => Ok(()),
    }
}

/// What a query of one table gives and filters by. ORDER BY and GROUP BY may name what it gives.
fn query(act: &Act, select: &SelectStmt) -> Step {
    let range = match select.from_clause.as_slice() {
        [only] if select.with_clause.is_none() => match &only.node {
            Some(N::RangeVar(range)) => Some(range),
            _ => None,
        },
        _ => None,
    };
    let read = select
        .target_list
        .iter()
        .chain(select.where_clause.as_deref());
    read_from(act, range, read)
}

/// Whether a table read alone has what is named. In a body a name may be a variable's.
fn read_from<'a>(
    act: &Act,
    range: Option<&RangeVar>,
    read: impl Iterator<Item = &'a Node>,
) -> Step {
    match range.filter(|_| !act.in_body) {
        Some(range) => in_expressions(act, Some(range), read, &[]),
        None => Ok(()),
    }
}

// ---- expressions --------------------------------------------------------------------------------

/// Whether a table has the columns that these expressions name; `added` come with the same statement.
fn in_expressions<'a>(
    act: &Act,
    range: Option<&RangeVar>,
    read: impl Iterator<Item = &'a Node>,
    added: &[String],
) -> Step {
    let Some((range, table)) = range.and_then(|r| Some((r, known_table(act, r)?))) else {
        return Ok(());
    };
    let alias = range.alias.as_ref();
    if alias.is_some_and(|alias| !alias.colnames.is_empty()) {
        return Ok(());
    }
    let named = alias.map_or(range.relname.as_str(), |alias| alias.aliasname.as_str());
    let has = |name: &str| {
        name == named
            || SYSTEM.contains(&name)
            || added.iter().any(|column| column == name)
            || act.world.column(table, name).is_some()
    };
    // `table.name` may also call a function on the row (ParseFuncOrColumn, parse_func.c).
    let calls = |name: &str| {
        let listed = act.world.named.as_ref();
        listed.is_none_or(|listed| listed.functions.contains(name))
            || act.world.routines.values().any(|r| r.name == name)
    };
    let missing = read.flat_map(columns).find(|(of, name)| match of {
        None => !has(name),
        Some(of) => of == named && !has(name) && !calls(name),
    });
    match missing {
        Some((_, column)) => is_missing(act, table, &column),
        None => Ok(()),
    }
}

/// A column as an expression names it: with its table, or without.
type Named = (Option<String>, String);

/// The columns that an expression names outside of its subqueries.
fn columns(expression: &Node) -> Vec<Named> {
    let mut found = Vec::new();
    let mut waiting: Vec<NodeRef> = expression
        .node
        .as_ref()
        .map(N::to_ref)
        .into_iter()
        .collect();
    while let Some(node) = waiting.pop() {
        match node {
            NodeRef::ColumnRef(column) => found.extend(own_name(column)),
            // A subquery has names of its own, and so has a type: `geometry(Point, 4326)`.
            NodeRef::SelectStmt(_) | NodeRef::SubLink(_) | NodeRef::TypeName(_) => {}
            _ => waiting.extend(parts::nodes(node)),
        }
    }
    found
}

fn own_name(column: &ColumnRef) -> Option<Named> {
    let text = |node: &Node| match &node.node {
        Some(N::String(name)) => Some(name.sval.clone()),
        _ => None,
    };
    match column.fields.as_slice() {
        [only] => Some((None, text(only)?)),
        [table, name] => Some((Some(text(table)?), text(name)?)),
        _ => None,
    }
}

// ---- new tables ---------------------------------------------------------------------------------

/// A new table's own columns: each once, and those that its constraints and its partition key name. What it takes from
/// other tables is not looked at.
fn in_new_table(statement: &CreateStmt) -> Step {
    let mut known: Vec<&str> = Vec::new();
    let mut read: Vec<&Node> = Vec::new();
    let mut takes_more = !statement.inh_relations.is_empty()
        || statement.of_typename.is_some()
        || statement.partbound.is_some();
    for element in &statement.table_elts {
        match &element.node {
            Some(N::ColumnDef(def)) => {
                if known.contains(&def.colname.as_str()) {
                    return refuse(format!(
                        "column {} is there more than once",
                        quoted(&def.colname)
                    ));
                }
                known.push(&def.colname);
                read.extend(&def.constraints);
            }
            Some(N::Constraint(_)) => read.push(element),
            _ => takes_more = true,
        }
    }
    if takes_more {
        return Ok(());
    }
    let partition = statement.partspec.as_ref();
    let keys = partition.into_iter().flat_map(|p| &p.part_params);
    let by_name = keys.clone().filter_map(|k| match &k.node {
        Some(N::PartitionElem(key)) if !key.name.is_empty() => Some(key.name.clone()),
        _ => None,
    });
    let by_name = by_name.chain(read.iter().flat_map(|node| key_columns(node)));
    let in_expressions = read.iter().copied().chain(keys).flat_map(columns);
    let in_expressions = in_expressions.filter_map(|(of, name)| of.is_none().then_some(name));
    let own = statement
        .relation
        .as_ref()
        .map_or("", |r| r.relname.as_str());
    let missing = by_name.chain(in_expressions).find(|name| {
        !known.contains(&name.as_str()) && name != own && !SYSTEM.contains(&name.as_str())
    });
    match missing {
        Some(name) => refuse(format!("column {} does not exist", quoted(&name))),
        None => Ok(()),
    }
}

/// The table's own columns that a key or a foreign key names.
fn key_columns(node: &Node) -> Vec<String> {
    match &node.node {
        Some(N::Constraint(c)) => {
            let mut found = names::list(&c.keys);
            found.extend(names::list(&c.fk_attrs));
            found
        }
        _ => Vec::new(),
    }
}

// ---- comments -----------------------------------------------------------------------------------

/// `COMMENT ON COLUMN`, `CONSTRAINT`, `TRIGGER`, `POLICY`, `RULE`.
fn commented(act: &Act, statement: &CommentStmt) -> Step {
    let parts = statement.object.as_deref().map(names::strings);
    let parts = parts.unwrap_or_default();
    let Some((name, relation)) = parts.split_last() else {
        return Ok(());
    };
    let Some(table) = act.world.find(&names::range_var(relation)) else {
        return Ok(());
    };
    if act.world.created_in(table).is_some() {
        return Ok(());
    }
    let kind = ObjectType::try_from(statement.objtype).unwrap_or(ObjectType::Undefined);
    let (what, is_there) = match kind {
        ObjectType::ObjectColumn => ("column", act.world.column(table, name).is_some()),
        ObjectType::ObjectTabconstraint => {
            ("constraint", act.world.constraint(table, name).is_some())
        }
        ObjectType::ObjectTrigger => (
            "trigger",
            act.world.triggers.of(table).any(|t| t.name == *name),
        ),
        ObjectType::ObjectPolicy => (
            "policy",
            act.world.policies.of(table).any(|p| p.name == *name),
        ),
        ObjectType::ObjectRule => ("rule", act.world.rules.of(table).any(|r| r.name == *name)),
        _ => return Ok(()),
    };
    match is_there {
        true => Ok(()),
        false => refuse(format!(
            "{what} {} of {} does not exist",
            quoted(name),
            act.shown(table)
        )),
    }
}
