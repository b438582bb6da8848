//! Data directories that the cache keeps, to copy one is quicker than to make it: as initdb makes it, or with
//! something loaded into it.

use super::account::Account;
use super::binaries::{self, Binaries};
use nix::fcntl::OFlag;
use std::collections::hash_map::DefaultHasher;
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::hash::{Hash as _, Hasher as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

/// Where one of them is, or is to be put; `None`: there is no cache that the server's account may write to.
///
/// It is of one build of the server, one account and one set of arguments of initdb; `loaded` names what else is in it.
/// Others may make it at the same time: what is put there is whole, or not there.
pub(super) fn place(
    binaries: &Binaries,
    account: Account,
    arguments: &[String],
    loaded: Option<&str>,
) -> Option<PathBuf> {
    let own = folder(account)?;
    let program = binaries.folder().join("postgres").metadata().ok()?;
    let build = (binaries.folder(), program.mtime(), program.size());
    let mut key = DefaultHasher::new();
    (build, arguments).hash(&mut key);
    let prefix = match loaded {
        Some(loaded) => {
            loaded.hash(&mut key);
            "loaded-"
        }
        None => "",
    };
    let name = format!("{prefix}{}-{:016x}", binaries.version(), key.finish());
    Some(own.join(name))
}

/// The account's folder in the cache, which nobody else may enter: what is loaded may be a schema of production's.
fn folder(account: Account) -> Option<PathBuf> {
    let cache = binaries::cache()?;
    let made = |path: &Path, mode: u32| {
        let made = DirBuilder::new().recursive(true).mode(mode).create(path);
        made.ok()
    };
    let shared = cache.join("templates");
    made(&shared, 0o755)?;
    let own = shared.join(account.number().to_string());
    made(&own, 0o700)?;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW).bits())
        .open(&own)
        .ok()?;
    opened.set_permissions(Permissions::from_mode(0o700)).ok()?;
    account.give(&opened).ok()?;
    Some(own)
}
