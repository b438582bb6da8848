//! The safer forms of a migration, proposed by a table, and named only where they are better by the same facts.

use super::facts::Facts;
use super::migrations::{self, Acting};
use crate::Result;
use crate::migration::footprint;
use crate::migration::safer;
use crate::migration::statement::SourceStatement;
use crate::model::{Catalog, Footprint, SaferForm, Verdict};

/// A migration, and for each of its statements the form that keeps others out less.
pub struct Compared {
    /// The footprint of the migration as it is.
    pub footprint: Footprint,
    pub forms: Vec<Option<SaferForm>>,
}

/// The footprint of these statements with their safer forms.
///
/// # Errors
/// When the server fails the question about its catalog.
pub async fn compare(
    facts: &mut Facts,
    statements: &[SourceStatement],
    acting: &Acting,
) -> Result<Compared> {
    let proposed = safer::proposed(statements);
    if proposed.iter().all(Option::is_none) {
        let catalog = migrations::catalog(facts, statements, acting).await?;
        return Ok(Compared {
            footprint: footprint::of(statements, catalog, 0),
            forms: proposed,
        });
    }
    let (compared, _) = of_these(facts, statements, acting, proposed).await?;
    Ok(compared)
}

async fn of_these(
    facts: &mut Facts,
    statements: &[SourceStatement],
    acting: &Acting,
    proposed: Vec<Option<SaferForm>>,
) -> Result<(Compared, Catalog)> {
    // The run with the other forms, and what they replace: both bring names.
    let (mut both, _) = safer::replaced(statements, &proposed);
    let replaced = statements.iter().zip(&proposed);
    both.extend(
        replaced
            .filter(|(_, form)| form.is_some())
            .map(|(statement, _)| statement.clone()),
    );
    let catalog = migrations::catalog(facts, &both, acting).await?;
    let footprint = footprint::of(statements, catalog.clone(), 0);
    let forms = safer::judged(statements, &footprint, proposed, |run| {
        footprint::of(run, catalog.clone(), 0)
    });
    Ok((Compared { footprint, forms }, catalog))
}

/// For each statement that something is in the way of, the form that nothing is in the way of. `decide` judges a
/// footprint by the look that the verdict is of.
///
/// # Errors
/// As [`compare`].
pub(super) async fn clear_forms(
    facts: &mut Facts,
    statements: &[SourceStatement],
    acting: &Acting,
    verdict: &Verdict,
    decide: impl Fn(&Footprint) -> Verdict,
) -> Result<Vec<Option<SaferForm>>> {
    let mut proposed = safer::proposed(statements);
    for (form, verdict) in proposed.iter_mut().zip(&verdict.statements) {
        if !verdict.blocks() {
            *form = None;
        }
    }
    if proposed.iter().all(Option::is_none) {
        return Ok(proposed);
    }
    let (compared, catalog) = of_these(facts, statements, acting, proposed).await?;
    let mut forms = compared.forms;
    let (run, places) = safer::replaced(statements, &forms);
    let after = decide(&footprint::of(&run, catalog, 0));
    let is_clear = |at: usize| {
        let steps = after.statements.get(places[at].clone());
        let doubted = |doubt: Option<usize>| doubt.is_none_or(|step| places[at].contains(&step));
        steps.is_some_and(|steps| steps.iter().all(|step| !step.blocks()))
            && !after.doubts.iter().any(|doubt| doubted(doubt.statement))
    };
    for (at, form) in forms.iter_mut().enumerate() {
        if form.is_some() && !is_clear(at) {
            *form = None;
        }
    }
    Ok(forms)
}
