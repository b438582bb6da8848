//! `pgguard backups`: past runs, the running ones, the next one; recording, export and import.

mod record;

use super::screen;
use crate::cli::{BackupsAction, BackupsArgs, Color, ConnectArgs, Format, HistoryArgs, RecordArgs};
use crate::config;
use crate::door::file::Access;
use crate::door::{self, Form};
use crate::history::{Document, History};
use crate::look::facts::Facts;
use crate::look::past::Past;
use crate::look::schedulers;
use crate::model::Snapshot;
use crate::report::{self, BackupsReport, RunningBackup};
use crate::sessions::understand;
use crate::{Error, Result};
use chrono::Utc;
use std::io::Read as _;
use std::path::Path;

/// Runs the command.
///
/// # Errors
/// When the history cannot be used for what was asked.
pub async fn run(args: BackupsArgs, color: Color) -> Result<u8> {
    match args.action {
        None => show(args, color).await,
        Some(BackupsAction::Record {
            connect,
            history,
            command,
        }) => Ok(record::run(&connect, &history, &command).await),
        Some(BackupsAction::Export { file, history }) => export(file.as_deref(), &history).await,
        Some(BackupsAction::Import { file, history }) => import(&file, &history).await,
        Some(BackupsAction::Init { history }) => init(&history).await,
    }
}

async fn show(args: BackupsArgs, color: Color) -> Result<u8> {
    let config = args.config.as_deref().map(config::read).transpose()?;
    let config = config.unwrap_or_default();
    let mut past = Past::new(&args.history, &config, false).sampling(args.sample);
    let mut notes = Vec::new();
    let mut looked = match look(&args.connect, &mut past).await {
        Ok(looked) => Some(looked),
        Err(error) => {
            notes.push(format!("running backups are not shown: {error}"));
            None
        }
    };
    let server = looked
        .as_ref()
        .map(|(_, snapshot, _)| snapshot.server.history_key());
    // A file that cannot be used is the answer to this command, not a note.
    let mut runs = past.runs_of(server.as_deref()).await?;
    let now = looked
        .as_ref()
        .map_or_else(Utc::now, |(_, s, _)| s.taken_at);
    let seen = looked
        .as_mut()
        .map(|(facts, snapshot, _)| schedulers::Seen { facts, snapshot });
    let which = schedulers::Which::All;
    let (next, wrong) = schedulers::next_backup(which, &config, &runs, seen, now).await;
    notes.extend(wrong);
    let known_runs = runs.len();
    runs.truncate(usize::try_from(args.last).unwrap_or(usize::MAX));
    let running = match looked {
        Some((facts, _, running)) => {
            facts.finish().await;
            Some(running)
        }
        None => None,
    };
    let report = BackupsReport {
        now,
        history: past.place(),
        runs,
        known_runs,
        running,
        next,
        notes,
    };
    match args.format {
        Format::Text => door::print(
            Form::Lines,
            &report::backups_text(&report, screen::page(color)),
        ),
        Format::Json => door::print(Form::Json, &report::backups_json(&report)),
    }?;
    past.warn();
    past.close().await;
    Ok(0)
}

/// One look, with the backups in it.
async fn look(
    connect: &ConnectArgs,
    past: &mut Past,
) -> Result<(Facts, Snapshot, Vec<RunningBackup>)> {
    let mut facts = Facts::open(connect, &RecordArgs::default(), 0).await?;
    let snapshot = past.look(&mut facts).await?;
    let sessions = understand(&snapshot);
    let mut estimates = past.estimates(&mut facts, &snapshot, &sessions).await;
    let running = sessions.iter().filter_map(|session| {
        let backup = session.backup.as_ref()?;
        let leader = snapshot.backend(session.pid)?;
        let estimate = estimates.remove(&session.pid);
        let begun = leader.xact_start.or(leader.backend_start);
        Some(RunningBackup {
            pid: session.pid,
            tool: backup.tool.word().to_owned(),
            database: leader.datname.clone().unwrap_or_default(),
            user: leader.usename.clone().unwrap_or_default(),
            started: estimate.as_ref().map(|e| e.started).or(begun),
            estimate,
        })
    });
    let running: Vec<RunningBackup> = running.collect();
    Ok((facts, snapshot, running))
}

/// The history that was asked for, which has to be there.
async fn open(args: &HistoryArgs) -> Result<History> {
    if args.no_history {
        return Err(Error::Usage(
            "--no-history leaves nothing to do here; name a place with --history, or leave it out"
                .into(),
        ));
    }
    History::open(args.history.as_deref()).await
}

async fn export(file: Option<&Path>, args: &HistoryArgs) -> Result<u8> {
    let mut history = open(args).await?;
    let document = history.export().await?;
    history.close().await;
    match file {
        Some(path) => {
            let text = Form::Json.made_safe(&document.to_json());
            door::file::replace(path, Access::Usual, text.as_bytes()).map_err(|error| {
                Error::File {
                    what: "write",
                    path: path.display().to_string(),
                    why: error.to_string(),
                }
            })?;
        }
        None => door::print(Form::Json, &document.to_json())?,
    }
    Ok(0)
}

async fn import(file: &Path, args: &HistoryArgs) -> Result<u8> {
    let failed = |error: std::io::Error| Error::File {
        what: "read",
        path: file.display().to_string(),
        why: error.to_string(),
    };
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(failed)?;
        text
    } else {
        std::fs::read_to_string(file).map_err(failed)?
    };
    let document = Document::read(&text, &file.display().to_string())?;
    let mut history = open(args).await?;
    let added = history.import(&document).await?;
    door::print(
        Form::Lines,
        &format!(
            "{}: {} runs read, {} of them new; {} signals read, {} of them new\n",
            history.place(),
            added.runs,
            added.new_runs,
            added.signals,
            added.new_signals
        ),
    )?;
    history.close().await;
    Ok(0)
}

async fn init(args: &HistoryArgs) -> Result<u8> {
    let history = History::init(args.history.as_deref()).await?;
    door::print(
        Form::Lines,
        &format!(
            "{}: the history is there. Others use it with --history, PGGUARD_HISTORY or `history = …` in a configuration file.\n",
            history.place()
        ),
    )?;
    history.close().await;
    Ok(0)
}
