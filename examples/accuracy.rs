//! Replays the SQL migrations of public projects on throw-away servers, statement by statement: what pgguard
//! foretells is compared with what `pg_locks` says once the statement has run. `./dev accuracy` runs it; see
//! docs/accuracy.md.
//!
//! `accuracy FOLDER…`: one project a folder; its `.sql` files are played in the order of their paths, those that
//! take a migration back are left out. `MAJORS="15 18"` picks the servers [default: 15 and 18], `FILES=20` only
//! so many files of each project. Every miss is printed.

#[path = "../tests/footprint/oracle/mod.rs"]
mod oracle;

use oracle::{
    Outcome, brief, connect, cut, judge, locked_oids, named, predicted, relations, run, runtime,
    whole,
};
use pg_query::NodeEnum;
use pgguard::model::Oid;
use pgguard::test_support::migration::split::reads_stdin;
use pgguard::test_support::migration::statement::{Body, SourceStatement};
use pgguard::test_support::throwaway::{Options, Server};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn main() {
    let folders: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let majors = std::env::var("MAJORS").unwrap_or_else(|_| "15 18".to_owned());
    let runtime = runtime();
    let mut rows = Vec::new();
    for major in majors.split_whitespace().filter_map(|m| m.parse().ok()) {
        let server = Server::start(&Options::major(major)).expect("a server");
        for (number, folder) in folders.iter().enumerate() {
            let database = format!("project_{number}");
            server.create_database(&database).expect("a database");
            let score = runtime.block_on(replay(&server.url(&database), folder));
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            rows.push((format!("{name} on {major}"), score));
        }
    }
    print(&rows);
}

/// How the statements and files of a project fared.
#[derive(Default)]
struct Score {
    files: usize,
    /// Files with a statement that is opaque when the file is asked about as a whole.
    opaque_files: usize,
    /// Files that are said to fail for certain, and did not.
    refused_files: usize,
    ran: usize,
    exact: usize,
    missed: usize,
    extra: usize,
    opaque: usize,
    /// Said to fail, and ran.
    refused: usize,
    /// Not exact when the file is asked about as a whole, and neither opaque.
    wrong_in_file: usize,
    /// Refused by the server, and not said to fail.
    failed: usize,
}

fn print(rows: &[(String, Score)]) {
    println!(
        "| project | files | opaque | refused, but ran | statements that ran | exact | missed | extra | opaque | \
         refused, but ran | wrong in its file | server refused, not foretold |\n|{}",
        "---|".repeat(12)
    );
    let sum = |f: fn(&Score) -> usize| rows.iter().map(|(_, s)| f(s)).sum();
    let all = Score {
        files: sum(|s| s.files),
        opaque_files: sum(|s| s.opaque_files),
        refused_files: sum(|s| s.refused_files),
        ran: sum(|s| s.ran),
        exact: sum(|s| s.exact),
        missed: sum(|s| s.missed),
        extra: sum(|s| s.extra),
        opaque: sum(|s| s.opaque),
        refused: sum(|s| s.refused),
        wrong_in_file: sum(|s| s.wrong_in_file),
        failed: sum(|s| s.failed),
    };
    let rows = rows.iter().map(|(name, s)| (name.as_str(), s));
    for (name, s) in rows.chain([("all", &all)]) {
        println!(
            "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            s.files,
            s.opaque_files,
            s.refused_files,
            s.ran,
            s.exact,
            s.missed,
            s.extra,
            s.opaque,
            s.refused,
            s.wrong_in_file,
            s.failed
        );
    }
}

/// The migrations of a project, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".sql") && !name.contains("down.") {
                found.push(path);
            }
        }
    }
    found.sort();
    let most = std::env::var("FILES").ok().and_then(|n| n.parse().ok());
    found.truncate(most.unwrap_or(usize::MAX));
    found
}

async fn replay(url: &str, folder: &Path) -> Score {
    let mut score = Score::default();
    for file in files(folder) {
        let Ok(text) = std::fs::read_to_string(&file) else {
            continue;
        };
        let shown = file.strip_prefix(folder).unwrap_or(&file).display();
        play(url, &shown.to_string(), &cut(&text), &mut score).await;
    }
    score
}

