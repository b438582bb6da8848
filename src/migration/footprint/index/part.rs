//! What an index is made of, and the parts of a partitioned one.

use crate::migration::footprint::act::Act;
use crate::migration::footprint::altering::blank_constraint;
use crate::migration::footprint::{altering, names};
use crate::model::{
    Constraint, Index, IndexKey, Inheritance, LockMode, LockWork, Oid, RelationKind, RelationName,
    class,
};
use pg_query::protobuf::ConstrType;

use LockMode::Share;

/// What an index is made of, before it has a name.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    pub columns: Vec<i16>,
    pub key_columns: i16,
    /// Access method; none: btree.
    pub method: Option<String>,
    pub keys: Vec<IndexKey>,
    pub expressions: Option<String>,
    pub predicate: Option<String>,
    pub is_unique: bool,
    pub is_primary: bool,
    pub is_exclusion: bool,
}

/// `ChooseRelationName`
pub fn unused_name(act: &Act, table: &RelationName, second: &str, label: &str) -> String {
    let mut number = 0;
    loop {
        let tagged = if number == 0 {
            label.to_owned()
        } else {
            format!("{label}{number}")
        };
        let name = names::object_name(&table.relation, second, &tagged);
        if act.world.find_name(&table.schema, &name).is_none() {
            return name;
        }
        number += 1;
    }
}

/// Builds an index on a table and, where it recurses, on its partitions.
pub fn build(act: &mut Act, table: Oid, name: &str, shape: &Shape, recurses: bool) -> Oid {
    let index = put(act, table, name, shape);
    act.works(table, LockWork::Scan);
    if recurses {
        for partition in act.world.children(table) {
            let existing: Vec<Oid> = act.world.indexes.of(partition).map(|i| i.oid).collect();
            let mut matched = None;
            for candidate in existing {
                if !act.world.parents(candidate).is_empty() {
                    continue;
                }
                // Opened with the table's mode until one is alike.
                if alike(act, index, candidate) {
                    act.lock(
                        candidate,
                        Share,
                        "matches, and is attached to the new index",
                    );
                    matched = Some(candidate);
                    break;
                }
                act.touch(candidate, Share, "is compared with the new index");
            }
            match matched {
                Some(found) => bond(act, index, found, partition),
                None => {
                    clone_tree(act, index, partition);
                    act.works_on_tree(partition, LockWork::Scan);
                }
            }
        }
    }
    index
}

/// Puts a new index into the world.
pub fn put(act: &mut Act, table: Oid, name: &str, shape: &Shape) -> Oid {
    let (schema, kind) = match act.world.relation(table) {
        Some(r) if r.kind == RelationKind::PartitionedTable => {
            (r.name.schema.clone(), RelationKind::PartitionedIndex)
        }
        Some(r) => (r.name.schema.clone(), RelationKind::Index),
        None => (String::new(), RelationKind::Index),
    };
    let oid = act.create(RelationName::new(schema, name), kind);
    if let Some(relation) = act.world.relation_mut(oid) {
        relation.access_method.clone_from(&shape.method);
    }
    act.world.indexes.put(Index {
        oid,
        table,
        columns: shape.columns.clone(),
        key_columns: shape.key_columns,
        is_unique: shape.is_unique,
        is_primary: shape.is_primary,
        is_exclusion: shape.is_exclusion,
        is_valid: true,
        is_live: true,
        is_clustered: false,
        is_replica_identity: false,
        is_immediate: true,
        operators: String::new(),
        keys: shape.keys.clone(),
        expressions: shape.expressions.clone(),
        predicate: shape.predicate.clone(),
    });
    for &column in &shape.columns {
        act.world.depend(
            (class::RELATION, oid, 0),
            (class::RELATION, table, i32::from(column)),
            'a',
        );
    }
    act.builds(table, oid);
    oid
}

/// Makes one index a part of another.
pub fn bond(act: &mut Act, parent: Oid, child: Oid, table: Oid) {
    act.world.put_inheritance(Inheritance {
        child,
        parent,
        detach_pending: false,
    });
    act.world.depend(
        (class::RELATION, child, 0),
        (class::RELATION, parent, 0),
        'P',
    );
    act.world.depend(
        (class::RELATION, child, 0),
        (class::RELATION, table, 0),
        'S',
    );
}

/// Whether an index on a partition can be a part of a partitioned one (`CompareIndexInfo`).
pub fn alike(act: &Act, parent: Oid, child: Oid) -> bool {
    let (Some(p), Some(c)) = (act.world.indexes.get(parent), act.world.indexes.get(child)) else {
        return false;
    };
    let columns: Vec<i16> = p
        .columns
        .iter()
        .map(|&n| {
            if n == 0 {
                0
            } else {
                same_column(act, p.table, n, c.table)
            }
        })
        .collect();
    let method = |oid: Oid| {
        act.world
            .relation(oid)
            .and_then(|r| r.access_method.clone())
    };
    let same_operators = p.operators.is_empty()
        || c.operators.is_empty()
        || p.operators
            .split(';')
            .take(2)
            .eq(c.operators.split(';').take(2));
    let same_keys = p.keys.is_empty()
        || c.keys.is_empty()
        || p.keys.len() == c.keys.len() && p.keys.iter().zip(&c.keys).all(|(p, c)| p.is_like(c));
    let constrained = |i: &Index| {
        act.world
            .constraints
            .of(i.table)
            .any(|k| k.index == i.oid && k.kind != 'f')
    };
    columns == c.columns
        && p.key_columns == c.key_columns
        && p.is_unique == c.is_unique
        && p.is_exclusion == c.is_exclusion
        && p.expressions.is_some() == c.expressions.is_some()
        && p.predicate.is_some() == c.predicate.is_some()
        && same_operators
        && same_keys
        && method(parent).unwrap_or_else(|| "btree".into())
            == method(child).unwrap_or_else(|| "btree".into())
        && (!constrained(p) || constrained(c))
}

