//! Where the server's programs are. Distributions keep them out of `PATH` and side by side, one
//! folder a major version.

use super::account::Account;
use crate::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What to do when no server is found.
pub const NOT_FOUND_HELP: &str = "install one (Debian, Ubuntu: apt-get install postgresql; macOS: brew install \
     postgresql), or name the folder that holds initdb and postgres in PGGUARD_PG_BIN";

/// Where distributions put a server's programs: in a parent folder, in an entry whose name is a
/// prefix and a version, in a folder below that.
const VERSIONED_FOLDERS: &[(&str, &str, &str)] = &[
    // Debian, Ubuntu
    ("/usr/lib/postgresql", "", "bin"),
    // Red Hat and kin, PGDG's packages
    ("/usr", "pgsql-", "bin"),
    // SUSE
    ("/usr/lib", "postgresql", "bin"),
    // Alpine
    ("/usr/libexec", "postgresql", ""),
    // Arch keeps an older one for upgrades
    ("/opt", "pgsql-", "bin"),
    // Homebrew on Apple silicon, Intel, Linux
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql", "bin"),
    // Postgres.app
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// The programs of one server installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    folder: PathBuf,
    version: String,
    major: u32,
}

impl Binaries {
    /// The first installation found, of a major version if one is asked for. Looked for in
    /// `$PGGUARD_PG_BIN` (one folder or several, as in `PATH`), `PATH`, `pg_config --bindir`, the
    /// distributions' folders (newest first) and what `./dev servers` fetched (newest first).
    ///
    /// # Errors
    /// None is there; the message says where it was looked for.
    pub fn find(major: Option<u32>) -> Result<Self> {
        // What the user named must be usable: no silent way around it.
        for folder in folders_in("PGGUARD_PG_BIN") {
            let found = Self::in_folder(&folder)?;
            if major.is_none_or(|major| major == found.major) {
                return Ok(found);
            }
        }
        Self::installed()
            .into_iter()
            .find(|found| major.is_none_or(|major| major == found.major))
            .ok_or_else(|| Error::Program {
                program: major.map_or_else(
                    || "a throw-away Postgres server".into(),
                    |major| format!("a throw-away Postgres {major} server"),
                ),
                why: "its programs are not in PATH, pg_config's folder, the distribution's folders or the \
                      cache of ./dev"
                    .into(),
                help: NOT_FOUND_HELP.into(),
            })
    }

    /// Every usable installation, in the order in which [`Binaries::find`] looks, each folder once.
    #[must_use]
    pub fn installed() -> Vec<Self> {
        let mut seen: Vec<PathBuf> = Vec::new();
        let mut installed = Vec::new();
        for folder in candidates() {
            let real = behind_links(&folder);
            if seen.contains(&real) || !has_server(&real) {
                continue;
            }
            installed.extend(Self::in_folder(&real));
            seen.push(real);
        }
        installed
    }

    /// The installation in this folder.
    ///
    /// # Errors
    /// It has no `initdb` and `postgres`, or they do not run as the account that will run them.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        let folder = behind_links(folder);
        let program = folder.join("postgres");
        let unusable = |why: String| Error::Program {
            program: program.display().to_string(),
            why,
            help: NOT_FOUND_HELP.into(),
        };
        if !has_server(&folder) {
            return Err(unusable(
                "the folder does not hold initdb and postgres".into(),
            ));
        }
        let output = Account::choose()?
            .command(&program)
            .arg("--version")
            .output()
            .map_err(|error| unusable(error.to_string()))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let (version, major) = version_in(&said).ok_or_else(|| {
            unusable(format!(
                "`postgres --version` said {:?} {:?}",
                said.trim(),
                String::from_utf8_lossy(&output.stderr).trim()
            ))
        })?;
        Ok(Self {
            folder,
            version,
            major,
        })
    }

    /// Where the programs are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The major version, such as 15.
    #[must_use]
    pub const fn major(&self) -> u32 {
        self.major
    }

    /// The version as the server says it, such as `15.18`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// One of the installation's programs; where a distribution keeps the clients elsewhere, the one
    /// in `PATH`.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        let here = self.folder.join(name);
        if here.exists() {
            return here;
        }
        folders_in("PATH")
            .into_iter()
            .map(|folder| folder.join(name))
            .find(|program| program.exists())
            .unwrap_or(here)
    }
}

/// The folder in which `./dev servers` keeps what it fetched: `$PGGUARD_CACHE`, for root a folder
/// that other accounts can read, otherwise the user's cache.
pub(super) fn cache() -> Option<PathBuf> {
    let from = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(folder) = from("PGGUARD_CACHE") {
        return Some(folder);
    }
    if nix::unistd::geteuid().is_root() {
        return Some(PathBuf::from("/var/cache/pgguard"));
    }
    let user = from("XDG_CACHE_HOME").or_else(|| from("HOME").map(|home| home.join(".cache")));
    user.map(|cache| cache.join("pgguard"))
}

