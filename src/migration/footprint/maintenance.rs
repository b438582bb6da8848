//! `TRUNCATE`, `LOCK TABLE`, `VACUUM`, `ANALYZE`, `CLUSTER`.

use super::act::{Act, Step, refuse};
use super::query::{deed, execute, plan};
use super::stored;
use super::{names, storage};
use crate::model::{LockMode, LockWork, Oid, RelationKind};
use pg_query::NodeEnum;
use pg_query::protobuf::{
    ClusterStmt, DropBehavior, LockStmt, Node, RangeVar, TruncateStmt, VacuumStmt,
};

use LockMode::{AccessExclusive, AccessShare, RowExclusive, ShareUpdateExclusive};

fn ranges(nodes: &[Node]) -> impl Iterator<Item = &RangeVar> {
    nodes.iter().filter_map(|n| match &n.node {
        Some(NodeEnum::RangeVar(r)) => Some(r),
        _ => None,
    })
}

/// `TRUNCATE` (`ExecuteTruncate`): with CASCADE also what references it, and so on.
pub fn truncate(act: &mut Act, statement: &TruncateStmt) -> Step {
    let mut tables: Vec<Oid> = Vec::new();
    for range in ranges(&statement.relations) {
        let oid = act.resolve(range)?;
        let kind = act.kind(oid);
        if !matches!(
            kind,
            RelationKind::Table | RelationKind::PartitionedTable | RelationKind::ForeignTable
        ) {
            return refuse(format!("{} is not a table", act.shown(oid)));
        }
        act.lock(oid, AccessExclusive, "is emptied");
        let tree = if range.inh {
            act.world.tree(oid)
        } else {
            vec![oid]
        };
        for table in tree {
            act.lock(
                table,
                AccessExclusive,
                format!("a child of {}, which is emptied", act.shown(oid)),
            );
            if !tables.contains(&table) {
                tables.push(table);
            }
        }
    }
    let cascade = statement.behavior == DropBehavior::DropCascade as i32;
    let mut next = 0;
    while next < tables.len() {
        let table = tables[next];
        next += 1;
        for (other, key) in referencing(act, table) {
            if tables.contains(&other) {
                continue;
            }
            if !cascade {
                return refuse(format!(
                    "{} references {} by {key}",
                    act.shown(other),
                    act.shown(table)
                ));
            }
            act.lock(
                other,
                AccessExclusive,
                format!(
                    "references {} by {key}, and is emptied too",
                    act.shown(table)
                ),
            );
            tables.push(other);
        }
    }
    if statement.restart_seqs {
        for &table in &tables {
            for sequence in storage::owned_sequences(act, table) {
                for mode in [AccessExclusive, RowExclusive] {
                    act.lock(
                        sequence,
                        mode,
                        format!("is owned by {} and is restarted", act.shown(table)),
                    );
                }
            }
        }
    }
    for &table in &tables {
        execute::triggers(act, table, deed::ON_TRUNCATE);
    }
    for table in tables {
        if act.kind(table) == RelationKind::Table {
            empty(act, table);
        }
    }
    Ok(())
}

/// The tables with a foreign key to a table, or to the partitioned table that a key to this partition
/// belongs to (`heap_truncate_find_FKs`, heap.c).
fn referencing(act: &Act, table: Oid) -> Vec<(Oid, String)> {
    let mut referenced = vec![table];
    for mut key in act.world.referencing(table) {
        while let Some(parent) = act.world.constraints.get(key.parent) {
            key = parent;
        }
        if !referenced.contains(&key.referenced) {
            referenced.push(key.referenced);
        }
    }
    referenced
        .iter()
        .flat_map(|r| act.world.referencing(*r))
        .map(|c| (c.table, c.name.clone()))
        .collect()
}

