//! The catalog: the relations that a migration can reach, as plain values.

use serde::{Deserialize, Serialize};

/// The relations that a migration can reach, as one look at the catalog found them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Catalog {}
