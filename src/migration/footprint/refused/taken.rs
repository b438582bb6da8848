//! Names that a statement gives and that something else of its kind has.

use crate::migration::footprint::act::{Act, Step, refuse};
use crate::migration::footprint::{listed, names, types};
use crate::model::{DataType, Oid, RelationKind, class, quoted};
use pg_query::NodeEnum as N;
use pg_query::protobuf::{
    AlterEnumStmt, AlterTableType, ConstrType, CreateFunctionStmt, FunctionParameterMode, Node,
    ObjectType, RangeVar, RenameStmt,
};

/// Refuses a statement that gives a name twice.
pub fn nothing(act: &Act, node: &N) -> Step {
    match node {
        N::CreateRoleStmt(s) => role(act, &s.role),
        N::CreateSchemaStmt(s) => schema(act, &s.schemaname),
        N::CreateEnumStmt(s) => a_type(act, &names::list(&s.type_name)),
        N::CreateRangeStmt(s) => a_type(act, &names::list(&s.type_name)),
        N::CreateDomainStmt(s) => a_type(act, &names::list(&s.domainname)),
        N::CreateStmt(s) => row_type(act, s.relation.as_ref()),
        N::ViewStmt(s) if !s.replace => row_type(act, s.view.as_ref()),
        N::CreateExtensionStmt(s) if act.world.has_extension(&s.extname) => {
            exists("extension", &s.extname)
        }
        N::CreateFunctionStmt(s) => function(act, s),
        N::CreatePolicyStmt(s) => policy(act, s.table.as_ref(), &s.policy_name, true),
        N::AlterPolicyStmt(s) => policy(act, s.table.as_ref(), &s.policy_name, false),
        N::RuleStmt(s) if !s.replace => rule(act, s.relation.as_ref(), &s.rulename),
        N::CreatePublicationStmt(s) => {
            let found = listed::find(act, class::PUBLICATION, std::slice::from_ref(&s.pubname));
            match found.is_empty() {
                true => Ok(()),
                false => exists("publication", &s.pubname),
            }
        }
        N::CreateStatsStmt(s) => statistics(act, &names::list(&s.defnames)),
        N::DefineStmt(s) if s.kind == ObjectType::ObjectCollation as i32 && !s.if_not_exists => {
            collation(act, &names::list(&s.defnames))
        }
        N::RenameStmt(s) => renamed(act, s),
        N::AlterEnumStmt(s) => label(act, s),
        N::AlterTableStmt(s) => {
            let cmds = s.cmds.iter();
            cmds.clone()
                .try_for_each(|cmd| constraint(act, s.relation.as_ref(), cmd, cmds.len()))
        }
        _ => Ok(()),
    }
}

fn exists(what: &str, name: &str) -> Step {
    refuse(format!("{what} {} already exists", quoted(name)))
}

fn role(act: &Act, name: &str) -> Step {
    match &act.world.named {
        Some(named) if named.roles.contains(name) => exists("role", name),
        _ => Ok(()),
    }
}

fn schema(act: &Act, name: &str) -> Step {
    match act.world.schema(name) {
        Some(_) => exists("schema", name),
        None => Ok(()),
    }
}

/// A type, or the row type of a relation (`pg_type` has both). A shell waits to be filled.
fn a_type(act: &Act, parts: &[String]) -> Step {
    let Some((name, schema)) = parts.split_last() else {
        return Ok(());
    };
    let schema = schema.last().cloned();
    let schema = schema.unwrap_or_else(|| act.world.creation_schema());
    let relation = act.world.find_name(&schema, name);
    let has_row_type = relation.is_some_and(|oid| has_row_type(act.kind(oid)));
    match has_row_type || has_type(act, &schema, name) {
        true => exists("type", name),
        false => Ok(()),
    }
}

const fn has_row_type(kind: RelationKind) -> bool {
    !kind.is_index() && !matches!(kind, RelationKind::Sequence | RelationKind::Toast)
}

/// The name of an array's type gives way to another (`moveArrayTypeName`, pg_type.c).
fn has_type(act: &Act, schema: &str, name: &str) -> bool {
    let mut types = act.world.types.values();
    types.any(|t| {
        t.schema == schema
            && t.name == name
            && matches!(t.kind, 'b' | 'e' | 'd' | 'r' | 'c')
            && t.element == 0
    })
}

