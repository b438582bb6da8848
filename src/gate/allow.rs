//! What a person lets through by name: on the command line, in the settings file, in a comment before a
//! statement.

use super::Policy;
use crate::model::{Accepted, Allowable, Allowance, Doubt, Footprint, RelationName};

/// What is let through, and what has been so far.
pub struct Allowed<'a> {
    policy: &'a Policy,
    footprint: &'a Footprint,
    /// What would have weighed.
    pub accepted: Vec<Accepted>,
}

impl<'a> Allowed<'a> {
    /// Nothing so far.
    #[must_use]
    pub const fn new(policy: &'a Policy, footprint: &'a Footprint) -> Self {
        Self {
            policy,
            footprint,
            accepted: Vec::new(),
        }
    }

    /// Whether something on a statement, perhaps on one of its relations, is let through; `what` it is.
    pub fn accepts(
        &mut self,
        name: Allowable,
        statement: Option<usize>,
        relation: Option<&RelationName>,
        what: impl FnOnce() -> String,
    ) -> bool {
        let Some(by) = self.allowance(name, statement, relation) else {
            return false;
        };
        let what = what();
        if !self
            .accepted
            .iter()
            .any(|a| a.statement == statement && a.what == what)
        {
            self.accepted.push(Accepted {
                statement,
                what,
                by,
            });
        }
        true
    }

    fn allowance(
        &self,
        name: Allowable,
        statement: Option<usize>,
        relation: Option<&RelationName>,
    ) -> Option<Allowance> {
        let statement = statement.and_then(|at| self.footprint.statements.get(at));
        let mut names: Vec<String> = Vec::new();
        if let Some(statement) = statement {
            names.push(statement.file.clone());
            names.extend(statement.file.rsplit(['/', '\\']).next().map(str::to_owned));
        }
        match relation {
            Some(relation) => names.extend(called(relation)),
            // What is known of the statement: the relations that it says by name.
            None => {
                let locks = statement.into_iter().flat_map(|s| &s.locks);
                names.extend(locks.filter(|l| l.named).flat_map(|l| called(&l.name)));
            }
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let own = statement.into_iter().flat_map(|s| &s.allows);
        let mut all = own.chain(&self.policy.allow);
        all.find(|allowance| allowance.fits(name, &names)).cloned()
    }

    /// The doubts that nobody lets through.
    #[must_use]
    pub fn rest(&mut self, doubts: Vec<Doubt>) -> Vec<Doubt> {
        let stays = |doubt: &Doubt| {
            !doubt.accepts.is_some_and(|name| {
                self.accepts(name, doubt.statement, None, || doubt.what.clone())
            })
        };
        doubts.into_iter().filter(stays).collect()
    }
}

/// `orders` and `public.orders`
fn called(name: &RelationName) -> [String; 2] {
    [
        name.relation.clone(),
        format!("{}.{}", name.schema, name.relation),
    ]
}
