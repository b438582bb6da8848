//! docs/locks.md and a page a statement below docs/locks: what ordinary statements lock, as the newest server here
//! says, and the safer form, as `pgguard explain` names it.
//!
//! `UPDATE=1` in the environment writes the pages.

use crate::common::{self, Database, pgguard_with_input};
use crate::oracle::{Held, connect, cut, locked, predicted, relations, runtime};
use pgguard::model::{LockMode, LockWork, RelationKind, Statement};
use sqlx::Connection as _;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

const HEAD: &str = "# What locks what\n\n\
    Measured on Postgres 18 by the tests: each statement ran in a transaction, and `pg_locks` said what it held at the \
    end.\nThe work is what pgguard knows; `pgguard explain FILE` tells all of it for your own schema.\n\n\
    All locks last to the end of the transaction. A statement that waits for its lock keeps everybody waiting behind it \
    who asks\nfor a conflicting one: set `lock_timeout` in every migration.\n\n\
    | statement | lock | on | keeps out | work |\n|---|---|---|---|---|\n";

const FOOT: &str = "\nMeasured on Postgres 18 by the tests: the statement ran in a transaction, and `pg_locks` said what it \
    held at the end.\n`pgguard explain FILE` tells it for your own schema. [All statements](../locks.md)\n";

#[test]
fn the_pages_of_locks_are_what_the_newest_server_says() {
    let newest = *common::majors().iter().max().expect("a server");
    if newest != 18 {
        println!("skipped: the pages are about Postgres 18");
        return;
    }
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let pages = runtime().block_on(pages(newest));
    if std::env::var_os("UPDATE").is_some() {
        let _ = std::fs::remove_dir_all(docs.join("locks"));
        std::fs::create_dir_all(docs.join("locks")).expect("a folder");
        for (path, page) in &pages {
            std::fs::write(docs.join(path), page).expect("written");
        }
    }
    for (path, page) in &pages {
        let there = std::fs::read_to_string(docs.join(path)).unwrap_or_default();
        assert!(
            there == *page,
            "docs/{path} is old; UPDATE=1 writes this:\n{page}"
        );
    }
    let files = std::fs::read_dir(docs.join("locks")).expect("a folder");
    assert_eq!(files.count(), pages.len() - 1, "a page a statement");
}

/// The pages by their paths below docs.
async fn pages(major: u32) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations-fixtures/locks.sql"),
    )
    .expect("the statements");
    let (setup, forms) = text.split_once("-- forms\n").expect("a setup and forms");
    let database = Database::empty(common::server_of(major));
    let url = database.url();
    let mut looker = connect(&url).await;
    database.sql(setup);
    let before = relations(&mut looker).await;
    let mut pages = BTreeMap::new();
    let mut all = HEAD.to_owned();
    for form in forms
        .split("-- ")
        .filter(|part| part.contains(';'))
        .zip(titles(forms))
    {
        let (part, (title, advice)) = form;
        let sql = part.split_once('\n').expect("a statement").1.trim();
        let statement = cut(sql).remove(0);
        let said = predicted(&mut looker, &statement).await;
        let mut own = connect(&url).await;
        let held = locked(&mut own, &statement.sql, &before, false).await;
        own.close().await.expect("the session ends");
        let held = held.unwrap_or_else(|why| panic!("{sql}: {why}"));
        let rows = rows(&held, &said);
        let path = format!(
            "locks/{}.md",
            title.to_lowercase().replace(',', "").replace(' ', "-")
        );
        for (at, row) in rows.iter().enumerate() {
            let name = if at == 0 {
                format!("[{title}]({path})")
            } else {
                String::new()
            };
            let _ = writeln!(all, "| {name} {row}");
        }
        if rows.is_empty() {
            let _ = writeln!(all, "| [{title}]({path}) | none | | | instant |");
        }
        let page = format!(
            "# {title}\n\n```sql\n{sql}\n```\n\n## What it locks\n\n{}\n## The safer form\n\n{}{}{FOOT}",
            table(&rows),
            sentence(advice),
            safer(&url, sql)
        );
        let twice = pages.insert(path, page);
        assert!(twice.is_none(), "two statements are called {title}");
    }
    pages.insert("locks.md".to_owned(), all);
    pages
}

/// With a capital letter: advice begins in the middle of a line of the fixture.
fn sentence(advice: &str) -> String {
    let first = advice.chars().next().map(char::to_uppercase);
    let rest = advice.chars().skip(1);
    first
        .into_iter()
        .flatten()
        .chain(rest)
        .chain(['\n'])
        .collect()
}

/// The form that `pgguard explain` names for it, as SQL.
fn safer(url: &str, sql: &str) -> String {
    let told = pgguard_with_input(["explain", "-d", url, "--format", "json", "-"], sql).json();
    let form = &told["statements"][0]["safer"];
    let Some(statements) = form["statements"].as_array() else {
        return String::new();
    };
    let statements: String = statements
        .iter()
        .filter_map(|one| one.as_str())
        .map(|one| format!("{};\n", one.trim_end_matches(';')))
        .collect();
    let because = sentence(form["because"].as_str().unwrap_or_default());
    format!(
        "\n`pgguard explain --rewrite` writes this instead. {}.\n\n```sql\n{statements}```\n",
        because.trim_end()
    )
}

/// The title and the advice of each statement, in order.
fn titles(forms: &str) -> Vec<(&str, &str)> {
    let comments: Vec<&str> = forms
        .lines()
        .filter_map(|line| line.strip_prefix("-- "))
        .collect();
    comments
        .chunks(2)
        .map(|pair| {
            (
                pair[0],
                pair[1]
                    .strip_prefix("safer: ")
                    .expect("advice after the title"),
            )
        })
        .collect()
}

/// The strongest lock on each table, and on an index that the statement names: rows of a table, without their first `|`.
fn rows(held: &BTreeSet<Held>, said: &Statement) -> Vec<String> {
    let mut strongest: BTreeMap<&str, LockMode> = BTreeMap::new();
    for (name, mode) in held.iter().filter(|(name, _)| is_shown(name, said)) {
        let most = strongest.entry(name).or_insert(*mode);
        *most = (*most).max(*mode);
    }
    let row = |(name, mode): (&str, LockMode)| {
        let of_it = said
            .locks
            .iter()
            .filter(|lock| lock.name.to_string() == name);
        let work = match of_it.map(|lock| lock.work).max() {
            Some(LockWork::Rewrite) => "writes it again",
            Some(LockWork::Scan) => "reads it all",
            _ => "instant",
        };
        let name = name.trim_start_matches("public.");
        format!("| {mode} | {name} | {} | {work} |", mode.keeps_out())
    };
    strongest.into_iter().map(row).collect()
}

fn table(rows: &[String]) -> String {
    if rows.is_empty() {
        return "No lock on a table that was there before.\n".into();
    }
    let head = "| lock | on | keeps out | work |\n|---|---|---|---|\n";
    let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
    format!("{head}{rows}")
}

fn is_shown(name: &str, said: &Statement) -> bool {
    let lock = said.locks.iter().find(|lock| lock.name.to_string() == name);
    lock.is_none_or(|lock| match lock.kind {
        RelationKind::Toast => false,
        RelationKind::Index | RelationKind::PartitionedIndex => lock.named,
        _ => true,
    }) && !name.starts_with("pg_toast.")
}
