//! What `--format json` prints is what docs/schemas says: every document has the form, and every field of a document
//! is described. A public implementation (jsonschema) judges.

use crate::common::{self, Dump};
use crate::public_judges::python;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Validates documents, where a schema's objects have no other fields than those that it describes.
const STRICT: &str = "
import json, sys
from jsonschema import Draft202012Validator

def strict(node):
    if isinstance(node, dict):
        if 'properties' in node:
            node.setdefault('additionalProperties', False)
        for below in node.values():
            strict(below)
    elif isinstance(node, list):
        for below in node:
            strict(below)

asked = json.load(sys.stdin)
for name, (schema, documents) in asked.items():
    Draft202012Validator.check_schema(schema)
    strict(schema)
    validator = Draft202012Validator(schema)
    for number, document in enumerate(documents):
        for error in validator.iter_errors(document):
            while error.context:
                error = max(error.context, key=lambda e: len(e.absolute_path))
            print(name, number, '/'.join(map(str, error.absolute_path)), error.message[:300])
";

fn schema(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/schemas/{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// What pgguard prints for these arguments; its status is at most 2.
fn told(url: &str, history: &str, arguments: &[&str], input: &str) -> Value {
    let all = [arguments, &["--format", "json"]].concat();
    let mut command = common::pgguard_command();
    command
        .args(all)
        .env("DATABASE_URL", url)
        .env("PGGUARD_HISTORY", history);
    let outcome = common::run_with_input(command, input);
    assert!(
        (0..=2).contains(&outcome.status),
        "{arguments:?}: {outcome}"
    );
    outcome.json()
}

/// Migrations that fill every field of a gate's answer.
const MIGRATIONS: &[&str] = &[
    "ALTER TABLE orders ADD COLUMN remark text, ALTER COLUMN id TYPE numeric;",
    "SET lock_timeout = '5s'; SET statement_timeout = '1min'; CREATE INDEX CONCURRENTLY ON orders (id);",
    "CREATE TABLE made (id int PRIMARY KEY); CREATE INDEX ON made (id); ALTER TABLE made ADD COLUMN x int;",
    "SELECT pg_advisory_xact_lock(1, 2); SELECT pg_try_advisory_lock(42); LOCK TABLE orders IN SHARE MODE NOWAIT;",
    "DO 'begin execute a; end'; DROP TABLE nobody_has_it; VACUUM FULL orders;",
    "-- pgguard: allow opaque because it is a test\nDO 'begin execute a; end';",
    "BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE; SELECT 1; COMMIT;",
    "UPDATE orders SET id = id; DROP SCHEMA public CASCADE;",
];

/// Everything that `--format json` prints in an incident, by the name of its schema.
fn documents() -> BTreeMap<&'static str, Vec<Value>> {
    let shop = common::shop();
    let folder = tempfile::tempdir().expect("a folder");
    let history = folder.path().join("history.sqlite");
    let history = history.to_str().expect("UTF-8");
    let url = shop.url();
    let mut found: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    let mut ask = |schema, arguments: &[&str], input: &str| {
        let document = told(&url, history, arguments, input);
        found.entry(schema).or_default().push(document);
    };
    let run = |command: &str| events(&url, history, command);
    let events = ["ALTER TABLE orders ADD COLUMN remark text", "SELECT 1/0"].map(run);
    ask("runs", &["run", "--list"], "");
    ask("status", &["status", "--all"], "");
    ask("backups", &["backups"], "");
    ask("doctor", &["doctor"], "");
    let unfinished =
        "ALTER TABLE orders ADD CONSTRAINT c CHECK (id > 0) NOT VALID, DISABLE TRIGGER ALL";
    shop.sql(unfinished);
    ask("doctor", &["doctor"], "");
    let mut dump = Dump::stalled(&shop);
    let mut reader = shop.session();
    reader.begin_and_lock("customers", "ACCESS SHARE");
    let _outage = shop.outage();
    for sql in MIGRATIONS {
        ask(
            "gate",
            &["gate", "-", "--patience", "0s", "--max-hold", "1ms"],
            sql,
        );
        ask("explain", &["explain", "-"], sql);
    }
    let [one, other] = ["one", "other"].map(|name| format!("{name}={url}"));
    let two = [
        "gate",
        "--patience",
        "0s",
        "--target",
        &one,
        "--target",
        &other,
        "-",
    ];
    ask("gate", &two, MIGRATIONS[0]);
    ask("gate", &["gate", "--patience", "0s"], "");
    ask(
        "gate",
        &["gate", "--patience", "0s", "--before", "backup"],
        "",
    );
    ask("status", &["status", "--all"], "");
    ask("backups", &["backups"], "");
    let forms = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations-fixtures/forms");
    for form in std::fs::read_dir(forms).expect("the forms").flatten() {
        ask("explain", &["explain", &form.path().to_string_lossy()], "");
    }
    ask("doctor", &["doctor"], "");
    ask("log", &["log"], "");
    ask("waits", &["log", "--waits"], "");
    dump.kill();
    found.insert("run", events.concat());
    found
}

/// What `pgguard run` tells while psql runs a statement.
fn events(url: &str, history: &str, statement: &str) -> Vec<Value> {
    let psql = common::server().bin("psql");
    let mut command = common::pgguard_command();
    command
        .args([
            "run", "--format", "json", "--settle", "1s", "--before", "true", "--then", "exit 1",
        ])
        .arg("--maintenance-page")
        .arg(format!("{history}.page.html"))
        .arg("--")
        .arg(psql)
        .args([url, "-c", statement])
        .env("DATABASE_URL", url)
        .env("PGGUARD_HISTORY", history);
    let ran = common::run_with_input(command, "");
    ran.stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}")))
        .collect()
}

