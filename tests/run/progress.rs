//! Long statements: how far each step is, when it ends, and afterwards how long it took.

use crate::common;
use crate::stage::Stage;
use serde_json::Value;

/// Rows so wide that each fills a page, and a function that takes its time for each of them.
const WIDE: &str = "CREATE TABLE wide (id int, filler text); ALTER TABLE wide ALTER filler SET STORAGE PLAIN; \
    INSERT INTO wide SELECT n, repeat('x', 6000) FROM generate_series(1, 4000) n; \
    CREATE FUNCTION slow(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM pg_sleep(0.001); RETURN $1; END $$; \
    CREATE TABLE narrow (id int CHECK (slow(id) >= 0))";

/// A statement that takes some seconds, and what its steps are called.
fn statements(stage: &Stage) -> [(Vec<String>, &'static str); 4] {
    // Postgres reads a file in pieces of 64 kB: a line of a number has to be long.
    let numbers: String = (1..=4000).map(|n| format!("{n:<600}\n")).collect();
    let file = stage.file("numbers", &numbers);
    let slowly =
        |pause: &str| format!("SET vacuum_cost_limit = 1; SET vacuum_cost_delay = '{pause}'");
    [
        (
            vec!["CREATE INDEX ON wide (slow(id))".into()],
            "CREATE INDEX: building index",
        ),
        (vec![format!("COPY narrow FROM '{file}'")], "COPY"),
        (
            vec![slowly("1ms"), "VACUUM wide".into()],
            "VACUUM: scanning heap",
        ),
        (
            vec![slowly("4ms"), "ANALYZE wide".into()],
            "ANALYZE: acquiring sample rows",
        ),
    ]
}

fn played(major: u32, which: usize) {
    let stage = Stage::of_major(major);
    stage.shop.sql(WIDE);
    let (texts, step) = statements(&stage).into_iter().nth(which).expect("one");
    let mut words = vec![];
    for text in &texts {
        words.extend(["-c", text]);
    }
    let command = stage.psql(&words);
    let ran = stage.run(&["--no-gate", "--format", "json"], &command);
    assert_eq!(ran.status, 0, "{major}: {ran}");
    let events = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let steps: Vec<Value> = events
        .filter(|event: &Value| event["event"] == "works")
        .filter(|event| {
            event["progress"]
                .as_str()
                .is_some_and(|text| text.starts_with(step))
        })
        .collect();
    let percents: Vec<i64> = steps
        .iter()
        .filter_map(|event| event["percent"].as_i64())
        .collect();
    assert!(!percents.is_empty(), "{major} {step}: {ran}");
    assert!(
        percents.iter().all(|percent| (0..=100).contains(percent)),
        "{major} {step}: {percents:?}"
    );
    let with_end = steps
        .iter()
        .find(|event| event["step_ends_in_s"].is_number());
    let text = with_end
        .and_then(|event| event["text"].as_str())
        .unwrap_or_default();
    assert!(
        text.contains(" %, this step ends in ~"),
        "{major} {step}: {ran}"
    );
    let run = &stage.runs()[0];
    let kept = run["facts"]["steps"].as_array().expect("steps");
    let kept = kept.iter().find(|kept| {
        kept["what"]
            .as_str()
            .is_some_and(|what| what.starts_with(step))
    });
    assert!(
        kept.is_some_and(|kept| kept["took_s"].as_f64() > Some(1.0)),
        "{major} {step}: {run}"
    );
    assert!(ran.stdout.contains(" took "), "{major} {step}: {ran}");
}

#[test]
fn a_long_statement_says_how_far_it_is_and_when_its_step_ends() {
    for major in common::majors() {
        std::thread::scope(|scope| {
            // The ANALYZE of 17 takes two seconds, whatever the delay: too short to tell when it ends.
            let last = if major == 17 { 3 } else { 4 };
            for which in 0..last {
                scope.spawn(move || played(major, which));
            }
        });
    }
}
