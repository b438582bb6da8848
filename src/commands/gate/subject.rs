//! A server that a gate asks, and what it last answered.

use crate::backup::schedule::{AsOf, NextBackup, USUAL_MIGRATION};
use crate::cli::{ConnectArgs, GateArgs};
use crate::commands::screen;
use crate::config::{Config, Target};
use crate::gate::{self, FirstLook};
use crate::look::facts::Facts;
use crate::look::past::Past;
use crate::look::{self, About, Judged, running, schedulers};
use crate::model::{Answer, Doubt, Footprint, Forecast, Role, Snapshot, Verdict};
use crate::recording::Recording;
use crate::report;
use crate::watch::Look;
use crate::words::Zone;
use crate::{Error, Result};
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// What is asked of every server.
pub(super) struct Question {
    pub args: GateArgs,
    pub config: Config,
    pub question: look::Question,
    /// Whether to say which migrations are running already: a run of ours asks that itself.
    pub tells_running: bool,
}

/// A server that is asked, and what it last answered. Each look connects again: a gate that
/// waits for half an hour holds no connection, and outlives one that breaks.
pub(super) struct Subject {
    pub target: Option<Target>,
    looks: usize,
    pub recording: Recording,
    pub past: Past,
    pub last: Option<Looked>,
}

/// One look and its verdict.
pub(super) struct Looked {
    pub footprint: Footprint,
    pub verdict: Verdict,
    pub database: String,
    pub taken_at: DateTime<Utc>,
    seen: Option<FirstLook>,
    /// What was seen; `None` where the server was not, or could not be, looked at.
    pub look: Option<Look>,
    /// What is expected of the time that was asked about.
    pub forecast: Option<Forecast>,
}

impl Question {
    /// Whether a server is asked, and not a file.
    pub(super) const fn asks_a_server(&self) -> bool {
        self.args.record.replay.is_none() && self.args.from.catalog.is_none()
    }

    /// The servers to ask: `--target`, else those of the configuration, else the connection's own.
    pub(super) fn targets(&self) -> Vec<Option<Target>> {
        let flags = &self.args.target;
        let own = self.args.connect.dbname.is_some() || self.args.connect.host.is_some();
        let own = own || self.args.from.catalog.is_some();
        let named: Vec<Target> = match (flags.is_empty(), own) {
            (false, _) => flags.iter().map(|flag| Target::from_flag(flag)).collect(),
            (true, true) => Vec::new(),
            (true, false) => self.config.target.clone(),
        };
        if named.is_empty() {
            vec![None]
        } else {
            named.into_iter().map(Some).collect()
        }
    }

    /// Connects, reads, decides, and says goodbye.
    async fn ask(
        &self,
        connect: &ConnectArgs,
        looks: usize,
        first: Option<FirstLook>,
        past: &mut Past,
    ) -> Result<(Looked, Recording)> {
        let args = &self.args;
        let mut facts = match &args.from.catalog {
            Some(path) => Facts::of_catalog(path)?,
            None => Facts::open(connect, &args.record, looks).await?,
        };
        let Judged {
            snapshot,
            sessions,
            footprint,
            mut verdict,
            mut policy,
        } = self.question.ask(&mut facts, past, first).await?;
        let about = self.question.about;
        if let (Answer::WouldBlock, Some(time)) = (verdict.answer, args.count_uses)
            && about != About::Backup
        {
            policy.usage = facts.usage(&footprint.relations(), time).await?;
            let known = verdict;
            verdict = gate::decide(&footprint, &snapshot, &sessions, &policy);
            verdict.warnings = known.warnings;
            for (verdict, known) in verdict.statements.iter_mut().zip(known.statements) {
                verdict.safer = known.safer;
            }
        }
        let meets = match about {
            About::Migration => gate::meets_a_dump(&footprint),
            About::AnyChange => true,
            About::Backup => false,
        };
        let at = self.at(snapshot.taken_at)?;
        let mut next = None;
        if meets && self.asks_a_server() {
            let runs_already = sessions.in_role(Role::Backup).next().is_some();
            let now = snapshot.taken_at;
            let as_of = AsOf {
                now,
                at: at.unwrap_or(now),
            };
            next = self
                .next_backup(past, &mut facts, &snapshot, as_of)
                .await
                .filter(|next| next.starts > now || !runs_already);
            let warning = next.as_ref().and_then(|n| n.warning(now, self.takes()));
            verdict.warnings.extend(warning);
        }
        let forecast = at.map(|at| gate::forecast(&verdict, next.as_ref(), at, self.takes()));
        if self.tells_running && about != About::Backup && args.from.catalog.is_none() {
            let statements = footprint.statements.iter().map(|s| s.sql.clone());
            let statements: Vec<String> = statements.collect();
            verdict.running = running::now(&mut facts, past, &snapshot, &statements).await;
        }
        if args.from.catalog.is_some() {
            verdict.warnings.insert(0, report::NOT_ASKED.to_owned());
        }
        let zone = screen::zone(snapshot.taken_at);
        let looked = Looked {
            footprint,
            verdict,
            database: snapshot.server.datname.clone(),
            taken_at: snapshot.taken_at,
            forecast,
            seen: Some(FirstLook::of(&snapshot)),
            look: match args.from.catalog {
                Some(_) => None,
                None => Some(Look::new(snapshot, policy.estimates).in_zone(zone)),
            },
        };
        Ok((looked, facts.finish().await))
    }

