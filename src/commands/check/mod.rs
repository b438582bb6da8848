//! `pgguard check`

pub mod arguments;
mod watchdog;

use super::block_on::block_on;
use super::line;
use super::screen;
use crate::check::{Answer, Figure, Judgement, Needs, Range, Sight, State, Thresholds, mode};
use crate::cli::{ConnectArgs, HistoryArgs};
use crate::config::{self, Config};
use crate::doctor::Diagnosis;
use crate::look::examination::examine;
use crate::look::facts::Facts;
use crate::look::past::Past;
use crate::look::{self, Question};
use crate::model::{Estimate, Pid, Snapshot, Verdict};
use crate::postgres::connect::{Connection, Flags, Target};
use crate::postgres::leftovers::Depth;
use crate::report::status_advice::Advice;
use crate::report::{Shown, StatusReport};
use crate::sessions::{Sessions, WaitGraph, understand};
use crate::{Error, Result, report};
use arguments::{Arguments, Form, Said};
use chrono::TimeDelta;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// No check waits longer for the history.
const MOST_ON_HISTORY: Duration = Duration::from_secs(2);

/// Runs the check by the plugin rules, arguments and panics included: one line on standard output,
/// exit status 0 to 3. It reads its arguments itself, since theirs are the plugins' habits.
#[must_use]
pub fn main() -> u8 {
    watchdog::quiet_panics();
    let words: Vec<_> = std::env::args_os()
        .skip_while(|word| word != "check")
        .skip(1)
        .collect();
    let all = words.iter().any(|word| word == "--help-all");
    let arguments = match Arguments::read(line::plugin(all), words) {
        Ok(arguments) => arguments,
        Err(Said::Text(text)) => return watchdog::say(&text, 3),
        Err(Said::Wrong(why)) => {
            let text = format!(
                "{}; pgguard check -h lists what there is",
                report::cleaned(&why)
            );
            return watchdog::say(&format!("PGGUARD UNKNOWN - {text}\n"), 3);
        }
    };
    watchdog::watch(arguments.timeout);
    let in_time = async { Ok(tokio::time::timeout(arguments.timeout, run(&arguments)).await) };
    let (text, status) = match block_on(in_time) {
        Ok(Ok(told)) => told,
        Ok(Err(_)) => told(&arguments, &late(&arguments)),
        Err(error) => told(&arguments, &failed(&arguments, &error)),
    };
    watchdog::say(&text, status)
}

/// Looks, judges, and tells in the form asked for.
async fn run(arguments: &Arguments) -> (String, u8) {
    match arguments.format {
        Form::Nagios => {
            let answer = answer(arguments)
                .await
                .unwrap_or_else(|error| failed(arguments, &error));
            told(arguments, &answer)
        }
        Form::Openmetrics => match look(arguments, &mut past(arguments), Needs::Look).await {
            Ok(look) => {
                let sessions = understand(&look.snapshot);
                let graph = WaitGraph::between_sessions(&look.snapshot, &sessions);
                (report::openmetrics(&look.snapshot, &sessions, &graph), 0)
            }
            Err(_) => (report::openmetrics_down(), 3),
        },
    }
}

fn told(arguments: &Arguments, answer: &Answer) -> (String, u8) {
    if arguments.format == Form::Openmetrics {
        return (report::openmetrics_down(), 3);
    }
    let name = format!("PGGUARD {}", arguments.mode.to_uppercase());
    let text = report::nagios(&name, answer, arguments.verbose);
    (text, answer.state.exit_status())
}

fn late(arguments: &Arguments) -> Answer {
    Answer::unknown(watchdog::timed_out(arguments.timeout))
}

/// What kept it from looking. The figures of a mode that could not look are left out: no value is not 0.
fn failed(arguments: &Arguments, error: &Error) -> Answer {
    let state = match error {
        Error::Connect { .. } => arguments.when_connect_fails(),
        _ => State::Unknown,
    };
    Answer {
        state,
        ..Answer::unknown(error.to_string())
    }
}

/// A look and how long the connection took.
struct Look {
    snapshot: Snapshot,
    connected_in: Duration,
    /// When running backups end.
    estimates: BTreeMap<Pid, Estimate>,
    /// How many tables the database has.
    user_tables: Option<usize>,
}

