//! `pgguard run`: a migration command under watch, with what comes before and after it.
//!
//! One binary for many files: each binary links everything.

#[path = "../common/mod.rs"]
mod common;

mod half;
mod history;
mod hooks;
mod hostile;
mod jdbc;
mod kills;
mod pooler;
mod progress;
mod recipes;
mod running;
mod stage;
mod stories;
mod survive;
mod terminal;
mod tools;
mod watch;
mod web;
