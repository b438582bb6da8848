//! Backups: recognising them, their past runs, and when they end.
//!
//! One binary for many files: each binary links everything.

#[path = "../common/mod.rs"]
mod common;
#[path = "../traces/mod.rs"]
mod traces;

mod command;
mod coverage;
mod eta;
mod history;
mod kinds;
mod past_runs;
mod sample;
