//! Long lists of VALUES, shortened before the parser sees them: a million rows that look alike lock what one locks,
//! and their tree would take a thousand times the text.
//!
//! Rows look alike if they differ in plain constants only. A constant that a function or a cast may take for the name
//! of a relation is not plain, and such a row stays.

use super::scan::{Token, token_at};
use std::borrow::Cow;
use std::collections::HashSet;

/// Shorter statements are left as they are.
const SHORTEST: usize = 16 * 1024;

/// Words that make no constant the name of something.
const PLAIN: &[&str] = &[
    "null",
    "true",
    "false",
    "default",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "interval",
    "numeric",
    "decimal",
    "integer",
    "int",
    "int2",
    "int4",
    "int8",
    "bigint",
    "smallint",
    "real",
    "float4",
    "float8",
    "text",
    "varchar",
    "char",
    "bool",
    "boolean",
    "json",
    "jsonb",
    "uuid",
    "bytea",
    "inet",
    "xml",
    "array",
    "row",
    "e",
    "b",
    "x",
    "n",
];

/// The statement with one row of each form in its lists of VALUES.
#[must_use]
pub fn shortened(sql: &str) -> Cow<'_, str> {
    if sql.len() < SHORTEST {
        return Cow::Borrowed(sql);
    }
    let mut short = String::new();
    let (mut at, mut done) = (0, 0);
    while at < sql.len() {
        let (token, end) = token_at(sql, at);
        at = end;
        if token == Token::Word && sql[..end].to_ascii_lowercase_tail(6) == "values" {
            let rows = rows(sql, end);
            let Some(last) = rows.last() else { continue };
            short.push_str(&sql[done..end]);
            let mut seen = HashSet::new();
            for row in &rows {
                if seen.insert(form(&sql[row.0..row.1])) {
                    short.push_str(if seen.len() == 1 { " " } else { ", " });
                    short.push_str(&sql[row.0..row.1]);
                }
            }
            (at, done) = (last.1, last.1);
        }
    }
    if done == 0 {
        return Cow::Borrowed(sql);
    }
    short.push_str(&sql[done..]);
    Cow::Owned(short)
}

trait Tail {
    /// The last bytes, in lower case; nothing where they do not begin at a character.
    fn to_ascii_lowercase_tail(&self, length: usize) -> String;
}

impl Tail for str {
    fn to_ascii_lowercase_tail(&self, length: usize) -> String {
        let start = self.len().saturating_sub(length);
        self.get(start..).unwrap_or("").to_ascii_lowercase()
    }
}

/// The rows of a list that begins here: `(…), (…)`.
fn rows(sql: &str, from: usize) -> Vec<(usize, usize)> {
    let mut rows = Vec::new();
    let (mut at, mut depth, mut start) = (from, 0_usize, 0);
    let mut expects_row = true;
    while at < sql.len() {
        let (token, end) = token_at(sql, at);
        match token {
            Token::Blank => {}
            Token::Open => {
                if depth == 0 {
                    if !expects_row {
                        break;
                    }
                    start = at;
                }
                depth += 1;
            }
            Token::Close if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    rows.push((start, end));
                    expects_row = false;
                }
            }
            _ if depth > 0 => {}
            Token::Other if !expects_row && &sql[at..end] == "," => expects_row = true,
            _ => break,
        }
        at = end;
    }
    rows
}

/// What rows that look alike have in common.
fn form(row: &str) -> String {
    let mut form = String::new();
    let mut at = 0;
    while at < row.len() {
        let (token, end) = token_at(row, at);
        let text = &row[at..end];
        match token {
            Token::Blank => {}
            Token::Quoted if !text.starts_with('"') => form.push('\''),
            Token::Other if text.starts_with(|c: char| c.is_ascii_digit()) => form.push('0'),
            Token::Word if !PLAIN.contains(&text.to_ascii_lowercase().as_str()) => {
                return row.to_owned();
            }
            Token::Quoted => return row.to_owned(),
            Token::Word => {
                form.push_str(&text.to_ascii_lowercase());
                form.push(' ');
            }
            _ => form.push_str(text),
        }
        at = end;
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_look_alike_are_one() {
        // cases/safety/12
        let alike: Vec<String> = (0..5000)
            .map(|n| format!("({n}, 'a{n}', -1.5, NULL, 'x'::jsonb)"))
            .collect();
        let odd = "(1, lower('A'), 2, null, 'x'::jsonb), (2, lower('B'), 2, null, 'x'::jsonb)";
        let sql = format!(
            "INSERT INTO t VALUES {}, {odd} ON CONFLICT DO NOTHING",
            alike.join(",\n")
        );
        let expected = format!(
            "INSERT INTO t VALUES {}, {odd} ON CONFLICT DO NOTHING",
            alike[0]
        );
        assert_eq!(shortened(&sql), expected);
    }

    #[test]
    fn what_is_no_list_stays_as_it_is() {
        for sql in [
            format!("SELECT '{}', values FROM t", "values (1), (1)".repeat(3000)),
            format!("SELECT {} values", "1, ".repeat(10_000)),
            format!("INSERT INTO t VALUES (1), (1 {}", " ".repeat(20_000)),
            format!(
                "INSERT INTO t SELECT nextval('s'), {}",
                "('values'), ".repeat(5000)
            ),
        ] {
            let short = shortened(&sql);
            assert!(short.len() <= sql.len(), "{sql:.60}");
            assert_eq!(
                pg_query::parse(&short, 0).is_ok(),
                pg_query::parse(&sql, 0).is_ok(),
                "{sql:.60}"
            );
        }
    }

    #[test]
    fn constants_that_name_something_keep_their_rows() {
        let rows: Vec<String> = (0..3000).map(|n| format!("(nextval('s{n}'))")).collect();
        let sql = format!("INSERT INTO t VALUES {}", rows.join(", "));
        assert_eq!(shortened(&sql).matches("nextval").count(), 3000);
    }
}
