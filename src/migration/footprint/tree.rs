//! Reading the parse tree: the strings, constants and clauses in it.

use pg_query::protobuf::{Node, RangeVar};
use pg_query::{NodeEnum, protobuf};
use serde_json::Value;

/// The names of the tables that a tree writes to.
#[must_use]
pub fn targets(tree: &Value) -> Vec<String> {
    match tree {
        Value::Array(items) => items.iter().flat_map(targets).collect(),
        Value::Object(fields) => {
            let own = fields
                .get("relation")
                .and_then(|r| r.get("relname")?.as_str())
                .map(str::to_owned);
            own.into_iter()
                .chain(fields.values().flat_map(targets))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// The strings of a list of string nodes.
#[must_use]
pub fn texts(list: &Value) -> Vec<String> {
    items(Some(list))
        .filter_map(|item| {
            find_key(item, "String")?
                .get("sval")?
                .as_str()
                .map(str::to_owned)
        })
        .collect()
}

/// The columns that SET gives values to; those of every WHEN for MERGE.
pub fn columns_set(statement: &Value) -> Vec<String> {
    let mut found = statement
        .get("target_list")
        .map(texts_of_targets)
        .unwrap_or_default();
    for clause in items(statement.get("merge_when_clauses")) {
        if let Some(list) = find_key(clause, "MergeWhenClause").and_then(|c| c.get("target_list")) {
            found.extend(texts_of_targets(list));
        }
    }
    found
}

/// The names of target columns.
pub fn texts_of_targets(list: &Value) -> Vec<String> {
    items(Some(list))
        .filter_map(|item| {
            find_key(item, "ResTarget")?
                .get("name")?
                .as_str()
                .map(str::to_owned)
        })
        .collect()
}

/// The items of a list, where there is one.
pub fn items(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(Value::as_array).into_iter().flatten()
}

/// Whether a value is the word DEFAULT.
pub fn is_default(value: &Value) -> bool {
    find_key(value, "SetToDefault").is_some()
}

/// A node of that kind, at the top of a tree.
#[must_use]
pub fn find_key<'v>(tree: &'v Value, key: &str) -> Option<&'v Value> {
    let node = tree.get("node").unwrap_or(tree);
    node.get(key)
}

/// A text constant, also under a cast.
#[must_use]
pub fn constant(tree: &Value) -> Option<String> {
    if let Some(c) = find_key(tree, "AConst") {
        return c
            .get("val")?
            .get("Sval")?
            .get("sval")?
            .as_str()
            .map(str::to_owned);
    }
    constant(find_key(tree, "TypeCast")?.get("arg")?)
}

/// An integer constant, also under a cast or a minus.
#[must_use]
pub fn integer(tree: &Value) -> Option<i64> {
    if let Some(c) = find_key(tree, "AConst") {
        let value = c.get("val")?;
        return match value.get("Ival") {
            Some(i) => i.get("ival")?.as_i64(),
            None => value.get("Fval")?.get("fval")?.as_str()?.parse().ok(),
        };
    }
    if let Some(e) = find_key(tree, "AExpr")
        && e.get("lexpr").is_none_or(Value::is_null)
        && e.get("name").map(texts).is_some_and(|n| n == ["-"])
    {
        return integer(e.get("rexpr")?).map(|n| -n);
    }
    integer(find_key(tree, "TypeCast")?.get("arg")?)
}

/// Whether a tree is the constant `true`.
#[must_use]
pub fn is_true(tree: &Value) -> bool {
    find_key(tree, "AConst")
        .and_then(|c| c.get("val")?.get("Boolval")?.get("boolval")?.as_bool())
        .unwrap_or(false)
}

/// Whether an expression is the constant NULL.
#[must_use]
pub fn is_null(node: &Node) -> bool {
    match &node.node {
        Some(NodeEnum::AConst(c)) => c.isnull,
        Some(NodeEnum::TypeCast(c)) => c.arg.as_deref().is_some_and(is_null),
        _ => false,
    }
}

/// The columns that no row of VALUES says DEFAULT for.
pub fn without_defaults(statement: &Value, columns: Vec<String>) -> Vec<String> {
    let select = statement
        .get("select_stmt")
        .and_then(|s| find_key(s, "SelectStmt"));
    let rows: Vec<&Value> = items(select.and_then(|s| s.get("values_lists")))
        .filter_map(|row| find_key(row, "List")?.get("items"))
        .collect();
    columns
        .into_iter()
        .enumerate()
        .filter(|(at, _)| !rows.iter().any(|row| row.get(*at).is_some_and(is_default)))
        .map(|(_, name)| name)
        .collect()
}

/// Whether an INSERT gives rows whatever there is to read: VALUES and DEFAULT VALUES.
pub fn has_rows(statement: &Value) -> bool {
    match statement.get("select_stmt").filter(|s| !s.is_null()) {
        Some(select) => find_key(select, "SelectStmt")
            .is_some_and(|s| items(s.get("values_lists")).next().is_some()),
        None => true,
    }
}

/// The columns that a condition compares with constants, where it must hold whole.
pub fn compared(condition: Option<&Value>) -> Vec<String> {
    let Some(condition) = condition.filter(|c| !c.is_null()) else {
        return Vec::new();
    };
    if let Some(all) = find_key(condition, "BoolExpr") {
        // OR leaves partitions out too, where each of its sides does.
        return items(all.get("args"))
            .flat_map(|a| compared(Some(a)))
            .collect();
    }
    if let Some(test) = find_key(condition, "NullTest") {
        return test.get("arg").and_then(column).into_iter().collect();
    }
    let Some(comparison) = find_key(condition, "AExpr") else {
        return column(condition).into_iter().collect();
    };
    let sides = [comparison.get("lexpr"), comparison.get("rexpr")];
    let sides = sides.map(|side| side.filter(|s| !s.is_null()));
    let named: Vec<String> = sides.into_iter().flatten().filter_map(column).collect();
    let has_constant = sides.into_iter().flatten().any(is_constant);
    if has_constant { named } else { Vec::new() }
}

/// Whether the planner knows the value: no column, no call, no query in it.
fn is_constant(tree: &Value) -> bool {
    match tree {
        Value::Array(items) => items.iter().all(is_constant),
        Value::Object(fields) => fields.iter().all(|(key, field)| {
            !matches!(
                key.as_str(),
                "ColumnRef" | "FuncCall" | "SubLink" | "ParamRef"
            ) && is_constant(field)
        }),
        _ => true,
    }
}

fn column(tree: &Value) -> Option<String> {
    texts(find_key(tree, "ColumnRef")?.get("fields")?).pop()
}

/// The alias of something in FROM.
pub fn alias_of(field: &Value) -> Option<String> {
    field
        .get("alias")?
        .get("aliasname")?
        .as_str()
        .map(str::to_owned)
}

/// The relation that a RangeVar names.
pub fn range_of(field: &Value) -> RangeVar {
    let text = |key: &str| {
        field
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    RangeVar {
        schemaname: text("schemaname"),
        relname: text("relname"),
        inh: field.get("inh").and_then(Value::as_bool).unwrap_or(true),
        relpersistence: text("relpersistence"),
        ..RangeVar::default()
    }
}

/// The names of FOR UPDATE OF …; nothing in the list: every relation.
pub fn locked_names(clause: Option<&Value>) -> Option<Vec<String>> {
    let clauses = clause?.as_array()?;
    if clauses.is_empty() {
        return None;
    }
    let mut names = Vec::new();
    for clause in clauses {
        let of = find_key(clause, "LockingClause")?
            .get("locked_rels")?
            .as_array()?;
        if of.is_empty() {
            return Some(Vec::new());
        }
        names.extend(of.iter().filter_map(|r| {
            find_key(r, "RangeVar")?
                .get("relname")?
                .as_str()
                .map(str::to_owned)
        }));
    }
    Some(names)
}

/// Whether every locking clause says SKIP LOCKED (`LOCK_WAIT_SKIP`).
pub fn skips_rows(clause: Option<&Value>) -> bool {
    let clauses = clause.and_then(Value::as_array);
    clauses.is_some_and(|clauses| {
        clauses.iter().all(|clause| {
            find_key(clause, "LockingClause")
                .and_then(|c| c.get("wait_policy"))
                .and_then(Value::as_i64)
                == Some(2)
        })
    })
}

/// A string node.
pub fn string(text: &str) -> Node {
    Node {
        node: Some(NodeEnum::String(protobuf::String {
            sval: text.to_owned(),
        })),
    }
}
