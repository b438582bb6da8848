//! After the command: what became of it, told from the server, and what comes then.

use super::asked::Asked;
use super::implied::{Part, implied};
use super::supervisor::Supervisor;
use super::watch::Tried;
use crate::cli::{RecordArgs, RunArgs};
use crate::commands::stop::Stop;
use crate::doctor::half_applied;
use crate::door::file;
use crate::hold;
use crate::look::facts::Facts;
use crate::look::unrecorded;
use crate::model::{Backend, MigrationRun, RunResult, Snapshot, quoted};
use crate::supervise::outcome;
use crate::tools;
use crate::words::{many, span};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Between two looks for sessions that began before the change.
const SETTLE_PAUSE: Duration = Duration::from_secs(2);

/// A lock that was held for less, in seconds, was seen too few times to tell how fast the server is.
const LONG_ENOUGH: f64 = 3.0;

/// A lock was taken and left about so much before and after it was seen, in seconds.
const HALF_A_LOOK: f64 = 1.0;

impl Supervisor {
    /// Compares what there is now with what there was.
    pub async fn tell_end(&mut self, tried: &Tried) {
        let after = match self.before {
            Some(_) => self.schema().await,
            None => None,
        };
        let told = outcome(tried.succeeded, self.before.as_ref(), after.as_ref());
        let facts = &mut self.state.facts;
        let states = self.before.as_ref().zip(after.as_ref());
        if states.is_some_and(|(before, after)| after.is_changed_since(before)) {
            facts.changed_at = Some(Utc::now() + self.clocks);
        }
        facts.recorded = told.recorded;
        facts.invalid_indexes = told.invalid;
        facts.told.clone_from(&told.told);
        self.state.result = told.result;
        self.record.put_into(&mut self.state.facts);
        self.pace.put_into(&mut self.state.facts);
        self.keep_work();
        for row in self.state.facts.recorded.iter().take(20) {
            self.say(
                "recorded",
                &format!("recorded in {row}"),
                &json!({ "row": row }),
            );
        }
        let lines = summary(&self.state);
        for line in &lines {
            self.say("summary", line, &json!({}));
        }
        self.say(
            "result",
            &told.told,
            &json!({ "result": told.result.word() }),
        );
        if told.result == RunResult::HalfApplied {
            self.tell_parts().await;
            self.tell_mark();
        }
    }

    /// How the tool is told that a migration is applied, once all of it is done by hand.
    fn tell_mark(&self) {
        let placeholder = |is_sql| match is_sql {
            true => "'VERSION'".to_owned(),
            false => "VERSION".to_owned(),
        };
        let mark = self
            .tool
            .and_then(|tool| tools::mark_applied(tool.name, placeholder));
        if let Some((command, _)) = mark {
            self.say(
                "half_applied",
                &format!("a migration is applied in part and not recorded: run what is missing of it, then\n{command}"),
                &json!({ "command": command }),
            );
        }
    }

    /// How long the work took that the gate knew of. A lock that was held by more than one try tells nothing.
    fn keep_work(&mut self) {
        let facts = &mut self.state.facts;
        let Some(footprint) = self.footprint.as_ref().filter(|_| self.state.tries == 1) else {
            return;
        };
        facts.work = hold::seen(footprint, |name, mode| {
            let held = facts.locks.iter().filter(|lock| lock.held_s >= LONG_ENOUGH);
            let held = held.filter(|lock| lock.mode == mode && lock.name == *name);
            held.map(|lock| lock.held_s + HALF_A_LOOK).next()
        });
    }

    /// Which statements of which migration are done, where its files are known, and how to go on.
    async fn tell_parts(&mut self) {
        let paths = known_files(&self.args);
        let Ok(mut facts) = Facts::open(&self.args.connect, &RecordArgs::default(), 0).await else {
            return;
        };
        let pending = unrecorded::pending(&mut facts, &paths, &self.args.migration).await;
        facts.finish().await;
        let Ok((pending, _)) = pending else { return };
        for finding in half_applied(&pending) {
            let remedy = &finding.remedy;
            let mut text = finding.what.clone();
            for line in &finding.proof {
                let _ = write!(text, "\n  {line}");
            }
            let _ = write!(text, "\n  {}", remedy.advice);
            if !remedy.command.is_empty() {
                let _ = write!(text, "\n{}", remedy.command);
            }
            let _ = write!(self.state.facts.told, "; {}", finding.what);
            let fields = json!({
                "what": finding.what, "proof": finding.proof, "advice": remedy.advice, "command": remedy.command,
            });
            self.say("half_applied", &text, &fields);
        }
    }

    /// Looks for sessions that began before the schema changed, until there are none or the time is over.
    ///
    /// # Errors
    /// It shall stop.
    pub async fn settle(&mut self, asked: &mut Asked) -> Result<(), Stop> {
        let (Some(limit), Some(changed)) = (self.args.settle, self.state.facts.changed_at) else {
            return Ok(());
        };
        let begun = Instant::now();
        let older = loop {
            let older = match asked.unless_stopped(self.look()).await? {
                Ok(look) => self.older_than(&look, changed),
                Err(error) => {
                    self.note(&format!(
                        "whether sessions began before the change is not known: {error}"
                    ));
                    return Ok(());
                }
            };
            if older.is_empty() || begun.elapsed() >= limit {
                break older;
            }
            asked
                .unless_stopped(tokio::time::sleep(SETTLE_PAUSE))
                .await?;
        };
        if older.is_empty() {
            self.say("settled", "no session began before this change", &json!({}));
        }
        for (who, (count, since)) in older {
            let up = span(Utc::now() + self.clocks - since);
            let text = format!(
                "{who}, {}, up {up}: began before this change",
                many(count, "session")
            );
            self.say(
                "older",
                &text,
                &json!({ "who": who, "sessions": count, "since": since }),
            );
        }
        Ok(())
    }

