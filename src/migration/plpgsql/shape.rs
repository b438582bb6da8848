//! The shape of a body as the parser gives it: variables by number, statements by kind.

use serde_json::Value;

/// What a node holds.
pub fn content(node: &Value) -> Option<&Value> {
    node.as_object()?.values().next()
}

/// The name of a variable.
pub fn content_name(datum: &Value) -> Option<&str> {
    content(datum)?["refname"].as_str()
}

/// The text of an expression.
pub fn query_of(expression: &Value) -> Option<&str> {
    expression["PLpgSQL_expr"]["query"].as_str()
}

/// Whether a statement of a kind stands in a piece of code.
pub fn has(code: &Value, kind: &str) -> bool {
    match code {
        Value::Array(items) => items.iter().any(|item| has(item, kind)),
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| name == kind || has(value, kind)),
        _ => false,
    }
}

/// The variables that a piece of code may set.
pub fn set_in(code: &Value, datums: &[Value], names: &mut Vec<String>) {
    match code {
        Value::Array(items) => items.iter().for_each(|item| set_in(item, datums, names)),
        Value::Object(members) => {
            for (key, value) in members {
                match (key.as_str(), value) {
                    ("varno" | "target", Value::Number(at)) => {
                        let datum = at
                            .as_u64()
                            .and_then(|at| datums.get(usize::try_from(at).ok()?));
                        names.extend(datum.and_then(|datum| name_set(datum, datums)));
                    }
                    ("refname", Value::String(name)) => names.push(name.clone()),
                    ("name", Value::String(name)) => names.push(name.clone()),
                    _ => set_in(value, datums, names),
                }
            }
        }
        _ => {}
    }
}

fn name_set(datum: &Value, datums: &[Value]) -> Option<String> {
    let of = content(datum)?;
    if let Some(parent) = of["recparentno"].as_u64() {
        return content_name(datums.get(usize::try_from(parent).ok()?)?).map(str::to_owned);
    }
    of["refname"].as_str().map(str::to_owned)
}
