//! Cuts a script into statements, as psql and the server's own scanner would.
//!
//! Postgres's parser takes a script whole or not at all; one bad statement would lose the others.
//! So the cutting is done here, with the few rules of lexing that decide where a statement ends
//! (scan.l, psqlscan.l): quotes, dollar quotes, nested comments, parentheses (CREATE RULE … DO (a; b)),
//! BEGIN ATOMIC bodies, and what only psql knows: lines that begin with a backslash, and the data after
//! COPY … FROM stdin.

/// A part of a script that is handed over as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// From its first word to its last, without the semicolon.
    pub text: &'a str,
    /// Lines before the one that it begins on.
    pub line: usize,
    /// Whether it is a psql meta-command.
    pub is_meta: bool,
    /// Whether psql sends it in one message with the next one (`\;`).
    pub joins_next: bool,
}

/// What the scanner sees at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// White space or a comment.
    Blank,
    /// A keyword or an unquoted name.
    Word,
    /// Anything in quotes, of any kind.
    Quoted,
    /// `;`
    Semicolon,
    /// `\` outside quotes: psql's.
    Backslash,
    /// `(`
    Open,
    /// `)`
    Close,
    /// Any other character.
    Other,
}

/// Cuts a script. Never fails; what makes no sense stays a piece, and the parser refuses that one.
#[must_use]
pub fn pieces(sql: &str) -> Vec<Piece<'_>> {
    let mut cutter = Cutter {
        sql,
        at: 0,
        line: 0,
        open: Open::default(),
        pieces: Vec::new(),
    };
    cutter.run();
    cutter.pieces
}

struct Cutter<'a> {
    sql: &'a str,
    at: usize,
    line: usize,
    open: Open,
    pieces: Vec<Piece<'a>>,
}

/// The statement that has begun.
#[derive(Default)]
struct Open {
    start: Option<(usize, usize)>,
    end: usize,
    parens: usize,
    /// Depth of BEGIN ATOMIC … END and the CASE … END in it.
    bodies: usize,
    /// The first words, lower case: enough to tell CREATE [OR REPLACE] FUNCTION.
    words: Vec<String>,
    last_was_begin: bool,
}

impl<'a> Cutter<'a> {
    fn run(&mut self) {
        while self.at < self.sql.len() {
            let (token, end) = token_at(self.sql, self.at);
            match token {
                Token::Blank => {}
                Token::Semicolon if self.open.parens == 0 && self.open.bodies == 0 => {
                    self.close(false, end);
                    continue;
                }
                Token::Backslash => {
                    self.meta();
                    continue;
                }
                _ => self.extend(token, end),
            }
            self.advance(end);
        }
        self.close(false, self.sql.len());
    }

    fn advance(&mut self, to: usize) {
        self.line += newlines(&self.sql[self.at..to]);
        self.at = to;
    }

    fn extend(&mut self, token: Token, end: usize) {
        let open = &mut self.open;
        open.start.get_or_insert((self.at, self.line));
        open.end = end;
        match token {
            Token::Open => open.parens += 1,
            Token::Close => open.parens = open.parens.saturating_sub(1),
            Token::Word => open.word(&self.sql[self.at..end]),
            _ => open.last_was_begin = false,
        }
    }

    /// Ends the statement, and passes over the data that psql reads after COPY … FROM stdin.
    fn close(&mut self, joins_next: bool, end: usize) {
        let open = std::mem::take(&mut self.open);
        self.advance(end);
        if let Some((start, line)) = open.start {
            let text = &self.sql[start..open.end];
            self.pieces.push(Piece {
                text,
                line,
                is_meta: false,
                joins_next,
            });
            if open.words.first().is_some_and(|word| word == "copy") && reads_stdin(text) {
                self.skip_copy_data();
            }
        }
    }

    /// To the line after `\.`. Without that line nothing is passed over: psql would read to the end of the
    /// file, but to hide statements on a doubt would be a false green.
    fn skip_copy_data(&mut self) {
        let Some(first) = self.sql[self.at..].find('\n') else {
            return;
        };
        let mut at = self.at + first + 1;
        for line in self.sql[at..].split_inclusive('\n') {
            at += line.len();
            if line.trim_end_matches(['\r', '\n']) == "\\." {
                self.advance(at);
                return;
            }
        }
    }

