//! Cuts a script into statements, as psql and the server's own scanner would.
//!
//! Postgres's parser takes a script whole or not at all; one bad statement would lose the others.
//! So the cutting is done here, by the rules of `scan`, and with what only psql knows: commands that begin with
//! a backslash, and the data after COPY … FROM stdin.

use super::psql::commands::{command_name, does};
use super::psql::variables::with_names_for_variables;
use super::scan::{Token, newlines, psql_token_at, token_at};
pub use crate::tools::Reading;
use pg_query::NodeEnum;
use std::borrow::Cow;

/// A part of a script that is handed over as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece<'a> {
    /// From its first word to its last, without the semicolon, and without psql commands in the middle of it.
    pub text: Cow<'a, str>,
    /// Lines before the one that it begins on.
    pub line: usize,
    /// Whether it is a backslash command.
    pub is_meta: bool,
    /// Whether psql sends it in one message with the next one (`\;`).
    pub joins_next: bool,
}

/// Cuts a script. Never fails; what makes no sense stays a piece, and the parser refuses that one.
#[must_use]
pub fn pieces(sql: &str) -> Vec<Piece<'_>> {
    Cutter::new(sql, Reading::Psql).collect()
}

/// Cuts a script, a piece at a time.
pub struct Cutter<'a> {
    sql: &'a str,
    reading: Reading,
    at: usize,
    line: usize,
    open: Open,
    ready: Option<Piece<'a>>,
    /// Whether statements are sent at all: not in a branch of `\if` that is passed over.
    pub sends: bool,
    /// Whether what comes next cannot be followed: data of a COPY in the midst of a token.
    pub is_unclear: bool,
    /// COPY … FROM stdin in the message that is still open, and in those sent on this line.
    copies: (usize, usize),
    /// No line `\.` follows any more.
    copy_has_no_end: bool,
    /// The end of the line of the last backslash command.
    line_end: usize,
}

/// The statement that has begun.
#[derive(Default)]
struct Open {
    line: usize,
    /// Its parts, between psql commands: (start, end).
    parts: Vec<(usize, usize)>,
    parens: usize,
    /// Depth of BEGIN ATOMIC … END and the CASE … END in it.
    bodies: usize,
    /// The first words, lower case: enough to tell CREATE [OR REPLACE] FUNCTION.
    words: Vec<String>,
    last_was_begin: bool,
    /// Where the next part begins, after a psql command or data.
    resumes: Option<usize>,
}

impl<'a> Iterator for Cutter<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        while self.ready.is_none() && self.at < self.sql.len() {
            self.step();
        }
        if self.ready.is_none() {
            self.close(false, self.sql.len());
        }
        self.ready.take()
    }
}

impl<'a> Cutter<'a> {
    /// Before the first byte.
    #[must_use]
    pub fn new(sql: &'a str, reading: Reading) -> Self {
        Self {
            sql,
            reading,
            at: 0,
            line: 0,
            open: Open::default(),
            ready: None,
            sends: true,
            is_unclear: false,
            copies: (0, 0),
            copy_has_no_end: false,
            line_end: 0,
        }
    }

