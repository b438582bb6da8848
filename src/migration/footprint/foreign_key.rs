//! Foreign keys: both sides are locked, whichever is named.

use super::act::{Act, Refused, Step, refuse};
use super::altering::{Altering, blank_constraint};
use super::index::part;
use super::query::plan;
use super::{altering, names};
use crate::model::{Constraint, LockMode, Oid, RelationKind, Trigger, class};
use pg_query::protobuf::AlterTableCmd;
use pg_query::{NodeEnum, protobuf};

use LockMode::{AccessExclusive, AccessShare, RowShare, ShareRowExclusive};

/// `ADD FOREIGN KEY` (`ATAddForeignKeyConstraint`): the referenced table gets SHARE ROW EXCLUSIVE, also
/// with NOT VALID; partitions of either side follow.
pub fn add(
    act: &mut Act,
    altering: &mut Altering,
    oid: Oid,
    constraint: &protobuf::Constraint,
    new_table: bool,
) -> Step {
    let Some(range) = &constraint.pktable else {
        return Ok(());
    };
    let referenced = act.resolve(range)?;
    act.lock(
        referenced,
        ShareRowExclusive,
        "is referenced by a new foreign key",
    );
    let kind = act.kind(referenced);
    if !matches!(kind, RelationKind::Table | RelationKind::PartitionedTable) {
        return refuse(format!(
            "referenced relation {} is a {}",
            act.shown(referenced),
            kind.words()
        ));
    }
    let columns = numbers(act, oid, &names::list(&constraint.fk_attrs))?;
    let keys = names::list(&constraint.pk_attrs);
    let referenced_columns = if keys.is_empty() {
        primary_key(act, referenced)?
    } else {
        numbers(act, referenced, &keys)?
    };
    let index = unique_index(act, referenced, &referenced_columns);
    if index.is_none() {
        // transformFkeyCheckAttrs opens the indexes while it looks for one; then it gives up.
        return refuse(format!(
            "there is no unique constraint matching given keys for referenced table {}",
            act.shown(referenced)
        ));
    }
    let name = if constraint.conname.is_empty() {
        generated_name(act, oid, &columns)
    } else {
        constraint.conname.clone()
    };
    if act.world.constraint(oid, &name).is_some() {
        return refuse(format!(
            "constraint {name} of {} already exists",
            act.shown(oid)
        ));
    }
    let is_enforced = constraint.is_enforced || act.version() < 18;
    let validated = is_enforced && (!constraint.skip_validation || new_table);
    let template = Constraint {
        oid: act.world.new_oid(),
        name: name.clone(),
        kind: 'f',
        table: oid,
        index: index.unwrap_or(0),
        referenced,
        columns,
        referenced_columns,
        on_delete: constraint.fk_del_action.chars().next().unwrap_or('a'),
        on_update: constraint.fk_upd_action.chars().next().unwrap_or('a'),
        is_validated: validated,
        is_enforced,
        is_deferrable: constraint.deferrable,
        is_deferred: constraint.initdeferred,
        no_inherit: true,
        ..blank_constraint()
    };
    let check = validated && !new_table;
    recurse_referenced(act, &template);
    let mode = altering.mode;
    recurse_referencing(act, altering, mode, &template, check)
}

