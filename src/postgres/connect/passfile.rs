//! The password file: `hostname:port:database:username:password` a line (`passwordFromFile`, `fe-connect.c`).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What a password file had to say.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// The first line that fits.
    Password(String),
    /// No such file, or no line that fits.
    Nothing,
    /// The file is there and is not used: why.
    Unusable(String),
}

/// Looks for the password of one connection. `host` is `localhost` for the default socket folder.
#[must_use]
pub fn password(file: &Path, host: &str, port: u16, database: &str, user: &str) -> Found {
    let Ok(about) = fs::metadata(file) else {
        return Found::Nothing;
    };
    if !about.is_file() {
        return Found::Unusable(format!("{} is not a plain file", file.display()));
    }
    if about.permissions().mode() & 0o077 != 0 {
        return Found::Unusable(format!(
            "{} may be read by others: chmod 0600 it",
            file.display()
        ));
    }
    match fs::read(file) {
        Ok(bytes) => line_for(
            &String::from_utf8_lossy(&bytes),
            [host, &port.to_string(), database, user],
        )
        .map_or(Found::Nothing, Found::Password),
        Err(error) => Found::Unusable(format!("cannot read {}: {error}", file.display())),
    }
}

/// The password of the first line whose four fields fit.
fn line_for(text: &str, wanted: [&str; 4]) -> Option<String> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .find_map(|line| {
            let mut rest = line;
            for want in wanted {
                let (field, after) = field(rest)?;
                if field.raw != "*" && field.text != want {
                    return None;
                }
                rest = after;
            }
            let password = unescaped(rest.trim_end_matches('\r'));
            (!password.is_empty()).then_some(password)
        })
}

struct Field<'a> {
    raw: &'a str,
    text: String,
}

/// Up to the next `:` that no `\` escapes.
fn field(line: &str) -> Option<(Field<'_>, &str)> {
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ':' => {
                let raw = &line[..at];
                let text = unescaped(raw);
                return Some((Field { raw, text }, &line[at + 1..]));
            }
            _ => {}
        }
    }
    None
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_gives_the_password() {
        let file = "# comment\nh:5432:d:u:first\nh:*:*:*:second\n*:*:*:a\\:b:with\\:colon\\\\\n::1:*:*:*:no\n\\:\\:1:*:*:*:six\n";
        for (wanted, expected) in [
            (["h", "5432", "d", "u"], Some("first")),
            (["h", "5433", "d", "u"], Some("second")),
            (["x", "1", "d", "a:b"], Some("with:colon\\")),
            (["::1", "1", "d", "u"], Some("six")),
            (["x", "1", "d", "u"], None),
        ] {
            assert_eq!(line_for(file, wanted).as_deref(), expected, "{wanted:?}");
        }
    }

    #[test]
    fn a_file_that_others_may_read_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pgpass");
        fs::write(&file, "*:*:*:*:p").unwrap();
        let asked = |mode| {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            password(&file, "h", 1, "d", "u")
        };
        assert_eq!(asked(0o600), Found::Password("p".into()));
        assert!(matches!(asked(0o640), Found::Unusable(_)));
        assert_eq!(
            password(&folder.path().join("none"), "h", 1, "d", "u"),
            Found::Nothing
        );
    }
}
