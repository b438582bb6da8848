//! TELL Prometheus and its kin: OpenMetrics text, for a textfile collector.
//! <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>

use crate::model::{BackendState, Role, Snapshot, age};
use crate::safe::printable;
use crate::sessions::{Sessions, WaitGraph};
use crate::words::seconds;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One family of gauges: name, unit (part of the name), help, and a sample for each set of labels.
struct Family {
    name: &'static str,
    unit: &'static str,
    help: &'static str,
    samples: Vec<(Labels, f64)>,
}

type Labels = Vec<(&'static str, String)>;

/// One look. Labels are roles and databases only: pids and queries would make a new series each.
#[must_use]
pub fn openmetrics(snapshot: &Snapshot, sessions: &Sessions, graph: &WaitGraph) -> String {
    let families = [
        plain(
            "pgguard_up",
            "",
            "Whether the server could be looked at.",
            1.0,
        ),
        by_role(snapshot, sessions),
        waiting(snapshot, graph),
        longest_wait(snapshot, graph),
        oldest(snapshot, sessions),
        idle(snapshot),
        backups(snapshot, sessions),
        plain(
            "pgguard_prepared_transactions",
            "",
            "Transactions that are prepared and neither committed nor rolled back.",
            count(snapshot.prepared.len()),
        ),
        plain(
            "pgguard_hidden_sessions",
            "",
            "Sessions that the role may not see; not zero: GRANT pg_monitor.",
            count(snapshot.masked_rows()),
        ),
    ];
    text(&families)
}

/// What is told when the server could not be looked at.
#[must_use]
pub fn openmetrics_down() -> String {
    text(&[plain(
        "pgguard_up",
        "",
        "Whether the server could be looked at.",
        0.0,
    )])
}

fn plain(name: &'static str, unit: &'static str, help: &'static str, value: f64) -> Family {
    Family {
        name,
        unit,
        help,
        samples: vec![(Vec::new(), value)],
    }
}

fn database_of(snapshot: &Snapshot, pid: i32) -> String {
    snapshot
        .backend(pid)
        .and_then(|b| b.datname.as_deref())
        .map_or_else(String::new, visible)
}

fn by_role(snapshot: &Snapshot, sessions: &Sessions) -> Family {
    let mut counts: BTreeMap<(String, Role), usize> = BTreeMap::new();
    for session in sessions.iter().filter(|s| s.role != Role::Server) {
        *counts
            .entry((database_of(snapshot, session.pid), session.role))
            .or_default() += 1;
    }
    Family {
        name: "pgguard_sessions",
        unit: "",
        help: "Sessions by the role they play; a parallel dump is one.",
        samples: counts
            .into_iter()
            .map(|((database, role), number)| {
                let labels = vec![("database", database), ("role", role.word().to_owned())];
                (labels, count(number))
            })
            .collect(),
    }
}

fn waiting(snapshot: &Snapshot, graph: &WaitGraph) -> Family {
    // Every database has its sample in every run: a series that vanishes cannot be alerted on.
    let mut counts: BTreeMap<String, usize> = databases(snapshot);
    let mut pids: Vec<i32> = graph.waiters().map(|w| w.pid).collect();
    pids.dedup();
    for pid in pids {
        *counts.entry(database_of(snapshot, pid)).or_default() += 1;
    }
    Family {
        name: "pgguard_waiting_sessions",
        unit: "",
        help: "Sessions that wait for a lock.",
        samples: counts
            .into_iter()
            .map(|(database, number)| (vec![("database", database)], count(number)))
            .collect(),
    }
}

fn databases(snapshot: &Snapshot) -> BTreeMap<String, usize> {
    snapshot
        .backends
        .iter()
        .filter_map(|b| b.datname.clone())
        .chain([snapshot.server.datname.clone()])
        .map(|name| (visible(&name), 0))
        .collect()
}

fn longest_wait(snapshot: &Snapshot, graph: &WaitGraph) -> Family {
    let longest = graph
        .waiters()
        .filter_map(|waiter| waiter.since)
        .map(|since| seconds(age(since, snapshot.taken_at)))
        .fold(0.0, f64::max);
    plain(
        "pgguard_longest_wait_seconds",
        "seconds",
        "How long the longest wait for a lock has lasted.",
        longest,
    )
}

fn oldest(snapshot: &Snapshot, sessions: &Sessions) -> Family {
    let mut ages: BTreeMap<Role, f64> = BTreeMap::new();
    for backend in &snapshot.backends {
        let role = sessions.of(backend.pid).map_or(Role::Server, |s| s.role);
        if let Some(span) = backend.xact_age(snapshot.taken_at)
            && !matches!(role, Role::Server | Role::Monitoring)
        {
            let oldest = ages.entry(role).or_default();
            *oldest = oldest.max(seconds(span));
        }
    }
    Family {
        name: "pgguard_oldest_transaction_seconds",
        unit: "seconds",
        help: "Age of the oldest transaction, by the role of its session.",
        samples: ages
            .into_iter()
            .map(|(role, age)| (vec![("role", role.word().to_owned())], age))
            .collect(),
    }
}

fn idle(snapshot: &Snapshot) -> Family {
    let longest = snapshot
        .backends
        .iter()
        .filter(|b| b.state.is_some_and(BackendState::is_idle_in_transaction))
        .filter_map(|b| b.state_age(snapshot.taken_at))
        .map(seconds)
        .fold(0.0, f64::max);
    plain(
        "pgguard_longest_idle_in_transaction_seconds",
        "seconds",
        "How long the longest idle transaction has been idle.",
        longest,
    )
}

fn backups(snapshot: &Snapshot, sessions: &Sessions) -> Family {
    let mut ages: BTreeMap<(String, &str), f64> = BTreeMap::new();
    for session in sessions.in_role(Role::Backup) {
        let Some(backend) = snapshot.backend(session.pid) else {
            continue;
        };
        let tool = session.backup.as_ref().map_or("backup", |b| b.tool.word());
        let began = backend.xact_start.or(backend.backend_start);
        let span = began.map_or(0.0, |t| seconds(age(t, snapshot.taken_at)));
        let oldest = ages
            .entry((database_of(snapshot, session.pid), tool))
            .or_default();
        *oldest = oldest.max(span);
    }
    Family {
        name: "pgguard_backup_running_seconds",
        unit: "seconds",
        help: "How long the longest running backup has run; no sample: none runs.",
        samples: ages
            .into_iter()
            .map(|((database, tool), span)| {
                (
                    vec![("database", database), ("tool", tool.to_owned())],
                    span,
                )
            })
            .collect(),
    }
}

const fn count(number: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    let number = number as f64;
    number
}

fn text(families: &[Family]) -> String {
    let mut out = String::new();
    for family in families {
        let name = family.name;
        let _ = writeln!(out, "# TYPE {name} gauge");
        if !family.unit.is_empty() {
            let _ = writeln!(out, "# UNIT {name} {}", family.unit);
        }
        let _ = writeln!(out, "# HELP {name} {}", escaped(family.help));
        for (labels, value) in &family.samples {
            let _ = writeln!(out, "{name}{} {value}", braces(labels));
        }
    }
    out.push_str("# EOF\n");
    out
}

fn braces(labels: &Labels) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let pairs: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
        .collect();
    format!("{{{}}}", pairs.join(","))
}

/// A database's name with everything visible that a terminal would act on. It is the key that samples are
/// counted by: two names that look alike are one series, for two of the same labels would spoil the whole file.
fn visible(name: &str) -> String {
    let lines: Vec<String> = name.split('\n').map(printable).collect();
    lines.join("\n")
}

/// Backslash, quote and line feed are escaped; a database may be called anything.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_name_cannot_break_a_line() {
        let labels = vec![("database", "a\"b\\c\nd".to_owned())];
        assert_eq!(braces(&labels), r#"{database="a\"b\\c\nd"}"#);
    }

    #[test]
    fn a_server_that_cannot_be_looked_at_is_down() {
        assert_eq!(
            openmetrics_down(),
            "# TYPE pgguard_up gauge\n# HELP pgguard_up Whether the server could be looked at.\npgguard_up 0\n# EOF\n"
        );
    }
}
