//! Constraints of tables: added, validated, dropped; NOT NULL is one of them since 18.

use super::act::{Act, Step, refuse};
use super::altering::Altering;
use super::index::key;
use super::stored;
use super::{altering, drop, expression, foreign_key, names, tree};
use crate::model::{Constraint, Oid, RelationKind, class};
use pg_query::protobuf;
use pg_query::protobuf::{AlterTableCmd, ConstrType};

/// `SET NOT NULL`: a scan, unless it holds already or a valid CHECK says so
/// (`NotNullImpliedByRelConstraints`).
pub fn set_not_null(act: &mut Act, altering: &mut Altering, oid: Oid, name: &str) -> Step {
    altering::column_number(act, oid, name)?;
    // Already so: its partitions are so too and are not looked at (ATPrepSetNotNull); since 18 the same
    // of plain children.
    if act.world.column(oid, name).is_some_and(|c| c.not_null)
        && !altering::unvalidated_not_null(act, oid, name)
        && (act.version() >= 18 || act.kind(oid) == RelationKind::PartitionedTable)
    {
        return Ok(());
    }
    altering::lock_partitions_that_must_know(act, altering, oid);
    if act.version() >= 18 {
        not_null_below(act, altering, oid, name);
        return Ok(());
    }
    for table in altering::recursion(act, altering, oid) {
        altering::require_not_null(act, altering, table, name);
    }
    Ok(())
}

/// A child that has it already is opened, those below it are not (18, `ATExecSetNotNull`).
fn not_null_below(act: &mut Act, altering: &mut Altering, oid: Oid, name: &str) {
    altering::require_not_null(act, altering, oid, name);
    if !altering.recurse {
        return;
    }
    for child in act.world.children(oid) {
        let why = format!("a child of {}, which is altered", act.shown(oid));
        act.lock(child, altering.mode, why);
        let has_it = act.world.column(child, name).is_some_and(|c| c.not_null);
        if !has_it || altering::unvalidated_not_null(act, child, name) {
            not_null_below(act, altering, child, name);
        }
    }
}

/// `DROP NOT NULL`: since 18 as the constraint that it is, and nothing where there is none
/// (`ATExecDropNotNull`).
pub fn drop_not_null(act: &mut Act, altering: &mut Altering, oid: Oid, name: &str) -> Step {
    let number = altering::column_number(act, oid, name)?;
    if act.version() >= 18 {
        if act.world.column(oid, name).is_some_and(|c| !c.not_null) {
            return Ok(());
        }
        let constraint = act
            .world
            .constraints
            .of(oid)
            .find(|c| c.kind == 'n' && c.columns == [number])
            .cloned();
        if let Some(constraint) = constraint {
            if constraint.inherited > 0 {
                return refuse(format!("constraint {} is inherited", constraint.name));
            }
            drop_one_constraint(act, altering, &constraint, false)?;
        }
        set_nullable(act, oid, name);
        return Ok(());
    }
    for table in altering::recursion(act, altering, oid) {
        set_nullable(act, table, name);
    }
    Ok(())
}

fn set_nullable(act: &mut Act, oid: Oid, name: &str) {
    if let Some(c) = act.world.column_mut(oid, name) {
        c.not_null = false;
    }
}

/// `ADD CONSTRAINT`; `new_table`: part of CREATE TABLE, so that there is nothing to check.
pub fn add_constraint(
    act: &mut Act,
    altering: &mut Altering,
    oid: Oid,
    constraint: &protobuf::Constraint,
    new_table: bool,
) -> Step {
    let locks_children_first = act.version() >= 18 && altering.recurse && !new_table;
    if locks_children_first {
        altering::lock_tree(act, oid, altering.mode);
    }
    match ConstrType::try_from(constraint.contype).unwrap_or(ConstrType::Undefined) {
        ConstrType::ConstrForeign => foreign_key::add(act, altering, oid, constraint, new_table),
        ConstrType::ConstrCheck => add_check(act, altering, oid, constraint, new_table),
        ConstrType::ConstrNotnull => {
            let name = names::list(&constraint.keys)
                .into_iter()
                .next()
                .unwrap_or_default();
            let conname = Some(constraint.conname.as_str()).filter(|n| !n.is_empty());
            if constraint.skip_validation {
                altering::column_number(act, oid, &name)?;
                for table in altering::recursion(act, altering, oid) {
                    altering::put_not_null(act, table, &name, conname, false);
                }
                return Ok(());
            }
            if act.world.column(oid, &name).is_some_and(|c| !c.not_null) {
                altering::put_not_null(act, oid, &name, conname, false);
            }
            set_not_null(act, altering, oid, &name)
        }
        ConstrType::ConstrPrimary | ConstrType::ConstrUnique | ConstrType::ConstrExclusion => {
            key::add_constraint(act, altering, oid, constraint, new_table)
        }
        _ => Ok(()),
    }
}

