//! The line that a kill leaves in the history: who ended whom, why, and what became of it.

use super::end::End;
use crate::cli::{HistoryArgs, KillArgs};
use crate::config::Config;
use crate::history::SignalNote;
use crate::kill::{Dossier, Step};
use crate::look::past::Past;
use crate::model::{PreparedXact, Role, Snapshot};
use nix::unistd::{Uid, User};

/// What was done to a session; `None`: nothing was.
pub fn of_session(
    look: &Snapshot,
    dossier: &Dossier,
    steps: &[Step],
    ended: &End,
    why: Option<String>,
) -> Option<SignalNote> {
    let outcome = match ended {
        End::Gone => "gone",
        End::Released => "cancelled, its connection stays",
        End::StillThere => "still there",
        End::Changed(_) => return None,
    };
    let backend = look.backend(dossier.identity.pid)?;
    let blocked = dossier.facts.iter().find(|(label, _)| *label == "blocks");
    let blocked = blocked.map(|(_, whom)| format!("it blocked {whom}"));
    Some(SignalNote {
        database: backend.datname.clone().unwrap_or_default(),
        pid: Some(dossier.identity.pid),
        role: backend.usename.clone().unwrap_or_default(),
        application_name: backend.application_name.clone(),
        kind: dossier.role.word().into(),
        deed: steps
            .iter()
            .map(|s| s.deed())
            .collect::<Vec<_>>()
            .join(", then "),
        why: why.or(blocked).unwrap_or_default(),
        outcome: outcome.into(),
        ..by_whom(look)
    })
}

/// What was done to a prepared transaction.
pub fn of_prepared(look: &Snapshot, xact: &PreparedXact, why: Option<String>) -> SignalNote {
    SignalNote {
        database: xact.database.clone(),
        gid: Some(xact.gid.clone()),
        role: xact.owner.clone(),
        kind: "prepared_transaction".into(),
        deed: "roll it back".into(),
        why: why.unwrap_or_default(),
        outcome: "gone".into(),
        ..by_whom(look)
    }
}

/// Why, where it was migrations that somebody was in the way of.
pub fn why(args: &KillArgs) -> Option<String> {
    let files: Vec<String> = args
        .blocking
        .iter()
        .map(|f| f.display().to_string())
        .collect();
    (!files.is_empty()).then(|| format!("it was in the way of {}", files.join(", ")))
}

/// Keeps it. Why it cannot be kept, if so: that changes nothing of what was done.
pub async fn keep(note: Option<SignalNote>, history: &HistoryArgs) -> Option<String> {
    let mut past = Past::new(history, &Config::default(), false);
    past.note(&note?).await;
    past.close().await;
    past.problem()
}

fn by_whom(look: &Snapshot) -> SignalNote {
    let server = &look.server;
    let user = User::from_uid(Uid::current()).ok().flatten();
    let user = user.map_or_else(|| format!("uid {}", Uid::current()), |user| user.name);
    SignalNote {
        at: look.taken_at,
        server: server.history_key(),
        database: String::new(),
        pid: None,
        gid: None,
        role: String::new(),
        application_name: String::new(),
        kind: Role::Server.word().into(),
        deed: String::new(),
        asked_by: format!("{user}, as role {}", server.user),
        why: String::new(),
        outcome: String::new(),
    }
}
