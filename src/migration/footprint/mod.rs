//! The footprint: which locks a migration will request, statement by statement.
//!
//! Three steps. [`reach`] collects the names in the migration; the catalog behind those names is loaded
//! (by `postgres::catalog`, the only part that talks to a server); [`of`] then plays the statements
//! through, in order, on that catalog: each asks for its locks and changes the catalog for the next.
//!
//! Where to find or correct a rule: one file a family of commands.
//!
//! | file | commands |
//! |---|---|
//! | `alter_table.rs` | `ALTER TABLE`, a row of a table and a small function for each subcommand |
//! | `rename.rs` | `ALTER … RENAME`, `SET SCHEMA`, `OWNER TO` |
//! | `create_table.rs` | `CREATE TABLE` in all its forms, and its constraints |
//! | `foreign_key.rs`, `partition.rs` | what both of those do with foreign keys and partitions |
//! | `index.rs` | `CREATE INDEX`, `REINDEX` |
//! | `drop.rs` | every `DROP`: the walk along `pg_depend` |
//! | `query.rs` | `SELECT`, `INSERT`, `UPDATE`, `DELETE`, `MERGE`, `COPY`, and queries inside other commands |
//! | `maintenance.rs` | `TRUNCATE`, `LOCK`, `VACUUM`, `ANALYZE`, `CLUSTER`, `REFRESH MATERIALIZED VIEW` |
//! | `body.rs` | `DO`, `CALL`, and what functions and triggers run |
//! | `objects.rs` | views, sequences, triggers, rules, policies, types, publications, comments, grants |
//!
//! `world.rs` is the catalog that moves, `undo.rs` what ROLLBACK takes back in it, `act.rs` a statement while its footprint is being told. What
//! cannot be seen (`DO`, functions with bodies of their own, event triggers) makes a statement opaque:
//! what is known is still listed, and nothing is guessed.

mod act;
mod alter_table;
mod body;
mod column;
mod command;
mod create_table;
mod dependency;
mod drop;
mod expression;
mod foreign_key;
mod index;
mod maintenance;
mod names;
mod objects;
mod output;
mod partition;
mod query;
mod reach;
mod rename;
mod role;
mod routine;
mod storage;
mod undo;
mod world;

pub use reach::{Reach, reach};
pub use role::left_by as role_left_by;

use crate::migration::statement::{Body, SourceStatement};
use crate::model::{Catalog, Footprint, Statement, WaitPhase};
use act::Act;
use undo::Undo;
use world::World;

/// The footprint of a migration on a catalog that [`reach`] asked for.
///
/// `server_version_num` is the server's (`150018`); 0 takes the catalog's own.
#[must_use]
pub fn of(statements: &[SourceStatement], catalog: Catalog, server_version_num: i32) -> Footprint {
    let mut world = World::new(catalog, server_version_num);
    let mut undo = Undo::new(statements);
    let told = statements.iter().map(|source| {
        undo.before(&mut world, source);
        let told = statement(&mut world, source);
        undo.after(&mut world, source);
        told
    });
    Footprint {
        statements: told.collect(),
    }
}

fn statement(world: &mut World, source: &SourceStatement) -> Statement {
    let mut act = Act::new(world, source);
    if source.waits_for_safe_snapshot {
        act.phases.push(WaitPhase::SafeSnapshot);
    }
    match &source.body {
        Body::Sql(node) => {
            let outcome = command::run(&mut act, node);
            act.finish(&command::tag(node), outcome)
        }
        Body::Meta(text) => {
            act.opaque(format!("a psql command: what `{text}` does cannot be told"));
            act.finish("psql", Ok(()))
        }
        Body::Unparsable(why) => {
            act.opaque(format!("cannot be read as SQL: {why}"));
            act.finish("", Ok(()))
        }
    }
}
