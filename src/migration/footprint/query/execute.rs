//! What rows set in motion: indexes of the target, foreign keys, triggers, rules, defaults.

use crate::migration::footprint::act::Act;
use crate::migration::footprint::code;
use crate::migration::footprint::query::deed::{
    BEFORE, Deed, FOR_EACH_ROW, Insert, ON_INSERT, ON_UPDATE, Written,
};
use crate::migration::footprint::query::plan;
use crate::migration::footprint::stored;
use crate::migration::footprint::world::World;
use crate::model::{Column, Constraint, LockMode, Oid, RelationKind, RowWait, class};
use std::collections::BTreeSet;

use LockMode::{AccessShare, RowExclusive, RowShare};

/// What rows set in motion: indexes of the target, foreign keys, triggers, rules.
pub fn executed(act: &mut Act, oid: Oid, deed: Deed, written: &Written) {
    let event = deed.event();
    if deed == Deed::Read {
        return;
    }
    if deed != Deed::Delete {
        let open: Vec<Oid> = act.world.indexes.of(oid).map(|i| i.oid).collect();
        for index in open {
            act.touch(index, RowExclusive, "gets the new rows' entries");
        }
    }
    triggers(act, oid, event);
    if act.kind(oid) == RelationKind::View {
        return through_view(act, oid, deed, written);
    }
    if deed != Deed::Delete {
        act.for_each_row(|act| {
            stored::checks(act, oid);
            stored::indexes(act, oid);
        });
    }
    // ExecPartitionCheck
    if deed != Deed::Delete
        && act.kind(oid) != RelationKind::PartitionedTable
        && let Some(parent) = act.world.partition_parent(oid)
    {
        plan::partition_bounds(act, parent);
    }
    if act.kind(oid) == RelationKind::PartitionedTable {
        match deed {
            Deed::Insert => possible_partitions(act, oid),
            Deed::Update => may_move(act, oid, written),
            _ => {}
        }
    }
    if !act.world.session.replica {
        act.for_each_row(|act| references(act, oid, deed, written));
    }
}

/// A view without INSTEAD OF triggers: its one base relation is written to (`rewriteTargetView`).
fn through_view(act: &mut Act, view: Oid, deed: Deed, written: &Written) {
    if plan::is_replaced(act, view, deed) {
        return;
    }
    let Some(base) = plan::base_of(act, view) else {
        return;
    };
    let has = |name: &String| act.world.column(base, name).is_some();
    if written.set.iter().all(has) {
        let written = Written {
            set: written.set.clone(),
            // A column that the view does not have may have a default.
            null: Vec::new(),
        };
        return executed(act, base, deed, &written);
    }
    // The view gives its columns names of its own: which are set is not known.
    let written = Written {
        set: all_columns(act, base),
        null: Vec::new(),
    };
    act.possibly(true, |act| executed(act, base, deed, &written));
}

fn all_columns(act: &Act, oid: Oid) -> Vec<String> {
    let relation = act.world.relation(oid);
    relation.map_or_else(Vec::new, |r| {
        r.columns.iter().map(|c| c.name.clone()).collect()
    })
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
    let of_table = act.world.triggers.of(oid);
    let fired: Vec<_> = of_table
        .filter(|t| !t.is_internal && t.events & event != 0 && fires(t))
        .cloned()
        .collect();
    for trigger in fired {
        let shown = act.shown(oid);
        let why = format!("trigger {} of {shown} runs code of its own", trigger.name);
        let may_not_fire = act.may_have_no_rows && trigger.events & FOR_EACH_ROW != 0;
        act.possibly(may_not_fire, |act| {
            code::of_trigger(act, trigger.function, Some(&trigger), why);
        });
    }
}

/// The rows that are changed or locked may be those of others, in every table that is scanned.
pub fn meets_locked_rows(act: &mut Act, oid: Oid, with_children: bool) {
    meets_rows_below(act, oid, with_children, &mut BTreeSet::new());
}

