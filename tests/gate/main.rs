//! `pgguard gate`: the verdict against what then happened on a server.
//!
//! One binary for many files: each binary links everything.

#[path = "../common/mod.rs"]
mod common;

mod allow;
mod at;
mod begins;
mod changes;
mod command;
mod dice;
mod fresh;
mod holds;
mod incidents;
mod one_question;
mod pages;
mod pooler;
mod random;
mod random_statements;
mod reports;
mod row_cases;
mod rows;
mod safer;
mod scene;
mod scenes;
mod settings;
mod standby;
mod tables;
mod tools;
mod trial;
mod unseen;
