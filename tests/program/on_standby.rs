//! A look at a standby.

use crate::common::until;
use crate::snapshot::look_at;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pgguard::test_support::throwaway::{Options, Server};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// A standby of a server, ended when dropped.
struct Standby {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Standby {
    fn of(server: &Server) -> Self {
        let owner = fs::metadata(server.data_dir()).unwrap();
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        chown(folder.path(), Some(owner.uid()), Some(owner.gid())).unwrap();
        let as_owner = |program: &str| {
            let mut command = server.command(program);
            if nix::unistd::geteuid().is_root() {
                command.uid(owner.uid()).gid(owner.gid());
            }
            command.arg("-D").arg(folder.path().join("data"));
            command.stderr(Stdio::null());
            command
        };
        let copied = as_owner("pg_basebackup")
            .args(["-R", "-c", "fast"])
            .status();
        assert!(copied.unwrap().success());
        // Its port is in the socket's name only.
        let port = server.port();
        let child = as_owner("postgres")
            .args(["-p", &port.to_string(), "-h", "", "-k"])
            .arg(folder.path())
            .spawn()
            .unwrap();
        let standby = Self {
            child,
            folder,
            port,
        };
        until("the standby answers", || {
            let mut ready = Command::new(server.bin("pg_isready"));
            ready.args(["-q", "-p", &port.to_string(), "-h"]);
            ready.arg(standby.folder.path()).status().unwrap().success()
        });
        standby
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).unwrap();
        let _ = kill(Pid::from_raw(pid), Signal::SIGINT);
        let _ = self.child.wait();
    }
}

#[test]
fn a_standby_is_known_as_one() {
    let primary = Server::start(&Options::default()).unwrap();
    let seen = look_at(&primary.url("postgres"));
    assert!(!seen.server.in_recovery);
    assert!(seen.server.started_at.is_some_and(|t| t < seen.taken_at));
    assert_eq!(u32::try_from(seen.server.major()).unwrap(), primary.major());

    let standby = Standby::of(&primary);
    let url = format!(
        "postgres:///postgres?host={}&port={}&user=postgres",
        standby.folder.path().display(),
        standby.port
    );
    let theirs = look_at(&url);
    assert!(theirs.server.in_recovery);
    assert_eq!(
        theirs.server.system_identifier,
        seen.server.system_identifier
    );
    assert!(seen.server.system_identifier.is_some());
    until("the primary sees its walsender", || {
        let walsenders = look_at(&primary.url("postgres")).walsenders;
        walsenders
            .iter()
            .any(|w| w.state.as_deref() == Some("streaming"))
    });
}
