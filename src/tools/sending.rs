//! How a program sends a script.

/// How the program that runs a script opens transactions around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionHabit {
    /// Each statement by itself, unless the script says BEGIN: psql. Each script is a session of its own.
    PerStatement,
    /// The script is one message to the server: an implicit transaction if it holds more than one statement
    /// (golang-migrate, postgrator, Prisma, and the scripts that sqlx runs without a transaction).
    PerMessage,
    /// One around each script: psql -1, and most migration tools.
    PerScript,
    /// One around all scripts of the run: Alembic, knex, node-pg-migrate.
    WholeRun,
}

/// What reads a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reading {
    /// psql: backslash commands, data after COPY.
    #[default]
    Psql,
    /// A program that sends the text to the server.
    Server,
    /// The same, but it knows the data after COPY (Flyway).
    ServerWithCopy,
}
