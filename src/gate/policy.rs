//! What a gate is told besides what it sees: how patient it is, what it saw before, what others know.

use crate::hold::Pace;
use crate::model::{Allowance, Doubt, Estimate, Oid, Pid, Snapshot};
use crate::sessions::Earlier;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How a gate judges, and what it knows from elsewhere.
#[derive(Debug, Clone)]
pub struct Policy {
    /// A blocker counts when its transaction outlives this. Zero: it counts at once.
    pub patience: TimeDelta,
    /// The transactions of an earlier look, at least `patience` ago. `None`: this is the first look.
    pub first_look: Option<FirstLook>,
    /// What is let through by name.
    pub allow: Vec<Allowance>,
    /// A lock that keeps others out for longer than this is in their way; `None`: however long.
    pub max_hold: Option<TimeDelta>,
    /// The backend that will run the migration, where it is connected already: what it holds is its
    /// own. `None`: a session that does not exist yet.
    pub asking: Option<Pid>,
    /// The tool that will run the migration (a name of [`crate::tools::TOOLS`], in any case):
    /// its migration lock and its own tables are asked for too. `None`: not known, or none.
    pub tool: Option<String>,
    /// Doubts that the caller has, such as a pooler in between.
    pub doubts: Vec<Doubt>,
    /// When sessions are expected to end, by their leading pid.
    pub estimates: BTreeMap<Pid, Estimate>,
    /// How fast the server works, by past runs.
    pub pace: Pace,
    /// How much relations are used, by oid, from their counters in two looks.
    pub usage: BTreeMap<Oid, Usage>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            patience: TimeDelta::seconds(1),
            first_look: None,
            allow: Vec::new(),
            max_hold: None,
            asking: None,
            tool: None,
            doubts: Vec::new(),
            estimates: BTreeMap::new(),
            pace: Pace::default(),
            usage: BTreeMap::new(),
        }
    }
}

/// How often a relation is used, as its counters in `pg_stat_user_tables` moved between two looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// Scans a minute (`seq_scan` + `idx_scan`).
    pub reads_per_minute: f64,
    /// Rows written a minute (`n_tup_ins` + `n_tup_upd` + `n_tup_del`).
    pub writes_per_minute: f64,
}

/// The transactions that an earlier look saw: who is in both has outlived the time between.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FirstLook {
    virtual_xacts: BTreeSet<(Option<Pid>, Arc<str>)>,
    xacts: BTreeSet<(Pid, DateTime<Utc>, DateTime<Utc>)>,
    earlier: Earlier,
}

impl FirstLook {
    /// The transactions of a snapshot.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        // A process's locks come together, so few of them are looked at twice.
        let virtual_xacts = snapshot
            .locks
            .chunk_by(|a, b| a.pid == b.pid && a.virtualtransaction == b.virtualtransaction)
            .map(|locks| (locks[0].pid, locks[0].virtualtransaction.clone()))
            .collect();
        let xacts = snapshot
            .backends
            .iter()
            .filter_map(|b| Some((b.pid, b.backend_start?, b.xact_start?)))
            .collect();
        Self {
            virtual_xacts,
            xacts,
            earlier: Earlier::of(snapshot),
        }
    }

    /// Notes in a later look who has run something since.
    pub fn note_who_works(&self, look: &mut Snapshot) {
        self.earlier.note_who_works(look);
    }

    /// Whether the virtual transaction (`pg_locks.virtualtransaction`) was there. It is never used
    /// twice by one process, and it is visible to every role, unlike the times of a masked row.
    #[must_use]
    pub fn saw_virtual_xact(&self, pid: Option<Pid>, virtualtransaction: &str) -> bool {
        self.virtual_xacts
            .contains(&(pid, virtualtransaction.into()))
    }

    /// Whether the transaction that this process began at `xact_start` was there.
    #[must_use]
    pub fn saw_xact(
        &self,
        pid: Pid,
        backend_start: DateTime<Utc>,
        xact_start: DateTime<Utc>,
    ) -> bool {
        self.xacts.contains(&(pid, backend_start, xact_start))
    }
}
