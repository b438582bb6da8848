//! Which backends belong together: one program often has several.

use super::backups::{self, DumpSigns};
use super::group::Group;
use super::index::Index;
use super::migrations;
use crate::model::{Backend, Oid, Pid};
use chrono::TimeDelta;
use std::collections::{HashMap, HashSet};

/// Two connections of one run begin within this time of each other.
const SAME_RUN: TimeDelta = TimeDelta::seconds(5);

/// Sorts every backend of the snapshot into exactly one group.
pub fn gather<'a>(index: &Index<'a>) -> Vec<Group<'a>> {
    let mut leaders = Leaders::default();
    parallel_queries(index, &mut leaders);
    parallel_dumps(index, &mut leaders);
    base_backups(index, &mut leaders);
    let dumpalls = dumpalls(index, &mut leaders);
    migration_runs(index, &mut leaders);

    let mut groups: HashMap<Pid, Vec<&'a Backend>> = HashMap::new();
    for backend in &index.snapshot.backends {
        groups
            .entry(leaders.of(backend.pid))
            .or_default()
            .push(backend);
    }
    groups
        .into_iter()
        .map(|(leader, mut members)| {
            members.sort_by_key(|member| (member.pid != leader, member.backend_start, member.pid));
            let dumpall = members
                .iter()
                .map(|m| m.pid)
                .find(|pid| dumpalls.contains(pid));
            Group {
                dumpall: dumpall.filter(|_| members.len() > 1),
                members,
            }
        })
        .collect()
}

/// Who leads whom. Only leaders are led to, so that a chain (a parallel worker of a dump's worker) ends at the top.
#[derive(Default)]
struct Leaders(HashMap<Pid, Pid>);

impl Leaders {
    fn of(&self, pid: Pid) -> Pid {
        let mut at = pid;
        // Each step leads to another leader; the count guards against a ring in a damaged recording.
        for _ in 0..8 {
            match self.0.get(&at) {
                Some(&leader) if leader != at => at = leader,
                _ => break,
            }
        }
        at
    }

    fn set(&mut self, pid: Pid, leader: Pid) {
        if self.of(leader) != pid {
            self.0.insert(pid, leader);
        }
    }
}

/// Workers of parallel queries, and of parallel apply.
fn parallel_queries(index: &Index<'_>, leaders: &mut Leaders) {
    for backend in &index.snapshot.backends {
        if let Some(leader) = backend.leader_pid
            && index.backend(leader).is_some()
        {
            leaders.set(backend.pid, leader);
        }
    }
}

/// What the connections of one client have in common.
type Client<'a> = (Option<Oid>, Option<&'a str>, Option<&'a str>, &'a str);

fn client(backend: &Backend) -> Client<'_> {
    (
        backend.datid,
        backend.usename.as_deref(),
        backend.client_addr.as_deref(),
        &backend.application_name,
    )
}

