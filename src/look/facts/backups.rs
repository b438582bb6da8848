//! What an estimate of a backup asks: sizes, rows, jobs.

use super::{Facts, From};
use crate::model::{CopyStatement, DatabaseFacts, Oid, Snapshot};
use crate::postgres::cron::{self, Job};
use crate::postgres::sample::{self, Samples};
use crate::postgres::{statements, tables};

impl Facts {
    /// The sizes of a dump's tables, as of a look; empty where they cannot be read, or were not recorded.
    pub async fn tables(&mut self, tables: &[Oid], look: &Snapshot) -> DatabaseFacts {
        match &mut self.from {
            From::Server(connection) => {
                let facts = tables::facts(connection, tables, &look.relations)
                    .await
                    .unwrap_or_default();
                if self.records {
                    self.recording.tables.add(facts.clone());
                }
                facts
            }
            From::Recording { .. } => self.recording.tables.clone(),
        }
    }

    /// A few rows of these tables; none from a recording, whose facts have them.
    pub async fn sample(&mut self, tables: &[Oid]) -> Samples {
        let Some(target) = &self.target else {
            return Samples::default();
        };
        let samples = sample::read(target, tables).await;
        if self.records {
            for table in &mut self.recording.tables.tables {
                table.sample = samples.of.get(&table.oid).copied().or(table.sample);
            }
        }
        samples
    }

    /// How long COPYs of tables took, where the server has `pg_stat_statements`; empty where it has not.
    pub async fn statements(&mut self) -> Vec<CopyStatement> {
        match &mut self.from {
            From::Server(connection) => {
                let copies = statements::copies(connection).await.unwrap_or_default();
                if self.records {
                    self.recording.tables.statements.clone_from(&copies);
                }
                copies
            }
            From::Recording { .. } => self.recording.tables.statements.clone(),
        }
    }

    /// The databases that pg_dumpall dumps, in its order; none where they cannot be read.
    pub async fn dumped_databases(&mut self) -> Vec<String> {
        match &mut self.from {
            From::Server(connection) => {
                let names = tables::dumped_databases(connection).await;
                names.unwrap_or_default()
            }
            From::Recording { .. } => Vec::new(),
        }
    }

    /// How many tables a dump of the whole database has; `None`: not known.
    pub async fn user_tables(&mut self) -> Option<usize> {
        match &mut self.from {
            From::Server(connection) => tables::count_of_users(connection).await.ok(),
            From::Recording { .. } => None,
        }
    }

    /// The jobs of pg_cron; none where they cannot be read. A recording does not tell.
    pub async fn cron_jobs(&mut self, look: &Snapshot) -> Vec<Job> {
        match &mut self.from {
            From::Server(connection) => cron::jobs(connection, look).await.unwrap_or_default(),
            From::Recording { .. } => Vec::new(),
        }
    }
}
