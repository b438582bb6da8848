//! Text of others never leaves raw, whatever field it stands in and whatever command or form tells it; nothing is
//! written over what is no plain file; whatever reads our output may go.

use crate::common::{self, Outcome, pgguard_command};
use nix::pty::openpty;
use pgguard::test_support::throwaway::Options;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};

/// A window's title, a colour, a C1 control, a line of GitHub's, a mark that reverses the line, an order of an
/// older runner. Short enough for a name.
const EVIL: &str = "e\x1b]0;t\x07\x1b[31m\u{9b}2J\r\n::error::x\u{202e}\x7f##[error]'\"";

pub fn run(command: &mut Command) -> Outcome {
    let output = command.stdin(Stdio::null()).output().expect("it runs");
    Outcome {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

fn is_raw(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Says what of an output a terminal or a CI's log would act on.
fn raw_part(text: &str, is_github: bool) -> Option<String> {
    if let Some(c) = text.chars().find(|c| is_raw(*c)) {
        return Some(format!("{c:?} is raw"));
    }
    let ours = [
        "::error title=",
        "::error file=",
        "::notice title=",
        "::notice file=",
    ];
    for line in text.lines() {
        let is_ours = is_github && ours.iter().any(|begin| line.starts_with(begin));
        if (line.trim_start().starts_with("::") && !is_ours) || line.contains("##[") {
            return Some(format!("a command: {line}"));
        }
    }
    None
}

fn assert_safe(outcome: &Outcome, what: &str) {
    let is_github = what.contains("github");
    let colours = [
        "\x1b[0m",
        "\x1b[1m",
        "\x1b[2m",
        "\x1b[1;31m",
        "\x1b[1;32m",
        "\x1b[1;33m",
        "\x1b[m",
        "\x1b[22m",
        "\x1b[39m",
        "\x1b[38;5;9m",
        "\x1b[38;5;11m",
    ];
    for text in [&outcome.stdout, &outcome.stderr] {
        let without = |text: String, colour: &&str| text.replace(*colour, "");
        let text = match what.contains("always") {
            true => colours.iter().fold(text.clone(), without),
            false => text.clone(),
        };
        if let Some(raw) = raw_part(&text, is_github) {
            panic!("{what}: {raw} in {outcome:?}");
        }
    }
    assert!(!outcome.stderr.contains("panicked"), "{what}: {outcome}");
}

/// A literal of SQL.
fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn identifier(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// cases/safety/03: the gid; and each other name and text that a role of the server can choose.
#[test]
fn no_text_of_the_server_leaves_raw_in_any_command_or_form() {
    let server = common::own_server(&Options::default().setting("autovacuum", "off"));
    let evil = identifier(EVIL);
    server
        .sql("postgres", &format!("CREATE ROLE {evil} SUPERUSER LOGIN"))
        .expect("a role");
    server.create_database(EVIL).expect("a database");
    let url = server.url_as(EVIL, EVIL);
    let folder = tempfile::tempdir().unwrap();
    let setup = format!(
        "CREATE SCHEMA {evil}; CREATE TABLE {evil}.{evil} ({evil} int); CREATE TABLE prep (a int); \
         CREATE INDEX {} ON {evil}.{evil} ({evil}); CREATE TABLE held (a int); \
         CREATE FUNCTION {evil}() RETURNS int LANGUAGE sql AS 'SELECT 1'; \
         CREATE TYPE {} AS ENUM ({});",
        identifier(&EVIL.replace('e', "i")),
        identifier(&EVIL.replace('e', "y")),
        literal(EVIL)
    );
    server.sql(EVIL, &setup).expect("its tables");
    let connect = |name: &str| common::Session::connect(server, &url, name);
    let mut reader = connect(EVIL);
    reader.exec(&format!(
        "BEGIN; SELECT 1 AS {evil} FROM {evil}.{evil}, held"
    ));
    let mut preparing = connect("x");
    preparing.exec(&format!(
        "BEGIN; LOCK TABLE prep IN ACCESS EXCLUSIVE MODE; PREPARE TRANSACTION {}",
        literal(EVIL)
    ));
    let mut waiter = connect("w");
    waiter.start(&format!(
        "ALTER TABLE {evil}.{evil} ADD COLUMN x int -- {}",
        EVIL.replace('\n', "\n--")
    ));
    waiter.until_waiting();

    let file = folder.path().join(EVIL.replace(['/', '\0'], "_") + ".sql");
    std::fs::write(
        &file,
        format!(
            "ALTER TABLE {evil}.{evil} ADD COLUMN y int;\nALTER TABLE prep ADD COLUMN y int; -- {0}\n\
             DROP TABLE {1};\nDO $$ begin perform '{2}'; end $$;\nSELECT * FROM {1}.nowhere;\n\
             COMMENT ON TABLE held IS {0};\nCREATE INDEX CONCURRENTLY ON held(a);\n",
            literal(EVIL).replace('\n', " "),
            identifier(&EVIL.replace('e', "n")),
            EVIL.replace('\'', "")
        ),
    )
    .unwrap();
    let broken = folder
        .path()
        .join(format!("broken{EVIL}.sql").replace('/', "_"));
    std::fs::write(&broken, format!("ALTER TABL {evil};")).unwrap();
    let history = folder.path().join(EVIL.replace('/', "_") + ".sqlite");
    let recording = folder.path().join("recording");
    let config = folder.path().join("config.toml");
    let target = serde_json::json!(EVIL.replace('\u{7f}', ""));
    std::fs::write(
        &config,
        format!(
            "[[target]]\nname = {target}\nurl = {}\n",
            serde_json::json!(url)
        ),
    )
    .unwrap();
    let (file, broken, history, recording, config) = (
        file.to_str().unwrap(),
        broken.to_str().unwrap(),
        history.to_str().unwrap(),
        recording.to_str().unwrap(),
        config.to_str().unwrap(),
    );

    let summary = folder.path().join("summary.md");
    let mut commands: Vec<Vec<&str>> = Vec::new();
    for format in ["text", "json"] {
        commands.push(vec!["status", "--all", "--evidence", "--format", format]);
        commands.push(vec![
            "status", "--all", "--color", "always", "--format", format,
        ]);
        commands.push(vec![
            "status",
            "--search",
            EVIL,
            "--database",
            EVIL,
            "--format",
            format,
        ]);
        commands.push(vec!["explain", "--format", format, file]);
        commands.push(vec!["explain", "--format", format, broken]);
        commands.push(vec!["backups", "--format", format, "--history", history]);
    }
    for format in [
        "text", "json", "github", "junit", "sarif", "gitlab", "markdown",
    ] {
        commands.push(vec!["gate", "--format", format, file]);
        commands.push(vec!["gate", "--format", format, broken]);
        commands.push(vec!["gate", "--format", format]);
        commands.push(vec!["gate", "--format", format, "--before", "backup"]);
        commands.push(vec![
            "gate",
            "--format",
            format,
            "--wait",
            "1s",
            "--interval",
            "300ms",
            file,
        ]);
    }
    commands.push(vec!["status", "--record", recording]);
    commands.push(vec!["gate", "--role", EVIL, "--tool", EVIL, file]);
    commands.push(vec!["gate", "--role", "nobody\x1b[31m", file]);
    commands.push(vec!["gate", EVIL]);
    commands.push(vec!["gate", "--wait", EVIL]);
    commands.push(vec!["gate", &EVIL[..2], "--\n::error::option"]);
    commands.push(vec!["\n::error::command"]);
    commands.push(vec!["status", "--role", EVIL]);
    commands.push(vec!["kill", "--prepared", EVIL]);
    commands.push(vec!["kill", "--prepared", "\n::error::no such"]);
    commands.push(vec!["kill", "--blocking", file, "--yes", "another"]);
    commands.push(vec!["kill", "--prepared", EVIL, "--yes", EVIL]);
    let pids = [reader.pid().to_string(), waiter.pid().to_string()];
    for pid in &pids {
        commands.push(vec!["kill", pid]);
        commands.push(vec!["kill", pid, "--yes", EVIL]);
    }
    for format in ["text", "json"] {
        commands.push(vec!["doctor", "--format", format]);
        commands.push(vec!["log", "--history", history, "--format", format]);
    }
    commands.push(vec!["doctor", "--color", "always"]);
    commands.push(vec!["doctor", "--migrations", EVIL]);
    commands.push(vec!["backups", "import", EVIL]);
    commands.push(vec!["backups", "--history", history]);
    commands.push(vec!["backups", "export", "--history", history]);
    commands.push(vec!["backups", "--config", EVIL]);
    commands.push(vec!["backups", "record", "--history", history, "--", EVIL]);
    for mode in [
        "lock-wait",
        "blocked",
        "idle-in-transaction",
        "oldest-transaction",
        "prepared-transactions",
        "backup-running",
        "backup-overtime",
        "backup-missing",
        "migration",
        "zombie-migrations",
        "leftovers",
        "connection",
        "everything",
    ] {
        commands.push(vec![
            "check",
            "-vvv",
            "-m",
            mode,
            "--migration",
            file,
            "--for",
            "0s",
        ]);
    }
    commands.push(vec!["check", "--format", "openmetrics"]);
    commands.push(vec!["check", "--only-database", EVIL, "-vvv"]);
    commands.push(vec!["check", EVIL]);
    commands.push(vec!["check", "-m", EVIL]);

    for arguments in &commands {
        let mut command = pgguard_command();
        command
            .args(arguments)
            .env("GITHUB_STEP_SUMMARY", &summary)
            .env("PGDATABASE", EVIL)
            .env("PGUSER", EVIL)
            .env("PGHOST", server.socket_dir())
            .env("PGPORT", server.port().to_string());
        assert_safe(&run(&mut command), &format!("{arguments:?}"));
    }
    let mut command = pgguard_command();
    command.args(["gate", "--config", config, file]);
    assert_safe(&run(&mut command), "targets of a configuration");
    let summary = std::fs::read_to_string(summary).expect("a summary");
    assert_eq!(raw_part(&summary, false), None, "{summary}");
    let recorded = std::fs::read_to_string(recording).expect("a recording");
    assert_eq!(raw_part(&recorded, false), None);
    let replayed =
        run(pgguard_command().args(["status", "--all", "--format", "json", "--replay", recording]));
    let all = replayed.json().to_string();
    assert!(all.contains("::error::x"), "the names are in it: {all}");
    server
        .sql(EVIL, &format!("ROLLBACK PREPARED {}", literal(EVIL)))
        .expect("it is still there: nobody said yes");
}

/// cases/safety/07: whoever answers on the port chooses the message.
#[test]
fn no_message_of_a_server_leaves_raw() {
    let (port, _stop) = server_that_says(refusal(EVIL));
    let url = format!("postgres://u@127.0.0.1:{port}/d?sslmode=disable");
    for arguments in [
        &["status", "-d", &url][..],
        &["status", "-d", &url, "--format", "json"],
        &["gate", "-d", &url],
        &["gate", "-d", &url, "--format", "github"],
        &["gate", "-d", &url, "--format", "junit"],
        &["gate", "-d", &url, "--format", "sarif"],
        &["gate", "-d", &url, "--format", "gitlab"],
        &["gate", "-d", &url, "--format", "json"],
        &["kill", "-d", &url, "1"],
        &["kill", "-d", &url, "--prepared", "x"],
        &["backups", "-d", &url],
        &["backups", "--history", &url],
        &["backups", "init", "--history", &url],
        &["status", "--watch", "100ms", "-d", &url],
        &["check", "-vvv", "-d", &url],
        &["check", "-vvv", "-m", "connection", "-d", &url],
        &["check", "--format", "openmetrics", "-d", &url],
    ] {
        let mut command = pgguard_command();
        command.args(arguments);
        let outcome = if arguments.contains(&"--watch") {
            first_lines(&mut command)
        } else {
            run(&mut command)
        };
        assert_safe(&outcome, &format!("{arguments:?}"));
        let is_a_note = arguments[..2] == ["backups", "-d"];
        assert_eq!(outcome.status == 0, is_a_note, "{arguments:?}: {outcome}");
    }
}

/// Reads three lines, and leaves.
fn first_lines(command: &mut Command) -> Outcome {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let stdout: Vec<String> = (0..3)
        .filter_map(|_| lines.next())
        .map(|line| line.expect("UTF-8"))
        .collect();
    drop(lines);
    let output = child.wait_with_output().expect("it ends");
    Outcome {
        status: if output.status.success() { 1 } else { -1 },
        stdout: stdout.join("\n"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("short");
    [&[kind], &length.to_be_bytes()[..], body].concat()
}

/// An ErrorResponse whose every field is this text.
fn refusal(text: &str) -> Vec<u8> {
    let mut body = b"SFATAL\0VFATAL\0C28000\0".to_vec();
    for field in *b"MDHW" {
        body.push(field);
        body.extend(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    message(b'E', &body)
}

/// A server that answers each connection's first message with these bytes and hangs up.
fn server_that_says(answer: Vec<u8>) -> (u16, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else {
                return;
            };
            let mut asked = [0; 1024];
            if connection.read(&mut asked).is_ok_and(|count| count > 0) {
                let _ = connection.write_all(&answer);
            }
        }
    });
    (port, thread)
}

/// cases/safety/07 b: a parser quotes what it could not read.
#[test]
fn no_damaged_file_is_quoted_raw() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged");
    let name = path.to_str().unwrap();
    let value = serde_json::json!(EVIL).to_string();
    for text in [
        format!("{{\"version\":1,\"looks\":{value}}}"),
        format!("{{\"version\":1,\"looks\":[{value}]}}"),
        format!("{{\"version\":1,\"looks\":[{{{value}:1}}]}}"),
        format!("{{\"version\":1,\"catalog\":{{\"relations\":{value}}}}}"),
        EVIL.to_owned(),
        format!(
            "[[target]]\nname = \"{}",
            EVIL.replace(['"', '\n', '\r', '\x1b', '\x07', '\x7f'], "")
        ),
        "\"\u{9b}31m\" = 1\n[[backup]]\ncron = \"\u{202e}\"".to_owned(),
        "[[backup]]\ncron = \"\\u001b[31m\\n::error::x\"\n".to_owned(),
        "takes = \"\\u001b[31m\\n::error::x\"\n".to_owned(),
        "tz = \"\\u001b[31m\\n::error::x\"\n".to_owned(),
    ] {
        std::fs::write(&path, text).unwrap();
        for arguments in [
            &["status", "--replay", name][..],
            &["gate", "--replay", name, "-"],
            &["explain", "--replay", name, name],
            &["gate", "--config", name],
            &["backups", "--config", name, "--no-history"],
            &["backups", "import", name],
        ] {
            let outcome = run(pgguard_command()
                .args(arguments)
                .env("PGHOST", folder.path()));
            assert_safe(&outcome, &format!("{arguments:?}"));
        }
    }
}

/// Runs a command on a terminal, answers its question with these bytes, and gives what it said.
fn on_a_terminal(arguments: &[&str], answer: &[u8]) -> (i32, String) {
    let pty = openpty(None, None).expect("a terminal");
    let end = || Stdio::from(pty.slave.try_clone().expect("its end"));
    let mut child = pgguard_command()
        .args(arguments)
        .stdin(end())
        .stdout(end())
        .stderr(end())
        .spawn()
        .expect("it starts");
    drop(pty.slave);
    let mut terminal = File::from(pty.master);
    let mut said = Vec::new();
    let mut byte = [0];
    while !said.ends_with(b"to do it: ") && terminal.read_exact(&mut byte).is_ok() {
        said.push(byte[0]);
    }
    terminal.write_all(answer).expect("an answer");
    let _ = terminal.read_to_end(&mut said);
    let status = child.wait().expect("it ends").code().unwrap_or(-1);
    (status, String::from_utf8_lossy(&said).into_owned())
}

/// cases/safety/04: an empty gid, blanks of every kind, and what nobody can type.
#[test]
fn no_blank_or_hostile_gid_confirms_itself() {
    let shop = common::database();
    let url = shop.url();
    for (nth, gid) in ["", " ", "\u{a0}", "\t", "g\x1b]0;x\x07\n::error::y"]
        .iter()
        .enumerate()
    {
        let mut session = shop.session();
        session.exec(&format!(
            "BEGIN; CREATE TABLE t{nth} (a int); PREPARE TRANSACTION {}",
            literal(gid)
        ));
        for answer in [&b"\n"[..], b"\x04", b" \n", b"y\n", b"y\x04\x04", b"\"\"\n"] {
            let (status, said) = on_a_terminal(&["kill", "-d", &url, "--prepared", gid], answer);
            assert_eq!(status, 1, "{gid:?} by {answer:?}: {said}");
            let raw = said.replace('\r', "");
            assert_eq!(raw_part(&raw, false), None, "{said}");
        }
        let left = shop.sql(&format!(
            "SELECT to_char(prepared AT TIME ZONE 'UTC', 'HH24:MI:SS') FROM pg_prepared_xacts WHERE gid = {}",
            literal(gid)
        ));
        let words = format!("roll back {left}\n");
        let (status, said) =
            on_a_terminal(&["kill", "-d", &url, "--prepared", gid], words.as_bytes());
        assert_eq!(status, 0, "{gid:?} by {words}: {said}");
    }
}

/// cases/safety/10 c: a server whose messages are none.
#[test]
fn a_broken_server_is_no_panic() {
    let row = |bytes: &[u8]| {
        [
            &message(b'R', &[0, 0, 0, 0])[..],
            &message(b'Z', b"I"),
            bytes,
        ]
        .concat()
    };
    for answer in [
        b"R\0\0\0\0".to_vec(),
        b"R\xff\xff\xff\xff".to_vec(),
        b"E\0\0\0\x04".to_vec(),
        message(b'R', &[]),
        message(b'R', &[0, 0, 0, 10]),
        message(b'R', &[0, 0, 0, 99]),
        message(b'E', b"S"),
        message(b'S', b"x"),
        message(b'K', b"x"),
        message(b'Z', b""),
        row(&message(b'D', &[0, 0])),
        row(&message(b'D', &[0, 9, 0])),
        row(&message(b'T', &[0, 1, b'x'])),
        row(&message(b'T', &[255, 255])),
        row(&[message(b'T', &[0, 0]), message(b'D', &[])].concat()),
        row(b"T\0\0\0\0"),
        row(b"N\0\0\0\x01"),
        row(&message(b't', &[0, 1])),
        row(&message(b'C', b"")),
        row(&message(b'A', b"x")),
        row(&message(b'2', &[])),
        row(&[
            message(b'1', &[]),
            message(b'2', &[]),
            message(b'D', &[0, 0]),
            message(b'C', b"SELECT 1\0"),
        ]
        .concat()),
        row(&[
            message(b'T', &[0, 0]),
            message(b'D', &[0, 0]),
            message(b'C', b"SELECT 1\0"),
            message(b'Z', b"I"),
        ]
        .concat()),
    ] {
        let (port, _stop) = server_that_says(answer.clone());
        let url = format!("postgres://u@127.0.0.1:{port}/d?sslmode=disable");
        for (arguments, status) in [
            (&["status", "--timeout", "2s", "-d", &url][..], 2),
            (&["gate", "--timeout", "2s", "-d", &url], 2),
            (&["kill", "--timeout", "2s", "-d", &url, "1"], 2),
            (&["check", "-t", "2", "-d", &url], 3),
        ] {
            let outcome = run(pgguard_command().args(arguments));
            assert_eq!(
                outcome.status, status,
                "{answer:?} {arguments:?}: {outcome}"
            );
            let said = if status == 3 {
                &outcome.stdout
            } else if arguments[0] == "gate" {
                continue;
            } else {
                &outcome.stderr
            };
            assert_eq!(
                said.lines().count(),
                1,
                "{answer:?} {arguments:?}: {outcome}"
            );
        }
    }
}
