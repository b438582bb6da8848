//! What a statement in `pg_stat_activity.query` is, as far as its first words tell.
//!
//! Not a parser: the text may be cut in the middle, be in any encoding and hold several statements.
//! It is enough to skip comments and strings and to read the words that each statement begins with.

/// How many words of a statement are kept: `CREATE UNIQUE INDEX CONCURRENTLY IF NOT` needs the most.
const WORDS: usize = 6;

/// The first words of every statement in a text, in upper case.
///
/// Comments, strings and dollar-quoted bodies are passed over, so a `;` or an `ALTER` inside one is
/// not mistaken for code (`scan.l`: comments nest, a dollar quote ends only with its own tag).
#[must_use]
pub fn heads(text: &str) -> Vec<Vec<String>> {
    words(text, WORDS)
}

/// The same, with up to `most` words of each.
#[must_use]
pub fn words(text: &str, most: usize) -> Vec<Vec<String>> {
    let mut statements = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut rest = text;
    loop {
        // Most of a long statement comes after the words that count: on to what may end it or hide its end.
        if words.len() == most {
            rest = &rest[to_next_mark(rest)..];
        }
        let Some(first) = rest.chars().next() else {
            break;
        };
        let quoted = matches!(first, '-' | '/' | '\'' | '"' | '$');
        if let Some(after) = quoted.then(|| skipped(rest)).flatten() {
            if first == '"' && words.len() < most {
                words.push(
                    rest[1..rest.len() - after.len()]
                        .trim_end_matches('"')
                        .into(),
                );
            }
            rest = after;
        } else if first == ';' {
            if !words.is_empty() {
                statements.push(std::mem::take(&mut words));
            }
            rest = &rest[1..];
        } else if first.is_alphanumeric() || first == '_' {
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.' || c == '$'))
                .unwrap_or(rest.len());
            if words.len() < most {
                words.push(rest[..end].to_uppercase());
            }
            rest = &rest[end..];
        } else {
            // `COPY (SELECT …)` and `EXPLAIN (ANALYZE)` differ in their parenthesis.
            if first == '(' && words.len() == 1 {
                words.push("(".into());
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    if !words.is_empty() {
        statements.push(words);
    }
    statements
}

/// A text without its comments, on one line, and without a semicolon at its end: what is compared with another one.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after = matches!(first, '-' | '/' | '\'' | '"' | '$')
            .then(|| skipped(rest))
            .flatten();
        let (part, left) = match after {
            Some(after) => (&rest[..rest.len() - after.len()], after),
            None => rest.split_at(first.len_utf8()),
        };
        let is_comment = after.is_some() && matches!(first, '-' | '/');
        kept.push_str(if is_comment { " " } else { part });
        rest = left;
    }
    let line = kept.split_whitespace().collect::<Vec<_>>().join(" ");
    line.trim_end_matches([';', ' ']).to_owned()
}

/// How far it is to a `;`, or to what may begin a comment, a string or a dollar quote; a `$` inside a word
/// begins none (`dolq_start` and `ident_cont` in `scan.l`).
fn to_next_mark(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_word =
        |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.' || !byte.is_ascii();
    (0..bytes.len())
        .find(|&at| match bytes[at] {
            b';' | b'-' | b'/' | b'\'' | b'"' => true,
            b'$' => at == 0 || !(is_word(bytes[at - 1]) || bytes[at - 1] == b'$'),
            _ => false,
        })
        .unwrap_or(bytes.len())
}

/// The text after a comment, string, quoted identifier or dollar-quoted body, if it begins with one.
fn skipped(text: &str) -> Option<&str> {
    if let Some(comment) = text.strip_prefix("--") {
        return Some(comment.find('\n').map_or("", |end| &comment[end + 1..]));
    }
    if text.starts_with("/*") {
        return Some(after_block_comment(text));
    }
    match text.chars().next()? {
        quote @ ('\'' | '"') => {
            let body = &text[1..];
            Some(body.find(quote).map_or("", |end| &body[end + 1..]))
        }
        '$' => {
            let tag_end = text[1..].find('$')? + 2;
            let tag = &text[..tag_end];
            let plain = tag[1..tag_end - 1]
                .chars()
                .all(|c| c.is_alphanumeric() || c == '_');
            let numbered = tag[1..].starts_with(|c: char| c.is_ascii_digit());
            if !plain || numbered {
                return None;
            }
            let body = &text[tag_end..];
            Some(body.find(tag).map_or("", |end| &body[end + tag.len()..]))
        }
        _ => None,
    }
}

/// The text after a block comment; comments nest.
fn after_block_comment(text: &str) -> &str {
    let mut depth = 0_usize;
    let bytes = text.as_bytes();
    let mut at = 0;
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => {
                depth += 1;
                at += 2;
            }
            b"*/" => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return &text[at..];
                }
            }
            _ => at += 1,
        }
    }
    ""
}

