//! `ALTER TABLE`: a level for each subcommand, the highest taken once, then what each one reaches.
//!
//! Source: `AlterTableGetLockLevel`, `ATPrepCmd` and the `ATExec…` functions of tablecmds.c. The mode is
//! the highest of all subcommands and is used for the table and for every table it recurses to.

use super::act::{Act, Step, refuse};
use super::altering::Altering;
use super::{
    altering, column, constraint, drop, foreign_key, names, new_column, partition, rename, retype,
    storage,
};
use crate::model::{LockMode, LockWork, Oid, RelationKind, class};
use pg_query::protobuf::{
    AlterTableCmd, AlterTableStmt, AlterTableType as T, ConstrType, Node, ObjectType,
};
use pg_query::{NodeEnum, protobuf};
use std::collections::BTreeMap;

use LockMode::{AccessExclusive, AccessShare, Share, ShareRowExclusive, ShareUpdateExclusive};

/// Subcommands below ACCESS EXCLUSIVE (`AlterTableGetLockLevel`); those that depend on more than their
/// kind are in [`level`].
const LEVELS: &[(T, LockMode)] = &[
    (T::AtSetStatistics, ShareUpdateExclusive),
    (T::AtSetOptions, ShareUpdateExclusive),
    (T::AtResetOptions, ShareUpdateExclusive),
    (T::AtClusterOn, ShareUpdateExclusive),
    (T::AtDropCluster, ShareUpdateExclusive),
    (T::AtValidateConstraint, ShareUpdateExclusive),
    (T::AtAttachPartition, ShareUpdateExclusive),
    (T::AtDetachPartitionFinalize, ShareUpdateExclusive),
    (T::AtEnableTrig, ShareRowExclusive),
    (T::AtEnableAlwaysTrig, ShareRowExclusive),
    (T::AtEnableReplicaTrig, ShareRowExclusive),
    (T::AtEnableTrigAll, ShareRowExclusive),
    (T::AtEnableTrigUser, ShareRowExclusive),
    (T::AtDisableTrig, ShareRowExclusive),
    (T::AtDisableTrigAll, ShareRowExclusive),
    (T::AtDisableTrigUser, ShareRowExclusive),
];

/// The subcommand's kind.
fn kind_of(cmd: &AlterTableCmd) -> T {
    T::try_from(cmd.subtype).unwrap_or(T::Undefined)
}

/// The mode that one subcommand needs.
fn level(cmd: &AlterTableCmd) -> LockMode {
    let kind = kind_of(cmd);
    match kind {
        T::AtAddConstraint => match constraint_of(cmd).map(|c| c.contype) {
            Some(t) if t == ConstrType::ConstrForeign as i32 => ShareRowExclusive,
            _ => AccessExclusive,
        },
        T::AtDetachPartition => match partition_cmd(cmd) {
            Some(p) if p.concurrent => ShareUpdateExclusive,
            _ => AccessExclusive,
        },
        T::AtSetRelOptions | T::AtResetRelOptions | T::AtReplaceRelOptions => {
            storage::options_level(list_of(cmd))
        }
        _ => LEVELS
            .iter()
            .find(|(k, _)| *k == kind)
            .map_or(AccessExclusive, |(_, mode)| *mode),
    }
}

fn constraint_of(cmd: &AlterTableCmd) -> Option<&protobuf::Constraint> {
    match cmd.def.as_ref()?.node.as_ref()? {
        NodeEnum::Constraint(c) => Some(c),
        _ => None,
    }
}

fn partition_cmd(cmd: &AlterTableCmd) -> Option<&protobuf::PartitionCmd> {
    match cmd.def.as_ref()?.node.as_ref()? {
        NodeEnum::PartitionCmd(p) => Some(p),
        _ => None,
    }
}

fn column_of(cmd: &AlterTableCmd) -> Option<&protobuf::ColumnDef> {
    match cmd.def.as_ref()?.node.as_ref()? {
        NodeEnum::ColumnDef(c) => Some(c),
        _ => None,
    }
}

fn list_of(cmd: &AlterTableCmd) -> &[Node] {
    match cmd.def.as_ref().and_then(|d| d.node.as_ref()) {
        Some(NodeEnum::List(list)) => &list.items,
        _ => &[],
    }
}

