//! How a command of pg_dump or pg_dumpall dumps, by its arguments.

use super::programs::{VALUED, has_option};
use crate::model::Manner;

/// Options of --inserts and its kin.
const INSERTS: [&str; 4] = [
    "inserts",
    "column-inserts",
    "attribute-inserts",
    "rows-per-insert",
];

/// The manner of a command. `to_file`: its output is a file for certain, and goes through no other program that may
/// compress it.
#[must_use]
pub fn manner_of(program: &str, arguments: &[String], to_file: bool) -> Manner {
    if !matches!(program, "pg_dump" | "pg_dumpall") {
        return Manner::default();
    }
    let by_cursor = arguments.iter().any(|word| has_option(word, "", &INSERTS));
    let format = value_of(arguments, 'F', "format").unwrap_or_default();
    let is_packed = program == "pg_dump" && matches!(format.chars().next(), Some('c' | 'd'));
    let compressed = match value_of(arguments, 'Z', "compress") {
        Some(how) => !matches!(how.as_str(), "0" | "none") && !how.ends_with(":0"),
        None => is_packed,
    };
    let is_file = to_file || value_of(arguments, 'f', "file").is_some();
    Manner {
        by_cursor: Some(by_cursor),
        // What a plain dump is piped into may compress it, and takes as long for that.
        compressed: (compressed || is_file).then_some(compressed),
    }
}

/// The last value of an option, in each way that getopt takes: `-Fc`, `-F c`, `-vFc`, `--format=c`, `--format c`.
fn value_of(arguments: &[String], letter: char, long: &str) -> Option<String> {
    let mut found = None;
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let glued = match word.strip_prefix("--") {
            Some(option) => match option.split_once('=') {
                Some((name, value)) if name == long => Some(value.to_owned()),
                None if option == long => Some(String::new()),
                _ => None,
            },
            None => glued(word, letter),
        };
        let Some(value) = glued else { continue };
        found = if value.is_empty() {
            words.next().cloned()
        } else {
            Some(value)
        };
    }
    found
}

/// What follows a letter in a word of short options.
fn glued(word: &str, letter: char) -> Option<String> {
    let letters = word.strip_prefix('-')?;
    let at = letters.find(|c| c == letter || VALUED.contains(c))?;
    letters[at..].strip_prefix(letter).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_tell_the_manner() {
        let known = |inserts, compressed| Manner {
            by_cursor: Some(inserts),
            compressed,
        };
        for (command, expected) in [
            ("pg_dump -Fc shop", known(false, Some(true))),
            ("pg_dump -F c -Z0 shop", known(false, None)),
            ("pg_dump -vFd -f x -Z 0", known(false, Some(false))),
            (
                "pg_dump --format=directory -j4 -f x",
                known(false, Some(true)),
            ),
            ("pg_dump --format tar -f x", known(false, Some(false))),
            ("pg_dump -Z gzip:6 shop", known(false, Some(true))),
            (
                "pg_dump --compress=none -f x shop",
                known(false, Some(false)),
            ),
            ("pg_dump shop", known(false, None)),
            (
                "pg_dump -fdump.sql --inserts shop",
                known(true, Some(false)),
            ),
            ("pg_dump --rows-per-insert=100 shop", known(true, None)),
            ("pg_dump -d Fc -f x", known(false, Some(false))),
            ("pg_dumpall --column-inserts -f x", known(true, Some(false))),
            ("sh -c x", Manner::default()),
        ] {
            let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
            assert_eq!(
                manner_of(&words[0], &words[1..], false),
                expected,
                "{command}"
            );
        }
        assert_eq!(manner_of("pg_dump", &[], true), known(false, Some(false)));
    }
}
