//! Reading the parse tree: the constants and clauses in it.

use super::names;
use crate::migration::parts;
use pg_query::protobuf::a_const::Val;
use pg_query::protobuf::{
    AlterTableCmd, AlterTableStmt, AlterTableType, FuncCall, LockWaitPolicy, LockingClause, Node,
    ResTarget, SelectStmt,
};
use pg_query::{NodeEnum, NodeRef, protobuf};

/// The calls of functions in a tree, the outer ones first.
pub fn calls<'a>(tree: impl Into<parts::Tree<'a>>) -> impl Iterator<Item = &'a FuncCall> {
    parts::all(tree).filter_map(|node| match node {
        NodeRef::FuncCall(call) => Some(call),
        _ => None,
    })
}

/// Whether any function call answers to a claim about its name.
pub fn any_call<'a>(tree: impl Into<parts::Tree<'a>>, claim: impl Fn(&[String]) -> bool) -> bool {
    calls(tree).any(|call| claim(&names::list(&call.funcname)))
}

/// The columns that an expression names, each once.
#[must_use]
pub fn columns<'a>(expression: impl Into<parts::Tree<'a>>) -> Vec<String> {
    let mut found = Vec::new();
    for node in parts::all(expression) {
        if let NodeRef::ColumnRef(column) = node
            && let Some(name) = names::list(&column.fields).pop()
            && !found.contains(&name)
        {
            found.push(name);
        }
    }
    found
}

/// The parts of ALTER TABLE.
pub fn commands(statement: &AlterTableStmt) -> impl Iterator<Item = &AlterTableCmd> {
    statement.cmds.iter().filter_map(|cmd| match &cmd.node {
        Some(NodeEnum::AlterTableCmd(cmd)) => Some(cmd.as_ref()),
        _ => None,
    })
}

/// The part of an ALTER TABLE that has one: what one part changes, another one may rely on.
#[must_use]
pub fn only_command(statement: &AlterTableStmt) -> Option<(AlterTableType, &AlterTableCmd)> {
    let only = commands(statement)
        .next()
        .filter(|_| statement.cmds.len() == 1)?;
    Some((only.subtype(), only))
}

/// The targets of SET, and of an INSERT's list of columns.
pub fn targets(list: &[Node]) -> impl Iterator<Item = &ResTarget> {
    list.iter().filter_map(|item| match &item.node {
        Some(NodeEnum::ResTarget(target)) => Some(target.as_ref()),
        _ => None,
    })
}

/// The columns that targets give values to.
#[must_use]
pub fn columns_set(list: &[Node]) -> Vec<String> {
    let named = targets(list).filter(|target| !target.name.is_empty());
    named.map(|target| target.name.clone()).collect()
}

/// The columns that a query works out, `*` for all of a relation: without those of its list where that is not shown.
#[must_use]
pub fn columns_shown(select: &SelectStmt, is_hidden: bool) -> Vec<String> {
    let list = if is_hidden {
        &[][..]
    } else {
        &select.target_list
    };
    let lists = [
        list,
        &select.group_clause,
        &select.sort_clause,
        &select.distinct_clause,
    ];
    let single = [&select.where_clause, &select.having_clause];
    let nodes = lists.into_iter().flatten();
    let nodes = nodes.chain(single.into_iter().filter_map(Option::as_deref));
    let nodes = nodes.filter_map(|node| node.node.as_ref());
    let columns = nodes.flat_map(|node| parts::all(node.to_ref()));
    let columns = columns.filter_map(|node| match node {
        NodeRef::ColumnRef(column) => column.fields.last()?.node.as_ref(),
        _ => None,
    });
    let names = columns.filter_map(|field| match field {
        NodeEnum::AStar(_) => Some("*".to_owned()),
        NodeEnum::String(name) => Some(name.sval.clone()),
        _ => None,
    });
    names.collect()
}

/// The server's own aggregates that stand in migrations.
const AGGREGATES: &[&str] = &[
    "array_agg",
    "avg",
    "bool_and",
    "bool_or",
    "count",
    "every",
    "json_agg",
    "json_object_agg",
    "jsonb_agg",
    "jsonb_object_agg",
    "max",
    "min",
    "string_agg",
    "sum",
];

/// Whether an aggregate stands in these expressions.
#[must_use]
pub fn aggregates(list: &[Node]) -> bool {
    let is_one = |name: &[String]| {
        name.last()
            .is_some_and(|n| AGGREGATES.contains(&n.as_str()))
    };
    list.iter().any(|item| any_call(item, is_one))
}

/// Whether a value is the word DEFAULT.
#[must_use]
pub fn is_default(value: &Node) -> bool {
    matches!(value.node, Some(NodeEnum::SetToDefault(_)))
}

