//! What ROLLBACK and ROLLBACK TO take back: the catalog as it was when the transaction, or the
//! savepoint, began.
//!
//! Only transactions that are rolled back somewhere are remembered, so that a migration without
//! ROLLBACK pays nothing.

use super::world::World;
use crate::migration::statement::{Body, SourceStatement};
use pg_query::NodeEnum;
use pg_query::protobuf::{TransactionStmt, TransactionStmtKind as Kind};
use std::collections::HashSet;

/// The states that a migration can come back to.
pub struct Undo {
    /// Transactions with a ROLLBACK, or a ROLLBACK TO, in them.
    rolled_back: HashSet<usize>,
    transaction: Option<usize>,
    begin: Option<World>,
    /// Savepoints, oldest first.
    savepoints: Vec<(String, World)>,
}

fn control(source: &SourceStatement) -> Option<(Kind, &TransactionStmt)> {
    match &source.body {
        Body::Sql(tree) => match tree.deciding()? {
            NodeEnum::TransactionStmt(s) => Some((Kind::try_from(s.kind).ok()?, s)),
            _ => None,
        },
        Body::Doubt(_) | Body::Connect(_) | Body::Unparsable(_) | Body::Code => None,
    }
}

impl Undo {
    /// Nothing done yet.
    pub fn new(statements: &[SourceStatement]) -> Self {
        let rolls_back = |s: &&SourceStatement| {
            control(s).is_some_and(|(kind, _)| {
                matches!(kind, Kind::TransStmtRollback | Kind::TransStmtRollbackTo)
            })
        };
        Self {
            rolled_back: statements
                .iter()
                .filter(rolls_back)
                .map(|s| s.transaction)
                .collect(),
            transaction: None,
            begin: None,
            savepoints: Vec::new(),
        }
    }

    /// Before a statement: another transaction may begin with it.
    pub fn before(&mut self, world: &mut World, source: &SourceStatement) {
        if self.transaction == Some(source.transaction) {
            return;
        }
        if self.transaction.replace(source.transaction).is_some() {
            world.commit();
        }
        self.savepoints.clear();
        self.begin = self
            .rolled_back
            .contains(&source.transaction)
            .then(|| world.clone());
    }

    /// After a statement: savepoints are set, and what is rolled back is taken back.
    pub fn after(&mut self, world: &mut World, source: &SourceStatement) {
        let Some((kind, statement)) = control(source) else {
            return;
        };
        let name = &statement.savepoint_name;
        let at = self.savepoints.iter().rposition(|(n, _)| n == name);
        match (kind, at) {
            (Kind::TransStmtSavepoint, _) if self.begin.is_some() => {
                self.savepoints.push((name.clone(), world.clone()));
            }
            // RELEASE forgets the savepoint and those after it, ROLLBACK TO only those after it.
            (Kind::TransStmtRelease, Some(at)) => self.savepoints.truncate(at),
            (Kind::TransStmtRollbackTo, Some(at)) => {
                self.savepoints.truncate(at + 1);
                world.restore_catalog(&self.savepoints[at].1);
            }
            (Kind::TransStmtRollback, _) => {
                // A transaction that was open before: so may be the role that it takes back.
                if let Some(begin) = self.begin.take() {
                    world.restore_catalog(&begin);
                }
                // A transaction that was open before the migration takes back what nobody knows.
                if !source.in_block {
                    world.forget_role();
                }
            }
            _ => {}
        }
    }
}
