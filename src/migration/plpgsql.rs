//! What can be read of a routine's body: the SQL in it that is text.
//!
//! Best effort, and never the whole truth: which branches run, what EXECUTE puts together and what called
//! functions do is only known when it runs. A caller that lists these statements marks the list as incomplete.

use super::depth;
use super::split::{Cutter, Reading};
use pg_query::NodeEnum;
use pg_query::protobuf::{Node, a_const::Val};
use serde_json::Value;

fn text(node: &Node) -> Option<&str> {
    match node.node.as_ref()? {
        NodeEnum::String(string) => Some(&string.sval),
        _ => None,
    }
}

/// Levels of RAISE from which it ends what runs (`ERROR`, elog.h).
const ERROR: i64 = 21;

/// What a body does, step by step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A statement; an expression is a SELECT of it.
    Sql(String),
    /// Text that is put together and run.
    Unknown,
    /// The first whose condition holds; one without a condition is the ELSE.
    Choice(Vec<(Option<String>, Vec<Self>)>),
    /// Perhaps, and perhaps more than once.
    Perhaps(Vec<Self>),
    /// A block, and what its handlers do when it fails.
    Guarded(Vec<Self>, Vec<Self>),
    /// COMMIT or ROLLBACK: the locks so far are let go.
    Over,
    /// RETURN, or an error: nothing after it runs.
    End,
}

/// The steps of a body; `None`: it cannot be read.
#[must_use]
pub fn steps(language: &str, body: &str, arguments: &[String]) -> Option<Vec<Step>> {
    match language.to_ascii_lowercase().as_str() {
        "sql" if !body.trim().is_empty() => {
            let pieces = Cutter::new(body, Reading::Server);
            Some(
                pieces
                    .map(|piece| Step::Sql(piece.text.into_owned()))
                    .collect(),
            )
        }
        "plpgsql" => RETURNS.iter().find_map(|returns| {
            let tree = tree_of(body, arguments, returns)?;
            let function = tree.get(0)?.get("PLpgSQL_function")?;
            let mut found = Vec::new();
            declared(function.get("datums"), &mut found);
            found.extend(steps_of(function.get("action")?));
            Some(found)
        }),
        _ => None,
    }
}

/// Values that variables begin with; the queries of cursors run only where they are opened.
fn declared(datums: Option<&Value>, found: &mut Vec<Step>) {
    for datum in datums.and_then(Value::as_array).into_iter().flatten() {
        for content in datum.as_object().into_iter().flat_map(|o| o.values()) {
            if let Some(value) = content.get("default_val") {
                found.extend(run_by(value));
            }
            if let Some(query) = content.get("cursor_explicit_expr") {
                found.push(Step::Perhaps(run_by(query)));
            }
        }
    }
}

fn list(value: &Value, key: &str) -> Vec<Step> {
    let items = value.get(key).and_then(Value::as_array);
    items.into_iter().flatten().flat_map(steps_of).collect()
}

