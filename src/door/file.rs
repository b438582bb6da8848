//! Files that a person names for us to write: whole or not at all where a plain file stands or none, and
//! written through where something else does.
//!
//! A file is replaced by renaming a new one over it, so that nobody finds half of one. Over `/dev/null`, a
//! pipe or a symbolic link that would destroy the thing itself.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Who may read a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nobody else: it holds query texts.
    Owner,
    /// As the umask says.
    Usual,
}

/// What stands where a file is to be written.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// Our own standard output, under one of its names.
    Output,
    /// A plain file or none, here at the end of all links.
    Plain(PathBuf),
    /// A device, a pipe, another process's open file.
    Other,
}

/// Writes a file.
///
/// # Errors
/// When it cannot be written.
pub fn replace(path: &Path, access: Access, bytes: &[u8]) -> io::Result<()> {
    match place(path)? {
        Place::Output => super::write(bytes),
        Place::Other => through(path, bytes),
        Place::Plain(path) => match renamed_over(&path, access, bytes) {
            // A file that may be written in a folder that may not.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && path.exists() => {
                OpenOptions::new()
                    .write(true)
                    .truncate(true)
                    .open(&path)?
                    .write_all(bytes)
            }
            done => done,
        },
    }
}

/// Adds to a file's end.
///
/// # Errors
/// When it cannot be written.
pub fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    options.open(path)?.write_all(bytes)
}

/// At its end, where it has one: what was written before stays.
fn through(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_socket() || kind.is_dir() {
        let what = if kind.is_dir() {
            "a folder"
        } else {
            "a socket"
        };
        return Err(io::Error::other(format!("it is {what}; name a file")));
    }
    let mut file: File = OpenOptions::new().append(true).open(path)?;
    match file.write_all(bytes) {
        // Nobody reads on: as for standard output, that is the reader's choice.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Follows links as the system does, but stops at those of `/proc`, which lead to what a process has open.
fn place(path: &Path) -> io::Result<Place> {
    const MOST_LINKS: usize = 40;
    let mut at = path.to_owned();
    for _ in 0..MOST_LINKS {
        let folder = match at.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.canonicalize()?,
            _ => Path::new(".").canonicalize()?,
        };
        if folder.starts_with("/proc") || folder.starts_with("/dev/fd") {
            return Ok(open_file(&folder, &at));
        }
        match std::fs::symlink_metadata(&at) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Place::Plain(at)),
            Err(error) => return Err(error),
            Ok(found) if found.file_type().is_symlink() => {
                at = folder.join(std::fs::read_link(&at)?);
            }
            Ok(found) if found.file_type().is_file() => return Ok(Place::Plain(at)),
            Ok(_) => return Ok(Place::Other),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

fn open_file(folder: &Path, at: &Path) -> Place {
    let own = format!("/proc/{}/", std::process::id());
    let is_own = folder.starts_with(own) || folder.starts_with("/dev/fd");
    if is_own && at.file_name().is_some_and(|name| name == "1") {
        Place::Output
    } else {
        Place::Other
    }
}

fn renamed_over(path: &Path, access: Access, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mode = match access {
        Access::Owner => 0o600,
        Access::Usual => 0o666,
    };
    let mut file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    fn written(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_plain_file_is_replaced_and_a_new_one_is_ours_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        replace(&path, Access::Owner, b"old").unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        let before = path.metadata().unwrap().ino();
        replace(&path, Access::Owner, b"new").unwrap();
        assert_eq!(written(&path), "new");
        assert_ne!(path.metadata().unwrap().ino(), before, "in one step");
    }

    #[test]
    fn links_stay_and_their_target_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        let (target, missing) = (inner.join("target"), inner.join("missing"));
        std::fs::write(&target, "old").unwrap();
        for (link, leads_to, ends_at) in [
            ("absolute", target.clone(), &target),
            ("relative", "inner/target".into(), &target),
            ("of_a_link", "relative".into(), &target),
            ("dangling", "inner/missing".into(), &missing),
        ] {
            let link = folder.path().join(link);
            symlink(leads_to, &link).unwrap();
            replace(&link, Access::Owner, b"new").unwrap();
            assert!(link.symlink_metadata().unwrap().is_symlink(), "{link:?}");
            assert_eq!(written(ends_at), "new", "{link:?}");
            std::fs::remove_file(ends_at).unwrap();
            std::fs::write(&target, "old").unwrap();
        }
        let round = folder.path().join("round");
        symlink("round", &round).unwrap();
        assert!(replace(&round, Access::Owner, b"new").is_err());
    }

    #[test]
    fn what_is_no_plain_file_is_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let reader = std::thread::spawn({
            let fifo = fifo.clone();
            move || std::fs::read_to_string(fifo).unwrap()
        });
        replace(&fifo, Access::Owner, b"through").unwrap();
        assert_eq!(reader.join().unwrap(), "through");
        assert!(fifo.metadata().unwrap().file_type().is_fifo());
        replace(Path::new("/dev/null"), Access::Owner, b"nothing").unwrap();
        assert!(
            Path::new("/dev/null")
                .metadata()
                .unwrap()
                .file_type()
                .is_char_device()
        );
        let full = replace(Path::new("/dev/full"), Access::Owner, b"a").unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        assert!(replace(folder.path(), Access::Owner, b"a").is_err());
    }

    #[test]
    fn the_names_of_standard_output_are_not_files() {
        for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
            assert_eq!(place(Path::new(name)).unwrap(), Place::Output, "{name}");
        }
        assert_eq!(place(Path::new("/dev/stderr")).unwrap(), Place::Other);
    }
}
