//! What past runs tell a command that looks, and what it leaves to those that come after it.
//!
//! Each look at a running dump begins where the last one ended, no matter who looked: what was seen is kept in
//! the history. A dump that is no longer there becomes a past run. None of it may harm the command: what
//! goes wrong is a note, and it gets so much time and no more.

mod runs;
mod seen;

use super::archive::Archive;
use super::ended::{Recorded, is_a_run, past_run};
use super::facts::Facts;
use crate::Result;
use crate::backup::{self, End, Similar, Watcher};
use crate::cli::{HistoryArgs, SampleArgs};
use crate::config::Config;
use crate::history::looks::Recorder;
use crate::history::{Place, Watch};
use crate::model::{
    BackendIdentity, BackupRun, BackupTool, DatabaseFacts, Estimate, Manner, Oid, Pid, RunKey,
    RunOutcome, Session, Snapshot, TableSample,
};
use crate::sessions::{Party, Sessions, WaitGraph};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between a look and a second one that shows who is at work.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Who looks each second writes no oftener than this.
const KEEP_EVERY: Duration = Duration::from_secs(5);

/// Not seen for so long, a dump of another server than the one looked at is given up.
const FORGOTTEN_AFTER: TimeDelta = TimeDelta::days(7);

/// A server of version 14 counts what a session did through another process, a little later.
const COUNTED_AFTER: Duration = Duration::from_millis(700);

/// The history as one command uses it.
pub struct Past {
    archive: Archive,
    /// The running dumps, as they were seen so far.
    watches: BTreeMap<(RunKey, DateTime<Utc>), Watch>,
    /// Past runs by key and number of tables, once read.
    runs: BTreeMap<WhichPast, Arc<Vec<BackupRun>>>,
    /// `pg_stat_statements`, once read: used where there is no past run.
    statements: Option<Vec<crate::model::CopyStatement>>,
    /// What others saw was read for the look that is being judged.
    is_read: bool,
    last_kept: Option<Instant>,
    /// Nothing was seen since.
    is_kept: bool,
    /// Rows of tables may be read.
    samples: bool,
    /// Keeps what is seen for who asks later what happened.
    recorder: Recorder,
    /// Dumps of a command that says how it dumps.
    own: (BTreeSet<BackendIdentity>, Manner),
}

/// What past runs are asked for: the key, the number of tables, and the manner as far as it is known.
type WhichPast = (RunKey, usize, Manner);

fn which_past(key: &RunKey, watcher: &Watcher) -> WhichPast {
    (key.clone(), watcher.tables.len(), watcher.manner())
}

impl Past {
    /// The history that the flags and the configuration name. `replayed`: the look is a recording's, which
    /// tells nothing new and shall answer the same again.
    pub fn new(args: &HistoryArgs, config: &Config, replayed: bool) -> Self {
        let mut past = Self::none();
        if args.no_history || replayed {
            return past;
        }
        let said = args.history.as_deref().or(config.history.as_deref());
        match Place::of(said) {
            Ok(place) => {
                past.recorder = Recorder::new(place.looks());
                past.archive = Archive::at(Some(place));
            }
            // Nobody named one, and there is no home folder: a service's user.
            Err(_) if said.is_none() => {}
            Err(error) => past.archive.problem = Some(error.to_string()),
        }
        past
    }

    /// None at all.
    pub fn none() -> Self {
        Self {
            archive: Archive::at(None),
            watches: BTreeMap::new(),
            runs: BTreeMap::new(),
            statements: None,
            is_read: false,
            last_kept: None,
            is_kept: false,
            samples: false,
            recorder: Recorder::default(),
            own: <_>::default(),
        }
    }

