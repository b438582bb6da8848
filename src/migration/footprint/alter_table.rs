//! `ALTER TABLE`: a level for each subcommand, the highest taken once, then what each one reaches.
//!
//! Source: `AlterTableGetLockLevel`, `ATPrepCmd` and the `ATExec…` functions of tablecmds.c. The mode is
//! the highest of all subcommands and is used for the table and for every table it recurses to.

use super::act::{Act, Refused, Step, refuse};
use super::column;
use super::drop;
use super::expression;
use super::foreign_key;
use super::index;
use super::names;
use super::partition;
use super::rename;
use super::storage;
use crate::model::{Constraint, LockMode, LockWork, Oid, RelationKind, class};
use pg_query::NodeEnum;
use pg_query::protobuf::{
    self, AlterTableCmd, AlterTableStmt, AlterTableType as T, ConstrType, DropBehavior, Node,
    ObjectType,
};
use std::collections::BTreeMap;

use LockMode::{AccessExclusive, AccessShare, Share, ShareRowExclusive, ShareUpdateExclusive};

/// What happens to one table beyond its catalog rows (`AlteredTableInfo`).
#[derive(Debug, Default, Clone)]
pub struct Altered {
    /// Written anew, and why.
    pub rewrite: Option<String>,
    /// Read whole.
    pub scan: bool,
    /// Constraints to take away and add again.
    pub constraints: Vec<Oid>,
    /// Indexes to take away and build again.
    pub indexes: Vec<Oid>,
    /// Columns whose new type is indexed by other operators.
    pub other_operators: Vec<i16>,
    /// Columns that got another collation: indexes sort by it, foreign keys compare as before.
    pub other_collations: Vec<i16>,
    /// Extended statistics to take away and add again.
    pub statistics: Vec<Oid>,
    /// Foreign keys to check against all rows.
    pub checks: Vec<foreign_key::Check>,
    /// Another tablespace: the files are copied.
    pub moves: bool,
    /// Its sequences change persistence with it.
    pub persistence: Option<char>,
}

/// An `ALTER TABLE` under way.
pub struct Altering {
    /// The mode for the table and all that it recurses to.
    pub mode: LockMode,
    /// Per table, what is left for the end (`wqueue`).
    pub tables: BTreeMap<Oid, Altered>,
    /// Without `ONLY`.
    pub recurse: bool,
}

impl Altering {
    /// What is noted for a table.
    pub fn table(&mut self, oid: Oid) -> &mut Altered {
        self.tables.entry(oid).or_default()
    }
}

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

fn cascades(cmd: &AlterTableCmd) -> bool {
    cmd.behavior == DropBehavior::DropCascade as i32
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
        column::retype_identity(act, oid, &cmd.name);
    }
    // `wqueue` passes: what drops and changes types comes before what adds (AT_PASS_…).
    let mut ordered: Vec<&AlterTableCmd> = cmds;
    ordered.sort_by_key(|c| pass(c));
    let (first, later) = ordered.split_at(ordered.partition_point(|c| pass(c) <= ALTER_TYPE));
    for cmd in first {
        subcommand(act, &mut altering, oid, cmd)?;
    }
    // ATPostAlterTypeCleanup comes before what is added.
    column::rebuild(act, &mut altering)?;
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
        T::AtSetExpression => 2,
        T::AtAddColumn => 3,
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
            Some(def) => column::alter_type(act, altering, oid, &cmd.name, def),
            None => Ok(()),
        },
        T::AtColumnDefault => set_default(act, altering, oid, cmd),
        T::AtSetNotNull => set_not_null(act, altering, oid, &cmd.name),
        T::AtDropNotNull => drop_not_null(act, altering, oid, &cmd.name),
        T::AtSetStatistics => set_statistics(act, altering, oid),
        T::AtSetOptions | T::AtResetOptions => Ok(()),
        T::AtSetStorage => column::set_storage(act, altering, oid, &cmd.name, true),
        T::AtSetCompression => column::set_storage(act, altering, oid, &cmd.name, false),
        T::AtAddConstraint => match constraint_of(cmd) {
            Some(constraint) => add_constraint(act, altering, oid, constraint, false),
            None => Ok(()),
        },
        T::AtAddIndex | T::AtAddIndexConstraint => Ok(()),
        T::AtAlterConstraint => foreign_key::alter(act, altering, oid, cmd),
        T::AtValidateConstraint => validate(act, altering, oid, &cmd.name),
        T::AtDropConstraint => drop_constraint(act, altering, oid, cmd),
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

