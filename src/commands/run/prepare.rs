//! Before the command: may it start?

use super::already::{self, Question};
use super::asked::Asked;
use super::implied::{Implied, Part, implied};
use super::supervisor::Supervisor;
use crate::cli::{
    FromCatalogArgs, GateArgs, GateFormat, MigrationArgs, RecordArgs, RehearseArgs, SampleArgs,
    Transaction,
};
use crate::commands::gate::{self, Settled};
use crate::commands::rehearse;
use crate::commands::stop::Stop;
use crate::history::WhichRuns;
use crate::look::facts::target;
use crate::look::running;
use crate::model::{Answer, MigrationRun, RunResult, Snapshot};
use crate::postgres::connect::Connection;
use crate::supervise::{self, Signs};
use crate::tools::Errand;
use crate::{Error, Result};
use chrono::TimeDelta;
use serde_json::json;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// Why the command was not started.
#[derive(Debug)]
pub enum NotStarted {
    /// Something is in the way, or not known.
    Because(String),
    /// It shall stop.
    Stopped(Stop),
}

/// While it waits, the gate looks this often.
const GATE_INTERVAL: Duration = Duration::from_secs(2);

/// What the gate is asked about.
struct Subject {
    paths: Vec<PathBuf>,
    migration: MigrationArgs,
    /// Whether it is what the command runs, and no guess.
    is_known: bool,
    folder: Option<TempDir>,
}

impl Supervisor {
    /// Connects, and sees whether it runs already, what there is, and whether the way is clear.
    ///
    /// # Errors
    /// When the arguments cannot be used.
    pub async fn may_start(
        &mut self,
        asked: &mut Asked,
    ) -> Result<std::result::Result<(), NotStarted>> {
        let look = match asked.unless_stopped(self.look()).await {
            Err(stop) => return Ok(Err(NotStarted::Stopped(stop))),
            Ok(Err(error @ Error::Usage(_))) => return Err(error),
            Ok(Err(error)) => return Ok(Err(NotStarted::Because(error.to_string()))),
            Ok(Ok(look)) => look,
        };
        self.state.server = look.server.history_key();
        self.state.database.clone_from(&look.server.datname);
        let runs = self.runs().await;
        self.past_takes = usual(&runs, &self.state);
        let statements = self.statements();
        if let Some(why) = self.already(&look, &runs, &statements).await {
            return Ok(Err(NotStarted::Because(why)));
        }
        self.keep("waits until nothing is in the way").await;
        if let Err(stop) = asked
            .unless_stopped(self.choose_settings(look.server.pooled))
            .await
        {
            return Ok(Err(NotStarted::Stopped(stop)));
        }
        if !look.server.sees_all {
            self.note(&format!(
                "role {0} does not see other roles' sessions: GRANT pg_monitor TO {0}",
                crate::model::quoted(&look.server.user)
            ));
        }
        self.before = self.schema().await;
        if self.args.no_gate {
            self.read_along(asked).await;
        } else if let Err(why) = self.until_clear(asked, &runs).await? {
            return Ok(Err(why));
        }
        Ok(self.still_alone(asked).await)
    }

    /// Whether somebody has begun the same meanwhile, or runs one of the statements that are known only now.
    async fn still_alone(&mut self, asked: &mut Asked) -> std::result::Result<(), NotStarted> {
        let footprint = self.footprint.iter().flat_map(|f| &f.statements);
        let statements: Vec<String> = footprint.map(|statement| statement.sql.clone()).collect();
        let runs = self.runs().await;
        match asked.unless_stopped(self.look()).await {
            Err(stop) => Err(NotStarted::Stopped(stop)),
            Ok(Err(error)) => Err(NotStarted::Because(error.to_string())),
            Ok(Ok(look)) => match self.already(&look, &runs, &statements).await {
                Some(why) => Err(NotStarted::Because(why)),
                None => Ok(()),
            },
        }
    }

    /// Who runs it already.
    async fn already(
        &mut self,
        look: &Snapshot,
        runs: &[MigrationRun],
        statements: &[String],
    ) -> Option<String> {
        let rows = self.lock_rows().await;
        let going = running::going_on(runs.to_vec(), look);
        let signs = Signs {
            rows: &rows,
            runs: &going,
            statements,
            own_run: Some(&self.state.run),
        };
        let question = Question {
            me: &self.state,
            tool: self.tool.filter(|_| self.errand != Errand::Looks),
            runs,
        };
        already::already(&supervise::running(look, &signs), &question)
    }

    /// Without the gate: what the command's own words say that it runs is still good to know for a second try.
    async fn read_along(&mut self, asked: &mut Asked) {
        let Some(implied) = implied(&self.args.command) else {
            return;
        };
        let subject = Subject {
            paths: Vec::new(),
            migration: self.args.migration.clone(),
            is_known: true,
            folder: None,
        };
        let Ok(subject) = written(implied, subject) else {
            return;
        };
        let args = GateArgs {
            wait: None,
            ..self.gate_args(&subject)
        };
        if let Ok(Ok(settled)) = asked.unless_stopped(gate::settle(args, |_| {})).await {
            self.leave_concurrent_forms_alone(&settled);
            self.footprint =
                Some(settled.footprint).filter(|footprint| !footprint.statements.is_empty());
        }
    }

