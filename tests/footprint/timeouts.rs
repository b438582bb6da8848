//! The settings in force while a migration runs, with the server as judge.

use crate::common;
use pgguard::test_support::migration::settings::{identifiers, milliseconds};
use pgguard::test_support::migration::statement::{Script, settings_before_the_last, statements};
use proptest::prelude::*;

const SETTING: &str = "SELECT setting FROM pg_settings WHERE name = 'lock_timeout'";

/// What the session has before a statement, by the text alone; a session starts with none.
fn predicted(sql: &str) -> String {
    let script = Script::psql("a.sql", sql);
    let last = statements(&[script]).pop().unwrap();
    last.lock_timeout_ms.unwrap_or(0).to_string()
}

#[test]
fn a_time_means_what_the_server_makes_of_it() {
    let database = common::database();
    let mut session = database.session();
    for text in [
        "5000",
        "5s",
        " 1 min ",
        "1.5s",
        "500us",
        "1500us",
        "2500us",
        "0x10",
        "010",
        "08",
        "010.5s",
        "09.5s",
        "1e3",
        "1e-1s",
        "2d",
        ".5s",
        "5.",
        "+5s",
        "0",
        "-1",
        "-0",
        "5S",
        "5 minutes",
        "off",
        "",
        ".",
        "0x",
        "25d",
        "24d",
        "1h",
        "1e",
        "5 s x",
        "0.4",
        "0.5",
        "1.5",
        "2147483647",
        "2147483648",
        "99999999999999999999",
    ] {
        session.exec("RESET lock_timeout");
        // What it refuses changes nothing.
        let _ = session.try_exec(&format!("SET lock_timeout = '{text}'"));
        let found = session.query_text(SETTING);
        assert_eq!(
            milliseconds(text).unwrap_or(0).to_string(),
            found,
            "{text:?}"
        );
    }
}

/// A setting of the session: how it is set, and what shows it.
struct Setting {
    name: &'static str,
    values: &'static [&'static str],
    shown: &'static str,
}

const SETTINGS: &[Setting] = &[
    Setting {
        name: "lock_timeout",
        values: &["'20s'", "30000"],
        shown: "SELECT setting FROM pg_settings WHERE name = 'lock_timeout'",
    },
    Setting {
        name: "search_path",
        values: &[
            "app",
            "\"App\", public",
            "APP",
            "''",
            "\"$user\", public",
            "'App'",
        ],
        shown: "SELECT array_to_string(current_schemas(false), ' ')",
    },
    Setting {
        name: "role",
        values: &["one", "two", "none"],
        shown: "SELECT current_user",
    },
    Setting {
        name: "session_authorization",
        values: &["one", "two", "default"],
        shown: "SELECT current_user",
    },
    Setting {
        name: "session_replication_role",
        values: &["replica", "'origin'", "local"],
        shown: "SHOW session_replication_role",
    },
    Setting {
        name: "enable_partition_pruning",
        values: &["off", "on", "false"],
        shown: "SHOW enable_partition_pruning",
    },
    Setting {
        name: "standard_conforming_strings",
        values: &["off", "on"],
        shown: "SHOW standard_conforming_strings",
    },
    Setting {
        name: "default_transaction_isolation",
        values: &["serializable", "'repeatable read'"],
        shown: "SHOW transaction_isolation",
    },
    Setting {
        name: "default_transaction_deferrable",
        values: &["on", "off"],
        shown: "SHOW transaction_deferrable",
    },
];

/// What a setting is by the text alone, as [`Setting::shown`] says it.
fn predicted_of(name: &str, run: &str, owner: &str) -> String {
    let statements = statements(&[Script::psql("a.sql", format!("{run}SELECT 1"))]);
    let settings = settings_before_the_last(&statements);
    let in_block = statements.last().unwrap().in_block;
    let text = |name: &str, default: &str| settings.text(name).unwrap_or(default).to_lowercase();
    let own = |kind: &str, default: &str| {
        let prefix = if in_block { "" } else { "default_" };
        text(&format!("{prefix}transaction_{kind}"), default)
    };
    match name {
        "lock_timeout" => settings.milliseconds(name).unwrap_or(0).to_string(),
        "search_path" => identifiers(settings.text(name).unwrap_or("\"$user\", public"))
            .into_iter()
            .filter(|schema| ["app", "App", "public"].contains(&schema.as_str()))
            .collect::<Vec<_>>()
            .join(" "),
        "role" | "session_authorization" => settings.role().unwrap_or(owner).to_owned(),
        "session_replication_role" => text(name, "origin"),
        "enable_partition_pruning" | "standard_conforming_strings" => {
            let is_on = settings.truth(name).unwrap_or(true);
            if is_on { "on" } else { "off" }.to_owned()
        }
        "default_transaction_isolation" => own("isolation", "read committed"),
        "default_transaction_deferrable" => {
            let prefix = if in_block { "" } else { "default_" };
            let is_on = settings.truth(&format!("{prefix}transaction_deferrable"));
            if is_on == Some(true) { "on" } else { "off" }.to_owned()
        }
        other => panic!("{other}"),
    }
}