/// `ALTER TABLE|INDEX|VIEW|SEQUENCE|… name subcommand, …`
pub fn alter_table(act: &mut Act, statement: &AlterTableStmt) -> Step {
    let Some(range) = &statement.relation else {
        return refuse("no relation is named");
    };
    let cmds: Vec<&AlterTableCmd> = statement
        .cmds
        .iter()
        .filter_map(|n| match &n.node {
            Some(NodeEnum::AlterTableCmd(c)) => Some(c.as_ref()),
            _ => None,
        })
        .collect();
    let mode = cmds
        .iter()
        .map(|c| level(c))
        .max()
        .unwrap_or(AccessExclusive);
    let Some(oid) = act.find(range) else {
        if statement.missing_ok {
            return Ok(());
        }
        return act.missing(range);
    };
    check_kind(act, statement, oid)?;
    if cmds.iter().any(|c| {
        kind_of(c) == T::AtDetachPartition && partition_cmd(c).is_some_and(|p| p.concurrent)
    }) {
        act.not_in_block("ALTER TABLE ... DETACH CONCURRENTLY")?;
    }
    act.lock(oid, mode, "is altered");
    let mut altering = Altering {
        mode,
        tables: BTreeMap::new(),
        recurse: range.inh,
    };
    for cmd in cmds.iter().filter(|c| kind_of(c) == T::AtAlterColumnType) {
        retype::retype_identity(act, oid, &cmd.name);
    }
    // `wqueue` passes: what drops and changes types comes before what adds (AT_PASS_…).
    let mut ordered: Vec<&AlterTableCmd> = cmds;
    ordered.sort_by_key(|c| pass(c));
    let (first, later) = ordered.split_at(ordered.partition_point(|c| pass(c) <= ALTER_TYPE));
    for cmd in first {
        subcommand(act, &mut altering, oid, cmd)?;
    }
    // ATPostAlterTypeCleanup comes before what is added.
    retype::rebuild(act, &mut altering)?;
    for cmd in later {
        subcommand(act, &mut altering, oid, cmd)?;
    }
    finish(act, &mut altering)
}

/// The pass that retypes columns.
const ALTER_TYPE: u8 = 1;

/// `AlterTablePass`, tablecmds.c.
fn pass(cmd: &AlterTableCmd) -> u8 {
    match kind_of(cmd) {
        T::AtDropColumn
        | T::AtDropConstraint
        | T::AtDropNotNull
        | T::AtDropExpression
        | T::AtDropIdentity => 0,
        T::AtColumnDefault if cmd.def.is_none() => 0,
        T::AtAlterColumnType => ALTER_TYPE,
        T::AtAddColumn => 2,
        T::AtSetExpression => 3,
        T::AtAddConstraint | T::AtSetNotNull => match constraint_of(cmd).map(|c| c.contype) {
            Some(t) if t == ConstrType::ConstrForeign as i32 => 6,
            Some(_) => 5,
            None => 4,
        },
        T::AtAddIndexConstraint => 5,
        _ => 7,
    }
}

/// `RangeVarCallbackForAlterRelation`: ALTER VIEW on a table and the like are refused before the lock.
fn check_kind(act: &Act, statement: &AlterTableStmt, oid: Oid) -> Step {
    use RelationKind as K;
    let kind = act.kind(oid);
    let fits = match ObjectType::try_from(statement.objtype) {
        Ok(ObjectType::ObjectView) => kind == K::View,
        Ok(ObjectType::ObjectMatview) => kind == K::MaterializedView,
        Ok(ObjectType::ObjectForeignTable) => kind == K::ForeignTable,
        Ok(ObjectType::ObjectSequence) => kind == K::Sequence,
        Ok(ObjectType::ObjectType) => kind == K::CompositeType,
        Ok(ObjectType::ObjectIndex) => kind.is_index() || kind == K::PartitionedTable,
        _ => kind != K::CompositeType,
    };
    if fits {
        Ok(())
    } else {
        refuse(format!("{} is a {}", act.shown(oid), kind.words()))
    }
}

