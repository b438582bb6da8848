//! Sessions in an open transaction each, that ask for locks one after the other, and an observer.

#![allow(dead_code, reason = "every test binary uses a part of it")]

use pgguard::model::{
    Footprint, LockMode, LockRequest, LockWork, Oid, Pid, RelationKind, RelationName, Statement,
};
use pgguard::test_support::gate::{Policy, decide};
use pgguard::test_support::postgres::connect::Connection;
use pgguard::test_support::postgres::snapshot::look;
use pgguard::test_support::sessions::Sessions;
use pgguard::test_support::throwaway::{Options, Server};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row, raw_sql};
use std::collections::BTreeSet;
use tokio::task::JoinHandle;

type Answer = (PgConnection, Result<(), sqlx::Error>);

/// What became of a request.
#[derive(Debug)]
pub enum Outcome {
    /// At once; perhaps before others who wait for a mode that conflicts.
    Granted { over_waiters: bool },
    /// It waits.
    Waits { behind: BTreeSet<Pid> },
    /// 40P01, without a wait.
    Deadlock,
    /// 55P03, without a wait.
    Refused,
}

/// What became of a statement of any kind.
#[derive(Debug)]
pub enum Attempt {
    /// It is over; an error's SQLSTATE.
    Ran(Result<(), String>),
    /// It waits.
    Waits { behind: BTreeSet<Pid> },
}

/// What the gate says of a request.
#[derive(Debug)]
pub struct Predicted {
    /// Whom it would wait for; 0: a prepared transaction.
    pub in_front: BTreeSet<Pid>,
    /// It fails instead of waiting.
    pub fails: bool,
}

struct Actor {
    pid: Pid,
    connection: Option<PgConnection>,
    busy: Option<JoinHandle<Answer>>,
    in_transaction: bool,
}

/// The sessions, the relations, and who looks.
pub struct Scene {
    server: Server,
    gate: Connection,
    observer: PgConnection,
    actors: Vec<Actor>,
    oids: Vec<(String, Oid)>,
    prepared: usize,
}

impl Scene {
    /// Opens a server with these empty tables and so many sessions.
    pub async fn open(major: u32, actors: usize, relations: &[&str]) -> Self {
        let options = Options::major(major)
            .setting("autovacuum", "off")
            .setting("max_prepared_transactions", "20");
        let server = Server::start(&options).expect("the server starts");
        let url = server.url("postgres");
        let mut observer = connect(&url).await;
        let mut oids = Vec::new();
        for name in relations {
            let sql = format!("create table {name} (id int) with (autovacuum_enabled = off)");
            execute(&mut observer, &sql).await.expect("a table");
            let oid: Oid = sqlx::query("select $1::regclass::oid::int8")
                .bind(name)
                .fetch_one(&mut observer)
                .await
                .map(|row| Oid::try_from(row.get::<i64, _>(0)).expect("an oid"))
                .expect("its oid");
            oids.push(((*name).to_owned(), oid));
        }
        let mut scene = Self {
            server,
            gate: super::trial::observer(&url).await,
            observer,
            actors: Vec::new(),
            oids,
            prepared: 0,
        };
        for _ in 0..actors {
            let mut connection = connect(&url).await;
            // Waits stay as they are: nobody is to be the victim of a deadlock check.
            execute(&mut connection, "set deadlock_timeout = '1h'")
                .await
                .expect("superuser");
            let pid = pid_of(&mut connection).await;
            scene.actors.push(Actor {
                pid,
                connection: Some(connection),
                busy: None,
                in_transaction: false,
            });
        }
        scene
    }

    /// Ends everything.
    pub async fn close(mut self) {
        self.reset().await;
        drop(self.server);
    }

    /// Who can be asked to do something.
    pub fn not_waiting(&self) -> Vec<usize> {
        (0..self.actors.len())
            .filter(|&a| self.actors[a].busy.is_none())
            .collect()
    }

    /// Who waits.
    pub fn waiting(&self) -> Vec<usize> {
        (0..self.actors.len())
            .filter(|&a| self.actors[a].busy.is_some())
            .collect()
    }

