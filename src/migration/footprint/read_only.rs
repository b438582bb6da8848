//! What Postgres refuses in a READ ONLY transaction (`PreventCommandIfReadOnly`, utility.c): a session may begin that way
//! (`default_transaction_read_only`), by its server, database, role or connection.

use super::act::{Act, Step, refuse};
use super::world::TEMPORARY;
use crate::migration::command;
use crate::model::{Command, Effect, LockMode};
use pg_query::NodeEnum as N;

/// Changes of the catalogs that are allowed (`COMMAND_OK_IN_READ_ONLY_TXN`, utility.c).
const ALLOWED: &[&str] = &["ANALYZE", "CLUSTER", "REINDEX", "VACUUM"];

/// Refuses a change of the schema, before anything is locked.
pub fn allows(act: &Act, node: &N) -> Step {
    let tag = command::tag(node);
    let changes = Command::of(&tag).effect == Effect::Schema && !ALLOWED.contains(&&*tag);
    match changes && act.source.is_read_only {
        true => refused(&tag),
        false => Ok(()),
    }
}

/// Refuses to write rows of a table that is not temporary: the locks are taken first (`ExecCheckXactReadOnly`,
/// execMain.c; `DoCopy`, copy.c).
pub fn lets_write(act: &Act, node: &N) -> Step {
    let writes = match node {
        N::InsertStmt(_) | N::UpdateStmt(_) | N::DeleteStmt(_) | N::MergeStmt(_) => true,
        N::CopyStmt(copy) => copy.is_from,
        _ => false,
    };
    let is_lasting = act
        .named_locks()
        .filter(|(_, mode)| *mode == LockMode::RowExclusive)
        .filter_map(|(oid, _)| act.world.relation(oid))
        .any(|relation| relation.name.schema != TEMPORARY);
    match writes && is_lasting && act.source.is_read_only {
        true => refused(&command::tag(node)),
        false => Ok(()),
    }
}

fn refused(tag: &str) -> Step {
    refuse(format!("cannot execute {tag} in a read-only transaction"))
}
