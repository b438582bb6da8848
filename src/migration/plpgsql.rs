//! What can be read of a routine's body: the SQL in it that is text.
//!
//! Best effort, and never the whole truth: which branches run, what EXECUTE puts together and what called
//! functions do is only known when it runs. A caller that lists these statements marks the list as incomplete.

mod header;
mod shape;

use super::dynamic::{self, Known, Made};
use super::split::{Cutter, Reading};
use header::{RETURNS, tree_of};
use serde_json::Value;
use shape::{content, content_name, has, query_of, set_in};

/// Levels of RAISE from which it ends what runs (`ERROR`, elog.h).
const ERROR: i64 = 21;

/// What a body does, step by step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A statement; an expression is a SELECT of it.
    Sql(String),
    /// Text that is put together and run.
    Unknown,
    /// Text that this function gives; one that gives nothing gives nothing to run.
    Given(String),
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

/// Every statement in steps.
#[must_use]
pub fn texts(steps: &[Step]) -> Vec<&str> {
    let mut found = Vec::new();
    for step in steps {
        match step {
            Step::Sql(text) => found.push(text.as_str()),
            Step::Perhaps(inner) => found.extend(texts(inner)),
            Step::Choice(branches) => {
                found.extend(branches.iter().flat_map(|(_, inner)| texts(inner)));
            }
            Step::Guarded(inner, handled) => {
                found.extend([inner, handled].into_iter().flat_map(|steps| texts(steps)));
            }
            Step::Unknown | Step::Given(_) | Step::Over | Step::End => {}
        }
    }
    found
}

/// An argument of a routine.
#[derive(Debug, Clone, Default)]
pub struct Argument {
    /// Its name; empty: none.
    pub name: String,
    /// The constant that it is called with.
    pub value: Option<dynamic::Value>,
}

/// The steps of a body; `None`: it cannot be read.
#[must_use]
pub fn steps(language: &str, body: &str, arguments: &[Argument]) -> Option<Vec<Step>> {
    match language.to_ascii_lowercase().as_str() {
        "sql" if !body.trim().is_empty() => Some(pieces(body)),
        "plpgsql" => RETURNS.iter().find_map(|returns| {
            let names: Vec<&str> = arguments.iter().map(|a| a.name.as_str()).collect();
            let tree = tree_of(body, &names, returns)?;
            let function = tree.get(0)?.get("PLpgSQL_function")?;
            let mut reader = Reader::new(function);
            for argument in arguments {
                if let Some(value) = &argument.value {
                    reader.known.set(&argument.name, Some(value.clone()));
                }
            }
            let mut found = reader.declared();
            found.extend(reader.steps_of(function.get("action")?));
            Some(found)
        }),
        _ => None,
    }
}

fn pieces(text: &str) -> Vec<Step> {
    let pieces = Cutter::new(text, Reading::Server);
    pieces
        .map(|piece| Step::Sql(piece.text.into_owned()))
        .collect()
}

/// A loop over constants is read turn by turn, up to so many turns in a body.
const MOST_TURNS: usize = 300;

/// Reads a body from its first statement to its last, and follows its variables.
struct Reader<'a> {
    datums: &'a [Value],
    known: Known,
    made: Made,
    turns: usize,
}

impl<'a> Reader<'a> {
    fn new(function: &'a Value) -> Self {
        let datums = function.get("datums").and_then(Value::as_array);
        Self {
            datums: datums.map_or(&[], Vec::as_slice),
            known: Known::default(),
            made: Made::default(),
            turns: 0,
        }
    }

    /// Values that variables begin with; the queries of cursors run only where they are opened.
    fn declared(&mut self) -> Vec<Step> {
        let mut found = Vec::new();
        for content in self.datums.iter().filter_map(content) {
            let name = content["refname"].as_str().unwrap_or_default();
            let is_only = |d: &&Value| content_name(d) == Some(name);
            if let Some(value) = content.get("default_val") {
                found.extend(run_by(value));
                // Two variables of one name, in two blocks: either may be meant.
                if self.datums.iter().filter(is_only).count() == 1 {
                    let value = query_of(value).and_then(|query| self.known.value(query));
                    self.known.set(name, value);
                }
            }
            if let Some(query) = content.get("cursor_explicit_expr") {
                found.push(Step::Perhaps(run_by(query)));
            }
        }
        found
    }

