//! Long lists, shortened before the parser sees them: a million rows that look alike lock what one locks, and their
//! tree would take a thousand times the text.
//!
//! Rows look alike if they differ in plain constants only. A constant that a function or a cast may take for the name
//! of a relation, or for the key of a lock, is not plain, and such a row stays.

use super::scan::{Token, token_at};
use std::borrow::Cow;
use std::collections::HashSet;

/// Shorter statements are left as they are.
const SHORTEST: usize = 16 * 1024;

/// Words that make no constant the name of something: types, keywords of expressions, and functions that are called
/// in data and only compute.
const PLAIN: &[&str] = &[
    "null",
    "true",
    "false",
    "default",
    "select",
    "union",
    "all",
    "as",
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
    "double",
    "precision",
    "real",
    "float4",
    "float8",
    "text",
    "varchar",
    "char",
    "character",
    "varying",
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
    "with",
    "without",
    "zone",
    "at",
    "and",
    "or",
    "not",
    "is",
    "case",
    "when",
    "then",
    "else",
    "end",
    "cast",
    "now",
    "current_timestamp",
    "current_date",
    "current_time",
    "localtimestamp",
    "clock_timestamp",
    "statement_timestamp",
    "to_timestamp",
    "to_date",
    "to_char",
    "make_date",
    "make_timestamp",
    "make_interval",
    "date_trunc",
    "gen_random_uuid",
    "uuid_generate_v4",
    "md5",
    "sha256",
    "crypt",
    "gen_salt",
    "digest",
    "encode",
    "decode",
    "convert_from",
    "convert_to",
    "lower",
    "upper",
    "initcap",
    "trim",
    "btrim",
    "ltrim",
    "rtrim",
    "substring",
    "substr",
    "left",
    "right",
    "replace",
    "concat",
    "concat_ws",
    "length",
    "repeat",
    "lpad",
    "rpad",
    "chr",
    "coalesce",
    "nullif",
    "greatest",
    "least",
    "random",
    "floor",
    "ceil",
    "round",
    "abs",
    "json_build_object",
    "jsonb_build_object",
    "json_build_array",
    "jsonb_build_array",
    "to_json",
    "to_jsonb",
    "st_geomfromtext",
    "st_geogfromtext",
    "st_setsrid",
    "st_makepoint",
    "st_point",
    "hstore",
    "to_tsvector",
];

/// The statement with one item of each form in its lists: VALUES, IN, ARRAY, then SELECTs under UNION ALL.
#[must_use]
pub fn shortened(sql: &str) -> Cow<'_, str> {
    match with_short(sql, in_brackets) {
        Cow::Borrowed(sql) => with_short(sql, united),
        Cow::Owned(short) => Cow::Owned(with_short(&short, united).into_owned()),
    }
}

/// Where items of a list begin and end.
type Items = Vec<(usize, usize)>;

/// The items of the list that begins with a token, and where the search for them ended.
type List = fn(&str, &Place<'_>) -> (Items, usize);

/// A token, and the word before it.
struct Place<'a> {
    before: &'a str,
    word: &'a str,
    at: usize,
}

/// The statement with these lists shortened.
fn with_short(sql: &str, list: List) -> Cow<'_, str> {
    if sql.len() < SHORTEST {
        return Cow::Borrowed(sql);
    }
    let mut short = String::new();
    let (mut at, mut done, mut before) = (0, 0, "");
    // Lists in lists are searched again from each of them: not without a bound.
    let mut budget = 16 * sql.len();
    while at < sql.len() && budget > 0 {
        let (token, end) = token_at(sql, at);
        let word = &sql[at..end];
        let start = std::mem::replace(&mut at, end);
        if token == Token::Blank {
            continue;
        }
        let place = Place {
            before: std::mem::replace(&mut before, word),
            word,
            at: start,
        };
        let (items, searched) = list(sql, &place);
        budget = budget.saturating_sub(searched - start);
        if let (Some(first), Some(last)) = (items.first(), items.last()) {
            short.push_str(&sql[done..first.0]);
            push_forms(&mut short, sql, &items);
            (at, done) = (last.1, last.1);
        }
    }
    if done == 0 {
        return Cow::Borrowed(sql);
    }
    short.push_str(&sql[done..]);
    Cow::Owned(short)
}

