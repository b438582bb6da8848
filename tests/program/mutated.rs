//! Damaged input of every kind: no panic, a status that is documented, and an error that names the file.
//!
//! The damage is drawn from fixed seeds: a failure says its number, and comes again.

use crate::common::{self, Outcome, pgguard, pgguard_command};
use pgguard::model::Catalog;
use pgguard::test_support::config;
use pgguard::test_support::gate::{self, Policy};
use pgguard::test_support::history::Document;
use pgguard::test_support::migration::footprint;
use pgguard::test_support::migration::statement::{Script, statements};
use pgguard::test_support::migration::{depth, source};
use pgguard::test_support::recording::Recording;
use pgguard::test_support::sessions::understand;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;

/// A generator that repeats itself with its seed (Knuth's MMIX constants).
struct Dice(u64);

impl Dice {
    fn of(number: usize) -> Self {
        let mut dice = Self(number as u64 ^ 0x9e37_79b9_7f4a_7c15);
        dice.below(2);
        dice
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit.max(1)
    }

    fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Bytes that mean something to one of the readers.
const BYTES: &[u8] = b"\0\n\r\t \"'`\\/*-$;:,.=()[]{}#%&@!?<>|~09azE\x7f\x80\xc3\xe9\xff\x1b";

/// A text with a few bytes changed, taken away, doubled or put in.
fn with_bytes(text: &str, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len());
        let end = (at + 1 + dice.below(30)).min(bytes.len());
        match dice.below(5) {
            0 if !bytes.is_empty() => bytes[at] = *dice.one_of(BYTES),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let part = bytes[at..end].to_vec();
                let to = dice.below(bytes.len());
                bytes.splice(to..to, part);
            }
            3 => bytes.truncate(at),
            _ => bytes.insert(at, *dice.one_of(BYTES)),
        }
    }
    bytes
}

/// Values that a reader may not expect.
fn odd_values() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e308),
        json!(-0.5),
        json!(""),
        json!("\u{0}\u{1b}[2J\u{202e}"),
        json!("1970-01-01T00:00:00Z"),
        json!("9999-12-31T23:59:59Z"),
        json!("+262142-12-31T23:59:59Z"),
        json!("-262143-01-01T00:00:00Z"),
        json!("x".repeat(5000)),
        json!([]),
        json!({}),
        json!([[[]]]),
        json!(4_294_967_295_u32),
    ]
}

/// A document with a few of its values changed, taken away or doubled.
fn with_fields(document: &Value, dice: &mut Dice) -> Vec<u8> {
    let mut document = document.clone();
    for _ in 0..=dice.below(3) {
        change(&mut document, dice);
    }
    document.to_string().into_bytes()
}

fn change(value: &mut Value, dice: &mut Dice) {
    let goes_deeper = dice.below(8) > 0;
    match value {
        Value::Object(fields) if goes_deeper && !fields.is_empty() => {
            let at = dice.below(fields.len());
            let key = fields.keys().nth(at).expect("a key").clone();
            if dice.below(20) == 0 {
                fields.remove(&key);
            } else if let Some(field) = fields.get_mut(&key) {
                change(field, dice);
            }
        }
        Value::Array(items) if goes_deeper && !items.is_empty() => {
            let at = dice.below(items.len());
            match dice.below(12) {
                0 => drop(items.remove(at)),
                1 => items.push(items[at].clone()),
                _ => change(&mut items[at], dice),
            }
        }
        other => *other = dice.one_of(&odd_values()).clone(),
    }
}

/// What a reader must say of a file: nothing, or one line with its name.
fn is_clear<T>(read: pgguard::Result<T>, path: &Path, number: usize) -> Option<T> {
    match read {
        Ok(read) => Some(read),
        Err(error) => {
            let said = error.to_string();
            let name = path.file_name().expect("a name").to_string_lossy();
            assert!(said.contains(&*name), "{number}: {said}");
            assert!(!said.contains("Secr3t"), "{number}: {said}");
            None
        }
    }
}

const CONFIG: &str = "tz = \"Europe/Berlin\"\nwarn_only = false\nmax_hold = \"30s\"\ntakes = \"5min\"\n\n[[target]]\nname = \"main\"\n\
    url = \"postgres://app:Secr3t@db.example:5432/shop?sslmode=require\"\n\n[[allow]]\nname = \"opaque\"\npattern = \"orders*\"\n\
    because = \"reviewed\"\n\n[[backup]]\ncron = \"0 3 * * *\"\ntz = \"UTC\"\nexpect = \"1h 30m\"\n";

#[test]
fn a_damaged_settings_file_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pgguard.toml");
    std::fs::write(&path, CONFIG).unwrap();
    config::read(&path).expect("the whole one can be read");
    for number in 0..4000 {
        std::fs::write(&path, with_bytes(CONFIG, &mut Dice::of(number))).unwrap();
        if let Some(config) = is_clear(config::read(&path), &path, number) {
            drop((config.lines(), config.allowed().count(), config.zone()));
        }
    }
}

