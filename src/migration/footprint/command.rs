//! Which file knows which command: one row a node of the grammar, so that a new one does not compile until it
//! has its row.

use super::act::{Act, Step};
use super::index::{create, reindex};
use super::objects::{comment, function, publication, sequence, trigger, types, view};
use super::query::walk::{self, Stage};
use super::{
    alter_table, code, create_table, dependency, drop, extension, maintenance, names, rename, role,
};
use crate::migration::command::tag;
use crate::model::{Command, RelationKind};
use pg_query::NodeEnum as N;
use pg_query::protobuf::ObjectType;

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
        N::ExecuteStmt(_) => opaque(act, "EXECUTE runs a statement prepared elsewhere"),
        N::FetchStmt(_) => opaque(act, "FETCH runs a query declared elsewhere"),
        N::CreateExtensionStmt(s) => {
            extension::create(act, s);
            Ok(())
        }
        N::AlterExtensionStmt(s) => {
            extension::update(act, &s.extname);
            Ok(())
        }
        N::AlterExtensionContentsStmt(_) => {
            opaque(act, "which members of the extension are locked is unknown")
        }
        N::CreateSubscriptionStmt(s) if connects(&s.options) => opaque(
            act,
            "it makes a slot on the publisher, which waits for the transactions there",
        ),
        N::CreateSubscriptionStmt(_) => Ok(()),
        N::ImportForeignSchemaStmt(_) => opaque(act, "which tables are imported is unknown"),
        // Commands that lock no relation of a user's.
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
        | N::AlterSubscriptionStmt(_)
        | N::DropSubscriptionStmt(_) => Ok(()),
        // No statements, but parts of one.
        N::Alias(_)
        | N::RangeVar(_)
        | N::TableFunc(_)
        | N::IntoClause(_)
        | N::Var(_)
        | N::Param(_)
        | N::Aggref(_)
        | N::GroupingFunc(_)
        | N::WindowFunc(_)
        | N::WindowFuncRunCondition(_)
        | N::MergeSupportFunc(_)
        | N::SubscriptingRef(_)
        | N::FuncExpr(_)
        | N::NamedArgExpr(_)
        | N::OpExpr(_)
        | N::DistinctExpr(_)
        | N::NullIfExpr(_)
        | N::ScalarArrayOpExpr(_)
        | N::BoolExpr(_)
        | N::SubLink(_)
        | N::SubPlan(_)
        | N::AlternativeSubPlan(_)
        | N::FieldSelect(_)
        | N::FieldStore(_)
        | N::RelabelType(_)
        | N::CoerceViaIo(_)
        | N::ArrayCoerceExpr(_)
        | N::ConvertRowtypeExpr(_)
        | N::CollateExpr(_)
        | N::CaseExpr(_)
        | N::CaseWhen(_)
        | N::CaseTestExpr(_)
        | N::ArrayExpr(_)
        | N::RowExpr(_)
        | N::RowCompareExpr(_)
        | N::CoalesceExpr(_)
        | N::MinMaxExpr(_)
        | N::SqlvalueFunction(_)
        | N::XmlExpr(_)
        | N::JsonFormat(_)
        | N::JsonReturning(_)
        | N::JsonValueExpr(_)
        | N::JsonConstructorExpr(_)
        | N::JsonIsPredicate(_)
        | N::JsonBehavior(_)
        | N::JsonExpr(_)
        | N::JsonTablePath(_)
        | N::JsonTablePathScan(_)
        | N::JsonTableSiblingJoin(_)
        | N::NullTest(_)
        | N::BooleanTest(_)
        | N::MergeAction(_)
        | N::CoerceToDomain(_)
        | N::CoerceToDomainValue(_)
        | N::SetToDefault(_)
        | N::CurrentOfExpr(_)
        | N::NextValueExpr(_)
        | N::InferenceElem(_)
        | N::ReturningExpr(_)
        | N::TargetEntry(_)
        | N::RangeTblRef(_)
        | N::JoinExpr(_)
        | N::FromExpr(_)
        | N::OnConflictExpr(_)
        | N::Query(_)
        | N::TypeName(_)
        | N::ColumnRef(_)
        | N::ParamRef(_)
        | N::AExpr(_)
        | N::TypeCast(_)
        | N::CollateClause(_)
        | N::RoleSpec(_)
        | N::FuncCall(_)
        | N::AStar(_)
        | N::AIndices(_)
        | N::AIndirection(_)
        | N::AArrayExpr(_)
        | N::ResTarget(_)
        | N::MultiAssignRef(_)
        | N::SortBy(_)
        | N::WindowDef(_)
        | N::RangeSubselect(_)
        | N::RangeFunction(_)
        | N::RangeTableFunc(_)
        | N::RangeTableFuncCol(_)
        | N::RangeTableSample(_)
        | N::ColumnDef(_)
        | N::TableLikeClause(_)
        | N::IndexElem(_)
        | N::DefElem(_)
        | N::LockingClause(_)
        | N::XmlSerialize(_)
        | N::PartitionElem(_)
        | N::PartitionSpec(_)
        | N::PartitionBoundSpec(_)
        | N::PartitionRangeDatum(_)
        | N::PartitionCmd(_)
        | N::RangeTblEntry(_)
        | N::RtepermissionInfo(_)
        | N::RangeTblFunction(_)
        | N::TableSampleClause(_)
        | N::WithCheckOption(_)
        | N::SortGroupClause(_)
        | N::GroupingSet(_)
        | N::WindowClause(_)
        | N::RowMarkClause(_)
        | N::WithClause(_)
        | N::InferClause(_)
        | N::OnConflictClause(_)
        | N::CtesearchClause(_)
        | N::CtecycleClause(_)
        | N::CommonTableExpr(_)
        | N::MergeWhenClause(_)
        | N::ReturningOption(_)
        | N::ReturningClause(_)
        | N::TriggerTransition(_)
        | N::JsonOutput(_)
        | N::JsonArgument(_)
        | N::JsonFuncExpr(_)
        | N::JsonTablePathSpec(_)
        | N::JsonTable(_)
        | N::JsonTableColumn(_)
        | N::JsonKeyValue(_)
        | N::JsonParseExpr(_)
        | N::JsonScalarExpr(_)
        | N::JsonSerializeExpr(_)
        | N::JsonObjectConstructor(_)
        | N::JsonArrayConstructor(_)
        | N::JsonArrayQueryConstructor(_)
        | N::JsonAggConstructor(_)
        | N::JsonObjectAgg(_)
        | N::JsonArrayAgg(_)
        | N::RawStmt(_)
        | N::SetOperationStmt(_)
        | N::ReturnStmt(_)
        | N::PlassignStmt(_)
        | N::AlterTableCmd(_)
        | N::AtalterConstraint(_)
        | N::ReplicaIdentityStmt(_)
        | N::ObjectWithArgs(_)
        | N::AccessPriv(_)
        | N::Constraint(_)
        | N::CreateOpClassItem(_)
        | N::StatsElem(_)
        | N::FunctionParameter(_)
        | N::InlineCodeBlock(_)
        | N::CallContext(_)
        | N::VacuumRelation(_)
        | N::PublicationTable(_)
        | N::PublicationObjSpec(_)
        | N::Integer(_)
        | N::Float(_)
        | N::Boolean(_)
        | N::String(_)
        | N::BitString(_)
        | N::List(_)
        | N::IntList(_)
        | N::OidList(_)
        | N::AConst(_) => opaque(act, "what this command locks is not known"),
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
            format!("event trigger {name} runs code of its own"),
        );
    }
}