/// What kind of work a statement is, by its first words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Changes the schema.
    SchemaChange,
    /// VACUUM, ANALYZE, REINDEX, CLUSTER, REFRESH MATERIALIZED VIEW.
    Maintenance,
    /// `COPY … TO`.
    Export,
    /// `COPY … FROM`.
    Import,
    /// Anything else.
    Other,
}

/// First words that change the schema. `TRUNCATE`, `LOCK` and temporary objects are an application's daily bread.
const SCHEMA_CHANGE: [&str; 3] = ["ALTER", "CREATE", "DROP"];
const NOT_SCHEMA: [&str; 4] = ["TEMP", "TEMPORARY", "LOCAL", "GLOBAL"];
/// What CREATE, ALTER and DROP are about without any table being involved.
const CLUSTER_WIDE: [&str; 8] = [
    "ROLE",
    "USER",
    "DATABASE",
    "SYSTEM",
    "GROUP",
    "TABLESPACE",
    "SUBSCRIPTION",
    "PUBLICATION",
];
/// Words between the verb and what it is about.
const MODIFIERS: [&str; 4] = ["UNIQUE", "UNLOGGED", "OR", "REPLACE"];
const MAINTENANCE: [&str; 5] = ["VACUUM", "ANALYZE", "ANALYSE", "REINDEX", "CLUSTER"];

/// What kind of work a whole text is: that of the first statement that says something.
#[must_use]
pub fn kind(text: &str) -> Kind {
    heads(text)
        .iter()
        .map(|words| kind_of(words))
        .find(|kind| *kind != Kind::Other)
        .unwrap_or(Kind::Other)
}

fn kind_of(words: &[String]) -> Kind {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    match word(0) {
        first if MAINTENANCE.contains(&first) => Kind::Maintenance,
        "REFRESH" => Kind::Maintenance,
        first if SCHEMA_CHANGE.contains(&first) => {
            if NOT_SCHEMA.contains(&word(1)) || CLUSTER_WIDE.contains(&word(1)) {
                Kind::Other
            } else {
                Kind::SchemaChange
            }
        }
        "COPY" if word(1) == "(" || words.iter().any(|w| w == "TO") => Kind::Export,
        "COPY" if words.iter().any(|w| w == "FROM") => Kind::Import,
        _ => Kind::Other,
    }
}

/// The first words of the first statement that is of this kind: `ALTER TABLE`, for people.
#[must_use]
pub fn command(text: &str, kind: Kind) -> Option<String> {
    let heads = heads(text);
    let words = heads.iter().find(|words| kind_of(words) == kind)?;
    let count = match words.first()?.as_str() {
        "CREATE" | "ALTER" | "DROP" => 2,
        "REFRESH" => 3,
        _ => 1,
    };
    let mut shown = words
        .iter()
        .filter(|word| !MODIFIERS.contains(&word.as_str()))
        .take(count)
        .cloned()
        .collect::<Vec<_>>();
    if words.iter().take(WORDS).any(|word| word == "CONCURRENTLY") {
        shown.push("CONCURRENTLY".into());
    }
    Some(shown.join(" "))
}

/// Whether it reads as pg_dump writes its COPY: `COPY schema.table (columns) TO stdout;`, with the
/// word `stdout` in lower case and a semicolon at the end (`dumpTableData_copy`, pg_dump.c). A text that
/// was cut off by the server may lack the end.
#[must_use]
pub fn is_dump_copy(text: &str, truncated: bool) -> bool {
    let text = text.trim_end();
    let Some(rest) = text.strip_prefix("COPY ") else {
        return false;
    };
    // With a row filter, and for foreign tables, pg_dump copies a query; its name of a table is always qualified.
    let first = rest.split([' ', '(']).next().unwrap_or_default();
    let table = first.contains('.') || rest.starts_with('"') || rest.starts_with("(SELECT ");
    table && (rest.ends_with(" TO stdout;") || truncated && !rest.contains(" TO "))
}

