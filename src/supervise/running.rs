//! Which migrations are running now: then a second one only waits, or fails.

use super::tag;
use crate::model::{
    Backend, BackendState, LockMode, MigrationRun, RunningBy, RunningMigration, Snapshot, ToolRow,
};
use crate::sessions::Index;
use crate::sessions::query_text::{Kind, kind, plain};
use crate::tools::{self, Tool};
use crate::words::Zone;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeSet;

/// A run on another machine that was not seen for this long is over, or cut off.
const SEEN_WITHIN: TimeDelta = TimeDelta::minutes(2);

/// A statement that the server has cut is compared with another one from this length on.
const ENOUGH: usize = 200;

/// First words of statements that change rows or run code: two that are alike word for word are one migration.
const WORK: [&str; 6] = ["UPDATE", "DELETE", "INSERT", "MERGE", "DO", "CALL"];

/// What there is to see besides the look.
#[derive(Default)]
pub struct Signs<'a> {
    /// Lock rows of tools.
    pub rows: &'a [ToolRow],
    /// Runs of pgguard in this database that have not ended, as the history has them.
    pub runs: &'a [MigrationRun],
    /// The statements that are about to run, where they are known.
    pub statements: &'a [String],
    /// The run that asks: it is not in its own way.
    pub own_run: Option<&'a str>,
}

/// Every migration that is seen to run in the connected database, each once, the surest sign of it first.
#[must_use]
pub fn running(look: &Snapshot, signs: &Signs<'_>) -> Vec<RunningMigration> {
    let seen = Seen { look, signs };
    let mut found: Vec<RunningMigration> = seen.runs();
    found.extend(seen.names());
    found.extend(seen.advisory_locks());
    found.extend(seen.table_locks());
    found.extend(signs.rows.iter().filter_map(|row| seen.lock_row(row)));
    found.extend(seen.statements());
    each_once(found)
}

/// Whether a run in the history has not ended yet. `is_alive`: whether a process of this machine, `here`, is there.
#[must_use]
pub fn goes_on(
    run: &MigrationRun,
    here: &str,
    now: DateTime<Utc>,
    is_alive: fn(u32) -> bool,
) -> bool {
    let is_there = match run.host == here {
        true => is_alive(run.pid),
        false => now - run.seen < SEEN_WITHIN,
    };
    run.ended.is_none() && is_there
}

fn each_once(found: Vec<RunningMigration>) -> Vec<RunningMigration> {
    let (mut pids, mut runs) = (BTreeSet::new(), BTreeSet::new());
    found
        .into_iter()
        .filter(|one| one.run.as_ref().is_none_or(|run| runs.insert(run.clone())))
        .filter(|one| one.pid.is_none_or(|pid| pids.insert(pid)))
        .collect()
}

struct Seen<'a> {
    look: &'a Snapshot,
    signs: &'a Signs<'a>,
}

