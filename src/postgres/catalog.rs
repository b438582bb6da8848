//! Reads what a migration can reach from the system catalogs, and nothing else.
//!
//! Two queries: the first walks from the names in the migration to every object whose locks they can
//! touch (`catalog_walk.sql`), the second brings those objects' rows (`catalog_load.sql`). Both read
//! catalog tables by index only, so the cost follows the migration's reach and not the database's size,
//! and neither opens a user relation. Where functions run, what their bodies name is reached the same
//! way, once more.
//!
//! Planning them is nearly all that they cost, so they come as text, as everything else that is asked: the
//! server copies a prepared statement three times, and each of its steps is a round trip.

use super::array_of;
use super::connect::is_kept_path;
#[cfg(doc)]
use super::connect::limits_that_keep_the_path;
use crate::migration::footprint::Reach;
use crate::model::{Catalog, Oid, class};
use crate::{Error, Result};
use serde::de::DeserializeOwned;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row as _};
use std::collections::BTreeSet;

const WALK: &str = include_str!("catalog_walk.sql");
const WALK_OBJECTS: &str = include_str!("catalog_walk_objects.sql");
const WALK_ROLES: &str = include_str!("catalog_walk_roles.sql");
const LOAD: &str = include_str!("catalog_load.sql");

/// Index scans and nested loops only: the planner expects far more rows from the walk than come, and
/// would read whole catalogs. For the same reason it would lay out hash tables of millions of rows: with
/// little memory they begin small, which saves 25 ms of the walk, and a large walk spills.
const PLANNER: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; \
                       SET LOCAL enable_mergejoin = off; SET LOCAL enable_material = off; SET LOCAL jit = off; \
                       SET LOCAL work_mem = '256kB'; ";

/// Bodies of functions are followed so far: as far as footprints do.
const ROUNDS: usize = 5;

/// Loads the catalog for what a migration can reach. Each query is one message that begins with `limits`
/// ([`limits_that_keep_the_path`]): a pooler's session has none of ours.
///
/// # Errors
/// When the server fails one of the two queries, or says something that cannot be read.
pub async fn load(connection: &mut PgConnection, reach: &Reach, limits: &str) -> Result<Catalog> {
    let walked = walk(connection, reach, limits).await?;
    let mut catalog = rows(connection, reach, &walked, limits).await?;
    let mut reach = reach.clone();
    let mut followed = BTreeSet::<Oid>::new();
    // Bodies call functions, whose bodies name more.
    for _ in 0..ROUNDS {
        let Some(further) = reach.into_code(&catalog) else {
            return Ok(catalog);
        };
        followed = catalog.routines.iter().map(|r| r.oid).collect();
        let walked = walk(connection, &further, limits).await?;
        catalog = rows(connection, &further, &walked, limits).await?;
        reach = further;
    }
    if reach.into_code(&catalog).is_some() {
        // What these bodies name was not looked up: nobody may take them for harmless.
        for routine in &mut catalog.routines {
            routine.body = routine
                .body
                .take()
                .filter(|_| followed.contains(&routine.oid));
        }
    }
    Ok(catalog)
}

async fn ask(connection: &mut PgConnection, limits: &str, query: &str) -> Result<Vec<PgRow>> {
    let message = format!("{limits}{PLANNER}{query}");
    let mut rows = sqlx::raw_sql(AssertSqlSafe(message))
        .fetch_all(connection)
        .await
        .map_err(failed)?;
    rows.retain(|row| !is_kept_path(row));
    Ok(rows)
}

/// A query with its values in the places of `$1`, `$2`… . Comments go: no value may end up in one.
fn filled(query: &str, values: &[String]) -> String {
    let is_comment = |line: &&str| line.trim_start().starts_with("--");
    let lines: Vec<&str> = query.lines().filter(|line| !is_comment(line)).collect();
    let query = lines.join("\n");
    let mut parts = query.split('$');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let place = part[..digits].parse::<usize>().ok();
        match place.and_then(|place| values.get(place.checked_sub(1)?)) {
            Some(value) => filled.extend([value, &part[digits..]]),
            None => filled.extend(["$", part]),
        }
    }
    filled
}

/// Names as a literal.
fn text_array<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let quoted = |name: &String| {
        let name = name.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{name}\"")
    };
    // No name in Postgres has a zero byte, and no message may.
    let names = names.into_iter().filter(|name| !name.contains('\0'));
    let names: Vec<String> = names.map(quoted).collect();
    format!(
        "{}::text[]",
        text_literal(format!("{{{}}}", names.join(",")))
    )
}

