//! Connecting as libpq's users expect, and a session that harms nobody.
//!
//! sqlx speaks the protocol; what it lacks of libpq's habits is in here: the service file, the password
//! file's rules, several hosts, `target_session_attrs`, the defaults ([`Target`]).
//!
//! The session ([`Connection`]) only reads, waits for no lock longer than [`LOCK_TIMEOUT`] and ends its
//! statements by itself. Every question is one message of the simple protocol that begins with its own
//! `SET LOCAL`: that message is one transaction, so it is the same behind pgbouncer in any pooling mode
//! and leaves nothing behind on a session that a pooler hands to the next client. Only where the session
//! is known to be ours alone are the limits set for all of it.
//!
//! How that is known: the start-up message carries the setting `pgguard.direct` with a number made up for
//! this connection. A server keeps it; pgbouncer refuses it (08P01, and we come again without) or, told to
//! ignore `options`, drops it.

mod answer;
mod clear_text;
mod conninfo;
mod encoding;
mod endpoint;
mod environment;
mod greeting;
mod keyword;
mod limits;
mod passfile;
mod refusal;
mod server_options;
mod service;
mod target;
mod tls;
mod wanted;

pub use answer::{Row, time};
pub use conninfo::shown;
pub use encoding::Encoding;
pub use endpoint::Endpoint;
pub use environment::Environment;
pub use keyword::is_keyword;
pub use limits::{LOCK_TIMEOUT, is_kept_path, limits, limits_that_keep_the_path};
pub use server_options::server_options;
pub use target::{Flags, Target};
pub use wanted::Wanted;

use crate::model::Server;
use crate::{Error, Result};
use futures_util::TryStreamExt;
use greeting::Greeting;
use limits::statement_timeout;
use refusal::Refusal;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, Connection as _, Either};
use std::fmt;
use std::time::Duration;

const HELLO: &str = include_str!("hello.sql");

/// The oldest server whose views are known here.
const OLDEST: i32 = 140_000;

/// An open session, and what the server said of itself at its beginning.
pub struct Connection {
    /// `None` once a deadline passed: an answer that is still under way would be taken for the next one's.
    session: Option<PgConnection>,
    server: Server,
    encoding: Encoding,
    query_size: usize,
    block_size: i64,
    target: String,
    deadline: Duration,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({})", self.target)
    }
}

impl Connection {
    /// Connects, trying the target's servers in their order. `deadline` is for all of it, and afterwards
    /// for each question.
    ///
    /// # Errors
    /// [`Error::Connect`] with what the server or the system said and what to do; [`Error::Timeout`];
    /// [`Error::Server`] for one that is too old.
    pub async fn open(target: &Target, deadline: Duration) -> Result<Self> {
        let connecting = open_any(target, deadline);
        match tokio::time::timeout(deadline, connecting).await {
            Ok(opened) => opened,
            Err(_) => Err(timed_out(deadline, &format!("connecting to {target}"))),
        }
    }

    /// What the server said of itself as the session began.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// How texts of the connected database are read.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// `track_activity_query_size` in bytes.
    #[must_use]
    pub const fn query_size(&self) -> usize {
        self.query_size
    }

    /// Bytes of a block.
    #[must_use]
    pub const fn block_size(&self) -> i64 {
        self.block_size
    }

    /// The limits that a transaction of ours begins with: see [`limits`].
    #[must_use]
    pub fn limits(&self) -> String {
        limits(self.deadline)
    }

    /// The same for a question about names: see [`limits_that_keep_the_path`].
    #[must_use]
    pub fn limits_that_keep_the_path(&self) -> String {
        limits_that_keep_the_path(self.deadline)
    }

    /// Where it leads, for messages: never with the password.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The limit of each question from now on.
    pub const fn set_deadline(&mut self, deadline: Duration) {
        self.deadline = deadline;
    }

