//! Where a command's facts come from: a server, or a recording of what another run read.

use super::clients;
use crate::cli::{ConnectArgs, RecordArgs};
use crate::gate::Usage;
use crate::migration::footprint::Reach;
use crate::migration::source::applied::Applied;
use crate::migration::source::{ReadOptions, Source};
use crate::migration::statement::Script;
use crate::model::{
    Catalog, CopyStatement, DatabaseFacts, Leftovers, Oid, RelationName, Snapshot, ToolRow,
};
use crate::postgres::connect::{Connection, Flags, Target};
use crate::postgres::cron::{self, Job};
use crate::postgres::leftovers::{self, Depth};
use crate::postgres::sample::{self, Samples};
use crate::postgres::{
    applied, catalog, role_settings, snapshot, statements, surroundings, tables, usage, whole,
};
use crate::recording::{CatalogFile, Recording, Used};
use crate::sessions::Earlier;
use crate::{Error, Result};
use chrono::Utc;
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

    /// How often relations are used, as far as it is known without counting.
    pub fn known_usage(&self) -> BTreeMap<Oid, Usage> {
        self.usage.clone()
    }

    /// What a catalog file holds; `count_uses`: for how long to count how often tables are used, instead of taking
    /// the average since the counters were reset.
    ///
    /// # Errors
    /// When the server does not answer; from a recording.
    pub async fn whole(&mut self, count_uses: Option<Duration>) -> Result<CatalogFile> {
        let From::Server(connection) = &mut self.from else {
            return Err(Error::Usage("a catalog file is read from a server".into()));
        };
        let limits = connection.limits_that_keep_the_path();
        let mut catalog = connection
            .within_deadline("reading the catalog", async |session| {
                whole::load(session, &limits).await
            })
            .await?;
        let server = connection.server().clone();
        catalog.session.begins.clone_from(&server.settings);
        let rates = match count_uses {
            None => usage::rates(connection).await?,
            Some(time) => {
                let relations: Vec<Oid> = catalog.relations.iter().map(|r| r.oid).collect();
                let counted = self.usage(&relations, time).await?;
                let rates = counted.into_iter();
                rates
                    .map(|(oid, u)| (oid, (u.reads_per_minute, u.writes_per_minute)))
                    .collect()
            }
        };
        let used = rates.into_iter().map(|(oid, (reads, writes))| Used {
            oid,
            reads_per_minute: reads,
            writes_per_minute: writes,
        });
        Ok(CatalogFile::new(
            Utc::now(),
            &server,
            used.collect(),
            catalog,
        ))
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
        let sources = match all {
            true => sources,
            false => self.left_of(sources, options).await?,
        };
        let notes = sources.iter().flat_map(|s| s.notes.clone()).collect();
        Ok((crate::migration::source::scripts(sources), notes))
    }

    /// What is left of the sources after the migrations that their tools have applied.
    ///
    /// # Errors
    /// As [`applied::only_pending`].
    pub async fn left_of(
        &mut self,
        sources: Vec<Source>,
        options: &ReadOptions,
    ) -> Result<Vec<Source>> {
        Ok(match &mut self.from {
            From::Server(connection) => {
                let limits = connection.limits_that_keep_the_path();
                let before = if self.records {
                    sources.clone()
                } else {
                    Vec::new()
                };
                let left = connection
                    .within_deadline("reading which migrations are applied", async |session| {
                        applied::only_pending(session, sources, options, &limits).await
                    })
                    .await?;
                self.recording.applied = before
                    .iter()
                    .zip(&left)
                    .map(|(before, after)| Applied::between(before, after, options))
                    .collect::<Result<_>>()?;
                left
            }
            From::Recording { .. } => sources
                .into_iter()
                .enumerate()
                .map(|(at, source)| match self.recording.applied.get(at) {
                    Some(applied) => applied.left_of(&source, options),
                    None => Ok(source),
                })
                .collect::<Result<_>>()?,
        })
    }

    /// What a session of the migration begins with, as far as it is known: by server, database, role and options.
    /// `login`: the role that it has logged in as, where that is known.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn begins(&mut self, login: Option<&str>) -> Result<BTreeMap<String, String>> {
        let connection = match &mut self.from {
            From::Server(connection) => connection,
            From::Recording { .. } => {
                let Recording { catalog, looks, .. } = &self.recording;
                let catalog = catalog.as_ref().map(|c| &c.session.begins);
                let looked = looks.last().map(|look| &look.server.settings);
                let known = catalog.filter(|begins| !begins.is_empty()).or(looked);
                return Ok(known.cloned().unwrap_or_default());
            }
        };
        let mut begins = connection.server().settings.clone();
        if let Some(login) = login.filter(|login| *login != connection.server().user) {
            role_settings::of(connection, login)
                .await?
                .put_into(&mut begins);
        }
        Ok(begins)
    }

    /// The catalog behind what a migration reaches, for sessions that begin with these settings.
    ///
    /// # Errors
    /// When it cannot be read; when the recording has none.
    pub async fn catalog(
        &mut self,
        reach: &Reach,
        begins: BTreeMap<String, String>,
    ) -> Result<Catalog> {
        match &mut self.from {
            From::Server(connection) => {
                let limits = connection.limits_that_keep_the_path();
                let mut catalog = connection
                    .within_deadline("reading the catalog", async |session| {
                        catalog::load(session, reach, &limits).await
                    })
                    .await?;
                catalog.session.begins = begins;
                if self.records {
                    self.recording.catalog = Some(catalog.clone());
                }
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

    /// Forgets what was read: who looks for hours keeps no recording.
    pub fn forget(&mut self) {
        if let From::Server(_) = self.from {
            self.recording = Recording::default();
        }
    }

    /// How often relations are used, counted over `time`. A recording does not tell.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn usage(
        &mut self,
        relations: &[Oid],
        time: Duration,
    ) -> Result<BTreeMap<Oid, Usage>> {
        let From::Server(connection) = &mut self.from else {
            return Ok(BTreeMap::new());
        };
        let before = usage::counters(connection, relations).await?;
        let begun = Instant::now();
        tokio::time::sleep(time).await;
        let after = usage::counters(connection, relations).await?;
        let minutes = begun.elapsed().as_secs_f64() / 60.0;
        #[expect(
            clippy::cast_precision_loss,
            reason = "a rate needs no more than 52 bits"
        )]
        let rate = |now: i64, then: i64| (now - then).max(0) as f64 / minutes;
        Ok(after
            .into_iter()
            .filter_map(|(oid, now)| {
                let then = before.get(&oid)?;
                let usage = Usage {
                    reads_per_minute: rate(now.reads, then.reads),
                    writes_per_minute: rate(now.writes, then.writes),
                };
                Some((oid, usage))
            })
            .collect())
    }

    /// A hash of the schema as it is now; `None`: of a recording's.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn fingerprint(&mut self) -> Result<Option<String>> {
        match &mut self.from {
            From::Server(connection) => {
                let around = surroundings::read(connection, &[]).await?;
                Ok(Some(around.fingerprint))
            }
            From::Recording { .. } => Ok(None),
        }
    }

    /// The rows of a version table as a rehearsal writes them; `None`: of a recording's. What cannot be read is other
    /// than it was.
    pub async fn applied(&mut self, table: &RelationName) -> Option<String> {
        match &mut self.from {
            From::Server(connection) => {
                let table = format!(
                    "{}.{}",
                    always_quoted(&table.schema),
                    always_quoted(&table.relation)
                );
                let rows = surroundings::applied(connection, &table).await;
                Some(rows.unwrap_or_default())
            }
            From::Recording { .. } => None,
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

/// An identifier in double quotes, whether it needs them or not.
fn always_quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}
