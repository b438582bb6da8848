//! What `status` tells, whatever its form: which sessions are listed, in which order, and what is wrong.

use crate::model::{
    Backend, BackendState, Estimate, Pid, PreparedXact, Role, RunningMigration, Session, Snapshot,
    age,
};
use crate::sessions::waits::{Node, WaitGraph};
use crate::sessions::{Index, Sessions};
use crate::sessions::{Party, alike};
use crate::words::{dated, hour, many};
use chrono::{DateTime, FixedOffset, Offset as _, TimeDelta, Utc};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// An idle transaction that lasts longer than this is worth a line.
const LONG_IDLE: TimeDelta = TimeDelta::minutes(5);

/// Everything that `status` tells of.
pub struct StatusReport<'a> {
    pub snapshot: &'a Snapshot,
    /// Who is who in it.
    pub sessions: &'a Sessions,
    /// Who waits behind whom: [`WaitGraph::between_sessions`].
    pub waits: &'a WaitGraph,
    /// When the backups end, by the session's pid.
    pub estimates: &'a BTreeMap<Pid, Estimate>,
    /// What to show of it.
    pub shown: &'a Shown,
    /// How many things were left behind, where that was asked.
    pub findings: Option<usize>,
    /// Migrations that are running.
    pub running: Vec<RunningMigration>,
    /// In which zone to say times.
    pub zone: FixedOffset,
    /// Whether a sentence of it stands alone, and says the zone itself.
    pub is_alone: bool,
    index: Index<'a>,
}

/// What to show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// Idle sessions and the server's own processes too, and no list cut short.
    pub all: bool,
    /// Why each session was given its role.
    pub evidence: bool,
    /// Only these roles; none: all.
    pub roles: Vec<Role>,
    /// Only this database.
    pub database: Option<String>,
    /// Only this database role.
    pub user: Option<String>,
    /// Only sessions whose application, query or client contains this, in any case.
    pub search: Option<String>,
}

impl Shown {
    /// Whether anything is filtered out.
    #[must_use]
    pub const fn is_filtered(&self) -> bool {
        !self.roles.is_empty()
            || self.database.is_some()
            || self.user.is_some()
            || self.search.is_some()
    }

    fn admits(&self, session: &Session, backend: &Backend) -> bool {
        let is =
            |wanted: &Option<String>, value: &Option<String>| wanted.is_none() || wanted == value;
        let contains = |needle: &str| {
            [
                backend.application_name.as_str(),
                backend.query.as_str(),
                backend.client_addr.as_deref().unwrap_or_default(),
            ]
            .iter()
            .any(|text| text.to_lowercase().contains(&needle.to_lowercase()))
        };
        (self.roles.is_empty() || self.roles.contains(&session.role))
            && is(&self.database, &backend.datname)
            && is(&self.user, &backend.usename)
            && self.search.as_deref().is_none_or(contains)
    }
}

/// A session with its leading backend.
#[derive(Clone, Copy)]
pub struct Line<'a> {
    pub session: &'a Session,
    pub backend: &'a Backend,
}

impl Line<'_> {
    /// Since when it does what it does: a backup its whole run, an idle session its idling, others their statement.
    #[must_use]
    pub fn since(&self) -> Option<DateTime<Utc>> {
        let backend = self.backend;
        match self.session.role {
            Role::Backup => backend.xact_start.or(backend.backend_start),
            Role::IdleInTransaction | Role::Idle => backend.state_change,
            Role::Replication | Role::Server => backend.backend_start,
            _ if backend
                .state
                .is_some_and(BackendState::is_idle_in_transaction) =>
            {
                backend.state_change
            }
            _ => backend.query_start,
        }
    }
}

