//! The catalog of a whole database: what any migration can reach in it, for a file that judges pull requests later.

use super::catalog;
use super::connect::is_kept_path;
use crate::migration::footprint::Reach;
use crate::model::Catalog;
use crate::{Error, Result};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};
use std::collections::BTreeSet;

const NAMES: &str = include_str!("whole.sql");

/// Loads it, as [`catalog::load`] does for one migration: every name is one that a migration may say.
///
/// # Errors
/// As [`catalog::load`].
pub async fn load(connection: &mut PgConnection, limits: &str) -> Result<Catalog> {
    let failed = |error: sqlx::Error| Error::Server {
        what: "read the catalog".to_owned(),
        why: error.to_string(),
        help: "a large one takes longer: try a longer --timeout".to_owned(),
    };
    let mut rows = sqlx::raw_sql(AssertSqlSafe(format!("{limits}{NAMES}")))
        .fetch_all(&mut *connection)
        .await
        .map_err(failed)?;
    rows.retain(|row| !is_kept_path(row));
    let names = rows.iter().map(|row| row.try_get(0).map_err(failed));
    let names: BTreeSet<String> = names.collect::<Result<_>>()?;
    let reach = Reach {
        extensions: names.clone(),
        names,
        everything: true,
        follows_objects: true,
        follows_actions: true,
        follows_references: true,
        writes_rows: true,
        ..Reach::default()
    };
    catalog::load(connection, &reach, limits).await
}
