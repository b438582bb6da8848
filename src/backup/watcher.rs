//! What one or more looks at a running dump saw of it.

use super::copy_text::table_of;
use super::order;
use super::seen::{CopySeen, Point, TableSeen};
use super::still::Mark;
use super::told::Told;
use crate::model::{
    Backend, BackendState, DatabaseFacts, LockMode, Manner, Oid, Pid, RelationKind, Session,
    Snapshot, TableFacts, TableSample, Work,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// No more points than this are kept: older ones are thinned.
const MOST_POINTS: usize = 400;

/// One dump, as the looks at it saw it. Begin with an empty one, show it every look; it may be
/// written down between two commands and read back, for another command to go on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Watcher {
    /// Begin of the dump's transaction.
    pub started: Option<DateTime<Utc>>,
    /// `Server::version_num`
    pub version_num: i32,
    /// Workers beside the leader.
    pub workers: usize,
    /// Name of the program: [`crate::model::BackupTool::word`].
    pub tool: String,
    /// Its client seems gone.
    pub leaked: bool,
    /// What the last look saw it doing.
    pub stage: Stage,
    /// Names of other databases that pg_dumpall has before it, and where it is.
    pub database: String,
    /// The dump set, in dump order. It may be of twenty thousand tables, so whoever writes a watcher down
    /// keeps them apart, in a shorter form.
    #[serde(skip_serializing)]
    pub tables: Vec<TableSeen>,
    /// Its client is reached through a network socket, whose buffers hold megabytes.
    pub buffered: bool,
    /// Looks, oldest first.
    pub points: Vec<Point>,
    /// It reads through cursors (`--inserts`), which name no table.
    pub by_cursor: bool,
    /// What its command said of its manner, where that was recorded.
    #[serde(skip_serializing_if = "Manner::is_unknown")]
    pub said: Manner,
    /// Since when it reads large objects, at most the time between two looks ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub large_since: Option<DateTime<Utc>>,
    /// The end that was told last, so that the next one moves no further than what was learnt since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
    /// What it was at, and since when nothing of that has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
    /// It waits for a lock itself.
    pub in_queue: bool,
    /// The last look was at another database than the one that is dumped.
    pub elsewhere: bool,
    /// How many rows of each table had been read by scans as of the last look.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reads: BTreeMap<Oid, f64>,
    /// How often each table had been scanned as of the last look. A dump's own scans are counted when it ends.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub scans: BTreeMap<Oid, f64>,
    /// All of its tables were scanned between the last look and the one before it, so the counters are that one's.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub perhaps_over: bool,
    /// What a few rows of its tables told, where reading them was allowed; one without rows could not be read.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub samples: BTreeMap<Oid, TableSample>,
}

/// What a dump is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Reads the catalogs and takes its locks.
    #[default]
    Preparing,
    /// Copies tables.
    Copying,
    /// Reads large objects.
    LargeObjects,
    /// `--inserts`: reads through a cursor, which names no table.
    Cursor,
    /// A physical backup waits for its checkpoint or counts files.
    Starting,
    /// A physical backup streams files.
    Transferring,
    /// A physical backup waits for the write-ahead log.
    Finishing,
    /// Seen, but there is nothing to count.
    Opaque,
}

