//! Between the look and the signal anything can happen. However often a session is replaced in that
//! moment, by one with the same pid where the system lets us choose it, nobody else is ever ended.

use crate::common;
use pgguard::model::BackendIdentity;
use pgguard::test_support::postgres::connect::{Connection, Flags, Target};
use pgguard::test_support::postgres::signal::{Sent, Signal, signal};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use std::time::Duration;

/// How often; `PGGUARD_RACE_TRIES` says otherwise.
fn tries() -> usize {
    std::env::var("PGGUARD_RACE_TRIES").map_or(300, |n| n.parse().expect("a number"))
}

/// The next process of this machine gets the pid after this one, where we are allowed to say so (root on
/// Linux); pids are reused by themselves only every few ten thousand processes.
const LAST_PID: &str = "/proc/sys/kernel/ns_last_pid";

struct Someone {
    session: PgConnection,
    identity: BackendIdentity,
}

impl Someone {
    async fn arrive(options: &PgConnectOptions) -> Self {
        let mut session = options.connect().await.expect("a session");
        let row = sqlx::query(
            "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()",
        )
        .persistent(false)
        .fetch_one(&mut session)
        .await
        .expect("its own row");
        let identity = BackendIdentity {
            pid: row.get(0),
            backend_start: row.get(1),
        };
        Self { session, identity }
    }

    /// Arrives with the pid of one that has left, if the system lets us choose it.
    async fn arrive_as(pid: i32, options: &PgConnectOptions) -> Self {
        for _ in 0..20 {
            let _ = std::fs::write(LAST_PID, (pid - 1).to_string());
            let someone = Self::arrive(options).await;
            if someone.identity.pid == pid || !is_ours_to_choose() {
                return someone;
            }
            someone.leave().await;
        }
        Self::arrive(options).await
    }

    async fn leave(self) {
        let pid = self.identity.pid;
        self.session.close().await.expect("goodbye");
        // The process goes a moment after its goodbye; only then can its pid be taken.
        let process = format!("/proc/{pid}");
        for _ in 0..2000 {
            if !std::path::Path::new(&process).exists() {
                return;
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }

    async fn is_alive(&mut self) -> bool {
        sqlx::raw_sql("SELECT 1")
            .execute(&mut self.session)
            .await
            .is_ok()
    }
}

fn is_ours_to_choose() -> bool {
    nix::unistd::geteuid().is_root() && std::path::Path::new(LAST_PID).exists()
}

#[tokio::test]
async fn nobody_is_ended_in_place_of_a_session_that_has_left() {
    let shop = common::database();
    let options: PgConnectOptions = shop.url().parse().expect("a URL");
    let target = Target::from_flags(&Flags {
        dbname: Some(shop.url()),
        ..Flags::default()
    })
    .expect("a target");
    let patience = Duration::from_secs(30);
    let mut ours = Connection::open(&target, patience)
        .await
        .expect("a connection");

    let (mut reused, mut ended, mut spared) = (0, 0, 0);
    let mut victim = Someone::arrive(&options).await;
    for nth in 0..tries() {
        let mut seen = victim.identity;
        let mut bystander;
        let sent;
        if nth % 2 == 0 {
            // Replaced before the signal: with the same pid, in truth or as the look remembers it.
            victim.leave().await;
            bystander = Someone::arrive_as(seen.pid, &options).await;
            reused += usize::from(bystander.identity.pid == seen.pid);
            seen.pid = bystander.identity.pid;
            sent = signal(&mut ours, Signal::Terminate, seen, None)
                .await
                .expect("an answer");
            assert_eq!(sent, Sent::Changed, "try {nth}");
        } else {
            // Replaced in the very moment of the signal: the one that was seen may go, nobody else.
            let replaced = async {
                victim.leave().await;
                Someone::arrive_as(seen.pid, &options).await
            };
            let signalled = signal(&mut ours, Signal::Terminate, seen, None);
            let both = tokio::join!(replaced, signalled);
            bystander = both.0;
            sent = both.1.expect("an answer");
            reused += usize::from(bystander.identity.pid == seen.pid);
        }
        match sent {
            Sent::Signalled => ended += 1,
            Sent::NotSignalled | Sent::Changed => spared += 1,
        }
        assert!(
            bystander.is_alive().await,
            "try {nth}: {sent:?} ended somebody else"
        );
        victim = bystander;
    }
    println!(
        "{} tries: {reused} times the same pid, {ended} ended in time, {spared} spared",
        tries()
    );
    if is_ours_to_choose() {
        assert!(
            reused > tries() / 4,
            "the pid was reused {reused} times only"
        );
    }
}

#[tokio::test]
async fn a_session_that_went_on_to_another_transaction_is_left_alone() {
    let shop = common::database();
    let options: PgConnectOptions = shop.url().parse().expect("a URL");
    let target = Target::from_flags(&Flags {
        dbname: Some(shop.url()),
        ..Flags::default()
    })
    .expect("a target");
    let mut ours = Connection::open(&target, Duration::from_secs(30))
        .await
        .expect("a connection");
    let mut someone = Someone::arrive(&options).await;
    sqlx::raw_sql("BEGIN; SELECT 1")
        .execute(&mut someone.session)
        .await
        .expect("a transaction");
    let mut other = Someone::arrive(&options).await;
    let began = |pid: i32| format!("SELECT xact_start FROM pg_stat_activity WHERE pid = {pid}");
    let row = sqlx::query(sqlx::AssertSqlSafe(began(someone.identity.pid)))
        .fetch_one(&mut other.session)
        .await
        .expect("its row");
    let seen: chrono::DateTime<chrono::Utc> = row.get(0);
    sqlx::raw_sql("COMMIT")
        .execute(&mut someone.session)
        .await
        .expect("its end");
    sqlx::raw_sql("BEGIN; SELECT 1")
        .execute(&mut someone.session)
        .await
        .expect("another");
    let sent = signal(&mut ours, Signal::Terminate, someone.identity, Some(seen)).await;
    assert_eq!(sent.expect("an answer"), Sent::Changed);
    assert!(someone.is_alive().await);
}
