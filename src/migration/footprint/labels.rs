//! Labels that an enum does not have, and those that ALTER TYPE … ADD VALUE has added in the transaction at hand: until it commits no value may have one
//! (`check_safe_enum_use`, enum.c).

use super::act::{Act, Step, refuse};
use super::names;
use super::world::NewLabel;
use pg_query::NodeEnum as N;
use pg_query::protobuf::{AlterTableType, InsertStmt, Node, RangeVar, a_const::Val};

/// Refuses a statement that gives a column a label of this transaction.
pub fn are_safe(act: &Act, node: &N) -> Step {
    let transaction = act.source.transaction;
    let mut fresh = act
        .world
        .new_labels
        .iter()
        .filter(|l| l.transaction == transaction);
    if fresh.next().is_none() {
        return Ok(());
    }
    for (table, column, value) in given(act, node) {
        let Some(oid) = act.world.find(&table) else {
            continue;
        };
        let of = act.world.column(oid, &column).map_or(0, |c| c.type_oid);
        let is_fresh =
            |l: &&NewLabel| (l.of, l.transaction) == (of, transaction) && l.label == value;
        if act.world.new_labels.iter().find(is_fresh).is_some() {
            return refuse(format!(
                "new label {value} of the type of {table}.{column} must be committed before it is used",
                table = table.relname
            ));
        }
    }
    Ok(())
}

/// Refuses a label that the column's enum does not have (`enum_in`, enum.c).
pub fn are_known(act: &Act, node: &N) -> Step {
    for (table, column, value) in given(act, node) {
        let found = act.world.find(&table);
        let column = found.and_then(|oid| act.world.column(oid, &column));
        let Some(of) = column.and_then(|c| act.world.types.get(&c.type_oid)) else {
            continue;
        };
        if of
            .labels
            .as_ref()
            .is_some_and(|labels| !labels.contains(&value))
        {
            return refuse(format!("enum {} has no label {value}", of.name));
        }
    }
    Ok(())
}

/// Constants that a statement gives to columns, as (table, column, constant).
fn given(act: &Act, node: &N) -> Vec<(RangeVar, String, String)> {
    let (table, pairs) = match node {
        N::AlterTableStmt(s) => (&s.relation, s.cmds.iter().filter_map(default_of).collect()),
        N::UpdateStmt(s) => (&s.relation, s.target_list.iter().filter_map(set).collect()),
        N::InsertStmt(s) => (&s.relation, inserted(act, s)),
        _ => return Vec::new(),
    };
    let table = table.clone().unwrap_or_default();
    let pairs: Vec<(String, String)> = pairs;
    let named = pairs
        .into_iter()
        .map(|(column, value)| (table.clone(), column, value));
    named.collect()
}

fn default_of(node: &Node) -> Option<(String, String)> {
    match node.node.as_ref()? {
        N::AlterTableCmd(c) if c.subtype == AlterTableType::AtColumnDefault as i32 => {
            Some((c.name.clone(), constant(c.def.as_deref()?)?))
        }
        _ => None,
    }
}

fn set(node: &Node) -> Option<(String, String)> {
    match node.node.as_ref()? {
        N::ResTarget(t) => Some((t.name.clone(), constant(t.val.as_deref()?)?)),
        _ => None,
    }
}

fn inserted(act: &Act, statement: &InsertStmt) -> Vec<(String, String)> {
    let select = statement.select_stmt.as_ref().and_then(|s| s.node.as_ref());
    let Some(N::SelectStmt(select)) = select else {
        return Vec::new();
    };
    let mut columns: Vec<String> = statement
        .cols
        .iter()
        .filter_map(|c| match c.node.as_ref()? {
            N::ResTarget(t) => Some(t.name.clone()),
            _ => None,
        })
        .collect();
    if columns.is_empty() {
        let table = statement.relation.as_ref().and_then(|r| act.world.find(r));
        let relation = table.and_then(|t| act.world.relation(t));
        columns.extend(
            relation
                .into_iter()
                .flat_map(|r| &r.columns)
                .map(|c| c.name.clone()),
        );
    }
    let rows = select
        .values_lists
        .iter()
        .filter_map(|r| match r.node.as_ref()? {
            N::List(list) => Some(&list.items),
            _ => None,
        });
    let pairs = rows.flat_map(|row| columns.iter().zip(row));
    pairs
        .filter_map(|(column, value)| Some((column.clone(), constant(value)?)))
        .collect()
}

/// A text constant whose type is the column's.
fn constant(node: &Node) -> Option<String> {
    match node.node.as_ref()? {
        N::AConst(c) => match c.val.as_ref()? {
            Val::Sval(s) => Some(s.sval.clone()),
            _ => None,
        },
        // 'x'::e
        N::TypeCast(c) if !names::list(&c.type_name.as_ref()?.names).is_empty() => {
            constant(c.arg.as_deref()?)
        }
        _ => None,
    }
}
