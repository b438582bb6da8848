//! A session on a throw-away copy: it runs what it is given, without the limits of [`super::connect`].

use super::connect::Row;
use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, Connection as _, Either};
use std::path::Path;

pub struct Plain(PgConnection);

/// What the server refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The SQLSTATE; empty: the connection broke.
    pub state: String,
    /// What it said.
    pub message: String,
}

impl Refused {
    fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(said) => Self {
                state: said.code().unwrap_or_default().into_owned(),
                message: said.message().to_owned(),
            },
            other => Self {
                state: String::new(),
                message: other.to_string(),
            },
        }
    }
}

impl Plain {
    /// Logs in through a socket in this folder.
    ///
    /// # Errors
    /// The server does not let the role in.
    pub async fn open(
        folder: &Path,
        port: u16,
        role: &str,
        database: &str,
    ) -> Result<Self, Refused> {
        let options = PgConnectOptions::new_without_pgpass()
            .socket(folder)
            .port(port)
            .username(role)
            .database(database)
            .ssl_mode(PgSslMode::Disable);
        let opened = PgConnection::connect_with(&options).await;
        opened.map(Self).map_err(|error| Refused::of(&error))
    }

    /// Sends a message of the simple protocol, and passes over its rows.
    ///
    /// # Errors
    /// What the server refused.
    pub async fn run(&mut self, sql: &str) -> Result<(), Refused> {
        self.rows(sql, |_| ()).await
    }

    /// Sends a message of the simple protocol. Each row goes to `each`.
    ///
    /// # Errors
    /// What the server refused.
    pub async fn rows(&mut self, sql: &str, mut each: impl FnMut(&Row<'_>)) -> Result<(), Refused> {
        let mut rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_many(&mut self.0);
        while let Some(one) = rows.try_next().await.map_err(|e| Refused::of(&e))? {
            if let Either::Right(row) = one {
                each(&Row::new(&row));
            }
        }
        Ok(())
    }
}