    /// Runs of the same database, the newest first.
    async fn runs(&mut self) -> Vec<MigrationRun> {
        let which = WhichRuns {
            server: Some(self.state.server.clone()),
            database: Some(self.state.database.clone()),
            run: None,
            limit: Some(200),
        };
        self.past.migration_runs(&which).await
    }

    /// The statements that were named, as texts; those of folders are left out.
    fn statements(&self) -> Vec<String> {
        let Some(implied) = implied(&self.args.command) else {
            return Vec::new();
        };
        implied
            .parts
            .into_iter()
            .filter_map(|part| match part {
                Part::Text(text) => Some(text),
                Part::File(_) => None,
            })
            .collect()
    }

    /// Which settings the command's sessions may be given: tried with a connection of our own.
    async fn choose_settings(&mut self, pooled: bool) {
        if self.args.no_options {
            return;
        }
        let mut wanted = vec![("client_connection_check_interval", "2s".to_owned())];
        if let Some(limit) = self.args.lock_timeout {
            wanted.push(("lock_timeout", format!("{}ms", limit.as_millis())));
        }
        if pooled {
            return self.note(
                "the connection goes through a pooler: the command's sessions get a name and no settings (lock_timeout)",
            );
        }
        let Ok(target) = target(&self.args.connect) else {
            return;
        };
        match Connection::open(&target.with_settings(&wanted), Duration::from_secs(5)).await {
            Ok(connection) => {
                connection.close().await;
                self.settings = wanted;
            }
            Err(error) => self.note(&format!(
                "the server does not take settings with a connection ({error}): the command's sessions get a name only"
            )),
        }
    }

    /// The gate once more, before another try.
    ///
    /// # Errors
    /// As [`Self::may_start`].
    pub async fn may_try_again(
        &mut self,
        asked: &mut Asked,
    ) -> Result<std::result::Result<(), NotStarted>> {
        if self.args.no_gate {
            return Ok(Ok(()));
        }
        self.until_clear(asked, &[]).await
    }

    /// Waits until nothing is in the way.
    async fn until_clear(
        &mut self,
        asked: &mut Asked,
        runs: &[MigrationRun],
    ) -> Result<std::result::Result<(), NotStarted>> {
        let subject = match self.args.rehearse {
            true => match asked.unless_stopped(self.rehearsed()).await {
                Err(stop) => return Ok(Err(NotStarted::Stopped(stop))),
                Ok(Err(error @ Error::Usage(_))) => return Err(error),
                Ok(Err(error)) => return Ok(Err(NotStarted::Because(error.to_string()))),
                Ok(Ok(Err(why))) => return Ok(Err(NotStarted::Because(why))),
                Ok(Ok(Ok(subject))) => subject,
            },
            false => self.subject(runs)?,
        };
        let args = self.gate_args(&subject);
        let voice = self.voice.clone();
        let mut last = String::new();
        let say = |line: &str| {
            // The time that is left is different each time.
            let what = line.split(';').next().unwrap_or(line);
            if what != last {
                what.clone_into(&mut last);
                voice.say("waiting", line, &json!({}));
            }
        };
        let mut settled = match asked.unless_stopped(gate::settle(args, say)).await {
            Err(stop) => return Ok(Err(NotStarted::Stopped(stop))),
            Ok(settled) => settled?,
        };
        // A file of ours for the gate to read has no name worth telling.
        if let Some(folder) = &subject.folder {
            let path = format!("{}/", folder.path().display());
            settled.text = settled.text.replace(&path, "");
        }
        Ok(self.judge(settled, subject.is_known))
    }

    fn judge(&mut self, settled: Settled, is_known: bool) -> std::result::Result<(), NotStarted> {
        for warning in &settled.warnings {
            self.note(warning);
        }
        if settled.answer != Answer::Clear {
            let mut why = settled.answer.headline().to_owned();
            for line in &settled.in_the_way {
                let _ = write!(why, "; {line}");
            }
            let _ = write!(why, "\n{}", settled.text.trim_end());
            return Err(NotStarted::Because(why));
        }
        if is_known {
            self.leave_concurrent_forms_alone(&settled);
            self.footprint = Some(settled.footprint);
        }
        self.say("clear", "clear: nothing is in the way", &json!({}));
        Ok(())
    }

    /// A lock_timeout would count their wait for old snapshots too, and a server that notices that the command has died
    /// would end them: both leave an invalid index.
    fn leave_concurrent_forms_alone(&mut self, settled: &Settled) {
        let waits = settled
            .footprint
            .statements
            .iter()
            .any(|s| !s.phases.is_empty());
        if !waits || self.settings.is_empty() {
            return;
        }
        self.settings.clear();
        if self.args.lock_timeout.is_some() {
            self.note("no lock_timeout is set: a CONCURRENTLY form would count its wait for old snapshots too");
        }
    }

