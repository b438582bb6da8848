//! The verdict over a whole migration.

use super::allow::Allowed;
use super::held::Held;
use super::judge::Judge;
use super::scene::Scene;
use super::{Policy, collisions, in_order};
use crate::migration::rehearsed::is_not_seen;
use crate::model::NEWEST_MAJOR;
use crate::model::{
    Allowable, Answer, Backend, ClearsBy, Doubt, Footprint, Pid, Role, Snapshot, Statement,
    StatementVerdict, Verdict, Wait,
};
use crate::sessions::{self, Sessions};
use crate::tools::Tool;
use crate::words::one_line;
use chrono::TimeDelta;
use std::collections::BTreeMap;

/// Would this migration, run now, wait?
///
/// Every statement is judged on the same look, also those after one that would wait.
#[must_use]
pub fn decide(
    footprint: &Footprint,
    snapshot: &Snapshot,
    sessions: &Sessions,
    policy: &Policy,
) -> Verdict {
    let tool = policy.tool.as_deref().and_then(crate::tools::named);
    let footprint = &*collisions::with_bookkeeping(footprint, snapshot, tool);
    let scene = Scene::new(footprint, snapshot, sessions, policy);
    let mut held = Held::default();
    let mut doubts = standing_doubts(snapshot, policy);
    let mut warnings = Vec::new();
    let mut verdicts = Vec::new();
    for (index, statement) in footprint.statements.iter().enumerate() {
        held.begin_statement(statement);
        let mut judge = Judge::new(&scene, statement, index);
        if let Some(tool) = tool.filter(|_| index == 0) {
            collisions::migration_lock(&mut judge, tool);
        }
        let (verdict, found) = in_order::run(judge, &mut held);
        verdicts.push(verdict);
        doubts.extend(found);
        doubts.extend(opaque(statement, index));
    }
    super::chains::follow(&scene, snapshot, sessions, &mut verdicts);
    let mut allowed = Allowed::new(policy, footprint);
    super::holds::judge(&scene, footprint, &mut verdicts, &mut allowed);
    warnings.extend(super::fails::judge(
        &scene,
        footprint,
        &mut verdicts,
        &mut doubts,
        &mut allowed,
    ));
    let mut doubts = allowed.rest(doubts);
    warnings.extend(super::pooler::warning(&snapshot.server, footprint));
    let runs_already = runs_already(footprint, snapshot, policy, tool);
    warnings.extend(runs_already.values().cloned());
    let statements = footprint.statements.iter();
    warnings.extend(statements.filter_map(|s| super::waits::databases::ended(s, snapshot)));
    let others = other_runs(sessions, snapshot, &verdicts).into_iter();
    let others = others.filter(|(pid, _)| !runs_already.contains_key(pid));
    warnings.extend(others.map(|(_, text)| text));
    let blocks = verdicts.iter().any(StatementVerdict::blocks);
    let fails = verdicts.iter().any(|v| v.fails.is_some());
    let just_begun = verdicts
        .iter()
        .flat_map(|v| &v.waits)
        .any(|wait| wait.clears_by == Some(ClearsBy::NotSeenTwice));
    if just_begun {
        doubts.push(seen_once(policy, &verdicts));
    }
    Verdict {
        running: Vec::new(),
        answer: match (blocks, fails, doubts.is_empty()) {
            // Who is ahead on a standby says nothing of the primary.
            _ if snapshot.server.in_recovery => Answer::CannotTell,
            (true, ..) => Answer::WouldBlock,
            (false, true, _) => Answer::WouldFail,
            (false, false, false) => Answer::CannotTell,
            (false, false, true) => Answer::Clear,
        },
        look_again: policy.first_look.is_none()
            && if blocks || fails {
                policy.patience > TimeDelta::zero() && may_be_at_work(&verdicts, snapshot)
            } else {
                just_begun || !doubts.is_empty() && doubts.iter().all(|doubt| !doubt.lasting)
            },
        statements: verdicts,
        doubts,
        warnings,
        accepted: allowed.accepted,
    }
}

/// Whether to look a second time, a patience later, with [`super::FirstLook::of`] this snapshot in the
/// policy: a blocking transaction has only just begun and may be gone by then, or a session would be advised to be
/// ended that may be at work. Never so when all is clear, nor when a lasting doubt decides anyway.
#[must_use]
pub const fn needs_second_look(verdict: &Verdict) -> bool {
    verdict.look_again
}

/// Whether somebody who is in the way has been idle for so short a time that a second look tells whether it works.
fn may_be_at_work(verdicts: &[StatementVerdict], snapshot: &Snapshot) -> bool {
    let waits = verdicts.iter().flat_map(|verdict| &verdict.waits);
    waits
        .filter(|wait| wait.counts && wait.blocker.granted)
        .filter_map(|wait| snapshot.backend(wait.blocker.pid?))
        .any(|backend| sessions::needs_second_look(backend, snapshot))
}

/// Doubts that stand before any statement is looked at.
fn standing_doubts(snapshot: &Snapshot, policy: &Policy) -> Vec<Doubt> {
    let mut doubts = policy.doubts.clone();
    if snapshot.server.in_recovery {
        doubts.push(Doubt {
            statement: None,
            what: "this server is a standby: a migration runs on the primary, and other sessions are in \
                   its way there"
                .into(),
            help: "connect to the primary (target_session_attrs=read-write)".into(),
            lasting: true,
            accepts: None,
        });
    }
    let (major, newest) = (snapshot.server.major(), NEWEST_MAJOR);
    if major > newest {
        doubts.push(Doubt {
            statement: None,
            what: format!("the server is Postgres {major}; the rules known here end with {newest}"),
            help: "look for a newer pgguard, or let it through with --allow newer-server".into(),
            lasting: true,
            accepts: Some(Allowable::NewerServer),
        });
    }
    doubts
}

