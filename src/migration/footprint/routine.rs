//! Functions and procedures: the text of their bodies.

use super::world::World;
use super::{names, tree};
use crate::migration::plpgsql::Argument;
use crate::migration::{depth, dynamic, parts};
use crate::model::{Oid, Routine};
use pg_query::protobuf::{
    CreateFunctionStmt, FunctionParameter, FunctionParameterMode, LimitOption, Node, ResTarget,
    SelectStmt, SetOperation, TypeName,
};
use pg_query::{DeparseOptions, NodeEnum, NodeRef};

/// The body texts of `CREATE FUNCTION … AS '…'` and `DO '…'`.
#[must_use]
pub fn bodies(node: &NodeEnum) -> Vec<String> {
    match node {
        NodeEnum::CreateFunctionStmt(s) => option(&s.options, "as"),
        NodeEnum::DoStmt(s) => option(&s.args, "as"),
        _ => Vec::new(),
    }
}

/// The language that is named; `None`: none is.
#[must_use]
pub fn language(options: &[Node]) -> Option<String> {
    option(options, "language").into_iter().next()
}

/// The strings of an option.
#[must_use]
pub fn option(options: &[Node], name: &str) -> Vec<String> {
    options
        .iter()
        .filter_map(|o| match &o.node {
            Some(NodeEnum::DefElem(e)) if e.defname == name => Some(e),
            _ => None,
        })
        .flat_map(|e| e.arg.as_deref().map(names::strings).unwrap_or_default())
        .collect()
}

/// Languages whose functions are compiled: what they do is known only by name.
const COMPILED: &[&str] = &["c", "internal"];

/// Why what a routine locks is unknown; `None`: it locks nothing.
#[must_use]
pub fn why_opaque(world: &World, routine: &Routine) -> Option<String> {
    if COMPILED.contains(&routine.language.as_str()) || matches!(routine.kind, 'a' | 'w') {
        return None;
    }
    let body = routine.body.as_deref().unwrap_or_default();
    let name = format!("{}.{}", routine.schema, routine.name);
    match routine.language.as_str() {
        "plpgsql" | "sql" if is_harmless(world, body, 0) => None,
        _ => Some(format!("function {name}() runs code of its own")),
    }
}

/// Built-in functions that open or lock a relation whose name or oid is computed
/// (ruleutils.c, dbsize.c, xml.c, genfile.c …): what they lock depends on the rows.
pub const LOCKING: &[&str] = &[
    "pg_get_viewdef",
    "pg_get_indexdef",
    "pg_get_ruledef",
    "pg_get_triggerdef",
    "pg_get_expr",
    "pg_get_publication_tables",
    "pg_get_partition_constraintdef",
    "pg_relation_size",
    "pg_restore_relation_stats",
    "pg_restore_attribute_stats",
    "pg_clear_relation_stats",
    "pg_clear_attribute_stats",
    "pg_table_size",
    "pg_indexes_size",
    "pg_total_relation_size",
    "pg_partition_tree",
    "pg_partition_ancestors",
    "pg_partition_root",
    "query_to_xml",
    "query_to_xmlschema",
    "query_to_xml_and_xmlschema",
    "cursor_to_xml",
    "table_to_xml",
    "table_to_xmlschema",
    "table_to_xml_and_xmlschema",
    "schema_to_xml",
    "database_to_xml",
    "ts_stat",
    "ts_rewrite",
    "brin_summarize_new_values",
    "brin_summarize_range",
    "brin_desummarize_range",
    "gin_clean_pending_list",
    "pg_truncate_visibility_map",
    "pg_extension_config_dump",
    "pg_import_system_collations",
    "has_column_privilege",
    "dblink",
    "dblink_exec",
    "lo_import",
    "crosstab",
    "crosstab2",
    "crosstab3",
    "crosstab4",
    "connectby",
    "pgstattuple",
    "pgstatindex",
    "pg_prewarm",
    "bt_index_check",
    "bt_index_parent_check",
    "populate_geometry_columns",
    "create_hypertable",
];

/// Whether a function of the server's own locks what its arguments say.
#[must_use]
pub fn may_lock(name: &str) -> bool {
    const NUMBERED: &[&str] = &["nextval", "setval", "currval", "lastval", "set_config"];
    LOCKING.contains(&name) || NUMBERED.contains(&name) || name.contains("advisory")
}