/// A statement about a setting, or about transactions, that is right where it stands.
fn turn(
    choice: u8,
    setting: &Setting,
    value: usize,
    in_block: &mut bool,
    savepoint: &mut bool,
) -> String {
    let name = setting.name;
    let value = setting.values[value % setting.values.len()];
    let plain = value.trim_matches('\'');
    let said = match choice {
        0 | 1 if !*in_block => "BEGIN".to_owned(),
        2 if !*in_block => "BEGIN ISOLATION LEVEL SERIALIZABLE, DEFERRABLE".to_owned(),
        3 if *in_block => "COMMIT".to_owned(),
        4 if *in_block => "ROLLBACK".to_owned(),
        5 if *in_block => "SAVEPOINT s".to_owned(),
        6 if *savepoint => "ROLLBACK TO s".to_owned(),
        7 if *savepoint => "RELEASE s".to_owned(),
        8 => format!("RESET {name}"),
        9 => format!("SET LOCAL {name} TO DEFAULT"),
        10 => "RESET ALL".to_owned(),
        11 if !*in_block => "DISCARD ALL".to_owned(),
        12 if *in_block => "COMMIT AND CHAIN".to_owned(),
        13 if *in_block => "ROLLBACK AND CHAIN".to_owned(),
        14 | 15 if !matches!(plain, "default") => {
            let local = choice == 14;
            format!("SELECT set_config('{name}', '{plain}', {local})")
        }
        16 | 17 => format!("SET LOCAL {name} TO {value}"),
        18 => {
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ, DEFERRABLE"
                .to_owned()
        }
        _ => format!("SET {name} TO {value}"),
    };
    match said.split(' ').next() {
        Some("BEGIN") => *in_block = true,
        Some("COMMIT" | "ROLLBACK") if !said.ends_with("TO s") => {
            (*in_block, *savepoint) = (said.ends_with("CHAIN"), false);
        }
        Some("SAVEPOINT") => *savepoint = true,
        Some("RELEASE") => *savepoint = false,
        _ => {}
    }
    said
}

#[test]
fn every_setting_is_followed_as_the_server_follows_it() {
    let database = common::database();
    database.sql("CREATE SCHEMA app");
    database.sql("CREATE SCHEMA \"App\"");
    database.sql(
        "DO $$ BEGIN CREATE ROLE one SUPERUSER; CREATE ROLE two SUPERUSER; EXCEPTION WHEN duplicate_object THEN END $$",
    );
    let owner = database.sql("SELECT session_user").trim().to_owned();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(200)
    });
    let one = (0_u8..24, 0..SETTINGS.len(), 0_usize..6);
    let turns = prop::collection::vec(one, 1..12);
    let agree = |turns: Vec<(u8, usize, usize)>| {
        let mut session = database.session();
        let (mut in_block, mut savepoint, mut run) = (false, false, String::new());
        for (choice, setting, value) in turns {
            let setting = &SETTINGS[setting];
            let said = turn(choice, setting, value, &mut in_block, &mut savepoint);
            session.exec(&said);
            run.push_str(&said);
            run.push_str(";\n");
            let found = session.query_text(setting.shown);
            prop_assert_eq!(
                predicted_of(setting.name, &run, &owner),
                found,
                "{} after\n{}",
                setting.name,
                run
            );
        }
        Ok(())
    };
    runner.run(&turns, agree).unwrap();
}

/// Statements that are right where they stand, from choices: (which, which time).
fn valid(choices: &[(u8, u16)]) -> Vec<String> {
    let (mut in_block, mut has_savepoint) = (false, false);
    let mut run = Vec::new();
    for (choice, time) in choices {
        let statement = match choice {
            0 if !in_block => "BEGIN".to_owned(),
            1 if in_block => "COMMIT".to_owned(),
            2 if in_block => "ROLLBACK".to_owned(),
            3 if in_block => "SAVEPOINT s".to_owned(),
            4 if has_savepoint => "ROLLBACK TO s".to_owned(),
            5 if has_savepoint => "RELEASE s".to_owned(),
            6 => "RESET lock_timeout".to_owned(),
            7 => "SET LOCAL lock_timeout TO DEFAULT".to_owned(),
            8 => "RESET ALL".to_owned(),
            9 if !in_block => "DISCARD ALL".to_owned(),
            10 if in_block => "COMMIT AND CHAIN".to_owned(),
            11 if in_block => "ROLLBACK AND CHAIN".to_owned(),
            12 => format!(
                "SELECT set_config('lock_timeout', '{time}', {})",
                time % 2 == 0
            ),
            13 | 14 => format!("SET LOCAL lock_timeout = {time}"),
            _ => format!("SET lock_timeout = '{time}ms'"),
        };
        match statement.split(' ').next() {
            Some("BEGIN") => in_block = true,
            Some("COMMIT" | "ROLLBACK") if !statement.ends_with("TO s") => {
                (in_block, has_savepoint) = (statement.ends_with("CHAIN"), false);
            }
            Some("SAVEPOINT") => has_savepoint = true,
            // An older one of the same name may be left: none is asked for.
            Some("RELEASE") => has_savepoint = false,
            _ => {}
        }
        run.push(statement);
    }
    run
}

#[test]
fn what_is_in_force_is_what_the_server_has() {
    let database = common::database();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(150)
    });
    let choices = prop::collection::vec((0_u8..17, 10_000_u16..60_000), 1..14);
    let session = std::cell::RefCell::new(database.session());
    let agree = |choices: Vec<(u8, u16)>| {
        let mut session = session.borrow_mut();
        let _ = session.try_exec("ROLLBACK");
        session.exec("RESET ALL");
        let mut text = String::new();
        for statement in valid(&choices) {
            session.exec(&statement);
            text.push_str(&statement);
            text.push_str(";\n");
            let found = session.query_text(SETTING);
            prop_assert_eq!(predicted(&format!("{text}SELECT 1")), found, "{}", text);
        }
        Ok(())
    };
    // RESET ALL passes over what stands at its default, and COMMIT brings back what that had hidden.
    let time = 10_000;
    agree(vec![(0, time), (15, time), (7, time), (8, time), (1, time)]).unwrap();
    runner.run(&choices, agree).unwrap();
}
