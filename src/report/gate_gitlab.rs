//! A gate's answer as GitLab's code quality shows it beside the lines of a merge request.

use super::explain_json::pretty;
use super::gate_findings::{Finding, GateView, Level, findings};
use serde_json::{Value, json};
use std::collections::HashMap;

/// The whole document: a list of issues. What is about no file is at the first line of the first one.
#[must_use]
pub fn gate_gitlab(view: &GateView) -> String {
    let found = findings(view);
    let first_file = view
        .footprint
        .statements
        .first()
        .map(|s| s.file.as_str())
        .filter(|file| !file.is_empty())
        .unwrap_or("-");
    let issues: Vec<Value> = found
        .iter()
        .zip(fingerprints(&found))
        .map(|(finding, fingerprint)| issue(finding, &fingerprint, first_file))
        .collect();
    pretty(&Value::Array(issues))
}

fn issue(finding: &Finding, fingerprint: &str, first_file: &str) -> Value {
    let severity = match finding.level {
        Level::Block | Level::Fail => "blocker",
        Level::Doubt => "major",
        Level::Note => "info",
    };
    let (path, line) = finding
        .place
        .as_ref()
        .filter(|place| !place.file.is_empty())
        .map_or((first_file, 1), |place| (place.file.as_str(), place.line));
    json!({
        "description": finding.text().replace('\n', " · "),
        "check_name": finding.rule.id,
        "fingerprint": fingerprint,
        "severity": severity,
        "location": {"path": path, "lines": {"begin": line}},
    })
}

/// What tells one finding from every other of this migration, and stays the same from run to run: the
/// rule, the file and the statement, not the line nor who is in the way.
#[must_use]
pub fn fingerprints(found: &[Finding]) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    found
        .iter()
        .map(|finding| {
            let place = finding.place.as_ref();
            let base = format!(
                "{}\0{}\0{}",
                finding.rule.id,
                place.map_or("", |p| p.file.as_str()),
                place.map_or("", |p| p.sql.as_str()),
            );
            let nth = seen.entry(base.clone()).or_default();
            *nth += 1;
            format!("{:016x}", fnv1a(format!("{base}\0{nth}").as_bytes()))
        })
        .collect()
}

/// FNV-1a of 64 bits: stable from version to version, unlike the standard library's.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