    /// Whether it has a transaction.
    pub fn in_transaction(&self, actor: usize) -> bool {
        self.actors[actor].in_transaction
    }

    /// What the gate says of a LOCK TABLE by this session.
    pub async fn predict(
        &mut self,
        actor: usize,
        relations: &[&str],
        mode: LockMode,
        nowait: bool,
    ) -> Predicted {
        let snapshot = look(&mut self.gate).await.expect("a look");
        let locks = relations
            .iter()
            .map(|name| LockRequest {
                oid: self
                    .oids
                    .iter()
                    .find(|(n, _)| n == name)
                    .map(|(_, oid)| *oid),
                name: RelationName::new("public", *name),
                kind: RelationKind::Table,
                mode,
                named: true,
                reason: String::new(),
                work: LockWork::Instant,
                transient: false,
                is_given_back: false,
                own: false,
                nowait,
                only_after: None,
                possible: false,
                one_of: None,
                rows: None,
                bytes: None,
            })
            .collect();
        let footprint = Footprint {
            statements: vec![Statement {
                file: "-".into(),
                line: 1,
                sql: String::new(),
                command: "LOCK TABLE".into(),
                locks,
                ..Statement::default()
            }],
        };
        let policy = Policy {
            patience: chrono::TimeDelta::zero(),
            asking: Some(self.actors[actor].pid),
            ..Policy::default()
        };
        let verdict = decide(&footprint, &snapshot, &Sessions::default(), &policy);
        let waits = &verdict.statements[0].waits;
        // It stops at the first relation that it does not get.
        let first = waits.first().map(|wait| wait.oid);
        let stopped: Vec<_> = waits
            .iter()
            .filter(|wait| Some(wait.oid) == first)
            .collect();
        Predicted {
            in_front: stopped.iter().map(|w| w.blocker.pid.unwrap_or(0)).collect(),
            fails: stopped.iter().any(|wait| wait.fails),
        }
    }

    /// The connection that the gate looks through.
    pub const fn gate(&mut self) -> &mut Connection {
        &mut self.gate
    }

    /// Runs something in a session that takes no part.
    pub async fn execute(&mut self, sql: &str) {
        execute(&mut self.observer, sql).await.expect(sql);
    }

    /// Tries a statement in the session's transaction, which an error ends.
    pub async fn attempt(&mut self, actor: usize, statement: &str) -> Attempt {
        if !self.actors[actor].in_transaction {
            self.run(actor, "begin").await;
            self.actors[actor].in_transaction = true;
        }
        let attempt = self.attempt_alone(actor, statement).await;
        if matches!(attempt, Attempt::Ran(Err(_))) {
            self.run(actor, "rollback").await;
        }
        attempt
    }

    /// Tries a statement as it is.
    pub async fn attempt_alone(&mut self, actor: usize, statement: &str) -> Attempt {
        self.start(actor, statement);
        if self.stops(actor).await {
            let behind = self.blocking(actor).await;
            return Attempt::Waits { behind };
        }
        if statement.starts_with("BEGIN") {
            self.actors[actor].in_transaction = true;
        }
        Attempt::Ran(self.collect(actor).await)
    }

    /// Asks, and sees what comes of it.
    pub async fn request(&mut self, actor: usize, statement: &str) -> Outcome {
        if !self.actors[actor].in_transaction {
            self.run(actor, "begin").await;
            self.actors[actor].in_transaction = true;
        }
        self.start(actor, statement);
        if self.stops(actor).await {
            let behind = self.blocking(actor).await;
            return Outcome::Waits { behind };
        }
        let outcome = self.collect(actor).await;
        let over_waiters = !self.waiting().is_empty();
        match outcome {
            Ok(()) => Outcome::Granted { over_waiters },
            Err(code) => {
                self.run(actor, "rollback").await;
                match code.as_str() {
                    "40P01" => Outcome::Deadlock,
                    "55P03" => Outcome::Refused,
                    other => panic!("{statement} failed with {other}"),
                }
            }
        }
    }

    fn start(&mut self, actor: usize, statement: &str) {
        let actor = &mut self.actors[actor];
        let mut connection = actor.connection.take().expect("it is not waiting");
        let statement = statement.to_owned();
        actor.busy = Some(tokio::spawn(async move {
            let result = execute(&mut connection, &statement).await;
            (connection, result)
        }));
    }

