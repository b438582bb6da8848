//! The nouns: a script, who sends it, and its statements.

use super::settings::Move;
use super::split::Reading;
use super::tree::Tree;
use crate::model::{Allowance, Measured};
pub use crate::tools::TransactionHabit;
use std::collections::BTreeMap;

/// One text to run: a file, a part of one (the up-section), or standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// As it was named; `-` for standard input.
    pub file: String,
    /// The SQL that will run.
    pub sql: String,
    /// The line of the file on which `sql` begins, from 1.
    pub first_line: usize,
    /// How its runner opens transactions.
    pub habit: TransactionHabit,
    /// Who sends it.
    pub sender: Sender,
}

/// The program that sends a script to the server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sender {
    /// The tool; `None`: psql.
    pub tool: Option<&'static str>,
    /// What it reads in the text.
    pub reading: Reading,
    /// The files that psql includes, by their paths: the text, or why it cannot be read.
    pub included: BTreeMap<String, Result<String, String>>,
    /// Why the text may not be what the server gets.
    pub doubts: Vec<String>,
    /// Lines of the file behind which the tool ends a statement, whatever the SQL says (goose, sql-migrate).
    pub cut_after: Vec<usize>,
    /// Settings that the tool puts back before each script.
    pub puts_back: &'static [&'static str],
    /// Whether the tool puts values of the environment in the place of `${NAME}` (goose's ENVSUB).
    pub fills_in: bool,
}

impl Sender {
    /// Why a statement from this line of the file to that one is not what the server gets.
    #[must_use]
    pub fn changes(&self, text: &str, first: usize, last: usize) -> Option<String> {
        let tool = self.tool.unwrap_or("the tool");
        let next = self.cut_after.partition_point(|line| *line < first);
        if self.cut_after.get(next).is_some_and(|line| *line < last) {
            return Some(format!(
                "{tool} ends a statement at each line that ends with a semicolon, line {} for example: put its \
                 StatementBegin and StatementEnd around this one",
                self.cut_after[next]
            ));
        }
        (self.fills_in && text.contains("${")).then(|| {
            format!("{tool} puts a value of the environment here, which pgguard does not know")
        })
    }

    /// Why a backslash command fails that a tool sends to the server.
    #[must_use]
    pub fn refuses_backslash(&self) -> String {
        let tool = self.tool.unwrap_or("the tool");
        format!("{tool} sends this psql command to the server, which refuses it: take the line out")
    }
}

impl Script {
    /// A script that psql runs.
    #[must_use]
    pub fn psql(file: impl Into<String>, sql: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            sql: sql.into(),
            first_line: 1,
            habit: TransactionHabit::PerStatement,
            sender: Sender::default(),
        }
    }

    /// The text without the byte order mark that psql passes over.
    #[must_use]
    pub fn text(&self) -> &str {
        self.sql.strip_prefix('\u{feff}').unwrap_or(&self.sql)
    }
}

/// One statement of a migration, before it is known what it locks.
#[derive(Debug, Clone)]
pub struct SourceStatement {
    /// Which file.
    pub file: String,
    /// The line of its first word, from 1.
    pub line: usize,
    /// Its text, without the semicolon.
    pub sql: String,
    /// What it is.
    pub body: Body,
    /// Statements with the same number share a transaction.
    pub transaction: usize,
    /// Whether it runs inside a transaction block (`PreventInTransactionBlock` refuses some forms there).
    pub in_block: bool,
    /// `lock_timeout` in force, in milliseconds (0: none), as far as the migration sets it.
    pub lock_timeout_ms: Option<i64>,
    /// `statement_timeout` likewise.
    pub statement_timeout_ms: Option<i64>,
    /// Whether a condition decides whether it runs.
    pub possible: bool,
    /// Why the server may read its text otherwise.
    pub doubt: Option<String>,
    /// What happens to its session before it, since the last statement, and after it.
    pub moves: (Vec<Move>, Vec<Move>),
    /// The first of a transaction that is SERIALIZABLE READ ONLY DEFERRABLE to need a snapshot.
    pub waits_for_safe_snapshot: bool,
    /// Whether its transaction is READ ONLY.
    pub is_read_only: bool,
    /// What a comment above it lets through.
    pub allows: Vec<Allowance>,
    /// The tables of which a rehearsal's comment says that it reads rows.
    pub reads_rows: Option<String>,
    /// Why the server refused it in a rehearsal, in which the command went on.
    pub refused: Option<String>,
    /// What it locked in a rehearsal.
    pub measured: Option<Measured>,
    /// What is wrong with such a comment.
    pub comment_errors: Vec<String>,
}

/// What a statement is.
#[derive(Debug, Clone)]
pub enum Body {
    /// SQL by Postgres's own grammar.
    Sql(Tree),
    /// What this does is not known: the whole sentence.
    Doubt(String),
    /// `\connect`: what comes after it runs in another session.
    Connect(Connect),
    /// Not SQL: what the parser said.
    Unparsable(String),
    /// A step that its tool runs as code of its own language, where the SQL was to be printed.
    Code,
}

/// The arguments of `\connect`; `None`: as before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Connect {
    pub database: Option<String>,
    /// Whether it says another user, host or port, or something that is not known.
    pub is_elsewhere: bool,
}
