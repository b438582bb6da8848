//! `pgguard gate --at`: is it safe then? A guess, which never exits with 0.

use crate::common::{Database, Dump, Outcome, pgguard, pgguard_with_input, shop};

const ADD_COLUMN: &str = "ALTER TABLE orders ADD COLUMN remark text;\n";

fn gate_at(database: &Database, at: &str, more: &[&str]) -> Outcome {
    let url = database.url();
    let arguments = ["gate", "-d", &url, "-", "--at", at];
    pgguard_with_input(
        arguments.into_iter().chain(more.iter().copied()),
        ADD_COLUMN,
    )
}

/// The settings of a backup that starts each minute and takes so long.
fn backup_each_minute(expect: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let text =
        format!("warn_only = true\n\n[[backup]]\ncron = \"* * * * *\"\nexpect = \"{expect}\"\n");
    std::fs::write(file.path(), text).expect("written");
    file
}

#[test]
fn what_is_clear_now_is_only_a_guess_for_later() {
    let shop = shop();
    let told = gate_at(&shop, "+10m", &[]);
    assert_eq!(told.status, 2, "{told}");
    assert!(told.stdout.starts_with("AT "), "{told}");
    assert!(
        told.stdout.contains("would be clear by the estimates"),
        "{told}"
    );
    assert!(told.stdout.contains("run pgguard gate again"), "{told}");
    assert!(told.stdout.contains("\nCLEAR"), "{told}");

    let json = gate_at(&shop, "+10m", &["--format", "json"]);
    assert_eq!(json.status, 2, "{json}");
    let value = json.json();
    assert_eq!(value["verdict"], "clear");
    assert_eq!(value["exit_status"], 2);
    assert_eq!(value["forecast"]["outlook"], "would_be_clear");
    // Without the question there is no forecast.
    let now = pgguard_with_input(
        ["gate", "-d", &shop.url(), "-", "--format", "json"],
        ADD_COLUMN,
    );
    assert_eq!(
        (now.status, now.json()["forecast"].is_null()),
        (0, true),
        "{now}"
    );
    for format in ["html", "markdown"] {
        let page = gate_at(&shop, "+10m", &["--format", format]);
        assert_eq!(page.status, 2, "{page}");
        assert!(
            page.stdout.contains("would be clear by the estimates"),
            "{page}"
        );
    }
}

#[test]
fn who_has_no_known_end_is_still_there_then() {
    let shop = shop();
    let mut reader = shop.session_named("shop web");
    reader.exec("BEGIN; SELECT FROM orders");
    let told = gate_at(&shop, "+24h", &["--patience", "0s"]);
    assert_eq!(told.status, 1, "{told}");
    let pid = format!("(pid {}) has no known end", reader.pid());
    assert!(told.stdout.contains(&pid), "{told}");
    assert!(
        told.stdout.contains(": not clear") || told.stdout.contains("  not clear"),
        "{told}"
    );
    assert!(told.stdout.contains("WOULD BLOCK"), "{told}");
    let json = gate_at(&shop, "+24h", &["--format", "json", "--patience", "0s"]).json();
    assert_eq!(json["forecast"]["outlook"], "not_clear", "{json}");
    assert_eq!(json["exit_status"], 1);
}

#[test]
fn a_dump_without_an_estimate_is_never_over() {
    let shop = shop();
    let _dump = Dump::stalled(&shop);
    let told = gate_at(&shop, "+1s", &["--no-history"]);
    assert_ne!(told.status, 0, "{told}");
    assert!(!told.stdout.contains("would be clear"), "{told}");
}

#[test]
fn a_backup_that_is_to_run_then_is_told() {
    let shop = shop();
    let runs = backup_each_minute("2h");
    let path = runs.path().display().to_string();
    let told = gate_at(&shop, "+10m", &["--config", &path]);
    // `warn_only` in the settings makes no green light of a guess.
    assert_eq!(told.status, 1, "{told}");
    assert!(told.stdout.contains("the next backup starts at"), "{told}");

    // One that is over long before comes again; the one that may run then is meant. It starts with the minute, so the
    // question is about the middle of one.
    let short = backup_each_minute("1s");
    let path = short.path().display().to_string();
    let now = std::time::UNIX_EPOCH
        .elapsed()
        .expect("after 1970")
        .as_secs();
    let then = format!("+{}s", 600 + (90 - now % 60) % 60);
    let told = gate_at(&shop, &then, &["--config", &path]);
    assert_eq!(told.status, 2, "{told}");
    assert!(told.stdout.contains("unknown"), "{told}");
    // What meets no dump does not care.
    let url = shop.url();
    let calm = ["gate", "-d", &url, "-", "--at", "+10m", "--config", &path];
    let calm = pgguard_with_input(calm, "CREATE INDEX i ON orders (id);");
    assert!(
        calm.stdout.contains("would be clear by the estimates"),
        "{calm}"
    );
}

#[test]
fn a_time_of_day_is_the_next_one_and_what_is_no_time_is_refused() {
    let shop = shop();
    let told = gate_at(&shop, "03:15", &["--format", "json"]);
    let at = told.json()["forecast"]["at"]
        .as_str()
        .expect("a time")
        .to_owned();
    assert!(at.contains(":15:00"), "{told}");
    assert_ne!(told.status, 0);
    let url = shop.url();
    for wrong in [
        &["--at", "-10m"][..],
        &["--at", "soon"],
        &["--at", "+3d"],
        &["--at", "2020-01-01 03:15"],
        &["--at", "+10m", "--format", "junit"],
        &["--at", "+10m", "--format", "github"],
        &["--at", "+10m", "--warn-only"],
        &["--at", "+10m", "--wait", "1m"],
        &["--at", "+10m", "--before", "backup"],
    ] {
        let refused = pgguard(
            ["gate", "-d", &url]
                .into_iter()
                .chain(wrong.iter().copied()),
        );
        assert_eq!(refused.status, 2, "{wrong:?} {refused}");
        assert!(refused.stdout.is_empty(), "{wrong:?} {refused}");
    }
}
