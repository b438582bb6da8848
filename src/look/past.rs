//! What past runs tell a command that looks, and what it leaves to those that come after it.
//!
//! Each look at a running dump begins where the last one ended, no matter who looked: what was seen is kept in
//! the history. A dump that is no longer there becomes a past run. None of it may harm the command: what
//! goes wrong is a note, and it gets so much time and no more.

use super::facts::Facts;
use crate::backup::{self, End, Similar, Watcher};
use crate::cli::{HistoryArgs, SampleArgs};
use crate::config::Config;
use crate::history::looks::{Looks, Moment, Recorder};
use crate::history::{Filter, History, Place, SignalNote, Watch, WhichRuns};
use crate::hold::{self, Pace};
use crate::model::{
    BackendIdentity, BackupRun, BackupTool, Certainty, DatabaseFacts, Estimate, Footprint,
    LookToKeep, MigrationRun, Oid, Pid, RunKey, RunOutcome, Session, Snapshot, TableSample,
};
use crate::report::status_words::seen_waits;
use crate::report::{Shown, StatusReport};
use crate::sessions::{Party, Sessions, WaitGraph, understand};
use crate::{Error, Result};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// No look waits longer for the history.
const PATIENCE: Duration = Duration::from_secs(2);

/// Between a look and a second one that shows who is at work.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// After a failure it is left alone for so long.
const RETRY: Duration = Duration::from_secs(60);

/// Who looks each second writes no oftener than this.
const KEEP_EVERY: Duration = Duration::from_secs(5);

/// Not seen for so long, a dump of another server than the one looked at is given up.
const FORGOTTEN_AFTER: TimeDelta = TimeDelta::days(7);

/// Looks are close together that are no further apart than this: a check each minute, and one that came late.
const CLOSE: TimeDelta = TimeDelta::seconds(130);

/// No backup becomes this many times faster than it was.
const TIMES_FASTER: i32 = 50;

/// A server of version 14 counts what a session did through another process, a little later.
const COUNTED_AFTER: Duration = Duration::from_millis(700);

/// Past runs are asked about where a lock may be held for longer than this, in seconds.
const WORTH_ASKING: f64 = 1.0;

/// How many complete runs are read with the tables that they dumped.
const RUNS_WITH_TABLES: usize = 10;

/// How many past runs may tell how fast a server works.
const RUNS_OF_WORK: u32 = 50;

