//! What the rewriter and the planner lock: views, row security, children, indexes.

use super::deed::{Deed, INSTEAD, ON_DELETE, ON_INSERT, ON_UPDATE};
use crate::migration::footprint::act::{Act, Step, refuse};
use crate::migration::footprint::stored;
use crate::model::RelationName;
use crate::model::{LockMode, Oid, RangeEntry, RelationKind, class};
use std::collections::BTreeSet;

use LockMode::{AccessShare, RowExclusive, RowShare};

/// Views bring in what they read, row security what its policies read (`fireRIRrules`).
pub fn rewritten(act: &mut Act, oid: Oid, mode: LockMode, deed: Deed) {
    rewrite(act, oid, mode, deed, &mut BTreeSet::new());
}

/// Relations that were met in a mode and a role: views and policies may read one many times, and each other.
type Met = BTreeSet<(Oid, LockMode, Deed)>;

fn rewrite(act: &mut Act, oid: Oid, mode: LockMode, deed: Deed, met: &mut Met) {
    if !met.insert((oid, mode, deed)) {
        return;
    }
    if deed != Deed::Read && act.world.rules.of(oid).any(|r| r.event == deed.rule()) {
        act.opaque(format!("rules of {} rewrite the statement", act.shown(oid)));
    }
    match act.kind(oid) {
        RelationKind::View => behind_view(act, oid, mode, deed, met),
        _ if act.world.relation(oid).is_some_and(|r| r.row_security) => {
            let shown = act.shown(oid);
            for entry in policy_range(act, oid) {
                let why = format!("a policy of {shown} reads it");
                act.lock(entry.relation, AccessShare, why);
                rewrite(act, entry.relation, AccessShare, Deed::Read, met);
            }
        }
        _ => {}
    }
}

/// What a view's query reads, and what a statement that writes to the view writes instead.
fn behind_view(act: &mut Act, view: Oid, mode: LockMode, deed: Deed, met: &mut Met) {
    let replaced = is_replaced(act, view, deed);
    // Its triggers do it, and its query is not run.
    if replaced && deed == Deed::Insert {
        return;
    }
    called_by_view(act, view);
    let shown = act.shown(view);
    // Its rows are read once more, up to 15 as those of a relation (rewriteTargetView, ApplyRetrieveRule).
    if replaced && act.version() < 16 {
        act.lock(view, AccessShare, "its rows are given to its triggers");
    }
    for (entry, inside, deed) in behind(act, view, mode, deed) {
        if mode == RowExclusive && entry.relation == view {
            continue;
        }
        let mode = inside;
        act.lock(entry.relation, mode, format!("view {shown} reads it"));
        if entry.relation != view {
            let inner = act.world.relation(entry.relation);
            if inner.is_some_and(|r| opens_relations(&r.name, &["*".to_owned()])) {
                opens_others(act, entry.relation);
            }
            rewrite(act, entry.relation, mode, deed, met);
        }
    }
}

/// What a view's query names, in which mode, and what is done to it: the statement's own deed to the relation that is
/// written through the view, the rest is read.
fn behind(act: &Act, view: Oid, mode: LockMode, deed: Deed) -> Vec<(RangeEntry, LockMode, Deed)> {
    let is_written = mode == RowExclusive && !is_replaced(act, view, deed);
    let base = base_of(act, view).filter(|_| is_written);
    let entries = view_range(act, view).into_iter();
    let behind = entries.map(|entry| match base {
        Some(base) if entry.relation == base => (entry, RowExclusive, deed),
        _ => {
            let inside = mode_inside(mode, &entry);
            (entry, inside, Deed::Read)
        }
    });
    behind.collect()
}

/// Whether INSTEAD OF triggers do what is done to a view. MERGE, which does several things, is a reader here.
pub fn is_replaced(act: &Act, view: Oid, deed: Deed) -> bool {
    let events = match deed {
        Deed::Read => ON_INSERT | ON_UPDATE | ON_DELETE,
        _ => deed.event(),
    };
    let mut triggers = act.world.triggers.of(view);
    triggers.any(|t| t.events & INSTEAD != 0 && t.events & events != 0)
}

/// The relation that an updatable view is of: it comes first in the view's query, before those of its subqueries
/// (`view_query_is_auto_updatable`).
pub fn base_of(act: &Act, view: Oid) -> Option<Oid> {
    let range = view_range(act, view);
    let mut others = range.iter().filter(|e| e.relation != view);
    others.next().map(|entry| entry.relation)
}

/// The table that rows of a view go to in the end; `None`: they go nowhere.
pub fn base_table(act: &Act, mut oid: Oid, deed: Deed) -> Option<Oid> {
    for _ in 0..30 {
        if act.kind(oid) != RelationKind::View {
            return Some(oid);
        }
        if is_replaced(act, oid, deed) {
            return None;
        }
        oid = base_of(act, oid)?;
    }
    None
}

