//! The data directory as initdb makes it, kept in the cache: to copy it is quicker than to make it.

use super::account::Account;
use super::binaries::{self, Binaries};
use nix::fcntl::OFlag;
use std::collections::hash_map::DefaultHasher;
use std::fs::{DirBuilder, OpenOptions};
use std::hash::{Hash as _, Hasher as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Where it is, or is to be put; `None`: there is no cache that the server's account may write to.
///
/// It is of one build of the server, one account and one set of arguments of initdb. Others may make it at the same
/// time: what is put there is whole, or not there.
pub(super) fn place(
    binaries: &Binaries,
    account: Account,
    arguments: &[String],
) -> Option<PathBuf> {
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
    account.give(&opened).ok()?;
    let program = binaries.folder().join("postgres").metadata().ok()?;
    let mut key = DefaultHasher::new();
    (
        binaries.folder(),
        program.mtime(),
        program.size(),
        arguments,
    )
        .hash(&mut key);
    Some(own.join(format!("{}-{:016x}", binaries.version(), key.finish())))
}
