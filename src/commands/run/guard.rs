//! Who puts things right when pgguard itself is killed: a process of its own session that waits for the end of a pipe.
//!
//! SIGKILL leaves no time for a last word. The guard takes the maintenance page away, and ends the run as SIGTERM would:
//! it cancels the run's sessions, except within CREATE INDEX CONCURRENTLY, and then ends the command. If it is killed too,
//! the next `pgguard run` takes the page away.

use super::folder::RunFolder;
use super::page;
use crate::cli::{ConnectArgs, HistoryArgs};
use crate::commands::block_on;
use crate::config::Config;
use crate::history::WhichRuns;
use crate::look::facts::target;
use crate::look::past::Past;
use crate::model::{BackendIdentity, RunResult, Snapshot};
use crate::postgres::connect::Connection;
use crate::postgres::signal::{self, Signal};
use crate::postgres::snapshot;
use crate::sessions::understand;
use crate::supervise::{Own, OwnSession, Sight};
use chrono::Utc;
use nix::sys::signal::{self as system, Signal as SystemSignal};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::{BufRead as _, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The first word of the process that guards.
pub const AS_GUARD: &str = "__guard";

/// After the sessions were cancelled, the command has this long to end by itself.
const GRACE: Duration = Duration::from_secs(2);

/// What the guard has to know: told before there is anything to guard.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Brief {
    pub run: String,
    /// The command's process, which leads its group.
    pub child: Option<i32>,
    /// Its sessions that are known by their sockets: once it is dead, nothing else tells that they were its own.
    #[serde(default)]
    pub sessions: Vec<BackendIdentity>,
    /// How the server is reached.
    pub host: Option<String>,
    /// Port.
    pub port: Option<u16>,
    /// Role.
    pub user: Option<String>,
    /// Database, or a connection string.
    pub dbname: Option<String>,
    pub history: Option<String>,
    /// No history.
    pub no_history: bool,
}

impl Brief {
    /// Of a run by its arguments.
    pub fn of(run: &str, connect: &ConnectArgs, history: &HistoryArgs) -> Self {
        Self {
            run: run.to_owned(),
            child: None,
            sessions: Vec::new(),
            host: connect.host.clone(),
            port: connect.port,
            user: connect.user.clone(),
            dbname: connect.dbname.clone(),
            history: history.history.clone(),
            no_history: history.no_history,
        }
    }

    fn connect(&self) -> ConnectArgs {
        ConnectArgs {
            host: self.host.clone(),
            port: self.port,
            user: self.user.clone(),
            dbname: self.dbname.clone(),
            timeout: Duration::from_secs(5),
        }
    }
}

/// The guard of a run, while it is there.
pub struct Guard {
    process: Option<std::process::Child>,
    brief: Brief,
}

impl Guard {
    /// No guard.
    pub fn none() -> Self {
        Self {
            process: None,
            brief: Brief::default(),
        }
    }

    /// Sets one up. Where that fails the run goes on without.
    pub fn begin(brief: Brief) -> Self {
        let program = std::env::current_exe();
        let process = program.and_then(|program| {
            Command::new(program)
                .arg(AS_GUARD)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
        });
        let mut guard = Self {
            process: process.ok(),
            brief,
        };
        guard.tell();
        guard
    }

    /// The command's process, once there is one.
    pub fn child(&mut self, child: Option<u32>) {
        self.brief.child = child.and_then(|id| i32::try_from(id).ok());
        self.tell();
    }

    /// The command's sessions that their sockets tell.
    pub fn sessions(&mut self, sessions: Vec<BackendIdentity>) {
        if self.brief.sessions != sessions {
            self.brief.sessions = sessions;
            self.tell();
        }
    }

    fn tell(&mut self) {
        let line = serde_json::to_string(&self.brief).unwrap_or_default();
        self.write(&line);
    }

