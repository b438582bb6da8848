//! UNDERSTAND. A snapshot and past runs → how far a backup is, and when it ends.
//!
//! pg_dump tells nobody how far it is, but its order and its locks do. It locks all tables that it
//! will dump before the first row leaves the server: that is the whole work. A serial dump copies
//! them in the byte order of schema and name, so the table being copied says which are behind it;
//! the workers of a parallel one keep a lock on every table they were given. `pg_stat_progress_copy`
//! counts the rows of the table in flight. A [`Watcher`] gathers this look by look, from one look on.
//!
//! How long the rest takes depends on what limits the dump: the network moves bytes, gzip burns time by content, a slow
//! disk reads pages. No single measure of work is right for all, so [`estimate`] keeps several [`clock`]s. Past runs are
//! clocks too: the seconds that each table took. A [`forecast`] says how fast each of them will run, and how well it would
//! have foretold what was seen so far: so far it is believed. A dump may also be of another kind than its past runs, which
//! shows in the same way. Whatever is left open widens the interval.

mod buffer;
mod clock;
mod command;
mod copy_text;
mod counted;
mod elapsed;
mod estimate;
mod forecast;
mod large;
mod like;
mod makespan;
mod manner;
mod matching;
mod moment;
mod opinion;
mod order;
mod physical;
mod programs;
mod rhythm;
mod root;
mod rows;
mod run;
mod sample;
pub mod schedule;
mod seen;
mod shared;
mod shell;
mod still;
mod stretch;
mod told;
mod view;
mod watcher;
mod width;
mod wrappers;

pub use command::{started_by, started_by_arguments, started_by_sql};
pub use copy_text::table_of;
pub use manner::manner_of;
pub use matching::{MOST_RUNS, Similar, key_of};
pub use programs::{Kind, has_option, is_backup_program, is_started_by, kind_of, program_name};
pub use run::End;
pub use seen::{Flight, TableSeen};
pub use watcher::Watcher;
