//! What the doctor looks at: one look at the sessions, between two reads of the catalogs. What is there in both, and
//! nobody is at in between, was left behind.

use super::facts::Facts;
use super::past::Past;
use super::stalled;
use crate::Result;
use crate::doctor::{Case, Diagnosis, diagnose};
use crate::history::WhichRuns;
use crate::history::looks::{self, Moment};
use crate::model::{
    Backend, Certainty, Change, Client, KnownBy, Leftovers, MigrationRun, Snapshot,
};
use crate::postgres::leftovers::Depth;
use crate::sessions::{WaitGraph, understand};

/// How many past runs of ours are asked about.
const MOST_RUNS: u32 = 20;

/// A look with what the catalogs say.
pub struct Examination {
    pub snapshot: Snapshot,
    /// What the catalogs say.
    pub leftovers: Leftovers,
}

/// What the catalogs said before a look; `None`: they could not be read, and nothing is said of them.
pub struct Before(Option<Leftovers>);

impl Before {
    /// What they say now, as far as it costs little.
    pub async fn read(facts: &mut Facts) -> Self {
        Self(facts.leftovers(Depth::Quick).await.ok())
    }

    /// How many things were left behind, by the look that came after.
    pub async fn findings(self, facts: &mut Facts, look: &Snapshot) -> Option<usize> {
        let leftovers = after(facts, look, self.0?, Depth::Quick).await.ok()?;
        let seen = Examination {
            snapshot: look.clone(),
            leftovers,
        };
        Some(seen.diagnosis().count())
    }
}

/// Looks.
///
/// # Errors
/// When the server cannot be read.
pub async fn examine(facts: &mut Facts, past: &mut Past, depth: Depth) -> Result<Examination> {
    let before = facts.leftovers(depth).await?;
    let snapshot = past.look(facts).await?;
    let mut leftovers = after(facts, &snapshot, before, depth).await?;
    let which = WhichRuns {
        server: Some(snapshot.server.history_key()),
        limit: Some(MOST_RUNS),
        ..WhichRuns::default()
    };
    let runs = past.migration_runs(&which).await;
    add_ended(&snapshot, &runs, &mut leftovers);
    add_changes(&snapshot, &runs, &mut leftovers);
    add_seen(&snapshot, past, &mut leftovers);
    if depth == Depth::Whole {
        stalled::add(facts, past, &snapshot, &mut leftovers).await?;
    }
    facts.note_leftovers(&leftovers);
    past.keep_seen(&snapshot);
    Ok(Examination {
        snapshot,
        leftovers,
    })
}

/// Sessions of runs of ours that have ended: where nothing else is known of their client, it is gone.
fn add_ended(look: &Snapshot, runs: &[MigrationRun], leftovers: &mut Leftovers) {
    let ended = runs.iter().filter_map(|run| Some((run, run.ended?)));
    for (run, end) in ended {
        let of_run = |b: &&Backend| run.facts.sessions.contains(&b.identity());
        for backend in look.backends.iter().filter(of_run) {
            leftovers
                .clients
                .entry(backend.pid)
                .or_insert_with(|| Client {
                    is_there: false,
                    certainty: Certainty::Certain,
                    proof: format!(
                        "it is a session of the run {}, which ended at {}",
                        run.run,
                        end.format("%Y-%m-%d %H:%M:%S UTC")
                    ),
                });
        }
    }
}

/// When runs of ours changed the schema, where the server does not keep the times of commits.
fn add_changes(look: &Snapshot, runs: &[MigrationRun], leftovers: &mut Leftovers) {
    if leftovers.commits_are_tracked {
        return;
    }
    let here = runs
        .iter()
        .filter(|run| run.database == look.server.datname);
    let changes = here.filter_map(|run| {
        Some(Change {
            at: run.facts.changed_at?,
            until: None,
            known_by: KnownBy::Run(run.run.clone()),
        })
    });
    leftovers.changes.extend(changes);
}

/// Between which looks of ours the schema changed, where the server does not keep the times of commits.
fn add_seen(look: &Snapshot, past: &Past, leftovers: &mut Leftovers) {
    let mut moments = past.moments(&look.server.history_key());
    moments.extend(Moment::of(look));
    let Some(first) = moments.first().filter(|_| !leftovers.commits_are_tracked) else {
        return;
    };
    leftovers.watched_since = leftovers.watched_since.or(Some(first.at));
    let changed_by = leftovers.changed_by.iter();
    let seen = changed_by.filter_map(|(relation, xid)| {
        let (at, until) = looks::between(&moments, *xid)?;
        Some(Change {
            at,
            until: until.or(Some(look.taken_at)),
            known_by: KnownBy::Looks(relation.clone()),
        })
    });
    let seen: Vec<Change> = seen.collect();
    let is_known = |change: &Change| leftovers.changes.contains(change);
    let new: Vec<Change> = seen
        .into_iter()
        .filter(|change| !is_known(change))
        .collect();
    leftovers.changes.extend(new);
}

/// What is still there after a look.
async fn after(
    facts: &mut Facts,
    look: &Snapshot,
    before: Leftovers,
    depth: Depth,
) -> Result<Leftovers> {
    let mut leftovers = match before.may_be_work() {
        true => facts.leftovers(depth).await?.that_stayed(&before),
        false => before,
    };
    facts.add_clients(look, &mut leftovers);
    Ok(leftovers)
}

impl Examination {
    /// What was left behind.
    #[must_use]
    pub fn diagnosis(&self) -> Diagnosis {
        let sessions = understand(&self.snapshot);
        let graph = WaitGraph::between_sessions(&self.snapshot, &sessions);
        diagnose(&Case::new(
            &self.snapshot,
            &sessions,
            &graph,
            &self.leftovers,
        ))
    }
}
