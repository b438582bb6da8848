//! Connecting to real servers, in every way that libpq's users know.

use crate::common::{Database, Pooler, database, until};
use pgguard::test_support::postgres::connect::{Connection, Environment, Flags, Target};
use pgguard::test_support::throwaway::{Options, Server};
use pgguard::{Error, Result};
use std::fs;
use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(30);

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

pub fn flags(dbname: &str) -> Flags {
    Flags {
        dbname: Some(dbname.to_owned()),
        ..Flags::default()
    }
}

pub fn bare() -> Environment {
    Environment::new(&[], None, Some("nobody-there"))
}

/// What the server says when asked this, over a connection of its own.
pub fn answer(flags: &Flags, env: &Environment, question: &str) -> Result<String> {
    let target = Target::resolve(flags, env)?;
    run(async {
        let mut connection = Connection::open(&target, LONG).await?;
        let answer = first(&mut connection, question).await?;
        connection.close().await;
        Ok(answer)
    })
}

async fn first(connection: &mut Connection, question: &str) -> Result<String> {
    let mut answer = String::new();
    connection
        .ask("ask", question, |row| {
            answer = row.word(0).unwrap_or("NULL").to_owned();
        })
        .await?;
    Ok(answer)
}

fn whoami(flags: &Flags, env: &Environment) -> Result<String> {
    answer(
        flags,
        env,
        "SELECT current_user || '@' || current_database()",
    )
}

/// The refusal's text.
fn refusal(dbname: &str, env: &Environment) -> String {
    match whoami(&flags(dbname), env) {
        Err(error @ Error::Connect { .. }) => error.to_string(),
        other => panic!("{dbname}: {other:?}"),
    }
}

pub fn written(path: PathBuf, text: &str, mode: u32) -> String {
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path.display().to_string()
}

#[test]
fn every_way_of_naming_the_server_reaches_it() {
    let here = database();
    let (folder, port) = (
        here.server.socket_dir().display().to_string(),
        here.server.port().to_string(),
    );
    let home = tempfile::tempdir().unwrap();
    let service = format!("[here]\nhost={folder}\nport={port}\ndbname={}\n", here.name);
    let file = written(home.path().join(".pg_service.conf"), &service, 0o644);
    let expected = format!("postgres@{}", here.name);
    let pairs = format!(
        "host={folder} port={port} user=postgres dbname={}",
        here.name
    );
    let url = here.url();
    let env = |variables: &[(&str, &str)]| {
        Environment::new(variables, Some(home.path().into()), Some("postgres"))
    };
    let all_flags = Flags {
        host: Some(folder.clone()),
        port: Some(here.server.port()),
        user: Some("postgres".into()),
        dbname: Some(here.name.clone()),
    };
    let none = Flags::default();
    let cases = [
        ("flags", all_flags, env(&[])),
        ("url", flags(&url), env(&[])),
        ("pairs", flags(&pairs), env(&[])),
        ("service", flags("service=here"), env(&[])),
        ("PGSERVICE", none.clone(), env(&[("PGSERVICE", "here")])),
        (
            "PGSERVICEFILE",
            none.clone(),
            Environment::new(
                &[("PGSERVICE", "here"), ("PGSERVICEFILE", &file)],
                None,
                Some("postgres"),
            ),
        ),
        ("DATABASE_URL", none.clone(), env(&[("DATABASE_URL", &url)])),
        (
            "PG variables",
            none,
            env(&[
                ("PGHOST", &folder),
                ("PGPORT", &port),
                ("PGDATABASE", &here.name),
            ]),
        ),
    ];
    for (way, flags, env) in cases {
        assert_eq!(whoami(&flags, &env).unwrap(), expected, "{way}");
    }
}

#[test]
fn a_password_is_found_where_libpq_finds_it() {
    let here = database();
    let port = here.server.port();
    let secret = here.server.password();
    let home = tempfile::tempdir().unwrap();
    let line = format!("127.0.0.1:{port}:*:postgres:{secret}\n");
    let good = written(home.path().join("good"), &line, 0o600);
    let open_to_all = written(home.path().join("open"), &line, 0o644);
    let text = format!(
        "host=127.0.0.1 port={port} user=postgres dbname={}",
        here.name
    );
    let env = |variables: &[(&str, &str)]| {
        Environment::new(variables, Some(home.path().into()), Some("nobody-there"))
    };
    let expected = format!("postgres@{}", here.name);

    assert_eq!(
        whoami(&flags(&text), &env(&[("PGPASSFILE", &good)])).unwrap(),
        expected
    );
    assert_eq!(
        whoami(&flags(&text), &env(&[("PGPASSWORD", secret)])).unwrap(),
        expected
    );
    let said = format!("{text} password='{secret}'");
    assert_eq!(
        whoami(&flags(&said), &env(&[("PGPASSWORD", "x")])).unwrap(),
        expected
    );

    let none = refusal(&text, &env(&[]));
    assert!(
        none.contains("none was given") && none.contains("PGPASSFILE"),
        "{none}"
    );
    let open = refusal(&text, &env(&[("PGPASSFILE", &open_to_all)]));
    assert!(open.contains("chmod 0600"), "{open}");
    let wrong = refusal(&text, &env(&[("PGPASSWORD", "Wrong-Secret")]));
    assert!(wrong.contains("authentication failed"), "{wrong}");
    assert!(!wrong.contains("Wrong-Secret"), "{wrong}");

    written(home.path().join(".pgpass"), &line, 0o600);
    assert_eq!(whoami(&flags(&text), &env(&[])).unwrap(), expected);
}

