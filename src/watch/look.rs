//! What the screen draws: one look, understood.

use crate::model::{Estimate, KeptLook, Pid, Snapshot};
use crate::report::{Shown, StatusReport};
use crate::report::{status_advice::Advice, status_hanging::in_short};
use crate::sessions::{Sessions, WaitGraph, understand};
use chrono::{FixedOffset, Offset as _, Utc};
use std::collections::BTreeMap;

/// One look, understood.
#[derive(Debug, Clone)]
pub struct Look {
    /// What was read.
    pub snapshot: Snapshot,
    /// Who is who.
    pub sessions: Sessions,
    /// Who waits behind whom.
    pub waits: WaitGraph,
    /// When backups end.
    pub estimates: BTreeMap<Pid, Estimate>,
    /// How many things were left behind, where that was asked.
    pub findings: Option<usize>,
    /// How many migrations are seen to run.
    pub running: usize,
    /// While users hang: how many, and what frees them.
    pub worst: Option<(String, Vec<Advice>)>,
    /// In which zone to say times.
    pub zone: FixedOffset,
}

impl Look {
    /// Understands what was read.
    #[must_use]
    pub fn new(snapshot: Snapshot, estimates: BTreeMap<Pid, Estimate>) -> Self {
        let sessions = understand(&snapshot);
        Self::of(snapshot, sessions, estimates)
    }

    /// What was kept of a look.
    #[must_use]
    pub fn of_kept(kept: KeptLook) -> Self {
        let sessions: Sessions = kept.sessions.into_iter().collect();
        Self::of(kept.snapshot, sessions, kept.estimates)
    }

    fn of(snapshot: Snapshot, sessions: Sessions, estimates: BTreeMap<Pid, Estimate>) -> Self {
        let look = Self {
            waits: WaitGraph::between_sessions(&snapshot, &sessions),
            snapshot,
            sessions,
            estimates,
            findings: None,
            running: 0,
            worst: None,
            zone: Utc.fix(),
        };
        look.judged()
    }

    /// The same, with times in this zone.
    #[must_use]
    pub fn in_zone(mut self, zone: FixedOffset) -> Self {
        self.zone = zone;
        self.judged()
    }

    fn judged(mut self) -> Self {
        self.worst = in_short(&self.report(&Shown::default()));
        self
    }

    /// The same facts as `status` tells.
    #[must_use]
    pub fn report<'a>(&'a self, shown: &'a Shown) -> StatusReport<'a> {
        StatusReport::new(
            &self.snapshot,
            &self.sessions,
            &self.waits,
            &self.estimates,
            shown,
        )
        .with_findings(self.findings)
        .in_zone(self.zone)
    }
}
