//! One question, one answer: `gate`, `check -m migration` and `kill --blocking` say the same of a migration. And what
//! the gate advises while users hang.

use crate::common::{self, Database, Dump, Session, pgguard, pgguard_command};
use crate::trial::{at_once, gate, gate_with, waits};
use pgguard::model::Answer;
use pgguard::test_support::throwaway::Options;
use std::path::Path;

fn folder(tool: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations-fixtures/tools");
    root.join(tool).to_string_lossy().into_owned()
}

/// Asks all three: whether each finds this session in the way.
fn all_say(database: &Database, migration: &str, more: &[&str], pid: Option<i32>) {
    let url = database.url();
    let ask = |command: &[&str], paths: &[&str]| {
        let all = [command, more, &["-d", &url], paths].concat();
        let outcome = pgguard(all);
        let named = pid.is_some_and(|pid| {
            let text = format!("{}{}", outcome.stdout, outcome.stderr);
            text.contains(&format!("pid {pid}"))
        });
        assert_eq!(
            named,
            pid.is_some(),
            "{command:?} {migration} {more:?}: {outcome}"
        );
        outcome.status
    };
    let expected = pid.is_some();
    let gate = ask(&["gate"], &[migration]);
    assert_eq!(gate == 1, expected, "gate: {gate}");
    let check = ask(
        &["check", "-m", "migration", "--no-history"],
        &["--migration", migration],
    );
    assert_eq!(check != 0, expected, "check: {check}");
    let kill = ask(&["kill", "--no-history"], &["--blocking", migration]);
    assert_eq!(kill != 0, expected, "kill: {kill}");
}

/// Whether `check -m migration` and `kill --blocking` say the same as the gate did.
pub fn agrees(url: &str, options: &[&str], paths: &[&str], gate: i32) -> Result<(), String> {
    let migrations: Vec<&str> = paths
        .iter()
        .flat_map(|path| ["--migration", path])
        .collect();
    let common = [options, &["--no-history", "-d", url]].concat();
    let check = ["check", "-m", "migration", "-t", "60"];
    let check = pgguard([&check[..], &common, &migrations].concat());
    let kill = pgguard([&["kill"], &common[..], &["--blocking"], paths].concat());
    let as_a_plugin: &[i32] = match gate {
        0 => &[0],
        1 => &[1, 2],
        _ => &[3],
    };
    if !as_a_plugin.contains(&check.status) {
        return Err(format!("the gate says {gate}, check says {check}"));
    }
    if (gate == 0) != (kill.status == 0) {
        return Err(format!("the gate says {gate}, kill says {kill}"));
    }
    Ok(())
}

/// The gate's status on a migration, which the other two agree with.
fn all_agree(database: &Database, options: &[&str], sql: &str) -> i32 {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("m.sql").to_string_lossy().into_owned();
    std::fs::write(&file, sql).expect("a file");
    let url = database.url();
    let gate = ["gate", "--no-history", "-d", &url];
    let gate = pgguard([&gate[..], options, &[&file]].concat());
    if let Err(what) = agrees(&url, options, &[&file], gate.status) {
        panic!("{options:?} {sql}: {what}\n{gate}");
    }
    gate.status
}

#[test]
fn every_option_means_the_same_to_all_three() {
    let database = common::database();
    database.sql(
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_reads') THEN
             CREATE ROLE app_reads; END IF; END $$;
         CREATE TABLE orders (id int); CREATE TABLE big (id int, note text);
         INSERT INTO big SELECT i, repeat('x', 500) FROM generate_series(1, 50000) i; ANALYZE big",
    );
    let rewrite = "ALTER TABLE big ALTER id TYPE bigint";
    assert_eq!(all_agree(&database, &["--max-hold", "none"], rewrite), 0);
    assert_eq!(all_agree(&database, &["--max-hold", "1ms"], rewrite), 1);
    let let_through = ["--max-hold", "1ms", "--allow", "hold=big"];
    assert_eq!(all_agree(&database, &let_through, rewrite), 0);

    let refused = "CREATE TABLE orders (id int)";
    assert_eq!(all_agree(&database, &[], refused), 1);
    assert_eq!(all_agree(&database, &["--allow", "failing"], refused), 0);

    let opaque = "DO $$ BEGIN EXECUTE current_setting('app.sql', true); END $$";
    assert_eq!(all_agree(&database, &[], opaque), 2);
    assert_eq!(all_agree(&database, &["--allow", "opaque"], opaque), 0);
    assert_eq!(all_agree(&database, &["--allow-opaque"], opaque), 0);

    let alter = "ALTER TABLE orders ADD COLUMN note text";
    let holder = begun(&database, "BEGIN; LOCK TABLE orders IN ACCESS SHARE MODE");
    let pid = holder.pid().to_string();
    assert_eq!(all_agree(&database, &["--patience", "0s"], alter), 1);
    assert_eq!(all_agree(&database, &["--asking", &pid], alter), 0);
    // Who may not touch it fails before it waits.
    let as_reader = ["--patience", "0s", "--role", "app_reads"];
    assert_eq!(all_agree(&database, &as_reader, alter), 0);
}

