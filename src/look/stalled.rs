//! Base backups that send nothing from one look to another.
//!
//! A walsender that sends a base backup has no time-out of its own (`wal_sender_timeout` is that of replication), and
//! `state_change` stays at its begin: only what it has sent tells whether it moves (`pg_stat_progress_basebackup`).

use super::facts::Facts;
use super::past::Past;
use crate::Result;
use crate::model::{BackendIdentity, Leftovers, Snapshot, Stalled, Work};
use std::collections::BTreeMap;
use std::time::Duration;

/// Between the two looks.
const BETWEEN: Duration = Duration::from_secs(5);

/// Adds those that wait for their client, and go on doing so.
///
/// # Errors
/// When the server does not answer.
pub async fn add(
    facts: &mut Facts,
    past: &Past,
    look: &Snapshot,
    leftovers: &mut Leftovers,
) -> Result<()> {
    let waiting = waiting(look);
    if waiting.is_empty() || !leftovers.stalled.is_empty() {
        return Ok(());
    }
    facts.let_pass(BETWEEN).await;
    let later = self::waiting(&facts.look().await?);
    let earlier = past.looks(&look.server.history_key());
    for (identity, sent) in waiting {
        if later.get(&identity) != Some(&sent) {
            continue;
        }
        // The looks of the last hour, the newest first, as long as they show the same.
        let kept = earlier.times().iter().rev();
        let kept = kept.map_while(|at| {
            let look = earlier.look(*at)?.snapshot;
            let of_it = |(other, sent): (BackendIdentity, i64)| (other == identity).then_some(sent);
            let then = sent_so_far(&look).find_map(of_it)?;
            (then == sent).then_some(*at)
        });
        leftovers.stalled.push(Stalled {
            pid: identity.pid,
            sent,
            since: kept.last().unwrap_or(look.taken_at).min(look.taken_at),
        });
    }
    Ok(())
}

/// Walsenders that wait for their client to take data of a base backup, and what they have sent so far.
fn waiting(look: &Snapshot) -> BTreeMap<BackendIdentity, i64> {
    let waits = |identity: &BackendIdentity| {
        let backend = look.backend(identity.pid);
        backend.is_some_and(|backend| backend.waits_in("Client", "ClientWrite"))
    };
    sent_so_far(look)
        .filter(|(identity, _)| waits(identity))
        .collect()
}

fn sent_so_far(look: &Snapshot) -> impl Iterator<Item = (BackendIdentity, i64)> {
    look.progress.iter().filter_map(|row| match &row.work {
        Work::Basebackup {
            backup_streamed, ..
        } => Some((look.backend(row.pid)?.identity(), (*backup_streamed)?)),
        _ => None,
    })
}
