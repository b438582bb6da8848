//! Code that a statement runs: the bodies of DO, of functions and procedures, of triggers.
//!
//! A body is played step by step: a condition that the catalog answers is followed, under any other the locks
//! are possible ones. Text that is put together makes the statement opaque.

use super::act::{Act, Step};
use super::world::Object;
use super::{condition, names, routine};
use crate::migration::plpgsql::{self, Argument, Step as Is};
use crate::migration::scan::has_plain_backslash;
use crate::migration::settings::{STANDARD_STRINGS, truth};
use crate::migration::{command, depth, dynamic};
use crate::model::{Effect, LockMode, Oid, ParsedBody, Routine, Trigger, class};
use pg_query::NodeEnum;
use pg_query::protobuf::{AlterTableType, CallStmt, DoStmt, Node};

/// Bodies that call bodies are followed so far.
const DEEPEST: u8 = 4;

/// `DO`
pub fn run_do(act: &mut Act, statement: &DoStmt) -> Step {
    let language = routine::language(&statement.args).unwrap_or_else(|| "plpgsql".to_owned());
    let body = routine::option(&statement.args, "as")
        .pop()
        .unwrap_or_default();
    doubt_strings(act, &body, &[]);
    match plpgsql::steps(&language, &body, &[]) {
        Some(steps) => {
            match play(act, &steps) {
                // It found what is perhaps not there.
                Err(_) if act.guesses || act.is_opaque() => {
                    act.opaque("whether its code fails depends on conditions that are only known when it runs");
                    Ok(())
                }
                outcome => outcome.map(drop),
            }
        }
        None => {
            act.opaque("DO runs code of its own");
            Ok(())
        }
    }
}

/// `CALL`
pub fn call(act: &mut Act, statement: &CallStmt) {
    let Some(call) = &statement.funccall else {
        return;
    };
    let parts = names::list(&call.funcname);
    let called: Vec<Routine> = act
        .world
        .find_routines(&parts)
        .into_iter()
        .cloned()
        .collect();
    if called.is_empty() {
        act.opaque("CALL runs code of its own");
    }
    of_calls(act, called, &call.args);
}

/// Whether what comes after a step runs too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Goes,
    Ends,
}

/// Plays steps one after the other. What runs under a condition that the catalog does not answer asks for
/// possible locks only.
fn play(act: &mut Act, steps: &[Is]) -> Step<Flow> {
    for step in steps {
        let flow = match step {
            Is::Sql(text) => {
                one(act, text)?;
                Flow::Goes
            }
            Is::Unknown => {
                act.opaque("its code runs SQL that it builds at run time");
                Flow::Goes
            }
            Is::Given(function) => {
                if !gives_nothing(act, function) {
                    act.opaque("its code runs SQL that it builds at run time");
                }
                Flow::Goes
            }
            Is::End => Flow::Ends,
            Is::Over => {
                if !act.possible {
                    act.ends_transaction();
                }
                Flow::Goes
            }
            Is::Perhaps(inner) => {
                perhaps(act, inner);
                Flow::Goes
            }
            Is::Choice(branches) => choice(act, branches)?,
            Is::Guarded(inner, handled) => guarded(act, inner, handled)?,
        };
        // What may end may also go on.
        if flow == Flow::Ends && !act.possible {
            return Ok(Flow::Ends);
        }
    }
    Ok(Flow::Goes)
}

/// Whether a function is known to return nothing.
fn gives_nothing(act: &Act, function: &str) -> bool {
    const VOID: Oid = 2278;
    let parts: Vec<String> = function.split('.').map(str::to_owned).collect();
    let found = act.world.find_routines(&parts);
    !found.is_empty() && found.iter().all(|routine| routine.returns == VOID)
}

fn choice(act: &mut Act, branches: &[(Option<String>, Vec<Is>)]) -> Step<Flow> {
    let mut is_decided = true;
    for (condition, inner) in branches {
        let answer = match condition {
            None => Some(true),
            Some(text) => condition::holds(act, text),
        };
        if let Some(text) = condition
            && (answer.is_none() || condition::reads_rows(act, text))
        {
            one(act, &format!("SELECT {text}"))?;
        }
        match answer {
            Some(true) if is_decided => return play(act, inner),
            Some(true) => {
                perhaps(act, inner);
                return Ok(Flow::Goes);
            }
            Some(false) => {}
            None => {
                is_decided = false;
                perhaps(act, inner);
            }
        }
    }
    Ok(Flow::Goes)
}