/// Words without which no statement of SQL or PL/pgSQL touches a relation.
const TOUCHING: &[&str] = &[
    "from", "insert", "update", "delete", "merge", "truncate", "execute", "perform", "call",
    "table", "lock", "copy", "create", "alter", "drop", "refresh", "vacuum", "nextval", "setval",
    "regclass", "into", "query", "cursor", "%rowtype",
];

/// Whether a body only computes: it names no relation and calls nothing that locks.
fn is_harmless(world: &World, body: &str, depth: usize) -> bool {
    let text = body.to_lowercase();
    let mut words = text
        .split(|c: char| !c.is_alphanumeric() && c != '_' && c != '%')
        .filter(|w| !w.is_empty());
    // A body that is stored parsed (BEGIN ATOMIC) has no text. A name in quotes may be no word.
    if text.trim().is_empty() || text.contains('"') || depth > 4 {
        return false;
    }
    words.all(|word| {
        !TOUCHING.contains(&word)
            && !word.contains("advisory")
            && !LOCKING.contains(&word)
            && world
                .routines
                .values()
                .filter(|r| r.name.to_lowercase() == word)
                .all(|r| {
                    COMPILED.contains(&r.language.as_str())
                        || is_harmless(world, r.body.as_deref().unwrap_or_default(), depth + 1)
                })
    })
}

/// Which of several routines of one name is meant, by its argument types.
#[must_use]
pub fn pick(world: &World, several: &[&Routine], node: &Node) -> Option<Oid> {
    let Some(NodeEnum::ObjectWithArgs(named)) = &node.node else {
        return None;
    };
    let types = named.objargs.iter().map(|a| match &a.node {
        Some(NodeEnum::TypeName(t)) => Some(t),
        _ => None,
    });
    let types: Option<Vec<&TypeName>> = types.collect();
    let wanted = types?.into_iter().map(|t| type_oid(world, t));
    let wanted: Option<Vec<Oid>> = wanted.collect();
    let wanted = wanted?;
    several
        .iter()
        .find(|r| r.signature == wanted)
        .map(|r| r.oid)
}

/// The parameters that a call gives values for: not those of OUT and RETURNS TABLE.
#[must_use]
pub fn inputs(parameters: &[Node]) -> Vec<&FunctionParameter> {
    let parameters = parameters.iter().filter_map(|p| match &p.node {
        Some(NodeEnum::FunctionParameter(p)) => Some(p.as_ref()),
        _ => None,
    });
    parameters
        .filter(|p| {
            !matches!(
                p.mode(),
                FunctionParameterMode::FuncParamOut | FunctionParameterMode::FuncParamTable
            )
        })
        .collect()
}

/// `proargtypes`; `None`: one of the types is not known.
#[must_use]
pub fn signature(world: &World, inputs: &[&FunctionParameter]) -> Option<Vec<Oid>> {
    let types = inputs.iter().map(|p| type_oid(world, p.arg_type.as_ref()?));
    types.collect()
}

fn type_oid(world: &World, named: &TypeName) -> Option<Oid> {
    let name = names::list(&named.names);
    let is_array = !named.array_bounds.is_empty();
    own_type(world, &name, is_array).or_else(|| builtin_type(&name, is_array))
}

/// A type that the catalog was asked for.
fn own_type(world: &World, name: &[String], is_array: bool) -> Option<Oid> {
    let found = world.find_type(name)?;
    if !is_array {
        return Some(found.oid);
    }
    let mut types = world.types.values();
    let array = types.find(|a| a.element == found.oid && a.name.starts_with('_'));
    array.map(|a| a.oid)
}

