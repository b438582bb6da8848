//! Which file knows which command, and the command's tag.

use super::act::{Act, Step};
use super::index::{create, reindex};
use super::objects::{comment, function, publication, sequence, trigger, types, view};
use super::query::walk::{self, Stage};
use super::{alter_table, code, create_table, dependency, drop, maintenance, names, rename, role};
use crate::model::RelationKind;
use pg_query::NodeEnum as N;
use pg_query::protobuf::{ObjectType, TransactionStmtKind};

use std::borrow::Cow;

/// Tells one statement's locks and changes the world behind it.
pub fn run(act: &mut Act, node: &N) -> Step {
    if role::gives_rights(node) {
        act.world.forget_rights();
    }
    let outcome = known(act, node);
    dependency::ask(act, node);
    event_triggers(act, node);
    outcome
}

fn known(act: &mut Act, node: &N) -> Step {
    match node {
        N::AlterTableStmt(s) => alter_table::alter_table(act, s),
        N::DropStmt(s) => drop::drop(act, s),
        N::CreateStmt(s) => create_table::create(act, s, RelationKind::Table),
        N::CreateForeignTableStmt(s) => match &s.base_stmt {
            Some(base) => create_table::create(act, base, RelationKind::ForeignTable),
            None => Ok(()),
        },
        N::CreateTableAsStmt(s) => create_table::create_as(act, s),
        N::RefreshMatViewStmt(s) => create_table::refresh(act, s),
        N::IndexStmt(s) => create::create(act, s),
        N::ReindexStmt(s) => reindex::reindex(act, s),
        N::TruncateStmt(s) => maintenance::truncate(act, s),
        N::LockStmt(s) => maintenance::lock(act, s),
        N::ClusterStmt(s) => maintenance::cluster(act, s),
        N::VacuumStmt(s) => maintenance::vacuum(act, s),
        N::AlterTableMoveAllStmt(s) => maintenance::move_all(act, s),
        N::RenameStmt(s) => rename::rename(act, s),
        N::AlterObjectSchemaStmt(s) => rename::set_schema(act, s),
        N::AlterOwnerStmt(s) => rename::owner(act, s),
        N::AlterObjectDependsStmt(s) => rename::depends(act, s),
        N::ReassignOwnedStmt(s) => rename::reassign(act, s),
        N::DropOwnedStmt(s) => comment::drop_owned(act, s),
        N::ViewStmt(s) => view::view(act, s),
        N::CreateSeqStmt(s) => sequence::create_sequence(act, s),
        N::AlterSeqStmt(s) => sequence::alter_sequence(act, s),
        N::CreateTrigStmt(s) => trigger::trigger(act, s),
        N::RuleStmt(s) => view::rule(act, s),
        N::CreatePolicyStmt(s) => trigger::create_policy(act, s),
        N::AlterPolicyStmt(s) => trigger::alter_policy(act, s),
        N::CompositeTypeStmt(s) => types::composite_type(act, s),
        N::CreateEnumStmt(s) => {
            types::create_type(act, &names::list(&s.type_name), 'e', None, false);
            Ok(())
        }
        N::AlterEnumStmt(s) => {
            types::alter_enum(act, s);
            Ok(())
        }
        N::CreateRangeStmt(s) => {
            types::create_type(act, &names::list(&s.type_name), 'r', None, false);
            Ok(())
        }
        N::CreateDomainStmt(s) => {
            types::domain(act, s);
            Ok(())
        }
        N::AlterDomainStmt(s) => types::alter_domain(act, s),
        N::CreateStatsStmt(s) => publication::statistics(act, s),
        N::CreatePublicationStmt(s) => publication::create_publication(act, s),
        N::AlterPublicationStmt(s) => publication::alter_publication(act, s),
        N::CommentStmt(s) => comment::comment_on(act, s),
        N::SecLabelStmt(s) => comment::comment(act, s.objtype, s.object.as_deref()),
        N::GrantStmt(s) => comment::grant(act, s),
        N::CreateFunctionStmt(s) => function::function(act, s),
        N::SelectStmt(s) if s.into_clause.is_some() => select_into(act, s),
        N::SelectStmt(_)
        | N::InsertStmt(_)
        | N::UpdateStmt(_)
        | N::DeleteStmt(_)
        | N::MergeStmt(_) => walk::run(act, node, Stage::Executed),
        N::CopyStmt(s) => walk::copy(act, s),
        N::DoStmt(s) => code::run_do(act, s),
        N::CallStmt(s) => {
            code::call(act, s);
            Ok(())
        }
        N::ExplainStmt(s) => explain(act, s),
        N::PrepareStmt(s) => inner(act, s.query.as_deref(), Stage::Rewritten),
        N::DeclareCursorStmt(s) => inner(act, s.query.as_deref(), Stage::Planned),
        N::CreateSchemaStmt(s) => create_schema(act, s),
        N::VariableSetStmt(_) => {
            act.follow_settings(node);
            Ok(())
        }
        N::DiscardStmt(_) => {
            act.follow_settings(node);
            Ok(())
        }
        // What a ROLLBACK takes back: undo.rs.
        N::TransactionStmt(_) => Ok(()),
        N::CreateExtensionStmt(s) if s.if_not_exists && act.world.has_extension(&s.extname) => {
            Ok(())
        }
        _ => {
            if let Some(why) = opaque(node) {
                act.opaque(why);
            } else if !is_silent(node) {
                act.opaque("what this command locks is not known");
            }
            Ok(())
        }
    }
}

