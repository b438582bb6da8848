//! Migrations: one that would block, and those that are still there and do nothing.

use super::sight::Sight;
use super::state::{Answer, Figure, State, Unit};
use crate::gate::not_for_others;
use crate::model::{self, Backend, BackendState, Role, Session, Verdict, Wait, WaitKind};
use crate::sessions::alike;
use crate::words::{many, seconds, span};
use chrono::TimeDelta;
use std::collections::BTreeSet;

/// Whether the migrations would block now.
pub fn would_block(sight: &Sight<'_>) -> Answer {
    let Some(verdict) = sight.verdict else {
        return Answer::unknown("no migration was judged: name one with --migration");
    };
    let waits = counting(verdict);
    let blockers: BTreeSet<_> = waits
        .iter()
        .map(|w| (w.blocker.pid, w.blocker.gid.as_deref()))
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    let value = blockers.len() as f64;
    let doubts: Vec<String> = verdict
        .doubts
        .iter()
        .map(|doubt| format!("{}; {}", doubt.what, doubt.help))
        .collect();
    let (state, text) = match verdict.answer {
        model::Answer::Clear => (
            sight.judgement.thresholds.state_of(value),
            format!("{} would not block", statements(verdict)),
        ),
        model::Answer::WouldBlock => (
            // The migration itself is in the way of others: no number of blockers tells that.
            match not_for_others(verdict).is_empty() {
                true => sight.judgement.thresholds.state_of(value),
                false => State::Critical,
            },
            format!(
                "{} would block: {}",
                statements(verdict),
                in_the_way(&waits)
                    .chain(not_for_others(verdict))
                    .next()
                    .unwrap_or_default()
            ),
        ),
        model::Answer::WouldFail => (
            State::Critical,
            format!(
                "{} would fail: {}",
                statements(verdict),
                not_for_others(verdict)
                    .into_iter()
                    .next()
                    .unwrap_or_default()
            ),
        ),
        model::Answer::CannotTell => (
            State::Unknown,
            format!(
                "cannot tell: {}",
                doubts
                    .first()
                    .map_or("the gate has a doubt", String::as_str)
            ),
        ),
    };
    Answer {
        state,
        text,
        details: in_the_way(&waits)
            .chain(not_for_others(verdict))
            .chain(doubts)
            .collect(),
        figures: vec![
            sight.judged("blockers", value, Unit::Count),
            Figure::count("statements", verdict.statements.len()),
        ],
    }
}

fn statements(verdict: &Verdict) -> String {
    many(verdict.statements.len(), "statement")
}

/// Who is in the way: holders before those who wait, the oldest first.
fn counting(verdict: &Verdict) -> Vec<&Wait> {
    let waits = verdict.statements.iter().flat_map(|s| &s.waits);
    let mut waits: Vec<&Wait> = waits
        .filter(|wait| wait.counts && wait.kind != WaitKind::Hold)
        .collect();
    waits.sort_by_key(|wait| {
        let who = &wait.blocker;
        (!who.granted, who.since.is_none(), who.since)
    });
    waits
}

/// A line for each, sessions like each other as one.
fn in_the_way(waits: &[&Wait]) -> impl Iterator<Item = String> {
    let like = |wait: &&Wait| {
        let who = &wait.blocker;
        let alone = who.pid.is_none() || matches!(who.role, Role::Backup | Role::Migration);
        let kind = (who.role, who.application_name.clone(), who.user.clone());
        (!alone).then(|| (kind, wait.mode, wait.name.clone()))
    };
    let crowds = alike::crowds(waits.iter().copied(), like).into_iter();
    crowds.map(|crowd| {
        format!(
            "{}{}",
            blocked_by(crowd[0]),
            alike::and_like_it(crowd.len())
        )
    })
}

fn blocked_by(wait: &Wait) -> String {
    let blocker = &wait.blocker;
    let who = match (&blocker.gid, blocker.pid) {
        (Some(gid), _) => format!("prepared transaction {gid}"),
        (None, Some(pid)) => format!("{}, pid {pid}", blocker.role.word().replace('_', " ")),
        (None, None) => "a prepared transaction".into(),
    };
    let name = wait
        .name
        .as_ref()
        .map_or_else(String::new, |name| format!(" on {name}"));
    let mode = wait
        .mode
        .map_or_else(String::new, |mode| format!("{mode}{name} behind "));
    format!(
        "{mode}{who}, user {}, application {} ({})",
        blocker.user, blocker.application_name, blocker.state
    )
}

/// A migration that has run nothing for so long is hardly at work.
const STANDS_STILL: TimeDelta = TimeDelta::minutes(1);

/// Sessions that migrate, and have done nothing for a while but keep their transaction or their lock.
pub fn zombies(sight: &Sight<'_>) -> Answer {
    let mut idle: Vec<(TimeDelta, &Session)> = sight
        .sessions
        .in_role(Role::Migration)
        .filter(|session| sight.judges(session.pid))
        .filter_map(|session| Some((idle_for(sight, session)?, session)))
        .collect();
    idle.sort_by_key(|(age, session)| (std::cmp::Reverse(*age), session.pid));
    let value = idle.first().map_or(0.0, |(age, _)| seconds(*age));
    let describe = |age: TimeDelta, session: &Session| {
        let advice = if age >= STANDS_STILL {
            format!(": pgguard kill {}", session.pid)
        } else {
            String::new()
        };
        format!(
            "{} has done nothing for {}{advice}",
            sight.words.session(session.pid),
            span(age)
        )
    };
    let text = idle.first().map_or_else(
        || "no migration stands still".to_owned(),
        |(age, session)| describe(*age, session),
    );
    let details = idle.iter().map(|(age, s)| describe(*age, s)).collect();
    let figures = vec![
        sight.judged("longest_standstill", value, Unit::Seconds),
        Figure::count("standing_still", idle.len()),
        Figure::count(
            "migrations",
            sight.sessions.in_role(Role::Migration).count(),
        ),
    ];
    sight.answer_despite_hidden(value, text, details, figures)
}

/// For how long no member has run anything; `None` while one does.
fn idle_for(sight: &Sight<'_>, session: &Session) -> Option<TimeDelta> {
    let members: Vec<&Backend> = session
        .members
        .iter()
        .filter_map(|&pid| sight.words.backend(pid))
        .collect();
    if members
        .iter()
        .any(|b| b.state == Some(BackendState::Active))
    {
        return None;
    }
    members
        .iter()
        .filter_map(|b| b.state_age(sight.snapshot.taken_at))
        .min()
}
