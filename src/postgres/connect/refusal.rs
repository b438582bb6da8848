//! Why a connection or a query failed, in words that help.

use super::target::Target;
use crate::Error;
use std::io::ErrorKind;

/// An attempt that failed.
#[derive(Debug)]
pub struct Refusal {
    /// What the server or the system said.
    pub why: String,
    /// What to do.
    pub help: String,
    /// Whether another server of the list may be tried (`fe-connect.c`: not after it refused the login).
    pub try_next: bool,
    /// Whether the other TLS mode of `allow` and `prefer` may be tried.
    pub try_other_mode: bool,
    /// Whether a pooler refused a start-up parameter.
    pub refused_parameter: bool,
}

/// SQLSTATE and what to do about it.
#[rustfmt::skip]
const HELP: &[(&str, &str)] = &[
    ("28P01", "check the role and its password: PGPASSWORD, or a line in PGPASSFILE (~/.pgpass)"),
    ("28000", "check the role (-U), sslmode, and the server's pg_hba.conf"),
    ("3D000", "check the database's name (-d); psql -l lists them"),
    ("42501", "GRANT CONNECT ON DATABASE to the role"),
    ("53300", "all connection slots are taken: end idle sessions, or connect as a role that may use the reserved ones (pg_use_reserved_connections, superuser)"),
    ("55P03", "a session holds ACCESS EXCLUSIVE on a system catalog (VACUUM FULL, CLUSTER, REINDEX, LOCK): try again when it has ended"),
    ("57P03", "the server is starting up, shutting down or recovering: try again in a moment"),
    ("57P01", "the server ended the session: try again"),
    ("55000", "the database does not take connections: check datallowconn"),
    ("08P01", "a pooler may be in between: connect to the server itself, or unset PGOPTIONS"),
];

const NO_PASSWORD: &str = "the server wants a password and none was given; set PGPASSFILE (~/.pgpass, mode 0600) \
                           with a line host:port:database:role:password, or PGPASSWORD";

/// Reads a failed attempt to connect.
#[must_use]
pub fn of_attempt(error: &sqlx::Error, has_password: bool, passfile_note: Option<&str>) -> Refusal {
    match error {
        sqlx::Error::Database(said) => {
            let code = said.code().unwrap_or_default().into_owned();
            let why = said.message().to_owned();
            let wants_password = !has_password
                && (code == "28P01" || (code == "08P01" && why.contains("empty password")));
            let mut help = if wants_password {
                NO_PASSWORD.to_owned()
            } else {
                help_for(&code, &why).to_owned()
            };
            if let Some(note) = passfile_note {
                help = format!("{help} ({note})");
            }
            let refused_parameter = why.contains("startup parameter");
            Refusal {
                why,
                help,
                try_next: code == "57P03",
                try_other_mode: code == "28000",
                refused_parameter,
            }
        }
        sqlx::Error::Io(error) => of_io(error),
        sqlx::Error::Tls(why) => Refusal {
            why: format!("TLS: {why}"),
            help: "the server has no TLS or its certificate does not fit: check sslmode and sslrootcert".into(),
            try_next: true,
            try_other_mode: true,
            refused_parameter: false,
        },
        sqlx::Error::Configuration(why) => plain(
            why.to_string(),
            "check sslcert, sslkey and sslrootcert: PEM files, the key not encrypted",
        ),
        // Authentication that the library does not speak (GSS, SSPI, Kerberos), or a server that is none.
        other => plain(
            other.to_string(),
            "check that it is a Postgres server and that pg_hba.conf asks for scram-sha-256, md5, password, cert, peer or trust",
        ),
    }
}

fn plain(why: String, help: &str) -> Refusal {
    Refusal {
        why,
        help: help.into(),
        try_next: false,
        try_other_mode: false,
        refused_parameter: false,
    }
}

fn help_for(code: &str, why: &str) -> &'static str {
    if why.contains("startup parameter") {
        return "a pooler refuses start-up parameters: unset PGOPTIONS, or connect to the server itself";
    }
    HELP.iter()
        .find(|h| h.0 == code)
        .map_or("see the server's log", |h| h.1)
}

fn of_io(error: &std::io::Error) -> Refusal {
    let text = error.to_string();
    let help = match error.kind() {
        ErrorKind::ConnectionRefused => "is a server running there? check -h and -p",
        ErrorKind::NotFound => {
            "no server has its socket there: check -h and -p, or give -h localhost"
        }
        ErrorKind::PermissionDenied => {
            "the system's user may not open the socket: give -h localhost"
        }
        ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            "the network does not get there: check -h, a firewall or a VPN"
        }
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => {
            "the other side hung up: is it a Postgres server? check -p and sslmode"
        }
        _ if text.contains("lookup") => "the name is not known: check -h",
        // rustls's errors come as the socket's.
        _ => "check -h, -p and sslmode",
    };
    Refusal {
        try_next: true,
        try_other_mode: error.kind() == ErrorKind::InvalidData,
        help: help.into(),
        why: text,
        refused_parameter: false,
    }
}

/// All attempts failed.
#[must_use]
pub fn connect_error(target: &Target, refusals: Vec<(String, Refusal)>) -> Error {
    let several = refusals.len() > 1;
    let why = refusals
        .iter()
        .map(|(endpoint, refusal)| {
            if several {
                format!("{endpoint}: {}", refusal.why)
            } else {
                refusal.why.clone()
            }
        })
        .collect::<Vec<_>>()
        .join("; ");
    let help = refusals
        .into_iter()
        .last()
        .map_or_else(|| "check -h".to_owned(), |(_, refusal)| refusal.help);
    Error::Connect {
        target: target.to_string(),
        why,
        help,
    }
}

/// A query of ours failed.
#[must_use]
pub fn of_query(what: &str, target: &str, user: &str, error: &sqlx::Error) -> Error {
    let sqlx::Error::Database(said) = error else {
        return Error::Connect {
            target: target.to_owned(),
            why: format!("the connection was lost: {error}"),
            help: "try again".into(),
        };
    };
    let why = said.message().to_owned();
    let what = what.to_owned();
    match said.code().unwrap_or_default().as_ref() {
        "42501" => Error::Privilege {
            what,
            why,
            help: format!("GRANT pg_monitor TO {}", crate::model::quoted(user)),
        },
        // An administrator, a crash, a shutdown.
        "57P01" | "57P02" | "57P03" | "08006" => Error::Connect {
            target: target.to_owned(),
            why,
            help: "try again".into(),
        },
        "57014" => Error::Server {
            what,
            why,
            help:
                "the server is busy or the query was cancelled: try again with a longer --timeout"
                    .into(),
        },
        "55P03" => Error::Server {
            what,
            why,
            help: "somebody holds a lock on a system catalog: see pg_locks".into(),
        },
        _ => Error::Server {
            what,
            why,
            help: "see the server's log".into(),
        },
    }
}