/// Commands that run code which cannot be seen.
fn opaque(node: &N) -> Option<&'static str> {
    Some(match node {
        N::ExecuteStmt(_) => "EXECUTE runs a statement prepared elsewhere",
        N::FetchStmt(_) => "FETCH runs a query declared elsewhere",
        N::CreateExtensionStmt(_) | N::AlterExtensionStmt(_) => {
            "the extension's script runs code of its own"
        }
        N::AlterExtensionContentsStmt(_) => "the extension's members cannot be told",
        N::ImportForeignSchemaStmt(_) => "which tables are imported cannot be told",
        _ => return None,
    })
}

/// Commands that lock no relation of a user's.
fn is_silent(node: &N) -> bool {
    matches!(
        node,
        N::AlterTypeStmt(_)
            | N::AlterCollationStmt(_)
            | N::GrantRoleStmt(_)
            | N::AlterDefaultPrivilegesStmt(_)
            | N::VariableShowStmt(_)
            | N::CreateTableSpaceStmt(_)
            | N::DropTableSpaceStmt(_)
            | N::AlterTableSpaceOptionsStmt(_)
            | N::CreateFdwStmt(_)
            | N::AlterFdwStmt(_)
            | N::CreateForeignServerStmt(_)
            | N::AlterForeignServerStmt(_)
            | N::CreateUserMappingStmt(_)
            | N::AlterUserMappingStmt(_)
            | N::DropUserMappingStmt(_)
            | N::CreateAmStmt(_)
            | N::CreateEventTrigStmt(_)
            | N::AlterEventTrigStmt(_)
            | N::CreatePlangStmt(_)
            | N::CreateRoleStmt(_)
            | N::AlterRoleStmt(_)
            | N::AlterRoleSetStmt(_)
            | N::DropRoleStmt(_)
            | N::DefineStmt(_)
            | N::CreateOpClassStmt(_)
            | N::CreateOpFamilyStmt(_)
            | N::AlterOpFamilyStmt(_)
            | N::ClosePortalStmt(_)
            | N::AlterFunctionStmt(_)
            | N::AlterOperatorStmt(_)
            | N::AlterStatsStmt(_)
            | N::NotifyStmt(_)
            | N::ListenStmt(_)
            | N::UnlistenStmt(_)
            | N::LoadStmt(_)
            | N::CreatedbStmt(_)
            | N::AlterDatabaseStmt(_)
            | N::AlterDatabaseRefreshCollStmt(_)
            | N::AlterDatabaseSetStmt(_)
            | N::DropdbStmt(_)
            | N::AlterSystemStmt(_)
            | N::CheckPointStmt(_)
            | N::ConstraintsSetStmt(_)
            | N::CreateConversionStmt(_)
            | N::CreateCastStmt(_)
            | N::CreateTransformStmt(_)
            | N::DeallocateStmt(_)
            | N::AlterTsdictionaryStmt(_)
            | N::AlterTsconfigurationStmt(_)
            | N::CreateSubscriptionStmt(_)
            | N::AlterSubscriptionStmt(_)
            | N::DropSubscriptionStmt(_)
    )
}