/// A literal that reads the same however the server is set (`standard_conforming_strings`, `backslash_quote`).
fn text_literal(text: impl AsRef<str>) -> String {
    let text = text.as_ref().replace('\0', "");
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

fn oid_array(oids: &[Oid]) -> String {
    format!("'{}'::oid[]", array_of(oids))
}

/// An object that the walk reached.
struct Reached {
    class: Oid,
    oid: Oid,
    followed: bool,
}

async fn walk(connection: &mut PgConnection, reach: &Reach, limits: &str) -> Result<Vec<Reached>> {
    let part = |is_wanted: bool, part| if is_wanted { part } else { "" };
    let query = WALK
        .replace("{OBJECTS}", part(reach.follows_objects, WALK_OBJECTS))
        .replace("{ROLES}", part(!reach.roles.is_empty(), WALK_ROLES));
    let values = [
        text_array(&reach.names),
        reach.follows_references.to_string(),
        reach.follows_objects.to_string(),
        text_array(&reach.schemas),
        text_array(&reach.roles),
        reach.everything.to_string(),
        reach.writes_rows.to_string(),
        reach.follows_actions.to_string(),
    ];
    let found = ask(connection, limits, &filled(&query, &values)).await?;
    found
        .iter()
        .map(|row| {
            Ok(Reached {
                class: oid(row.try_get(0).map_err(failed)?),
                oid: oid(row.try_get(1).map_err(failed)?),
                followed: row.try_get(2).map_err(failed)?,
            })
        })
        .collect()
}

fn oid(number: i64) -> Oid {
    Oid::try_from(number).unwrap_or_default()
}

async fn rows(
    connection: &mut PgConnection,
    reach: &Reach,
    walked: &[Reached],
    limits: &str,
) -> Result<Catalog> {
    let of = |wanted: Oid| -> Vec<Oid> {
        let wanted = walked.iter().filter(|r| r.class == wanted);
        wanted.map(|r| r.oid).collect()
    };
    let pairs = |only_followed: bool| -> (Vec<Oid>, Vec<Oid>) {
        walked
            .iter()
            .filter(|r| r.followed || !only_followed)
            .map(|r| (r.class, r.oid))
            .unzip()
    };
    let (all_classes, all_oids) = pairs(false);
    let (followed_classes, followed_oids) = pairs(true);
    let names: BTreeSet<String> = reach.names.union(&reach.schemas).cloned().collect();
    let values = [
        oid_array(&of(class::RELATION)),
        oid_array(&of(class::CONSTRAINT)),
        oid_array(&of(class::TYPE)),
        oid_array(&of(class::PROC)),
        oid_array(&all_classes),
        oid_array(&all_oids),
        text_array(&names),
        oid_array(&followed_classes),
        oid_array(&followed_oids),
        text_array(&reach.acting),
        reach
            .login
            .as_ref()
            .map_or_else(|| "NULL".into(), text_literal),
        text_array(&reach.roles),
        text_array(&reach.extensions),
    ];
    let found = ask(connection, limits, &filled(LOAD, &values)).await?;
    let mut catalog = Catalog::default();
    for row in &found {
        let part: String = row.try_get(0).map_err(failed)?;
        let body: Option<String> = row.try_get(1).map_err(failed)?;
        if let Some(body) = body {
            fill(&mut catalog, &part, &body)?;
        }
    }
    Ok(catalog)
}

/// Puts one part of the second query's answer in its place.
fn fill(catalog: &mut Catalog, part: &str, body: &str) -> Result<()> {
    match part {
        "session" => catalog.session = read(body)?,
        "schemas" => catalog.schemas = read(body)?,
        "relations" => catalog.relations = read(body)?,
        "indexes" => catalog.indexes = read(body)?,
        "inherits" => catalog.inherits = read(body)?,
        "constraints" => catalog.constraints = read(body)?,
        "defaults" => catalog.defaults = read(body)?,
        "triggers" => catalog.triggers = read(body)?,
        "rules" => catalog.rules = read(body)?,
        "policies" => catalog.policies = read(body)?,
        "types" => catalog.types = read(body)?,
        "routines" => catalog.routines = read(body)?,
        "statistics" => catalog.statistics = read(body)?,
        "publications" => catalog.publications = read(body)?,
        "event_triggers" => catalog.event_triggers = read(body)?,
        "objects" => catalog.objects = read(body)?,
        "dependencies" => catalog.dependencies = read(body)?,
        "owned" => catalog.owned = read(body)?,
        "powerless" => catalog.powerless = read(body)?,
        "named" => catalog.named = Some(read(body)?),
        "foreign_temporaries" => catalog.foreign_temporaries = read(body)?,
        _ => {}
    }
    Ok(())
}

fn read<T: DeserializeOwned>(body: &str) -> Result<T> {
    serde_json::from_str(body).map_err(|e| Error::Server {
        what: "read the catalog".to_owned(),
        why: format!("the answer does not read: {e}"),
        help: "please report it with the server's version".to_owned(),
    })
}

fn failed(error: sqlx::Error) -> Error {
    Error::Server {
        what: "read the catalog".to_owned(),
        why: error.to_string(),
        help: "check the connection and that the role may read pg_catalog".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_what_they_are_and_no_value_is_read_for_another() {
        let names = ["it's", "a \"b\" \\ $2", "x\n; DROP", "nul\0"].map(String::from);
        let array = r#"E'{"it''s","a \\"b\\" \\\\ $2","x
; DROP"}'::text[]"#;
        assert_eq!(text_array(&names), array);
        let query = "-- $1 names\nSELECT $1, $2\n  -- $2\n, $1";
        let values = [text_array(&names), "true".into()];
        let expected = format!("SELECT {array}, true\n, {array}");
        assert_eq!(filled(query, &values), expected);
    }

    #[test]
    fn the_queries_are_filled_whole_and_have_no_comment_that_a_value_could_end() {
        let walk = WALK
            .replace("{OBJECTS}", WALK_OBJECTS)
            .replace("{ROLES}", WALK_ROLES);
        for (query, count) in [(walk.as_str(), 8), (LOAD, 13)] {
            let query = filled(query, &vec![String::new(); count]);
            assert!(!query.contains('$') && !query.contains("--"), "{query}");
        }
    }
}
