//! What a migration meets: what is applied, its session, the catalog, how often relations are used.

use super::{Facts, From};
use crate::gate::Usage;
use crate::migration::footprint::Reach;
use crate::migration::source::applied::Applied;
use crate::migration::source::{self, ReadOptions, Source};
use crate::migration::statement::Script;
use crate::model::{Catalog, Oid, RelationName};
use crate::postgres::{applied, catalog, role_settings, surroundings, usage, whole};
use crate::recording::{CatalogFile, Recording, Used};
use crate::{Error, Result};
use chrono::Utc;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

impl Facts {
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
        Ok((source::scripts(sources), notes))
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
                        let mut catalog = catalog::load(session, reach, &limits).await?;
                        catalog.version_rows =
                            applied::version_rows(session, reach, &limits).await?;
                        Ok(catalog)
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
}

/// An identifier in double quotes, whether it needs them or not.
fn always_quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}
