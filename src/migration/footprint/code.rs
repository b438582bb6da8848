//! Code that a statement runs: the bodies of DO, of functions and procedures, of triggers.
//!
//! What stands in a body as SQL is told as if all of it ran. That is the truth only of a body without
//! conditions, loops and text put together; of any other it is marked as incomplete.

use super::act::{Act, Step};
use super::{names, routine};
use crate::migration::{depth, plpgsql};
use crate::model::{Oid, Routine};
use pg_query::protobuf::{CallStmt, DoStmt};

/// Bodies that call bodies are followed so far.
const DEEPEST: u8 = 4;

/// `DO`
pub fn run_do(act: &mut Act, statement: &DoStmt) -> Step {
    let language = routine::language(&statement.args).unwrap_or_else(|| "plpgsql".to_owned());
    let body = routine::option(&statement.args, "as")
        .pop()
        .unwrap_or_default();
    if language == "plpgsql" && plpgsql::is_straight(&body) {
        return straight(act, &language, &body);
    }
    act.opaque("DO runs code of its own");
    read(act, &language, &body, &[]);
    Ok(())
}

/// `CALL`
pub fn call(act: &mut Act, statement: &CallStmt) {
    act.opaque("CALL runs code of its own");
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
    for one in called {
        of_routine(act, &one);
    }
}

/// A block whose statements all run. With a handler (that does nothing), a statement that fails ends the
/// block, takes back what it did, and lets go of the locks that it took (subtransactions, xact.c).
fn straight(act: &mut Act, language: &str, body: &str) -> Step {
    let has_handler = body.to_lowercase().contains("exception");
    let before = has_handler.then(|| act.world.clone());
    let first = act.requests();
    for text in plpgsql::statements_of_body(language, body, &[]) {
        let outcome = one(act, &text);
        match (outcome, &before) {
            (Err(_), Some(before)) => {
                act.world.restore(before);
                act.let_go_since(first);
                return Ok(());
            }
            (outcome, _) => outcome?,
        }
    }
    Ok(())
}

/// All that can be read in a body, whether it will run or not.
fn read(act: &mut Act, language: &str, body: &str, arguments: &[String]) {
    if act.depth >= DEEPEST {
        return;
    }
    act.depth += 1;
    for text in plpgsql::statements_of_body(language, body, arguments) {
        let _ = one(act, &text);
    }
    act.depth -= 1;
}

fn one(act: &mut Act, text: &str) -> Step {
    let Some(parsed) = depth::parse(text) else {
        act.opaque("a statement in its body cannot be read");
        return Ok(());
    };
    parsed
        .protobuf
        .stmts
        .iter()
        .filter_map(|s| s.stmt.as_ref()?.node.as_ref())
        .try_for_each(|node| (act.run)(act, node))
}

/// A function or procedure whose body does more than compute: opaque, with what can be read of it.
pub fn of_routine(act: &mut Act, called: &Routine) {
    let Some(why) = routine::why_opaque(act.world, called) else {
        return;
    };
    act.opaque(why);
    if let Some(body) = &called.body {
        read(act, &called.language, body, &called.argument_names);
    }
}

/// The function of a trigger or an event trigger; `why`: what calls it.
pub fn of_trigger(act: &mut Act, function: Oid, why: String) {
    let called = act.world.routines.get(&function).cloned();
    match called {
        Some(called) if routine::why_opaque(act.world, &called).is_none() => {
            // Compiled functions other than the server's own may do anything.
            if called.language == "c" {
                act.opaque(why);
            }
        }
        Some(called) => {
            act.opaque(why);
            of_routine(act, &called);
        }
        None => act.opaque(why),
    }
}
