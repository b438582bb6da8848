//! `pgguard run --attach`: a run's log from its start, then what comes.

use super::folder::{self, RunFolder, State, is_alive};
use crate::cli::RunArgs;
use crate::config;
use crate::door::{self, Form, Stream};
use crate::history::{History, WhichRuns};
use crate::look::running::goes_on;
use crate::model::MigrationRun;
use crate::{Error, Result};
use chrono::Utc;
use std::fs::File;
use std::io::Read as _;
use std::time::Duration;

/// The exit status where that of the run is unknown: never 0.
const UNKNOWN: u8 = 2;

/// Between two looks at the log.
const PAUSE: Duration = Duration::from_millis(200);

/// Between two looks at the history of another machine's run.
const FAR_PAUSE: Duration = Duration::from_secs(2);

/// The number of the newest runs among which one that has not ended is looked for.
const LATEST: u32 = 20;

/// Shows a run, and gives its exit status once it has ended. An empty name: the newest run that has not ended, else the
/// newest of all.
///
/// # Errors
/// When there is no such run.
pub async fn run(args: &RunArgs, which: &str) -> Result<u8> {
    let config = config::of(args.judge.config.as_deref())?;
    let place = args
        .history
        .history
        .as_deref()
        .or(config.history.as_deref());
    let known = newest(place, which).await?;
    let name = match (&known, which) {
        (Some(run), _) => run.run.clone(),
        (None, "") => folder::known().pop().unwrap_or_default(),
        (None, which) => which.to_owned(),
    };
    let log = RunFolder::of(&name).and_then(|folder| File::open(folder.log()).ok());
    match (log, known) {
        (Some(log), known) => follow(log, &name, place, known).await,
        (None, Some(run)) => from_afar(run, place).await,
        (None, None) => Err(Error::Usage(format!(
            "no run {name} is known here; pgguard run --list shows those that are"
        ))),
    }
}

async fn newest(place: Option<&str>, which: &str) -> Result<Option<MigrationRun>> {
    let mut history = History::open(place).await?;
    let which = WhichRuns {
        run: Some(which.to_owned()).filter(|name| !name.is_empty()),
        limit: Some(LATEST),
        ..WhichRuns::default()
    };
    let found = history.migration_runs(&which).await?;
    history.close().await;
    // One that was refused because another runs is newer, and not what is asked for.
    let going = found.iter().find(|run| goes_on(run, Utc::now()));
    let started = found.iter().find(|run| run.facts.begun.is_some());
    Ok(going.or(started).or(found.first()).cloned())
}

/// The log, to its end and to that of the run. Leaving it does nothing to the run.
async fn follow(
    mut log: File,
    name: &str,
    place: Option<&str>,
    known: Option<MigrationRun>,
) -> Result<u8> {
    let mut known = known;
    loop {
        // Whether it is over is asked first: what is written before its end is then read whole.
        let state = state(name, known.as_ref());
        let mut bytes = Vec::new();
        let _ = log.read_to_end(&mut bytes);
        if door::pass_on(Stream::Out, &bytes).is_err() {
            return Ok(141);
        }
        if let State::Over(status) = state {
            return Ok(status_of(status.or(known.and_then(|run| run.exit_status))));
        }
        tokio::time::sleep(PAUSE).await;
        known = newest(place, name).await?.or(known);
    }
}

/// By what its process has noted, else by what the history knows.
fn state(name: &str, known: Option<&MigrationRun>) -> State {
    let noted = RunFolder::of(name).and_then(|folder| folder.state());
    noted.unwrap_or_else(|| match known {
        Some(run) if run.ended.is_none() && is_alive(run.pid, None) => State::GoesOn,
        _ => State::Over(None),
    })
}

/// The run's own; of one that was killed nobody knows it.
fn status_of(noted: Option<u8>) -> u8 {
    noted.unwrap_or_else(|| {
        door::say("how it ended is unknown: pgguard was killed; see pgguard doctor");
        UNKNOWN
    })
}

/// What the history says of a run of another machine: state, not log.
async fn from_afar(mut run: MigrationRun, place: Option<&str>) -> Result<u8> {
    let mut said = String::new();
    loop {
        let line = format!("{} on {}: {}\n", run.run, run.host, run.facts.told);
        if line != said {
            door::print(Form::Lines, &line)?;
            said = line;
        }
        if run.ended.is_some() {
            door::print(Form::Lines, &format!("{}\n", run.result.in_words()))?;
            return Ok(status_of(run.exit_status));
        }
        tokio::time::sleep(FAR_PAUSE).await;
        if let Some(now) = newest(place, &run.run.clone()).await? {
            run = now;
        }
    }
}