/// A parallel dump: the leader has read the catalogs and locked every table, and exports its snapshot; each
/// worker imports it (so all show one `backend_xmin`) and locks again what it copies.
fn parallel_dumps(index: &Index<'_>, leaders: &mut Leaders) {
    let signs: Vec<(&Backend, DumpSigns)> = index
        .snapshot
        .backends
        .iter()
        .filter(|backend| backend.backend_xmin.is_some() && backend.leader_pid.is_none())
        .map(|backend| (backend, backups::dump_signs(backend, index)))
        .collect();
    let mut dumps: HashMap<(Client<'_>, u32), Vec<&(&Backend, DumpSigns)>> = HashMap::new();
    for pair in &signs {
        // A leader that copies by itself is a serial dump: it has no workers.
        if let Some(xmin) = pair.0.backend_xmin
            && pair.1.leads
            && !pair.1.copies
        {
            dumps.entry((client(pair.0), xmin)).or_default().push(pair);
        }
    }
    for (backend, worker) in signs.iter().filter(|(_, signs)| !signs.leads) {
        let same_client = backend
            .backend_xmin
            .and_then(|xmin| dumps.get(&(client(backend), xmin)));
        let reads_like_one = worker.copies || !backend.application_name.is_empty();
        if backend.backend_xid.is_some() || !reads_like_one {
            continue;
        }
        let leader = same_client
            .into_iter()
            .flatten()
            .filter(|(leader, signs)| {
                leader.backend_start <= backend.backend_start
                    && worker
                        .tables
                        .iter()
                        .all(|t| signs.tables.binary_search(t).is_ok())
            })
            .max_by_key(|(leader, _)| leader.backend_start);
        if let Some((leader, _)) = leader {
            leaders.set(backend.pid, leader.pid);
        }
    }
}

/// pg_basebackup's second walsender streams the WAL.
fn base_backups(index: &Index<'_>, leaders: &mut Leaders) {
    let streams: Vec<&Backend> = index
        .snapshot
        .backends
        .iter()
        .filter(|backend| backups::streams_base_backup(backend, index))
        .collect();
    if streams.is_empty() {
        return;
    }
    let bases: HashSet<Pid> = streams.iter().map(|backend| backend.pid).collect();
    let others = index.snapshot.backends.iter().filter(|backend| {
        backend.backend_type.as_deref() == Some("walsender") && !bases.contains(&backend.pid)
    });
    for wal in others {
        let base = streams
            .iter()
            .filter(|base| client(base) == client(wal) && base.backend_start <= wal.backend_start)
            .max_by_key(|base| base.backend_start);
        if let Some(base) = base {
            leaders.set(wal.pid, base.pid);
        }
    }
}

/// pg_dumpall's connection goes with the pg_dump that it runs at the moment. Gives those connections.
fn dumpalls(index: &Index<'_>, leaders: &mut Leaders) -> HashSet<Pid> {
    let mut found = HashSet::new();
    let dumpalls: Vec<&Backend> = index
        .snapshot
        .backends
        .iter()
        .filter(|backend| backups::is_dumpall(backend))
        .collect();
    if dumpalls.is_empty() {
        return found;
    }
    let dumps: Vec<&Backend> = index
        .snapshot
        .backends
        .iter()
        .filter(|backend| leaders.of(backend.pid) == backend.pid)
        .filter(|backend| backups::dump_signs(backend, index).certainty().is_some())
        .collect();
    for dumpall in dumpalls {
        found.insert(dumpall.pid);
        let dump = dumps
            .iter()
            .filter(|dump| {
                dump.pid != dumpall.pid
                    && dump.usename == dumpall.usename
                    && dump.client_addr == dumpall.client_addr
                    && dump.backend_start >= dumpall.backend_start
            })
            .max_by_key(|dump| dump.backend_start);
        if let Some(dump) = dump {
            leaders.set(dumpall.pid, dump.pid);
        }
    }
    found
}

/// A tool that keeps its lock on one connection and changes the schema on another (Rails before 7.1, Sqitch,
/// Ecto, Flyway): the same client, begun within moments, and nobody else it could be.
fn migration_runs(index: &Index<'_>, leaders: &mut Leaders) {
    let alone = |backend: &&Backend| leaders.of(backend.pid) == backend.pid;
    let backends = || index.snapshot.backends.iter().filter(alone);
    let changers: Vec<&Backend> = backends()
        .filter(|backend| migrations::changes_schema(backend, index))
        .collect();
    if changers.is_empty() {
        return;
    }
    let keepers: Vec<&Backend> = backends()
        .filter(|backend| {
            !migrations::changes_schema(backend, index) && migrations::keeps_lock(backend, index)
        })
        .collect();
    let mut pairs = Vec::new();
    for keeper in &keepers {
        let mut near = changers
            .iter()
            .filter(|changer| is_same_run(keeper, changer));
        if let (Some(changer), None) = (near.next(), near.next()) {
            let rivals = keepers
                .iter()
                .filter(|other| is_same_run(other, changer))
                .count();
            if rivals == 1 {
                pairs.push((keeper.pid, changer.pid));
            }
        }
    }
    for (keeper, changer) in pairs {
        leaders.set(keeper, changer);
    }
}

fn is_same_run(keeper: &Backend, changer: &Backend) -> bool {
    let (Some(a), Some(b)) = (keeper.backend_start, changer.backend_start) else {
        return false;
    };
    keeper.datid == changer.datid
        && keeper.usename == changer.usename
        && keeper.client_addr == changer.client_addr
        && (a - b).abs() <= SAME_RUN
}
