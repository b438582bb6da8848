//! `pgguard gate`: would this migration block? One verdict a server, one over all.

use super::{rehearse, screen, stop};
use crate::backup::schedule::{NextBackup, USUAL_MIGRATION};
use crate::cli::{Before, Color, ConnectArgs, GateArgs, GateFormat};
use crate::config::{self, Config, Target};
use crate::door::{self, Form, ProgressLine};
use crate::gate::waiting::{Next, Terms, Waiting};
use crate::gate::{self, FirstLook};
use crate::look::facts::Facts;
use crate::look::past::Past;
use crate::look::{self, About, Judged, running, schedulers};
use crate::model::{Answer, Doubt, Footprint, Role, Snapshot, Verdict, Wait};
use crate::recording::Recording;
use crate::report::{self, GateView, Shown, StatusReport};
use crate::sessions::understand;
use crate::watch::Look;
use crate::{Error, Result};
use chrono::{DateTime, Local, TimeDelta, Utc};
use futures_util::future::join_all;
use std::path::PathBuf;
use std::time::Duration;

/// Runs the command.
///
/// # Errors
/// When the arguments or the migration's files cannot be used. A server that cannot be looked at is an
/// answer: "cannot tell".
pub async fn run(mut args: GateArgs, color: Color) -> Result<u8> {
    if !args.rehearse {
        let files = args.command.drain(..).map(PathBuf::from);
        args.migrations.extend(files);
    }
    let config = config::of(args.judge.config.as_deref())?;
    let policy = look::policy(&args.judge, &config);
    if args.from.catalog.is_some() && args.migrations.is_empty() {
        return Err(Error::Usage(
            "--catalog judges migrations: name their files".into(),
        ));
    }
    let mut asked = match args.rehearse {
        true => match rehearse::asked(&args, policy).await? {
            Ok(asked) => asked,
            Err(failure) => {
                rehearse::say_failure(&failure);
                return Ok(Answer::WouldFail.exit_status());
            }
        },
        false => look::Question::new(&args.migrations, &args.migration, policy)?,
    };
    if args.before == Some(Before::Backup) {
        asked.about = About::Backup;
    }
    let question = Question {
        question: asked,
        config,
        args,
        tells_running: true,
    };
    let past = || {
        let replayed = !question.asks_a_server();
        Past::new(&question.args.history, &question.config, replayed).sampling(question.args.sample)
    };
    let targets = question.targets().into_iter();
    let mut subjects: Vec<Subject> = targets.map(|t| Subject::new(t, past())).collect();
    let mut line = ProgressLine::new();
    let mut say = |text: &str| line.say(text);
    let stop = stop::requested();
    tokio::pin!(stop);
    tokio::select! {
        done = until_done(&question, &mut subjects, &mut say) => {
            line.clear();
            let Some(Done { answer, late }) = done else {
                return Ok(NOBODY_READS);
            };
            if let Some(late) = late {
                door::say(&late);
            }
            tell(&question.args, &subjects, color)?;
            for subject in &mut subjects {
                subject.past.warn();
                subject.past.close().await;
            }
            if let (Some(path), [subject, ..]) = (&question.args.record.record, subjects.as_slice()) {
                subject.recording.write(path)?;
            }
            if question.args.warn_only || question.config.warn_only {
                return Ok(0);
            }
            Ok(answer.exit_status())
        }
        signal = &mut stop => {
            // The last answer is that it was not clear; nobody may take a stopped gate for a green one.
            door::say(&format!("stopped by {signal} before it was clear"));
            Ok(signal.exit_status())
        }
    }
}

/// What a gate has said, for a command that starts what it was asked about.
pub(super) struct Settled {
    /// The answer.
    pub answer: Answer,
    /// The report, as text.
    pub text: String,
    /// What was judged.
    pub footprint: Footprint,
    /// Worth telling even where it is clear.
    pub warnings: Vec<String>,
    /// Who is in the way, one line each.
    pub in_the_way: Vec<String>,
}