fn steps_of(statement: &Value) -> Vec<Step> {
    let Some((kind, content)) = statement.as_object().and_then(|o| o.iter().next()) else {
        return Vec::new();
    };
    let expression = |key: &str| content.get(key).map(run_by).unwrap_or_default();
    match kind.as_str() {
        "PLpgSQL_stmt_block" => {
            let exceptions = &content["exceptions"]["PLpgSQL_exception_block"]["exc_list"];
            let Some(exceptions) = exceptions.as_array() else {
                return list(content, "body");
            };
            let handlers = exceptions.iter();
            let handled = handlers
                .flat_map(|h| list(&h["PLpgSQL_exception"], "action"))
                .collect();
            vec![Step::Guarded(list(content, "body"), handled)]
        }
        "PLpgSQL_stmt_if" => vec![Step::Choice(branches(content))],
        "PLpgSQL_stmt_return" => [expression("expr"), vec![Step::End]].concat(),
        "PLpgSQL_stmt_raise" => {
            let mut found = all_of(&content["params"]);
            found.extend(all_of(&content["options"]));
            if content["elog_level"]
                .as_i64()
                .is_none_or(|level| level >= ERROR)
            {
                found.push(Step::End);
            }
            found
        }
        "PLpgSQL_stmt_execsql" => expression("sqlstmt"),
        "PLpgSQL_stmt_commit" | "PLpgSQL_stmt_rollback" => vec![Step::Over],
        "PLpgSQL_stmt_dynexecute" => {
            let mut found = all_of(&content["params"]);
            found.extend(
                content
                    .get("query")
                    .map_or_else(|| vec![Step::Unknown], dynamic),
            );
            found
        }
        "PLpgSQL_stmt_return_query" | "PLpgSQL_stmt_open" => {
            let mut found: Vec<Step> = content.get("dynquery").map(dynamic).unwrap_or_default();
            found.extend(expression("query"));
            found.extend(all_of(&content["params"]));
            found.extend(expression("argquery"));
            found
        }
        "PLpgSQL_stmt_dynfors" => {
            let mut found = all_of(&content["params"]);
            found.extend(
                content
                    .get("query")
                    .map_or_else(|| vec![Step::Unknown], dynamic),
            );
            found.push(Step::Perhaps(list(content, "body")));
            found
        }
        // Its conditions, queries and bounds, and what stands under them.
        _ => {
            let mut found = all_of(content);
            let bodies =
                ["body", "else_stmts", "case_when_list"].map(|key| nested(content.get(key)));
            let inner: Vec<Step> = bodies.concat();
            if !inner.is_empty() {
                found.push(Step::Perhaps(inner));
            }
            found
        }
    }
}

fn branches(content: &Value) -> Vec<(Option<String>, Vec<Step>)> {
    let condition = |of: &Value| {
        of["cond"]["PLpgSQL_expr"]["query"]
            .as_str()
            .map(str::to_owned)
    };
    let text = |of: &Value| Some(condition(of).unwrap_or_else(|| "NULL".to_owned()));
    let mut found = vec![(text(content), list(content, "then_body"))];
    for branch in content["elsif_list"].as_array().into_iter().flatten() {
        let branch = &branch["PLpgSQL_if_elsif"];
        found.push((text(branch), list(branch, "stmts")));
    }
    found.push((None, list(content, "else_body")));
    found
}

/// Statements in a list, whatever they are wrapped in.
fn nested(value: Option<&Value>) -> Vec<Step> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items
        .flat_map(|item| match item.get("PLpgSQL_case_when") {
            Some(when) => [all_of(&when["expr"]), list(when, "stmts")].concat(),
            None => steps_of(item),
        })
        .collect()
}

/// All expressions that stand right in a tree, not those of statements under it.
fn all_of(tree: &Value) -> Vec<Step> {
    match tree {
        Value::Array(items) => items.iter().flat_map(all_of).collect(),
        Value::Object(members) => {
            if members.contains_key("PLpgSQL_expr") {
                return run_by(tree);
            }
            let is_statement =
                |name: &str| name.starts_with("PLpgSQL_stmt_") || name == "PLpgSQL_case_when";
            let inner = members.iter().filter(|(name, _)| !is_statement(name));
            inner.flat_map(|(_, value)| all_of(value)).collect()
        }
        _ => Vec::new(),
    }
}

/// What an expression runs.
fn run_by(expression: &Value) -> Vec<Step> {
    let expression = expression.get("PLpgSQL_expr").unwrap_or(expression);
    let Some(query) = expression["query"].as_str() else {
        return Vec::new();
    };
    let text = match expression["parseMode"].as_i64() {
        Some(0) | None => query.to_owned(),
        Some(3..) => match query.split_once('=') {
            Some((_, value)) => format!("SELECT {}", value.trim()),
            None => return vec![Step::Unknown],
        },
        _ => format!("SELECT {query}"),
    };
    vec![Step::Sql(text)]
}

