//! The catalog file: what `pgguard catalog` writes, so that pull requests are judged without the server. Schema,
//! sizes, settings and rates of use; no rows and no query texts.

use super::Recording;
use crate::door::Form;
use crate::door::file::{self, Access};
use crate::model::{Catalog, Oid, Server, Snapshot};
use crate::{Error, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The form of the file. A higher number comes from a newer pgguard; a new field needs no new number.
const VERSION: u32 = 1;

/// What tells the file from a recording.
const KIND: &str = "catalog";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CatalogFile {
    /// The form of the file.
    pub version: u32,
    /// `catalog`
    pub kind: String,
    /// When the server was read, by its clock.
    pub taken_at: DateTime<Utc>,
    /// The server, as far as a migration's locks depend on it.
    pub server: CatalogServer,
    /// How often the tables are used.
    #[serde(default)]
    pub usage: Vec<Used>,
    /// The rows of the system catalogs.
    pub catalog: Catalog,
}

/// The server of a catalog file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogServer {
    /// `server_version_num`
    pub version_num: i32,
    /// `current_database()`
    pub database: String,
    /// `session_user`
    pub user: String,
    /// What a session begins with.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
}

/// How often a table is used.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Used {
    /// `pg_class.oid`
    pub oid: Oid,
    /// Scans a minute.
    pub reads_per_minute: f64,
    /// Rows written a minute.
    pub writes_per_minute: f64,
}

impl CatalogFile {
    /// From what was read.
    #[must_use]
    pub fn new(
        taken_at: DateTime<Utc>,
        server: &Server,
        usage: Vec<Used>,
        catalog: Catalog,
    ) -> Self {
        Self {
            version: VERSION,
            kind: KIND.to_owned(),
            taken_at,
            server: CatalogServer {
                version_num: server.version_num,
                database: server.datname.clone(),
                user: server.user.clone(),
                settings: server.settings.clone(),
            },
            usage,
            catalog,
        }
    }

    /// The text of the file.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn text(&self) -> Result<String> {
        serde_json::to_string(self)
            .map(|text| text + "\n")
            .map_err(|error| Error::unusable("the catalog", &error.to_string()))
    }

    /// Writes a file that only its owner can read: whole, or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = Form::Json.made_safe(&self.text()?);
        file::replace(path, Access::Owner, text.as_bytes()).map_err(|error| Error::File {
            what: "write",
            path: path.display().to_string(),
            why: error.to_string(),
        })
    }

    /// Reads a file, also one of an older version.
    ///
    /// # Errors
    /// When it cannot be read, is damaged or something else, or comes from a newer version.
    pub fn read(path: &Path) -> Result<Self> {
        let failed = |why: String| Error::File {
            what: "read",
            path: path.display().to_string(),
            why,
        };
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let other = |why: String| {
            failed(format!(
                "it is no catalog file, or damaged ({why}); write it with `pgguard catalog`"
            ))
        };
        let document: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| other(error.to_string()))?;
        if document["kind"] != KIND {
            return Err(other(format!("its \"kind\" is not \"{KIND}\"")));
        }
        match document["version"].as_u64() {
            Some(version) if version > u64::from(VERSION) => Err(failed(format!(
                "it was written by a newer pgguard (form {version}, this one reads up to {VERSION}); update pgguard"
            ))),
            _ => serde_json::from_value(document).map_err(|error| other(error.to_string())),
        }
    }

    /// A recording with the catalog, and one look that saw nobody.
    #[must_use]
    pub fn into_recording(self) -> Recording {
        let CatalogServer {
            version_num,
            database,
            user,
            settings,
        } = self.server;
        let server = Server {
            version_num,
            datname: database,
            user,
            settings,
            sees_all: true,
            ..Server::unknown()
        };
        Recording {
            catalog: Some(self.catalog),
            looks: vec![Snapshot::of_nobody(server, self.taken_at)],
            ..Recording::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        CatalogFile::read(file.path()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_catalog_file_is_refused_with_the_way_out() {
        assert!(refused("{").contains("pgguard catalog"));
        assert!(refused("[]").contains("pgguard catalog"));
        assert!(refused("{\"version\":1,\"looks\":[]}").contains("pgguard catalog"));
        assert!(refused("{\"version\":1,\"kind\":\"catalog\"}").contains("pgguard catalog"));
        let newer = refused("{\"version\":2,\"kind\":\"catalog\"}");
        assert!(newer.contains("newer pgguard (form 2"), "{newer}");
    }

    #[test]
    fn a_file_with_fewer_fields_is_read() {
        let old = r#"{"version":1,"kind":"catalog","taken_at":"2026-01-01T00:00:00Z",
            "server":{"version_num":150000,"database":"shop","user":"app"},"catalog":{}}"#;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), old).unwrap();
        let read = CatalogFile::read(file.path()).unwrap();
        assert_eq!(read.catalog, Catalog::default());
        let recording = read.into_recording();
        assert_eq!(recording.looks[0].server.datname, "shop");
    }
}
