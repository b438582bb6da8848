//! The flight recorder: what was seen is told again, and where nobody looked it is said.

use crate::common::{self, Database, Dump, Outcome};
use pgguard::test_support::throwaway::Options;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

struct Machine {
    folder: tempfile::TempDir,
    url: String,
}

impl Machine {
    fn of(shop: &Database) -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            url: shop.url(),
        }
    }

    fn runs(&self, arguments: &[&str]) -> Outcome {
        let mut command = common::pgguard_command();
        command
            .args(arguments)
            .env("DATABASE_URL", &self.url)
            .env("TZ", "UTC")
            .env("PGGUARD_HISTORY", self.folder.path().join("h.sqlite"));
        common::run_with_input(command, "")
    }

    /// The same without a server.
    fn remembers(&self, arguments: &[&str]) -> Outcome {
        let mut command = common::pgguard_command();
        command
            .args(arguments)
            .env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")
            .env("TZ", "UTC")
            .env("PGGUARD_HISTORY", self.folder.path().join("h.sqlite"));
        common::run_with_input(command, "")
    }

    fn files(&self) -> Vec<PathBuf> {
        fn below(folder: &Path, found: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.path() {
                    path if path.is_dir() => below(&path, found),
                    path => found.push(path),
                }
            }
        }
        let mut found = Vec::new();
        below(&self.folder.path().join("h.looks"), &mut found);
        found
    }
}

#[test]
fn what_was_seen_is_told_after_it_is_over_without_a_server() {
    // A look shows the waits of the whole server.
    let server = common::own_server(&Options::major(common::majors()[0]));
    let shop = Database::shop(server);
    let machine = Machine::of(&shop);
    let mut dump = Dump::stalled(&shop);
    let mut migration = shop.session_named("rake");
    migration.start("ALTER TABLE orders ADD COLUMN extra int");
    migration.until_waiting();
    let mut readers: Vec<_> = (0..3).map(|_| shop.session_named("puma")).collect();
    for reader in &mut readers {
        reader.start("SELECT count(*) FROM orders /* a reader */");
        reader.until_waiting();
    }
    let rake = format!("rake (pid {})", migration.pid());
    let behind = format!("pg_dump (pid {})", dump.pid());
    let seen = machine.runs(&["status"]);
    assert!(
        seen.stdout
            .contains("OUTAGE   3 sessions hang on public.orders"),
        "{seen}"
    );
    dump.kill();
    let _ = migration.join();
    for reader in &mut readers {
        let _ = reader.join();
    }
    // Another program's look: a file of its own.
    let calm = machine.runs(&["gate", "--format", "json"]);
    assert!(calm.status <= 1, "{calm}");

    let then = machine.remembers(&["status", "--at", "-1s"]);
    assert_eq!(then.status, 0, "{then}");
    let first = machine.remembers(&["status", "--at", "2000-01-01 00:00"]);
    for part in [
        "NOBODY LOOKED  at 00:00:00",
        "OUTAGE   3 sessions hang on public.orders",
        &rake,
        &behind,
        "and 2 like it",
        "a reader",
    ] {
        assert!(first.stdout.contains(part), "{part}: {first}");
    }
    let json = machine.remembers(&["status", "--at", "2000-01-01 00:00", "--format", "json"]);
    assert_eq!(json.json()["summary"]["waiting"], 4, "{json}");

    let waits = machine.remembers(&["log", "--waits"]);
    for part in [
        "3 sessions at most on public.orders",
        &format!("{rake} waited for {behind}"),
        "over by",
    ] {
        assert!(waits.stdout.contains(part), "{part}: {waits}");
    }
    let json = machine
        .remembers(&["log", "--waits", "--format", "json"])
        .json();
    assert_eq!(json["episodes"][0]["most_waiting"], 3, "{json}");
    assert_eq!(json["unseen"], serde_json::json!([]), "{json}");

    let files = machine.files();
    // Two looks, and the list of the transactions at them.
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        let mode = file.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file:?}");
        // What is damaged is no answer, and no crash.
        std::fs::write(
            &file,
            b"pgguard looks 1\n{\"server\":\"1\"}\n\xff\xff\xff\xff",
        )
        .expect("written");
    }
    let damaged = machine.remembers(&["status", "--at", "-1m"]);
    assert_eq!(damaged.status, 2, "{damaged}");
    assert!(damaged.stderr.contains("nobody looked"), "{damaged}");
    assert_eq!(machine.remembers(&["log", "--waits"]).status, 0);
    assert_eq!(machine.runs(&["status"]).status, 0);
}

#[test]
fn nothing_is_kept_where_no_history_is_wanted_and_a_time_is_read_or_refused() {
    let shop = common::shop();
    let machine = Machine::of(&shop);
    let mut look = common::pgguard_command();
    look.args(["status", "--no-history"])
        .env("DATABASE_URL", &machine.url);
    assert_eq!(common::run_with_input(look, "").status, 0);
    assert_eq!(machine.files(), Vec::<PathBuf>::new());
    let nobody = machine.remembers(&["status", "--at", "03:15"]);
    assert_eq!(nobody.status, 2, "{nobody}");
    assert!(
        nobody.stderr.contains("nobody looked in the last hour"),
        "{nobody}"
    );
    let waits = machine.remembers(&["log", "--waits"]);
    assert!(
        waits.stdout.contains("nobody looked in the last hour"),
        "{waits}"
    );
    for text in ["yesterday", "25:00", "-x"] {
        let refused = machine.remembers(&["status", "--at", text]);
        assert_eq!(refused.status, 2, "{refused}");
        assert!(refused.stderr.contains(text), "{refused}");
    }
}

/// The page's policy lets its own script run: the hash is that of what is between the tags.
#[test]
fn the_page_lets_its_own_script_run_and_no_other() {
    let shop = common::shop();
    let machine = Machine::of(&shop);
    let page = machine.runs(&["status", "--format", "html"]);
    assert_eq!(page.status, 0, "{page}");
    let between = |from: &str, to: &str| {
        let rest = page.stdout.split_once(from).expect(from).1;
        rest.split_once(to).expect(to).0.to_owned()
    };
    let mut hash = std::process::Command::new("python3");
    hash.args([
        "-c",
        "import sys,hashlib,base64;print(base64.b64encode(hashlib.sha256(sys.stdin.buffer.read()).digest()).decode())",
    ]);
    let script = between("<script>", "</script>");
    let hashed = common::run_with_input(hash, &script);
    assert_eq!(between("script-src 'sha256-", "'"), hashed.stdout.trim());
    let gate = machine.runs(&["gate", "--format", "html"]);
    assert!(gate.stdout.starts_with("<!doctype html>"), "{gate}");
}
