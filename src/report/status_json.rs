//! `status` for programs: version 1, snake_case, RFC 3339 times, seconds as numbers, lock modes as SQL writes them.

use super::status::{Line, StatusReport};
use crate::model::{Backend, LockTarget, Role};
use crate::sessions::Party;
use crate::sessions::waits::Waiter;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

/// The whole report as one JSON document.
#[must_use]
pub fn status_json(report: &StatusReport<'_>) -> String {
    let mut text = serde_json::to_string_pretty(&status_value(report)).unwrap_or_default();
    text.push('\n');
    text
}

/// The same, as a value.
#[must_use]
pub fn status_value(report: &StatusReport<'_>) -> Value {
    let server = &report.snapshot.server;
    let lines = report.admitted();
    json!({
        "version": 1,
        "taken_at": time(Some(report.now())),
        "server": {
            "version_num": server.version_num,
            "database": server.datname,
            "user": server.user,
            "in_recovery": server.in_recovery,
            "sees_all": server.sees_all,
        },
        "summary": summary(report),
        "roots": report.waits.roots().iter().filter(|root| report.admits_party(root)).map(|root| {
            let mut value = party(report, root);
            value.insert("waiters".into(), report.waits.count_behind(root).into());
            Value::Object(value)
        }).collect::<Vec<_>>(),
        "waits": report.waits.waiters()
            .filter(|waiter| report.admits_party(&Party::Pid(waiter.pid)))
            .map(|waiter| wait(report, waiter)).collect::<Vec<_>>(),
        "sessions": lines.iter().map(|line| session(report, line)).collect::<Vec<_>>(),
        "prepared": report.snapshot.prepared.iter().map(|xact| json!({
            "gid": xact.gid,
            "owner": xact.owner,
            "database": xact.database,
            "prepared": time(Some(xact.prepared)),
            "seconds": seconds(report, Some(xact.prepared)),
            "waiters_behind": report.waits.count_behind(&Party::Prepared(xact.gid.clone())),
        })).collect::<Vec<_>>(),
    })
}

fn summary(report: &StatusReport<'_>) -> Value {
    let by_role: Map<String, Value> = Role::ALL
        .iter()
        .map(|role| {
            (
                role.word().to_owned(),
                report.sessions.in_role(*role).count().into(),
            )
        })
        .collect();
    let longest = report
        .waits
        .waiters()
        .filter_map(|waiter| waiter.since)
        .min();
    json!({
        "sessions": report.sessions.len(),
        "waiting": report.waits.waiters().count(),
        "longest_wait_seconds": seconds(report, longest),
        "masked_rows": report.snapshot.masked_rows(),
        "by_role": by_role,
        "findings": report.findings,
        "running": report.running,
    })
}

fn session(report: &StatusReport<'_>, line: &Line<'_>) -> Value {
    let (session, backend) = (line.session, line.backend);
    let mut value = backend_value(backend);
    value.insert("members".into(), json!(session.members));
    value.insert("role".into(), session.role.word().into());
    value.insert("certainty".into(), session.certainty.word().into());
    value.insert("evidence".into(), json!(session.evidence));
    value.insert("detail".into(), json!(session.detail));
    value.insert("seconds".into(), json!(seconds(report, line.since())));
    value.insert(
        "xact_seconds".into(),
        json!(seconds(report, backend.xact_start)),
    );
    value.insert(
        "state_seconds".into(),
        json!(seconds(report, backend.state_change)),
    );
    value.insert(
        "waiting".into(),
        report.waits.waiter(session.pid).is_some().into(),
    );
    value.insert(
        "waiters_behind".into(),
        report.waits.waiters_behind(session.pid).into(),
    );
    if let Some(backup) = &session.backup {
        value.insert(
            "backup".into(),
            json!({
                "tool": backup.tool,
                "blocks_ddl": backup.blocks_ddl,
                // How many: their oids are of no use outside the server, and there can be thousands.
                "tables": backup.tables.len(),
                "workers": backup.workers,
                "leaked": backup.leaked,
            }),
        );
        value.insert("estimate".into(), json!(report.estimates.get(&session.pid)));
    }
    Value::Object(value)
}

