//! libpq's connection keywords: which are used, which change nothing here, which cannot be honoured.
//!
//! Source: `PQconninfoOptions[]` (`fe-connect.c`), <https://www.postgresql.org/docs/current/libpq-connect.html>.

use crate::{Error, Result};

/// What becomes of a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// It decides where or how to connect.
    Used,
    /// It changes nothing that matters to one short reading session.
    Harmless,
    /// Only these values can be honoured, and why; any other would be a promise not kept.
    Only(&'static [&'static str], &'static str),
}

use Treatment::{Harmless, Only, Used};

/// One of libpq's keywords.
#[derive(Debug)]
pub struct Keyword {
    pub word: &'static str,
    /// Its environment variable; empty: none.
    pub variable: &'static str,
    treatment: Treatment,
}

/// Where a value was said.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// A connection string after a flag.
    String,
    /// `DATABASE_URL`
    DatabaseUrl,
    /// This service.
    Service(&'a str),
    /// The keyword's own variable.
    Variable,
}

const fn row(word: &'static str, variable: &'static str, treatment: Treatment) -> Keyword {
    Keyword {
        word,
        variable,
        treatment,
    }
}

/// All of them.
#[rustfmt::skip]
pub const KEYWORDS: &[Keyword] = &[
    row("host", "PGHOST", Used),
    row("hostaddr", "PGHOSTADDR", Used),
    row("port", "PGPORT", Used),
    row("dbname", "PGDATABASE", Used),
    row("user", "PGUSER", Used),
    row("password", "PGPASSWORD", Used),
    row("passfile", "PGPASSFILE", Used),
    row("service", "PGSERVICE", Used),
    row("servicefile", "PGSERVICEFILE", Used),
    row("options", "PGOPTIONS", Used),
    row("connect_timeout", "PGCONNECT_TIMEOUT", Used),
    row("sslmode", "PGSSLMODE", Used),
    row("sslrootcert", "PGSSLROOTCERT", Used),
    row("sslcert", "PGSSLCERT", Used),
    row("sslkey", "PGSSLKEY", Used),
    row("sslcertmode", "PGSSLCERTMODE", Only(&["allow", "disable"],
        "pgguard cannot check that the server asks for a certificate")),
    row("target_session_attrs", "PGTARGETSESSIONATTRS", Used),
    row("load_balance_hosts", "PGLOADBALANCEHOSTS", Harmless),
    row("application_name", "PGAPPNAME", Harmless),
    row("fallback_application_name", "", Harmless),
    row("client_encoding", "PGCLIENTENCODING", Harmless),
    row("keepalives", "", Harmless),
    row("keepalives_idle", "", Harmless),
    row("keepalives_interval", "", Harmless),
    row("keepalives_count", "", Harmless),
    row("tcp_user_timeout", "", Harmless),
    row("sslcompression", "PGSSLCOMPRESSION", Harmless),
    row("sslsni", "PGSSLSNI", Harmless),
    row("sslkeylogfile", "", Harmless),
    row("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", Only(&["TLSv1.3"],
        "pgguard cannot limit the TLS version")),
    row("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", Only(&["TLSv1", "TLSv1.1", "TLSv1.2"],
        "pgguard cannot insist on TLS 1.3; leave this out for pgguard, which uses TLS 1.3 wherever the server speaks it")),
    row("min_protocol_version", "PGMINPROTOCOLVERSION", Harmless),
    row("max_protocol_version", "PGMAXPROTOCOLVERSION", Harmless),
    row("gssencmode", "PGGSSENCMODE", Only(&["disable", "prefer"],
        "pgguard does not speak GSSAPI encryption")),
    row("gssdelegation", "PGGSSDELEGATION", Harmless),
    row("gsslib", "PGGSSLIB", Harmless),
    row("krbsrvname", "PGKRBSRVNAME", Harmless),
    row("channel_binding", "PGCHANNELBINDING", Only(&["disable", "prefer"],
        "pgguard does not bind the password exchange to the TLS channel")),
    row("sslnegotiation", "PGSSLNEGOTIATION", Only(&["postgres"],
        "pgguard begins TLS in the way that every server takes")),
    row("require_auth", "PGREQUIREAUTH", Only(&[],
        "pgguard cannot insist on a way to log in")),
    row("requirepeer", "PGREQUIREPEER", Only(&[],
        "pgguard does not check the owner of the server's socket")),
    row("sslpassword", "", Only(&[],
        "pgguard reads no encrypted key; decrypt it (openssl pkey -in KEY -out NEW, mode 0600) and name the new file with sslkey")),
    row("sslcrl", "PGSSLCRL", Only(&[],
        "pgguard reads no revocation list")),
    row("sslcrldir", "PGSSLCRLDIR", Only(&[],
        "pgguard reads no revocation list")),
    row("scram_client_key", "", Only(&[],
        "pgguard logs in with a password")),
    row("scram_server_key", "", Only(&[],
        "pgguard logs in with a password")),
    row("replication", "", Only(&["false", "off", "no", "0"],
        "pgguard needs a normal session")),
];