/// Something that is wrong besides the waits.
pub enum Trouble<'a> {
    /// A backup whose client is gone.
    Leaked(Line<'a>),
    /// Idle in a transaction for long: the longest, and how many there are.
    LongIdle(Line<'a>, usize),
    /// A vacuum that never gives way.
    Wraparound(Line<'a>),
    /// A transaction that was prepared and neither committed nor rolled back.
    Prepared(&'a PreparedXact),
}

impl<'a> StatusReport<'a> {
    /// Puts together what was read and understood.
    #[must_use]
    pub fn new(
        snapshot: &'a Snapshot,
        sessions: &'a Sessions,
        waits: &'a WaitGraph,
        estimates: &'a BTreeMap<Pid, Estimate>,
        shown: &'a Shown,
    ) -> Self {
        Self {
            snapshot,
            sessions,
            waits,
            estimates,
            shown,
            findings: None,
            running: Vec::new(),
            zone: Utc.fix(),
            is_alone: false,
            index: Index::new(snapshot),
        }
    }

    /// The same, with the migrations that are running.
    #[must_use]
    pub fn with_running(mut self, running: Vec<RunningMigration>) -> Self {
        self.running = running;
        self
    }

    /// The same, with what the doctor found.
    #[must_use]
    pub fn with_findings(mut self, findings: Option<usize>) -> Self {
        self.findings = findings;
        self
    }

    /// The same, with times in this zone.
    #[must_use]
    pub const fn in_zone(mut self, zone: FixedOffset) -> Self {
        self.zone = zone;
        self
    }

    /// The same, for sentences without a heading that says the zone.
    #[must_use]
    pub const fn alone(mut self) -> Self {
        self.is_alone = true;
        self
    }

    /// A time of the last hours.
    #[must_use]
    pub fn hour(&self, at: DateTime<Utc>) -> String {
        let text = hour(&self.zone, at, self.now());
        match self.zone.local_minus_utc() {
            _ if !self.is_alone => text,
            0 => format!("{text} UTC"),
            _ => format!("{text} {}", self.zone),
        }
    }

    /// When the look was, for people: the one place that says the zone.
    #[must_use]
    pub fn looked_at(&self) -> String {
        dated(&self.zone, self.now(), "%H:%M:%S")
    }

    /// `1 finding: pgguard doctor`, where something was left behind.
    #[must_use]
    pub fn findings_in_words(&self) -> Option<String> {
        let count = self.findings.filter(|count| *count > 0)?;
        Some(format!("{}: pgguard doctor", many(count, "finding")))
    }

    /// The rows of the snapshot by process.
    #[must_use]
    pub const fn index(&self) -> &Index<'a> {
        &self.index
    }

    /// When the look was.
    #[must_use]
    pub const fn now(&self) -> DateTime<Utc> {
        self.snapshot.taken_at
    }

    /// Time since then.
    #[must_use]
    pub fn age(&self, since: Option<DateTime<Utc>>) -> Option<TimeDelta> {
        since.map(|since| age(since, self.now()))
    }

    /// A session by any of its pids.
    #[must_use]
    pub fn line(&self, pid: Pid) -> Option<Line<'a>> {
        let session = self.sessions.of(pid)?;
        Some(Line {
            session,
            backend: self.index.backend(session.pid)?,
        })
    }

    /// The sessions that the filters admit, by role in the order of [`Role::ALL`]; within a role those with
    /// the most waiters behind, then the oldest first.
    #[must_use]
    pub fn admitted(&self) -> Vec<Line<'a>> {
        let mut lines: Vec<Line<'a>> = self
            .sessions
            .iter()
            .filter_map(|session| self.line(session.pid))
            .filter(|line| self.shown.admits(line.session, line.backend))
            .collect();
        let rank = |role: Role| Role::ALL.iter().position(|other| *other == role);
        lines.sort_by_cached_key(|line| {
            (
                rank(line.session.role),
                Reverse(self.waits.waiters_behind(line.session.pid)),
                line.since().is_none(),
                line.since(),
                line.session.pid,
            )
        });
        lines
    }

    /// Whether a tree of waits has anybody in it whom the filters admit.
    #[must_use]
    pub fn admits_party(&self, party: &Party) -> bool {
        if !self.shown.is_filtered() {
            return true;
        }
        let behind = self.waits.all_behind(party);
        party
            .pid()
            .into_iter()
            .chain(behind)
            .filter_map(|pid| self.line(pid))
            .any(|line| self.shown.admits(line.session, line.backend))
    }

    /// The prepared transaction of a name.
    #[must_use]
    pub fn prepared(&self, gid: &str) -> Option<&'a PreparedXact> {
        self.snapshot.prepared.iter().find(|xact| xact.gid == gid)
    }

    /// The waiter right behind a root that keeps most others waiting, and how many go on at once without it.
    #[must_use]
    pub fn middle(&self, node: &Node) -> Option<(Pid, usize)> {
        node.below
            .iter()
            .filter(|child| !child.below.is_empty())
            .filter_map(|child| child.party.pid())
            .map(|pid| (pid, self.waits.freed_without(pid)))
            .max_by_key(|&(pid, freed)| (freed, Reverse(pid)))
            .filter(|&(_, freed)| freed > 0)
    }

    /// The trees of waits that the filters admit, the worst first; roots like each other are one tree
    /// under the oldest of them, with their number.
    #[must_use]
    pub fn trees(&self) -> Vec<(Node, usize)> {
        let mut trees: Vec<(Node, usize)> = Vec::new();
        let mut place: BTreeMap<_, usize> = BTreeMap::new();
        for node in self.waits.forest() {
            if !self.admits_party(&node.party) {
                continue;
            }
            let like = node.party.pid().and_then(|pid| self.line(pid)).map(|line| {
                let backend = line.backend;
                let behind: Vec<Pid> = self.waits.directly_behind(&node.party).collect();
                (
                    line.session.role,
                    &backend.application_name,
                    &backend.usename,
                    behind,
                )
            });
            let at = like
                .as_ref()
                .filter(|_| !self.shown.all)
                .and_then(|key| place.get(key));
            if let Some(&at) = at {
                let (first, count) = &mut trees[at];
                *count += 1;
                first.below.extend(node.below);
                if self.began(&node.party) < self.began(&first.party) {
                    first.party = node.party;
                }
                continue;
            }
            if let Some(key) = like {
                place.insert(key, trees.len());
            }
            trees.push((node, 1));
        }
        trees
    }

    /// The waiters below a node, those like each other as one with their number: the same role, program and
    /// user wants the same, and nobody waits behind it. The longest wait stands for the others.
    #[must_use]
    pub fn folded<'n>(&self, node: &'n Node) -> Vec<(&'n Node, usize)> {
        let like = |child: &&Node| {
            let pid = child
                .party
                .pid()
                .filter(|_| !self.shown.all && child.below.is_empty())?;
            let (line, waiter) = (self.line(pid)?, self.waits.waiter(pid)?);
            let backend = line.backend;
            let who = (
                line.session.role,
                &backend.application_name,
                &backend.usename,
            );
            Some((who, waiter.mode, &waiter.target))
        };
        let crowds = alike::crowds(&node.below, like);
        crowds
            .into_iter()
            .map(|crowd| (crowd[0], crowd.len()))
            .collect()
    }

    fn began(&self, party: &Party) -> Option<DateTime<Utc>> {
        self.line(party.pid()?)?.backend.xact_start
    }

    /// What is wrong besides the waits, gravest first.
    #[must_use]
    pub fn troubles(&self) -> Vec<Trouble<'a>> {
        let mut found = Vec::new();
        let lines = self.admitted();
        for line in &lines {
            if line
                .session
                .backup
                .as_ref()
                .is_some_and(|backup| backup.leaked)
            {
                found.push(Trouble::Leaked(*line));
            }
        }
        if !self.shown.is_filtered() {
            found.extend(self.snapshot.prepared.iter().map(Trouble::Prepared));
        }
        for line in &lines {
            if crate::sessions::prevents_wraparound(line.backend) {
                found.push(Trouble::Wraparound(*line));
            }
        }
        let long: Vec<&Line<'_>> = lines
            .iter()
            .filter(|line| line.session.backup.is_none())
            .filter(|line| {
                line.backend
                    .state
                    .is_some_and(BackendState::is_idle_in_transaction)
            })
            .filter(|line| {
                line.backend
                    .state_age(self.now())
                    .is_some_and(|age| age > LONG_IDLE)
            })
            .collect();
        if let Some(longest) = long
            .iter()
            .min_by_key(|line| (line.backend.state_change, line.session.pid))
        {
            found.push(Trouble::LongIdle(**longest, long.len()));
        }
        found
    }
}
