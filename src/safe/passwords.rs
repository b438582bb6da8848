//! Passwords in command lines, made unreadable wherever a command is shown, logged or kept.
//!
//! What is called like one of [`SECRETS`] has a secret behind it: an option (`--password X`, `--db-password=X`), a variable
//! (`PGPASSWORD=X`), a part of a URL or of a connection string (`?password=X`), a field (`"password": "X"`), a word of SQL
//! (`PASSWORD 'X'`). So has `user:X@host`. A line that is not understood loses a word too many rather than one too few.

use std::iter::Peekable;
use std::str::CharIndices;

/// What is shown where a password was.
const NO_PASSWORD: &str = "***";

/// How names of secrets end, without their dashes, underscores and dots.
const SECRETS: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "masterkey",
    "secretkeybase",
    "secretaccesskey",
];

/// Names of secrets where they are all of a name, or the last of its parts: `DB_PASS`, `--pwd`.
const SHORT_SECRETS: [&str; 3] = ["pass", "pwd", "pw"];

/// Names that look like secrets and are none: the working directory, and what asks for no password.
const NO_SECRETS: [&str; 5] = [
    "PWD",
    "OLDPWD",
    "--no-password",
    "no-password",
    "--ask-pass",
];

/// Programs of Postgres whose `--password` and `-W` have no value: they ask for it.
const THAT_ASK: [&str; 14] = [
    "psql",
    "pg_dump",
    "pg_dumpall",
    "pg_restore",
    "pg_basebackup",
    "pg_receivewal",
    "pg_isready",
    "pgbench",
    "createdb",
    "dropdb",
    "createuser",
    "vacuumdb",
    "reindexdb",
    "clusterdb",
];

/// The words of a command without its passwords.
#[must_use]
pub fn masked_command(words: &[String]) -> Vec<String> {
    let asks = words.iter().any(|word| is_program_that_asks(word));
    let (mut before, mut is_variable) = ("", false);
    let mut masked_words = Vec::with_capacity(words.len());
    for word in words {
        let is_value = takes_secret(before, asks) && !word.starts_with('-');
        masked_words.push(match is_value {
            true => NO_PASSWORD.to_owned(),
            false => masked_word(word, is_variable),
        });
        let is_option = word.starts_with('-');
        is_variable = (is_variable && (is_option || word.contains('='))) || program(word) == "env";
        before = word;
    }
    masked_words
}

/// A text with command lines, or a part of one, without its passwords.
#[must_use]
pub fn masked(text: &str) -> String {
    let mut out = String::new();
    let mut rest = 0;
    while let Some((from, to)) = next_secret(text, rest) {
        out.push_str(&text[rest..from]);
        out.push_str(NO_PASSWORD);
        rest = to;
    }
    out + &text[rest..]
}

/// A word as the system passes it: no shell reads it, so a value goes to its end (`PGPASSWORD=a;b`). With a space in it,
/// it may be a line for a shell, but for a variable that `env` is given.
fn masked_word(word: &str, is_variable: bool) -> String {
    let is_one = is_variable || !word.contains(char::is_whitespace);
    match word.split_once('=').filter(|_| is_one) {
        Some((name, value)) if is_secret(name) && !value.is_empty() => {
            format!("{name}={NO_PASSWORD}")
        }
        _ => masked(word),
    }
}

/// Whether the word behind this option is a secret.
fn takes_secret(option: &str, asks: bool) -> bool {
    !asks && (option == "-W" || (option.starts_with('-') && is_secret(option)))
}

