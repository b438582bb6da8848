//! DECIDE. One look → a monitoring plugin's answer: a state, a sentence that names the culprit, figures.
//!
//! Every question is a row of [`MODES`]. They are judged by how long something lasts rather than by how
//! many there are, so that an alarm does not flap, and every answer has the same figures in every run.
//! What is certain is said first: a visible culprit alarms whatever is hidden; without one, a row that
//! the role may not see makes the answer UNKNOWN, with the grant that would help, and never OK.

mod backups;
mod leftovers;
mod locks;
mod migrations;
mod modes;
mod range;
mod sight;
mod state;
mod transactions;

pub use modes::{CONNECTION, MODES, Needs, mode};
pub use range::Range;
pub use sight::{Judgement, Sight};
#[cfg(test)]
pub use state::Unit;
pub use state::{Answer, Figure, State, Thresholds};