fn inner(act: &mut Act, query: Option<&pg_query::protobuf::Node>, stage: Stage) -> Step {
    match query.and_then(|q| q.node.as_ref()) {
        Some(node) => walk::run(act, node, stage),
        None => Ok(()),
    }
}

fn explain(act: &mut Act, statement: &pg_query::protobuf::ExplainStmt) -> Step {
    let analyzes = statement.options.iter().any(
        |o| matches!(&o.node, Some(N::DefElem(e)) if e.defname == "analyze" && names::is_on(e)),
    );
    let node = statement.query.as_ref().and_then(|q| q.node.as_ref());
    match node {
        Some(N::CreateTableAsStmt(s)) => inner(act, s.query.as_deref(), Stage::Planned),
        Some(N::DeclareCursorStmt(s)) => inner(act, s.query.as_deref(), Stage::Planned),
        Some(N::RefreshMatViewStmt(_)) => Ok(()),
        Some(N::ExecuteStmt(_)) => {
            act.opaque("EXECUTE runs a statement prepared elsewhere");
            Ok(())
        }
        Some(node) => walk::run(
            act,
            node,
            if analyzes {
                Stage::Executed
            } else {
                Stage::Planned
            },
        ),
        None => Ok(()),
    }
}

/// `SELECT … INTO`: as CREATE TABLE AS.
fn select_into(act: &mut Act, statement: &pg_query::protobuf::SelectStmt) -> Step {
    let mut query = statement.clone();
    let into = query.into_clause.take();
    create_table::create_as(
        act,
        &pg_query::protobuf::CreateTableAsStmt {
            query: Some(Box::new(pg_query::protobuf::Node {
                node: Some(N::SelectStmt(Box::new(query))),
            })),
            into,
            objtype: ObjectType::ObjectTable as i32,
            is_select_into: true,
            if_not_exists: false,
        },
    )
}

/// `CREATE SCHEMA`, with what is created in it.
fn create_schema(act: &mut Act, statement: &pg_query::protobuf::CreateSchemaStmt) -> Step {
    let name = if statement.schemaname.is_empty() {
        statement
            .authrole
            .as_ref()
            .map(|r| r.rolename.clone())
            .unwrap_or_default()
    } else {
        statement.schemaname.clone()
    };
    if act.world.schema(&name).is_none() {
        act.world.put_schema(&name);
    }
    let mut inside = vec![name];
    inside.extend(act.world.path());
    let path = act.world.swap_path(inside);
    let outcome = statement
        .schema_elts
        .iter()
        .filter_map(|e| e.node.as_ref())
        .try_for_each(|e| known(act, e));
    act.world.swap_path(path);
    outcome
}

/// Event triggers run code of their own around DDL.
fn event_triggers(act: &mut Act, node: &N) {
    let is_ddl = !matches!(
        node,
        N::SelectStmt(_)
            | N::InsertStmt(_)
            | N::UpdateStmt(_)
            | N::DeleteStmt(_)
            | N::MergeStmt(_)
            | N::CopyStmt(_)
            | N::ExplainStmt(_)
            | N::VariableSetStmt(_)
            | N::VariableShowStmt(_)
            | N::TransactionStmt(_)
            | N::LockStmt(_)
            | N::TruncateStmt(_)
            | N::VacuumStmt(_)
            | N::ClusterStmt(_)
            | N::CreateEventTrigStmt(_)
            | N::AlterEventTrigStmt(_)
            | N::CreateRoleStmt(_)
            | N::AlterRoleStmt(_)
            | N::DropRoleStmt(_)
    );
    if !is_ddl {
        return;
    }
    let tag = tag(node);
    let found: Vec<_> = act
        .world
        .event_triggers
        .iter()
        .filter(|e| match e.event.as_str() {
            "sql_drop" => tag.starts_with("DROP") || tag.starts_with("ALTER"),
            "table_rewrite" => tag.starts_with("ALTER"),
            "login" => false,
            _ => true,
        } && (e.tags.is_empty() || e.tags.iter().any(|t| *t == tag)))
        .map(|e| (e.name.clone(), e.function))
        .collect();
    for (name, function) in found {
        code::of_trigger(
            act,
            function,
            format!("event trigger {name} runs code of its own"),
        );
    }
}