/// Text that is run: known where it is a constant.
fn dynamic(expression: &Value) -> Vec<Step> {
    let query = expression["PLpgSQL_expr"]["query"].as_str();
    match query.and_then(constant) {
        Some(text) => {
            let pieces = Cutter::new(&text, Reading::Server);
            pieces
                .map(|piece| Step::Sql(piece.text.into_owned()))
                .collect()
        }
        None => vec![Step::Unknown],
    }
}

/// What a body may return decides which RETURN it may have, and nothing that is asked here.
const RETURNS: [&str; 4] = ["void", "text", "record", "SETOF record"];

/// Variables that a trigger's body has without declaring them (plpgsql, Trigger Functions).
const TRIGGER: &str = "new record; old record; tg_name text; tg_when text; tg_level text; tg_op text; tg_relid oid; \
                       tg_relname text; tg_table_name text; tg_table_schema text; tg_nargs int; tg_argv text[]; tg_event text; tg_tag text;";

/// The body in a header of our own, since the parser knows no types but its own, and no trigger's variables.
fn tree_of(body: &str, arguments: &[String], returns: &str) -> Option<Value> {
    let parameters: Vec<String> = arguments
        .iter()
        .enumerate()
        .map(|(at, name)| {
            if name.is_empty() {
                format!("_{at} text")
            } else {
                format!("\"{}\" text", name.replace('"', "\"\""))
            }
        })
        .collect();
    let body = body.trim().trim_end_matches(';');
    let sql = format!(
        "CREATE FUNCTION f({}) RETURNS {returns} LANGUAGE plpgsql AS $pgguard_body$ DECLARE {TRIGGER} BEGIN {body}; END $pgguard_body$",
        parameters.join(", ")
    );
    std::panic::catch_unwind(|| pg_query::parse_plpgsql(&sql))
        .ok()?
        .ok()
}

/// The text of an expression that is a constant, or `format` of one without arguments.
fn constant(expression: &str) -> Option<String> {
    let parsed = depth::parse(&format!("SELECT {expression}"))?;
    let Some(NodeEnum::SelectStmt(select)) = parsed.protobuf.stmts.into_iter().next()?.stmt?.node
    else {
        return None;
    };
    let target = select.target_list.into_iter().next()?.node?;
    let NodeEnum::ResTarget(target) = target else {
        return None;
    };
    match target.val?.node? {
        NodeEnum::AConst(value) => match value.val? {
            Val::Sval(text) => Some(text.sval),
            _ => None,
        },
        NodeEnum::FuncCall(call)
            if call.args.len() == 1 && call.funcname.last().and_then(text) == Some("format") =>
        {
            match call.args.into_iter().next()?.node? {
                NodeEnum::AConst(value) => match value.val? {
                    Val::Sval(text) => Some(text.sval.replace("%%", "%")),
                    _ => None,
                },
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_step_by_step() {
        let sql = |text: &str| Step::Sql(text.to_owned());
        let read = |body: &str| steps("plpgsql", body, &[]).expect("it reads");
        assert_eq!(
            read(
                "BEGIN IF NOT EXISTS (SELECT FROM a) THEN CREATE TABLE b (); ELSE DROP TABLE c; END IF; END"
            ),
            [
                Step::Choice(vec![
                    (
                        Some("NOT EXISTS (SELECT FROM a)".to_owned()),
                        vec![sql("CREATE TABLE b ()")]
                    ),
                    (None, vec![sql("DROP TABLE c")]),
                ]),
                Step::End,
            ]
        );
        assert_eq!(
            read(
                "BEGIN CREATE TYPE t AS ENUM ('a'); EXCEPTION WHEN duplicate_object THEN NULL; END"
            ),
            [
                Step::Guarded(vec![sql("CREATE TYPE t AS ENUM ('a')")], vec![]),
                Step::End
            ]
        );
        assert!(read("BEGIN EXECUTE format('DROP TABLE %I', x); END").contains(&Step::Unknown));
        assert!(
            read("DECLARE x int := f(1); BEGIN x := g(2); PERFORM h(3); END")
                .contains(&sql("SELECT g(2)"))
        );
        assert!(
            steps("plperl", "x", &[]).is_none() && steps("plpgsql", "no such thing", &[]).is_none()
        );
    }
}
