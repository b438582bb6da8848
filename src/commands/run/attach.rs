//! `pgguard run --attach`: a run's log from its start, then what comes.

use super::folder::{self, RunFolder, is_alive};
use crate::cli::RunArgs;
use crate::config;
use crate::door::{self, Form, Stream};
use crate::history::{History, WhichRuns};
use crate::model::MigrationRun;
use crate::{Error, Result};
use std::fs::File;
use std::io::Read as _;
use std::time::Duration;

/// Between two looks at the log.
const PAUSE: Duration = Duration::from_millis(200);

/// Between two looks at the history of another machine's run.
const FAR_PAUSE: Duration = Duration::from_secs(2);

/// Shows a run; its exit status once it has ended. An empty name: the newest.
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
        limit: Some(1),
        ..WhichRuns::default()
    };
    let found = history.migration_runs(&which).await?.pop();
    history.close().await;
    Ok(found)
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
        let is_over = known
            .as_ref()
            .is_none_or(|run| run.ended.is_some() || !is_alive(run.pid, None));
        let mut bytes = Vec::new();
        let _ = log.read_to_end(&mut bytes);
        if door::pass_on(Stream::Out, &bytes).is_err() {
            return Ok(141);
        }
        if is_over {
            return Ok(known.and_then(|run| run.exit_status).unwrap_or(0));
        }
        tokio::time::sleep(PAUSE).await;
        known = newest(place, name).await?.or(known);
    }
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
            return Ok(run.exit_status.unwrap_or(0));
        }
        tokio::time::sleep(FAR_PAUSE).await;
        if let Some(now) = newest(place, &run.run.clone()).await? {
            run = now;
        }
    }
}
