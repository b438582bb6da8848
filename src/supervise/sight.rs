//! One look at a run: what its sessions do, whom they wait for, and who waits behind them.

use super::own::Own;
use crate::model::{
    Backend, BackendIdentity, BackendState, LockMode, Pid, Progress, RelationName, Role, RunWait,
    Snapshot, Work,
};
use crate::sessions::{Party, Sessions, WaitGraph, Words};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeSet;

/// A session of the run, as a look shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnSession {
    /// Which.
    pub identity: BackendIdentity,
    /// The transaction that it is in.
    pub xact_start: Option<DateTime<Utc>>,
    /// Its statement is a transaction by itself.
    pub alone: bool,
    /// What it is at.
    pub state: Option<BackendState>,
    /// The statement, on one line.
    pub statement: String,
    /// How long it has run.
    pub runs_for: TimeDelta,
    /// How far it is, where a progress view tells.
    pub step: Option<Step>,
    /// It builds, rebuilds or drops an index CONCURRENTLY: a cancel would leave an invalid index.
    pub concurrently: bool,
    /// Whom it waits for, the first of them.
    pub wait: Option<RunWait>,
    /// How long it has waited.
    pub waited: TimeDelta,
    /// The locks on relations that it holds and that keep others out of reading or writing.
    pub holds: Vec<(RelationName, LockMode)>,
    /// Sessions of others that wait behind it.
    pub behind: Vec<Pid>,
    /// How long the first of them has waited behind it.
    pub others_waited: TimeDelta,
}

/// A phase of a long statement, as a progress view shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The command and its phase: `CREATE INDEX: building index: scanning table`.
    pub what: String,
    /// How far it is, and to where: in blocks, rows or bytes.
    pub part: Option<(i64, i64)>,
    /// Rows so far, where it counts them.
    pub rows: Option<i64>,
}

impl Step {
    /// How far it is, of a hundred.
    #[must_use]
    pub fn percent(&self) -> Option<i64> {
        let (done, total) = self.part.filter(|(_, total)| *total > 0)?;
        Some(
            (i128::from(done) * 100 / i128::from(total))
                .try_into()
                .unwrap_or(100),
        )
    }

    /// In words: `COPY: 1000 rows, 43 %`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let rows = self
            .rows
            .map_or_else(String::new, |rows| format!(": {rows} rows"));
        let percent = self
            .percent()
            .map_or_else(String::new, |percent| format!(", {percent} %"));
        format!("{}{rows}{percent}", self.what)
    }
}

/// What one look shows of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Sight {
    /// When it was, by the server's clock.
    pub at: DateTime<Utc>,
    /// Its sessions that are there.
    pub own: Vec<OwnSession>,
}

impl OwnSession {
    /// Whether it is in the middle of something: a statement, or a transaction that is open.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.state
            .is_some_and(|state| state == BackendState::Active || state.is_idle_in_transaction())
    }

    /// Whether a cancel reaches nothing: it runs no statement, and its transaction keeps its locks.
    #[must_use]
    pub fn is_idle_in_transaction(&self) -> bool {
        self.state.is_some_and(BackendState::is_idle_in_transaction)
    }
}

impl Sight {
    /// Reads a look.
    #[must_use]
    pub fn of(look: &Snapshot, sessions: &Sessions, own: &Own) -> Self {
        let graph = WaitGraph::of(look);
        let words = Words::new(look, sessions);
        let pids: BTreeSet<Pid> = own.here(look).map(|backend| backend.pid).collect();
        let reader = Reader {
            look,
            graph: &graph,
            words: &words,
            own: &pids,
        };
        Self {
            at: look.taken_at,
            own: own
                .here(look)
                .map(|backend| reader.session(backend))
                .collect(),
        }
    }

    /// Its sessions behind which others have waited for longer than this.
    pub fn overdue(&self, limit: TimeDelta) -> impl Iterator<Item = &OwnSession> {
        self.own
            .iter()
            .filter(move |session| !session.behind.is_empty() && session.others_waited > limit)
    }

