//! Where a command's facts come from: a server, or a recording of what another run read.

mod backups;
mod left_behind;
mod migration;

use crate::cli::{ConnectArgs, RecordArgs};
use crate::gate::Usage;
use crate::model::{Oid, Snapshot};
use crate::postgres::connect::{Connection, Flags, Target};
use crate::postgres::snapshot;
use crate::recording::{CatalogFile, Recording};
use crate::sessions::Earlier;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// One server's facts.
pub struct Facts {
    from: From,
    /// Whether what is read is wanted for a file: a look at a busy server is tens of megabytes.
    records: bool,
    recording: Recording,
    /// Where to read rows from, in a session of its own; `None`: no server.
    target: Option<Target>,
    /// What the last look saw: who has run something since is at work.
    earlier: Option<Earlier>,
    /// How many things were left behind, and when that was asked.
    examined: Option<(Instant, Option<usize>)>,
    /// How often relations are used, as far as a catalog file tells.
    usage: BTreeMap<Oid, Usage>,
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
    /// Connects, or reads the recording; `looks` is how often it was looked at before, for a recording of
    /// several looks.
    ///
    /// # Errors
    /// When neither can be done.
    pub async fn open(connect: &ConnectArgs, record: &RecordArgs, looks: usize) -> Result<Self> {
        if let Some(path) = &record.replay {
            return Ok(Self {
                from: From::Recording { next_look: looks },
                records: false,
                recording: Recording::read(path)?,
                target: None,
                earlier: None,
                examined: None,
                usage: BTreeMap::new(),
            });
        }
        let target = target(connect)?;
        let connection = Connection::open(&target, connect.timeout).await?;
        Ok(Self {
            from: From::Server(Box::new(connection)),
            records: record.record.is_some(),
            recording: Recording::default(),
            target: Some(target),
            earlier: None,
            examined: None,
            usage: BTreeMap::new(),
        })
    }

    /// The facts of a server that is connected to.
    pub fn of(connection: Connection) -> Self {
        Self {
            from: From::Server(Box::new(connection)),
            records: false,
            recording: Recording::default(),
            target: None,
            earlier: None,
            examined: None,
            usage: BTreeMap::new(),
        }
    }

    /// The facts of a catalog file: who is connected is not asked.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of_catalog(path: &Path) -> Result<Self> {
        let file = CatalogFile::read(path)?;
        let usage = file.usage.iter().map(|used| {
            let usage = Usage {
                reads_per_minute: used.reads_per_minute,
                writes_per_minute: used.writes_per_minute,
            };
            (used.oid, usage)
        });
        Ok(Self {
            usage: usage.collect(),
            from: From::Recording { next_look: 0 },
            records: false,
            recording: file.into_recording(),
            target: None,
            earlier: None,
            examined: None,
        })
    }

    /// What the history knows the server by; `None`: a recording's, which it does not know.
    pub fn server_key(&self) -> Option<String> {
        match &self.from {
            From::Server(connection) => Some(connection.server().history_key()),
            From::Recording { .. } => None,
        }
    }

    /// One look. A recording gives its looks in turn, the last one again and again.
    ///
    /// # Errors
    /// When the server does not answer; when the recording has no look.
    pub async fn look(&mut self) -> Result<Snapshot> {
        match &mut self.from {
            From::Server(connection) => {
                let mut snapshot = snapshot::look(connection).await?;
                if let Some(earlier) = &self.earlier {
                    earlier.note_who_works(&mut snapshot);
                }
                self.earlier = Some(Earlier::of(&snapshot));
                if self.records {
                    self.recording.looks.push(snapshot.clone());
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

    /// Lets some time pass before the next look; a recording's next look is there already.
    pub async fn let_pass(&self, time: Duration) {
        if let From::Server(_) = self.from {
            tokio::time::sleep(time).await;
        }
    }

    /// Adds to a look which catalog rows its open transactions have changed; a recording's look has them. A server
    /// that keeps a catalog from the role says nothing.
    pub async fn add_changed_rows(&mut self, look: &mut Snapshot, relations: &[Oid]) {
        let From::Server(connection) = &mut self.from else {
            return;
        };
        look.changed_rows = snapshot::changed_rows(connection, look, relations)
            .await
            .unwrap_or_default();
        if let Some(recorded) = self.recording.looks.last_mut() {
            recorded.changed_rows.clone_from(&look.changed_rows);
        }
    }

    /// Forgets what was read: who looks for hours keeps no recording.
    pub fn forget(&mut self) {
        if let From::Server(_) = self.from {
            self.recording = Recording::default();
        }
    }

    /// The connection again.
    ///
    /// # Errors
    /// From a recording: there is none.
    pub fn into_connection(self) -> Result<Connection> {
        match self.from {
            From::Server(connection) => Ok(*connection),
            From::Recording { .. } => Err(Error::Usage("a recording is no server".into())),
        }
    }

    /// Says goodbye, and gives what was read.
    pub async fn finish(self) -> Recording {
        if let From::Server(connection) = self.from {
            connection.close().await;
        }
        self.recording
    }
}
