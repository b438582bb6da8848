//! The flight recorder: looks of the last hour, for who asks later what happened.

use super::Past;
use crate::history::looks::{Looks, Moment};
use crate::model::{Estimate, LookToKeep, Pid, Snapshot};
use crate::report::status_hanging::seen_waits;
use crate::report::{Shown, StatusReport};
use crate::sessions::{Sessions, WaitGraph, understand};
use std::collections::BTreeMap;

impl Past {
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
}
