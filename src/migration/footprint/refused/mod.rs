//! Refusals that the catalog foretells and that ask for no rule of locks: what is not there, what is there already, and
//! what does not fit.
//!
//! Each rule speaks only where it is sure: about what the catalog lists, and where no code has perhaps changed it before.

mod altered;
mod columns;
mod copy;
mod fits;
mod indexed;
mod missing;
mod shape;
mod taken;
mod values;

use super::act::{Act, Step};
use super::labels;
use pg_query::NodeEnum as N;
use pg_query::protobuf::{ObjectType, RangeVar};

/// The rules, each for every kind of statement.
const RULES: &[fn(&Act, &N) -> Step] = &[
    columns::exist,
    copy::is_possible,
    missing::nothing,
    taken::nothing,
    fits::together,
    labels::are_known,
    shape::is_sound,
    altered::is_allowed,
    values::fit,
    indexed::by_method,
];

/// Refuses a statement that cannot run on the catalog as it is.
pub fn allows(act: &Act, node: &N) -> Step {
    if act.world.is_unsure || act.is_unsure || passes_over(act, node) {
        return Ok(());
    }
    RULES.iter().try_for_each(|rule| rule(act, node))
}

/// Whether IF EXISTS or IF NOT EXISTS leaves the statement nothing to do.
fn passes_over(act: &Act, node: &N) -> bool {
    let is_there = |range: Option<&RangeVar>| range.and_then(|r| act.world.find(r)).is_some();
    match node {
        N::AlterTableStmt(s) => s.missing_ok && !is_there(s.relation.as_ref()),
        N::RenameStmt(s) => {
            s.missing_ok
                && s.relation_type != ObjectType::Undefined as i32
                && s.relation.is_some()
                && !is_there(s.relation.as_ref())
        }
        N::AlterObjectSchemaStmt(s) => s.missing_ok,
        N::AlterSeqStmt(s) => s.missing_ok && !is_there(s.sequence.as_ref()),
        N::CreateStmt(s) => s.if_not_exists && is_taken(act, s.relation.as_ref()),
        N::CreateTableAsStmt(s) => {
            let into = s.into.as_ref().and_then(|i| i.rel.as_ref());
            s.if_not_exists && is_taken(act, into)
        }
        N::CreateSeqStmt(s) => s.if_not_exists && is_taken(act, s.sequence.as_ref()),
        N::CreateSchemaStmt(s) => s.if_not_exists && act.world.schema(&s.schemaname).is_some(),
        N::CreateExtensionStmt(s) => s.if_not_exists && act.world.has_extension(&s.extname),
        // Whether the index is there is known once its name is chosen.
        N::IndexStmt(s) => s.if_not_exists,
        N::CreateStatsStmt(s) => s.if_not_exists,
        N::DropRoleStmt(s) => s.missing_ok,
        N::DropUserMappingStmt(s) => s.missing_ok,
        _ => false,
    }
}

/// Whether something has the name that a new relation would get.
fn is_taken(act: &Act, range: Option<&RangeVar>) -> bool {
    range.is_some_and(|range| {
        let name = act.world.new_name(range);
        act.world.find_name(&name.schema, &name.relation).is_some()
    })
}
