//! Reads what a migration can reach from the system catalogs, and nothing else.
//!
//! Two queries: the first walks from the names in the migration to every object whose locks they can
//! touch (`catalog_walk.sql`), the second brings those objects' rows (`catalog_load.sql`). Both read
//! catalog tables by index only, so the cost follows the migration's reach and not the database's size,
//! and neither opens a user relation. Where functions run, what their bodies name is reached the same
//! way, once more.

use crate::migration::footprint::Reach;
use crate::model::{Catalog, Oid, class};
use crate::{Error, Result};
use serde::de::DeserializeOwned;
use sqlx::postgres::PgConnection;
use sqlx::postgres::types::Oid as PgOid;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

const WALK: &str = include_str!("catalog_walk.sql");
const LOAD: &str = include_str!("catalog_load.sql");

/// Index scans and nested loops only: the planner expects far more rows from the walk than come, and
/// would read whole catalogs. For the same reason it would lay out hash tables of millions of rows: with
/// little memory they begin small, which saves 25 ms of the walk, and a large walk spills.
const PLANNER: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; \
                       SET LOCAL enable_mergejoin = off; SET LOCAL enable_material = off; SET LOCAL jit = off; \
                       SET LOCAL work_mem = '256kB'";

/// Loads the catalog for what a migration can reach, in one transaction that begins with `limits`
/// ([`Connection::limits`](super::connect::Connection::limits)): a pooler's session has none of ours.
///
/// # Errors
/// When the server fails one of the two queries, or says something that cannot be read.
pub async fn load(connection: &mut PgConnection, reach: &Reach, limits: &str) -> Result<Catalog> {
    let mut transaction = connection.begin().await.map_err(failed)?;
    sqlx::raw_sql(AssertSqlSafe(format!("{limits}{PLANNER}")))
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
    let walked = walk(&mut transaction, reach).await?;
    let mut catalog = rows(&mut transaction, reach, &walked).await?;
    if let Some(further) = reach.into_code(&catalog) {
        let walked = walk(&mut transaction, &further).await?;
        catalog = rows(&mut transaction, &further, &walked).await?;
    }
    transaction.rollback().await.map_err(failed)?;
    Ok(catalog)
}

/// An object that the walk reached.
struct Reached {
    class: Oid,
    oid: Oid,
    followed: bool,
}

async fn walk(connection: &mut PgConnection, reach: &Reach) -> Result<Vec<Reached>> {
    let list =
        |names: &std::collections::BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>();
    let found = sqlx::query(WALK)
        .bind(list(&reach.names))
        .bind(reach.follows_references)
        .bind(reach.follows_objects)
        .bind(list(&reach.schemas))
        .bind(list(&reach.roles))
        .bind(reach.everything)
        .persistent(false)
        .fetch_all(connection)
        .await
        .map_err(failed)?;
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

async fn rows(connection: &mut PgConnection, reach: &Reach, walked: &[Reached]) -> Result<Catalog> {
    let of = |wanted: Oid| -> Vec<PgOid> {
        walked
            .iter()
            .filter(|r| r.class == wanted)
            .map(|r| PgOid(r.oid))
            .collect()
    };
    let pairs = |only_followed: bool| -> (Vec<PgOid>, Vec<PgOid>) {
        walked
            .iter()
            .filter(|r| r.followed || !only_followed)
            .map(|r| (PgOid(r.class), PgOid(r.oid)))
            .unzip()
    };
    let (all_classes, all_oids) = pairs(false);
    let (followed_classes, followed_oids) = pairs(true);
    let found = sqlx::query(LOAD)
        .bind(of(class::RELATION))
        .bind(of(class::CONSTRAINT))
        .bind(of(class::TYPE))
        .bind(of(class::PROC))
        .bind(all_classes)
        .bind(all_oids)
        .bind(
            reach
                .names
                .iter()
                .chain(&reach.schemas)
                .cloned()
                .collect::<Vec<_>>(),
        )
        .bind(followed_classes)
        .bind(followed_oids)
        .bind(reach.acting.iter().cloned().collect::<Vec<_>>())
        .bind(reach.login.as_deref())
        .persistent(false)
        .fetch_all(connection)
        .await
        .map_err(failed)?;
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
        "powerless" => catalog.powerless = read(body)?,
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
