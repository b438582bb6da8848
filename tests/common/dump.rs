//! A real `pg_dump` that does not get on.

use super::{Database, until};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdout, ExitStatus, Stdio};

/// A running backup that has stalled in the middle: it holds its locks and its snapshot, its
/// sessions are in COPY, and nothing moves until [`Dump::finish`] or [`Dump::kill`].
pub struct Dump {
    child: Child,
    unread: Option<BufReader<ChildStdout>>,
    pids: Vec<i32>,
    _folder: Option<tempfile::TempDir>,
}

impl Dump {
    /// `pg_dump` of a database whose output nobody reads any more.
    pub fn stalled(database: &Database) -> Self {
        Self::stalled_with(database, &[])
    }

    /// `pg_dump` whose output is read up to this table's rows, and then no more. The table has to
    /// hold more than the buffers between the server and the reader (about 1 MB).
    pub fn stalled_in(database: &Database, table: &str) -> Self {
        Self::read_up_to(database, &[], Some(&format!("COPY {table} (")))
    }

    /// `pg_dump` with further arguments, whose output nobody reads. What it copies before the table
    /// that it shall stall in has to fit into a pipe (64 KB).
    pub fn stalled_with(database: &Database, arguments: &[&str]) -> Self {
        Self::read_up_to(database, arguments, None)
    }

    fn read_up_to(database: &Database, arguments: &[&str], line: Option<&str>) -> Self {
        let mut command = database.server.command("pg_dump");
        command.args(["-d", &database.name]).args(arguments);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("pg_dump starts");
        let mut unread = BufReader::new(child.stdout.take().expect("a pipe"));
        if let Some(line) = line {
            read_until(&mut unread, line);
        }
        let mut dump = Self {
            child,
            unread: Some(unread),
            pids: Vec::new(),
            _folder: None,
        };
        // The server waits for the reader; it says so in ClientWrite, all the time.
        until("pg_dump stalls", || {
            dump.copying(database, "wait_event = 'ClientWrite'") == 1
        });
        dump.pids = backends(database);
        dump
    }

    /// `pg_dump -Fd -jN`: a leader and N workers, stopped while every worker is in a COPY. The
    /// database needs N tables; they are made larger until it succeeds.
    pub fn stalled_parallel(database: &Database, jobs: usize) -> Self {
        for attempt in 0..6 {
            grow(database, jobs, 4 << attempt);
            if let Some(dump) = Self::try_parallel(database, jobs) {
                return dump;
            }
        }
        panic!("no parallel dump could be stopped in its COPYs");
    }

    fn try_parallel(database: &Database, jobs: usize) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = database.server.command("pg_dump");
        command
            .args([
                "-d",
                &database.name,
                "-Fd",
                "-Z9",
                "-j",
                &jobs.to_string(),
                "-f",
            ])
            .arg(folder.path().join("dump"));
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("pg_dump starts");
        let mut dump = Self {
            child,
            unread: None,
            pids: Vec::new(),
            _folder: Some(folder),
        };
        let mut ended = false;
        until("all workers copy", || {
            ended = matches!(dump.child.try_wait(), Ok(Some(_)));
            ended || dump.copying(database, "true") == jobs
        });
        if ended {
            return None;
        }
        dump.signal(Signal::SIGSTOP);
        until("the server waits for them", || {
            dump.copying(database, "wait_event = 'ClientWrite'") == dump.copying(database, "true")
        });
        dump.pids = backends(database);
        (dump.copying(database, "true") == jobs && dump.pids.len() == jobs + 1).then_some(dump)
    }

    /// Reads on up to this table's rows, and then no more.
    pub fn read_on_to(&mut self, table: &str) {
        self.read_on_to_line(&format!("COPY {table} ("));
    }

    /// Reads on up to a line that begins so, and then no more.
    pub fn read_on_to_line(&mut self, beginning: &str) {
        let unread = self
            .unread
            .as_mut()
            .expect("a serial dump that is read from");
        read_until(unread, beginning);
    }

    fn copying(&self, database: &Database, and: &str) -> usize {
        let count = database.server.sql(
            "postgres",
            &format!(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND state = 'active' \
                 AND application_name = 'pg_dump' AND query LIKE 'COPY %' AND {and}",
                database.name
            ),
        );
        count.expect("pg_stat_activity").parse().expect("a number")
    }

    /// The server's sessions of this backup, oldest first: the leader, then its workers.
    pub fn pids(&self) -> &[i32] {
        &self.pids
    }

    /// The session of a serial dump, or a parallel one's leader.
    pub fn pid(&self) -> i32 {
        self.pids[0]
    }

    /// Lets it go on to its end.
    pub fn finish(&mut self) -> ExitStatus {
        self.signal(Signal::SIGCONT);
        if let Some(mut output) = self.unread.take() {
            let mut buffer = vec![0; 1 << 16];
            while output.read(&mut buffer).is_ok_and(|count| count > 0) {}
        }
        self.child.wait().expect("pg_dump ends")
    }

    /// Kills it, as an administrator or a timeout would.
    pub fn kill(&mut self) -> ExitStatus {
        self.signal(Signal::SIGKILL);
        self.unread = None;
        self.child.wait().expect("pg_dump ends")
    }

    /// Whether `pg_dump` still runs, stalled or not.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn signal(&self, signal: Signal) {
        let group = i32::try_from(self.child.id()).expect("a pid");
        // It may have ended, and that is as good.
        let _ = killpg(Pid::from_raw(group), signal);
    }
}

impl Drop for Dump {
    fn drop(&mut self) {
        if self.is_running() {
            self.kill();
        }
    }
}

/// Reads no further than a line that begins so.
fn read_until(output: &mut BufReader<ChildStdout>, beginning: &str) {
    let mut line = Vec::new();
    loop {
        line.clear();
        let count = output.read_until(b'\n', &mut line).expect("pg_dump writes");
        if line.starts_with(beginning.as_bytes()) {
            return;
        }
        assert!(
            count > 0,
            "pg_dump wrote no line that begins with {beginning}"
        );
    }
}

/// Whether a program was ended by a signal rather than by itself.
pub fn was_killed(status: ExitStatus) -> bool {
    status.signal().is_some()
}

fn backends(database: &Database) -> Vec<i32> {
    let sql = format!(
        "SELECT pid FROM pg_stat_activity WHERE datname = '{}' AND application_name = 'pg_dump' \
         ORDER BY backend_start, pid",
        database.name
    );
    let pids = database
        .server
        .sql("postgres", &sql)
        .expect("pg_stat_activity");
    pids.lines()
        .map(|pid| pid.parse().expect("a pid"))
        .collect()
}

/// Makes `jobs` tables of so many megabytes, which compress slowly.
fn grow(database: &Database, jobs: usize, megabytes: usize) {
    for number in 1..=jobs {
        database.sql(&format!(
            "DROP TABLE IF EXISTS bulk_{number}; CREATE TABLE bulk_{number} (id int, body text); \
             INSERT INTO bulk_{number} SELECT n, (SELECT string_agg(md5((n * i + {number})::text), '') \
             FROM generate_series(1, 32) i) FROM generate_series(1, {megabytes} * 1024) n; \
             ANALYZE bulk_{number}" // its size is known: a parallel dump begins with the largest
        ));
    }
}