    /// Gives it less time.
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.archive.patience = patience;
        self
    }

    /// Lets it read a few rows of the tables of a running dump.
    pub const fn sampling(mut self, args: SampleArgs) -> Self {
        self.samples = args.sample;
        self
    }

    /// Tells it how these sessions dump: their command says so.
    pub fn knows_manner(&mut self, own: &BTreeSet<BackendIdentity>, manner: Manner) {
        self.own = (own.clone(), manner);
    }

    /// Where the history is, as it may be shown; `None`: not wanted.
    pub fn place(&self) -> Option<String> {
        self.archive.place().map(ToString::to_string)
    }

    /// What went wrong since this was last asked.
    pub fn problem(&mut self) -> Option<String> {
        self.archive.problem.take()
    }

    /// Says on standard error what went wrong.
    pub fn warn(&mut self) {
        if let Some(problem) = self.problem() {
            crate::door::say(&format!("note: {problem}"));
        }
    }

    /// Looks, and reads meanwhile what the history has for dumps that were seen before: the server takes its
    /// time for a look at many locks, and this machine has nothing else to do.
    ///
    /// # Errors
    /// Those of the look. What goes wrong with the history is a note.
    pub async fn look(&mut self, facts: &mut Facts) -> Result<Snapshot> {
        let server = facts.server_key();
        let (snapshot, ()) = tokio::join!(facts.look(), self.read_ahead(server));
        snapshot
    }

    /// The same, and once more a moment later where one look does not show whether somebody who keeps others waiting
    /// is at work.
    ///
    /// # Errors
    /// Those of the look.
    pub async fn look_closely(&mut self, facts: &mut Facts) -> Result<Snapshot> {
        let snapshot = self.look(facts).await?;
        if !crate::sessions::somebody_needs_second_look(&snapshot) {
            return Ok(snapshot);
        }
        facts.let_pass(BETWEEN_LOOKS).await;
        self.look(facts).await
    }

    async fn read_ahead(&mut self, server: Option<String>) {
        let Some(server) = server.filter(|_| self.archive.may_know_more()) else {
            return;
        };
        self.read_watches(&server).await;
        let watched = self.watches.values();
        let unread: Vec<Watch> = watched
            .filter(|w| !self.runs.contains_key(&which_past(&w.key, &w.watcher)))
            .cloned()
            .collect();
        for watch in unread {
            self.runs_for(&watch.key, &watch.watcher).await;
        }
    }

    /// An estimate for each running backup, by its leading pid; and the history is told what was seen.
    pub async fn estimates(
        &mut self,
        facts: &mut Facts,
        snapshot: &Snapshot,
        sessions: &Sessions,
    ) -> BTreeMap<Pid, Estimate> {
        let running: Vec<&Session> = sessions.iter().filter(|s| s.backup.is_some()).collect();
        if !running.is_empty() || self.archive.may_know_more() {
            self.read_watches(&snapshot.server.history_key()).await;
        }
        let graph = if running.is_empty() {
            WaitGraph::default()
        } else {
            WaitGraph::between_sessions(snapshot, sessions)
        };
        let mut found = BTreeMap::new();
        for session in running {
            if let Some(mut estimate) = self.estimate(facts, snapshot, session).await {
                if is_dumpall(session) {
                    let all = facts.dumped_databases().await;
                    let leader = snapshot.backend(session.pid);
                    let own = leader.and_then(|b| b.datname.as_ref());
                    let place = all.iter().position(|name| Some(name) == own);
                    estimate.databases = place.map(|place| (place + 1, all.len()));
                }
                if let Some(why) = awaits(&graph, session) {
                    estimate.unknown = estimate.unknown.map(|_| why);
                }
                found.insert(session.pid, estimate);
            }
        }
        self.end_those_that_are_over(facts, snapshot).await;
        self.keep().await;
        self.is_read = false;
        self.keep_look(snapshot, sessions, &found);
        found
    }

    /// Puts down a run whose end is known exactly. What was never seen of it is left open: its tables.
    pub async fn record(
        &mut self,
        facts: Option<&mut Facts>,
        seen: &Snapshot,
        recorded: &Recorded<'_>,
    ) {
        let end = End {
            at: recorded.at,
            outcome: Some(recorded.outcome),
        };
        let watched: Vec<_> = self
            .watches
            .iter()
            .filter(|(_, watch)| recorded.own.contains(&watch.leader))
            .map(|(key, _)| key.clone())
            .collect();
        let watches: Vec<Watch> = watched
            .iter()
            .filter_map(|key| self.watches.remove(key))
            .collect();
        let oids: Vec<_> = watches
            .iter()
            .filter(|watch| watch.watcher.database == seen.server.datname)
            .flat_map(|watch| watch.watcher.tables.iter().map(|t| t.oid))
            .collect();
        let tables = match facts {
            Some(facts) => facts.tables(&oids, seen).await,
            None => DatabaseFacts::default(),
        };
        let mut is_known = false;
        for watch in &watches {
            if let Some(mut run) = watch.watcher.run(watch.key.clone(), &tables, Some(end)) {
                run.source = "record".into();
                is_known = true;
                self.archive
                    .ask(async |history| history.ended(watch, &run).await)
                    .await;
            }
        }
        // Which tables a dump of some has dumped, nobody saw: it is no backup, but it may have failed.
        let counts = !recorded.is_selected || recorded.outcome == RunOutcome::Aborted;
        if !is_known && counts {
            let run = recorded.without_a_look(seen);
            self.archive
                .ask(async |history| history.save(&run).await)
                .await;
        }
    }

    /// Writes what is not written yet, and says goodbye.
    pub async fn close(&mut self) {
        self.last_kept = None;
        self.keep().await;
        self.archive.close().await;
    }

    /// What others saw of this server's dumps. A process that looks again and again knows its own.
    async fn read_watches(&mut self, server: &str) {
        if self.last_kept.is_some() || self.is_read {
            return;
        }
        self.is_read = true;
        let watches = self
            .archive
            .ask(async |history| history.watches(server).await)
            .await;
        for watch in watches.into_iter().flatten() {
            if let Some(started) = watch.watcher.started {
                self.watches.insert((watch.key.clone(), started), watch);
            }
        }
    }

    /// When one backup ends, from this look, those before it and past runs.
    async fn estimate(
        &mut self,
        facts: &mut Facts,
        snapshot: &Snapshot,
        session: &Session,
    ) -> Option<Estimate> {
        let backup = session.backup.as_ref()?;
        let leader = snapshot.backend(session.pid)?;
        let mut tables = facts.tables(&backup.tables, snapshot).await;
        let key = backup::key_of(snapshot, session)?;
        let begun = leader.xact_start.or(leader.backend_start);
        let mut watch = begun
            .and_then(|begun| self.watches.remove(&(key.clone(), begun)))
            .unwrap_or_else(|| Watch {
                key: key.clone(),
                leader: leader.identity(),
                instance: snapshot.server.started_at,
                watcher: Watcher::default(),
            });
        watch.watcher.look(snapshot, session, &tables);
        if self.own.0.contains(&leader.identity()) {
            watch.watcher.said = self.own.1;
        }
        let runs = self.runs_for(&key, &watch.watcher).await;
        if runs.is_empty() {
            tables.statements = self.statements(facts, snapshot, &watch.watcher).await;
        }
        if self.samples {
            let wanted = watch.watcher.to_sample(&tables, &runs, snapshot);
            let read = self.sample(facts, &wanted).await;
            watch.watcher.know_samples(read);
        }
        let estimate = watch.watcher.estimate(&tables, &runs);
        if let Some(told) = &estimate {
            watch.watcher.keep_told(told);
        }
        if let Some(begun) = watch
            .watcher
            .started
            .filter(|_| is_a_run(snapshot, session))
        {
            self.watches.insert((key, begun), watch);
            self.is_kept = false;
        }
        estimate
    }

    /// Past runs that can tell about one. They are read once for each set of tables: it grows while a dump
    /// takes its locks.
    async fn runs_for(&mut self, key: &RunKey, watcher: &Watcher) -> Arc<Vec<BackupRun>> {
        let known = which_past(key, watcher);
        if let Some(runs) = self.runs.get(&known) {
            return Arc::clone(runs);
        }
        let parallel = watcher.workers > 1;
        let similar = Similar::to(watcher);
        let runs = self
            .archive
            .ask(async |history| {
                history
                    .past(key, parallel, known.2, |other| similar.has(other))
                    .await
            })
            .await
            .unwrap_or_default();
        let runs = Arc::new(runs);
        self.runs.insert(known, Arc::clone(&runs));
        runs
    }

    /// A few rows of these tables; which of them the role may not read is said.
    async fn sample(&mut self, facts: &mut Facts, wanted: &[Oid]) -> BTreeMap<Oid, TableSample> {
        let samples = facts.sample(wanted).await;
        // Nothing came of it: a watch does not lose a second to it at each look.
        self.samples = wanted.is_empty() || !samples.of.is_empty();
        let refused = samples.refused.first().map(|first| {
            let more = match samples.refused.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!(
                "--sample: the role may not read all of {first}{more}, whose sizes are from statistics; \
                 GRANT pg_read_all_data, or SELECT on them"
            )
        });
        let failed = samples.problem.map(|error| format!("--sample: {error}"));
        self.archive.problem = self.archive.problem.take().or(failed).or(refused);
        samples.of
    }

    /// How long the COPYs took that the server itself remembers.
    async fn statements(
        &mut self,
        facts: &mut Facts,
        snapshot: &Snapshot,
        watcher: &Watcher,
    ) -> Vec<crate::model::CopyStatement> {
        if watcher.tables.is_empty() || watcher.database != snapshot.server.datname {
            return Vec::new();
        }
        if self.statements.is_none() {
            self.statements = Some(facts.statements().await);
        }
        self.statements.clone().unwrap_or_default()
    }

    /// Dumps that are no longer there become past runs.
    async fn end_those_that_are_over(&mut self, facts: &mut Facts, snapshot: &Snapshot) {
        let given_up = |watch: &Watch| {
            let seen = watch.watcher.seen();
            seen.is_none_or(|seen| snapshot.taken_at - seen > FORGOTTEN_AFTER)
        };
        let over: Vec<_> = self
            .watches
            .iter()
            .filter(|(_, watch)| watch.is_over(snapshot).unwrap_or_else(|| given_up(watch)))
            .map(|(key, _)| key.clone())
            .collect();
        for key in over {
            let Some(watch) = self.watches.remove(&key) else {
                continue;
            };
            let tables = if watch.watcher.database == snapshot.server.datname {
                if snapshot.server.version_num < 150_000 {
                    tokio::time::sleep(COUNTED_AFTER).await;
                }
                let oids: Vec<_> = watch.watcher.tables.iter().map(|t| t.oid).collect();
                facts.tables(&oids, snapshot).await
            } else {
                DatabaseFacts::default()
            };
            let runs = self.runs_for(&watch.key, &watch.watcher).await;
            let run = past_run(&watch, &tables, &runs, snapshot.taken_at);
            self.archive
                .ask(async |history| match &run {
                    Some(run) => history.ended(&watch, run).await,
                    None => history.forget(&watch).await,
                })
                .await;
            self.runs.clear();
        }
    }

    /// Leaves what was seen to those that look next.
    async fn keep(&mut self) {
        let is_early = self.last_kept.is_some_and(|at| at.elapsed() < KEEP_EVERY);
        if is_early || self.is_kept || self.watches.is_empty() {
            return;
        }
        let watches: Vec<Watch> = self.watches.values().cloned().collect();
        let kept = self
            .archive
            .ask(async |history| history.observe(&watches).await);
        self.is_kept = kept.await.is_some();
        self.last_kept = Some(Instant::now());
    }
}

fn is_dumpall(session: &Session) -> bool {
    let tool = session.backup.as_ref().map(|backup| backup.tool);
    tool == Some(BackupTool::PgDumpall)
}

/// For whom a dump waits that waits for a lock itself.
fn awaits(graph: &WaitGraph, session: &Session) -> Option<String> {
    let waiter = graph.waiter(session.pid)?;
    let mut fronts = waiter.in_front.iter().map(|front| match &front.party {
        Party::Pid(pid) => format!("pid {pid}"),
        Party::Prepared(gid) => format!("prepared transaction {gid}"),
    });
    let first = fronts.next()?;
    let more = match fronts.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "it waits for a lock itself, behind {first}{more}, so its end depends on that: pgguard status"
    ))
}