    /// The backup that comes next.
    async fn next_backup(
        &self,
        past: &mut Past,
        facts: &mut Facts,
        snapshot: &Snapshot,
        as_of: AsOf,
    ) -> Option<NextBackup> {
        let runs = past.runs_if_any(&snapshot.server.history_key()).await;
        let (next, _) = if past.place().is_some() {
            let seen = schedulers::Seen { facts, snapshot };
            let which = schedulers::Which::Logical;
            schedulers::next_backup(which, &self.config, &runs, Some(seen), as_of).await
        } else {
            NextBackup::by_lines(&self.config.lines(), &runs, as_of)
        };
        next
    }

    /// The later time that is asked about.
    fn at(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
        let text = self.args.at.as_deref();
        let at = text.map(|text| crate::words::coming(text, now, &Zone::local()));
        at.transpose().map_err(Error::Usage)
    }

    /// How long the migration takes, as the flag says, or the configuration.
    fn takes(&self) -> TimeDelta {
        let said = self.args.takes.or(self.config.takes);
        said.map_or(USUAL_MIGRATION, span)
    }
}

impl Subject {
    pub(super) fn new(target: Option<Target>, past: Past) -> Self {
        Self {
            target,
            past,
            looks: 0,
            recording: Recording::default(),
            last: None,
        }
    }

    /// One look at the server. What keeps it from looking is an answer too.
    pub(super) async fn look(&mut self, question: &Question, second: bool) {
        let first = self
            .last
            .take()
            .and_then(|last| last.seen)
            .filter(|_| second);
        let mut connect = question.args.connect.clone();
        if let Some(target) = &self.target {
            connect.dbname = Some(target.url.clone());
        }
        let asked = question.ask(&connect, self.looks, first, &mut self.past);
        let mut looked = match asked.await {
            Ok((looked, recording)) => {
                self.recording.add(recording);
                looked
            }
            Err(error) => Looked::failed(&error),
        };
        self.looks += 1;
        if let Some(target) = &self.target {
            looked.database = match looked.database.as_str() {
                "" => target.name.clone(),
                database => format!("{database} on {}", target.name),
            };
        }
        self.last = Some(looked);
    }
}

impl Looked {
    /// The answer of a server that cannot be looked at.
    pub(super) fn failed(error: &Error) -> Self {
        // A server that is down, or slow, may be there at the next look; a wrong file stays wrong.
        let passing = matches!(error, Error::Connect { .. } | Error::Timeout { .. });
        let (what, help) = error.what_and_help();
        let doubt = Doubt {
            statement: None,
            what,
            help,
            lasting: !passing,
            accepts: None,
        };
        Self {
            footprint: Footprint::default(),
            verdict: Verdict {
                running: Vec::new(),
                answer: Answer::CannotTell,
                statements: Vec::new(),
                doubts: vec![doubt],
                warnings: Vec::new(),
                look_again: false,
                accepted: Vec::new(),
            },
            database: String::new(),
            taken_at: Utc::now(),
            seen: None,
            look: None,
            forecast: None,
        }
    }
}

pub(super) fn span(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}
