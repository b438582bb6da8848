//! Triggers and policies.

use crate::migration::footprint::act::{Act, Step, refuse};
use crate::migration::footprint::names;
use crate::migration::footprint::query::walk;
use crate::migration::footprint::query::walk::Stage;
use crate::model::{LockMode, Oid, Policy, RelationKind, Trigger, class};
use pg_query::NodeEnum;
use pg_query::protobuf::{AlterPolicyStmt, CreatePolicyStmt, CreateTrigStmt};

use LockMode::{AccessExclusive, AccessShare, ShareRowExclusive};

/// `CREATE TRIGGER` (`CreateTriggerFiringOn`)
pub fn trigger(act: &mut Act, statement: &CreateTrigStmt) -> Step {
    let Some(range) = &statement.relation else {
        return Ok(());
    };
    let oid = act.resolve(range)?;
    act.lock(oid, ShareRowExclusive, "gets a trigger");
    if let Some(range) = &statement.constrrel {
        let other = act.resolve(range)?;
        act.lock(
            other,
            AccessShare,
            "the other table of a constraint trigger",
        );
    }
    let existing = act
        .world
        .triggers
        .of(oid)
        .find(|t| t.name == statement.trigname)
        .map(|t| t.oid);
    match existing {
        Some(_) if !statement.replace => {
            return refuse(format!(
                "trigger {} of {} already exists",
                statement.trigname,
                act.shown(oid)
            ));
        }
        Some(old) => act.world.forget((class::TRIGGER, old, 0)),
        None => {}
    }
    let parent = put_trigger(act, oid, statement, 0);
    if statement.row && act.kind(oid) == RelationKind::PartitionedTable {
        for partition in act.world.tree(oid).into_iter().skip(1) {
            act.lock(
                partition,
                ShareRowExclusive,
                format!(
                    "a partition of {}, which gets a row trigger",
                    act.shown(oid)
                ),
            );
            put_trigger(act, partition, statement, parent);
        }
    }
    Ok(())
}

fn put_trigger(act: &mut Act, table: Oid, statement: &CreateTrigStmt, parent: Oid) -> Oid {
    let function = act
        .world
        .find_routines(&names::list(&statement.funcname))
        .first()
        .map_or(0, |r| r.oid);
    let transitions = statement.transition_rels.iter();
    let transition_tables = transitions.filter_map(|n| match &n.node {
        Some(NodeEnum::TriggerTransition(transition)) => Some(transition.name.clone()),
        _ => None,
    });
    let transition_tables = transition_tables.collect();
    let oid = act.world.new_oid();
    act.world.triggers.put(Trigger {
        oid,
        name: statement.trigname.clone(),
        table,
        function,
        events: i16::try_from(statement.events | statement.timing | i32::from(statement.row))
            .unwrap_or(0),
        enabled: 'O',
        is_internal: false,
        constraint: 0,
        referenced: 0,
        parent,
        columns: Vec::new(),
        is_deferred: statement.initdeferred,
        transition_tables,
    });
    let object = (class::TRIGGER, oid, 0);
    act.world.depend(object, (class::RELATION, table, 0), 'a');
    act.world.depend(object, (class::PROC, function, 0), 'n');
    if parent != 0 {
        act.world.depend(object, (class::TRIGGER, parent, 0), 'P');
        act.world.depend(object, (class::RELATION, table, 0), 'S');
    }
    oid
}

/// `CREATE POLICY` (`CreatePolicy`)
pub fn create_policy(act: &mut Act, statement: &CreatePolicyStmt) -> Step {
    let Some(range) = &statement.table else {
        return Ok(());
    };
    let oid = act.resolve(range)?;
    act.lock(oid, AccessExclusive, "gets a policy");
    for clause in [&statement.qual, &statement.with_check]
        .into_iter()
        .flatten()
    {
        if let Some(node) = &clause.node {
            walk::run(act, node, Stage::Parsed)?;
        }
    }
    let policy = act.world.new_oid();
    act.world.policies.put(Policy {
        oid: policy,
        name: statement.policy_name.clone(),
        table: oid,
        range: Vec::new(),
        check_range: Vec::new(),
        command: '*',
        roles: names::role_names(&statement.roles),
    });
    act.world
        .depend((class::POLICY, policy, 0), (class::RELATION, oid, 0), 'a');
    Ok(())
}

/// `ALTER POLICY` (`AlterPolicy`)
pub fn alter_policy(act: &mut Act, statement: &AlterPolicyStmt) -> Step {
    let Some(range) = &statement.table else {
        return Ok(());
    };
    let oid = act.resolve(range)?;
    act.lock(oid, AccessExclusive, "one of its policies is altered");
    let used: Vec<Oid> = act
        .world
        .policies
        .of(oid)
        .filter(|p| p.name == statement.policy_name)
        .flat_map(|p| {
            let using = p.range.iter().filter(|_| statement.qual.is_none());
            let check = p
                .check_range
                .iter()
                .filter(|_| statement.with_check.is_none());
            using.chain(check).map(|r| r.relation).collect::<Vec<_>>()
        })
        .collect();
    for clause in [&statement.qual, &statement.with_check]
        .into_iter()
        .flatten()
    {
        if let Some(node) = &clause.node {
            walk::run(act, node, Stage::Parsed)?;
        }
    }
    for relation in used {
        act.depends_on(relation, "the policy reads it");
    }
    Ok(())
}
