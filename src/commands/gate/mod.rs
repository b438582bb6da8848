//! `pgguard gate`: would this migration block? One verdict a server, one over all.

mod over_all;
mod subject;
mod tell;

use super::{rehearse, screen, stop};
use crate::cli::{Before, Color, GateArgs, GateFormat};
use crate::config;
use crate::door::{self, ProgressLine};
use crate::gate::waiting::{Next, Terms, Waiting};
use crate::look::past::Past;
use crate::look::{self, About};
use crate::model::{Answer, Footprint};
use crate::report::{self, Shown};
use crate::words::Zone;
use crate::{Error, Result};
use chrono::Utc;
use futures_util::future::join_all;
use over_all::{judge_standbys, outlook, over_all};
use std::path::PathBuf;
use std::time::Duration;
use subject::{Looked, Question, Subject, span};
use tell::{each, in_the_way, reports, still_waiting, tell, views};

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
    check_at(&args)?;
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
            match done {
                Some(done) => ended(&question, &mut subjects, done, color).await,
                None => Ok(NOBODY_READS),
            }
        }
        signal = &mut stop => {
            // The last answer is that it was not clear; nobody may take a stopped gate for a green one.
            door::say(&format!("stopped by {signal} before it was clear"));
            Ok(signal.exit_status())
        }
    }
}

/// Tells, puts away what was read, and gives the exit status.
async fn ended(
    question: &Question,
    subjects: &mut [Subject],
    done: Done,
    color: Color,
) -> Result<u8> {
    if let Some(late) = done.late {
        door::say(&late);
    }
    tell(&question.args, subjects, color)?;
    for subject in &mut *subjects {
        subject.past.warn();
        subject.past.close().await;
    }
    if let (Some(path), [subject, ..]) = (&question.args.record.record, &*subjects) {
        subject.recording.write(path)?;
    }
    // A prediction is never a green light, also where a team has set that nothing fails.
    if let Some(outlook) = outlook(subjects, question.args.at.is_some()) {
        return Ok(outlook.exit_status());
    }
    if question.args.warn_only || question.config.warn_only {
        return Ok(0);
    }
    Ok(done.answer.exit_status())
}

/// Whether a later time can be asked about like this.
fn check_at(args: &GateArgs) -> Result<()> {
    use GateFormat::{Html, Json, Markdown, Text};
    let Some(text) = &args.at else {
        return Ok(());
    };
    if !matches!(args.format, Text | Json | Html | Markdown) {
        let why = "--at gives a guess: its formats are text, json, html and markdown";
        return Err(Error::Usage(why.into()));
    }
    match args.record.replay {
        // Its clock is that of the recording.
        Some(_) => Ok(()),
        None => crate::words::coming(text, Utc::now(), &Zone::local())
            .map(drop)
            .map_err(Error::Usage),
    }
}

/// What a gate has said, for a command that starts what it was asked about.
pub(super) struct Settled {
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
                        at.with_timezone(&Zone::local())
                            .format("%Y-%m-%d %H:%M %:z")
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