/// New files for a table: its indexes are built on nothing (`reindex_relation`).
fn empty(act: &mut Act, table: Oid) {
    act.lock(table, LockMode::Share, "its indexes start empty");
    let shown = act.shown(table);
    let toast = act.world.relation(table).map_or(0, |r| r.toast);
    for mode in [LockMode::Share, AccessExclusive] {
        act.lock(toast, mode, format!("the TOAST table of {shown}"));
    }
    let mut indexes: Vec<Oid> = act.world.indexes.of(table).map(|i| i.oid).collect();
    indexes.extend(act.world.indexes.of(toast).map(|i| i.oid));
    for index in indexes {
        act.lock(index, AccessExclusive, format!("starts empty with {shown}"));
    }
}

/// `LOCK TABLE`: children too, and what a view reads (`LockViewRecurse`).
pub fn lock(act: &mut Act, statement: &LockStmt) -> Step {
    let Some(mode) = LockMode::from_number(statement.mode) else {
        return refuse("no such lock mode");
    };
    act.nowait = statement.nowait;
    for range in ranges(&statement.relations) {
        let oid = act.resolve(range)?;
        let kind = act.kind(oid);
        if !matches!(
            kind,
            RelationKind::Table | RelationKind::PartitionedTable | RelationKind::View
        ) {
            return refuse(format!("{} is a {}", act.shown(oid), kind.words()));
        }
        lock_one(act, oid, mode, range.inh, "is locked", &mut Vec::new());
    }
    Ok(())
}

fn lock_one(
    act: &mut Act,
    oid: Oid,
    mode: LockMode,
    with_children: bool,
    reason: &str,
    views: &mut Vec<Oid>,
) {
    act.lock(oid, mode, reason);
    if act.kind(oid) == RelationKind::View {
        if views.contains(&oid) {
            return;
        }
        views.push(oid);
        let entries = plan::view_range(act, oid);
        let reason = format!("view {} reads it", act.shown(oid));
        for entry in entries {
            let kind = act.kind(entry.relation);
            let lockable = matches!(
                kind,
                RelationKind::Table | RelationKind::PartitionedTable | RelationKind::View
            );
            if entry.relation != oid && lockable {
                lock_one(
                    act,
                    entry.relation,
                    mode,
                    entry.with_children,
                    &reason,
                    views,
                );
            }
        }
    } else if with_children {
        for child in act.world.tree(oid).into_iter().skip(1) {
            act.lock(
                child,
                mode,
                format!("a child of {}, which is locked", act.shown(oid)),
            );
        }
    }
}

/// `CLUSTER` (`cluster_rel`)
pub fn cluster(act: &mut Act, statement: &ClusterStmt) -> Step {
    let Some(range) = &statement.relation else {
        act.not_in_block("CLUSTER of all tables")?;
        let clustered: Vec<Oid> = act
            .world
            .relations()
            .filter(|r| act.world.indexes.of(r.oid).any(|i| i.is_clustered))
            .map(|r| r.oid)
            .collect();
        for table in clustered {
            act.lock(table, AccessExclusive, "is clustered");
            storage::write_new_files(act, table, "it is clustered");
            act.works(table, LockWork::Rewrite);
        }
        return Ok(());
    };
    let table = act.resolve(range)?;
    act.lock(table, AccessExclusive, "is clustered");
    if !matches!(
        act.kind(table),
        RelationKind::Table | RelationKind::PartitionedTable | RelationKind::MaterializedView
    ) {
        return refuse(format!("{} is not a table", act.shown(table)));
    }
    let index = if statement.indexname.is_empty() {
        act.world
            .indexes
            .of(table)
            .find(|i| i.is_clustered)
            .map(|i| i.oid)
    } else {
        let schema = act.relation(table)?.name.schema.clone();
        act.world.find_name(&schema, &statement.indexname)
    };
    let Some(index) = index else {
        return refuse(format!(
            "there is no clustered index for {}",
            act.shown(table)
        ));
    };
    if !statement.indexname.is_empty() {
        act.names(index);
    }
    if act.kind(table) == RelationKind::PartitionedTable {
        return cluster_partitions(act, table, index);
    }
    act.lock(index, AccessExclusive, "gives the order");
    cluster_one(act, table, index);
    Ok(())
}

