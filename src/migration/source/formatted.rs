//! Liquibase's formatted SQL: one file, several changesets, each a migration of its own.

use super::migration::Migration;
use crate::migration::script::{Script, Sender, TransactionHabit};
use crate::tools::comment::comment;
use crate::tools::layout::File;

/// The changesets of a file: `--changeset author:id runInTransaction:false`, up to the next one. What `--rollback`
/// says is a comment, so it needs no care.
pub fn changesets(file: &File) -> Vec<Migration> {
    let mut found: Vec<Migration> = Vec::new();
    for (at, line) in file.text.split_inclusive('\n').enumerate() {
        if let Some((id, habit, repeats)) = changeset(line, &file.name) {
            let script = Script {
                file: file.path.clone(),
                sql: String::new(),
                first_line: at + 1,
                habit,
                sender: Sender::default(),
            };
            found.push(Migration {
                id,
                // Which sum Liquibase compares depends on its version: a repeatable one counts as pending.
                checksum: repeats.then(|| "unknown".to_owned()),
                script,
            });
        }
        if let Some(open) = found.last_mut() {
            open.script.sql.push_str(line);
        }
    }
    found
}

fn changeset(line: &str, file: &str) -> Option<(String, TransactionHabit, bool)> {
    comment(line)?.starts_with("changeset ").then_some(())?;
    // Author and id keep their case.
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words
        .iter()
        .position(|word| word.to_ascii_lowercase().ends_with("changeset"))?
        + 1;
    let id = words.get(at)?;
    let file = file.rsplit('/').next().unwrap_or(file);
    let says = |attribute: &str| {
        words
            .iter()
            .any(|word| word.eq_ignore_ascii_case(attribute))
    };
    let opts_out = says("runInTransaction:false");
    let repeats = says("runAlways:true") || says("runOnChange:true");
    let habit = if opts_out {
        TransactionHabit::PerStatement
    } else {
        TransactionHabit::PerScript
    };
    Some((format!("{id}:{file}"), habit, repeats))
}