/// A relation with a row type, where a type has the name.
fn row_type(act: &Act, range: Option<&RangeVar>) -> Step {
    let Some(range) = range else {
        return Ok(());
    };
    let name = act.world.new_name(range);
    // Where a relation has it, that is what Postgres says.
    let is_relation = act.world.find_name(&name.schema, &name.relation).is_some();
    match !is_relation && has_type(act, &name.schema, &name.relation) {
        true => exists("type", &name.relation),
        false => Ok(()),
    }
}

/// A function of the same name and argument types (`ProcedureCreate`, pg_proc.c), and what OR REPLACE may not change.
fn function(act: &Act, statement: &CreateFunctionStmt) -> Step {
    let parts = names::list(&statement.funcname);
    let Some((name, schema)) = parts.split_last() else {
        return Ok(());
    };
    let schema = schema.last().cloned();
    let schema = schema.unwrap_or_else(|| act.world.creation_schema());
    let Some(signature) = signature(act, statement) else {
        return Ok(());
    };
    let same = act.world.routines.values().find(|r| {
        r.name == *name
            && r.schema == schema
            && act.world.is_listed(r.oid)
            && r.signature == signature
    });
    let Some(same) = same else {
        return Ok(());
    };
    if !statement.replace {
        return refuse(format!(
            "function {} already exists with the same argument types",
            quoted(name)
        ));
    }
    let returns = statement
        .return_type
        .as_ref()
        .map(|t| (t.setof, types::type_of(act, t)));
    match returns {
        Some((false, oid)) if oid != 0 && same.kind == 'f' && same.returns != oid => {
            refuse(format!(
                "OR REPLACE cannot change the return type of function {}: drop it first",
                quoted(name)
            ))
        }
        _ => Ok(()),
    }
}

/// The types of the arguments that identify a function; `None`: not all are known.
fn signature(act: &Act, statement: &CreateFunctionStmt) -> Option<Vec<Oid>> {
    let mut found = Vec::new();
    for node in &statement.parameters {
        let Some(N::FunctionParameter(parameter)) = &node.node else {
            return None;
        };
        let mode = FunctionParameterMode::try_from(parameter.mode).ok()?;
        match mode {
            FunctionParameterMode::FuncParamIn | FunctionParameterMode::FuncParamDefault => {
                let oid = types::type_of(act, parameter.arg_type.as_ref()?);
                found.push(Some(oid).filter(|oid| *oid != 0)?);
            }
            _ => return None,
        }
    }
    Some(found)
}

fn policy(act: &Act, range: Option<&RangeVar>, name: &str, is_new: bool) -> Step {
    let Some(table) = range.and_then(|r| act.world.find(r)) else {
        return Ok(());
    };
    let is_there = act.world.policies.of(table).any(|p| p.name == name);
    let what = |is: &str| format!("policy {} of {} {is}", quoted(name), act.shown(table));
    match (is_there, is_new) {
        (true, true) => refuse(what("already exists")),
        (false, false) => refuse(what("does not exist")),
        _ => Ok(()),
    }
}

fn rule(act: &Act, range: Option<&RangeVar>, name: &str) -> Step {
    let Some(table) = range.and_then(|r| act.world.find(r)) else {
        return Ok(());
    };
    match act.world.rules.of(table).any(|r| r.name == name) {
        true => refuse(format!(
            "rule {} of {} already exists",
            quoted(name),
            act.shown(table)
        )),
        false => Ok(()),
    }
}

fn statistics(act: &Act, parts: &[String]) -> Step {
    let Some((name, schema)) = parts.split_last() else {
        return Ok(());
    };
    let schema = schema.last().cloned();
    let schema = schema.unwrap_or_else(|| act.world.creation_schema());
    let mut all = act.world.statistics.all();
    match all.any(|s| s.name == *name && s.schema == schema) {
        true => exists("statistics object", name),
        false => Ok(()),
    }
}

fn collation(act: &Act, parts: &[String]) -> Step {
    let Some((name, schema)) = parts.split_last() else {
        return Ok(());
    };
    let schema = schema.last().cloned();
    let schema = schema.unwrap_or_else(|| act.world.creation_schema());
    let found = listed::find(act, class::COLLATION, &[schema, name.clone()]);
    match found.is_empty() {
        true => Ok(()),
        false => exists("collation", name),
    }
}