    fn list(&mut self, value: &Value, key: &str) -> Vec<Step> {
        let items = value.get(key).and_then(Value::as_array);
        let items = items.into_iter().flatten();
        items.flat_map(|item| self.steps_of(item)).collect()
    }

    /// Nothing is known any more of the variables that a piece of code may set.
    fn forget(&mut self, code: &Value) {
        let mut names = Vec::new();
        set_in(code, self.datums, &mut names);
        for name in names {
            self.known.set(&name, None);
        }
    }

    fn steps_of(&mut self, statement: &Value) -> Vec<Step> {
        let Some((kind, content)) = statement.as_object().and_then(|o| o.iter().next()) else {
            return Vec::new();
        };
        let expression = |key: &str| content.get(key).map(run_by).unwrap_or_default();
        match kind.as_str() {
            "PLpgSQL_stmt_block" => self.block(content),
            "PLpgSQL_stmt_if" => self.branches(content),
            "PLpgSQL_stmt_case" if content.get("t_expr").is_none() => self.cases(content),
            "PLpgSQL_stmt_perform" => {
                let query = content.get("expr").and_then(query_of);
                match query.and_then(|query| dynamic::filled_call(&self.known, query)) {
                    Some(query) => vec![Step::Sql(query)],
                    None => expression("expr"),
                }
            }
            "PLpgSQL_stmt_assign" => self.assign(content),
            "PLpgSQL_stmt_return" => [expression("expr"), vec![Step::End]].concat(),
            "PLpgSQL_stmt_raise" => raise(content),
            "PLpgSQL_stmt_execsql" => {
                self.forget(content);
                expression("sqlstmt")
            }
            "PLpgSQL_stmt_commit" | "PLpgSQL_stmt_rollback" => vec![Step::Over],
            "PLpgSQL_stmt_dynexecute" => {
                let found = [all_of(&content["params"]), self.dynamic(&content["query"])].concat();
                self.forget(content);
                found
            }
            "PLpgSQL_stmt_return_query" | "PLpgSQL_stmt_open" => {
                let mut found = match content.get("dynquery") {
                    Some(query) => self.dynamic(query),
                    None => Vec::new(),
                };
                found.extend(expression("query"));
                found.extend(all_of(&content["params"]));
                found.extend(expression("argquery"));
                found
            }
            "PLpgSQL_stmt_dynfors" => {
                let mut found =
                    [all_of(&content["params"]), self.dynamic(&content["query"])].concat();
                found.push(self.perhaps(content));
                found
            }
            "PLpgSQL_stmt_fori" | "PLpgSQL_stmt_foreach_a" | "PLpgSQL_stmt_fors" => {
                match self.turns_of(kind, content) {
                    Some(turns) => self.turns(content, turns),
                    None => self.others(content),
                }
            }
            _ => self.others(content),
        }
    }

    fn block(&mut self, content: &Value) -> Vec<Step> {
        let exceptions = &content["exceptions"]["PLpgSQL_exception_block"]["exc_list"];
        let Some(exceptions) = exceptions.as_array() else {
            return self.list(content, "body");
        };
        let body = self.list(content, "body");
        self.forget(content);
        let mut handled = Vec::new();
        for handler in exceptions {
            handled.extend(self.list(&handler["PLpgSQL_exception"], "action"));
        }
        self.forget(content);
        vec![Step::Guarded(body, handled)]
    }

