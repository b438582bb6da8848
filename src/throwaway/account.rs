//! The system account that the server runs as. Postgres refuses to run as root, so root has to
//! name somebody else.

use crate::{Error, Result};
use nix::unistd::{Gid, Uid, User, geteuid};
use std::fs::File;
use std::os::unix::fs::fchown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Who runs the server: ourselves, or another account when we are root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account(Option<(Uid, Gid)>);

impl Account {
    /// Ourselves, unless we are root: then `$PGGUARD_PG_USER`, `postgres` or `nobody`.
    ///
    /// # Errors
    /// We are root and there is no such account.
    pub fn choose() -> Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self(None));
        }
        let asked = std::env::var("PGGUARD_PG_USER").ok();
        let names = asked
            .as_deref()
            .map_or_else(|| vec!["postgres", "nobody"], |name| vec![name]);
        names
            .iter()
            .filter_map(|name| User::from_name(name).ok().flatten())
            .find(|user| !user.uid.is_root())
            .map(|user| Self(Some((user.uid, user.gid))))
            .ok_or_else(|| Error::Program {
                program: "postgres".into(),
                why: format!(
                    "it refuses to run as root and there is no account {}",
                    names.join(" or ")
                ),
                help: "run as another user, or name one in PGGUARD_PG_USER".into(),
            })
    }

    pub fn number(self) -> u32 {
        self.0.map_or_else(geteuid, |(uid, _)| uid).as_raw()
    }

    /// A command that runs as this account, from a folder that it can enter.
    pub fn command(self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").stdin(Stdio::null());
        if let Some((uid, gid)) = self.0 {
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        command
    }

    /// Gives this account a file or folder that is open: a name may lead elsewhere by now.
    pub fn give(self, opened: &File) -> std::io::Result<()> {
        match self.0 {
            Some((uid, gid)) => fchown(opened, Some(uid.as_raw()), Some(gid.as_raw())),
            None => Ok(()),
        }
    }

    /// Whether this account can make files in a folder.
    pub fn can_write(self, folder: &Path) -> bool {
        self.command("/bin/sh")
            .args(["-c", "[ -w \"$1\" ] && [ -x \"$1\" ]", "sh"])
            .arg(folder)
            .status()
            .is_ok_and(|status| status.success())
    }
}
