//! Footprints, judged by real servers: every statement of migrations-fixtures/forms is predicted just
//! before it runs, on each major version found, and compared with what `pg_locks` then says.
//!
//! `ONLY=drop` in the environment takes the fixture files whose name contains that word.

use crate::common::{self, Database};
use crate::oracle::{
    Outcome, brief, connect, cut, judge, locked, predicted, relations, run, runtime,
};
use sqlx::Connection as _;
use std::path::{Path, PathBuf};

/// Of a hundred statements, so many are predicted exactly, on every version. What is not is printed.
const EXACT: usize = 99;

#[test]
fn the_forms_in_the_fixtures_lock_what_is_predicted() {
    for major in common::majors() {
        let (mut exact, mut wrong, mut missed) = (0, Vec::new(), Vec::new());
        for file in fixtures() {
            let database = Database::empty(common::server_of(major));
            let told = runtime().block_on(try_forms(&file, &database));
            exact += told.exact;
            wrong.extend(told.wrong);
            missed.extend(told.missed);
        }
        let all = exact + wrong.len();
        println!(
            "Postgres {major}: {exact} of {all} exact; not so:\n{}",
            wrong.join("\n")
        );
        assert!(all > 100 || std::env::var("ONLY").is_ok(), "hardly a trial");
        // A lock too many is a doubt too many; one that is missed is a green light that waits.
        assert!(
            missed.is_empty(),
            "Postgres {major}:\n{}",
            missed.join("\n")
        );
        assert!(
            exact * 100 >= EXACT * all,
            "Postgres {major}: only {exact} of {all} exact\n{}",
            wrong.join("\n")
        );
    }
}

/// How the statements of one file fared.
#[derive(Default)]
struct Told {
    exact: usize,
    wrong: Vec<String>,
    /// Those of the wrong ones that locked what was not predicted.
    missed: Vec<String>,
}

async fn try_forms(file: &Path, database: &Database) -> Told {
    let text = std::fs::read_to_string(file).expect("a fixture");
    let (setup, forms) = text.split_once("-- forms\n").expect("a setup and forms");
    let mut runner = connect(&database.url()).await;
    let mut looker = connect(&database.url()).await;
    for statement in cut(setup) {
        // A form that this version does not know yet makes nothing for the later ones to meet.
        let _ = run(&mut runner, &statement.sql).await;
    }
    let before = relations(&mut looker).await;
    let mut told = Told::default();
    for statement in cut(forms) {
        let said = predicted(&mut looker, &statement).await;
        // A session of its own: what an earlier statement left in its caches would hide locks.
        let mut own = connect(&database.url()).await;
        let held = locked(&mut own, &statement.sql, &before, false).await;
        own.close().await.expect("the session ends");
        let Ok(held) = held else {
            continue;
        };
        if let Some(why) = &said.fails {
            told.wrong.push(format!(
                "{}\n    ran, and was said to fail: {why}",
                statement.sql
            ));
            continue;
        }
        match judge(&said, &held, &before) {
            Outcome::Exact => told.exact += 1,
            // What is opaque is never green; what was missed is still worth reading.
            Outcome::Opaque { missed, .. } if !missed.is_empty() => {
                println!("opaque, missed {}: {}", brief(&missed), statement.sql)
            }
            Outcome::Opaque { .. } => {}
            Outcome::Wrong { missed, extra } => {
                let words: Vec<&str> = statement.sql.split_whitespace().collect();
                let why = format!(
                    "{}\n    missed {}\n    extra  {}",
                    words.join(" "),
                    brief(&missed),
                    brief(&extra)
                );
                told.missed
                    .extend((!missed.is_empty()).then(|| why.clone()));
                told.wrong.push(why);
            }
        }
    }
    told
}

fn fixtures() -> Vec<PathBuf> {
    let only = std::env::var("ONLY").unwrap_or_default();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations-fixtures/forms");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the fixtures")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "sql") && name(path).contains(&only))
        .collect();
    files.sort();
    files
}

fn name(file: &Path) -> String {
    file.file_stem()
        .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}
