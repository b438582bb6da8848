//! What a run has at hand: its state, its voice, its way to the server.

use super::folder::RunFolder;
use super::guard::Guard;
use super::page::Page;
use super::tell::Voice;
use crate::Result;
use crate::cli::RunArgs;
use crate::config::{self, Config};
use crate::look::facts::target;
use crate::look::past::Past;
use crate::model::{
    BackendIdentity, Footprint, MigrationRun, RunFacts, RunResult, SchemaState, Snapshot, ToolRow,
};
use crate::postgres::connect::Connection;
use crate::postgres::signal::{self, Sent, Signal};
use crate::postgres::{leftovers, schema_state, snapshot};
use crate::safe::masked_command;
use crate::supervise::{Own, OwnSession, Pace, Record};
use crate::tools::{self, Errand, Tool};
use chrono::{DateTime, TimeDelta, Utc};
use nix::unistd::{Uid, User};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long a migration takes where nothing tells.
const USUAL: TimeDelta = TimeDelta::minutes(15);

/// No question to the server keeps the watch for longer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

pub struct Supervisor {
    /// How it was asked for.
    pub args: RunArgs,
    /// The settings file.
    pub config: Config,
    /// What it says.
    pub voice: Voice,
    pub past: Past,
    /// What the history keeps of it.
    pub state: MigrationRun,
    pub own: Own,
    /// What was seen.
    pub record: Record,
    /// How fast it goes.
    pub pace: Pace,
    /// The maintenance page.
    pub page: Option<Page>,
    /// Who puts things right if this process is killed.
    pub guard: Guard,
    /// The tool that it runs, where that is known.
    pub tool: Option<&'static Tool>,
    /// What it has the tool do.
    pub errand: Errand,
    /// The schema before it.
    pub before: Option<SchemaState>,
    /// What it runs, where that is known.
    pub footprint: Option<Footprint>,
    /// How long its like took before.
    pub past_takes: Option<TimeDelta>,
    /// Settings that its sessions begin with.
    pub settings: Vec<(&'static str, String)>,
    /// How far the server's clock is ahead of ours.
    pub clocks: TimeDelta,
    /// When its command was first started, by the server's clock then: this machine's may be set meanwhile.
    pub begun: Option<DateTime<Utc>>,
    /// Since when it runs, by a clock that nobody sets.
    pub since: Instant,
    connection: Option<Connection>,
}

impl Supervisor {
    /// For these arguments, under this name.
    ///
    /// # Errors
    /// When the arguments cannot be used.
    pub fn new(args: RunArgs, run: &str, folder: Option<RunFolder>, voice: Voice) -> Result<Self> {
        let config = config::of(args.judge.config.as_deref())?;
        let page = args.maintenance_page.as_deref().map(|path| {
            Page::new(
                path,
                args.template.as_deref(),
                args.reason.as_deref(),
                folder.clone(),
            )
        });
        let page = page.transpose()?;
        let named = args
            .migration
            .tool
            .as_deref()
            .map(tools::asked_for)
            .transpose()?;
        let (seen, errand) = tools::errand_of(&args.command).unzip();
        let state = state(&args, run, folder.as_ref(), page.as_ref());
        Ok(Self {
            past: Past::new(&args.history, &config, false),
            tool: named.or(seen),
            errand: errand.unwrap_or(Errand::Migrates),
            own: Own::new(run.to_owned()),
            record: Record::default(),
            pace: Pace::default(),
            guard: Guard::none(),
            before: None,
            footprint: None,
            past_takes: None,
            settings: Vec::new(),
            clocks: TimeDelta::zero(),
            begun: None,
            since: Instant::now(),
            connection: None,
            args,
            config,
            voice,
            state,
            page,
        })
    }

    /// Tells an event.
    pub fn say(&self, event: &str, text: &str, more: &Value) {
        self.voice.say(event, text, more);
    }

    /// Tells what is good to know.
    pub fn note(&self, text: &str) {
        self.say("note", &format!("note: {text}"), &json!({}));
    }