#[test]
fn a_failure_says_what_to_do_and_never_the_password() {
    let here = database();
    let folder = here.server.socket_dir().display().to_string();
    let port = here.server.port();
    #[rustfmt::skip]
    let cases = [
        ("host=127.0.0.1 port=1 password=Secret".to_owned(),                                       "is a server running"),
        ("postgres://u:Secret@no-such-host.invalid/d".to_owned(),                                 "the name is not known"),
        (format!("host={folder} port=1 password=Secret"),                                         "no server has its socket there"),
        (format!("host={folder} port={port} user=postgres dbname=nowhere password=Secret"),       "check the database's name"),
        (format!("host={folder} port={port} user=nobody-there dbname=postgres password=Secret"),  "check the role"),
        (format!("host=127.0.0.1 port={port} user=postgres password=Secret"),                     "PGPASSFILE"),
        (format!("host=127.0.0.1 port={port} user=postgres password=Secret sslmode=require"),     "sslmode"),
    ];
    for (text, help) in cases {
        let message = refusal(&text, &bare());
        assert!(message.contains(help), "{text}: {message}");
        assert!(!message.contains("Secret"), "{message}");
    }
}

#[test]
fn taken_slots_are_named_as_such() {
    let server = Server::start(
        &Options::default()
            .setting("max_connections", "6")
            .setting("superuser_reserved_connections", "3")
            .setting("max_wal_senders", "0")
            .setting("autovacuum", "off"),
    )
    .unwrap();
    server.sql("postgres", "CREATE ROLE app LOGIN").unwrap();
    let target = Target::resolve(&flags(&server.url_as("app", "postgres")), &bare()).unwrap();
    run(async {
        let mut taken = Vec::new();
        let refused = loop {
            match Connection::open(&target, LONG).await {
                Ok(connection) => taken.push(connection),
                Err(error) => break error.to_string(),
            }
            assert!(taken.len() < 7, "the slots never end");
        };
        assert!(
            refused.contains("all connection slots are taken"),
            "{refused}"
        );
    });
}

#[test]
fn the_next_server_is_tried_unless_the_login_was_refused() {
    let here = database();
    let port = here.server.port();
    let folder = here.server.socket_dir().display();
    let two = |first: &str| {
        format!(
            "host={first},{folder} port=1,{port} user=postgres dbname={}",
            here.name
        )
    };
    let expected = format!("postgres@{}", here.name);
    for first in ["127.0.0.1", "no-such-host.invalid", "/nowhere"] {
        assert_eq!(
            whoami(&flags(&two(first)), &bare()).unwrap(),
            expected,
            "{first}"
        );
    }
    let refused = format!("host=127.0.0.1,{folder} port={port} user=postgres password=wrong");
    let message = refusal(&refused, &bare());
    assert!(message.contains("authentication failed"), "{message}");
}

#[test]
fn only_a_server_in_the_wanted_state_will_do() {
    let here = database();
    here.sql(&format!(
        "ALTER DATABASE {} SET default_transaction_read_only = on",
        here.name
    ));
    let with = |wanted: &str| {
        let text = format!("{}&target_session_attrs={wanted}", here.url());
        whoami(&flags(&text), &bare()).map_err(|error| error.to_string())
    };
    for wanted in ["any", "primary", "read-only", "prefer-standby"] {
        with(wanted).unwrap_or_else(|error| panic!("{wanted}: {error}"));
    }
    for wanted in ["read-write", "standby"] {
        let message = with(wanted).unwrap_err();
        assert!(message.contains(&format!("is not {wanted}")), "{message}");
    }
}

#[test]
fn an_md5_password_still_opens() {
    let server = Server::start(
        &Options::default()
            .setting("password_encryption", "md5")
            .hba("host all old 127.0.0.1/32 md5"),
    )
    .unwrap();
    server
        .sql("postgres", "CREATE ROLE old LOGIN PASSWORD 'x y'")
        .unwrap();
    let text = format!("postgres://old:x%20y@127.0.0.1:{}/postgres", server.port());
    assert_eq!(whoami(&flags(&text), &bare()).unwrap(), "old@postgres");
}

fn open(here: &Database) -> Target {
    Target::resolve(&flags(&here.url()), &bare()).unwrap()
}

