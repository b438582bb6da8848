//! What ALTER TABLE does not do to a column or a table as it is: keys, identities, partitions, views.

use crate::migration::footprint::act::{Act, Step, refuse};
use crate::migration::footprint::{names, tree};
use crate::model::{Column, Index, Oid, RelationKind, quoted};
use pg_query::NodeEnum as N;
use pg_query::protobuf::{
    AlterTableCmd, AlterTableStmt, AlterTableType as T, ConstrType, DropStmt, ObjectType,
    RenameStmt,
};

/// Refuses what a relation does not let be done to it.
pub fn is_allowed(act: &Act, node: &N) -> Step {
    match node {
        N::AlterTableStmt(s) => alter_table(act, s),
        N::RenameStmt(s) => renamed(act, s),
        N::DropStmt(s) if s.remove_type == ObjectType::ObjectIndex as i32 => index(act, s),
        _ => Ok(()),
    }
}

fn alter_table(act: &Act, statement: &AlterTableStmt) -> Step {
    let range = statement.relation.as_ref();
    let Some((table, range)) = range.and_then(|r| Some((act.world.find(r)?, r))) else {
        return Ok(());
    };
    let Some((kind, cmd)) = tree::only_command(statement) else {
        return Ok(());
    };
    of_view(act, table, kind)?;
    partitions(act, table, kind, range.inh)?;
    let on = act.world.column(table, &cmd.name);
    match (kind, on) {
        (T::AtDropNotNull, Some(column)) => may_be_null(act, table, column),
        (T::AtDropColumn, Some(column)) => {
            in_partition_key(act, table, column, "dropped")?;
            if column.inherited > 0 {
                return of_parent(act, table, column, "dropped");
            }
            in_children(act, table, range.inh, "dropped")
        }
        (T::AtAlterColumnType, Some(column)) => {
            in_partition_key(act, table, column, "given another type")?;
            match column.inherited > 0 {
                true => of_parent(act, table, column, "given another type"),
                false => Ok(()),
            }
        }
        (T::AtColumnDefault, Some(column)) => has_its_own_value(act, table, column, cmd),
        (T::AtAddIdentity, Some(column)) if !column.identity.is_empty() => refuse(format!(
            "column {} of {} is an identity column already",
            quoted(&column.name),
            act.shown(table)
        )),
        (T::AtAddIdentity, Some(column)) if has_default(act, table, column) => refuse(format!(
            "column {} of {} has a default already",
            quoted(&column.name),
            act.shown(table)
        )),
        (T::AtAddConstraint, _) => key_widths(cmd),
        (T::AtSetUnLogged, _) => persistence(act, table, 'u'),
        (T::AtSetLogged, _) => persistence(act, table, 'p'),
        (T::AtAttachPartition, _) => attached(act, table, cmd),
        (T::AtAddInherit, _) => inherits(act, table, cmd),
        (T::AtDropInherit, _) => no_longer_inherits(act, table, cmd),
        _ => Ok(()),
    }
}

fn has_default(act: &Act, table: Oid, column: &Column) -> bool {
    let mut defaults = act.world.defaults.of(table);
    defaults.any(|d| d.column == column.number)
}

fn column_of(act: &Act, table: Oid, column: &Column) -> String {
    format!("column {} of {}", quoted(&column.name), act.shown(table))
}

// ---- columns ------------------------------------------------------------------------------------

