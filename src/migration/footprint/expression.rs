//! Expressions: which columns they name, and what the functions in them do.

use super::act::Act;
use super::query::plan;
use super::routine;
use super::stored;
use super::{code, names, storage, tree};
use crate::model::class;
use crate::model::{AdvisoryRequest, LockMode, Oid, WaitPhase};
use pg_query::protobuf::Node;
use serde_json::Value;

/// An expression of a default, a check, an index that is worked out for the rows of a table: its
/// functions run, sequences give numbers only if there are rows.
pub fn check(act: &mut Act, table: Oid, expression: &Node) {
    let has_rows = act
        .world
        .relation(table)
        .is_none_or(|r| r.bytes > 0 || r.rows > 0.0 || r.live_rows > 0.0);
    // Never counted: it may have rows.
    let may_have_rows = act.world.relation(table).is_some_and(|r| r.rows < 0.0)
        && act.world.created_in(table).is_none();
    if let Ok(tree) = serde_json::to_value(expression)
        && (has_rows || may_have_rows || !names_sequence(&tree))
    {
        let outer = act.possible;
        act.possible |= !has_rows && names_sequence(&tree);
        functions(act, &tree);
        act.possible = outer;
        fields(act, &tree, &|act, column| {
            act.world.column(table, column).map_or(0, |c| c.type_oid)
        });
    }
}

/// A stored expression that takes a field of a composite value depends on the type's relation
/// (`find_expr_references_walker`, dependency.c). `type_of`: the type of a column that is named.
pub fn fields(act: &mut Act, tree: &Value, type_of: &dyn Fn(&Act, &str) -> Oid) {
    match tree {
        Value::Array(items) => items.iter().for_each(|i| fields(act, i, type_of)),
        Value::Object(object) => {
            for (key, field) in object {
                match key.as_str() {
                    "AIndirection" => field_of(act, field, type_of),
                    "ResTarget" => field_set(act, field, type_of),
                    _ => {}
                }
                fields(act, field, type_of);
            }
        }
        _ => {}
    }
}

/// `(column).field` and `(column[1]).field`.
fn field_of(act: &mut Act, indirection: &Value, type_of: &dyn Fn(&Act, &str) -> Oid) {
    let mut inner = indirection.get("arg");
    while let Some(deeper) = inner.and_then(|a| tree::find_key(a, "AIndirection")) {
        inner = deeper.get("arg");
    }
    let Some(column) = inner
        .and_then(|a| tree::find_key(a, "ColumnRef"))
        .and_then(|c| tree::texts(c.get("fields")?).pop())
    else {
        return;
    };
    if has_field(indirection) {
        let oid = type_of(act, &column);
        depends_on_fields(act, oid);
    }
}

/// `SET column.field = …`, `INSERT INTO t (column.field)`
fn field_set(act: &mut Act, target: &Value, type_of: &dyn Fn(&Act, &str) -> Oid) {
    if let Some(column) = target.get("name").and_then(Value::as_str)
        && has_field(target)
    {
        let oid = type_of(act, column);
        depends_on_fields(act, oid);
    }
}

fn has_field(tree: &Value) -> bool {
    tree.get("indirection")
        .is_some_and(|i| !tree::texts(i).is_empty())
}

/// The composite type in a type.
fn depends_on_fields(act: &mut Act, mut oid: Oid) {
    while let Some(t) = act.world.types.get(&oid) {
        if t.kind == 'c' {
            act.depends_on(t.relation, "an expression uses a field of it");
            return;
        }
        oid = if t.kind == 'd' { t.base } else { t.element };
    }
}

fn names_sequence(tree: &Value) -> bool {
    any_call(tree, &|name| {
        name.last()
            .is_some_and(|n| matches!(n.as_str(), "nextval" | "setval" | "currval"))
    })
}

/// Every function that a tree calls.
fn functions(act: &mut Act, tree: &Value) {
    match tree {
        Value::Array(items) => items.iter().for_each(|i| functions(act, i)),
        Value::Object(fields) => {
            for (key, field) in fields {
                match key.as_str() {
                    "FuncCall" => call(act, field),
                    "AExpr" => operator(act, field),
                    _ => {}
                }
                functions(act, field);
            }
        }
        _ => {}
    }
}

