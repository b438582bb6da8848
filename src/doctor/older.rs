//! Sessions that began before the last change of the schema: the program behind each may go on with the old columns.

use super::case::Case;
use super::finding::{Finding, Harm, Kind, Remedy};
use crate::model::{Backend, Certainty, Change, KnownBy, Role};
use crate::sessions::alike;
use crate::sessions::query_text::{self, Kind as Text};
use crate::words::{many, span};
use chrono::{DateTime, Utc};

/// How many relations are named.
const SHOWN: usize = 3;

/// Roles of sessions that have no old columns to go on with.
const OTHERS: [Role; 6] = [
    Role::Migration,
    Role::Backup,
    Role::Maintenance,
    Role::Replication,
    Role::Monitoring,
    Role::Server,
];

/// Groups of sessions by application and host.
pub fn sessions(case: &Case<'_>) -> Vec<Finding> {
    let Some(change) = case.leftovers.changes.iter().max_by_key(|change| change.at) else {
        return Vec::new();
    };
    let last = change.until.unwrap_or(change.at);
    let older = case.clients().filter(|b| is_older(case, b, last));
    let group = |b: &&Backend| {
        let surely = is_older(case, b, change.at);
        Some((b.application_name.clone(), b.client_addr.clone(), surely))
    };
    alike::crowds(older, group)
        .iter()
        .map(|crowd| finding(case, crowd, change))
        .collect()
}

/// Whether it began before; who has made the change knows of it.
fn is_older(case: &Case<'_>, backend: &Backend, at: DateTime<Utc>) -> bool {
    let role = case.words.role_of(backend.pid);
    backend.backend_start.is_some_and(|start| start < at)
        && !OTHERS.contains(&role)
        && query_text::kind(&backend.query) != Text::SchemaChange
}

fn finding(case: &Case<'_>, crowd: &[&Backend], change: &Change) -> Finding {
    let oldest = crowd.iter().filter_map(|b| b.backend_start).min();
    let up = oldest.map_or_else(String::new, |start| {
        format!(", the oldest up for {}", span(case.words.age(start)))
    });
    let surely = crowd.iter().all(|b| is_older(case, b, change.at));
    let began = if surely { "began" } else { "may have begun" };
    let first = crowd.first();
    let application = first.map_or("", |b| b.application_name.as_str());
    let application = match application {
        "" => "without a name".to_owned(),
        name => crate::model::quoted(name),
    };
    let host = first.and_then(|b| b.client_addr.as_deref());
    let host = host.map_or_else(
        || "on the server's host".to_owned(),
        |host| format!("on {host}"),
    );
    Finding {
        kind: Kind::OlderSessions,
        harm: Harm::Risks,
        certainty: match change.known_by {
            _ if !surely => Certainty::Possible,
            KnownBy::VersionTable(_) => Certainty::Possible,
            KnownBy::Commit(_) | KnownBy::Run(_) | KnownBy::Looks(_) => Certainty::Likely,
        },
        what: format!(
            "{} of the application {application} {host} {began} before the last schema change{up}",
            many(crowd.len(), "session")
        ),
        relation: None,
        session: match crowd {
            [one] => Some(one.identity()),
            _ => None,
        },
        since: oldest,
        proof: vec![changed(case, change)],
        cost:
            "a program that read the columns before keeps using the old ones: statements may fail \
               (\"cached plan must not change result type\") or leave new columns out"
                .into(),
        remedy: Remedy::shell(
            "restart that program; a new session alone does not make it read the columns",
            "",
        ),
    }
}

/// When the schema changed, and how that is known.
fn changed(case: &Case<'_>, change: &Change) -> String {
    let at = change.at.format("%Y-%m-%d %H:%M:%S UTC");
    let ago = span(case.words.age(change.at));
    match &change.known_by {
        KnownBy::VersionTable(table) => format!(
            "{table} says that a migration was applied at {at} ({ago} ago); it committed then or later"
        ),
        KnownBy::Run(run) => format!("the run {run} changed the schema at {at} ({ago} ago)"),
        KnownBy::Looks(relation) => {
            let until = change.until.unwrap_or(case.snapshot.taken_at);
            format!(
                "looks of pgguard show that the columns of {relation} changed between {at} and {} ({ago} to {} ago)",
                until.format("%Y-%m-%d %H:%M:%S UTC"),
                span(case.words.age(until))
            )
        }
        KnownBy::Commit(_) => format!(
            "the last change of columns was committed at {at} ({ago} ago); changed last: {}",
            changed_last(case)
        ),
    }
}

fn changed_last(case: &Case<'_>) -> String {
    let changes = case.leftovers.changes.iter();
    let names = changes.filter_map(|change| match &change.known_by {
        KnownBy::Commit(name) => Some(name.to_string()),
        _ => None,
    });
    names.take(SHOWN).collect::<Vec<_>>().join(", ")
}

/// What to say where it is not known when the schema changed.
pub fn unknown(case: &Case<'_>) -> Option<String> {
    let leftovers = case.leftovers;
    let is_known = leftovers.commits_are_tracked || !leftovers.changes.is_empty();
    let oldest = case.clients().filter_map(|b| b.backend_start).min();
    let is_watched = leftovers
        .watched_since
        .is_some_and(|since| oldest.is_none_or(|oldest| since <= oldest));
    (!is_known && !is_watched).then(|| {
        "sessions that began before the last schema change are not listed: when it was is unknown; looks of pgguard \
         before and after it would tell (check -m leftovers), or track_commit_timestamp = on (it needs a restart)"
            .to_owned()
    })
}
