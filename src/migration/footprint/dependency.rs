//! Locks on what something new depends on, in the minors that take them (`recordMultipleDependencies`,
//! pg_depend.c): ACCESS SHARE, so that it cannot be dropped in between. They matter only where somebody is
//! dropping it.

use super::act::Act;
use crate::migration::command;
use crate::model::LockMode;
use pg_query::NodeEnum;
use serde_json::Value;
use std::collections::HashSet;

/// Asks for the schemas, types and functions that a statement may come to depend on: those whose name is
/// among its words.
pub fn ask(act: &mut Act, node: &NodeEnum) {
    if !act.world.locks_what_is_depended_on() || !command::of(node).makes_dependencies {
        return;
    }
    let mut words = HashSet::new();
    if let Ok(tree) = serde_json::to_value(node) {
        collect(&tree, &mut words);
    }
    for (object, what) in act.world.named_among(&words) {
        act.may_depend_on(object.0, object.1, LockMode::AccessShare, what);
    }
}

fn collect(tree: &Value, words: &mut HashSet<String>) {
    match tree {
        Value::String(text) => {
            words.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, words)),
        Value::Object(fields) => fields.values().for_each(|field| collect(field, words)),
        _ => {}
    }
}
