//! Asks before it acts: words on a terminal, or an identity that was named beforehand.

use crate::door;
use crate::kill::Confirmation;
use crate::safe::shell_word;
use crate::{Error, Result};

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
    if !door::can_ask() {
        return Err(Error::Usage(format!(
            "nothing was done: there is no terminal to ask on; if this is the one, pass --yes {}",
            shell_word(identity)
        )));
    }
    let answer = door::ask(&confirmation.question(deed));
    Ok(match answer {
        Some(answer) if confirmation.accepts(&answer) => Consent::Given,
        _ => Consent::Refused,
    })
}
