//! psql's variables: `\set name value`, then `:name`, `:'name'` and `:"name"` in SQL.

use super::split::{Token, token_at};
use std::borrow::Cow;
use std::collections::HashMap;

/// What the script has set so far. A name that it never set is left as it stands, as psql does.
#[derive(Debug, Default)]
pub(super) struct Variables(HashMap<String, String>);

impl Variables {
    /// Follows `\set` and `\unset`; the values of a `\set` are put together without spaces (psql's `exec_command_set`).
    pub(super) fn note(&mut self, meta: &str) {
        let mut words = meta.split_whitespace();
        match (words.next(), words.next()) {
            (Some("\\set"), Some(name)) => {
                self.0
                    .insert(name.to_owned(), words.map(unquoted).collect());
            }
            (Some("\\unset"), Some(name)) => {
                self.0.remove(name);
            }
            _ => {}
        }
    }

    /// The text with the variables that have a value.
    pub(super) fn replaced_in<'a>(&self, sql: &'a str) -> Cow<'a, str> {
        if self.0.is_empty() || !sql.contains(':') {
            return Cow::Borrowed(sql);
        }
        let mut replaced = String::with_capacity(sql.len());
        let mut done = 0;
        for (start, end, name) in references(sql) {
            if let Some(value) = self.0.get(name) {
                replaced.push_str(&sql[done..start]);
                replaced.push_str(&quoted(value, sql[start + 1..].chars().next()));
                done = end;
            }
        }
        replaced.push_str(&sql[done..]);
        Cow::Owned(replaced)
    }
}

fn unquoted(word: &str) -> String {
    let inner = word
        .strip_prefix('\'')
        .and_then(|word| word.strip_suffix('\''));
    inner.map_or_else(|| word.to_owned(), |inner| inner.replace("''", "'"))
}

fn quoted(value: &str, quote: Option<char>) -> String {
    match quote {
        Some('\'') => format!("'{}'", value.replace('\'', "''")),
        Some('"') => format!("\"{}\"", value.replace('"', "\"\"")),
        _ => value.to_owned(),
    }
}

/// The first variable in a text that no one replaced, as written.
pub(super) fn variable_in(sql: &str) -> Option<&str> {
    references(sql)
        .first()
        .map(|(start, end, _)| &sql[*start..*end])
}

/// Where variables stand, outside quotes and comments: (start, end, name). `::` is a cast, `:=` an assignment.
fn references(sql: &str) -> Vec<(usize, usize, &str)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < sql.len() {
        let (_, end) = token_at(sql, at);
        if !sql[at..].starts_with(':') {
            at = end;
        } else if sql[at + 1..].starts_with(':') {
            at += 2;
        } else if let Some((end, name)) = reference(sql, at + 1) {
            found.push((at, end, name));
            at = end;
        } else {
            at += 1;
        }
    }
    found
}

fn reference(sql: &str, at: usize) -> Option<(usize, &str)> {
    if at >= sql.len() {
        return None;
    }
    let (token, end) = token_at(sql, at);
    match token {
        Token::Word => {
            // A name of psql's has no dollar.
            let end = sql[at..end].find('$').map_or(end, |length| at + length);
            Some((end, &sql[at..end]))
        }
        // An open quote may end within a character.
        Token::Quoted if sql[at..].starts_with(['\'', '"']) => sql
            .get(at + 1..end - 1)
            .filter(|name| !name.is_empty())
            .map(|name| (end, name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_as_psql_does() {
        let mut variables = Variables::default();
        variables.note("\\set t orders");
        variables.note("\\set v 'it''s'");
        let sql = "alter table :t add a text default :'v', add \":t\" int default '1'::int -- :t";
        let expected =
            "alter table orders add a text default 'it''s', add \":t\" int default '1'::int -- :t";
        assert_eq!(variables.replaced_in(sql), expected);
        assert_eq!(variable_in("select a[1:n], :other"), Some(":n"));
        assert_eq!(variable_in("select 1::int, ':a', a := 1"), None);
    }
}
