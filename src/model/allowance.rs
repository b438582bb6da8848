//! What a person lets through by name, with a reason.

use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// What can be let through by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Allowable {
    /// A statement whose locks cannot all be known.
    Opaque,
    /// A statement that Postgres will refuse.
    Failing,
    /// A lock that keeps others out for longer than `--max-hold`.
    Hold,
    /// A server that is newer than the rules.
    NewerServer,
    /// Rows that others may have written or locked.
    Rows,
    /// A lock that only the data decide about.
    DataDependent,
    /// What the role may not see.
    Hidden,
}

/// Names and values.
const NAMES: [(&str, Allowable); 7] = [
    ("opaque", Allowable::Opaque),
    ("failing", Allowable::Failing),
    ("hold", Allowable::Hold),
    ("newer-server", Allowable::NewerServer),
    ("rows", Allowable::Rows),
    ("data-dependent", Allowable::DataDependent),
    ("hidden", Allowable::Hidden),
];

impl Allowable {
    /// Its name, as `--allow` takes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        NAMES
            .iter()
            .find(|(_, one)| *one == self)
            .map_or("", |(name, _)| name)
    }
}

impl FromStr for Allowable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, one)| *one).ok_or_else(|| {
            let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
            format!(
                "there is no name `{text}`; the names are {}",
                names.join(", ")
            )
        })
    }
}

/// One thing that is let through: everywhere, or where a pattern fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// What.
    pub what: Allowable,
    /// Fits the file's name or path, or a relation's name; `*` stands for any characters. `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// Who says so: `--allow`, the settings file, a comment.
    #[serde(default)]
    pub from: String,
}

impl Allowance {
    /// Whether it is about one of these names.
    #[must_use]
    pub fn fits(&self, what: Allowable, names: &[&str]) -> bool {
        let is_of = |pattern: &str| names.iter().any(|name| is_like(pattern, name));
        self.what == what && self.pattern.as_deref().is_none_or(is_of)
    }
}

impl FromStr for Allowance {
    type Err = String;

    /// Reads `NAME` or `NAME=PATTERN`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, pattern) = match text.split_once('=') {
            Some((_, "")) => return Err("no pattern after =".into()),
            Some((name, pattern)) => (name, Some(pattern.to_owned())),
            None => (text, None),
        };
        Ok(Self {
            what: name.parse()?,
            pattern,
            because: None,
            from: "--allow".into(),
        })
    }
}

/// Whether a text is like a pattern, in which `*` stands for any characters.
fn is_like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        if let Some(before) = last.replace(part) {
            match rest.find(before) {
                Some(at) => rest = &rest[at + before.len()..],
                None => return false,
            }
        }
    }
    match last {
        Some(end) => rest.ends_with(end),
        None => rest.is_empty(),
    }
}

/// What was let through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The statement, where it is about one.
    pub statement: Option<usize>,
    /// What it is.
    pub what: String,
    /// By what.
    pub by: Allowance,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_the_whole_name() {
        for (pattern, text, fits) in [
            ("public.t", "public.t", true),
            ("public.t", "public.t2", false),
            ("public.*", "public.t2", true),
            ("*.sql", "0057.sql", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("*", "", true),
            ("ab*ba", "aba", false),
            ("*ä*", "xäx", true),
        ] {
            assert_eq!(is_like(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn names_are_read_and_others_refused() {
        let read = |text: &str| text.parse::<Allowance>();
        assert_eq!(
            read("hold=public.big").unwrap().pattern.as_deref(),
            Some("public.big")
        );
        assert!(read("opaqe").unwrap_err().contains("opaque, failing"));
        assert!(read("hold=").is_err());
        for (name, what) in NAMES {
            assert_eq!(what.word(), name);
        }
    }
}
