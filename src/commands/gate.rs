//! `pgguard gate`: would this migration block? One verdict a server, one over all.

use super::facts::Facts;
use super::{estimates, migrations, screen, stop};
use crate::cli::{Before, Color, GateArgs, GateFormat};
use crate::config::{self, Config, Target};
use crate::gate::waiting::{Next, Terms, Waiting};
use crate::gate::{self, FirstLook, Policy};
use crate::migration::footprint;
use crate::migration::source::Source;
use crate::migration::statement::statements;
use crate::model::{Answer, Footprint, Snapshot, Verdict};
use crate::report::{self, GateView};
use crate::sessions::understand;
use crate::{Error, Result};
use chrono::{DateTime, Local, TimeDelta, Utc};
use futures_util::future::join_all;
use std::time::Duration;

/// Runs the command.
///
/// # Errors
/// When it could not look at any server; a server of several that cannot be looked at is "cannot tell".
pub async fn run(args: GateArgs, color: Color) -> Result<u8> {
    let config = match &args.config {
        Some(path) => config::read(path)?,
        None => Config::default(),
    };
    let sources = migrations::read(&args.migrations, &args.migration)?;
    let mut asked: Vec<Subject> = Vec::new();
    for target in targets(&args, &config) {
        asked.push(Subject::open(&args, target, &sources).await?);
    }
    let stop = stop::requested();
    tokio::pin!(stop);
    tokio::select! {
        done = until_done(&args, &config, &mut asked) => {
            let answer = done?;
            tell(&args, &asked, color)?;
            for subject in asked {
                subject.facts.finish(args.record.record.as_deref()).await?;
            }
            Ok(answer.exit_status())
        }
        signal = &mut stop => {
            // The last answer is that it was not clear; nobody may take a stopped gate for a green one.
            eprintln!("pgguard: stopped by {signal} before it was clear");
            Ok(signal.exit_status())
        }
    }
}

/// A server that is asked, and what it last answered.
struct Subject {
    name: Option<String>,
    facts: Facts,
    footprint: Option<Footprint>,
    notes: Vec<String>,
    last: Option<Looked>,
}

/// One look and its verdict.
struct Looked {
    footprint: Footprint,
    verdict: Verdict,
    database: String,
    taken_at: DateTime<Utc>,
}

/// The servers to ask: `--target`, else those of the configuration, else the connection's own.
fn targets(args: &GateArgs, config: &Config) -> Vec<Option<Target>> {
    let named: Vec<Target> = if args.target.is_empty() {
        config.target.clone()
    } else {
        args.target
            .iter()
            .map(|flag| Target::from_flag(flag))
            .collect()
    };
    if named.is_empty() {
        vec![None]
    } else {
        named.into_iter().map(Some).collect()
    }
}

impl Subject {
    /// Connects, and works out the footprint on what is pending there.
    async fn open(args: &GateArgs, target: Option<Target>, sources: &[Source]) -> Result<Self> {
        let mut connect = args.connect.clone();
        if let Some(target) = &target {
            connect.dbname = Some(target.url.clone());
        }
        let facts = Facts::open(&connect, &args.record).await?;
        let mut subject = Self {
            name: target.map(|t| t.name),
            footprint: None,
            notes: Vec::new(),
            last: None,
            facts,
        };
        if !sources.is_empty() {
            subject.read_migrations(args, sources).await?;
        }
        Ok(subject)
    }

    async fn read_migrations(&mut self, args: &GateArgs, sources: &[Source]) -> Result<()> {
        let options = migrations::options(&args.migration);
        let (scripts, notes) = self
            .facts
            .pending(sources.to_vec(), &options, args.migration.all)
            .await?;
        let statements = statements(&scripts);
        let catalog = self.facts.catalog(&footprint::reach(&statements)).await?;
        self.footprint = Some(footprint::of(&statements, catalog, 0));
        self.notes = notes;
        Ok(())
    }

    /// One look at the server, and the verdict on it.
    async fn look(
        &mut self,
        args: &GateArgs,
        config: &Config,
        first: Option<FirstLook>,
    ) -> Result<FirstLook> {
        let snapshot = self.facts.look().await?;
        let sessions = understand(&snapshot);
        let policy = Policy {
            patience: TimeDelta::from_std(args.patience).unwrap_or(TimeDelta::MAX),
            first_look: first,
            allow_opaque: args.allow_opaque,
            doubts: self.facts.doubts(),
            estimates: estimates::of(&mut self.facts, &snapshot, &sessions, &args.history, config)
                .await,
            ..Policy::default()
        };
        let (footprint, mut verdict) = match (args.before, &self.footprint) {
            (Some(Before::Backup), _) => gate::before_backup(&snapshot, &sessions, &policy),
            (None, Some(footprint)) => (
                footprint.clone(),
                gate::decide(footprint, &snapshot, &sessions, &policy),
            ),
            (None, None) => {
                let footprint = gate::strictest(&snapshot);
                let verdict = gate::decide(&footprint, &snapshot, &sessions, &policy);
                (footprint, verdict)
            }
        };
        verdict.warnings.splice(0..0, self.notes.iter().cloned());
        self.last = Some(Looked {
            footprint,
            verdict,
            database: self.database(&snapshot),
            taken_at: snapshot.taken_at,
        });
        Ok(FirstLook::of(&snapshot))
    }

    fn database(&self, snapshot: &Snapshot) -> String {
        match &self.name {
            Some(name) => format!("{} on {name}", snapshot.server.datname),
            None => snapshot.server.datname.clone(),
        }
    }
}