/// The first item of each form, with what stands before it.
fn push_forms(short: &mut String, sql: &str, items: &[(usize, usize)]) {
    let mut seen = HashSet::new();
    let mut end = items[0].0;
    for (start, stop) in items {
        if seen.insert(form(&sql[*start..*stop])) {
            short.push_str(&sql[end.min(*start)..*stop]);
        }
        end = *stop;
    }
}

/// Lists in brackets: rows of VALUES, elements of IN and ARRAY.
fn in_brackets(sql: &str, place: &Place<'_>) -> (Items, usize) {
    let Place { before, word, at } = place;
    let is = |name: &str| before.eq_ignore_ascii_case(name);
    match *word {
        "(" if is("values") => rows(sql, *at),
        "(" if is("in") && !begins_query(sql, at + 1) => elements(sql, at + 1),
        "[" if is("array") => elements(sql, at + 1),
        _ => (vec![], *at),
    }
}

/// Whether a query begins here, behind white space and comments.
fn begins_query(sql: &str, mut at: usize) -> bool {
    while at < sql.len() {
        let (token, end) = token_at(sql, at);
        let word = sql[at..end].to_ascii_lowercase();
        match token {
            Token::Blank => at = end,
            Token::Open => return true,
            _ => return matches!(word.as_str(), "select" | "with" | "values" | "table"),
        }
    }
    true
}

/// The elements of a list in brackets, from the first one on.
fn elements(sql: &str, from: usize) -> (Items, usize) {
    let (mut elements, mut at, mut start, mut depth) = (Vec::new(), from, from, 0_usize);
    while at < sql.len() {
        let (_, end) = token_at(sql, at);
        match &sql[at..end] {
            "(" | "[" => depth += 1,
            ")" | "]" if depth == 0 => {
                elements.push((start, at));
                return (elements, end);
            }
            ")" | "]" => depth -= 1,
            "," if depth == 0 => {
                elements.push((start, at));
                start = end;
            }
            _ => {}
        }
        at = end;
    }
    (vec![], at)
}

/// The SELECTs that UNION ALL joins, from the first one on, up to the end of their brackets or their statement.
fn united(sql: &str, place: &Place<'_>) -> (Items, usize) {
    let (mut found, mut at, mut depth) = (Items::new(), place.at, 0_usize);
    if !place.word.eq_ignore_ascii_case("select") {
        return (found, at);
    }
    let (mut start, mut union) = (at, None);
    while at < sql.len() {
        let (token, end) = token_at(sql, at);
        let word = &sql[at..end];
        let is = |name: &&str| word.eq_ignore_ascii_case(name);
        match (token, union.take()) {
            (Token::Blank, before) => union = before,
            (Token::Word, Some(stop)) if is(&"all") => {
                found.push((start, stop));
                start = end;
            }
            // UNION without ALL.
            (_, Some(stop)) => {
                at = stop;
                break;
            }
            (Token::Open, _) => depth += 1,
            (Token::Close, _) if depth > 0 => depth -= 1,
            (Token::Close | Token::Semicolon, _) => break,
            (Token::Word, _) if depth == 0 && is(&"union") => union = Some(at),
            (Token::Word, _) if depth == 0 && ENDS.iter().any(is) => break,
            _ => {}
        }
        at = end;
    }
    if !found.is_empty() {
        found.push((start, at));
    }
    (found, at)
}

/// Words that end the last SELECT of a list: what follows belongs to all of them.
const ENDS: &[&str] = &[
    "except",
    "intersect",
    "order",
    "limit",
    "offset",
    "fetch",
    "for",
    "on",
    "returning",
];

/// The rows of a list that begins here: `(…), (…)`.
fn rows(sql: &str, from: usize) -> (Items, usize) {
    let mut rows = Items::new();
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
    (rows, at)
}

