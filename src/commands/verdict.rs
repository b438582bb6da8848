//! A verdict for commands that are no gate: would these migrations block now?

use super::facts::Facts;
use super::migrations;
use super::past::Past;
use crate::Result;
use crate::cli::{ConnectArgs, MigrationArgs, RecordArgs};
use crate::gate::{self, FirstLook, Policy};
use crate::migration::footprint;
use crate::migration::statement::statements;
use crate::model::{Snapshot, Verdict};
use crate::sessions::{Sessions, understand};
use std::path::PathBuf;
use std::time::Duration;

/// A verdict with the look that it is about.
pub struct Judged {
    /// The last look.
    pub snapshot: Snapshot,
    /// Who is who in it.
    pub sessions: Sessions,
    /// The verdict.
    pub verdict: Verdict,
}

/// Between two looks, where one does not tell whether somebody in front is about to leave.
const PATIENCE: Duration = Duration::from_secs(1);

/// Judges migrations by one look, or two; `past` says when backups end, and learns what was seen.
///
/// # Errors
/// When they, or the server, cannot be read.
pub async fn now(connect: &ConnectArgs, paths: &[PathBuf], past: &mut Past) -> Result<Judged> {
    let args = MigrationArgs::default();
    let sources = migrations::read(paths, &args)?;
    let mut facts = Facts::open(connect, &RecordArgs::default(), 0).await?;
    let (scripts, _) = facts
        .pending(sources, &migrations::options(&args), args.all)
        .await?;
    let statements = statements(&scripts);
    let catalog = facts.catalog(&footprint::reach(&statements)).await?;
    let footprint = footprint::of(&statements, catalog, 0);
    let mut policy = Policy::default();
    loop {
        let snapshot = past.look(&mut facts).await?;
        let sessions = understand(&snapshot);
        policy.estimates = past.estimates(&mut facts, &snapshot, &sessions).await;
        let verdict = gate::decide(&footprint, &snapshot, &sessions, &policy);
        if policy.first_look.is_some() || !verdict.look_again {
            facts.finish().await;
            return Ok(Judged {
                snapshot,
                sessions,
                verdict,
            });
        }
        policy.first_look = Some(FirstLook::of(&snapshot));
        tokio::time::sleep(PATIENCE).await;
    }
}
