//! Encrypted connections: what each mode promises, and that no password goes in clear text.

use crate::common::until;
use crate::connect::{answer, bare, flags, written};
use pgguard::test_support::throwaway::{Options, Server};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A server with TLS whose certificate is for `localhost`, and its authority's certificate.
struct Secure {
    server: Server,
    folder: tempfile::TempDir,
}

impl Secure {
    fn start(options: &Options) -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            println!("skipped: there is no openssl program to make certificates with");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        for (name, subject) in [("ca", "/CN=an authority"), ("other", "/CN=another one")] {
            openssl(
                folder.path(),
                &format!(
                    "req -x509 -newkey rsa:2048 -nodes -days 2 -keyout {name}.key -out {name}.crt -subj"
                ),
                subject,
            );
        }
        openssl(
            folder.path(),
            "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj",
            "/CN=localhost",
        );
        written(
            folder.path().join("names"),
            "subjectAltName=DNS:localhost\n",
            0o644,
        );
        openssl(
            folder.path(),
            "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out server.crt -extfile",
            "names",
        );
        let server = Server::start(options).unwrap();
        for name in ["server.key", "server.crt"] {
            let bytes = fs::read(folder.path().join(name)).unwrap();
            server.put(name, &bytes).unwrap();
        }
        server
            .sql(
                "postgres",
                "ALTER SYSTEM SET ssl = on; SELECT pg_reload_conf()",
            )
            .unwrap();
        until("the server takes TLS", || {
            server.sql("postgres", "SHOW ssl").unwrap() == "on"
        });
        Some(Self { server, folder })
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Whether a connection like this was made with TLS; the refusal otherwise.
    fn tls(&self, host: &str, more: &str) -> std::result::Result<bool, String> {
        let (port, password) = (self.server.port(), self.server.password());
        let text = format!(
            "host={host} port={port} user=postgres dbname=postgres password={password} {more}"
        );
        let question = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        answer(&flags(&text), &bare(), question)
            .map(|said| said == "t")
            .map_err(|error| error.to_string())
    }
}

