//! Ways of their own in which the files of a tool say how they run.

use super::comment::has_comment;
use super::layout::{File, Layout};
use super::sending::TransactionHabit::{self, PerMessage, PerScript, PerStatement};

/// sqlx: the file begins with `-- no-transaction`.
pub fn sqlx(_: &Layout, file: &File) -> Option<TransactionHabit> {
    file.text
        .starts_with("-- no-transaction")
        .then_some(PerMessage)
}

/// Diesel: `run_in_transaction = false` in the metadata.toml beside the file.
pub fn diesel(layout: &Layout, file: &File) -> Option<TransactionHabit> {
    let metadata = layout.text(&file.name.replace("up.sql", "metadata.toml"))?;
    let metadata: toml::Table = metadata.parse().ok()?;
    (metadata.get("run_in_transaction")?.as_bool() == Some(false)).then_some(PerMessage)
}

/// Flyway: `executeInTransaction` in the `.conf` beside the file.
pub fn flyway(layout: &Layout, file: &File) -> Option<TransactionHabit> {
    let conf = layout.text(&format!("{}.conf", file.name))?;
    let (_, value) = conf
        .lines()
        .filter_map(|line| line.split_once('='))
        .find(|(key, _)| key.trim() == "executeInTransaction")?;
    Some(if value.trim().eq_ignore_ascii_case("false") {
        PerStatement
    } else {
        PerScript
    })
}

/// bun: `.tx.up.sql` is one transaction; else each part between two lines `--bun:split` is a message
/// (migrate/migration.go, `Exec`).
pub fn bun(_: &Layout, file: &File) -> Option<TransactionHabit> {
    if file.name.ends_with(".tx.up.sql") {
        return Some(PerScript);
    }
    has_comment(&file.text, "bun:split").then_some(PerStatement)
}
