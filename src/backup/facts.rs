//! What is known of a table before it is copied.

use crate::model::RelationName;
use serde::{Deserialize, Serialize};

/// A table's size, as the catalog tells it without touching the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableFacts {
    /// Schema and name.
    #[serde(flatten)]
    pub name: RelationName,
    /// `relpages` × the block size: the heap as of the last vacuum or analyze, in bytes.
    pub heap_bytes: f64,
    /// The same for its TOAST table.
    pub toast_bytes: f64,
    /// `reltuples`; negative: never analyzed.
    pub tuples: f64,
    /// Columns.
    pub columns: f64,
    /// Bytes of a row in COPY's text form, from `pg_stats`, where that may be read.
    #[serde(default)]
    pub row_bytes: Option<f64>,
}

/// A row of unknown width: what the planner would call a narrow table (`estimate_rel_size`, plancat.c,
/// guesses likewise from the column types).
const GUESSED_ROW: f64 = 60.0;

/// Heap bytes of a row that COPY does not print: header, line pointer, alignment.
const ROW_OVERHEAD: f64 = 28.0;

/// COPY prints a compressed TOAST value in full: bytes printed for a byte stored.
const TOAST_EXPANSION: f64 = 1.8;

impl TableFacts {
    /// Rows, by the planner's rule that density does not change (`estimate_rel_size`).
    #[must_use]
    pub fn rows(&self) -> f64 {
        if self.tuples >= 0.0 {
            self.tuples
        } else {
            self.heap_bytes / GUESSED_ROW
        }
    }

    /// Bytes on disk that a copy reads.
    #[must_use]
    pub fn disk_bytes(&self) -> f64 {
        self.heap_bytes + self.toast_bytes
    }

    /// Bytes that COPY prints, as far as can be told beforehand.
    #[must_use]
    pub fn copy_bytes(&self) -> f64 {
        // pg_stats counts a value that is stored out of line as the pointer to it.
        let by_statistics = self
            .row_bytes
            .map(|width| TOAST_EXPANSION.mul_add(self.toast_bytes, width * self.rows()));
        by_statistics.unwrap_or_else(|| {
            let heap = ROW_OVERHEAD.mul_add(-self.rows(), self.heap_bytes);
            TOAST_EXPANSION.mul_add(self.toast_bytes, heap.max(self.heap_bytes * 0.2))
        })
    }
}
