//! Asks before it acts: words on a terminal, or an identity that was named beforehand.

use crate::kill::Confirmation;
use crate::{Error, Result};
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

/// Whether to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consent {
    /// Yes.
    Given,
    /// A person said no.
    Refused,
    /// `--yes` names somebody else.
    NamesAnother,
}

/// Asks a person, or compares with `--yes`.
///
/// # Errors
/// [`Error::Usage`] without a terminal and without `--yes`: nothing is done by a pipe's accident.
pub fn ask(
    yes: &[String],
    identity: &str,
    confirmation: &Confirmation,
    deed: &str,
) -> Result<Consent> {
    if !yes.is_empty() {
        return Ok(if yes.iter().any(|named| named == identity) {
            Consent::Given
        } else {
            Consent::NamesAnother
        });
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Error::Usage(format!(
            "nothing was done: there is no terminal to ask on; if this is the one, pass --yes '{identity}'"
        )));
    }
    let mut err = io::stderr().lock();
    let asked = err
        .write_all(confirmation.question(deed).as_bytes())
        .and_then(|()| err.flush());
    let mut answer = String::new();
    let read = asked.and_then(|()| io::stdin().lock().read_line(&mut answer));
    Ok(match read {
        Ok(_) if confirmation.accepts(&answer) => Consent::Given,
        _ => Consent::Refused,
    })
}
