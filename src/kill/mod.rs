//! DECIDE. What ending a session means: who it is, what it costs, how to do it, what to ask before, and
//! whether it is done. No signal is sent from here.
//!
//! A session is *done with* when the locks that it was looked at with are gone. A cancel that works ends
//! the transaction and may leave the connection; a terminate ends both. Either can be answered with
//! "true" and do nothing, so the locks are read again until they are gone.

mod case;
mod confirm;
mod cost;
mod done;
mod dossier;
mod member;
mod plan;
mod roots;
#[cfg(test)]
mod tests;

pub use confirm::Confirmation;
pub use done::{Outcome, Seen};
pub use dossier::{Dossier, dossier, prepared_dossier};
pub use plan::Step;
pub use roots::roots;
