//! A gate's answer as GitLab's code quality shows it next to the lines of a merge request.

use super::explain_json::pretty;
use super::gate_findings::findings;
use super::gate_view::{Finding, GateView, Level, place, run_instead};
use serde_json::{Value, json};
use std::collections::HashMap;

/// The whole document: a list of issues, of all servers. What is about no file is at the first line of the
/// first one, since GitLab shows no issue without a path.
#[must_use]
pub fn gate_gitlab(views: &[GateView]) -> String {
    // One server's name is left out: a database made for each run of a pipeline is called anything.
    let several = views.len() > 1;
    let issues: Vec<Value> = views
        .iter()
        .flat_map(|view| of_server(view, if several { view.database } else { "" }))
        .collect();
    pretty(&Value::Array(issues))
}

fn of_server(view: &GateView, server: &str) -> Vec<Value> {
    let found = findings(view);
    let first_file = (0..view.footprint.statements.len())
        .find_map(|index| Some(place(view.footprint, index)?.path()?.to_owned()));
    let first_file = first_file.unwrap_or_else(|| NO_FILE.to_owned());
    found
        .iter()
        .zip(fingerprints(&found, server))
        .map(|(finding, fingerprint)| issue(finding, &fingerprint, &first_file))
        .collect()
}

/// The path of what is in no file: a migration from standard input, or none at all.
const NO_FILE: &str = "standard input";

fn issue(finding: &Finding, fingerprint: &str, first_file: &str) -> Value {
    let severity = match finding.level {
        Level::Block | Level::Fail => "blocker",
        Level::Doubt => "major",
        Level::Note => "info",
    };
    let place = finding.place.as_ref();
    let in_file = place.and_then(|place| Some((place.path()?, place.line)));
    let (path, line) = in_file.unwrap_or((first_file, 1));
    json!({
        "description": description(finding),
        "check_name": finding.rule.id,
        "fingerprint": fingerprint,
        "severity": severity,
        "location": {"path": path, "lines": {"begin": line}},
        "content": {"body": finding.text()},
    })
}

/// GitLab shows a description on one line: what, who is the first in the way, until when, what to do first. All
/// of it is in the body.
fn description(finding: &Finding) -> String {
    let first = finding.facts.first();
    let clears = finding.facts.iter().find(|(label, _)| *label == "clears");
    let facts = [first, clears].into_iter().flatten();
    let facts = facts.map(|(label, text)| format!("{label}: {text}"));
    let first = finding.advice.first().cloned();
    let advice = finding.safer.as_ref().map(run_instead).or(first);
    let advice = advice.map(|text| format!("do: {text}"));
    std::iter::once(finding.title.clone())
        .chain(facts)
        .chain(advice)
        .collect::<Vec<_>>()
        .join("; ")
}

/// What tells one finding from every other of this migration, and stays the same from run to run: the
/// rule, the file, the statement and the server, not the line nor who is in the way.
#[must_use]
pub fn fingerprints(found: &[Finding], server: &str) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    found
        .iter()
        .map(|finding| {
            let place = finding.place.as_ref();
            let base = format!(
                "{}\0{server}\0{}\0{}",
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