async fn play(url: &str, file: &str, statements: &[SourceStatement], score: &mut Score) {
    let mut looker = connect(url).await;
    let mut runner = connect(url).await;
    let _ = run(&mut runner, "SET statement_timeout = '60s'").await;
    let before_file = not_temporary(relations(&mut looker).await);
    let foretold = whole(&mut looker, statements).await;
    score.files += 1;
    score.opaque_files += usize::from(foretold.iter().any(|s| s.opaque.is_some()));
    for (statement, in_file) in statements.iter().zip(&foretold) {
        let told = |what: &str| {
            let sql: String = statement
                .sql
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ");
            let sql: String = sql.chars().take(220).collect();
            println!("{what}\n    {file}:{}: {sql}", statement.line);
        };
        let Body::Sql(node) = &statement.body else {
            continue;
        };
        if matches!(*node.node(), NodeEnum::TransactionStmt(_)) || reads_stdin(&statement.sql) {
            continue;
        }
        if changes_session(statement) {
            let _ = run(&mut runner, &statement.sql).await;
            let _ = run(&mut looker, &statement.sql).await;
            continue;
        }
        let before = not_temporary(relations(&mut looker).await);
        let mut said = predicted(&mut looker, statement).await;
        // The runner's own temporary table: the looker is another session.
        let mut known = &before;
        let is_out_of_sight = |why: &str| {
            why.contains("temporary table of another") || why.contains("function pg_temp.")
        };
        if said.opaque.as_deref().is_some_and(is_out_of_sight) {
            said = in_file.clone();
            known = &before_file;
        }
        let held = match locked_oids(&mut runner, &statement.sql, true).await {
            Ok(held) => held,
            Err(why) if why.contains("transaction block") => {
                let _ = run(&mut runner, &statement.sql).await;
                continue;
            }
            Err(why) => {
                if said.fails.is_none() && said.opaque.is_none() {
                    score.failed += 1;
                    told(&format!("FAILED {why}"));
                }
                continue;
            }
        };
        score.ran += 1;
        if let Some(why) = &said.fails {
            score.refused += 1;
            told(&format!("REFUSED {why}"));
        }
        if in_file.fails_for_certain {
            score.refused_files += 1;
            told(&format!("REFUSED IN FILE {:?}", in_file.fails));
        }
        if let Some(why) = &said.opaque {
            score.opaque += 1;
            told(&format!("OPAQUE {why}"));
        } else if let Some(why) = &in_file.opaque {
            told(&format!("OPAQUE IN FILE {why}"));
        }
        match judge(&said, &named(&held, known), known) {
            Outcome::Exact => score.exact += 1,
            Outcome::Opaque { .. } => {}
            Outcome::Wrong { missed, extra } => {
                score.missed += usize::from(!missed.is_empty());
                score.extra += usize::from(!extra.is_empty());
                told(&format!(
                    "WRONG missed {} extra {}",
                    brief(&missed),
                    brief(&extra)
                ));
            }
        }
        if let Outcome::Wrong { missed, extra } =
            judge(in_file, &named(&held, &before_file), &before_file)
        {
            score.wrong_in_file += 1;
            told(&format!(
                "WRONG IN FILE missed {} extra {}",
                brief(&missed),
                brief(&extra)
            ));
        }
    }
}

/// Without the runner's own temporary tables: the looker is another session, and nobody waits for them.
fn not_temporary(mut relations: BTreeMap<Oid, String>) -> BTreeMap<Oid, String> {
    relations
        .retain(|_, name| !name.starts_with("pg_temp_") && !name.starts_with("pg_toast_temp_"));
    relations
}

/// The looker must see what the runner sees.
fn changes_session(statement: &SourceStatement) -> bool {
    let is_set = matches!(&statement.body, Body::Sql(node) if matches!(*node.node(), NodeEnum::VariableSetStmt(_)));
    is_set || statement.sql.to_lowercase().contains("set_config(")
}