/// Whether it is pg_dump's way of reading rows for INSERT statements (`dumpTableData_insert`, pg_dump.c).
#[must_use]
pub fn is_dump_cursor(text: &str) -> bool {
    text.contains("_pg_dump_cursor")
        && (text.starts_with("DECLARE") || text.starts_with("FETCH") || text.starts_with("CLOSE"))
}

/// Whether it locks tables the way pg_dump does: `LOCK TABLE schema.table, … IN ACCESS SHARE MODE`
/// (`getTables`, and `lockTableForWorker` with NOWAIT).
#[must_use]
pub fn is_dump_lock(text: &str, truncated: bool) -> bool {
    let text = text.trim_end();
    let mode = [" IN ACCESS SHARE MODE", " IN ACCESS SHARE MODE NOWAIT"];
    text.strip_prefix("LOCK TABLE ").is_some_and(|tables| {
        tables.contains('.') && (truncated || mode.iter().any(|mode| tables.ends_with(mode)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_strings_and_bodies_are_passed_over() {
        assert_eq!(
            heads(
                "-- ALTER\n/* a /* b */ DROP */ SELECT ';' FROM \"x;\"; do $x$ ALTER; $x$; alter table a"
            ),
            vec![
                vec!["SELECT", "FROM", "x;"],
                vec!["DO"],
                vec!["ALTER", "TABLE", "A"],
            ]
        );
    }

    #[test]
    fn texts_cut_anywhere_are_survived() {
        for text in [
            "/* a", "'a", "$x$ a", "$", "/", "-", "é$1$", "$1", "*/ x", "\u{fffd}",
        ] {
            let _ = heads(text);
        }
    }

    #[test]
    fn kinds_are_told_by_the_first_words() {
        for (text, expected) in [
            ("ALTER TABLE a ADD b int", Kind::SchemaChange),
            (
                "/* file 7 */ begin; create index concurrently i on a (b)",
                Kind::SchemaChange,
            ),
            ("CREATE TEMP TABLE a (b int)", Kind::Other),
            ("ALTER ROLE app SET lock_timeout = 1", Kind::Other),
            ("SELECT 'ALTER TABLE'", Kind::Other),
            ("VACUUM (VERBOSE) a", Kind::Maintenance),
            ("refresh materialized view m", Kind::Maintenance),
            ("COPY a TO STDOUT ", Kind::Export),
            ("COPY (SELECT 1) TO STDOUT", Kind::Export),
            ("copy a from stdin", Kind::Import),
            ("COPY \"T\" (id) FROM stdin", Kind::Import),
            ("REINDEX TABLE a", Kind::Maintenance),
            ("", Kind::Other),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
    }

    #[test]
    fn a_command_is_named_as_people_know_it() {
        assert_eq!(
            command(
                "create unique index concurrently i on a (b)",
                Kind::SchemaChange
            )
            .as_deref(),
            Some("CREATE INDEX CONCURRENTLY")
        );
        assert_eq!(
            command("alter table a", Kind::SchemaChange).as_deref(),
            Some("ALTER TABLE")
        );
    }

    #[test]
    fn only_pg_dump_writes_its_copy_this_way() {
        assert!(is_dump_copy(
            "COPY public.users (id, email) TO stdout;",
            false
        ));
        assert!(is_dump_copy("COPY \"S x\".\"T\" (id) TO stdout;", false));
        assert!(!is_dump_copy("COPY users TO STDOUT ", false));
        assert!(!is_dump_copy("COPY public.users (id) TO STDOUT", false));
        assert!(!is_dump_copy("COPY (SELECT 1) TO STDOUT", false));
        assert!(is_dump_copy("COPY public.wide (a, b, c", true));
        assert!(is_dump_cursor("FETCH 100 FROM _pg_dump_cursor"));
        assert!(is_dump_lock(
            "LOCK TABLE public.a, public.b IN ACCESS SHARE MODE",
            false
        ));
        assert!(!is_dump_lock("lock table a in access share mode", false));
    }
}
