//! The parts of each node of the grammar, a row a kind: the one way in which a parse tree is walked.
//!
//! A row lists every field that can hold a node or a string. A kind without a row does not compile, and the test finds a
//! field that is missing: it compares with the tree as the library prints it.

use pg_query::protobuf::{self, Node};
use pg_query::{NodeEnum, NodeRef};

/// A part of a node.
#[derive(Debug, Clone, Copy)]
pub enum Part<'a> {
    /// A node below it.
    Node(NodeRef<'a>),
    /// A string in it: a name, or a constant.
    Text(&'a str),
}

/// The parts of a node, in the order of the grammar's fields.
#[must_use]
pub fn of(node: NodeRef<'_>) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    put(node, &mut parts);
    parts
}

/// The nodes right below a node.
pub fn nodes(node: NodeRef<'_>) -> impl Iterator<Item = NodeRef<'_>> {
    of(node).into_iter().filter_map(|part| match part {
        Part::Node(node) => Some(node),
        Part::Text(_) => None,
    })
}

/// A node and all those below it, each before its own parts.
#[must_use]
pub fn all<'a>(node: impl Into<Tree<'a>>) -> All<'a> {
    All {
        waiting: node.into().0.into_iter().collect(),
    }
}

/// Every string in a tree.
pub fn texts<'a>(tree: impl Into<Tree<'a>>) -> impl Iterator<Item = &'a str> {
    all(tree).flat_map(of).filter_map(|part| match part {
        Part::Text(text) => Some(text),
        Part::Node(_) => None,
    })
}

/// Where a walk begins: a node of any form.
pub struct Tree<'a>(Option<NodeRef<'a>>);

impl<'a> From<NodeRef<'a>> for Tree<'a> {
    fn from(node: NodeRef<'a>) -> Self {
        Self(Some(node))
    }
}

impl<'a> From<&'a NodeEnum> for Tree<'a> {
    fn from(node: &'a NodeEnum) -> Self {
        Self(Some(node.to_ref()))
    }
}

impl<'a> From<&'a Node> for Tree<'a> {
    fn from(node: &'a Node) -> Self {
        Self(node.node.as_ref().map(NodeEnum::to_ref))
    }
}

/// A walk from the top to the leaves.
pub struct All<'a> {
    waiting: Vec<NodeRef<'a>>,
}

impl<'a> Iterator for All<'a> {
    type Item = NodeRef<'a>;

    fn next(&mut self) -> Option<NodeRef<'a>> {
        let node = self.waiting.pop()?;
        let known = self.waiting.len();
        self.waiting.extend(nodes(node));
        self.waiting[known..].reverse();
        Some(node)
    }
}

/// What a field holds.
trait Held {
    fn put<'a>(&'a self, parts: &mut Vec<Part<'a>>);
}

impl Held for String {
    fn put<'a>(&'a self, parts: &mut Vec<Part<'a>>) {
        parts.push(Part::Text(self));
    }
}

impl Held for Node {
    fn put<'a>(&'a self, parts: &mut Vec<Part<'a>>) {
        parts.extend(self.node.as_ref().map(|node| Part::Node(node.to_ref())));
    }
}

impl Held for protobuf::a_const::Val {
    fn put<'a>(&'a self, parts: &mut Vec<Part<'a>>) {
        use protobuf::a_const::Val;
        parts.push(Part::Node(match self {
            Val::Ival(value) => NodeRef::Integer(value),
            Val::Fval(value) => NodeRef::Float(value),
            Val::Boolval(value) => NodeRef::Boolean(value),
            Val::Sval(value) => NodeRef::String(value),
            Val::Bsval(value) => NodeRef::BitString(value),
        }));
    }
}

impl<T: Held> Held for Vec<T> {
    fn put<'a>(&'a self, parts: &mut Vec<Part<'a>>) {
        self.iter().for_each(|one| one.put(parts));
    }
}

impl<T: Held> Held for Option<T> {
    fn put<'a>(&'a self, parts: &mut Vec<Part<'a>>) {
        self.iter().for_each(|one| one.put(parts));
    }
}

impl<T: Held> Held for Box<T> {
    fn put<'a>(&'a self, parts: &mut Vec<Part<'a>>) {
        self.as_ref().put(parts);
    }
}

