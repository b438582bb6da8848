//! Transactions that stay: idle ones, old ones, prepared ones.

use super::sight::Sight;
use super::state::{Answer, Figure, Unit};
use crate::model::{BackendState, Pid, Role};
use crate::sessions::{Party, alike};
use crate::words::{many, one_line, seconds, span};
use chrono::TimeDelta;

/// How long the longest idle transaction has been idle: time in its state, not age of its transaction.
/// A dump's leader is idle in transaction by nature, and is left out with all of a backup's members.
pub fn idle(sight: &Sight<'_>) -> Answer {
    let mut idle: Vec<(TimeDelta, Pid)> = sight
        .snapshot
        .backends
        .iter()
        .filter(|b| b.state.is_some_and(BackendState::is_idle_in_transaction))
        .filter(|b| sight.judges(b.pid) && !is_live_backup(sight, b.pid))
        .filter_map(|b| Some((b.state_age(sight.snapshot.taken_at)?, b.pid)))
        .collect();
    idle.sort_by(|a, b| b.cmp(a));
    let value = idle.first().map_or(0.0, |(age, _)| seconds(*age));
    let text = idle.first().map_or_else(
        || "no transaction is idle".to_owned(),
        |&(age, pid)| {
            format!(
                "{} idle for {}: {}",
                many(idle.len(), "transaction"),
                span(age),
                idle_words(sight, pid)
            )
        },
    );
    let crowds = alike::crowds(&idle, |(_, pid)| sight.kind(*pid));
    let details = crowds
        .iter()
        .map(|crowd| {
            let &(age, pid) = crowd[0];
            let like = alike::and_like_it(crowd.len());
            format!("idle for {}: {}{like}", span(age), idle_words(sight, pid))
        })
        .collect();
    let figures = vec![
        sight.judged("longest_idle", value, Unit::Seconds),
        Figure::count("idle_in_transaction", idle.len()),
    ];
    sight.answer_despite_hidden(value, text, details, figures)
}

fn is_live_backup(sight: &Sight<'_>, pid: Pid) -> bool {
    sight.sessions.of(pid).is_some_and(|session| {
        session.role == Role::Backup && !session.backup.as_ref().is_some_and(|b| b.leaked)
    })
}

fn idle_words(sight: &Sight<'_>, pid: Pid) -> String {
    let blocks = match sight.graph.waiters_behind(pid) {
        0 => String::new(),
        count => format!(", blocks {}", many(count, "session")),
    };
    let last = sight
        .words
        .backend(pid)
        .map_or_else(String::new, |b| one_line(&b.query, 80));
    format!(
        "{}{blocks}, last statement: {last}",
        sight.words.session(pid)
    )
}

/// The oldest transaction, whatever it is for; walsenders and the server's own processes have none that counts.
pub fn oldest(sight: &Sight<'_>) -> Answer {
    let live = sight
        .snapshot
        .backends
        .iter()
        .filter(|b| {
            !matches!(
                sight.words.role_of(b.pid),
                Role::Replication | Role::Server | Role::Monitoring
            )
        })
        .filter(|b| b.backend_type.as_deref() != Some("autovacuum worker") && sight.judges(b.pid))
        .filter_map(|b| Some((b.xact_age(sight.snapshot.taken_at)?, Party::Pid(b.pid))));
    let prepared = sight
        .snapshot
        .prepared
        .iter()
        .filter(|xact| sight.judges_database(Some(&xact.database)))
        .map(|x| (sight.words.age(x.prepared), Party::Prepared(x.gid.clone())));
    let mut all: Vec<(TimeDelta, Party)> = live.chain(prepared).collect();
    all.sort_by(|a, b| b.cmp(a));
    let value = all.first().map_or(0.0, |(age, _)| seconds(*age));
    let mut text = all.first().map_or_else(
        || "no transaction is open".to_owned(),
        |(age, party)| {
            format!(
                "oldest transaction {}: {}",
                span(*age),
                sight.words.party(party)
            )
        },
    );
    if let Some(pins) = pins_xmin(sight)
        && all
            .first()
            .is_none_or(|(_, party)| *party != Party::Pid(pins))
    {
        text = format!("{text}; oldest snapshot: {}", sight.words.session(pins));
    }
    let crowds = alike::crowds(&all, |(_, party)| sight.kind(party.pid()?));
    let details = crowds
        .iter()
        .take(10)
        .map(|crowd| {
            let (age, party) = crowd[0];
            let like = alike::and_like_it(crowd.len());
            format!("{}: {}{like}", span(*age), sight.words.party(party))
        })
        .collect();
    let figures = vec![
        sight.judged("oldest_transaction", value, Unit::Seconds),
        Figure::count("prepared", sight.snapshot.prepared.len()),
    ];
    sight.answer_despite_hidden(value, text, details, figures)
}

/// The oldest prepared transaction: no process has it, so it ends only when its coordinator, or a person, ends it.
/// `pg_prepared_xacts` hides nothing from any role.
pub fn prepared(sight: &Sight<'_>) -> Answer {
    let mut all: Vec<(TimeDelta, Party)> = sight
        .snapshot
        .prepared
        .iter()
        .filter(|xact| sight.judges_database(Some(&xact.database)))
        .map(|xact| {
            let party = Party::Prepared(xact.gid.clone());
            (sight.words.age(xact.prepared), party)
        })
        .collect();
    all.sort_by(|a, b| b.cmp(a));
    let value = all.first().map_or(0.0, |(age, _)| seconds(*age));
    let line = |(age, party): &(TimeDelta, Party)| {
        format!("open for {}: {}", span(*age), sight.words.party(party))
    };
    Answer {
        state: sight.judgement.thresholds.state_of(value),
        text: all.first().map_or_else(
            || "no transaction is prepared".to_owned(),
            |oldest| {
                format!(
                    "{} {}",
                    many(all.len(), "prepared transaction"),
                    line(oldest)
                )
            },
        ),
        details: all.iter().take(10).map(line).collect(),
        figures: vec![
            sight.judged("oldest_prepared", value, Unit::Seconds),
            Figure::count("prepared", all.len()),
        ],
    }
}

/// Whose snapshot keeps vacuum from cleaning: the oldest `backend_xmin` of a client, which every role may
/// see. Transaction ids wrap: older is what is behind in a circle (`TransactionIdPrecedes`, transam.c).
fn pins_xmin(sight: &Sight<'_>) -> Option<Pid> {
    let mut oldest: Option<(u32, Pid)> = None;
    for backend in &sight.snapshot.backends {
        if let Some(xmin) = backend.backend_xmin
            && backend.pid != sight.snapshot.server.own_pid
            && sight.judges(backend.pid)
            && oldest.is_none_or(|(other, _)| xmin.wrapping_sub(other).cast_signed() < 0)
        {
            oldest = Some((xmin, backend.pid));
        }
    }
    oldest.map(|(_, pid)| sight.sessions.of(pid).map_or(pid, |s| s.pid))
}
