//! When the backups in a snapshot end: past runs and what can be seen now.

use super::facts::Facts;
use crate::cli::HistoryArgs;
use crate::config::Config;
use crate::model::{Estimate, Pid, Snapshot};
use crate::sessions::Sessions;
use std::collections::BTreeMap;

/// An estimate for each running backup, by its leading pid. What cannot be estimated is left out.
#[expect(clippy::unused_async, reason = "filled by the history")]
pub async fn of(
    _facts: &mut Facts,
    _snapshot: &Snapshot,
    _sessions: &Sessions,
    _history: &HistoryArgs,
    _config: &Config,
) -> BTreeMap<Pid, Estimate> {
    BTreeMap::new()
}
