//! `pgguard tools`: the migration tools that `--tool` takes.

use crate::Result;
use crate::cli::Format;
use crate::door::{self, Form};
use crate::tools::{TOOLS, Tool, TransactionHabit};
use serde_json::json;
use std::fmt::Write as _;

/// Prints what is known of each tool.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(format: Format) -> Result<u8> {
    match format {
        Format::Text => door::print(Form::Lines, &text())?,
        Format::Json => door::print(Form::Json, &document())?,
    }
    Ok(0)
}

fn text() -> String {
    let mut out = String::new();
    for tool in TOOLS {
        let reads = tool
            .folder
            .as_ref()
            .map_or("the SQL it runs, from a file or -", |f| f.expects);
        let _ = writeln!(out, "{:<17} reads {reads}", tool.word());
        let locks = match (tool.key, tool.lock_table) {
            (Some(_), _) => "; an advisory lock".to_owned(),
            (None, Some(table)) => format!("; locks {table}"),
            (None, None) => String::new(),
        };
        let table = tool.version_table.unwrap_or("no version table of its own");
        let _ = writeln!(out, "{:<17} {}; {table}{locks}", "", transactions(tool));
    }
    out
}

const fn transactions(tool: &Tool) -> &'static str {
    match tool.habit {
        TransactionHabit::PerStatement => "no transaction",
        TransactionHabit::PerMessage => "one message a migration",
        TransactionHabit::PerScript => "a transaction a migration",
        TransactionHabit::WholeRun => "one transaction for the run",
    }
}

fn document() -> String {
    let tools: Vec<_> = TOOLS
        .iter()
        .map(|tool| {
            json!({
                "name": tool.name,
                "option": tool.word(),
                "reads_folder": tool.folder.is_some(),
                "transactions": transactions(tool),
                "version_table": tool.version_table,
                "lock_table": tool.lock_table,
                "advisory_lock": tool.key.is_some(),
            })
        })
        .collect();
    format!("{:#}\n", json!({ "version": 1, "tools": tools }))
}
