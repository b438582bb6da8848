//! Relations: what a lock is taken on.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An object identifier, as in `pg_class.oid`. Unique only within one database.
pub type Oid = u32;

/// `FirstNormalObjectId` (`transam.h`): smaller oids belong to the system catalogs.
pub const FIRST_NORMAL_OID: Oid = 16384;

/// What kind of relation it is: `pg_class.relkind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationKind {
    /// `r`
    Table,
    /// `p`
    PartitionedTable,
    /// `i`
    Index,
    /// `I`
    PartitionedIndex,
    /// `S`
    Sequence,
    /// `v`
    View,
    /// `m`
    MaterializedView,
    /// `c`
    CompositeType,
    /// `f`
    ForeignTable,
    /// `t`
    Toast,
}

/// `relkind`, and the words for people.
const KINDS: [(char, RelationKind, &str); 10] = [
    ('r', RelationKind::Table, "table"),
    ('p', RelationKind::PartitionedTable, "partitioned table"),
    ('i', RelationKind::Index, "index"),
    ('I', RelationKind::PartitionedIndex, "partitioned index"),
    ('S', RelationKind::Sequence, "sequence"),
    ('v', RelationKind::View, "view"),
    ('m', RelationKind::MaterializedView, "materialized view"),
    ('c', RelationKind::CompositeType, "composite type"),
    ('f', RelationKind::ForeignTable, "foreign table"),
    ('t', RelationKind::Toast, "TOAST table"),
];

impl RelationKind {
    /// Reads `pg_class.relkind`.
    #[must_use]
    pub fn from_relkind(relkind: char) -> Option<Self> {
        KINDS.iter().find(|k| k.0 == relkind).map(|k| k.1)
    }

    /// Words for people, as Postgres says them in its messages.
    #[must_use]
    pub fn words(self) -> &'static str {
        KINDS
            .iter()
            .find(|k| k.1 == self)
            .map_or("relation", |k| k.2)
    }

    /// Whether it is a table that holds rows, itself or in partitions.
    #[must_use]
    pub const fn is_table(self) -> bool {
        matches!(self, Self::Table | Self::PartitionedTable)
    }

    /// Whether it is an index of either kind.
    #[must_use]
    pub const fn is_index(self) -> bool {
        matches!(self, Self::Index | Self::PartitionedIndex)
    }
}

/// A relation's schema and name, as they stand in the catalog (not quoted).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RelationName {
    /// `pg_namespace.nspname`
    pub schema: String,
    /// `pg_class.relname`
    pub relation: String,
}

impl RelationName {
    /// A name from its two parts.
    #[must_use]
    pub fn new(schema: impl Into<String>, relation: impl Into<String>) -> Self {
        Self {
            schema: schema.into(),
            relation: relation.into(),
        }
    }
}

impl fmt::Display for RelationName {
    /// Quoted where SQL needs it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", quoted(&self.schema), quoted(&self.relation))
    }
}

/// An identifier as SQL wants it: in double quotes unless it is plain lower case.
#[must_use]
pub fn quoted(identifier: &str) -> String {
    let mut chars = identifier.chars();
    let plain_start = matches!(chars.next(), Some('a'..='z' | '_'));
    if plain_start && chars.all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_' | '$')) {
        identifier.to_owned()
    } else {
        format!("\"{}\"", identifier.replace('"', "\"\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_only_where_sql_needs_it() {
        assert_eq!(
            RelationName::new("public", "orders").to_string(),
            "public.orders"
        );
        assert_eq!(
            RelationName::new("My Schema", "a\"b").to_string(),
            "\"My Schema\".\"a\"\"b\""
        );
    }

    #[test]
    fn every_relkind_reads_back() {
        for (letter, kind, words) in KINDS {
            assert_eq!(RelationKind::from_relkind(letter), Some(kind));
            assert_eq!(kind.words(), words);
        }
    }
}