    /// Whether a statement has begun.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !self.open.parts.is_empty()
    }

    /// Forgets the statement that has begun (`\r`).
    pub fn reset(&mut self) {
        self.open = Open::default();
    }

    /// Takes what has begun as sent (`\g`), if anything has.
    pub fn send(&mut self) -> Option<Piece<'a>> {
        self.close(false, self.at);
        self.ready.take()
    }

    /// Data for a COPY follows on the next line.
    pub const fn expect_copy_data(&mut self) {
        self.copies.1 += 1;
    }

    fn step(&mut self) {
        let (token, end) = match self.reading {
            Reading::Psql => psql_token_at(self.sql, self.at),
            Reading::Server | Reading::ServerWithCopy => token_at(self.sql, self.at),
        };
        match token {
            Token::Blank if self.copies.1 > 0 && &self.sql[self.at..end] == "\n" => {
                self.advance(end);
                self.close_part(end);
                self.skip_copy_data();
                self.open.resumes = self.is_open().then_some(self.at);
                return;
            }
            // psql reads the data from the next line on, in the midst of this token.
            _ if self.copies.1 > 0 && self.sql[self.at..end].contains('\n') => {
                self.is_unclear = true;
                self.copies.1 = 0;
                return;
            }
            Token::Blank => {}
            Token::Semicolon if self.open.parens == 0 && self.open.bodies == 0 => {
                return self.close(false, end);
            }
            Token::Backslash => return self.meta(),
            _ => self.extend(token, end),
        }
        self.advance(end);
    }

    fn advance(&mut self, to: usize) {
        self.line += newlines(&self.sql[self.at..to]);
        self.at = to;
    }

    fn extend(&mut self, token: Token, end: usize) {
        let open = &mut self.open;
        if open.parts.is_empty() {
            open.line = self.line;
        }
        match (open.parts.last_mut(), open.resumes.take()) {
            (Some(part), None) => part.1 = end,
            (Some(_), Some(start)) => open.parts.push((start, end)),
            (None, _) => open.parts.push((self.at, end)),
        }
        match token {
            Token::Open => open.parens += 1,
            Token::Close => open.parens = open.parens.saturating_sub(1),
            Token::Word => open.word(&self.sql[self.at..end]),
            _ => open.last_was_begin = false,
        }
    }

    /// Ends the statement.
    fn close(&mut self, joins_next: bool, end: usize) {
        let open = std::mem::take(&mut self.open);
        self.advance(end);
        if !open.parts.is_empty() {
            let text = open.text(self.sql);
            if self.sends && self.reading != Reading::Server && open.is_copy() && reads_stdin(&text)
            {
                self.copies.0 += 1;
            }
            self.ready = Some(Piece {
                text,
                line: open.line,
                is_meta: false,
                joins_next,
            });
        }
        if !joins_next {
            self.copies.1 += std::mem::take(&mut self.copies.0);
        }
    }

    /// To the line after `\.`, once for each COPY. Without that line nothing is passed over: psql would read to
    /// the end of the file, but to hide statements on a doubt would be a false green.
    fn skip_copy_data(&mut self) {
        for _ in 0..std::mem::take(&mut self.copies.1) {
            if self.copy_has_no_end {
                return;
            }
            let mut at = self.at;
            let end = self.sql[at..].split_inclusive('\n').find_map(|line| {
                at += line.len();
                (line.trim_end_matches(['\r', '\n']) == "\\.").then_some(at)
            });
            match end {
                Some(end) => self.advance(end),
                None => self.copy_has_no_end = true,
            }
        }
    }

    /// A backslash outside quotes (psqlscan.l).
    fn meta(&mut self) {
        let rest = &self.sql[self.at..];
        if self.reading != Reading::Psql {
            let length = self.end_of_line() - self.at;
            return self.meta_piece(length, None);
        }
        match rest.as_bytes().get(1) {
            // `\;` keeps the statement in the same message, `\:` is an escaped colon.
            Some(b';') => self.close(true, self.at + 2),
            Some(b':') => {
                self.extend(Token::Other, self.at + 2);
                self.advance(self.at + 2);
            }
            _ => {
                let line = &self.sql[self.at..self.end_of_line()];
                let (length, next) = command_end(line);
                self.meta_piece(length, Some(next));
            }
        }
    }

    /// The command as a piece; a statement that was open continues after it.
    fn meta_piece(&mut self, length: usize, next: Option<usize>) {
        let text = self.sql[self.at..self.at + length].trim_end();
        let line = self.line;
        self.close_part(self.at);
        self.advance(self.at + next.unwrap_or(length));
        self.open.resumes = self.is_open().then_some(self.at);
        self.ready = Some(Piece {
            text: Cow::Borrowed(text),
            line,
            is_meta: true,
            joins_next: false,
        });
    }

    /// The part of the statement ends here, unless it has ended before.
    fn close_part(&mut self, end: usize) {
        match (self.open.resumes, self.open.parts.last_mut()) {
            (None, Some(part)) => part.1 = end,
            (Some(start), Some(_)) => self.open.parts.push((start, end)),
            (_, None) => {}
        }
    }

    fn end_of_line(&mut self) -> usize {
        if self.line_end <= self.at {
            let rest = &self.sql[self.at..];
            self.line_end = self.at + rest.find('\n').unwrap_or(rest.len());
        }
        self.line_end
    }
}

