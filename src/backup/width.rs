//! How many bytes COPY writes for a row, and how hard they are to compress, from statistics alone.

use crate::model::{ColumnFacts, TableFacts};

/// How one type reads as text.
struct TypeText {
    /// `format_type` begins with it.
    name: &'static str,
    /// Bytes written for a stored width in bytes.
    bytes: fn(f64) -> f64,
    /// Stored width where there are no statistics (`get_typavgwidth`, lsyscache.c, has 32 for varlena).
    width: f64,
    /// Nanoseconds to compress a byte of it, zlib level 6, relative to one another.
    effort: f64,
}

const fn text(name: &'static str, bytes: fn(f64) -> f64, width: f64, effort: f64) -> TypeText {
    TypeText {
        name,
        bytes,
        width,
        effort,
    }
}

/// The output functions' habits. The first that fits counts; the last fits all.
const TYPES: [TypeText; 20] = [
    text("boolean", |_| 1.0, 1.0, 12.0),
    text("smallint", |_| 3.0, 2.0, 30.0),
    text("integer", |_| 5.5, 4.0, 35.0),
    text("bigint", |_| 7.0, 8.0, 35.0),
    text("real", |_| 8.0, 4.0, 50.0),
    text("double precision", |_| 16.5, 8.0, 55.0),
    text("numeric", |w| (2.0 * (w - 2.0)).max(2.0), 8.0, 45.0),
    text("date", |_| 10.0, 4.0, 25.0),
    text("timestamp with", |_| 24.0, 8.0, 25.0),
    text("timestamp", |_| 22.0, 8.0, 25.0),
    text("time", |_| 11.0, 8.0, 30.0),
    text("interval", |_| 10.0, 16.0, 25.0),
    text("uuid", |_| 36.0, 16.0, 45.0),
    text("inet", |_| 13.0, 8.0, 40.0),
    text("bytea", |w| 3.0 + 2.0 * w, 100.0, 42.0),
    text("jsonb", |w| 1.05 * w, 120.0, 20.0),
    text("json", |w| w, 120.0, 20.0),
    text("character varying", |w| w - 1.0, 20.0, 22.0),
    text("character", |w| w - 1.0, 20.0, 8.0),
    text("", |w| w - 1.0, 32.0, 25.0),
];

fn habit(type_name: &str) -> &'static TypeText {
    TYPES
        .iter()
        .find(|t| type_name.starts_with(t.name))
        .unwrap_or(&TYPES[TYPES.len() - 1])
}

/// What statistics say of a table's row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RowText {
    /// Bytes that COPY writes.
    pub bytes: f64,
    /// Relative time to compress it: bytes × effort.
    pub effort: f64,
    /// Bytes that are left of it when compressed.
    pub packed: f64,
    /// Bytes of values that lie out of line and may be compressed there.
    pub toasted: f64,
    /// A value of variable length is wide enough that it may be compressed in its place.
    pub wide: bool,
    /// Bytes on disk, with its header and line pointer.
    pub stored: f64,
}

/// Widths of a row, for `rows` rows.
pub(super) fn row_text(table: &TableFacts, rows: f64) -> RowText {
    let mut sum = RowText {
        bytes: 0.0,
        effort: 0.0,
        packed: 0.0,
        toasted: 0.0,
        wide: false,
        stored: 28.0,
    };
    for column in &table.columns {
        let kind = habit(&column.type_name);
        let stored = column.avg_width.unwrap_or(kind.width);
        let present = 1.0 - column.null_frac.clamp(0.0, 1.0);
        let written = present * written(column, kind, stored, rows) + (1.0 - present) * 2.0 + 1.0;
        sum.bytes += written;
        sum.effort += written * kind.effort * repetition(column, rows);
        // What takes long to compress is what leaves much: half of a random number in digits,
        // little of blanks.
        sum.packed += written * (kind.effort / 90.0) * repetition(column, rows);
        sum.stored += present * stored;
        sum.wide |= stored > 100.0 && !column.external;
    }
    with_toast(sum, table, rows)
}