fn program(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

fn is_program_that_asks(word: &str) -> bool {
    THAT_ASK.contains(&program(word))
}

/// Whether a name is that of a secret.
fn is_secret(name: &str) -> bool {
    if NO_SECRETS.contains(&name) || !name.chars().all(is_of_name) {
        return false;
    }
    let lower = name.to_ascii_lowercase();
    let plain: String = lower.chars().filter(char::is_ascii_alphanumeric).collect();
    let last = lower.rsplit(['-', '_', '.']).next().unwrap_or_default();
    SECRETS.iter().any(|secret| plain.ends_with(secret)) || SHORT_SECRETS.contains(&last)
}

const fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// Where the next secret of a text begins and ends.
fn next_secret(text: &str, from: usize) -> Option<(usize, usize)> {
    let mut open = Quotes::default();
    open.read(&text[..from]);
    let mut at = from;
    while at < text.len() {
        let rest = &text[at..];
        let name = rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
        let found = match name {
            0 => None,
            name => {
                behind_name(text, at, at + name, open).or_else(|| behind_user(text, at, at + name))
            }
        };
        let found = found.filter(|(from, to)| from < to && &text[*from..*to] != NO_PASSWORD);
        if found.is_some() {
            return found;
        }
        let step = name.max(rest.chars().next().map_or(1, char::len_utf8));
        open.read(&text[at..at + step]);
        at += step;
    }
    None
}

/// The value behind a name that begins and ends here, if it is a secret's.
fn behind_name(text: &str, begin: usize, end: usize, open: Quotes) -> Option<(usize, usize)> {
    let name = &text[begin..end];
    let is_option = name.starts_with('-');
    if !is_secret(name) && name != "-W" {
        return None;
    }
    let rest = &text[end..];
    let unquoted = rest.trim_start_matches(['\'', '"', '\\']);
    let is_quoted = unquoted.len() < rest.len();
    let spaced = rest.trim_start();
    let has_space = spaced.len() < rest.len();
    let value = if let Some(value) = rest.strip_prefix('=') {
        value
    } else if let Some(value) = unquoted.trim_start().strip_prefix(':') {
        // `token:reset` is a task's name.
        Some(value.trim_start()).filter(|trimmed| is_quoted || trimmed.len() < value.len())?
    } else if let Some(value) = unquoted
        .strip_prefix("=>")
        .or_else(|| spaced.strip_prefix("=>"))
    {
        value.trim_start()
    } else if is_option && has_space && !spaced.starts_with('-') && !asks_before(&text[..begin]) {
        spaced
    } else if has_space && (spaced.starts_with('\'') || spaced.starts_with("E'")) {
        spaced.trim_start_matches('E')
    } else {
        return None;
    };
    let from = text.len() - value.len();
    Some(value_at(text, from, open))
}

/// Whether the command that a text ends in is one of Postgres's that ask.
fn asks_before(text: &str) -> bool {
    let command = text
        .rsplit(['\n', ';', '|', '&', '('])
        .next()
        .unwrap_or(text);
    let mut words = command.split(|c: char| c.is_whitespace() || matches!(c, '\'' | '"'));
    words.any(is_program_that_asks)
}

/// From where to where a value goes: as a shell reads it, or a connection string within the shell's quotes.
fn value_at(text: &str, from: usize, open: Quotes) -> (usize, usize) {
    let mut chars = text[from..].char_indices().peekable();
    let mut to = text[from..].len();
    let quote = chars
        .peek()
        .map(|(_, c)| *c)
        .filter(|c| matches!(c, '\'' | '"'));
    if open.is_open() {
        let own = quote.filter(|quote| !open.is(*quote));
        if own.is_some() {
            chars.next();
        }
        let is_end = |c: char| match own {
            Some(quote) => c == quote,
            None => open.is(c) || c.is_whitespace() || matches!(c, '&' | ';' | '\'' | '"' | '\\'),
        };
        while let Some((at, c)) = chars.next() {
            if is_end(c) {
                to = at;
                break;
            }
            if c == '\\' {
                chars.next();
            }
        }
        return (from + usize::from(own.is_some()), from + to);
    }
    let mut inner = Quotes::default();
    while let Some((at, c)) = chars.next() {
        let ends = c.is_whitespace() || matches!(c, '&' | ';' | '|' | ')' | '<' | '>');
        if ends && !inner.is_open() {
            to = at;
            break;
        }
        inner.take(c, &mut chars);
    }
    (from, from + to)
}

/// The password of `user:password@host`, where the user's name begins and ends here.
fn behind_user(text: &str, begin: usize, end: usize) -> Option<(usize, usize)> {
    let secret = text[end..].strip_prefix(':')?;
    let is_url = text[..begin].ends_with("://");
    let is_end = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '`');
    let secret = &secret[..secret.find(is_end).unwrap_or(secret.len())];
    let authority = secret.find(['/', '?', '#']).unwrap_or(secret.len());
    let port = secret[..authority].chars().all(|c| c.is_ascii_digit());
    // A slash that belongs to the password is one that nobody has written as %2F.
    let host = match secret[..authority].rfind('@') {
        Some(at) => at,
        None if is_url && !port => secret.rfind('@')?,
        None => return None,
    };
    let is_digest = secret[host..].starts_with("@sha256");
    let is_task = !is_url && secret[host + 1..].is_empty();
    (!is_digest && !is_task).then_some((end + 1, end + 1 + host))
}

/// Which quote a text is in, as a shell has it.
#[derive(Debug, Clone, Copy, Default)]
struct Quotes(Option<char>);

impl Quotes {
    const fn is_open(self) -> bool {
        self.0.is_some()
    }

