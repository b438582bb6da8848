//! When the backups in a snapshot end: past runs and what can be seen now.

use super::facts::Facts;
use crate::backup::{self, Question};
use crate::cli::HistoryArgs;
use crate::config::Config;
use crate::model::{Estimate, Pid, Snapshot};
use crate::sessions::Sessions;
use std::collections::BTreeMap;

/// An estimate for each running backup, by its leading pid. What cannot be read is left out: an estimate
/// is a help, and no reason to fail.
pub async fn of(
    facts: &mut Facts,
    snapshot: &Snapshot,
    sessions: &Sessions,
    _history: &HistoryArgs,
    _config: &Config,
) -> BTreeMap<Pid, Estimate> {
    let mut found = BTreeMap::new();
    for session in sessions.iter() {
        let Some(backup) = &session.backup else {
            continue;
        };
        let tables = facts.tables(&backup.tables).await;
        let question = Question {
            snapshot,
            session,
            facts: &tables,
            past: &[],
            watched: None,
        };
        if let Some(estimate) = backup::estimate(&question) {
            found.insert(session.pid, estimate);
        }
    }
    found
}
