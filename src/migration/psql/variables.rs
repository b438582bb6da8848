//! psql's variables: `\set name value`, then `:name`, `:'name'`, `:"name"` and `:{?name}`.

use crate::migration::scan::{Token, psql_token_at, token_at};
use std::borrow::Cow;
use std::collections::HashMap;

/// What the script has set so far. A name that it never set is left as it stands, as psql does.
#[derive(Debug, Default)]
pub struct Variables(HashMap<String, String>);

/// A variable in a text.
#[derive(Debug, PartialEq, Eq)]
pub struct Reference<'a> {
    /// Where it begins: at the colon.
    pub start: usize,
    /// Where the text continues.
    pub end: usize,
    pub name: &'a str,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Literal,
    Identifier,
    IsSet,
}

impl Variables {
    /// `\set`
    pub fn set(&mut self, name: &str, value: String) {
        self.0.insert(name.to_owned(), value);
    }

    /// `\unset`, or a value that nobody knows.
    pub fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// What a query gave may be in any of them.
    pub fn forget_all(&mut self) {
        self.0.clear();
    }

    /// What psql puts in its place; `None`: the script has not set it.
    pub fn value_of(&self, reference: &Reference<'_>) -> Option<String> {
        let value = self.0.get(reference.name)?;
        Some(match reference.form {
            Form::Plain => value.clone(),
            Form::Literal => format!("'{}'", value.replace('\'', "''")),
            Form::Identifier => format!("\"{}\"", value.replace('"', "\"\"")),
            Form::IsSet => "TRUE".to_owned(),
        })
    }

    /// The text with the variables that have a value. `None`: a value that is not made of whole words changes
    /// where the statement ends.
    pub fn replaced_in<'a>(&self, sql: &'a str) -> Option<Cow<'a, str>> {
        if self.0.is_empty() || !sql.contains(':') {
            return Some(Cow::Borrowed(sql));
        }
        let mut replaced = String::with_capacity(sql.len());
        let mut done = 0;
        for reference in references(sql) {
            if let Some(value) = self.value_of(&reference) {
                if reference.form == Form::Plain && !is_whole(&value) {
                    return None;
                }
                replaced.push_str(&sql[done..reference.start]);
                replaced.push_str(&value);
                done = reference.end;
            }
        }
        replaced.push_str(&sql[done..]);
        Some(Cow::Owned(replaced))
    }
}

/// Whether a text begins and ends outside quotes and comments, and ends no statement: psql scans it where the
/// variable stands.
fn is_whole(value: &str) -> bool {
    let (mut at, mut depth) = (0, 0_i32);
    while at < value.len() {
        let (token, end) = token_at(value, at);
        match token {
            Token::Semicolon | Token::Backslash => return false,
            Token::Blank if value[at..].starts_with(['-', '/']) => return false,
            Token::Quoted if !is_closed(&value[at..end]) => return false,
            Token::Open => depth += 1,
            Token::Close => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
        at = end;
    }
    depth == 0
}

/// Whether something in quotes has its end: with another text behind it the end stays where it is.
fn is_closed(quoted: &str) -> bool {
    let more = format!("{quoted} ;");
    token_at(&more, 0).1 == quoted.len() && quoted.len() > 1
}

/// The first variable in a text that no one replaced, as written.
pub fn variable_in(sql: &str) -> Option<&str> {
    references(sql)
        .first()
        .map(|found| &sql[found.start..found.end])
}

/// The text with a name, or a literal, for each variable: enough to see what kind of statement it is.
#[must_use]
pub fn with_names_for_variables(sql: &str) -> Cow<'_, str> {
    if !sql.contains(':') {
        return Cow::Borrowed(sql);
    }
    let (mut plain, mut done) = (String::with_capacity(sql.len()), 0);
    for reference in references(sql) {
        plain.push_str(&sql[done..reference.start]);
        plain.push_str(match reference.form {
            Form::Plain => "x",
            Form::Literal => "'x'",
            Form::Identifier => "\"x\"",
            Form::IsSet => "TRUE",
        });
        done = reference.end;
    }
    plain.push_str(&sql[done..]);
    Cow::Owned(plain)
}

/// Where variables stand, outside quotes and comments. `::` is a cast, `:=` an assignment.
fn references(sql: &str) -> Vec<Reference<'_>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < sql.len() {
        let (_, end) = psql_token_at(sql, at);
        if !sql[at..].starts_with(':') {
            at = end;
        } else if sql[at + 1..].starts_with(':') {
            at += 2;
        } else if let Some(reference) = reference(sql, at) {
            at = reference.end;
            found.push(reference);
        } else {
            at += 1;
        }
    }
    found
}

/// The variable that begins with the colon at `start`.
pub fn reference(sql: &str, start: usize) -> Option<Reference<'_>> {
    let rest = &sql[start + 1..];
    let (form, open, close) = match rest.as_bytes().first()? {
        b'\'' => (Form::Literal, "'", "'"),
        b'"' => (Form::Identifier, "\"", "\""),
        b'{' if rest.starts_with("{?") => (Form::IsSet, "{?", "}"),
        _ => (Form::Plain, "", ""),
    };
    let inner = &rest[open.len()..];
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii();
    let length = inner.find(|c| !is_part(c)).unwrap_or(inner.len());
    if length == 0 || !inner[length..].starts_with(close) {
        return None;
    }
    Some(Reference {
        start,
        end: start + 1 + open.len() + length + close.len(),
        name: &inner[..length],
        form,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        let mut variables = Variables::default();
        for (name, value) in pairs {
            variables.set(name, (*value).to_owned());
        }
        variables
    }

    #[test]
    fn variables_are_replaced_as_psql_does() {
        let variables = variables(&[("t", "orders"), ("v", "it's"), ("1", "one")]);
        let sql = "alter table :t add a text default :'v', add \":t\" int default '1'::int -- :t";
        let expected =
            "alter table orders add a text default 'it''s', add \":t\" int default '1'::int -- :t";
        assert_eq!(variables.replaced_in(sql).unwrap(), expected);
        assert_eq!(variables.replaced_in("a[2:1]").unwrap(), "a[2one]");
        assert_eq!(
            variables.replaced_in(":{?t}, :{?u}").unwrap(),
            "TRUE, :{?u}"
        );
        assert_eq!(variable_in("select a[1:n], :other"), Some(":n"));
        assert_eq!(variable_in("select 1::int, ':a', a := 1"), None);
    }

    #[test]
    fn a_value_that_moves_the_end_of_a_statement_is_no_value() {
        for value in [
            "'", "a; b", "--", "/*", "$$", "$a$ $$", "(", ")(", "E'\\'", "\"a", "\\g", "'a''",
        ] {
            assert!(
                variables(&[("v", value)])
                    .replaced_in("select :v")
                    .is_none(),
                "{value}"
            );
        }
        for value in [
            "1", "'a;b'", "(a, b)", "$$;$$", "a.b", "E'\\\\'", "\"a;\"", "",
        ] {
            assert!(
                variables(&[("v", value)])
                    .replaced_in("select :v")
                    .is_some(),
                "{value}"
            );
        }
        assert!(
            variables(&[("v", "'; --")])
                .replaced_in("select :'v', :\"v\"")
                .is_some()
        );
    }
}