fn keyword(word: &str) -> Option<&'static Keyword> {
    KEYWORDS.iter().find(|k| k.word == word)
}

/// What becomes of a keyword; `None`: libpq has no such keyword.
#[must_use]
pub fn treatment(word: &str) -> Option<Treatment> {
    keyword(word).map(|k| k.treatment)
}

/// Whether libpq has this keyword.
#[must_use]
pub fn is_keyword(word: &str) -> bool {
    keyword(word).is_some()
}

/// Refuses a value that cannot be honoured: a promise of safety is never dropped in silence.
///
/// # Errors
/// Where the value was said, and the one change that helps.
pub fn check(word: &str, value: &str, origin: Origin<'_>) -> Result<()> {
    let Some(keyword) = keyword(word) else {
        return Ok(());
    };
    match keyword.treatment {
        Only(values, why) if !value.is_empty() && !values.contains(&value) => Err(Error::unusable(
            &format!("the value of {word} that {}", origin.says(keyword)),
            &format!(
                "{why}; {}",
                origin.change(keyword, value, good(keyword, values))
            ),
        )),
        _ => Ok(()),
    }
}

impl Origin<'_> {
    fn says(self, keyword: &Keyword) -> String {
        match self {
            Self::String => "the connection string has".into(),
            Self::DatabaseUrl => "DATABASE_URL has".into(),
            Self::Service(name) => format!("the service {name:?} has"),
            Self::Variable => format!("{} has", keyword.variable),
        }
    }

    /// The one line to change. A value is repeated only where it is one of libpq's own words.
    fn change(self, keyword: &Keyword, value: &str, good: Option<&str>) -> String {
        let word = keyword.word;
        match (self, good) {
            (Self::DatabaseUrl, Some(good)) if WORDS.contains(&value) => {
                format!("use -d \"${{DATABASE_URL/{word}={value}/{word}={good}}}\"")
            }
            (Self::DatabaseUrl, _) => {
                format!("leave {word} out of the URL: give pgguard one without it after -d")
            }
            (Self::String, Some(good)) => format!("write {word}={good} there"),
            (Self::String, None) => format!("leave {word} out there"),
            (Self::Service(name), Some(good)) => {
                format!("write {word}={good} in the section [{name}] of the service file")
            }
            (Self::Service(name), None) => {
                format!("leave {word} out of the section [{name}] of the service file")
            }
            (Self::Variable, Some(good)) => {
                format!("begin the command with {}={good}", keyword.variable)
            }
            (Self::Variable, None) => format!("begin the command with env -u {}", keyword.variable),
        }
    }
}

/// The value to write instead; `None`: the keyword goes. A lower version of TLS is no advice.
fn good(keyword: &Keyword, values: &[&'static str]) -> Option<&'static str> {
    let is_version = keyword.word.ends_with("_protocol_version");
    values.last().copied().filter(|_| !is_version)
}

/// Values that are no secret.
const WORDS: &[&str] = &[
    "require", "direct", "TLSv1.3", "TLSv1.2", "true", "database",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// cases/ops/04
    #[test]
    fn a_refusal_says_where_the_value_stands_and_what_to_write() {
        #[rustfmt::skip]
        let cases = [
            (Origin::DatabaseUrl, "channel_binding", "require", "use -d \"${DATABASE_URL/channel_binding=require/channel_binding=prefer}\""),
            (Origin::Variable, "channel_binding", "require", "begin the command with PGCHANNELBINDING=prefer"),
            (Origin::Service("s"), "channel_binding", "require", "write channel_binding=prefer in the section [s] of the service file"),
            (Origin::String, "channel_binding", "require", "write channel_binding=prefer there"),
            (Origin::Variable, "require_auth", "scram-sha-256", "env -u PGREQUIREAUTH"),
            (Origin::Variable, "ssl_min_protocol_version", "TLSv1.3", "uses TLS 1.3 wherever the server speaks it"),
            (Origin::String, "sslnegotiation", "direct", "write sslnegotiation=postgres there"),
        ];
        for (origin, word, value, expected) in cases {
            let message = check(word, value, origin).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        for k in KEYWORDS {
            for origin in [
                Origin::DatabaseUrl,
                Origin::Variable,
                Origin::Service("s"),
                Origin::String,
            ] {
                if let Err(error) = check(k.word, "Secr3t", origin) {
                    assert!(!error.to_string().contains("Secr3t"), "{error}");
                }
            }
        }
    }
}
