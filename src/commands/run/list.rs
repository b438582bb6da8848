//! `pgguard run --list`

use super::page;
use crate::Result;
use crate::cli::{Format, RunArgs};
use crate::config;
use crate::door::{self, Form};
use crate::history::{History, WhichRuns};
use crate::model::MigrationRun;
use crate::words::{Zone, clock, span};
use chrono::Utc;
use std::fmt::Write as _;

/// Shows the runs, the newest first.
///
/// # Errors
/// When the history cannot be read.
pub async fn run(args: &RunArgs) -> Result<u8> {
    for page in page::sweep() {
        door::say(&format!(
            "removed the maintenance page of a killed run: {}",
            page.display()
        ));
    }
    let config = config::of(args.judge.config.as_deref())?;
    let place = args
        .history
        .history
        .as_deref()
        .or(config.history.as_deref());
    let mut history = History::open(place).await?;
    let which = WhichRuns {
        limit: Some(args.last),
        ..WhichRuns::default()
    };
    let runs = history.migration_runs(&which).await?;
    history.close().await;
    match args.format {
        Format::Json => door::print(Form::Json, &json(&runs))?,
        Format::Text => door::print(Form::Lines, &text(&runs))?,
    }
    Ok(0)
}

fn json(runs: &[MigrationRun]) -> String {
    format!("{:#}\n", serde_json::json!({ "version": 1, "runs": runs }))
}

fn text(runs: &[MigrationRun]) -> String {
    if runs.is_empty() {
        return "no runs yet\n".into();
    }
    let mut out = String::new();
    for run in runs {
        let until = run.ended.unwrap_or_else(Utc::now);
        let _ = writeln!(
            out,
            "{}  {}, {} on {}, {}, {}",
            run.run,
            clock(&Zone::local(), run.started, Utc::now()),
            span(until - run.started),
            run.host,
            run.database,
            run.result.in_words()
        );
        let _ = writeln!(out, "  {}", run.command.join(" "));
        let _ = writeln!(out, "  {}", run.facts.told);
    }
    out
}
