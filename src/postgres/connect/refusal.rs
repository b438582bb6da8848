//! Why a connection or a query failed, in words that help.

use super::target::Target;
use crate::Error;
use crate::model::Server;
use std::io::ErrorKind;

/// An attempt that failed.
#[derive(Debug, Default)]
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
    /// Whether the server speaks TLS, and it failed.
    pub tls_failed: bool,
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
                tls_failed: false,
            }
        }
        sqlx::Error::Io(error) => of_io(error),
        sqlx::Error::Tls(why) => of_tls(&why.to_string()),
        sqlx::Error::Configuration(why) => of_tls(&why.to_string()),
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
        ..Refusal::default()
    }
}

fn help_for(code: &str, why: &str) -> &'static str {
    if why.contains("startup parameter") {
        return "a pooler refuses start-up parameters: unset PGOPTIONS, or connect to the server itself";
    }
    if why.contains("valid client certificate") {
        return CLIENT_CERTIFICATE;
    }
    HELP.iter()
        .find(|h| h.0 == code)
        .map_or("see the server's log", |h| h.1)
}

const CLIENT_CERTIFICATE: &str = "the server wants a client certificate: name it with sslcert and its key with sslkey \
                                  (default: postgresql.crt and postgresql.key in ~/.postgresql)";

/// What the TLS library's words hold, what that means (empty: its own words say it), and what to do.
#[rustfmt::skip]
const TLS: &[(&str, &str, &str)] = &[
    ("UnsupportedCertVersion", "the server's certificate is X.509 version 1, which pgguard's TLS library does not read",
        "let the server have a certificate of version 3 (openssl req -x509 makes one)"),
    ("UnknownIssuer", "the server's certificate is signed by an authority that is not known here",
        "name the authority's certificate (a PEM file) with sslrootcert, or put it into ~/.postgresql/root.crt"),
    ("CaUsedAsEndEntity", "the server's certificate is itself that of an authority (self-signed)",
        "give the server a certificate that an authority has signed, and name the authority's with sslrootcert"),
    ("NotValidForName", "the server's certificate is for another host name",
        "connect by a name that the certificate has (-h), or use sslmode=verify-ca"),
    ("not valid for name", "the server's certificate is for another host name",
        "connect by a name that the certificate has (-h), or use sslmode=verify-ca"),
    ("Expired", "", "renew the server's certificate, or set this machine's clock"),
    ("NotValidYet", "", "set this machine's clock, or the server's certificate is for a later time"),
    ("Revoked", "", "the server needs another certificate"),
    ("BadSignature", "", "sslrootcert has another authority of the same name: name the one that signed the server's certificate"),
    ("certificate expired", "the server's certificate has expired", "renew the server's certificate, or set this machine's clock"),
    ("not valid yet", "", "set this machine's clock, or the server's certificate is for a later time"),
    ("KeyMismatch", "the client's certificate and key do not belong together", "name a pair with sslcert and sslkey"),
    ("CertificateRequired", "the server wants a client certificate", CLIENT_CERTIFICATE),
    ("UnknownCA", "the server does not know who signed the client's certificate",
        "name another pair with sslcert and sslkey, or add the authority to the server's ssl_ca_file"),
    ("CertificateExpired", "the client's certificate has expired", "renew the file of sslcert"),
    ("CertificateRevoked", "the client's certificate is revoked", "name another pair with sslcert and sslkey"),
    ("BadCertificate", "the server refuses the client's certificate", "name another pair with sslcert and sslkey"),
    ("ProtocolVersion", "the server speaks no TLS version that pgguard speaks (1.2 and 1.3)", "set ssl_max_protocol_version on the server to TLSv1.2 or later"),
    ("HandshakeFailure", "the server and pgguard have no TLS version or cipher in common", "TLS 1.2 or 1.3 is needed: check the server's ssl_ciphers and ssl_max_protocol_version"),
    ("no keys found", "the file of sslkey holds no private key that can be read",
        "pgguard reads PEM keys that are not encrypted: openssl pkey -in KEY -out NEW (mode 0600), then sslkey=NEW"),
    ("does not support TLS", "the server does not speak TLS (ssl = off)", "turn ssl on there, or use sslmode=prefer or disable"),
    ("invalid dns name", "", "the host's name cannot be in a certificate: check -h"),
];