#[test]
fn our_session_only_reads_and_waits_for_no_lock() {
    let here = database();
    here.sql("CREATE TABLE t (id int)");
    let mut holder = here.session();
    holder.exec("BEGIN; LOCK TABLE t");
    let target = open(&here);
    run(async {
        let mut connection = Connection::open(&target, LONG).await.unwrap();
        for setting in ["transaction_read_only", "default_transaction_read_only"] {
            let value = first(&mut connection, &format!("SHOW {setting}")).await;
            assert_eq!(value.unwrap(), "on", "{setting}");
        }
        let name = first(&mut connection, "SHOW application_name").await;
        assert_eq!(name.unwrap(), "pgguard");
        let written = first(&mut connection, "CREATE TABLE u (id int)").await;
        let message = written.unwrap_err().to_string();
        assert!(message.contains("read-only"), "{message}");
        let waited = first(&mut connection, "SELECT id FROM public.t").await;
        let message = waited.unwrap_err().to_string();
        assert!(message.contains("lock timeout"), "{message}");
        // An error leaves a session that still answers.
        assert_eq!(first(&mut connection, "SELECT 1").await.unwrap(), "1");
        assert!(!connection.server().pooled);
    });
}

#[test]
fn the_limits_that_a_migration_would_inherit_are_read_before_ours_are_set() {
    let here = database();
    here.sql(&format!(
        "ALTER DATABASE {0} SET lock_timeout = '3s'; ALTER ROLE postgres IN DATABASE {0} SET statement_timeout = '2min'",
        here.name
    ));
    let target = open(&here);
    let server = run(async {
        let connection = Connection::open(&target, LONG).await.unwrap();
        connection.server().clone()
    });
    assert_eq!(server.settings["lock_timeout"], "3000");
    assert_eq!(server.settings["statement_timeout"], "120000");
    assert_eq!(server.settings["idle_in_transaction_session_timeout"], "0");
    assert_eq!(server.deadlock_timeout_ms, 1000);
    assert_eq!(server.datname, here.name);
    assert!(server.sees_all && !server.in_recovery);
}

#[test]
fn nothing_of_ours_runs_on_after_a_deadline_or_a_drop() {
    let here = database();
    let target = open(&here);
    let ours = || {
        let count = here.server.sql(
            "postgres",
            &format!(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}'",
                here.name
            ),
        );
        count.unwrap()
    };
    run(async {
        let mut connection = Connection::open(&target, LONG).await.unwrap();
        connection.set_deadline(Duration::from_millis(200));
        // Longer than the statement timeout would let it: the client's own deadline has to end it.
        let late = first(
            &mut connection,
            "SET LOCAL statement_timeout = 0; SELECT pg_sleep(3600)",
        )
        .await;
        assert!(matches!(late, Err(Error::Timeout { .. })), "{late:?}");
        let again = first(&mut connection, "SELECT 1").await;
        assert!(matches!(again, Err(Error::Connect { .. })), "{again:?}");
    });
    until("the server ended the late query", || ours() == "0");
    run(async {
        let mut connection = Connection::open(&target, LONG).await.unwrap();
        let asked = first(
            &mut connection,
            "SET LOCAL statement_timeout = 0; SELECT pg_sleep(3600)",
        );
        let dropped = tokio::time::timeout(Duration::from_millis(200), asked).await;
        assert!(dropped.is_err());
    });
    until("the server ended the dropped query", || ours() == "0");
}

#[test]
fn a_deadline_covers_a_server_that_never_answers() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let target = Target::resolve(&flags(&format!("host=127.0.0.1 port={port}")), &bare()).unwrap();
    let outcome = run(Connection::open(&target, Duration::from_millis(200)));
    let message = outcome.unwrap_err().to_string();
    assert!(
        message.contains("timed out") && message.contains("connecting"),
        "{message}"
    );
}

#[test]
fn a_pooler_is_noticed_and_its_sessions_are_left_as_they_were() {
    let here = database();
    for more in ["", "ignore_startup_parameters = options"] {
        let Some(pooler) = Pooler::start(here.server, more) else {
            return;
        };
        let text = format!(
            "host=127.0.0.1 port={} user=postgres dbname={}",
            pooler.port(),
            here.name
        );
        let target = Target::resolve(&flags(&text), &bare()).unwrap();
        run(async {
            let mut connection = Connection::open(&target, LONG).await.unwrap();
            assert!(connection.server().pooled, "with {more:?}");
            let snapshot = pgguard::test_support::postgres::snapshot::look(&mut connection)
                .await
                .unwrap();
            let own = snapshot.backend(snapshot.server.own_pid);
            assert!(
                own.is_some_and(|b| b.query.contains("transaction_read_only")),
                "{own:?}"
            );
            connection.close().await;
        });
        // The next client gets the same server session, without our limits.
        let next = Command::new(here.server.bin("psql"))
            .args(["-XAt", "-d", &text])
            .args([
                "-c",
                "SHOW default_transaction_read_only",
                "-c",
                "SHOW lock_timeout",
            ])
            .args(["-c", "SHOW statement_timeout", "-c", "SHOW client_encoding"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&next.stdout).into_owned();
        assert_eq!(said, "off\n0\n0\nUTF8\n", "with {more:?}: {next:?}");
    }
}
