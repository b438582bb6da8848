//! Partitions: attached, detached, created.

use super::act::{Act, Step, refuse};
use super::altering::Altering;
use super::bounds;
use super::index::part;
use super::query::plan;
use crate::model::{
    Constraint, Inheritance, LockMode, LockWork, Oid, RelationKind, WaitPhase, class,
};
use pg_query::protobuf::{PartitionBoundSpec, PartitionCmd};

use LockMode::{AccessExclusive, AccessShare, Share, ShareRowExclusive, ShareUpdateExclusive};

/// `ATTACH PARTITION` (`ATExecAttachPartition`), of a table or of an index.
pub fn attach(act: &mut Act, altering: &mut Altering, parent: Oid, cmd: &PartitionCmd) -> Step {
    if act.kind(parent).is_index() {
        return attach_index(act, altering, parent, cmd);
    }
    let Some(range) = &cmd.name else {
        return Ok(());
    };
    if let Some(default) = act.world.default_partition(parent) {
        act.lock(
            default,
            AccessExclusive,
            "the default partition: its rows may belong to the new one",
        );
    }
    let child = act.resolve(range)?;
    act.lock(child, AccessExclusive, "becomes a partition");
    if act.relation(child)?.is_partition {
        return refuse(format!("{} is a partition already", act.shown(child)));
    }
    let tree = act.world.tree(child);
    for below in &tree[1..] {
        act.lock(
            *below,
            AccessExclusive,
            format!("is below {}, which becomes a partition", act.shown(child)),
        );
    }
    if tree.contains(&parent) {
        return refuse("circular inheritance not allowed");
    }
    if let Some(default) = act.world.default_partition(parent) {
        for below in act.world.tree(default).into_iter().skip(1) {
            act.lock(
                below,
                AccessExclusive,
                "a partition of the default partition, which is read",
            );
        }
        act.works_on_tree(default, LockWork::Scan);
    }
    for ancestor in act.world.ancestors(parent) {
        act.lock(
            ancestor,
            AccessShare,
            "its partition constraint applies too",
        );
    }
    join(
        act,
        parent,
        child,
        cmd.bound.as_ref().is_some_and(|b| b.is_default),
    );
    if let Some(bound) = &cmd.bound {
        bounds::take(act, parent, child, bound)?;
    }
    match_indexes(act, parent, child)?;
    // CloneRowTriggersToPartition
    let row_triggers: Vec<Oid> = act
        .world
        .triggers
        .of(parent)
        .filter(|t| t.events & 1 != 0 && !t.is_internal)
        .map(|t| t.referenced)
        .collect();
    for referenced in row_triggers {
        for below in act.world.tree(child) {
            act.lock(below, ShareRowExclusive, "gets its parent's row triggers");
        }
        // A constraint trigger's FROM.
        if referenced != 0 {
            act.lock(referenced, AccessShare, "a constraint trigger names it");
        }
    }
    clone_foreign_keys(act, altering, parent, child, true)?;
    act.works_on_tree(child, LockWork::Scan);
    if may_prove_bounds(act, parent, child) {
        act.may_be_spared(child);
    }
    Ok(())
}

/// Whether the new partition has a CHECK on a column of the partition key: it may prove that every row fits
/// (`PartConstraintImpliedByRelConstraint`), and then no row is read.
fn may_prove_bounds(act: &Act, parent: Oid, child: Oid) -> bool {
    let key = act
        .world
        .relation(parent)
        .and_then(|r| r.partition_key.as_ref());
    let Some(&[first, ..]) = key.map(|key| key.columns.as_slice()) else {
        return false;
    };
    let number = super::index::part::same_column(act, parent, first, child);
    let mut checks = act
        .world
        .constraints
        .of(child)
        .filter(|c| c.kind == 'c' && c.is_validated);
    checks.any(|check| check.columns.contains(&number))
}

/// Enters the bond into the world.
fn join(act: &mut Act, parent: Oid, child: Oid, is_default: bool) {
    act.world.put_inheritance(Inheritance {
        child,
        parent,
        detach_pending: false,
    });
    act.world.depend(
        (class::RELATION, child, 0),
        (class::RELATION, parent, 0),
        'a',
    );
    if let Some(r) = act.world.relation_mut(child) {
        r.is_partition = true;
        r.is_default_partition = is_default;
        for c in &mut r.columns {
            c.inherited += 1;
        }
    }
}