/// The server's own types, with their arrays (pg_type.dat).
const BUILTIN: &[(&str, Oid, Oid)] = &[
    ("bool", 16, 1000),
    ("bytea", 17, 1001),
    ("char", 18, 1002),
    ("name", 19, 1003),
    ("int8", 20, 1016),
    ("int2", 21, 1005),
    ("int4", 23, 1007),
    ("text", 25, 1009),
    ("oid", 26, 1028),
    ("json", 114, 199),
    ("xml", 142, 143),
    ("float4", 700, 1021),
    ("float8", 701, 1022),
    ("inet", 869, 1041),
    ("bpchar", 1042, 1014),
    ("varchar", 1043, 1015),
    ("date", 1082, 1182),
    ("time", 1083, 1183),
    ("timestamp", 1114, 1115),
    ("timestamptz", 1184, 1185),
    ("interval", 1186, 1187),
    ("timetz", 1266, 1270),
    ("numeric", 1700, 1231),
    ("regclass", 2205, 2210),
    ("record", 2249, 2287),
    ("anyarray", 2277, 0),
    ("anyelement", 2283, 0),
    ("uuid", 2950, 2951),
    ("tsvector", 3614, 3643),
    ("tsquery", 3615, 3645),
    ("jsonb", 3802, 3807),
];

/// One of them: a name without a schema, or in pg_catalog.
fn builtin_type(name: &[String], is_array: bool) -> Option<Oid> {
    let (last, schema) = name.split_last()?;
    if schema.iter().any(|s| s != "pg_catalog") {
        return None;
    }
    let (_, oid, array) = BUILTIN.iter().find(|(name, _, _)| name == last)?;
    Some(if is_array { *array } else { *oid }).filter(|oid| *oid != 0)
}

/// The text of a function's body.
#[must_use]
pub fn body_of(statement: &CreateFunctionStmt) -> Option<String> {
    let text = option(&statement.options, "as").into_iter().next();
    text.or_else(|| standard_body(statement.sql_body.as_ref()?.node.as_ref()?))
}

/// A body in the form of the SQL standard (`RETURN …`, `BEGIN ATOMIC … END`), as text.
fn standard_body(node: &NodeEnum) -> Option<String> {
    match node {
        NodeEnum::List(list) => {
            let parts = list
                .items
                .iter()
                .map(|item| standard_body(item.node.as_ref()?));
            Some(parts.collect::<Option<Vec<_>>>()?.join("; "))
        }
        NodeEnum::ReturnStmt(given) => selected([given.returnval.as_deref()?]),
        statement => statement.deparse(DeparseOptions::default()).ok(),
    }
}

/// `SELECT` of these expressions, as text.
fn selected<'a>(values: impl IntoIterator<Item = &'a Node>) -> Option<String> {
    let targets = values.into_iter().map(|value| {
        NodeEnum::ResTarget(Box::new(ResTarget {
            val: Some(Box::new(value.clone())),
            ..ResTarget::default()
        }))
    });
    let select = SelectStmt {
        target_list: targets.map(|target| Node { node: Some(target) }).collect(),
        limit_option: LimitOption::Default as i32,
        op: SetOperation::SetopNone as i32,
        ..SelectStmt::default()
    };
    NodeEnum::SelectStmt(Box::new(select))
        .deparse(DeparseOptions::default())
        .ok()
}

/// The defaults of parameters, as `pg_get_expr(proargdefaults, 0)` writes them.
#[must_use]
pub fn defaults(inputs: &[&FunctionParameter]) -> Option<String> {
    let given: Vec<&Node> = inputs.iter().filter_map(|p| p.defexpr.as_deref()).collect();
    if given.is_empty() {
        return None;
    }
    let select = selected(given)?;
    select.strip_prefix("SELECT ").map(str::to_owned)
}

fn default_values(routine: &Routine) -> Vec<Node> {
    let parsed = routine
        .defaults
        .as_ref()
        .and_then(|list| depth::parse(&format!("SELECT {list}")));
    let statement = parsed.and_then(|p| p.protobuf.stmts.into_iter().next()?.stmt?.node);
    let targets = match statement {
        Some(NodeEnum::SelectStmt(select)) => select.target_list,
        _ => Vec::new(),
    };
    let values = targets.into_iter().filter_map(|target| match target.node {
        Some(NodeEnum::ResTarget(target)) => target.val.map(|value| *value),
        _ => None,
    });
    values.collect()
}