/// A text constant, also under a cast.
#[must_use]
pub fn constant(tree: &Node) -> Option<String> {
    match tree.node.as_ref()? {
        NodeEnum::AConst(c) => match c.val.as_ref()? {
            Val::Sval(text) => Some(text.sval.clone()),
            _ => None,
        },
        NodeEnum::TypeCast(cast) => constant(cast.arg.as_deref()?),
        _ => None,
    }
}

/// An integer constant, also under a cast or a minus.
#[must_use]
pub fn integer(tree: &Node) -> Option<i64> {
    match tree.node.as_ref()? {
        NodeEnum::AConst(c) => match c.val.as_ref()? {
            Val::Ival(number) => Some(i64::from(number.ival)),
            Val::Fval(number) => number.fval.parse().ok(),
            _ => None,
        },
        NodeEnum::AExpr(e) if e.lexpr.is_none() && names::list(&e.name) == ["-"] => {
            integer(e.rexpr.as_deref()?).map(|n| -n)
        }
        NodeEnum::TypeCast(cast) => integer(cast.arg.as_deref()?),
        _ => None,
    }
}

/// Whether a tree is the constant `true`.
#[must_use]
pub fn is_true(tree: &Node) -> bool {
    match &tree.node {
        Some(NodeEnum::AConst(c)) => matches!(&c.val, Some(Val::Boolval(value)) if value.boolval),
        _ => false,
    }
}

/// Whether an expression is the constant NULL.
#[must_use]
pub fn is_null(node: &Node) -> bool {
    match &node.node {
        Some(NodeEnum::AConst(c)) => c.isnull,
        Some(NodeEnum::TypeCast(c)) => c.arg.as_deref().is_some_and(is_null),
        _ => false,
    }
}

/// The rows of VALUES, each a list of its values.
pub fn values(query: Option<&Node>) -> Vec<&[Node]> {
    let Some(NodeEnum::SelectStmt(select)) = query.and_then(|q| q.node.as_ref()) else {
        return Vec::new();
    };
    let lists = select.values_lists.iter();
    lists
        .filter_map(|row| match &row.node {
            Some(NodeEnum::List(list)) => Some(list.items.as_slice()),
            _ => None,
        })
        .collect()
}

/// The columns that a condition compares with constants, where it must hold whole.
#[must_use]
pub fn compared(condition: Option<&Node>) -> Vec<String> {
    match condition.and_then(|c| c.node.as_ref()) {
        // OR leaves partitions out too, where each of its sides does.
        Some(NodeEnum::BoolExpr(all)) => {
            let sides = all.args.iter();
            sides.flat_map(|side| compared(Some(side))).collect()
        }
        Some(NodeEnum::NullTest(test)) => {
            test.arg.as_deref().and_then(column).into_iter().collect()
        }
        Some(NodeEnum::AExpr(comparison)) => {
            let sides = [comparison.lexpr.as_deref(), comparison.rexpr.as_deref()];
            let named = sides.into_iter().flatten().filter_map(column).collect();
            let has_constant = sides.into_iter().flatten().any(is_constant);
            if has_constant { named } else { Vec::new() }
        }
        Some(_) => condition.and_then(column).into_iter().collect(),
        None => Vec::new(),
    }
}

/// Whether the planner knows the value: no column, no call, no query in it.
fn is_constant(tree: &Node) -> bool {
    !parts::all(tree).any(|node| {
        matches!(
            node,
            NodeRef::ColumnRef(_)
                | NodeRef::FuncCall(_)
                | NodeRef::SubLink(_)
                | NodeRef::ParamRef(_)
        )
    })
}

fn column(tree: &Node) -> Option<String> {
    match &tree.node {
        Some(NodeEnum::ColumnRef(column)) => names::list(&column.fields).pop(),
        _ => None,
    }
}

fn locking(clauses: &[Node]) -> impl Iterator<Item = &LockingClause> {
    clauses.iter().filter_map(|clause| match &clause.node {
        Some(NodeEnum::LockingClause(clause)) => Some(clause),
        _ => None,
    })
}

/// The names of FOR UPDATE OF …; nothing in the list: every relation.
#[must_use]
pub fn locked_names(clauses: &[Node]) -> Option<Vec<String>> {
    if clauses.is_empty() {
        return None;
    }
    if locking(clauses).any(|clause| clause.locked_rels.is_empty()) {
        return Some(Vec::new());
    }
    let ranges = locking(clauses).flat_map(|clause| &clause.locked_rels);
    let named = ranges.filter_map(|range| match &range.node {
        Some(NodeEnum::RangeVar(range)) => Some(range.relname.clone()),
        _ => None,
    });
    Some(named.collect())
}

/// Whether no row is waited for: there is no locking clause, or each says SKIP LOCKED.
#[must_use]
pub fn skips_rows(clauses: &[Node]) -> bool {
    locking(clauses).all(|clause| clause.wait_policy() == LockWaitPolicy::LockWaitSkip)
}

#[must_use]
pub fn string(text: &str) -> Node {
    Node {
        node: Some(NodeEnum::String(protobuf::String {
            sval: text.to_owned(),
        })),
    }
}
