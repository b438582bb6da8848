//! Locks on what something new depends on, in the minors that take them (`recordMultipleDependencies`,
//! pg_depend.c): ACCESS SHARE, so that it cannot be dropped in between. They matter only where somebody is
//! dropping it.

use super::act::Act;
use crate::migration::command;
use crate::migration::parts;
use crate::model::LockMode;
use pg_query::NodeEnum;

/// Asks for the schemas, types and functions that a statement may come to depend on: those whose name is
/// among its words.
pub fn ask(act: &mut Act, node: &NodeEnum) {
    if !act.world.locks_what_is_depended_on() || !command::of(node).makes_dependencies {
        return;
    }
    let words = parts::texts(node).map(str::to_owned).collect();
    for (object, what) in act.world.named_among(&words) {
        act.may_depend_on(object.0, object.1, LockMode::AccessShare, what);
    }
}