/// The settings file is found by all three where they are run, and named by `--config`.
#[test]
fn the_settings_file_means_the_same_to_all_three() {
    let database = common::database();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pgguard.toml");
    let text = "[[allow]]\nname = 'opaque'\nbecause = 'Ann has read it'\n";
    std::fs::write(&file, text).expect("a settings file");
    let config = file.to_string_lossy().into_owned();
    let opaque = "DO $$ BEGIN EXECUTE current_setting('app.sql', true); END $$";
    assert_eq!(all_agree(&database, &[], opaque), 2);
    assert_eq!(all_agree(&database, &["--config", &config], opaque), 0);
    std::fs::write(folder.path().join("m.sql"), opaque).expect("a file");
    for command in [
        "gate --no-history m.sql",
        "check --no-history -m migration --migration m.sql",
        "kill --no-history --blocking m.sql",
    ] {
        let output = pgguard_command()
            .args(command.split(' '))
            .env("DATABASE_URL", database.url())
            .current_dir(folder.path())
            .output()
            .expect("pgguard ends");
        assert_eq!(output.status.code(), Some(0), "{command} {output:?}");
    }
}

fn begun(database: &Database, sql: &str) -> Session {
    let mut session = database.session();
    session.exec(sql);
    session
}

#[test]
fn a_tools_migration_lock_is_in_the_way_for_all_three() {
    for (tool, key) in [
        ("atlas", 2_686_470_616_i64),
        ("node-pg-migrate", 7_241_865_325_823_964),
        ("tern", 9_628_173_550_095_224),
    ] {
        let database = common::database();
        let path = folder(tool);
        let holder = begun(&database, &format!("SELECT pg_advisory_lock({key})"));
        common::until(
            "the lock has been held for longer than the patience",
            || {
                let sql = format!(
                    "SELECT now() - state_change > '2 s' FROM pg_stat_activity WHERE pid = {}",
                    holder.pid()
                );
                database.sql(&sql).trim() == "t"
            },
        );
        all_say(&database, &path, &["--tool", tool], Some(holder.pid()));
    }
}

#[test]
fn an_ordinary_holder_and_nobody_are_the_same_for_all_three() {
    let database = common::database();
    database.sql("CREATE TABLE orders (id int)");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("m.sql").to_string_lossy().into_owned();
    std::fs::write(&file, "ALTER TABLE orders ADD COLUMN note text;").expect("a file");
    all_say(&database, &file, &[], None);
    let holder = begun(&database, "BEGIN; LOCK TABLE orders IN ACCESS SHARE MODE");
    all_say(
        &database,
        &file,
        &["--transaction", "file"],
        Some(holder.pid()),
    );
}

/// Readers queue behind an ALTER that waits for a dump: the ALTER is the one to end, and no reader ever.
#[test]
fn in_an_outage_the_waiting_migration_is_ended_and_no_victim() {
    let shop = common::shop();
    let dump = Dump::stalled(&shop);
    let mut alter = shop.session();
    waits(&mut alter, "ALTER TABLE orders ADD COLUMN note text");
    let readers: Vec<Session> = (0..5)
        .map(|_| {
            let mut reader = shop.session();
            waits(&mut reader, "SELECT count(*) FROM orders");
            reader
        })
        .collect();
    let said = gate(&shop, "ALTER TABLE orders ADD COLUMN note text");
    let text = said.text();
    assert_eq!(said.answer(), Answer::WouldBlock);
    for reader in &readers {
        assert!(!text.contains(&format!("kill {}", reader.pid())), "{text}");
    }
    let mut lines = text.lines().map(str::trim_start);
    let advice = lines.find(|line| line.starts_with("do"));
    let commands = [advice, lines.next()].map(Option::unwrap_or_default);
    assert!(
        commands
            .iter()
            .any(|line| line.ends_with(&format!("pgguard kill {}", alter.pid()))),
        "{text}"
    );
    assert!(
        text.contains(&format!("waits for pid {}", dump.pid())),
        "{text}"
    );
    assert!(
        text.contains("this very migration seems to run already"),
        "{text}"
    );
    assert!(text.contains("5 sessions like this"), "{text}");
}