    /// Clients' sessions in the database that began before a time: by application and host, how many, since when.
    fn older_than(
        &self,
        look: &Snapshot,
        changed: DateTime<Utc>,
    ) -> BTreeMap<String, (usize, DateTime<Utc>)> {
        let mut groups = BTreeMap::new();
        for backend in &look.backends {
            let Some(start) = backend.backend_start.filter(|start| *start < changed) else {
                continue;
            };
            let is_other = backend.is_client()
                && backend.datid == Some(look.server.datid)
                && backend.pid != look.server.own_pid
                && !self.own.has(backend.identity());
            if is_other {
                let group = groups.entry(who(backend)).or_insert((0, start));
                group.0 += 1;
                group.1 = start.min(group.1);
            }
        }
        groups
    }

    /// A table for the page of a GitHub job, where the runner names a file for it.
    pub fn step_summary(&self) {
        let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY") else {
            return;
        };
        let text = markdown(&self.state);
        if let Err(error) = file::append(path.as_ref(), text.as_bytes()) {
            self.note(&format!(
                "cannot write {}: {error} ($GITHUB_STEP_SUMMARY)",
                path.to_string_lossy()
            ));
        }
    }
}

/// The files that were named, or that psql was given.
fn known_files(args: &RunArgs) -> Vec<PathBuf> {
    if !args.gate.is_empty() {
        return args.gate.clone();
    }
    let parts = implied(&args.command).map_or_else(Vec::new, |implied| implied.parts);
    parts
        .into_iter()
        .filter_map(|part| match part {
            Part::File(path) => Some(path),
            Part::Text(_) => None,
        })
        .collect()
}

fn who(backend: &Backend) -> String {
    let name = match backend.application_name.as_str() {
        "" => "a client without a name".to_owned(),
        name => quoted(name),
    };
    let host = backend.client_addr.as_deref().unwrap_or("local");
    format!("{name} ({host})")
}

/// What was seen, a line each.
fn summary(run: &MigrationRun) -> Vec<String> {
    let facts = &run.facts;
    let seconds = |s: f64| span(TimeDelta::milliseconds(milliseconds(s)));
    let locks = facts
        .locks
        .iter()
        .filter(|lock| lock.held_s > 0.0)
        .take(20)
        .map(|lock| {
            format!(
                "held {} on {} for about {}",
                lock.mode,
                lock.name,
                seconds(lock.held_s)
            )
        });
    let waits = facts.waits.iter().take(20).map(|wait| {
        format!(
            "waited {} for {} on {}, behind {}",
            seconds(wait.waited_s),
            wait.mode,
            wait.target,
            wait.who
        )
    });
    let others = (facts.others_waiting > 0).then(|| {
        let count = many(facts.others_waiting, "session");
        format!(
            "{count} waited behind it, for up to {}",
            seconds(facts.others_waited_s)
        )
    });
    let steps = facts
        .steps
        .iter()
        .filter(|step| step.took_s >= 1.0)
        .take(20)
        .map(|step| format!("{} took {}", step.what, seconds(step.took_s)));
    locks.chain(waits).chain(others).chain(steps).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "saturates; no run takes that long"
)]
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0) as i64
}

fn markdown(run: &MigrationRun) -> String {
    let cell = |text: &str| {
        crate::safe::printable(text)
            .replace('|', "\\|")
            .replace('<', "&lt;")
    };
    let mut table = format!("### pgguard run {}\n\n| | |\n|---|---|\n", run.run);
    let status = run
        .exit_status
        .map_or_else(String::new, |status| status.to_string());
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(table, "| {name} | {} |", cell(value));
    };
    row("command", &run.command.join(" "));
    row("result", &run.facts.told);
    row("exit status", &status);
    row("tries", &run.tries.to_string());
    for line in run.facts.recorded.iter().take(50) {
        row("recorded", line);
    }
    for line in summary(run) {
        row("seen", &line);
    }
    table + "\n"
}

/// The exit status of the run: the command's, but never 0 where its statement was cancelled, or where the server says
/// that nothing is known.
pub fn status_of_run(tried: &Tried) -> u8 {
    match (tried.succeeded, tried.stopped) {
        (true, _) => 0,
        (false, Some(stop)) => stop.exit_status(),
        (false, None) => tried.status.max(1),
    }
}

impl Supervisor {
    /// The run was not started.
    pub fn not_started(&mut self, why: &str) {
        self.state.result = RunResult::NotStarted;
        self.state.facts.told = why.lines().next().unwrap_or_default().to_owned();
        self.say("not_started", &format!("not started: {why}"), &json!({}));
    }
}
