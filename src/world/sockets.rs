//! Unix sockets: a network namespace does not close those that have a name. Each one that somebody listens on is covered,
//! by the one server where it is a Postgres server's, by nothing otherwise.

use super::plan::Plan;
use super::relay;
use nix::mount::{MsFlags, mount};
use std::collections::BTreeSet;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Where Debian's packages and others put a server's socket.
const USUAL_FOLDERS: [&str; 2] = ["/run/postgresql", "/var/run/postgresql"];

/// What a Postgres server's socket is called, with its port behind it.
const SOCKET: &str = ".s.PGSQL.";

/// Every named socket that somebody listens on, or that is called like a Postgres server's.
pub fn listened_on() -> Result<Vec<PathBuf>, String> {
    let text =
        std::fs::read("/proc/net/unix").map_err(|error| format!("/proc/net/unix: {error}"))?;
    let text = String::from_utf8_lossy(&text);
    // Num RefCount Protocol Flags Type St Inode Path; flag 0x10000: it listens. A datagram socket does not, and is
    // reached all the same (the system's log).
    let named = text
        .lines()
        .filter_map(|line| Some(PathBuf::from(format!("/{}", line.split_once(" /")?.1))));
    let mut found: BTreeSet<PathBuf> = named.collect();
    for folder in USUAL_FOLDERS.iter().chain(&["/tmp", "/var/tmp"]) {
        found.extend(servers_in(Path::new(folder)));
    }
    Ok(found.into_iter().collect())
}

/// The sockets in a folder that are called like a Postgres server's.
fn servers_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| is_server(path) && is_socket(path))
        .collect()
}

fn is_server(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(SOCKET) && !name.ends_with(".lock")
}

fn is_socket(path: &Path) -> bool {
    path.symlink_metadata()
        .is_ok_and(|found| found.file_type().is_socket())
}

/// What is mounted from here on is seen in here alone.
pub fn keep_mounts_to_ourselves() -> Result<(), String> {
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
        .map_err(|error| format!("mounts cannot be kept apart: {error}"))
}

/// A folder in memory, over another one.
pub fn empty(folder: &Path) -> Result<(), String> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(
        Some("pgguard"),
        folder,
        Some("tmpfs"),
        flags,
        Some("mode=0755,size=4m"),
    )
    .map_err(|error| format!("{} cannot be covered: {error}", folder.display()))
}

/// Puts one file over another.
pub fn cover(path: &Path, by: &Path) -> Result<(), String> {
    mount(Some(by), path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .map_err(|error| format!("{} cannot be covered: {error}", path.display()))
}

/// Covers every socket. The one server's relay is there already, where the world has one.
pub fn hide(plan: &Plan) -> Result<(), String> {
    let folder = plan.folder.as_ref().filter(|_| plan.server.is_some());
    let relay = folder.map(|folder| relay::socket(folder));
    let mut folders: BTreeSet<PathBuf> = BTreeSet::new();
    let usual = USUAL_FOLDERS.iter().map(PathBuf::from);
    for folder in usual.chain(plan.folders.iter().cloned()) {
        folders.extend(
            folder
                .canonicalize()
                .ok()
                .filter(|f| f.is_dir() && !is_shared(f)),
        );
    }
    let own = |path: &Path| {
        let ours = [plan.server.as_deref(), relay.as_deref()];
        ours.contains(&Some(path)) || folders.iter().any(|folder| path.starts_with(folder))
    };
    for path in plan
        .sockets
        .iter()
        .filter(|path| is_socket(path) && !own(path))
    {
        let by = relay.as_deref().filter(|_| is_server(path));
        let covered = cover(path, by.unwrap_or(Path::new("/dev/null")));
        // One that has gone meanwhile leads nowhere.
        covered.or_else(|why| if is_socket(path) { Err(why) } else { Ok(()) })?;
    }
    for folder in folders {
        empty(&folder)?;
        for port in &plan.ports {
            if let Some(relay) = &relay {
                std::os::unix::fs::symlink(relay, folder.join(format!("{SOCKET}{port}")))
                    .map_err(|error| format!("{}: {error}", folder.display()))?;
            }
        }
    }
    Ok(())
}

/// Whether others keep their files in it, too: it stays, and only sockets in it are covered.
fn is_shared(folder: &Path) -> bool {
    folder.parent().is_none()
        || folder
            .metadata()
            .is_ok_and(|found| found.permissions().mode() & 0o1002 == 0o1002)
}
