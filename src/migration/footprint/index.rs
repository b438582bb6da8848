//! Indexes: created, built again, added with a constraint, cloned on partitions.

use super::act::{Act, Step, refuse};
use super::alter_table::{self, Altering, blank_constraint};
use super::expression;
use super::names;
use crate::model::{
    Constraint, Index, IndexKey, Inheritance, LockMode, LockWork, Oid, RelationKind, RelationName,
    WaitPhase, class,
};
use pg_query::NodeEnum;
use pg_query::protobuf::{self, ConstrType, IndexStmt, Node, ReindexObjectType, ReindexStmt};

use LockMode::{AccessExclusive, AccessShare, Share, ShareUpdateExclusive};

/// What an index is made of, before it has a name.
#[derive(Debug, Clone, Default)]
struct Shape {
    columns: Vec<i16>,
    key_columns: i16,
    /// Access method; none: btree.
    method: Option<String>,
    keys: Vec<IndexKey>,
    expressions: Option<String>,
    predicate: Option<String>,
    is_unique: bool,
    is_primary: bool,
    is_exclusion: bool,
}

/// `CREATE INDEX` (`DefineIndex`, indexcmds.c; the children are locked in `ProcessUtilitySlow`).
pub fn create(act: &mut Act, statement: &IndexStmt) -> Step {
    let Some(range) = &statement.relation else {
        return refuse("no table is named");
    };
    if statement.concurrent {
        act.not_in_block("CREATE INDEX CONCURRENTLY")?;
    }
    let table = act.resolve(range)?;
    let kind = act.kind(table);
    let is_temporary = act
        .world
        .relation(table)
        .is_some_and(|r| r.persistence == 't');
    let concurrent = statement.concurrent && !is_temporary;
    let mode = if concurrent {
        ShareUpdateExclusive
    } else {
        Share
    };
    act.lock(table, mode, "gets an index");
    if !matches!(
        kind,
        RelationKind::Table | RelationKind::PartitionedTable | RelationKind::MaterializedView
    ) {
        return refuse(format!("{} is a {}", act.shown(table), kind.words()));
    }
    let recurses = kind == RelationKind::PartitionedTable && range.inh;
    if recurses {
        for partition in act.world.tree(table).into_iter().skip(1) {
            act.lock(
                partition,
                mode,
                format!("a partition of {}, which gets an index", act.shown(table)),
            );
        }
        if concurrent {
            return refuse("an index on a partitioned table cannot be created concurrently");
        }
    }
    for node in statement
        .index_params
        .iter()
        .chain(statement.where_clause.as_deref())
    {
        expression::check(act, table, node);
        super::column::look_at_row_types(act, super::output::type_of(act, node));
    }
    let shape = shape_of(act, table, statement)?;
    let name = if statement.idxname.is_empty() {
        chosen_name(act, table, &statement.index_params, &shape)
    } else {
        statement.idxname.clone()
    };
    let schema = act.relation(table)?.name.schema.clone();
    if let Some(existing) = act.world.find_name(&schema, &name) {
        if statement.if_not_exists {
            if act.world.indexes.get(existing).is_some_and(|i| !i.is_valid) {
                act.notes.push(format!(
                    "{} exists and is invalid: IF NOT EXISTS leaves it so",
                    act.shown(existing)
                ));
            }
            return Ok(());
        }
        return refuse(format!("relation {name} already exists"));
    }
    build(act, table, &name, &shape, recurses);
    if concurrent {
        phases_of_build(act, table)?;
    }
    Ok(())
}

/// What `CREATE INDEX CONCURRENTLY` waits for: writers twice, then old snapshots.
fn phases_of_build(act: &mut Act, table: Oid) -> Step {
    let name = act.relation(table)?.name.clone();
    let oid = act.world.created_in(table).is_none().then_some(table);
    for _ in 0..2 {
        act.phases.push(WaitPhase::Lockers {
            oid,
            name: name.clone(),
            mode: Share,
        });
    }
    act.phases.push(WaitPhase::Snapshots);
    Ok(())
}

