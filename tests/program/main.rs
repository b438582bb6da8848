//! The other commands, and how pgguard connects, looks and starts servers.
//!
//! One binary for many files: each binary links everything.

#[path = "../common/mod.rs"]
mod common;

mod check;
mod command_line;
mod connect;
mod demo;
mod door;
mod house;
mod kill;
mod kill_race;
mod large;
mod look;
mod monitors;
mod mutated;
mod on_standby;
mod past;
mod planted;
mod psql;
mod public_judges;
mod questions;
mod roles;
mod schemas;
mod site;
mod snapshot;
mod texts;
mod throwaway;
mod tls;
mod waits;
mod watch;
mod ways_in;
mod ways_out;
