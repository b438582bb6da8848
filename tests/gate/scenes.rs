//! Scenes: what the gate says of a migration while others hold locks, and what the server then does.
//!
//! Each file of migrations-fixtures/scenes is one scene, in SQL; its README tells the form. `ONLY=word` in the
//! environment takes the files whose name contains that word.

use crate::common::{self, Database, Session, pgguard};
use crate::one_question::agrees;
use crate::trial::{Did, cancel, run};
use pgguard::test_support::migration::statement::{Script, statements};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A scene as its file tells it.
#[derive(Default)]
struct Scene {
    name: String,
    oldest: u32,
    newest: Option<u32>,
    setup: String,
    holders: Vec<(String, String)>,
    files: Vec<(String, String)>,
    options: Vec<String>,
    verdict: String,
    at: Option<usize>,
    behind: Vec<String>,
    says: Vec<String>,
    silent_on: Vec<String>,
}

#[test]
fn every_scene_ends_as_its_file_says_and_as_the_server_does() {
    let scenes: Vec<Scene> = files().iter().map(|path| Scene::read(path)).collect();
    let mut wrong = Vec::new();
    let majors = common::majors();
    for (number, scene) in scenes.iter().enumerate() {
        let fitting: Vec<u32> = majors
            .iter()
            .copied()
            .filter(|m| *m >= scene.oldest && scene.newest.is_none_or(|newest| *m <= newest))
            .collect();
        // The oldest and the newest for each, one in between by turns.
        let middle = fitting.get(1 + number % fitting.len().saturating_sub(2).max(1));
        let chosen: std::collections::BTreeSet<u32> = fitting
            .first()
            .into_iter()
            .chain(fitting.last())
            .chain(middle)
            .copied()
            .collect();
        for major in chosen {
            if let Err(what) = scene.play(major) {
                wrong.push(format!("{} on {major}: {what}", scene.name));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

impl Scene {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("a scene");
        let mut scene = Self {
            name: path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned(),
            ..Self::default()
        };
        for part in parts(&text) {
            scene.take(part);
        }
        assert!(!scene.verdict.is_empty(), "{}: no `-- expect`", scene.name);
        scene
    }

    fn take(&mut self, part: Part) {
        let rest = part.rest.to_owned();
        match part.word {
            "about" => {}
            "since" => self.oldest = rest.parse().expect("a major version"),
            "until" => self.newest = Some(rest.parse().expect("a major version")),
            "setup" => self.setup = part.body,
            "holder" => self.holders.push((rest, part.body)),
            "migration" => {
                let name = if rest.is_empty() {
                    "migration.sql".into()
                } else {
                    rest
                };
                self.files.push((name, part.body));
            }
            "options" => self
                .options
                .extend(rest.split_whitespace().map(str::to_owned)),
            "expect" => {
                let mut words = rest.split_whitespace();
                self.verdict = words.next().expect("a verdict").to_owned();
                while let Some(word) = words.next() {
                    let value = words.next().expect("a value");
                    match word {
                        "at" => self.at = Some(value.parse().expect("a line")),
                        "behind" => self.behind = value.split(',').map(str::to_owned).collect(),
                        other => panic!("{}: `{other}` in `-- expect`", self.name),
                    }
                }
            }
            "says" => self.says.push(rest),
            "silent" => self.silent_on.push(rest),
            other => panic!("{}: `-- {other}` is no part of a scene", self.name),
        }
    }

    fn play(&self, major: u32) -> Result<(), String> {
        let database = Database::empty(common::server_of(major));
        if !self.setup.trim().is_empty() {
            database.sql(&self.setup);
        }
        let holders = self.enter(&database);
        let told = self.ask(&database);
        let did = self.migrate(&database);
        drop(holders);
        self.compare(&told?, &did?)
    }

    /// The others take their places, in the order of the file. Who has to wait stays waiting.
    fn enter(&self, database: &Database) -> BTreeMap<String, Session> {
        let mut holders = BTreeMap::new();
        for (name, body) in &self.holders {
            let mut session = database.session_named(name);
            for statement in cut(body) {
                if let Did::Ran(Err(error)) = run(&mut session, &statement.1) {
                    panic!("{}: holder {name}: {}: {error}", self.name, statement.1);
                }
            }
            holders.insert(name.clone(), session);
        }
        holders
    }

    fn ask(&self, database: &Database) -> Result<serde_json::Value, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let mut arguments: Vec<String> = [
            "gate",
            "-d",
            &database.url(),
            "--format",
            "json",
            "--no-history",
            "--patience",
            "0s",
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.extend(self.options.iter().cloned());
        for (name, body) in &self.files {
            let path = folder.path().join(name);
            fs::write(&path, body).expect("a migration");
            arguments.push(path.to_string_lossy().into_owned());
        }
        let outcome = pgguard(&arguments);
        let told: serde_json::Value =
            serde_json::from_str(&outcome.stdout).map_err(|error| format!("{error}: {outcome}"))?;
        let expected = match told["verdict"].as_str() {
            Some("clear") => 0,
            Some("would_block" | "would_fail") => 1,
            _ => 2,
        };
        if outcome.status != expected {
            return Err(format!(
                "status {} with {}",
                outcome.status, told["verdict"]
            ));
        }
        let paths: Vec<&str> = arguments[arguments.len() - self.files.len()..]
            .iter()
            .map(String::as_str)
            .collect();
        let mut options = vec!["--patience", "0s"];
        options.extend(self.options.iter().map(String::as_str));
        agrees(&database.url(), &options, &paths, outcome.status)?;
        Ok(told)
    }

    /// What the server does with the migration: the first line that waits and behind whom, or its first error.
    fn migrate(&self, database: &Database) -> Result<Happened, String> {
        let mut session = database.session_named("migration");
        for (file, body) in &self.files {
            for (line, statement) in cut(body) {
                match run(&mut session, &statement) {
                    Did::Ran(Ok(_)) => {}
                    Did::Ran(Err(error)) => {
                        return Ok(Happened::Failed(format!("{file}:{line}: {error}")));
                    }
                    Did::Waited(pids) => {
                        let names = pids
                            .iter()
                            .map(|pid| {
                                let ask = format!(
                                    "SELECT application_name FROM pg_stat_activity WHERE pid = {pid}"
                                );
                                database.sql(&ask).trim().to_owned()
                            })
                            .collect();
                        cancel(&mut session, database);
                        return Ok(Happened::Waited { line, names });
                    }
                }
            }
        }
        Ok(Happened::Ran)
    }

    fn compare(&self, told: &serde_json::Value, did: &Happened) -> Result<(), String> {
        let verdict = told["verdict"].as_str().unwrap_or("");
        let whole = || serde_json::to_string_pretty(told).unwrap_or_default();
        let fault = |what: String| {
            Err(format!(
                "{what}\nserver: {did:?}\ndoubts: {}",
                told["doubts"]
            ))
        };
        if verdict != self.verdict {
            return fault(format!("expected {}, got {verdict}", self.verdict));
        }
        match (verdict, did) {
            ("clear", Happened::Waited { .. }) => return fault("green, and it waits".into()),
            ("would_block", Happened::Ran | Happened::Failed(_)) => {
                return fault("red, and it runs".into());
            }
            ("would_fail", Happened::Ran | Happened::Waited { .. }) => {
                return fault("it does not fail".into());
            }
            ("would_block", Happened::Waited { line, names }) => {
                if self.at.is_some_and(|at| at != *line) {
                    return fault(format!("it waits at line {line}"));
                }
                if !self.behind.is_empty() && !self.behind.iter().all(|name| names.contains(name)) {
                    return fault(format!("it waits behind {names:?}"));
                }
                for name in &self.behind {
                    if !whole().contains(&format!("\"application_name\": \"{name}\"")) {
                        return fault(format!("it does not name {name}"));
                    }
                }
            }
            _ => {}
        }
        let text = whole();
        if let Some(missing) = self
            .says
            .iter()
            .find(|words| !text.contains(words.as_str()))
        {
            return fault(format!("it does not say: {missing}"));
        }
        if let Some(wrong) = self
            .silent_on
            .iter()
            .find(|words| text.contains(words.as_str()))
        {
            return fault(format!("it says: {wrong}"));
        }
        Ok(())
    }
}

/// What the server did with a migration.
#[derive(Debug)]
enum Happened {
    Ran,
    Failed(#[allow(dead_code, reason = "printed when a scene fails")] String),
    Waited { line: usize, names: Vec<String> },
}

struct Part<'t> {
    word: &'t str,
    rest: &'t str,
    body: String,
}

/// The parts of a scene: each begins with a line `-- word …` of one of its words.
fn parts(text: &str) -> Vec<Part<'_>> {
    const WORDS: [&str; 10] = [
        "about",
        "since",
        "until",
        "setup",
        "holder",
        "migration",
        "options",
        "expect",
        "says",
        "silent",
    ];
    let mut parts: Vec<Part> = Vec::new();
    for line in text.lines() {
        let head = line
            .strip_prefix("-- ")
            .map(|head| head.split_once(' ').unwrap_or((head, "")));
        match head.filter(|(word, _)| WORDS.contains(word)) {
            Some((word, rest)) => parts.push(Part {
                word,
                rest: rest.trim(),
                body: String::new(),
            }),
            None => {
                if let Some(part) = parts.last_mut() {
                    part.body.push_str(line);
                    part.body.push('\n');
                }
            }
        }
    }
    parts
}

/// The statements of a text, each with its line.
fn cut(text: &str) -> Vec<(usize, String)> {
    let script = Script::psql("scene.sql", text);
    statements(&[script])
        .into_iter()
        .map(|statement| (statement.line, statement.sql))
        .collect()
}

fn files() -> Vec<PathBuf> {
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut files: Vec<PathBuf> = fs::read_dir(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/migrations-fixtures/scenes"
    ))
    .expect("the scenes")
    .map(|entry| entry.expect("an entry").path())
    .filter(|path| path.extension().is_some_and(|ending| ending == "sql"))
    .filter(|path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().contains(&only))
    })
    .collect();
    files.sort();
    files
}
