//! Where a command's facts come from: a server, or a recording of what another run read.

use crate::cli::{ConnectArgs, RecordArgs};
use crate::migration::footprint::Reach;
use crate::migration::source::{ReadOptions, Source};
use crate::migration::statement::Script;
use crate::model::{Catalog, Doubt, Snapshot};
use crate::postgres::connect::{Connection, Flags, Target};
use crate::postgres::{applied, catalog, snapshot};
use crate::recording::Recording;
use crate::{Error, Result};
use std::path::Path;

/// One server's facts.
pub struct Facts {
    from: From,
    recording: Recording,
}

enum From {
    Server(Box<Connection>),
    Recording { next_look: usize },
}

/// The target of the flags.
///
/// # Errors
/// When they, or the environment, say something that cannot be used.
pub fn target(connect: &ConnectArgs) -> Result<Target> {
    Target::from_flags(&Flags {
        host: connect.host.clone(),
        port: connect.port,
        user: connect.user.clone(),
        dbname: connect.dbname.clone(),
    })
}

impl Facts {
    /// Connects, or reads the recording.
    ///
    /// # Errors
    /// When neither can be done.
    pub async fn open(connect: &ConnectArgs, record: &RecordArgs) -> Result<Self> {
        if let Some(path) = &record.replay {
            return Ok(Self {
                from: From::Recording { next_look: 0 },
                recording: Recording::read(path)?,
            });
        }
        let connection = Connection::open(&target(connect)?, connect.timeout).await?;
        Ok(Self {
            from: From::Server(Box::new(connection)),
            recording: Recording::default(),
        })
    }

    /// The scripts that are still to run, with what is worth saying about the others.
    ///
    /// # Errors
    /// As [`applied::only_pending`].
    pub async fn pending(
        &mut self,
        sources: Vec<Source>,
        options: &ReadOptions,
        all: bool,
    ) -> Result<(Vec<Script>, Vec<String>)> {
        let sources = match &mut self.from {
            From::Server(connection) if !all => {
                connection
                    .within_deadline("reading which migrations are applied", async |session| {
                        applied::only_pending(session, sources, options).await
                    })
                    .await?
            }
            _ => sources,
        };
        let notes = sources.iter().flat_map(|s| s.notes.clone()).collect();
        Ok((crate::migration::source::scripts(sources), notes))
    }

    /// The catalog behind what a migration reaches.
    ///
    /// # Errors
    /// When it cannot be read; when the recording has none.
    pub async fn catalog(&mut self, reach: &Reach) -> Result<Catalog> {
        match &mut self.from {
            From::Server(connection) => {
                let catalog = connection
                    .within_deadline("reading the catalog", async |session| {
                        catalog::load(session, reach).await
                    })
                    .await?;
                self.recording.catalog = Some(catalog.clone());
                Ok(catalog)
            }
            From::Recording { .. } => self.recording.catalog.clone().ok_or_else(|| {
                Error::Usage(
                    "the recording holds no catalog: record it with `gate` or `explain` and the same migration"
                        .into(),
                )
            }),
        }
    }

    /// One look. A recording gives its looks in turn, the last one again and again.
    ///
    /// # Errors
    /// When the server does not answer; when the recording has no look.
    pub async fn look(&mut self) -> Result<Snapshot> {
        match &mut self.from {
            From::Server(connection) => {
                let snapshot = snapshot::look(connection).await?;
                self.recording.looks.push(snapshot.clone());
                // What a long --wait saw at first is of no use; two looks make a verdict.
                if self.recording.looks.len() > 2 {
                    self.recording.looks.remove(0);
                }
                Ok(snapshot)
            }
            From::Recording { next_look } => {
                let looks = &self.recording.looks;
                let look = looks.get(*next_look).or(looks.last()).cloned();
                *next_look += 1;
                look.ok_or_else(|| {
                    Error::Usage("the recording holds no look at a server: record it with `gate` or `status`".into())
                })
            }
        }
    }

    /// What keeps these facts from being the truth about the server.
    #[must_use]
    pub fn doubts(&self) -> Vec<Doubt> {
        Vec::new()
    }

    /// Writes what was read, where a file was named, and says goodbye.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn finish(self, record: Option<&Path>) -> Result<()> {
        if let Some(path) = record {
            self.recording.write(path)?;
        }
        if let From::Server(connection) = self.from {
            connection.close().await;
        }
        Ok(())
    }
}
