//! UNDERSTAND. A snapshot and past runs → how far a backup is, and when it ends.
//!
//! One look already says what is done ([`progress`]): pg_dump copies its tables in a known order, and a
//! parallel worker keeps its lock on every table that it has dumped. How long the rest takes is told by
//! several clocks ([`clocks`]), each with its own idea of what costs time; together with past runs they
//! are blended into one estimate with an interval ([`estimate`]).

mod clocks;
mod copy_text;
mod estimate;
mod facts;
mod physical;
mod progress;

pub use estimate::{Question, estimate};
pub use facts::TableFacts;
pub use progress::{Copying, DumpProgress, dump_progress};
