//! What the doctor looks at: one look at the sessions, between two reads of the catalogs. What is there in both, and
//! nobody is at in between, was left behind.

use super::facts::Facts;
use super::past::Past;
use crate::Result;
use crate::doctor::{Case, Diagnosis, diagnose};
use crate::model::{Leftovers, Snapshot};
use crate::postgres::leftovers::Depth;
use crate::sessions::{WaitGraph, understand};

/// A look with what the catalogs say.
pub struct Examination {
    /// The look.
    pub snapshot: Snapshot,
    /// What the catalogs say.
    pub leftovers: Leftovers,
}

/// Looks.
///
/// # Errors
/// When the server cannot be read.
pub async fn examine(facts: &mut Facts, past: &mut Past, depth: Depth) -> Result<Examination> {
    let before = facts.leftovers(Depth::Quick).await?;
    let snapshot = past.look(facts).await?;
    let mut leftovers = match (depth, before.may_be_work()) {
        (Depth::Quick, false) => before,
        _ => facts.leftovers(depth).await?.that_stayed(&before),
    };
    facts.add_clients(&snapshot, &mut leftovers);
    Ok(Examination {
        snapshot,
        leftovers,
    })
}

impl Examination {
    /// What was left behind.
    #[must_use]
    pub fn diagnosis(&self) -> Diagnosis {
        let sessions = understand(&self.snapshot);
        let graph = WaitGraph::between_sessions(&self.snapshot, &sessions);
        diagnose(&Case::new(
            &self.snapshot,
            &sessions,
            &graph,
            &self.leftovers,
        ))
    }
}