    /// Asks one or several statements, without parameters, in one message and one transaction. `what` says
    /// what is read, for errors. Each row goes to `each` as it comes.
    ///
    /// # Errors
    /// As the server, the system or the deadline has it.
    pub async fn ask(
        &mut self,
        what: &str,
        statements: &str,
        mut each: impl FnMut(&Row<'_>),
    ) -> Result<()> {
        let message = format!("{}{statements}", limits(self.deadline));
        let (what, target, user) = (
            what.to_owned(),
            self.target.clone(),
            self.server.user.clone(),
        );
        self.within_deadline(&what, async |session| {
            let done = send(session, message, &mut each).await;
            done.map_err(|error| refusal::of_query(&what, &target, &user, &error))
        })
        .await
    }

    /// The session itself, for questions with parameters. The caller uses [`Self::within_deadline`] or a
    /// limit of its own, and behind a pooler begins its transaction with [`limits`].
    ///
    /// # Errors
    /// When an earlier question ran into its deadline.
    pub fn session(&mut self) -> Result<&mut PgConnection> {
        let target = &self.target;
        self.session.as_mut().ok_or_else(|| Error::Connect {
            target: target.clone(),
            why: "the connection was given up after a timeout".into(),
            help: "try again".into(),
        })
    }

    /// Runs something on the session, under the deadline; `stage` names it.
    ///
    /// # Errors
    /// Its own, or [`Error::Timeout`]; after that the connection is closed, and the server ends what is
    /// still under way.
    pub async fn within_deadline<T>(
        &mut self,
        stage: &str,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T>,
    ) -> Result<T> {
        let deadline = self.deadline;
        match tokio::time::timeout(deadline, work(self.session()?)).await {
            Ok(done) => done,
            Err(_) => {
                self.session = None;
                Err(timed_out(deadline, stage))
            }
        }
    }

    /// Says goodbye. A connection that is merely dropped is cut, and the server notices within half a second.
    pub async fn close(mut self) {
        if let Some(session) = self.session.take() {
            let goodbye = tokio::time::timeout(Duration::from_secs(1), session.close());
            // Nothing hangs on it: the server sees the socket close at the latest.
            let _ = goodbye.await;
        }
    }
}

fn timed_out(deadline: Duration, stage: &str) -> Error {
    Error::Timeout {
        seconds: deadline.as_secs_f64(),
        stage: stage.to_owned(),
        help: "is the server overloaded or the network cut? try a longer --timeout".into(),
    }
}

async fn send(
    session: &mut PgConnection,
    message: String,
    each: &mut impl FnMut(&Row<'_>),
) -> sqlx::Result<()> {
    let mut rows = sqlx::raw_sql(AssertSqlSafe(message)).fetch_many(session);
    while let Some(one) = rows.try_next().await? {
        if let Either::Right(row) = one {
            each(&Row::new(&row));
        }
    }
    Ok(())
}

/// The first server that will do.
async fn open_any(target: &Target, deadline: Duration) -> Result<Connection> {
    let mut refusals = Vec::new();
    let mut second_choice = None;
    for endpoint in &target.endpoints {
        let opened = open_one(target, endpoint, deadline);
        let opened = match target.connect_timeout {
            Some(limit) => match tokio::time::timeout(limit, opened).await {
                Ok(opened) => opened,
                Err(_) => Err(late(limit)),
            },
            None => opened.await,
        };
        match opened {
            Ok(Opened { connection, .. }) if connection.server.version_num < OLDEST => {
                return Err(too_old(connection).await);
            }
            Ok(opened) if opened.suits(target.wanted) => return Ok(opened.connection),
            Ok(opened) if target.wanted == Wanted::PreferStandby && second_choice.is_none() => {
                second_choice = Some(opened.connection);
            }
            Ok(opened) => {
                opened.connection.close().await;
                refusals.push((endpoint.to_string(), not_wanted(target.wanted)));
            }
            Err(refusal) => {
                let try_next = refusal.try_next;
                refusals.push((endpoint.to_string(), refusal));
                if !try_next {
                    break;
                }
            }
        }
    }
    second_choice.ok_or_else(|| refusal::connect_error(target, refusals))
}

async fn too_old(connection: Connection) -> Error {
    let error = refusal::too_old(
        connection
            .server
            .address
            .as_deref()
            .unwrap_or(&connection.target),
        &connection.server,
    );
    connection.close().await;
    error
}

fn late(limit: Duration) -> Refusal {
    Refusal {
        why: format!("no answer within {} s", limit.as_secs()),
        help: "check -h and the network, or raise connect_timeout".into(),
        try_next: true,
        ..Refusal::default()
    }
}

fn not_wanted(wanted: Wanted) -> Refusal {
    Refusal {
        why: format!("the server is not {}", wanted.word()),
        help: "name another server, or change target_session_attrs".into(),
        try_next: true,
        ..Refusal::default()
    }
}

/// A connection, and whether new transactions are read-only there without our doing.
struct Opened {
    connection: Connection,
    read_only: bool,
}

impl Opened {
    const fn suits(&self, wanted: Wanted) -> bool {
        wanted.accepts(self.connection.server.in_recovery, self.read_only)
    }
}

/// One server, in the TLS modes that apply.
async fn open_one(
    target: &Target,
    endpoint: &Endpoint,
    deadline: Duration,
) -> std::result::Result<Opened, Refusal> {
    let (password, note) = target.password_for(endpoint);
    let read =
        |error: &sqlx::Error| refusal::of_attempt(error, password.is_some(), note.as_deref());
    let mut first_refusal = None;
    for &mode in target.modes(endpoint) {
        if let Some(why) = target
            .unreadable_certificate()
            .filter(|_| !matches!(mode, PgSslMode::Disable))
        {
            return Err(Refusal::unreadable(why));
        }
        // Without TLS after a refusal over TLS: as libpq does, but with no password in clear text.
        if let (Some(refusal), PgSslMode::Disable) = (&first_refusal, mode)
            && clear_text::is_asked_for(endpoint, &target.user, &target.database).await
        {
            return Err(Refusal::in_clear_text(refusal));
        }
        let options = target.options_for(endpoint, mode, password.as_deref());
        match greet(target, options, deadline, &read).await {
            Ok(mut opened) => {
                opened.connection.server.address = Some(endpoint.to_string());
                return Ok(opened);
            }
            Err(refusal) if refusal.try_other_mode => {
                first_refusal.get_or_insert(refusal);
            }
            Err(refusal) => {
                return Err(first_refusal.unwrap_or_else(|| match mode {
                    PgSslMode::Prefer => refusal.under_prefer(),
                    _ => refusal,
                }));
            }
        }
    }
    Err(first_refusal.unwrap_or_else(|| late(deadline)))
}

/// Starts a session, with the mark of a direct one where it is taken, and asks the first question.
async fn greet(
    target: &Target,
    options: PgConnectOptions,
    deadline: Duration,
    read: &impl Fn(&sqlx::Error) -> Refusal,
) -> std::result::Result<Opened, Refusal> {
    let nonce = std::process::id().to_string();
    let marked = options.clone().options([("pgguard.direct", &nonce)]);
    let session = match PgConnection::connect_with(&marked)
        .await
        .map_err(|e| read(&e))
    {
        Err(refusal) if refusal.refused_parameter => PgConnection::connect_with(&options)
            .await
            .map_err(|e| read(&e))?,
        other => other?,
    };
    hello(target, session, &nonce, deadline)
        .await
        .map_err(|error| read(&error))
}

async fn hello(
    target: &Target,
    mut session: PgConnection,
    nonce: &str,
    deadline: Duration,
) -> sqlx::Result<Opened> {
    let question = HELLO
        .replace("$nonce", nonce)
        .replace("$lock_timeout", &LOCK_TIMEOUT.as_millis().to_string())
        .replace(
            "$statement_timeout",
            &statement_timeout(deadline).to_string(),
        );
    let mut greeting = Greeting::default();
    // The start-up messages have it: a question that this server does not know would hide the reason.
    let said = session
        .server_version_num()
        .and_then(|n| i32::try_from(n).ok());
    if let Some(number) = said.filter(|n| *n < OLDEST) {
        greeting.server.version_num = number;
        return Ok(opened(greeting, session, target, deadline));
    }
    // Names can be of any encoding; the server must not try to convert them.
    let message = |question: &str| {
        let limits = limits(deadline);
        format!("{limits}SET LOCAL client_encoding = 'SQL_ASCII'; {question}")
    };
    let first = send(&mut session, message(&question), &mut |row| {
        greeting.take(row, nonce)
    })
    .await;
    match first {
        Err(sqlx::Error::Database(said)) if said.code().as_deref() == Some("42501") => {
            // Some hosts keep pg_control_system() from everybody.
            let less = question.replace(
                "(SELECT system_identifier FROM pg_control_system())",
                "NULL",
            );
            send(&mut session, message(&less), &mut |row| {
                greeting.take(row, nonce)
            })
            .await?;
        }
        other => other?,
    }
    // What the migration's session would begin with, had the pooler passed it on.
    let mut wanted = vec!["search_path"];
    wanted.retain(|_| greeting.server.pooled);
    // What our own session has another value of.
    wanted.extend(["client_encoding", "timezone"]);
    let asked = target.asked().iter();
    let asked = asked.map(|(name, value)| (name.to_lowercase(), value.clone()));
    let asked = asked.filter(|(name, _)| wanted.contains(&name.as_str()));
    greeting.server.settings.extend(asked);
    Ok(opened(greeting, session, target, deadline))
}

fn opened(
    greeting: Greeting,
    session: PgConnection,
    target: &Target,
    deadline: Duration,
) -> Opened {
    Opened {
        read_only: greeting.read_only,
        connection: Connection {
            session: Some(session),
            server: greeting.server,
            encoding: greeting.encoding,
            query_size: greeting.query_size,
            block_size: greeting.block_size,
            target: target.to_string(),
            deadline,
        },
    }
}
