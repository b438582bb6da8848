//! docs/locks.md: what ordinary statements lock, as the newest server here says.
//!
//! `UPDATE=1` in the environment writes the page.

use crate::common::{self, Database};
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
    who asks\nfor a conflicting one: set `lock_timeout` in every migration.\n";

#[test]
fn the_page_of_locks_is_what_the_newest_server_says() {
    let newest = *common::majors().iter().max().expect("a server");
    if newest != 18 {
        println!("skipped: the page is about Postgres 18");
        return;
    }
    let page = runtime().block_on(page(newest));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/locks.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).expect("written");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == page,
        "docs/locks.md is old; UPDATE=1 writes this:\n{page}"
    );
}

async fn page(major: u32) -> String {
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
    let mut page = HEAD.to_owned();
    for form in forms
        .split("-- ")
        .filter(|part| part.contains(';'))
        .zip(titles(forms))
    {
        let (part, (title, safer)) = form;
        let sql = part.split_once('\n').expect("a statement").1.trim();
        let statement = cut(sql).remove(0);
        let said = predicted(&mut looker, &statement).await;
        let mut own = connect(&url).await;
        let held = locked(&mut own, &statement.sql, &before, false).await;
        own.close().await.expect("the session ends");
        let held = held.unwrap_or_else(|why| panic!("{sql}: {why}"));
        let _ = write!(
            page,
            "\n## {title}\n\n```sql\n{sql}\n```\n\n{}\nSafer: {safer}\n",
            table(&held, &said)
        );
    }
    page
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

/// The strongest lock on each table, and on an index that the statement names.
fn table(held: &BTreeSet<Held>, said: &Statement) -> String {
    let mut strongest: BTreeMap<&str, LockMode> = BTreeMap::new();
    for (name, mode) in held.iter().filter(|(name, _)| is_shown(name, said)) {
        let most = strongest.entry(name).or_insert(*mode);
        *most = (*most).max(*mode);
    }
    if strongest.is_empty() {
        return "No lock on a table that was there before.\n".into();
    }
    let mut text = "| lock | on | keeps out | work |\n|---|---|---|---|\n".to_owned();
    for (name, mode) in strongest {
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
        let _ = writeln!(text, "| {mode} | {name} | {} | {work} |", mode.keeps_out());
    }
    text
}

fn is_shown(name: &str, said: &Statement) -> bool {
    let lock = said.locks.iter().find(|lock| lock.name.to_string() == name);
    lock.is_none_or(|lock| match lock.kind {
        RelationKind::Toast => false,
        RelationKind::Index | RelationKind::PartitionedIndex => lock.named,
        _ => true,
    }) && !name.starts_with("pg_toast.")
}
