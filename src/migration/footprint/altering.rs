//! What every part of ALTER TABLE shares: the tables under way, and the recursion to their children.

use super::act::{Act, Refused, Step};
use super::names;
use crate::model::{Constraint, LockMode, Oid, RelationKind, class};
use pg_query::protobuf::{AlterTableCmd, DropBehavior};
use std::collections::BTreeMap;

/// What happens to one table beyond its catalog rows (`AlteredTableInfo`).
#[derive(Debug, Default, Clone)]
pub struct Altered {
    /// Rewritten, and why.
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
    pub checks: Vec<Check>,
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

/// A foreign key to check against all rows of both sides.
#[derive(Debug, Clone)]
pub struct Check {
    /// The table that references.
    pub table: Oid,
    /// The table that is referenced.
    pub referenced: Oid,
    pub name: String,
}

/// Tables OF a composite type follow it with CASCADE (`ATTypedTableRecursion`).
pub fn typed_tables(act: &mut Act, altering: &mut Altering, oid: Oid) -> Step<Vec<Oid>> {
    let row_type = act.relation(oid)?.row_type;
    if act.kind(oid) != RelationKind::CompositeType || row_type == 0 {
        return Ok(Vec::new());
    }
    let typed: Vec<Oid> = act
        .world
        .relations()
        .filter(|r| r.of_type == row_type)
        .map(|r| r.oid)
        .collect();
    let mut found = Vec::new();
    for table in typed {
        for below in act.world.tree(table) {
            act.lock(
                below,
                altering.mode,
                format!("is a table of {}", act.shown(oid)),
            );
            found.push(below);
        }
    }
    Ok(found)
}

/// `NOT NULL` for a column: a scan, unless a valid CHECK proves it.
pub fn require_not_null(act: &mut Act, altering: &mut Altering, table: Oid, name: &str) {
    let Some(column) = act.world.column(table, name).cloned() else {
        return;
    };
    let proven = act.world.constraints.of(table).any(|c| {
        c.kind == 'c'
            && c.is_validated
            && c.columns == [column.number]
            && c.expression
                .as_deref()
                .is_none_or(|e| e.starts_with("{NULLTEST") && e.contains(":nulltesttype 1"))
    });
    if !column.not_null && !proven || unvalidated_not_null(act, table, name) {
        altering.table(table).scan = true;
    }
    put_not_null(act, table, name, None, true);
    if let Some(c) = act.world.column_mut(table, &column.name) {
        c.not_null = true;
    }
}

/// Whether a subcommand says CASCADE.
pub fn cascades(cmd: &AlterTableCmd) -> bool {
    cmd.behavior == DropBehavior::DropCascade as i32
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
pub fn unvalidated_not_null(act: &Act, oid: Oid, name: &str) -> bool {
    let Some(number) = act.world.column(oid, name).map(|c| c.number) else {
        return false;
    };
    act.world
        .constraints
        .of(oid)
        .any(|c| c.kind == 'n' && c.columns == [number] && !c.is_validated)
}

/// Since 18 NOT NULL is a constraint: puts it into the world, under the name that is said or chosen, or
/// validates the one that is there.
pub fn put_not_null(
    act: &mut Act,
    table: Oid,
    column: &str,
    name: Option<&str>,
    is_validated: bool,
) {
    if act.version() < 18 {
        return;
    }
    let Some(number) = act.world.column(table, column).map(|c| c.number) else {
        return;
    };
    let existing = act
        .world
        .constraints
        .of(table)
        .find(|c| c.kind == 'n' && c.columns == [number])
        .map(|c| c.oid);
    if let Some(c) = existing.and_then(|c| act.world.constraints.get_mut(c)) {
        c.is_validated |= is_validated;
        return;
    }
    let relation = act.world.relation(table).map(|r| r.name.relation.clone());
    let chosen = names::object_name(&relation.unwrap_or_default(), column, "not_null");
    let constraint = Constraint {
        oid: act.world.new_oid(),
        name: name.map_or(chosen, str::to_owned),
        kind: 'n',
        table,
        columns: vec![number],
        is_validated,
        ..blank_constraint()
    };
    put_constraint(act, constraint);
    if let Some(c) = act.world.column_mut(table, column) {
        c.not_null = true;
    }
}