    /// The most telling of its sessions: one that waits, else one that works.
    #[must_use]
    pub fn foremost(&self) -> Option<&OwnSession> {
        let waits = self.own.iter().find(|session| session.wait.is_some());
        waits.or_else(|| self.own.iter().find(|session| session.is_busy()))
    }
}

/// Whether the statement began its transaction: a command string outside of a transaction block begins one at the very
/// time at which it was received (`StartTransaction`, xact.c). A string that begins with BEGIN does so, too.
fn is_alone(backend: &Backend) -> bool {
    let is_active = backend.state == Some(BackendState::Active);
    let begun = backend.xact_start.is_some() && backend.xact_start == backend.query_start;
    let first = backend.query.split_whitespace().next().unwrap_or_default();
    let opens = ["begin", "start", "begin;"]
        .iter()
        .any(|word| first.eq_ignore_ascii_case(word));
    is_active && begun && !opens
}

struct Reader<'a> {
    look: &'a Snapshot,
    graph: &'a WaitGraph,
    words: &'a Words<'a>,
    own: &'a BTreeSet<Pid>,
}

impl Reader<'_> {
    fn session(&self, backend: &Backend) -> OwnSession {
        let (behind, others_waited) = self.behind(backend);
        let waiter = self.graph.waiter(backend.pid);
        let since = waiter.and_then(|w| w.since).unwrap_or(self.look.taken_at);
        OwnSession {
            identity: backend.identity(),
            xact_start: backend.xact_start,
            alone: is_alone(backend),
            state: backend.state,
            statement: crate::safe::masked(&crate::words::one_line(&backend.query, 100)),
            runs_for: backend
                .query_start
                .map_or_else(TimeDelta::zero, |start| self.look.taken_at - start),
            step: self.look.progress_rows_of(backend.pid).find_map(work),
            concurrently: is_concurrent(backend),
            wait: self.wait(backend, self.look.taken_at - since),
            waited: waiter.map_or(TimeDelta::zero(), |_| self.look.taken_at - since),
            holds: self.holds(backend.pid),
            behind,
            others_waited,
        }
    }

    /// Others behind it, but for autovacuum, which gives way by itself; and how long the first has been there.
    fn behind(&self, backend: &Backend) -> (Vec<Pid>, TimeDelta) {
        let is_user = |pid: &Pid| {
            !self.own.contains(pid)
                && self
                    .look
                    .backend(*pid)
                    .is_none_or(|other| other.backend_type.as_deref() != Some("autovacuum worker"))
        };
        let all = self.graph.all_behind(&Party::Pid(backend.pid));
        let behind: Vec<Pid> = all.into_iter().filter(is_user).collect();
        let begun = backend.xact_start.unwrap_or(self.look.taken_at);
        let waited = behind
            .iter()
            .filter_map(|pid| self.graph.waiter(*pid)?.since)
            .map(|since| self.look.taken_at - since.max(begun))
            .max();
        (behind, waited.unwrap_or_default())
    }

    fn wait(&self, backend: &Backend, waited: TimeDelta) -> Option<RunWait> {
        let waiter = self.graph.waiter(backend.pid)?;
        let front = waiter
            .in_front
            .iter()
            .find(|front| front.party.pid().is_none_or(|pid| !self.own.contains(&pid)))?;
        let pid = front.party.pid();
        Some(RunWait {
            target: self.words.target(&waiter.target),
            mode: waiter.mode,
            pid,
            role: pid.map_or(Role::IdleInTransaction, |pid| self.words.role_of(pid)),
            who: self.words.party(&front.party),
            waited_s: crate::words::seconds(waited),
        })
    }

    /// Locks that keep writers out, on what is not the run's own work in a version table or a new relation.
    fn holds(&self, pid: Pid) -> Vec<(RelationName, LockMode)> {
        let index = self.words.index();
        index
            .granted(pid)
            .iter()
            .filter(|lock| lock.mode.conflicts_with(LockMode::RowExclusive))
            .filter_map(|lock| Some((index.name_of(lock)?.clone(), lock.mode)))
            .filter(|(name, _)| !name.schema.starts_with("pg_"))
            .collect()
    }
}

