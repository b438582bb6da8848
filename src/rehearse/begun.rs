//! What the command's sessions began with, besides what the server has: settings of their start-up messages.

use super::log::{Entry, What};
use crate::postgres::connect::server_options;
use crate::world::Begun;
use std::collections::BTreeMap;

/// The settings that decide about locks, or about how what comes is read.
const COUNTS: &[&str] = &[
    "lock_timeout",
    "statement_timeout",
    "transaction_timeout",
    "search_path",
    "role",
    "session_replication_role",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "default_transaction_deferrable",
    "standard_conforming_strings",
    "backslash_quote",
    "check_function_bodies",
    "row_security",
    "event_triggers",
];

/// The lines of the file in which the world keeps them.
#[must_use]
pub fn read(text: &str) -> Vec<Begun> {
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// For each session of a log, the statements that set what it began with: the sessions of a role come in the order in
/// which they were let in.
#[must_use]
pub fn settings<'a>(entries: &'a [Entry], begun: &[Begun]) -> BTreeMap<&'a str, Vec<String>> {
    let mut taken = vec![false; begun.len()];
    let mut found = BTreeMap::new();
    for entry in entries.iter().filter(|e| e.what == What::Connected) {
        let next = begun.iter().enumerate().find(|(at, begun)| {
            !taken[*at] && begun.user == entry.user && begun.database == entry.database
        });
        let Some((at, begun)) = next else {
            continue;
        };
        taken[at] = true;
        let statements = statements(begun);
        if !statements.is_empty() {
            found.insert(entry.session.as_str(), statements);
        }
    }
    found
}

fn statements(begun: &Begun) -> Vec<String> {
    let mut all = Vec::new();
    for (name, value) in &begun.settings {
        match name.as_str() {
            // What the server would not take, it has refused.
            "options" => all.extend(server_options(value).unwrap_or_default()),
            _ => all.push((name.clone(), value.clone())),
        }
    }
    all.into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase().replace('-', "_"), value))
        .filter(|(name, _)| COUNTS.contains(&name.as_str()))
        .map(|(name, value)| match name.as_str() {
            // A list of names: in quotes it would be one.
            "search_path" => format!(
                "SELECT pg_catalog.set_config('search_path', '{}', false)",
                value.replace('\'', "''")
            ),
            _ => format!("SET {name} = '{}'", value.replace('\'', "''")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_is_set() {
        let begun = read(
            "{\"user\":\"a\",\"database\":\"b\",\"settings\":[[\"options\",\"-c lock_timeout=2s -c x.y=1\"],\
             [\"search_path\",\"app, public\"],[\"client_encoding\",\"UTF8\"]]}\nnothing\n",
        );
        assert_eq!(
            statements(&begun[0]),
            [
                "SET lock_timeout = '2s'",
                "SELECT pg_catalog.set_config('search_path', 'app, public', false)"
            ]
        );
    }
}
