//! What rows set in motion: indexes of the target, foreign keys, triggers, rules, defaults.

use crate::migration::footprint::act::Act;
use crate::migration::footprint::code;
use crate::migration::footprint::query::plan;
use crate::migration::footprint::routine;
use crate::migration::footprint::stored;
use crate::model::{Constraint, LockMode, Oid, RelationKind, RowWait, class};

use LockMode::{RowExclusive, RowShare};

/// What is done to a relation that a query names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Read,
    Insert,
    Update,
    Delete,
}

/// An insertion: which columns it gives values for.
#[derive(Debug, Clone)]
pub struct Insert {
    pub table: Oid,
    /// `None`: all, in order, as many as the first row has.
    pub columns: Option<Vec<String>>,
    /// Gives a row at least: VALUES, where a query may find none.
    pub has_rows: bool,
}

/// Bits of `pg_trigger.tgtype`.
const ON_INSERT: i16 = 4;

const ON_DELETE: i16 = 8;

const ON_UPDATE: i16 = 16;

/// TRUNCATE.
pub const ON_TRUNCATE: i16 = 32;

/// What rows set in motion: indexes of the target, foreign keys, triggers, rules.
pub fn executed(act: &mut Act, oid: Oid, deed: Deed, set: &[String]) {
    let event = match deed {
        Deed::Read => return,
        Deed::Insert => ON_INSERT,
        Deed::Update => ON_UPDATE,
        Deed::Delete => ON_DELETE,
    };
    if deed != Deed::Delete {
        let open: Vec<Oid> = act.world.indexes.of(oid).map(|i| i.oid).collect();
        for index in open {
            act.touch(index, RowExclusive, "gets the new rows' entries");
        }
    }
    if act.world.rules.of(oid).any(|r| r.event != '1') {
        act.opaque(format!("rules of {} rewrite the statement", act.shown(oid)));
    }
    triggers(act, oid, event);
    if act.kind(oid) == RelationKind::View {
        return through_view(act, oid, event, deed, set);
    }
    if deed != Deed::Delete {
        stored::checks(act, oid);
        stored::indexes(act, oid);
    }
    // ExecPartitionCheck
    if deed != Deed::Delete
        && act.kind(oid) != RelationKind::PartitionedTable
        && let Some(parent) = act.world.partition_parent(oid)
    {
        plan::partition_bounds(act, parent);
    }
    if deed == Deed::Insert {
        meets_written_rows(act, oid);
        if act.kind(oid) == RelationKind::PartitionedTable {
            possible_partitions(act, oid);
        }
    }
    if !act.world.session.replica {
        references(act, oid, deed, set);
    }
}

/// `TRIGGER_TYPE_INSTEAD`
const INSTEAD: i16 = 64;

/// A view without INSTEAD OF triggers: its one base relation is written to (`rewriteTargetView`).
fn through_view(act: &mut Act, view: Oid, event: i16, deed: Deed, set: &[String]) {
    let replaces = |t: &crate::model::Trigger| t.events & INSTEAD != 0 && t.events & event != 0;
    if act.world.triggers.of(view).any(replaces) {
        return;
    }
    let Some(base) = base_of(act, view) else {
        return;
    };
    match same_names(act, base, set) {
        Some(set) => executed(act, base, deed, &set),
        // The view gives its columns names of its own: which are set is not known.
        None => {
            let outer = std::mem::replace(&mut act.possible, true);
            let all = all_columns(act, base);
            executed(act, base, deed, &all);
            act.possible = outer;
        }
    }
}

/// The one relation that an updatable view reads.
fn base_of(act: &Act, view: Oid) -> Option<Oid> {
    let range = plan::view_range(act, view);
    let mut others = range.iter().filter(|e| e.relation != view);
    match (others.next(), others.next()) {
        (Some(only), None) => Some(only.relation),
        _ => None,
    }
}

fn all_columns(act: &Act, oid: Oid) -> Vec<String> {
    let relation = act.world.relation(oid);
    relation.map_or_else(Vec::new, |r| {
        r.columns.iter().map(|c| c.name.clone()).collect()
    })
}