/// `AttachPartitionEnsureIndexes`: every index of the parent finds one on the partition, or makes one.
fn match_indexes(act: &mut Act, parent: Oid, child: Oid) -> Step {
    if act.kind(child) == RelationKind::ForeignTable {
        return without_indexes(act, parent);
    }
    let on_child: Vec<Oid> = act.world.indexes.of(child).map(|i| i.oid).collect();
    let on_parent: Vec<Oid> = act.world.indexes.of(parent).map(|i| i.oid).collect();
    for &index in &on_child {
        act.touch(
            index,
            AccessExclusive,
            "may be attached to the parent's index",
        );
    }
    for index in on_parent {
        act.touch(
            index,
            AccessShare,
            format!(
                "an index of {}: the partition needs a matching one",
                act.shown(parent)
            ),
        );
        let alike = on_child.iter().copied().find(|&c| {
            act.world.parents(c).is_empty()
                && act.world.indexes.get(c).is_some_and(|i| i.is_valid)
                && part::alike(act, index, c)
        });
        match alike {
            Some(found) => {
                act.lock(index, ShareUpdateExclusive, "gets a partition's index");
                part::bond(act, index, found, child);
            }
            None => {
                for below in act.world.tree(child) {
                    act.lock(below, Share, "gets an index like its parent's");
                }
                act.lock(index, ShareUpdateExclusive, "gets a partition's index");
                part::clone_tree(act, index, child);
                act.works_on_tree(child, LockWork::Scan);
            }
        }
    }
    Ok(())
}

/// A foreign table has no indexes: it gets none, and its parent can have no unique one.
fn without_indexes(act: &mut Act, parent: Oid) -> Step {
    let indexes: Vec<(Oid, bool)> = act
        .world
        .indexes
        .of(parent)
        .map(|i| (i.oid, i.is_unique))
        .collect();
    for (index, is_unique) in indexes {
        act.touch(index, AccessShare, "a foreign table gets no matching index");
        if is_unique {
            return refuse(format!(
                "a foreign table cannot be a partition of {}, which has a unique index",
                act.shown(parent)
            ));
        }
    }
    Ok(())
}

/// `CloneForeignKeyConstraints`: the parent's own, and those that point at it.
fn clone_foreign_keys(
    act: &mut Act,
    altering: &mut Altering,
    parent: Oid,
    child: Oid,
    attaching: bool,
) -> Step {
    let is_top = |act: &Act, key: &Constraint, same: fn(&Constraint) -> Oid| {
        // A clone made for a partition of the other side has a parent on the same table.
        act.world
            .constraints
            .get(key.parent)
            .is_none_or(|p| same(p) != same(key))
    };
    let own: Vec<Constraint> = act
        .world
        .foreign_keys(parent)
        .filter(|k| is_top(act, k, |c| c.table))
        .cloned()
        .collect();
    for key in own {
        // CloneFkReferencing
        let reason = format!("is referenced by {} of {}", key.name, act.shown(parent));
        for referenced in act.world.tree(key.referenced) {
            act.lock(referenced, ShareRowExclusive, reason.clone());
        }
        if !attaching || !super::foreign_key::merge(act, altering, &key, child)? {
            super::foreign_key::clone_referencing(act, altering, &key, child, attaching)?;
        }
    }
    let pointing: Vec<Constraint> = act
        .world
        .referencing(parent)
        .filter(|k| is_top(act, k, |c| c.referenced))
        .cloned()
        .collect();
    for key in pointing {
        if act.version() >= 15 {
            let reason = format!("references {} by {}", act.shown(parent), key.name);
            act.lock(key.table, ShareRowExclusive, reason);
        }
        super::foreign_key::clone_referenced(act, &key, child);
    }
    Ok(())
}

/// `ALTER INDEX … ATTACH PARTITION` (`ATExecAttachPartitionIdx`).
fn attach_index(act: &mut Act, altering: &Altering, parent: Oid, cmd: &PartitionCmd) -> Step {
    let Some(range) = &cmd.name else {
        return Ok(());
    };
    let child = act.resolve(range)?;
    let Some(table) = act.world.indexes.get(child).map(|i| i.table) else {
        return refuse(format!("{} is not an index", act.shown(child)));
    };
    // RangeVarCallbackForAttachIndex: the partition first.
    act.lock(
        table,
        AccessShare,
        format!("the table of index {}", act.shown(child)),
    );
    act.lock(child, AccessExclusive, "is attached to the parent's index");
    let of = act.world.indexes.get(parent).map(|i| i.table);
    if let Some(of) = of {
        act.lock(
            of,
            AccessShare,
            format!("the table of index {}", act.shown(parent)),
        );
    }
    act.lock(parent, altering.mode, "gets a partition's index");
    if !of.is_some_and(|of| act.world.parents(table).contains(&of)) {
        return refuse(format!(
            "cannot attach index {} as a partition of index {}: it is not an index of a partition of its table",
            act.shown(child),
            act.shown(parent)
        ));
    }
    let is_new = !act.world.parents(child).contains(&parent);
    if is_new {
        part::bond(act, parent, child, table);
    }
    // One that was attached before may have become valid since.
    let is_valid = |index: Oid| act.world.indexes.get(index).is_some_and(|i| i.is_valid);
    if is_new || !is_valid(parent) {
        validate_index(act, parent);
    }
    Ok(())
}