/// Makes of the rows the function that reads a node, and lets each kind be held by a field.
macro_rules! kinds {
    ($($kind:ident $(as $name:ident)? { $($field:ident)* })*) => {
        fn put<'a>(node: NodeRef<'a>, parts: &mut Vec<Part<'a>>) {
            match node {
                $(NodeRef::$kind(_node) => {
                    $(_node.$field.put(parts);)*
                })*
            }
        }

        $(kinds!(@held $kind $($name)?);)*
    };
    (@held $kind:ident) => { kinds!(@held $kind $kind); };
    (@held $kind:ident $name:ident) => {
        impl Held for protobuf::$name {
            fn put<'a>(&'a self, parts: &mut Vec<Part<'a>>) {
                parts.push(Part::Node(NodeRef::$kind(self)));
            }
        }
    };
}

kinds! {
    Alias { aliasname colnames }
    RangeVar { catalogname schemaname relname relpersistence alias }
    TableFunc { ns_uris ns_names docexpr rowexpr colnames coltypes coltypmods colcollations colexprs
        coldefexprs colvalexprs passingvalexprs plan }
    Var { xpr }
    Param { xpr }
    Aggref { xpr aggargtypes aggdirectargs args aggorder aggdistinct aggfilter aggkind }
    GroupingFunc { xpr args refs }
    WindowFunc { xpr args aggfilter run_condition }
    SubscriptingRef { xpr refupperindexpr reflowerindexpr refexpr refassgnexpr }
    FuncExpr { xpr args }
    NamedArgExpr { xpr arg name }
    OpExpr { xpr args }
    DistinctExpr { xpr args }
    NullIfExpr { xpr args }
    ScalarArrayOpExpr { xpr args }
    BoolExpr { xpr args }
    SubLink { xpr testexpr oper_name subselect }
    SubPlan { xpr testexpr param_ids plan_name set_param par_param args }
    AlternativeSubPlan { xpr subplans }
    FieldSelect { xpr arg }
    FieldStore { xpr arg newvals fieldnums }
    RelabelType { xpr arg }
    CoerceViaIo { xpr arg }
    ArrayCoerceExpr { xpr arg elemexpr }
    ConvertRowtypeExpr { xpr arg }
    CollateExpr { xpr arg }
    CaseExpr { xpr arg args defresult }
    CaseWhen { xpr expr result }
    CaseTestExpr { xpr }
    ArrayExpr { xpr elements }
    RowExpr { xpr args colnames }
    RowCompareExpr { xpr opnos opfamilies inputcollids largs rargs }
    CoalesceExpr { xpr args }
    MinMaxExpr { xpr args }
    SqlvalueFunction as SqlValueFunction { xpr }
    XmlExpr { xpr name named_args arg_names args }
    NullTest { xpr arg }
    BooleanTest { xpr arg }
    CoerceToDomain { xpr arg }
    CoerceToDomainValue { xpr }
    SetToDefault { xpr }
    CurrentOfExpr { xpr cursor_name }
    NextValueExpr { xpr }
    InferenceElem { xpr expr }
    TargetEntry { xpr expr resname }
    RangeTblRef {}
    JoinExpr { larg rarg using_clause join_using_alias quals alias }
    FromExpr { fromlist quals }
    OnConflictExpr { arbiter_elems arbiter_where on_conflict_set on_conflict_where excl_rel_tlist }
    IntoClause { rel col_names access_method options table_space_name view_query }
    RawStmt { stmt }
    Query { utility_stmt cte_list rtable rteperminfos jointree merge_action_list merge_join_condition
        target_list on_conflict returning_old_alias returning_new_alias returning_list group_clause
        grouping_sets having_qual window_clause distinct_clause sort_clause limit_offset limit_count row_marks
        set_operations constraint_deps with_check_options }
    InsertStmt { relation cols select_stmt on_conflict_clause returning_clause with_clause }
    DeleteStmt { relation using_clause where_clause returning_clause with_clause }
    UpdateStmt { relation target_list where_clause from_clause returning_clause with_clause }
    SelectStmt { distinct_clause into_clause target_list from_clause where_clause group_clause having_clause
        window_clause values_lists sort_clause limit_offset limit_count locking_clause with_clause larg rarg }
    AlterTableStmt { relation cmds }
    AlterTableCmd { name newowner def }
    AlterDomainStmt { subtype type_name name def }
    SetOperationStmt { larg rarg col_types col_typmods col_collations group_clauses }
    GrantStmt { objects privileges grantees grantor }
    GrantRoleStmt { granted_roles grantee_roles opt grantor }
    AlterDefaultPrivilegesStmt { options action }
    ClosePortalStmt { portalname }
    ClusterStmt { relation indexname params }
    CopyStmt { relation query attlist filename options where_clause }
    CreateStmt { relation table_elts inh_relations partbound partspec of_typename constraints nnconstraints
        options tablespacename access_method }
    DefineStmt { defnames args definition }
    DropStmt { objects }
    TruncateStmt { relations }
    CommentStmt { object comment }
    FetchStmt { portalname }
    IndexStmt { idxname relation access_method table_space index_params index_including_params options
        where_clause exclude_op_names idxcomment }
    CreateFunctionStmt { funcname parameters return_type options sql_body }
    AlterFunctionStmt { func actions }
    DoStmt { args }
    RenameStmt { relation object subname newname }
    RuleStmt { relation rulename where_clause actions }
    NotifyStmt { conditionname payload }
    ListenStmt { conditionname }
    UnlistenStmt { conditionname }
    TransactionStmt { options savepoint_name gid }
    ViewStmt { view aliases query options }
    LoadStmt { filename }
    CreateDomainStmt { domainname type_name coll_clause constraints }
    CreatedbStmt { dbname options }
    DropdbStmt { dbname options }
    VacuumStmt { options rels }
    ExplainStmt { query options }
    CreateTableAsStmt { query into }
    CreateSeqStmt { sequence options }
    AlterSeqStmt { sequence options }
    VariableSetStmt { name args }
    VariableShowStmt { name }
    DiscardStmt {}
    CreateTrigStmt { trigname relation funcname args columns when_clause transition_rels constrrel }
    CreatePlangStmt as CreatePLangStmt { plname plhandler plinline plvalidator }
    CreateRoleStmt { role options }
    AlterRoleStmt { role options }
    DropRoleStmt { roles }
    LockStmt { relations }
    ConstraintsSetStmt { constraints }
    ReindexStmt { relation name params }
    CheckPointStmt {}
    CreateSchemaStmt { schemaname authrole schema_elts }
    AlterDatabaseStmt { dbname options }
    AlterDatabaseSetStmt { dbname setstmt }
    AlterRoleSetStmt { role database setstmt }
    CreateConversionStmt { conversion_name for_encoding_name to_encoding_name func_name }
    CreateCastStmt { sourcetype targettype func }
    CreateOpClassStmt { opclassname opfamilyname amname datatype items }
    CreateOpFamilyStmt { opfamilyname amname }
    AlterOpFamilyStmt { opfamilyname amname items }
    PrepareStmt { name argtypes query }
    ExecuteStmt { name params }
    DeallocateStmt { name }
    DeclareCursorStmt { portalname query }
    CreateTableSpaceStmt { tablespacename owner location options }
    DropTableSpaceStmt { tablespacename }
    AlterObjectDependsStmt { relation object extname }
    AlterObjectSchemaStmt { relation object newschema }
    AlterOwnerStmt { relation object newowner }
    AlterOperatorStmt { opername options }
    AlterTypeStmt { type_name options }
    AtalterConstraint as AtAlterConstraint { conname }
    DropOwnedStmt { roles }
    ReassignOwnedStmt { roles newrole }
    CompositeTypeStmt { typevar coldeflist }
    CreateEnumStmt { type_name vals }
    CreateRangeStmt { type_name params }
    AlterEnumStmt { type_name old_val new_val new_val_neighbor }
    AlterTsdictionaryStmt as AlterTsDictionaryStmt { dictname options }
    AlterTsconfigurationStmt as AlterTsConfigurationStmt { cfgname tokentype dicts }
    CreateFdwStmt { fdwname func_options options }
    AlterFdwStmt { fdwname func_options options }
    CreateForeignServerStmt { servername servertype version fdwname options }
    AlterForeignServerStmt { servername version options }
    CreateUserMappingStmt { user servername options }
    AlterUserMappingStmt { user servername options }
    DropUserMappingStmt { user servername }
    AlterTableSpaceOptionsStmt { tablespacename options }
    AlterTableMoveAllStmt { orig_tablespacename roles new_tablespacename }
    SecLabelStmt { object provider label }
    CreateForeignTableStmt { base_stmt servername options }
    ImportForeignSchemaStmt { server_name remote_schema local_schema table_list options }
    CreateExtensionStmt { extname options }
    AlterExtensionStmt { extname options }
    AlterExtensionContentsStmt { extname object }
    CreateEventTrigStmt { trigname eventname whenclause funcname }
    AlterEventTrigStmt { trigname tgenabled }
    RefreshMatViewStmt { relation }
    ReplicaIdentityStmt { identity_type name }
    AlterSystemStmt { setstmt }
    CreatePolicyStmt { policy_name table cmd_name roles qual with_check }
    AlterPolicyStmt { policy_name table roles qual with_check }
    CreateTransformStmt { type_name lang fromsql tosql }
    CreateAmStmt { amname handler_name amtype }
    CreatePublicationStmt { pubname options pubobjects }
    AlterPublicationStmt { pubname options pubobjects }
    CreateSubscriptionStmt { subname conninfo publication options }
    AlterSubscriptionStmt { subname conninfo publication options }
    DropSubscriptionStmt { subname }
    CreateStatsStmt { defnames stat_types exprs relations stxcomment }
    AlterCollationStmt { collname }
    CallStmt { funccall funcexpr outargs }
    AlterStatsStmt { defnames stxstattarget }
    AExpr { name lexpr rexpr }
    ColumnRef { fields }
    ParamRef {}
    AConst { val }
    FuncCall { funcname args agg_order agg_filter over }
    AStar {}
    AIndices { lidx uidx }
    AIndirection { arg indirection }
    AArrayExpr { elements }
    ResTarget { name indirection val }
    MultiAssignRef { source }
    TypeCast { arg type_name }
    CollateClause { arg collname }
    SortBy { node use_op }
    WindowDef { name refname partition_clause order_clause start_offset end_offset }
    RangeSubselect { subquery alias }
    RangeFunction { functions alias coldeflist }
    RangeTableSample { relation method args repeatable }
    RangeTableFunc { docexpr rowexpr namespaces columns alias }
    RangeTableFuncCol { colname type_name colexpr coldefexpr }
    TypeName { names typmods array_bounds }
    ColumnDef { colname type_name compression storage storage_name raw_default cooked_default identity
        identity_sequence generated coll_clause constraints fdwoptions }
    IndexElem { name expr indexcolname collation opclass opclassopts }
    Constraint { conname raw_expr cooked_expr generated_when generated_kind keys including exclusions options
        indexname indexspace access_method where_clause pktable fk_attrs pk_attrs fk_matchtype fk_upd_action
        fk_del_action fk_del_set_cols old_conpfeqop }
    DefElem { defnamespace defname arg }
    RangeTblEntry { alias eref relkind tablesample subquery joinaliasvars joinleftcols joinrightcols
        join_using_alias functions tablefunc values_lists ctename coltypes coltypmods colcollations enrname
        groupexprs security_quals }
    RangeTblFunction { funcexpr funccolnames funccoltypes funccoltypmods funccolcollations }
    TableSampleClause { args repeatable }
    WithCheckOption { relname polname qual }
    SortGroupClause {}
    GroupingSet { content }
    WindowClause { name refname partition_clause order_clause start_offset end_offset }
    ObjectWithArgs { objname objargs objfuncargs }
    AccessPriv { priv_name cols }
    CreateOpClassItem { name order_family class_args storedtype }
    TableLikeClause { relation }
    FunctionParameter { name arg_type defexpr }
    LockingClause { locked_rels }
    RowMarkClause {}
    XmlSerialize { expr type_name }
    WithClause { ctes }
    InferClause { index_elems where_clause conname }
    OnConflictClause { infer target_list where_clause }
    CommonTableExpr { ctename aliascolnames ctequery search_clause cycle_clause ctecolnames ctecoltypes
        ctecoltypmods ctecolcollations }
    RoleSpec { rolename }
    TriggerTransition { name }
    PartitionElem { name expr collation opclass }
    PartitionSpec { part_params }
    PartitionBoundSpec { strategy listdatums lowerdatums upperdatums }
    PartitionRangeDatum { value }
    PartitionCmd { name bound }
    VacuumRelation { relation va_cols }
    InlineCodeBlock { source_text }
    CallContext {}
    Integer {}
    Float { fval }
    Boolean {}
    String { sval }
    BitString { bsval }
    List { items }
    IntList { items }
    OidList { items }
    MergeStmt { relation source_relation join_condition merge_when_clauses returning_clause with_clause }
    MergeAction { qual target_list update_colnos }
    AlterDatabaseRefreshCollStmt { dbname }
    ReturnStmt { returnval }
    ReturningClause { options exprs }
    ReturningExpr { xpr retexpr }
    ReturningOption { value }
    PlassignStmt as PlAssignStmt { name indirection val }
    StatsElem { name expr }
    CtesearchClause as CteSearchClause { search_col_list search_seq_column }
    CtecycleClause as CteCycleClause { cycle_col_list cycle_mark_column cycle_mark_value cycle_mark_default
        cycle_path_column }
    MergeWhenClause { condition target_list values }
    PublicationObjSpec { name pubtable }
    PublicationTable { relation where_clause columns }
    JsonFormat {}
    JsonReturning { format }
    JsonValueExpr { raw_expr formatted_expr format }
    JsonConstructorExpr { xpr args func coercion returning }
    JsonIsPredicate { expr format }
    JsonOutput { type_name returning }
    JsonKeyValue { key value }
    JsonObjectConstructor { exprs output }
    JsonArrayConstructor { exprs output }
    JsonArrayQueryConstructor { query output format }
    JsonAggConstructor { output agg_filter agg_order over }
    JsonObjectAgg { constructor arg }
    JsonArrayAgg { constructor arg }
    RtepermissionInfo as RtePermissionInfo {}
    WindowFuncRunCondition { xpr arg }
    MergeSupportFunc { xpr }
    JsonBehavior { expr }
    JsonExpr { xpr column_name formatted_expr format path_spec returning passing_names passing_values on_empty
        on_error }
    JsonTablePath { name }
    JsonTablePathScan { plan path child }
    JsonTableSiblingJoin { plan lplan rplan }
    JsonArgument { val name }
    JsonFuncExpr { column_name context_item pathspec passing output on_empty on_error }
    JsonTablePathSpec { string name }
    JsonTable { context_item pathspec passing columns on_error alias }
    JsonTableColumn { name type_name pathspec format columns on_empty on_error }
    JsonParseExpr { expr output }
    JsonScalarExpr { expr output }
    JsonSerializeExpr { expr output }
}

