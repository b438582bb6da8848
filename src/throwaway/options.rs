//! What kind of throw-away server.

use std::path::PathBuf;

/// What kind of server.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Major version; with none, the first installation that [`super::Binaries::find`] finds.
    pub major: Option<u32>,
    /// This installation's folder, and no other.
    pub bin: Option<PathBuf>,
    /// Settings for `postgresql.conf`, unquoted values.
    pub settings: Vec<(String, String)>,
    /// Further arguments of `initdb`; the encoding is UTF8 and the locale C unless said otherwise.
    pub initdb: Vec<String>,
    /// Lines of `pg_hba.conf`, tried before ours.
    pub hba: Vec<String>,
    /// The superuser's name; with none: `postgres`.
    pub superuser: Option<String>,
    /// Whether its data directory may be a copy of one that the cache keeps.
    pub from_template: bool,
    /// The name of what is to be loaded into it: its data directory may be a copy of one that [`super::Server::keep`]
    /// kept under this name. What was loaded into that one [`super::Server::loaded`] says.
    pub kept: Option<String>,
    /// A command that starts the server's command elsewhere ([`crate::world::Plan::prefix`]).
    pub within: Vec<String>,
}

impl Options {
    /// A server of this major version.
    #[must_use]
    pub fn major(major: u32) -> Self {
        Self {
            major: Some(major),
            ..Self::default()
        }
    }

    /// With this setting.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this further argument of `initdb`, such as `--encoding=SQL_ASCII`.
    #[must_use]
    pub fn initdb(mut self, argument: &str) -> Self {
        self.initdb.push(argument.to_owned());
        self
    }

    /// Puts this line at the top of `pg_hba.conf`.
    #[must_use]
    pub fn hba(mut self, line: &str) -> Self {
        self.hba.push(line.to_owned());
        self
    }
}