#[test]
fn every_document_is_as_its_schema_says() {
    let asked: BTreeMap<_, _> = documents()
        .into_iter()
        .map(|(name, documents)| (name, json!([schema(name), documents])))
        .collect();
    let input = json!(asked).to_string();
    if let Some(faults) = python("jsonschema", STRICT, &input) {
        assert_eq!(faults, "");
    }
}

/// The commands of docs/json.md, each in a shell on a folder with a migration, with a real jq.
#[test]
fn the_recipes_say_what_they_are_for() {
    if Command::new("jq").arg("--version").output().is_err() {
        println!("skipped: there is no jq");
        return;
    }
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json.md"));
    let page = page.expect("the page");
    let recipes: Vec<&str> = page
        .split("```sh\n")
        .skip(1)
        .filter_map(|part| part.split_once("\n```").map(|(recipe, _)| recipe))
        .collect();
    let shop = common::shop();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("migrations")).expect("made");
    let migration = "ALTER TABLE orders ALTER COLUMN id TYPE numeric;\n";
    std::fs::write(folder.path().join("migrations/1.sql"), migration).expect("written");
    let mut dump = Dump::stalled(&shop);
    let mut waiter = shop.session();
    waiter.start("ALTER TABLE orders ADD COLUMN total int");
    waiter.until_waiting();
    let pid = dump.pid().to_string();
    let expected = [
        pid.as_str(),
        "", // a time, or "unknown"
        "1.sql:1 ALTER TABLE",
        "no safer form",
        "public.orders",
        pid.as_str(),
        "",
        "no run yet",
    ];
    assert_eq!(recipes.len(), expected.len(), "{recipes:#?}");
    for (recipe, expected) in recipes.iter().zip(expected) {
        let mut command = Command::new("bash");
        let usual = std::env::var("PATH").expect("a PATH");
        let built = Path::new(env!("CARGO_BIN_EXE_pgguard"))
            .parent()
            .expect("a folder");
        command
            .args(["-o", "pipefail", "-c", recipe])
            .current_dir(folder.path())
            .env("PATH", format!("{}:{usual}", built.display()))
            .env("DATABASE_URL", shop.url())
            .env("PGGUARD_HISTORY", folder.path().join("history.sqlite"));
        let outcome = common::run_with_input(command, "");
        assert!(
            outcome.status <= 1 && !outcome.stdout.trim().is_empty(),
            "{recipe}: {outcome}"
        );
        assert!(outcome.stdout.contains(expected), "{recipe}: {outcome}");
    }
    dump.kill();
}
