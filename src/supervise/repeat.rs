//! Whether a command that was stopped may be started once more: only where that cannot do anything twice.

use crate::model::{Effect, Footprint, SchemaState};
use crate::tools::{Errand, Tool, TransactionHabit};

/// Whether, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repeat {
    /// It may, because of this.
    Safe(String),
    /// It may not, because of this; what to do is part of it.
    Unsafe(String),
}

/// What is known of the command that was stopped.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The user says that it may be repeated.
    pub said: bool,
    /// The tool that it is, where that is known.
    pub tool: Option<&'a Tool>,
    /// What it has the tool do.
    pub errand: Errand,
    /// What waited was in a transaction block: a migration may be in none, whatever the tool's habit
    /// (`disable_ddl_transaction!`, `atomic = False`).
    pub in_block: bool,
    /// What it runs, where that is known.
    pub footprint: Option<&'a Footprint>,
    /// The schema before its first try and now; `None`: it could not be read.
    pub before: Option<&'a SchemaState>,
    /// Now.
    pub now: Option<&'a SchemaState>,
}

/// Decides.
#[must_use]
pub fn may_repeat(known: Known<'_>) -> Repeat {
    let (Some(before), Some(now)) = (known.before, known.now) else {
        return Repeat::Unsafe("what it has done so far could not be read from the server".into());
    };
    if let Some(index) = now.invalid.difference(&before.invalid).next() {
        return Repeat::Unsafe(format!(
            "it left the index {index} invalid: DROP INDEX CONCURRENTLY {index}; then run it again"
        ));
    }
    if known.said {
        return Repeat::Safe("--repeat-is-safe".into());
    }
    let is_changed = now.is_changed_since(before);
    if is_changed && before.books == now.books {
        return Repeat::Unsafe(
            "the schema has changed since the start, and no version table says by what: see what is there, then run \
             it again"
                .into(),
        );
    }
    if is_changed && known.errand == Errand::Steps {
        return Repeat::Unsafe(
            "each start goes a step further, and a step is done: see what is there, then run it again".into(),
        );
    }
    let in_one = known
        .tool
        .filter(|tool| undoes_all(tool.habit) && known.in_block);
    if let Some(tool) = in_one.filter(|_| known.errand != Errand::Else) {
        return Repeat::Safe(format!(
            "{} runs a migration in one transaction, and that was rolled back",
            tool.name
        ));
    }
    if is_changed {
        return Repeat::Unsafe("a part of it is done: see what is there, then run it again".into());
    }
    match known.footprint {
        Some(footprint) if commits_no_rows(footprint) => {
            Repeat::Safe("nothing has changed since the start".into())
        }
        Some(_) => Repeat::Unsafe(
            "it may have written rows outside of the transaction that was rolled back; if not: --repeat-is-safe".into(),
        ),
        None => Repeat::Unsafe(
            "whether it has written rows is not known: name its SQL with --gate, or say --repeat-is-safe".into(),
        ),
    }
}

const fn undoes_all(habit: TransactionHabit) -> bool {
    matches!(
        habit,
        TransactionHabit::PerScript | TransactionHabit::WholeRun
    )
}

/// Whether rows are written in its last transaction at most: what was committed before that shows in the catalog.
fn commits_no_rows(footprint: &Footprint) -> bool {
    let last = footprint.statements.last().map(|s| s.transaction);
    footprint
        .statements
        .iter()
        .filter(|statement| Some(statement.transaction) != last)
        .all(|statement| {
            let effect = statement.kind().effect;
            statement.opaque.is_none() && matches!(effect, Effect::Nothing | Effect::Schema)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RelationName, Statement};
    use crate::tools;

    fn state(catalog: &str, rows: &[&str]) -> SchemaState {
        SchemaState {
            catalog: catalog.into(),
            books: [(
                "public.v".to_owned(),
                rows.iter().map(|r| (*r).to_owned()).collect(),
            )]
            .into(),
            ..SchemaState::default()
        }
    }

    fn footprint(statements: &[(&str, usize)]) -> Footprint {
        let statement = |(command, transaction): &(&str, usize)| Statement {
            command: (*command).into(),
            transaction: *transaction,
            ..Statement::default()
        };
        Footprint {
            statements: statements.iter().map(statement).collect(),
        }
    }

    fn asked(
        tool: Option<&str>,
        footprint: Option<&Footprint>,
        states: (&SchemaState, &SchemaState),
    ) -> bool {
        asked_for(Errand::Migrates, tool, footprint, states)
    }

    fn asked_for(
        errand: Errand,
        tool: Option<&str>,
        footprint: Option<&Footprint>,
        states: (&SchemaState, &SchemaState),
    ) -> bool {
        let known = Known {
            said: false,
            tool: tool.and_then(tools::named),
            errand,
            in_block: true,
            footprint,
            before: Some(states.0),
            now: Some(states.1),
        };
        matches!(may_repeat(known), Repeat::Safe(_))
    }

    #[test]
    fn only_what_cannot_happen_twice_is_repeated() {
        let (old, same) = (state("a", &["1"]), state("a", &["1"]));
        let (recorded, half) = (state("b", &["1", "2"]), state("b", &["1"]));
        assert!(asked(Some("rails"), None, (&old, &same)));
        assert!(asked(Some("rails"), None, (&old, &recorded)));
        assert!(
            !asked(Some("rails"), None, (&old, &half)),
            "committed, not recorded"
        );
        let rails = |errand, now| asked_for(errand, Some("rails"), None, (&old, now));
        let taken_back = state("c", &[]);
        assert!(rails(Errand::Steps, &same), "rolled back");
        assert!(!rails(Errand::Steps, &taken_back), "it would go further");
        assert!(!rails(Errand::Else, &same), "seeds would be there twice");
        assert!(!asked(None, None, (&old, &same)), "rows are not seen");
        let ddl = footprint(&[("ALTER TABLE", 1), ("CREATE INDEX", 2)]);
        let alone = Known {
            said: false,
            tool: tools::named("rails"),
            errand: Errand::Migrates,
            in_block: false,
            footprint: None,
            before: Some(&old),
            now: Some(&same),
        };
        assert!(
            matches!(may_repeat(alone), Repeat::Unsafe(_)),
            "disable_ddl_transaction!: rows may be committed"
        );
        let known_ddl = Known {
            footprint: Some(&ddl),
            ..alone
        };
        assert!(matches!(may_repeat(known_ddl), Repeat::Safe(_)));
        assert!(asked(None, Some(&ddl), (&old, &same)));
        assert!(!asked(None, Some(&ddl), (&old, &half)));
        let rows_first = footprint(&[("UPDATE", 1), ("ALTER TABLE", 2)]);
        assert!(!asked(None, Some(&rows_first), (&old, &same)));
        let together = footprint(&[("UPDATE", 1), ("ALTER TABLE", 1)]);
        assert!(asked(None, Some(&together), (&old, &same)));
        let known = Known {
            said: true,
            tool: None,
            errand: Errand::Migrates,
            in_block: true,
            footprint: None,
            before: Some(&old),
            now: None,
        };
        assert!(
            matches!(may_repeat(known), Repeat::Unsafe(_)),
            "nothing is known"
        );
        let invalid = SchemaState {
            invalid: [RelationName::new("public", "i")].into(),
            ..state("a", &["1"])
        };
        let known = Known {
            now: Some(&invalid),
            ..known
        };
        assert!(
            matches!(may_repeat(known), Repeat::Unsafe(why) if why.contains("DROP INDEX CONCURRENTLY public.i"))
        );
    }
}