async fn connect(arguments: &Arguments) -> Result<(Connection, Duration)> {
    watchdog::stage("connecting");
    let target = Target::from_flags(&Flags {
        host: arguments.host.clone(),
        port: arguments.port,
        user: arguments.user.clone(),
        dbname: arguments.dbname.clone(),
    })?;
    let started = Instant::now();
    let connection = Connection::open(&target, arguments.timeout).await?;
    Ok((connection, started.elapsed()))
}

/// Looks, and leaves to the history what was seen of running backups.
async fn look(arguments: &Arguments, past: &mut Past, needs: Needs) -> Result<Look> {
    let (connection, connected_in) = connect(arguments).await?;
    watchdog::stage("reading pg_stat_activity and pg_locks");
    let mut facts = Facts::of(connection);
    let looked = past.look_closely(&mut facts).await;
    let mut estimates = BTreeMap::new();
    if let Ok(snapshot) = &looked {
        watchdog::stage("noting what backups do");
        let sessions = understand(snapshot);
        estimates = past.estimates(&mut facts, snapshot, &sessions).await;
    }
    let user_tables = match needs {
        Needs::History => facts.user_tables().await,
        _ => None,
    };
    facts.finish().await;
    watchdog::stage("judging");
    Ok(Look {
        snapshot: looked?,
        connected_in,
        estimates,
        user_tables,
    })
}

/// The history. It may take no more than a part of the time that the check has.
fn past(arguments: &Arguments) -> Past {
    let flags = HistoryArgs {
        history: arguments.history.clone(),
        no_history: arguments.no_history,
    };
    Past::new(&flags, &Config::default(), false)
        .with_patience(MOST_ON_HISTORY.min(arguments.timeout / 5))
}

async fn answer(arguments: &Arguments) -> Result<Answer> {
    let Some(mode) = mode(&arguments.mode) else {
        return connection(arguments).await;
    };
    let judgement = Judgement {
        thresholds: thresholds(arguments, mode.warning, mode.critical),
        counts_from: TimeDelta::from_std(arguments.counts_from).unwrap_or(TimeDelta::MAX),
        without: arguments.exclude_role.clone(),
        database: arguments.only_database.clone(),
    };
    let mut past = past(arguments);
    let (look, verdict, diagnosis) = match mode.needs {
        Needs::Verdict => {
            let (look, verdict) = verdict(arguments, &mut past).await?;
            (look, verdict, None)
        }
        Needs::Diagnosis => {
            let (look, diagnosis) = diagnosis(arguments, &mut past).await?;
            (look, None, Some(diagnosis))
        }
        needs => (look(arguments, &mut past, needs).await?, None, None),
    };
    let runs = match mode.needs {
        Needs::History => {
            watchdog::stage("reading past backup runs");
            let server = look.snapshot.server.history_key();
            let mut runs = past.runs_of(Some(&server)).await?;
            let database = judgement.database.as_deref();
            past.add_tables(&mut runs, database.unwrap_or(&look.snapshot.server.datname))
                .await;
            runs
        }
        _ => Vec::new(),
    };
    let sessions = understand(&look.snapshot);
    let graph = WaitGraph::between_sessions(&look.snapshot, &sessions);
    let mut sight = Sight::new(&look.snapshot, &sessions, &graph, &judgement);
    sight.runs = &runs;
    sight.user_tables = look.user_tables;
    sight.estimates = Some(&look.estimates);
    sight.verdict = verdict.as_ref();
    sight.diagnosis = diagnosis.as_ref();
    let mut answer = (mode.answer)(&sight);
    if mode.needs == Needs::Advice && answer.state != State::Ok {
        lead_with_the_worst(&mut answer, &look, &sessions, &graph, &judgement);
    }
    if arguments.verbose >= 3 {
        answer.details.push(how(&look));
        answer.details.extend(past.problem());
    }
    past.close().await;
    Ok(answer)
}

