//! READ. The only room that talks to a server; its SQL is in `.sql` files next to it.

pub mod applied;
pub mod catalog;
pub mod connect;
pub mod cron;
pub mod leftovers;
pub mod plain;
pub mod role_settings;
pub mod sample;
pub mod schema_state;
pub mod signal;
pub mod snapshot;
pub mod statements;
pub mod surroundings;
pub mod tables;
pub mod usage;
pub mod whole;

use crate::model::Oid;

/// Oids as the text of an array: `{16384,16385}`.
fn array_of(oids: &[Oid]) -> String {
    let oids: Vec<String> = oids.iter().map(ToString::to_string).collect();
    format!("{{{}}}", oids.join(","))
}