impl Watcher {
    /// Adds one look. `session` is the dump as the snapshot's recognition named it. A look at
    /// another run (another begin) starts afresh; a look older than the last one is left out.
    pub fn look(&mut self, snapshot: &Snapshot, session: &Session, facts: &DatabaseFacts) {
        let Some(backup) = &session.backup else {
            return;
        };
        let Some(leader) = snapshot.backend(session.pid) else {
            return;
        };
        let started = leader.xact_start.or(leader.backend_start);
        if self.started.is_some() && self.started != started {
            *self = Self::default();
        }
        if self
            .points
            .last()
            .is_some_and(|p| p.at >= snapshot.taken_at)
        {
            return;
        }
        self.started = started;
        self.version_num = snapshot.server.version_num;
        self.workers = self.workers.max(backup.workers);
        backup.tool.word().clone_into(&mut self.tool);
        self.leaked = backup.leaked;
        self.database = leader.datname.clone().unwrap_or_default();
        self.know_tables(&backup.tables, snapshot, facts);

        let members: Vec<&Backend> = session
            .members
            .iter()
            .filter_map(|p| snapshot.backend(*p))
            .collect();
        let mut point = point(snapshot, &members);
        self.stage = stage(snapshot, &members, &point, self.has_begun());
        self.by_cursor |= self.stage == Stage::Cursor;
        self.note_large_objects(point.at);
        self.note_counters(facts);
        self.in_queue = members
            .iter()
            .any(|b| b.wait_event_type.as_deref() == Some("Lock"));
        self.elsewhere = self.database != snapshot.server.datname;
        self.mark = Some(Mark::after(
            self.mark.take(),
            snapshot.taken_at,
            &members,
            &point,
        ));
        self.note_copies(&point);
        point.draining = members
            .iter()
            .filter_map(|b| self.end_idle_copy(b))
            .collect();
        if self.workers > 0 {
            self.note_worker_locks(snapshot, session, &point);
        } else {
            self.note_serial_position(&point);
        }
        self.buffered = leader.client_addr.is_some();
        self.points.push(point);
        if self.points.len() > MOST_POINTS {
            self.thin();
        }
    }

    /// When it was last looked at.
    #[must_use]
    pub fn seen(&self) -> Option<DateTime<Utc>> {
        self.points.last().map(|p| p.at)
    }

