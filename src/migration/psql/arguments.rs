//! The arguments of a backslash command (psqlscanslash.l).

use super::commands::command_name;
use super::variables::{self, Variables};

/// One argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// What psql makes of it.
    pub value: String,
    /// Whether that is all: it holds no output of a program, and no variable without a value here.
    pub is_known: bool,
}

/// The arguments of a command, without its name.
pub fn of(command: &str, variables: &Variables) -> Vec<Argument> {
    let name = command_name(command);
    let mut lexer = Lexer {
        rest: &command[1 + name.len()..],
        variables,
    };
    std::iter::from_fn(|| lexer.argument()).collect()
}

struct Lexer<'a> {
    rest: &'a str,
    variables: &'a Variables,
}

impl Lexer<'_> {
    fn argument(&mut self) -> Option<Argument> {
        self.rest = self.rest.trim_start();
        if self.rest.is_empty() {
            return None;
        }
        let (mut value, mut is_known) = (String::new(), true);
        while let Some(first) = self
            .rest
            .chars()
            .next()
            .filter(|c| !c.is_ascii_whitespace())
        {
            match first {
                '\'' => self.quoted(&mut value),
                '`' => {
                    self.part_until('`');
                    is_known = false;
                }
                '"' => value.push_str(self.part_until('"')),
                ':' => is_known &= self.variable(&mut value),
                _ => {
                    value.push(first);
                    self.rest = &self.rest[first.len_utf8()..];
                }
            }
        }
        Some(Argument { value, is_known })
    }

    /// A part in quotes that are taken as they stand, with the quotes.
    fn part_until(&mut self, quote: char) -> &str {
        let end = self.rest[1..]
            .find(quote)
            .map_or(self.rest.len(), |length| length + 2);
        let (part, rest) = self.rest.split_at(end);
        self.rest = rest;
        part
    }

    /// A part in single quotes: `''` and backslashes are read.
    fn quoted(&mut self, value: &mut String) {
        let mut chars = self.rest.char_indices().skip(1).peekable();
        let mut end = self.rest.len();
        while let Some((at, c)) = chars.next() {
            match c {
                '\'' if chars.peek().is_some_and(|(_, next)| *next == '\'') => {
                    chars.next();
                    value.push('\'');
                }
                '\'' => {
                    end = at + 1;
                    break;
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, 't')) => value.push('\t'),
                    Some((_, 'r')) => value.push('\r'),
                    Some((_, 'b')) => value.push('\u{8}'),
                    Some((_, 'f')) => value.push('\u{c}'),
                    // A number of a byte: no digit means anything in a name or a word that is looked for.
                    Some((_, other)) => value.push(other),
                    None => {}
                },
                other => value.push(other),
            }
        }
        self.rest = &self.rest[end..];
    }

    /// `:name` in its four forms; says whether its value is known.
    fn variable(&mut self, value: &mut String) -> bool {
        let found = variables::reference(self.rest, 0);
        let Some(reference) = found else {
            value.push(':');
            self.rest = &self.rest[1..];
            return true;
        };
        let text = &self.rest[..reference.end];
        self.rest = &self.rest[reference.end..];
        match self.variables.value_of(&reference) {
            Some(known) => {
                value.push_str(&known);
                true
            }
            None => {
                value.push_str(text);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_as_psql_reads_them() {
        let mut variables = Variables::default();
        variables.set("a", "x y".to_owned());
        for (command, expected) in [
            ("\\set n 'it''s' b", vec!["n", "it's", "b"]),
            ("\\set n 'a\\'b c' d", vec!["n", "a'b c", "d"]),
            (
                "\\echo :a :'a' \":a\" a::b",
                vec!["x y", "'x y'", "\":a\"", "a::b"],
            ),
            ("\\echo 'a\\n'", vec!["a\n"]),
            ("\\echo", vec![]),
            ("\\if :{?a}", vec!["TRUE"]),
        ] {
            let found: Vec<_> = of(command, &variables)
                .into_iter()
                .map(|a| a.value)
                .collect();
            assert_eq!(found, expected, "{command}");
        }
        for unknown in ["\\echo `date`", "\\echo :b", "\\if :{?b}", "\\echo a:b"] {
            assert!(
                of(unknown, &variables).iter().any(|a| !a.is_known),
                "{unknown}"
            );
        }
    }
}
