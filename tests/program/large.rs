//! Long texts take little memory. How time grows is measured by benches/large.sh.

use crate::common;
use std::fmt::Write as _;
use std::process::{Command, Stdio};

/// What an empty migration may take, in kilobytes of address space.
const BASE: usize = 150_000;
/// Bytes of each text, at least.
const LONG: usize = 1_000_000;

/// A text of parts that are alike but for a number (`@`), of so many bytes.
fn repeated(length: usize, head: &str, part: &str, tail: &str) -> String {
    let mut text = head.to_owned();
    for number in 0.. {
        if text.len() >= length {
            break;
        }
        let _ = write!(text, "{}", part.replace('@', &number.to_string()));
    }
    text + tail
}

/// How `explain` ends within so many kilobytes.
fn status_within(kilobytes: usize, sql: &str, url: &str) -> Option<i32> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("long.sql");
    std::fs::write(&file, sql).unwrap();
    let limited = format!("ulimit -v {kilobytes}; exec \"$@\"");
    Command::new("sh")
        .args(["-c", &limited, "sh", env!("CARGO_BIN_EXE_pgguard")])
        .args([
            "explain",
            "--format",
            "json",
            "--timeout",
            "600s",
            "-d",
            url,
        ])
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .code()
}

#[test]
#[cfg(target_os = "linux")]
fn a_long_text_takes_at_most_twenty_times_its_size() {
    // cases/safety/12
    let database = common::database();
    database.sql("CREATE TABLE t (a int, b text)");
    let url = database.url();
    for (head, part, tail) in [
        ("INSERT INTO t VALUES (0, '')", ",\n(@, 'b@')", ";"),
        (
            "INSERT INTO t VALUES (0, '')",
            ", (@, lower(md5('b@')))",
            ";",
        ),
        (
            "INSERT INTO t VALUES (0, '')",
            ", (nextval('t_seq'), 'b@')",
            ";",
        ),
        (
            "INSERT INTO t SELECT 0, ''",
            " UNION ALL SELECT @, 'b@'",
            ";",
        ),
        ("DELETE FROM t WHERE a IN (0", ",@", ");"),
        ("SELECT ARRAY[0", ",@", "];"),
        ("COPY t FROM stdin;\n", "@\tb@\n", "\\.\n"),
        ("SELECT '", "b@''", "';"),
        ("SELECT E'", "\\\\", "';"),
        ("SELECT $a$", "$b$", "$a$;"),
        ("", "-- @\n", "SELECT 1;"),
        ("", ";", "SELECT 1;"),
        ("", "\\", ""),
        ("", "'", ""),
        ("SELECT ", "(", ""),
        ("SELECT 1", " + @", ";"),
    ] {
        let sql = repeated(LONG, head, part, tail);
        let kilobytes = BASE + 20 * sql.len() / 1024;
        let status = status_within(kilobytes, &sql, &url);
        // The last ones are no SQL, which `explain` says of each statement.
        assert_eq!(status, Some(0), "{head} {part}: {kilobytes} kB");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_memory_of_a_long_run_is_bounded() {
    // What is said of a statement takes more than the statement itself: 100 times is for the shortest of them.
    let database = common::database();
    let sql = repeated(LONG * 7 / 10, "", "INSERT INTO t (a) VALUES (@);\n", "");
    let kilobytes = BASE + 100 * sql.len() / 1024;
    assert_eq!(status_within(kilobytes, &sql, &database.url()), Some(0));
}