/// Commands that take the whole line as one argument (OT_WHOLE_LINE in command.c).
const WHOLE_LINE: &[&str] = &[
    "copy", "!", "h", "help", "ef", "ev", "sf", "sf+", "sv", "sv+",
];

/// Commands whose argument takes the whole line if it begins with `|` (OT_FILEPIPE).
const PIPES: &[&str] = &["g", "gx", "o", "out", "w", "write"];

/// How long the command is that a line begins with, and where psql reads on.
///
/// Its arguments end at a backslash outside quotes, where the next command begins (`\\` only ends this one).
fn command_end(line: &str) -> (usize, usize) {
    let name = command_name(line);
    let arguments = 1 + name.len();
    let is_pipe = PIPES.contains(&name) && line[arguments..].trim_start().starts_with('|');
    // After a name that psql does not know it throws the line away.
    if WHOLE_LINE.contains(&name) || is_pipe || does(name).is_none() {
        return (line.len(), line.len());
    }
    let bytes = line.as_bytes();
    let (mut quote, mut at) = (0, arguments);
    while at < bytes.len() {
        match bytes[at] {
            // In single quotes a backslash takes the next byte with it.
            b'\\' if quote == b'\'' => at += 1,
            b'\\' if quote == 0 => {
                let is_end = bytes.get(at + 1) == Some(&b'\\');
                return (at, at + 2 * usize::from(is_end));
            }
            byte @ (b'\'' | b'"' | b'`') if quote == 0 => quote = byte,
            byte if byte == quote => quote = 0,
            _ => {}
        }
        at += 1;
    }
    (line.len(), line.len())
}

impl Open {
    fn text<'a>(&self, sql: &'a str) -> Cow<'a, str> {
        match self.parts.as_slice() {
            [(start, end)] => Cow::Borrowed(sql[*start..*end].trim_end()),
            parts => {
                let parts: Vec<&str> = parts
                    .iter()
                    .map(|(start, end)| &sql[*start..*end])
                    .collect();
                Cow::Owned(parts.concat().trim_end().to_owned())
            }
        }
    }

    fn is_copy(&self) -> bool {
        self.words.first().is_some_and(|word| word == "copy")
    }

    /// Follows psql's rule (psqlscan.l, `begin_depth`): only in CREATE [OR REPLACE] FUNCTION or PROCEDURE does
    /// BEGIN open a body, and a CASE in it has an END of its own. BEGIN counts with ATOMIC after it.
    fn word(&mut self, word: &str) {
        if self.words.len() < 4 {
            self.words.push(word.to_ascii_lowercase());
        }
        let is = |name: &str| word.eq_ignore_ascii_case(name);
        if self.makes_routine() && self.parens == 0 {
            let opens = self.last_was_begin && is("atomic");
            if opens || (self.bodies > 0 && is("case")) {
                self.bodies += 1;
            } else if self.bodies > 0 && is("end") {
                self.bodies -= 1;
            }
        }
        self.last_was_begin = is("begin");
    }

    fn makes_routine(&self) -> bool {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        matches!(
            words.as_slice(),
            ["create", "function" | "procedure", ..]
                | ["create", "or", "replace", "function" | "procedure", ..]
        )
    }
}

