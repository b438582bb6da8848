//! Where the history is.

use crate::postgres::connect::{is_keyword, shown};
use crate::{Error, Result};
use etcetera::BaseStrategy as _;
use std::fmt;
use std::path::{Path, PathBuf};

/// Names the place where neither a flag nor the configuration does.
const VARIABLE: &str = "PGGUARD_HISTORY";

/// A place for the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A SQLite file.
    File(PathBuf),
    /// A database with a schema `pgguard`: a URL, as for `-d`.
    Postgres(String),
}

impl Place {
    /// What was said, else `$PGGUARD_HISTORY`, else `pgguard/history.sqlite` in the user's state folder
    /// (`$XDG_STATE_HOME`, `~/.local/state`).
    ///
    /// # Errors
    /// When there is no home folder to put it in.
    pub fn of(said: Option<&str>) -> Result<Self> {
        let variable = || std::env::var(VARIABLE).ok();
        match said.map(str::to_owned).or_else(variable) {
            Some(said) if !said.is_empty() => Self::read(&said),
            _ => Ok(Self::File(default_file()?)),
        }
    }

    /// The folder for looks: next to a file; for a server in this user's state folder. `None`: there is no place for
    /// one, and none is made in a folder that is not there.
    #[must_use]
    pub fn looks(&self) -> Option<PathBuf> {
        let Self::File(path) = self else {
            return Some(state_folder().ok()?.join("history.looks"));
        };
        let is_default = || default_file().is_ok_and(|usual| usual == *path);
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let is_no_file = path.exists() && !path.is_file();
        (!is_no_file && (folder.is_dir() || is_default())).then(|| path.with_extension("looks"))
    }

    /// A connection string is a server, all else a file: but no file is named after a string that is torn.
    fn read(said: &str) -> Result<Self> {
        if let Some(file) = said.strip_prefix("sqlite:") {
            return Ok(Self::File(PathBuf::from(file)));
        }
        let is_login = said
            .split_once('@')
            .is_some_and(|(before, _)| before.contains(':'));
        let is_string = said.contains("://") || conninfo_begins(said) || is_login;
        if !is_string {
            return Ok(Self::File(PathBuf::from(said)));
        }
        match shown(said) {
            Some(_) if conninfo_begins(said) => Ok(Self::Postgres(said.to_owned())),
            _ => Err(Error::History {
                path: "in a server".into(),
                why: "its connection string cannot be read: write postgres://USER@HOST:PORT/DATABASE (in a \
                      password %2F %3F %23 %40 for / ? # @), or the path of a file"
                    .into(),
            }),
        }
    }
}

/// Whether it begins as a connection string does: with Postgres's scheme, or with one of libpq's keywords.
fn conninfo_begins(said: &str) -> bool {
    let word = said.split_once('=').map(|(word, _)| word.trim());
    ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| said.starts_with(scheme))
        || word.is_some_and(is_keyword)
}

impl fmt::Display for Place {
    /// As it may be shown: without a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Postgres(url) => f.write_str(&shown(url).unwrap_or_else(|| "in a server".into())),
        }
    }
}

fn default_file() -> Result<PathBuf> {
    Ok(state_folder()?.join("history.sqlite"))
}

/// pgguard's own folder in the user's state folder.
///
/// # Errors
/// When there is no home folder to have it in.
pub fn state_folder() -> Result<PathBuf> {
    let folders = etcetera::base_strategy::Xdg::new().map_err(|error| Error::History {
        path: "in the user's state folder".into(),
        why: format!("{error}; name a file with --history or ${VARIABLE}"),
    })?;
    let state = folders
        .state_dir()
        .unwrap_or_else(|| folders.home_dir().join(".local/state"));
    Ok(state.join("pgguard"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_is_a_server_and_all_else_a_file() {
        let url = "postgresql://u:secret@db1/ops";
        let read = |said| Place::read(said).unwrap();
        assert_eq!(read(url), Place::Postgres(url.into()));
        for (said, is_shown) in [
            (url, "postgres://u@db1/ops"),
            (
                "postgres:///ops?host=/run/pg&password=x&user=u",
                "postgres:///ops?host=/run/pg&user=u",
            ),
            ("host=db1 password=secret dbname=ops", "postgres://db1/ops"),
        ] {
            assert_eq!(read(said).to_string(), is_shown, "{said}");
        }
        for (said, file) in [
            ("sqlite:h.sqlite", "h.sqlite"),
            ("/x/h", "/x/h"),
            ("a=b.sqlite", "a=b.sqlite"),
            ("/x/me@home/h", "/x/me@home/h"),
        ] {
            assert_eq!(read(said), Place::File(file.into()), "{said}");
        }
    }

    /// cases/safety/09
    #[test]
    fn no_file_is_named_after_a_connection_string() {
        for said in [
            "postgresql+psycopg2://u:secret@h/db",
            "POSTGRES://u:secret@h/db",
            "mysql://u:secret@h/db",
            "jdbc:postgresql://h/db?user=u&password=secret",
            "postgres:/u:secret@h/db",
            "u:secret@h/db",
            "host=h password=sec ret",
            "postgres://u:secret/x@h/db",
            "postgres://u:sec?ret@h/db",
            " postgres://u:secret@h/db",
            "'postgres://u:secret@h/db'",
        ] {
            let message = Place::read(said).unwrap_err().to_string();
            assert!(!message.contains("sec"), "{said}: {message}");
        }
    }
}
