//! The noun that the files of this folder share.

use crate::migration::script::Script;

/// One migration of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// As the tool's version table knows it.
    pub id: String,
    /// What the tool compares to run a repeatable migration again; `None`: it runs once.
    pub checksum: Option<String>,
    /// What it runs.
    pub script: Script,
}
