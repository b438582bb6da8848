//! Whether the migration runs already: then a second one only waits, or fails.

use crate::model::LockTarget;
use crate::model::{Backend, MigrationRun, Snapshot};
use crate::supervise::tag;
use crate::tools::{self, Tool};
use chrono::{DateTime, Local, TimeDelta, Utc};

/// A run on another machine that was not seen for this long is over, or cut off.
const SEEN_WITHIN: TimeDelta = TimeDelta::minutes(2);

/// What is asked.
pub struct Question<'a> {
    /// The run that wants to begin.
    pub me: &'a MigrationRun,
    /// Its tool.
    pub tool: Option<&'a Tool>,
    /// Statements that it will run, where they are known.
    pub statements: Vec<String>,
    /// Runs of the same database, from the history.
    pub runs: &'a [MigrationRun],
    /// Whether a process of this machine is there.
    pub is_alive: fn(u32) -> bool,
}

/// Who runs it already, in words; `None`: nobody.
pub fn already(look: &Snapshot, question: &Question<'_>) -> Option<String> {
    by_history(question, look.taken_at)
        .or_else(|| by_name(look, question))
        .or_else(|| by_key(look, question))
        .or_else(|| by_statement(look, question))
        .map(|who| format!("already running: {who}"))
}

fn by_history(question: &Question<'_>, now: DateTime<Utc>) -> Option<String> {
    let me = question.me;
    let lives = |run: &&MigrationRun| {
        let here = run.host == me.host;
        let is_there = if here {
            (question.is_alive)(run.pid)
        } else {
            now - run.seen < SEEN_WITHIN
        };
        run.run != me.run && run.ended.is_none() && run.command == me.command && is_there
    };
    let run = question.runs.iter().find(lives)?;
    Some(format!(
        "run {} since {} (process {} on {}); pgguard run --attach {}",
        run.run,
        clock(run.started),
        run.pid,
        run.host,
        run.run
    ))
}

/// A session of another run of the same command, or of one that the history does not know, that is in the middle of
/// something.
fn by_name(look: &Snapshot, question: &Question<'_>) -> Option<String> {
    let of_other = |backend: &&Backend| {
        let run = tag::run_of(&backend.application_name);
        let known = question.runs.iter().find(|known| run == Some(&*known.run));
        let is_same = known.is_none_or(|known| known.command == question.me.command);
        run.is_some_and(|run| run != question.me.run) && is_same && is_busy(backend, look)
    };
    let backend = look.backends.iter().find(of_other)?;
    let run = tag::run_of(&backend.application_name).unwrap_or_default();
    Some(format!("a session of run {run}, {}", session(backend)))
}

/// The tool's advisory lock.
fn by_key(look: &Snapshot, question: &Question<'_>) -> Option<String> {
    let tool = question.tool?;
    let holder = look.locks.iter().find(|lock| match lock.target {
        LockTarget::Advisory {
            database,
            classid,
            objid,
            objsubid: 1,
        } => {
            let key = tools::bigint_key(classid, objid);
            let owner = tools::advisory_key_owner(&look.server.datname, key);
            lock.granted
                && database == look.server.datid
                && owner.is_some_and(|owner| owner.name == tool.name)
        }
        _ => false,
    })?;
    let backend = look.backend(holder.pid?)?;
    Some(format!(
        "{}'s lock is held, {}",
        tool.name,
        session(backend)
    ))
}

/// The same schema change, word for word.
fn by_statement(look: &Snapshot, question: &Question<'_>) -> Option<String> {
    let plain = |text: &str| crate::words::one_line(text.trim_end_matches([';', ' ', '\n']), 2000);
    let wanted: Vec<String> = question.statements.iter().map(|text| plain(text)).collect();
    let backend = look
        .backends
        .iter()
        .find(|backend| is_busy(backend, look) && wanted.contains(&plain(&backend.query)))?;
    Some(format!("the same statement, {}", session(backend)))
}

fn is_busy(backend: &Backend, look: &Snapshot) -> bool {
    let in_transaction = backend.xact_start.is_some() || backend.masked;
    backend.is_client()
        && backend.pid != look.server.own_pid
        && backend.datname.as_deref() == Some(&*look.server.datname)
        && in_transaction
}

fn session(backend: &Backend) -> String {
    let since = backend.xact_start.or(backend.backend_start);
    let since = since.map_or_else(String::new, |at| format!(" since {}", clock(at)));
    let host = backend.client_addr.as_deref().unwrap_or("a local socket");
    format!("pid {}{since}, from {host}", backend.pid)
}

fn clock(at: DateTime<Utc>) -> String {
    crate::words::clock(&Local, at, Utc::now())
}
