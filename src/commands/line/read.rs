//! Reading the command line, and what is said instead of a command: help, or what is wrong.

use super::help::{command, shown};
use crate::cli::{Cli, Command};
use crate::{door, safe};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{FromArgMatches as _, builder::StyledStr};
use std::ffi::OsString;

/// What the command line asks for.
pub enum Asked {
    Command(Box<Cli>),
    /// A text of ours: help, or the version.
    Help(String),
    /// It cannot be used; why.
    Wrong(String),
}

/// Reads the arguments, the program's name first.
#[must_use]
pub fn read(words: impl IntoIterator<Item = OsString>) -> Asked {
    let mut words: Vec<OsString> = words.into_iter().collect();
    // `-h` is the host, but nobody means a host by it alone.
    if words.len() == 2 && words[1] == "-h" {
        words[1] = "--help".into();
    }
    match parsed(&words) {
        Ok(Cli {
            command: Command::Help { command, all },
            ..
        }) => help_of(&command, all),
        Ok(cli) => Asked::Command(Box::new(cli)),
        Err(error) => told(&error, &words),
    }
}

fn parsed(words: &[OsString]) -> Result<Cli, clap::Error> {
    let all = words
        .iter()
        .take_while(|word| *word != "--")
        .any(|word| word == "--help-all");
    let matches = command(all).try_get_matches_from(words)?;
    Cli::from_arg_matches(&matches)
}

/// `pgguard help backups record`
fn help_of(path: &[String], all: bool) -> Asked {
    let mut command = shown(all);
    command.build();
    let mut found = &mut command;
    for name in path {
        match found.find_subcommand_mut(name) {
            Some(below) => found = below,
            None => {
                let name = safe::printable(name);
                return Asked::Wrong(format!(
                    "pgguard: there is no command `{name}`; pgguard help lists them\n"
                ));
            }
        }
    }
    Asked::Help(rendered(&found.render_help()))
}

fn rendered(text: &StyledStr) -> String {
    let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if door::is_terminal() && colours {
        text.ansi().to_string()
    } else {
        text.to_string()
    }
}

fn told(error: &clap::Error, words: &[OsString]) -> Asked {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            Asked::Help(rendered(&error.render()))
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Asked::Wrong(error.to_string()),
        _ => Asked::Wrong(quoted_safely(error, words) + host_hint(error)),
    }
}

/// Who typed `pgguard gate -h` was looking for help.
fn host_hint(error: &clap::Error) -> &'static str {
    let of = error.get(ContextKind::InvalidArg);
    let is_host = matches!(of, Some(ContextValue::String(arg)) if arg.starts_with("--host"));
    if is_host {
        "-h is the host, as in psql; help is --help or -?\n"
    } else {
        ""
    }
}

/// What is wrong, in clap's words. They quote an argument as it is, and files can be called anything: a line
/// feed in a name that a shell put there for `*` would begin a line of its own.
fn quoted_safely(error: &clap::Error, words: &[OsString]) -> String {
    let safe_words: Vec<OsString> = words
        .iter()
        .map(|word| safe::printable(&word.to_string_lossy()).into())
        .collect();
    if safe_words == words {
        return error.to_string();
    }
    match parsed(&safe_words) {
        Err(again) if again.kind() == error.kind() => again.to_string(),
        _ => "error: an argument has characters that cannot be shown\n".to_owned(),
    }
}