/// Asks as [`run`] does, and tells nothing but how far the wait is.
///
/// # Errors
/// As [`run`].
pub(super) async fn settle(args: GateArgs, mut say: impl FnMut(&str)) -> Result<Settled> {
    let config = config::of(args.judge.config.as_deref())?;
    let policy = look::policy(&args.judge, &config);
    let question = Question {
        question: look::Question::new(&args.migrations, &args.migration, policy)?,
        config,
        args,
        tells_running: false,
    };
    let past = Past::new(&question.args.history, &question.config, false);
    let mut subjects = vec![Subject::new(None, past)];
    let mut goes_on = |line: &str| {
        say(line);
        true
    };
    let done = until_done(&question, &mut subjects, &mut goes_on).await;
    let answer = done.map_or(Answer::CannotTell, |done| done.answer);
    let shown = Shown::default();
    let reports = reports(&subjects, &shown);
    let views = views(&subjects, &reports, false);
    let text = each(&views, |view| {
        report::gate_text(view, screen::page(Color::Never))
    });
    let waits = subjects.iter().filter_map(|s| s.last.as_ref());
    let in_the_way = waits
        .flat_map(|looked| &looked.verdict.statements)
        .flat_map(|statement| &statement.waits)
        .filter(|wait| wait.counts)
        .map(in_the_way)
        .collect();
    let mut subject = subjects.remove(0);
    subject.past.close().await;
    let last = subject
        .last
        .unwrap_or_else(|| Looked::failed(&Error::Usage("the server was not looked at".into())));
    Ok(Settled {
        answer,
        text,
        footprint: last.footprint,
        warnings: last.verdict.warnings,
        in_the_way,
    })
}

/// The status when a wait was given up because nobody reads what it says: that of SIGPIPE, and no verdict.
const NOBODY_READS: u8 = 141;

/// What is asked of every server.
struct Question {
    args: GateArgs,
    config: Config,
    question: look::Question,
    /// Whether to say which migrations are running already: a run of ours asks that itself.
    tells_running: bool,
}

/// A server that is asked, and what it last answered. Each look connects again: a gate that
/// waits for half an hour holds no connection, and outlives one that breaks.
struct Subject {
    target: Option<Target>,
    looks: usize,
    recording: Recording,
    past: Past,
    last: Option<Looked>,
}

/// One look and its verdict.
struct Looked {
    footprint: Footprint,
    verdict: Verdict,
    database: String,
    taken_at: DateTime<Utc>,
    seen: Option<FirstLook>,
    /// What was seen; `None` where the server was not, or could not be, looked at.
    look: Option<Look>,
}

impl Question {
    /// Whether a server is asked, and not a file.
    const fn asks_a_server(&self) -> bool {
        self.args.record.replay.is_none() && self.args.from.catalog.is_none()
    }

    /// The servers to ask: `--target`, else those of the configuration, else the connection's own.
    fn targets(&self) -> Vec<Option<Target>> {
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
        if meets && self.asks_a_server() {
            let runs_already = sessions.in_role(Role::Backup).next().is_some();
            let warning = self
                .next_backup(past, &mut facts, &snapshot, runs_already)
                .await;
            verdict.warnings.extend(warning);
        }
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
            seen: Some(FirstLook::of(&snapshot)),
            look: match args.from.catalog {
                Some(_) => None,
                None => Some(Look::new(snapshot, policy.estimates).in_zone(zone)),
            },
        };
        Ok((looked, facts.finish().await))
    }

    /// What is worth saying of the backup that comes next; one that is due may be the one that runs.
    async fn next_backup(
        &self,
        past: &mut Past,
        facts: &mut Facts,
        snapshot: &Snapshot,
        runs_already: bool,
    ) -> Option<String> {
        let now = snapshot.taken_at;
        let runs = past.runs_if_any(&snapshot.server.history_key()).await;
        let (next, _) = if past.place().is_some() {
            let seen = schedulers::Seen { facts, snapshot };
            let which = schedulers::Which::Logical;
            schedulers::next_backup(which, &self.config, &runs, Some(seen), now).await
        } else {
            NextBackup::by_lines(&self.config.lines(), &runs, now)
        };
        next.filter(|next| next.starts > now || !runs_already)?
            .warning(now, self.takes())
    }

    /// How long the migration takes, as the flag says, or the configuration.
    fn takes(&self) -> TimeDelta {
        let said = self.args.takes.or(self.config.takes);
        said.map_or(USUAL_MIGRATION, span)
    }
}

impl Subject {
    fn new(target: Option<Target>, past: Past) -> Self {
        Self {
            target,
            past,
            looks: 0,
            recording: Recording::default(),
            last: None,
        }
    }