/// `DROP NOT NULL` (`ATExecDropNotNull`)
fn may_be_null(act: &Act, table: Oid, column: &Column) -> Step {
    if !column.identity.is_empty() {
        return refuse(format!(
            "{} is an identity column: it stays NOT NULL",
            column_of(act, table, column)
        ));
    }
    let mut indexes = act.world.indexes.of(table);
    let is_key = |i: &Index| {
        let keys = usize::try_from(i.key_columns).unwrap_or(0);
        i.is_primary && i.columns.iter().take(keys).any(|c| *c == column.number)
    };
    if indexes.any(is_key) {
        return refuse(format!(
            "{} is in the primary key: it stays NOT NULL",
            column_of(act, table, column)
        ));
    }
    let parent = act.world.partition_parent(table);
    let above = parent.and_then(|p| Some((p, act.world.column(p, &column.name)?)));
    match above.filter(|(_, above)| above.not_null) {
        Some((parent, _)) => refuse(format!(
            "{} is NOT NULL in the parent {}",
            column_of(act, table, column),
            act.shown(parent)
        )),
        None => Ok(()),
    }
}

/// `has_partition_attrs`, partition.c
fn in_partition_key(act: &Act, table: Oid, column: &Column, done: &str) -> Step {
    let relation = act.world.relation(table);
    let key = relation.and_then(|r| r.partition_key.as_ref());
    match key.is_some_and(|key| key.columns.contains(&column.number)) {
        true => refuse(format!(
            "{} is in the partition key: it cannot be {done}",
            column_of(act, table, column)
        )),
        false => Ok(()),
    }
}

fn of_parent(act: &Act, table: Oid, column: &Column, done: &str) -> Step {
    refuse(format!(
        "{} is inherited: it is {done} in the parent",
        column_of(act, table, column)
    ))
}

/// `ALTER TABLE ONLY` of a partitioned table (`ATPrepDropColumn`, `ATExecDropColumn`).
fn in_children(act: &Act, table: Oid, recurses: bool, done: &str) -> Step {
    let is_partitioned = act.kind(table) == RelationKind::PartitionedTable;
    match !recurses && is_partitioned && !act.world.children(table).is_empty() {
        true => refuse(format!(
            "a column of {} cannot be {done} with ONLY: it has partitions",
            act.shown(table)
        )),
        false => Ok(()),
    }
}

/// `SET DEFAULT`, `DROP DEFAULT` (`ATExecColumnDefault`)
fn has_its_own_value(act: &Act, table: Oid, column: &Column, cmd: &AlterTableCmd) -> Step {
    let what = match (column.identity.is_empty(), column.generated.is_empty()) {
        (false, _) => "an identity column",
        (true, false) => "a generated column",
        _ => return Ok(()),
    };
    let verb = if cmd.def.is_some() {
        "takes no"
    } else {
        "has no"
    };
    refuse(format!(
        "{} is {what}: it {verb} default",
        column_of(act, table, column)
    ))
}

/// `RENAME COLUMN` of what a parent has, or of what only the children would keep (`renameatt_internal`).
fn renamed(act: &Act, statement: &RenameStmt) -> Step {
    if statement.rename_type != ObjectType::ObjectColumn as i32 {
        return Ok(());
    }
    let range = statement.relation.as_ref();
    let Some((table, range)) = range.and_then(|r| Some((act.world.find(r)?, r))) else {
        return Ok(());
    };
    let Some(column) = act.world.column(table, &statement.subname) else {
        return Ok(());
    };
    if column.inherited > 0 {
        return of_parent(act, table, column, "renamed");
    }
    match !range.inh && !act.world.children(table).is_empty() {
        true => refuse(format!(
            "{} cannot be renamed with ONLY: the children have it",
            column_of(act, table, column)
        )),
        false => Ok(()),
    }
}

// ---- kinds of relations -------------------------------------------------------------------------

/// What a view or a materialized view does not take (`ATSimplePermissions`, tablecmds.c).
fn of_view(act: &Act, table: Oid, kind: T) -> Step {
    let is_view = act.kind(table) == RelationKind::View;
    let is_materialized = act.kind(table) == RelationKind::MaterializedView;
    let is_never = matches!(
        kind,
        T::AtAddColumn
            | T::AtDropColumn
            | T::AtAlterColumnType
            | T::AtSetNotNull
            | T::AtDropNotNull
            | T::AtAddConstraint
            | T::AtEnableRowSecurity
            | T::AtSetLogged
            | T::AtSetUnLogged
            | T::AtAddInherit
            | T::AtAttachPartition
            | T::AtDetachPartition
    );
    match (is_view || is_materialized) && is_never {
        true => refuse(format!(
            "{} is a {}: ALTER TABLE cannot do that to it",
            act.shown(table),
            act.kind(table).words()
        )),
        false => Ok(()),
    }
}

