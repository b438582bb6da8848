//! Keys: primary, unique and exclusion constraints, and the indexes that they make or take.

use crate::migration::footprint::act::{Act, Step, refuse};
use crate::migration::footprint::altering::Altering;
use crate::migration::footprint::index::part;
use crate::migration::footprint::index::part::Shape;
use crate::migration::footprint::{altering, names};
use crate::model::{LockMode, LockWork, Oid, RelationKind, RelationName};
use pg_query::protobuf::ConstrType;
use pg_query::{NodeEnum, protobuf};

use LockMode::{AccessShare, Share, ShareUpdateExclusive};

/// `ADD PRIMARY KEY|UNIQUE|EXCLUDE`, also `USING INDEX`.
pub fn add_constraint(
    act: &mut Act,
    altering: &mut Altering,
    oid: Oid,
    constraint: &protobuf::Constraint,
    new_table: bool,
) -> Step {
    let kind = ConstrType::try_from(constraint.contype).unwrap_or(ConstrType::Undefined);
    if !constraint.indexname.is_empty() {
        return use_index(act, altering, oid, constraint, kind);
    }
    let is_primary = kind == ConstrType::ConstrPrimary;
    let mut shape = part::Shape {
        is_unique: kind != ConstrType::ConstrExclusion,
        is_primary,
        is_exclusion: kind == ConstrType::ConstrExclusion,
        ..Shape::default()
    };
    let keys = names::list(&constraint.keys);
    for name in &keys {
        shape.columns.push(altering::column_number(act, oid, name)?);
    }
    for exclusion in &constraint.exclusions {
        if let Some(NodeEnum::List(pair)) = &exclusion.node
            && let Some(NodeEnum::IndexElem(e)) = pair.items.first().and_then(|n| n.node.as_ref())
        {
            let number = if e.name.is_empty() {
                0
            } else {
                altering::column_number(act, oid, &e.name)?
            };
            shape.columns.push(number);
        }
    }
    shape.key_columns = i16::try_from(shape.columns.len()).unwrap_or(i16::MAX);
    for name in names::list(&constraint.including) {
        shape
            .columns
            .push(altering::column_number(act, oid, &name)?);
    }
    if is_primary && act.world.indexes.of(oid).any(|i| i.is_primary) {
        return refuse(format!(
            "multiple primary keys for table {} are not allowed",
            act.shown(oid)
        ));
    }
    if !new_table {
        act.lock(oid, Share, "gets an index");
        // ATPrepAddPrimaryKey (18): with ONLY, children are asked whether they have NOT NULL already.
        let lacks = |k: &String| act.world.column(oid, k).is_some_and(|c| !c.not_null);
        if is_primary && !altering.recurse && act.version() >= 18 && keys.iter().any(lacks) {
            altering::lock_tree(act, oid, altering.mode);
        }
        if is_primary {
            require_not_null(act, altering, oid, &keys);
        }
        partitions_of_new_index(act, altering, oid);
    }
    let table = act.relation(oid)?.name.clone();
    let second = if is_primary {
        String::new()
    } else {
        part::column_names(act, oid, &shape.columns)
    };
    let label = match kind {
        ConstrType::ConstrPrimary => "pkey",
        ConstrType::ConstrUnique => "key",
        _ => "excl",
    };
    let name = if constraint.conname.is_empty() {
        part::unused_name(act, &table, &second, label)
    } else {
        constraint.conname.clone()
    };
    let recurses = altering.recurse && act.kind(oid) == RelationKind::PartitionedTable;
    if act.world.find_name(&table.schema, &name).is_some() {
        return refuse(format!("relation {name} already exists"));
    }
    // The constraint first, so that parts on partitions get theirs.
    let index = part::put(act, oid, &name, &shape);
    part::put_key(
        act,
        oid,
        index,
        &name,
        kind,
        &shape.columns,
        constraint.deferrable,
    );
    if recurses {
        for partition in act.world.children(oid) {
            let found = act
                .world
                .indexes
                .of(partition)
                .map(|i| i.oid)
                .find(|&c| act.world.parents(c).is_empty() && part::alike(act, index, c));
            match found {
                Some(found) => {
                    act.lock(found, Share, "matches, and is attached to the new index");
                    part::bond(act, index, found, partition);
                }
                None => {
                    part::clone_tree(act, index, partition);
                    act.works_on_tree(partition, LockWork::Scan);
                    if constraint.deferrable {
                        for part in act.world.tree(partition) {
                            part::checked_later(act, part);
                        }
                    }
                }
            }
        }
    }
    if !new_table {
        if constraint.deferrable {
            part::checked_later(act, oid);
        }
        act.works(oid, LockWork::Scan);
    }
    Ok(())
}