    fn is(self, quote: char) -> bool {
        self.0 == Some(quote)
    }

    fn read(&mut self, text: &str) {
        let mut chars = text.char_indices().peekable();
        while let Some((_, c)) = chars.next() {
            self.take(c, &mut chars);
        }
    }

    fn take(&mut self, c: char, rest: &mut Peekable<CharIndices<'_>>) {
        match (self.0, c) {
            (None, '\'' | '"') => self.0 = Some(c),
            (Some(quote), c) if quote == c => self.0 = None,
            (None | Some('"'), '\\') => {
                rest.next();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_urls_variables_and_options_are_not_shown() {
        for (text, shown) in [
            (
                "postgres://app:geheim@db/shop?x=1",
                "postgres://app:***@db/shop?x=1",
            ),
            (
                "postgres://app:ge@heim@db/shop",
                "postgres://app:***@db/shop",
            ),
            (
                "postgres://app:ge/heim@db/shop",
                "postgres://app:***@db/shop",
            ),
            ("db:pg://app:geheim@/shop", "db:pg://app:***@/shop"),
            ("psql app:geheim@db", "psql app:***@db"),
            (
                "jdbc:postgresql://db/shop?user=a&password=geheim&ssl=true",
                "jdbc:postgresql://db/shop?user=a&password=***&ssl=true",
            ),
            (
                "-Dflyway.password=geheim migrate",
                "-Dflyway.password=*** migrate",
            ),
            (
                "PGPASSWORD=geheim psql 'host=db'",
                "PGPASSWORD=*** psql 'host=db'",
            ),
            ("PGPASSWORD='it'\\''s geheim' psql", "PGPASSWORD=*** psql"),
            ("export DB_PASS=\"ge heim\" && x", "export DB_PASS=*** && x"),
            (
                "psql 'host=db password=geheim user=a'",
                "psql 'host=db password=*** user=a'",
            ),
            (
                "psql \"password='ge heim' user=a\"",
                "psql \"password='***' user=a\"",
            ),
            (
                "liquibase --password geheim update",
                "liquibase --password *** update",
            ),
            (
                "tool --db-password 'ge heim' up",
                "tool --db-password *** up",
            ),
            ("ldapsearch -W geheim", "ldapsearch -W ***"),
            ("psql --password shop -W", "psql --password shop -W"),
            (
                "psql -c \"ALTER ROLE a PASSWORD 'geheim'\"",
                "psql -c \"ALTER ROLE a PASSWORD '***'\"",
            ),
            (
                "-e '{\"password\": \"geheim\", \"a\": 1}'",
                "-e '{\"password\": \"***\", \"a\": 1}'",
            ),
            ("PASSWORD=geheim;x", "PASSWORD=***;x"),
        ] {
            assert_eq!(masked(text), shown);
            assert_eq!(masked(shown), shown, "once more");
        }
    }

    #[test]
    fn what_is_no_password_stays() {
        for text in [
            "postgres://app@db:5432/shop",
            "db:migrate",
            "rake token:reset",
            "PWD=/srv/shop",
            "psql --no-password shop",
            "pg_dump -W shop",
            "image:1.2@sha256:0123",
            "--password-file=/run/x",
            "git@host.example:shop/app.git",
            "http://db:8080/x@y",
            "größe:名前",
        ] {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn a_password_may_be_a_word_of_its_own() {
        let shown = |line: &[&str]| {
            let words: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
            masked_command(&words).join(" ")
        };
        for (line, expected) in [
            (
                &["tool", "--password", "ge heim", "up"][..],
                "tool --password *** up",
            ),
            (&["tool", "-W", "geheim"], "tool -W ***"),
            (&["env", "PGPASSWORD=a;b c"], "env PGPASSWORD=***"),
            (&["env", "PGPASSWORD=a;b&c", "x"], "env PGPASSWORD=*** x"),
            (
                &["tool", "--password", "--force"],
                "tool --password --force",
            ),
            (&["psql", "-W", "shop"], "psql -W shop"),
            (
                &["sh", "-c", "PGPASSWORD=geheim x"],
                "sh -c PGPASSWORD=*** x",
            ),
            (&["tool", "--api-key=geheim"], "tool --api-key=***"),
        ] {
            assert_eq!(shown(line), expected);
        }
    }

    #[test]
    fn strange_texts_end() {
        for text in [
            "password='",
            "password=\\",
            "-W ",
            "a:@",
            "password:",
            "\u{1f}password=ß'ß\"",
            "x:y@",
        ] {
            let _ = masked(text);
        }
    }
}