/// What only a partitioned table does, and what a partition does not.
fn partitions(act: &Act, table: Oid, kind: T, recurses: bool) -> Step {
    let relation = act.world.relation(table);
    let is_partition = relation.is_some_and(|r| r.is_partition);
    let of = act.kind(table);
    match kind {
        T::AtAddColumn if is_partition => refuse(format!(
            "{} is a partition: a column is added to its parent",
            act.shown(table)
        )),
        T::AtAddColumn => {
            let has_parts =
                of == RelationKind::PartitionedTable && !act.world.children(table).is_empty();
            match has_parts && !recurses {
                true => refuse(format!(
                    "a column cannot be added to {} with ONLY: it has partitions",
                    act.shown(table)
                )),
                false => Ok(()),
            }
        }
        T::AtAddInherit | T::AtDropInherit if is_partition => refuse(format!(
            "{} is a partition: its inheritance cannot be changed",
            act.shown(table)
        )),
        T::AtAddInherit if of == RelationKind::PartitionedTable => refuse(format!(
            "{} is partitioned: it cannot inherit",
            act.shown(table)
        )),
        T::AtAttachPartition | T::AtDetachPartition if of == RelationKind::Table => {
            refuse(format!("{} is not partitioned", act.shown(table)))
        }
        _ => Ok(()),
    }
}

/// A permanent table does not reference an unlogged one (`ATPrepChangePersistence`).
fn persistence(act: &Act, table: Oid, wanted: char) -> Step {
    let of = |oid: Oid| act.world.relation(oid).map(|r| r.persistence);
    if of(table).is_none_or(|now| now == wanted || now == 't') {
        return Ok(());
    }
    let other = match wanted {
        'u' => act.world.referencing(table).map(|key| key.table).collect(),
        _ => act
            .world
            .foreign_keys(table)
            .map(|key| key.referenced)
            .collect::<Vec<Oid>>(),
    };
    let differs = if wanted == 'u' { 'p' } else { 'u' };
    let other = other
        .into_iter()
        .find(|oid| *oid != table && of(*oid) == Some(differs));
    match (other, wanted) {
        (Some(other), 'u') => refuse(format!(
            "{} is logged and references {}: that cannot be UNLOGGED",
            act.shown(other),
            act.shown(table)
        )),
        (Some(other), _) => refuse(format!(
            "{} references {}, which is unlogged: it cannot be LOGGED",
            act.shown(table),
            act.shown(other)
        )),
        (None, _) => Ok(()),
    }
}

// ---- inheritance --------------------------------------------------------------------------------

fn parent_of(act: &Act, cmd: &AlterTableCmd) -> Option<Oid> {
    match cmd.def.as_ref().and_then(|d| d.node.as_ref()) {
        Some(N::RangeVar(range)) => act.world.find(range),
        _ => None,
    }
}

/// `INHERIT` (`ATExecAddInherit`, `MergeAttributesIntoExisting`)
fn inherits(act: &Act, child: Oid, cmd: &AlterTableCmd) -> Step {
    let Some(parent) = parent_of(act, cmd) else {
        return Ok(());
    };
    let Some(relation) = act.world.relation(parent) else {
        return Ok(());
    };
    if act.world.parents(child).contains(&parent) {
        return refuse(format!(
            "{} inherits {} already",
            act.shown(child),
            act.shown(parent)
        ));
    }
    if relation.kind == RelationKind::PartitionedTable || relation.is_partition {
        return refuse(format!(
            "{} is partitioned or a partition: nothing inherits it",
            act.shown(parent)
        ));
    }
    same_columns(act, child, parent)
}

