//! Names in double quotes, in a text of any language.

/// Bytes that a name has at most (`NAMEDATALEN` less one).
const LONGEST: usize = 63;

/// The characters of the longest escape: `\+0000e9`.
const LONGEST_ESCAPE: usize = 8;

/// The most quotes within one name that are looked for.
const MOST_QUOTES: usize = 8;

/// Whatever may be a name in double quotes. A quote may also stand alone, in a string or a comment, so each one is taken
/// for the beginning of a name and for its end.
pub(super) fn names(text: &str) -> Vec<String> {
    let parts: Vec<&str> = text.split('"').collect();
    let mut names = Vec::new();
    for first in 1..parts.len().saturating_sub(1) {
        let mut name = parts[first].to_owned();
        let mut last = first;
        let is_escaped = parts[first - 1].to_ascii_lowercase().ends_with("u&");
        for _ in 0..=MOST_QUOTES {
            if name.len() <= LONGEST * LONGEST_ESCAPE {
                let meant = if is_escaped {
                    unescaped(&name, escape(parts[last + 1]))
                } else {
                    name.clone()
                };
                names.push(clipped(&meant).to_owned());
            }
            // Two quotes are one within the name.
            if !parts[last + 1].is_empty() || last + 3 >= parts.len() {
                break;
            }
            last += 2;
            name = name + "\"" + parts[last];
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// A name as Postgres keeps it: no longer than it may be (`truncate_identifier`, scansup.c).
pub(super) fn clipped(name: &str) -> &str {
    &name[..name.floor_char_boundary(LONGEST)]
}

/// The character that escapes others in `U&"…"`, by what follows it: `UESCAPE '!'`, else a backslash.
fn escape(after: &str) -> char {
    let after = after.trim_start();
    let (word, rest) = after.split_at_checked(7).unwrap_or((after, ""));
    let named = || rest.trim_start().strip_prefix('\'')?.chars().next();
    let is_named = word.eq_ignore_ascii_case("uescape");
    is_named.then(named).flatten().unwrap_or('\\')
}

/// The name that is meant (`str_udeescape`, parser.c): four hexadecimal digits, `+` and six, or the escape itself.
fn unescaped(name: &str, escape: char) -> String {
    let mut plain = String::new();
    let mut rest = name;
    while let Some((before, after)) = rest.split_once(escape) {
        plain += before;
        let (digits, skipped) = match after.strip_prefix('+') {
            Some(digits) => (digits.get(..6), 7),
            None => (after.get(..4), 4),
        };
        let meant = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match meant.and_then(char::from_u32) {
            Some(meant) => {
                plain.push(meant);
                rest = &after[skipped..];
            }
            None => {
                plain.push(escape);
                rest = after.strip_prefix(escape).unwrap_or(after);
            }
        }
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_however_they_are_quoted() {
        let found = |text: &str, name: &str| names(text).iter().any(|found| found == name);
        assert!(found(r#"SELECT * FROM "Odd Table""#, "Odd Table"));
        // A quote that stands alone.
        assert!(found(
            r#"-- 5" wide
            SELECT "Odd Name"()"#,
            "Odd Name"
        ));
        assert!(found(r#"SELECT "a ""b"" c""#, r#"a "b" c"#));
        assert!(found(r#"SELECT U&"\0064eep"()"#, "deep"));
        assert!(found(r#"SELECT u&"d!0065!+000065p" UESCAPE '!'"#, "deep"));
        assert!(found(r#"SELECT U&"a\\b""#, r"a\b"));
        assert!(names(r#"""""""""""#).len() < 100);
        let long = "é".repeat(40);
        assert!(found(&format!("SELECT \"{long}\"()"), &"é".repeat(31)));
        assert_eq!(names("no quotes"), Vec::<String>::new());
        assert_eq!(names("\"é"), Vec::<String>::new());
    }

    #[test]
    fn strange_texts_end() {
        for text in [
            r#"U&"\"#,
            r#"U&"\+00"x"#,
            r#"U&"é\é"é"#,
            r#"""" uescape ""#,
            "\"\"\"uescapé'\"",
        ] {
            let _ = names(text);
        }
        assert!(names(&"\"".repeat(4000)).len() < 1_000_000);
    }
}
