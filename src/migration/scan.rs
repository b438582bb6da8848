//! The few rules of lexing that decide where a statement ends (scan.l, psqlscan.l): quotes, dollar quotes,
//! nested comments, words, brackets.

/// Encodings of clients in which the second byte of a character may look like ASCII, a backslash among it
/// (`PG_ENCODING_BE_LAST`, pg_wchar.h). psql takes such a character whole, and so reads another text.
const WIDE: &[&str] = &[
    "sjis",
    "mskanji",
    "shiftjis",
    "win932",
    "windows932",
    "win943",
    "windows943",
    "shiftjis2004",
    "sjis2004",
    "big5",
    "win950",
    "windows950",
    "gbk",
    "win936",
    "windows936",
    "uhc",
    "win949",
    "windows949",
    "gb18030",
    "johab",
];

/// Whether an encoding is one of those. Letters and digits of its name count (`pg_char_to_encoding`).
pub fn is_wide(encoding: &str) -> bool {
    let letters = encoding.chars().filter(char::is_ascii_alphanumeric);
    let name: String = letters.map(|c| c.to_ascii_lowercase()).collect();
    WIDE.contains(&name.as_str())
}

/// What the scanner sees at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
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

/// The unquoted words of a text, lower case.
pub fn words(sql: &str) -> Vec<String> {
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
pub fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// The token that begins at a place, and where it ends: always further on, and between characters.
pub fn token_at(sql: &str, at: usize) -> (Token, usize) {
    token_with(sql, at, b"\n\r")
}

/// The same as psql sees it: psql scans line by line (`MainLoop`, mainloop.c), and no string continues on the
/// next line (psqlscan.l: at the end of a line `xqs` counts as `INITIAL`). A carriage return ends no line.
pub fn psql_token_at(sql: &str, at: usize) -> (Token, usize) {
    token_with(sql, at, b"\r")
}

/// The token at a place; a string continues over these line breaks.
fn token_with(sql: &str, at: usize, breaks: &[u8]) -> (Token, usize) {
    let bytes = sql.as_bytes();
    let next = bytes.get(at + 1).copied().unwrap_or(0);
    match bytes[at] {
        b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => (Token::Blank, at + 1),
        b'-' if next == b'-' => (Token::Blank, comment_line_end(bytes, at)),
        b'/' if next == b'*' => (Token::Blank, comment_end(bytes, at)),
        b';' => (Token::Semicolon, at + 1),
        b'\\' => (Token::Backslash, at + 1),
        b'(' => (Token::Open, at + 1),
        b')' => (Token::Close, at + 1),
        b'\'' => (Token::Quoted, quote_end(bytes, at, b'\'')),
        b'"' => (Token::Quoted, quote_end(bytes, at, b'"')),
        b'e' | b'E' if next == b'\'' => (Token::Quoted, escaped_end(bytes, at + 1, breaks)),
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
/// string that continues after a line break (`quotecontinue` in scan.l) is still one of this kind.
fn escaped_end(bytes: &[u8], at: usize, breaks: &[u8]) -> usize {
    let mut at = at + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 1,
            b'\'' => match continued(bytes, at + 1, breaks) {
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

/// After a comment that begins with two dashes: to a line feed or a carriage return (`non_newline`, scan.l).
fn comment_line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..]
        .iter()
        .position(|byte| matches!(byte, b'\n' | b'\r'))
        .map_or(bytes.len(), |length| at + length)
}

/// Where a string continues (`quotecontinue`): white space and `--` comments with a line break, then a quote.
fn continued(bytes: &[u8], at: usize, breaks: &[u8]) -> Option<usize> {
    let (mut at, mut has_newline) = (at, false);
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (byte, _) if breaks.contains(byte) => has_newline = true,
            (b' ' | b'\t' | 0x0b | 0x0c, _) => {}
            (b'-', Some(b'-')) => {
                at = comment_line_end(bytes, at);
                continue;
            }
            (b'\'', _) if has_newline => return Some(at),
            _ => return None,
        }
        at += 1;
    }
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

/// Whether a plain string ('…', no E'…') holds a backslash: with `standard_conforming_strings = off` it would end
/// elsewhere. A body in dollar quotes may hold such strings of its own.
pub fn has_plain_backslash(sql: &str) -> bool {
    let bytes = sql.as_bytes();
    if !bytes.contains(&b'\\') {
        return false;
    }
    let mut at = 0;
    while at < sql.len() {
        let (token, end) = token_at(sql, at);
        let text = &bytes[at..end];
        let may_escape = match text[0] {
            b'\'' => true,
            b'$' => text.contains(&b'\''),
            _ => false,
        };
        if token == Token::Quoted && may_escape && text.contains(&b'\\') {
            return true;
        }
        at = end;
    }
    false
}
