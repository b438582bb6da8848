//! Pending migrations, some or all statements of which are done: Postgres would refuse to do them again.

use super::finding::{Finding, Harm, Kind, Place, Remedy};
use crate::model::{Certainty, Statement};
use crate::safe::shell_word;
use crate::tools::mark_applied;
use crate::words::{literal, many, one_line};
use std::collections::BTreeSet;

/// How many statements are listed.
const SHOWN: usize = 12;

/// A migration that its tool has not recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// Whose it is; `None`: a file of plain SQL.
    pub tool: Option<&'static str>,
    /// As the version table would know it.
    pub id: String,
    /// What it would run, against the catalog as it is, after the pending ones before it.
    pub statements: Vec<Statement>,
}

/// What the catalog shows of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trace {
    /// What it would make is there, or what it would take away is not.
    Done,
    /// It is not done.
    Missing,
    /// It leaves no trace in the catalogs (UPDATE, SET NOT NULL, IF NOT EXISTS).
    Unknown,
}

/// What Postgres says where a thing is there already, and where it is gone.
const THERE: &str = "already exists";
const GONE: &str = "does not exist";

/// Beginnings of statements that make something, or take it away: they show.
const SHOWS: [&str; 4] = ["CREATE", "ALTER", "DROP", "RENAME"];

fn trace(statement: &Statement) -> Trace {
    let text = one_line(&statement.sql, 4096).to_ascii_uppercase();
    let takes_away =
        text.starts_with("DROP") || text.contains(" DROP ") || text.contains(" RENAME ");
    match statement.fails.as_deref() {
        Some(why) if why.contains(THERE) => Trace::Done,
        Some(why) if why.contains(GONE) && takes_away && !why.contains("relation") => Trace::Done,
        Some(why) if why.contains(GONE) && text.starts_with("DROP") => Trace::Done,
        Some(_) => Trace::Missing,
        None if shows(&text) => Trace::Missing,
        None => Trace::Unknown,
    }
}

/// Whether a statement that would run makes or takes away something whose name shows.
fn shows(text: &str) -> bool {
    let quiet = [" IF NOT EXISTS", " IF EXISTS", "OR REPLACE", " TEMP"];
    let named = [
        "CREATE ",
        "DROP ",
        " ADD ",
        " DROP COLUMN",
        " DROP CONSTRAINT",
        " RENAME ",
    ];
    SHOWS.iter().any(|word| text.starts_with(word))
        && named.iter().any(|word| text.contains(word))
        && !quiet.iter().any(|word| text.contains(word))
        && !text.contains(" DROP NOT NULL")
        && !text.contains(" DROP DEFAULT")
}

/// What is half applied, or applied and not recorded.
pub fn half_applied(pending: &[Pending]) -> Vec<Finding> {
    let mut earlier = BTreeSet::new();
    let mut found = Vec::new();
    for migration in pending {
        let finding = finding(migration).map(|mut finding| {
            if earlier.contains(&migration.tool) && migration.tool.is_some() {
                let advice = &finding.remedy.advice;
                finding.remedy.advice =
                    format!("migrations before it are pending: run those first; then {advice}");
            }
            finding
        });
        if finding.is_none() {
            earlier.insert(migration.tool);
        }
        found.extend(finding);
    }
    found
}

fn finding(pending: &Pending) -> Option<Finding> {
    let traces: Vec<(Trace, &Statement)> =
        pending.statements.iter().map(|s| (trace(s), s)).collect();
    let count = |wanted| traces.iter().filter(|(trace, _)| *trace == wanted).count();
    let (done, missing, unknown) = (
        count(Trace::Done),
        count(Trace::Missing),
        count(Trace::Unknown),
    );
    if done == 0 {
        return None;
    }
    let name = match pending.tool {
        Some(tool) => format!("migration {} of {tool} is pending, and it", pending.id),
        None => pending.id.clone(),
    };
    let all = many(traces.len(), "statement");
    let what = match (missing, unknown) {
        (0, 0) => format!("{name} is applied: what each of its {all} makes is there"),
        (0, _) => format!(
            "{name} is applied as far as can be seen: of its {all} {} done, and {} no trace in the catalogs",
            agrees(done, "is", "are"),
            agrees(unknown, "leaves", "leave")
        ),
        _ => format!(
            "{name} is half applied: of its {all} {} done and {} not",
            agrees(done, "is", "are"),
            agrees(missing, "is", "are")
        ),
    };
    Some(Finding {
        kind: Kind::HalfApplied,
        harm: Harm::StopsMigrations,
        certainty: Certainty::Likely,
        what,
        relation: None,
        session: None,
        since: None,
        proof: traces
            .iter()
            .take(SHOWN)
            .map(|(trace, s)| line(*trace, s))
            .collect(),
        cost: "the next run stops at the first statement that is done: it exists already".into(),
        remedy: remedy(pending, &traces, missing == 0),
    })
}

/// `1 is`, `2 are`
fn agrees(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

fn line(trace: Trace, statement: &Statement) -> String {
    let state = match trace {
        Trace::Done => format!("done ({})", statement.fails.as_deref().unwrap_or_default()),
        Trace::Missing => "not done".to_owned(),
        Trace::Unknown => "leaves no trace in the catalogs".to_owned(),
    };
    let sql = one_line(&statement.sql, 60);
    format!("{}:{} {sql}: {state}", statement.file, statement.line)
}

fn remedy(pending: &Pending, traces: &[(Trace, &Statement)], is_whole: bool) -> Remedy {
    let mark = pending.tool.and_then(|tool| {
        mark_applied(tool, |is_sql| match is_sql {
            true => literal(&pending.id),
            false => shell_word(&pending.id),
        })
    });
    if is_whole {
        return match mark {
            Some((command, is_sql)) => Remedy {
                advice: "compare the definitions, then tell the tool that it is applied".into(),
                command,
                place: if is_sql { Place::Sql } else { Place::Shell },
            },
            None => Remedy::sql(
                "compare the definitions; the tool has no command to record it: drop what the migration made and run it again",
                "",
            ),
        };
    }
    let rest: Vec<String> = traces
        .iter()
        .filter(|(trace, _)| *trace != Trace::Done)
        .map(|(_, statement)| format!("{};", statement.sql.trim_end_matches(';')))
        .collect();
    let then = match mark {
        Some((command, _)) => format!("run the rest, then record it with {command}"),
        None => "run the rest, or undo what is done and run the migration again".to_owned(),
    };
    Remedy::sql(then, rest.join("\n"))
}
