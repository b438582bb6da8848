//! Connection strings: `key=value …` and `postgres://` URLs, cut into libpq's keywords.

use super::{keyword, unusable};
use crate::Result;
use std::collections::BTreeMap;

/// Connection keywords and their values.
pub type Keywords = BTreeMap<String, String>;

/// What to do with a keyword that libpq does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// An error, as libpq does.
    Refused,
    /// Left out: a `DATABASE_URL` carries parameters of other drivers (`schema`, `pool_timeout`).
    LeftOut,
}

/// Whether a database name is a connection string (`recognized_connection_string`, `fe-connect.c`).
#[must_use]
pub fn is_conninfo(text: &str) -> bool {
    is_url(text) || text.contains('=')
}

/// Whether it is a URL of Postgres.
#[must_use]
pub fn is_url(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}

/// Cuts a connection string into keywords.
///
/// # Errors
/// When it is malformed or has a keyword that libpq does not know. The text itself is never in the
/// message: it can hold a password.
pub fn parse(text: &str, unknown: Unknown) -> Result<Keywords> {
    if is_url(text) {
        from_url(text, unknown)
    } else {
        from_pairs(text)
    }
}

fn malformed(why: &str) -> crate::Error {
    unusable("the connection string", why)
}

fn put(keywords: &mut Keywords, key: &str, value: String, unknown: Unknown) -> Result<()> {
    if keyword::treatment(key).is_none() {
        return match unknown {
            Unknown::Refused => Err(malformed(&format!(
                "libpq has no keyword {key:?}; see the list in the manual, section \"Connection Strings\""
            ))),
            Unknown::LeftOut => Ok(()),
        };
    }
    keywords.insert(key.to_owned(), value);
    Ok(())
}

/// `conninfo_parse`: blanks around `=`, values in single quotes, `\` before `'` and `\`.
fn from_pairs(text: &str) -> Result<Keywords> {
    let mut keywords = Keywords::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (key, after) = rest
            .split_once('=')
            .ok_or_else(|| malformed("a keyword has no \"=\"; write key=value"))?;
        let key = key.trim_end();
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(malformed("a keyword has no \"=\"; write key=value"));
        }
        let (value, after) = pair_value(after.trim_start())?;
        put(&mut keywords, key, value, Unknown::Refused)?;
        rest = after.trim_start();
    }
    Ok(keywords)
}

fn pair_value(text: &str) -> Result<(String, &str)> {
    let quoted = text.starts_with('\'');
    let body = if quoted { &text[1..] } else { text };
    let mut value = String::new();
    let mut chars = body.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            '\'' if quoted => return Ok((value, &body[at + 1..])),
            c if !quoted && c.is_whitespace() => return Ok((value, &body[at..])),
            c => value.push(c),
        }
    }
    if quoted {
        return Err(malformed("a quoted value has no closing quote; add a '"));
    }
    Ok((value, ""))
}

/// `conninfo_uri_parse`: `postgresql://user:password@host:port,host:port/dbname?key=value&…`.
fn from_url(text: &str, unknown: Unknown) -> Result<Keywords> {
    let mut keywords = Keywords::new();
    let (_, rest) = text.split_once("://").unwrap_or(("", text));
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    // The last @: a password may hold one that its author forgot to encode.
    let (login, hosts) = match authority.rsplit_once('@') {
        Some((login, hosts)) => (Some(login), hosts),
        None => (None, authority),
    };
    if let Some(login) = login {
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (login, None),
        };
        set_unless_empty(&mut keywords, "user", decoded(user)?);
        if let Some(password) = password {
            set_unless_empty(&mut keywords, "password", decoded(password)?);
        }
    }
    let (names, ports) = hosts_of(hosts)?;
    set_unless_empty(&mut keywords, "host", names);
    set_unless_empty(&mut keywords, "port", ports);
    set_unless_empty(&mut keywords, "dbname", decoded(path)?);
    for pair in query.unwrap_or("").split('&').filter(|p| !p.is_empty()) {
        let (key, value) = match pair.split_once('=') {
            Some(parts) => parts,
            None if unknown == Unknown::LeftOut => continue,
            None => return Err(malformed("a parameter has no \"=\"; write ?key=value")),
        };
        let (key, value) = (decoded(key)?, decoded(value)?);
        match key.as_str() {
            // JDBC's spelling, which libpq takes too.
            "ssl" if value == "true" => put(&mut keywords, "sslmode", "require".into(), unknown)?,
            key => put(&mut keywords, key, value, unknown)?,
        }
    }
    Ok(keywords)
}

