//! Long statements: how far each step is, when it ends, and afterwards how long it took. Each statement here would take
//! minutes on any machine: it is cancelled once what is to be said was said.

use crate::common;
use crate::stage::{Stage, sh};
use serde_json::Value;

/// Rows so wide that each fills a page, and functions that take their time for each of them; that of an index only where
/// a setting says so. A table of three rows has an index that takes 15 seconds, and then one that takes minutes.
const WIDE: &str = "CREATE TABLE wide (id int, filler text); ALTER TABLE wide ALTER filler SET STORAGE PLAIN; \
    INSERT INTO wide SELECT n, repeat('x', 6000) FROM generate_series(1, 4000) n; \
    CREATE FUNCTION slow(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM pg_sleep(0.05); RETURN $1; END $$; \
    CREATE FUNCTION indexed(int, int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN \
    IF current_setting('test.slow', true) = 'on' THEN PERFORM pg_sleep($2); END IF; RETURN $1; END $$; \
    CREATE TABLE narrow (id int CHECK (slow(id) >= 0)); \
    CREATE TABLE few AS SELECT n AS id FROM generate_series(1, 3) n; CREATE INDEX by_id ON few (id); \
    CREATE INDEX ON few (indexed(id, 5)); CREATE INDEX ON few (indexed(id, 60)); \
    CREATE MATERIALIZED VIEW seen AS SELECT slow(id) FROM wide WITH NO DATA";

/// What is run, and what its step is called; whether it tells when it ends.
struct Long {
    texts: Vec<String>,
    step: &'static str,
    ends: bool,
}

fn statements(stage: &Stage, major: u32) -> Vec<Long> {
    // Postgres reads a file in pieces of 64 kB: a line of a number has to be long.
    let numbers: String = (1..=4000).map(|n| format!("{n:<600}\n")).collect();
    let file = stage.file("numbers", &numbers);
    let long = |texts: &[&str], step| Long {
        texts: texts.iter().map(|text| (*text).to_owned()).collect(),
        step,
        ends: true,
    };
    let slow = "SET test.slow = 'on'";
    let slowly = "SET vacuum_cost_limit = 1; SET vacuum_cost_delay = '50ms'";
    let mut all = vec![
        long(
            &["CREATE INDEX ON wide (slow(id))"],
            "CREATE INDEX: building index",
        ),
        long(&[&format!("COPY narrow FROM '{file}'")], "COPY"),
        long(&[slowly, "VACUUM wide"], "VACUUM: scanning heap"),
        long(&[slow, "VACUUM FULL few"], "VACUUM FULL: rebuilding index"),
        long(
            &[slow, "CLUSTER few USING by_id"],
            "CLUSTER: rebuilding index",
        ),
        // No view shows how far these are.
        Long {
            ends: false,
            ..long(
                &["REFRESH MATERIALIZED VIEW seen"],
                "REFRESH MATERIALIZED VIEW seen",
            )
        },
        Long {
            ends: false,
            ..long(
                &["ALTER TABLE wide ADD total int DEFAULT slow((random() * 9)::int)"],
                "ALTER TABLE wide ADD total",
            )
        },
    ];
    // The ANALYZE of 17 takes two seconds, whatever the delay: too short to tell when it ends.
    if major != 17 {
        all.push(long(
            &[slowly, "ANALYZE wide"],
            "ANALYZE: acquiring sample rows",
        ));
    }
    all
}

fn played(major: u32, which: usize) {
    let stage = Stage::of_major(major);
    stage.shop.sql(WIDE);
    let long = statements(&stage, major).swap_remove(which);
    let mut words = vec![];
    for text in &long.texts {
        words.extend(["-c", text]);
    }
    let mut run = stage.start(&["--no-gate", "--format", "json"], &stage.psql(&words));
    let said = if long.ends {
        ", this step ends in ~"
    } else {
        " at work for "
    };
    stage.until_said(said);
    stage.shop.sql(
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'pgguard:%' AND datname = current_database()",
    );
    run.wait();
    let out = stage.out();
    let events = out
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let works: Vec<Value> = events
        .filter(|event: &Value| event["event"] == "works")
        .collect();
    if !long.ends {
        let told = works.iter().any(|event| {
            let text = event["text"].as_str().unwrap_or_default();
            text.contains(" at work for ") && text.contains(long.step)
        });
        assert!(told, "{major} {}: {out}", long.step);
        return;
    }
    let of_step = |event: &&Value| {
        let progress = event["progress"].as_str();
        progress.is_some_and(|text| text.starts_with(long.step))
    };
    let steps: Vec<&Value> = works.iter().filter(of_step).collect();
    let percents: Vec<i64> = steps
        .iter()
        .filter_map(|event| event["percent"].as_i64())
        .collect();
    let in_bounds = percents.iter().all(|percent| (0..=100).contains(percent));
    assert!(
        !percents.is_empty() && in_bounds,
        "{major} {}: {out}",
        long.step
    );
    let with_end = steps
        .iter()
        .find(|event| event["step_ends_in_s"].is_number());
    let text = with_end
        .and_then(|event| event["text"].as_str())
        .unwrap_or_default();
    assert!(
        text.contains(" %, this step ends in ~"),
        "{major} {}: {out}",
        long.step
    );
    let run = &stage.runs()[0];
    let mut kept = run["facts"]["steps"].as_array().expect("steps").iter();
    let kept = kept.find(|kept| {
        kept["what"]
            .as_str()
            .is_some_and(|what| what.starts_with(long.step))
    });
    assert!(
        kept.is_some_and(|kept| kept["took_s"].as_f64() >= Some(3.0)),
        "{major} {}: {run}",
        long.step
    );
    assert!(out.contains(" took "), "{major} {}: {out}", long.step);
}

#[test]
fn a_long_statement_says_how_far_it_is_and_when_its_step_ends() {
    for major in common::majors() {
        let count = statements(&Stage::of_major(major), major).len();
        std::thread::scope(|scope| {
            for which in 0..count {
                scope.spawn(move || played(major, which));
            }
        });
    }
}

/// What it said of an open transaction is no work.
#[test]
fn an_idle_transaction_of_the_command_is_called_that() {
    let stage = Stage::new();
    let psql = stage.psql(&[]).join("' '");
    let command = sh(&format!(
        "(echo 'BEGIN; ALTER TABLE orders ADD total int;'; while [ ! -e {} ]; do sleep 0.1; done; echo 'COMMIT;') | '{psql}'",
        stage.path("go").display()
    ));
    let mut run = stage.start(&["--no-gate", "--max-queue", "1h"], &command);
    stage.until_said("is idle in its transaction, after: ");
    stage.file("go", "");
    assert_eq!(run.wait(), 0, "{}", stage.out());
}
