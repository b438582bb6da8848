//! Which scripts a command is about: what was named, as its tool runs it.

use super::facts::Facts;
use crate::Result;
use crate::cli::{MigrationArgs, Transaction};
use crate::migration::footprint;
use crate::migration::source::{self, Limits, ReadOptions, Source};
use crate::migration::statement::{SourceStatement, TransactionHabit};
use crate::model::{Backend, BackendState, Catalog};
use std::path::PathBuf;

/// How to read them, by the flags.
#[must_use]
pub fn options(args: &MigrationArgs) -> ReadOptions {
    ReadOptions {
        tool: args.tool.clone(),
        habit: args.transaction.map(|habit| match habit {
            Transaction::Statement => TransactionHabit::PerStatement,
            Transaction::File => TransactionHabit::PerScript,
            Transaction::Run => TransactionHabit::WholeRun,
        }),
        limits: Limits {
            bytes: args.max_bytes,
            statements: args.max_statements,
        },
    }
}

/// Reads what was named.
///
/// # Errors
/// See [`source::sources`].
pub fn read(paths: &[PathBuf], args: &MigrationArgs) -> Result<Vec<Source>> {
    source::sources(paths, &options(args))
}

/// In which role a migration begins.
#[derive(Debug, Clone, Default)]
pub struct Acting {
    /// `None`: the one it has logged in as.
    pub role: Option<String>,
    /// The one it has logged in as, where it is connected.
    pub login: Option<String>,
}

impl Acting {
    /// As it was told, or as the last message of the asking session tells.
    #[must_use]
    pub fn of(told: Option<&String>, asking: Option<&Backend>) -> Self {
        // What it has written may be rights, which nobody else sees before it commits.
        if asking.is_some_and(|b| b.backend_xid.is_some()) {
            return Self::default();
        }
        let idle = [BackendState::Idle, BackendState::IdleInTransaction];
        let left = asking
            .filter(|b| !b.query_truncated && b.state.is_some_and(|state| idle.contains(&state)))
            .and_then(|b| {
                let (role, is_local) = footprint::role_left_by(&b.query)?;
                // SET LOCAL does nothing outside a transaction.
                let holds = !is_local || b.state == Some(BackendState::IdleInTransaction);
                holds.then_some(role)
            });
        Self {
            role: told.cloned().or(left),
            login: asking.and_then(|b| b.usename.clone()),
        }
    }
}

/// The catalog behind the statements, with the role that the session acts in.
///
/// # Errors
/// When the server fails the question.
pub async fn catalog(
    facts: &mut Facts,
    statements: &[SourceStatement],
    acting: &Acting,
) -> Result<Catalog> {
    let mut reach = footprint::reach(statements);
    reach.acting.extend(acting.role.clone());
    reach.login.clone_from(&acting.login);
    let begins = facts.begins(acting.login.as_deref()).await?;
    let mut catalog = facts.catalog(&reach, begins).await?;
    catalog.session.acting.clone_from(&acting.role);
    Ok(catalog)
}