/// Puts the constraint and its triggers on both sides into the world. `CreateTrigger` locks the table of
/// each trigger and the other side; a clone on a partition has triggers on its own side only.
fn put(act: &mut Act, constraint: &Constraint, checks: bool, acts: bool) {
    let why = format!("gets the triggers of foreign key {}", constraint.name);
    // Until 14 a partitioned table has no triggers that check.
    let is_partitioned = act.kind(constraint.table) == RelationKind::PartitionedTable;
    if checks && constraint.is_enforced && (act.version() >= 15 || !is_partitioned) {
        act.lock(constraint.table, ShareRowExclusive, why.clone());
        act.lock(constraint.referenced, AccessShare, why.clone());
    }
    if acts && constraint.is_enforced {
        act.lock(constraint.referenced, ShareRowExclusive, why.clone());
        act.lock(constraint.table, AccessShare, why);
    }
    act.depends_on(
        constraint.index,
        format!("foreign key {} depends on it", constraint.name),
    );
    altering::put_constraint(act, constraint.clone());
    for (table, other) in [
        (constraint.table, constraint.referenced),
        (constraint.table, constraint.referenced),
        (constraint.referenced, constraint.table),
        (constraint.referenced, constraint.table),
    ] {
        let oid = act.world.new_oid();
        act.world.triggers.put(Trigger {
            oid,
            name: format!("RI_ConstraintTrigger_{oid}"),
            table,
            function: 0,
            events: 1,
            enabled: 'O',
            is_internal: true,
            constraint: constraint.oid,
            referenced: other,
            parent: 0,
            columns: Vec::new(),
            is_deferred: false,
            transition_tables: Vec::new(),
        });
        act.world.depend(
            (class::TRIGGER, oid, 0),
            (class::CONSTRAINT, constraint.oid, 0),
            'i',
        );
    }
    if constraint.index != 0 {
        act.world.depend(
            (class::CONSTRAINT, constraint.oid, 0),
            (class::RELATION, constraint.index, 0),
            'n',
        );
    }
}

/// `addFkRecurseReferenced`: every partition of the referenced table.
fn recurse_referenced(act: &mut Act, constraint: &Constraint) {
    put(act, constraint, true, true);
    referenced_partitions(act, constraint);
}

/// The action triggers on every partition of the referenced table.
pub fn referenced_partitions(act: &mut Act, constraint: &Constraint) {
    let is_partitioned = act.kind(constraint.referenced) == RelationKind::PartitionedTable;
    let partitions = if is_partitioned {
        act.world.tree(constraint.referenced)
    } else {
        Vec::new()
    };
    for partition in partitions.into_iter().skip(1) {
        let reason = format!(
            "a partition of {}, which is referenced",
            act.shown(constraint.referenced)
        );
        act.lock(partition, ShareRowExclusive, reason);
        let oid = act.world.new_oid();
        let child = Constraint {
            oid,
            parent: constraint.oid,
            referenced: partition,
            index: part_on(act, constraint.index, partition),
            name: format!("{}_{oid}", constraint.name),
            inherited: 1,
            is_local: false,
            ..constraint.clone()
        };
        put(act, &child, false, true);
        act.world.depend(
            (class::CONSTRAINT, oid, 0),
            (class::CONSTRAINT, constraint.oid, 0),
            'i',
        );
    }
}

/// The part of a partitioned index that is on this partition.
fn part_on(act: &Act, index: Oid, partition: Oid) -> Oid {
    act.world
        .tree(index)
        .into_iter()
        .find(|&i| {
            act.world
                .indexes
                .get(i)
                .is_some_and(|x| x.table == partition)
        })
        .unwrap_or(0)
}

/// A foreign key of a table for its new partition (`CloneFkReferencing`).
pub fn clone_referencing(
    act: &mut Act,
    altering: &mut Altering,
    key: &Constraint,
    child: Oid,
    attaching: bool,
) -> Step {
    let oid = act.world.new_oid();
    let clone = Constraint {
        oid,
        parent: key.oid,
        table: child,
        columns: same_columns(act, key.table, &key.columns, child),
        inherited: 1,
        is_local: false,
        ..key.clone()
    };
    put(act, &clone, true, false);
    act.world.depend(
        (class::CONSTRAINT, oid, 0),
        (class::CONSTRAINT, key.oid, 0),
        'P',
    );
    recurse_referencing(
        act,
        altering,
        AccessExclusive,
        &clone,
        attaching && key.is_validated,
    )
}

/// A foreign key that points at a table, for its new partition (`CloneFkReferenced`).
pub fn clone_referenced(act: &mut Act, key: &Constraint, child: Oid) {
    let oid = act.world.new_oid();
    let clone = Constraint {
        oid,
        parent: key.oid,
        referenced: child,
        referenced_columns: same_columns(act, key.referenced, &key.referenced_columns, child),
        index: part_on(act, key.index, child),
        name: format!("{}_{oid}", key.name),
        inherited: 1,
        is_local: false,
        ..key.clone()
    };
    put(act, &clone, false, true);
    act.world.depend(
        (class::CONSTRAINT, oid, 0),
        (class::CONSTRAINT, key.oid, 0),
        'i',
    );
    referenced_partitions(act, &clone);
}