/// `validatePartitionedIndex`: with a valid part on every partition an index is valid itself; then the one
/// above it may be so too.
fn validate_index(act: &mut Act, mut index: Oid) {
    while let Some(table) = act.world.indexes.get(index).map(|i| i.table) {
        let parts = act.world.children(index);
        let valid = |&part: &Oid| act.world.indexes.get(part).is_some_and(|i| i.is_valid);
        if parts.iter().filter(|p| valid(p)).count() != act.world.children(table).len() {
            return;
        }
        if let Some(i) = act.world.indexes.get_mut(index) {
            i.is_valid = true;
        }
        let Some(&above) = act.world.parents(index).first() else {
            return;
        };
        let reason = "a partition of the index becomes valid: it may become valid too";
        let of = act.world.indexes.get(above).map_or(0, |i| i.table);
        for relation in [above, of] {
            // Kept in 15.20; let go at once in 14.23, 16.14, 17.10 and 18.6.
            if act.version() == 15 {
                act.lock(relation, AccessExclusive, reason);
            } else {
                act.touch(relation, AccessExclusive, reason);
            }
        }
        index = above;
    }
}

/// `DETACH PARTITION` (`ATExecDetachPartition`).
pub fn detach(act: &mut Act, parent: Oid, cmd: &PartitionCmd) -> Step {
    let Some(range) = &cmd.name else {
        return Ok(());
    };
    if let Some(default) = act.world.default_partition(parent) {
        if cmd.concurrent {
            return refuse("cannot detach partitions concurrently when a default partition exists");
        }
        act.lock(
            default,
            AccessExclusive,
            "the default partition: its bounds change",
        );
    }
    let child = act.resolve(range)?;
    let mode = if cmd.concurrent {
        ShareUpdateExclusive
    } else {
        AccessExclusive
    };
    act.lock(child, mode, "is detached");
    if !act.world.parents(child).contains(&parent) {
        return refuse(format!(
            "{} is not a partition of {}",
            act.shown(child),
            act.shown(parent)
        ));
    }
    // DetachPartitionFinalize; in the older majors since a late minor (seen in 14.23, 15.20, 16.14, 17.10).
    if !cmd.concurrent {
        for below in act.world.tree(child).into_iter().skip(1) {
            act.lock(
                below,
                mode,
                format!("a partition of {}, which is detached", act.shown(child)),
            );
        }
    }
    // ATDetachCheckNoForeignKeyRefs
    let pointing: Vec<Constraint> = act.world.referencing(child).cloned().collect();
    for key in &pointing {
        act.lock(
            key.table,
            Share,
            format!("references {} by {}", act.shown(parent), key.name),
        );
        for table in act.world.tree(key.table) {
            act.joins(table);
        }
        let reason = "is read for rows that reference the partition";
        plan::scan(act, key.table, AccessShare, true, reason);
        plan::scan(act, child, AccessShare, true, reason);
        act.lock(parent, AccessShare, "has the partition's bounds");
    }
    if cmd.concurrent {
        // MarkInheritDetached: one at a time.
        if let Some(pending) = act.world.pending_detach(parent) {
            let shown = act.shown(pending);
            return refuse(format!("partition {shown} is already pending detach"));
        }
        return detach_concurrently(act, parent, child);
    }
    part(act, parent, child)
}

/// The first half ends by waiting for everybody on the parent; the second asks for ACCESS EXCLUSIVE on
/// the partition, in the queue like anybody.
fn detach_concurrently(act: &mut Act, parent: Oid, child: Oid) -> Step {
    let name = act.relation(parent)?.name.clone();
    act.phases.push(WaitPhase::Lockers {
        oid: act.world.created_in(parent).is_none().then_some(parent),
        name,
        mode: AccessExclusive,
    });
    for table in act.world.tree(child) {
        let name = act.relation(table)?.name.clone();
        act.phases.push(WaitPhase::ThenLock {
            oid: act.world.created_in(table).is_none().then_some(table),
            name,
            mode: AccessExclusive,
        });
    }
    part(act, parent, child)
}

