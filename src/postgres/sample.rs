//! A few rows of tables, as COPY writes them: the one place that reads user data, and only when asked to
//! (`--sample`).
//!
//! It takes ACCESS SHARE, as the dump does that has the tables locked already, in a transaction of its own a
//! table: the lock is taken at once or not at all (NOWAIT: nobody stands behind us in a queue), and gone
//! after a moment. All of it has a session of its own, so that nothing that goes wrong here, or takes too
//! long, is of any consequence to the command's.

use super::array_of;
use super::connect::{Connection, Target};
use crate::model::{Oid, TableSample};
use crate::{Error, Result};
use flate2::{Compress, Compression, FlushCompress};
use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, PgConnection, Row as _};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const TABLES: &str = include_str!("sample_tables.sql");

/// For all of it, connecting included.
const BUDGET: Duration = Duration::from_secs(1);

/// About how many blocks the rows come from.
const PAGES: u32 = 40;

/// No more rows of a table.
const MOST_ROWS: f64 = 2_000.0;

/// The first rows, which tell how wide they are.
const TASTE: f64 = 8.0;

/// No more of a table, about, and of all together.
const BYTES_OF_TABLE: f64 = 512.0 * 1024.0;
const BYTES_IN_ALL: f64 = 8.0 * 1024.0 * 1024.0;

/// So much of a table is compressed to see how long that takes.
const COMPRESSED: usize = 256 * 1024;

/// Each transaction begins so. What rows look like as text is what pg_dump sets (`setup_connection`, pg_dump.c).
const BEGIN: &str = "BEGIN READ ONLY; SET LOCAL lock_timeout = 50; SET LOCAL statement_timeout = 200; \
     SET LOCAL jit = off; SET LOCAL row_security = off; SET LOCAL search_path = pg_catalog; \
     SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL extra_float_digits = 3";

/// What NOWAIT says (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// What was read.
#[derive(Debug, Default)]
pub struct Samples {
    /// By table; without rows: it could not be read. One that there was no time for is missing.
    pub of: BTreeMap<Oid, TableSample>,
    /// Tables that the role may not read.
    pub refused: Vec<String>,
    /// What kept it from reading at all.
    pub problem: Option<Error>,
}

/// A table to read.
struct Table {
    oid: Oid,
    name: String,
    columns: String,
}

/// Reads a few rows of these tables in their order, as far as time and bytes allow.
pub async fn read(target: &Target, tables: &[Oid]) -> Samples {
    let mut samples = Samples::default();
    if tables.is_empty() {
        return samples;
    }
    let reading = tokio::time::timeout(BUDGET, read_all(target, tables, &mut samples)).await;
    // Out of time, it was dropped with its session; the server sees that its client is gone, and gives the
    // lock back.
    if let Ok(Err(error)) = reading {
        samples.problem = Some(error);
    }
    samples
}

async fn read_all(target: &Target, tables: &[Oid], samples: &mut Samples) -> Result<()> {
    let mut connection = Connection::open(target, BUDGET).await?;
    let mut left = BYTES_IN_ALL;
    for table in readable(&mut connection, tables, samples).await? {
        if left <= 0.0 {
            break;
        }
        match read_one(connection.session()?, &table).await {
            Ok(Some((sample, bytes))) => {
                left -= bytes;
                samples.of.insert(table.oid, sample);
            }
            Ok(None) => {}
            // Whatever it was, the session may be in the middle of an answer.
            Err(_) => {
                samples.of.insert(table.oid, TableSample::default());
                break;
            }
        }
    }
    connection.close().await;
    Ok(())
}

/// The tables that the role may read.
async fn readable(
    connection: &mut Connection,
    tables: &[Oid],
    samples: &mut Samples,
) -> Result<Vec<Table>> {
    let question = TABLES.replace("{OIDS}", &array_of(tables));
    let mut found = Vec::new();
    connection
        .ask("read the names of the tables to sample", &question, |row| {
            let (Some(oid), Some(name)) = (row.number(0), row.word(1)) else {
                return;
            };
            match row.word(2).filter(|_| row.flag(3) == Some(true)) {
                Some(columns) => found.push(Table {
                    oid,
                    name: name.to_owned(),
                    columns: columns.to_owned(),
                }),
                None => {
                    samples.of.insert(oid, TableSample::default());
                    samples.refused.push(name.to_owned());
                }
            }
        })
        .await?;
    Ok(found)
}

