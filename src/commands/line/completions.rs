//! `pgguard completions`: scripts for shells.

use super::help::shown;
use crate::Result;
use crate::door::{self, Form};
use clap_complete::Shell;

/// Prints the completions for a shell.
///
/// # Errors
/// When standard output cannot be written.
pub fn completions(shell: Shell) -> Result<u8> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut shown(true), "pgguard", &mut text);
    let text = String::from_utf8_lossy(&text);
    let text = match shell {
        // Before version 4 of fish a bare ? matches file names, and one that matches nothing is an error; and its
        // argparse takes no ? for an option.
        Shell::Fish => text
            .replace(" -s ? ", " -s '?' ")
            .replace(" ?/help", " help"),
        _ => text.into_owned(),
    };
    door::print(Form::Ours, &text)?;
    Ok(0)
}
