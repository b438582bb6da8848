//! Text that a body puts together and runs (`EXECUTE`): what is known of it before it runs.
//!
//! Variables are followed as far as constants make them. A part that is not known becomes a hole; a statement with
//! holes is read with names of our own in them, and counts only where none of its locks can depend on a hole: the
//! name of a role, of something new, the value of a constant.

mod holes;
mod rows;
mod text;

use super::{depth, parts};
use crate::words::sql::literal;
use pg_query::protobuf::{
    AExpr, AExprKind, BoolExprType, FuncCall, Node, NullTestType, SelectStmt, SqlValueFunctionOp,
    a_const::Val,
};
use pg_query::{NodeEnum, NodeRef};
use std::collections::HashMap;

pub use holes::{Made, is_unknown};
pub use text::Value;
use text::{Form, Piece, Text};

/// What is known of the variables of a body.
#[derive(Debug, Clone, Default)]
pub struct Known {
    values: HashMap<String, Value>,
    /// What a variable that is not known is called, so that two uses of it are alike.
    ids: HashMap<String, u32>,
    last: u32,
}

impl Known {
    /// Gives a variable a value; `None`: nothing is known of it.
    pub fn set(&mut self, name: &str, value: Option<Value>) {
        let field = format!("{name}.");
        self.values
            .retain(|known, _| known != name && !known.starts_with(&field));
        self.ids
            .retain(|known, _| known != name && !known.starts_with(&field));
        if let Some(value) = value {
            self.values.insert(name.to_owned(), value);
        }
    }

    /// Forgets the values that another run of the same code does not agree on.
    pub fn meet(&mut self, other: &Self) {
        self.values
            .retain(|name, value| other.values.get(name) == Some(value));
        self.ids.retain(|name, id| other.ids.get(name) == Some(id));
        self.last = self.last.max(other.last);
    }

    /// The value of an expression.
    pub fn value(&mut self, expression: &str) -> Option<Value> {
        self.of(&expression_of(expression)?)
    }

    /// The statements that a text holds; `None`: what it runs is unknown.
    pub fn statements(&mut self, expression: &str, made: &mut Made) -> Option<String> {
        match self.value(expression)? {
            Value::Text(text) => holes::read(&text, made),
            Value::List(_) => None,
        }
    }

    /// The number that an expression gives.
    pub fn number(&mut self, expression: &str) -> Option<i64> {
        match self.value(expression)? {
            Value::Text(text) => text.whole()?.parse().ok(),
            Value::List(_) => None,
        }
    }

    /// The items of an array.
    pub fn items(&mut self, expression: &str) -> Option<Vec<Value>> {
        match self.value(expression)? {
            Value::List(items) => Some(items),
            // `'{a,b}'`, as far as it needs no quotes.
            Value::Text(text) => {
                let text = text.whole()?;
                let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
                let is_plain = !inner.contains(['{', '"', '\\']) && !inner.is_empty();
                let items = inner.split(',').map(|item| Value::known(item.trim()));
                is_plain.then(|| items.collect())
            }
        }
    }

    /// A condition with the values of variables in it.
    #[must_use]
    pub fn filled(&self, condition: &str) -> String {
        let mut filled = String::new();
        let mut quote = None;
        let mut word = String::new();
        let put = |word: &mut String, filled: &mut String, next: Option<char>| {
            let name = word.to_lowercase();
            let value = match self.values.get(name.as_str()) {
                Some(Value::Text(text)) if next != Some('(') => text.whole(),
                _ => None,
            };
            match value {
                Some(value) => filled.push_str(&literal(&value)),
                None => filled.push_str(word),
            }
            word.clear();
        };
        for c in condition.chars() {
            if quote.is_none() && (c.is_alphanumeric() || matches!(c, '_' | '$' | '.')) {
                word.push(c);
                continue;
            }
            put(&mut word, &mut filled, Some(c));
            quote = match quote {
                None if matches!(c, '\'' | '"') => Some(c),
                Some(open) if open == c => None,
                other => other,
            };
            filled.push(c);
        }
        put(&mut word, &mut filled, None);
        filled
    }

    /// Whether a condition holds, where constants alone decide it.
    pub fn holds(&mut self, condition: &str) -> Option<bool> {
        self.truth(&expression_of(condition)?)
    }