    fn write(&mut self, line: &str) {
        let Some(input) = self
            .process
            .as_mut()
            .and_then(|process| process.stdin.as_mut())
        else {
            return;
        };
        if writeln!(input, "{line}")
            .and_then(|()| input.flush())
            .is_err()
        {
            // Somebody has killed it.
            self.process = None;
        }
    }

    /// There is nothing to guard any more.
    pub fn dismiss(&mut self) {
        self.write("done");
        if let Some(mut process) = self.process.take() {
            drop(process.stdin.take());
            let _ = process.wait();
        }
    }
}

/// Guards: waits for the end of the pipe.
pub fn stand() -> u8 {
    let _ = nix::unistd::setsid();
    // It goes with its run, and with nothing else.
    let mut kept_out = system::SigSet::empty();
    kept_out.extend([
        SystemSignal::SIGINT,
        SystemSignal::SIGTERM,
        SystemSignal::SIGHUP,
    ]);
    let _ = kept_out.thread_block();
    let mut brief = Brief::default();
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        if line == "done" {
            return 0;
        }
        brief = serde_json::from_str(&line).unwrap_or(brief);
    }
    let folder = RunFolder::of(&brief.run);
    if let Some(folder) = &folder {
        page::take_away_left(folder);
    }
    block_on(async {
        put_right(&brief).await;
        Ok(0)
    })
    .unwrap_or(2)
}

async fn put_right(brief: &Brief) {
    let mut own = Own::new(brief.run.clone());
    own.remember(brief.sessions.iter().copied());
    cancel(brief, &mut own).await;
    end_command(brief.child).await;
    cancel(brief, &mut own).await;
    record(brief).await;
}

async fn end_command(child: Option<i32>) {
    let Some(group) = child.map(Pid::from_raw) else {
        return;
    };
    if system::killpg(group, SystemSignal::SIGTERM).is_err() {
        return;
    }
    // One that is stopped would never see it.
    let _ = system::killpg(group, SystemSignal::SIGCONT);
    tokio::time::sleep(GRACE).await;
    // Gone by now, unless it does not answer.
    let _ = system::killpg(group, SystemSignal::SIGKILL);
}

/// Cancels the run's sessions that are in the middle of something; one that is idle in a transaction is ended.
async fn cancel(brief: &Brief, own: &mut Own) {
    let Ok(target) = target(&brief.connect()) else {
        return;
    };
    let Ok(mut connection) = Connection::open(&target, Duration::from_secs(5)).await else {
        return;
    };
    if let Ok(look) = snapshot::look(&mut connection).await {
        for session in busy(&look, own) {
            let with = if session.is_idle_in_transaction() {
                Signal::Terminate
            } else {
                Signal::Cancel
            };
            // What cannot be signalled now has ended, or is not ours to end.
            let _ =
                signal::signal(&mut connection, with, session.identity, session.xact_start).await;
        }
    }
    connection.close().await;
}

fn busy(look: &Snapshot, own: &mut Own) -> Vec<OwnSession> {
    own.note(look, &BTreeSet::new(), chrono::DateTime::UNIX_EPOCH);
    Sight::of(look, &understand(look), own)
        .own
        .into_iter()
        .filter(|session| session.is_busy() && !session.concurrently)
        .collect()
}

async fn record(brief: &Brief) {
    let history = HistoryArgs {
        history: brief.history.clone(),
        no_history: brief.no_history,
    };
    let mut past = Past::new(&history, &Config::default(), false);
    let which = WhichRuns {
        run: Some(brief.run.clone()),
        ..WhichRuns::default()
    };
    if let Some(mut run) = past
        .migration_runs(&which)
        .await
        .pop()
        .filter(|run| run.ended.is_none())
    {
        run.ended = Some(Utc::now());
        run.result = RunResult::Unknown;
        run.facts.told = "pgguard was killed; its guard has cancelled the run's sessions and ended the command; see \
                          pgguard doctor"
            .into();
        past.keep_migration_run(&run).await;
    }
    past.close().await;
}
