//! Databases with sessions: DROP, RENAME, SET TABLESPACE and a copy of one fail while anybody is connected to it, after
//! five seconds in which the server waits for them to go (`CountOtherDBBackends`, procarray.c).

use crate::gate::blocker::Owner;
use crate::gate::judge::{Asked, Judge, Otherwise};
use crate::model::{Backend, LockMode, Pid, Snapshot, Statement, WaitKind};
use crate::sessions::query_text;

/// What a statement needs of a database.
struct Need {
    database: String,
    /// `WITH (FORCE)`: it ends the sessions.
    force: bool,
}

/// Adds the sessions of the database that a statement must have for itself.
pub fn judge(judge: &mut Judge) {
    let scene = judge.scene;
    let Some(need) = need(judge.statement).filter(|need| !need.force) else {
        return;
    };
    let what = format!("database {}", crate::model::quoted(&need.database));
    let asked = Asked::object(&what, LockMode::AccessExclusive).or(Otherwise::Fails);
    for backend in connected(scene.snapshot, &need) {
        let party = scene.party_of(backend.pid);
        if Some(party) == scene.asker() {
            continue;
        }
        let owner = Owner { party, lock: None };
        // Who has just come may be gone at the second look. When a session began that this role may not see, is hidden.
        let has_just_come = backend.backend_start.is_some_and(|began| {
            crate::model::age(began, scene.snapshot.taken_at) < scene.policy.patience
        });
        if has_just_come {
            judge.meet(owner, asked, WaitKind::Lock, false);
        } else {
            judge.meet_connected(owner, asked);
        }
    }
}

/// What is worth a line where it ends sessions.
#[must_use]
pub fn ended(statement: &Statement, snapshot: &Snapshot) -> Option<String> {
    let need = need(statement).filter(|need| need.force)?;
    let pids: Vec<Pid> = connected(snapshot, &need).map(|b| b.pid).collect();
    let sessions = if pids.len() == 1 {
        "session"
    } else {
        "sessions"
    };
    let shown: Vec<String> = pids
        .iter()
        .take(5)
        .map(|pid| format!("pid {pid}"))
        .collect();
    (!pids.is_empty()).then(|| {
        format!(
            "{}:{}: WITH (FORCE) ends {} {sessions} of database {}: {}{}",
            statement.file,
            statement.line,
            pids.len(),
            crate::model::quoted(&need.database),
            shown.join(", "),
            if pids.len() > 5 { ", …" } else { "" }
        )
    })
}

fn connected<'a>(snapshot: &'a Snapshot, need: &Need) -> impl Iterator<Item = &'a Backend> {
    // Names in upper case were not quoted; the doubtful side is that it is the same one.
    let is_it = |name: &str| name.eq_ignore_ascii_case(&need.database);
    snapshot
        .backends
        .iter()
        .filter(move |b| b.datname.as_deref().is_some_and(is_it))
        // An autovacuum worker is ended by the server; it has no user, also where the rest of its row is hidden.
        .filter(|b| b.is_client() || (b.masked && b.usename.is_some()))
        .filter(|b| b.pid != snapshot.server.own_pid)
}

fn need(statement: &Statement) -> Option<Need> {
    let words = query_text::words(&statement.sql, 60).into_iter().next()?;
    let after = |word: &str| {
        let at = words.iter().position(|w| w == word)?;
        words.get(at + 1).cloned()
    };
    let has = |word: &str| words.iter().any(|w| w == word);
    let database = match statement.command.as_str() {
        "DROP DATABASE" => after("EXISTS").or_else(|| after("DATABASE"))?,
        "ALTER DATABASE" if has("RENAME") || has("TABLESPACE") => after("DATABASE")?,
        "CREATE DATABASE" => after("TEMPLATE").unwrap_or_else(|| "template1".into()),
        _ => return None,
    };
    let unquoted = !database.chars().any(char::is_lowercase);
    Some(Need {
        database: if unquoted {
            database.to_lowercase()
        } else {
            database
        },
        force: statement.command == "DROP DATABASE" && has("FORCE"),
    })
}