fn openssl(folder: &Path, arguments: &str, last: &str) {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .arg(last)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn tls_modes_promise_what_libpq_promises() {
    let Some(secure) = Secure::start(&Options::default()) else {
        return;
    };
    let (ca, other) = (secure.file("ca.crt"), secure.file("other.crt"));
    #[rustfmt::skip]
    let cases: &[(&str, String, Option<bool>)] = &[
        ("127.0.0.1", "sslmode=disable".into(),                                Some(false)),
        ("127.0.0.1", "sslmode=allow".into(),                                  Some(false)),
        ("127.0.0.1", "sslmode=prefer".into(),                                 Some(true)),
        ("127.0.0.1", "".into(),                                               Some(true)),
        ("127.0.0.1", "sslmode=require".into(),                                Some(true)),
        ("127.0.0.1", format!("sslmode=require sslrootcert={ca}"),             Some(true)),
        ("127.0.0.1", format!("sslmode=require sslrootcert={other}"),          None),
        ("127.0.0.1", format!("sslmode=verify-ca sslrootcert={ca}"),           Some(true)),
        ("127.0.0.1", format!("sslmode=verify-ca sslrootcert={other}"),        None),
        ("127.0.0.1", "sslmode=verify-ca".into(),                              None),
        ("localhost", format!("sslmode=verify-full sslrootcert={ca}"),         Some(true)),
        ("127.0.0.1", format!("sslmode=verify-full sslrootcert={ca}"),         None),
        ("localhost", "sslrootcert=system".into(),                             None),
    ];
    for (host, more, expected) in cases {
        let outcome = secure.tls(host, more);
        match expected {
            Some(tls) => assert_eq!(outcome, Ok(*tls), "{host} {more}"),
            None => {
                let message = outcome.expect_err(more);
                assert!(
                    message.contains("sslmode") || message.contains("sslrootcert"),
                    "{host} {more}: {message}"
                );
            }
        }
    }
}

/// cases/ops/03, cases/ops/12
#[test]
fn a_certificate_that_cannot_be_used_is_named_and_nothing_goes_in_clear_text() {
    let clear = Options::default().hba("host all all 127.0.0.1/32 password");
    let Some(secure) = Secure::start(&clear) else {
        return;
    };
    openssl(
        secure.folder.path(),
        "x509 -req -in server.csr -signkey server.key -days 2 -out",
        "v1.crt",
    );
    let bytes = fs::read(secure.folder.path().join("v1.crt")).unwrap();
    secure.server.put("server.crt", &bytes).unwrap();
    secure
        .server
        .sql("postgres", "SELECT pg_reload_conf()")
        .unwrap();
    until("the server has the certificate of version 1", || {
        secure.tls("127.0.0.1", "sslmode=require").is_err()
    });
    for more in ["", "sslmode=prefer", "sslmode=require"] {
        let message = secure.tls("127.0.0.1", more).expect_err(more);
        assert!(message.contains("X.509 version 1"), "{more}: {message}");
        assert_eq!(
            message.contains("sslmode=disable"),
            more != "sslmode=require",
            "{more}: {message}"
        );
    }
    assert_eq!(secure.tls("127.0.0.1", "sslmode=disable"), Ok(false));
    for (more, expected) in [
        ("sslcert=/no/such.crt sslkey=/no/such.key", "sslcert"),
        ("sslrootcert=/no/such.crt sslmode=verify-ca", "sslrootcert"),
    ] {
        let message = secure.tls("127.0.0.1", more).expect_err(more);
        assert!(message.contains(expected), "{more}: {message}");
    }
}

#[test]
fn allow_and_prefer_try_the_other_way_when_the_server_wants_it() {
    let hba = |kind: &str| {
        Options::default()
            .hba(&format!("{kind} all all 127.0.0.1/32 scram-sha-256"))
            .hba("host all all 127.0.0.1/32 reject")
    };
    let Some(only_tls) = Secure::start(&hba("hostssl")) else {
        return;
    };
    assert_eq!(only_tls.tls("127.0.0.1", "sslmode=allow"), Ok(true));
    assert!(only_tls.tls("127.0.0.1", "sslmode=disable").is_err());
    let Some(never_tls) = Secure::start(&hba("hostnossl")) else {
        return;
    };
    assert_eq!(never_tls.tls("127.0.0.1", "sslmode=prefer"), Ok(false));
    assert!(never_tls.tls("127.0.0.1", "sslmode=require").is_err());
}

/// Over TLS pg_hba.conf refuses; without TLS the server wants the password in some form. libpq comes again in each case.
#[test]
fn a_refusal_over_tls_leads_to_no_password_in_clear_text() {
    for (method, comes_again) in [
        ("password", false),
        ("scram-sha-256", true),
        ("md5", true),
        ("trust", true),
    ] {
        let hba = Options::default()
            .hba("hostssl all all 127.0.0.1/32 reject")
            .hba(&format!("hostnossl all all 127.0.0.1/32 {method}"));
        let Some(secure) = Secure::start(&hba) else {
            return;
        };
        for prefer in ["", "sslmode=prefer"] {
            match secure.tls("127.0.0.1", prefer) {
                Ok(over_tls) => assert!(comes_again && !over_tls, "{method}"),
                Err(said) => {
                    assert!(!comes_again, "{method}: {said}");
                    assert!(said.contains("in clear text"), "{said}");
                    assert!(said.contains("sslmode=disable"), "{said}");
                }
            }
        }
        assert_eq!(
            secure.tls("127.0.0.1", "sslmode=disable"),
            Ok(false),
            "{method}"
        );
        assert!(
            secure.tls("127.0.0.1", "sslmode=require").is_err(),
            "{method}"
        );
        let (port, password) = (secure.server.port(), secure.server.password());
        let libpq = Command::new(secure.server.bin("psql"))
            .args([
                "-XAtc",
                "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
            ])
            .arg(format!(
                "host=127.0.0.1 port={port} user=postgres dbname=postgres sslmode=prefer"
            ))
            .env("PGPASSWORD", password)
            .output()
            .expect("psql starts");
        assert_eq!(
            String::from_utf8_lossy(&libpq.stdout).trim(),
            "f",
            "{method}"
        );
    }
}
