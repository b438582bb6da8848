//! UNDERSTAND: who is who in a snapshot, and who waits behind whom.
//!
//! [`understand`] gathers backends that belong together into sessions and names the role each one plays,
//! by what it does (locks, snapshot, statements, progress) before what it calls itself: anyone can set
//! `application_name`. What was seen is kept as evidence. [`waits`] builds the wait graph.

pub mod alike;
mod at_work;
mod backups;
mod group;
mod groups;
mod index;
mod list;
mod migrations;
mod party;
pub mod query_text;
pub mod queue;
mod reach;
mod roles;
#[cfg(test)]
pub(crate) mod scene;
#[cfg(test)]
mod tests;
pub mod waits;
pub mod words;

pub use at_work::{
    Earlier, needs_second_look, somebody_needs_second_look, waits_for_client,
    works_between_statements,
};
pub use index::Index;
pub use list::Sessions;
pub use party::Party;
pub use roles::prevents_wraparound;
pub use waits::WaitGraph;
pub use words::Words;

use crate::model::Snapshot;
use chrono::TimeDelta;

/// A dump that pauses for longer than this, all members idle in a transaction, has lost its client,
/// unless past runs of it paused longer.
pub const LEAKED_AFTER: TimeDelta = TimeDelta::minutes(15);

/// Who is who.
#[must_use]
pub fn understand(snapshot: &Snapshot) -> Sessions {
    understand_with(snapshot, LEAKED_AFTER)
}

/// Who is who, where a backup counts as leaked once it paused for longer than `leaked_after`.
#[must_use]
pub fn understand_with(snapshot: &Snapshot, leaked_after: TimeDelta) -> Sessions {
    let index = Index::new(snapshot);
    let groups = groups::gather(&index);
    Sessions::new(
        groups
            .iter()
            .map(|group| roles::session(group, &index, leaked_after))
            .collect(),
    )
}
