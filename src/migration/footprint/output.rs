//! The columns that a query is seen to give: for the views and tables that are made from it.
//!
//! Names and types as far as they can be read off: columns of relations, casts, stars. What an
//! expression gives has a name (`FigureColname`, parse_target.c) and the type 0, which is no type.

use super::act::Act;
use super::names;
use super::types;
use crate::model::Oid;
use pg_query::NodeEnum;
use pg_query::protobuf::{Alias, ColumnRef, Node, ResTarget, SelectStmt, WithClause};

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub name: String,
    /// Its type; 0: not known.
    pub type_oid: Oid,
    /// Its modifier; -1: none.
    pub type_modifier: i32,
}

impl Output {
    /// A column of which only the name is known.
    #[must_use]
    pub fn unknown(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            type_oid: 0,
            type_modifier: -1,
        }
    }
}

/// Something in FROM, by the name it goes by.
#[derive(Clone)]
struct Source {
    alias: String,
    columns: Vec<Output>,
}

/// The columns of a query, in order.
#[must_use]
pub fn of(act: &Act, query: &NodeEnum) -> Vec<Output> {
    match query {
        NodeEnum::SelectStmt(select) => of_select(act, select, &[]),
        _ => Vec::new(),
    }
}

fn of_select(act: &Act, select: &SelectStmt, outer: &[Source]) -> Vec<Output> {
    if let Some(left) = &select.larg {
        return of_select(act, left, outer);
    }
    if let Some(NodeEnum::List(row)) = select.values_lists.first().and_then(|r| r.node.as_ref()) {
        let name = |at: usize| Output::unknown(&format!("column{}", at + 1));
        return (0..row.items.len()).map(name).collect();
    }
    let with = common_tables(act, select.with_clause.as_ref(), outer);
    let mut sources = Vec::new();
    for item in &select.from_clause {
        collect(act, item, &with, &mut sources);
    }
    select
        .target_list
        .iter()
        .filter_map(|t| match &t.node {
            Some(NodeEnum::ResTarget(t)) => Some(t.as_ref()),
            _ => None,
        })
        .flat_map(|target| of_target(act, target, &sources))
        .collect()
}

fn common_tables(act: &Act, with: Option<&WithClause>, outer: &[Source]) -> Vec<Source> {
    let mut found = outer.to_vec();
    for node in with.iter().flat_map(|w| &w.ctes) {
        if let Some(NodeEnum::CommonTableExpr(cte)) = &node.node {
            let columns = match cte.ctequery.as_ref().and_then(|q| q.node.as_ref()) {
                Some(NodeEnum::SelectStmt(select)) => of_select(act, select, &found),
                _ => Vec::new(),
            };
            found.push(Source {
                alias: cte.ctename.clone(),
                columns: renamed(columns, &cte.aliascolnames),
            });
        }
    }
    found
}

fn renamed(mut columns: Vec<Output>, names: &[Node]) -> Vec<Output> {
    for (column, name) in columns.iter_mut().zip(names::list(names)) {
        column.name = name;
    }
    columns
}

fn named(alias: Option<&Alias>, own: &str, columns: Vec<Output>) -> Source {
    match alias {
        Some(alias) => Source {
            alias: alias.aliasname.clone(),
            columns: renamed(columns, &alias.colnames),
        },
        None => Source {
            alias: own.to_owned(),
            columns,
        },
    }
}

fn collect(act: &Act, item: &Node, with: &[Source], sources: &mut Vec<Source>) {
    match &item.node {
        Some(NodeEnum::RangeVar(range)) => {
            let common = with
                .iter()
                .rev()
                .find(|w| range.schemaname.is_empty() && w.alias == range.relname);
            let columns = match common {
                Some(common) => common.columns.clone(),
                None => relation_columns(act, act.world.find(range).unwrap_or_default()),
            };
            sources.push(named(range.alias.as_ref(), &range.relname, columns));
        }
        Some(NodeEnum::JoinExpr(join)) => {
            for side in [&join.larg, &join.rarg].into_iter().flatten() {
                collect(act, side, with, sources);
            }
        }
        Some(NodeEnum::RangeSubselect(inner)) => {
            let columns = match inner.subquery.as_ref().and_then(|q| q.node.as_ref()) {
                Some(NodeEnum::SelectStmt(select)) => of_select(act, select, with),
                _ => Vec::new(),
            };
            sources.push(named(inner.alias.as_ref(), "", columns));
        }
        _ => {}
    }
}

