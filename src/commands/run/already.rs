//! Whether the migration runs already: then a second one only waits, or fails.

use crate::model::{MigrationRun, RunningBy, RunningMigration};
use crate::tools::Tool;

/// What is asked.
pub struct Question<'a> {
    /// The run that wants to begin.
    pub me: &'a MigrationRun,
    /// Its tool; `None`: it is not known, or the command does nothing that the tool's lock is for.
    pub tool: Option<&'a Tool>,
    /// Runs of the same database, from the history.
    pub runs: &'a [MigrationRun],
}

/// Who runs it already, in words; `None`: nobody.
pub fn already(running: &[RunningMigration], question: &Question<'_>) -> Option<String> {
    let same = running.iter().find(|one| question.is_same(one))?;
    Some(format!("already running: {}", same.text))
}

impl Question<'_> {
    /// Whether what runs is what wants to begin. A run that the history does not know may be.
    fn is_same(&self, other: &RunningMigration) -> bool {
        match other.known_by {
            RunningBy::History | RunningBy::Name => {
                let known = self
                    .runs
                    .iter()
                    .find(|run| other.run.as_ref() == Some(&run.run));
                known.is_none_or(|run| run.command == self.me.command)
            }
            RunningBy::AdvisoryLock | RunningBy::LockRow | RunningBy::TableLock => self
                .tool
                .is_some_and(|tool| other.owners.contains(&tool.name)),
            RunningBy::Statement => true,
        }
    }
}
