//! pgguard itself, as a user runs it.

use std::ffi::OsStr;
use std::fmt;
use std::io::Write;
use std::process::{Command, Stdio};

/// What a run gave.
#[derive(Debug)]
pub struct Outcome {
    /// The exit status; -1 when a signal ended it.
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// Its standard output as JSON.
    ///
    /// # Panics
    /// It is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self}"))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            status,
            stdout,
            stderr,
        } = self;
        write!(
            out,
            "exit status {status}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        )
    }
}

/// Runs pgguard with these arguments and nothing on standard input.
pub fn pgguard<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Outcome {
    pgguard_with_input(arguments, "")
}

/// Runs pgguard with these arguments and this on standard input.
pub fn pgguard_with_input<A: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = A>,
    input: &str,
) -> Outcome {
    let mut command = pgguard_command();
    command.args(arguments);
    run_with_input(command, input)
}

/// Runs a command with this on standard input.
pub fn run_with_input(mut command: Command, input: &str) -> Outcome {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("pgguard starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("pgguard ends");
    // A program that does not read its input is none of our business.
    let _ = writer.join();
    Outcome {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// pgguard, about to run with no setting of the developer's: no `PG…`, no history, 80 columns, UTC.
pub fn pgguard_command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgguard"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let leads_astray =
            name.starts_with("PG") || name.starts_with("GITHUB_") || name.starts_with("CI");
        if leads_astray || name == "DATABASE_URL" {
            command.env_remove(&*name);
        }
    }
    command
        .env("COLUMNS", "80")
        .env("TZ", "UTC")
        .env("NO_COLOR", "1");
    for (name, folder) in [
        ("HOME", "home"),
        ("XDG_STATE_HOME", "state"),
        ("XDG_CONFIG_HOME", "config"),
    ] {
        command.env(
            name,
            concat!(env!("CARGO_TARGET_TMPDIR"), "/nobody-").to_owned() + folder,
        );
    }
    command
}