/// One table in one transaction: its size, how many rows lie in the blocks, a taste of them, and as many as
/// their width allows; and how many bytes were read. `None`: the lock is not to be had now.
async fn read_one(
    session: &mut PgConnection,
    table: &Table,
) -> sqlx::Result<Option<(TableSample, f64)>> {
    let blocks = format!(
        "FROM ONLY {} TABLESAMPLE pg_catalog.system (least(100.0, {PAGES} * 100.0 * current_setting('block_size')::int / \
         greatest(pg_relation_size({}), 1))) REPEATABLE (1)",
        table.name, table.oid
    );
    let lock = format!(
        "{BEGIN}; LOCK TABLE ONLY {} IN ACCESS SHARE MODE NOWAIT; \
         SELECT pg_relation_size({})::float8, (SELECT count(*)::float8 {blocks})",
        table.name, table.oid
    );
    let locked = sqlx::raw_sql(AssertSqlSafe(lock))
        .fetch_one(&mut *session)
        .await;
    let locked = match locked {
        Ok(locked) => locked,
        Err(sqlx::Error::Database(said)) => {
            rollback(session).await?;
            let is_locked = said.code().as_deref() == Some(LOCK_NOT_AVAILABLE);
            return Ok((!is_locked).then(Default::default));
        }
        Err(error) => return Err(error),
    };
    let (heap_bytes, rows): (f64, f64) = (locked.try_get(0)?, locked.try_get(1)?);
    let mut read = Rows::default();
    if rows > 0.0 {
        let copy = |wanted: f64| {
            format!(
                "COPY (SELECT {} {blocks} WHERE random() < {} LIMIT {}) TO STDOUT (ENCODING 'SQL_ASCII')",
                table.columns,
                wanted / rows,
                (2.0 * wanted).ceil()
            )
        };
        let mut taste = Rows::default();
        taste.copy(session, &copy(TASTE)).await?;
        let width = (taste.bytes / taste.rows.max(1.0)).max(1.0);
        let wanted = (BYTES_OF_TABLE / width).min(MOST_ROWS);
        if wanted > TASTE {
            read.copy(session, &copy(wanted)).await?;
        }
        if read.rows < taste.rows {
            read = taste;
        }
    }
    rollback(session).await?;
    Ok(Some((read.sample(heap_bytes), read.bytes)))
}

async fn rollback(session: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql("ROLLBACK").execute(session).await.map(|_| ())
}

/// Rows as COPY wrote them.
#[derive(Debug, Default)]
struct Rows {
    rows: f64,
    bytes: f64,
    text: Vec<u8>,
}

impl Rows {
    /// Reads until the end, or until the server's limit of time: what came until then was whole rows. Each
    /// ends with the only newline in it, since COPY writes those of values as `\n`.
    async fn copy(&mut self, session: &mut PgConnection, statement: &str) -> sqlx::Result<()> {
        let mut copied = session.copy_out_raw(statement).await?;
        loop {
            match copied.try_next().await {
                Ok(Some(part)) => {
                    self.bytes += part.len() as f64;
                    self.rows += part.iter().filter(|byte| **byte == b'\n').count() as f64;
                    let room = COMPRESSED.saturating_sub(self.text.len());
                    self.text.extend(part.iter().take(room));
                }
                Ok(None) | Err(sqlx::Error::Database(_)) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn sample(&self, heap_bytes: f64) -> TableSample {
        if self.rows <= 0.0 {
            return TableSample {
                heap_bytes,
                ..TableSample::default()
            };
        }
        let bytes_per_row = self.bytes / self.rows;
        TableSample {
            bytes_per_row,
            zlib_seconds_per_row: seconds_to_compress(&self.text) / self.text.len() as f64
                * bytes_per_row,
            rows: self.rows,
            heap_bytes,
        }
    }
}

/// At the level that pg_dump compresses at unless told otherwise (`Z_DEFAULT_COMPRESSION` is 6).
fn seconds_to_compress(text: &[u8]) -> f64 {
    let mut packed = Vec::with_capacity(text.len() + 1024);
    let begun = Instant::now();
    let done = Compress::new(Compression::new(6), true).compress_vec(
        text,
        &mut packed,
        FlushCompress::Finish,
    );
    if done.is_ok() {
        begun.elapsed().as_secs_f64()
    } else {
        0.0
    }
}