    /// A backslash outside quotes (psqlscanslash.l): the command runs to the end of its line, or to `\\`.
    fn meta(&mut self) {
        let rest = &self.sql[self.at..];
        let command = rest[1..]
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '!' && c != '?')
            .next()
            .unwrap_or("");
        if command.is_empty() && rest[1..].starts_with([';', ':']) {
            // `\;` keeps the statement in the same message, `\:` is an escaped colon.
            if rest[1..].starts_with(';') {
                self.close(true, self.at + 2);
            } else {
                self.extend(Token::Other, self.at + 2);
                self.advance(self.at + 2);
            }
            return;
        }
        if SENDS.contains(&command) {
            self.close(false, self.at);
        }
        let (length, next) = meta_end(rest, WHOLE_LINE.contains(&command));
        let text = rest[..length].trim_end();
        self.pieces.push(Piece {
            text,
            line: self.line,
            is_meta: true,
            joins_next: false,
        });
        self.advance(self.at + next);
        // A statement that was open goes on after the line.
    }
}

/// Meta-commands that send the statement before them (psql's command.c).
const SENDS: &[&str] = &[
    "g",
    "gx",
    "gset",
    "gexec",
    "gdesc",
    "crosstabview",
    "watch",
    "parse",
    "bind",
    "bind_named",
];

/// Meta-commands that take the whole line as one argument (OT_WHOLE_LINE in command.c).
const WHOLE_LINE: &[&str] = &["copy", "!", "h", "help", "ef", "ev", "sf", "sv"];

/// How long a meta-command is, and where SQL goes on.
fn meta_end(rest: &str, whole_line: bool) -> (usize, usize) {
    let line = rest.find('\n').map_or(rest.len(), |at| at + 1);
    if whole_line {
        return (line, line);
    }
    let (mut quote, mut bytes) = (
        0,
        rest.as_bytes()[..line]
            .iter()
            .enumerate()
            .skip(1)
            .peekable(),
    );
    while let Some((at, &byte)) = bytes.next() {
        match byte {
            b'\'' | b'"' | b'`' if quote == 0 => quote = byte,
            _ if byte == quote => quote = 0,
            b'\\' if quote == 0 && bytes.peek().is_some_and(|(_, next)| **next == b'\\') => {
                return (at, at + 2);
            }
            _ => {}
        }
    }
    (line, line)
}

impl Open {
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

/// Whether a COPY statement reads from psql's own input.
fn reads_stdin(copy: &str) -> bool {
    let words = words(copy);
    words
        .windows(2)
        .any(|pair| pair[0] == "from" && pair[1] == "stdin")
}

/// The unquoted words of a text, lower case.
pub(super) fn words(sql: &str) -> Vec<String> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < sql.len() {
        let (token, end) = token_at(sql, at);
        if token == Token::Word {
            found.push(sql[at..end].to_ascii_lowercase());
        }
        at = end;
    }
    found
}

/// How many lines end in a text.
pub(super) fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// The token that begins at a place, and where it ends: always further on, and between characters.
pub(super) fn token_at(sql: &str, at: usize) -> (Token, usize) {
    let bytes = sql.as_bytes();
    let next = bytes.get(at + 1).copied().unwrap_or(0);
    match bytes[at] {
        b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => (Token::Blank, at + 1),
        b'-' if next == b'-' => (Token::Blank, find(bytes, at, b"\n").unwrap_or(sql.len())),
        b'/' if next == b'*' => (Token::Blank, comment_end(bytes, at)),
        b';' => (Token::Semicolon, at + 1),
        b'\\' => (Token::Backslash, at + 1),
        b'(' => (Token::Open, at + 1),
        b')' => (Token::Close, at + 1),
        b'\'' => (Token::Quoted, quote_end(bytes, at, b'\'')),
        b'"' => (Token::Quoted, quote_end(bytes, at, b'"')),
        b'e' | b'E' if next == b'\'' => (Token::Quoted, escaped_end(bytes, at + 1)),
        b'$' => dollar(sql, at),
        byte if starts_word(byte) => (Token::Word, word_end(bytes, at)),
        // A digit takes the letters behind it with it: 1e5, 0xff.
        byte if byte.is_ascii_digit() => (Token::Other, number_end(bytes, at)),
        _ => (Token::Other, at + 1),
    }
}

