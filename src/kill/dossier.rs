//! Who it is that shall be ended: what a person sees before they are asked.

use super::case::Case;
use super::confirm::Confirmation;
use super::cost::costs;
use super::member::Member;
use super::plan::{Step, plan};
use crate::model::{
    BackendIdentity, Estimate, Lock, Pid, PreparedXact, Role, Session, Snapshot, quoted,
};
use crate::sessions::Party;
use crate::sessions::{Sessions, WaitGraph, Words, alike, works_between_statements};
use crate::words::{many, one_line, span, wait_or_kill};
use chrono::{DateTime, Utc};

/// Everything that is known of one that shall be ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Dossier {
    /// The process to signal, and what tells it from a later one with the same pid.
    pub identity: BackendIdentity,
    /// When the transaction began that was looked at: another one is another matter.
    pub xact_start: Option<DateTime<Utc>>,
    pub role: Role,
    /// Who it is, in one phrase.
    pub who: String,
    /// Label and text, line by line: since when, what it runs, what it holds, whom it blocks.
    pub facts: Vec<(&'static str, String)>,
    /// What is lost, or comes back.
    pub costs: Vec<String>,
    /// Something better than ending this one, where there is.
    pub better: Option<String>,
    /// How it would be ended; empty: not by us.
    pub steps: Vec<Step>,
    /// Why nothing can be done, with what would help.
    pub refused: Option<String>,
    /// What has to be typed.
    pub confirmation: Confirmation,
    /// The processes to signal, each with its transaction, the leader first. A parallel dump whose
    /// leader alone is gone continues in its workers, to a good end or a bad one.
    pub members: Vec<Member>,
}

/// How many locks are listed.
const LISTED: usize = 5;

/// The dossier of the session that a pid belongs to; `None`: nobody has that pid. A worker of a parallel
/// dump or query stands for its leader: what shall go is the whole.
#[must_use]
pub fn dossier(
    pid: Pid,
    snapshot: &Snapshot,
    sessions: &Sessions,
    graph: &WaitGraph,
    before: Option<&Snapshot>,
) -> Option<Dossier> {
    let words = Words::new(snapshot, sessions);
    words.backend(pid)?;
    let session = sessions.of(pid);
    // Two connections of one migration run are two things to end; a dump's are one, a parallel query's too.
    let whole = session.filter(|s| s.role == Role::Backup || is_parallel_worker(&words, pid));
    let leader = whole.map_or(pid, |s| s.pid);
    let backend = words.backend(leader)?;
    let case = Case {
        backend,
        session,
        role: session.map_or(Role::Server, |s| s.role),
        snapshot,
    };
    let mut facts = Vec::new();
    if leader != pid {
        let led = format!("pid {pid} is one of its workers; its leader is the one to end");
        facts.push(("leader", led));
    }
    facts.extend(facts_of(&case, &words, graph));
    let steps = plan(backend, session, snapshot, before);
    Some(Dossier {
        identity: backend.identity(),
        xact_start: backend.xact_start,
        role: case.role,
        who: words.session(leader),
        costs: costs(&case),
        better: better(leader, &words, graph).or_else(|| at_work(&case)),
        refused: refused(&case, &steps),
        confirmation: Confirmation::for_session(case.role, leader),
        members: members(leader, whole, &words),
        facts,
        steps,
    })
}

/// A parallel query's leader takes its workers with it; a dump's does not.
fn members(leader: Pid, whole: Option<&Session>, words: &Words<'_>) -> Vec<Member> {
    let others = whole.filter(|s| s.role == Role::Backup).map(|s| &s.members);
    [leader]
        .iter()
        .chain(others.into_iter().flatten().filter(|&&pid| pid != leader))
        .filter_map(|&pid| words.backend(pid))
        .map(|backend| Member {
            identity: backend.identity(),
            xact_start: backend.xact_start,
        })
        .collect()
}

fn is_parallel_worker(words: &Words<'_>, pid: Pid) -> bool {
    words.backend(pid).is_some_and(|b| b.lock_group() != b.pid)
}

fn facts_of(case: &Case<'_>, words: &Words<'_>, graph: &WaitGraph) -> Vec<(&'static str, String)> {
    let backend = case.backend;
    let now = case.now();
    let mut facts = Vec::new();
    let ages: Vec<String> = [
        ("connected", backend.backend_start.map(|t| words.age(t))),
        ("transaction", backend.xact_age(now)),
        ("in this state", backend.state_age(now)),
    ]
    .into_iter()
    .filter_map(|(label, age)| Some(format!("{label} {}", span(age?))))
    .collect();
    let state = backend.state.map_or("hidden", |s| s.text());
    facts.push(("state", [vec![state.to_owned()], ages].concat().join(" · ")));
    if !backend.query.is_empty() && !backend.masked {
        let label = if state == "active" {
            "runs"
        } else {
            "last ran"
        };
        facts.push((label, one_line(&backend.query, 200)));
    }
    facts.push(("holds", held(words, backend.pid)));
    if let Some(waiter) = graph.waiter(backend.pid) {
        facts.push((
            "waits for",
            format!("{} on {}", waiter.mode, words.target(&waiter.target)),
        ));
    }
    facts.push(("blocks", blocked(words, graph, backend.pid)));
    if let Some(evidence) = case.session.map(|s| s.evidence.join("; ")) {
        facts.push(("because", evidence));
    }
    facts
}