    fn assign(&mut self, content: &Value) -> Vec<Step> {
        let query = content.get("expr").and_then(query_of).unwrap_or_default();
        let value = query
            .split_once('=')
            .and_then(|(_, value)| self.known.value(value));
        let is_whole = content["expr"]["PLpgSQL_expr"]["parseMode"].as_i64() == Some(3);
        let name = query.split([':', '=']).next().unwrap_or_default().trim();
        let name = name.trim_matches('"').to_owned();
        self.forget(content);
        let is_plain = name.chars().all(|c| c.is_alphanumeric() || c == '_');
        if is_whole && is_plain {
            self.known.set(&name.to_lowercase(), value);
        }
        content.get("expr").map(run_by).unwrap_or_default()
    }

    /// Its conditions, queries and bounds, and what stands under them, which may run again and again.
    fn others(&mut self, content: &Value) -> Vec<Step> {
        let mut found = all_of(content);
        match self.perhaps(content) {
            Step::Perhaps(inner) if inner.is_empty() => {}
            perhaps => found.push(perhaps),
        }
        found
    }

    fn perhaps(&mut self, content: &Value) -> Step {
        self.forget(content);
        let bodies = ["body", "else_stmts", "case_when_list"];
        let inner = bodies.map(|key| {
            let inner = self.nested(content.get(key));
            self.forget(content);
            inner
        });
        Step::Perhaps(inner.concat())
    }

    /// Statements in a list, whatever they are wrapped in.
    fn nested(&mut self, value: Option<&Value>) -> Vec<Step> {
        let items = value.and_then(Value::as_array).into_iter().flatten();
        items
            .flat_map(|item| match item.get("PLpgSQL_case_when") {
                Some(when) => [all_of(&when["expr"]), self.list(when, "stmts")].concat(),
                None => self.steps_of(item),
            })
            .collect()
    }

    /// The branches of IF.
    fn branches(&mut self, content: &Value) -> Vec<Step> {
        let elsifs = content["elsif_list"].as_array().into_iter().flatten();
        let elsifs = elsifs.map(|branch| &branch["PLpgSQL_if_elsif"]);
        let elsifs = elsifs.map(|branch| (&branch["cond"], &branch["stmts"]));
        let first = (&content["cond"], &content["then_body"]);
        let branches = std::iter::once(first).chain(elsifs).collect();
        self.choice(branches, &content["else_body"])
    }

    /// Those of CASE with conditions.
    fn cases(&mut self, content: &Value) -> Vec<Step> {
        let whens = content["case_when_list"].as_array().into_iter().flatten();
        let whens = whens.map(|when| &when["PLpgSQL_case_when"]);
        let branches = whens.map(|when| (&when["expr"], &when["stmts"])).collect();
        self.choice(branches, &content["else_stmts"])
    }

    /// The first branch whose condition holds: each begins with what was known before it.
    fn choice(&mut self, branches: Vec<(&Value, &Value)>, otherwise: &Value) -> Vec<Step> {
        let before = self.known.clone();
        let mut found: Vec<(Option<String>, Vec<Step>)> = Vec::new();
        let mut after: Option<Known> = None;
        let branches = branches
            .into_iter()
            .map(|(condition, body)| (Some(query_of(condition).unwrap_or("NULL")), body));
        for (condition, body) in branches.chain([(None, otherwise)]) {
            let answer = condition.map_or(Some(true), |text| self.known.holds(text));
            if answer == Some(false) {
                continue;
            }
            let condition = condition
                .filter(|_| answer.is_none())
                .map(|text| self.known.filled(text));
            let is_last = condition.is_none();
            let items = body.as_array().into_iter().flatten();
            let steps: Vec<Step> = items.flat_map(|item| self.steps_of(item)).collect();
            // Constants alone lead here.
            if is_last && found.is_empty() {
                return steps;
            }
            found.push((condition, steps));
            let known = std::mem::replace(&mut self.known, before.clone());
            match &mut after {
                Some(after) => after.meet(&known),
                None => after = Some(known),
            }
            if is_last {
                break;
            }
        }
        if let Some(after) = after {
            self.known = after;
        }
        vec![Step::Choice(found)]
    }

