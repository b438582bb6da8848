//! What Postgres refuses, said before: each line of the two files is tried on a server, and the prediction is compared
//! with what it said.

use crate::common::{self, Database};
use crate::oracle;
use pgguard::model::Statement;
use pgguard::test_support::migration::footprint;
use pgguard::test_support::migration::statement::{Script, statements};
use pgguard::test_support::postgres::{catalog, connect};
use sqlx::postgres::PgConnection;

const GROUND: &str = include_str!("refusals/setup.sql");
const REFUSED: &str = include_str!("refusals/refused.sql");
const RUN: &str = include_str!("refusals/runs.sql");

/// The migrations of a file for a major version.
fn migrations(file: &'static str, major: u32) -> impl Iterator<Item = &'static str> {
    let lines = file
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("--"));
    lines.filter_map(move |line| match line.strip_prefix('@') {
        None => Some(line),
        Some(line) => {
            let (versions, migration) = line.split_once(' ').expect("@15 or @<15 and a migration");
            let number = |text: &str| text.parse::<u32>().expect("a major version");
            let counts = match versions.strip_prefix('<') {
                Some(before) => major < number(before),
                None => major >= number(versions),
            };
            counts.then_some(migration)
        }
    })
}

/// What is said of a migration in one transaction.
async fn predicted(looker: &mut PgConnection, migration: &str) -> Vec<Statement> {
    let text = format!("BEGIN; {migration}; ROLLBACK;");
    let statements = statements(&[Script::psql("-", &text)]);
    let limits = connect::limits_that_keep_the_path(std::time::Duration::from_secs(60));
    let reach = footprint::reach(&statements);
    let catalog = catalog::load(looker, &reach, &limits).await;
    footprint::of(&statements, catalog.expect("the catalog loads"), 0).statements
}

/// What the server says of it; it leaves nothing.
async fn refusal(runner: &mut PgConnection, migration: &str) -> Option<String> {
    let done = oracle::run(runner, &format!("BEGIN; {migration};")).await;
    oracle::run(runner, "ROLLBACK; RESET ALL")
        .await
        .expect("a rollback");
    done.err().map(|error| error.to_string())
}

fn ground(major: u32) -> Database {
    let database = Database::empty(common::server_of(major));
    let mut session = database.session();
    for line in GROUND.lines().filter(|line| !line.starts_with("--")) {
        // A role belongs to all databases, and may be there.
        let done = session.try_exec(line);
        assert!(
            done.is_ok() || line.starts_with("CREATE ROLE"),
            "{line}: {done:?}"
        );
    }
    database
}

/// The migrations of a file on a major version, of which something else is said than the server does.
fn wrong(file: &'static str, major: u32, are_refused: bool) -> Vec<String> {
    let database = ground(major);
    oracle::runtime().block_on(async {
        let mut looker = oracle::connect(&database.url()).await;
        let mut runner = oracle::connect(&database.url()).await;
        let mut wrong = Vec::new();
        for migration in migrations(file, major) {
            let told = predicted(&mut looker, migration).await;
            let said = refusal(&mut runner, migration).await;
            let fails = told.iter().find_map(|s| {
                let why = s.fails.clone()?;
                // What is missing may be elsewhere: that is a doubt, and no green either.
                (!are_refused || s.fails_for_certain || s.opaque.is_some()).then_some(why)
            });
            if fails.is_some() != are_refused || said.is_some() != are_refused {
                wrong.push(format!(
                    "{major}: {migration}\n    told: {fails:?}\n    server: {said:?}"
                ));
            }
        }
        wrong
    })
}

fn holds(file: &'static str, are_refused: bool) {
    let wrong = common::majors()
        .into_iter()
        .flat_map(|major| wrong(file, major, are_refused));
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_postgres_refuses_is_said_before() {
    holds(REFUSED, true);
}

#[test]
fn what_runs_is_not_said_to_be_refused() {
    holds(RUN, false);
}