/// The columns, where the relation has all of those names.
fn same_names(act: &Act, oid: Oid, names: &[String]) -> Option<Vec<String>> {
    let has = |name: &String| act.world.column(oid, name).is_some();
    names.iter().all(has).then(|| names.to_vec())
}

/// The user's triggers that an event fires (`TriggerEnabled`, trigger.c).
pub fn triggers(act: &mut Act, oid: Oid, event: i16) {
    let replica = act.world.session.replica;
    let fires = |t: &crate::model::Trigger| match t.enabled {
        'A' => true,
        'D' => false,
        'R' => replica,
        _ => !replica,
    };
    let fired: Vec<(String, Oid)> = act
        .world
        .triggers
        .of(oid)
        .filter(|t| !t.is_internal && t.events & event != 0 && fires(t))
        .map(|t| (t.name.clone(), t.function))
        .collect();
    for (name, function) in fired {
        let why = format!("trigger {name} of {} runs code of its own", act.shown(oid));
        code::of_trigger(act, function, why);
    }
}

/// The rows that are changed or locked may be those of others, in every table that is scanned.
pub fn meets_locked_rows(act: &mut Act, oid: Oid, with_children: bool, depth: u8) {
    if act.kind(oid) == RelationKind::View && depth < 30 {
        for entry in plan::view_range(act, oid) {
            if entry.relation != oid {
                meets_locked_rows(act, entry.relation, entry.with_children, depth + 1);
            }
        }
        return;
    }
    let tables = if with_children {
        act.world.tree(oid)
    } else {
        vec![oid]
    };
    for table in tables {
        act.meets_rows(table, RowWait::Locked);
    }
}

/// A unique index must know whether the rows that others have written stay.
fn meets_written_rows(act: &mut Act, oid: Oid) {
    let has_to_know = |table: Oid| {
        let mut indexes = act.world.indexes.of(table);
        indexes.any(|index| index.is_unique || index.is_exclusion)
    };
    let mut tables: Vec<Oid> = match act.kind(oid) {
        RelationKind::View => plan::view_range(act, oid)
            .iter()
            .map(|e| e.relation)
            .collect(),
        _ => act.world.tree(oid),
    };
    tables.retain(|table| has_to_know(*table));
    for table in tables {
        act.meets_rows(table, RowWait::Written);
    }
}

/// New rows of a partitioned table go to some of its partitions (`ExecFindPartition`); to which, only their
/// values tell.
fn possible_partitions(act: &mut Act, oid: Oid) {
    let below: Vec<Oid> = act.world.tree(oid).into_iter().skip(1).collect();
    let outer = std::mem::replace(&mut act.possible, true);
    for partition in below {
        act.touch(
            partition,
            RowExclusive,
            "a partition that the rows may belong to",
        );
        if act.kind(partition) != RelationKind::PartitionedTable {
            executed(act, partition, Deed::Insert, &[]);
        }
    }
    act.possible = outer;
}

/// A row goes to one of the partitions, and from there to one of that one's, down to a leaf.
pub fn goes_to_a_partition(act: &mut Act, oid: Oid) {
    for partition in act.world.tree(oid).into_iter().skip(1) {
        if let Some(parent) = act.world.partition_parent(partition) {
            act.routes(partition, parent);
        }
    }
}

/// Foreign keys (ri_triggers.c): a new row looks up what it references; a row that goes is looked for
/// in what references it.
fn references(act: &mut Act, oid: Oid, deed: Deed, set: &[String]) {
    let numbers: Vec<i16> = set
        .iter()
        .filter_map(|name| act.world.column(oid, name).map(|c| c.number))
        .collect();
    let touches = |columns: &[i16]| columns.iter().any(|c| numbers.contains(c));
    // A copy for a partition of the referenced table has no trigger here (addFkRecurseReferenced).
    let is_a_copy = |key: &Constraint| {
        let original = act.world.constraints.get(key.parent);
        original.is_some_and(|original| original.table == oid)
    };
    let own: Vec<Constraint> = act
        .world
        .foreign_keys(oid)
        .filter(|k| !is_a_copy(k))
        .filter(|k| deed == Deed::Insert || deed == Deed::Update && touches(&k.columns))
        .cloned()
        .collect();
    for key in own {
        let reason = format!("is looked up for foreign key {}", key.name);
        let with_children = act.kind(key.referenced) == RelationKind::PartitionedTable;
        plan::scan(act, key.referenced, RowShare, with_children, &reason);
        meets_locked_rows(act, key.referenced, with_children, 0);
    }
    let pointing: Vec<Constraint> = act
        .world
        .referencing(oid)
        .filter(|k| deed == Deed::Delete || deed == Deed::Update && touches(&k.referenced_columns))
        .cloned()
        .collect();
    for key in pointing {
        referencing_rows(act, oid, deed, &key);
    }
}

