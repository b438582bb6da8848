//! What a database has, in few words: enough to tell whether something changed.

use super::RelationName;
use std::collections::{BTreeMap, BTreeSet};

/// The schema and the books of the migration tools at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SchemaState {
    /// A digest of the system catalogs; temporary objects are left out, and the tables of migration tools.
    pub catalog: String,
    /// A digest of each table that a migration tool makes for itself, by its name.
    pub own: BTreeMap<String, String>,
    /// The rows of each version table, by its name.
    pub books: BTreeMap<String, BTreeSet<String>>,
    /// Indexes that are invalid.
    pub invalid: BTreeSet<RelationName>,
}

impl SchemaState {
    /// Rows of version tables that were not there before, each `table: row`.
    #[must_use]
    pub fn recorded_since(&self, before: &Self) -> Vec<String> {
        let none = BTreeSet::new();
        self.books
            .iter()
            .flat_map(|(table, rows)| {
                let known = before.books.get(table).unwrap_or(&none);
                rows.difference(known)
                    .map(move |row| format!("{table}: {row}"))
            })
            .collect()
    }

    /// How many rows of version tables are there no more.
    #[must_use]
    pub fn taken_back_since(&self, before: &Self) -> usize {
        before.recorded_since(self).len()
    }

    /// Whether something of the schema is not as before; that a tool has made its own tables does not count.
    #[must_use]
    pub fn is_changed_since(&self, before: &Self) -> bool {
        let is_as_before =
            |(table, digest): (&String, &String)| self.own.get(table) == Some(digest);
        self.catalog != before.catalog || !before.own.iter().all(is_as_before)
    }

    /// The tables that a migration tool has made for itself since.
    #[must_use]
    pub fn made_since(&self, before: &Self) -> Vec<&str> {
        let tables = self.own.keys().map(String::as_str);
        tables
            .filter(|table| !before.own.contains_key(*table))
            .collect()
    }
}
