//! Texts as servers have them: of every encoding, and cut.

use crate::common::database;
use crate::snapshot::{look, look_at};
use pgguard::model::{Backend, BackendState, Snapshot};
use pgguard::test_support::throwaway::{Options, Server};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

/// A session that speaks bytes: no library in between that would refuse them.
struct RawSession(UnixStream);

impl RawSession {
    fn open(server: &Server, database: &str, encoding: &str) -> Self {
        let path = server
            .socket_dir()
            .join(format!(".s.PGSQL.{}", server.port()));
        let mut session = Self(UnixStream::connect(path).unwrap());
        let mut body = vec![0, 3, 0, 0];
        for word in [
            "user",
            "postgres",
            "database",
            database,
            "client_encoding",
            encoding,
        ] {
            body.extend(word.as_bytes());
            body.push(0);
        }
        body.push(0);
        let length = u32::try_from(body.len() + 4).unwrap();
        session.0.write_all(&length.to_be_bytes()).unwrap();
        session.0.write_all(&body).unwrap();
        session.until_ready();
        session
    }

    fn run(&mut self, query: &[u8]) {
        let length = u32::try_from(query.len() + 5).unwrap();
        self.0.write_all(b"Q").unwrap();
        self.0.write_all(&length.to_be_bytes()).unwrap();
        self.0.write_all(query).unwrap();
        self.0.write_all(&[0]).unwrap();
        self.until_ready();
    }

    fn until_ready(&mut self) {
        loop {
            let mut head = [0; 5];
            self.0.read_exact(&mut head).unwrap();
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
            let mut body = vec![0; length as usize - 4];
            self.0.read_exact(&mut body).unwrap();
            match head[0] {
                b'Z' => return,
                b'E' => panic!("{}", String::from_utf8_lossy(&body)),
                _ => {}
            }
        }
    }
}

#[test]
fn texts_of_every_encoding_are_seen_from_every_database() {
    let server = Server::start(&Options::default()).unwrap();
    let databases = ["SQL_ASCII", "LATIN1", "EUC_JP", "UTF8"];
    for encoding in databases {
        server
            .sql(
                "postgres",
                &format!(
                    "CREATE DATABASE {encoding} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"
                ),
            )
            .unwrap();
    }
    // Each leaves a table with a name of its own and a query text in its own bytes.
    #[rustfmt::skip]
    let scenes: [(&str, &[u8], &str, &str); 4] = [
        ("sql_ascii", b"\"caf\xe9 \xff\"",          "caf\u{FFFD} \u{FFFD}", "caf\u{FFFD}"),
        ("latin1",    b"\"caf\xe9\"",               "café",                 "café"),
        ("euc_jp",    b"\"\xc6\xfc\xcb\xdc\"",      "日本",                 "\u{FFFD}"),
        ("utf8",      "\"日本 é\"".as_bytes(),      "日本 é",               "日本 é"),
    ];
    let mut sessions = Vec::new();
    for ((database, name, ..), encoding) in scenes.iter().zip(databases) {
        let mut session = RawSession::open(&server, database, encoding);
        session.run(&[b"BEGIN; CREATE TABLE ", *name, b" (id int); COMMIT"].concat());
        session.run(
            &[
                b"BEGIN; LOCK TABLE ",
                *name,
                b" /* a | b \x1b[31m\x07\r\n */",
            ]
            .concat(),
        );
        sessions.push(session);
    }
    for (database, _, relation, _) in scenes {
        let seen = look_at(&server.url(database));
        assert!(
            seen.relations.values().any(|r| r.name.relation == relation),
            "{database}: {:?}",
            seen.relations
                .values()
                .map(|r| &r.name.relation)
                .collect::<Vec<_>>()
        );
        for (other, _, _, in_query) in scenes {
            let holder: &Backend = seen
                .backends
                .iter()
                .find(|b| {
                    b.datname.as_deref() == Some(other)
                        && b.state == Some(BackendState::IdleInTransaction)
                })
                .unwrap();
            assert!(
                holder.query.contains(in_query),
                "{database} sees {other}: {:?}",
                holder.query
            );
            assert!(
                holder.query.contains("a | b \x1b[31m\x07\r\n"),
                "{:?}",
                holder.query
            );
        }
        let json = serde_json::to_string(&seen).unwrap();
        assert_eq!(serde_json::from_str::<Snapshot>(&json).unwrap(), seen);
    }
}

#[test]
fn a_text_that_the_server_cut_is_known_to_be_cut() {
    let here = database();
    let text = |length: usize| format!("SELECT 1 /* {} */", "é日".repeat(length));
    let mut short = here.session();
    short.exec(&text(10));
    let mut long = here.session();
    long.exec(&text(1000));
    let seen = look(&here);
    let short = seen.backend(short.pid()).unwrap();
    assert!(!short.query_truncated && short.query == text(10));
    let long = seen.backend(long.pid()).unwrap();
    assert!(long.query_truncated, "{} bytes", long.query.len());
    assert!(
        text(1000).starts_with(&long.query),
        "it ends with a whole character"
    );
}