fn set_unless_empty(keywords: &mut Keywords, key: &str, value: String) {
    if value.chars().any(|c| c != ',') {
        keywords.insert(key.to_owned(), value);
    }
}

/// `host:port,[::1]:port` as libpq's two lists.
fn hosts_of(text: &str) -> Result<(String, String)> {
    let mut names = Vec::new();
    let mut ports = Vec::new();
    for one in text.split(',') {
        let (name, port) = match one.strip_prefix('[') {
            Some(rest) => {
                let (name, after) = rest.split_once(']').ok_or_else(|| {
                    malformed("an IPv6 address has no closing bracket; write [::1]")
                })?;
                (name, after.strip_prefix(':').unwrap_or(after))
            }
            None => one.split_once(':').unwrap_or((one, "")),
        };
        names.push(decoded(name)?);
        ports.push(decoded(port)?);
    }
    Ok((names.join(","), ports.join(",")))
}

/// Percent-decoding.
fn decoded(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
            return Err(malformed(
                "\"%\" is not followed by two hexadecimal digits; write %25 for a percent sign",
            ));
        };
        bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
    }
    if bytes.contains(&0) {
        return Err(malformed("%00 is not allowed; leave it out"));
    }
    String::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8 once decoded; encode it anew"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, String)> {
        parse(text, Unknown::Refused).unwrap().into_iter().collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        let mut pairs: Vec<_> = expected.iter().map(own).collect();
        pairs.sort();
        pairs
    }

    #[test]
    fn strings_are_read_as_libpq_reads_them() {
        #[rustfmt::skip]
        let cases: &[(&str, &[(&str, &str)])] = &[
            ("host=a port=1",                     &[("host", "a"), ("port", "1")]),
            (" host = a  dbname='my db' ",        &[("host", "a"), ("dbname", "my db")]),
            (r"password='it\'s \\ me' user=u",    &[("password", r"it's \ me"), ("user", "u")]),
            ("password=  user=u",                 &[("password", "user=u")]),
            ("host='' port=1",                    &[("host", ""), ("port", "1")]),
            ("host=a,b port=1,2",                 &[("host", "a,b"), ("port", "1,2")]),
            ("postgres://",                       &[]),
            ("postgresql:///shop",                &[("dbname", "shop")]),
            ("postgres://u:p%40ss@h:1/d",         &[("user", "u"), ("password", "p@ss"), ("host", "h"), ("port", "1"), ("dbname", "d")]),
            ("postgres://u:p@ss@h/d",             &[("user", "u"), ("password", "p@ss"), ("host", "h"), ("dbname", "d")]),
            ("postgres://a:1,b:2/d",              &[("host", "a,b"), ("port", "1,2"), ("dbname", "d")]),
            ("postgres://a,b:2/d",                &[("host", "a,b"), ("port", ",2"), ("dbname", "d")]),
            ("postgres://[::1]:5/d",              &[("host", "::1"), ("port", "5"), ("dbname", "d")]),
            ("postgres://%2Ftmp%2Fx/d",           &[("host", "/tmp/x"), ("dbname", "d")]),
            ("postgres:///d?host=/tmp&port=7",    &[("host", "/tmp"), ("port", "7"), ("dbname", "d")]),
            ("postgres://h/d?ssl=true",           &[("host", "h"), ("dbname", "d"), ("sslmode", "require")]),
            ("postgres://h/?options=-c%20a%3Db",  &[("host", "h"), ("options", "-c a=b")]),
        ];
        for (text, expected) in cases {
            assert_eq!(parsed(text), pairs(expected), "{text}");
        }
    }

    #[test]
    fn a_damaged_string_is_refused_without_showing_its_password() {
        for text in [
            "host",
            "host=a secret",
            "password='secret",
            "nosuchword=secret",
            "postgres://u:secret%zz@h/d",
            "postgres://u:secret@[::1/d",
            "postgres://u:secret@h/d?nosuchword=1",
            "postgres://u:secret@h/d?novalue",
        ] {
            let message = parse(text, Unknown::Refused).unwrap_err().to_string();
            assert!(!message.contains("secret"), "{text}: {message}");
        }
    }

    #[test]
    fn parameters_of_other_drivers_are_left_out_where_that_is_asked_for() {
        let keywords = parse("postgres://h/d?schema=public&flag", Unknown::LeftOut).unwrap();
        assert_eq!(
            keywords.keys().collect::<Vec<_>>(),
            ["dbname", "host"],
            "{keywords:?}"
        );
    }
}