    /// Text that is run: known where constants make it.
    fn dynamic(&mut self, query: &Value) -> Vec<Step> {
        let Some(expression) = query_of(query) else {
            return vec![Step::Unknown];
        };
        let text = self.known.statements(expression, &mut self.made);
        // The expression runs too: it may read, or call a function.
        let is_plain = dynamic::is_plain(expression);
        let mut found = match dynamic::filled_call(&self.known, &format!("SELECT {expression}")) {
            _ if is_plain => Vec::new(),
            Some(call) => vec![Step::Sql(call)],
            None => run_by(query),
        };
        let called = dynamic::called(expression).filter(|_| !is_plain);
        match text {
            Some(text) => found.extend(pieces(&text)),
            None => found.push(called.map_or(Step::Unknown, Step::Given)),
        }
        found
    }

    /// What the variables of a loop are, turn by turn; `None`: that is not known.
    fn turns_of(
        &mut self,
        kind: &str,
        content: &Value,
    ) -> Option<Vec<Vec<(String, dynamic::Value)>>> {
        let turns: Vec<_> = match kind {
            "PLpgSQL_stmt_fori" => {
                if content.get("step").is_some() || content.get("reverse").is_some() {
                    return None;
                }
                let name = content["var"]["PLpgSQL_var"]["refname"].as_str()?;
                let mut bound = |key: &str| self.known.number(query_of(&content[key])?);
                let (lower, upper) = (bound("lower")?, bound("upper")?);
                if upper.checked_sub(lower)? > i64::try_from(MOST_TURNS).ok()? {
                    return None;
                }
                let number = |n: i64| dynamic::Value::known(&n.to_string());
                (lower..=upper)
                    .map(|n| vec![(name.to_owned(), number(n))])
                    .collect()
            }
            "PLpgSQL_stmt_foreach_a" => {
                let at = usize::try_from(content["varno"].as_u64()?).ok()?;
                let name = content_name(self.datums.get(at)?)?;
                let items = self.known.items(query_of(&content["expr"])?)?;
                items
                    .into_iter()
                    .map(|item| vec![(name.to_owned(), item)])
                    .collect()
            }
            _ => {
                let rows = self.known.rows(query_of(&content["query"])?)?;
                let record = content["var"]["PLpgSQL_rec"]["refname"].as_str();
                let fields = content["var"]["PLpgSQL_row"]["fields"].as_array();
                let name_of = |at: usize, column: String| match (record, fields) {
                    (Some(record), _) => Some(format!("{record}.{column}")),
                    (None, Some(fields)) => Some(fields.get(at)?["name"].as_str()?.to_owned()),
                    (None, None) => None,
                };
                let named = rows.into_iter().map(|row| {
                    let row = row.into_iter().enumerate();
                    row.map(|(at, (column, value))| Some((name_of(at, column)?, value)))
                        .collect()
                });
                named.collect::<Option<_>>()?
            }
        };
        self.turns += turns.len();
        (self.turns <= MOST_TURNS).then_some(turns)
    }

    fn turns(&mut self, content: &Value, turns: Vec<Vec<(String, dynamic::Value)>>) -> Vec<Step> {
        let mut found = all_of(content);
        // EXIT and CONTINUE leave out what comes after them.
        let may_leave = has(&content["body"], "PLpgSQL_stmt_exit");
        for turn in turns {
            if may_leave {
                self.forget(content);
            }
            for (name, value) in turn {
                self.known.set(&name, Some(value));
            }
            let steps = self.list(content, "body");
            match may_leave {
                true => found.push(Step::Perhaps(steps)),
                false => found.extend(steps),
            }
        }
        if may_leave {
            self.forget(content);
        }
        found
    }
}

fn raise(content: &Value) -> Vec<Step> {
    let mut found = all_of(&content["params"]);
    found.extend(all_of(&content["options"]));
    let level = content["elog_level"].as_i64();
    if level.is_none_or(|level| level >= ERROR) {
        found.push(Step::End);
    }
    found
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
