//! A streaming standby of a throw-away server.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pgguard::test_support::throwaway::Server;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// A copy that replays what its primary does; stopped when dropped, removed with its primary.
pub struct Standby<'a> {
    primary: &'a Server,
    postmaster: Child,
}

impl<'a> Standby<'a> {
    /// Copies a server, which must let replication in (`pg_hba.conf`), and starts the copy.
    pub fn of(primary: &'a Server) -> Self {
        let folder = primary.socket_dir().join("standby");
        let copied = as_owner(primary, "pg_basebackup")
            .args([
                "--checkpoint=fast",
                "--write-recovery-conf",
                "--no-sync",
                "-D",
            ])
            .arg(&folder)
            .output()
            .expect("pg_basebackup starts");
        assert!(copied.status.success(), "{copied:?}");
        let postmaster = as_owner(primary, "postgres")
            .arg("-D")
            .arg(&folder)
            .args(["-c", "hot_standby=on", "-c", "listen_addresses=", "-c"])
            .arg(format!("port={}", Self::port_of(primary)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("postgres starts");
        let standby = Self {
            primary,
            postmaster,
        };
        super::until("the standby lets sessions in", || {
            standby.sql("postgres", "select 1") == "1"
        });
        standby
    }

    /// Only a socket in the primary's private folder: nobody else can have it.
    fn port_of(primary: &Server) -> u16 {
        primary.port().wrapping_add(1).max(1024)
    }

    /// A database's URL, as the superuser.
    pub fn url(&self, database: &str) -> String {
        let (here, there) = (
            format!("port={}", Self::port_of(self.primary)),
            format!("port={}", self.primary.port()),
        );
        self.primary.url(database).replace(&there, &here)
    }

    /// Runs SQL there; what `psql -At` prints, empty when it fails.
    pub fn sql(&self, database: &str, text: &str) -> String {
        let output = self
            .command("psql")
            .args(["-XqAt", "-d", database, "-c", text])
            .output()
            .expect("psql starts");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// A program of libpq's, about to be run against the standby.
    pub fn command(&self, program: &str) -> Command {
        let mut command = self.primary.command(program);
        command.env("PGPORT", Self::port_of(self.primary).to_string());
        command
    }

    /// Waits until it has replayed what its primary has written so far.
    pub fn catch_up(&self) {
        let here = self
            .primary
            .sql("postgres", "select pg_current_wal_flush_lsn()")
            .expect("the primary answers");
        super::until("the standby has replayed", || {
            let ask = format!("select pg_last_wal_replay_lsn() >= '{}'", here.trim());
            self.sql("postgres", &ask) == "t"
        });
    }
}

impl Drop for Standby<'_> {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.postmaster.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGQUIT);
        }
        let _ = self.postmaster.wait();
    }
}

/// One of the server's programs as the account that its files belong to.
fn as_owner(server: &Server, program: &str) -> Command {
    let owner = std::fs::metadata(server.data_dir()).expect("a data directory");
    let mut command = server.command(program);
    command.current_dir("/").stdin(Stdio::null());
    if nix::unistd::geteuid().is_root() {
        command.uid(owner.uid()).gid(owner.gid());
    }
    command
}