/// `CLUSTER` of a partitioned table (15): each partition that has a part of the index
/// (`get_tables_to_cluster_partitioned`).
fn cluster_partitions(act: &mut Act, table: Oid, index: Oid) -> Step {
    if act.version() < 15 {
        return refuse("a partitioned table cannot be clustered");
    }
    act.not_in_block("CLUSTER of a partitioned table")?;
    act.lock(index, AccessShare, "gives the order");
    let parts = act.world.tree(index).into_iter();
    let leaves = parts.filter_map(|part| Some((act.world.indexes.get(part)?.table, part)));
    let leaves: Vec<(Oid, Oid)> = leaves
        .filter(|(t, _)| act.kind(*t) == RelationKind::Table)
        .collect();
    for (leaf, part) in leaves {
        let why = format!("a partition of {}, which is clustered", act.shown(table));
        act.lock(leaf, AccessExclusive, why);
        act.lock(part, AccessExclusive, "gives the order");
        cluster_one(act, leaf, part);
    }
    Ok(())
}

fn cluster_one(act: &mut Act, table: Oid, index: Oid) {
    let is_btree = |act: &Act| {
        act.world
            .relation(index)
            .is_some_and(|r| r.access_method.as_deref().is_none_or(|m| m == "btree"))
    };
    if is_btree(act) {
        // plan_cluster_use_sort
        let all: Vec<Oid> = act.world.indexes.of(table).map(|i| i.oid).collect();
        for one in all {
            act.lock(one, AccessShare, "is compared with sorting");
        }
    }
    storage::write_new_files(act, table, "it is clustered");
    act.works(table, LockWork::Rewrite);
}

/// An option of VACUUM or ANALYZE.
fn has(statement: &VacuumStmt, name: &str) -> bool {
    statement.options.iter().any(
        |o| matches!(&o.node, Some(NodeEnum::DefElem(e)) if e.defname == name && names::is_on(e)),
    )
}

/// `VACUUM`, `ANALYZE`
pub fn vacuum(act: &mut Act, statement: &VacuumStmt) -> Step {
    if statement.is_vacuumcmd {
        act.not_in_block("VACUUM")?;
    }
    act.nowait = has(statement, "skip_locked");
    let mut targets: Vec<(Oid, bool)> = Vec::new();
    for node in &statement.rels {
        if let Some(NodeEnum::VacuumRelation(v)) = &node.node
            && let Some(range) = &v.relation
        {
            let oid = act.resolve(range)?;
            targets.push((oid, range.inh));
        }
    }
    let named = !targets.is_empty();
    if !named {
        targets = act
            .world
            .relations()
            .filter(|r| {
                matches!(
                    r.kind,
                    RelationKind::Table
                        | RelationKind::MaterializedView
                        | RelationKind::PartitionedTable
                )
            })
            .map(|r| (r.oid, false))
            .collect();
    }
    for (oid, with_children) in targets {
        if statement.is_vacuumcmd {
            vacuum_one(act, statement, oid, named && with_children);
        } else {
            analyze(act, oid, with_children);
        }
    }
    Ok(())
}

fn vacuum_one(act: &mut Act, statement: &VacuumStmt, oid: Oid, with_children: bool) {
    // expand_vacuum_rel
    act.touch(oid, AccessShare, "is looked up");
    let expands = act.kind(oid) == RelationKind::PartitionedTable || act.version() >= 18;
    let tables = if with_children && expands {
        act.world.tree(oid)
    } else {
        vec![oid]
    };
    let full = has(statement, "full");
    for table in tables {
        // vacuum_rel opens it all the same, and then passes over it.
        if act.kind(table) == RelationKind::PartitionedTable {
            let mode = if full {
                AccessExclusive
            } else {
                ShareUpdateExclusive
            };
            act.lock(table, mode, "is opened before its partitions");
            continue;
        }
        if full {
            act.lock(table, AccessExclusive, "is rewritten");
            storage::write_new_files(act, table, "VACUUM FULL");
            act.works(table, LockWork::Rewrite);
            continue;
        }
        act.lock(table, ShareUpdateExclusive, "is vacuumed");
        let toast = act.world.relation(table).map_or(0, |r| r.toast);
        act.lock(
            toast,
            ShareUpdateExclusive,
            format!("the TOAST table of {}", act.shown(table)),
        );
        for relation in [table, toast] {
            let indexes: Vec<Oid> = act.world.indexes.of(relation).map(|i| i.oid).collect();
            unless_skipped(act, relation, |act| {
                for index in indexes {
                    act.lock(index, RowExclusive, "loses entries of dead rows");
                }
            });
        }
        act.works(table, LockWork::Scan);
    }
    if has(statement, "analyze") {
        analyze(act, oid, with_children);
    }
}

