//! Whether the text that was read is what the server gets: encodings, byte order marks, NUL bytes.

use crate::migration::scan::{is_wide, words};
use crate::tools::layout::{Encoding, File};

/// Encodings of one byte a character: no byte of theirs looks like another.
const NARROW: &[&str] = &[
    "latin",
    "iso8859",
    "win12",
    "windows12",
    "koi8",
    "win866",
    "win874",
    "sqlascii",
];

/// Why the server may not get the text that was read. `strips_mark`: who sends it leaves out a byte order mark.
pub fn doubts(file: &File, sender: &str, strips_mark: bool) -> Vec<String> {
    let is_piped = file.name == "-";
    let encodings = client_encodings(&file.text);
    let is_narrow = || {
        let begins = |said: &String| NARROW.iter().any(|known| said.starts_with(known));
        encodings.iter().any(begins)
    };
    let is_wide = encodings.iter().any(|said| is_wide(said));
    let has_more_than_ascii = !file.text.is_ascii();
    let mut doubts = Vec::new();
    match file.encoding {
        // What a shell writes into a pipe is not what it writes into a file.
        Encoding::Utf16 if !is_piped => doubts.push(format!(
            "{} is UTF-16, and {sender} sends its bytes: save it as UTF-8",
            file.path
        )),
        Encoding::Utf8WithMark if !strips_mark && !is_piped => doubts.push(format!(
            "{} begins with a byte order mark, which {sender} sends and the server refuses: save it without",
            file.path
        )),
        Encoding::Other if is_wide || !is_narrow() => doubts.push(format!(
            "{} is not UTF-8: save it as UTF-8, or say its encoding in it (SET client_encoding)",
            file.path
        )),
        _ if is_wide && has_more_than_ascii => doubts.push(format!(
            "{} sets a client_encoding in which a character may end like a backslash: pgguard does not follow that",
            file.path
        )),
        _ => {}
    }
    if file.text.contains('\0') {
        doubts.push(format!(
            "{} holds NUL bytes: the rest of such a line is lost",
            file.path
        ));
    }
    doubts
}

/// The encodings that a text names after `client_encoding`, NAMES or `\encoding`: letters and digits only.
fn client_encodings(text: &str) -> Vec<String> {
    let lower = text.to_ascii_lowercase();
    if !["encoding", "names"]
        .iter()
        .any(|word| lower.contains(word))
    {
        return Vec::new();
    }
    let plain =
        |word: &str| -> String { word.chars().filter(char::is_ascii_alphanumeric).collect() };
    let mut found = Vec::new();
    for line in lower
        .lines()
        .filter(|line| line.contains("encoding") || line.contains("names"))
    {
        found.extend(
            line.split([' ', '\t', '=', ',', ';', '(', ')', '\''])
                .map(plain),
        );
        found.extend(words(line).iter().map(|word| plain(word)));
    }
    found.retain(|word| !word.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::layout::{Layout, text_of};

    fn of(bytes: &[u8]) -> Vec<String> {
        let layout = Layout::of_text("a.sql", text_of(bytes));
        doubts(&layout.files[0], "psql", false)
    }

    #[test]
    fn what_the_server_reads_otherwise_is_a_doubt() {
        for bytes in [
            b"SELECT E'\x83\x5c'; DROP TABLE orders; --';".as_slice(),
            b"SELECT 'caf\xe9'",
            b"SET client_encoding = 'SJIS'; SELECT E'\x83\x5c'",
            "\\encoding SHIFT_JIS_2004\nSELECT '\u{e9}'".as_bytes(),
            "set names 'GBK'; SELECT '\u{e9}'".as_bytes(),
            b"\xef\xbb\xbfSELECT 1",
            b"\xff\xfeS\0E\0",
            b"S\0E\0",
            b"SELECT 1 --\0\nDROP TABLE t",
        ] {
            assert!(!of(bytes).is_empty(), "{bytes:?}");
        }
        for bytes in [
            b"SELECT 1".as_slice(),
            "SELECT '\u{e9}' -- an encoding such as SJIS".as_bytes(),
            b"SET client_encoding = 'LATIN1'; SELECT 'caf\xe9'",
            b"\\encoding WIN1252\nSELECT 'caf\xe9'",
            b"set names 'ISO_8859_5'; SELECT 'caf\xe9'",
            b"SET client_encoding = 'SJIS'; SELECT 1",
        ] {
            let expected = usize::from(bytes.windows(4).any(|w| w == b"SJIS") && !bytes.is_ascii());
            assert_eq!(of(bytes).len(), expected, "{bytes:?}");
        }
    }
}
