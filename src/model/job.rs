//! A piece of work whose time grows with the size of what it works on.

use super::{Oid, RelationName};
use serde::{Deserialize, Serialize};

/// What a statement does to one relation that takes longer the larger it is, with the sizes that the
/// catalogs tell (`pg_class`, the counters of `pg_stat`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// What is done.
    pub kind: JobKind,
    /// The table, as in [`super::LockRequest::oid`].
    pub oid: Option<Oid>,
    /// Schema and name, as the catalog has them.
    #[serde(flatten)]
    pub name: RelationName,
    /// The index that is built; `None`: another kind of work, or an index that the migration makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<Oid>,
    /// How many rows; `None`: nobody has counted them.
    pub rows: Option<f64>,
    /// Bytes of the table itself.
    #[serde(default)]
    pub bytes: f64,
    /// Bytes of what is stored out of line.
    #[serde(default)]
    pub toast_bytes: f64,
    /// Bytes of the index that is built, or of all indexes that rows are written to.
    #[serde(default)]
    pub index_bytes: f64,
    /// The index's access method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Whether the index's keys take long to compare or to work out: text, numbers of any length, expressions.
    #[serde(default)]
    pub slow_keys: bool,
    /// Indexes that get an entry for each row that is written.
    #[serde(default)]
    pub indexes: usize,
    /// Whether all rows are worked on for certain; otherwise a WHERE decides.
    #[serde(default)]
    pub whole: bool,
}

/// What work of a kind was thought to take, and what it took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkSeen {
    /// What kind of work it is.
    pub kind: JobKind,
    /// The access method of an index that was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// As [`Job::slow_keys`].
    #[serde(default)]
    pub slow_keys: bool,
    /// The guess without past runs, in seconds.
    pub said_s: f64,
    /// The truth, in seconds.
    pub took_s: f64,
}

/// Kinds of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Reads every row and checks it.
    Scan,
    /// Reads every row and looks it up in another table: a foreign key's check.
    Join,
    /// Writes every row into new files; the indexes are jobs of their own.
    Rewrite,
    /// Copies the files as they are, to another tablespace.
    Move,
    /// Builds an index.
    Build,
    /// A query reads it.
    Read,
    /// UPDATE, DELETE or MERGE writes its rows.
    Write,
}

impl JobKind {
    /// What is done, as a participle: `202 MB rewritten`.
    #[must_use]
    pub const fn done(self) -> &'static str {
        match self {
            Self::Scan | Self::Read => "read",
            Self::Join => "checked",
            Self::Rewrite => "rewritten",
            Self::Move => "copied",
            Self::Build => "indexed",
            Self::Write => "written",
        }
    }
}