/// The words for an object type in a command tag.
fn object_words(objtype: i32) -> &'static str {
    use ObjectType as O;
    match ObjectType::try_from(objtype).unwrap_or(O::Undefined) {
        O::ObjectIndex => "INDEX",
        O::ObjectSequence => "SEQUENCE",
        O::ObjectView => "VIEW",
        O::ObjectMatview => "MATERIALIZED VIEW",
        O::ObjectForeignTable => "FOREIGN TABLE",
        O::ObjectType | O::ObjectAttribute => "TYPE",
        O::ObjectDomain | O::ObjectDomconstraint => "DOMAIN",
        O::ObjectSchema => "SCHEMA",
        O::ObjectFunction => "FUNCTION",
        O::ObjectProcedure => "PROCEDURE",
        O::ObjectRoutine => "ROUTINE",
        O::ObjectAggregate => "AGGREGATE",
        O::ObjectTrigger => "TRIGGER",
        O::ObjectRule => "RULE",
        O::ObjectPolicy => "POLICY",
        O::ObjectExtension => "EXTENSION",
        O::ObjectStatisticExt => "STATISTICS",
        O::ObjectPublication => "PUBLICATION",
        O::ObjectSubscription => "SUBSCRIPTION",
        O::ObjectEventTrigger => "EVENT TRIGGER",
        O::ObjectCollation => "COLLATION",
        O::ObjectConversion => "CONVERSION",
        O::ObjectOperator => "OPERATOR",
        O::ObjectOpclass => "OPERATOR CLASS",
        O::ObjectOpfamily => "OPERATOR FAMILY",
        O::ObjectLanguage => "LANGUAGE",
        O::ObjectCast => "CAST",
        O::ObjectForeignServer => "SERVER",
        O::ObjectFdw => "FOREIGN DATA WRAPPER",
        O::ObjectAccessMethod => "ACCESS METHOD",
        O::ObjectTransform => "TRANSFORM",
        O::ObjectDatabase => "DATABASE",
        O::ObjectRole => "ROLE",
        O::ObjectTablespace => "TABLESPACE",
        O::ObjectTsconfiguration => "TEXT SEARCH CONFIGURATION",
        O::ObjectTsdictionary => "TEXT SEARCH DICTIONARY",
        O::ObjectTsparser => "TEXT SEARCH PARSER",
        O::ObjectTstemplate => "TEXT SEARCH TEMPLATE",
        _ => "TABLE",
    }
}

/// The command tag (`CreateCommandTag`, utility.c).
pub fn tag(node: &N) -> Cow<'static, str> {
    let (verb, objtype) = match node {
        N::AlterTableStmt(s) => ("ALTER", s.objtype),
        N::DropStmt(s) => ("DROP", s.remove_type),
        N::RenameStmt(s) => match ObjectType::try_from(s.rename_type) {
            Ok(ObjectType::ObjectColumn | ObjectType::ObjectTabconstraint) => {
                ("ALTER", s.relation_type)
            }
            _ => ("ALTER", s.rename_type),
        },
        N::AlterObjectSchemaStmt(s) => ("ALTER", s.object_type),
        N::AlterOwnerStmt(s) => ("ALTER", s.object_type),
        N::AlterObjectDependsStmt(s) => ("ALTER", s.object_type),
        N::AlterTableMoveAllStmt(s) => ("ALTER", s.objtype),
        N::AlterFunctionStmt(s) => ("ALTER", s.objtype),
        N::DefineStmt(s) => ("CREATE", s.kind),
        _ => return Cow::Borrowed(fixed_tag(node)),
    };
    Cow::Owned(format!("{verb} {}", object_words(objtype)))
}