impl Seen<'_> {
    fn runs(&self) -> Vec<RunningMigration> {
        let runs = self.signs.runs.iter();
        runs.filter(|run| Some(&*run.run) != self.signs.own_run)
            .map(|run| RunningMigration {
                known_by: RunningBy::History,
                text: format!(
                    "run {} of {} since {} (process {} on {}); pgguard run --attach {}",
                    run.run,
                    crate::words::one_line(&run.command.join(" "), 60),
                    self.clock(run.started),
                    run.pid,
                    run.host,
                    run.run
                ),
                tool: tools::of_command(&run.command).map(|tool| tool.name.to_owned()),
                owners: Vec::new(),
                run: Some(run.run.clone()),
                pid: None,
                since: Some(run.started),
                host: Some(run.host.clone()),
            })
            .collect()
    }

    /// Sessions of runs that are in the middle of something.
    fn names(&self) -> Vec<RunningMigration> {
        let others = self.clients().filter_map(|backend| {
            let run = tag::run_of(&backend.application_name)?;
            let is_other = Some(run) != self.signs.own_run && self.is_busy(backend);
            is_other.then(|| {
                let text = format!("a session of run {run}, {}", self.session(backend));
                RunningMigration {
                    run: Some(run.to_owned()),
                    ..self.found(RunningBy::Name, text, backend)
                }
            })
        });
        others.collect()
    }

    fn advisory_locks(&self) -> Vec<RunningMigration> {
        let server = &self.look.server;
        let held = self.look.locks.iter().filter(|lock| lock.granted);
        held.filter_map(|lock| {
            let key = tools::key_in(&lock.target, server.datid)?;
            let tool = tools::advisory_key_owner(&server.datname, key)?;
            let backend = self.other(lock.pid?)?;
            let text = format!("{}'s lock is held, {}", tool.name, self.session(backend));
            Some(RunningMigration {
                tool: Some(tool.name.to_owned()),
                owners: vec![tool.name],
                ..self.found(RunningBy::AdvisoryLock, text, backend)
            })
        })
        .collect()
    }

    /// Ecto, EF Core and Sqitch lock their table; others write to it in the migration's transaction.
    fn table_locks(&self) -> Vec<RunningMigration> {
        let index = Index::new(self.look);
        let held = self.look.locks.iter().filter(|lock| lock.granted);
        let strong = held.filter(|lock| lock.mode > LockMode::RowShare);
        strong
            .filter_map(|lock| {
                let table = index.name_of(lock).filter(|t| tools::is_tools_table(t))?;
                let backend = self.other(lock.pid?)?;
                let tool = tools::owners_in_words(table);
                let text = format!(
                    "{tool} has {} on {table}, {}",
                    lock.mode,
                    self.session(backend)
                );
                Some(RunningMigration {
                    tool: Some(tool),
                    owners: tools::table_owners(table).map(|tool| tool.name).collect(),
                    ..self.found(RunningBy::TableLock, text, backend)
                })
            })
            .collect()
    }

    fn lock_row(&self, row: &ToolRow) -> Option<RunningMigration> {
        let tool = tools::named(&row.tool)?;
        tool.traces.get(row.trace).filter(|trace| trace.is_lock)?;
        let session = self.clients().find(|b| names_table_of(tool, &b.query));
        let who = match session {
            Some(backend) => format!("{} may be its session", self.session(backend)),
            None => {
                "no session of it is seen; if no migration is running: pgguard doctor".to_owned()
            }
        };
        Some(RunningMigration {
            known_by: RunningBy::LockRow,
            text: format!(
                "{}'s lock is held, {} says: {}; {who}",
                tool.name, row.table, row.detail
            ),
            tool: Some(tool.name.to_owned()),
            owners: vec![tool.name],
            run: None,
            pid: session.map(|backend| backend.pid),
            since: None,
            host: session.and_then(|backend| backend.client_addr.clone()),
        })
    }

    /// The same statements, word for word.
    fn statements(&self) -> Vec<RunningMigration> {
        let bare = |text: &str| plain(text).trim_end_matches(';').to_owned();
        let wanted: Vec<String> = self.signs.statements.iter().map(|s| bare(s)).collect();
        let is_same = |backend: &&Backend| {
            let text = bare(&backend.query);
            let cut = backend.query_truncated && text.len() >= ENOUGH;
            is_telling(&text, backend)
                && wanted
                    .iter()
                    .any(|own| *own == text || (cut && own.starts_with(&text)))
        };
        let busy = self.clients().filter(|backend| self.is_busy(backend));
        busy.filter(is_same)
            .map(|backend| {
                let text = format!("the same statement, {}", self.session(backend));
                self.found(RunningBy::Statement, text, backend)
            })
            .collect()
    }

    /// Clients of the connected database, but for our own session and those of the run that asks.
    fn clients(&self) -> impl Iterator<Item = &Backend> {
        let server = &self.look.server;
        self.look.backends.iter().filter(move |backend| {
            let run = tag::run_of(&backend.application_name);
            backend.is_client()
                && backend.pid != server.own_pid
                && backend.datname.as_deref() == Some(&*server.datname)
                && (run.is_none() || run != self.signs.own_run)
        })
    }

    fn other(&self, pid: crate::model::Pid) -> Option<&Backend> {
        self.clients().find(|backend| backend.pid == pid)
    }

    fn is_busy(&self, backend: &Backend) -> bool {
        backend.xact_start.is_some() || backend.masked
    }

    fn found(&self, known_by: RunningBy, text: String, backend: &Backend) -> RunningMigration {
        RunningMigration {
            known_by,
            text,
            tool: None,
            owners: Vec::new(),
            run: None,
            pid: Some(backend.pid),
            since: backend.xact_start.or(backend.backend_start),
            host: backend.client_addr.clone(),
        }
    }

    fn session(&self, backend: &Backend) -> String {
        let since = backend.xact_start.or(backend.backend_start);
        let since = since.map_or_else(String::new, |at| format!(" since {}", self.clock(at)));
        let host = backend.client_addr.as_deref().unwrap_or("a local socket");
        format!("pid {}{since}, from {host}", backend.pid)
    }

    fn clock(&self, at: DateTime<Utc>) -> String {
        crate::words::clock(&Zone::local(), at, self.look.taken_at)
    }
}

/// Whether a text alone tells one migration from other work: not a BEGIN, and not a query of an application.
fn is_telling(text: &str, backend: &Backend) -> bool {
    let first = text.split(' ').next().unwrap_or_default();
    let works = backend.state == Some(BackendState::Active);
    matches!(kind(text), Kind::SchemaChange | Kind::Maintenance)
        || (works && WORK.contains(&&*first.to_ascii_uppercase()))
}

fn names_table_of(tool: &Tool, query: &str) -> bool {
    let text = query.to_ascii_lowercase();
    let tables = [tool.version_table, tool.lock_table].into_iter().flatten();
    let own = tool.traces.iter().map(|trace| trace.table);
    tables
        .chain(own)
        .any(|table| text.contains(&table.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::scene::Scene;

    #[test]
    fn the_same_statement_is_seen_whatever_its_spaces_and_comments() {
        let query = "-- 0057\nALTER  TABLE orders\n  ADD total int; /* by hand */";
        let scene = Scene::new().client(5, BackendState::Active, query);
        let mut look = scene.0;
        for backend in &mut look.backends {
            backend.xact_start = Some(look.taken_at);
        }
        for (statement, count) in [
            ("ALTER TABLE orders ADD total int", 1),
            ("ALTER TABLE orders ADD total int;\n", 1),
            ("ALTER TABLE orders ADD total text", 0),
            ("BEGIN", 0),
        ] {
            let statements = [statement.to_owned()];
            let signs = Signs {
                statements: &statements,
                ..Signs::default()
            };
            assert_eq!(running(&look, &signs).len(), count, "{statement}");
        }
    }
}