fn shape_of(act: &Act, table: Oid, statement: &IndexStmt) -> Step<Shape> {
    let mut shape = Shape {
        is_unique: statement.unique || statement.primary,
        is_primary: statement.primary,
        method: (!statement.access_method.is_empty()).then(|| statement.access_method.clone()),
        keys: statement.index_params.iter().filter_map(key_of).collect(),
        ..Shape::default()
    };
    let mut expressions = Vec::new();
    for node in &statement.index_params {
        let Some(NodeEnum::IndexElem(element)) = &node.node else {
            continue;
        };
        if element.name.is_empty() {
            shape.columns.push(0);
            expressions.push(serde_json::to_string(&element.expr).unwrap_or_default());
        } else {
            shape
                .columns
                .push(alter_table::column_number(act, table, &element.name)?);
        }
    }
    shape.key_columns = i16::try_from(shape.columns.len()).unwrap_or(i16::MAX);
    for node in &statement.index_including_params {
        if let Some(NodeEnum::IndexElem(element)) = &node.node {
            shape
                .columns
                .push(alter_table::column_number(act, table, &element.name)?);
        }
    }
    shape.expressions = (!expressions.is_empty()).then(|| expressions.join(","));
    shape.predicate = statement
        .where_clause
        .as_ref()
        .and_then(|w| serde_json::to_string(w).ok());
    Ok(shape)
}

/// What a key column of the statement says of its operator class and collation.
fn key_of(node: &Node) -> Option<IndexKey> {
    let Some(NodeEnum::IndexElem(element)) = &node.node else {
        return None;
    };
    let name = |list: &[Node]| names::list(list).pop().unwrap_or_default();
    Some(IndexKey {
        opclass: name(&element.opclass),
        is_default: element.opclass.is_empty(),
        collation: name(&element.collation),
        is_columns: element.collation.is_empty(),
    })
}

