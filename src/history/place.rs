//! Where the history is.

use crate::{Error, Result};
use etcetera::BaseStrategy as _;
use std::fmt;
use std::path::PathBuf;

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
            Some(said) if !said.is_empty() => Ok(Self::read(&said)),
            _ => Ok(Self::File(default_file()?)),
        }
    }

    fn read(said: &str) -> Self {
        let is_server = ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| said.starts_with(scheme));
        if is_server {
            Self::Postgres(said.to_owned())
        } else {
            Self::File(PathBuf::from(said.strip_prefix("sqlite:").unwrap_or(said)))
        }
    }
}

impl fmt::Display for Place {
    /// As it may be shown: without a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Postgres(url) => f.write_str(&without_password(url)),
        }
    }
}

/// A URL that still leads there, for who has the password elsewhere.
fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let shown = match authority.rsplit_once('@') {
        Some((who, host)) => format!("{}@{host}", who.split(':').next().unwrap_or_default()),
        None => authority.to_owned(),
    };
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.contains("password="))
        .collect();
    let question = if kept.is_empty() { "" } else { "?" };
    format!("{scheme}://{shown}{path}{question}{}", kept.join("&"))
}

fn default_file() -> Result<PathBuf> {
    let folders = etcetera::base_strategy::Xdg::new().map_err(|error| Error::History {
        path: "in the user's state folder".into(),
        why: format!("{error}; name a file with --history or ${VARIABLE}"),
    })?;
    let state = folders
        .state_dir()
        .unwrap_or_else(|| folders.home_dir().join(".local/state"));
    Ok(state.join("pgguard").join("history.sqlite"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_server_and_all_else_a_file() {
        let url = "postgresql://u:secret@db1/ops";
        assert_eq!(Place::read(url), Place::Postgres(url.into()));
        assert_eq!(Place::read(url).to_string(), "postgresql://u@db1/ops");
        let socket = "postgres:///ops?host=/run/pg&password=x&user=u";
        assert_eq!(
            Place::read(socket).to_string(),
            "postgres:///ops?host=/run/pg&user=u"
        );
        assert_eq!(
            Place::read("sqlite:h.sqlite"),
            Place::File("h.sqlite".into())
        );
        assert_eq!(Place::read("/x/h"), Place::File("/x/h".into()));
    }
}
