//! What is read of the process's surroundings: variables, the home folder, the system's user.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The surroundings, as values: tests bring their own.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    home: Option<PathBuf>,
    user: Option<String>,
}

impl Environment {
    /// This process's.
    #[must_use]
    pub fn of_process() -> Self {
        let account = nix::unistd::User::from_uid(nix::unistd::geteuid())
            .ok()
            .flatten();
        let variables: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self {
            // libpq: $HOME, else the account's (`pqGetHomeDirectory`).
            home: variables
                .get("HOME")
                .filter(|home| !home.is_empty())
                .map(PathBuf::from)
                .or_else(|| account.as_ref().map(|a| a.dir.clone())),
            user: account.map(|a| a.name),
            variables,
        }
    }

    /// Surroundings made up of these variables, this home folder and this user.
    #[must_use]
    pub fn new(variables: &[(&str, &str)], home: Option<PathBuf>, user: Option<&str>) -> Self {
        Self {
            variables: variables
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            home,
            user: user.map(str::to_owned),
        }
    }

    /// A variable; empty counts as not set, as libpq does for most of them.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        self.variables.get(name).filter(|v| !v.is_empty()).cloned()
    }

    /// The home folder.
    #[must_use]
    pub fn home(&self) -> Option<PathBuf> {
        self.home.clone()
    }

    /// The system's user.
    #[must_use]
    pub fn user(&self) -> Option<String> {
        self.user.clone()
    }
}