/// `cases/migrations/23`, 8
#[test]
fn a_crowd_is_one_line_and_one_command() {
    let database = common::database();
    database.sql("CREATE TABLE orders (id int)");
    let crowd: Vec<Session> = (0..12)
        .map(|_| begun(&database, "BEGIN; LOCK TABLE orders IN ROW EXCLUSIVE MODE"))
        .collect();
    let said = gate(&database, "ALTER TABLE orders ADD COLUMN note text");
    let text = said.text();
    assert!(text.contains("12 sessions like this, the oldest"), "{text}");
    // They have only just begun: nobody is to be killed yet.
    assert_eq!(text.matches("pgguard kill").count(), 0, "{text}");
    assert_eq!(text.matches("\n  do ").count(), 1, "{text}");
    drop(crowd);
}

/// `cases/migrations/03`
#[test]
fn a_database_with_sessions_is_not_dropped_renamed_or_copied() {
    // Of its own: databases that other tests create meanwhile are a doubt for a DROP DATABASE.
    let server = common::own_server(&Options::major(common::majors()[0]));
    let (yard, barn) = (Database::empty(server), Database::empty(server));
    let idle = barn.session();
    let name = &barn.name;
    for sql in [
        format!("DROP DATABASE IF EXISTS {name}"),
        format!("DROP DATABASE {name}"),
        format!("CREATE DATABASE barn2 TEMPLATE {name}"),
        format!("CREATE DATABASE barn2 WITH OWNER = postgres TEMPLATE = {name}"),
        format!("ALTER DATABASE {name} RENAME TO barn3"),
        format!(
            "ALTER DATABASE {} SET TABLESPACE pg_default",
            name.to_uppercase()
        ),
    ] {
        let said = gate(&yard, &sql);
        assert_eq!(said.answer(), Answer::WouldBlock, "{sql}\n{}", said.text());
        assert!(
            said.text().contains(&format!("pid {}", idle.pid())),
            "{}",
            said.text()
        );
    }
    // Transactions that come and go do not take the session away.
    let mut busy = barn.session();
    busy.start(
        "DO $$ BEGIN FOR i IN 1 .. 300 LOOP PERFORM pg_sleep(0.1); COMMIT; END LOOP; END $$",
    );
    let said = gate(&yard, &format!("DROP DATABASE {name}"));
    let pid = format!("pid {}", busy.pid());
    assert!(said.text().contains(&pid), "{}", said.text());
    yard.sql(&format!("SELECT pg_terminate_backend({})", busy.pid()));
    assert!(busy.join().is_err());
    busy.close();

    // A role that may not see what others do sees that they are there.
    yard.sql("CREATE ROLE plain LOGIN CREATEDB");
    let url = yard.url_as("plain");
    for sql in [
        format!("DROP DATABASE {name}"),
        format!("CREATE DATABASE barn2 TEMPLATE {name}"),
    ] {
        let said = common::pgguard_with_input(["gate", "--no-history", "-d", &url, "-"], &sql);
        assert_eq!(said.status, 1, "{sql}: {said}");
        let pid = format!("pid {}", idle.pid());
        assert!(said.stdout.contains(&pid), "{sql}: {said}");
    }
    for sql in [
        format!("ALTER DATABASE {name} SET work_mem = '5MB'"),
        format!("ALTER DATABASE {name} CONNECTION LIMIT 5"),
        "DROP DATABASE IF EXISTS nobodys".to_owned(),
    ] {
        assert_eq!(gate(&yard, &sql).answer(), Answer::Clear, "{sql}");
    }
    let said = gate_with(
        &yard,
        &format!("DROP DATABASE {name} WITH (FORCE)"),
        &at_once(),
    );
    assert_eq!(said.answer(), Answer::Clear);
    assert!(
        said.text().contains(&format!(
            "ends 1 session of database {name}: pid {}",
            idle.pid()
        )),
        "{}",
        said.text()
    );
}