/// Makes a partition's own foreign key a part of its parent's, if it has one alike
/// (`tryAttachPartitionForeignKey`): its action triggers go, and its clones for partitions of the
/// referenced table.
pub fn merge(
    act: &mut Act,
    altering: &mut Altering,
    key: &Constraint,
    partition: Oid,
) -> Step<bool> {
    let columns = same_columns(act, key.table, &key.columns, partition);
    let own = act
        .world
        .foreign_keys(partition)
        .find(|k| {
            k.parent == 0
                // Since 18 a key that is not validated is merged too, and validated.
                && (k.is_validated || act.version() >= 18)
                && k.referenced == key.referenced
                && k.columns == columns
                && k.referenced_columns == key.referenced_columns
                && k.is_deferrable == key.is_deferrable
                && k.is_deferred == key.is_deferred
                && k.on_update == key.on_update
                && k.on_delete == key.on_delete
        })
        .map(|k| k.oid);
    let Some(own) = own else {
        return Ok(false);
    };
    let why = "loses the triggers of a foreign key that is merged";
    // Until 14 a partitioned table has no triggers that act either.
    if act.version() >= 15 || act.kind(key.referenced) != RelationKind::PartitionedTable {
        act.lock(key.referenced, AccessExclusive, why);
    }
    let clones: Vec<_> = act
        .world
        .constraints
        .all()
        .filter(|c| c.parent == own && c.table == partition)
        .map(|c| (class::CONSTRAINT, c.oid, 0))
        .collect();
    for &(of, clone, _) in &clones {
        act.world.undepend((of, clone), (of, own));
    }
    super::drop::delete(act, &clones, false, why)?;
    let is_unchecked = act
        .world
        .constraints
        .get(own)
        .is_some_and(|c| !c.is_validated);
    if is_unchecked && key.is_validated {
        altering.table(partition).checks.push(altering::Check {
            table: partition,
            referenced: key.referenced,
            name: key.name.clone(),
        });
    }
    if let Some(c) = act.world.constraints.get_mut(own) {
        c.is_validated |= key.is_validated;
        c.parent = key.oid;
        c.inherited = 1;
        c.is_local = false;
    }
    act.world.depend(
        (class::CONSTRAINT, own, 0),
        (class::CONSTRAINT, key.oid, 0),
        'P',
    );
    Ok(true)
}

/// The numbers of the same columns in another table.
fn same_columns(act: &Act, table: Oid, columns: &[i16], other: Oid) -> Vec<i16> {
    columns
        .iter()
        .map(|&n| part::same_column(act, table, n, other))
        .collect()
}

/// `addFkRecurseReferencing`: every partition of the referencing table; the check of the rows is left
/// for the end.
fn recurse_referencing(
    act: &mut Act,
    altering: &mut Altering,
    mode: LockMode,
    constraint: &Constraint,
    check: bool,
) -> Step {
    if act.kind(constraint.table) == RelationKind::PartitionedTable {
        for partition in act.world.children(constraint.table) {
            let reason = format!(
                "a partition of {}, which gets a foreign key",
                act.shown(constraint.table)
            );
            act.lock(partition, mode, reason);
            if merge(act, altering, constraint, partition)? {
                continue;
            }
            let oid = act.world.new_oid();
            let child = Constraint {
                oid,
                parent: constraint.oid,
                table: partition,
                columns: same_columns(act, constraint.table, &constraint.columns, partition),
                inherited: 1,
                is_local: false,
                ..constraint.clone()
            };
            put(act, &child, true, false);
            act.world.depend(
                (class::CONSTRAINT, oid, 0),
                (class::CONSTRAINT, constraint.oid, 0),
                'P',
            );
            recurse_referencing(act, altering, mode, &child, check)?;
        }
    } else if check {
        altering
            .table(constraint.table)
            .checks
            .push(altering::Check {
                table: constraint.table,
                referenced: constraint.referenced,
                name: constraint.name.clone(),
            });
    }
    Ok(())
}