/// What an expression that is stored comes to depend on, besides columns of the tables at hand: the
/// sequences that it names, and the composite types of which it takes a field
/// (`find_expr_references_walker`, dependency.c). Says the sequences.
pub fn depends_on(act: &mut Act, tree: &Value, reason: &str) -> Vec<Oid> {
    let sequences = sequences_of(act, tree);
    for &sequence in &sequences {
        act.depends_on(sequence, reason);
    }
    for relation in rows_of_functions(act, tree) {
        act.depends_on(relation, "rows of its type come from a function");
    }
    sequences
}

/// The relations of the row types that functions in FROM give.
fn rows_of_functions(act: &Act, tree: &Value) -> Vec<Oid> {
    match tree {
        Value::Array(items) => items
            .iter()
            .flat_map(|i| rows_of_functions(act, i))
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(key, field)| {
                let mut found = rows_of_functions(act, field);
                if key == "RangeFunction" {
                    found.extend(row_types_called(act, field));
                }
                found
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn row_types_called(act: &Act, tree: &Value) -> Vec<Oid> {
    match tree {
        Value::Array(items) => items
            .iter()
            .flat_map(|i| row_types_called(act, i))
            .collect(),
        Value::Object(fields) => match fields.get("FuncCall") {
            Some(call) => {
                let name = call.get("funcname").map(tree::texts).unwrap_or_default();
                let routines = act.world.find_routines(&name);
                let types = routines
                    .iter()
                    .filter_map(|r| act.world.types.get(&r.returns));
                types.map(|t| t.relation).filter(|r| *r != 0).collect()
            }
            None => fields
                .values()
                .flat_map(|f| row_types_called(act, f))
                .collect(),
        },
        _ => Vec::new(),
    }
}

/// The columns that an expression names.
#[must_use]
pub fn columns(expression: &Node) -> Vec<String> {
    let mut found = Vec::new();
    if let Ok(tree) = serde_json::to_value(expression) {
        collect_columns(&tree, &mut found);
    }
    found
}

fn collect_columns(tree: &Value, found: &mut Vec<String>) {
    match tree {
        Value::Array(items) => items.iter().for_each(|i| collect_columns(i, found)),
        Value::Object(fields) => {
            for (key, field) in fields {
                if key == "ColumnRef" {
                    if let Some(name) = field
                        .get("fields")
                        .map(tree::texts)
                        .and_then(|t| t.last().cloned())
                        && !found.contains(&name)
                    {
                        found.push(name);
                    }
                } else {
                    collect_columns(field, found);
                }
            }
        }
        _ => {}
    }
}

/// Built-in functions that are volatile (`pg_proc.provolatile = 'v'`) and stand in defaults.
const VOLATILE: &[&str] = &[
    "random",
    "random_normal",
    "gen_random_uuid",
    "uuidv4",
    "uuidv7",
    "clock_timestamp",
    "timeofday",
    "nextval",
    "setval",
    "currval",
    "lastval",
    "pg_sleep",
    "txid_current",
    "pg_current_xact_id",
    "setseed",
    "set_config",
    "pg_advisory_lock",
    "pg_try_advisory_lock",
    "uuid_generate_v1",
    "uuid_generate_v1mc",
    "uuid_generate_v4",
    "gen_random_bytes",
    "gen_salt",
];

/// Whether an expression gives another value for every row (`contain_volatile_functions`).
#[must_use]
pub fn is_volatile(act: &Act, expression: &Node) -> bool {
    serde_json::to_value(expression).is_ok_and(|tree| {
        any_call(&tree, &|name| {
            let found = act.world.find_routines(name);
            match name.last() {
                Some(last) if found.is_empty() => VOLATILE.contains(&last.as_str()),
                _ => found.iter().any(|r| r.volatility == 'v'),
            }
        })
    })
}

/// Whether any function call answers to a claim about its name.
fn any_call(tree: &Value, claim: &dyn Fn(&[String]) -> bool) -> bool {
    match tree {
        Value::Array(items) => items.iter().any(|i| any_call(i, claim)),
        Value::Object(fields) => fields.iter().any(|(key, field)| {
            (key == "FuncCall"
                && field
                    .get("funcname")
                    .is_some_and(|n| claim(&tree::texts(n))))
                || any_call(field, claim)
        }),
        _ => false,
    }
}

/// One call, without the calls in its arguments.
pub fn call(act: &mut Act, call: &Value) {
    let name = call.get("funcname").map(tree::texts).unwrap_or_default();
    let Some(last) = name.last().cloned() else {
        return;
    };
    let is_builtin_name = name.len() == 1 || name[name.len() - 2] == "pg_catalog";
    let arguments: Vec<&Value> = call
        .get("args")
        .and_then(Value::as_array)
        .map(|a| a.iter().collect())
        .unwrap_or_default();
    if is_builtin_name && builtin(act, &last, &arguments) {
        return;
    }
    let found: Vec<_> = act
        .world
        .find_routines(&name)
        .into_iter()
        .cloned()
        .collect();
    if found.is_empty() {
        if routine::LOCKING.contains(&last.as_str()) {
            act.opaque(format!(
                "{last}() opens relations that are only known when it runs"
            ));
        } else if !is_builtin_name {
            act.opaque(format!("function {} is not known", name.join(".")));
        }
        return;
    }
    for routine in &found {
        if routine.kind == 'a' {
            stored::run(act, (class::PROC, routine.oid, 0));
        }
        code::of_routine(act, routine);
    }
}

/// The functions behind a user's operator.
pub fn operator(act: &mut Act, expression: &Value) {
    let name = expression.get("name").map(tree::texts).unwrap_or_default();
    for operator in stored::operators(act, &name) {
        stored::run(act, (class::OPERATOR, operator, 0));
    }
}

/// Built-in functions whose arguments tell their locks.
fn builtin(act: &mut Act, name: &str, arguments: &[&Value]) -> bool {
    match name {
        "nextval" | "setval" | "currval" | "pg_sequence_last_value" => {
            sequence(act, name, arguments.first().copied());
            true
        }
        "pg_relation_size" | "pg_table_size" | "pg_indexes_size" | "pg_total_relation_size" => {
            let measured = arguments.first().and_then(|a| relation_argument(act, a));
            measured.is_some_and(|oid| {
                measure(act, name, oid);
                true
            })
        }
        "pg_get_viewdef" => {
            let shown = arguments.first().and_then(|a| relation_argument(act, a));
            shown.is_some_and(|view| {
                show_view(act, view);
                true
            })
        }
        "lastval" => {
            act.opaque("lastval() locks the sequence that was used last");
            true
        }
        "set_config" => {
            if let [key, value, local] = arguments {
                act.set_config(
                    tree::constant(key),
                    tree::constant(value),
                    tree::is_true(local),
                );
            }
            true
        }
        // It finds its starting point only once those that write now have ended.
        "pg_create_logical_replication_slot" => {
            act.phases.push(WaitPhase::Transactions);
            true
        }
        _ if name.contains("advisory") => {
            advisory(act, name, arguments);
            true
        }
        _ => false,
    }
}

/// `pg_relation_size` and its kin open what they measure (`try_relation_open`, dbsize.c).
fn measure(act: &mut Act, function: &str, oid: Oid) {
    let why = format!("{function}() measures it");
    act.touch(oid, LockMode::AccessShare, why.clone());
    let with_toast = matches!(function, "pg_table_size" | "pg_total_relation_size");
    let with_indexes = matches!(function, "pg_indexes_size" | "pg_total_relation_size");
    let mut parts = Vec::new();
    if with_toast {
        parts.extend(storage::toast_of(act, oid));
    }
    if with_indexes {
        parts.extend(act.world.indexes.of(oid).map(|i| i.oid));
    }
    for part in parts {
        act.touch(part, LockMode::AccessShare, why.clone());
    }
}

/// `pg_get_viewdef` opens the view, and what its query reads (`get_query_def`, ruleutils.c).
fn show_view(act: &mut Act, view: Oid) {
    act.touch(view, LockMode::AccessShare, "pg_get_viewdef() shows it");
    let read = plan::view_range(act, view);
    for entry in read.into_iter().filter(|e| e.relation != view) {
        let why = format!("{} reads it, which is shown", act.shown(view));
        act.lock(entry.relation, LockMode::AccessShare, why);
    }
}

/// `nextval('s')` and its kin keep ROW EXCLUSIVE to the end of the transaction
/// (`lock_and_open_sequence`, sequence.c).
fn sequence(act: &mut Act, function: &str, argument: Option<&Value>) {
    match argument.and_then(|a| relation_argument(act, a)) {
        Some(oid) => act.lock(
            oid,
            LockMode::RowExclusive,
            format!("{function}() works on it"),
        ),
        None => act.opaque(format!(
            "which sequence {function}() works on is only known when it runs"
        )),
    }
}

/// The relation that an argument names: `'s'`, `'s'::regclass`, `pg_get_serial_sequence('t', 'c')`.
fn relation_argument(act: &mut Act, argument: &Value) -> Option<Oid> {
    if let Some(text) = tree::constant(argument) {
        let range = names::range_var(&names::split(&text));
        return act.find(&range);
    }
    let call = tree::find_key(argument, "FuncCall")?;
    let name = call.get("funcname").map(tree::texts)?;
    if name.last().map(String::as_str) != Some("pg_get_serial_sequence") {
        return None;
    }
    let arguments = call.get("args")?.as_array()?;
    let table = tree::constant(arguments.first()?)?;
    let column = tree::constant(arguments.get(1)?)?;
    let table = act.find(&names::range_var(&names::split(&table)))?;
    let number = i32::from(act.world.column(table, &column)?.number);
    act.world
        .below((crate::model::class::RELATION, table, number))
        .find(|d| {
            d.class == crate::model::class::RELATION
                && act.world.kind(d.oid) == Some(crate::model::RelationKind::Sequence)
        })
        .map(|d| d.oid)
}

/// `pg_advisory_lock(…)` and its kin.
fn advisory(act: &mut Act, name: &str, arguments: &[&Value]) {
    if name.contains("unlock") {
        return;
    }
    let keys: Vec<Option<i64>> = arguments.iter().map(|a| tree::integer(a)).collect();
    let (classid, objid, objsubid) = match keys.as_slice() {
        [Some(key)] => {
            let bits = key.cast_unsigned();
            ((bits >> 32) as u32, (bits & 0xffff_ffff) as u32, 1)
        }
        [Some(a), Some(b)] => (
            (a.cast_unsigned() & 0xffff_ffff) as u32,
            (b.cast_unsigned() & 0xffff_ffff) as u32,
            2,
        ),
        // It gives up at once whatever the key is.
        _ if name.contains("try") => return,
        _ => (0, 0, 0),
    };
    act.advisory.push(AdvisoryRequest {
        classid,
        objid,
        objsubid,
        shared: name.contains("shared"),
        nowait: name.contains("try"),
    });
}

/// The sequences that `nextval('…')` in an expression names.
fn sequences_of(act: &Act, tree: &Value) -> Vec<Oid> {
    let mut found = Vec::new();
    collect_sequences(act, tree, &mut found);
    found
}

fn collect_sequences(act: &Act, tree: &Value, found: &mut Vec<Oid>) {
    match tree {
        Value::Array(items) => items.iter().for_each(|i| collect_sequences(act, i, found)),
        Value::Object(fields) => {
            for (key, field) in fields {
                if key == "FuncCall"
                    && let Some(name) = field.get("funcname").map(tree::texts)
                    && name.last().is_some_and(|n| n == "nextval")
                    && let Some(text) = field
                        .get("args")
                        .and_then(|a| a.get(0))
                        .and_then(tree::constant)
                    && let Some(oid) = act.world.find(&names::range_var(&names::split(&text)))
                {
                    found.push(oid);
                }
                collect_sequences(act, field, found);
            }
        }
        _ => {}
    }
}