/// A TLS handshake or its files failed. Nothing here falls back to plain text: who asks for `prefer` does not ask
/// for a password in clear text because of a certificate.
fn of_tls(said: &str) -> Refusal {
    let known = TLS.iter().find(|t| said.contains(t.0));
    let (why, help) = known.map_or(
        ("", "check sslmode, sslrootcert, sslcert and sslkey"),
        |t| (t.1, t.2),
    );
    Refusal {
        why: if why.is_empty() {
            format!("TLS: {said}")
        } else {
            format!("{why} (TLS: {said})")
        },
        help: help.to_owned(),
        try_next: true,
        tls_failed: !said.contains("does not support TLS"),
        ..Refusal::default()
    }
}

impl Refusal {
    /// A file of the client's certificate cannot be read.
    #[must_use]
    pub fn unreadable(why: String) -> Self {
        plain(
            why,
            "name the files with sslcert and sslkey, or use sslcertmode=disable",
        )
    }

    /// The login over TLS was refused, and without TLS the server wants the password in clear text.
    #[must_use]
    pub fn in_clear_text(over_tls: &Self) -> Self {
        Self {
            why: format!("over TLS: {}; without TLS the server asks for the password in clear text", over_tls.why),
            help: "let pg_hba.conf have a hostssl line for this role, or scram-sha-256 instead of password; pgguard sends \
                   a password in clear text only with sslmode=disable"
                .into(),
            ..Self::default()
        }
    }

    /// With what `sslmode=prefer` does where TLS fails.
    #[must_use]
    pub fn under_prefer(mut self) -> Self {
        if self.tls_failed {
            self.help
                .push_str("; pgguard connects without encryption only with sslmode=disable");
        }
        self
    }
}

fn of_io(error: &std::io::Error) -> Refusal {
    let text = error.to_string();
    // rustls's errors come as the socket's.
    if error.kind() == ErrorKind::InvalidData {
        return of_tls(&text);
    }
    let help = match error.kind() {
        ErrorKind::ConnectionRefused => "is a server running there? check -h and -p",
        ErrorKind::NotFound => {
            "no server has its socket there: check -h and -p, or give -h localhost"
        }
        ErrorKind::PermissionDenied => {
            "the system's user may not open the socket: give -h localhost"
        }
        ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            "the host cannot be reached: check -h, a firewall or a VPN"
        }
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => {
            "the other side hung up: is it a Postgres server? check -p and sslmode"
        }
        _ if text.contains("lookup") => "the name is not known: check -h",
        _ => "check -h, -p and sslmode",
    };
    Refusal {
        try_next: true,
        help: help.into(),
        why: text,
        ..Refusal::default()
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

/// A server that is too old, or only calls itself Postgres. Look-alikes name an old version: CockroachDB 13, Redshift 8,
/// Greenplum 9 or 12, `YugabyteDB` 11; pgbouncer's own console 1.
#[must_use]
pub fn too_old(address: &str, server: &Server) -> Error {
    let major = server.version_num / 10_000;
    let minor = server.version_num % 10_000;
    let version = if major >= 10 && minor < 100 {
        format!("{major}.{minor}")
    } else {
        format!("{major}.{}.{}", minor / 100, minor % 100)
    };
    let (why, help) = if major < 2 {
        (
            format!("this is pgbouncer's own console (version {version}) and no database"),
            "name a real database with -d",
        )
    } else {
        (
            format!("the server says that it is version {version}"),
            "Postgres 14 or later is needed; CockroachDB, Redshift, Greenplum and YugabyteDB have no locks like Postgres's",
        )
    };
    Error::Server {
        what: format!("look at {address}"),
        why,
        help: help.into(),
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
