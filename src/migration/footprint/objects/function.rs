//! Functions and procedures that are created.

use crate::migration::footprint::act::{Act, Step};
use crate::migration::footprint::query::walk;
use crate::migration::footprint::query::walk::Stage;
use crate::migration::footprint::types;
use crate::migration::footprint::{expression, names, routine};
use crate::model::{Oid, Routine};
use pg_query::NodeEnum;
use pg_query::protobuf::CreateFunctionStmt;

/// `CREATE FUNCTION`: the body of an SQL function is analysed (`fmgr_sql_validator`), that of other
/// languages is not read.
pub fn function(act: &mut Act, statement: &CreateFunctionStmt) -> Step {
    let parts = names::list(&statement.funcname);
    let language = routine::language(&statement.options)
        .unwrap_or_else(|| "sql".to_owned())
        .to_lowercase();
    let body = routine::body_of(statement);
    if let Some(tree) = &statement.sql_body {
        if let Some(node) = &tree.node {
            let _ = walk::run(act, node, Stage::Rewritten);
        }
    } else if language == "sql"
        && act.world.session.check_function_bodies
        && let Some(text) = &body
    {
        analyse_body(act, text);
    }
    for parameter in &statement.parameters {
        if let Some(NodeEnum::FunctionParameter(p)) = &parameter.node
            && let Some(default) = p.defexpr.as_deref()
        {
            expression::depends_on(act, default, "an argument's default uses it");
        }
    }
    if let Some(body) = statement.sql_body.as_deref() {
        expression::depends_on(act, body, "the function uses it");
    }
    put_routine(act, statement, &parts, &language, body);
    Ok(())
}

fn analyse_body(act: &mut Act, text: &str) {
    let Some(parsed) = crate::migration::depth::parse(text) else {
        return;
    };
    for statement in &parsed.protobuf.stmts {
        let Some(node) = statement.stmt.as_ref().and_then(|s| s.node.as_ref()) else {
            continue;
        };
        // transformStmt, analyze.c: of utility statements, those with a query in them.
        let query = match node {
            NodeEnum::SelectStmt(_)
            | NodeEnum::InsertStmt(_)
            | NodeEnum::UpdateStmt(_)
            | NodeEnum::DeleteStmt(_)
            | NodeEnum::MergeStmt(_) => Some(node),
            NodeEnum::DeclareCursorStmt(s) => s.query.as_ref().and_then(|q| q.node.as_ref()),
            NodeEnum::ExplainStmt(s) => s.query.as_ref().and_then(|q| q.node.as_ref()),
            NodeEnum::CreateTableAsStmt(s) => s.query.as_ref().and_then(|q| q.node.as_ref()),
            _ => None,
        };
        if let Some(query) = query {
            let _ = walk::run(act, query, Stage::Rewritten);
        }
    }
}

fn put_routine(
    act: &mut Act,
    statement: &CreateFunctionStmt,
    parts: &[String],
    language: &str,
    body: Option<String>,
) {
    let Some(name) = parts.last().cloned() else {
        return;
    };
    let schema = match parts.len() {
        0 | 1 => act.world.creation_schema(),
        n => parts[n - 2].clone(),
    };
    let inputs = routine::inputs(&statement.parameters);
    let arguments = i16::try_from(inputs.len()).unwrap_or(0);
    let signature = routine::signature(act.world, &inputs).unwrap_or_default();
    let defaults = routine::defaults(&inputs);
    let is_same = |r: &Routine| {
        let either_unknown = r.signature.is_empty() || signature.is_empty();
        r.arguments == arguments && (either_unknown || r.signature == signature)
    };
    let replaced: Vec<Oid> = act
        .world
        .routines
        .values()
        .filter(|r| statement.replace && r.name == name && r.schema == schema && is_same(r))
        .map(|r| r.oid)
        .collect();
    let oid = replaced
        .first()
        .copied()
        .unwrap_or_else(|| act.world.new_oid());
    let returns = statement
        .return_type
        .as_ref()
        .map_or(0, |t| types::type_of(act, t));
    let argument_names = statement
        .parameters
        .iter()
        .filter_map(|p| match &p.node {
            Some(NodeEnum::FunctionParameter(p)) => Some(p.name.clone()),
            _ => None,
        })
        .collect();
    act.world.routines.insert(
        oid,
        Routine {
            oid,
            schema,
            name,
            kind: if statement.is_procedure { 'p' } else { 'f' },
            language: language.to_owned(),
            volatility: routine::volatility(&statement.options),
            arguments,
            signature,
            argument_names,
            defaults,
            returns,
            body,
            parsed: None,
            is_definer: routine::is_definer(&statement.options),
            settings: routine::settings(statement),
        },
    );
}