    /// One look at the server. What keeps it from looking is an answer too.
    async fn look(&mut self, question: &Question, second: bool) {
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
    fn failed(error: &Error) -> Self {
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
        }
    }
}

/// The last answer, and where it was waited for in vain: until when it cannot be clear.
struct Done {
    answer: Answer,
    late: Option<String>,
}

/// Looks, a second time where somebody has only just begun, and with `--wait` until it is clear. `None`:
/// nobody reads any more what it says.
async fn until_done(
    question: &Question,
    subjects: &mut [Subject],
    say: &mut impl FnMut(&str) -> bool,
) -> Option<Done> {
    let args = &question.args;
    let terms = Terms {
        at_most: span(args.wait.unwrap_or(args.judge.patience)),
        interval: span(args.interval),
        patience: span(args.judge.patience),
        stable: args.stable,
    };
    let mut waiting = Waiting::begin(terms, Utc::now());
    let mut second = false;
    loop {
        join_all(
            subjects
                .iter_mut()
                .map(|subject| subject.look(question, second)),
        )
        .await;
        judge_standbys(subjects);
        let verdict = over_all(subjects);
        let next = if args.wait.is_some() || verdict.look_again {
            waiting.after_look(&verdict, Utc::now())
        } else {
            Next::Done(verdict.answer)
        };
        match next {
            Next::Done(answer) => {
                let too_late = waiting.too_late(&verdict).filter(|_| args.wait.is_some());
                let late = too_late.map(|at| {
                    format!(
                        "not within {}: clear at {} at the earliest",
                        crate::words::span(terms.at_most),
                        at.with_timezone(&Local).format("%Y-%m-%d %H:%M %:z")
                    )
                });
                return Some(Done { answer, late });
            }
            Next::LookAgain { after, second_look } => {
                let left = waiting.left(Utc::now());
                if !second_look && !say(&still_waiting(subjects, left)) {
                    return None;
                }
                second = second_look;
                tokio::time::sleep(after.to_std().unwrap_or(Duration::ZERO)).await;
            }
        }
    }
}

/// A standby whose primary is asked too runs no migration, it replays one: that cancels sessions there, and
/// keeps nobody waiting here.
fn judge_standbys(subjects: &mut [Subject]) {
    let looked = |subject: &Subject| -> Option<(Snapshot, Footprint)> {
        let last = subject.last.as_ref()?;
        let look = last.look.as_ref()?;
        Some((look.snapshot.clone(), last.footprint.clone()))
    };
    let is_primary = |(snapshot, _): &(Snapshot, Footprint)| !snapshot.server.in_recovery;
    if subjects.len() < 2 {
        return;
    }
    let primaries: Vec<_> = subjects
        .iter()
        .filter_map(looked)
        .filter(is_primary)
        .collect();
    for Subject { target, last, .. } in subjects {
        let Some(last) = last else {
            continue;
        };
        let Some(standby) = last.look.as_ref().map(|look| &look.snapshot) else {
            continue;
        };
        let primary = primaries
            .iter()
            .find(|(primary, _)| gate::standby::is_of(standby, primary));
        if let Some((_, footprint)) = primary {
            last.verdict = Verdict {
                running: Vec::new(),
                answer: Answer::Clear,
                statements: Vec::new(),
                doubts: Vec::new(),
                warnings: gate::standby::warnings(
                    footprint,
                    standby,
                    &understand(standby),
                    target.as_ref().map_or(&last.database, |t| &t.name),
                ),
                look_again: false,
                accepted: Vec::new(),
            };
            last.footprint = Footprint::default();
        }
    }
}

