//! libpq's connection keywords: which are used, which change nothing here, which cannot be honoured.
//!
//! Source: `PQconninfoOptions[]` (`fe-connect.c`), <https://www.postgresql.org/docs/current/libpq-connect.html>.

use super::unusable;
use crate::Result;

/// What becomes of a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// It decides where or how to connect.
    Used,
    /// It changes nothing that matters to one short reading session.
    Harmless,
    /// Only these values can be honoured; any other would be a promise not kept.
    Only(&'static [&'static str]),
}

use Treatment::{Harmless, Only, Used};

/// Keyword, its environment variable (empty: none), what becomes of it.
#[rustfmt::skip]
pub const KEYWORDS: &[(&str, &str, Treatment)] = &[
    ("host",                      "PGHOST",               Used),
    ("hostaddr",                  "PGHOSTADDR",           Used),
    ("port",                      "PGPORT",               Used),
    ("dbname",                    "PGDATABASE",           Used),
    ("user",                      "PGUSER",               Used),
    ("password",                  "PGPASSWORD",           Used),
    ("passfile",                  "PGPASSFILE",           Used),
    ("service",                   "PGSERVICE",            Used),
    ("servicefile",               "PGSERVICEFILE",        Used),
    ("options",                   "PGOPTIONS",            Used),
    ("connect_timeout",           "PGCONNECT_TIMEOUT",    Used),
    ("sslmode",                   "PGSSLMODE",            Used),
    ("sslrootcert",               "PGSSLROOTCERT",        Used),
    ("sslcert",                   "PGSSLCERT",            Used),
    ("sslkey",                    "PGSSLKEY",             Used),
    ("sslcertmode",               "PGSSLCERTMODE",        Only(&["allow", "disable"])),
    ("target_session_attrs",      "PGTARGETSESSIONATTRS", Used),
    ("load_balance_hosts",        "PGLOADBALANCEHOSTS",   Harmless),
    ("application_name",          "PGAPPNAME",            Harmless),
    ("fallback_application_name", "",                     Harmless),
    ("client_encoding",           "PGCLIENTENCODING",     Harmless),
    ("keepalives",                "",                     Harmless),
    ("keepalives_idle",           "",                     Harmless),
    ("keepalives_interval",       "",                     Harmless),
    ("keepalives_count",          "",                     Harmless),
    ("tcp_user_timeout",          "",                     Harmless),
    ("sslcompression",            "PGSSLCOMPRESSION",     Harmless),
    ("sslsni",                    "PGSSLSNI",             Harmless),
    ("sslkeylogfile",             "",                     Harmless),
    ("ssl_max_protocol_version",  "PGSSLMAXPROTOCOLVERSION", Only(&["TLSv1.3"])),
    ("ssl_min_protocol_version",  "PGSSLMINPROTOCOLVERSION", Only(&["TLSv1", "TLSv1.1", "TLSv1.2"])),
    ("min_protocol_version",      "PGMINPROTOCOLVERSION", Harmless),
    ("max_protocol_version",      "PGMAXPROTOCOLVERSION", Harmless),
    ("gssencmode",                "PGGSSENCMODE",         Only(&["disable", "prefer"])),
    ("gssdelegation",             "PGGSSDELEGATION",      Harmless),
    ("gsslib",                    "PGGSSLIB",             Harmless),
    ("krbsrvname",                "PGKRBSRVNAME",         Harmless),
    ("channel_binding",           "PGCHANNELBINDING",     Only(&["disable", "prefer"])),
    ("sslnegotiation",            "PGSSLNEGOTIATION",     Only(&["postgres"])),
    ("require_auth",              "PGREQUIREAUTH",        Only(&[])),
    ("requirepeer",               "PGREQUIREPEER",        Only(&[])),
    ("sslpassword",               "",                     Only(&[])),
    ("sslcrl",                    "PGSSLCRL",             Only(&[])),
    ("sslcrldir",                 "PGSSLCRLDIR",          Only(&[])),
    ("scram_client_key",          "",                     Only(&[])),
    ("scram_server_key",          "",                     Only(&[])),
    ("replication",               "",                     Only(&["false", "off", "no", "0"])),
];

/// What becomes of a keyword; `None`: libpq has no such keyword.
#[must_use]
pub fn treatment(keyword: &str) -> Option<Treatment> {
    KEYWORDS.iter().find(|k| k.0 == keyword).map(|k| k.2)
}

/// Refuses a value that cannot be honoured: a promise of safety is never dropped in silence.
///
/// # Errors
/// The keyword with the values that can be used.
pub fn check(keyword: &str, value: &str) -> Result<()> {
    match treatment(keyword) {
        Some(Only(values)) if !value.is_empty() && !values.contains(&value) => Err(unusable(
            &format!("connection keyword {keyword}"),
            &format!("this value cannot be honoured here; {}", advice(values)),
        )),
        _ => Ok(()),
    }
}

fn advice(values: &[&str]) -> String {
    if values.is_empty() {
        "leave it out".to_owned()
    } else {
        format!("leave it out or use {}", values.join(" or "))
    }
}
