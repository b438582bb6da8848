//! Whether a migration and a dump that runs at the same time would have anything to do with each other.

use crate::model::{Footprint, LockMode, LockRequest, RelationKind, Statement, WaitPhase};

/// Kinds that a dump never opens: it reads their tables whole, and their definitions from the catalogs.
const NEVER_OPENED: [RelationKind; 4] = [
    RelationKind::Index,
    RelationKind::PartitionedIndex,
    RelationKind::Toast,
    RelationKind::CompositeType,
];

/// Whether a dump could wait for the migration, or the migration for a dump.
///
/// A dump has ACCESS SHARE, which conflicts with ACCESS EXCLUSIVE alone
/// (<https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES>), and a snapshot to its end. A plain
/// CREATE INDEX has nothing to do with it; CREATE INDEX CONCURRENTLY waits for its snapshot. What a statement
/// whose locks are not known would do is not known either.
#[must_use]
pub fn meets_a_dump(footprint: &Footprint) -> bool {
    footprint.statements.iter().any(meets)
}

fn meets(statement: &Statement) -> bool {
    statement.opaque.is_some()
        || statement.locks.iter().any(is_in_the_way)
        || statement.phases.iter().any(|phase| match phase {
            WaitPhase::Snapshots => true,
            // A dump is SERIALIZABLE only with --serializable-deferrable, and then READ ONLY.
            WaitPhase::SafeSnapshot => false,
            // A dump reads, and has no id.
            WaitPhase::Transactions => false,
            WaitPhase::Lockers { mode, .. } | WaitPhase::ThenLock { mode, .. } => {
                mode.conflicts_with(LockMode::AccessShare)
            }
        })
}

fn is_in_the_way(lock: &LockRequest) -> bool {
    lock.mode.conflicts_with(LockMode::AccessShare)
        && !lock.own
        && !NEVER_OPENED.contains(&lock.kind)
}
