//! Reading the command line, and what is said instead of a command: help, or what is wrong.

use super::Cli;
use crate::{door, safe};
use clap::Parser as _;
use clap::error::ErrorKind;
use std::ffi::OsString;

/// What the command line asks for.
pub enum Asked {
    /// A command.
    Command(Box<Cli>),
    /// A text of ours: help, or the version.
    Help(String),
    /// It cannot be used; why.
    Wrong(String),
}

/// Reads the arguments, the program's name first.
#[must_use]
pub fn read(words: impl IntoIterator<Item = OsString>) -> Asked {
    let words: Vec<OsString> = words.into_iter().collect();
    match Cli::try_parse_from(&words) {
        Ok(cli) => Asked::Command(Box::new(cli)),
        Err(error) => told(&error, &words),
    }
}

fn told(error: &clap::Error, words: &[OsString]) -> Asked {
    let is_help = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if is_help {
        let text = error.render();
        return Asked::Help(if door::is_terminal() {
            text.ansi().to_string()
        } else {
            text.to_string()
        });
    }
    Asked::Wrong(quoted_safely(error, words))
}

/// What is wrong, in clap's words. They quote an argument as it is, and files can be called anything: a line
/// feed in a name that a shell put there for `*` would begin a line of its own.
fn quoted_safely(error: &clap::Error, words: &[OsString]) -> String {
    let safe_words: Vec<String> = words
        .iter()
        .map(|word| safe::printable(&word.to_string_lossy()))
        .collect();
    let is_safe = words
        .iter()
        .zip(&safe_words)
        .all(|(word, safe)| word == safe.as_str());
    if is_safe {
        return error.to_string();
    }
    match Cli::try_parse_from(&safe_words) {
        Err(again) if again.kind() == error.kind() => again.to_string(),
        _ => "error: an argument has characters that cannot be shown\n".to_owned(),
    }
}
