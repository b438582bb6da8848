//! What is in a world, and how a program is started in it.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::process::Command;

/// The word on the command line that asks for a step.
pub const WORD: &str = "__world";

/// What is in a world.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// A folder of ours, for what the world tells; `None`: the program is the throw-away server's, with no world of
    /// processes of its own.
    pub folder: Option<PathBuf>,
    /// The socket of the one server; `None`: no server at all.
    pub server: Option<PathBuf>,
    /// The ports at which it is found, at every address.
    pub ports: Vec<u16>,
    /// Folders in which Postgres servers have their sockets: there, too, the one server is found.
    pub folders: Vec<PathBuf>,
    /// The TCP ports outside that are opened to the program.
    #[serde(default)]
    pub network: Vec<u16>,
    /// Where the program may write; empty: wherever its user may.
    #[serde(default)]
    pub writable: Vec<PathBuf>,
    /// Every other unix socket that somebody listens on, found by `enter`.
    #[serde(default)]
    pub sockets: Vec<PathBuf>,
    /// Who we are outside.
    #[serde(default)]
    pub user: u32,
    /// In which group.
    #[serde(default)]
    pub group: u32,
}

/// The file in [`Plan::folder`] that says why the world could not be made.
pub const REFUSED: &str = "refused";

/// The file in [`Plan::folder`] that has what each session began with, a line a session.
pub const SESSIONS: &str = "sessions";

/// What a session began with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Begun {
    pub user: String,
    pub database: String,
    /// Everything else that its start-up message says.
    pub settings: Vec<(String, String)>,
}

impl Plan {
    /// The words in front of the program's own: it is then started in this world.
    #[must_use]
    pub fn prefix(&self) -> Vec<String> {
        let plan = serde_json::to_string(self).unwrap_or_default();
        vec!["/proc/self/exe".into(), WORD.into(), "enter".into(), plan]
    }

    /// A command that will run in this world. Its standard input has to be a pipe: when that closes, all of it ends.
    #[must_use]
    pub fn command(&self, program: &[String]) -> Command {
        let words = self.prefix();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(program);
        command
    }
}