/// Locks the table's whole tree (`ATSimpleRecursion`: `find_all_inheritors`).
pub fn lock_tree(act: &mut Act, oid: Oid, mode: LockMode) -> Vec<Oid> {
    let tree = act.world.tree(oid);
    let parent = act.shown(oid);
    for &child in tree.iter().skip(1) {
        act.lock(
            child,
            mode,
            format!("a child of {parent}, which is altered"),
        );
    }
    tree
}

/// The tables that a subcommand works on: all children too, unless ONLY.
pub fn recursion(act: &mut Act, altering: &Altering, oid: Oid) -> Vec<Oid> {
    if altering.recurse {
        lock_tree(act, oid, altering.mode)
    } else {
        vec![oid]
    }
}

/// A column's number, or a refusal.
pub fn column_number(act: &Act, oid: Oid, name: &str) -> Step<i16> {
    act.world
        .column(oid, name)
        .map(|c| c.number)
        .ok_or_else(|| {
            Refused(format!(
                "column {name} of {} does not exist",
                act.shown(oid)
            ))
        })
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
    for table in column::typed_tables(act, altering, oid)? {
        if let Some(c) = act.world.column(table, &cmd.name) {
            objects.push((class::RELATION, table, i32::from(c.number)));
        }
    }
    drop::delete(act, &objects, cascades(cmd), "loses a column")
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
    let tree = recursion(act, altering, oid);
    column_number(act, oid, &cmd.name)?;
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
            column::put_default(act, table, number, Some(expr));
        }
    }
    Ok(())
}

/// `SET NOT NULL`: a scan, unless it holds already or a valid CHECK says so
/// (`NotNullImpliedByRelConstraints`).
fn set_not_null(act: &mut Act, altering: &mut Altering, oid: Oid, name: &str) -> Step {
    column_number(act, oid, name)?;
    // Already so: its partitions are so too and are not looked at (ATPrepSetNotNull); since 18 the same
    // of plain children.
    if act.world.column(oid, name).is_some_and(|c| c.not_null)
        && !unvalidated_not_null(act, oid, name)
        && (act.version() >= 18 || act.kind(oid) == RelationKind::PartitionedTable)
    {
        return Ok(());
    }
    lock_partitions_that_must_know(act, altering, oid);
    for table in recursion(act, altering, oid) {
        column::require_not_null(act, altering, table, name);
    }
    Ok(())
}

/// With ONLY, the partitions are looked at whether they have it already (`ATPrepSetNotNull`:
/// `AT_CheckNotNull`, until 17).
pub fn lock_partitions_that_must_know(act: &mut Act, altering: &Altering, oid: Oid) {
    let is_partitioned = act.kind(oid) == RelationKind::PartitionedTable;
    if !altering.recurse && is_partitioned && act.version() < 18 {
        lock_tree(act, oid, altering.mode);
    }
}

/// Whether the column's NOT NULL constraint is there but not validated (18).
fn unvalidated_not_null(act: &Act, oid: Oid, name: &str) -> bool {
    let Some(number) = act.world.column(oid, name).map(|c| c.number) else {
        return false;
    };
    act.world
        .constraints
        .of(oid)
        .any(|c| c.kind == 'n' && c.columns == [number] && !c.is_validated)
}

/// `DROP NOT NULL`: since 18 as the constraint that it is, and nothing where there is none
/// (`ATExecDropNotNull`).
fn drop_not_null(act: &mut Act, altering: &mut Altering, oid: Oid, name: &str) -> Step {
    let number = column_number(act, oid, name)?;
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
    for table in recursion(act, altering, oid) {
        set_nullable(act, table, name);
    }
    Ok(())
}

fn set_nullable(act: &mut Act, oid: Oid, name: &str) {
    if let Some(c) = act.world.column_mut(oid, name) {
        c.not_null = false;
    }
}

