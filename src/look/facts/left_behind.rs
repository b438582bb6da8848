//! What was left behind by what did not end.

use super::{Facts, From};
use crate::look::clients;
use crate::model::{Leftovers, Snapshot, ToolRow};
use crate::postgres::leftovers::{self, Depth};
use crate::{Error, Result};
use std::time::{Duration, Instant};

impl Facts {
    /// What the catalogs say of what may have been left behind; a recording has it as it was judged.
    ///
    /// # Errors
    /// When the server does not answer; when the recording has none.
    pub async fn leftovers(&mut self, depth: Depth) -> Result<Leftovers> {
        match &mut self.from {
            From::Server(connection) => {
                let found = leftovers::read(connection, depth).await?;
                if self.records {
                    self.recording.leftovers = Some(found.clone());
                }
                Ok(found)
            }
            From::Recording { .. } => self.recording.leftovers.clone().ok_or_else(|| {
                Error::Usage(
                    "the recording does not hold what was left behind: record it with `doctor`"
                        .into(),
                )
            }),
        }
    }

    /// Lock rows of migration tools; a recording has them. None where the server does not tell.
    pub async fn lock_rows(&mut self) -> Vec<ToolRow> {
        let From::Server(connection) = &mut self.from else {
            return self.recording.lock_rows.clone();
        };
        let rows = leftovers::lock_rows(connection).await.unwrap_or_default();
        if self.records {
            self.recording.lock_rows.clone_from(&rows);
        }
        rows
    }

    /// Adds what this machine knows of the clients of a look; a recording has it.
    pub fn add_clients(&mut self, look: &Snapshot, leftovers: &mut Leftovers) {
        if let From::Server(_) = self.from {
            leftovers.clients = clients::of(look, leftovers);
        }
        self.note_leftovers(leftovers);
    }

    /// A recording has what was left behind as it was judged.
    pub fn note_leftovers(&mut self, leftovers: &Leftovers) {
        if self.records {
            self.recording.leftovers = Some(leftovers.clone());
        }
    }

    /// Whether it is time to ask once more what was left behind.
    pub fn examines_again(&self, every: Duration) -> bool {
        self.examined.is_none_or(|(at, _)| at.elapsed() >= every)
    }

    /// Keeps how many things were left behind.
    pub fn note_findings(&mut self, findings: Option<usize>) {
        self.examined = Some((Instant::now(), findings));
    }

    /// How many things were left behind when that was last asked.
    pub fn findings(&self) -> Option<usize> {
        self.examined.and_then(|(_, findings)| findings)
    }
}