    /// Whether a COPY was seen, or something that only comes after one.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.tables
            .iter()
            .any(|t| t.copy_start.is_some() || t.done_at.is_some())
    }

    /// How many tables are done.
    #[must_use]
    pub fn done(&self) -> usize {
        self.tables.iter().filter(|t| t.done_at.is_some()).count()
    }

    /// The dump set grows while locks are taken; names come with the look or with the facts.
    fn know_tables(&mut self, oids: &[Oid], snapshot: &Snapshot, facts: &DatabaseFacts) {
        let known: BTreeSet<Oid> = self.tables.iter().map(|t| t.oid).collect();
        if oids.iter().all(|oid| known.contains(oid)) {
            return;
        }
        let named: BTreeMap<Oid, &TableFacts> = facts.tables.iter().map(|t| (t.oid, t)).collect();
        for oid in oids.iter().filter(|oid| !known.contains(oid)) {
            let seen = snapshot.relations.get(oid);
            if seen.is_some_and(|r| r.kind != RelationKind::Table) {
                continue;
            }
            let (name, pages) = match (named.get(oid), seen) {
                (Some(table), _) => (
                    table.name(),
                    table.pages + self.toast_share() * table.toast_pages,
                ),
                (None, Some(seen)) => (seen.name.clone(), seen.bytes as f64 / 8192.0),
                (None, None) => continue,
            };
            let table = TableSeen::new(*oid, Arc::new(name), pages);
            self.tables.push(table);
        }
        self.tables.sort_by(if self.workers > 0 {
            order::parallel
        } else {
            order::serial
        });
    }

    /// What the next look counts from. Where all tables were scanned since the last look, that was perhaps the dump, which
    /// ended while this look was under way, after it was seen: then the counters of before are what its work is counted
    /// from. If the next look sees it again, it was somebody else.
    pub(super) fn note_counters(&mut self, facts: &DatabaseFacts) {
        let scans = facts.tables.iter().filter_map(|t| Some((t.oid, t.scans?)));
        let scans: BTreeMap<Oid, f64> = scans.collect();
        let is_scanned = |table: &TableSeen| {
            let (before, now) = (self.scans.get(&table.oid), scans.get(&table.oid));
            before.zip(now).is_some_and(|(before, now)| now > before)
        };
        let all = !self.tables.is_empty() && self.tables.iter().all(is_scanned);
        self.perhaps_over = all && !self.perhaps_over;
        if self.perhaps_over {
            return;
        }
        self.scans = scans;
        let reads = facts.tables.iter().filter_map(|t| Some((t.oid, t.reads?)));
        self.reads = reads.collect();
    }

    /// They begin between the look that last saw a table, if one did, and the first that sees them.
    fn note_large_objects(&mut self, at: DateTime<Utc>) {
        if self.stage == Stage::LargeObjects && self.large_since.is_none() {
            let before = self.points.last().map(|point| point.at);
            self.large_since = before.map(|before| before + (at - before) / 2);
        }
    }

    /// How it reads and writes its tables, as far as that is known.
    #[must_use]
    pub fn manner(&self) -> Manner {
        let seen = (self.by_cursor || self.has_begun()).then_some(self.by_cursor);
        Manner {
            by_cursor: seen,
            ..Manner::default()
        }
        .or(self.said)
    }

    fn toast_share(&self) -> f64 {
        if self.version_num >= 150_000 {
            1.0
        } else {
            0.0
        }
    }

    fn table_mut(&mut self, oid: Oid) -> Option<&mut TableSeen> {
        self.tables.iter_mut().find(|t| t.oid == oid)
    }

    fn note_copies(&mut self, point: &Point) {
        for copy in &point.copies {
            if let Some(table) = self.table_mut(copy.oid) {
                table.copy_start = copy.since.or(table.copy_start);
                table.last_seen = Some(point.at);
                table.tuples = copy.tuples.max(table.tuples);
                table.bytes = copy.bytes.max(table.bytes);
            }
        }
    }

    /// A worker keeps the lock on every table it was given; what it no longer copies is done.
    fn note_worker_locks(&mut self, snapshot: &Snapshot, session: &Session, point: &Point) {
        let in_flight: BTreeSet<Oid> = point.copies.iter().map(|c| c.oid).collect();
        let workers: BTreeSet<Pid> = session
            .members
            .iter()
            .copied()
            .filter(|pid| *pid != session.pid)
            .collect();
        let locked: BTreeSet<Oid> = snapshot
            .locks
            .iter()
            .filter(|l| l.granted && l.mode == LockMode::AccessShare)
            .filter(|l| l.pid.is_some_and(|pid| workers.contains(&pid)))
            .filter_map(|l| l.relation().map(|(_, oid)| oid))
            .collect();
        for table in &mut self.tables {
            let given = locked.contains(&table.oid) || table.copy_start.is_some();
            if given && !in_flight.contains(&table.oid) && table.done_at.is_none() {
                table.done_at = Some(point.at);
            }
        }
    }

    /// A backend that is idle after a COPY shows when that ended.
    fn end_idle_copy(&mut self, backend: &Backend) -> Option<(Oid, DateTime<Utc>)> {
        if backend.state != Some(BackendState::IdleInTransaction) {
            return None;
        }
        let name = table_of(&backend.query)?;
        let table = self.tables.iter_mut().find(|t| *t.name == name)?;
        table.copy_start = table.copy_start.or(backend.query_start);
        table.copy_end = backend.state_change;
        Some((table.oid, backend.state_change?))
    }

    /// Everything before the table in flight is done; with none in flight, everything up to the
    /// table of the last COPY, and all of them once large objects are read.
    fn note_serial_position(&mut self, point: &Point) {
        let in_flight = point.copies.first().map(|c| c.oid);
        let last = point.draining.first().map(|d| d.0);
        let place = |oid: Oid| self.tables.iter().position(|t| t.oid == oid);
        let done = match (in_flight.and_then(place), last.and_then(place)) {
            (Some(at), _) => at,
            (None, Some(at)) => at + 1,
            (None, None)
                if self.stage == Stage::LargeObjects && (self.has_begun() || self.by_cursor) =>
            {
                self.tables.len()
            }
            (None, None) => 0,
        };
        for table in &mut self.tables[..done] {
            table.done_at = table.done_at.or(Some(point.at));
        }
    }

    /// Drops every second of the older points: a long dump needs no half seconds.
    fn thin(&mut self) {
        let keep_from = self.points.len() / 2;
        let mut index = 0;
        self.points.retain(|_| {
            index += 1;
            index > keep_from || index % 2 == 1
        });
    }
}