fn span(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

/// One verdict over all servers: one that would block decides, then one that cannot tell.
fn over_all(subjects: &[Subject]) -> Verdict {
    let looked = || subjects.iter().filter_map(|s| s.last.as_ref());
    let answers: Vec<Answer> = looked().map(|l| l.verdict.answer).collect();
    let answer = [Answer::WouldBlock, Answer::WouldFail, Answer::CannotTell]
        .into_iter()
        .find(|a| answers.contains(a))
        .unwrap_or(if answers.len() == subjects.len() {
            Answer::Clear
        } else {
            Answer::CannotTell
        });
    Verdict {
        running: Vec::new(),
        answer,
        statements: looked()
            .flat_map(|l| l.verdict.statements.clone())
            .collect(),
        doubts: looked().flat_map(|l| l.verdict.doubts.clone()).collect(),
        warnings: Vec::new(),
        // Where one blocks, what another is not sure of changes nothing.
        look_again: looked()
            .filter(|l| l.verdict.answer == answer)
            .any(|l| l.verdict.look_again),
        accepted: Vec::new(),
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
    let who = waits()
        .next()
        .map_or_else(|| "not clear yet".to_owned(), in_the_way);
    format!("waiting: {who}; gives up in {}", crate::words::span(left))
}

/// Who is in the way, and until when, as far as that is known.
fn in_the_way(wait: &Wait) -> String {
    let who = match (wait.blocker.pid, &wait.blocker.gid) {
        (Some(pid), _) => format!("{} (pid {pid})", wait.blocker.role.in_words()),
        (None, gid) => format!(
            "prepared transaction {}",
            gid.as_deref().unwrap_or_default()
        ),
    };
    let until = wait.clears.as_ref().and_then(|c| c.expected);
    let until = until.map_or_else(String::new, |t| {
        format!(", clears ~{}", t.with_timezone(&Local).format("%H:%M"))
    });
    format!("{who} is in the way{until}")
}

/// Prints the report in the form asked for.
fn tell(args: &GateArgs, subjects: &[Subject], color: Color) -> Result<()> {
    let shown = Shown::default();
    let reports = reports(subjects, &shown);
    let views = views(subjects, &reports, args.from.catalog.is_some());
    let (form, text) = match args.format {
        GateFormat::Text => (
            Form::Lines,
            each(&views, |view| report::gate_text(view, screen::page(color))),
        ),
        GateFormat::Json => (Form::Json, json(&views, over_all(subjects).answer)),
        GateFormat::Github => (Form::Marked, github(&views)?),
        GateFormat::Junit => (Form::Marked, report::gate_junit(&views)?),
        GateFormat::Sarif => (Form::Json, report::gate_sarif(&views)),
        GateFormat::Gitlab => (Form::Json, report::gate_gitlab(&views)),
        GateFormat::Html => (Form::Marked, report::gate_html(&views)),
        GateFormat::Markdown => (Form::Lines, each(&views, report::gate_markdown)),
    };
    door::print(form, &text)?;
    if args.format == GateFormat::Text && views.len() > 1 {
        let answer = over_all(subjects).answer;
        door::print(
            Form::Lines,
            &format!("{} over all {} servers\n", answer.headline(), views.len()),
        )?;
    }
    Ok(())
}

/// Who is there, server by server.
fn reports<'a>(subjects: &'a [Subject], shown: &'a Shown) -> Vec<Option<StatusReport<'a>>> {
    let looked = subjects.iter().filter_map(|s| s.last.as_ref());
    looked
        .map(|last| last.look.as_ref().map(|look| look.report(shown)))
        .collect()
}

fn views<'a>(
    subjects: &'a [Subject],
    reports: &'a [Option<StatusReport<'a>>],
    of_catalog: bool,
) -> Vec<GateView<'a>> {
    let zone = screen::zone(Utc::now());
    subjects
        .iter()
        .filter_map(|s| s.last.as_ref())
        .zip(reports)
        .map(|(l, report)| GateView {
            status: report.as_ref(),
            footprint: &l.footprint,
            verdict: &l.verdict,
            database: &l.database,
            taken_at: l.taken_at,
            zone,
            of_catalog,
        })
        .collect()
}

fn each(views: &[GateView], told: impl Fn(&GateView) -> String) -> String {
    views.iter().map(told).collect()
}

/// Several servers in one document: one verdict each, and one over all.
fn json(views: &[GateView], answer: Answer) -> String {
    if let [view] = views {
        return report::gate_json(view);
    }
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
fn github(views: &[GateView]) -> Result<String> {
    if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY") {
        let summary = Form::Lines.made_safe(&each(views, report::gate_markdown));
        door::file::append(path.as_ref(), summary.as_bytes()).map_err(|error| Error::File {
            what: "write",
            path: path.to_string_lossy().into_owned(),
            why: format!("{error} ($GITHUB_STEP_SUMMARY)"),
        })?;
    }
    Ok(each(views, report::gate_github))
}
