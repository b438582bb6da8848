//! A gate's answer for programs: the footprint as `explain` tells it, with the waits added.

use super::explain_json::{hold, pretty_with, seconds, statement};
use super::gate_view::{GateView, answer_on};
use crate::model::{Behind, Blocker, Held, StatementVerdict, Wait};
use serde_json::{Value, json};

/// By `docs/schemas/gate.json`.
#[must_use]
pub fn gate_json(view: &GateView) -> String {
    pretty_with(frame(view), "statements", statements(view))
}

/// The document as a value, for a list of several targets.
#[must_use]
pub fn gate_value(view: &GateView) -> Value {
    let mut document = frame(view);
    document["statements"] = statements(view).collect();
    document
}

fn statements<'a>(view: &'a GateView) -> impl Iterator<Item = Value> + 'a {
    let verdicts = view.verdict.statements.iter();
    let asked = view.footprint.statements.iter().zip(verdicts).enumerate();
    asked.map(|(index, (asked, verdict))| {
        let mut value = statement(asked);
        add_answer(&mut value, view, index, verdict);
        value
    })
}

/// The document without its statements.
fn frame(view: &GateView) -> Value {
    json!({
        "version": 1,
        "verdict": view.verdict.answer.word(),
        "exit_status": view.exit_status(),
        "database": view.database,
        "taken_at": view.taken_at,
        "live": !view.of_catalog,
        "rehearsal": view.footprint.rehearsal(),
        "outage": view.outage().map(|(headline, _)| headline),
        "doubts": view.verdict.doubts,
        "warnings": view.verdict.warnings,
        "accepted": view.verdict.accepted,
        "running": view.verdict.running,
        "forecast": view.forecast,
    })
}

fn add_answer(value: &mut Value, view: &GateView, index: usize, verdict: &StatementVerdict) {
    value["verdict"] = json!(answer_on(view.verdict, index).word());
    value["waits"] = verdict.waits.iter().map(wait).collect();
    value["holds"] = verdict
        .holds
        .iter()
        .map(|held| hold_with(held, view))
        .collect();
    value["behind"] = json!(verdict.behind.as_ref().map(behind));
    value["safer"] = json!(verdict.safer);
    value["lock_timeout_s"] = json!(verdict.lock_timeout_ms.map(seconds));
    if let Some(notes) = value["notes"].as_array_mut() {
        notes.extend(verdict.notes.iter().map(|note| json!(note)));
    }
}

fn wait(wait: &Wait) -> Value {
    json!({
        "schema": wait.name.as_ref().map(|n| &n.schema),
        "relation": wait.name.as_ref().map(|n| &n.relation),
        "oid": wait.oid,
        "object": wait.object,
        "mode": wait.mode,
        "kind": wait.kind,
        "counts": wait.counts,
        "clears_by": wait.clears_by,
        "fails": wait.fails,
        "blocker": blocker(&wait.blocker),
        "clears": wait.clears,
    })
}

fn hold_with(held: &Held, view: &GateView) -> Value {
    let mut value = hold(&held.hold, view.footprint);
    value["sessions_now"] = json!(held.users.sessions_now);
    value["per_minute"] = json!(held.users.per_minute);
    value["too_long"] = json!(held.over_s.is_some());
    value["max_hold_s"] = json!(held.over_s);
    value
}

fn blocker(blocker: &Blocker) -> Value {
    json!({
        "pid": blocker.pid,
        "gid": blocker.gid,
        "role": blocker.role,
        "application_name": blocker.application_name,
        "user": blocker.user,
        "state": blocker.state,
        "mode": blocker.mode,
        "granted": blocker.granted,
        "since": blocker.since,
        "backend_start": blocker.backend_start,
        "detail": blocker.detail,
        "advice": blocker.advice,
    })
}

fn behind(behind: &Behind) -> Value {
    json!({
        "schema": behind.name.schema,
        "relation": behind.name.relation,
        "sessions_now": behind.sessions_now,
        "per_minute": behind.per_minute,
        "what": behind.what,
    })
}
