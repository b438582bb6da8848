//! Forms that the server is too old for: its parser refuses them before anything is locked. The grammar that we read
//! with is the newest one's.

use super::act::{Act, Step, refuse};
use crate::migration::parts;
use crate::model::NEWEST_MAJOR;
use pg_query::NodeEnum as N;
use pg_query::NodeRef;
use pg_query::protobuf::{
    AlterTableCmd, AlterTableType, ConstrType, Constraint, DefElem, MergeMatchKind, Node,
    PublicationObjSpec, PublicationObjSpecType,
};

/// What came with a major version, in Postgres's words. Source: the release notes.
type Form = (i32, &'static str);

/// Refuses a statement with a form that came after the server.
pub fn is_known(act: &Act, node: &N) -> Step {
    if act.version() >= NEWEST_MAJOR {
        return Ok(());
    }
    let inside = parts::all(node.to_ref()).flat_map(inside);
    let newer = forms(node)
        .into_iter()
        .chain(options(node))
        .chain(inside)
        .find(|(since, _)| act.version() < *since);
    match newer {
        Some((since, what)) => refuse(format!(
            "Postgres {} does not know {what}: it came with {since}",
            act.version()
        )),
        None => Ok(()),
    }
}

fn forms(node: &N) -> Vec<Form> {
    match node {
        N::CreateStmt(s) => s
            .table_elts
            .iter()
            .chain(&s.constraints)
            .flat_map(of_part)
            .collect(),
        N::CreateForeignTableStmt(s) => match &s.base_stmt {
            Some(base) => forms(&N::CreateStmt(base.clone())),
            None => Vec::new(),
        },
        N::AlterTableStmt(s) => s.cmds.iter().flat_map(of_part).collect(),
        N::IndexStmt(s) if s.nulls_not_distinct => vec![(15, "NULLS NOT DISTINCT")],
        N::MergeStmt(s) => {
            let mut found = vec![(15, "MERGE")];
            if s.returning_clause.is_some() {
                found.push((17, "MERGE … RETURNING"));
            }
            let by_source = MergeMatchKind::MergeWhenNotMatchedBySource as i32;
            let is_by_source = |n: &Node| matches!(&n.node, Some(N::MergeWhenClause(c)) if c.match_kind == by_source);
            if s.merge_when_clauses.iter().any(is_by_source) {
                found.push((17, "WHEN NOT MATCHED BY SOURCE"));
            }
            found
        }
        N::VacuumStmt(s) => {
            let is_only = |n: &Node| match &n.node {
                Some(N::VacuumRelation(v)) => v.relation.as_ref().is_some_and(|r| !r.inh),
                _ => false,
            };
            match s.rels.iter().any(is_only) {
                true => vec![(18, "ONLY in VACUUM and ANALYZE")],
                false => Vec::new(),
            }
        }
        N::CreatePublicationStmt(s) => s.pubobjects.iter().flat_map(of_part).collect(),
        N::AlterPublicationStmt(s) => s.pubobjects.iter().flat_map(of_part).collect(),
        _ => Vec::new(),
    }
}

/// What may stand anywhere in a statement.
fn inside(node: NodeRef) -> Option<Form> {
    use NodeRef as R;
    match node {
        R::RangeSubselect(s) if s.alias.is_none() => {
            Some((16, "a subquery in FROM without an alias"))
        }
        R::JsonObjectConstructor(_)
        | R::JsonArrayConstructor(_)
        | R::JsonArrayQueryConstructor(_)
        | R::JsonObjectAgg(_)
        | R::JsonArrayAgg(_)
        | R::JsonIsPredicate(_) => Some((16, "the constructors of SQL/JSON")),
        R::JsonParseExpr(_) | R::JsonScalarExpr(_) | R::JsonSerializeExpr(_) => {
            Some((17, "JSON(), JSON_SCALAR() and JSON_SERIALIZE()"))
        }
        R::JsonFuncExpr(_) => Some((17, "JSON_EXISTS(), JSON_QUERY() and JSON_VALUE()")),
        R::JsonTable(_) => Some((17, "JSON_TABLE")),
        R::CommonTableExpr(e) => {
            let query = e.ctequery.as_ref().and_then(|query| query.node.as_ref());
            matches!(query, Some(N::MergeStmt(_))).then_some((17, "MERGE in WITH"))
        }
        _ => None,
    }
}

/// Options in parentheses that came after 14, by the statement that has them, in lower case.
const OPTIONS: [(&str, &str, i32, &str); 14] = [
    ("copy", "default", 16, "DEFAULT of COPY"),
    ("copy", "log_verbosity", 17, "LOG_VERBOSITY of COPY"),
    ("copy", "on_error", 17, "ON_ERROR of COPY"),
    ("copy", "reject_limit", 18, "REJECT_LIMIT of COPY"),
    ("explain", "generic_plan", 16, "GENERIC_PLAN of EXPLAIN"),
    ("explain", "memory", 17, "MEMORY of EXPLAIN"),
    ("explain", "serialize", 17, "SERIALIZE of EXPLAIN"),
    ("grant", "inherit", 16, "INHERIT of GRANT"),
    ("grant", "set", 16, "SET of GRANT"),
    (
        "vacuum",
        "buffer_usage_limit",
        16,
        "BUFFER_USAGE_LIMIT of VACUUM and ANALYZE",
    ),
    (
        "vacuum",
        "only_database_stats",
        16,
        "ONLY_DATABASE_STATS of VACUUM",
    ),
    ("vacuum", "process_main", 16, "PROCESS_MAIN of VACUUM"),
    (
        "vacuum",
        "skip_database_stats",
        16,
        "SKIP_DATABASE_STATS of VACUUM",
    ),
    ("view", "security_invoker", 15, "security_invoker of a view"),
];

fn options(node: &N) -> Vec<Form> {
    let (statement, list) = match node {
        N::CopyStmt(s) => ("copy", &s.options),
        N::ExplainStmt(s) => ("explain", &s.options),
        N::GrantRoleStmt(s) => ("grant", &s.opt),
        N::VacuumStmt(s) => ("vacuum", &s.options),
        N::ViewStmt(s) => ("view", &s.options),
        _ => return Vec::new(),
    };
    let names = list.iter().filter_map(|option| match &option.node {
        Some(N::DefElem(option)) => Some(option.as_ref()),
        _ => None,
    });
    let newer = |option: &DefElem| {
        let mut known = OPTIONS.iter();
        let is = |row: &&(&str, &str, i32, &str)| row.0 == statement && row.1 == option.defname;
        known.find(is).map(|row| (row.2, row.3))
    };
    names.filter_map(newer).collect()
}

fn of_part(node: &Node) -> Vec<Form> {
    match &node.node {
        Some(N::Constraint(c)) => of_constraint(c),
        Some(N::ColumnDef(c)) => {
            let mut found: Vec<Form> = c.constraints.iter().flat_map(of_part).collect();
            if !c.storage_name.is_empty() {
                found.push((16, "STORAGE in a column definition"));
            }
            found
        }
        Some(N::AlterTableCmd(c)) => of_subcommand(c),
        Some(N::AtalterConstraint(c)) if c.alter_enforceability || c.alter_inheritability => {
            vec![(18, "ALTER CONSTRAINT … ENFORCED and INHERIT")]
        }
        Some(N::PublicationObjSpec(o)) => of_published(o),
        _ => Vec::new(),
    }
}

fn of_subcommand(cmd: &AlterTableCmd) -> Vec<Form> {
    let mut found = match AlterTableType::try_from(cmd.subtype) {
        Ok(AlterTableType::AtSetExpression) => vec![(17, "SET EXPRESSION")],
        Ok(AlterTableType::AtSetAccessMethod) => vec![(15, "SET ACCESS METHOD")],
        _ => Vec::new(),
    };
    found.extend(cmd.def.as_deref().into_iter().flat_map(of_part));
    found
}

fn of_constraint(c: &Constraint) -> Vec<Form> {
    use ConstrType as T;
    let mut found = Vec::new();
    match T::try_from(c.contype) {
        Ok(T::ConstrGenerated) if c.generated_kind == "v" => {
            found.push((18, "generated columns without STORED"));
        }
        Ok(T::ConstrNotnull) if !c.keys.is_empty() => {
            found.push((18, "NOT NULL as a constraint of the table"));
        }
        Ok(T::ConstrCheck | T::ConstrForeign) if !c.is_enforced => {
            found.push((18, "NOT ENFORCED"));
        }
        Ok(T::ConstrAttrEnforced | T::ConstrAttrNotEnforced) => found.push((18, "ENFORCED")),
        _ => {}
    }
    if c.without_overlaps || c.fk_with_period {
        found.push((18, "WITHOUT OVERLAPS and PERIOD"));
    }
    if c.nulls_not_distinct {
        found.push((15, "NULLS NOT DISTINCT"));
    }
    found
}

fn of_published(object: &PublicationObjSpec) -> Vec<Form> {
    use PublicationObjSpecType as T;
    let in_schema = [
        T::PublicationobjTablesInSchema,
        T::PublicationobjTablesInCurSchema,
    ];
    let is_in_schema = in_schema.iter().any(|t| object.pubobjtype == *t as i32);
    let table = object.pubtable.as_ref();
    let is_part = table.is_some_and(|t| t.where_clause.is_some() || !t.columns.is_empty());
    match is_in_schema || is_part {
        true => vec![(15, "publications of a schema, of columns and of rows")],
        false => Vec::new(),
    }
}
