//! Where statements are played again.

use crate::postgres::plain::{Plain, Refused};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// Where the pristine copy is, and who works in it.
#[derive(Debug, Clone)]
pub struct Stage {
    /// The folder of its socket.
    pub folder: PathBuf,
    /// The port in the socket's name.
    pub port: u16,
    /// The copy's superuser.
    pub superuser: String,
    pub database: String,
    /// The role of each session, in their order; later sessions have the last one.
    pub roles: Vec<String>,
    /// The role that the first session acts in.
    pub acting: Option<String>,
    /// Names of the version tables, without schema: their rows are there.
    pub versions: BTreeSet<String>,
    /// How long all of it may take.
    pub limit: Duration,
}

impl Stage {
    /// The session of this number, from 0.
    ///
    /// # Errors
    /// The copy does not let its role in.
    pub async fn session(&self, number: usize) -> Result<Plain, Refused> {
        let role = self.roles.get(number).or(self.roles.last());
        let role = role.map_or("postgres", String::as_str);
        let mut session = Plain::open(&self.folder, self.port, role, &self.database).await?;
        if let Some(acting) = self.acting.as_ref().filter(|_| number == 0) {
            session
                .run(&format!("SET ROLE {}", crate::model::quoted(acting)))
                .await?;
        }
        Ok(session)
    }
}
