//! One look at what a session of the copy has locked and done in its transaction.

use crate::model::{LockMode, Oid};
use crate::postgres::plain::{Plain, Refused};
use std::collections::{BTreeMap, BTreeSet};

const QUESTION: &str = include_str!("probe.sql");

/// What was seen.
#[derive(Debug, Clone, Default)]
pub struct Probe {
    /// Relation locks.
    pub locks: BTreeSet<(Oid, LockMode)>,
    /// Locks on other objects that are more than ACCESS SHARE, as (class, object).
    pub objects: BTreeSet<(Oid, Oid)>,
    /// Advisory locks.
    pub advisory: usize,
    /// How often relations and indexes were read.
    pub scans: BTreeMap<Oid, i64>,
    /// The files of relations that are locked for themselves.
    pub files: BTreeMap<Oid, Oid>,
    /// Views of what the server has counted.
    pub counted: BTreeSet<String>,
    /// Calls of functions that catch errors, or ask for sizes.
    pub catching: i64,
}

impl Probe {
    /// Looks.
    ///
    /// # Errors
    /// The transaction has failed.
    pub async fn take(session: &mut Plain) -> Result<Self, Refused> {
        let mut found = Self::default();
        session
            .rows(QUESTION, |row| {
                let number = row.number::<Oid>(1).unwrap_or_default();
                let text = row.word(2).unwrap_or_default();
                found.add(row.word(0).unwrap_or_default(), number, text);
            })
            .await?;
        Ok(found)
    }

    fn add(&mut self, kind: &str, oid: Oid, text: &str) {
        let count = || text.parse::<i64>().unwrap_or_default();
        match kind {
            "lock" => {
                self.locks
                    .extend(LockMode::from_pg_locks(text).map(|mode| (oid, mode)));
            }
            "object" => {
                self.objects.insert((text.parse().unwrap_or_default(), oid));
            }
            "advisory" => self.advisory += 1,
            "scans" => {
                self.scans.insert(oid, count());
            }
            "file" => {
                self.files.insert(oid, text.parse().unwrap_or_default());
            }
            "counted" => {
                self.counted.insert(text.to_owned());
            }
            "catches" => self.catching += count(),
            _ => {}
        }
    }
}
