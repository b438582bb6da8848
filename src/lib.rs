//! pgguard: if I run this migration now, will it block: on whom, until when, and who piles up behind it?
//!
//! A pure core in the middle, a thin shell around it. Data flows one way:
//! **read → understand → decide → tell.** The rooms, in that order:
//!
//! | room | does | may use |
//! |---|---|---|
//! | `model` | the nouns, in Postgres's own words; no I/O | nothing of ours |
//! | `words` | how pgguard speaks: one way to write and read a span, to write a time, a cut line, a lock target, an SQL literal | `model` |
//! | `tools` | migration tools, a row each: their names, folders, transactions, tables and locks | `model` |
//! | `postgres` | READ: connect, snapshot, catalog, signal; the only room that talks to a server | `model`, `words`, `tools`; of `migration` and `backup` the values that it fills |
//! | `history` | READ: past backup runs, and what was seen of the running ones | `model`, `words`; of `backup` the watcher; of `postgres` the connection |
//! | `sessions` | UNDERSTAND: snapshot → who is who, who waits behind whom | `model`, `words`, `tools` |
//! | `migration` | UNDERSTAND: SQL → statements → lock requests (the footprint) | `model`, `words`, `tools` |
//! | `backup` | UNDERSTAND: snapshot + past runs → how far, and when it ends | `model`, `words` |
//! | `hold` | UNDERSTAND: footprint → how long each lock that keeps others out is held | `model`, `words` |
//! | `gate` | DECIDE: footprint × snapshot → verdict | `model`, `words`, `tools`, `hold`, `sessions`, `migration`, `backup` |
//! | `doctor` | UNDERSTAND: what was left behind by what did not end | `model`, `words`, `tools`, `sessions` |
//! | `check` | DECIDE: one look → a monitoring plugin's answer | `model`, `words`, `sessions`, `gate`, `doctor` |
//! | `kill` | DECIDE: what ending a session costs, how to do it, whether it is done | `model`, `words`, `sessions`, `gate` |
//! | `supervise` | DECIDE: a command under watch → has it to make way, may it be repeated, what became of it | `model`, `words`, `tools`, `sessions` |
//! | `report` | TELL: text, json, nagios, github, junit…; one file a form | `model`, `words`, and what it renders: the values of `sessions`, `migration`, `backup`, `hold`, `doctor`, `check` |
//! | `watch` | TELL, again and again: the live screen, drawn from one look after the other | `model`, `words`, `sessions`, `kill`, `report` |
//! | `look` | what every command that looks shares: where facts come from, past runs, the one question | everything but `commands` |
//! | `rehearse` | a migration run on a throw-away copy of the schema, and what it sent | everything but `commands` |
//! | `commands` | one file a command: read, decide, render | everything |
//!
//! The face is small. [`main`] is the program. A program that wants the answer itself reads with [`sources`],
//! cuts with [`statements`], asks for the names of [`reach`], works out the locks with [`footprint()`], says who is
//! who with [`understand`] and decides with [`decide`]; the values in between are those of [`model`].
//!
//! Beside them: `cli` has every flag, `config` the file for several servers, `error` what can go wrong
//! and its exit status, `throwaway` a server for the demo, rehearsals and the tests, `world` a place from which
//! nothing can be reached. `safe` makes text of others safe
//! to show, and `door` is the one place through which text leaves. A [`model::Snapshot`] and a
//! [`model::Catalog`] are plain values: `recording` writes what a command read, and reads it back.

mod backup;
mod check;
mod cli;
mod commands;
mod config;
mod doctor;
mod door;
mod error;
mod gate;
mod history;
mod hold;
mod kill;
mod look;
mod migration;
pub mod model;
mod postgres;
mod program;
mod recording;
mod rehearse;
mod report;
mod safe;
mod sessions;
mod supervise;
mod throwaway;
mod tools;
mod watch;
mod words;
mod world;

#[doc(hidden)]
pub mod test_support;

pub use error::{Error, Result};
pub use gate::{Policy, decide};
pub use migration::footprint::{Reach, of as footprint, reach};
pub use migration::source::{ReadOptions, Source, sources};
pub use migration::statement::{Script, SourceStatement, statements};
pub use postgres::connect::{Connection, Flags, Target};
pub use program::main;
pub use sessions::{Sessions, understand};