/// `ChooseIndexName`
fn chosen_name(act: &Act, table: Oid, params: &[Node], shape: &Shape) -> String {
    let parts: Vec<String> = params
        .iter()
        .filter_map(|p| match &p.node {
            Some(NodeEnum::IndexElem(e)) if !e.name.is_empty() => Some(e.name.clone()),
            Some(NodeEnum::IndexElem(e)) => {
                Some(match e.expr.as_deref().and_then(|x| x.node.as_ref()) {
                    Some(NodeEnum::FuncCall(f)) => {
                        names::list(&f.funcname).pop().unwrap_or_default()
                    }
                    _ => "expr".to_owned(),
                })
            }
            _ => None,
        })
        .collect();
    let Some(relation) = act.world.relation(table) else {
        return "idx".to_owned();
    };
    let (second, label) = if shape.is_primary {
        (String::new(), "pkey")
    } else if shape.is_exclusion {
        (parts.join("_"), "excl")
    } else if shape.is_unique && params.is_empty() {
        (parts.join("_"), "key")
    } else {
        (parts.join("_"), "idx")
    };
    unused_name(act, &relation.name, &second, label)
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
fn build(act: &mut Act, table: Oid, name: &str, shape: &Shape, recurses: bool) -> Oid {
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
                        "is alike and becomes a part of the new index",
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

/// An index that goes and comes back.
pub struct Remade {
    name: RelationName,
    method: Option<String>,
    index: Index,
    constraint: Option<Constraint>,
    is_part: bool,
}

impl Remade {
    /// Remembers an index before it goes.
    pub fn of(act: &Act, oid: Oid) -> Option<Self> {
        let index = act.world.indexes.get(oid)?.clone();
        let constraint = act
            .world
            .constraints
            .of(index.table)
            .find(|c| c.index == oid && c.kind != 'f')
            .cloned();
        Some(Self {
            name: act.world.relation(oid)?.name.clone(),
            method: act.world.relation(oid)?.access_method.clone(),
            constraint,
            is_part: !act.world.parents(oid).is_empty(),
            index,
        })
    }

    /// Its table.
    pub const fn table(&self) -> Oid {
        self.index.table
    }

    /// The index.
    pub const fn oid(&self) -> Oid {
        self.index.oid
    }

    /// Whether its files serve on where the table's rows stay as they are (`CheckIndexCompatible`):
    /// no expressions, and the same operators on every column.
    pub fn is_reusable(&self, other_operators: &[i16]) -> bool {
        let keys = usize::try_from(self.index.key_columns).unwrap_or_default();
        !self.is_part
            && self.index.is_valid
            && self.index.expressions.is_none()
            && self.index.predicate.is_none()
            && !self
                .index
                .columns
                .iter()
                .take(keys)
                .any(|c| other_operators.contains(c))
    }

    /// Builds it again, with its parts if it is partitioned.
    pub fn put_back(self, act: &mut Act) {
        if self.is_part {
            return;
        }
        let table = self.index.table;
        act.lock(
            table,
            Share,
            format!("index {} is built again", self.name.relation),
        );
        let shape = Shape {
            method: self.method,
            keys: self.index.keys.clone(),
            columns: self.index.columns.clone(),
            key_columns: self.index.key_columns,
            expressions: self.index.expressions.clone(),
            predicate: self.index.predicate.clone(),
            is_unique: self.index.is_unique,
            is_primary: self.index.is_primary,
            is_exclusion: self.index.is_exclusion,
        };
        let recurses = act.kind(table) == RelationKind::PartitionedTable;
        let oid = put(act, table, &self.name.relation, &shape);
        if let Some(constraint) = &self.constraint {
            let kind = match constraint.kind {
                'p' => ConstrType::ConstrPrimary,
                'u' => ConstrType::ConstrUnique,
                _ => ConstrType::ConstrExclusion,
            };
            put_key(
                act,
                table,
                oid,
                &constraint.name,
                kind,
                &shape.columns,
                constraint.is_deferrable,
            );
        }
        if recurses {
            for partition in act.world.children(table) {
                act.lock(
                    partition,
                    Share,
                    format!("index {} is built again", self.name.relation),
                );
                clone_tree(act, oid, partition);
            }
        }
    }
}

/// An index of the same shape on a partition and on its partitions.
pub fn clone_tree(act: &mut Act, parent: Oid, partition: Oid) -> Oid {
    let child = clone_on(act, parent, partition);
    for below in act.world.children(partition) {
        clone_tree(act, child, below);
    }
    child
}

fn bond(act: &mut Act, parent: Oid, child: Oid, table: Oid) {
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

/// Puts a new index into the world.
fn put(act: &mut Act, table: Oid, name: &str, shape: &Shape) -> Oid {
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
    oid
}

/// A part of a partitioned index on one partition; the partition's column numbers may differ.
pub fn clone_on(act: &mut Act, parent: Oid, partition: Oid) -> Oid {
    let Some(model) = act.world.indexes.get(parent).cloned() else {
        return 0;
    };
    let columns: Vec<i16> = model
        .columns
        .iter()
        .map(|&number| same_column(act, model.table, number, partition))
        .collect();
    let shape = Shape {
        columns,
        key_columns: model.key_columns,
        method: act
            .world
            .relation(parent)
            .and_then(|r| r.access_method.clone()),
        keys: model.keys.clone(),
        expressions: model.expressions.clone(),
        predicate: model.predicate.clone(),
        is_unique: model.is_unique,
        is_primary: model.is_primary,
        is_exclusion: model.is_exclusion,
    };
    let label = if model.is_primary {
        "pkey"
    } else if model.is_unique {
        "key"
    } else {
        "idx"
    };
    let table = act.world.relation(partition).map(|r| r.name.clone());
    let names: Vec<String> = shape
        .columns
        .iter()
        .filter_map(|n| {
            act.world
                .relation(partition)?
                .columns
                .iter()
                .find(|c| c.number == *n)
                .map(|c| c.name.clone())
        })
        .collect();
    let second = if model.is_primary {
        String::new()
    } else {
        names.join("_")
    };
    let name = table.map_or_else(
        || "idx".to_owned(),
        |t| unused_name(act, &t, &second, label),
    );
    let child = put(act, partition, &name, &shape);
    bond(act, parent, child, partition);
    let constraint = act
        .world
        .constraints
        .of(model.table)
        .find(|c| c.index == parent && c.kind != 'f')
        .cloned();
    if let Some(constraint) = constraint {
        let oid = act.world.new_oid();
        let parent_constraint = constraint.oid;
        alter_table::put_constraint(
            act,
            Constraint {
                oid,
                name,
                table: partition,
                index: child,
                parent: parent_constraint,
                inherited: 1,
                is_local: false,
                columns: shape.columns.clone(),
                ..constraint
            },
        );
        act.world.depend(
            (class::RELATION, child, 0),
            (class::CONSTRAINT, oid, 0),
            'i',
        );
        act.world.depend(
            (class::CONSTRAINT, oid, 0),
            (class::CONSTRAINT, parent_constraint, 0),
            'P',
        );
    }
    child
}

/// The number that a column of one table has in another, by name.
pub fn same_column(act: &Act, table: Oid, number: i16, other: Oid) -> i16 {
    act.world
        .relation(table)
        .and_then(|r| r.columns.iter().find(|c| c.number == number))
        .and_then(|c| act.world.column(other, &c.name))
        .map_or(number, |c| c.number)
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
    let mut shape = Shape {
        is_unique: kind != ConstrType::ConstrExclusion,
        is_primary,
        is_exclusion: kind == ConstrType::ConstrExclusion,
        ..Shape::default()
    };
    let keys = names::list(&constraint.keys);
    for name in &keys {
        shape
            .columns
            .push(alter_table::column_number(act, oid, name)?);
    }
    for exclusion in &constraint.exclusions {
        if let Some(NodeEnum::List(pair)) = &exclusion.node
            && let Some(NodeEnum::IndexElem(e)) = pair.items.first().and_then(|n| n.node.as_ref())
        {
            let number = if e.name.is_empty() {
                0
            } else {
                alter_table::column_number(act, oid, &e.name)?
            };
            shape.columns.push(number);
        }
    }
    shape.key_columns = i16::try_from(shape.columns.len()).unwrap_or(i16::MAX);
    for name in names::list(&constraint.including) {
        shape
            .columns
            .push(alter_table::column_number(act, oid, &name)?);
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
        if is_primary && !altering.recurse && act.version() >= 18 {
            for child in act.world.children(oid) {
                let reason = format!("a child of {}, which gets a primary key", act.shown(oid));
                act.lock(child, altering.mode, reason);
            }
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
        column_names(act, oid, &shape.columns)
    };
    let label = match kind {
        ConstrType::ConstrPrimary => "pkey",
        ConstrType::ConstrUnique => "key",
        _ => "excl",
    };
    let name = if constraint.conname.is_empty() {
        unused_name(act, &table, &second, label)
    } else {
        constraint.conname.clone()
    };
    let recurses = altering.recurse && act.kind(oid) == RelationKind::PartitionedTable;
    if act.world.find_name(&table.schema, &name).is_some() {
        return refuse(format!("relation {name} already exists"));
    }
    // The constraint first, so that parts on partitions get theirs.
    let index = put(act, oid, &name, &shape);
    put_key(
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
                .find(|&c| act.world.parents(c).is_empty() && alike(act, index, c));
            match found {
                Some(found) => {
                    act.lock(found, Share, "is alike and becomes a part of the new index");
                    bond(act, index, found, partition);
                }
                None => {
                    clone_tree(act, index, partition);
                    act.works_on_tree(partition, LockWork::Scan);
                    if constraint.deferrable {
                        for part in act.world.tree(partition) {
                            checked_later(act, part);
                        }
                    }
                }
            }
        }
    }
    if !new_table {
        if constraint.deferrable {
            checked_later(act, oid);
        }
        act.works(oid, LockWork::Scan);
    }
    Ok(())
}

/// A deferrable key is checked by a trigger of its own (`index_constraint_create`).
pub fn checked_later(act: &mut Act, table: Oid) {
    act.lock(
        table,
        LockMode::ShareRowExclusive,
        "gets the trigger of a deferrable key",
    );
}

fn column_names(act: &Act, oid: Oid, columns: &[i16]) -> String {
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
    alter_table::lock_partitions_that_must_know(act, altering, oid);
    let tables = if altering.recurse {
        alter_table::lock_tree(act, oid, altering.mode)
    } else {
        vec![oid]
    };
    for table in tables {
        for key in &lacking {
            super::column::require_not_null(act, altering, table, key);
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

/// Puts the constraint of an index into the world.
fn put_key(
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
    alter_table::put_constraint(
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
    put_key(
        act,
        oid,
        index,
        &name,
        kind,
        &columns,
        constraint.deferrable,
    );
    if constraint.deferrable {
        checked_later(act, oid);
    }
    Ok(())
}

/// `REINDEX`
pub fn reindex(act: &mut Act, statement: &ReindexStmt) -> Step {
    let concurrent = statement
        .params
        .iter()
        .any(|p| matches!(&p.node, Some(NodeEnum::DefElem(e)) if e.defname == "concurrently" && super::maintenance::is_on(e)));
    let kind = ReindexObjectType::try_from(statement.kind).unwrap_or(ReindexObjectType::Undefined);
    if concurrent {
        act.not_in_block("REINDEX CONCURRENTLY")?;
    }
    match (kind, &statement.relation) {
        (ReindexObjectType::ReindexObjectIndex, Some(range)) => {
            let index = act.resolve(range)?;
            reindex_index(act, index, concurrent)
        }
        (ReindexObjectType::ReindexObjectTable, Some(range)) => {
            let table = act.resolve(range)?;
            reindex_table(act, table, concurrent)
        }
        _ => {
            act.not_in_block("REINDEX of a whole schema or database")?;
            let schema =
                (kind == ReindexObjectType::ReindexObjectSchema).then(|| statement.name.clone());
            if kind == ReindexObjectType::ReindexObjectSystem {
                return Ok(());
            }
            let tables: Vec<Oid> = act
                .world
                .relations()
                .filter(|r| matches!(r.kind, RelationKind::Table | RelationKind::MaterializedView))
                .filter(|r| schema.as_ref().is_none_or(|s| &r.name.schema == s))
                .map(|r| r.oid)
                .collect();
            for table in tables {
                reindex_table(act, table, concurrent)?;
            }
            Ok(())
        }
    }
}

fn reindex_index(act: &mut Act, index: Oid, concurrent: bool) -> Step {
    let Some(table) = act.world.indexes.get(index).map(|i| i.table) else {
        return refuse(format!("{} is not an index", act.shown(index)));
    };
    let reason = format!("the table of index {}", act.shown(index));
    if act.kind(index) == RelationKind::PartitionedIndex {
        act.not_in_block("REINDEX INDEX of a partitioned index")?;
        let parts: Vec<Oid> = act
            .world
            .tree(index)
            .into_iter()
            .filter(|&i| act.kind(i) == RelationKind::Index)
            .collect();
        act.touch(
            table,
            if concurrent {
                ShareUpdateExclusive
            } else {
                Share
            },
            reason,
        );
        act.touch(
            index,
            if concurrent {
                ShareUpdateExclusive
            } else {
                AccessExclusive
            },
            "its parts are built again",
        );
        for part in parts {
            reindex_index(act, part, concurrent)?;
        }
        return Ok(());
    }
    if concurrent && !is_temporary(act, table) {
        act.lock(table, ShareUpdateExclusive, reason);
        act.lock(index, ShareUpdateExclusive, "is built again concurrently");
        act.works(table, LockWork::Scan);
        return phases_of_reindex(act, table);
    }
    act.lock(table, Share, reason);
    act.lock(index, AccessExclusive, "is built again");
    act.works(table, LockWork::Scan);
    Ok(())
}

fn is_temporary(act: &Act, oid: Oid) -> bool {
    act.world
        .relation(oid)
        .is_some_and(|r| r.persistence == 't')
}

fn reindex_table(act: &mut Act, table: Oid, concurrent: bool) -> Step {
    if act.kind(table) == RelationKind::PartitionedTable {
        act.not_in_block("REINDEX TABLE of a partitioned table")?;
        act.touch(
            table,
            if concurrent {
                ShareUpdateExclusive
            } else {
                Share
            },
            "its partitions are indexed again",
        );
        let leaves: Vec<Oid> = act
            .world
            .tree(table)
            .into_iter()
            .filter(|&t| act.kind(t) == RelationKind::Table)
            .collect();
        for leaf in leaves {
            reindex_table(act, leaf, concurrent)?;
        }
        return Ok(());
    }
    let toast = act.world.relation(table).map_or(0, |r| r.toast);
    if concurrent && !is_temporary(act, table) {
        for relation in [table, toast] {
            act.lock(
                relation,
                ShareUpdateExclusive,
                "its indexes are built again concurrently",
            );
            let indexes: Vec<Oid> = act.world.indexes.of(relation).map(|i| i.oid).collect();
            for index in indexes {
                act.lock(index, ShareUpdateExclusive, "is built again concurrently");
            }
        }
        act.works(table, LockWork::Scan);
        return phases_of_reindex(act, table);
    }
    for relation in [table, toast] {
        act.lock(relation, Share, "its indexes are built again");
        let indexes: Vec<Oid> = act.world.indexes.of(relation).map(|i| i.oid).collect();
        for index in indexes {
            act.lock(index, AccessExclusive, "is built again");
        }
    }
    act.works(table, LockWork::Scan);
    Ok(())
}

/// `ReindexRelationConcurrently`: writers twice, old snapshots, then everybody on the table twice.
fn phases_of_reindex(act: &mut Act, table: Oid) -> Step {
    phases_of_build(act, table)?;
    let name = act.relation(table)?.name.clone();
    let oid = act.world.created_in(table).is_none().then_some(table);
    for _ in 0..2 {
        act.phases.push(WaitPhase::Lockers {
            oid,
            name: name.clone(),
            mode: AccessExclusive,
        });
    }
    Ok(())
}