/// Rows that reference one that goes or changes its key.
fn referencing_rows(act: &mut Act, oid: Oid, deed: Deed, key: &Constraint) {
    let reason = format!(
        "may hold rows that reference {} by {}",
        act.shown(oid),
        key.name
    );
    let action = if deed == Deed::Delete {
        key.on_delete
    } else {
        key.on_update
    };
    let with_children = act.kind(key.table) == RelationKind::PartitionedTable;
    meets_locked_rows(act, key.table, with_children, 0);
    if !matches!(action, 'c' | 'n' | 'd') {
        // ri_restrict: with NO ACTION the key may have come back meanwhile.
        if action == 'a' {
            plan::scan(
                act,
                oid,
                RowShare,
                false,
                "is looked up again for rows that reference it",
            );
        }
        plan::scan(act, key.table, RowShare, with_children, &reason);
        return;
    }
    let already = act.holds(key.table, RowExclusive);
    plan::scan(act, key.table, RowExclusive, with_children, &reason);
    if !already {
        let columns: Vec<String> = key
            .columns
            .iter()
            .filter_map(|n| {
                act.world
                    .relation(key.table)?
                    .columns
                    .iter()
                    .find(|c| c.number == *n)
            })
            .map(|c| c.name.clone())
            .collect();
        let follows = if deed == Deed::Delete && action == 'c' {
            Deed::Delete
        } else {
            Deed::Update
        };
        executed(act, key.table, follows, &columns);
    }
}

/// Columns without a value take their defaults: a sequence gives the next number.
pub fn defaults(act: &mut Act, insert: &Insert) {
    if act.kind(insert.table) == RelationKind::View
        && let Some(base) = base_of(act, insert.table)
    {
        let given = insert
            .columns
            .clone()
            .unwrap_or_else(|| all_columns(act, insert.table));
        let known = same_names(act, base, &given);
        let outer = act.possible;
        act.possible |= known.is_none();
        let inner = Insert {
            table: base,
            columns: Some(known.unwrap_or_default()),
            has_rows: insert.has_rows,
        };
        defaults(act, &inner);
        act.possible = outer;
    }
    let Some(relation) = act.world.relation(insert.table) else {
        return;
    };
    let shown = act.shown(insert.table);
    let open: Vec<(i16, bool)> = relation
        .columns
        .iter()
        .filter(|c| {
            insert
                .columns
                .as_ref()
                .is_none_or(|given| !given.contains(&c.name))
        })
        .map(|c| (c.number, !c.identity.is_empty()))
        .collect();
    let mut sequences = Vec::new();
    let mut routines = Vec::new();
    for (number, has_identity) in open {
        if has_identity {
            sequences.extend(
                act.world
                    .below((class::RELATION, insert.table, i32::from(number)))
                    .filter(|d| d.class == class::RELATION && d.kind == 'i')
                    .map(|d| d.oid),
            );
        }
        for default in act
            .world
            .defaults
            .of(insert.table)
            .filter(|d| d.column == number)
        {
            for d in act.world.above((class::DEFAULT, default.oid, 0)) {
                if d.on_class == class::RELATION
                    && act.world.kind(d.on_oid) == Some(RelationKind::Sequence)
                {
                    sequences.push(d.on_oid);
                } else if d.on_class == class::PROC {
                    routines.push(d.on_oid);
                }
            }
        }
    }
    for sequence in sequences {
        act.lock(
            sequence,
            RowExclusive,
            format!("gives {shown} its next number"),
        );
    }
    for routine in routines {
        let why = act
            .world
            .routines
            .get(&routine)
            .and_then(|r| routine::why_opaque(act.world, r));
        if let Some(why) = why {
            act.opaque(why);
        }
    }
}
