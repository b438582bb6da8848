//! What to run instead of a statement that keeps others out.

use serde::{Deserialize, Serialize};

/// The form of a statement that keeps others out less.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaferForm {
    /// What is better.
    pub because: String,
    /// Statements without a semicolon, each to run outside a transaction block.
    #[serde(rename = "statements")]
    pub steps: Vec<String>,
    /// Whether it does the same for a table without partitions and children only.
    #[serde(skip)]
    pub one_table: bool,
}