fn seen_once(policy: &Policy, verdicts: &[StatementVerdict]) -> Doubt {
    Doubt {
        statement: None,
        what: just_begun(verdicts),
        help: format!("run it again after {}", crate::words::span(policy.patience)),
        lasting: false,
        accepts: None,
    }
}

/// Who has only just begun, and what it has.
fn just_begun(verdicts: &[StatementVerdict]) -> String {
    let waits = verdicts.iter().flat_map(|verdict| &verdict.waits);
    let young: Vec<&Wait> = waits
        .filter(|wait| wait.clears_by == Some(ClearsBy::NotSeenTwice))
        .collect();
    let Some(first) = young.first() else {
        return "a blocking transaction has only just started".into();
    };
    let who = first.blocker.pid.map_or_else(
        || "a prepared transaction".to_owned(),
        |pid| format!("pid {pid}"),
    );
    let what = match (&first.name, &first.object) {
        (Some(name), _) => format!(" on {name}"),
        (None, Some(object)) => format!(" on {object}"),
        (None, None) => String::new(),
    };
    let more = match young.len() - 1 {
        0 => String::new(),
        n => format!(", and {n} more like it"),
    };
    format!("the blocking transaction of {who}{what} has only just started{more}")
}

/// Statements that run code: what it locks is seen when it runs on a copy.
const CALLS: [&str; 2] = ["DO", "CALL"];

fn opaque(statement: &Statement, index: usize) -> Option<Doubt> {
    let why = statement.opaque.as_ref()?;
    if is_not_seen(why) {
        return Some(Doubt {
            statement: Some(index),
            what: why.clone(),
            help: "read what the command does with them, and let it through with --allow data-dependent".into(),
            lasting: true,
            accepts: Some(Allowable::DataDependent),
        });
    }
    // Only what no parser understands has no command.
    let help = if statement.is_code() {
        "judge what it sends: pgguard gate --rehearse -- COMMAND; or read it, and let it through with --allow opaque"
    } else if statement.command.is_empty() {
        "fix it: the server will probably reject it too, and the migration would stop there"
    } else if CALLS.contains(&&*statement.command) && statement.measured.is_none() {
        "measure its locks on a copy: pgguard gate --rehearse FILE; or read it, and let it through with --allow opaque"
    } else {
        "read it, and let it through with --allow opaque"
    };
    Some(Doubt {
        statement: Some(index),
        what: format!("not everything that it locks can be known: {why}"),
        help: help.into(),
        lasting: true,
        accepts: Some(Allowable::Opaque),
    })
}

/// Other runs of this very migration: by the text of their statement, or by what its tool has locked.
fn runs_already(
    footprint: &Footprint,
    snapshot: &Snapshot,
    policy: &Policy,
    tool: Option<&Tool>,
) -> BTreeMap<Pid, String> {
    let others = snapshot.backends.iter().filter(|b| {
        b.datid == Some(snapshot.server.datid)
            && b.pid != snapshot.server.own_pid
            && Some(b.pid) != policy.asking
    });
    let locked = tool.map_or_else(BTreeMap::new, |tool| collisions::locked_by(snapshot, tool));
    let texts = texts(footprint);
    others
        .filter_map(|backend| {
            let where_it_is = at(&texts, backend).or_else(|| locked.get(&backend.pid).cloned())?;
            let pid = backend.pid;
            let text = format!("this very migration seems to run already: pid {pid} {where_it_is}");
            Some((pid, text))
        })
        .collect()
}

/// A statement's text as it is compared.
fn plain(text: &str) -> String {
    one_line(text.trim_end().trim_end_matches(';'), 400)
}

/// The statements that are recognised by their text.
fn texts(footprint: &Footprint) -> Vec<(&Statement, String)> {
    let statements = footprint.statements.iter();
    statements
        .filter(|statement| statement.locks.iter().any(|lock| lock.named))
        .filter(|statement| statement.command != "SELECT")
        .map(|statement| (statement, plain(&statement.sql)))
        .collect()
}

/// Where in the migration a session is that runs one of its statements, or has just run it in an open transaction.
fn at(texts: &[(&Statement, String)], backend: &Backend) -> Option<String> {
    backend.xact_start.filter(|_| !backend.query.is_empty())?;
    let theirs = plain(&backend.query);
    let (statement, _) = texts.iter().find(|(_, sql)| *sql == theirs)?;
    Some(format!("is at {}:{}", statement.file, statement.line))
}

/// Schema changes of others that are under way and not in the way: they may meet this migration later.
fn other_runs(
    sessions: &Sessions,
    snapshot: &Snapshot,
    verdicts: &[StatementVerdict],
) -> Vec<(Pid, String)> {
    let named = |pid| {
        verdicts
            .iter()
            .flat_map(|v| &v.waits)
            .any(|wait| wait.blocker.pid == Some(pid))
    };
    sessions
        .iter()
        .filter(|s| s.role == Role::Migration && !named(s.pid))
        .filter_map(|s| Some((s, snapshot.backend(s.pid)?)))
        .filter(|(_, b)| b.datid == Some(snapshot.server.datid))
        .map(|(session, backend)| {
            let detail = session.detail.as_deref().unwrap_or("a schema change");
            let text = format!(
                "another migration is under way: pid {} ({detail}): {}",
                session.pid,
                one_line(&backend.query, 80)
            );
            (session.pid, text)
        })
        .collect()
}
