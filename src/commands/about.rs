//! `pgguard completions` and `pgguard man`: what the command line says of itself.

use crate::cli::Cli;
use crate::door::{self, Form};
use crate::{Error, Result};
use clap::{Command, CommandFactory};

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
    let mut command = Cli::command();
    // What holds for all commands, such as which flag is help, reaches those below only when it is built.
    command.build();
    let mut text = Vec::new();
    pages(&command, "pgguard", &mut text)?;
    print(&text)
}

/// The page of a command, and of all below it.
fn pages(command: &Command, name: &str, text: &mut Vec<u8>) -> Result<()> {
    let named = command.clone().name(name.to_owned());
    clap_mangen::Man::new(named)
        .render(text)
        .map_err(|error| Error::File {
            what: "write",
            path: "the man page".into(),
            why: error.to_string(),
        })?;
    for below in command.get_subcommands() {
        pages(below, &format!("{name}-{}", below.get_name()), text)?;
    }
    Ok(())
}

fn print(text: &[u8]) -> Result<u8> {
    door::print(Form::Ours, &String::from_utf8_lossy(text))?;
    Ok(0)
}
