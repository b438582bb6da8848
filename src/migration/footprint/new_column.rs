//! Columns that come into being, with their defaults and sequences.

use super::act::Act;
use super::expression;
use super::index::part;
use super::types;
use crate::model::{Column, ColumnDefault, LockMode, Oid, RelationKind, RelationName, class};
use pg_query::protobuf::{ColumnDef, ConstrType, Node};
use pg_query::{NodeEnum, protobuf};

use LockMode::AccessShare;

/// A column's constraints, sorted.
pub fn constraints(def: &ColumnDef) -> impl Iterator<Item = (ConstrType, &protobuf::Constraint)> {
    def.constraints.iter().filter_map(|n| match &n.node {
        Some(NodeEnum::Constraint(c)) => Some((ConstrType::try_from(c.contype).ok()?, c.as_ref())),
        _ => None,
    })
}

/// Puts a column into the world, without anything it may lock.
pub fn put(act: &mut Act, table: Oid, def: &ColumnDef, is_local: bool) -> i16 {
    let type_oid = def.type_name.as_ref().map_or(0, |t| types::type_of(act, t));
    let not_null = def.is_not_null
        || !def.identity.is_empty()
        || def
            .type_name
            .as_ref()
            .and_then(types::serial_base)
            .is_some()
        || constraints(def).any(|(k, _)| {
            matches!(
                k,
                ConstrType::ConstrNotnull | ConstrType::ConstrPrimary | ConstrType::ConstrIdentity
            )
        });
    let modifier = def.type_name.as_ref().map_or(-1, types::modifier_of);
    let identity = constraints(def)
        .find(|(k, _)| *k == ConstrType::ConstrIdentity)
        .map_or(String::new(), |(_, c)| c.generated_when.clone());
    let generated = constraints(def)
        .find(|(k, _)| *k == ConstrType::ConstrGenerated)
        .map_or(String::new(), |(_, c)| {
            if c.generated_kind == "v" {
                "v".into()
            } else {
                "s".into()
            }
        });
    put_raw(
        act,
        table,
        &def.colname,
        type_oid,
        modifier,
        not_null,
        identity,
        generated,
        is_local,
    )
}

#[allow(clippy::too_many_arguments)]
fn put_raw(
    act: &mut Act,
    table: Oid,
    name: &str,
    type_oid: Oid,
    type_modifier: i32,
    not_null: bool,
    identity: String,
    generated: String,
    is_local: bool,
) -> i16 {
    let Some(relation) = act.world.relation_mut(table) else {
        return 0;
    };
    // Numbers of dropped columns are not known; numbers given here are ours alone.
    let number = relation.columns.iter().map(|c| c.number).max().unwrap_or(0) + 1;
    relation.columns.push(Column {
        number,
        name: name.to_owned(),
        type_oid,
        type_modifier,
        not_null,
        identity,
        generated,
        is_local,
        inherited: i32::from(!is_local),
        collation: 0,
    });
    if type_oid >= crate::model::FIRST_NORMAL_OID {
        types::look_at_row_types(act, type_oid);
        act.world.depend(
            (class::RELATION, table, i32::from(number)),
            (class::TYPE, type_oid, 0),
            'n',
        );
    }
    number
}

/// Puts a copy of a column into another table.
pub fn put_copy(act: &mut Act, table: Oid, column: &Column, is_local: bool) {
    put_raw(
        act,
        table,
        &column.name,
        column.type_oid,
        column.type_modifier,
        column.not_null,
        column.identity.clone(),
        column.generated.clone(),
        is_local,
    );
}

/// Puts a column of a query's result into a table or view.
pub fn put_output(act: &mut Act, table: Oid, column: &super::output::Output) {
    put_raw(
        act,
        table,
        &column.name,
        column.type_oid,
        column.type_modifier,
        false,
        String::new(),
        String::new(),
        true,
    );
}

/// Puts a default into the world, with the functions and sequences it needs.
pub fn put_default(act: &mut Act, table: Oid, column: i16, expression: Option<&Node>) {
    let oid = act.world.new_oid();
    act.world.defaults.put(ColumnDefault { oid, table, column });
    act.world.depend(
        (class::DEFAULT, oid, 0),
        (class::RELATION, table, i32::from(column)),
        'a',
    );
    if let Some(expression) = expression {
        for sequence in expression::depends_on(act, expression, "a default uses it") {
            act.world.depend(
                (class::DEFAULT, oid, 0),
                (class::RELATION, sequence, 0),
                'n',
            );
        }
    }
}

/// What makes a new column write every row (`ATExecAddColumn`): a value for each row that is not one
/// constant for all.
pub fn rewrites_on_add(act: &Act, def: &ColumnDef) -> Option<String> {
    if def
        .type_name
        .as_ref()
        .and_then(types::serial_base)
        .is_some()
    {
        return Some("every row gets a number".to_owned());
    }
    for (kind, constraint) in constraints(def) {
        match kind {
            ConstrType::ConstrIdentity => return Some("every row gets a number".to_owned()),
            ConstrType::ConstrGenerated if constraint.generated_kind != "v" => {
                return Some("a stored generated column".to_owned());
            }
            ConstrType::ConstrDefault => {
                if let Some(expr) = &constraint.raw_expr
                    && expression::is_volatile(act, expr)
                {
                    return Some("its default is volatile".to_owned());
                }
            }
            _ => {}
        }
    }
    let type_oid = def.type_name.as_ref().map_or(0, |t| types::type_of(act, t));
    if types::has_domain_constraints(act, type_oid) {
        return Some("its type is a domain with constraints".to_owned());
    }
    None
}

/// The sequence of a serial or identity column.
pub fn make_sequence(act: &mut Act, table: Oid, def: &ColumnDef) {
    let identity = constraints(def).any(|(k, _)| k == ConstrType::ConstrIdentity);
    if !identity
        && def
            .type_name
            .as_ref()
            .and_then(types::serial_base)
            .is_none()
    {
        return;
    }
    let Some(relation) = act.world.relation(table) else {
        return;
    };
    let table_name = relation.name.clone();
    let number = i32::from(
        relation
            .columns
            .iter()
            .find(|c| c.name == def.colname)
            .map_or(0, |c| c.number),
    );
    let name = part::unused_name(act, &table_name, &def.colname, "seq");
    let sequence = act.create(
        RelationName::new(table_name.schema, name),
        RelationKind::Sequence,
    );
    // process_owned_by, sequence.c
    act.lock(table, AccessShare, "one of its columns will own a sequence");
    act.world.depend(
        (class::RELATION, sequence, 0),
        (class::RELATION, table, number),
        if identity { 'i' } else { 'a' },
    );
}