fn written(column: &ColumnFacts, kind: &TypeText, stored: f64, rows: f64) -> f64 {
    match (kind.name, column.n_distinct) {
        // A counter's digits follow from how many there are.
        ("integer" | "bigint", Some(distinct)) => {
            let values = if distinct < 0.0 {
                -distinct * rows
            } else {
                distinct
            };
            (values.max(1.0).log10() + 0.9).clamp(1.0, 19.0)
        }
        _ => (kind.bytes)(stored).max(1.0),
    }
}

/// Columns with few values compress quickly.
fn repetition(column: &ColumnFacts, rows: f64) -> f64 {
    match column.n_distinct {
        Some(distinct) => {
            let values = if distinct < 0.0 {
                -distinct * rows
            } else {
                distinct
            };
            0.25 + 0.75 * (values.max(1.0).log10() / 4.0).min(1.0)
        }
        None => 1.0,
    }
}

/// Whether what lies out of line is as long as it is stored: no column whose values became pointers (of 18
/// bytes) may be compressed.
fn is_external(table: &TableFacts) -> bool {
    let moved = |c: &&ColumnFacts| c.external || c.avg_width.is_none_or(|w| (w - 18.0).abs() < 4.0);
    let varying = |c: &&ColumnFacts| {
        ["text", "bytea", "character varying", "json", "xml"]
            .iter()
            .any(|name| c.type_name.starts_with(name))
    };
    let mut moved = table
        .columns
        .iter()
        .filter(varying)
        .filter(moved)
        .peekable();
    moved.peek().is_some() && moved.all(|c| c.external)
}

/// Values moved out of line: the row keeps a pointer of 18 bytes, the TOAST table the rest,
/// perhaps compressed. A bytea is written in hex: two bytes each.
fn with_toast(mut row: RowText, table: &TableFacts, rows: f64) -> RowText {
    let toasted = table.toast_pages * 8192.0 / rows.max(1.0);
    if toasted > 50.0 {
        let hex = table.columns.iter().any(|c| c.type_name == "bytea");
        let external = is_external(table);
        // Uncompressed, four chunks of a page hold 7,984 of its 8,192 bytes (`TOAST_MAX_CHUNK_SIZE`); the
        // last chunk of a value is short.
        let written = match (hex, external) {
            (true, _) => 1.95,
            (false, true) => 0.93,
            (false, false) => 1.8,
        };
        let bytes = toasted * written;
        row.bytes += bytes;
        row.effort += bytes * if hex { 42.0 } else { 15.0 };
        row.packed += bytes * if hex { 0.5 } else { 0.1 };
        row.toasted = if external { 0.0 } else { bytes };
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 6,000 rows of 4,800 bytes of text out of line, as a server of version 15 had them.
    fn archive(external: bool) -> TableFacts {
        TableFacts {
            tuples: 6000.0,
            pages: 39.0,
            toast_pages: 4000.0,
            columns: vec![
                ColumnFacts {
                    type_name: "integer".into(),
                    avg_width: Some(4.0),
                    ..ColumnFacts::default()
                },
                ColumnFacts {
                    type_name: "text".into(),
                    avg_width: Some(18.0),
                    external,
                    ..ColumnFacts::default()
                },
            ],
            ..TableFacts::default()
        }
    }

    #[test]
    fn external_values_are_as_long_as_they_lie_and_others_may_be_longer() {
        let row = row_text(&archive(true), 6000.0);
        // Measured by COPY: 4,805 bytes a row.
        assert!((4500.0..5400.0).contains(&row.bytes), "{row:?}");
        assert!(row.toasted < 1.0, "{row:?}");
        let row = row_text(&archive(false), 6000.0);
        assert!(row.bytes > 9000.0 && row.toasted > 9000.0, "{row:?}");
    }
}