/// The parameters of a routine with the constants that a call gives them, by place, by name or by default; `None`: the call
/// does not fit it.
#[must_use]
pub fn arguments(routine: &Routine, given: &[Node]) -> Option<Vec<Argument>> {
    let inputs = usize::try_from(routine.arguments).unwrap_or(0);
    let mut values: Vec<Option<Node>> = vec![None; inputs];
    for (place, value) in given.iter().enumerate() {
        let (at, value) = match &value.node {
            Some(NodeEnum::NamedArgExpr(named)) => {
                let at = routine.argument_names.iter().position(|n| *n == named.name);
                (at?, named.arg.as_deref()?)
            }
            _ => (place, value),
        };
        // An array is no single value, and a text is an array only in braces.
        let is_array = matches!(value.node, Some(NodeEnum::AArrayExpr(_)));
        let is_text = tree::constant(value).is_some_and(|text| !text.trim_start().starts_with('{'));
        let of = routine.signature.get(at).copied().unwrap_or_default();
        let is_single_type = BUILTIN.iter().any(|(_, single, _)| *single == of);
        let is_array_type = of != 0 && BUILTIN.iter().any(|(_, _, array)| *array == of);
        if is_array && is_single_type || is_text && is_array_type {
            return None;
        }
        *values.get_mut(at)? = Some(value.clone());
    }
    let defaults = default_values(routine);
    let first = inputs.checked_sub(defaults.len())?;
    for (at, default) in defaults.into_iter().enumerate() {
        let place = values.get_mut(first + at)?;
        if place.is_none() {
            *place = Some(default);
        }
    }
    if values.iter().any(Option::is_none) {
        return None;
    }
    let mut values = values.into_iter().flatten();
    let names = routine.argument_names.iter().map(|name| Argument {
        name: name.clone(),
        value: values.next().and_then(|value| dynamic::constant(&value)),
    });
    Some(names.collect())
}

/// `SET search_path = …` and its kin in CREATE FUNCTION, as `proconfig` has them.
#[must_use]
pub fn settings(statement: &CreateFunctionStmt) -> Vec<String> {
    let sets = statement.options.iter().filter_map(|o| match &o.node {
        Some(NodeEnum::DefElem(e)) if e.defname == "set" => match e.arg.as_ref()?.node.as_ref()? {
            NodeEnum::VariableSetStmt(s) => Some(s),
            _ => None,
        },
        _ => None,
    });
    sets.map(|s| {
        let values = s.args.iter().filter_map(|a| match a.node.as_ref()? {
            NodeEnum::AConst(c) => match c.val.as_ref()? {
                pg_query::protobuf::a_const::Val::Sval(text) => Some(text.sval.clone()),
                _ => None,
            },
            _ => None,
        });
        format!("{}={}", s.name, values.collect::<Vec<_>>().join(", "))
    })
    .collect()
}

/// `i`, `s` or `v`.
#[must_use]
pub fn volatility(options: &[Node]) -> char {
    match option(options, "volatility").first().map(String::as_str) {
        Some("immutable") => 'i',
        Some("stable") => 's',
        _ => 'v',
    }
}

/// `SECURITY DEFINER`
#[must_use]
pub fn is_definer(options: &[Node]) -> bool {
    options.iter().any(|o| match &o.node {
        Some(NodeEnum::DefElem(e)) => e.defname == "security" && names::is_on(e),
        _ => false,
    })
}

/// The expression that a call of a function without arguments is replaced with, where the planner does so: one SELECT of
/// one value that reads nothing (`inline_function`, clauses.c).
#[must_use]
pub fn inlined(routine: &Routine) -> Option<Node> {
    let is_plain = routine.language == "sql"
        && routine.kind == 'f'
        && routine.arguments == 0
        && routine.settings.is_empty()
        && !routine.is_definer;
    let body = routine.body.as_deref().filter(|_| is_plain)?;
    let parsed = depth::parse(body)?.protobuf;
    let [only] = parsed.stmts.as_slice() else {
        return None;
    };
    let Some(NodeEnum::SelectStmt(select)) = only.stmt.as_ref()?.node.as_ref() else {
        return None;
    };
    let [target] = select.target_list.as_slice() else {
        return None;
    };
    let value = match target.node.as_ref()? {
        NodeEnum::ResTarget(target) => target.val.as_deref()?,
        _ => return None,
    };
    let alone = SelectStmt {
        target_list: vec![target.clone()],
        limit_option: select.limit_option,
        op: select.op,
        ..SelectStmt::default()
    };
    let has_query = parts::all(value).any(|n| matches!(n, NodeRef::SubLink(_)));
    (**select == alone && !has_query).then(|| value.clone())
}
