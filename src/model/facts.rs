//! What the catalogs tell of tables and databases without touching them: the sizes behind an estimate.

use super::{Oid, RelationName};
use serde::{Deserialize, Serialize};

/// What is known of a database's tables besides its locks. Every field may be empty: an estimate
/// gets wider, not wrong.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DatabaseFacts {
    /// Its tables (kind `r`).
    pub tables: Vec<TableFacts>,
    /// Number of large objects.
    pub large_objects: f64,
    /// Bytes of `pg_largeobject`, by the count of its rows.
    pub large_object_bytes: f64,
    /// Databases in the order pg_dumpall takes them, with their size in bytes.
    pub databases: Vec<(String, i64)>,
    /// Past `COPY … TO stdout` statements in `pg_stat_statements`.
    pub statements: Vec<CopyStatement>,
}

impl DatabaseFacts {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what a later reading brought; of a table that both have, the later facts stay.
    pub fn add(&mut self, later: Self) {
        let old = std::mem::replace(self, later);
        let known: std::collections::BTreeSet<Oid> = self.tables.iter().map(|t| t.oid).collect();
        self.tables
            .extend(old.tables.into_iter().filter(|t| !known.contains(&t.oid)));
    }
}

/// One table, from `pg_class`, `pg_stats` and `pg_stat_all_tables`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TableFacts {
    /// `pg_class.oid`
    pub oid: Oid,
    /// Schema
    pub schema: String,
    /// Name
    pub relation: String,
    /// `relpages`, in blocks of 8 KiB, as of the last vacuum or analyze.
    pub pages: f64,
    /// `reltuples`; −1: never analyzed.
    pub tuples: f64,
    /// `pg_stat_all_tables.n_live_tup`; 0: not known.
    pub live_tuples: f64,
    /// The heap's size in bytes now; 0: not known (asking needs a lock).
    pub heap_bytes: f64,
    /// `relpages` of its TOAST table.
    pub toast_pages: f64,
    /// Its columns, in order.
    pub columns: Vec<ColumnFacts>,
    /// `pg_stat_all_tables.seq_scan`; `None`: not read.
    pub scans: Option<f64>,
    /// `pg_stat_all_tables.seq_tup_read`; `None`: not read.
    pub reads: Option<f64>,
    /// `pg_stat_all_tables.n_tup_ins`, since the counters began; `None`: not read.
    pub inserted: Option<f64>,
    /// `pg_stat_all_tables.n_tup_del`; `None`: not read.
    pub deleted: Option<f64>,
    /// A few rows, where reading user data was allowed.
    pub sample: Option<TableSample>,
}

impl TableFacts {
    /// Schema and name.
    #[must_use]
    pub fn name(&self) -> RelationName {
        RelationName::new(self.schema.clone(), self.relation.clone())
    }
}

/// One column, from `pg_attribute` and `pg_stats`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ColumnFacts {
    /// `format_type`, such as `character(84)`.
    pub type_name: String,
    /// `pg_stats.avg_width` in bytes, as stored; `None`: no statistics, or not readable.
    pub avg_width: Option<f64>,
    /// `pg_stats.null_frac`
    pub null_frac: f64,
    /// `pg_stats.n_distinct`; negative: a share of the rows.
    pub n_distinct: Option<f64>,
    /// `pg_attribute.attstorage` is `e`: moved out of line where it is long, and never compressed.
    pub external: bool,
}

/// What `COPY (SELECT … TABLESAMPLE SYSTEM …) TO STDOUT` measured.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TableSample {
    /// Bytes a row as COPY writes it.
    pub bytes_per_row: f64,
    /// Seconds a row to compress it with zlib at level 6; 0: not measured.
    pub zlib_seconds_per_row: f64,
    /// Rows that were read; 0: it could not be read.
    pub rows: f64,
    /// The heap's size in bytes then; 0: not asked.
    pub heap_bytes: f64,
}

/// One statement of `pg_stat_statements` in pg_dump's form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CopyStatement {
    /// Schema and name.
    #[serde(flatten)]
    pub name: RelationName,
    /// How often it ran.
    pub calls: f64,
    /// Rows a call.
    pub rows: f64,
    /// Seconds a call, its client's slowness included.
    pub seconds: f64,
}
