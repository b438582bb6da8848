//! Which file knows which command: one row a node of the grammar.

use super::act::{Act, Step};
use super::index::{create, reindex};
use super::objects::{comment, function, made, publication, sequence, trigger, types, view};
use super::query::walk::{self, Stage};
use super::{
    alter_table, code, condition, create_table, dependency, drop, extension, labels, listed,
    maintenance, names, read_only, refused, rename, role, syntax,
};
use crate::migration::command::tag;
use crate::model::{Command, Oid, RelationKind, class};
use pg_query::NodeEnum as N;
use pg_query::protobuf::ObjectType;
use std::slice;

/// Tells one statement's locks and changes the world behind it.
pub fn run(act: &mut Act, node: &N) -> Step {
    if role::gives_rights(node) {
        act.world.forget_rights();
    }
    condition::note_rows(act, node);
    syntax::is_known(act, node)?;
    read_only::allows(act, node)?;
    let is_possible = refused::allows(act, node);
    let outcome = known(act, node)
        .and_then(|()| labels::are_safe(act, node))
        .and(is_possible)
        .and_then(|()| read_only::lets_write(act, node));
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
        N::ExecuteStmt(_) => opaque(act, "EXECUTE runs a statement prepared elsewhere"),
        N::FetchStmt(_) => opaque(act, "FETCH runs a query declared elsewhere"),
        N::CreateExtensionStmt(s) => extension::create(act, s),
        N::AlterExtensionStmt(s) => {
            extension::update(act, &s.extname);
            Ok(())
        }
        N::AlterExtensionContentsStmt(s) => comment::member(act, s),
        N::CreateSubscriptionStmt(s) if connects(&s.options) => opaque(
            act,
            "it makes a slot on the publisher, which waits for the transactions there",
        ),
        N::CreateSubscriptionStmt(_) => Ok(()),
        N::ImportForeignSchemaStmt(_) => opaque(act, "which tables are imported is unknown"),
        N::DefineStmt(s) => {
            made::define(act, s);
            Ok(())
        }
        N::CreateOpClassStmt(s) => {
            made::operator_class(act, s);
            Ok(())
        }
        N::CreateOpFamilyStmt(s) => new_object(act, class::OPFAMILY, &names::list(&s.opfamilyname)),
        N::CreateFdwStmt(s) => new_object(act, class::FDW, slice::from_ref(&s.fdwname)),
        N::CreateForeignServerStmt(s) => {
            new_object(act, class::SERVER, slice::from_ref(&s.servername))
        }
        N::CreateAmStmt(s) => new_object(act, class::ACCESS_METHOD, slice::from_ref(&s.amname)),
        N::CreateCastStmt(_) => {
            act.world.has_new_casts = true;
            Ok(())
        }
        N::CreateRoleStmt(_)
        | N::DropRoleStmt(_)
        | N::CreateTableSpaceStmt(_)
        | N::DropTableSpaceStmt(_) => {
            names_of_the_cluster(act, node);
            Ok(())
        }
        N::CreatePlangStmt(s) => new_object(act, class::LANGUAGE, slice::from_ref(&s.plname)),
        // Commands that lock no relation of a user's.
        N::AlterTypeStmt(_)
        | N::AlterCollationStmt(_)
        | N::GrantRoleStmt(_)
        | N::AlterDefaultPrivilegesStmt(_)
        | N::VariableShowStmt(_)
        | N::AlterTableSpaceOptionsStmt(_)
        | N::AlterFdwStmt(_)
        | N::AlterForeignServerStmt(_)
        | N::CreateUserMappingStmt(_)
        | N::AlterUserMappingStmt(_)
        | N::DropUserMappingStmt(_)
        | N::CreateEventTrigStmt(_)
        | N::AlterEventTrigStmt(_)
        | N::AlterRoleStmt(_)
        | N::AlterRoleSetStmt(_)
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
        | N::CreateTransformStmt(_)
        | N::DeallocateStmt(_)
        | N::AlterTsdictionaryStmt(_)
        | N::AlterTsconfigurationStmt(_)
        | N::AlterSubscriptionStmt(_)
        | N::DropSubscriptionStmt(_) => Ok(()),
        // Parts of statements, and what is not known here: the doubtful side. A new statement of the grammar does not
        // compile until it has its tag (migration/command.rs).
        _ => opaque(act, "what this command locks is not known"),
    }
}

/// Whether CREATE SUBSCRIPTION makes a slot on the publisher (`CreateSubscription`, subscriptioncmds.c).
fn connects(options: &[pg_query::protobuf::Node]) -> bool {
    let is_off = |option: &pg_query::protobuf::Node| match &option.node {
        Some(N::DefElem(e)) => {
            ["connect", "create_slot"].contains(&e.defname.as_str()) && !names::is_on(e)
        }
        _ => false,
    };
    !options.iter().any(is_off)
}

/// Roles and tablespaces, which belong to no database.
fn names_of_the_cluster(act: &mut Act, node: &N) {
    let Some(named) = &mut act.world.named else {
        return;
    };
    match node {
        N::CreateRoleStmt(s) => drop(named.roles.insert(s.role.clone())),
        N::DropRoleStmt(s) => {
            for role in names::role_names(&s.roles) {
                named.roles.remove(&role);
            }
        }
        N::CreateTableSpaceStmt(s) => drop(named.tablespaces.insert(s.tablespacename.clone())),
        N::DropTableSpaceStmt(s) => drop(named.tablespaces.remove(&s.tablespacename)),
        _ => {}
    }
}

fn new_object(act: &mut Act, class: Oid, name: &[String]) -> Step {
    if listed::find(act, class, name).is_empty() {
        listed::put(act, class, name);
    }
    Ok(())
}

fn opaque(act: &mut Act, why: &str) -> Step {
    act.opaque(why);
    Ok(())
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
    let command = Command::of(&tag(node));
    if !command.fires_in(act.version()) {
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
            None,
            format!("event trigger {name} runs code of its own"),
        );
    }
}
