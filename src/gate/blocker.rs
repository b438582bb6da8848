//! Who is in the way: from a lock's owner to words for people, with what they can do about it.

use super::scene::{Party, Scene};
use crate::model::{
    Backend, BackendState, Blocker, Clears, Estimate, Lock, LockMode, Pid, Role, Session, quoted,
};
use crate::sessions::queue::Claim;
use crate::sessions::{prevents_wraparound, waits_for_client};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeSet;

/// One owner of locks or of an old snapshot, as the snapshot shows it.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// The process, or the prepared transaction.
    pub party: Party<'a>,
    /// Its row in `pg_locks`; `None` for an old snapshot.
    pub lock: Option<&'a Lock>,
}

impl<'a> Owner<'a> {
    /// Whose claim it is.
    #[must_use]
    pub fn of(claim: &Claim<'a, Party<'a>>) -> Self {
        Self {
            party: claim.party,
            lock: Some(claim.lock),
        }
    }

    /// The process whose transaction it is: a parallel worker's own, not its leader's.
    fn process(&self) -> Option<Pid> {
        match (self.lock, self.party) {
            (Some(lock), _) => lock.pid,
            (None, Party::Group(pid)) => Some(pid),
            (None, Party::Prepared(_)) => None,
        }
    }

    /// Its row in `pg_stat_activity`.
    #[must_use]
    pub fn backend(&self, scene: &Scene<'a>) -> Option<&'a Backend> {
        self.process().and_then(|pid| scene.backend(pid))
    }

    /// The mode it has or waits for.
    #[must_use]
    pub fn mode(&self) -> Option<LockMode> {
        self.lock.map(|lock| lock.mode)
    }

    /// Holds rather than waits.
    #[must_use]
    pub fn is_granted(&self) -> bool {
        self.lock.is_none_or(|lock| lock.granted)
    }

    /// The session to name: a parallel dump's leader stands for its workers.
    #[must_use]
    pub fn session(&self, scene: &Scene<'a>) -> Option<&'a Session> {
        match self.party {
            Party::Group(pid) => scene.session(pid),
            Party::Prepared(_) => None,
        }
    }

    /// The party to name: a parallel dump's leader; other sessions' connections stand for themselves.
    #[must_use]
    pub fn named(&self, scene: &Scene<'a>) -> Party<'a> {
        self.session(scene)
            .filter(|s| s.role == Role::Backup)
            .map_or(self.party, |s| Party::Group(s.pid))
    }

    /// When its transaction began, or was prepared.
    #[must_use]
    pub fn since(&self, scene: &Scene<'a>) -> Option<DateTime<Utc>> {
        match self.party {
            Party::Prepared(_) => scene
                .snapshot
                .prepared_of(self.lock?)
                .map(|xact| xact.prepared),
            // A session lock outlives its transaction: held at least since the session has been idle.
            Party::Group(_) => self.backend(scene).and_then(|b| {
                let idle = b.state == Some(BackendState::Idle);
                b.xact_start.or_else(|| b.state_change.filter(|_| idle))
            }),
        }
    }

    /// Whether its transaction has lasted longer than the patience: by its age, or because an earlier
    /// look saw the same one. `None`: not known yet, one look is not enough.
    #[must_use]
    pub fn has_outlived_patience(&self, scene: &Scene<'a>) -> Option<bool> {
        let patience = scene.policy.patience;
        if patience <= TimeDelta::zero() {
            return Some(true);
        }
        if let Some(since) = self.since(scene)
            && crate::model::age(since, scene.snapshot.taken_at) >= patience
        {
            return Some(true);
        }
        let first = scene.policy.first_look.as_ref()?;
        let pid = self.process();
        let virtual_xact = self
            .lock
            .map(|lock| &*lock.virtualtransaction)
            .or_else(|| scene.virtual_xact(pid?));
        let same_xact = self.backend(scene).is_some_and(|b| {
            matches!((b.backend_start, b.xact_start), (Some(born), Some(began))
                if first.saw_xact(b.pid, born, began))
        });
        Some(same_xact || virtual_xact.is_some_and(|id| first.saw_virtual_xact(pid, id)))
    }

    /// Several owners in words, each once: `pid 12, prepared transaction gid`. `None`: there is none.
    #[must_use]
    pub fn names(owners: impl Iterator<Item = Self>, scene: &Scene<'a>) -> Option<String> {
        let one = |owner: Self| {
            let blocker = owner.describe(scene);
            blocker.gid.map_or_else(
                || format!("pid {}", blocker.pid.unwrap_or_default()),
                |gid| format!("prepared transaction {gid}"),
            )
        };
        let names: BTreeSet<String> = owners.map(one).collect();
        let names: Vec<String> = names.into_iter().collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// The blocker, in words.
    #[must_use]
    pub fn describe(&self, scene: &Scene<'a>) -> Blocker {
        match self.party {
            Party::Prepared(_) => self.prepared(scene),
            Party::Group(pid) => self.session_or_process(scene, pid),
        }
    }

    fn prepared(&self, scene: &Scene<'a>) -> Blocker {
        let xact = self
            .lock
            .and_then(|lock| scene.snapshot.prepared_of(lock))
            .cloned();
        let gid = xact.as_ref().map(|x| x.gid.clone());
        let advice = gid.as_ref().map_or_else(
            || {
                "find it in pg_prepared_xacts and COMMIT PREPARED or ROLLBACK PREPARED it"
                    .to_owned()
            },
            |gid| {
                format!(
                    "ROLLBACK PREPARED {gid} (or COMMIT PREPARED), connected to database {}",
                    quoted(&scene.snapshot.server.datname),
                    gid = crate::words::literal(gid)
                )
            },
        );
        Blocker {
            pid: None,
            gid,
            role: Role::Application,
            application_name: String::new(),
            user: xact.as_ref().map(|x| x.owner.clone()).unwrap_or_default(),
            state: "prepared".into(),
            mode: self.mode(),
            granted: self.is_granted(),
            since: xact.as_ref().map(|x| x.prepared),
            backend_start: None,
            detail: "prepared transaction: it has no process, and stays across restarts".into(),
            advice,
        }
    }

    fn session_or_process(&self, scene: &Scene<'a>, pid: Pid) -> Blocker {
        let session = self.session(scene);
        let named = match self.named(scene) {
            Party::Group(named) => named,
            Party::Prepared(_) => pid,
        };
        let backend = scene.backend(named).or_else(|| self.backend(scene));
        let own = self.backend(scene).or(backend);
        let role = session.map_or_else(|| role_without_session(backend), |s| s.role);
        let mut blocker = Blocker {
            pid: Some(named),
            gid: None,
            role,
            application_name: backend
                .map(|b| b.application_name.clone())
                .unwrap_or_default(),
            user: backend.and_then(|b| b.usename.clone()).unwrap_or_default(),
            state: backend
                .and_then(|b| b.state)
                .map_or("", BackendState::text)
                .to_owned(),
            mode: self.mode(),
            granted: self.is_granted(),
            since: own.and_then(|b| b.xact_start),
            backend_start: backend.and_then(|b| b.backend_start),
            detail: detail(scene, session, backend),
            advice: String::new(),
        };
        let wraparound = backend.is_some_and(prevents_wraparound);
        let left = backend.filter(|b| waits_for_client(b, scene.snapshot));
        let idle = left.and_then(|b| b.state_age(scene.snapshot.taken_at));
        let kind = Kind { wraparound, idle };
        blocker.advice = advice(&blocker, session, kind, &scene.snapshot.server.user);
        let still = scene
            .policy
            .estimates
            .get(&named)
            .and_then(|e| e.stands_still.as_ref());
        if let Some(still) = still {
            blocker.advice = format!(
                "look at the machine that runs the backup ({}): {}; or pgguard kill {named}",
                still.client, still.why
            );
        }
        blocker
    }

    /// When it is expected to be gone.
    #[must_use]
    pub fn clears(&self, scene: &Scene<'a>) -> Option<Clears> {
        let pid = self
            .session(scene)
            .map(|s| s.pid)
            .or_else(|| self.process())?;
        scene.clears(pid)
    }
}

fn role_without_session(backend: Option<&Backend>) -> Role {
    match backend {
        Some(b) if b.masked => Role::Masked,
        Some(b) if b.state.is_some_and(BackendState::is_idle_in_transaction) => {
            Role::IdleInTransaction
        }
        Some(b) if b.is_client() => Role::Application,
        _ => Role::Server,
    }
}

/// Words for people on what it is at.
fn detail(scene: &Scene, session: Option<&Session>, backend: Option<&Backend>) -> String {
    let Some(backend) = backend else {
        return "ended while it was looked at".into();
    };
    let now = scene.snapshot.taken_at;
    let mut parts = Vec::new();
    if let Some(estimate) = session.and_then(|s| scene.policy.estimates.get(&s.pid)) {
        parts.extend(progress(estimate));
        parts.push(format!(
            "ending it {}",
            crate::words::cost_of_kill(estimate, now)
        ));
    }
    // What the session calls itself is said already.
    let own_words = session.and_then(|s| s.detail.clone());
    parts.extend(own_words.filter(|words| *words != backend.application_name));
    let is_backup = session.is_some_and(|s| s.role == Role::Backup);
    if session
        .and_then(|s| s.backup.as_ref())
        .is_some_and(|b| b.leaked)
    {
        parts.push("its client seems to be gone".into());
    }
    match backend.state {
        _ if is_backup => {}
        Some(state) if state.is_idle_in_transaction() => {
            let how_long = backend.state_age(now).map_or_else(String::new, |age| {
                format!(" for {}", crate::words::span(age))
            });
            parts.push(format!("{}{how_long}", state.text()));
            parts.push(format!(
                "last statement: {}",
                crate::words::one_line(&backend.query, 80)
            ));
        }
        Some(BackendState::Active) if !backend.query.is_empty() => {
            parts.push(format!(
                "runs: {}",
                crate::words::one_line(&backend.query, 80)
            ));
        }
        _ => {}
    }
    if backend.masked {
        parts.push("hidden from this role".into());
    }
    parts.join(" · ")
}

/// `now copying public.jobs, 31 of 44 tables`
fn progress(estimate: &Estimate) -> Option<String> {
    let copying: Vec<String> = estimate.copying.iter().map(ToString::to_string).collect();
    let at = match copying.as_slice() {
        [] if estimate.phase.is_empty() => None,
        [] => Some(estimate.phase.clone()),
        names => Some(format!("now copying {}", names.join(", "))),
    };
    let share = (estimate.tables_total > 0).then(|| {
        format!(
            "{} of {} tables",
            estimate.tables_done, estimate.tables_total
        )
    });
    let parts: Vec<String> = at.into_iter().chain(share).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What the advice on a session depends on, apart from its role.
#[derive(Clone, Copy)]
struct Kind {
    /// It is an autovacuum that prevents wraparound.
    wraparound: bool,
    /// How long it has waited for its client; `None`: it is at work.
    idle: Option<TimeDelta>,
}

/// What a person can do about a session. Who works, or only queues, is never to be ended.
fn advice(blocker: &Blocker, session: Option<&Session>, kind: Kind, looker: &str) -> String {
    let pid = blocker.pid.unwrap_or_default();
    let leaked = session
        .and_then(|s| s.backup.as_ref())
        .is_some_and(|b| b.leaked);
    let end = |why: &str, idle| {
        let idle = crate::words::span(idle);
        format!("pgguard kill {pid}: {why} has waited for its client for {idle}, possibly forever")
    };
    match (blocker.role, kind.idle) {
        (Role::Backup, _) if leaked => {
            format!("pgguard kill {pid}: its client is gone; this dump will never finish")
        }
        (Role::Backup, _) => "wait until the backup is done".into(),
        (Role::Maintenance, _) if kind.wraparound => {
            "wait: this anti-wraparound autovacuum does not give way, and restarts if killed".into()
        }
        (Role::Migration, Some(idle)) if blocker.granted => end("this schema change", idle),
        (Role::Migration, _) => format!("wait until the schema change of pid {pid} is done"),
        (Role::IdleInTransaction | Role::Idle, Some(idle)) => end("it holds locks and", idle),
        (Role::Masked, _) => format!("to see who it is: GRANT pg_monitor TO {}", quoted(looker)),
        (Role::Replication, _) => "wait until its initial copy is done".into(),
        _ => format!("wait until pid {pid} is done"),
    }
}
