//! What a session of another role would begin with (`ALTER ROLE … SET`, `ALTER DATABASE … SET`).

use super::connect::{Connection, Row};
use crate::Result;
use crate::words::literal;
use std::collections::BTreeMap;

const QUESTION: &str = include_str!("role_settings.sql");

/// What two roles have set.
#[derive(Debug, Default)]
pub struct RoleSettings {
    /// By the role itself or the database: the last one counts.
    set: BTreeMap<String, String>,
    /// By the role that asks.
    hidden: Vec<String>,
}

impl RoleSettings {
    fn take(&mut self, row: &Row<'_>) {
        let is_asking = row.flag(0).unwrap_or_default();
        let is_roles_own = row.flag(3).unwrap_or_default();
        let (Some(name), Some(value)) = (row.word(1), row.word(2)) else {
            return;
        };
        match (is_asking, is_roles_own) {
            (true, true) => self.hidden.push(name.to_owned()),
            (true, false) => {}
            (false, _) => drop(self.set.insert(name.to_owned(), value.to_owned())),
        }
    }

    /// Puts them into what a session of the asking role begins with. What only that role sets is unknown then: it hides
    /// what the server sets.
    pub fn put_into(self, begins: &mut BTreeMap<String, String>) {
        for name in self.hidden {
            if let Some(value) = begins.get_mut(&name) {
                UNKNOWN.clone_into(value);
            }
        }
        for (name, value) in self.set {
            if begins.contains_key(&name) || name == "client_encoding" || name == "timezone" {
                begins.insert(name, value);
            }
        }
    }
}

/// No value of any setting.
const UNKNOWN: &str = "unknown";

/// Asks what a role has set for its sessions in this database.
///
/// # Errors
/// When the server does not answer.
pub async fn of(connection: &mut Connection, role: &str) -> Result<RoleSettings> {
    let mut found = RoleSettings::default();
    let question = QUESTION.replace("$role", &literal(role));
    connection
        .ask("reading the settings of the role", &question, |row| {
            found.take(row)
        })
        .await?;
    Ok(found)
}