/// The number that a column of one table has in another, by name.
pub fn same_column(act: &Act, table: Oid, number: i16, other: Oid) -> i16 {
    act.world
        .relation(table)
        .and_then(|r| r.columns.iter().find(|c| c.number == number))
        .and_then(|c| act.world.column(other, &c.name))
        .map_or(number, |c| c.number)
}

/// A part of a partitioned index on one partition; the partition's column numbers may differ.
pub fn clone_on(act: &mut Act, parent: Oid, partition: Oid) -> Oid {
    let Some((child, constraint)) = copy_on(act, parent, partition) else {
        return 0;
    };
    bond(act, parent, child, partition);
    if let Some((constraint, of_parent)) = constraint {
        act.world.depend(
            (class::CONSTRAINT, constraint, 0),
            (class::CONSTRAINT, of_parent, 0),
            'P',
        );
        if let Some(c) = act.world.constraints.get_mut(constraint) {
            c.parent = of_parent;
            c.inherited = 1;
            c.is_local = false;
        }
    }
    child
}

/// An index of the same shape on another table, by a name of its own, with its constraint
/// (`generateClonedIndexStmt`). Returns the index, and the constraint with the one that it is a copy of.
pub fn copy_on(act: &mut Act, model: Oid, table: Oid) -> Option<(Oid, Option<(Oid, Oid)>)> {
    let method = act
        .world
        .relation(model)
        .and_then(|r| r.access_method.clone());
    let model = act.world.indexes.get(model).cloned()?;
    let columns = model
        .columns
        .iter()
        .map(|&n| same_column(act, model.table, n, table))
        .collect();
    let shape = Shape {
        columns,
        key_columns: model.key_columns,
        method,
        keys: model.keys.clone(),
        expressions: model.expressions.clone(),
        predicate: model.predicate.clone(),
        is_unique: model.is_unique,
        is_primary: model.is_primary,
        is_exclusion: model.is_exclusion,
    };
    let (label, second) = match (model.is_primary, model.is_unique) {
        (true, _) => ("pkey", String::new()),
        (false, true) => ("key", column_names(act, table, &shape.columns)),
        (false, false) => ("idx", column_names(act, table, &shape.columns)),
    };
    let of_table = act.world.relation(table).map(|r| r.name.clone());
    let name = of_table.map_or_else(
        || "idx".to_owned(),
        |t| unused_name(act, &t, &second, label),
    );
    let index = put(act, table, &name, &shape);
    let constraint = act
        .world
        .constraints
        .of(model.table)
        .find(|c| c.index == model.oid && c.kind != 'f')
        .cloned();
    let copied = constraint.map(|constraint| {
        let (oid, of_model) = (act.world.new_oid(), constraint.oid);
        let columns = shape.columns.clone();
        let copy = Constraint {
            oid,
            name,
            table,
            index,
            parent: 0,
            inherited: 0,
            is_local: true,
            columns,
            ..constraint
        };
        altering::put_constraint(act, copy);
        act.world.depend(
            (class::RELATION, index, 0),
            (class::CONSTRAINT, oid, 0),
            'i',
        );
        (oid, of_model)
    });
    Some((index, copied))
}

/// An index of the same shape on a partition and on its partitions.
pub fn clone_tree(act: &mut Act, parent: Oid, partition: Oid) -> Oid {
    let child = clone_on(act, parent, partition);
    for below in act.world.children(partition) {
        clone_tree(act, child, below);
    }
    child
}

/// The names of columns, as in a generated name.
pub fn column_names(act: &Act, oid: Oid, columns: &[i16]) -> String {
    let Some(relation) = act.world.relation(oid) else {
        return String::new();
    };
    columns
        .iter()
        .filter_map(|n| relation.columns.iter().find(|c| c.number == *n))
        .map(|c| c.name.as_str())
        .collect::<Vec<_>>()
        .join("_")
}

/// A deferrable key is checked by a trigger of its own (`index_constraint_create`).
pub fn checked_later(act: &mut Act, table: Oid) {
    act.lock(
        table,
        LockMode::ShareRowExclusive,
        "gets the trigger of a deferrable key",
    );
}

/// Puts the constraint of an index into the world.
pub fn put_key(
    act: &mut Act,
    table: Oid,
    index: Oid,
    name: &str,
    kind: ConstrType,
    columns: &[i16],
    is_deferrable: bool,
) {
    let oid = act.world.new_oid();
    let letter = match kind {
        ConstrType::ConstrPrimary => 'p',
        ConstrType::ConstrUnique => 'u',
        _ => 'x',
    };
    altering::put_constraint(
        act,
        Constraint {
            oid,
            name: name.to_owned(),
            kind: letter,
            table,
            index,
            columns: columns.to_vec(),
            is_deferrable,
            no_inherit: act.kind(table) != RelationKind::PartitionedTable,
            ..blank_constraint()
        },
    );
    act.world
        .undepend((class::RELATION, index), (class::RELATION, table));
    act.world.depend(
        (class::RELATION, index, 0),
        (class::CONSTRAINT, oid, 0),
        'i',
    );
}

/// Whether a relation is a temporary one.
pub fn is_temporary(act: &Act, oid: Oid) -> bool {
    act.world
        .relation(oid)
        .is_some_and(|r| r.persistence == 't')
}
