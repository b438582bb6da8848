//! What the rewriter and the planner lock: views, row security, children, indexes.

use crate::migration::footprint::act::Act;
use crate::migration::footprint::stored;
use crate::model::RelationName;
use crate::model::{LockMode, Oid, RangeEntry, RelationKind, class};

use LockMode::{AccessShare, RowExclusive, RowShare};

/// Views bring in what they read, row security what its policies read (`fireRIRrules`).
pub fn rewritten(act: &mut Act, oid: Oid, mode: LockMode, depth: u8) {
    if depth > 30 {
        return;
    }
    let shown = act.shown(oid);
    match act.kind(oid) {
        RelationKind::View => {
            called_by_view(act, oid);
            let entries = view_range(act, oid);
            let others = entries.iter().filter(|e| e.relation != oid).count();
            for entry in entries {
                if mode == RowExclusive && entry.relation == oid {
                    continue;
                }
                let mode = match mode {
                    // Written through: only a view of one relation can be (rewriteTargetView).
                    RowExclusive if others == 1 => RowExclusive,
                    outer => mode_inside(outer, &entry),
                };
                act.lock(entry.relation, mode, format!("view {shown} reads it"));
                if entry.relation != oid {
                    rewritten(act, entry.relation, mode, depth + 1);
                }
            }
        }
        _ if act.world.relation(oid).is_some_and(|r| r.row_security) => {
            for entry in policy_range(act, oid) {
                act.lock(
                    entry.relation,
                    AccessShare,
                    format!("a policy of {shown} reads it"),
                );
                rewritten(act, entry.relation, AccessShare, depth + 1);
            }
        }
        _ => {}
    }
}

/// System views that call `pg_get_viewdef` or `pg_get_ruledef` (system_views.sql, information_schema.sql).
fn opens_relations(name: &RelationName) -> bool {
    match name.schema.as_str() {
        "pg_catalog" => matches!(
            name.relation.as_str(),
            "pg_views" | "pg_rules" | "pg_matviews"
        ),
        "information_schema" => name.relation == "views",
        _ => false,
    }
}

/// Functions that a view's query calls.
pub fn called_by_view(act: &mut Act, oid: Oid) {
    let called: Vec<_> = act
        .world
        .rules
        .of(oid)
        .map(|r| (class::RULE, r.oid, 0))
        .collect();
    for rule in called {
        stored::run(act, rule);
    }
    if act
        .world
        .relation(oid)
        .is_some_and(|r| opens_relations(&r.name))
    {
        let shown = act.shown(oid);
        act.opaque(format!("{shown} opens the relations of every view or rule"));
    }
}

/// What a view's query reads.
pub fn view_range(act: &Act, oid: Oid) -> Vec<RangeEntry> {
    act.world
        .rules
        .of(oid)
        .filter(|r| r.event == '1')
        .flat_map(|r| r.range.clone())
        .collect()
}

/// A view's relations get the mode of the query that uses the view, if it is stronger than reading.
fn mode_inside(outer: LockMode, entry: &RangeEntry) -> LockMode {
    let own = LockMode::from_number(entry.mode).unwrap_or(AccessShare);
    if outer == RowShare && own == AccessShare {
        RowShare
    } else {
        own
    }
}

/// What the policies of a relation read.
fn policy_range(act: &Act, oid: Oid) -> Vec<RangeEntry> {
    let policies = act.world.policies.of(oid);
    policies
        .flat_map(|policy| policy.range.iter().chain(&policy.check_range).cloned())
        .collect()
}

/// The planner: children, and every index.
pub fn planned(
    act: &mut Act,
    oid: Oid,
    mode: LockMode,
    with_children: bool,
    reason: &str,
    depth: u8,
) {
    if depth > 30 {
        return;
    }
    if act.kind(oid) == RelationKind::View {
        for entry in view_range(act, oid) {
            if entry.relation != oid {
                let inner = if mode == RowExclusive {
                    RowExclusive
                } else {
                    mode_inside(mode, &entry)
                };
                planned(
                    act,
                    entry.relation,
                    inner,
                    entry.with_children,
                    reason,
                    depth + 1,
                );
            }
        }
        return;
    }
    scan(act, oid, mode, with_children, reason);
    if act.world.relation(oid).is_some_and(|r| r.row_security) {
        for entry in policy_range(act, oid) {
            if entry.relation != oid {
                planned(
                    act,
                    entry.relation,
                    AccessShare,
                    entry.with_children,
                    reason,
                    depth + 1,
                );
            }
        }
    }
}

/// What the planner opens to scan a relation: itself, its children, every index of each.
pub fn scan(act: &mut Act, oid: Oid, mode: LockMode, with_children: bool, reason: &str) {
    let tables = if with_children {
        act.world.tree(oid)
    } else {
        vec![oid]
    };
    for table in tables {
        let why = if table == oid {
            reason.to_owned()
        } else {
            format!("a child of {}, which {reason}", act.shown(oid))
        };
        act.lock(table, mode, why.clone());
        // RelationGetPartitionQual for what is both a partition and partitioned (plancat.c).
        if act.kind(table) == RelationKind::PartitionedTable
            && let Some(parent) = act.world.partition_parent(table)
        {
            partition_bounds(act, parent);
        }
        if act.kind(table) != RelationKind::PartitionedTable || act.version() >= 16 {
            indexes(
                act,
                table,
                mode,
                &format!("an index of {}, which {reason}", act.shown(table)),
            );
        }
    }
}

/// The parents of a partition, for its bounds (`generate_partition_qual`, partcache.c).
pub fn partition_bounds(act: &mut Act, mut parent: Oid) {
    loop {
        act.lock(parent, AccessShare, "has its partition's bounds");
        match act.world.partition_parent(parent) {
            Some(next) => parent = next,
            None => return,
        }
    }
}

/// Every index of a table.
pub fn indexes(act: &mut Act, table: Oid, mode: LockMode, reason: &str) {
    let indexes: Vec<Oid> = act
        .world
        .indexes
        .of(table)
        .filter(|i| i.is_live)
        .map(|i| i.oid)
        .collect();
    for index in indexes {
        act.lock(index, mode, reason);
    }
}

/// A relation that a stored query reads, as if it stood in the query at hand.
pub fn read_through(act: &mut Act, oid: Oid, with_children: bool, reason: &str) {
    act.lock(oid, AccessShare, reason);
    rewritten(act, oid, AccessShare, 0);
    planned(act, oid, AccessShare, with_children, "is read", 0);
}

/// A long value may go to the TOAST table, unless it can be compressed far enough (`heap_toast_insert_or_update`).
pub fn moves_out_of_line(act: &mut Act, table: Oid) {
    let toast = act.world.relation(table).map_or(0, |r| r.toast);
    if toast == 0 {
        return;
    }
    let why = format!("the TOAST table of {}: a value is long", act.shown(table));
    let indexes: Vec<Oid> = act.world.indexes.of(toast).map(|i| i.oid).collect();
    act.possibly(true, |act| {
        for oid in std::iter::once(toast).chain(indexes) {
            act.lock(oid, RowExclusive, why.clone());
        }
    });
}