    /// Writes down how it stands; `told`: what it is at.
    pub async fn keep(&mut self, told: &str) {
        self.state.seen = Utc::now();
        told.clone_into(&mut self.state.facts.told);
        self.record.put_into(&mut self.state.facts);
        self.pace.put_into(&mut self.state.facts);
        self.state.facts.sessions = self.own.all().map(|(identity, _)| identity).collect();
        self.past.keep_migration_run(&self.state).await;
        if let Some(problem) = self.past.problem() {
            self.note(&problem);
        }
    }

    /// Connected, again where the last connection broke.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn connection(&mut self) -> Result<Connection> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        let limit = self.args.connect.timeout.min(ANSWER_WITHIN);
        Connection::open(&target(&self.args.connect)?, limit).await
    }

    /// One look at the server. A look that is left in the middle takes its connection along.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn look(&mut self) -> Result<Snapshot> {
        let mut connection = self.connection().await?;
        let look = snapshot::look(&mut connection).await?;
        self.clocks = look.taken_at - Utc::now();
        self.past.keep_seen(&look);
        self.connection = Some(connection);
        Ok(look)
    }

    /// Lock rows of migration tools; none where the server does not tell.
    pub async fn lock_rows(&mut self) -> Vec<ToolRow> {
        let Ok(mut connection) = self.connection().await else {
            return Vec::new();
        };
        match leftovers::lock_rows(&mut connection).await {
            Ok(rows) => {
                self.connection = Some(connection);
                rows
            }
            Err(_) => Vec::new(),
        }
    }

    /// What the schema is like now; `None`: the server does not tell, and why was said.
    pub async fn schema(&mut self) -> Option<SchemaState> {
        for _ in 0..3 {
            match self.read_schema().await {
                Ok(state) => return Some(state),
                Err(error) => self.note(&error.to_string()),
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        None
    }

    async fn read_schema(&mut self) -> Result<SchemaState> {
        let mut connection = self.connection().await?;
        let state = schema_state::read(&mut connection, self.tool).await?;
        self.connection = Some(connection);
        Ok(state)
    }

    /// Signals one of its own sessions, as a look has just shown it: none other, and in no other transaction. Whether
    /// it was signalled.
    pub async fn signal(&mut self, session: &OwnSession, with: Signal) -> bool {
        if !self.own.has(session.identity) {
            return false;
        }
        match self.send(session.identity, session.xact_start, with).await {
            Ok(sent) => sent == Sent::Signalled,
            Err(error) => {
                self.note(&error.to_string());
                false
            }
        }
    }

    async fn send(
        &mut self,
        identity: BackendIdentity,
        xact_start: Option<DateTime<Utc>>,
        with: Signal,
    ) -> Result<Sent> {
        let mut connection = self.connection().await?;
        let sent = signal::signal(&mut connection, with, identity, xact_start).await?;
        self.connection = Some(connection);
        Ok(sent)
    }

    /// Until when it is expected to be over, if it begins now.
    pub fn until(&self) -> DateTime<Utc> {
        let said = self.args.takes.or(self.config.takes);
        let said = said.and_then(|takes| TimeDelta::from_std(takes).ok());
        let explicit = self.args.takes.is_some();
        let takes = match (explicit, self.past_takes) {
            (false, Some(past)) => past,
            _ => said.unwrap_or(USUAL),
        };
        Utc::now() + takes
    }

    /// Says goodbye to the server and the history.
    pub async fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.close().await;
        }
        self.past.close().await;
    }
}

fn state(
    args: &RunArgs,
    run: &str,
    folder: Option<&RunFolder>,
    page: Option<&Page>,
) -> MigrationRun {
    let user = User::from_uid(Uid::current()).ok().flatten();
    let host = nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok());
    MigrationRun {
        run: run.to_owned(),
        server: String::new(),
        database: String::new(),
        host: host.unwrap_or_default(),
        pid: std::process::id(),
        asked_by: user.map_or_else(|| format!("uid {}", Uid::current()), |user| user.name),
        command: masked_command(&args.command),
        started: Utc::now(),
        seen: Utc::now(),
        ended: None,
        result: RunResult::Running,
        exit_status: None,
        tries: 0,
        facts: RunFacts {
            log: folder.map(RunFolder::log),
            page: page.map(|page| page.path().to_owned()),
            ..RunFacts::default()
        },
    }
}