/// One subcommand on the table that is named.
fn subcommand(act: &mut Act, altering: &mut Altering, oid: Oid, cmd: &AlterTableCmd) -> Step {
    match kind_of(cmd) {
        T::AtAddColumn | T::AtAddColumnToView => match column_of(cmd) {
            Some(def) => column::add(act, altering, oid, def, cmd.missing_ok),
            None => Ok(()),
        },
        T::AtDropColumn => drop_column(act, altering, oid, cmd),
        T::AtAlterColumnType => match column_of(cmd) {
            Some(def) => retype::alter_type(act, altering, oid, &cmd.name, def),
            None => Ok(()),
        },
        T::AtColumnDefault => set_default(act, altering, oid, cmd),
        T::AtSetNotNull => constraint::set_not_null(act, altering, oid, &cmd.name),
        T::AtDropNotNull => constraint::drop_not_null(act, altering, oid, &cmd.name),
        T::AtSetStatistics => set_statistics(act, altering, oid),
        T::AtSetOptions | T::AtResetOptions => Ok(()),
        T::AtSetStorage => column::set_storage(act, altering, oid, &cmd.name, true),
        T::AtSetCompression => column::set_storage(act, altering, oid, &cmd.name, false),
        T::AtAddConstraint => match constraint_of(cmd) {
            Some(constraint) => constraint::add_constraint(act, altering, oid, constraint, false),
            None => Ok(()),
        },
        T::AtAddIndex | T::AtAddIndexConstraint => Ok(()),
        T::AtAlterConstraint => foreign_key::alter(act, altering, oid, cmd),
        T::AtValidateConstraint => constraint::validate(act, altering, oid, &cmd.name),
        T::AtDropConstraint => constraint::drop_constraint(act, altering, oid, cmd),
        T::AtChangeOwner => rename::change_owner(act, oid, cmd.newowner.as_ref(), AccessExclusive),
        T::AtClusterOn => cluster_on(act, altering, oid, &cmd.name),
        T::AtSetLogged => storage::set_persistence(act, altering, oid, 'p'),
        T::AtSetUnLogged => storage::set_persistence(act, altering, oid, 'u'),
        T::AtSetAccessMethod => storage::set_access_method(act, altering, oid, &cmd.name),
        T::AtSetTableSpace => storage::set_tablespace(act, altering, oid, &cmd.name),
        T::AtSetRelOptions | T::AtResetRelOptions | T::AtReplaceRelOptions => {
            storage::set_options(act, altering.mode, oid);
            Ok(())
        }
        kind @ (T::AtEnableTrig
        | T::AtEnableAlwaysTrig
        | T::AtEnableReplicaTrig
        | T::AtEnableTrigAll
        | T::AtEnableTrigUser
        | T::AtDisableTrig
        | T::AtDisableTrigAll
        | T::AtDisableTrigUser) => triggers(act, altering, oid, kind, &cmd.name),
        T::AtAddInherit => inherit(act, altering, oid, cmd, true),
        T::AtDropInherit => inherit(act, altering, oid, cmd, false),
        T::AtAddOf => of_type(act, oid, cmd),
        T::AtDropOf => {
            if let Some(r) = act.world.relation_mut(oid) {
                r.of_type = 0;
            }
            Ok(())
        }
        T::AtReplicaIdentity => replica_identity(act, oid, cmd),
        kind @ (T::AtEnableRowSecurity | T::AtDisableRowSecurity) => {
            if let Some(r) = act.world.relation_mut(oid) {
                r.row_security = kind == T::AtEnableRowSecurity;
            }
            Ok(())
        }
        T::AtAttachPartition => match partition_cmd(cmd) {
            Some(p) => partition::attach(act, altering, oid, p),
            None => Ok(()),
        },
        T::AtDetachPartition => match partition_cmd(cmd) {
            Some(p) => partition::detach(act, oid, p),
            None => Ok(()),
        },
        T::AtDetachPartitionFinalize => match partition_cmd(cmd) {
            Some(p) => partition::finalize(act, oid, p),
            None => Ok(()),
        },
        kind @ (T::AtAddIdentity | T::AtSetIdentity | T::AtDropIdentity) => {
            column::identity(act, altering, oid, kind, cmd)
        }
        kind @ (T::AtSetExpression | T::AtDropExpression) => {
            column::expression(act, altering, oid, kind, cmd)
        }
        T::AtDropCluster
        | T::AtDropOids
        | T::AtEnableRule
        | T::AtEnableAlwaysRule
        | T::AtEnableReplicaRule
        | T::AtDisableRule
        | T::AtForceRowSecurity
        | T::AtNoForceRowSecurity
        | T::AtGenericOptions
        | T::AtAlterColumnGenericOptions => Ok(()),
        _ => {
            act.opaque("a subcommand that is not known");
            Ok(())
        }
    }
}

