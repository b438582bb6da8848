//! A gate's answer as SARIF 2.1.0, for code scanning.

use super::explain_json::pretty;
use super::gate_findings::findings;
use super::gate_gitlab::fingerprints;
use super::gate_view::{Finding, GateView, Level, RULES};
use serde_json::{Value, json};

/// The whole document: a run for each server.
#[must_use]
pub fn gate_sarif(views: &[GateView]) -> String {
    let runs: Vec<Value> = views.iter().map(run).collect();
    pretty(&json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": runs,
    }))
}

fn run(view: &GateView) -> Value {
    let found = findings(view);
    let results: Vec<Value> = found
        .iter()
        .zip(fingerprints(&found, ""))
        .map(|(finding, fingerprint)| result(finding, &fingerprint))
        .collect();
    let rules: Vec<Value> = RULES
        .iter()
        .map(|rule| json!({"id": rule.id, "shortDescription": {"text": rule.meaning}}))
        .collect();
    let status = view.verdict.answer.exit_status();
    json!({
            "tool": {"driver": {
                "name": "pgguard",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": status != 2,
                "exitCode": status,
                "exitCodeDescription": view.verdict.answer.headline(),
                "endTimeUtc": view.taken_at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            }],
            "results": results,
    })
}

fn result(finding: &Finding, fingerprint: &str) -> Value {
    let level = match finding.level {
        Level::Block | Level::Fail | Level::Doubt => "error",
        Level::Note => "note",
    };
    let locations: Vec<Value> = finding
        .place
        .iter()
        .filter_map(|place| {
            Some(json!({"physicalLocation": {
                "artifactLocation": {"uri": uri(place.path()?)},
                "region": {"startLine": place.line},
            }}))
        })
        .collect();
    let mut result = json!({
        "ruleId": finding.rule.id,
        "ruleIndex": RULES.iter().position(|rule| rule.id == finding.rule.id),
        "level": level,
        "message": {"text": finding.text()},
        "partialFingerprints": {"pgguard/v1": fingerprint},
    });
    if !locations.is_empty() {
        result["locations"] = json!(locations);
    }
    result
}

/// A path as a relative reference (RFC 3986): everything but unreserved characters and `/` escaped.
fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