fn held(words: &Words<'_>, pid: Pid) -> String {
    let locks: Vec<&Lock> = words
        .locks_that_matter(pid)
        .into_iter()
        .filter(|lock| lock.granted)
        .collect();
    if locks.is_empty() {
        return "no lock on a table, and no advisory lock".into();
    }
    let mut names: Vec<String> = locks
        .iter()
        .take(LISTED)
        .map(|lock| format!("{} on {}", lock.mode, words.target(&lock.target)))
        .collect();
    if locks.len() > LISTED {
        names.push(format!("{} more", locks.len() - LISTED));
    }
    names.join(", ")
}

fn blocked(words: &Words<'_>, graph: &WaitGraph, pid: Pid) -> String {
    let itself = Party::Pid(pid);
    let behind = graph.all_behind(&itself);
    if behind.is_empty() {
        return "nobody".into();
    }
    let directly = graph.directly_behind(&itself);
    let names: Vec<String> = alike::crowds(directly, |&waiter| words.kind(waiter))
        .iter()
        .take(LISTED)
        .map(|crowd| {
            let like = alike::and_like_it(crowd.len());
            format!("{}{like}", words.session(crowd[0]))
        })
        .collect();
    format!(
        "{} in all; first behind it: {}",
        many(behind.len(), "session"),
        names.join(" / ")
    )
}

/// A waiter right behind this one that alone keeps others waiting: cancelling that one frees them at
/// once, and this one can go on. A dump and the readers do not disturb each other; the ALTER between does.
fn better(pid: Pid, words: &Words<'_>, graph: &WaitGraph) -> Option<String> {
    let root = Party::Pid(pid);
    let (freed, waiter) = graph
        .directly_behind(&root)
        .map(|waiter| (graph.freed_without(waiter), waiter))
        .max()?;
    (freed > 0).then(|| {
        format!(
            "pgguard kill {waiter}: {} only waits itself, and without it {freed} {} on at once",
            words.session(waiter),
            if freed == 1 {
                "session goes"
            } else {
                "sessions go"
            }
        )
    })
}

/// What to say of one that is at work between two statements.
fn at_work(case: &Case<'_>) -> Option<String> {
    let backend = case.backend;
    let idle = backend.state_age(case.now())?;
    works_between_statements(backend, case.snapshot).then(|| {
        format!(
            "wait until it is done: it is at work, and its last statement ended {} ago",
            span(idle)
        )
    })
}

fn refused(case: &Case<'_>, steps: &[Step]) -> Option<String> {
    let user = quoted(&case.snapshot.server.user);
    if case.backend.pid == case.snapshot.server.own_pid {
        return Some("this is pgguard's own session".into());
    }
    if case.backend.backend_start.is_none() {
        return Some(format!(
            "role {user} may not see when this session began, so pgguard could take a later session with the same pid for it: GRANT pg_monitor TO {user}"
        ));
    }
    steps.is_empty().then(|| {
        format!(
            "it is a process of the server itself ({}); pgguard does not end it",
            case.backend.backend_type.as_deref().unwrap_or("unknown")
        )
    })
}

impl Dossier {
    /// With what is known of a backup's end: a person weighs both prices before they answer.
    #[must_use]
    pub fn with_estimate(
        mut self,
        estimate: Option<&Estimate>,
        graph: &WaitGraph,
        now: DateTime<Utc>,
    ) -> Self {
        let Some(estimate) = estimate else {
            return self;
        };
        let behind = graph.all_behind(&Party::Pid(self.identity.pid)).len();
        if let Some(still) = &estimate.stands_still {
            let said = format!("for {}: {}", span(now - still.since), still.why);
            self.facts.push(("stands still", said));
        }
        self.facts
            .push(("or wait", wait_or_kill(estimate, now, behind)));
        self
    }
}

/// Label and text of a prepared transaction.
#[must_use]
pub fn prepared_dossier(
    xact: &PreparedXact,
    snapshot: &Snapshot,
    sessions: &Sessions,
    graph: &WaitGraph,
) -> Vec<(&'static str, String)> {
    let words = Words::new(snapshot, sessions);
    let locks: Vec<String> = snapshot
        .locks
        .iter()
        .filter(|lock| lock.pid.is_none() && lock.relation().is_some())
        .filter(|lock| snapshot.prepared_of(lock) == Some(xact))
        .take(LISTED)
        .map(|lock| format!("{} on {}", lock.mode, words.target(&lock.target)))
        .collect();
    let behind = graph.all_behind(&Party::Prepared(xact.gid.clone()));
    vec![
        ("owner", xact.owner.clone()),
        ("database", xact.database.clone()),
        ("prepared", format!("{} ago", span(words.age(xact.prepared)))),
        (
            "holds",
            if locks.is_empty() {
                "no lock on a table".into()
            } else {
                locks.join(", ")
            },
        ),
        ("blocks", format!("{} sessions", behind.len())),
        (
            "cost",
            "what it did is undone, although its coordinator was promised that it can be committed: ask \
             there first whether to COMMIT PREPARED instead"
                .into(),
        ),
    ]
}
