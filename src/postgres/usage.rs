//! How often relations are used: the cumulative statistics, read twice.

use super::array_of;
use super::connect::Connection;
use crate::Result;
use crate::model::Oid;
use std::collections::BTreeMap;

const USAGE: &str = include_str!("usage.sql");

const RATES: &str = include_str!("usage_rates.sql");

/// Reads and writes of a relation since its counters began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Scans, of the table and of its indexes.
    pub reads: i64,
    /// Rows inserted, updated and deleted.
    pub writes: i64,
}

/// The counters of these relations. One that has none is missing.
///
/// # Errors
/// As the server has it.
pub async fn counters(
    connection: &mut Connection,
    relations: &[Oid],
) -> Result<BTreeMap<Oid, Counters>> {
    let question = USAGE.replace("{OIDS}", &array_of(relations));
    let mut found = BTreeMap::new();
    connection
        .ask("read how often the tables are used", &question, |row| {
            if let (Some(oid), Some(reads), Some(writes)) =
                (row.number(0), row.number(1), row.number(2))
            {
                found.insert(oid, Counters { reads, writes });
            }
        })
        .await?;
    Ok(found)
}

/// Reads and writes a minute of every table, on average since the database's counters were reset. Empty where it is
/// unknown since when they count.
///
/// # Errors
/// As the server has it.
pub async fn rates(connection: &mut Connection) -> Result<BTreeMap<Oid, (f64, f64)>> {
    let mut found = BTreeMap::new();
    connection
        .ask("read how often the tables are used", RATES, |row| {
            if let (Some(oid), Some(reads), Some(writes)) =
                (row.number(0), row.number(1), row.number(2))
            {
                found.insert(oid, (reads, writes));
            }
        })
        .await?;
    Ok(found)
}
