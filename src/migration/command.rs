//! From the parser's node to the command tag, and by it to its row in `model/command.rs`. The match is exhaustive:
//! a new node of the grammar does not compile until it has its tag.

use crate::model::Command;
use pg_query::NodeEnum as N;
use pg_query::protobuf::{ObjectType, TransactionStmtKind};
use std::borrow::Cow;

/// The row of a statement.
#[must_use]
pub fn of(node: &N) -> &'static Command {
    Command::of(&tag(node))
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
#[must_use]
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
        N::AlterCollationStmt(_) => "ALTER COLLATION",
        N::AlterTableSpaceOptionsStmt(_) => "ALTER TABLESPACE",
        N::AlterFdwStmt(_) => "ALTER FOREIGN DATA WRAPPER",
        N::AlterForeignServerStmt(_) => "ALTER SERVER",
        N::AlterUserMappingStmt(_) => "ALTER USER MAPPING",
        N::DropUserMappingStmt(_) => "DROP USER MAPPING",
        N::CreateConversionStmt(_) => "CREATE CONVERSION",
        N::AlterTsdictionaryStmt(_) => "ALTER TEXT SEARCH DICTIONARY",
        N::AlterTsconfigurationStmt(_) => "ALTER TEXT SEARCH CONFIGURATION",
        // In tag().
        N::AlterFunctionStmt(_)
        | N::AlterObjectDependsStmt(_)
        | N::AlterObjectSchemaStmt(_)
        | N::AlterOwnerStmt(_)
        | N::AlterTableMoveAllStmt(_)
        | N::AlterTableStmt(_)
        | N::DefineStmt(_)
        | N::DropStmt(_)
        | N::RenameStmt(_) => "",
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
        | N::AConst(_) => "",
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
