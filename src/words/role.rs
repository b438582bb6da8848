//! A session's role.

use crate::model::Role;

/// A role as people say it, with what else is known: `backup pg_dump`, `autovacuum to prevent wraparound`.
#[must_use]
pub fn role(role: Role, detail: Option<&str>) -> String {
    let word = match role {
        Role::Backup => "backup",
        Role::Migration => "migration",
        Role::Application => "application",
        Role::Idle => "idle session",
        Role::IdleInTransaction => "idle in transaction",
        Role::Maintenance => "maintenance",
        Role::Replication => "replication",
        Role::Monitoring => "monitoring",
        Role::Server => "server process",
        Role::Masked => "hidden session",
    };
    match (role, detail) {
        (_, None) => word.to_owned(),
        (Role::Backup | Role::Migration, Some(detail)) => format!("{word} {detail}"),
        (Role::Maintenance | Role::Replication | Role::Server, Some(detail)) => detail.to_owned(),
        (_, Some(detail)) => format!("{word}, {detail}"),
    }
}
