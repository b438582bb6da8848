//! A command's page: what its help and man page say beyond its options.

use super::around::Reads;
use crate::commands::check::arguments::{mode_names, modes_help};
use std::fmt::Write as _;

/// A command's page.
#[derive(Debug)]
pub struct Page {
    /// Its words after `pgguard`; empty: pgguard itself.
    pub path: &'static str,
    /// The options that `--help` shows, in order, by their ids, each with a text for one line; all others are for
    /// `--help-all`.
    pub first: &'static [(&'static str, &'static str)],
    /// How it exits, and what that means.
    pub status: &'static [(&'static str, &'static str)],
    /// What it reads.
    pub reads: &'static [Reads],
    /// Commands to copy, and what they do.
    pub examples: &'static [(&'static str, &'static str)],
    /// What is worth knowing besides, a paragraph each.
    pub notes: &'static [&'static str],
}

impl Page {
    /// What `--help` says after the options: the exit status on a line or two, and examples.
    pub fn after_help(&self, all: bool) -> String {
        let mut out = String::new();
        if all {
            for note in self.notes {
                let _ = writeln!(out, "{note}\n");
            }
        }
        if self.path == "check" {
            out += &match all {
                true => format!("{}\n", modes_help()),
                false => format!(
                    "Modes: {}.\n--help-all says what each is compared with.\n\n",
                    mode_names()
                ),
            };
        }
        if !self.path.is_empty() {
            let short = self
                .status
                .iter()
                .filter(|(number, _)| all || number.len() < 4);
            let words: Vec<String> = short
                .map(|(number, what)| format!("{number} {what}"))
                .collect();
            if !words.is_empty() {
                let _ = writeln!(out, "Exit status: {}.", words.join("; "));
            }
        }
        if !self.examples.is_empty() {
            out += "\nExamples:\n";
        }
        for (line, _) in self.examples {
            let _ = writeln!(out, "  {line}");
        }
        out.trim().to_owned()
    }
}
