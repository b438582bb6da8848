//! Expressions: which columns they name, and what the functions in them do.

use super::act::Act;
use super::query::plan;
use super::routine;
use super::stored;
use super::{code, names, storage, tree};
use crate::migration::parts;
use crate::model::class;
use crate::model::{AdvisoryRequest, LockMode, Oid, Routine, WaitPhase};
use pg_query::protobuf::{AExpr, AIndirection, FuncCall, Node};
use pg_query::{NodeEnum, NodeRef};

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
    let names_sequence = names_sequence(expression);
    if has_rows || may_have_rows || !names_sequence {
        let outer = act.possible;
        act.possible |= !has_rows && names_sequence;
        functions(act, expression);
        act.possible = outer;
        fields(act, expression, &|act, column| {
            act.world.column(table, column).map_or(0, |c| c.type_oid)
        });
    }
}

/// A stored expression that takes a field of a composite value depends on the type's relation
/// (`find_expr_references_walker`, dependency.c). `type_of`: the type of a column that is named.
pub fn fields<'a>(
    act: &mut Act,
    tree: impl Into<parts::Tree<'a>>,
    type_of: &dyn Fn(&Act, &str) -> Oid,
) {
    for node in parts::all(tree) {
        let column = match node {
            NodeRef::AIndirection(part) if has_field(&part.indirection) => column_under(part),
            NodeRef::ResTarget(target) if has_field(&target.indirection) => {
                Some(target.name.clone())
            }
            _ => None,
        };
        if let Some(column) = column {
            let oid = type_of(act, &column);
            depends_on_fields(act, oid);
        }
    }
}

/// The column in `(column).field` and `(column[1]).field`.
fn column_under(part: &AIndirection) -> Option<String> {
    match part.arg.as_ref()?.node.as_ref()? {
        NodeEnum::AIndirection(deeper) => column_under(deeper),
        NodeEnum::ColumnRef(column) => names::list(&column.fields).pop(),
        _ => None,
    }
}

/// Whether what follows a column takes a field of it: `.field`, not `[1]`.
fn has_field(indirection: &[Node]) -> bool {
    !names::list(indirection).is_empty()
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

fn names_sequence(expression: &Node) -> bool {
    tree::any_call(expression, |name| {
        name.last()
            .is_some_and(|n| matches!(n.as_str(), "nextval" | "setval" | "currval"))
    })
}

/// Every function that an expression calls.
fn functions(act: &mut Act, expression: &Node) {
    for node in parts::all(expression) {
        match node {
            NodeRef::FuncCall(one) => call(act, one),
            NodeRef::AExpr(one) => operator(act, one),
            _ => {}
        }
    }
}

/// What an expression that is stored comes to depend on, besides columns of the tables at hand: the
/// sequences that it names, and the composite types of which it takes a field
/// (`find_expr_references_walker`, dependency.c). Says the sequences.
pub fn depends_on<'a>(act: &mut Act, tree: impl Into<parts::Tree<'a>>, reason: &str) -> Vec<Oid> {
    let nodes: Vec<NodeRef> = parts::all(tree).collect();
    let sequences: Vec<Oid> = nodes.iter().filter_map(|n| sequence_of(act, n)).collect();
    for &sequence in &sequences {
        act.depends_on(sequence, reason);
    }
    let rows: Vec<Oid> = nodes.iter().flat_map(|n| row_types(act, n)).collect();
    for relation in rows {
        act.depends_on(relation, "rows of its type come from a function");
    }
    sequences
}

/// The relations of the row types that functions in FROM give.
fn row_types(act: &Act, node: &NodeRef) -> Vec<Oid> {
    let NodeRef::RangeFunction(_) = node else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for call in tree::calls(*node) {
        let name = names::list(&call.funcname);
        let routines = act.world.find_routines(&name);
        let types = routines
            .iter()
            .filter_map(|r| act.world.types.get(&r.returns));
        found.extend(types.map(|t| t.relation).filter(|r| *r != 0));
    }
    found
}