/// `ATExecDropColumn`: children are opened even with ONLY, for they then own the column.
fn drop_column(act: &mut Act, altering: &mut Altering, oid: Oid, cmd: &AlterTableCmd) -> Step {
    if act.world.column(oid, &cmd.name).is_none() {
        if cmd.missing_ok {
            return Ok(());
        }
        return refuse(format!(
            "column {} of {} does not exist",
            cmd.name,
            act.shown(oid)
        ));
    }
    let mut objects = Vec::new();
    collect_dropped_columns(act, altering, oid, &cmd.name, &mut objects);
    for table in altering::typed_tables(act, altering, oid)? {
        if let Some(c) = act.world.column(table, &cmd.name) {
            objects.push((class::RELATION, table, i32::from(c.number)));
        }
    }
    drop::delete(act, &objects, altering::cascades(cmd), "loses a column")
}

fn collect_dropped_columns(
    act: &mut Act,
    altering: &Altering,
    oid: Oid,
    name: &str,
    objects: &mut Vec<super::world::Object>,
) {
    let Some(column) = act.world.column(oid, name).cloned() else {
        return;
    };
    for child in act.world.children(oid) {
        act.lock(
            child,
            altering.mode,
            format!("a child of {}, which loses a column", act.shown(oid)),
        );
        let sole = act
            .world
            .column(child, name)
            .is_some_and(|c| c.inherited <= 1 && !c.is_local);
        if altering.recurse && sole {
            collect_dropped_columns(act, altering, child, name, objects);
        } else if let Some(c) = act.world.column_mut(child, name) {
            c.inherited -= 1;
            c.is_local |= !altering.recurse;
        }
    }
    objects.push((class::RELATION, oid, i32::from(column.number)));
}

/// `SET DEFAULT`, `DROP DEFAULT`
fn set_default(act: &mut Act, altering: &mut Altering, oid: Oid, cmd: &AlterTableCmd) -> Step {
    let tree = altering::recursion(act, altering, oid);
    altering::column_number(act, oid, &cmd.name)?;
    for table in tree {
        let Some(number) = act.world.column(table, &cmd.name).map(|c| c.number) else {
            continue;
        };
        let old: Vec<Oid> = act
            .world
            .defaults
            .of(table)
            .filter(|d| d.column == number)
            .map(|d| d.oid)
            .collect();
        for default in old {
            act.world.forget((class::DEFAULT, default, 0));
        }
        if let Some(expr) = &cmd.def {
            new_column::put_default(act, table, number, Some(expr));
        }
    }
    Ok(())
}

/// `SET STATISTICS`
fn set_statistics(act: &mut Act, altering: &mut Altering, oid: Oid) -> Step {
    if !act.kind(oid).is_index() {
        altering::recursion(act, altering, oid);
    }
    Ok(())
}

/// `CLUSTER ON`: the index gets the table's mode.
fn cluster_on(act: &mut Act, altering: &Altering, oid: Oid, name: &str) -> Step {
    let schema = act.relation(oid)?.name.schema.clone();
    match act.world.find_name(&schema, name) {
        Some(index) => {
            act.names(index);
            act.lock(index, altering.mode, "the index to cluster on");
            let all: Vec<Oid> = act.world.indexes.of(oid).map(|i| i.oid).collect();
            for i in all {
                if let Some(x) = act.world.indexes.get_mut(i) {
                    x.is_clustered = i == index;
                }
            }
            Ok(())
        }
        None => refuse(format!("index {name} of {} does not exist", act.shown(oid))),
    }
}

