//! The true roots in a migration's way: where its waits end, and nobody else.

use crate::model::{Pid, Verdict};
use crate::sessions::Party;
use crate::sessions::WaitGraph;
use std::collections::BTreeSet;

/// One to end.
pub type Root = Party;

/// From every blocker that counts, through those that wait themselves, to the ones who wait for nobody.
/// Who waits in a circle is a root too: the server breaks circles by itself.
#[must_use]
pub fn roots(verdict: &Verdict, graph: &WaitGraph) -> Vec<Root> {
    let mut roots = BTreeSet::new();
    let mut seen: BTreeSet<Pid> = BTreeSet::new();
    let mut todo: Vec<Party> = verdict
        .statements
        .iter()
        .flat_map(|statement| &statement.waits)
        .filter(|wait| wait.counts)
        .filter_map(|wait| match (&wait.blocker.gid, wait.blocker.pid) {
            (Some(gid), _) => Some(Party::Prepared(gid.clone())),
            (None, Some(pid)) => Some(Party::Pid(pid)),
            (None, None) => None,
        })
        .collect();
    while let Some(party) = todo.pop() {
        let Some(pid) = party.pid() else {
            roots.insert(party);
            continue;
        };
        let blockers = graph.blockers_of(pid);
        if blockers.is_empty() {
            roots.insert(party);
        } else if seen.insert(pid) {
            todo.extend(blockers.into_iter().cloned());
        }
    }
    roots.into_iter().collect()
}
