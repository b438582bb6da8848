//! Ends a statement, a session or a prepared transaction: exactly the one that was looked at.

use super::connect::Connection;
use crate::model::{BackendIdentity, PreparedXact, quoted};
use crate::words::literal;
use crate::{Error, Result};
use chrono::{DateTime, Utc};
use sqlx::postgres::PgDatabaseError;
use sqlx::{AssertSqlSafe, Row as _};

const SIGNAL: &str = include_str!("signal.sql");

/// Which signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: `pg_cancel_backend`.
    Cancel,
    /// SIGTERM: `pg_terminate_backend`.
    Terminate,
}

impl Signal {
    const fn function(self) -> &'static str {
        match self {
            Self::Cancel => "pg_cancel_backend",
            Self::Terminate => "pg_terminate_backend",
        }
    }

    const fn deed(self) -> &'static str {
        match self {
            Self::Cancel => "cancel the statement of",
            Self::Terminate => "terminate",
        }
    }
}

/// What became of the attempt. None of them says that the session is gone: only another look does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The signal was sent.
    Signalled,
    /// The process ended in the very moment.
    NotSignalled,
    /// No session has this pid, this beginning and this transaction: nothing was done.
    Changed,
}

/// Signals the session of this identity while it is in this transaction (`None`: in none).
///
/// # Errors
/// [`Error::Privilege`] with the grant that is missing; whatever else the server says. [`Error::Usage`]
/// where the role may not see when the session began: another session may have its pid then.
pub async fn signal(
    connection: &mut Connection,
    signal: Signal,
    identity: BackendIdentity,
    xact_start: Option<DateTime<Utc>>,
) -> Result<Sent> {
    let user = quoted(&connection.server().user);
    let what = format!("{} pid {}", signal.deed(), identity.pid);
    let Some(backend_start) = identity.backend_start else {
        return Err(Error::Usage(format!(
            "cannot {what}: role {user} may not see when it began; GRANT pg_monitor TO {user}"
        )));
    };
    let xact_start = xact_start.map_or_else(|| "NULL".into(), |t| format!("'{}'", timestamp(t)));
    let statement = SIGNAL
        .replace("$function", signal.function())
        .replace("$pid", &identity.pid.to_string())
        .replace("$backend_start", &timestamp(backend_start))
        .replace("$xact_start", &xact_start);
    let statement = connection.limits() + &statement;
    let stage = what.clone();
    connection
        .within_deadline(&stage, async |session| {
            let row = sqlx::raw_sql(AssertSqlSafe(statement))
                .fetch_optional(session)
                .await
                .map_err(|error| refused(&what, &user, &error))?;
            match row.map(|row| row.try_get::<bool, _>(0)) {
                None => Ok(Sent::Changed),
                Some(Ok(true)) => Ok(Sent::Signalled),
                Some(_) => Ok(Sent::NotSignalled),
            }
        })
        .await
}

/// Rolls back the prepared transaction that was looked at. `ROLLBACK PREPARED` takes a name only, so that
/// it is still the same one is asked right before.
///
/// # Errors
/// As the server says: it has to be the same database, and the owner or a superuser.
pub async fn rollback_prepared(connection: &mut Connection, xact: &PreparedXact) -> Result<Sent> {
    let user = quoted(&connection.server().user);
    let what = format!("roll back the prepared transaction {}", literal(&xact.gid));
    let same = format!(
        "{}SELECT 1 FROM pg_prepared_xacts WHERE gid = {} AND transaction::text = '{}' AND prepared = '{}'",
        connection.limits(),
        literal(&xact.gid),
        xact.transaction,
        timestamp(xact.prepared)
    );
    let rollback = format!("ROLLBACK PREPARED {}", literal(&xact.gid));
    let stage = what.clone();
    connection
        .within_deadline(&stage, async |session| {
            let is_there = sqlx::raw_sql(AssertSqlSafe(same))
                .fetch_optional(&mut *session)
                .await
                .map_err(|error| refused(&what, &user, &error))?;
            if is_there.is_none() {
                return Ok(Sent::Changed);
            }
            sqlx::raw_sql(AssertSqlSafe(rollback))
                .execute(session)
                .await
                .map_err(|error| refused(&what, &user, &error))?;
            Ok(Sent::Signalled)
        })
        .await
}

/// The microsecond is part of the name.
fn timestamp(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S%.6f+00").to_string()
}

fn refused(what: &str, user: &str, error: &sqlx::Error) -> Error {
    let sqlx::Error::Database(said) = error else {
        return Error::Connect {
            target: "the server".into(),
            why: format!("the connection was lost: {error}"),
            help: "run pgguard status first: the signal may have been sent".into(),
        };
    };
    let detail = said
        .try_downcast_ref::<PgDatabaseError>()
        .and_then(PgDatabaseError::detail)
        .map_or_else(String::new, |detail| format!(" ({detail})"));
    let why = format!("{}{detail}", said.message());
    let (what, why) = (what.to_owned(), why);
    if said.code().as_deref() == Some("42501") {
        let help = missing_right(user, &why);
        return Error::Privilege { what, why, help };
    }
    let help = match said.code().as_deref() {
        Some("0A000") => "connect to the database that it was prepared in (-d)",
        Some("42704" | "55000") => "run it again: it is gone, or another session is finishing it",
        _ => "see the server's log",
    };
    Error::Server {
        what,
        why,
        help: help.into(),
    }
}

/// The right that a refusal asks for. The server decides (`signalfuncs.c`, `pg_signal_backend`;
/// `twophase.c`, `LockGXact`); its words tell the cases apart.
fn missing_right(user: &str, why: &str) -> String {
    let why = why.to_lowercase();
    if why.contains("pg_signal_autovacuum_worker") {
        format!("GRANT pg_signal_autovacuum_worker TO {user}")
    } else if why.contains("prepared transaction") {
        "connect as the role that prepared it, or as a superuser".into()
    } else if why.contains("superuser") {
        format!("connect as a superuser: no grant lets {user} signal a superuser's process")
    } else {
        format!("GRANT pg_signal_backend TO {user}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_names_the_right_that_is_missing() {
        let cases = [
            (
                "must be a member of the role whose query is being canceled or member of pg_signal_backend",
                "GRANT pg_signal_backend TO app",
            ),
            (
                "permission denied to cancel query (Only roles with privileges of the \"pg_signal_autovacuum_worker\" \
                 role may cancel autovacuum workers.)",
                "GRANT pg_signal_autovacuum_worker TO app",
            ),
            (
                "must be a superuser to terminate superuser process",
                "connect as a superuser: no grant lets app signal a superuser's process",
            ),
            (
                "permission denied to finish prepared transaction (Must be superuser or the user that prepared \
                 the transaction.)",
                "connect as the role that prepared it, or as a superuser",
            ),
        ];
        for (said, help) in cases {
            assert_eq!(missing_right("app", said), help);
        }
    }

    #[test]
    fn a_gid_cannot_end_its_literal() {
        assert_eq!(literal("a'b"), "'a''b'");
        assert_eq!(literal("a\\'b"), " E'a\\\\''b'");
    }
}