    fn truth(&mut self, node: &Node) -> Option<bool> {
        match node.node.as_ref()? {
            NodeEnum::BoolExpr(e) => {
                let values: Vec<Option<bool>> = e.args.iter().map(|a| self.truth(a)).collect();
                let decides = |value: bool| match values.contains(&Some(value)) {
                    true => Some(value),
                    false => values.iter().all(Option::is_some).then_some(!value),
                };
                match e.boolop() {
                    BoolExprType::NotExpr => values.first()?.map(|v| !v),
                    BoolExprType::AndExpr => decides(false),
                    BoolExprType::OrExpr => decides(true),
                    BoolExprType::Undefined => None,
                }
            }
            NodeEnum::AExpr(e) => {
                let left = self.whole(e.lexpr.as_deref()?)?;
                let is_equal = match strings(&e.name).last()?.as_str() {
                    "=" => true,
                    "<>" => false,
                    _ => return None,
                };
                let right = e.rexpr.as_deref()?;
                let found = match (e.kind(), right.node.as_ref()?) {
                    (AExprKind::AexprOp, _) => same(&left, &self.whole(right)?)?,
                    (AExprKind::AexprIn, NodeEnum::List(list)) => {
                        let items = list.items.iter().map(|item| self.whole(item));
                        let items = items.collect::<Option<Vec<String>>>()?;
                        let items = items.iter().map(|item| same(&left, item));
                        items.collect::<Option<Vec<bool>>>()?.contains(&true)
                    }
                    _ => return None,
                };
                Some(found == is_equal)
            }
            NodeEnum::NullTest(test) => {
                self.whole(test.arg.as_deref()?)?;
                Some(test.nulltesttype() == NullTestType::IsNotNull)
            }
            _ => flag(&self.whole(node)?),
        }
    }

    /// A text all of which is known.
    fn whole(&mut self, node: &Node) -> Option<String> {
        match self.of(node)? {
            Value::Text(text) => text.whole(),
            Value::List(_) => None,
        }
    }

    /// A variable, or something else that is only known when it runs.
    fn unknown(&mut self, name: &str) -> Value {
        let id = match self.ids.get(name) {
            Some(id) if !name.is_empty() => *id,
            _ => {
                self.last += 1;
                self.ids.insert(name.to_owned(), self.last);
                self.last
            }
        };
        Value::Text(Text(vec![Piece::Hole(Form::Raw, id)]))
    }

    fn of(&mut self, node: &Node) -> Option<Value> {
        Some(match node.node.as_ref()? {
            NodeEnum::AConst(constant) => {
                Value::Text(Text::known(match constant.val.as_ref()? {
                    Val::Sval(text) => text.sval.clone(),
                    Val::Ival(number) => number.ival.to_string(),
                    Val::Fval(number) => number.fval.clone(),
                    // As the server writes one in a text.
                    Val::Boolval(value) => if value.boolval { "t" } else { "f" }.to_owned(),
                    Val::Bsval(_) => return None,
                }))
            }
            NodeEnum::TypeCast(cast) => {
                let value = self.of(cast.arg.as_deref()?)?;
                let names = cast.type_name.as_ref().map(|t| strings(&t.names));
                match names.unwrap_or_default().last().map(String::as_str) {
                    Some("text" | "varchar" | "name" | "regclass" | "int4" | "int8" | "bool") => {
                        value
                    }
                    Some(_) if matches!(value, Value::List(_)) => value,
                    _ => self.unknown(""),
                }
            }
            NodeEnum::ColumnRef(column) => {
                let name = strings(&column.fields).join(".");
                match self.values.get(&name) {
                    Some(value) => value.clone(),
                    None => self.unknown(&name),
                }
            }
            NodeEnum::AArrayExpr(array) => Value::List(
                array
                    .elements
                    .iter()
                    .map(|element| self.of(element))
                    .collect::<Option<_>>()?,
            ),
            NodeEnum::AExpr(operation) => self.operation(operation)?,
            NodeEnum::FuncCall(call) => self.call(call)?,
            NodeEnum::SqlvalueFunction(function) => {
                let name = match function.op() {
                    SqlValueFunctionOp::SvfopCurrentUser
                    | SqlValueFunctionOp::SvfopSessionUser
                    | SqlValueFunctionOp::SvfopUser => "current_user",
                    _ => "",
                };
                self.unknown(name)
            }
            _ => self.unknown(""),
        })
    }