/// Reads both sides (`RI_Initial_Check`, ri_triggers.c): a join of the two tables, planned like any
/// query, so that every index of both is opened.
pub fn check_rows(act: &mut Act, check: &altering::Check) {
    let reason = format!("is read to check foreign key {}", check.name);
    act.lock(check.referenced, RowShare, reason.clone());
    for table in [check.table, check.referenced] {
        plan::scan(act, table, AccessShare, false, &reason);
        act.joins(table);
    }
    if act.kind(check.referenced) == RelationKind::PartitionedTable {
        plan::scan(act, check.referenced, AccessShare, true, &reason);
    }
}

/// `VALIDATE CONSTRAINT` of a foreign key.
pub fn validate(act: &mut Act, altering: &mut Altering, constraint: &Constraint) -> Step {
    let mut work = vec![constraint.clone()];
    while let Some(one) = work.pop() {
        let partitions: Vec<Constraint> = act
            .world
            .constraints
            .all()
            .filter(|c| c.parent == one.oid && c.kind == 'f' && c.table != one.table)
            .filter(|c| !c.is_validated)
            .cloned()
            .collect();
        for p in &partitions {
            act.lock(
                p.table,
                altering.mode,
                format!("a partition of {}", act.shown(one.table)),
            );
        }
        work.extend(partitions);
        if act.kind(one.table) != RelationKind::PartitionedTable {
            altering.table(one.table).checks.push(altering::Check {
                table: one.table,
                referenced: one.referenced,
                name: one.name.clone(),
            });
        }
        if let Some(c) = act.world.constraints.get_mut(one.oid) {
            c.is_validated = true;
        }
    }
    Ok(())
}

/// `ALTER CONSTRAINT` (`ATExecAlterConstraint`): the constraint's clones on partitions of both sides.
pub fn alter(act: &mut Act, altering: &mut Altering, oid: Oid, cmd: &AlterTableCmd) -> Step {
    let Some(NodeEnum::AtalterConstraint(change)) = cmd.def.as_ref().and_then(|d| d.node.as_ref())
    else {
        return Ok(());
    };
    let Some(constraint) = act.world.constraint(oid, &change.conname).cloned() else {
        return refuse(format!(
            "constraint {} of {} does not exist",
            change.conname,
            act.shown(oid)
        ));
    };
    if change.alter_inheritability && constraint.kind == 'n' {
        alter_inheritance(act, altering, &constraint, change.noinherit);
    }
    if constraint.kind != 'f' {
        return Ok(());
    }
    if change.alter_enforceability && change.is_enforced != constraint.is_enforced {
        enforce(act, altering, &constraint, change.is_enforced);
    }
    if change.alter_deferrability {
        for clone in clones_of(act, constraint.oid) {
            let reason = format!("has a clone of {}", constraint.name);
            act.lock(clone.table, altering.mode, reason);
        }
    }
    Ok(())
}

/// The clones of a foreign key on partitions of both sides, and theirs.
fn clones_of(act: &Act, oid: Oid) -> Vec<Constraint> {
    let mut found: Vec<Constraint> = Vec::new();
    let mut work = vec![oid];
    while let Some(parent) = work.pop() {
        for clone in act.world.constraints.all().filter(|c| c.parent == parent) {
            work.push(clone.oid);
            found.push(clone.clone());
        }
    }
    found
}

/// `[NOT] ENFORCED` (18, `ATExecAlterFKConstrEnforceability`): the triggers on both sides go, or come with a
/// check of all rows.
fn enforce(act: &mut Act, altering: &mut Altering, constraint: &Constraint, is_enforced: bool) {
    let mut all = clones_of(act, constraint.oid);
    all.insert(0, constraint.clone());
    for one in all {
        act.lock(
            one.table,
            altering.mode,
            format!("has a clone of {}", constraint.name),
        );
        if is_enforced {
            let why = format!("gets the triggers of foreign key {}", constraint.name);
            act.lock(one.referenced, ShareRowExclusive, why.clone());
            act.lock(one.referenced, AccessShare, why.clone());
            act.lock(one.table, ShareRowExclusive, why.clone());
            act.lock(one.table, AccessShare, why);
        } else {
            let why = format!("loses the triggers of foreign key {}", constraint.name);
            act.lock(one.referenced, AccessExclusive, why);
        }
        let is_leaf = act.kind(one.table) != RelationKind::PartitionedTable;
        if is_enforced && is_leaf && one.referenced == constraint.referenced {
            altering.table(one.table).checks.push(altering::Check {
                table: one.table,
                referenced: one.referenced,
                name: one.name.clone(),
            });
        }
        if let Some(c) = act.world.constraints.get_mut(one.oid) {
            c.is_enforced = is_enforced;
            c.is_validated = is_enforced;
        }
    }
}