/// The relation that a constant of type regclass names, as in `nextval('…')` and `'…'::regclass`.
fn sequence_of(act: &Act, node: &NodeRef) -> Option<Oid> {
    let constant = match node {
        NodeRef::FuncCall(call) => {
            let name = names::list(&call.funcname).pop()?;
            matches!(name.as_str(), "nextval" | "currval" | "setval")
                .then_some(call.args.first()?)
                .and_then(tree::constant)?
        }
        NodeRef::TypeCast(cast) => {
            let name = cast.type_name.as_ref().map(|t| names::list(&t.names))?;
            (name.last()? == "regclass")
                .then_some(cast.arg.as_deref()?)
                .and_then(tree::constant)?
        }
        _ => return None,
    };
    act.world.find(&names::range_var(&names::split(&constant)))
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
    tree::any_call(expression, |name| {
        let found = act.world.find_routines(name);
        match name.last() {
            Some(last) if found.is_empty() => VOLATILE.contains(&last.as_str()),
            _ => found
                .iter()
                .any(|r| r.volatility == 'v' && !stays_when_inlined(act, r)),
        }
    })
}

/// A function of SQL is as volatile as what it computes, where the planner puts that in its place.
fn stays_when_inlined(act: &Act, routine: &Routine) -> bool {
    routine::inlined(routine).is_some_and(|value| {
        let calls_itself = tree::any_call(&value, |name| {
            let found = act.world.find_routines(name);
            found
                .iter()
                .any(|r| r.oid == routine.oid || r.language == "sql")
        });
        !calls_itself && !is_volatile(act, &value)
    })
}

/// One call, without the calls in its arguments.
pub fn call(act: &mut Act, call: &FuncCall) {
    let name = names::list(&call.funcname);
    let Some(last) = name.last().cloned() else {
        return;
    };
    let is_builtin_name = name.len() == 1 || name[name.len() - 2] == "pg_catalog";
    if is_builtin_name && builtin(act, &last, &call.args) {
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
    for routine in found.iter().filter(|r| r.kind == 'a') {
        stored::run(act, (class::PROC, routine.oid, 0));
    }
    code::of_calls(act, found, &call.args);
}

/// The functions behind a user's operator.
pub fn operator(act: &mut Act, expression: &AExpr) {
    for operator in stored::operators(act, &names::list(&expression.name)) {
        stored::run(act, (class::OPERATOR, operator, 0));
    }
}

/// Built-in functions whose arguments tell their locks.
fn builtin(act: &mut Act, name: &str, arguments: &[Node]) -> bool {
    match name {
        "nextval" | "setval" | "currval" | "pg_sequence_last_value" => {
            sequence(act, name, arguments.first());
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
        "satisfies_hash_partition" => {
            let parent = arguments.first().and_then(|a| relation_argument(act, a));
            parent.is_some_and(|parent| {
                act.lock(parent, LockMode::AccessShare, "its partition key is read");
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
    // Up to 15 its query names the view itself.
    if act.version() < 16 {
        act.lock(view, LockMode::AccessShare, "pg_get_viewdef() shows it");
    }
    let read = plan::view_range(act, view);
    for entry in read.into_iter().filter(|e| e.relation != view) {
        let why = format!("{} reads it, which is shown", act.shown(view));
        act.lock(entry.relation, LockMode::AccessShare, why);
    }
}

/// `nextval('s')` and its kin keep ROW EXCLUSIVE to the end of the transaction
/// (`lock_and_open_sequence`, sequence.c).
fn sequence(act: &mut Act, function: &str, argument: Option<&Node>) {
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
fn relation_argument(act: &mut Act, argument: &Node) -> Option<Oid> {
    if let Some(text) = tree::constant(argument) {
        let range = names::range_var(&names::split(&text));
        return act.find(&range);
    }
    let NodeEnum::FuncCall(call) = argument.node.as_ref()? else {
        return None;
    };
    if names::list(&call.funcname).pop()? != "pg_get_serial_sequence" {
        return None;
    }
    let table = tree::constant(call.args.first()?)?;
    let column = tree::constant(call.args.get(1)?)?;
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
fn advisory(act: &mut Act, name: &str, arguments: &[Node]) {
    if name.contains("unlock") {
        return;
    }
    let keys: Vec<Option<i64>> = arguments.iter().map(tree::integer).collect();
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
