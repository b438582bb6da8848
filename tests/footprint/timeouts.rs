//! The timeouts in force while a migration runs, with the server as judge.

use crate::common;
use pgguard::migration::statement::{Script, statements};
use pgguard::migration::timeouts::milliseconds;
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