/// The history as one command uses it.
pub struct Past {
    /// `None`: not wanted.
    place: Option<Place>,
    /// It failed: not asked again until then.
    off_until: Option<Instant>,
    history: Option<History>,
    /// The running dumps, as they were seen so far.
    watches: BTreeMap<(RunKey, DateTime<Utc>), Watch>,
    /// Past runs by key and number of tables, once read.
    runs: BTreeMap<(RunKey, usize), Arc<Vec<BackupRun>>>,
    /// `pg_stat_statements`, once read: used where there is no past run.
    statements: Option<Vec<crate::model::CopyStatement>>,
    /// What others saw was read for the look that is being judged.
    is_read: bool,
    last_kept: Option<Instant>,
    /// Nothing was seen since.
    is_kept: bool,
    problem: Option<String>,
    /// What each look may spend on it.
    patience: Duration,
    /// Rows of tables may be read.
    samples: bool,
    /// Keeps what is seen for who asks later what happened.
    recorder: Recorder,
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
                past.place = Some(place);
            }
            // Nobody named one, and there is no home folder: a service's user.
            Err(_) if said.is_none() => {}
            Err(error) => past.problem = Some(error.to_string()),
        }
        past
    }

    /// None at all.
    pub fn none() -> Self {
        Self {
            place: None,
            off_until: None,
            history: None,
            watches: BTreeMap::new(),
            runs: BTreeMap::new(),
            statements: None,
            is_read: false,
            last_kept: None,
            is_kept: false,
            problem: None,
            patience: PATIENCE,
            samples: false,
            recorder: Recorder::default(),
        }
    }

    /// Gives it less time.
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Lets it read a few rows of the tables of a running dump.
    pub const fn sampling(mut self, args: SampleArgs) -> Self {
        self.samples = args.sample;
        self
    }

    /// Where the history is, as it may be shown; `None`: not wanted.
    pub fn place(&self) -> Option<String> {
        self.place.as_ref().map(ToString::to_string)
    }

    /// What went wrong since this was last asked.
    pub fn problem(&mut self) -> Option<String> {
        self.problem.take()
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
        let Some(server) = server.filter(|_| self.may_know_more()) else {
            return;
        };
        self.read_watches(&server).await;
        let watched = self.watches.values();
        let unread: Vec<Watch> = watched
            .filter(|w| {
                !self
                    .runs
                    .contains_key(&(w.key.clone(), w.watcher.tables.len()))
            })
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
        if !running.is_empty() || self.may_know_more() {
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

    /// Keeps a look of a command that asks for no estimates.
    pub fn keep_seen(&mut self, snapshot: &Snapshot) {
        if self.recorder.is_on() {
            self.keep_look(snapshot, &understand(snapshot), &BTreeMap::new());
        }
    }

    /// Keeps a look for the last hour's story.
    pub fn keep_look(
        &mut self,
        snapshot: &Snapshot,
        sessions: &Sessions,
        estimates: &BTreeMap<Pid, Estimate>,
    ) {
        if !self.recorder.is_on() {
            return;
        }
        let waits = WaitGraph::between_sessions(snapshot, sessions);
        let everything = Shown::default();
        let told = StatusReport::new(snapshot, sessions, &waits, estimates, &everything);
        let waits = seen_waits(&told);
        if self.recorder.wants(snapshot.taken_at, &waits) {
            self.recorder.keep(&LookToKeep {
                snapshot,
                sessions: sessions.iter().as_slice(),
                estimates,
                waits: &waits,
            });
        }
    }

    /// When somebody looked at a server, and which transactions had ended; the oldest first.
    pub fn moments(&self, server: &str) -> Vec<Moment> {
        self.recorder.moments(server)
    }

    /// The looks of the last hour at a server.
    pub fn looks(&self, server: &str) -> Looks {
        self.recorder.looks(server)
    }

    /// Past runs of a server, for a judgement that needs no tables.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub async fn runs_of(&mut self, server: Option<&str>) -> Result<Vec<BackupRun>> {
        if let Some(problem) = self.problem() {
            return Err(Error::Usage(problem));
        }
        let Some(place) = self.place.clone().filter(|_| self.may_know_more()) else {
            return Ok(Vec::new());
        };
        let filter = all_of(server);
        let mut history = match self.history.take() {
            Some(history) => history,
            None => within(self.patience, &place, History::open_at(&place)).await?,
        };
        let runs = within(self.patience, &place, history.runs(&filter)).await?;
        self.history = Some(history);
        Ok(runs)
    }

    /// Adds their tables to the newest complete runs of a database: which of its tables they dumped.
    pub async fn add_tables(&mut self, runs: &mut [BackupRun], database: &str) {
        let complete = runs
            .iter_mut()
            .filter(|run| run.outcome == RunOutcome::Complete && run.key.database == database);
        for run in complete.take(RUNS_WITH_TABLES) {
            let known = self.ask(async |history| history.tables_of(run).await).await;
            run.tables = known.unwrap_or_default();
        }
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
                self.ask(async |history| history.ended(watch, &run).await)
                    .await;
            }
        }
        // Which tables a dump of some has dumped, nobody saw: it is no backup, but it may have failed.
        let counts = !recorded.is_selected || recorded.outcome == RunOutcome::Aborted;
        if !is_known && counts {
            let run = recorded.without_a_look(seen);
            self.ask(async |history| history.save(&run).await).await;
        }
    }

    /// The same for a command that works without it: what goes wrong is a note.
    pub async fn runs_if_any(&mut self, server: &str) -> Vec<BackupRun> {
        if !self.may_know_more() {
            return Vec::new();
        }
        let filter = all_of(Some(server));
        self.ask(async |history| history.runs(&filter).await)
            .await
            .unwrap_or_default()
    }

    /// Notes who was signalled.
    pub async fn note(&mut self, note: &SignalNote) {
        self.ask(async |history| history.record_signal(note).await)
            .await;
    }

    /// Runs of migration commands, the newest first; none where the history cannot be read.
    pub async fn migration_runs(&mut self, which: &WhichRuns) -> Vec<MigrationRun> {
        if !self.may_know_more() {
            return Vec::new();
        }
        self.ask(async |history| history.migration_runs(which).await)
            .await
            .unwrap_or_default()
    }

    /// How fast the server works, by past runs of migrations there; not asked where nothing is held for long.
    pub async fn pace(&mut self, look: &Snapshot, footprint: &Footprint) -> Pace {
        let holds = hold::of(footprint, &Pace::default());
        if holds.iter().all(|hold| hold.time.latest < WORTH_ASKING) {
            return Pace::default();
        }
        let which = WhichRuns {
            server: Some(look.server.history_key()),
            limit: Some(RUNS_OF_WORK),
            ..WhichRuns::default()
        };
        let runs = self.migration_runs(&which).await;
        Pace::of(runs.iter().flat_map(|run| &run.facts.work))
    }

    /// Keeps a run of a migration command as it is now; whether that was done.
    pub async fn keep_migration_run(&mut self, run: &MigrationRun) -> bool {
        self.ask(async |history| history.keep_migration_run(run).await)
            .await
            .is_some()
    }

    /// Writes what is not written yet, and says goodbye.
    pub async fn close(&mut self) {
        self.last_kept = None;
        self.keep().await;
        if let Some(history) = self.history.take() {
            history.close().await;
        }
    }

    /// Whether a dump may have been seen running that has ended since. A file that is not there knows none.
    fn may_know_more(&self) -> bool {
        match &self.place {
            Some(Place::File(path)) => path.exists(),
            Some(Place::Postgres(_)) => true,
            None => false,
        }
    }

    /// Asks the history something; what goes wrong, or takes too long, is a note.
    async fn ask<T>(&mut self, question: impl AsyncFnOnce(&mut History) -> Result<T>) -> Option<T> {
        let place = self.place.clone()?;
        if self.off_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let history = self.history.take();
        let asked = within(self.patience, &place, async {
            let mut history = match history {
                Some(history) => history,
                None => History::open_at(&place).await?,
            };
            let answer = question(&mut history).await?;
            Ok((history, answer))
        });
        match asked.await {
            Ok((history, answer)) => {
                self.history = Some(history);
                self.off_until = None;
                Some(answer)
            }
            Err(error) => {
                // Said once: one that is away for an hour is no news each minute.
                if self.off_until.replace(Instant::now() + RETRY).is_none() {
                    self.problem = Some(format!("{error}; going on without it"));
                }
                None
            }
        }
    }

    /// What others saw of this server's dumps. A process that looks again and again knows its own.
    async fn read_watches(&mut self, server: &str) {
        if self.last_kept.is_some() || self.is_read {
            return;
        }
        self.is_read = true;
        let watches = self
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
        let known = (key.clone(), watcher.tables.len());
        if let Some(runs) = self.runs.get(&known) {
            return Arc::clone(runs);
        }
        let parallel = watcher.workers > 1;
        let similar = Similar::to(watcher);
        let runs = self
            .ask(async |history| {
                history
                    .past(key, parallel, |other| similar.has(other))
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
        self.problem = self.problem.take().or(failed).or(refused);
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
            self.ask(async |history| match &run {
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
        let kept = self.ask(async |history| history.observe(&watches).await);
        self.is_kept = kept.await.is_some();
        self.last_kept = Some(Instant::now());
    }
}

/// All runs of a server, without their tables.
fn all_of(server: Option<&str>) -> Filter {
    Filter {
        server: server.map(str::to_owned),
        without_tables: true,
        ..Filter::default()
    }
}

/// A run that a command was wrapped around.
pub struct Recorded<'a> {
    /// The backends that led it.
    pub own: &'a BTreeSet<BackendIdentity>,
    /// When the command began, by the server's clock.
    pub begun: DateTime<Utc>,
    /// When it ended, by the server's clock.
    pub at: DateTime<Utc>,
    /// How.
    pub outcome: RunOutcome,
    /// The program, without its folder.
    pub program: &'a str,
    /// The database that it was told to dump.
    pub database: Option<String>,
    /// It was told to dump some of the tables.
    pub is_selected: bool,
}

impl Recorded<'_> {
    /// The run, where none of its sessions was seen: it took less than a moment.
    fn without_a_look(&self, seen: &Snapshot) -> BackupRun {
        let server = &seen.server;
        BackupRun {
            key: RunKey {
                server: server.history_key(),
                database: self
                    .database
                    .clone()
                    .unwrap_or_else(|| server.datname.clone()),
                tool: self.program.to_owned(),
                user: server.user.clone(),
                application_name: self.program.to_owned(),
            },
            started: self.begun,
            ended: self.at,
            outcome: self.outcome,
            workers: 0,
            database_bytes: 0,
            tables: Vec::new(),
            source: "record".into(),
        }
    }
}

/// Runs something, for so long at most.
async fn within<T>(
    patience: Duration,
    place: &Place,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    match tokio::time::timeout(patience, work).await {
        Ok(done) => done,
        Err(_) => Err(Error::History {
            path: place.to_string(),
            why: format!(
                "it did not answer within {:.1} s; name another place with --history, or none with --no-history",
                patience.as_secs_f64()
            ),
        }),
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

/// Whether a session's begin and end are those of a run: a dump's transaction, or a stream of files. Others
/// work now and then in a session of theirs.
fn is_a_run(snapshot: &Snapshot, session: &Session) -> bool {
    let Some(leader) = snapshot.backend(session.pid) else {
        return false;
    };
    match session.backup.as_ref().map(|b| b.tool) {
        // An application's COPY looks a little like one.
        Some(BackupTool::PgDump | BackupTool::PgDumpall) => {
            leader.xact_start.is_some() && session.certainty > Certainty::Possible
        }
        Some(BackupTool::PgBasebackup | BackupTool::Barman) => {
            leader.backend_start.is_some() && snapshot.progress_of(leader.pid).next().is_some()
        }
        _ => false,
    }
}

/// The run that was watched, now that it is over; `None`: too little of it was seen, a dump of the schema
/// alone looks the same.
///
/// A complete one ended when what was left at the last look was done; of one that vanished is known that it
/// was there until then.
fn past_run(
    watch: &Watch,
    facts: &DatabaseFacts,
    past: &[BackupRun],
    now: DateTime<Utc>,
) -> Option<BackupRun> {
    let watcher = &watch.watcher;
    let seen = watcher.seen()?;
    let is_physical = watcher.points.iter().any(|p| p.streamed.is_some());
    if !watcher.has_begun() && !watcher.by_cursor && !is_physical {
        return None;
    }
    let run = |at, outcome| {
        let end = End { at, outcome };
        watcher.run(watch.key.clone(), facts, Some(end))
    };
    let estimate = watcher.estimate(facts, past);
    let after = |seconds: Option<f64>| {
        let left = Duration::try_from_secs_f64(seconds?).ok()?;
        TimeDelta::from_std(left).ok()
    };
    if run(now, None)?.outcome != RunOutcome::Complete {
        // No counter tells of a physical backup: that it was stopped is certain only where far too little time
        // was left for what was left.
        let left = after(estimate.and_then(|e| e.remaining_s));
        let was_stopped = is_physical
            && now - seen <= CLOSE
            && left.is_some_and(|left| (now - seen) * TIMES_FASTER < left);
        let outcome = was_stopped.then_some(RunOutcome::Aborted);
        return run(seen, outcome);
    }
    let left = after(estimate.and_then(|e| e.remaining_s));
    let expected = left.map_or(seen + (now - seen) / 2, |left| seen + left);
    run(expected.clamp(seen, now), None)
}
