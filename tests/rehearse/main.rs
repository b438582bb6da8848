//! Judging without the server: catalog files, and migrations that are rehearsed on a throw-away copy of the schema.
//!
//! One binary for many files: each binary links everything.

#[path = "../common/mod.rs"]
mod common;

mod catalog;
mod command;
mod confined;
mod frameworks;
mod kept;
mod kinds;
mod measured;
mod network;
mod production;
mod stories;
