//! Past runs of a server, of backups and of migration commands, for who asks about them.

use super::Past;
use crate::history::{Filter, History, SignalNote, WhichRuns};
use crate::hold::{self, Pace};
use crate::model::{BackupRun, Footprint, MigrationRun, RunOutcome, Snapshot};
use crate::{Error, Result};

/// Past runs are asked about where a lock may be held for longer than this, in seconds.
const WORTH_ASKING: f64 = 1.0;

/// How many complete runs are read with the tables that they dumped.
const RUNS_WITH_TABLES: usize = 10;

/// How many past runs may tell how fast a server works.
const RUNS_OF_WORK: u32 = 50;

impl Past {
    /// Past runs of a server, for a judgement that needs no tables.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub async fn runs_of(&mut self, server: Option<&str>) -> Result<Vec<BackupRun>> {
        if let Some(problem) = self.problem() {
            return Err(Error::Usage(problem));
        }
        let place = self.archive.place().cloned();
        let Some(place) = place.filter(|_| self.archive.may_know_more()) else {
            return Ok(Vec::new());
        };
        let filter = all_of(server);
        let question = async |history: &mut History| history.runs(&filter).await;
        self.archive.demand(&place, question).await
    }

    /// Adds their tables to the newest complete runs of a database: which of its tables they dumped.
    pub async fn add_tables(&mut self, runs: &mut [BackupRun], database: &str) {
        let complete = runs
            .iter_mut()
            .filter(|run| run.outcome == RunOutcome::Complete && run.key.database == database);
        for run in complete.take(RUNS_WITH_TABLES) {
            let known = self
                .archive
                .ask(async |history| history.tables_of(run).await)
                .await;
            run.tables = known.unwrap_or_default();
        }
    }

    /// The same for a command that works without it: what goes wrong is a note.
    pub async fn runs_if_any(&mut self, server: &str) -> Vec<BackupRun> {
        if !self.archive.may_know_more() {
            return Vec::new();
        }
        let filter = all_of(Some(server));
        self.archive
            .ask(async |history| history.runs(&filter).await)
            .await
            .unwrap_or_default()
    }

    /// Notes who was signalled.
    pub async fn note(&mut self, note: &SignalNote) {
        self.archive
            .ask(async |history| history.record_signal(note).await)
            .await;
    }

    /// Runs of migration commands, the newest first; none where the history cannot be read.
    pub async fn migration_runs(&mut self, which: &WhichRuns) -> Vec<MigrationRun> {
        if !self.archive.may_know_more() {
            return Vec::new();
        }
        self.archive
            .ask(async |history| history.migration_runs(which).await)
            .await
            .unwrap_or_default()
    }

    /// How fast the server works, by past runs of migrations there; not asked where nothing is held for long.
    pub async fn pace(&mut self, look: &Snapshot, footprint: &Footprint) -> Pace {
        let holds = hold::of(footprint, &Pace::default());
        if holds.iter().all(|hold| hold.time.latest < WORTH_ASKING) {
            return Pace::default();
        }
        let which = WhichRuns {
            server: Some(look.server.history_key()),
            limit: Some(RUNS_OF_WORK),
            ..WhichRuns::default()
        };
        let runs = self.migration_runs(&which).await;
        Pace::of(runs.iter().flat_map(|run| &run.facts.work))
    }

    /// Keeps a run of a migration command as it is now; whether that was done.
    pub async fn keep_migration_run(&mut self, run: &MigrationRun) -> bool {
        self.archive
            .ask(async |history| history.keep_migration_run(run).await)
            .await
            .is_some()
    }
}

/// All runs of a server, without their tables.
fn all_of(server: Option<&str>) -> Filter {
    Filter {
        server: server.map(str::to_owned),
        without_tables: true,
        ..Filter::default()
    }
}
