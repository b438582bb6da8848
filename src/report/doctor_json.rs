//! `doctor` for programs.

use crate::doctor::{Diagnosis, Finding};
use crate::model::Server;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

/// The report as one JSON document.
#[must_use]
pub fn doctor_json(diagnosis: &Diagnosis, server: &Server, at: DateTime<Utc>) -> String {
    let document = json!({
        "version": 1,
        "taken_at": time(at),
        "database": server.datname,
        "server_version": server.version_num,
        "found": diagnosis.count(),
        "findings": diagnosis.findings.iter().map(finding).collect::<Vec<Value>>(),
        "notes": diagnosis.notes,
        "not_seen": diagnosis.unread.iter().map(|unread| json!({
            "what": unread.what,
            "help": (!unread.help.is_empty()).then_some(&unread.help),
        })).collect::<Vec<Value>>(),
    });
    format!("{document:#}\n")
}

fn finding(finding: &Finding) -> Value {
    let remedy = &finding.remedy;
    let has_command = !remedy.command.is_empty();
    json!({
        "kind": finding.kind.word(),
        "harm": finding.harm.word(),
        "certainty": finding.certainty.word(),
        "what": finding.what,
        "schema": finding.relation.as_ref().map(|name| &name.schema),
        "relation": finding.relation.as_ref().map(|name| &name.relation),
        "pid": finding.session.map(|session| session.pid),
        "identity": finding.session.map(|session| session.to_string()),
        "since": finding.since.map(time),
        "proof": finding.proof,
        "cost": finding.cost,
        "advice": remedy.advice,
        "command": has_command.then_some(&remedy.command),
        "run_in": has_command.then(|| remedy.place.word()),
    })
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