fn relation_columns(act: &Act, oid: Oid) -> Vec<Output> {
    act.world
        .relation(oid)
        .map(|r| &r.columns)
        .into_iter()
        .flatten()
        .map(|c| Output {
            name: c.name.clone(),
            type_oid: c.type_oid,
            type_modifier: c.type_modifier,
        })
        .collect()
}

fn of_target(act: &Act, target: &ResTarget, sources: &[Source]) -> Vec<Output> {
    let value = target.val.as_ref().and_then(|v| v.node.as_ref());
    let mut columns = match value {
        Some(NodeEnum::ColumnRef(reference)) => of_reference(reference, sources),
        Some(NodeEnum::TypeCast(cast)) => {
            let mut one = Output::unknown(&cast_name(cast));
            if let Some(name) = &cast.type_name {
                one.type_oid = types::type_of(act, name);
                one.type_modifier = types::modifier_of(name);
            }
            vec![one]
        }
        Some(NodeEnum::FuncCall(call)) => {
            let mut one = Output::unknown(&names::list(&call.funcname).pop().unwrap_or_default());
            one.type_oid = target.val.as_ref().map_or(0, |v| type_of(act, v));
            vec![one]
        }
        Some(NodeEnum::CoalesceExpr(_)) => vec![Output::unknown("coalesce")],
        Some(NodeEnum::CaseExpr(_)) => vec![Output::unknown("case")],
        Some(NodeEnum::SubLink(_)) | Some(_) | None => vec![Output::unknown("?column?")],
    };
    if let [one] = columns.as_mut_slice()
        && !target.name.is_empty()
    {
        one.name.clone_from(&target.name);
    }
    columns
}

/// The type of a cast, or of what a user's function gives; 0: not known.
#[must_use]
pub fn type_of(act: &Act, expression: &Node) -> Oid {
    match &expression.node {
        Some(NodeEnum::IndexElem(element)) => {
            element.expr.as_ref().map_or(0, |expr| type_of(act, expr))
        }
        Some(NodeEnum::TypeCast(cast)) => cast
            .type_name
            .as_ref()
            .map_or(0, |name| types::type_of(act, name)),
        Some(NodeEnum::FuncCall(call)) => act
            .world
            .find_routines(&names::list(&call.funcname))
            .first()
            .map_or(0, |r| r.returns),
        _ => 0,
    }
}

fn cast_name(cast: &pg_query::protobuf::TypeCast) -> String {
    match cast.arg.as_ref().and_then(|a| a.node.as_ref()) {
        Some(NodeEnum::ColumnRef(c)) => names::list(&c.fields).pop().unwrap_or_default(),
        Some(NodeEnum::FuncCall(f)) => names::list(&f.funcname).pop().unwrap_or_default(),
        _ => cast
            .type_name
            .as_ref()
            .and_then(|t| names::list(&t.names).pop())
            .unwrap_or_default(),
    }
}

fn of_reference(reference: &ColumnRef, sources: &[Source]) -> Vec<Output> {
    let parts = names::list(&reference.fields);
    let is_star = matches!(
        reference.fields.last().map(|f| &f.node),
        Some(Some(NodeEnum::AStar(_)))
    );
    if is_star {
        // `names::list` leaves the star out.
        let table = parts.last();
        return sources
            .iter()
            .filter(|s| table.is_none_or(|t| *t == s.alias))
            .flat_map(|s| s.columns.clone())
            .collect();
    }
    let Some(name) = parts.last() else {
        return Vec::new();
    };
    let table = parts.len().checked_sub(2).map(|at| &parts[at]);
    let found = sources
        .iter()
        .filter(|s| table.is_none_or(|t| *t == s.alias))
        .find_map(|s| s.columns.iter().find(|c| c.name == *name));
    vec![found.cloned().unwrap_or_else(|| Output::unknown(name))]
}