/// The child has each column of its parent, of the same type (`MergeAttributesIntoExisting`).
fn same_columns(act: &Act, child: Oid, parent: Oid) -> Step {
    let columns = act
        .world
        .relation(parent)
        .into_iter()
        .flat_map(|r| &r.columns);
    // Of a table that the migration makes, not every column may be known.
    let is_known = act.world.created_in(child).is_none();
    for wanted in columns.filter(|_| is_known) {
        match act.world.column(child, &wanted.name) {
            None => {
                return refuse(format!(
                    "{} has no column {}, which {} has",
                    act.shown(child),
                    quoted(&wanted.name),
                    act.shown(parent)
                ));
            }
            Some(own)
                if own.type_oid != wanted.type_oid && own.type_oid != 0 && wanted.type_oid != 0 =>
            {
                return refuse(format!(
                    "column {} has another type in {} than in {}",
                    quoted(&wanted.name),
                    act.shown(child),
                    act.shown(parent)
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// `ATTACH PARTITION`: the columns are the parent's, no more and no less (`ATExecAttachPartition`).
fn attached(act: &Act, parent: Oid, cmd: &AlterTableCmd) -> Step {
    let range = match cmd.def.as_ref().and_then(|d| d.node.as_ref()) {
        Some(N::PartitionCmd(cmd)) => cmd.name.as_ref(),
        _ => None,
    };
    let child = range.and_then(|range| act.world.find(range));
    let Some(child) = child.filter(|_| act.kind(parent) == RelationKind::PartitionedTable) else {
        return Ok(());
    };
    let columns = |oid: Oid| act.world.relation(oid).into_iter().flat_map(|r| &r.columns);
    let more = columns(child).find(|c| act.world.column(parent, &c.name).is_none());
    if let Some(column) = more.filter(|_| act.world.created_in(parent).is_none()) {
        return refuse(format!(
            "{} has column {}, which {} has not",
            act.shown(child),
            quoted(&column.name),
            act.shown(parent)
        ));
    }
    same_columns(act, child, parent)
}

/// `NO INHERIT` (`ATExecDropInherit`)
fn no_longer_inherits(act: &Act, child: Oid, cmd: &AlterTableCmd) -> Step {
    let Some(parent) = parent_of(act, cmd) else {
        return Ok(());
    };
    match act.world.parents(child).contains(&parent) {
        true => Ok(()),
        false => refuse(format!(
            "{} does not inherit {}",
            act.shown(child),
            act.shown(parent)
        )),
    }
}

/// As many columns on both sides of a foreign key (`ATAddForeignKeyConstraint`).
fn key_widths(cmd: &AlterTableCmd) -> Step {
    let Some(N::Constraint(key)) = cmd.def.as_ref().and_then(|d| d.node.as_ref()) else {
        return Ok(());
    };
    let (own, theirs) = (names::list(&key.fk_attrs), names::list(&key.pk_attrs));
    let is_foreign = key.contype == ConstrType::ConstrForeign as i32;
    match is_foreign && !theirs.is_empty() && own.len() != theirs.len() {
        true => refuse("a foreign key needs as many columns as it references"),
        false => Ok(()),
    }
}

/// `DROP INDEX` of one that a partitioned index needs (`findDependentObjects`: a partition dependency).
fn index(act: &Act, statement: &DropStmt) -> Step {
    let [only] = statement.objects.as_slice() else {
        return Ok(());
    };
    let found = act.world.find(&names::range_var(&names::strings(only)));
    let Some(index) = found.filter(|oid| act.kind(*oid).is_index()) else {
        return Ok(());
    };
    match act.world.parents(index).first() {
        Some(parent) => refuse(format!(
            "index {} is a part of {}: that one is dropped as a whole",
            act.shown(index),
            act.shown(*parent)
        )),
        None => Ok(()),
    }
}
