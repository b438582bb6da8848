//! What backups leave: a dump whose client is gone, a backup mode that nobody ends, a replication slot.

use super::case::Case;
use super::finding::{Finding, Harm, Kind, Remedy};
use crate::model::{Certainty, Role, Session, Slot, Stalled};
use crate::words::{literal, span};
use chrono::TimeDelta;

/// A client that has taken nothing for so long hardly comes back.
const LIKELY: TimeDelta = TimeDelta::minutes(1);

/// How the slots of backup programs are called: pg_basebackup's and pg_receivewal's own names, and what the manuals of
/// Barman, WAL-G and pgBackRest show.
const BACKUP_NAMES: [&str; 7] = [
    "pg_basebackup",
    "pg_receivewal",
    "barman",
    "wal_g",
    "walg",
    "pgbackrest",
    "backup",
];

/// Dumps that nobody reads any more.
pub fn leaked(case: &Case<'_>) -> Vec<Finding> {
    let backups = case.sessions.in_role(Role::Backup);
    backups
        .filter(|session| session.backup.as_ref().is_some_and(|b| b.leaked))
        .filter(|session| case.clients().any(|b| b.pid == session.pid))
        .map(|session| dump(case, session))
        .collect()
}

fn dump(case: &Case<'_>, session: &Session) -> Finding {
    let backend = case.words.backend(session.pid);
    let idle = backend.and_then(|b| b.state_age(case.snapshot.taken_at));
    let waiters = case.graph.waiters_behind(session.pid);
    Finding {
        kind: Kind::LeakedBackup,
        harm: if waiters > 0 {
            Harm::Blocks
        } else {
            Harm::StopsMigrations
        },
        certainty: Certainty::Likely,
        what: format!(
            "{}: its client is gone, and it will never end",
            case.words.session(session.pid)
        ),
        relation: None,
        session: backend.map(crate::model::Backend::identity),
        since: backend.and_then(|b| b.state_change),
        proof: vec![match idle {
            Some(idle) => format!(
                "nothing of it has moved for {}, and its transaction is open",
                span(idle)
            ),
            None => "nothing of it moves, and its transaction is open".into(),
        }],
        cost: format!(
            "it keeps ACCESS SHARE on every table that it dumps: every ALTER TABLE of one waits ({} now), and readers behind it",
            waiters
        ),
        remedy: Remedy::shell("end it", format!("pgguard kill {}", session.pid)),
    }
}

/// Base backups that send nothing.
pub fn stalled(case: &Case<'_>) -> Vec<Finding> {
    let stalled = case.leftovers.stalled.iter();
    stalled.map(|one| base_backup(case, one)).collect()
}

fn base_backup(case: &Case<'_>, one: &Stalled) -> Finding {
    let backend = case.words.backend(one.pid);
    let for_long = case.words.age(one.since);
    let gone = case.leftovers.clients.get(&one.pid);
    let gone = gone.filter(|client| !client.is_there);
    let sent = format!(
        "it has sent nothing for {} ({} so far), and waits for its client to take data",
        span(for_long),
        size(one.sent)
    );
    let certainty = match gone {
        Some(client) => client.certainty,
        None if for_long >= LIKELY => Certainty::Likely,
        None => Certainty::Possible,
    };
    Finding {
        kind: Kind::LeakedBackup,
        harm: Harm::Costs,
        certainty,
        what: format!(
            "{}: its base backup stands still",
            case.words.session(one.pid)
        ),
        relation: None,
        session: backend.map(crate::model::Backend::identity),
        since: Some(one.since),
        proof: std::iter::once(sent)
            .chain(gone.map(|client| client.proof.clone()))
            .collect(),
        cost: "it keeps one of max_wal_senders, and WAL where it has a replication slot; full pages are written to the WAL \
               while it lasts"
            .into(),
        remedy: Remedy::shell(
            "if its client is gone or hangs, end it; a client that is only slow takes the rest by itself",
            format!("pgguard kill {}", one.pid),
        ),
    }
}

/// An exclusive backup that nobody has stopped (14 only).
pub fn exclusive(case: &Case<'_>) -> Vec<Finding> {
    let since = case.leftovers.exclusive_backup;
    since
        .into_iter()
        .map(|since| Finding {
            kind: Kind::LeakedBackup,
            harm: Harm::Risks,
            certainty: Certainty::Possible,
            what: format!(
                "the server has been in an exclusive backup for {}",
                span(case.words.age(since))
            ),
            relation: None,
            session: None,
            since: Some(since),
            proof: vec!["pg_is_in_backup() is true; whether its program still runs, the server does not know".into()],
            cost: "no other exclusive backup can begin; after a crash the server may not start while backup_label is there"
                .into(),
            remedy: Remedy::sql("if no backup runs any more", "SELECT pg_stop_backup();"),
        })
        .collect()
}

/// Slots that nobody uses: WAL is kept for them.
pub fn slots(case: &Case<'_>) -> Vec<Finding> {
    let slots = case.leftovers.slots.iter();
    slots.map(|slot| unused(case, slot)).collect()
}

fn unused(case: &Case<'_>, slot: &Slot) -> Finding {
    let name = slot.name.to_ascii_lowercase();
    let is_backups = !slot.is_logical && BACKUP_NAMES.iter().any(|known| name.contains(known));
    let kind = if slot.is_logical {
        "logical"
    } else {
        "physical"
    };
    let since = slot.since.map_or_else(String::new, |since| {
        format!(" for {}", span(case.words.age(since)))
    });
    let kept = match slot.retained_bytes {
        _ if slot.is_lost => {
            "what it needs is gone (wal_status lost): its user cannot continue".to_owned()
        }
        Some(bytes) => format!(
            "WAL since its restart_lsn is kept: {} now, and it grows with every write",
            size(bytes)
        ),
        None => "it keeps no WAL".to_owned(),
    };
    let keeps = slot.retained_bytes.is_some() || slot.is_lost;
    Finding {
        kind: Kind::ReplicationSlot,
        harm: if is_backups && keeps { Harm::Costs } else { Harm::Information },
        certainty: if is_backups { Certainty::Likely } else { Certainty::Possible },
        what: format!("nobody has used the {kind} replication slot {}{since}", slot.name),
        relation: None,
        session: None,
        since: slot.since,
        proof: vec![match is_backups {
            true => "pg_replication_slots says active = false, and its name is one of a backup program".into(),
            false => "pg_replication_slots says active = false; a standby or a subscriber that is away looks the same".into(),
        }],
        cost: kept,
        remedy: Remedy::sql(
            "if no client will come back for it",
            format!("SELECT pg_drop_replication_slot({});", literal(&slot.name)),
        ),
    }
}

/// `512 MB`: what it is about.
fn size(bytes: i64) -> String {
    const UNITS: [(i64, &str); 3] = [(1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB")];
    UNITS
        .iter()
        .find(|(unit, _)| bytes >= 10 * unit)
        .map_or_else(
            || format!("{bytes} bytes"),
            |(unit, name)| format!("{} {name}", bytes / unit),
        )
}
