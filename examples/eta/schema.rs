//! A database of any shape, filled.

use crate::chance::Chance;
use std::fmt::Write as _;

/// Type, value for row `n`, and about how many bytes COPY writes of it.
type Column = (&'static str, &'static str, f64);

const COLUMNS: [Column; 14] = [
    ("int", "n % 1000", 4.0),
    ("bigint", "n::bigint * 7919", 9.0),
    ("boolean", "n % 3 = 0", 2.0),
    ("numeric(12,2)", "(n % 100000) / 7.0", 8.0),
    ("double precision", "random()", 18.0),
    ("date", "date '2020-01-01' + n % 2000", 11.0),
    (
        "timestamptz",
        "timestamptz '2020-01-01' + n * interval '7 s'",
        23.0,
    ),
    ("uuid", "md5(n::text)::uuid", 37.0),
    ("text", "'state ' || n % 9", 8.0),
    ("text", "md5(n::text) || md5((n * 3)::text)", 65.0),
    (
        "varchar(400)",
        "repeat('lorem ipsum ' || n % 50, 15)",
        210.0,
    ),
    ("char(40)", "'ref ' || n % 77", 7.0),
    (
        "jsonb",
        "jsonb_build_object('id', n, 'name', md5(n::text), 'tags', jsonb_build_array(n % 7, n % 11))",
        85.0,
    ),
    ("bytea", "decode(repeat(md5(n::text), 4), 'hex')", 132.0),
];

/// Values out of line: as they are, and compressed there.
const WIDE: [Column; 2] = [
    (
        "text",
        "(SELECT string_agg(md5((n * 100 + i)::text), '') FROM generate_series(1, 120) i)",
        3840.0,
    ),
    ("text", "repeat('a page of words ' || n, 700)", 13000.0),
];

/// One table.
pub struct Table {
    /// Schema and name.
    pub name: String,
    rows: f64,
    values: String,
}

/// What creates and fills tables of so many bytes of dump in all, about.
pub fn any(chance: &mut Chance, bytes: f64) -> (String, Vec<Table>) {
    let count = chance.about(6.0, 40.0) as usize;
    let shares: Vec<f64> = (0..count).map(|_| chance.about(0.01, 1.0)).collect();
    let all: f64 = shares.iter().sum();
    let mut sql = "CREATE SCHEMA app; CREATE SCHEMA \"Old\";".to_owned();
    let mut tables = Vec::new();
    for (place, share) in shares.iter().enumerate() {
        let schema = *chance.one_of(&["app", "public", "public", "\"Old\""]);
        let name = format!(
            "{schema}.t_{}{place}",
            *chance.one_of(&["a", "k", "m", "z"])
        );
        let table = table(chance, name, bytes * share / all);
        let _ = write!(sql, "CREATE TABLE {} (id bigint{});", table.0.name, table.1);
        sql += &insert(&table.0, 0.0, table.0.rows);
        if chance.happens(0.9) {
            let _ = write!(sql, "ANALYZE {};", table.0.name);
        }
        tables.push(table.0);
    }
    (sql, tables)
}

fn table(chance: &mut Chance, name: String, bytes: f64) -> (Table, String) {
    let (mut columns, mut values, mut width) = (String::new(), "n".to_owned(), 7.0);
    let mut add = |nth: usize, (kind, value, bytes): Column| {
        let _ = write!(columns, ", c{nth} {kind}");
        let _ = write!(values, ", {value}");
        width += bytes;
    };
    for nth in 0..chance.about(1.0, 12.0) as usize {
        add(nth, *chance.one_of(&COLUMNS));
    }
    if chance.happens(0.15) {
        add(99, *chance.one_of(&WIDE));
    }
    let rows = (bytes / width).ceil();
    (Table { name, rows, values }, columns)
}

fn insert(table: &Table, from: f64, to: f64) -> String {
    format!(
        "INSERT INTO {} SELECT {} FROM generate_series({from} + 1, {to}) n;",
        table.name, table.values
    )
}

/// What makes some of them larger, as the days do; analyzed, or not yet, or in the same job.
pub fn grow(chance: &mut Chance, tables: &mut [Table]) -> String {
    let mut sql = String::new();
    for table in tables {
        if chance.happens(0.5) {
            continue;
        }
        let rows = (table.rows * chance.about(1.02, 1.6)).ceil();
        sql += &insert(table, table.rows, rows);
        if chance.happens(0.6) {
            let _ = write!(sql, "ANALYZE {};", table.name);
        }
        table.rows = rows;
    }
    sql
}