/// Steps that may run or not: their locks are possible. What they add stays in the world, for what comes after
/// names it; what they take away or change may still be there.
fn perhaps(act: &mut Act, steps: &[Is]) {
    let before = act.world.clone();
    let outer = std::mem::replace(&mut act.possible, true);
    let outer_change = std::mem::replace(&mut act.takes_away, false);
    // A statement that fails ends them.
    let _ = play(act, steps);
    if act.takes_away {
        let rows = std::mem::take(&mut act.world.version_rows);
        act.world.restore(&before);
        act.world.version_rows = rows;
    }
    act.takes_away |= outer_change;
    act.possible = outer;
}

/// A block with handlers: a statement that fails ends it, takes back what it did, and lets go of the locks that
/// it took (subtransactions, xact.c).
fn guarded(act: &mut Act, steps: &[Is], handled: &[Is]) -> Step<Flow> {
    let before = act.world.clone();
    let first = act.requests();
    match play(act, steps) {
        Ok(flow) => {
            if !handled.is_empty() {
                perhaps(act, handled);
            }
            Ok(flow)
        }
        Err(_) => {
            act.world.restore(&before);
            act.let_go_since(first);
            perhaps(act, handled);
            Ok(Flow::Goes)
        }
    }
}

/// The body of a routine, under its own settings; `transition_tables`: those of a trigger's function.
fn play_routine(
    act: &mut Act,
    called: &Routine,
    given: Vec<Argument>,
    transition_tables: Vec<String>,
) -> bool {
    let body = called.body.as_deref().unwrap_or_default();
    if let Some(parsed) = called.parsed.as_ref().filter(|_| body.trim().is_empty()) {
        return play_parsed(act, called, parsed);
    }
    // A body that is not at hand is none that does nothing.
    if act.depth >= DEEPEST || body.trim().is_empty() {
        return false;
    }
    let Some(steps) = plpgsql::steps(&called.language, body, &given) else {
        return false;
    };
    doubt_strings(act, body, &called.settings);
    let path = called
        .settings
        .iter()
        .find_map(|s| s.strip_prefix("search_path="));
    let path = path.map(|p| {
        p.split(',')
            .map(|s| s.trim().trim_matches('"').to_owned())
            .collect()
    });
    let outer = path.map(|path| act.world.swap_path(path));
    let around = std::mem::replace(&mut act.transition_tables, transition_tables);
    act.depth += 1;
    let _ = play(act, &steps);
    act.depth -= 1;
    act.transition_tables = around;
    if let Some(outer) = outer {
        act.world.swap_path(outer);
    }
    true
}

/// A body that is stored parsed: what it reads, and the functions that it calls (`pg_depend` lists them).
fn play_parsed(act: &mut Act, called: &Routine, parsed: &ParsedBody) -> bool {
    if !parsed.only_reads
        || act.depth >= DEEPEST
        || parsed.calls.iter().any(|name| routine::may_lock(name))
    {
        return false;
    }
    let reads = parsed.range.iter().map(|entry| {
        let name = &act.world.relation(entry.relation)?.name;
        let quoted = |part: &str| part.replace('"', "\"\"");
        let is_locked = LockMode::from_number(entry.mode) == Some(LockMode::RowShare);
        Some(format!(
            "SELECT FROM {}\"{}\".\"{}\"{}",
            if entry.with_children { "" } else { "ONLY " },
            quoted(&name.schema),
            quoted(&name.relation),
            if is_locked { " FOR SHARE" } else { "" }
        ))
    });
    let Some(reads) = reads.collect::<Option<Vec<String>>>() else {
        return false;
    };
    act.depth += 1;
    for text in reads {
        let _ = one(act, &text);
    }
    for called in called_by(act, (class::PROC, called.oid, 0)) {
        of_routine(act, &called);
    }
    act.depth -= 1;
    true
}

/// The functions that a body which is stored parsed calls, also behind operators.
fn called_by(act: &Act, object: Object) -> Vec<Routine> {
    let mut found = Vec::new();
    for d in act.world.above(object) {
        match d.on_class {
            class::PROC => found.extend(act.world.routines.get(&d.on_oid).cloned()),
            class::OPERATOR => found.extend(called_by(act, (d.on_class, d.on_oid, 0))),
            _ => {}
        }
    }
    found
}

/// Where `standard_conforming_strings` may be off while a body runs, a string with a backslash in it may end elsewhere.
fn doubt_strings(act: &mut Act, body: &str, own: &[String]) {
    let own = own
        .iter()
        .find_map(|s| s.strip_prefix(STANDARD_STRINGS)?.strip_prefix('='));
    let may_escape = match own {
        Some(value) => truth(value) != Some(true),
        None => act.world.settings.may_escape_plain_strings(),
    };
    if may_escape && has_plain_backslash(body) {
        act.opaque(format!(
            "{STANDARD_STRINGS} may be off where its code runs, and then a string with a backslash in it ends elsewhere"
        ));
    }
}

