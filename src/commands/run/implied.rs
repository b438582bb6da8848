//! What a command will run, where its own words say it: `psql -f FILE` and `psql -c SQL`.

use std::path::PathBuf;

/// The files, and whether they share a transaction.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Implied {
    /// Files and texts, in the order in which psql runs them.
    pub parts: Vec<Part>,
    /// `-1`
    pub single_transaction: bool,
}

/// One part.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// `-f`
    File(PathBuf),
    /// `-c`
    Text(String),
}

/// psql's options that take a value, by their letters.
const WITH_VALUE: &str = "cdfFhLoPpRTUv";

/// Reads a command line; `None`: it is not psql's, or names nothing to run.
pub fn implied(command: &[String]) -> Option<Implied> {
    let (program, arguments) = command.split_first()?;
    if !matches!(program.rsplit('/').next(), Some("psql")) {
        return None;
    }
    let mut found = Implied::default();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if let Some(long) = word.strip_prefix("--") {
            let (name, glued) = long
                .split_once('=')
                .map_or((long, None), |(n, v)| (n, Some(v.to_owned())));
            match name {
                "file" | "command" => found.take(name, glued.or_else(|| words.next().cloned())?),
                "single-transaction" => found.single_transaction = true,
                "dbname" | "host" | "port" | "username" | "set" | "variable" | "pset"
                | "output" | "log-file"
                    if glued.is_none() =>
                {
                    words.next();
                }
                _ => {}
            }
        } else if let Some(letters) = word.strip_prefix('-') {
            found.take_letters(letters, &mut words)?;
        }
    }
    Some(found).filter(|found| !found.parts.is_empty())
}

impl Implied {
    fn take(&mut self, option: &str, value: String) {
        self.parts.push(match option {
            "file" | "f" => Part::File(value.into()),
            _ => Part::Text(value),
        });
    }

    /// `-1f file`, `-Xqc text`: letters together, the last of which may take a value.
    fn take_letters<'a>(
        &mut self,
        letters: &str,
        words: &mut impl Iterator<Item = &'a String>,
    ) -> Option<()> {
        for (at, letter) in letters.char_indices() {
            if letter == '1' {
                self.single_transaction = true;
            }
            if WITH_VALUE.contains(letter) {
                let glued = &letters[at + letter.len_utf8()..];
                let value = if glued.is_empty() {
                    words.next()?.clone()
                } else {
                    glued.to_owned()
                };
                if matches!(letter, 'f' | 'c') {
                    self.take(&letter.to_string(), value);
                }
                break;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<Implied> {
        implied(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn psqls_files_and_texts_are_seen() {
        let file = |name: &str| Part::File(name.into());
        let found =
            read("/usr/bin/psql -X -v ON_ERROR_STOP=1 -h db -1f a.sql --file=b.sql -cSELECT shop")
                .expect("found");
        assert_eq!(
            found.parts,
            [file("a.sql"), file("b.sql"), Part::Text("SELECT".into())]
        );
        assert!(found.single_transaction);
        assert_eq!(
            read("psql --dbname -f --command x").expect("found").parts,
            [Part::Text("x".into())]
        );
        for line in ["psql shop", "psql -f", "bin/rails db:migrate -f x"] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
