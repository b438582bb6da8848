//! A footprint for programs.

use crate::model::{Footprint, Hold, LockRequest, SaferForm, Statement, WaitPhase};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// By `docs/schemas/explain.json`.
#[must_use]
pub fn explain_json(footprint: &Footprint, forms: &[Option<SaferForm>]) -> String {
    let mut holds: BTreeMap<usize, Vec<Value>> = BTreeMap::new();
    for found in crate::hold::of(footprint, &crate::hold::Pace::default()) {
        let of_it = holds.entry(found.statement).or_default();
        of_it.push(hold(&found, footprint));
    }
    let statements = footprint.statements.iter().enumerate();
    let told = statements.map(|(index, asked)| {
        let mut value = statement(asked);
        value["holds"] = json!(holds.remove(&index).unwrap_or_default());
        let form = forms.get(index).and_then(Option::as_ref);
        value["safer"] = json!(form);
        value
    });
    let frame = json!({"version": 1, "rehearsal": footprint.rehearsal()});
    pretty_with(frame, "statements", told)
}

/// As [`pretty`], with a list in it whose items are written one by one: the values of a long run would take many times
/// its text.
#[must_use]
pub fn pretty_with(mut document: Value, name: &str, items: impl Iterator<Item = Value>) -> String {
    document[name] = json!([]);
    let frame = pretty(&document);
    let place = format!("\"{name}\": []");
    let Some((before, after)) = frame.split_once(&place) else {
        return frame;
    };
    let mut text = format!("{before}\"{name}\": [");
    let mut is_first = true;
    for item in items {
        let item = format!("{item:#}").replace('\n', "\n    ");
        text.push_str(if is_first { "\n    " } else { ",\n    " });
        text.push_str(&item);
        is_first = false;
    }
    text.push_str(if is_first { "]" } else { "\n  ]" });
    text.push_str(after);
    text
}

/// A document as text, with its newline at the end.
#[must_use]
pub fn pretty(document: &Value) -> String {
    format!("{document:#}\n")
}

/// One statement of a footprint.
#[must_use]
pub fn statement(statement: &Statement) -> Value {
    let mut value = json!({
        "file": statement.file,
        "line": statement.line,
        "sql": statement.sql,
        "command": statement.command,
        "locks": statement.locks.iter().map(lock).collect::<Vec<_>>(),
        "waits_for": waits_for(statement),
        "opaque": statement.opaque,
        "phases": statement.phases,
        "advisory": statement.advisory,
        "transaction": statement.transaction,
        "fails": statement.fails,
        "fails_for_certain": statement.fails_for_certain,
        "lock_timeout_s": statement.lock_timeout_ms.map(seconds),
        "statement_timeout_s": statement.statement_timeout_ms.map(seconds),
        "notes": statement.notes,
    });
    if let Some(measured) = &statement.measured {
        value["measured"] = json!(measured);
    }
    value
}

/// Milliseconds as seconds.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a timeout has at most 31 bits")]
pub fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// How long a lock keeps others out.
#[must_use]
pub fn hold(hold: &Hold, footprint: &Footprint) -> Value {
    json!({
        "schema": hold.name.schema,
        "relation": hold.name.relation,
        "oid": hold.oid,
        "kind": hold.kind,
        "mode": hold.mode,
        "keeps_out": hold.mode.keeps_out(),
        "expected_s": hold.time.expected,
        "earliest_s": hold.time.earliest,
        "latest_s": hold.time.latest,
        "until_line": footprint.statements.get(hold.until).map(|s| s.line),
        "basis": hold.basis,
        "disk_bytes": hold.disk_bytes.round(),
        "unknown": hold.unknown,
    })
}

/// What it waits for besides its locks, each word once.
fn waits_for(statement: &Statement) -> Vec<&'static str> {
    let mut words: Vec<&'static str> = statement
        .phases
        .iter()
        .filter_map(WaitPhase::word)
        .collect();
    if statement.locks.iter().any(|lock| lock.rows.is_some()) {
        words.push("rows");
    }
    let mut seen = Vec::new();
    words.retain(|word| {
        let new = !seen.contains(word);
        seen.push(*word);
        new
    });
    words
}

fn lock(lock: &LockRequest) -> Value {
    json!({
        "schema": lock.name.schema,
        "relation": lock.name.relation,
        "oid": lock.oid,
        "kind": lock.kind,
        "mode": lock.mode,
        "named": lock.named,
        "reason": lock.reason,
        "work": lock.work,
        "transient": lock.transient,
        "own": lock.own,
        "nowait": lock.nowait,
        "possible": lock.possible,
        "bytes": lock.bytes,
    })
}