fn one(act: &mut Act, text: &str) -> Step {
    let Some(parsed) = depth::parse(text) else {
        act.opaque("a statement in its body cannot be read");
        return Ok(());
    };
    let outer = std::mem::replace(&mut act.in_body, true);
    let nodes = parsed.protobuf.stmts.iter();
    let outcome = nodes
        .filter_map(|s| s.stmt.as_ref()?.node.as_ref())
        .try_for_each(|node| {
            act.takes_away |= !only_adds(node);
            act.is_unsure |= changes_catalog(node) && (act.possible || act.depth > 0);
            act.guesses |= act.possible && !is_rows(node);
            (act.run)(act, node)
        });
    act.in_body = outer;
    outcome
}

fn changes_catalog(node: &NodeEnum) -> bool {
    !matches!(command::of(node).effect, Effect::Rows | Effect::Nothing)
}

/// A function or procedure whose body does more than compute, called with what is not known.
pub fn of_routine(act: &mut Act, called: &Routine) {
    let arguments = called.argument_names.iter().map(|name| Argument {
        name: name.clone(),
        value: None,
    });
    of_call(act, called, arguments.collect());
}

/// Those that a call by name may mean: which of several that take as many arguments is not asked.
pub fn of_calls(act: &mut Act, called: Vec<Routine>, given: &[Node]) {
    let taken: Vec<_> = called
        .iter()
        .map(|one| routine::arguments(one, given))
        .collect();
    let some_fit = taken.iter().any(Option::is_some);
    for (one, arguments) in called.iter().zip(taken) {
        match arguments {
            Some(arguments) => of_call(act, one, arguments),
            None if some_fit => {}
            None => of_routine(act, one),
        }
    }
}

fn of_call(act: &mut Act, called: &Routine, arguments: Vec<Argument>) {
    let Some(why) = routine::why_opaque(act.world, called) else {
        return;
    };
    if !play_routine(act, called, arguments, Vec::new()) {
        act.opaque(why);
    }
}

/// The function of a trigger on a table, or of an event trigger (`trigger` is `None`); `why`: what calls it.
pub fn of_trigger(act: &mut Act, function: Oid, trigger: Option<&Trigger>, why: String) {
    let table = trigger.map(|trigger| trigger.table);
    let transition_tables = trigger.map_or_else(Vec::new, |t| t.transition_tables.clone());
    let Some(called) = act.world.routines.get(&function).cloned() else {
        return act.opaque(why);
    };
    if routine::why_opaque(act.world, &called).is_none() {
        // Compiled functions other than the server's own may do anything.
        if called.language == "c" {
            act.opaque(why);
        }
        return;
    }
    if act.firing.contains(&(function, table)) {
        return;
    }
    let given = table.map_or_else(Vec::new, |table| trigger_variables(act, table));
    act.firing.push((function, table));
    let is_read = play_routine(act, &called, given, transition_tables);
    act.firing.pop();
    if !is_read {
        act.opaque(why);
    }
}

/// The variables that say on which table a trigger is (plpgsql, Trigger Functions).
fn trigger_variables(act: &Act, table: Oid) -> Vec<Argument> {
    let Some(relation) = act.world.relation(table) else {
        return Vec::new();
    };
    let name = &relation.name;
    let variables = [
        ("tg_relid", &name.relation),
        ("tg_relname", &name.relation),
        ("tg_table_name", &name.relation),
        ("tg_table_schema", &name.schema),
    ];
    let variables = variables.map(|(variable, value)| Argument {
        name: variable.to_owned(),
        value: Some(dynamic::Value::known(value)),
    });
    variables.into()
}

/// Whether a statement only adds to the catalog, or reads or writes rows.
fn only_adds(node: &NodeEnum) -> bool {
    let adds_column = |n: &Node| match &n.node {
        Some(NodeEnum::AlterTableCmd(c)) => matches!(
            c.subtype(),
            AlterTableType::AtAddColumn | AlterTableType::AtAddConstraint
        ),
        _ => false,
    };
    match node {
        NodeEnum::AlterTableStmt(s) => s.cmds.iter().all(adds_column),
        _ => {
            let replaces = matches!(node, NodeEnum::ViewStmt(s) if s.replace)
                || matches!(node, NodeEnum::CreateFunctionStmt(s) if s.replace);
            (is_rows(node) || command::of(node).tag.starts_with("CREATE ")) && !replaces
        }
    }
}

/// Whether a statement leaves the catalog alone.
fn is_rows(node: &NodeEnum) -> bool {
    matches!(command::of(node).effect, Effect::Rows | Effect::Nothing)
}
