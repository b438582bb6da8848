//! Public implementations judge what pgguard reads and writes: nagiosplugin the ranges, prometheus_client
//! the OpenMetrics text, jsonschema SARIF, junitparser JUnit. `PGGUARD_TEST_PYTHON` names a Python that has them
//! (`pip install nagiosplugin prometheus_client jsonschema junitparser`); where the packages are missing, the test says so and
//! passes, unless that variable is set.

use crate::common::{self, Dump, pgguard};
use pgguard::test_support::check::Range;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// What a Python program answers; `None` where it has not the package.
pub fn python(package: &str, program: &str, input: &str) -> Option<String> {
    let asked = std::env::var("PGGUARD_TEST_PYTHON").ok();
    let name = asked.clone().unwrap_or_else(|| "python3".into());
    let has = Command::new(&name)
        .args(["-c", &format!("import {package}")])
        .stderr(Stdio::null())
        .status();
    if !has.is_ok_and(|status| status.success()) {
        assert!(asked.is_none(), "{name} has no {package}");
        println!("skipped: {name} has no {package}");
        return None;
    }
    let mut child = Command::new(&name)
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

const JUDGE: &str = "
import sys, nagiosplugin
values = [float(v) for v in sys.stdin.readline().split()]
for line in sys.stdin:
    text = line.rstrip('\\n')
    try:
        r = nagiosplugin.Range(text)
        print(''.join('.' if v in r else '!' for v in values))
    except Exception:
        print('error')
";

#[test]
fn ranges_mean_what_nagiosplugin_says() {
    let values = [
        -100.0, -10.5, -10.0, -1.0, 0.0, 0.5, 5.0, 9.9, 10.0, 10.1, 20.0, 1e9,
    ];
    let ends = [
        "", "~", "0", "10", "-10", "0.5", "20", "-1", "5.0", "a", "1e",
    ];
    let mut texts = Vec::new();
    for inside in ["", "@"] {
        for start in ends {
            // The empty text is no limit to nagiosplugin and a mistake to us: `-w \"\"` is a variable that was not set.
            if !start.is_empty() {
                texts.push(format!("{inside}{start}"));
            }
            texts.extend(ends.iter().map(|end| format!("{inside}{start}:{end}")));
        }
    }
    let list = |numbers: &[f64]| {
        numbers
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let input = format!("{}\n{}\n", list(&values), texts.join("\n"));
    let Some(judged) = python("nagiosplugin", JUDGE, &input) else {
        return;
    };
    let judged: Vec<&str> = judged.lines().collect();
    assert_eq!(judged.len(), texts.len());
    let mut accepted = 0;
    for (text, theirs) in texts.iter().zip(judged) {
        let ours = text.parse::<Range>().map_or_else(
            |_| "error".to_owned(),
            |range| {
                accepted += 1;
                values
                    .iter()
                    .map(|v| if range.alerts(*v) { '!' } else { '.' })
                    .collect()
            },
        );
        assert_eq!(ours, theirs, "{text:?}");
    }
    assert!(
        accepted > 50,
        "{accepted} of {} texts are ranges",
        texts.len()
    );
}

const PARSE: &str = "
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()):
    for s in family.samples:
        print(family.type, s.name, sorted(s.labels.items()), float(s.value))
";

#[test]
fn open_metrics_are_read_by_prometheus_own_parser() {
    let shop = common::shop();
    let odd = "a \"b\\ c";
    let quoted = odd.replace('"', "\"\"");
    shop.sql(&format!("CREATE DATABASE \"{quoted}\""));
    let _there = common::Session::connect(shop.server, &shop.server.url(odd), "odd");
    let _dump = Dump::stalled(&shop);
    let metrics = pgguard(["check", "-d", &shop.url(), "--format", "openmetrics"]);
    assert_eq!(metrics.status, 0, "{metrics}");
    let Some(parsed) = python("prometheus_client", PARSE, &metrics.stdout) else {
        return;
    };
    for part in [
        "gauge pgguard_up [] 1.0".to_owned(),
        format!(
            "gauge pgguard_sessions [('database', '{}'), ('role', 'backup')] 1.0",
            shop.name
        ),
        "gauge pgguard_waiting_sessions [('database', 'a \"b\\\\ c')] 0.0".to_owned(),
    ] {
        assert!(parsed.contains(&part), "{part} in {parsed}");
    }
    let down = pgguard(["check", "-H", "/nowhere", "--format", "openmetrics"]);
    let parsed = python("prometheus_client", PARSE, &down.stdout).expect("a parser");
    assert_eq!(parsed.trim(), "gauge pgguard_up [] 0.0");
}

/// Judges a report by the schema that npm's `@microsoft/jest-sarif` brings.
const SARIF: &str = "
import json, sys, jsonschema
report = json.load(sys.stdin)
schema = json.load(open(report.pop('schema file')))
for error in jsonschema.Draft7Validator(schema).iter_errors(report['report']):
    print(error.json_path, error.message[:200])
";

const JUNIT: &str = "
import sys, junitparser
report = junitparser.JUnitXml.fromstring(sys.stdin.read().encode())
print(report.tests, report.failures, report.errors)
for suite in report:
    for case in suite:
        print(' '.join(type(one).__name__ for one in case.result))
";

/// A gate's report on a statement that would wait and one that cannot be told.
fn gate_report(format: &str) -> String {
    let shop = common::shop();
    let mut reader = shop.session();
    reader.begin_and_lock("orders", "ACCESS SHARE");
    let sql = "ALTER TABLE orders ADD COLUMN note text;\nDO 'begin execute a; end';\n";
    let url = shop.url();
    let arguments = [
        "gate",
        "-d",
        &url,
        "-",
        "--patience",
        "0s",
        "--format",
        format,
    ];
    let told = common::pgguard_with_input(arguments, sql);
    assert_eq!(told.status, 1, "{told}");
    told.stdout
}

#[test]
fn sarif_is_valid_by_the_published_schema() {
    let tools = std::env::var_os("PGGUARD_TOOLS").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/tools"),
        Into::into,
    );
    let schema =
        tools.join("node_modules/@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json");
    if !schema.exists() {
        println!(
            "skipped: npm install --prefix .cache/tools @microsoft/jest-sarif brings the schema"
        );
        return;
    }
    let report: serde_json::Value =
        serde_json::from_str(&gate_report("sarif")).expect("a report in JSON");
    let results = report["runs"][0]["results"].as_array();
    assert!(results.is_some_and(|list| list.len() >= 2), "{report:#}");
    let input = serde_json::json!({"schema file": schema, "report": report});
    if let Some(faults) = python("jsonschema", SARIF, &input.to_string()) {
        assert_eq!(faults, "", "{report:#}");
    }
}

#[test]
fn junit_is_read_by_junitparser() {
    if let Some(read) = python("junitparser", JUNIT, &gate_report("junit")) {
        assert_eq!(read, "2 1 1\nFailure\nError\n");
    }
}