/// `[NO] INHERIT` of NOT NULL (18, `ATExecAlterConstrInheritability`): children get it, or keep their own.
fn alter_inheritance(act: &mut Act, altering: &mut Altering, constraint: &Constraint, no: bool) {
    if constraint.no_inherit == no {
        return;
    }
    let relation = act.world.relation(constraint.table);
    let column = relation.and_then(|r| {
        let mut columns = r.columns.iter();
        columns.find(|c| constraint.columns == [c.number])
    });
    let name = column.map(|c| c.name.clone()).unwrap_or_default();
    let tree = altering::lock_tree(act, constraint.table, altering.mode);
    for child in tree.into_iter().skip(1).filter(|_| !no) {
        altering::require_not_null(act, altering, child, &name);
    }
    if let Some(c) = act.world.constraints.get_mut(constraint.oid) {
        c.no_inherit = no;
    }
}

/// Made again after a change of type: `ATAddForeignKeyConstraint` on the same columns; `checks`: its rows
/// are read once more (`TryReuseForeignKey` did not keep what it knew).
pub fn again(
    act: &mut Act,
    altering: &mut Altering,
    constraint: &Constraint,
    checks: bool,
) -> Step {
    let reason = format!("has foreign key {}, which is recreated", constraint.name);
    act.lock(constraint.table, AccessExclusive, reason.clone());
    act.lock(constraint.referenced, ShareRowExclusive, reason);
    let template = Constraint {
        oid: act.world.new_oid(),
        index: unique_index(act, constraint.referenced, &constraint.referenced_columns)
            .unwrap_or(0),
        ..constraint.clone()
    };
    recurse_referenced(act, &template);
    let mode = altering.mode;
    let checks = checks && constraint.is_validated;
    recurse_referencing(act, altering, mode, &template, checks)
}

fn numbers(act: &Act, oid: Oid, columns: &[String]) -> Step<Vec<i16>> {
    columns
        .iter()
        .map(|name| altering::column_number(act, oid, name))
        .collect()
}

/// The columns of the primary key.
fn primary_key(act: &Act, oid: Oid) -> Step<Vec<i16>> {
    act.world
        .indexes
        .of(oid)
        .find(|i| i.is_primary)
        .map(|i| {
            i.columns[..usize::try_from(i.key_columns)
                .unwrap_or(0)
                .min(i.columns.len())]
                .to_vec()
        })
        .ok_or_else(|| {
            Refused(format!(
                "there is no primary key for referenced table {}",
                act.shown(oid)
            ))
        })
}

/// A unique index on just these columns (`transformFkeyCheckAttrs`).
fn unique_index(act: &Act, oid: Oid, columns: &[i16]) -> Option<Oid> {
    let mut wanted = columns.to_vec();
    wanted.sort_unstable();
    act.world
        .indexes
        .of(oid)
        .filter(|i| {
            (i.is_unique || i.is_exclusion) && i.predicate.is_none() && i.expressions.is_none()
        })
        .find(|i| {
            let keys = usize::try_from(i.key_columns)
                .unwrap_or(0)
                .min(i.columns.len());
            let mut have = i.columns[..keys].to_vec();
            have.sort_unstable();
            have == wanted
        })
        .map(|i| i.oid)
}

/// `ChooseForeignKeyConstraintNameAddition`
fn generated_name(act: &Act, oid: Oid, columns: &[i16]) -> String {
    let Some(relation) = act.world.relation(oid) else {
        return "fkey".to_owned();
    };
    let columns: Vec<&str> = columns
        .iter()
        .filter_map(|n| relation.columns.iter().find(|c| c.number == *n))
        .map(|c| c.name.as_str())
        .collect();
    let base = super::names::object_name(&relation.name.relation, &columns.join("_"), "fkey");
    let mut name = base.clone();
    let mut number = 0;
    while act.world.constraint(oid, &name).is_some() {
        number += 1;
        name = format!("{base}{number}");
    }
    name
}
