//! How deep a statement nests, before anything walks it.
//!
//! A parsed statement is a tree, and whatever reads a tree calls itself once a level: the decoder behind
//! the parser, the walks of a footprint, even the freeing of it. A text of a few hundred kilobytes
//! (`select 1+1+1+…`) makes a tree that no stack holds, and a stack that overflows ends the process. So the
//! text is measured first, and one that may nest deeper than [`LIMIT`] is not parsed at all: what it does
//! is not known then, which is an answer. [`with_room`] runs a program on a stack that holds the limit.

use super::scan::{Token, token_at};

/// The deepest nesting that is read, counted in tokens as [`of`] does. `a || b` counts two a link: this
/// is a chain of thousands of operators, or of as many UNIONs.
pub const LIMIT: usize = 20_000;

/// The stack that trees of that depth need, in bytes. Only what is used of it takes memory.
const ROOM: usize = 1 << 30;

/// The most levels that a text can have as a tree.
///
/// Every level has a token of its own: an operator, a keyword, a bracket. Tokens between two commas, with
/// those around the brackets that they stand in, bound it from above; lists (rows of VALUES, columns,
/// arguments) are as flat as they look. Only UNION and its kin nest over commas.
#[must_use]
pub fn of(sql: &str) -> usize {
    let (mut at, mut deepest, mut total) = (0, 0, 0_usize);
    let mut around: Vec<Inside> = Vec::new();
    let mut inside = Inside::default();
    while at < sql.len() {
        let (token, end) = token_at(sql, at);
        let text = &sql[at..end];
        at = end;
        match (token, text) {
            (Token::Blank, _) => continue,
            (Token::Other, ",") => total -= std::mem::take(&mut inside.since_comma),
            (Token::Semicolon, _) => total -= std::mem::take(&mut inside).all(),
            (Token::Word, word) if is_set_operation(word) => {
                inside.set_operations += 1;
                total += 1;
            }
            _ => {
                inside.since_comma += 1;
                total += 1;
            }
        }
        deepest = deepest.max(total);
        if matches!((token, text), (Token::Open, _) | (Token::Other, "[")) {
            around.push(std::mem::take(&mut inside));
        } else if matches!((token, text), (Token::Close, _) | (Token::Other, "]"))
            && let Some(outer) = around.pop()
        {
            total -= std::mem::replace(&mut inside, outer).all();
        }
    }
    deepest
}

/// What has been counted directly inside a bracket.
#[derive(Default)]
struct Inside {
    since_comma: usize,
    set_operations: usize,
}

impl Inside {
    const fn all(&self) -> usize {
        self.since_comma + self.set_operations
    }
}

fn is_set_operation(word: &str) -> bool {
    ["union", "intersect", "except"]
        .iter()
        .any(|operation| word.eq_ignore_ascii_case(operation))
}

/// Whether a text nests deeper than is read. Short ones are not even measured: a level takes a byte.
#[must_use]
pub fn is_too_deep(sql: &str) -> bool {
    sql.len() > LIMIT && of(sql) > LIMIT
}

/// Parses a text inside a statement, such as a routine's body; `None` where it cannot be read.
#[must_use]
pub fn parse(sql: &str) -> Option<pg_query::ParseResult> {
    if is_too_deep(sql) {
        return None;
    }
    // The crate asserts on shapes of trees that it does not expect.
    std::panic::catch_unwind(|| pg_query::parse(sql, 0))
        .ok()?
        .ok()
}

/// Runs a program where trees of [`LIMIT`] levels can be walked; on the caller's own stack if the system
/// gives no such thread.
pub fn with_room<T: Send>(program: impl Fn() -> T + Sync) -> T {
    let on_a_thread = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("main".to_owned())
            .stack_size(ROOM)
            .spawn_scoped(scope, &program);
        thread.ok().map(std::thread::ScopedJoinHandle::join)
    });
    match on_a_thread {
        Some(Ok(answer)) => answer,
        Some(Err(panic)) => std::panic::resume_unwind(panic),
        None => program(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_as_flat_as_it_looks() {
        let rows = "(1, 'a', now() || 'b'), ".repeat(100_000);
        assert!(of(&format!("insert into t values {rows} (1, 'a', 'b')")) < 20);
        assert!(of(&"drop table a; ".repeat(1000)) < 10);
        assert!(
            of(&format!(
                "select '{}' /* {0} */ -- {0}",
                "(".repeat(100_000)
            )) < 10
        );
    }

    #[test]
    fn each_operator_and_each_bracket_counts() {
        for link in [
            "||a",
            "+ +",
            "[",
            "not ",
            "union select a, b ",
            "(a, ",
            "f(a, ",
            "[[a], ",
            "(select(",
            "case when a then ",
            " at time zone 'x'",
        ] {
            assert!(
                of(&format!("select a, a {}", link.repeat(500))) >= 500,
                "{link}"
            );
        }
        // A bracket that closes takes with it what stood in it, and a comma what stood before it.
        assert_eq!(of("f(1 + 2)"), of("f(1 + 2) g"));
        assert_eq!(of("f(a + b, c)"), 5);
        assert_eq!(of("]])) ("), of("1 1 1 1 1"));
    }

    #[test]
    fn a_panic_on_the_other_stack_comes_through() {
        assert!(std::panic::catch_unwind(|| with_room(|| panic!("as it was"))).is_err());
        assert_eq!(with_room(|| 7), 7);
    }
}
