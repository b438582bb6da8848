//! Connection strings: `key=value …` and `postgres://` URLs, cut into libpq's keywords.

use super::keyword;
use crate::{Error, Result};
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

/// Whether it is a URL, but not one of Postgres: with another scheme, in capitals, in quotes, after a blank.
/// The `://` in a `key=value` string is part of a value.
fn is_other_url(text: &str) -> bool {
    !is_url(text)
        && text
            .split_once("://")
            .is_some_and(|(scheme, _)| !scheme.contains('='))
}

/// What a text says where `-d` takes a name or a connection string.
///
/// # Errors
/// As [`parse`], and for a URL that is not one of Postgres.
pub fn named(text: &str, unknown: Unknown) -> Result<Keywords> {
    if is_other_url(text) || text.starts_with("jdbc:") {
        return Err(Error::unusable("the connection string", NO_URL_OF_POSTGRES));
    }
    let keywords = if is_conninfo(text) {
        parse(text, unknown)?
    } else {
        Keywords::from([("dbname".to_owned(), text.to_owned())])
    };
    check_parts(&keywords)?;
    Ok(keywords)
}

/// Refuses parts that look like pieces of a string that was not read as its author meant it. Messages show
/// these parts, and any piece may be one of the password.
///
/// # Errors
/// With the part's keyword, never with its text.
pub fn check_parts(keywords: &Keywords) -> Result<()> {
    let parts = ["host", "hostaddr", "port", "user", "dbname", "service"];
    for word in parts {
        if keywords.get(word).is_some_and(|v| is_torn(word, v)) {
            return Err(malformed(&format!(
                "its {word} looks like a piece of a connection string; {ENCODE}"
            )));
        }
    }
    Ok(())
}

fn is_torn(word: &str, value: &str) -> bool {
    let is_address = matches!(word, "host" | "hostaddr" | "port");
    let is_login = value
        .split_once('@')
        .is_some_and(|(before, _)| before.contains(':'));
    value.contains("://")
        || (value.contains(';') && value.contains('='))
        || (word != "user" && is_login)
        || (is_address
            && !value.starts_with(['/', '@'])
            && value.contains(['@', '=', '?', '#', '&', ';']))
}

/// A connection string as messages show it: a URL of its user, host, port and database. `None`: it is
/// malformed, and nothing of it may be shown.
#[must_use]
pub fn shown(text: &str) -> Option<String> {
    let keywords = named(text, Unknown::LeftOut).ok()?;
    if !is_conninfo(text) {
        return Some(text.to_owned());
    }
    let get = |word: &str| keywords.get(word).map_or("", String::as_str);
    let ports: Vec<&str> = get("port").split(',').collect();
    if ports
        .iter()
        .any(|p| !p.is_empty() && p.parse::<u16>().is_err())
    {
        return None;
    }
    let is_socket = get("host").starts_with('/');
    let mut query = Vec::new();
    let mut hosts = String::new();
    if is_socket {
        for word in ["host", "port", "user"] {
            query.push((word, get(word)));
        }
    } else {
        hosts = authority(get("user"), get("host"), &ports);
    }
    query.push(("service", get("service")));
    query.retain(|(_, value)| !value.is_empty());
    let query: Vec<String> = query
        .iter()
        .map(|(w, v)| format!("{w}={}", encoded(v)))
        .collect();
    let database = match get("dbname") {
        "" => String::new(),
        name => format!("/{}", encoded(name)),
    };
    let mark = if query.is_empty() { "" } else { "?" };
    Some(format!(
        "postgres://{hosts}{database}{mark}{}",
        query.join("&")
    ))
}

fn authority(user: &str, hosts: &str, ports: &[&str]) -> String {
    let hosts: Vec<String> = hosts
        .split(',')
        .enumerate()
        .map(|(at, host)| {
            let host = if host.contains(':') {
                format!("[{host}]")
            } else {
                encoded(host)
            };
            match ports.get(at).or(ports.first()) {
                Some(&port) if !port.is_empty() => format!("{host}:{port}"),
                _ => host,
            }
        })
        .collect();
    let at = if user.is_empty() { "" } else { "@" };
    format!("{}{at}{}", encoded(user), hosts.join(","))
}

/// Percent-encoding of what would end a part of a URL.
fn encoded(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '%' | ':' | '@' | '?' | '#' | '&' | '=' | ' ' | '[' | ']' | ',' => {
                format!("%{:02X}", u32::from(c))
            }
            c => c.to_string(),
        })
        .collect()
}