/// What the progress views say of these backends.
fn point(snapshot: &Snapshot, members: &[&Backend]) -> Point {
    let mut copies = Vec::new();
    let mut streamed = None;
    let mut waiting = 0.0;
    for backend in members {
        for work in snapshot.progress_of(backend.pid) {
            match work {
                Work::Copy {
                    relid: Some(oid),
                    bytes_processed,
                    tuples_processed,
                    ..
                } if *oid != 0 => {
                    waiting += f64::from(u8::from(backend.waits_in("Client", "ClientWrite")));
                    copies.push(CopySeen {
                        oid: *oid,
                        tuples: tuples_processed.unwrap_or(0) as f64,
                        bytes: bytes_processed.unwrap_or(0) as f64,
                        since: backend.query_start,
                    });
                }
                Work::Basebackup {
                    backup_total,
                    backup_streamed,
                    ..
                } => {
                    streamed = Some((
                        backup_streamed.unwrap_or(0) as f64,
                        backup_total.map(|total| total as f64),
                    ));
                }
                _ => {}
            }
        }
    }
    let client_wait = if copies.is_empty() {
        0.0
    } else {
        waiting / copies.len() as f64
    };
    Point {
        at: snapshot.taken_at,
        copies,
        draining: Vec::new(),
        client_wait,
        streamed,
    }
}

fn stage(snapshot: &Snapshot, members: &[&Backend], point: &Point, begun: bool) -> Stage {
    let phase = members
        .iter()
        .flat_map(|b| snapshot.progress_of(b.pid))
        .find_map(|work| match work {
            Work::Basebackup { phase, .. } => Some(phase.clone().unwrap_or_default()),
            _ => None,
        });
    if let Some(phase) = phase {
        return match phase.as_str() {
            "streaming database files" => Stage::Transferring,
            "waiting for wal archiving to finish" | "transferring wal files" => Stage::Finishing,
            _ => Stage::Starting,
        };
    }
    if !point.copies.is_empty() {
        return Stage::Copying;
    }
    if members.iter().any(|b| b.query.contains("_pg_dump_cursor")) {
        return Stage::Cursor;
    }
    if members.iter().any(|b| b.query.contains("'lo_open'")) {
        return Stage::LargeObjects;
    }
    if begun || members.iter().any(|b| table_of(&b.query).is_some()) {
        return Stage::Copying;
    }
    Stage::Preparing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::run::End;
    use crate::model::{RunKey, RunOutcome};

    /// cases/ops/15: a dump with --inserts that came to its end was kept as one whose end nobody saw. The last look saw
    /// its session first, and read the counters when it was gone.
    #[test]
    fn a_dump_that_ends_during_a_look_is_counted_from_the_look_before() {
        let facts = |scans: f64| DatabaseFacts {
            tables: (1..4)
                .map(|oid| TableFacts {
                    oid,
                    schema: "public".into(),
                    relation: format!("t{oid}"),
                    tuples: 100.0,
                    pages: 1.0,
                    live_tuples: 100.0,
                    scans: Some(scans),
                    reads: Some(100.0 * scans),
                    ..TableFacts::default()
                })
                .collect(),
            ..DatabaseFacts::default()
        };
        let outcome = |looks: &[f64], now: f64| {
            let table = |t: &TableFacts| TableSeen::new(t.oid, Arc::new(t.name()), t.pages);
            let mut watcher = Watcher {
                started: Some(DateTime::UNIX_EPOCH),
                by_cursor: true,
                tables: facts(0.0).tables.iter().map(table).collect(),
                ..Watcher::default()
            };
            for scans in looks {
                watcher.note_counters(&facts(*scans));
            }
            let end = End {
                at: DateTime::UNIX_EPOCH,
                outcome: None,
            };
            let key = RunKey {
                server: String::new(),
                database: String::new(),
                tool: "pg_dump".into(),
                user: String::new(),
                application_name: String::new(),
            };
            watcher.points.push(Point {
                at: DateTime::UNIX_EPOCH,
                copies: Vec::new(),
                draining: Vec::new(),
                client_wait: 0.0,
                streamed: None,
            });
            watcher
                .run(key, &facts(now), Some(end))
                .expect("a run")
                .outcome
        };
        assert_eq!(outcome(&[5.0, 5.0], 6.0), RunOutcome::Complete);
        assert_eq!(outcome(&[5.0, 6.0], 6.0), RunOutcome::Complete);
        // Somebody else read all of them: the dump was seen once more, and then it was killed.
        assert_eq!(outcome(&[5.0, 6.0, 6.0], 6.0), RunOutcome::Unseen);
    }
}