/// Says first how many hang and what frees them, as `status` does: the session at the head may be harmless.
fn lead_with_the_worst(
    answer: &mut Answer,
    look: &Look,
    sessions: &Sessions,
    graph: &WaitGraph,
    judgement: &Judgement,
) {
    let shown = Shown {
        database: judgement.database.clone(),
        ..Shown::default()
    };
    let told = StatusReport::new(&look.snapshot, sessions, graph, &look.estimates, &shown)
        .in_zone(screen::zone(look.snapshot.taken_at))
        .alone();
    let Some((headline, advice)) = report::status_hanging::in_short(&told) else {
        return;
    };
    let headline = headline.replacen("  ", ": ", 1);
    let advice: Vec<String> = advice.iter().map(Advice::in_a_line).collect();
    let first = advice
        .first()
        .map_or_else(String::new, |first| format!("; {first}"));
    answer.text = format!("{headline}{first}; {}", answer.text);
    let advice = advice.iter().map(|line| format!("do: {line}"));
    answer
        .details
        .splice(0..0, std::iter::once(headline).chain(advice));
}

/// What was left behind, with the look that it is about.
async fn diagnosis(arguments: &Arguments, past: &mut Past) -> Result<(Look, Diagnosis)> {
    let (connection, connected_in) = connect(arguments).await?;
    watchdog::stage("looking for what was left behind");
    let mut facts = Facts::of(connection);
    let seen = examine(&mut facts, past, Depth::Whole).await;
    facts.finish().await;
    watchdog::stage("judging");
    let seen = seen?;
    let diagnosis = seen.diagnosis();
    let look = Look {
        snapshot: seen.snapshot,
        connected_in,
        estimates: BTreeMap::new(),
        user_tables: None,
    };
    Ok((look, diagnosis))
}

/// The gate's verdict on the migrations, with the look that it is about.
async fn verdict(arguments: &Arguments, past: &mut Past) -> Result<(Look, Option<Verdict>)> {
    if arguments.migration.is_empty() {
        return Err(Error::Usage(
            "the mode migration needs a file or folder: --migration FILE".into(),
        ));
    }
    watchdog::stage("judging the migration");
    let started = Instant::now();
    let connect = ConnectArgs {
        host: arguments.host.clone(),
        port: arguments.port,
        user: arguments.user.clone(),
        dbname: arguments.dbname.clone(),
        timeout: arguments.timeout,
    };
    let config = config::of(arguments.judge.config.as_deref())?;
    let policy = look::policy(&arguments.judge, &config);
    let question = Question::new(&arguments.migration, &arguments.how, policy)?;
    let judged = question.now(&connect, past).await?;
    let look = Look {
        snapshot: judged.snapshot,
        connected_in: started.elapsed(),
        estimates: BTreeMap::new(),
        user_tables: None,
    };
    Ok((look, Some(judged.verdict)))
}

fn how(look: &Look) -> String {
    let server = &look.snapshot.server;
    format!(
        "looked as {} at database {} of a server of version {}, connected in {} ms: {} sessions, {} locks",
        server.user,
        server.datname,
        server.version_num,
        look.connected_in.as_millis(),
        look.snapshot.backends.len(),
        look.snapshot.locks.len()
    )
}

/// The connection by itself.
async fn connection(arguments: &Arguments) -> Result<Answer> {
    let (connection, took) = connect(arguments).await?;
    let thresholds = thresholds(arguments, "", "");
    let seconds = took.as_secs_f64();
    let server = connection.server();
    let text = format!(
        "connected to database {} as {} in {} ms, version {}{}",
        server.datname,
        server.user,
        took.as_millis(),
        server.major(),
        if server.in_recovery {
            ", a standby"
        } else {
            ""
        }
    );
    connection.close().await;
    Ok(Answer {
        state: thresholds.state_of(seconds),
        text,
        details: Vec::new(),
        figures: vec![Figure::seconds("connected_in", Some(seconds)).judged_by(thresholds)],
    })
}

/// What was given, or where nothing was, the mode's own.
fn thresholds(arguments: &Arguments, warning: &str, critical: &str) -> Thresholds {
    let given = Thresholds {
        warning: arguments.warning,
        critical: arguments.critical,
    };
    if given == Thresholds::default() {
        let read = |text: &str| text.parse::<Range>().ok();
        Thresholds {
            warning: read(warning),
            critical: read(critical),
        }
    } else {
        given
    }
}