/// SKIP LOCKED is for the relation itself: what is looked into afterwards is waited for.
fn unless_skipped(act: &mut Act, relation: Oid, work: impl FnOnce(&mut Act)) {
    if !act.nowait {
        return work(act);
    }
    act.nowait = false;
    let outer = act.only_after.replace(relation);
    work(act);
    act.only_after = outer;
    act.nowait = true;
}

/// `analyze_rel`: the table, a sample of its children, its indexes.
fn analyze(act: &mut Act, oid: Oid, with_children: bool) {
    // expand_vacuum_rel
    act.touch(oid, AccessShare, "is looked up");
    act.lock(oid, ShareUpdateExclusive, "is analyzed");
    stored::statistics(act, oid);
    unless_skipped(act, oid, |act| analyze_indexes(act, oid));
    // ONLY: a sample of the children is read all the same (analyze_rel).
    let shown = act.shown(oid);
    let is_partitioned = act.kind(oid) == RelationKind::PartitionedTable;
    let each = with_children && (is_partitioned || act.version() >= 18);
    for child in act.world.tree(oid).into_iter().skip(1) {
        let why = format!("a child of {shown}: a sample is read");
        // acquire_inherited_sample_rows lets a partitioned one go: it has no rows.
        let has_rows = act.kind(child) != RelationKind::PartitionedTable;
        unless_skipped(act, oid, |act| {
            if has_rows {
                act.lock(child, AccessShare, why);
            } else {
                act.touch(child, AccessShare, why);
            }
        });
        if each {
            act.lock(
                child,
                ShareUpdateExclusive,
                format!("a child of {shown}, is analyzed too"),
            );
            unless_skipped(act, child, |act| analyze_indexes(act, child));
        }
    }
}

/// Indexes of what has rows are looked at for expressions.
fn analyze_indexes(act: &mut Act, oid: Oid) {
    if act.kind(oid) == RelationKind::PartitionedTable {
        return;
    }
    let indexes: Vec<Oid> = act.world.indexes.of(oid).map(|i| i.oid).collect();
    for index in indexes {
        act.lock(index, AccessShare, "is checked for expressions");
    }
}

/// `ALTER TABLE ALL IN TABLESPACE` (`AlterTableMoveAll`): one after the other, what is found.
pub fn move_all(act: &mut Act, statement: &pg_query::protobuf::AlterTableMoveAllStmt) -> Step {
    act.nowait = statement.nowait;
    let wanted = statement.orig_tablespacename.as_str();
    let is_index = statement.objtype == pg_query::protobuf::ObjectType::ObjectIndex as i32;
    let is_view = statement.objtype == pg_query::protobuf::ObjectType::ObjectMatview as i32;
    let found: Vec<Oid> = act
        .world
        .relations()
        .filter(|r| r.tablespace.as_deref().unwrap_or("pg_default") == wanted)
        .filter(|r| match r.kind {
            RelationKind::Index | RelationKind::PartitionedIndex => is_index,
            RelationKind::MaterializedView => is_view,
            RelationKind::Table | RelationKind::PartitionedTable => !is_index && !is_view,
            _ => false,
        })
        .map(|r| r.oid)
        .collect();
    for oid in found {
        act.lock(oid, AccessExclusive, format!("is in tablespace {wanted}"));
        for part in storage::toast_of(act, oid) {
            act.lock(part, AccessExclusive, "moves with its table");
        }
        act.moves(oid);
    }
    Ok(())
}