const SQL: &str = "-- pgguard: allow opaque because it was reviewed\nBEGIN;\nSET LOCAL lock_timeout = '5s';\n\
    ALTER TABLE orders ADD COLUMN note text DEFAULT E'it\\'s', ADD FOREIGN KEY (a) REFERENCES customers;\n\
    CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON orders (lower(name)) WHERE a > 1;\nCOPY orders FROM stdin;\n1\t2\n\\.\n\
    DO $x$ BEGIN IF EXISTS (SELECT 1 FROM t) THEN EXECUTE 'DROP TABLE ' || quote_ident('t'); END IF; END $x$;\n\
    \\if :{?a}\n\\set b 'c'\nSELECT :'b', :\"b\", $1 \\gset\n\\endif\nINSERT INTO t VALUES (1, nextval('s')), (2, default);\n\
    CREATE FUNCTION f(int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT $1; END;\nCOMMIT;\n/* /* nested */ */ SELECT U&'\\0441';\n";

#[test]
fn damaged_sql_is_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.sql");
    for number in 0..3000 {
        std::fs::write(&path, with_bytes(SQL, &mut Dice::of(number))).unwrap();
        let paths = [path.clone()];
        let read = source::read(&paths, &source::ReadOptions::default());
        let scripts: Vec<Script> = is_clear(read, &path, number).unwrap_or_default();
        let told = depth::with_room(|| {
            let statements = statements(&scripts);
            drop(footprint::reach(&statements));
            footprint::of(&statements, Catalog::default(), 150_000)
                .statements
                .len()
        });
        assert!(told <= 200, "{number}");
    }
}

#[test]
fn a_damaged_history_is_refused_by_name() {
    let whole = json!({"version": 1, "signals": [], "runs": [{
        "key": {"server": "7", "database": "shop", "tool": "pg_dump", "role": "backup", "application_name": "pg_dump"},
        "started": "2026-01-01T03:00:00Z", "ended": "2026-01-01T04:00:00Z", "outcome": "complete", "workers": 1,
        "database_bytes": 1_000_000, "source": "watched", "tables": []}]});
    for number in 0..4000 {
        let dice = &mut Dice::of(number);
        let bytes = match number % 2 {
            0 => with_bytes(&whole.to_string(), dice),
            _ => with_fields(&whole, dice),
        };
        let text = String::from_utf8_lossy(&bytes);
        let read = Document::read(&text, "history.json");
        if let Some(document) = is_clear(read, Path::new("history.json"), number) {
            drop(document.to_json());
        }
    }
}

#[test]
fn a_damaged_recording_gives_an_answer_or_is_refused_by_name() {
    let shop = common::shop();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("incident.json");
    let name = path.display().to_string();
    let mut holder = shop.session();
    holder.exec("BEGIN; SELECT FROM orders");
    let mut waiter = shop.session();
    waiter.start("ALTER TABLE orders ADD COLUMN more int");
    waiter.until_waiting();
    let sql = folder.path().join("change.sql");
    std::fs::write(&sql, "ALTER TABLE orders ADD COLUMN x int;").unwrap();
    let (url, change) = (shop.url(), sql.display().to_string());
    let recorded = pgguard([
        "gate",
        "--no-history",
        "--record",
        &name,
        "-d",
        &url,
        &change,
    ]);
    assert_eq!(recorded.status, 1, "{recorded}");
    let text = std::fs::read_to_string(&path).unwrap();
    let whole: Value = serde_json::from_str(&text).unwrap();
    for number in 0..3000 {
        let dice = &mut Dice::of(number);
        let bytes = match number % 4 {
            0 => with_bytes(&text, dice),
            _ => with_fields(&whole, dice),
        };
        std::fs::write(&path, bytes).unwrap();
        let Some(recording) = is_clear(Recording::read(&path), &path, number) else {
            continue;
        };
        for look in &recording.looks {
            let sessions = understand(look);
            let any = gate::strictest(look);
            drop(gate::decide(&any, look, &sessions, &Policy::default()));
        }
        // The program itself, now and then: its status, and what it prints.
        if number % 60 == 1 {
            for command in ["gate", "explain", "status"] {
                let mut program = pgguard_command();
                program.args([command, "--replay", &name]);
                if command != "status" {
                    program.arg(&change);
                }
                let told = outcome(program.stdin(Stdio::null()));
                assert!((0..=2).contains(&told.status), "{number} {command}: {told}");
                assert!(
                    !told.stderr.contains("panicked"),
                    "{number} {command}: {told}"
                );
            }
        }
    }
}

fn outcome(command: &mut std::process::Command) -> Outcome {
    let output = command.output().expect("pgguard starts");
    Outcome {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