#[cfg(test)]
mod tests {
    use crate::migration::depth;
    use serde_json::Value;

    /// The kinds and strings of a tree as the library prints it.
    fn printed(tree: &Value, found: &mut Vec<String>) {
        match tree {
            Value::String(text) => found.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| printed(item, found)),
            Value::Object(fields) => fields.values().for_each(|field| printed(field, found)),
            _ => {}
        }
    }

    /// The fixtures, and forms of the grammar that they have no use for.
    fn examples() -> Vec<String> {
        let mut folders = vec![std::path::PathBuf::from("migrations-fixtures")];
        let mut examples = vec![RARE.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == "sql") {
                    examples.extend(std::fs::read_to_string(path));
                }
            }
        }
        examples
    }

    const RARE: &str = "SELECT JSON_OBJECT('a': x RETURNING jsonb), JSON_ARRAY(1, y FORMAT JSON), JSON_SCALAR(z), \
        JSON_OBJECTAGG(k: v), JSON_ARRAYAGG(v ORDER BY k), JSON_VALUE(j, '$.a' DEFAULT 'd' ON EMPTY), \
        JSON_SERIALIZE(j RETURNING text), JSON('{}' WITH UNIQUE KEYS), JSON_EXISTS(j, '$.b' PASSING 1 AS c); \
        SELECT * FROM JSON_TABLE(d, '$[*]' COLUMNS (id int PATH '$.id', NESTED PATH '$.k[*]' COLUMNS (n text))) t; \
        SELECT * FROM XMLTABLE('/r' PASSING x COLUMNS a int PATH '@a' DEFAULT 1, b FOR ORDINALITY); \
        SELECT XMLELEMENT(NAME e, XMLATTRIBUTES(a AS b), c), XMLSERIALIZE(CONTENT x AS text), x IS DOCUMENT; \
        WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n FROM t) SEARCH DEPTH FIRST BY n SET o \
        CYCLE n SET c TO 'y' DEFAULT 'n' USING p SELECT count(*) FILTER (WHERE n > 1) OVER (w ROWS 1 PRECEDING), \
        percentile_cont(0.5) WITHIN GROUP (ORDER BY n), GROUPING(n) FROM t TABLESAMPLE bernoulli (10) REPEATABLE (1) \
        WHERE (a, b) IN (VALUES (1, 'x'), (2, B'101')) AND c[1:2] = ANY (ARRAY[1.5, 2]) AND r.f.g COLLATE \"C\" > '' \
        GROUP BY ROLLUP (n), CUBE (a) HAVING bool_or(x IS NOT TRUE) WINDOW w AS (PARTITION BY n) \
        ORDER BY n USING < NULLS LAST LIMIT 1 OFFSET 2 FOR UPDATE OF t SKIP LOCKED; \
        SELECT * FROM ROWS FROM (f(1) AS (a int), g(b => 2, VARIADIC c)) WITH ORDINALITY x, LATERAL (SELECT 1) y; \
        MERGE INTO a USING b ON a.i = b.i WHEN MATCHED AND b.d THEN DELETE WHEN NOT MATCHED BY SOURCE THEN DO NOTHING \
        WHEN NOT MATCHED THEN INSERT (i) OVERRIDING USER VALUE VALUES (b.i) RETURNING merge_action(), OLD.i; \
        INSERT INTO t AS u (a.b, c[1]) VALUES (DEFAULT) ON CONFLICT (lower(a) text_ops) WHERE b DO UPDATE SET (x, y) = \
        (SELECT 1, 2) WHERE u.z RETURNING WITH (OLD AS o) o.a; UPDATE t SET a = CASE b WHEN 1 THEN GREATEST(c, 2) \
        ELSE NULLIF(d, COALESCE(e, current_date)) END WHERE CURRENT OF k; GRANT SELECT (a), UPDATE ON t TO r, PUBLIC \
        WITH GRANT OPTION GRANTED BY CURRENT_USER; ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT USAGE ON TYPES TO r; \
        CREATE TABLE p (a int GENERATED ALWAYS AS IDENTITY (START 5), b text COMPRESSION lz4 COLLATE \"C\", LIKE q \
        INCLUDING ALL, EXCLUDE USING gist (a WITH =) WHERE (a > 0)) PARTITION BY RANGE (lower(b) text_ops); \
        CREATE FUNCTION f(a int DEFAULT 1, OUT b t) LANGUAGE sql BEGIN ATOMIC SELECT a; INSERT INTO t VALUES (1); END; \
        ALTER OPERATOR FAMILY o USING btree ADD OPERATOR 1 < (a, b) FOR ORDER BY c, FUNCTION 1 f(a); \
        CREATE TEXT SEARCH CONFIGURATION x (PARSER = y); ALTER TEXT SEARCH CONFIGURATION x ADD MAPPING FOR a WITH b; \
        ALTER TEXT SEARCH DICTIONARY x (a = 1); CREATE LANGUAGE l HANDLER h; CREATE STATISTICS s ON a, (b + 1) FROM t; \
        ALTER TABLE t ALTER CONSTRAINT c DEFERRABLE; CREATE PUBLICATION p FOR TABLE a (b) WHERE (c > 1)";

    #[test]
    fn every_string_of_a_tree_is_met() {
        let mut seen = 0;
        for text in examples() {
            let Some(parsed) = depth::parse(&text) else {
                assert_ne!(text, RARE, "the rare forms are read");
                continue;
            };
            for statement in parsed.protobuf.stmts {
                let node = statement.stmt.and_then(|s| s.node).expect("a statement");
                let mut expected = Vec::new();
                let tree = serde_json::to_value(&node).expect("printed");
                printed(&tree, &mut expected);
                let mut met: Vec<&str> = super::texts(&node).collect();
                expected.sort();
                met.sort();
                assert_eq!(met, expected, "{node:?}");
                seen += met.len();
            }
        }
        assert!(seen > 5000, "{seen} strings");
    }
}
