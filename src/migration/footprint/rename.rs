//! `ALTER … RENAME`, `SET SCHEMA`, `OWNER TO`.

use super::act::{Act, Step, refuse};
use super::world::World;
use super::{listed, names, storage};
use crate::migration::dynamic::is_unknown;
use crate::model::{LockMode, Oid, RelationKind, RelationName};
use pg_query::protobuf::{AlterObjectSchemaStmt, AlterOwnerStmt, ObjectType, RenameStmt, RoleSpec};

use LockMode::{AccessExclusive, AccessShare, ShareUpdateExclusive};

fn object_type(number: i32) -> ObjectType {
    ObjectType::try_from(number).unwrap_or(ObjectType::Undefined)
}

/// `ALTER … RENAME`
pub fn rename(act: &mut Act, statement: &RenameStmt) -> Step {
    match object_type(statement.rename_type) {
        ObjectType::ObjectTable
        | ObjectType::ObjectSequence
        | ObjectType::ObjectView
        | ObjectType::ObjectMatview
        | ObjectType::ObjectIndex
        | ObjectType::ObjectForeignTable => rename_relation(act, statement),
        ObjectType::ObjectColumn | ObjectType::ObjectAttribute => rename_column(act, statement),
        ObjectType::ObjectTabconstraint => rename_constraint(act, statement),
        ObjectType::ObjectTrigger => rename_trigger(act, statement),
        ObjectType::ObjectRule | ObjectType::ObjectPolicy => rename_on_table(act, statement),
        ObjectType::ObjectSchema => {
            act.world
                .rename_schema(&statement.subname, &statement.newname);
            Ok(())
        }
        ObjectType::ObjectRole | ObjectType::ObjectTablespace => {
            if let Some(named) = &mut act.world.named {
                for names in [&mut named.roles, &mut named.tablespaces] {
                    if names.remove(&statement.subname) {
                        names.insert(statement.newname.clone());
                    }
                }
            }
            Ok(())
        }
        ObjectType::ObjectType | ObjectType::ObjectDomain => rename_type(act, statement),
        ObjectType::ObjectFunction
        | ObjectType::ObjectProcedure
        | ObjectType::ObjectRoutine
        | ObjectType::ObjectAggregate => {
            let parts = statement
                .object
                .as_deref()
                .map(names::strings)
                .unwrap_or_default();
            let found = act.world.find_routines(&parts).first().map(|r| r.oid);
            if let Some(r) = found.and_then(|oid| act.world.routines.get_mut(&oid)) {
                r.name.clone_from(&statement.newname);
            }
            Ok(())
        }
        kind => {
            let object = statement.object.as_deref();
            let parts = object.map(names::strings).unwrap_or_default();
            let parts = match kind {
                ObjectType::ObjectOpclass | ObjectType::ObjectOpfamily => {
                    &parts[parts.len().min(1)..]
                }
                _ => &parts[..],
            };
            listed::rename(act, kind, parts, &statement.newname);
            Ok(())
        }
    }
}

/// `RenameRelation`: an index by ALTER INDEX needs less, any other ACCESS EXCLUSIVE.
fn rename_relation(act: &mut Act, statement: &RenameStmt) -> Step {
    let Some(range) = &statement.relation else {
        return Ok(());
    };
    let Some(oid) = act.found(range, statement.missing_ok)? else {
        return Ok(());
    };
    let kind = act.kind(oid);
    let by_index = object_type(statement.rename_type) == ObjectType::ObjectIndex;
    let mode = if by_index && kind.is_index() {
        ShareUpdateExclusive
    } else {
        AccessExclusive
    };
    act.lock(oid, mode, "is renamed");
    rename_to(act, oid, &statement.newname)?;
    // An index carries its constraint's name (RenameRelationInternal).
    let constraint = act
        .world
        .indexes
        .get(oid)
        .and_then(|i| {
            act.world
                .constraints
                .of(i.table)
                .find(|c| c.index == oid && c.kind != 'f')
        })
        .map(|c| c.oid);
    if let Some(c) = constraint.and_then(|c| act.world.constraints.get_mut(c)) {
        c.name.clone_from(&statement.newname);
    }
    Ok(())
}