/// `RENAME TO` a name that is taken.
fn renamed(act: &Act, statement: &RenameStmt) -> Step {
    let kind = ObjectType::try_from(statement.rename_type).unwrap_or(ObjectType::Undefined);
    let new = &statement.newname;
    match kind {
        ObjectType::ObjectColumn | ObjectType::ObjectAttribute => {
            let range = statement.relation.as_ref();
            let Some(table) = range.and_then(|r| act.world.find(r)) else {
                return Ok(());
            };
            let has = |name: &str| act.world.column(table, name).is_some();
            let old = act.world.column(table, &statement.subname);
            // renameatt_internal, tablecmds.c
            if kind == ObjectType::ObjectColumn && old.is_some_and(|column| column.inherited > 0) {
                return refuse(format!(
                    "column {} of {} is inherited: rename it in the parent",
                    quoted(&statement.subname),
                    act.shown(table)
                ));
            }
            match has(&statement.subname) && has(new) {
                true => refuse(format!(
                    "column {} of {} already exists",
                    quoted(new),
                    act.shown(table)
                )),
                false => Ok(()),
            }
        }
        ObjectType::ObjectSchema => schema(act, new),
        ObjectType::ObjectRole => role(act, new),
        ObjectType::ObjectType | ObjectType::ObjectDomain => {
            let parts = statement.object.as_deref().map(names::strings);
            let renamed = act.world.find_type(&parts.unwrap_or_default());
            match renamed {
                Some(t) => a_type(act, &[t.schema.clone(), new.clone()]),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// `ALTER TYPE … ADD VALUE`, `RENAME VALUE` (`AddEnumLabel`, `RenameEnumLabel`, pg_enum.c).
fn label(act: &Act, statement: &AlterEnumStmt) -> Step {
    let parts = names::list(&statement.type_name);
    let Some(found) = act.world.find_type(&parts) else {
        // The session that migrates may look for it in other schemas.
        let is_elsewhere = |t: &DataType| Some(&t.name) == parts.last();
        return match act.world.types.values().any(is_elsewhere) || act.in_body {
            true => Ok(()),
            false => refuse(format!("type {} does not exist", quoted(&parts.join(".")))),
        };
    };
    let Some(labels) = &found.labels else {
        return Ok(());
    };
    let has = |label: &String| labels.contains(label);
    let missing = [&statement.old_val, &statement.new_val_neighbor]
        .into_iter()
        .find(|label| !label.is_empty() && !has(label));
    let adds = statement.old_val.is_empty();
    if has(&statement.new_val) && !(adds && statement.skip_if_new_val_exists) {
        return refuse(format!(
            "enum {} already has the label {}",
            found.name, statement.new_val
        ));
    }
    if adds && statement.skip_if_new_val_exists && has(&statement.new_val) {
        return Ok(());
    }
    match missing {
        Some(label) => refuse(format!("enum {} has no label {label}", found.name)),
        None => Ok(()),
    }
}

/// `ADD CONSTRAINT … CHECK` under a name that the table's own constraint has (`MergeWithExistingConstraint`, heap.c).
fn constraint(act: &Act, range: Option<&RangeVar>, cmd: &Node, cmds: usize) -> Step {
    let Some(table) = range.and_then(|r| act.world.find(r)) else {
        return Ok(());
    };
    let Some(N::AlterTableCmd(cmd)) = &cmd.node else {
        return Ok(());
    };
    let Some(N::Constraint(new)) = cmd.def.as_ref().and_then(|d| d.node.as_ref()) else {
        return Ok(());
    };
    // Another part of the same ALTER TABLE may have taken it away.
    let is_check = cmds == 1
        && cmd.subtype == AlterTableType::AtAddConstraint as i32
        && new.contype == ConstrType::ConstrCheck as i32;
    let old = act.world.constraint(table, &new.conname);
    match old {
        Some(old) if is_check && old.is_local && old.inherited == 0 => refuse(format!(
            "constraint {} of {} already exists",
            quoted(&new.conname),
            act.shown(table)
        )),
        _ => Ok(()),
    }
}