/// `ident_start` in scan.l: letters, underscore and every byte of a longer character.
const fn starts_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

/// `ident_cont` in scan.l.
const fn continues_word(byte: u8) -> bool {
    starts_word(byte) || byte.is_ascii_digit() || byte == b'$'
}

fn word_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..]
        .iter()
        .position(|byte| !continues_word(*byte))
        .map_or(bytes.len(), |length| at + length)
}

fn number_end(bytes: &[u8], at: usize) -> usize {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
    bytes[at..]
        .iter()
        .position(|byte| !is_part(*byte))
        .map_or(bytes.len(), |length| at + length)
}

fn find(bytes: &[u8], from: usize, what: &[u8]) -> Option<usize> {
    bytes[from..]
        .windows(what.len())
        .position(|window| window == what)
        .map(|length| from + length)
}

/// After the end of a quote; a doubled quote is one in it.
fn quote_end(bytes: &[u8], at: usize, quote: u8) -> usize {
    let mut at = at + 1;
    while at < bytes.len() {
        if bytes[at] == quote {
            if bytes.get(at + 1) != Some(&quote) {
                return at + 1;
            }
            at += 1;
        }
        at += 1;
    }
    bytes.len()
}

/// After the end of an E'' string that opens at `at`: a backslash takes the next character with it, and a
/// string that goes on after a line break (`quotecontinue` in scan.l) is still one of this kind.
fn escaped_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 1,
            b'\'' => match continued(bytes, at + 1) {
                Some(quote) => at = quote,
                None => return at + 1,
            },
            _ => {}
        }
        at += 1;
    }
    // A backslash may have been the last byte.
    bytes.len()
}

/// Where a string goes on: white space with a line break in it, then a quote.
fn continued(bytes: &[u8], at: usize) -> Option<usize> {
    let length = bytes[at..]
        .iter()
        .position(|byte| !byte.is_ascii_whitespace())?;
    let gap = &bytes[at..at + length];
    (bytes[at + length] == b'\'' && gap.iter().any(|byte| matches!(byte, b'\n' | b'\r')))
        .then_some(at + length)
}

/// After the end of a comment that may hold others.
fn comment_end(bytes: &[u8], at: usize) -> usize {
    let (mut depth, mut at) = (1, at + 2);
    while at < bytes.len() {
        match &bytes[at..bytes.len().min(at + 2)] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

/// A dollar quote, or a dollar of another kind such as `$1`.
fn dollar(sql: &str, at: usize) -> (Token, usize) {
    let bytes = sql.as_bytes();
    let tag = bytes[at + 1..]
        .iter()
        .position(|byte| !continues_word(*byte) || *byte == b'$')
        .map(|length| at + 1 + length);
    match tag {
        Some(close) if bytes[close] == b'$' && !bytes[at + 1].is_ascii_digit() => {
            let end = find(bytes, close + 1, &bytes[at..=close])
                .map_or(bytes.len(), |end| end + close + 1 - at);
            (Token::Quoted, end)
        }
        _ => (Token::Other, at + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(sql: &str) -> Vec<&str> {
        pieces(sql).into_iter().map(|piece| piece.text).collect()
    }

    #[test]
    fn a_semicolon_in_quotes_comments_and_bodies_ends_nothing() {
        for one in [
            "select ';'",
            "select ''';'",
            "select \"a;\"\"b\"",
            r"select E'\';'",
            "select e'a'\n  '\\';'",
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
            .map(|p| (p.text, p.line))
            .collect();
        assert_eq!(found, [("a", 3), ("b", 3), ("c", 6)]);
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
        assert_eq!(
            texts("select 1 \\gexec\nselect 2"),
            ["select 1", "\\gexec", "select 2"]
        );
        assert_eq!(texts("\\x \\\\ select 1;"), ["\\x", "select 1"]);
        assert_eq!(
            texts("\\copy a from 'b' delimiter E'\\\\'\nselect 1"),
            ["\\copy a from 'b' delimiter E'\\\\'", "select 1"]
        );
        assert_eq!(texts("select 1 -- a \\ in a comment\n;"), ["select 1"]);
        assert!(pieces("select 1\\; select 2;")[0].joins_next);
        // A command in the middle of a statement does not end it.
        assert_eq!(
            texts("select\n\\echo hi\n1;"),
            ["\\echo hi", "select\n\\echo hi\n1"]
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
