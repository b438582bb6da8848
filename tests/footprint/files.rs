//! Whole files, judged by real servers: what is foretold of a file before its first statement, and of each statement
//! just before it runs, is compared with what `pg_locks` says when each of them has run and is committed. The files of
//! migrations-fixtures/files have nothing in them that is not known.

use crate::common::{self, Database};
use crate::oracle::{
    Outcome, brief, connect, cut, judge, locked_oids, named, predicted, relations, run, runtime,
    whole,
};
use pgguard::model::{Oid, Statement};
use std::collections::BTreeMap;
use std::path::Path;

#[test]
fn a_file_locks_what_is_foretold_of_it() {
    let only = std::env::var("ONLY").unwrap_or_default();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations-fixtures/files");
    let files = std::fs::read_dir(folder).expect("the fixtures");
    let files: Vec<_> = files
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().contains(&only))
        .collect();
    let mut wrong = Vec::new();
    for major in common::majors() {
        for file in &files {
            let database = Database::empty(common::server_of(major));
            for what in runtime().block_on(play(file, &database)) {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                wrong.push(format!("Postgres {major}, {name}: {what}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn play(file: &Path, database: &Database) -> Vec<String> {
    let text = std::fs::read_to_string(file).expect("a fixture");
    let (setup, rest) = text.split_once("-- file\n").expect("a setup and a file");
    let mut runner = connect(&database.url()).await;
    let mut looker = connect(&database.url()).await;
    run(&mut runner, setup).await.expect("the setup runs");
    let statements = cut(rest);
    let before_file = relations(&mut looker).await;
    let foretold = whole(&mut looker, &statements).await;
    let mut wrong = Vec::new();
    for (statement, in_file) in statements.iter().zip(&foretold) {
        let before = relations(&mut looker).await;
        let alone = predicted(&mut looker, statement).await;
        let held = match locked_oids(&mut runner, &statement.sql, true).await {
            Ok(held) => held,
            Err(why) => {
                wrong.push(format!("{}\n    does not run: {why}", statement.sql));
                continue;
            }
        };
        for (how, said, before) in [
            ("alone", &alone, &before),
            ("in its file", in_file, &before_file),
        ] {
            let what = compared(said, &named(&held, before), before);
            wrong.extend(what.map(|what| format!("{} {how}\n    {what}", statement.sql)));
        }
    }
    wrong
}

fn compared(
    said: &Statement,
    held: &std::collections::BTreeSet<crate::oracle::Held>,
    before: &BTreeMap<Oid, String>,
) -> Option<String> {
    match (&said.fails, &said.opaque, judge(said, held, before)) {
        (Some(why), ..) => Some(format!("ran, and was said to fail: {why}")),
        (_, Some(why), _) => Some(format!("is said to be unknown: {why}")),
        (.., Outcome::Exact | Outcome::Opaque { .. }) => None,
        (.., Outcome::Wrong { missed, extra }) => {
            Some(format!("missed {} extra {}", brief(&missed), brief(&extra)))
        }
    }
}
