//! A wait behind a backup, for tests that ask only when it clears.

use crate::model::{Blocker, Clears, Pid, Role, Wait, WaitKind};

pub fn behind_a_dump(pid: Pid, clears: Option<Clears>) -> Wait {
    Wait {
        oid: None,
        name: None,
        object: None,
        mode: None,
        kind: WaitKind::Lock,
        counts: true,
        blocker: Blocker {
            pid: Some(pid),
            gid: None,
            role: Role::Backup,
            application_name: "pg_dump".into(),
            user: "backup".into(),
            state: "active".into(),
            mode: None,
            granted: true,
            since: None,
            backend_start: None,
            detail: String::new(),
            advice: String::new(),
        },
        clears,
        clears_by: None,
        fails: false,
    }
}