/// Looks, a second time where somebody has only just begun, and with `--wait` until it is clear.
async fn until_done(args: &GateArgs, config: &Config, subjects: &mut [Subject]) -> Result<Answer> {
    let terms = Terms {
        at_most: TimeDelta::from_std(args.wait.unwrap_or(args.patience)).unwrap_or(TimeDelta::MAX),
        interval: TimeDelta::from_std(args.interval).unwrap_or(TimeDelta::MAX),
        patience: TimeDelta::from_std(args.patience).unwrap_or(TimeDelta::MAX),
        stable: args.stable,
    };
    let mut waiting = Waiting::begin(terms, Utc::now());
    let mut line = screen::ProgressLine::new();
    let mut first: Vec<Option<FirstLook>> = vec![None; subjects.len()];
    loop {
        let looks = subjects
            .iter_mut()
            .zip(first)
            .map(|(subject, first)| subject.look(args, config, first));
        let looks: Vec<FirstLook> = join_all(looks).await.into_iter().collect::<Result<_>>()?;
        let verdict = over_all(subjects);
        let next = if args.wait.is_some() || verdict.look_again {
            waiting.after_look(&verdict, Utc::now())
        } else {
            Next::Done(verdict.answer)
        };
        match next {
            Next::Done(answer) => {
                line.clear();
                return Ok(answer);
            }
            Next::LookAgain { after, second_look } => {
                if args.wait.is_some() {
                    line.say(&still_waiting(subjects, waiting.left(Utc::now())));
                }
                first = looks
                    .into_iter()
                    .map(|l| second_look.then_some(l))
                    .collect();
                tokio::time::sleep(after.to_std().unwrap_or(Duration::ZERO)).await;
            }
        }
    }
}

/// One verdict over all servers: one that would block decides, then one that cannot tell.
fn over_all(subjects: &[Subject]) -> Verdict {
    let looked = || subjects.iter().filter_map(|s| s.last.as_ref());
    let answers: Vec<Answer> = looked().map(|l| l.verdict.answer).collect();
    let answer = [Answer::WouldBlock, Answer::CannotTell]
        .into_iter()
        .find(|a| answers.contains(a))
        .unwrap_or(if answers.len() == subjects.len() {
            Answer::Clear
        } else {
            Answer::CannotTell
        });
    Verdict {
        answer,
        statements: Vec::new(),
        doubts: looked().flat_map(|l| l.verdict.doubts.clone()).collect(),
        warnings: Vec::new(),
        look_again: answer != Answer::WouldBlock && looked().any(|l| l.verdict.look_again),
    }
}

/// The progress line: who is in the way, and until when, as far as that is known.
fn still_waiting(subjects: &[Subject], left: TimeDelta) -> String {
    let waits = || {
        subjects
            .iter()
            .filter_map(|s| s.last.as_ref())
            .flat_map(|l| &l.verdict.statements)
            .flat_map(|s| &s.waits)
            .filter(|w| w.counts)
    };
    let who = waits().next().map_or_else(
        || "not clear yet".to_owned(),
        |wait| {
            let pid = wait.blocker.pid.map_or_else(
                || {
                    format!(
                        "prepared transaction {}",
                        wait.blocker.gid.clone().unwrap_or_default()
                    )
                },
                |pid| format!("{} (pid {pid})", wait.blocker.role.word()),
            );
            let until = wait
                .clears
                .as_ref()
                .and_then(|c| c.expected)
                .map_or_else(String::new, |t| {
                    format!(", clears ~{}", t.with_timezone(&Local).format("%H:%M"))
                });
            format!("{pid} is in the way{until}")
        },
    );
    format!("waiting: {who}; gives up in {}", gate::words::span(left))
}

/// Prints the report in the form asked for.
fn tell(args: &GateArgs, subjects: &[Subject], color: Color) -> Result<()> {
    let zone = *Local::now().offset();
    let views: Vec<GateView> = subjects
        .iter()
        .filter_map(|s| s.last.as_ref())
        .map(|l| GateView {
            footprint: &l.footprint,
            verdict: &l.verdict,
            database: &l.database,
            taken_at: l.taken_at,
            zone,
        })
        .collect();
    if let (GateFormat::Json, [_, _, ..]) = (args.format, views.as_slice()) {
        return screen::print(&several_json(&views, over_all(subjects).answer));
    }
    for view in &views {
        screen::print(&match args.format {
            GateFormat::Text => report::gate_text(view, screen::page(color)),
            GateFormat::Json => report::gate_json(view),
            GateFormat::Github => github(view)?,
            GateFormat::Junit => report::gate_junit(view)?,
            GateFormat::Sarif => report::gate_sarif(view),
            GateFormat::Gitlab => report::gate_gitlab(view),
        })?;
    }
    if args.format == GateFormat::Text && views.len() > 1 {
        let answer = over_all(subjects).answer;
        screen::print(&format!(
            "{} over all {} servers\n",
            answer.headline(),
            views.len()
        ))?;
    }
    Ok(())
}

/// Several servers in one document: one verdict each, and one over all.
fn several_json(views: &[GateView], answer: Answer) -> String {
    let targets: Vec<_> = views.iter().map(report::gate_value).collect();
    let document = serde_json::json!({
        "version": 1,
        "verdict": answer.word(),
        "exit_status": answer.exit_status(),
        "targets": targets,
    });
    format!("{document:#}\n")
}

/// Annotations on standard output, and the step's summary where the runner names a file for it.
fn github(view: &GateView) -> Result<String> {
    if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY") {
        use std::io::Write;
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(report::gate_github_summary(view).as_bytes()))
            .map_err(|error| Error::File {
                what: "write",
                path: path.to_string_lossy().into_owned(),
                why: format!("{error} ($GITHUB_STEP_SUMMARY)"),
            })?;
    }
    Ok(report::gate_github(view))
}
