//! The history as a JSON document, to be carried from one place to another.

use super::{Filter, History, SignalNote};
use crate::model::BackupRun;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The form of the document.
const VERSION: u64 = 1;

/// Everything that a history has, but what is still running.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// The form: 1.
    pub version: u64,
    /// Past runs, the newest first.
    #[serde(default)]
    pub runs: Vec<BackupRun>,
    /// Sessions that were signalled, the newest first.
    #[serde(default)]
    pub signals: Vec<SignalNote>,
}

/// What an import added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Added {
    /// Runs in the document.
    pub runs: usize,
    /// Of them, those that were not known before.
    pub new_runs: usize,
    /// Signals in the document.
    pub signals: usize,
    /// Of them, those that were not known before.
    pub new_signals: usize,
}

impl Document {
    /// Reads a document; `name` says where it is from.
    ///
    /// # Errors
    /// When it is none, is damaged, or of a newer form.
    pub fn read(text: &str, name: &str) -> Result<Self> {
        let failed = |why: String| Error::File {
            what: "read",
            path: name.to_owned(),
            why,
        };
        let none = |error: serde_json::Error| {
            failed(format!(
                "it is no exported history, or damaged ({error}); export it again: pgguard backups export FILE"
            ))
        };
        let document: serde_json::Value = serde_json::from_str(text).map_err(none)?;
        match document.get("version").and_then(serde_json::Value::as_u64) {
            Some(VERSION) => serde_json::from_value(document).map_err(none),
            Some(newer) if newer > VERSION => Err(failed(format!(
                "it was written by a newer pgguard (form {newer}, this one reads up to {VERSION}); update pgguard"
            ))),
            _ => Err(failed(
                "it is no exported history: it has no \"version\": 1; export one: pgguard backups export FILE"
                    .into(),
            )),
        }
    }

    /// The document as text.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

impl History {
    /// Everything in it.
    ///
    /// # Errors
    /// When the place cannot be read, or is damaged.
    pub async fn export(&mut self) -> Result<Document> {
        Ok(Document {
            version: VERSION,
            runs: self.runs(&Filter::default()).await?,
            signals: self.signals().await?,
        })
    }

    /// Adds what a document has. What is known already is merged, so the same document may come twice.
    ///
    /// # Errors
    /// When the place cannot be written; then nothing of the runs is.
    pub async fn import(&mut self, document: &Document) -> Result<Added> {
        Ok(Added {
            runs: document.runs.len(),
            new_runs: self.save_all(&document.runs).await?,
            signals: document.signals.len(),
            new_signals: self.record_signals(&document.signals).await?,
        })
    }
}
