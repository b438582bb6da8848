//! Commits that wait for a standby: they keep their locks meanwhile, and no lock table shows it.
//!
//! Source: `SyncRepWaitForLSN` (syncrep.c), `synchronous_standby_names` in the documentation.

use crate::model::{Doubt, Server, Snapshot};

/// Values of `synchronous_commit` with which a commit waits for no standby.
const LOCAL: [&str; 5] = ["off", "local", "false", "no", "0"];

/// The doubt where a commit may wait for a standby without end: too few are connected, or sessions wait already.
#[must_use]
pub fn doubt(snapshot: &Snapshot) -> Option<Doubt> {
    let server = &snapshot.server;
    let names = server.settings.get("synchronous_standby_names")?;
    let commit = server.settings.get("synchronous_commit");
    if names.is_empty() || commit.is_some_and(|value| LOCAL.contains(&value.as_str())) {
        return None;
    }
    let backends = snapshot.backends.iter();
    let waiting = backends.filter(|b| b.wait_event.as_deref() == Some("SyncRep"));
    let pids: Vec<String> = waiting.map(|b| b.pid.to_string()).collect();
    let what = if !pids.is_empty() {
        format!(
            "commits wait for a synchronous standby (pid {})",
            pids.join(", ")
        )
    } else if has_too_few(server, names) {
        format!("synchronous_standby_names is {names}, and too few of these standbys are connected")
    } else {
        return None;
    };
    Some(Doubt {
        statement: None,
        what: format!("{what}: the migration's commit would wait with all its locks held"),
        help: "start the standby, or take it out of synchronous_standby_names".into(),
        lasting: false,
        accepts: None,
    })
}

/// Whether fewer standbys are synchronous than a commit waits for; `false` where the role may not see them.
fn has_too_few(server: &Server, names: &str) -> bool {
    let connected = server.settings.get("synchronous_standbys");
    let connected = connected.and_then(|text| text.parse::<u32>().ok());
    server.sees_all && connected.is_some_and(|connected| connected < needed(names))
}

/// How many a commit waits for: `FIRST 2 (a, b)`, `ANY 2 (a, b)`, `2 (a, b)`, else one.
fn needed(names: &str) -> u32 {
    let before = names.split_once('(').map_or("", |(before, _)| before);
    let number = before.split_whitespace().last();
    number.and_then(|word| word.parse().ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::needed;

    #[test]
    fn a_list_says_how_many_it_needs() {
        for (names, expected) in [
            ("a", 1),
            ("a, b", 1),
            ("*", 1),
            ("2 (a, b, c)", 2),
            ("FIRST 3 (a,b,c)", 3),
            ("any 2(a, b)", 2),
            ("FIRST 1 (\"a b\")", 1),
        ] {
            assert_eq!(needed(names), expected, "{names}");
        }
    }
}