/// What a view WITH CHECK OPTION looks up for new rows: all that its query reads but the relation that they go to.
pub fn checked_by_view(act: &mut Act, view: Oid) {
    if act.kind(view) != RelationKind::View || is_replaced(act, view, Deed::Insert) {
        return;
    }
    let base = base_of(act, view);
    for entry in view_range(act, view) {
        if Some(entry.relation) != base && entry.relation != view {
            let with_children = entry.with_children;
            planned(
                act,
                entry.relation,
                AccessShare,
                Deed::Read,
                with_children,
                "is read",
            );
        }
    }
    if let Some(base) = base {
        checked_by_view(act, base);
    }
}

/// Whatever columns are read.
const ANY: &str = "";

/// Columns of system views whose functions open relations: `pg_get_viewdef`, `pg_get_ruledef`, `pg_get_expr` and
/// `pg_sequence_last_value` (system_views.sql, information_schema.sql).
const OPEN_RELATIONS: [(&str, &str, &[&str]); 6] = [
    ("information_schema", "views", &["view_definition"]),
    ("pg_catalog", "pg_matviews", &["definition"]),
    ("pg_catalog", "pg_policies", &["qual", "with_check"]),
    ("pg_catalog", "pg_rules", &["definition"]),
    // A volatile function is called whether its column is read or not.
    ("pg_catalog", "pg_sequences", &[ANY]),
    ("pg_catalog", "pg_views", &["definition"]),
];

/// Whether a relation opens others as these columns of it are read; `*`: all.
#[must_use]
pub fn opens_relations(name: &RelationName, read: &[String]) -> bool {
    let mut views = OPEN_RELATIONS.iter();
    let of = views.find(|(schema, view, _)| name.schema == *schema && name.relation == *view);
    of.is_some_and(|(_, _, columns)| {
        let mut read = read.iter().map(String::as_str);
        columns.contains(&ANY) || read.any(|column| column == "*" || columns.contains(&column))
    })
}

/// Doubts a query that reads such a column.
pub fn opens_others(act: &mut Act, view: Oid) {
    let shown = act.shown(view);
    act.opaque(format!(
        "{shown} opens relations that are only known when it runs"
    ));
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
    deed: Deed,
    with_children: bool,
    reason: &str,
) {
    plan(
        act,
        oid,
        mode,
        deed,
        with_children,
        reason,
        &mut BTreeSet::new(),
    );
}

fn plan(
    act: &mut Act,
    oid: Oid,
    mode: LockMode,
    deed: Deed,
    with_children: bool,
    reason: &str,
    met: &mut BTreeSet<(Oid, LockMode, Deed, bool)>,
) {
    if !met.insert((oid, mode, deed, with_children)) {
        return;
    }
    if act.kind(oid) == RelationKind::View {
        for (entry, mode, deed) in behind(act, oid, mode, deed) {
            if entry.relation != oid {
                let with_children = entry.with_children;
                plan(act, entry.relation, mode, deed, with_children, reason, met);
            }
        }
        return;
    }
    scan(act, oid, mode, with_children, reason);
    if act.world.relation(oid).is_some_and(|r| r.row_security) {
        for entry in policy_range(act, oid) {
            if entry.relation != oid {
                let with_children = entry.with_children;
                plan(
                    act,
                    entry.relation,
                    AccessShare,
                    Deed::Read,
                    with_children,
                    reason,
                    met,
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
        // Up to 15 a partitioned table's indexes only where it has no partitions and is scanned itself.
        let is_scanned = act.kind(table) != RelationKind::PartitionedTable
            || act.version() >= 16
            || table == oid && with_children && act.world.children(table).is_empty();
        if is_scanned {
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
pub fn partition_bounds(act: &mut Act, parent: Oid) {
    let above = act.world.ancestors(parent);
    for ancestor in std::iter::once(parent).chain(above) {
        act.lock(ancestor, AccessShare, "has its partition's bounds");
    }
}

/// A view that reads itself, directly or through others, can be made and not used (`fireRIRrules`).
///
/// # Errors
/// It does.
pub fn has_an_end(act: &Act, view: Oid) -> Step {
    let (mut path, mut ended) = (Vec::new(), BTreeSet::new());
    if ends(act, view, &mut path, &mut ended) {
        return Ok(());
    }
    refuse(format!(
        "infinite recursion detected in rules for relation {}",
        act.shown(view)
    ))
}

/// Whether no view on the path is met again; `ended`: what is known to end.
fn ends(act: &Act, view: Oid, path: &mut Vec<Oid>, ended: &mut BTreeSet<Oid>) -> bool {
    if act.kind(view) != RelationKind::View || ended.contains(&view) {
        return true;
    }
    if path.contains(&view) || path.len() > MOST_VIEWS {
        return false;
    }
    path.push(view);
    let below = view_range(act, view).into_iter().map(|e| e.relation);
    let all = below
        .filter(|relation| *relation != view)
        .all(|relation| ends(act, relation, path, ended));
    path.pop();
    if all {
        ended.insert(view);
    }
    all
}

/// The most views, one over the other, that are followed.
const MOST_VIEWS: usize = 500;

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
    rewritten(act, oid, AccessShare, Deed::Read);
    planned(act, oid, AccessShare, Deed::Read, with_children, "is read");
}
