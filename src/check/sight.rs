//! What a check sees, and how it judges.

use super::state::{Answer, Figure, State, Thresholds, Unit};
use crate::doctor::Diagnosis;
use crate::model::{Backend, BackupRun, Estimate, Pid, Role, Snapshot, Verdict};
use crate::sessions::{Sessions, WaitGraph, Words, alike};
use crate::words::span;
use chrono::TimeDelta;
use std::collections::BTreeMap;

/// How to judge.
#[derive(Debug, Clone, Default)]
pub struct Judgement {
    /// `-w` and `-c`.
    pub thresholds: Thresholds,
    /// A wait counts in `blocked` from this on.
    pub counts_from: TimeDelta,
    /// Sessions in these roles are left out (`--exclude-role`).
    pub without: Vec<Role>,
    /// Only sessions of this database, where one is named (`--only-database`).
    pub database: Option<String>,
}

/// One look, understood, and how to judge it.
pub struct Sight<'a> {
    pub snapshot: &'a Snapshot,
    /// Who is who in it.
    pub sessions: &'a Sessions,
    /// Who waits behind whom.
    pub graph: &'a WaitGraph,
    /// Their names.
    pub words: Words<'a>,
    /// How to judge.
    pub judgement: &'a Judgement,
    /// Past backup runs, where the mode needs them.
    pub runs: &'a [BackupRun],
    /// How many tables the database has that was looked at, where the mode needs it and it can be read.
    pub user_tables: Option<usize>,
    /// When running backups end, by their leading pid.
    pub estimates: Option<&'a BTreeMap<Pid, Estimate>>,
    /// The gate's verdict, where the mode needs one.
    pub verdict: Option<&'a Verdict>,
    /// What was left behind, where the mode needs it.
    pub diagnosis: Option<&'a Diagnosis>,
}

/// Roles of a cloud's own sessions. Nobody's grant shows their rows, and nobody's work is in them.
const VENDORS: [&str; 5] = [
    "rdsadmin",
    "azuresu",
    "azure_superuser",
    "cloudsqladmin",
    "alloydbadmin",
];

impl<'a> Sight<'a> {
    /// A look with what it means.
    #[must_use]
    pub fn new(
        snapshot: &'a Snapshot,
        sessions: &'a Sessions,
        graph: &'a WaitGraph,
        judgement: &'a Judgement,
    ) -> Self {
        Self {
            snapshot,
            sessions,
            graph,
            words: Words::new(snapshot, sessions),
            judgement,
            runs: &[],
            user_tables: None,
            estimates: None,
            verdict: None,
            diagnosis: None,
        }
    }

    /// Whether a session is to be judged, by its role and its database.
    #[must_use]
    pub fn judges(&self, pid: Pid) -> bool {
        let role = self.words.role_of(pid);
        let database = self.words.backend(pid).and_then(|b| b.datname.as_deref());
        !self.judgement.without.contains(&role) && self.judges_database(database)
    }

    /// What a session has in common with those like it.
    #[must_use]
    pub fn kind(&self, pid: Pid) -> Option<alike::Kind<'a>> {
        self.words.kind(pid)
    }

    /// Whether a database's sessions are to be judged.
    #[must_use]
    pub fn judges_database(&self, name: Option<&str>) -> bool {
        self.judgement
            .database
            .as_deref()
            .is_none_or(|wanted| name == Some(wanted))
    }

    /// Rows of clients that the role may not see: sessions whose age and state are not known.
    pub fn hidden(&self) -> impl Iterator<Item = &'a Backend> {
        self.snapshot.backends.iter().filter(|b| {
            b.masked
                && b.usename
                    .as_deref()
                    .is_some_and(|name| !VENDORS.contains(&name))
                && self.judges_database(b.datname.as_deref())
        })
    }

    /// The state of a value in which hidden rows would have counted: what is seen alarms, what is not
    /// seen is never OK.
    #[must_use]
    pub fn state_despite_hidden(&self, value: f64) -> State {
        match self.judgement.thresholds.state_of(value) {
            State::Ok if self.hidden().next().is_some() => State::Unknown,
            state => state,
        }
    }

    /// What to say about hidden rows, and the grant that shows them.
    #[must_use]
    pub fn hidden_words(&self) -> Option<String> {
        let count = self.hidden().count();
        (count > 0).then(|| {
            format!(
                "{count} {} hidden from role {user}: GRANT pg_monitor TO {user}",
                if count == 1 {
                    "session is"
                } else {
                    "sessions are"
                },
                user = crate::model::quoted(&self.snapshot.server.user)
            )
        })
    }

    /// The figure that the thresholds are compared with.
    #[must_use]
    pub const fn judged(&self, label: &'static str, value: f64, unit: Unit) -> Figure {
        Figure {
            label,
            value: Some(value),
            unit,
            thresholds: self.judgement.thresholds,
        }
    }

    /// How many rows are hidden.
    #[must_use]
    pub fn hidden_figure(&self) -> Figure {
        Figure::count("hidden", self.hidden().count())
    }

    /// An answer on something that hidden rows could be.
    #[must_use]
    pub fn answer_despite_hidden(
        &self,
        value: f64,
        text: String,
        details: Vec<String>,
        mut figures: Vec<Figure>,
    ) -> Answer {
        figures.push(self.hidden_figure());
        Answer {
            state: self.state_despite_hidden(value),
            text: match self.hidden_words() {
                Some(hidden) => format!("{text}; {hidden}"),
                None => text,
            },
            details,
            figures,
        }
    }
}

/// `for 25 min`, or nothing.
#[must_use]
pub fn lasting(span_or_none: Option<TimeDelta>) -> String {
    span_or_none.map_or_else(String::new, |s| format!(", for {}", span(s)))
}
