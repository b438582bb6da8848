//! Chains: who only waits is no end of the matter. A waiter is gone once those that it waits for are.

use super::scene::Scene;
use crate::model::{Clears, Pid, Role, Snapshot, StatementVerdict, Wait};
use crate::sessions::{Party, Sessions, WaitGraph};
use std::collections::BTreeSet;

/// How many of the sessions that a chain ends at are named.
const NAMED: usize = 5;

/// Says of every waiter that is ahead for whom it waits in the end, when that one is gone, and what helps.
pub fn follow(
    scene: &Scene,
    snapshot: &Snapshot,
    sessions: &Sessions,
    verdicts: &mut [StatementVerdict],
) {
    let mut waits = verdicts
        .iter_mut()
        .flat_map(|verdict| &mut verdict.waits)
        .filter(|wait| !wait.blocker.granted && wait.blocker.pid.is_some())
        .peekable();
    if waits.peek().is_none() {
        return;
    }
    let graph = WaitGraph::between_sessions(snapshot, sessions);
    for wait in waits {
        let Some(pid) = wait.blocker.pid else {
            continue;
        };
        let ends = ends(&graph, pid);
        wait.clears = last(scene, &ends).or(wait.clears.take());
        advise(wait, pid, &ends, &graph);
    }
}

/// Where the chain of a waiter ends: those who wait for nobody.
fn ends(graph: &WaitGraph, pid: Pid) -> BTreeSet<Party> {
    let (mut ends, mut seen) = (BTreeSet::new(), BTreeSet::from([pid]));
    let mut todo = vec![pid];
    while let Some(waiter) = todo.pop() {
        for party in graph.blockers_of(waiter) {
            match party.pid() {
                Some(next) if !graph.blockers_of(next).is_empty() => {
                    if seen.insert(next) {
                        todo.push(next);
                    }
                }
                _ => {
                    ends.insert(party.clone());
                }
            }
        }
    }
    ends
}

/// When the last of them is gone; `None`: not known of one.
fn last(scene: &Scene, ends: &BTreeSet<Party>) -> Option<Clears> {
    let known: Option<Vec<Clears>> = ends
        .iter()
        .map(|party| scene.clears(party.pid()?).filter(|c| c.expected.is_some()))
        .collect();
    known?.into_iter().max_by_key(|clears| clears.expected)
}

/// A waiting schema change that keeps others waiting is the first to end: it is no victim alone. All others that
/// wait are victims, and nobody is sent to kill one.
fn advise(wait: &mut Wait, pid: Pid, ends: &BTreeSet<Party>, graph: &WaitGraph) {
    let mut names: Vec<String> = ends
        .iter()
        .take(NAMED)
        .map(|party| match party {
            Party::Pid(pid) => format!("pid {pid}"),
            Party::Prepared(gid) => format!("prepared transaction {gid}"),
        })
        .collect();
    if ends.len() > NAMED {
        names.push(format!("{} more", ends.len() - NAMED));
    }
    if !names.is_empty() {
        let waits = format!("waits for {}", names.join(", "));
        let detail = &mut wait.blocker.detail;
        *detail = if detail.is_empty() {
            waits
        } else {
            format!("{waits} · {detail}")
        };
    }
    let behind = graph.count_behind(&Party::Pid(pid));
    wait.blocker.advice = match (wait.blocker.role, behind) {
        (Role::Migration, 0) => format!("wait until the schema change of pid {pid} is done"),
        (Role::Migration, 1) => {
            format!(
                "pgguard kill {pid}: this schema change only waits itself, and 1 session waits behind it"
            )
        }
        (Role::Migration, n) => {
            format!(
                "pgguard kill {pid}: this schema change only waits itself, and {n} sessions wait behind it"
            )
        }
        _ => String::new(),
    };
}
