//! The folder of a throw-away server, and one for what we write ourselves.
//!
//! For root the server runs as another account, and that account can put a symbolic link wherever it may make
//! files. So root writes into the server's folder before that account gets it, and never afterwards.

use super::account::Account;
use crate::{Error, Result};
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A new folder that is still ours, and that only the server's account will enter.
pub(super) struct Folder {
    path: TempDir,
    /// The folder itself, whatever its name leads to later.
    opened: File,
    account: Account,
}

impl Folder {
    /// With a short name: a socket's whole name has at most 107 bytes (103 on macOS), and `/.s.PGSQL.65535`
    /// follows.
    pub fn new(account: Account) -> Result<Self> {
        let bases = [std::env::temp_dir(), "/tmp".into(), "/var/tmp".into()];
        let fits = |base: &&PathBuf| {
            base.as_os_str().len() <= 60 && base.is_absolute() && account.can_write(base)
        };
        let base = bases.iter().find(fits).ok_or_else(|| Error::File {
            what: "write",
            path: "/tmp".into(),
            why:
                "the server's account has no folder for temporary files; name a short one in TMPDIR"
                    .into(),
        })?;
        private(base)
            .and_then(|path| {
                let opened = OpenOptions::new()
                    .read(true)
                    .custom_flags((OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW).bits())
                    .open(path.path())?;
                Ok(Self {
                    path,
                    opened,
                    account,
                })
            })
            .map_err(|error| cannot_prepare(base, &error))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.path.path()
    }

    /// Writes a new file, which belongs to the server's account.
    pub fn write(&self, name: &str, text: &str) -> std::io::Result<()> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW;
        let file = openat(&self.opened, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
        let mut file = File::from(file);
        file.write_all(text.as_bytes())?;
        self.account.give(&file)
    }

    /// Gives it to the server's account. From here on somebody else removes it.
    pub fn give(self) -> std::io::Result<PathBuf> {
        self.account.give(&self.opened)?;
        Ok(self.path.keep())
    }
}

/// What a file in the server's folder says; nothing where it is no plain file.
pub(super) fn read(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path);
    if let Ok(mut file) = opened
        && file.metadata().is_ok_and(|found| found.is_file())
    {
        // What cannot be read is as good as empty.
        let _ = file.read_to_end(&mut bytes);
    }
    bytes
}

/// A folder of ours alone, for what the programs around a throw-away server write; gone when dropped, or when
/// this program ends in any way.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    remover: Child,
}

/// Waits until the pipe closes, which is when we end.
const REMOVE: &str = "trap : HUP INT TERM\nread -r _\nrm -rf -- \"$1\"";

impl Scratch {
    /// Makes it.
    ///
    /// # Errors
    /// There is no folder for temporary files, or no shell.
    pub fn new() -> Result<Self> {
        let base = std::env::temp_dir();
        let made = private(&base).and_then(|path| {
            let remover = Command::new("/bin/sh")
                .args(["-c", REMOVE, "pgguard-scratch"])
                .arg(path.path())
                .current_dir("/")
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .process_group(0)
                .spawn()?;
            Ok(Self {
                path: path.keep(),
                remover,
            })
        });
        made.map_err(|error| cannot_prepare(&base, &error))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(self.remover.stdin.take());
        let _ = self.remover.wait();
    }
}

fn private(base: &Path) -> std::io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix("pgguard-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(base)
}

pub(super) fn cannot_prepare(path: &Path, error: &std::io::Error) -> Error {
    Error::File {
        what: "prepare",
        path: path.display().to_string(),
        why: format!("{error}; a throw-away server needs it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    /// cases/safety/11: what the other account can do to a name, played out in the order that harms most.
    #[test]
    fn no_link_leads_a_write_elsewhere() {
        let outside = tempfile::tempdir().unwrap();
        let victim = outside.path().join("victim");
        std::fs::write(&victim, "keep me").unwrap();
        let folder = Folder::new(Account::choose().unwrap()).unwrap();
        let path = folder.path().to_owned();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
        assert_eq!(
            path.metadata().unwrap().uid(),
            nix::unistd::geteuid().as_raw(),
            "it is not given away before it is filled"
        );
        symlink(&victim, path.join("pg_hba.conf")).unwrap();
        assert!(folder.write("pg_hba.conf", "evil").is_err());
        // The folder itself is exchanged for a link.
        let moved = outside.path().join("moved");
        std::fs::rename(&path, &moved).unwrap();
        symlink(outside.path(), &path).unwrap();
        folder.write("settings.conf", "fine").unwrap();
        assert!(moved.join("settings.conf").exists());
        assert!(!outside.path().join("settings.conf").exists());
        let given = folder.give().unwrap();
        assert_eq!(given, path);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "keep me");
        assert_eq!(
            outside.path().metadata().unwrap().uid(),
            nix::unistd::geteuid().as_raw()
        );
    }

    #[test]
    fn only_plain_files_of_the_server_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("log"), "said").unwrap();
        symlink("log", at("link")).unwrap();
        nix::unistd::mkfifo(&at("fifo"), Mode::S_IRWXU).unwrap();
        assert_eq!(read(&at("log")), b"said");
        for name in ["link", "fifo", "missing", "."] {
            assert_eq!(read(&at(name)), b"", "{name}");
        }
    }

    #[test]
    fn a_scratch_folder_goes_with_us() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.path().to_owned();
        std::fs::write(path.join("a"), "b").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }
}