/// `SET STATISTICS`
fn set_statistics(act: &mut Act, altering: &mut Altering, oid: Oid) -> Step {
    if !act.kind(oid).is_index() {
        recursion(act, altering, oid);
    }
    Ok(())
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
        lock_tree(act, oid, altering.mode);
    }
    match ConstrType::try_from(constraint.contype).unwrap_or(ConstrType::Undefined) {
        ConstrType::ConstrForeign => foreign_key::add(act, altering, oid, constraint, new_table),
        ConstrType::ConstrCheck => add_check(act, altering, oid, constraint, new_table),
        ConstrType::ConstrNotnull => {
            let name = names::list(&constraint.keys)
                .into_iter()
                .next()
                .unwrap_or_default();
            if constraint.skip_validation {
                recursion(act, altering, oid);
                return Ok(());
            }
            set_not_null(act, altering, oid, &name)
        }
        ConstrType::ConstrPrimary | ConstrType::ConstrUnique | ConstrType::ConstrExclusion => {
            index::add_constraint(act, altering, oid, constraint, new_table)
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
        recursion(act, altering, oid)
    };
    for table in tables {
        let oid = act.world.new_oid();
        let columns: Vec<i16> = constraint
            .raw_expr
            .as_deref()
            .map(expression::columns)
            .unwrap_or_default()
            .iter()
            .filter_map(|name| act.world.column(table, name).map(|c| c.number))
            .collect();
        let name = if constraint.conname.is_empty() {
            check_name(act, table, &columns)
        } else {
            constraint.conname.clone()
        };
        let validated = !constraint.skip_validation;
        put_constraint(
            act,
            Constraint {
                oid,
                name,
                kind: 'c',
                table,
                columns,
                is_validated: validated,
                no_inherit: constraint.is_no_inherit,
                ..blank_constraint()
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

/// A constraint with nothing in it.
pub fn blank_constraint() -> Constraint {
    Constraint {
        oid: 0,
        name: String::new(),
        kind: 'c',
        table: 0,
        domain: 0,
        index: 0,
        parent: 0,
        referenced: 0,
        columns: Vec::new(),
        referenced_columns: Vec::new(),
        on_delete: ' ',
        on_update: ' ',
        is_validated: true,
        no_inherit: false,
        is_local: true,
        inherited: 0,
        is_deferrable: false,
        is_deferred: false,
        is_enforced: true,
        has_comment: false,
        expression: None,
    }
}

/// Puts a constraint into the world, with its dependency on the table's columns.
pub fn put_constraint(act: &mut Act, constraint: Constraint) {
    let object = (class::CONSTRAINT, constraint.oid, 0);
    if constraint.columns.is_empty() {
        act.world
            .depend(object, (class::RELATION, constraint.table, 0), 'a');
    }
    for &column in &constraint.columns {
        act.world.depend(
            object,
            (class::RELATION, constraint.table, i32::from(column)),
            'a',
        );
    }
    for &column in &constraint.referenced_columns {
        act.world.depend(
            object,
            (class::RELATION, constraint.referenced, i32::from(column)),
            'n',
        );
    }
    act.world.put_constraint(constraint);
}

/// `VALIDATE CONSTRAINT` (`ATExecValidateConstraint`).
fn validate(act: &mut Act, altering: &mut Altering, oid: Oid, name: &str) -> Step {
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
                lock_tree(act, oid, altering.mode)
            };
            for table in tables {
                altering.table(table).scan = true;
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
fn drop_constraint(act: &mut Act, altering: &mut Altering, oid: Oid, cmd: &AlterTableCmd) -> Step {
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
    drop_one_constraint(act, altering, &constraint, cascades(cmd))
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
    if act.kind(oid) != RelationKind::PartitionedTable {
        return Ok(());
    }
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
    let recurses = altering.recurse && matching.iter().any(|t| t.events & 1 != 0);
    for t in matching {
        if let Some(t) = act.world.triggers.get_mut(t.oid) {
            t.enabled = wanted;
        }
    }
    if recurses {
        lock_tree(act, oid, altering.mode);
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
        for child in act.world.tree(oid).into_iter().skip(1) {
            act.lock(
                child,
                AccessShare,
                "is looked at for a cycle of inheritance",
            );
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
pub fn finish(act: &mut Act, altering: &mut Altering) -> Step {
    column::rebuild(act, altering)?;
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
