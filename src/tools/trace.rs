//! What a run that did not end leaves in a tool's tables: a lock row that nobody gives back, a migration that was begun.

/// A row that says: a run began and did not end.
#[derive(Debug, Clone, Copy)]
pub struct Trace {
    /// Whether it is the tool's lock; else a migration that was not finished.
    pub is_lock: bool,
    /// The table, without schema.
    pub table: &'static str,
    /// Columns by which the table is known: several tools give theirs the same name.
    pub columns: &'static [&'static str],
    /// Reads `{table}` as (id text, detail text), a row for each trace.
    pub query: &'static str,
    /// What it means, in a sentence that follows "the tool".
    pub means: &'static str,
    /// What it costs while it lasts.
    pub cost: &'static str,
    /// What to do before the command, and when.
    pub advice: &'static str,
    /// The tool's own command that ends it, with `{id}` and `{table}`; empty: it has none.
    pub command: &'static str,
    /// Whether the command is SQL, because the tool has none and says so.
    pub is_sql: bool,
}

/// What most of them have in common.
pub(super) const UNFINISHED: Trace = Trace {
    is_lock: false,
    table: "",
    columns: &[],
    query: "",
    means: "",
    cost: "",
    advice: "",
    command: "",
    is_sql: false,
};