    /// Whether it waits (true), or its statement is over.
    async fn stops(&mut self, actor: usize) -> bool {
        loop {
            if self.actors[actor]
                .busy
                .as_ref()
                .is_none_or(JoinHandle::is_finished)
            {
                return false;
            }
            // CREATE INDEX CONCURRENTLY waits for the snapshot of this very question, too.
            let question = "select exists (select from pg_locks where pid = $1 and not granted) \
                            and pg_blocking_pids($1) <> array[pg_backend_pid()]";
            let row = sqlx::query(question)
                .bind(self.actors[actor].pid)
                .fetch_one(&mut self.observer)
                .await
                .expect("pg_locks can be read");
            if row.get(0) {
                return true;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn collect(&mut self, actor: usize) -> Result<(), String> {
        let busy = self.actors[actor].busy.take().expect("a statement");
        let (connection, result) = busy.await.expect("no panic");
        self.actors[actor].connection = Some(connection);
        result.map_err(|error| match error {
            sqlx::Error::Database(error) => error.code().unwrap_or_default().into_owned(),
            other => panic!("{other}"),
        })
    }

    async fn blocking(&mut self, actor: usize) -> BTreeSet<Pid> {
        sqlx::query("select unnest(pg_blocking_pids($1))")
            .bind(self.actors[actor].pid)
            .fetch_all(&mut self.observer)
            .await
            .expect("pg_blocking_pids")
            .iter()
            .map(|row| row.get(0))
            .collect()
    }

    /// Runs something that does not wait, and lets everybody go on who can.
    pub async fn run(&mut self, actor: usize, statement: &str) {
        let connection = self.actors[actor]
            .connection
            .as_mut()
            .expect("it is not waiting");
        execute(connection, statement).await.expect(statement);
        self.actors[actor].in_transaction = false;
        self.settle().await;
    }

    /// Prepares its transaction: the locks stay, without a process.
    pub async fn prepare(&mut self, actor: usize) {
        self.prepared += 1;
        let statement = format!("prepare transaction 'p{}'", self.prepared);
        self.run(actor, &statement).await;
    }

    /// Cancels a statement that waits.
    pub async fn cancel(&mut self, actor: usize) {
        sqlx::query("select pg_cancel_backend($1)")
            .bind(self.actors[actor].pid)
            .execute(&mut self.observer)
            .await
            .expect("superuser");
        let code = self.collect(actor).await.expect_err("it was cancelled");
        assert_eq!(code, "57014");
        self.run(actor, "rollback").await;
    }

    /// Waits until everybody either waits or is done.
    async fn settle(&mut self) {
        loop {
            let mut somebody_failed = false;
            for actor in self.waiting() {
                if !self.stops(actor).await && self.collect(actor).await.is_err() {
                    let connection = self.actors[actor].connection.as_mut().expect("done");
                    execute(connection, "rollback").await.expect("rollback");
                    self.actors[actor].in_transaction = false;
                    somebody_failed = true;
                }
            }
            if !somebody_failed {
                return;
            }
        }
    }

    /// Ends every transaction.
    pub async fn reset(&mut self) {
        while let Some(&actor) = self.waiting().first() {
            self.cancel(actor).await;
        }
        // Also who was let go only just now, by another's end.
        for actor in 0..self.actors.len() {
            self.run(actor, "rollback").await;
        }
        let gids = sqlx::query("select gid from pg_prepared_xacts")
            .fetch_all(&mut self.observer)
            .await
            .expect("pg_prepared_xacts");
        for row in gids {
            let statement = format!("rollback prepared '{}'", row.get::<String, _>(0));
            execute(&mut self.observer, &statement)
                .await
                .expect("its gid");
        }
    }
}

async fn pid_of(connection: &mut PgConnection) -> Pid {
    sqlx::query("select pg_backend_pid()")
        .fetch_one(connection)
        .await
        .expect("a pid")
        .get(0)
}

async fn execute(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .map(|_| ())
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("a connection")
}