const NO_URL_OF_POSTGRES: &str =
    "it is not a URL of Postgres: such a URL begins with postgres:// or postgresql://";

const ENCODE: &str = "if the password holds a / ? # or @, write %2F %3F %23 or %40";

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

fn malformed(why: &str) -> Error {
    Error::unusable("the connection string", why)
}

/// An unknown keyword is not shown: in a damaged string it is a piece of the password.
fn put(keywords: &mut Keywords, key: &str, value: String, unknown: Unknown) -> Result<()> {
    if keyword::treatment(key).is_some() {
        keywords.insert(key.to_owned(), value);
        return Ok(());
    }
    let is_torn = key.contains('@') || value.contains('@');
    match unknown {
        Unknown::LeftOut if !is_torn => Ok(()),
        Unknown::LeftOut => Err(malformed(&format!(
            "an @ comes after its parameters begin; {ENCODE}"
        ))),
        Unknown::Refused => Err(malformed(&format!(
            "libpq does not know one of its keywords (the known ones before it: {}); see the list in the \
             manual, section \"Connection Strings\"; {ENCODE}",
            if keywords.is_empty() {
                "none".to_owned()
            } else {
                keywords.keys().cloned().collect::<Vec<_>>().join(", ")
            },
        ))),
    }
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
    if path.contains('@') {
        return Err(malformed(&format!(
            "an @ comes after its first /; {ENCODE}"
        )));
    }
    let (names, ports) = hosts_of(hosts)?;
    set_unless_empty(&mut keywords, "host", names);
    set_unless_empty(&mut keywords, "port", ports);
    set_unless_empty(&mut keywords, "dbname", decoded(path)?);
    for pair in query.unwrap_or("").split('&').filter(|p| !p.is_empty()) {
        let (key, value) = match pair.split_once('=') {
            Some(parts) => parts,
            None if unknown == Unknown::LeftOut && !pair.contains('@') => continue,
            None => {
                return Err(malformed(&format!(
                    "a parameter has no \"=\"; write ?key=value; {ENCODE}"
                )));
            }
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
    String::from_utf8(bytes)
        .map_err(|_| malformed("it is not UTF-8 once decoded; encode it again from UTF-8"))
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

    /// cases/safety/09, cases/ops/05: whatever a password is, and however the string around it is torn.
    #[test]
    fn no_piece_of_a_password_is_ever_shown() {
        const ALPHABET: &[u8] = b"XYZ019/?#@:&=% ;,'\\\"[]+.-_!$";
        #[rustfmt::skip]
        let shapes = [
            "postgres://app:{}@db.example/shop", "postgresql://app:{}@db.example:5432/shop?sslmode=require",
            "POSTGRES://app:{}@db.example/shop", "postgresql+psycopg2://app:{}@db.example/shop",
            "mysql://app:{}@db.example/shop", " postgres://app:{}@db.example/shop", "'postgres://app:{}@db.example/shop'",
            "postgres:/app:{}@db.example/shop", "app:{}@db.example/shop", "jdbc:postgresql://h/d?user=u&password={}",
            "host=db.example password='{}' user=app", "host=db.example;password={};user=app",
            "Host=db.example;Password={}", "password={", "url=postgres://app:{}@db.example/shop",
        ];
        // A small generator of our own: a failure can be repeated by its number.
        let mut state: u64 = 0x9E37_79B9;
        let mut random = move |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(state >> 33).unwrap_or(0) % below
        };
        for round in 0..20_000 {
            // Each piece between special characters is a marker that appears nowhere else.
            let mut password = String::from("Qx7");
            for _ in 0..random(4) {
                password.push(char::from(ALPHABET[random(ALPHABET.len())]));
                password.push_str("Qx7");
            }
            let text = shapes[random(shapes.len())]
                .replace("{}", &password)
                .replace('{', &password);
            let mut said = vec![shown(&text).unwrap_or_default()];
            for unknown in [Unknown::Refused, Unknown::LeftOut] {
                match named(&text, unknown) {
                    Err(error) => said.push(error.to_string()),
                    Ok(keywords) => said.extend(
                        ["host", "user", "dbname"]
                            .iter()
                            .filter_map(|w| keywords.get(*w).cloned()),
                    ),
                }
            }
            for message in said {
                assert!(!message.contains("Qx7"), "{round}: {text}: {message}");
            }
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
