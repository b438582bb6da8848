//! A recording: what one command read from a server, so that the same command can run again without it.
//! Incidents become fixtures.

mod catalog;

pub use catalog::{CatalogFile, Used};

use crate::door::Form;
use crate::door::file::{self, Access};
use crate::migration::source::applied::Applied;
use crate::model::{Catalog, DatabaseFacts, Leftovers, Snapshot, ToolRow};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The form of the file. A file with a higher number comes from a newer pgguard.
const VERSION: u32 = 1;

/// What was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// The form of the file.
    pub version: u32,
    /// The catalog behind the migration, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<Catalog>,
    /// What was applied of each source that was named, in order; empty: everything counts as pending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub applied: Vec<Applied>,
    /// The looks, in order; the last two of a long wait.
    #[serde(default)]
    pub looks: Vec<Snapshot>,
    /// The sizes of the tables that a running dump copies.
    #[serde(default, skip_serializing_if = "DatabaseFacts::is_empty")]
    pub tables: DatabaseFacts,
    /// What may have been left behind, where the doctor asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leftovers: Option<Leftovers>,
    /// Lock rows of migration tools, where they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lock_rows: Vec<ToolRow>,
}

impl Default for Recording {
    fn default() -> Self {
        Self {
            version: VERSION,
            catalog: None,
            applied: Vec::new(),
            looks: Vec::new(),
            tables: DatabaseFacts::default(),
            leftovers: None,
            lock_rows: Vec::new(),
        }
    }
}

impl Recording {
    /// Adds what a later look read. The first look stays only as long as it is one of the last two: two
    /// make a verdict, and what a long wait saw before is of no use.
    pub fn add(&mut self, later: Self) {
        self.catalog = later.catalog.or(self.catalog.take());
        if !later.applied.is_empty() {
            self.applied = later.applied;
        }
        self.looks.extend(later.looks);
        self.tables.add(later.tables);
        self.leftovers = later.leftovers.or(self.leftovers.take());
        if !later.lock_rows.is_empty() {
            self.lock_rows = later.lock_rows;
        }
        let old = self.looks.len().saturating_sub(2);
        self.looks.drain(..old);
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, or comes from a newer version.
    pub fn read(path: &Path) -> Result<Self> {
        let failed = |why: String| Error::File {
            what: "read",
            path: path.display().to_string(),
            why,
        };
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let document: serde_json::Value = serde_json::from_str(&text).map_err(|error| {
            failed(format!(
                "it is no recording, or damaged ({error}); record it again"
            ))
        })?;
        match document.get("version").and_then(serde_json::Value::as_u64) {
            Some(version) if version > u64::from(VERSION) => Err(failed(format!(
                "it was written by a newer pgguard (form {version}, this one reads up to {VERSION}); update pgguard"
            ))),
            _ => serde_json::from_value(document).map_err(|error| {
                failed(format!(
                    "it is no recording, or damaged ({error}); record it again"
                ))
            }),
        }
    }

    /// Writes a file: whole, or not at all; through what is no plain file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let failed = |why: String| Error::File {
            what: "write",
            path: path.display().to_string(),
            why,
        };
        let text = serde_json::to_string(self).map_err(|error| failed(error.to_string()))?;
        let text = Form::Json.made_safe(&text);
        file::replace(path, Access::Owner, text.as_bytes())
            .map_err(|error| failed(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Recording::read(file.path()).unwrap_err().to_string()
    }

    #[test]
    fn what_was_written_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("incident.json");
        Recording::default().write(&path).unwrap();
        assert_eq!(Recording::read(&path).unwrap(), Recording::default());
    }

    #[test]
    fn a_damaged_or_newer_file_is_refused_by_name() {
        assert!(refused("{\"version\":1,\"looks\":[").contains("damaged"));
        assert!(refused("{\"looks\":3}").contains("damaged"));
        assert!(refused("{\"version\":99}").contains("newer pgguard"));
    }
}
