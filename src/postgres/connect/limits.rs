//! What every message of ours begins with: it reads only, waits for no lock long, and finds nobody else's functions.

use sqlx::postgres::PgRow;
use sqlx::{Column as _, Row as _};
use std::time::Duration;

/// No question of ours waits longer for a lock: a catalog may be under ACCESS EXCLUSIVE.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// No statement of ours runs longer, however long the caller would wait.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);

/// Nothing but Postgres's own operators, functions, types and views is found. A role that may create objects in a
/// schema of the session's own path could offer a closer match there, and it would run with our rights
/// (<https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-PATTERNS>, CVE-2018-1058).
pub const OUR_PATH: &str = "SET LOCAL search_path = pg_catalog, pg_temp; ";

/// What the session's own path is, kept for the rest of the transaction: read before [`OUR_PATH`], and therefore with
/// every name qualified and each argument of the very type.
const KEPT_PATH: &str = "SELECT pg_catalog.set_config('pgguard.path', pg_catalog.current_setting('search_path'), true) \
     AS kept_path, pg_catalog.set_config('pgguard.schemas', \
     pg_catalog.current_schemas(true)::pg_catalog.text, true); ";

/// The `SET LOCAL` statements that every message of ours begins with. SET reads no catalog: no lock comes before the
/// limits.
#[must_use]
pub fn limits(deadline: Duration) -> String {
    bounds(deadline) + OUR_PATH
}

/// As [`limits`]; `pgguard.path` has the session's own `search_path` then, and `pgguard.schemas` the schemas that it
/// leads to. The answer begins with a row that [`is_kept_path`] knows.
#[must_use]
pub fn limits_that_keep_the_path(deadline: Duration) -> String {
    bounds(deadline) + KEPT_PATH + OUR_PATH
}

/// Whether a row is that of [`limits_that_keep_the_path`].
#[must_use]
pub fn is_kept_path(row: &PgRow) -> bool {
    row.columns()
        .first()
        .is_some_and(|c| c.name() == "kept_path")
}

fn bounds(deadline: Duration) -> String {
    format!(
        "SET LOCAL transaction_read_only = on; SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = {}; \
         SET LOCAL jit = off; SET LOCAL DateStyle = 'ISO'; ",
        LOCK_TIMEOUT.as_millis(),
        statement_timeout(deadline),
    )
}

/// In milliseconds; 0 would mean none.
pub(super) fn statement_timeout(deadline: Duration) -> u128 {
    STATEMENT_TIMEOUT.min(deadline).as_millis().max(1)
}