/// `ADD … USING INDEX` (`transformIndexConstraint`, `ATExecAddIndexConstraint`).
fn use_index(
    act: &mut Act,
    altering: &mut Altering,
    oid: Oid,
    constraint: &protobuf::Constraint,
    kind: ConstrType,
) -> Step {
    let schema = act.relation(oid)?.name.schema.clone();
    let Some(index) = act.world.find_name(&schema, &constraint.indexname) else {
        return refuse(format!("index {} does not exist", constraint.indexname));
    };
    act.names(index);
    act.lock(index, AccessShare, "becomes a constraint's index");
    let columns = act
        .world
        .indexes
        .get(index)
        .map(|i| i.columns.clone())
        .unwrap_or_default();
    if kind == ConstrType::ConstrPrimary {
        let keys: Vec<String> = columns
            .iter()
            .filter_map(|n| {
                act.world
                    .relation(oid)?
                    .columns
                    .iter()
                    .find(|c| c.number == *n)
            })
            .map(|c| c.name.clone())
            .collect();
        require_not_null(act, altering, oid, &keys);
    }
    let name = if constraint.conname.is_empty() {
        constraint.indexname.clone()
    } else {
        constraint.conname.clone()
    };
    if name != constraint.indexname {
        // RenameRelationInternal
        act.lock(
            index,
            ShareUpdateExclusive,
            "is renamed to its constraint's name",
        );
        act.world.rename(index, RelationName::new(schema, &name));
    }
    if let Some(i) = act.world.indexes.get_mut(index) {
        i.is_primary = kind == ConstrType::ConstrPrimary;
    }
    part::put_key(
        act,
        oid,
        index,
        &name,
        kind,
        &columns,
        constraint.deferrable,
    );
    if constraint.deferrable {
        part::checked_later(act, oid);
    }
    Ok(())
}

/// Columns of a primary key become NOT NULL, in children too (`index_check_primary_key`).
fn require_not_null(act: &mut Act, altering: &mut Altering, oid: Oid, keys: &[String]) {
    let lacking: Vec<String> = keys
        .iter()
        .filter(|k| act.world.column(oid, k).is_some_and(|c| !c.not_null))
        .cloned()
        .collect();
    if lacking.is_empty() {
        return;
    }
    altering::lock_partitions_that_must_know(act, altering, oid);
    let tables = if altering.recurse {
        altering::lock_tree(act, oid, altering.mode)
    } else {
        vec![oid]
    };
    for table in tables {
        for key in &lacking {
            altering::require_not_null(act, altering, table, key);
        }
    }
}

/// Partitions of a table that gets an index: SHARE, since 18 the table's own mode too.
fn partitions_of_new_index(act: &mut Act, altering: &Altering, oid: Oid) {
    if act.kind(oid) != RelationKind::PartitionedTable || !altering.recurse {
        return;
    }
    for partition in act.world.tree(oid).into_iter().skip(1) {
        act.lock(
            partition,
            Share,
            format!("a partition of {}, which gets an index", act.shown(oid)),
        );
    }
}