/// Tags of commands that are for one kind of object.
fn fixed_tag(node: &N) -> &'static str {
    match node {
        N::CreateStmt(_) => "CREATE TABLE",
        N::CreateForeignTableStmt(_) => "CREATE FOREIGN TABLE",
        N::CreateTableAsStmt(s) if s.objtype == ObjectType::ObjectMatview as i32 => {
            "CREATE MATERIALIZED VIEW"
        }
        N::CreateTableAsStmt(s) if s.is_select_into => "SELECT INTO",
        N::CreateTableAsStmt(_) => "CREATE TABLE AS",
        N::RefreshMatViewStmt(_) => "REFRESH MATERIALIZED VIEW",
        N::IndexStmt(_) => "CREATE INDEX",
        N::ReindexStmt(_) => "REINDEX",
        N::TruncateStmt(_) => "TRUNCATE TABLE",
        N::LockStmt(_) => "LOCK TABLE",
        N::ClusterStmt(_) => "CLUSTER",
        N::VacuumStmt(s) if s.is_vacuumcmd => "VACUUM",
        N::VacuumStmt(_) => "ANALYZE",
        N::ReassignOwnedStmt(_) => "REASSIGN OWNED",
        N::DropOwnedStmt(_) => "DROP OWNED",
        N::ViewStmt(_) => "CREATE VIEW",
        N::CreateSeqStmt(_) => "CREATE SEQUENCE",
        N::AlterSeqStmt(_) => "ALTER SEQUENCE",
        N::CreateTrigStmt(_) => "CREATE TRIGGER",
        N::RuleStmt(_) => "CREATE RULE",
        N::CreatePolicyStmt(_) => "CREATE POLICY",
        N::AlterPolicyStmt(_) => "ALTER POLICY",
        N::CompositeTypeStmt(_) | N::CreateEnumStmt(_) | N::CreateRangeStmt(_) => "CREATE TYPE",
        N::AlterEnumStmt(_) | N::AlterTypeStmt(_) => "ALTER TYPE",
        N::CreateDomainStmt(_) => "CREATE DOMAIN",
        N::AlterDomainStmt(_) => "ALTER DOMAIN",
        N::CreateStatsStmt(_) => "CREATE STATISTICS",
        N::AlterStatsStmt(_) => "ALTER STATISTICS",
        N::CreatePublicationStmt(_) => "CREATE PUBLICATION",
        N::AlterPublicationStmt(_) => "ALTER PUBLICATION",
        N::CreateSubscriptionStmt(_) => "CREATE SUBSCRIPTION",
        N::AlterSubscriptionStmt(_) => "ALTER SUBSCRIPTION",
        N::DropSubscriptionStmt(_) => "DROP SUBSCRIPTION",
        N::CommentStmt(_) => "COMMENT",
        N::SecLabelStmt(_) => "SECURITY LABEL",
        N::GrantStmt(s) if s.is_grant => "GRANT",
        N::GrantStmt(_) => "REVOKE",
        N::GrantRoleStmt(s) if s.is_grant => "GRANT ROLE",
        N::GrantRoleStmt(_) => "REVOKE ROLE",
        N::AlterDefaultPrivilegesStmt(_) => "ALTER DEFAULT PRIVILEGES",
        N::CreateFunctionStmt(s) if s.is_procedure => "CREATE PROCEDURE",
        N::CreateFunctionStmt(_) => "CREATE FUNCTION",
        N::SelectStmt(s) if s.into_clause.is_some() => "SELECT INTO",
        N::SelectStmt(_) => "SELECT",
        N::InsertStmt(_) => "INSERT",
        N::UpdateStmt(_) => "UPDATE",
        N::DeleteStmt(_) => "DELETE",
        N::MergeStmt(_) => "MERGE",
        N::CopyStmt(_) => "COPY",
        N::ExplainStmt(_) => "EXPLAIN",
        N::PrepareStmt(_) => "PREPARE",
        N::ExecuteStmt(_) => "EXECUTE",
        N::DeallocateStmt(_) => "DEALLOCATE",
        N::DeclareCursorStmt(_) => "DECLARE CURSOR",
        N::FetchStmt(_) => "FETCH",
        N::ClosePortalStmt(_) => "CLOSE CURSOR",
        N::CreateSchemaStmt(_) => "CREATE SCHEMA",
        N::CreateExtensionStmt(_) => "CREATE EXTENSION",
        N::AlterExtensionStmt(_) | N::AlterExtensionContentsStmt(_) => "ALTER EXTENSION",
        N::DoStmt(_) => "DO",
        N::CallStmt(_) => "CALL",
        N::VariableSetStmt(_) => "SET",
        N::VariableShowStmt(_) => "SHOW",
        N::TransactionStmt(s) => transaction_tag(s.kind),
        N::CreateRoleStmt(_) => "CREATE ROLE",
        N::AlterRoleStmt(_) | N::AlterRoleSetStmt(_) => "ALTER ROLE",
        N::DropRoleStmt(_) => "DROP ROLE",
        N::CreateEventTrigStmt(_) => "CREATE EVENT TRIGGER",
        N::AlterEventTrigStmt(_) => "ALTER EVENT TRIGGER",
        N::CreateForeignServerStmt(_) => "CREATE SERVER",
        N::CreateFdwStmt(_) => "CREATE FOREIGN DATA WRAPPER",
        N::CreateUserMappingStmt(_) => "CREATE USER MAPPING",
        N::CreateCastStmt(_) => "CREATE CAST",
        N::CreateTransformStmt(_) => "CREATE TRANSFORM",
        N::CreateOpClassStmt(_) => "CREATE OPERATOR CLASS",
        N::CreateOpFamilyStmt(_) => "CREATE OPERATOR FAMILY",
        N::AlterOpFamilyStmt(_) => "ALTER OPERATOR FAMILY",
        N::AlterOperatorStmt(_) => "ALTER OPERATOR",
        N::CreateAmStmt(_) => "CREATE ACCESS METHOD",
        N::CreatePlangStmt(_) => "CREATE LANGUAGE",
        N::CreatedbStmt(_) => "CREATE DATABASE",
        N::DropdbStmt(_) => "DROP DATABASE",
        N::AlterDatabaseStmt(_)
        | N::AlterDatabaseSetStmt(_)
        | N::AlterDatabaseRefreshCollStmt(_) => "ALTER DATABASE",
        N::AlterSystemStmt(_) => "ALTER SYSTEM",
        N::CheckPointStmt(_) => "CHECKPOINT",
        N::DiscardStmt(_) => "DISCARD",
        N::ConstraintsSetStmt(_) => "SET CONSTRAINTS",
        N::NotifyStmt(_) => "NOTIFY",
        N::ListenStmt(_) => "LISTEN",
        N::UnlistenStmt(_) => "UNLISTEN",
        N::LoadStmt(_) => "LOAD",
        N::ImportForeignSchemaStmt(_) => "IMPORT FOREIGN SCHEMA",
        N::CreateTableSpaceStmt(_) => "CREATE TABLESPACE",
        N::DropTableSpaceStmt(_) => "DROP TABLESPACE",
        _ => "ALTER",
    }
}

fn transaction_tag(kind: i32) -> &'static str {
    use TransactionStmtKind as K;
    match K::try_from(kind).unwrap_or(K::Undefined) {
        K::TransStmtBegin => "BEGIN",
        K::TransStmtStart => "START TRANSACTION",
        K::TransStmtRollback | K::TransStmtRollbackTo => "ROLLBACK",
        K::TransStmtSavepoint => "SAVEPOINT",
        K::TransStmtRelease => "RELEASE",
        K::TransStmtPrepare => "PREPARE TRANSACTION",
        K::TransStmtCommitPrepared => "COMMIT PREPARED",
        K::TransStmtRollbackPrepared => "ROLLBACK PREPARED",
        _ => "COMMIT",
    }
}
