//! The footprint: which locks a migration will request, statement by statement.
//!
//! Three steps. [`reach`] collects the names in the migration; the catalog behind those names is loaded
//! (by `postgres::catalog`, the only part that talks to a server); [`of`] then plays the statements
//! through, in order, on that catalog: each asks for its locks and changes the catalog for the next.
//!
//! Where to find or correct a rule: one file a family of commands.
//!
//! | file | what |
//! |---|---|
//! | `command.rs` | which file knows which command |
//! | `alter_table.rs` | `ALTER TABLE`: a row of a table for each subcommand, and the small ones |
//! | `column.rs`, `new_column.rs`, `retype.rs` | columns: changed, added, given another type |
//! | `constraint.rs`, `foreign_key.rs`, `partition.rs`, `bounds.rs` | what `ALTER` and `CREATE TABLE` do with those |
//! | `storage.rs` | options, tablespaces, persistence, rewriting |
//! | `rename.rs` | `ALTER … RENAME`, `SET SCHEMA`, `OWNER TO` |
//! | `create_table.rs` | `CREATE TABLE` in all its forms |
//! | `index/` | `CREATE INDEX`, `REINDEX`, keys, indexes of partitions |
//! | `objects/` | views, sequences, triggers, rules, policies, types, publications, comments, grants |
//! | `listed.rs` | objects that are no relation, type or function, by name |
//! | `drop.rs` | every `DROP`: the walk along `pg_depend` |
//! | `query/` | `SELECT`, `INSERT`, `UPDATE`, `DELETE`, `MERGE`, `COPY`, and queries inside other commands |
//! | `maintenance.rs` | `TRUNCATE`, `LOCK`, `VACUUM`, `ANALYZE`, `CLUSTER` |
//! | `code.rs`, `routine.rs` | `DO`, `CALL`, and what functions and triggers run |
//! | `refused/` | what the catalog foretells that Postgres refuses: what is missing, what is there already, what does not fit |
//! | `condition.rs`, `system_rows.rs` | conditions of bodies that the catalog answers, and the rows that they look for |
//! | `expression.rs`, `output.rs` | what is in an expression; which columns a query gives |
//! | `stored.rs` | the functions in checks, domains, indexes and statistics that are there already |
//! | `extension.rs` | extensions: what their scripts lock |
//! | `dependency.rs` | what something new comes to depend on |
//! | `altering.rs`, `types.rs`, `tree.rs`, `names.rs` | what several of those share |
//! | `world.rs`, `world/`, `undo.rs` | the catalog that moves, and what ROLLBACK takes back in it |
//! | `act.rs`, `role.rs` | a statement while its footprint is collected; what its role may not touch |
//! | `measured.rs` | what a rehearsal saw, joined with the rules |
//! | `jobs.rs` | which work takes longer the larger its relations are |
//! | `newer.rs` | what only a newer server knows, read by hand |
//! | `syntax.rs`, `labels.rs`, `read_only.rs` | forms that the server is too old for; enum labels that may not be used yet; read-only transactions |
//! | `reach.rs`, `quoted.rs` | which names to look up; those in quotes |
//!
//! Floors, from the ground up. A file imports from its own floor and from those below it:
//!
//! 1. `world`, `names`, `tree`, `quoted`
//! 2. `undo`, `routine`, `role`, `jobs`, `act`, `reach`, `labels`, `listed`, `syntax`,
//!    `read_only`, `measured`
//! 3. `types`, `altering`, `bounds`, `dependency`, `condition`, `system_rows`, `refused`, `drop`, `extension`, `code`, `output`, `stored`, `expression`,
//!    `storage`, `query`, `index`
//! 4. `new_column`, `foreign_key`, `rename`, `newer`, `maintenance`, `retype`, `constraint`, `partition`, `column`,
//!    `objects`
//! 5. `create_table`, `alter_table`, `command`
//!
//! What cannot be seen (`DO`, functions with bodies of their own, event triggers) makes a statement opaque:
//! what is known is still listed, and nothing is guessed.

mod act;
mod alter_table;
mod altering;
mod bounds;
mod code;
mod column;
mod command;
mod condition;
mod constraint;
mod create_table;
mod dependency;
mod drop;
mod expression;
mod extension;
mod foreign_key;
mod index;
mod jobs;
mod labels;
mod listed;
mod maintenance;
mod measured;
mod names;
mod new_column;
mod newer;
mod objects;
mod output;
mod partition;
mod query;
mod quoted;
mod reach;
mod read_only;
mod refused;
mod rename;
mod retype;
mod role;
mod routine;
mod storage;
mod stored;
mod syntax;
mod system_rows;
mod tree;
mod types;
mod undo;
mod world;

