//! How long pg_dump's COPYs took, where the server has `pg_stat_statements`: a first idea of a dump that
//! has no history. It is a mean over all clients and modes.

use super::connect::Connection;
use crate::Result;
use crate::backup::table_of;
use crate::model::{CopyStatement, RelationName};
use std::collections::BTreeMap;

const SCHEMA: &str = "
SELECT quote_ident(n.nspname)
FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements'";

const STATEMENTS: &str = include_str!("statements.sql");

/// The COPYs of the connected database; none where the extension is not there.
///
/// # Errors
/// As the server has it: the extension may be created and not loaded.
pub async fn copies(connection: &mut Connection) -> Result<Vec<CopyStatement>> {
    let what = "read pg_stat_statements";
    let encoding = connection.encoding();
    let mut schema = None;
    connection
        .ask(what, SCHEMA, |row| schema = row.text(0, encoding))
        .await?;
    let Some(schema) = schema else {
        return Ok(Vec::new());
    };
    // Calls, rows and seconds of each table: each role has its own entry.
    let mut sums: BTreeMap<RelationName, [f64; 3]> = BTreeMap::new();
    connection
        .ask(what, &STATEMENTS.replace("$schema", &schema), |row| {
            let name = row.text(0, encoding).and_then(|query| table_of(&query));
            let figures = [1, 2, 3].map(|at| row.number::<f64>(at).unwrap_or(0.0));
            if let Some(name) = name {
                let sum = sums.entry(name).or_default();
                for (sum, figure) in sum.iter_mut().zip(figures) {
                    *sum += figure;
                }
            }
        })
        .await?;
    Ok(sums
        .into_iter()
        .map(|(name, [calls, rows, seconds])| CopyStatement {
            name,
            calls,
            rows: rows / calls,
            seconds: seconds / calls,
        })
        .collect())
}
