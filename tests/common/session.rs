//! One connection, driven statement by statement, which may also be left waiting.

use super::until;
use pgguard::test_support::throwaway::Server;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Column, ConnectOptions, Connection, Row, ValueRef};
use std::sync::mpsc::{Receiver, Sender, channel};

/// What a statement gave: rows as `psql -At` prints them, or the server's error.
type Answer = Result<String, String>;

/// A connection with a thread of its own, so that a statement can wait while the test goes on.
/// Statements go as simple queries: the server shows them as they are written here.
pub struct Session {
    server: &'static Server,
    pid: i32,
    requests: Option<Sender<String>>,
    answers: Receiver<Answer>,
    busy: bool,
}

impl Session {
    /// Connects.
    ///
    /// # Panics
    /// The server refuses.
    pub fn connect(server: &'static Server, url: &str, application_name: &str) -> Self {
        let options: PgConnectOptions = url.parse().expect("a URL");
        let options = options
            .application_name(application_name)
            .statement_cache_capacity(0);
        let (requests, todo) = channel::<String>();
        let (done, answers) = channel::<Answer>();
        std::thread::spawn(move || serve(&options, &todo, &done));
        let mut session = Self {
            server,
            pid: 0,
            requests: Some(requests),
            answers,
            busy: false,
        };
        session.pid = session
            .query_text("SELECT pg_backend_pid()")
            .parse()
            .expect("a pid");
        session
    }

    /// The server process's id.
    pub const fn pid(&self) -> i32 {
        self.pid
    }

    /// Runs a statement, or several.
    ///
    /// # Panics
    /// One fails.
    pub fn exec(&mut self, sql: &str) {
        self.query_text(sql);
    }

    /// Runs a statement; its rows as `psql -At` prints them.
    ///
    /// # Panics
    /// It fails.
    pub fn query_text(&mut self, sql: &str) -> String {
        self.try_exec(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Runs a statement that may fail.
    pub fn try_exec(&mut self, sql: &str) -> Answer {
        self.start(sql);
        self.join()
    }

    /// Begins a transaction in which it holds this lock on a table, such as `("orders", "ACCESS SHARE")`.
    pub fn begin_and_lock(&mut self, table: &str, mode: &str) {
        self.exec(&format!("BEGIN; LOCK TABLE {table} IN {mode} MODE"));
    }

    /// Sends a statement and does not wait for it.
    pub fn start(&mut self, sql: &str) {
        assert!(!self.busy, "the session is still at its last statement");
        let requests = self.requests.as_ref().expect("an open session");
        requests
            .send(sql.to_owned())
            .expect("the session's thread lives");
        self.busy = true;
    }

    /// Waits for what [`Session::start`] sent.
    pub fn join(&mut self) -> Answer {
        assert!(self.busy, "the session was sent nothing");
        self.busy = false;
        self.answers
            .recv()
            .unwrap_or_else(|_| Err("the connection is gone".into()))
    }

    /// The answer to what [`Session::start`] sent, if it is there already.
    pub fn poll(&mut self) -> Option<Answer> {
        let answer = self.answers.try_recv().ok()?;
        self.busy = false;
        Some(answer)
    }

    /// Whether the server says that it waits for a lock.
    pub fn is_waiting(&self) -> bool {
        self.ask("wait_event_type = 'Lock'") == "t"
    }

    /// Waits until it waits for a lock.
    pub fn until_waiting(&self) {
        until(&format!("{} waits for a lock", self.pid), || {
            self.is_waiting()
        });
    }

    /// Whether the server is at a statement of this session (or it has waited since).
    pub fn is_active(&self) -> bool {
        self.ask("state = 'active'") == "t"
    }

    /// Whether the server still has this session.
    pub fn is_there(&self) -> bool {
        !self.ask("true").is_empty()
    }

    /// The pids that Postgres says block it, smallest first.
    pub fn blocked_by(&self) -> Vec<i32> {
        let sql = format!(
            "SELECT DISTINCT unnest(pg_blocking_pids({})) ORDER BY 1",
            self.pid
        );
        let pids = self.server.sql("postgres", &sql).expect("pg_blocking_pids");
        pids.lines()
            .map(|pid| pid.parse().expect("a pid"))
            .collect()
    }

    fn ask(&self, what: &str) -> String {
        let sql = format!(
            "SELECT {what} FROM pg_stat_activity WHERE pid = {}",
            self.pid
        );
        self.server.sql("postgres", &sql).expect("pg_stat_activity")
    }

    /// Closes the connection and waits until the server has noticed.
    pub fn close(mut self) {
        self.requests = None;
        until("the session is gone", || !self.is_there());
    }
}

fn serve(options: &PgConnectOptions, todo: &Receiver<String>, done: &Sender<Answer>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("an event loop");
    runtime.block_on(async {
        let mut connection = match options.connect().await {
            Ok(connection) => connection,
            Err(error) => return drop(done.send(Err(said(&error)))),
        };
        while let Ok(sql) = todo.recv() {
            if done.send(run(&mut connection, sql).await).is_err() {
                break;
            }
        }
        let _ = connection.close().await;
    });
}

async fn run(connection: &mut PgConnection, sql: String) -> Answer {
    let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
    let rows = statement
        .fetch_all(connection)
        .await
        .map_err(|error| said(&error))?;
    let lines = rows.iter().map(|row| {
        let cells = row.columns().iter().map(|column| {
            let value = row.try_get_raw(column.ordinal()).expect("a column");
            if value.is_null() {
                String::new()
            } else {
                value.as_str().expect("text").to_owned()
            }
        });
        cells.collect::<Vec<_>>().join("|")
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

/// The server's own words, without the driver's.
fn said(error: &sqlx::Error) -> String {
    error
        .as_database_error()
        .map_or_else(|| error.to_string(), |error| error.message().to_owned())
}
