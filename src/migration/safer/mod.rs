//! Safer forms: what to run instead of a statement that keeps others out, proposed by a table of forms and then judged
//! by the same footprint as the migration itself. What is not better by that judgement is not named.

mod forms;
mod rewrite;

pub use rewrite::rewritten;

use super::script::{Body, SourceStatement};
use super::tree::Tree;
use crate::model::{Footprint, LockMode, LockRequest, RelationKind, SaferForm, Statement};
use std::ops::Range;

/// A proposal for each statement, not judged yet. Of a long run only statements whose tree is kept have one.
#[must_use]
pub fn proposed(statements: &[SourceStatement]) -> Vec<Option<SaferForm>> {
    let of = |statement: &SourceStatement| match &statement.body {
        Body::Sql(tree) if statement.doubt.is_none() && !statement.possible => {
            tree.deciding().and_then(forms::of)
        }
        _ => None,
    };
    statements.iter().map(of).collect()
}

/// The migration with these forms in it, and where each statement went.
#[must_use]
pub fn replaced(
    statements: &[SourceStatement],
    forms: &[Option<SaferForm>],
) -> (Vec<SourceStatement>, Vec<Range<usize>>) {
    let mut run = Vec::new();
    let mut places = Vec::new();
    let mut transaction = statements.iter().map(|s| s.transaction).max().unwrap_or(0);
    for (statement, form) in statements.iter().zip(forms) {
        let start = run.len();
        match form {
            None => run.push(statement.clone()),
            Some(form) => {
                for step in &form.steps {
                    transaction += 1;
                    run.extend(alone(statement, step, transaction));
                }
            }
        }
        places.push(start..run.len());
    }
    (run, places)
}

/// A step as a statement with a transaction of its own.
fn alone(statement: &SourceStatement, step: &str, transaction: usize) -> Option<SourceStatement> {
    let parsed = super::depth::parse(step)?;
    let node = parsed.protobuf.stmts.into_iter().next()?.stmt?.node?;
    Some(SourceStatement {
        sql: step.to_owned(),
        body: Body::Sql(Tree::kept(node)),
        transaction,
        in_block: false,
        moves: (Vec::new(), Vec::new()),
        ..statement.clone()
    })
}

/// The proposals that are better: none of their steps fails or is unknown, and they keep others out less.
///
/// `judge` tells the footprint of a run on the catalog that was read for both.
#[must_use]
pub fn judged(
    statements: &[SourceStatement],
    before: &Footprint,
    mut forms: Vec<Option<SaferForm>>,
    judge: impl Fn(&[SourceStatement]) -> Footprint,
) -> Vec<Option<SaferForm>> {
    while forms.iter().any(Option::is_some) {
        let (run, places) = replaced(statements, &forms);
        let after = judge(&run);
        if run.len() != after.statements.len() || statements.len() != before.statements.len() {
            return vec![None; statements.len()];
        }
        let is_worse = |at: usize| {
            let steps = &after.statements[places[at].clone()];
            let was = &before.statements[at..=at];
            let stops = |s: &Statement| s.fails.is_some() || s.opaque.is_some();
            match &forms[at] {
                Some(form) if form.one_table && !is_of_one_table(&before.statements[at]) => true,
                Some(_) => steps.iter().any(stops) || keeps_out(steps) >= keeps_out(was),
                // Another statement may need what a step leaves to a later one.
                None => steps.iter().any(stops) && !was.iter().any(stops),
            }
        };
        let worse: Vec<usize> = (0..statements.len()).filter(|at| is_worse(*at)).collect();
        if worse.is_empty() {
            return forms;
        }
        if worse.iter().any(|at| forms[*at].is_none()) {
            return vec![None; statements.len()];
        }
        for at in worse {
            forms[at] = None;
        }
    }
    forms
}

/// Whether one table alone is changed, and no partition or child of it.
fn is_of_one_table(statement: &Statement) -> bool {
    let is_part = |kind: RelationKind| kind.is_index() || kind == RelationKind::Toast;
    let closed = statement.locks.iter().filter(|lock| {
        lock.mode == LockMode::AccessExclusive && lock.oid.is_some() && !is_part(lock.kind)
    });
    closed.map(|lock| lock.kind).eq([RelationKind::Table])
}

/// How a statement keeps others out: how many relations it works on meanwhile, and the strongest mode.
fn keeps_out(steps: &[Statement]) -> (usize, Option<LockMode>) {
    use crate::model::LockWork::Instant;
    let locks = || {
        let all = steps.iter().flat_map(|step| &step.locks);
        // An index that goes has nobody left who reads it.
        let counts = |kind| !matches!(kind, RelationKind::Index | RelationKind::PartitionedIndex);
        let is_there =
            move |lock: &&LockRequest| lock.oid.is_some() && !lock.own && counts(lock.kind);
        all.filter(is_there)
            .filter(|lock| lock.mode >= LockMode::Share)
    };
    let works = locks().filter(|lock| lock.work != Instant).count();
    (works, locks().map(|lock| lock.mode).max())
}
