//! Random schemas and random statements: what is predicted for each, just before it runs, is what
//! `pg_locks` then says, on every major version found.
//!
//! No lock may be missed and none made up, unless the statement is said to be opaque. The seed is fixed;
//! `PGGUARD_SEED` takes another, `PGGUARD_CASES` more schemas than a normal run. What fails is made small
//! and printed as the SQL that shows it; with `PGGUARD_SURVEY=1` everything that is not as predicted is
//! listed instead.

use crate::common::{self, Database};
use crate::generator::{Found, Tape, schema, statement};
use crate::oracle::{
    Outcome, brief, connect, cut, judge, locked, predicted, relations, run, runtime,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Row as _};
use std::cell::RefCell;

/// Statements that are tried on one schema.
const STATEMENTS: usize = 24;

#[test]
fn random_statements_lock_what_is_predicted() {
    let cases = setting("PGGUARD_CASES", 1);
    let is_survey = std::env::var("PGGUARD_SURVEY").is_ok();
    for major in common::majors() {
        let tally = RefCell::new(Tally::default());
        let config = Config {
            cases: u32::try_from(cases).expect("few cases"),
            failure_persistence: None,
            max_shrink_iters: 80,
            ..Config::default()
        };
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&setting("PGGUARD_SEED", 1).to_le_bytes());
        let mut runner =
            TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
        let tapes = (
            vec(any::<u16>(), 120),
            vec(vec(any::<u16>(), 12), STATEMENTS),
        );
        let outcome = runner.run(&tapes, |(schema_tape, statements)| {
            let wrong = runtime().block_on(trial(major, &schema_tape, &statements, &tally));
            if is_survey {
                for one in &wrong {
                    println!("Postgres {major}: {one}");
                }
                if !wrong.is_empty() {
                    println!("    on {}", made(&schema_tape).join(";\n    "));
                }
                return Ok(());
            }
            if wrong.is_empty() {
                Ok(())
            } else {
                Err(TestCaseError::fail(wrong.join("\n")))
            }
        });
        let tally = tally.into_inner();
        println!(
            "Postgres {major}: {} statements ran, {} of them opaque, {} were refused",
            tally.ran, tally.opaque, tally.refused
        );
        match outcome {
            Ok(()) => assert!(tally.ran > tally.refused / 2, "hardly a trial"),
            Err(TestError::Fail(why, (schema_tape, _))) => panic!(
                "Postgres {major}:\n{}\n{why}",
                made(&schema_tape).join(";\n")
            ),
            Err(other) => panic!("{other}"),
        }
    }
}

fn made(tape: &[u16]) -> Vec<String> {
    schema(&mut Tape::new(tape))
}

#[derive(Debug, Default)]
struct Tally {
    ran: usize,
    opaque: usize,
    refused: usize,
}

/// Makes the schema, tries the statements, and says what was not as predicted.
async fn trial(
    major: u32,
    schema_tape: &[u16],
    statements: &[Vec<u16>],
    tally: &RefCell<Tally>,
) -> Vec<String> {
    let database = Database::empty(common::server_of(major));
    let mut looker = connect(&database.url()).await;
    for sql in made(schema_tape) {
        let _ = run(&mut looker, &sql).await;
    }
    let found = found(&mut looker).await;
    let before = relations(&mut looker).await;
    let mut wrong = Vec::new();
    for tape in statements {
        let sql = statement(&mut Tape::new(tape), &found);
        let said = predicted(&mut looker, &cut(&sql)[0]).await;
        // A session of its own: what an earlier statement left in its caches would hide locks.
        let mut runner = connect(&database.url()).await;
        let held = locked(&mut runner, &sql, &before, false).await;
        runner.close().await.expect("the session ends");
        let mut tally = tally.borrow_mut();
        let Ok(held) = held else {
            tally.refused += 1;
            continue;
        };
        tally.ran += 1;
        tally.opaque += usize::from(said.opaque.is_some());
        if let Outcome::Wrong { missed, extra } = judge(&said, &held, &before) {
            wrong.push(format!(
                "{sql};\n    missed {}\n    extra  {}",
                brief(&missed),
                brief(&extra),
            ));
        }
    }
    looker.close().await.expect("the session ends");
    let mut other = PgConnection::connect(&database.server.url("postgres"))
        .await
        .expect("connects");
    run(
        &mut other,
        &format!("DROP DATABASE {} WITH (FORCE)", database.name),
    )
    .await
    .expect("the database goes");
    wrong
}

/// What is there for statements to name.
async fn found(looker: &mut PgConnection) -> Found {
    let mut found = Found::default();
    let rows = sqlx::query(include_str!("generator/found.sql"))
        .fetch_all(looker)
        .await
        .expect("the catalog reads");
    for row in &rows {
        let (kind, a, b, c): (String, String, String, String) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        match kind.as_str() {
            "table" => found.tables.push(a),
            "partitioned" => found.partitioned.push(a),
            "partition" => found.partitions.push((a, b)),
            "column" => found.columns.push((a, b)),
            "constraint" => found.constraints.push((a, b, c)),
            "index" => found.indexes.push((a, b)),
            "view" => found.views.push(a),
            "materialized" => found.materialized.push(a),
            "sequence" => found.sequences.push(a),
            "trigger" => found.triggers.push((a, b)),
            "policy" => found.policies.push((a, b)),
            "rule" => found.rules.push((a, b)),
            "statistics" => found.statistics.push(a),
            other => panic!("{other}"),
        }
    }
    found
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}