/// `DETACH … FINALIZE`
pub fn finalize(act: &mut Act, parent: Oid, cmd: &PartitionCmd) -> Step {
    let Some(range) = &cmd.name else {
        return Ok(());
    };
    let child = act.resolve(range)?;
    act.lock(child, AccessExclusive, "is detached for good");
    act.phases.push(WaitPhase::Snapshots);
    part(act, parent, child)
}

/// `DetachPartitionFinalize`: triggers and keys that came with the parent go.
fn part(act: &mut Act, parent: Oid, child: Oid) -> Step {
    act.world.remove_inheritance(child, parent);
    act.world
        .undepend((class::RELATION, child), (class::RELATION, parent));
    let own: Vec<Constraint> = act
        .world
        .foreign_keys(child)
        .filter(|k| {
            let parent = act.world.constraints.get(k.parent);
            k.parent != 0 && parent.is_none_or(|p| p.table != child)
        })
        .cloned()
        .collect();
    for key in own {
        // With the minors of late 2024 the action triggers are made again on the referenced side; 14.23 does so
        // only where that is a plain table.
        let acts =
            act.version() >= 15 || act.kind(key.referenced) != RelationKind::PartitionedTable;
        if acts {
            act.lock(
                key.referenced,
                ShareRowExclusive,
                format!("is referenced by {} of the partition", key.name),
            );
            act.lock(
                child,
                AccessShare,
                format!("keeps foreign key {} for itself", key.name),
            );
        }
        if let Some(c) = act.world.constraints.get_mut(key.oid) {
            c.parent = 0;
            c.inherited = 0;
            c.is_local = true;
        }
        act.world.undepend(
            (class::CONSTRAINT, key.oid),
            (class::CONSTRAINT, key.parent),
        );
        if acts {
            super::foreign_key::referenced_partitions(act, &key);
        }
    }
    // Foreign keys that point at the partition because they point at its parent.
    let pointing: Vec<Constraint> = act
        .world
        .referencing(child)
        .filter(|k| k.parent != 0)
        .cloned()
        .collect();
    for key in pointing {
        act.world.undepend(
            (class::CONSTRAINT, key.oid),
            (class::CONSTRAINT, key.parent),
        );
        super::drop::delete(
            act,
            &[(class::CONSTRAINT, key.oid, 0)],
            false,
            "loses a foreign key",
        )?;
    }
    // Indexes lose their parent.
    let indexes: Vec<Oid> = act.world.indexes.of(child).map(|i| i.oid).collect();
    for index in indexes {
        for above in act.world.parents(index) {
            act.lock(
                index,
                AccessExclusive,
                "is detached from its parent's index",
            );
            act.world.remove_inheritance(index, above);
            act.world
                .undepend((class::RELATION, index), (class::RELATION, above));
        }
        act.world
            .undepend((class::RELATION, index), (class::RELATION, child));
        act.world.depend(
            (class::RELATION, index, 0),
            (class::RELATION, child, 0),
            'a',
        );
    }
    if let Some(r) = act.world.relation_mut(child) {
        r.is_partition = false;
        r.is_default_partition = false;
        for c in &mut r.columns {
            c.inherited = (c.inherited - 1).max(0);
            c.is_local = true;
        }
    }
    Ok(())
}

/// `CREATE TABLE … PARTITION OF parent`: what the parent's side sees (`DefineRelation`).
pub fn create_of(
    act: &mut Act,
    altering: &mut Altering,
    parent: Oid,
    child: Oid,
    bound: &PartitionBoundSpec,
) -> Step {
    if act.kind(parent) != RelationKind::PartitionedTable {
        return refuse(format!("{} is not partitioned", act.shown(parent)));
    }
    if let Some(default) = act.world.default_partition(parent) {
        act.lock(
            default,
            AccessExclusive,
            "the default partition: its rows may belong to the new one",
        );
        for below in act.world.tree(default).into_iter().skip(1) {
            act.lock(
                below,
                AccessExclusive,
                "a partition of the default partition, which is read",
            );
        }
        act.works_on_tree(default, LockWork::Scan);
    }
    join(act, parent, child, bound.is_default);
    bounds::take(act, parent, child, bound)?;
    if act.kind(child) == RelationKind::ForeignTable {
        without_indexes(act, parent)?;
    } else {
        let indexes: Vec<Oid> = act.world.indexes.of(parent).map(|i| i.oid).collect();
        for index in indexes {
            act.touch(index, AccessShare, "the partition gets a matching index");
            act.lock(index, ShareUpdateExclusive, "gets a partition's index");
            part::clone_on(act, index, child);
        }
    }
    clone_foreign_keys(act, altering, parent, child, false)
}