/// Folders to look into, best first.
fn candidates() -> Vec<PathBuf> {
    let mut candidates = folders_in("PGGUARD_PG_BIN");
    candidates.extend(folders_in("PATH"));
    candidates.extend(pg_config_bindir());
    let versioned = VERSIONED_FOLDERS
        .iter()
        .flat_map(|(parent, prefix, bin)| versions_in(Path::new(parent), prefix, bin));
    candidates.extend(newest_first(versioned.collect()));
    if let Some(cache) = cache() {
        candidates.extend(newest_first(versions_in(&cache.join("servers"), "", "bin")));
    }
    candidates
}

fn folders_in(variable: &str) -> Vec<PathBuf> {
    let value = std::env::var_os(variable).unwrap_or_default();
    std::env::split_paths(&value)
        .filter(|folder| folder.is_absolute())
        .collect()
}

fn pg_config_bindir() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let folder = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(folder.trim())).filter(|folder| folder.is_absolute())
}

/// Entries of a folder that are named by a version after a prefix, with that version.
fn versions_in(parent: &Path, prefix: &str, bin: &str) -> Vec<(u32, PathBuf)> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let name = entry.file_name();
            let rest = name.to_str()?.strip_prefix(prefix)?;
            let digits = rest.trim_start_matches('@').split('.').next()?;
            // `postgresql` without a number is a link to the current one.
            let version = if digits.is_empty() {
                0
            } else {
                digits.parse().ok()?
            };
            Some((version, entry.path().join(bin)))
        })
        .collect()
}

fn newest_first(mut versions: Vec<(u32, PathBuf)>) -> Vec<PathBuf> {
    versions.sort_by(|a, b| b.cmp(a));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

/// The folder that `postgres` really is in: a folder of links to some programs of an installation
/// (`/usr/local/bin`, Homebrew) need not have links to all of them.
fn behind_links(folder: &Path) -> PathBuf {
    let real = folder.join("postgres").canonicalize();
    let parent = real
        .ok()
        .and_then(|program| program.parent().map(Path::to_path_buf));
    parent
        .filter(|parent| has_server(parent))
        .unwrap_or_else(|| folder.to_path_buf())
}

fn has_server(folder: &Path) -> bool {
    ["initdb", "postgres"]
        .iter()
        .all(|program| folder.join(program).is_file())
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` → (`15.18`, 15); also `18beta1`.
fn version_in(said: &str) -> Option<(String, u32)> {
    let version = said
        .split("(PostgreSQL)")
        .nth(1)?
        .split_whitespace()
        .next()?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    Some((version.to_owned(), digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_distributions_print() {
        for (said, version, major) in [
            (
                "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n",
                "15.18",
                15,
            ),
            ("postgres (PostgreSQL) 18.6\n", "18.6", 18),
            ("postgres (PostgreSQL) 19beta1\n", "19beta1", 19),
        ] {
            assert_eq!(version_in(said), Some((version.to_owned(), major)));
        }
        assert_eq!(version_in("sh: postgres: not found"), None);
    }

    #[test]
    fn versioned_folders_are_tried_newest_first() {
        let root = tempfile::tempdir().unwrap();
        for name in ["9.6", "postgresql@9", "14", "18", "doc"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
        }
        let found = newest_first(versions_in(root.path(), "", "bin"));
        let expected = ["18", "14", "9.6"].map(|name| root.path().join(name).join("bin"));
        assert_eq!(found, expected);
        let found = versions_in(root.path(), "postgresql", "bin");
        assert_eq!(found, [(9, root.path().join("postgresql@9").join("bin"))]);
    }

    #[test]
    fn a_folder_of_links_leads_to_the_installation() {
        let root = tempfile::tempdir().unwrap();
        let (real, links) = (root.path().join("real"), root.path().join("links"));
        for folder in [&real, &links] {
            std::fs::create_dir(folder).unwrap();
        }
        for program in ["initdb", "postgres"] {
            std::fs::write(real.join(program), "").unwrap();
        }
        std::os::unix::fs::symlink(real.join("postgres"), links.join("postgres")).unwrap();
        assert_eq!(behind_links(&links), real.canonicalize().unwrap());
        assert_eq!(behind_links(&real), real.canonicalize().unwrap());
    }

    #[test]
    fn a_folder_without_a_server_is_refused_with_the_way_out() {
        let root = tempfile::tempdir().unwrap();
        let error = Binaries::in_folder(root.path()).unwrap_err().to_string();
        assert!(
            error.contains("does not hold initdb and postgres"),
            "{error}"
        );
        assert!(error.contains("PGGUARD_PG_BIN"), "{error}");
    }
}