    /// What was named, else what the command's words say, else what its failed last run had locked, else any schema
    /// change.
    fn subject(&self, runs: &[MigrationRun]) -> Result<Subject> {
        let mut subject = Subject {
            paths: self.args.gate.clone(),
            migration: self.args.migration.clone(),
            is_known: true,
            folder: None,
        };
        if !subject.paths.is_empty() {
            return Ok(subject);
        }
        if let Some(implied) = implied(&self.args.command) {
            return written(implied, subject);
        }
        subject.is_known = false;
        let last = runs.iter().find(|run| run.command == self.state.command);
        let failed =
            last.filter(|run| run.result == RunResult::NotApplied && !run.facts.waits.is_empty());
        if let Some(run) = failed {
            return written(as_before(run), subject);
        }
        self.note("what the command runs is not known: it starts once ACCESS EXCLUSIVE on every table would be clear; \
                   name its SQL with --gate");
        Ok(subject)
    }

    /// What the command sent in a rehearsal; or why it cannot be asked about.
    async fn rehearsed(&self) -> Result<std::result::Result<Subject, String>> {
        let args = &self.args;
        let wanted = rehearse::wanted(&args.rehearsing, &args.connect, &args.command)?;
        let rehearsal = rehearse::rehearse(&wanted).await?;
        for note in &rehearsal.notes {
            self.note(note);
        }
        if let Some(failure) = &rehearsal.failure {
            return Ok(Err(rehearse::failed(failure).join("; ")));
        }
        let mut captured = rehearsal.captured.into_iter();
        let own = captured.next().map(|own| own.text).unwrap_or_default();
        if let Some(other) = captured.find(|other| other.changes) {
            return Ok(Err(format!(
                "the command also changes the database {0}: check there with pgguard gate -d {0}, and use --gate",
                other.database
            )));
        }
        let subject = Subject {
            paths: Vec::new(),
            migration: args.migration.clone(),
            is_known: true,
            folder: None,
        };
        let said = Implied {
            parts: vec![Part::Text(own)],
            single_transaction: false,
        };
        written(said, subject).map(Ok)
    }

    fn gate_args(&self, subject: &Subject) -> GateArgs {
        GateArgs {
            at: None,
            migrations: subject.paths.clone(),
            migration: subject.migration.clone(),
            judge: self.args.judge.clone(),
            connect: self.args.connect.clone(),
            record: RecordArgs::default(),
            from: FromCatalogArgs::default(),
            rehearse: false,
            rehearsing: RehearseArgs::default(),
            command: Vec::new(),
            format: GateFormat::Text,
            wait: self.args.wait,
            stable: 1,
            interval: GATE_INTERVAL,
            takes: self.args.takes,
            count_uses: None,
            warn_only: false,
            before: None,
            target: Vec::new(),
            sample: SampleArgs::default(),
            history: self.args.history.clone(),
        }
    }
}

/// How long past runs of a command took, the newest successful ones: their median.
fn usual(runs: &[MigrationRun], me: &MigrationRun) -> Option<TimeDelta> {
    let mut took: Vec<TimeDelta> = runs
        .iter()
        .filter(|run| run.command == me.command && run.result == RunResult::Applied)
        .filter_map(|run| Some(run.ended? - run.facts.begun?))
        .take(5)
        .collect();
    took.sort();
    let middle = took.get(took.len() / 2).copied()?;
    Some(middle.max(TimeDelta::minutes(1)))
}

/// What the last run of a command waited for, as SQL.
fn as_before(run: &MigrationRun) -> Implied {
    let locks = run
        .facts
        .waits
        .iter()
        .filter(|wait| wait.target.contains('.') && !wait.target.contains(' '));
    let text: String = locks
        .map(|wait| format!("LOCK TABLE {} IN {} MODE;\n", wait.target, wait.mode))
        .collect();
    Implied {
        parts: vec![Part::Text(text)],
        single_transaction: true,
    }
}

/// Texts become files, for the gate to read.
fn written(implied: Implied, mut subject: Subject) -> Result<Subject> {
    let folder = tempfile::tempdir().map_err(|error| Error::File {
        what: "write",
        path: std::env::temp_dir().display().to_string(),
        why: error.to_string(),
    })?;
    for (at, part) in implied.parts.into_iter().enumerate() {
        subject.paths.push(match part {
            Part::File(path) => path,
            Part::Text(text) => {
                let path = folder.path().join(format!("command-{}.sql", at + 1));
                std::fs::write(&path, text).map_err(|error| Error::File {
                    what: "write",
                    path: path.display().to_string(),
                    why: error.to_string(),
                })?;
                path
            }
        });
    }
    if implied.single_transaction {
        subject
            .migration
            .transaction
            .get_or_insert(Transaction::Run);
    }
    subject.folder = Some(folder);
    Ok(subject)
}