fn meets_rows_below(act: &mut Act, oid: Oid, with_children: bool, met: &mut BTreeSet<Oid>) {
    if act.kind(oid) == RelationKind::View {
        if met.insert(oid) {
            for entry in plan::view_range(act, oid) {
                meets_rows_below(act, entry.relation, entry.with_children, met);
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

/// A unique index must know whether the rows that others have written stay. Not where one of its columns gets its
/// value from the column's own sequence: no two sessions get the same.
fn meets_written_rows(act: &mut Act, oid: Oid, generated: &[String]) {
    let is_generated = |table: Oid, number: i16| {
        let columns = act.world.relation(table).map(|r| &r.columns);
        let mut columns = columns.into_iter().flatten();
        columns.any(|c| c.number == number && generated.contains(&c.name))
    };
    let has_to_know = |table: Oid| {
        let mut indexes = act.world.indexes.of(table);
        indexes.any(|index| {
            let keys = usize::try_from(index.key_columns).unwrap_or_default();
            let mut keys = index.columns.iter().take(keys);
            index.is_exclusion || index.is_unique && !keys.any(|&key| is_generated(table, key))
        })
    };
    let mut tables = act.world.tree(oid);
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
        act.lock(
            partition,
            RowExclusive,
            "a partition that the rows may belong to",
        );
        if act.kind(partition) != RelationKind::PartitionedTable {
            executed(act, partition, Deed::Insert, &Written::default());
        }
    }
    act.possible = outer;
}

/// A row that is changed is checked against its partition's bounds, and one that leaves them is put into another
/// partition, as a new row (`ExecCrossPartitionUpdate`).
fn may_move(act: &mut Act, oid: Oid, written: &Written) {
    let below = act.world.tree(oid).into_iter().skip(1);
    let parents: BTreeSet<Oid> = below
        .filter_map(|partition| act.world.partition_parent(partition))
        .collect();
    let new = Written {
        set: Vec::new(),
        null: written.null.clone(),
    };
    act.possibly(true, |act| {
        for parent in parents {
            act.lock(parent, AccessShare, "has its partition's bounds");
        }
        if act.world.is_partition_key(oid, &written.set) {
            for partition in act.world.leaves(oid) {
                executed(act, partition, Deed::Insert, &new);
            }
        }
    });
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
fn references(act: &mut Act, oid: Oid, deed: Deed, written: &Written) {
    let numbers = |names: &[String]| -> Vec<i16> {
        let columns = names.iter().filter_map(|name| act.world.column(oid, name));
        columns.map(|column| column.number).collect()
    };
    let (set, null) = (numbers(&written.set), numbers(&written.null));
    let touches = |columns: &[i16]| columns.iter().any(|c| set.contains(c));
    let is_null = |columns: &[i16]| match deed {
        Deed::Insert => columns.iter().any(|c| null.contains(c)),
        // MATCH FULL looks the key up where a part of it is NULL (RI_FKey_fk_upd_check_required).
        _ => columns.iter().all(|c| null.contains(c)),
    };
    // A copy for a partition of the referenced table has no trigger here (addFkRecurseReferenced).
    let is_a_copy = |key: &Constraint| {
        let original = act.world.constraints.get(key.parent);
        original.is_some_and(|original| original.table == oid)
    };
    let own: Vec<Constraint> = act
        .world
        .foreign_keys(oid)
        .filter(|k| !is_a_copy(k) && fires(act, oid, k))
        .filter(|k| deed == Deed::Insert || deed == Deed::Update && touches(&k.columns))
        .cloned()
        .collect();
    for key in own {
        let reason = format!("is looked up for foreign key {}", key.name);
        let is_null = is_null(&key.columns);
        if is_null {
            // Nothing is looked up, but INSERT opens the table first (RI_FKey_check).
            if deed == Deed::Insert {
                act.touch(key.referenced, RowShare, reason.clone());
            }
            if !fills_in(act, oid, deed) {
                continue;
            }
        }
        let with_children = act.kind(key.referenced) == RelationKind::PartitionedTable;
        act.possibly(is_null, |act| {
            looked_up(act, key.referenced, RowShare, &reason);
            meets_locked_rows(act, key.referenced, with_children);
        });
    }
    let pointing: Vec<Constraint> = act
        .world
        .referencing(oid)
        .filter(|k| fires(act, oid, k))
        .filter(|k| deed == Deed::Delete || deed == Deed::Update && touches(&k.referenced_columns))
        .cloned()
        .collect();
    for key in pointing {
        referencing_rows(act, oid, deed, &key);
    }
}

/// Whether the triggers of a foreign key on this table fire: not after DISABLE TRIGGER ALL.
fn fires(act: &Act, table: Oid, key: &Constraint) -> bool {
    let triggers = act.world.triggers.of(table);
    let mut own = triggers
        .filter(|t| t.is_internal && t.constraint == key.oid)
        .peekable();
    own.peek().is_none() || own.any(|t| t.enabled != 'D')
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
    meets_locked_rows(act, key.table, with_children);
    if !matches!(action, 'c' | 'n' | 'd') {
        // ri_restrict: with NO ACTION the key may have come back meanwhile.
        if action == 'a' {
            looked_up_again(act, oid);
        }
        looked_up(act, key.table, RowShare, &reason);
        return;
    }
    let already = act.holds(key.table, RowExclusive);
    looked_up(act, key.table, RowExclusive, &reason);
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
        let null = match action {
            'n' => columns.clone(),
            'd' => without_default(act, key.table),
            _ => Vec::new(),
        };
        let written = Written { set: columns, null };
        // None of its rows may refer.
        let outer = act.may_have_no_rows;
        act.may_have_no_rows |= looks_empty(act, key.table);
        executed(act, key.table, follows, &written);
        act.may_have_no_rows = outer;
    }
    // Rows may have referred to the default's row all along: looked for as with NO ACTION (ri_set).
    if action == 'd' {
        looked_up(act, key.table, RowShare, &reason);
    }
}

/// A key that is looked for in a partitioned table is in one partition: the planner leaves out the others, until the plan
/// is kept for all keys (`expand_partitioned_rtentry`, `choose_custom_plan`).
fn looked_up(act: &mut Act, oid: Oid, mode: LockMode, reason: &str) {
    plan::scan(act, oid, mode, false, reason);
    if act.kind(oid) == RelationKind::PartitionedTable {
        act.possibly(true, |act| plan::scan(act, oid, mode, true, reason));
    }
}

/// The key of a row that goes, in the table that the row is in: of a partitioned table one of its partitions.
fn looked_up_again(act: &mut Act, oid: Oid) {
    let why = "is looked up again for rows that reference it";
    if act.kind(oid) != RelationKind::PartitionedTable {
        return plan::scan(act, oid, RowShare, false, why);
    }
    act.possibly(true, |act| {
        for leaf in act.world.leaves(oid) {
            plan::scan(act, leaf, RowShare, false, why);
        }
    });
}

/// Columns without a value take their defaults: a sequence gives the next number.
pub fn defaults(act: &mut Act, insert: &Insert) {
    if act.kind(insert.table) == RelationKind::View {
        return defaults_through_view(act, insert);
    }
    let is_open = |name: &String| {
        let given = insert.columns.as_ref();
        given.is_none_or(|given| !given.contains(name))
    };
    let mut open = act
        .world
        .relation(insert.table)
        .map_or_else(Vec::new, |r| r.columns.clone());
    open.retain(|c| is_open(&c.name));
    let mut generated = Vec::new();
    for column in open {
        let (sequences, routines) = default_of(act, insert.table, &column);
        let owned = sequences
            .iter()
            .any(|s| is_own(act, *s, insert.table, column.number));
        // Where which columns are given is not known, this one may be.
        if owned && insert.columns.is_some() {
            generated.push(column.name);
        }
        let shown = act.shown(insert.table);
        act.possibly(act.may_have_no_rows && !insert.has_rows, |act| {
            for sequence in sequences {
                act.lock(
                    sequence,
                    RowExclusive,
                    format!("gives {shown} its next number"),
                );
            }
        });
        for routine in routines {
            if let Some(routine) = act.world.routines.get(&routine).cloned() {
                act.possibly(act.may_have_no_rows && !insert.has_rows, |act| {
                    code::of_routine(act, &routine);
                });
            }
        }
    }
    if insert.is_new_row {
        meets_written_rows(act, insert.table, &generated);
    }
}

/// What an INSERT into a view gives no value for, its base relation gets by default.
fn defaults_through_view(act: &mut Act, insert: &Insert) {
    if plan::is_replaced(act, insert.table, Deed::Insert) {
        return;
    }
    let Some(base) = plan::base_of(act, insert.table) else {
        return;
    };
    let given = insert.columns.clone();
    let given = given.unwrap_or_else(|| all_columns(act, insert.table));
    let has = |name: &String| act.world.column(base, name).is_some();
    let known = given.iter().all(has).then_some(given);
    act.possibly(known.is_none(), |act| {
        let inner = Insert {
            table: base,
            columns: known,
            ..insert.clone()
        };
        defaults(act, &inner);
    });
}

/// The sequences and functions in a column's default, or behind its identity.
fn default_of(act: &Act, table: Oid, column: &Column) -> (Vec<Oid>, Vec<Oid>) {
    let (mut sequences, mut routines) = (Vec::new(), Vec::new());
    if !column.identity.is_empty() {
        let below = act
            .world
            .below((class::RELATION, table, i32::from(column.number)));
        let of_identity = below.filter(|d| d.class == class::RELATION && d.kind == 'i');
        sequences.extend(of_identity.map(|d| d.oid));
    }
    let defaults = act.world.defaults.of(table);
    let own = defaults.filter(|d| d.column == column.number);
    let mut homes: Vec<_> = own.map(|d| (class::DEFAULT, d.oid, 0)).collect();
    // That of its domain counts where it has none of its own.
    if homes.is_empty() && column.identity.is_empty() {
        homes.push((class::TYPE, column.type_oid, 0));
    }
    for d in homes.into_iter().flat_map(|home| act.world.above(home)) {
        if d.on_class == class::PROC {
            routines.push(d.on_oid);
        } else if d.on_class == class::RELATION
            && act.world.kind(d.on_oid) == Some(RelationKind::Sequence)
        {
            sequences.push(d.on_oid);
        }
    }
    (sequences, routines)
}

/// The columns of a table that are NULL in a row which gives them no value, and where no trigger does.
pub fn without_default(act: &Act, table: Oid) -> Vec<String> {
    let has_default = |column: &Column| {
        let mut defaults = act.world.defaults.of(table);
        let of_type = act.world.types.get(&column.type_oid);
        !column.identity.is_empty()
            || defaults.any(|d| d.column == column.number)
            || of_type.is_some_and(|t| t.has_default)
    };
    let columns = act
        .world
        .relation(table)
        .into_iter()
        .flat_map(|r| &r.columns);
    let open = columns.filter(|c| !has_default(c));
    open.map(|c| c.name.clone()).collect()
}

/// Whether a trigger may give the rows other values.
fn fills_in(act: &Act, table: Oid, deed: Deed) -> bool {
    let on = match deed {
        Deed::Insert => BEFORE | ON_INSERT,
        _ => BEFORE | ON_UPDATE,
    };
    let mut triggers = act.world.triggers.of(table);
    triggers.any(|t| !t.is_internal && t.events & on == on)
}

/// Whether a sequence belongs to this column: serial, identity.
fn is_own(act: &Act, sequence: Oid, table: Oid, column: i16) -> bool {
    let mut owners = act.world.above((class::RELATION, sequence, 0));
    owners
        .any(|d| (d.on_class, d.on_oid, d.on_column) == (class::RELATION, table, i32::from(column)))
}

/// Whether a query over these relations may find no row at all: one of them looks empty.
pub fn looks_empty(act: &Act, oid: Oid) -> bool {
    is_empty_below(act, oid, &mut BTreeSet::new())
}

fn is_empty_below(act: &Act, oid: Oid, met: &mut BTreeSet<Oid>) -> bool {
    match act.kind(oid) {
        RelationKind::View => {
            let mut below = plan::view_range(act, oid).into_iter();
            met.insert(oid) && below.any(|entry| is_empty_below(act, entry.relation, met))
        }
        RelationKind::Table | RelationKind::PartitionedTable | RelationKind::MaterializedView => {
            let tree = act.world.tree(oid);
            let relations = tree.iter().filter_map(|t| act.world.relation(*t));
            let mut filled = relations.filter(|r| {
                r.bytes > 0
                    || r.rows > 0.0
                    || r.live_rows > 0.0
                    || act.world.created_in(r.oid).is_some()
            });
            filled.next().is_none() && !World::is_catalog(oid)
        }
        _ => false,
    }
}

/// Whether the TOAST table has rows, by the statistics; where they know nothing of the table yet, it may.
#[must_use]
pub fn has_long_values(act: &Act, table: Oid) -> bool {
    let Some(relation) = act.world.relation(table) else {
        return false;
    };
    let toast = act.world.relation(relation.toast);
    toast.is_some_and(|toast| {
        toast.live_rows > 0.0 || toast.bytes > 0 || relation.rows < 0.0 && looks_empty(act, table)
    })
}

/// A long value may go to the TOAST table, unless it can be compressed far enough (`heap_toast_insert_or_update`).
pub fn moves_out_of_line(act: &mut Act, table: Oid) {
    let toast = act.world.relation(table).map_or(0, |r| r.toast);
    if toast == 0 {
        return;
    }
    let why = format!("the TOAST table of {}, for long values", act.shown(table));
    let indexes: Vec<Oid> = act.world.indexes.of(toast).map(|i| i.oid).collect();
    act.possibly(true, |act| {
        for oid in std::iter::once(toast).chain(indexes) {
            act.lock(oid, RowExclusive, why.clone());
        }
    });
}
