//! What the story is played on: the shop's database, sessions that wait, a backup that stalls, and
//! pgguard run as its own user.

use super::super::screen;
use crate::cli::Color;
use crate::door::{self, Form};
use crate::throwaway::{Scratch, Server};
use crate::{Error, Result};
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

/// A migration of the story: the file's name, its text.
pub(super) type Migration = (&'static str, &'static str);

/// Longest that an actor may take to be where the story wants it.
const PATIENCE: Duration = Duration::from_secs(20);

/// The shop's database on its server, and the page that the story is told on.
pub(super) struct Stage<'a> {
    server: &'a Server,
    program: PathBuf,
    /// What the commands read and write: not in the server's folder, which is another account's for root.
    files: Scratch,
    color: Color,
    bold: bool,
}

impl<'a> Stage<'a> {
    /// On a server that has the database `shop`.
    pub fn new(server: &'a Server, color: Color) -> Result<Self> {
        let program = std::env::current_exe().map_err(|error| Error::Program {
            program: "pgguard".into(),
            why: error.to_string(),
            help: "the demo runs pgguard's own commands and has to find it".into(),
        })?;
        let bold = screen::page(color).color;
        Ok(Self {
            server,
            program,
            files: Scratch::new()?,
            color,
            bold,
        })
    }

    /// The database's URL.
    pub fn url(&self) -> String {
        self.server.url("shop")
    }

    /// Tells what happens next.
    pub fn tell(&self, text: &str) -> Result<()> {
        let (on, off) = if self.bold {
            ("\x1b[1m", "\x1b[0m")
        } else {
            ("", "")
        };
        let lines: Vec<String> = text
            .lines()
            .map(|line| format!("{on}{line}{off}"))
            .collect();
        door::print(Form::Lines, &format!("\n{}\n", lines.join("\n")))
    }

    /// Puts a migration's file where the commands are run.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.files.path().join(name);
        std::fs::write(&path, text).map_err(|error| Error::File {
            what: "write",
            path: path.display().to_string(),
            why: error.to_string(),
        })
    }

    /// Shows a migration's file.
    pub fn show(&self, (name, text): Migration) -> Result<()> {
        door::print(Form::Lines, &format!("\n$ cat {name}\n{text}"))
    }

    /// Runs a command of pgguard's for all to see, and insists on its exit status.
    pub fn pgguard(&self, arguments: &[&str], expected: i32) -> Result<()> {
        door::print(
            Form::Lines,
            &format!("\n$ pgguard {}\n", arguments.join(" ")),
        )?;
        let color = match self.color {
            Color::Always => "always",
            Color::Never => "never",
            Color::Auto => "auto",
        };
        let begun = Instant::now();
        let mut command = Command::new(&self.program);
        // The server's environment for libpq, and none of the user's.
        let libpq = self.server.command("psql");
        for (name, value) in libpq.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let status = command
            .args(["--color", color])
            .args(arguments)
            .env("PGDATABASE", "shop")
            .env("PGGUARD_HISTORY", self.files.path().join("history.sqlite"))
            .current_dir(self.files.path())
            .stdin(Stdio::null())
            .status()
            .map_err(|error| unexpected(arguments, &error.to_string()))?;
        let took = begun.elapsed().as_secs_f64();
        let code = status.code().unwrap_or(-1);
        door::print(Form::Lines, &format!("(exit status {code}, {took:.2} s)\n"))?;
        if code == expected {
            return Ok(());
        }
        Err(unexpected(
            arguments,
            &format!("it exited with {status} where the demo expects {expected}"),
        ))
    }

    /// Runs a statement for all to see.
    pub fn run_sql(&self, statement: &str) -> Result<()> {
        door::print(Form::Lines, &format!("\n$ psql -c '{statement}'\n"))?;
        self.server.sql("shop", statement).map(drop)
    }

    /// A session of this name that waits for a lock to run a statement.
    pub fn waiting(&self, name: &str, statement: &str) -> Result<Actor> {
        let child = self
            .server
            .command("psql")
            .args(["-X", "-q", "-d", "shop", "-c", statement])
            .env("PGAPPNAME", name)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let actor = Actor(child.map_err(|error| cannot_run("psql", &error))?);
        let waits = format!("application_name = '{name}' AND wait_event_type = 'Lock'");
        self.until(&waits, "a session waits for its lock")?;
        Ok(actor)
    }

    /// Cancels what [`Stage::waiting`] started: to kill the client alone would leave the server at it.
    pub fn cancel(&self, actors: [Actor; 2]) -> Result<()> {
        self.server.sql(
            "postgres",
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity \
             WHERE datname = 'shop' AND wait_event_type = 'Lock'",
        )?;
        drop(actors);
        Ok(())
    }

    /// Waits until there is a session of which this is true.
    fn until(&self, condition: &str, what: &str) -> Result<()> {
        let sql = format!(
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = 'shop' AND {condition}"
        );
        let begun = Instant::now();
        while self.server.sql("postgres", &sql)? != "t" {
            if begun.elapsed() > PATIENCE {
                return Err(Error::Timeout {
                    seconds: PATIENCE.as_secs_f64(),
                    stage: format!("waiting until {what}"),
                    help: "run the demo again when the machine is less busy".into(),
                });
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

/// A program that plays a part; ended when dropped.
pub(super) struct Actor(Child);

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A `pg_dump` of the shop.
pub(super) struct Backup {
    dump: Actor,
    output: Option<ChildStdout>,
    reader: Option<JoinHandle<()>>,
}

impl Backup {
    /// Starts it, reads nothing, and waits until the server waits for the reader.
    pub fn stalled(stage: &Stage) -> Result<Self> {
        let child = stage
            .server
            .command("pg_dump")
            .args(["-d", "shop"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        let mut dump = Actor(child.map_err(|error| cannot_run("pg_dump", &error))?);
        let output = dump.0.stdout.take();
        let stalls =
            "application_name = 'pg_dump' AND query LIKE 'COPY %' AND wait_event = 'ClientWrite'";
        stage.until(stalls, "the backup stalls")?;
        Ok(Self {
            dump,
            output,
            reader: None,
        })
    }

    /// Reads on, in three seconds, to the end.
    pub fn resume(&mut self) {
        if let Some(mut output) = self.output.take() {
            self.reader = Some(std::thread::spawn(move || {
                sleep(Duration::from_secs(3));
                let mut buffer = vec![0; 1 << 16];
                while output.read(&mut buffer).is_ok_and(|count| count > 0) {}
            }));
        }
    }

    /// Waits until it has ended by itself.
    pub fn until_ended(&mut self) -> Result<()> {
        if let Some(reader) = self.reader.take() {
            // It only reads; it cannot fail.
            let _ = reader.join();
        }
        match self.dump.0.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(cannot_run(
                "pg_dump",
                &std::io::Error::other(status.to_string()),
            )),
            Err(error) => Err(cannot_run("pg_dump", &error)),
        }
    }
}

fn cannot_run(program: &str, error: &std::io::Error) -> Error {
    Error::Program {
        program: program.into(),
        why: error.to_string(),
        help: "the demo needs Postgres's client programs (Debian, Ubuntu: apt-get install postgresql-client)".into(),
    }
}

fn unexpected(arguments: &[&str], why: &str) -> Error {
    Error::Program {
        program: format!("pgguard {}", arguments.join(" ")),
        why: why.into(),
        help: "please report what it printed above".into(),
    }
}
