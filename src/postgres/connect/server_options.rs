//! The keyword `options`: settings that the server takes at the session's start.

use crate::{Error, Result};

/// `-c name=value` and `--name=value`, blanks and `\` escaped by `\` (`pg_split_opts`, `postinit.c`).
pub fn server_options(text: &str) -> Result<Vec<(String, String)>> {
    let bad = || {
        Error::unusable(
            "connection keyword options",
            "only -c name=value and --name=value can be used",
        )
    };
    let mut found = Vec::new();
    let mut words = split_options(text).into_iter();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("-c") {
            Some("") => words.next().ok_or_else(bad)?,
            Some(joined) => joined.to_owned(),
            None => word.strip_prefix("--").ok_or_else(bad)?.to_owned(),
        };
        let (name, value) = setting.split_once('=').ok_or_else(bad)?;
        found.push((name.to_owned(), value.to_owned()));
    }
    Ok(found)
}

fn split_options(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let Some(last) = words.last_mut() else { break };
        match c {
            '\\' => last.extend(chars.next()),
            c if c.is_whitespace() => words.push(String::new()),
            c => last.push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_cut_as_the_server_cuts_them() {
        let cut = server_options(r"-c a=b  --d=e\ f -cg=h").unwrap();
        let own = |(a, b): (&str, &str)| (a.to_owned(), b.to_owned());
        assert_eq!(cut, [("a", "b"), ("d", "e f"), ("g", "h")].map(own));
    }
}