/// From the statement's words: a cancelled one leaves an index that is invalid.
fn is_concurrent(backend: &Backend) -> bool {
    let words: Vec<String> = backend
        .query
        .split(|c: char| !c.is_ascii_alphabetic())
        .take(200)
        .map(str::to_ascii_uppercase)
        .collect();
    backend.state == Some(BackendState::Active)
        && words.iter().any(|word| word == "CONCURRENTLY")
        && words
            .iter()
            .any(|word| word == "INDEX" || word == "REINDEX")
}

/// What a progress view says.
fn work(progress: &Progress) -> Option<Step> {
    let (form, phase) = match &progress.work {
        Work::CreateIndex { form, phase, .. } => (form.as_deref().unwrap_or("CREATE INDEX"), phase),
        Work::Cluster { form, phase, .. } => (form.as_deref().unwrap_or("CLUSTER"), phase),
        Work::Vacuum { phase, .. } => ("VACUUM", phase),
        Work::Analyze { phase, .. } => ("ANALYZE", phase),
        Work::Copy {
            tuples_processed: rows,
            ..
        } => {
            return Some(Step {
                what: "COPY".into(),
                part: progress.part,
                rows: *rows,
            });
        }
        Work::Basebackup { .. } => return None,
    };
    Some(Step {
        what: format!("{form}: {}", phase.as_deref()?),
        part: progress.part,
        rows: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::scene::Scene;
    use crate::sessions::understand;

    const ORDERS: u32 = 20_000;

    fn outage() -> Snapshot {
        let scene = Scene::new()
            .table(ORDERS, "orders")
            .client(1, BackendState::IdleInTransaction, "SELECT 1")
            .holds(1, LockMode::AccessShare, ORDERS)
            .client(2, BackendState::Active, "ALTER TABLE orders ADD x int")
            .with(|b| b.application_name = "pgguard:r1".into())
            .waits(2, LockMode::AccessExclusive, ORDERS, 9)
            .client(3, BackendState::Active, "SELECT 1 FROM orders")
            .waits(3, LockMode::AccessShare, ORDERS, 5);
        scene.0
    }

    #[test]
    fn a_look_shows_who_is_in_the_way_and_who_waits_behind() {
        let mut look = outage();
        for backend in &mut look.backends {
            backend.xact_start = Some(look.taken_at - TimeDelta::seconds(9));
        }
        let mut own = Own::new("r1".into());
        own.note(&look, &BTreeSet::new(), look.taken_at);
        let sight = Sight::of(&look, &understand(&look), &own);
        let session = sight.foremost().expect("a session");
        let wait = session.wait.as_ref().expect("a wait");
        assert_eq!((wait.pid, wait.mode), (Some(1), LockMode::AccessExclusive));
        assert_eq!(wait.target, "public.orders");
        assert_eq!(session.behind, [3]);
        assert_eq!(session.others_waited, TimeDelta::seconds(5));
        assert_eq!(sight.overdue(TimeDelta::seconds(2)).count(), 1);
        assert_eq!(sight.overdue(TimeDelta::seconds(5)).count(), 0);
    }

    #[test]
    fn an_autovacuum_behind_it_is_nobody() {
        let mut look = outage();
        look.backends.last_mut().expect("the reader").backend_type =
            Some("autovacuum worker".into());
        let mut own = Own::new("r1".into());
        own.note(&look, &BTreeSet::new(), look.taken_at);
        let sight = Sight::of(&look, &understand(&look), &own);
        assert_eq!(sight.overdue(TimeDelta::zero()).count(), 0);
    }
}