/// Whether a statement is a COPY whose data psql reads from the script: by the grammar, not by its words (a table
/// may be called stdin). Variables of psql count as names.
#[must_use]
pub fn reads_stdin(copy: &str) -> bool {
    let words = super::scan::words(copy);
    if !["from", "stdin"]
        .iter()
        .all(|word| words.iter().any(|w| w == word))
    {
        return false;
    }
    let plain = with_names_for_variables(copy);
    let Some(parsed) = super::depth::parse(&plain) else {
        return false;
    };
    let node = |raw: &pg_query::protobuf::RawStmt| raw.stmt.as_ref()?.node.clone();
    match parsed.protobuf.stmts.first().and_then(node) {
        Some(NodeEnum::CopyStmt(copy)) => {
            copy.is_from && copy.filename.is_empty() && !copy.is_program
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(sql: &str) -> Vec<String> {
        pieces(sql)
            .into_iter()
            .map(|piece| piece.text.into_owned())
            .collect()
    }

    #[test]
    fn a_string_continues_on_the_next_line_for_the_server_and_not_for_psql() {
        let read = |sql: &'static str, reading| {
            let cut = Cutter::new(sql, reading).map(|piece| piece.text.into_owned());
            cut.collect::<Vec<_>>()
        };
        for between in ["\n", "  \n ", " -- c\n", "\r\n", "\r"] {
            let sql: &'static str = format!("select e'a'{between}'\\';'; select 2").leak();
            let for_server = read(sql, Reading::Server);
            assert_eq!(for_server.len(), 2, "{sql:?}: {for_server:?}");
            let for_psql = read(sql, Reading::Psql);
            // Only a carriage return stays within a line of psql.
            let ends = if between == "\r" { "'\\';'" } else { "'\\'" };
            assert!(for_psql[0].ends_with(ends), "{sql:?}: {for_psql:?}");
        }
    }

    #[test]
    fn a_semicolon_in_quotes_comments_and_bodies_ends_nothing() {
        for one in [
            "select ';'",
            "select ''';'",
            "select \"a;\"\"b\"",
            r"select E'\';'",
            "select $$;$$",
            "select $a$;$$;$b$;$a$",
            "select a$b;$b",
            "select /* ; /* ; */ ; */ 1",
            "select 1 -- ; not yet\n + 1",
            "create rule r as on insert to a do (select 1; select 2)",
            "create function f() returns int begin atomic select 1; select case when true then 1 end; end",
            "create or replace procedure f() language sql begin atomic ; end",
            "create function begin() returns int return 1",
        ] {
            let sql = format!("{one};\nselect 2");
            // `a$b` is a name, so that one is two statements and no quote.
            let expected = if one.contains("a$b") {
                vec!["select a$b", "$b", "select 2"]
            } else {
                vec![one, "select 2"]
            };
            assert_eq!(texts(&sql), expected);
        }
    }

    #[test]
    fn a_begin_of_a_transaction_ends_at_its_semicolon() {
        assert_eq!(
            texts("BEGIN; SELECT CASE WHEN true THEN 1 END; END;"),
            ["BEGIN", "SELECT CASE WHEN true THEN 1 END", "END"]
        );
    }

    #[test]
    fn lines_are_those_of_the_first_word() {
        let found: Vec<_> = pieces("-- one\r\n\r\n/* two\n */ a;b\n\n;;\n c")
            .iter()
            .map(|p| (p.text.to_string(), p.line))
            .collect();
        let expected = [("a", 3), ("b", 3), ("c", 6)].map(|(text, line)| (text.to_owned(), line));
        assert_eq!(found, expected);
    }

    #[test]
    fn copy_data_is_passed_over_only_when_it_ends() {
        assert_eq!(
            texts("COPY t FROM stdin;\n1;\t2\n\\.\nselect 1;"),
            ["COPY t FROM stdin", "select 1"]
        );
        assert_eq!(
            texts("COPY t FROM stdin;\r\n1\r\n\\.\r\nselect 1;"),
            ["COPY t FROM stdin", "select 1"]
        );
        assert_eq!(
            texts("COPY t FROM stdin;\nDROP TABLE t;"),
            ["COPY t FROM stdin", "DROP TABLE t"]
        );
        assert_eq!(
            texts("COPY t FROM '/stdin';\nselect 1;\n\\."),
            ["COPY t FROM '/stdin'", "select 1", "\\."]
        );
    }

    #[test]
    fn meta_commands_are_pieces_of_their_own() {
        assert_eq!(
            texts("\\set a 1\nselect 1;\n\\echo 'a;b'\n"),
            ["\\set a 1", "select 1", "\\echo 'a;b'"]
        );
        assert_eq!(texts("\\x \\\\ select 1;"), ["\\x", "select 1"]);
        assert_eq!(
            texts("\\copy a from 'b' delimiter E'\\\\'\nselect 1"),
            ["\\copy a from 'b' delimiter E'\\\\'", "select 1"]
        );
        assert_eq!(texts("select 1 -- a \\ in a comment\n;"), ["select 1"]);
        assert!(pieces("select 1\\; select 2;")[0].joins_next);
        // A command in the middle of a statement does not end it.
        assert_eq!(texts("select\n\\echo hi\n1;"), ["\\echo hi", "select\n\n1"]);
    }

    #[test]
    fn the_rest_of_the_line_of_a_copy_is_sent_after_its_data() {
        // cases/safety/02
        for (sql, expected) in [
            (
                "COPY t FROM stdin; DROP TABLE o;\n7\n\\.\n",
                vec!["COPY t FROM stdin", "DROP TABLE o"],
            ),
            (
                "COPY t FROM stdin; SELECT\n7\n\\.\n1;",
                vec!["COPY t FROM stdin", "SELECT\n1"],
            ),
            (
                "COPY t FROM stdin; COPY u FROM stdin;\n7\n\\.\n8\n\\.\nSELECT 1;",
                vec!["COPY t FROM stdin", "COPY u FROM stdin", "SELECT 1"],
            ),
            (
                "COPY t FROM stdin \\; SELECT 1;\n7\n\\.\n",
                vec!["COPY t FROM stdin", "SELECT 1"],
            ),
            (
                "COPY t FROM stdin -- ;\n;\n7\n\\.\nSELECT 1;",
                vec!["COPY t FROM stdin", "SELECT 1"],
            ),
            (
                "COPY :t FROM stdin;\n7\n\\.\nSELECT 1;",
                vec!["COPY :t FROM stdin", "SELECT 1"],
            ),
            (
                "COPY (SELECT 1 FROM stdin) TO STDOUT;\nDROP TABLE o;\n\\.\n",
                vec![
                    "COPY (SELECT 1 FROM stdin) TO STDOUT",
                    "DROP TABLE o",
                    "\\.",
                ],
            ),
            (
                "COPY stdin FROM 'f' -- from stdin\n;\nDROP TABLE o;\n\\.\n",
                vec!["COPY stdin FROM 'f'", "DROP TABLE o", "\\."],
            ),
        ] {
            assert_eq!(texts(sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_carriage_return_ends_a_comment() {
        // cases/safety/02b
        for (sql, expected) in [
            (
                "SELECT 1; -- harmless\rDROP TABLE o;\n",
                vec!["SELECT 1", "DROP TABLE o"],
            ),
            (
                "SELECT 1 /* c */; --\rDROP TABLE o; --\n",
                vec!["SELECT 1", "DROP TABLE o"],
            ),
            (
                "-- a\rSELECT 1;\rDROP TABLE o;\r",
                vec!["SELECT 1", "DROP TABLE o"],
            ),
            (
                "SELECT E'a' -- c\r'\\' x '; DROP TABLE o; --'",
                vec!["SELECT E'a' -- c\r'\\' x '", "DROP TABLE o"],
            ),
        ] {
            assert_eq!(texts(sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_text_for_the_server_has_no_data_and_no_commands() {
        let found: Vec<_> = Cutter::new(
            "COPY t FROM stdin;\nDROP TABLE o;\n\\.\n\\q\nSELECT 1;",
            Reading::Server,
        )
        .map(|piece| piece.text.into_owned())
        .collect();
        assert_eq!(
            found,
            [
                "COPY t FROM stdin",
                "DROP TABLE o",
                "\\.",
                "\\q",
                "SELECT 1"
            ]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_text_is_cut_without_a_panic(sql in "([a-z;'\"$\\\\\n\r/*()E\u{e9}-]|begin|atomic|create|function|end|copy|from|stdin|\\\\\\.){0,60}") {
            for piece in pieces(&sql) {
                prop_assert!(!piece.text.is_empty());
            }
        }
    }
}
