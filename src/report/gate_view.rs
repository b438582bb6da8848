//! What a report of a gate is made of, and what one finding says.

use super::status::StatusReport;
use super::status_advice::Advice;
use super::status_hanging::in_short;
use crate::model::{Answer, Footprint, Forecast, SaferForm, StatementVerdict, Verdict};
use crate::safe::printable;
use crate::words::one_line;
use chrono::{DateTime, FixedOffset, Utc};

/// Everything a gate's report is made of.
#[derive(Clone, Copy)]
pub struct GateView<'a> {
    /// What was asked about.
    pub footprint: &'a Footprint,
    /// What the gate decided on it.
    pub verdict: &'a Verdict,
    /// The database, as people call it: `shop on db1`.
    pub database: &'a str,
    /// When the server was looked at, by its clock.
    pub taken_at: DateTime<Utc>,
    /// In which zone to say times.
    pub zone: FixedOffset,
    /// Whether it was judged by a catalog file: who is connected was not asked.
    pub of_catalog: bool,
    /// Who is there, where a server was looked at.
    pub status: Option<&'a StatusReport<'a>>,
    /// What is expected of a later time, where one was asked about.
    pub forecast: Option<&'a Forecast>,
}

impl GateView<'_> {
    /// While users hang already, whatever the migration would do: how many, on what, behind whom, and what frees them.
    #[must_use]
    pub fn outage(&self) -> Option<(String, Vec<Advice>)> {
        let (headline, advice) = in_short(self.status?)?;
        let headline = headline.strip_prefix("OUTAGE")?;
        Some((headline.trim().to_owned(), advice))
    }

    /// The exit status: that of the verdict, and of a later time where one was asked about.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        let now = self.verdict.answer.exit_status();
        self.forecast.map_or(now, |f| f.outlook.exit_status())
    }
}

/// What a verdict by a catalog file does not say.
pub const NOT_ASKED: &str =
    "judged by a catalog file: who is connected, and who would be in the way, was not checked";

/// The name of a script that is in no file: what a rehearsal sent.
pub const REHEARSAL: &str = "rehearsal";

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It would block.
    Block,
    /// Postgres will refuse it.
    Fail,
    /// It is unknown.
    Doubt,
    /// Worth knowing.
    Note,
}

/// What kind of finding, for forms that number them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// Its name there.
    pub id: &'static str,
    /// What it says, in a sentence.
    pub meaning: &'static str,
}

/// Every rule, in the order of their numbers.
pub const RULES: [Rule; 8] = [
    Rule {
        id: "lock-wait",
        meaning: "The statement would wait for a lock that somebody holds or waits for.",
    },
    Rule {
        id: "transaction-wait",
        meaning: "The statement would wait for transactions that have a lock on the relation to end.",
    },
    Rule {
        id: "snapshot-wait",
        meaning: "The statement would wait for every older snapshot of the database to end.",
    },
    Rule {
        id: "holds-up",
        meaning: "A backup started now would make somebody else wait.",
    },
    Rule {
        id: "cannot-tell",
        meaning: "Whether the migration would wait is unknown.",
    },
    Rule {
        id: "note",
        meaning: "It does not stop the migration, but it is worth knowing.",
    },
    Rule {
        id: "long-hold",
        meaning: "The migration would keep others out of a relation for too long.",
    },
    Rule {
        id: "would-fail",
        meaning: "Postgres will refuse the statement.",
    },
];

/// One thing that was found. Its texts are safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it weighs.
    pub level: Level,
    /// Which kind.
    pub rule: Rule,
    /// The statement it is about; `None`: the whole migration.
    pub place: Option<Place>,
    /// What it says in a line: `needs ACCESS EXCLUSIVE on public.orders`.
    pub title: String,
    /// More, as label and text.
    pub facts: Vec<(&'static str, String)>,
    /// What to do about it.
    pub advice: Vec<String>,
    /// What to run instead.
    pub safer: Option<SaferForm>,
}

/// Where a statement stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its number in the footprint, from 0.
    pub statement: usize,
    /// Its file; empty: it is of no file.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// Its beginning, on one line.
    pub sql: String,
}

impl Place {
    /// `migrations/0057.sql:3`; empty for what is of no file.
    #[must_use]
    pub fn shown(&self) -> String {
        if self.file.is_empty() {
            String::new()
        } else {
            format!("{}:{}", self.file, self.line)
        }
    }

    /// The file for a form that points at lines of a repository's files; `None`: standard input, or no file.
    /// GitLab finds no file whose path begins with `./`.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        let path = self.file.trim_start_matches("./").trim_start_matches('/');
        let path = if self.file.starts_with('/') {
            &self.file
        } else {
            path
        };
        (!path.is_empty() && path != "-").then_some(path)
    }
}

impl Finding {
    /// All of it in words, a line each, without the place.
    #[must_use]
    pub fn text(&self) -> String {
        let facts = self
            .facts
            .iter()
            .map(|(label, text)| format!("{label}: {text}"));
        let safer = self.safer.iter().flat_map(|form| {
            let steps = form
                .steps
                .iter()
                .map(|step| format!("{};", printable(step)));
            [format!("do: {}", run_instead(form))]
                .into_iter()
                .chain(steps)
        });
        let advice = self.advice.iter().map(|text| format!("do: {text}"));
        std::iter::once(self.title.clone())
            .chain(facts)
            .chain(safer)
            .chain(advice)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// The words above a safer form: why, and that nothing is in its way.
pub fn run_instead(form: &SaferForm) -> String {
    format!(
        "run the safer form, outside a transaction: {}, and nothing is in its way now",
        form.because
    )
}

/// Where a statement of the footprint stands.
#[must_use]
pub fn place(footprint: &Footprint, statement: usize) -> Option<Place> {
    let found = footprint.statements.get(statement)?;
    Some(Place {
        statement,
        file: printable(&found.file),
        line: found.line.max(1),
        sql: printable(&one_line(&found.sql, 60)),
    })
}

/// The answer on one statement.
#[must_use]
pub fn answer_on(verdict: &Verdict, statement: usize) -> Answer {
    let own = verdict.statements.get(statement);
    let blocks = own.is_some_and(StatementVerdict::blocks);
    let fails = own.is_some_and(|own| own.fails.is_some());
    let doubted = verdict
        .doubts
        .iter()
        .any(|doubt| doubt.statement == Some(statement));
    match (blocks, fails, doubted) {
        (true, ..) => Answer::WouldBlock,
        (false, true, _) => Answer::WouldFail,
        (false, false, true) => Answer::CannotTell,
        (false, false, false) => Answer::Clear,
    }
}