    fn operation(&mut self, operation: &AExpr) -> Option<Value> {
        let left = self.of(operation.lexpr.as_deref()?)?;
        let right = self.of(operation.rexpr.as_deref()?)?;
        let (Value::Text(left), Value::Text(right)) = (left, right) else {
            return None;
        };
        let number = |text: &Text| text.whole()?.parse::<i64>().ok();
        let computed = match strings(&operation.name).last()?.as_str() {
            "||" => return Some(Value::Text(Text([left.0, right.0].concat()))),
            "+" => number(&left).zip(number(&right)).map(|(a, b)| a + b),
            "-" => number(&left).zip(number(&right)).map(|(a, b)| a - b),
            "*" => number(&left).zip(number(&right)).map(|(a, b)| a * b),
            _ => None,
        };
        Some(match computed {
            Some(number) => Value::Text(Text::known(number.to_string())),
            None => self.unknown(""),
        })
    }

    fn call(&mut self, call: &FuncCall) -> Option<Value> {
        let arguments = |known: &mut Self| {
            call.args
                .iter()
                .map(|argument| match known.of(argument)? {
                    Value::Text(text) => Some(text),
                    Value::List(_) => None,
                })
                .collect::<Option<Vec<Text>>>()
        };
        let name = strings(&call.funcname).pop()?;
        let text = match name.as_str() {
            "format" => {
                let given = arguments(self)?;
                let (first, rest) = given.split_first()?;
                formatted(&first.whole()?, rest)?
            }
            "concat" => Text(arguments(self)?.into_iter().flat_map(|t| t.0).collect()),
            "quote_ident" => arguments(self)?.first()?.quoted(Form::Name),
            "quote_literal" | "quote_nullable" => arguments(self)?.first()?.quoted(Form::Literal),
            "lower" => Text::known(arguments(self)?.first()?.whole()?.to_lowercase()),
            "upper" => Text::known(arguments(self)?.first()?.whole()?.to_uppercase()),
            "current_database" | "current_schema" => return Some(self.unknown(&name)),
            _ => return Some(self.unknown("")),
        };
        Some(Value::Text(text))
    }
}

/// A value that needs no variable; `None`: it is not known before it runs.
#[must_use]
pub fn constant(node: &Node) -> Option<Value> {
    let value = Known::default().of(node)?;
    value.is_known().then_some(value)
}

/// A boolean as it is written.
fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "t" | "true" => Some(true),
        "f" | "false" => Some(false),
        _ => None,
    }
}

/// Whether two constants are equal; `None`: it depends on their types.
fn same(one: &str, other: &str) -> Option<bool> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    match (flag(one), flag(other), number(one), number(other)) {
        _ if one == other => Some(true),
        (Some(one), Some(other), ..) => Some(one == other),
        (_, _, Some(one), Some(other)) if (one - other).abs() < f64::EPSILON => None,
        _ => Some(false),
    }
}

/// The function that an expression calls and does nothing else with.
#[must_use]
pub fn called(expression: &str) -> Option<String> {
    match expression_of(expression)?.node? {
        NodeEnum::FuncCall(call) => Some(strings(&call.funcname).join(".")),
        _ => None,
    }
}

/// A query of nothing but an expression with the values of variables in it, where it is one.
#[must_use]
pub fn filled_call(known: &Known, query: &str) -> Option<String> {
    let select = select_of(query)?;
    let reads = |node: NodeRef| matches!(node, NodeRef::SubLink(_) | NodeRef::RangeVar(_));
    let tree = NodeEnum::SelectStmt(Box::new(select));
    if parts::all(&tree).any(reads) {
        return None;
    }
    let filled = known.filled(query);
    depth::parse(&filled).map(|_| filled)
}

/// Whether an expression only puts texts together: it reads nothing, and calls nothing that locks.
#[must_use]
pub fn is_plain(expression: &str) -> bool {
    const PURE: [&str; 8] = [
        "format",
        "concat",
        "quote_ident",
        "quote_literal",
        "quote_nullable",
        "current_database",
        "lower",
        "upper",
    ];
    let Some(select) = select_of(&format!("SELECT {expression}")) else {
        return false;
    };
    let tree = NodeEnum::SelectStmt(Box::new(select));
    parts::all(&tree).all(|node| match node {
        NodeRef::FuncCall(call) => {
            let name = strings(&call.funcname);
            matches!(name.as_slice(), [only] if PURE.contains(&only.as_str()))
        }
        NodeRef::SubLink(_) | NodeRef::RangeVar(_) => false,
        _ => true,
    })
}