/// `ENABLE/DISABLE TRIGGER`: row triggers of a partitioned table are cloned on its partitions
/// (`EnableDisableTrigger`, trigger.c; in 14 since a late minor, seen in 14.23).
fn triggers(act: &mut Act, altering: &Altering, oid: Oid, kind: T, name: &str) -> Step {
    let all = matches!(
        kind,
        T::AtEnableTrigAll | T::AtDisableTrigAll | T::AtEnableTrigUser | T::AtDisableTrigUser
    );
    let user_only = matches!(kind, T::AtEnableTrigUser | T::AtDisableTrigUser);
    let wanted = match kind {
        T::AtEnableTrig | T::AtEnableTrigAll | T::AtEnableTrigUser => 'O',
        T::AtEnableAlwaysTrig => 'A',
        T::AtEnableReplicaTrig => 'R',
        _ => 'D',
    };
    let matching: Vec<_> = act
        .world
        .triggers
        .of(oid)
        .filter(|t| (all && !(user_only && t.is_internal)) || (!all && t.name == name))
        .cloned()
        .collect();
    if matching.is_empty() && !all {
        return refuse(format!(
            "trigger {name} of {} does not exist",
            act.shown(oid)
        ));
    }
    // TRIGGER_TYPE_ROW
    let is_partitioned = act.kind(oid) == RelationKind::PartitionedTable;
    let recurses = is_partitioned && altering.recurse && matching.iter().any(|t| t.events & 1 != 0);
    for t in matching {
        if let Some(t) = act.world.triggers.get_mut(t.oid) {
            t.enabled = wanted;
        }
    }
    if recurses {
        altering::lock_tree(act, oid, altering.mode);
    }
    Ok(())
}

/// `INHERIT`, `NO INHERIT`
fn inherit(
    act: &mut Act,
    _altering: &mut Altering,
    oid: Oid,
    cmd: &AlterTableCmd,
    add: bool,
) -> Step {
    let Some(NodeEnum::RangeVar(range)) = cmd.def.as_ref().and_then(|d| d.node.as_ref()) else {
        return Ok(());
    };
    let parent = act.resolve(range)?;
    if add {
        // ATExecAddInherit: the parent as for ATTACH, our own children to find a cycle.
        act.lock(parent, ShareUpdateExclusive, "becomes a parent");
        let tree = act.world.tree(oid);
        for child in &tree[1..] {
            act.lock(*child, AccessShare, "is checked for a cycle of inheritance");
        }
        if tree.contains(&parent) {
            return refuse("circular inheritance not allowed");
        }
        act.world.put_inheritance(crate::model::Inheritance {
            child: oid,
            parent,
            detach_pending: false,
        });
        act.world
            .depend((class::RELATION, oid, 0), (class::RELATION, parent, 0), 'n');
    } else {
        act.lock(parent, AccessShare, "is no longer a parent");
        act.world.remove_inheritance(oid, parent);
        act.world
            .undepend((class::RELATION, oid), (class::RELATION, parent));
    }
    Ok(())
}

/// `OF type`
fn of_type(act: &mut Act, oid: Oid, cmd: &AlterTableCmd) -> Step {
    let Some(NodeEnum::TypeName(name)) = cmd.def.as_ref().and_then(|d| d.node.as_ref()) else {
        return Ok(());
    };
    let found = act
        .world
        .find_type(&names::list(&name.names))
        .map(|t| (t.oid, t.relation));
    if let Some((type_oid, relation)) = found {
        act.names(relation);
        act.lock(relation, AccessShare, "the composite type");
        if let Some(r) = act.world.relation_mut(oid) {
            r.of_type = type_oid;
        }
    }
    Ok(())
}

/// `REPLICA IDENTITY` (`ATExecReplicaIdentity`): the index is opened with SHARE.
fn replica_identity(act: &mut Act, oid: Oid, cmd: &AlterTableCmd) -> Step {
    let Some(NodeEnum::ReplicaIdentityStmt(s)) = cmd.def.as_ref().and_then(|d| d.node.as_ref())
    else {
        return Ok(());
    };
    if s.identity_type == "i" {
        let schema = act.relation(oid)?.name.schema.clone();
        let Some(index) = act.world.find_name(&schema, &s.name) else {
            return refuse(format!(
                "index {} of {} does not exist",
                s.name,
                act.shown(oid)
            ));
        };
        act.names(index);
        act.lock(index, Share, "the index that becomes the replica identity");
    }
    Ok(())
}

/// The end of an `ALTER TABLE`: what is rebuilt, then what is rewritten or read
/// (`ATPostAlterTypeCleanup` and `ATRewriteTables`).
fn finish(act: &mut Act, altering: &mut Altering) -> Step {
    retype::rebuild(act, altering)?;
    let tables: Vec<Oid> = altering.tables.keys().copied().collect();
    for &oid in &tables {
        let altered = altering.table(oid).clone();
        storage::rewrite(act, altering, oid, &altered);
    }
    for oid in tables {
        for check in altering.table(oid).checks.clone() {
            foreign_key::check_rows(act, &check);
        }
        if altering.table(oid).scan {
            act.works(oid, LockWork::Scan);
        }
    }
    Ok(())
}
