//! A migration's text, cut into the statements that Postgres will get, each with its line and its transaction.

use pg_query::NodeEnum;

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
}

/// How the program that runs a script opens transactions around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionHabit {
    /// Each statement by itself, unless the script says BEGIN: psql.
    PerStatement,
    /// One around each script: psql -1, and most migration tools.
    PerScript,
    /// One around all scripts of the run: Alembic, knex, node-pg-migrate.
    WholeRun,
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
}

/// What a statement is.
#[derive(Debug, Clone)]
pub enum Body {
    /// SQL by Postgres's own grammar.
    Sql(Box<NodeEnum>),
    /// A psql meta-command, such as `\copy …`: the text.
    Meta(String),
    /// Not SQL: what the parser said.
    Unparsable(String),
}