/// `format()` (varlena.c): `%s`, `%I`, `%L`, `%%`, and a place before any of them.
fn formatted(pattern: &str, arguments: &[Text]) -> Option<Text> {
    let mut pieces = Vec::new();
    let mut rest = pattern;
    let mut next = 0;
    while let Some((before, after)) = rest.split_once('%') {
        pieces.push(Piece::Known(before.to_owned()));
        let (place, after) = placed(after)?;
        let form = after.chars().next()?;
        rest = &after[form.len_utf8()..];
        if form == '%' {
            pieces.push(Piece::Known("%".to_owned()));
            continue;
        }
        let at = place.map_or(next, |place: usize| place.saturating_sub(1));
        next = at + 1;
        let form = match form {
            's' => Form::Raw,
            'I' => Form::Name,
            'L' => Form::Literal,
            _ => return None,
        };
        pieces.extend(arguments.get(at)?.quoted(form).0);
    }
    pieces.push(Piece::Known(rest.to_owned()));
    Some(Text(pieces))
}

/// `2$` before a form.
fn placed(text: &str) -> Option<(Option<usize>, &str)> {
    let after = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = &text[..text.len() - after.len()];
    match (digits, after.strip_prefix('$')) {
        ("", None) => Some((None, text)),
        (digits, Some(after)) => Some((Some(digits.parse().ok()?), after)),
        // A width.
        _ => None,
    }
}

fn select_of(query: &str) -> Option<SelectStmt> {
    let parsed = depth::parse(query)?;
    match parsed.protobuf.stmts.into_iter().next()?.stmt?.node? {
        NodeEnum::SelectStmt(select) => Some(*select),
        _ => None,
    }
}

/// The tree of an expression.
fn expression_of(text: &str) -> Option<Node> {
    let targets = select_of(&format!("SELECT {text}"))?.target_list;
    let [only] = <[Node; 1]>::try_from(targets).ok()?;
    match only.node? {
        NodeEnum::ResTarget(target) => target.val.map(|value| *value),
        _ => None,
    }
}

fn strings(nodes: &[Node]) -> Vec<String> {
    nodes
        .iter()
        .filter_map(|node| match &node.node {
            Some(NodeEnum::String(text)) => Some(text.sval.clone()),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_put_together_as_the_server_does() {
        let mut known = Known::default();
        known.set("t", Some(Value::Text(Text::known("odd \"name"))));
        known.set("n", Some(Value::Text(Text::known("4"))));
        let mut whole = |expression: &str| match known.value(expression) {
            Some(Value::Text(text)) => text.whole(),
            _ => None,
        };
        assert_eq!(
            whole("format('DROP TABLE %I; %s %2$L %%', t, n - 1)").as_deref(),
            Some("DROP TABLE \"odd \"\"name\"; 3 '3' %")
        );
        assert_eq!(whole("'a' || n || upper('b')").as_deref(), Some("a4B"));
        assert_eq!(
            whole("format('%I_v1 %I %I', 'plain', 'user', 'Big')").as_deref(),
            Some("plain_v1 \"user\" \"Big\"")
        );
        assert_eq!(whole("'a' || other"), None);
        assert_eq!(known.filled("n = 5 AND 'n' = n.n"), "'4' = 5 AND 'n' = n.n");
        let rows = known.rows("SELECT * FROM (VALUES ('a', 1), ('b', 2)) AS v (x, y)");
        assert_eq!(rows.map(|r| r.len()), Some(2));
    }

    #[test]
    fn holes_are_read_where_no_lock_depends_on_them() {
        let read = |expression: &str| Known::default().statements(expression, &mut Made::default());
        assert!(read("'GRANT SELECT ON t TO ' || role_name").is_some());
        assert!(read("format('ALTER SEQUENCE s RESTART WITH %s', n)").is_some());
        assert!(read("format('SELECT $1.%I', column_name)").is_some());
        assert!(
            read("format('CREATE TABLE %I PARTITION OF p FOR VALUES FROM (%L) TO (%L)', n, a, b)")
                .is_some()
        );
        assert!(read("format('DROP TABLE %I', n)").is_none());
        assert!(read("format('DROP ROLE %I', n)").is_none());
        assert!(read("format('UPDATE t SET %I = 1', n)").is_none());
        assert!(read("format('SELECT nextval(%L)', n)").is_none());
        assert!(read("'DELETE FROM t WHERE ' || condition").is_none());
        assert!(read("text_of_its_own").is_none());
    }
}
