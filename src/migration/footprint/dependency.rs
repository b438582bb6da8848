//! Locks on what something new depends on, in the minors that take them (`recordMultipleDependencies`,
//! pg_depend.c): ACCESS SHARE, so that it cannot be dropped in between. They matter only where somebody is
//! dropping it.

use super::act::Act;
use crate::model::LockMode;
use pg_query::NodeEnum;
use serde_json::Value;
use std::collections::HashSet;

/// Asks for the schemas, types and functions that a statement may come to depend on: those whose name is
/// among its words.
pub fn ask(act: &mut Act, node: &NodeEnum) {
    if !act.world.locks_what_is_depended_on() || !makes_dependencies(node) {
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

fn makes_dependencies(node: &NodeEnum) -> bool {
    !matches!(
        node,
        NodeEnum::SelectStmt(_)
            | NodeEnum::InsertStmt(_)
            | NodeEnum::UpdateStmt(_)
            | NodeEnum::DeleteStmt(_)
            | NodeEnum::MergeStmt(_)
            | NodeEnum::CopyStmt(_)
            | NodeEnum::ExplainStmt(_)
            | NodeEnum::DropStmt(_)
            | NodeEnum::TransactionStmt(_)
            | NodeEnum::VariableSetStmt(_)
            | NodeEnum::LockStmt(_)
            | NodeEnum::TruncateStmt(_)
            | NodeEnum::VacuumStmt(_)
            | NodeEnum::DoStmt(_)
            | NodeEnum::CallStmt(_)
    )
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