pub use names::object_name;
pub use reach::{Reach, reach};
pub use role::left_by as role_left_by;
pub use tree::columns;

use crate::migration::rehearsed;
use crate::migration::script::{Body, Connect, SourceStatement};
use crate::model::{Catalog, Footprint, Statement, WaitPhase};
use act::Act;
use measured::Ground;
use undo::Undo;
use world::World;

/// The footprint of a migration on a catalog that [`reach`] asked for.
///
/// `server_version_num` is the server's (`150018`); 0 takes the catalog's own.
#[must_use]
pub fn of(statements: &[SourceStatement], catalog: Catalog, server_version_num: i32) -> Footprint {
    let mut world = World::new(catalog, server_version_num);
    let mut undo = Undo::new(statements);
    let mut ground = Ground::of(&world);
    let mut told = Vec::with_capacity(statements.len());
    for source in statements {
        if let Body::Connect(connect) = &source.body {
            match elsewhere(&world, source.line, connect) {
                None => {
                    world.play(&source.moves.0);
                    world.play(&source.moves.1);
                    continue;
                }
                // What comes after it is not judged on this database.
                Some(why) => {
                    let mut act = Act::new(&mut world, source, command::run);
                    act.opaque(why);
                    told.push(act.finish("psql", Ok(())));
                    break;
                }
            }
        }
        world.play(&source.moves.0);
        undo.before(&mut world, source);
        told.push(match &source.refused {
            None => statement(&mut world, source, &mut ground),
            Some(why) => refused(&mut world, source, &mut ground, why),
        });
        undo.after(&mut world, source);
        world.play(&source.moves.1);
    }
    Footprint { statements: told }
}

/// Where `\connect` goes, if that is not the database and the user that the catalog was read with.
fn elsewhere(world: &World, line: usize, connect: &Connect) -> Option<String> {
    let other = connect.database.as_ref();
    match other.filter(|name| **name != world.session.database) {
        Some(name) if !connect.is_elsewhere => Some(format!(
            "from line {line} on it works in database {name}: check there too, with -d {name}"
        )),
        None if !connect.is_elsewhere => None,
        _ => Some(format!(
            "from line {line} on it works in another session: as another user, on another server or in another \
             database"
        )),
    }
}

/// A statement that the server refused in a rehearsal, in which the command went on: it asks for its locks, and changes
/// nothing.
fn refused(
    world: &mut World,
    source: &SourceStatement,
    ground: &mut Ground,
    why: &str,
) -> Statement {
    let before = world.clone();
    let mut told = statement(world, source, ground);
    *world = before;
    told.fails = None;
    told.fails_for_certain = false;
    told.notes.push(format!(
        "Postgres refused it in the rehearsal, and the command went on: {why}"
    ));
    told
}

fn statement(world: &mut World, source: &SourceStatement, ground: &mut Ground) -> Statement {
    let mut act = Act::new(world, source, command::run);
    if source.waits_for_safe_snapshot {
        act.phases.push(WaitPhase::SafeSnapshot);
    }
    act.possible = source.possible;
    if let Some(why) = &source.doubt {
        act.opaque(why.clone());
    }
    if let Some(tables) = &source.reads_rows {
        act.opaque(rehearsed::not_seen(tables));
    }
    match &source.body {
        Body::Sql(tree) => {
            let node = tree.node();
            let is_doubtful = act.is_opaque();
            let outcome = command::run(&mut act, &node);
            let tag = crate::migration::command::tag(&node);
            match source.measured.as_ref().filter(|_| !is_doubtful) {
                Some(measured) => {
                    act.measured = Some(ground.join(&mut act, measured, &tag));
                    // It ran there.
                    act.finish(&tag, Ok(()))
                }
                None => act.finish(&tag, outcome),
            }
        }
        Body::Doubt(why) => {
            act.opaque(why.clone());
            act.finish("psql", Ok(()))
        }
        Body::Connect(_) => act.finish("psql", Ok(())),
        Body::Unparsable(why) => {
            if let Some((command, outcome)) = newer::play(&mut act, &source.sql) {
                return act.finish(command, outcome);
            }
            act.opaque(format!("cannot be read as SQL: {why}"));
            act.finish("", Ok(()))
        }
        Body::Code => {
            act.opaque(Statement::CODE);
            act.finish("", Ok(()))
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_table_above_names_every_file() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/migration/footprint");
        let text = include_str!("mod.rs");
        for entry in std::fs::read_dir(folder).expect("the folder") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().to_string_lossy().into_owned();
            let row = match entry.path().is_dir() {
                true => format!("`{name}/`"),
                false => format!("`{name}`"),
            };
            assert!(name == "mod.rs" || text.contains(&row), "{row} has no row");
        }
    }
}
