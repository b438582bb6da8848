//! A shop, a home folder of its own, and pgguard running a command in it.

use crate::common::{self, Database, Outcome, Session};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

pub struct Stage {
    pub shop: Database,
    pub folder: TempDir,
}

/// A run that goes on while the test does.
pub struct Started {
    child: Child,
    pub pid: i32,
}

impl Stage {
    /// With a table and a version table.
    pub fn new() -> Self {
        Self::on(common::database())
    }

    /// On a server of this major.
    pub fn of_major(major: u32) -> Self {
        Self::on(Database::empty(common::server_of(major)))
    }

    fn on(shop: Database) -> Self {
        shop.sql("CREATE TABLE orders (id int PRIMARY KEY, note text); INSERT INTO orders VALUES (1, 'a')");
        Self {
            shop,
            folder: tempfile::tempdir_in("/tmp").expect("a folder"),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and gives its path as text.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    }

    /// The words of psql on the shop, with these after them.
    pub fn psql(&self, words: &[&str]) -> Vec<String> {
        let program = self.shop.server.bin("psql").display().to_string();
        let url = self.shop.url();
        let first = [&*program, "-X", "-v", "ON_ERROR_STOP=1", &*url];
        first
            .iter()
            .chain(words)
            .map(|word| (*word).to_owned())
            .collect()
    }

    /// pgguard with these words, in this stage's home.
    pub fn command<A: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = A>) -> Command {
        let mut command = common::pgguard_command();
        command
            .args(words)
            .env("HOME", self.folder.path())
            .env("XDG_STATE_HOME", self.path("state"))
            .env("PGGUARD_HISTORY", self.path("history"))
            .env("DATABASE_URL", self.shop.url());
        command
    }

    /// `pgguard run FLAGS -- COMMAND`, to its end.
    pub fn run(&self, flags: &[&str], command: &[String]) -> Outcome {
        let words = words(flags, command);
        common::run_with_input(self.command(words), "")
    }

    /// The same, while the test goes on. Its output is in the file `out`.
    pub fn start(&self, flags: &[&str], command: &[String]) -> Started {
        Started::of(self.command(words(flags, command)), &self.path("out"))
    }

    /// What runs in the background have written so far.
    pub fn out(&self) -> String {
        std::fs::read_to_string(self.path("out")).unwrap_or_default()
    }

    /// Waits until a run in the background has said this.
    pub fn until_said(&self, text: &str) {
        let begun = std::time::Instant::now();
        while !self.out().contains(text) {
            let out = self.out();
            assert!(
                begun.elapsed().as_secs() < 300,
                "it does not say {text}: {out}"
            );
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// The runs of the history, the newest first.
    pub fn runs(&self) -> Vec<serde_json::Value> {
        let listed =
            common::run_with_input(self.command(["run", "--list", "--format", "json"]), "");
        assert_eq!(listed.status, 0, "{listed}");
        listed.json()["runs"].as_array().expect("runs").clone()
    }

    /// A session that reads `orders` and stays in its transaction.
    pub fn holder(&self) -> Session {
        let mut holder = self.shop.session_named("holder");
        holder.exec("BEGIN; SELECT * FROM orders");
        holder
    }

    /// Waits until a session of a run waits for a lock; its pid.
    pub fn until_run_waits(&self) -> i32 {
        let mut pid = 0;
        common::until("the run waits for a lock", || {
            let found = self.shop.sql(
                "SELECT pid FROM pg_stat_activity WHERE application_name LIKE '%pgguard:%' AND wait_event_type = 'Lock' \
                 AND datname = current_database()",
            );
            pid = found
                .lines()
                .next()
                .and_then(|pid| pid.parse().ok())
                .unwrap_or(0);
            pid != 0
        });
        pid
    }

    /// Waits until no session of a run is there.
    pub fn until_no_session(&self) {
        common::until("no session of a run is left", || self.sessions() == "0");
    }

    /// How many sessions of runs are there.
    pub fn sessions(&self) -> String {
        self.shop
            .sql("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%pgguard:%' AND datname = current_database()")
    }

    pub fn has_column(&self, name: &str) -> bool {
        let sql = format!(
            "SELECT count(*) FROM information_schema.columns WHERE table_name = 'orders' AND column_name = '{name}'"
        );
        self.shop.sql(&sql) == "1"
    }
}

fn words(flags: &[&str], command: &[String]) -> Vec<String> {
    let first = ["run"]
        .into_iter()
        .chain(flags.iter().copied())
        .chain(["--"]);
    first
        .map(str::to_owned)
        .chain(command.iter().cloned())
        .collect()
}

pub fn sh(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

impl Started {
    pub fn of(mut command: Command, out: &Path) -> Self {
        let file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(out)
            .expect("a file");
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a handle"))
            .stderr(file)
            .spawn()
            .expect("pgguard starts");
        let pid = i32::try_from(child.id()).expect("a pid");
        Self { child, pid }
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid), signal).expect("it is there");
    }

    /// Its exit status, once it has ended; -1 where a signal ended it.
    pub fn wait(&mut self) -> i32 {
        let status = self.child.wait().expect("it ends");
        status.code().unwrap_or(-1)
    }

    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().expect("it can be asked").is_some()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if !self.is_over() {
            self.signal(Signal::SIGTERM);
            self.wait();
        }
    }
}

/// The process of a command in the background, by a file in which it writes its pid.
pub fn pid_in(path: &Path) -> i32 {
    let mut pid = 0;
    common::until("the command has written its pid", || {
        let mut text = String::new();
        let read = std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text));
        pid = text.trim().parse().unwrap_or(0);
        read.is_ok() && pid != 0
    });
    pid
}