fn rename_to(act: &mut Act, oid: Oid, name: &str) -> Step {
    let schema = act.relation(oid)?.name.schema.clone();
    let new = RelationName::new(schema, name);
    if act.world.find_name(&new.schema, &new.relation).is_some() {
        return refuse(format!("relation {new} already exists"));
    }
    let row_type = act.relation(oid)?.row_type;
    if let Some(t) = act.world.types.get_mut(&row_type) {
        name.clone_into(&mut t.name);
    }
    act.world.rename(oid, new);
    Ok(())
}

/// `renameatt`: children too, ACCESS EXCLUSIVE.
fn rename_column(act: &mut Act, statement: &RenameStmt) -> Step {
    let Some(range) = &statement.relation else {
        return Ok(());
    };
    let Some(oid) = act.found(range, statement.missing_ok)? else {
        return Ok(());
    };
    act.lock(oid, AccessExclusive, "one of its columns is renamed");
    if act.world.column(oid, &statement.subname).is_none() {
        if range.inh {
            lock_below(act, oid);
        }
        return refuse(format!(
            "column {} of {} does not exist",
            statement.subname,
            act.shown(oid)
        ));
    }
    let mut tables = vec![oid];
    if range.inh {
        tables = lock_below(act, oid);
    }
    // Tables OF a composite type (find_typed_table_dependencies).
    let row_type = act.relation(oid)?.row_type;
    if act.kind(oid) == RelationKind::CompositeType && row_type != 0 {
        let typed: Vec<Oid> = act
            .world
            .relations()
            .filter(|r| r.of_type == row_type)
            .map(|r| r.oid)
            .collect();
        for table in typed {
            for below in act.world.tree(table) {
                act.lock(
                    below,
                    AccessExclusive,
                    format!("is a table of {}", act.shown(oid)),
                );
                tables.push(below);
            }
        }
    }
    for table in tables {
        if let Some(c) = act.world.column_mut(table, &statement.subname) {
            c.name.clone_from(&statement.newname);
        }
    }
    // Indexes have their columns' names; nothing is opened for that.
    Ok(())
}

fn lock_below(act: &mut Act, oid: Oid) -> Vec<Oid> {
    let tree = act.world.tree(oid);
    for &child in tree.iter().skip(1) {
        act.lock(
            child,
            AccessExclusive,
            format!("a child of {}, where the name changes too", act.shown(oid)),
        );
    }
    tree
}

/// `RenameConstraint`: a key's index is renamed with it, a check in the children too.
fn rename_constraint(act: &mut Act, statement: &RenameStmt) -> Step {
    let Some(range) = &statement.relation else {
        return Ok(());
    };
    let Some(oid) = act.found(range, statement.missing_ok)? else {
        return Ok(());
    };
    act.lock(oid, AccessExclusive, "one of its constraints is renamed");
    let Some(constraint) = act.world.constraint(oid, &statement.subname).cloned() else {
        return refuse(format!(
            "constraint {} of {} does not exist",
            statement.subname,
            act.shown(oid)
        ));
    };
    let mut tables = vec![oid];
    if matches!(constraint.kind, 'c' | 'n') && !constraint.no_inherit && range.inh {
        tables = lock_below(act, oid);
    }
    if matches!(constraint.kind, 'p' | 'u' | 'x') {
        act.lock(
            constraint.index,
            ShareUpdateExclusive,
            "is renamed with its constraint",
        );
        rename_to(act, constraint.index, &statement.newname)?;
    }
    for table in tables {
        let found = act
            .world
            .constraint(table, &statement.subname)
            .map(|c| c.oid);
        if let Some(c) = found.and_then(|c| act.world.constraints.get_mut(c)) {
            c.name.clone_from(&statement.newname);
        }
    }
    Ok(())
}

/// `renametrig`: ACCESS EXCLUSIVE, clones on partitions too.
fn rename_trigger(act: &mut Act, statement: &RenameStmt) -> Step {
    let Some(range) = &statement.relation else {
        return Ok(());
    };
    let oid = act.resolve(range)?;
    act.lock(oid, AccessExclusive, "one of its triggers is renamed");
    let Some(trigger) = act
        .world
        .triggers
        .of(oid)
        .find(|t| t.name == statement.subname)
        .cloned()
    else {
        return refuse(format!(
            "trigger {} of {} does not exist",
            statement.subname,
            act.shown(oid)
        ));
    };
    if act.kind(oid) == RelationKind::PartitionedTable && act.version() >= 15 {
        lock_below(act, oid);
    }
    if let Some(t) = act.world.triggers.get_mut(trigger.oid) {
        t.name.clone_from(&statement.newname);
    }
    Ok(())
}