/// `ATAddCheckNNConstraint`
fn add_check(
    act: &mut Act,
    altering: &mut Altering,
    oid: Oid,
    constraint: &protobuf::Constraint,
    new_table: bool,
) -> Step {
    if let Some(expr) = &constraint.raw_expr {
        expression::check(act, oid, expr);
    }
    let tables = if constraint.is_no_inherit {
        vec![oid]
    } else {
        altering::recursion(act, altering, oid)
    };
    for table in tables {
        let oid = act.world.new_oid();
        let columns: Vec<i16> = constraint
            .raw_expr
            .as_deref()
            .map(tree::columns)
            .unwrap_or_default()
            .iter()
            .filter_map(|name| act.world.column(table, name).map(|c| c.number))
            .collect();
        let name = if constraint.conname.is_empty() {
            check_name(act, table, &columns)
        } else {
            constraint.conname.clone()
        };
        if let Some(expression) = constraint.raw_expr.as_deref() {
            stored::note(act, (class::CONSTRAINT, oid, 0), expression);
        }
        let validated = !constraint.skip_validation;
        altering::put_constraint(
            act,
            Constraint {
                oid,
                name,
                kind: 'c',
                table,
                columns,
                is_validated: validated,
                no_inherit: constraint.is_no_inherit,
                ..altering::blank_constraint()
            },
        );
        if !constraint.skip_validation && !new_table {
            altering.table(table).scan = true;
        }
    }
    Ok(())
}

/// `ChooseConstraintName` for a check.
fn check_name(act: &Act, table: Oid, columns: &[i16]) -> String {
    let Some(relation) = act.world.relation(table) else {
        return "check".to_owned();
    };
    let column = match columns {
        [one] => relation
            .columns
            .iter()
            .find(|c| c.number == *one)
            .map(|c| c.name.clone()),
        _ => None,
    };
    let base = match column {
        Some(column) => format!("{}_{column}_check", relation.name.relation),
        None => format!("{}_check", relation.name.relation),
    };
    let mut name = base.clone();
    let mut number = 0;
    while act.world.constraint(table, &name).is_some() {
        number += 1;
        name = format!("{base}{number}");
    }
    name
}

/// `VALIDATE CONSTRAINT` (`ATExecValidateConstraint`).
pub fn validate(act: &mut Act, altering: &mut Altering, oid: Oid, name: &str) -> Step {
    let Some(constraint) = act.world.constraint(oid, name).cloned() else {
        return refuse(format!(
            "constraint {name} of {} does not exist",
            act.shown(oid)
        ));
    };
    if constraint.is_validated {
        return Ok(());
    }
    match constraint.kind {
        'f' => foreign_key::validate(act, altering, &constraint),
        _ => {
            let tables = if constraint.no_inherit {
                vec![oid]
            } else {
                altering::lock_tree(act, oid, altering.mode)
            };
            for table in tables {
                altering.table(table).scan = true;
                if let Some(c) = act.world.constraint(table, name).map(|c| c.oid) {
                    stored::run(act, (class::CONSTRAINT, c, 0));
                }
                if let Some(c) = act.world.constraint(table, name).map(|c| c.oid)
                    && let Some(c) = act.world.constraints.get_mut(c)
                {
                    c.is_validated = true;
                }
            }
            Ok(())
        }
    }
}

/// `ATExecDropConstraint`
pub fn drop_constraint(
    act: &mut Act,
    altering: &mut Altering,
    oid: Oid,
    cmd: &AlterTableCmd,
) -> Step {
    let Some(constraint) = act.world.constraint(oid, &cmd.name).cloned() else {
        if cmd.missing_ok {
            return Ok(());
        }
        return refuse(format!(
            "constraint {} of {} does not exist",
            cmd.name,
            act.shown(oid)
        ));
    };
    // ATCheckPartitionsNotInUse (18), with ONLY too.
    if act.version() >= 18 && act.kind(oid) == RelationKind::PartitionedTable {
        altering::lock_tree(act, oid, altering.mode);
    }
    drop_one_constraint(act, altering, &constraint, altering::cascades(cmd))
}

fn drop_one_constraint(
    act: &mut Act,
    altering: &mut Altering,
    constraint: &Constraint,
    cascade: bool,
) -> Step {
    let oid = constraint.table;
    if constraint.inherited > 0
        && altering.table(oid).constraints.is_empty()
        && constraint.is_local
        && constraint.parent != 0
    {
        return refuse(format!("constraint {} is inherited", constraint.name));
    }
    if constraint.kind == 'f' && constraint.referenced != oid {
        let reason = format!("is referenced by foreign key {}", constraint.name);
        act.lock(constraint.referenced, altering.mode, reason);
    }
    let children = if matches!(constraint.kind, 'c' | 'n') && !constraint.no_inherit {
        act.world.children(oid)
    } else {
        Vec::new()
    };
    drop::delete(
        act,
        &[(class::CONSTRAINT, constraint.oid, 0)],
        cascade,
        "loses a constraint",
    )?;
    for child in children {
        act.lock(
            child,
            altering.mode,
            format!("a child of {}, which loses a constraint", act.shown(oid)),
        );
        let inherited = act.world.constraint(child, &constraint.name).cloned();
        if let Some(mut inherited) = inherited {
            if altering.recurse && inherited.inherited <= 1 && !inherited.is_local {
                inherited.inherited = 0;
                drop_one_constraint(act, altering, &inherited, cascade)?;
            } else if let Some(c) = act.world.constraints.get_mut(inherited.oid) {
                c.inherited -= 1;
                c.is_local = true;
            }
        }
    }
    Ok(())
}
