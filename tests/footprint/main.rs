//! What a migration locks: the prediction against what a server did.
//!
//! One binary for many files: each binary links everything.

#[path = "../common/mod.rs"]
mod common;

mod files;
mod forms;
mod generator;
mod oracle;
mod pages;
mod parked;
mod random;
mod refusals;
mod timeouts;
mod tools;
mod work;
