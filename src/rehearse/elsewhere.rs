//! What a command does from databases that nobody named: `db:reset` drops and makes one from `postgres`.

use super::Wanted;
use super::captured::Captured;
use super::copy::SUPERUSER;
use super::log::{Entry, What};
use super::nodes;
use super::schema::Schema;
use super::script::{self, Known};
use crate::world::Begun;
use std::collections::BTreeSet;

/// Statements about whole databases and roles count as sent to production's own database, wherever they came from.
pub fn bring_home(entries: &mut [Entry], schemas: &[Schema]) {
    let Some(home) = schemas.first() else {
        return;
    };
    for entry in entries
        .iter_mut()
        .filter(|entry| is_foreign(entry, schemas))
    {
        let is_of_the_server = match &entry.what {
            What::Statement { sql, .. } | What::Refused { sql, .. } => nodes::is_of_the_server(sql),
            What::Connected | What::Skipped => false,
        };
        if is_of_the_server {
            entry.database.clone_from(&home.database);
        }
    }
}

/// What was changed in other databases. One that the command made itself is left out: nobody else uses it.
pub fn captured(
    wanted: &Wanted,
    entries: &[Entry],
    schemas: &[Schema],
    begun: &[Begun],
) -> Vec<Captured> {
    let made = entries.iter().filter_map(|entry| match &entry.what {
        What::Statement { sql, .. } => Some(nodes::made_databases(sql)),
        _ => None,
    });
    let made: BTreeSet<String> = made.flatten().collect();
    let foreign = entries.iter().filter(|entry| is_foreign(entry, schemas));
    let databases: BTreeSet<&str> = foreign.map(|entry| entry.database.as_str()).collect();
    let others = databases.into_iter().filter(|name| !made.contains(*name));
    others
        .filter_map(|database| {
            let own = entries.iter().filter(|entry| entry.database == database);
            let own: Vec<Entry> = own.filter(|e| e.user != SUPERUSER).cloned().collect();
            let script = script::written(&own, &Known::default(), begun);
            let header = script::header(&wanted.command, "", database, "", "");
            // What was refused on the copy may be allowed on production.
            (script.changes || own.iter().any(is_refused_change)).then(|| Captured {
                database: database.to_owned(),
                text: header + &script.text,
                changes: true,
                statements: script.statements,
            })
        })
        .collect()
}

fn is_refused_change(entry: &Entry) -> bool {
    match &entry.what {
        What::Refused { sql, .. } => nodes::nodes(sql).iter().any(nodes::changes),
        _ => false,
    }
}

fn is_foreign(entry: &Entry, schemas: &[Schema]) -> bool {
    let named = || {
        schemas
            .iter()
            .any(|schema| schema.database == entry.database)
    };
    entry.user != SUPERUSER && !entry.database.is_empty() && !named()
}