/// Rules and policies: ACCESS EXCLUSIVE on their table.
fn rename_on_table(act: &mut Act, statement: &RenameStmt) -> Step {
    let Some(range) = &statement.relation else {
        return Ok(());
    };
    let Some(oid) = act.found(range, statement.missing_ok)? else {
        return Ok(());
    };
    act.lock(
        oid,
        AccessExclusive,
        "one of its rules or policies is renamed",
    );
    let rule = act
        .world
        .rules
        .of(oid)
        .find(|r| r.name == statement.subname)
        .map(|r| r.oid);
    if let Some(r) = rule.and_then(|r| act.world.rules.get_mut(r)) {
        r.name.clone_from(&statement.newname);
    }
    let policy = act
        .world
        .policies
        .of(oid)
        .find(|p| p.name == statement.subname)
        .map(|p| p.oid);
    if let Some(p) = policy.and_then(|p| act.world.policies.get_mut(p)) {
        p.name.clone_from(&statement.newname);
    }
    Ok(())
}

/// `RenameType`: a composite type is a relation.
fn rename_type(act: &mut Act, statement: &RenameStmt) -> Step {
    let parts = statement
        .object
        .as_deref()
        .map(names::strings)
        .unwrap_or_default();
    let Some((oid, relation)) = act.world.find_type(&parts).map(|t| (t.oid, t.relation)) else {
        return refuse(format!("type {} does not exist", parts.join(".")));
    };
    if relation != 0 {
        act.names(relation);
        act.lock(relation, AccessExclusive, "is renamed");
        rename_to(act, relation, &statement.newname)?;
    } else if let Some(t) = act.world.types.get_mut(&oid) {
        t.name.clone_from(&statement.newname);
    }
    Ok(())
}

/// `ALTER … SET SCHEMA` (`AlterTableNamespace`): owned sequences move along.
pub fn set_schema(act: &mut Act, statement: &AlterObjectSchemaStmt) -> Step {
    let Some(range) = &statement.relation else {
        return set_schema_of_object(act, statement);
    };
    let Some(oid) = act.found(range, statement.missing_ok)? else {
        return Ok(());
    };
    act.lock(oid, AccessExclusive, "moves to another schema");
    act.puts_into(&statement.newschema);
    move_relation(act, oid, &statement.newschema)?;
    let indexes: Vec<Oid> = act.world.indexes.of(oid).map(|i| i.oid).collect();
    for index in indexes {
        move_relation(act, index, &statement.newschema)?;
    }
    for sequence in storage::owned_sequences(act, oid) {
        act.lock(
            sequence,
            AccessExclusive,
            format!("is owned by {} and moves along", range.relname),
        );
        move_relation(act, sequence, &statement.newschema)?;
    }
    Ok(())
}

fn move_relation(act: &mut Act, oid: Oid, schema: &str) -> Step {
    let relation = act.relation(oid)?;
    let (name, row_type) = (relation.name.relation.clone(), relation.row_type);
    if let Some(t) = act.world.types.get_mut(&row_type) {
        schema.clone_into(&mut t.schema);
    }
    act.world.rename(oid, RelationName::new(schema, name));
    Ok(())
}

/// Types and functions; a composite type's relation moves too.
fn set_schema_of_object(act: &mut Act, statement: &AlterObjectSchemaStmt) -> Step {
    let parts = statement
        .object
        .as_deref()
        .map(names::strings)
        .unwrap_or_default();
    match object_type(statement.object_type) {
        ObjectType::ObjectType | ObjectType::ObjectDomain => {
            let found = act.world.find_type(&parts).map(|t| (t.oid, t.relation));
            if let Some((oid, relation)) = found {
                if relation != 0 {
                    move_relation(act, relation, &statement.newschema)?;
                }
                if let Some(t) = act.world.types.get_mut(&oid) {
                    t.schema.clone_from(&statement.newschema);
                }
            }
            Ok(())
        }
        ObjectType::ObjectFunction
        | ObjectType::ObjectProcedure
        | ObjectType::ObjectRoutine
        | ObjectType::ObjectAggregate => {
            let found = act.world.find_routines(&parts).first().map(|r| r.oid);
            if let Some(r) = found.and_then(|oid| act.world.routines.get_mut(&oid)) {
                r.schema.clone_from(&statement.newschema);
            }
            Ok(())
        }
        ObjectType::ObjectExtension => {
            act.opaque("which relations belong to the extension is unknown");
            Ok(())
        }
        _ => Ok(()),
    }
}

