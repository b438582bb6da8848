//! What looks at a running dump have seen: of one table, and in one look.

use crate::model::{Oid, RelationName};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One table of the dump set.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "Row")]
pub struct TableSeen {
    /// `pg_class.oid`
    pub oid: Oid,
    /// Schema and name: shared with past runs.
    pub name: Arc<RelationName>,
    /// `relpages`, with those of its TOAST table where known: orders a parallel dump.
    pub pages: f64,
    /// Begin of its COPY, where one was seen.
    pub copy_start: Option<DateTime<Utc>>,
    /// When it was last seen in flight.
    pub last_seen: Option<DateTime<Utc>>,
    /// Rows as last seen.
    pub tuples: f64,
    /// Bytes as last seen.
    pub bytes: f64,
    /// End of its COPY, where it was seen between two statements.
    pub copy_end: Option<DateTime<Utc>>,
    /// The first look at which it was done.
    pub done_at: Option<DateTime<Utc>>,
}

/// A table as older versions wrote it down, within the watcher. Last comes when it was done.
type Row = (
    Oid,
    String,
    String,
    f64,
    Option<Flight>,
    Option<DateTime<Utc>>,
);

/// What was seen of a table's COPY: begin, last look, rows, bytes, end.
pub type Flight = (
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
    f64,
    f64,
    Option<DateTime<Utc>>,
);

impl From<Row> for TableSeen {
    fn from((oid, schema, relation, pages, flight, done_at): Row) -> Self {
        let mut table = Self::new(oid, Arc::new(RelationName::new(schema, relation)), pages);
        if let Some(flight) = flight {
            table.set_flight(flight);
        }
        table.done_at = done_at;
        table
    }
}

/// One look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The server's clock.
    pub at: DateTime<Utc>,
    /// Tables in flight.
    pub copies: Vec<CopySeen>,
    /// Tables whose COPY has ended on the server, whose client still reads what lies in the buffers
    /// between them, and when they ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub draining: Vec<(Oid, DateTime<Utc>)>,
    /// Share of the copying backends that waited for their client to take more.
    pub client_wait: f64,
    /// Physical backups: bytes sent, and in all where the server counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streamed: Option<(f64, Option<f64>)>,
}

/// One table in flight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CopySeen {
    /// Which.
    pub oid: Oid,
    /// Rows so far.
    pub tuples: f64,
    /// Bytes so far.
    pub bytes: f64,
    /// Begin of its COPY.
    pub since: Option<DateTime<Utc>>,
}

impl TableSeen {
    /// One of which nothing was seen yet.
    #[must_use]
    pub const fn new(oid: Oid, name: Arc<RelationName>, pages: f64) -> Self {
        Self {
            oid,
            name,
            pages,
            copy_start: None,
            last_seen: None,
            tuples: 0.0,
            bytes: 0.0,
            copy_end: None,
            done_at: None,
        }
    }

    /// What was seen of its COPY; `None`: it never was.
    #[must_use]
    pub fn flight(&self) -> Option<Flight> {
        let flight = (
            self.copy_start,
            self.last_seen,
            self.tuples,
            self.bytes,
            self.copy_end,
        );
        (flight != Flight::default()).then_some(flight)
    }

    /// Puts down what was seen of its COPY.
    pub const fn set_flight(&mut self, flight: Flight) {
        (
            self.copy_start,
            self.last_seen,
            self.tuples,
            self.bytes,
            self.copy_end,
        ) = flight;
    }
}