fn backend_value(backend: &Backend) -> Map<String, Value> {
    let value = json!({
        "pid": backend.pid,
        "backend_start": time(backend.backend_start),
        "identity": backend.identity().to_string(),
        "database": backend.datname,
        "user": backend.usename,
        "application_name": backend.application_name,
        "client_addr": backend.client_addr,
        "backend_type": backend.backend_type,
        "state": backend.state,
        "wait_event_type": backend.wait_event_type,
        "wait_event": backend.wait_event,
        "xact_start": time(backend.xact_start),
        "query_start": time(backend.query_start),
        "state_change": time(backend.state_change),
        "query": backend.query,
        "query_truncated": backend.query_truncated,
        "masked": backend.masked,
    });
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn wait(report: &StatusReport<'_>, waiter: &Waiter) -> Value {
    let mut value = party(report, &Party::Pid(waiter.pid));
    value.insert("target".into(), target(report, &waiter.target));
    value.insert("mode".into(), waiter.mode.sql().into());
    value.insert("since".into(), json!(time(waiter.since)));
    value.insert("seconds".into(), json!(seconds(report, waiter.since)));
    value.insert(
        "waiters_behind".into(),
        report.waits.waiters_behind(waiter.pid).into(),
    );
    let blockers = waiter.in_front.iter().map(|front| {
        let mut value = party(report, &front.party);
        value.insert("mode".into(), front.mode.sql().into());
        value.insert("granted".into(), front.granted.into());
        Value::Object(value)
    });
    value.insert("blockers".into(), blockers.collect());
    Value::Object(value)
}

/// What a lock is on: the view's columns, a relation by oid and (where it is one of the own database) by name.
fn target(report: &StatusReport<'_>, target: &LockTarget) -> Value {
    let mut value = json!(target);
    if let (
        LockTarget::Relation { database, relation }
        | LockTarget::Tuple {
            database, relation, ..
        },
        Value::Object(map),
    ) = (target, &mut value)
    {
        let own = *database == report.snapshot.server.datid || *database == 0;
        let name = report
            .snapshot
            .relations
            .get(relation)
            .filter(|_| own)
            .map(|locked| &locked.name);
        map.insert("oid".into(), json!(relation));
        map.insert("schema".into(), json!(name.map(|name| &name.schema)));
        map.insert("relation".into(), json!(name.map(|name| &name.relation)));
    }
    value
}

fn party(report: &StatusReport<'_>, party: &Party) -> Map<String, Value> {
    let mut value = Map::new();
    match party {
        Party::Pid(pid) => {
            let line = report.line(*pid);
            let role = line.map(|line| line.session.role.word());
            let identity = line.map(|line| line.backend.identity());
            value.insert("pid".into(), json!(pid));
            value.insert("gid".into(), Value::Null);
            value.insert(
                "backend_start".into(),
                json!(time(identity.and_then(|i| i.backend_start))),
            );
            value.insert("identity".into(), json!(identity.map(|i| i.to_string())));
            value.insert("role".into(), json!(role));
        }
        Party::Prepared(gid) => {
            value.insert("pid".into(), Value::Null);
            value.insert("gid".into(), json!(gid));
            value.insert("role".into(), json!("prepared"));
        }
    }
    value
}

fn time(at: Option<DateTime<Utc>>) -> Option<String> {
    at.map(|at| at.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// Seconds since then, to the millisecond.
fn seconds(report: &StatusReport<'_>, since: Option<DateTime<Utc>>) -> Option<f64> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "2^53 milliseconds are 285,000 years"
    )]
    report
        .age(since)
        .map(|age| age.num_milliseconds() as f64 / 1000.0)
}