/// `ALTER … OWNER TO` of what is not a table; a composite type's relation follows.
pub fn owner(act: &mut Act, statement: &AlterOwnerStmt) -> Step {
    let parts = statement
        .object
        .as_deref()
        .map(names::strings)
        .unwrap_or_default();
    if matches!(object_type(statement.object_type), ObjectType::ObjectType) {
        let relation = act.world.find_type(&parts).map_or(0, |t| t.relation);
        let is_same = act.world.relation(relation).is_some_and(|r| {
            Some(&r.owner) == new_owner(act, statement.newowner.as_ref()).as_ref()
        });
        if relation != 0 && !is_same {
            act.names(relation);
            change_owner(act, relation, statement.newowner.as_ref(), AccessExclusive)?;
        }
    }
    Ok(())
}

/// `ATExecChangeOwner`: indexes, TOAST table and owned sequences follow, unless the owner is the same.
pub fn change_owner(act: &mut Act, oid: Oid, role: Option<&RoleSpec>, mode: LockMode) -> Step {
    let owner = new_owner(act, role);
    act.lock(oid, mode, "gets another owner");
    let relation = act.relation(oid)?;
    let is_same = owner.as_ref() == Some(&relation.owner);
    let (kind, toast) = (relation.kind, relation.toast);
    if is_same {
        return Ok(());
    }
    // A name that is only known when it runs may be the owner's.
    let outer = act.possible;
    act.possible |= owner.as_deref().is_some_and(is_unknown);
    let has_indexes = matches!(
        kind,
        RelationKind::Table
            | RelationKind::PartitionedTable
            | RelationKind::MaterializedView
            | RelationKind::Toast
    );
    if has_indexes {
        let indexes: Vec<Oid> = act.world.indexes.of(oid).map(|i| i.oid).collect();
        for index in indexes {
            act.lock(
                index,
                mode,
                format!("belongs to {}, which gets another owner", act.shown(oid)),
            );
        }
    }
    if toast != 0 {
        for part in storage::toast_of(act, oid) {
            act.lock(
                part,
                mode,
                format!("belongs to {}, which gets another owner", act.shown(oid)),
            );
        }
    }
    for sequence in storage::owned_sequences(act, oid) {
        act.lock(
            sequence,
            mode,
            format!("is owned by {}, which gets another owner", act.shown(oid)),
        );
        set_owner(act, sequence, owner.as_ref());
    }
    set_owner(act, oid, owner.as_ref());
    act.possible = outer;
    Ok(())
}

/// The role's name; CURRENT_USER and its kin are us.
fn new_owner(act: &Act, role: Option<&RoleSpec>) -> Option<String> {
    role.map(|r| match r.roletype {
        1 => r.rolename.clone(),
        _ => act.world.session.user.clone(),
    })
}

fn set_owner(act: &mut Act, oid: Oid, owner: Option<&String>) {
    if let (Some(r), Some(owner)) = (act.world.relation_mut(oid), owner) {
        r.owner.clone_from(owner);
    }
}

/// `REASSIGN OWNED`: like OWNER TO for each.
pub fn reassign(act: &mut Act, statement: &pg_query::protobuf::ReassignOwnedStmt) -> Step {
    let from = names::role_names(&statement.roles);
    let owned: Vec<Oid> = act
        .world
        .relations()
        .filter(|r| from.contains(&r.owner) && !World::is_catalog(r.oid))
        .filter(|r| !r.kind.is_index() && r.kind != RelationKind::Toast)
        .map(|r| r.oid)
        .collect();
    for oid in owned {
        change_owner(act, oid, statement.newrole.as_ref(), AccessExclusive)?;
    }
    Ok(())
}

/// `ALTER … DEPENDS ON EXTENSION`
pub fn depends(act: &mut Act, statement: &pg_query::protobuf::AlterObjectDependsStmt) -> Step {
    let kind = object_type(statement.object_type);
    let Some(range) = &statement.relation else {
        return Ok(());
    };
    let oid = act.resolve(range)?;
    let mode = match kind {
        ObjectType::ObjectTrigger => AccessShare,
        _ => AccessExclusive,
    };
    act.lock(oid, mode, "will depend on an extension");
    Ok(())
}