/// What rows that look alike have in common.
///
/// Inside the call of a function that is not plain every constant counts; another word that is not plain may be a
/// cast, and then everything counts.
fn form(row: &str) -> String {
    let mut form = String::new();
    let (mut at, mut depth, mut call, mut is_alias) = (0, 0_usize, None, false);
    while at < row.len() {
        let (token, end) = token_at(row, at);
        let text = &row[at..end];
        let is_kept = call.is_some() || is_alias;
        is_alias &= token == Token::Blank;
        match token {
            Token::Blank => {}
            Token::Open | Token::Close => {
                form.push_str(text);
                match token {
                    Token::Open => depth += 1,
                    _ => depth = depth.saturating_sub(1),
                }
                call = call.filter(|inside| depth > *inside);
            }
            Token::Quoted if text.starts_with('"') => return row.to_owned(),
            _ if is_kept => {
                form.push_str(text);
                form.push(' ');
            }
            Token::Quoted => form.push('\''),
            Token::Other if text.starts_with(|c: char| c.is_ascii_digit()) => form.push('0'),
            Token::Word => {
                let word = text.to_ascii_lowercase();
                if !PLAIN.contains(&word.as_str()) {
                    if !row[end..].trim_start().starts_with('(') {
                        return row.to_owned();
                    }
                    call = Some(depth);
                }
                // Of a column: a cast's AS is in brackets.
                is_alias = word == "as" && depth == 0;
                form.push_str(&word);
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
        let odd = "(1, nextval('A'), 2, null, 'x'::jsonb), (2, nextval('B'), 2, null, 'x'::jsonb)";
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
    fn every_long_list_of_alike_items_is_one_item() {
        // cases/safety/12
        let list = |of: fn(usize) -> String, between: &str| {
            (0..4000).map(of).collect::<Vec<_>>().join(between)
        };
        for (sql, expected) in [
            (
                format!(
                    "DELETE FROM t WHERE a IN ({}) AND b",
                    list(|n| format!("{n}"), ", ")
                ),
                "DELETE FROM t WHERE a IN (0) AND b",
            ),
            (
                format!(
                    "SELECT ARRAY[{}]::int[] FROM t",
                    list(|n| format!("{n}"), ",")
                ),
                "SELECT ARRAY[0]::int[] FROM t",
            ),
            (
                format!(
                    "INSERT INTO t VALUES {}",
                    list(|n| format!("(lower('A{n}'), now())"), ",")
                ),
                "INSERT INTO t VALUES (lower('A0'), now())",
            ),
            (
                format!(
                    "INSERT INTO t VALUES {}",
                    list(|n| format!("(nextval('s'), '{n}')"), ",")
                ),
                "INSERT INTO t VALUES (nextval('s'), '0')",
            ),
            (
                format!(
                    "INSERT INTO t {} ON CONFLICT DO NOTHING",
                    list(|n| format!("SELECT {n} AS id"), " UNION ALL ")
                ),
                "INSERT INTO t SELECT 0 AS id ON CONFLICT DO NOTHING",
            ),
            (
                format!(
                    "SELECT a FROM t WHERE b IN ({}) UNION ALL SELECT 1 UNION SELECT 2",
                    list(|n| format!("{n}"), ",")
                ),
                "SELECT a FROM t WHERE b IN (0) UNION ALL SELECT 1 UNION SELECT 2",
            ),
        ] {
            let short = shortened(&sql)
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ");
            assert_eq!(short, expected);
        }
    }

    #[test]
    fn lists_of_what_may_name_something_keep_it() {
        let list = |of: fn(usize) -> String, between: &str| {
            (0..3000).map(of).collect::<Vec<_>>().join(between)
        };
        for (sql, word) in [
            (
                format!(
                    "SELECT 1 IN ({})",
                    list(|n| format!("nextval('s{n}')"), ",")
                ),
                "nextval",
            ),
            (
                format!(
                    "INSERT INTO t VALUES {}",
                    list(|n| format!("('s{n}'::regclass)"), ",")
                ),
                "regclass",
            ),
            (
                list(|n| format!("SELECT {n} FROM t{n}"), " UNION ALL "),
                "from",
            ),
            (
                list(
                    |n| format!("SELECT CAST('t{n}' AS regclass)"),
                    " UNION ALL ",
                ),
                "regclass",
            ),
            (
                format!(
                    "SELECT ARRAY[{}]",
                    list(|n| format!("pg_advisory_lock({n})"), ",")
                ),
                "advisory",
            ),
            (format!("SELECT f({})", list(|n| format!("{n}"), ",")), ","),
            (
                format!(
                    "SELECT a IN (SELECT {} FROM t)",
                    list(|_| "aa aa".to_owned(), ",")
                ),
                ",",
            ),
        ] {
            let count = |text: &str| text.to_ascii_lowercase().matches(word).count();
            assert_eq!(count(&shortened(&sql)), count(&sql), "{sql:.60}");
        }
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
