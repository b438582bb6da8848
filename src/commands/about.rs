//! `pgguard completions` and `pgguard man`: what the command line says of itself.

use crate::cli::Cli;
use crate::{Error, Result};
use clap::CommandFactory;
use std::io::{self, Write};

/// Prints the completions for a shell.
///
/// # Errors
/// When standard output cannot be written.
pub fn completions(shell: clap_complete::Shell) -> Result<u8> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pgguard", &mut text);
    print(&text)
}

/// Prints the man page: the commands one after the other, in roff.
///
/// # Errors
/// When standard output cannot be written.
pub fn man() -> Result<u8> {
    let command = Cli::command();
    let mut text = Vec::new();
    render(&clap_mangen::Man::new(command.clone()), &mut text)?;
    for sub in command.get_subcommands() {
        let named = sub.clone().name(format!("pgguard-{}", sub.get_name()));
        render(&clap_mangen::Man::new(named), &mut text)?;
    }
    print(&text)
}

fn render(page: &clap_mangen::Man, text: &mut Vec<u8>) -> Result<()> {
    page.render(text).map_err(unwritable)
}

fn print(text: &[u8]) -> Result<u8> {
    io::stdout().write_all(text).map_err(unwritable)?;
    Ok(0)
}

fn unwritable(error: io::Error) -> Error {
    Error::File {
        what: "write",
        path: "standard output".into(),
        why: error.to_string(),
    }
}
