//! What was left behind: `pgguard doctor`, `check -m leftovers`, and `pgguard log`. Every left-over is a real one, made
//! on a real server, and the command that ends it is run.
//!
//! One binary for many files: each binary links everything.

#[path = "../common/mod.rs"]
mod common;

mod base_backup;
mod catalog;
mod half;
mod objects;
mod older;
mod told;
mod tools;
mod zombies;

use common::{Database, Outcome, pgguard};
use serde_json::Value;

/// What the doctor says of a database.
struct Told {
    outcome: Outcome,
    document: Value,
}

impl Told {
    fn of(database: &Database, more: &[&str]) -> Self {
        let url = database.url();
        let words = ["doctor", "--no-history", "-d", &url, "--format", "json"];
        let outcome = pgguard(words.iter().chain(more));
        let document = outcome.json();
        Self { outcome, document }
    }

    /// The findings of this kind.
    fn of_kind(&self, kind: &str) -> Vec<&Value> {
        let all = self.document["findings"].as_array().expect("findings");
        all.iter().filter(|f| f["kind"] == kind).collect()
    }

    /// The kinds of all findings, in order.
    fn kinds(&self) -> Vec<&str> {
        let all = self.document["findings"].as_array().expect("findings");
        all.iter()
            .map(|f| f["kind"].as_str().expect("a kind"))
            .collect()
    }

    /// The commands for psql, in order.
    fn sql(&self) -> Vec<String> {
        let all = self.document["findings"].as_array().expect("findings");
        all.iter()
            .filter(|f| f["run_in"] == "sql")
            .map(|f| f["command"].as_str().expect("a command").to_owned())
            .collect()
    }

    /// Nothing was left behind, and nothing is worth knowing.
    fn assert_nothing(&self, when: &str) {
        assert_eq!(self.outcome.status, 0, "{when}: {}", self.outcome);
        assert_eq!(self.kinds(), Vec::<&str>::new(), "{when}: {}", self.outcome);
    }
}

/// What the doctor would say of a database so many seconds later: a real look, with its clock set forward.
fn later(database: &Database, seconds: i64) -> Told {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("look.json");
    let path = file.to_str().expect("UTF-8");
    Told::of(database, &["--record", path]);
    let text = std::fs::read_to_string(&file).expect("a recording");
    let mut recording: Value = serde_json::from_str(&text).expect("JSON");
    for look in recording["looks"].as_array_mut().expect("looks") {
        let at = look["taken_at"].as_str().expect("a time").to_owned();
        let at = chrono::DateTime::parse_from_rfc3339(&at).expect("a time");
        look["taken_at"] = (at + chrono::TimeDelta::seconds(seconds))
            .to_rfc3339()
            .into();
    }
    std::fs::write(&file, recording.to_string()).expect("written");
    let outcome = pgguard(["doctor", "--format", "json", "--replay", path]);
    let document = outcome.json();
    Told { outcome, document }
}

/// The majors to test on, each with a fresh database on its server.
fn databases() -> impl Iterator<Item = (u32, Database)> {
    common::majors()
        .into_iter()
        .map(|major| (major, Database::empty(common::server_of(major))))
}
