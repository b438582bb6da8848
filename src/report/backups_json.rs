//! `backups` for programs.

use super::backups::BackupsReport;
use crate::backup::Kind;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

/// The report as one JSON document.
#[must_use]
pub fn backups_json(report: &BackupsReport) -> String {
    let running = report.running.as_ref().map(|running| {
        running
            .iter()
            .map(|backup| {
                json!({
                    "pid": backup.pid,
                    "tool": backup.tool,
                    "database": backup.database,
                    "user": backup.user,
                    "started": backup.started.map(time),
                    "estimate": backup.estimate,
                })
            })
            .collect::<Vec<_>>()
    });
    let value = json!({
        "version": 1,
        "taken_at": time(report.now),
        "history": report.history,
        "running": running,
        "next": report.next.as_ref().map(|next| json!({
            "starts": time(next.starts),
            "ends": next.ends.map(time),
            "basis": next.basis,
            "meets_migrations": next.kind == Kind::Logical,
        })),
        "known_runs": report.known_runs,
        "runs": report.runs.iter().map(|run| json!({
            "server": run.key.server,
            "database": run.key.database,
            "tool": run.key.tool,
            "user": run.key.user,
            "application_name": run.key.application_name,
            "started": time(run.started),
            "ended": time(run.ended),
            "seconds": (run.ended - run.started).as_seconds_f64(),
            "outcome": run.outcome,
            "workers": run.workers,
            "database_bytes": (run.database_bytes > 0).then_some(run.database_bytes),
            "source": run.source,
        })).collect::<Vec<Value>>(),
        "notes": report.notes,
    });
    serde_json::to_string_pretty(&value).unwrap_or_default() + "\n"
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
