//! What became of a run: told by the server, not by the command's exit status alone.

use crate::model::{RelationName, RunResult, SchemaState};
use crate::words::many;

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// In a word.
    pub result: RunResult,
    /// In a sentence.
    pub told: String,
    /// Rows that are new in version tables, each `table: row`.
    pub recorded: Vec<String>,
    /// Indexes that are invalid now and were not before.
    pub invalid: Vec<RelationName>,
}

/// Compares the schema before and after. `succeeded`: the command's own word.
#[must_use]
pub fn outcome(
    succeeded: bool,
    before: Option<&SchemaState>,
    after: Option<&SchemaState>,
) -> Outcome {
    let (Some(before), Some(after)) = (before, after) else {
        return unknown(succeeded);
    };
    let recorded = after.recorded_since(before);
    let invalid: Vec<RelationName> = after.invalid.difference(&before.invalid).cloned().collect();
    let is_changed = after.is_changed_since(before) || !invalid.is_empty();
    let as_before = as_before(&after.made_since(before));
    let taken_back = after.taken_back_since(before);
    let (result, told) = match (succeeded, is_changed, recorded.len()) {
        (true, _, 0) if taken_back > 0 => (
            RunResult::Applied,
            format!("taken back: {}", many(taken_back, "migration")),
        ),
        (false, _, 0) if taken_back > 0 => (
            RunResult::HalfApplied,
            format!(
                "half applied: {} taken back, then it failed",
                many(taken_back, "migration")
            ),
        ),
        (true, false, 0) => (
            RunResult::NothingToDo,
            format!("nothing to do: {as_before}"),
        ),
        (true, _, 0) => (
            RunResult::Applied,
            "applied: the schema has changed".to_owned(),
        ),
        (true, _, count) => (
            RunResult::Applied,
            format!("applied: {}", many(count, "migration")),
        ),
        (false, false, 0) => (RunResult::NotApplied, format!("not applied: {as_before}")),
        (false, _, count) => (RunResult::HalfApplied, half(count)),
    };
    Outcome {
        result,
        told: with_invalid(told, &invalid),
        recorded,
        invalid,
    }
}

fn unknown(succeeded: bool) -> Outcome {
    let ended = if succeeded { "succeeded" } else { "failed" };
    Outcome {
        result: RunResult::Unknown,
        told: format!(
            "the command {ended}; what it left is unknown: the server could not be asked"
        ),
        recorded: Vec::new(),
        invalid: Vec::new(),
    }
}

/// That nothing has changed, but for tables that the tool has made for itself.
fn as_before(made: &[&str]) -> String {
    match made {
        [] => "the schema and the version tables are as before".to_owned(),
        [table] => format!("the schema is as before; only the tool's own table {table} was made"),
        tables => format!(
            "the schema is as before; only the tool's own tables were made: {}",
            tables.join(", ")
        ),
    }
}

fn half(recorded: usize) -> String {
    match recorded {
        0 => "half applied: it failed, and the schema is not as before".to_owned(),
        count => format!(
            "half applied: {} recorded, then it failed",
            many(count, "migration")
        ),
    }
}

fn with_invalid(mut told: String, invalid: &[RelationName]) -> String {
    for index in invalid {
        told.push_str(&format!(
            "; the index {index} is invalid: DROP INDEX CONCURRENTLY {index};"
        ));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

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

    #[test]
    fn the_schema_tells_what_the_status_does_not() {
        let old = state("a", &["1"]);
        let cases = [
            (true, state("a", &["1"]), RunResult::NothingToDo),
            (true, state("b", &["1"]), RunResult::Applied),
            (true, state("a", &["1", "2"]), RunResult::Applied),
            (false, state("a", &["1"]), RunResult::NotApplied),
            (false, state("b", &["1"]), RunResult::HalfApplied),
            (false, state("b", &["1", "2"]), RunResult::HalfApplied),
        ];
        for (succeeded, after, result) in cases {
            let told = outcome(succeeded, Some(&old), Some(&after));
            assert_eq!(told.result, result, "{succeeded} {after:?}");
        }
        let back = outcome(true, Some(&old), Some(&state("b", &[])));
        assert_eq!(back.told, "taken back: 1 migration");
        let lost = outcome(true, Some(&old), None);
        assert_eq!(lost.result, RunResult::Unknown);
        let new = outcome(true, Some(&old), Some(&state("b", &["1", "2"])));
        assert_eq!(new.recorded, ["public.v: 2"]);
    }

    #[test]
    fn a_first_run_that_made_only_the_tools_own_table_has_applied_nothing() {
        let with = |digest: &str| SchemaState {
            own: [("public.v".to_owned(), digest.to_owned())].into(),
            ..state("a", &[])
        };
        let none = SchemaState {
            books: BTreeMap::new(),
            ..state("a", &[])
        };
        let told = outcome(false, Some(&none), Some(&with("1")));
        assert_eq!(told.result, RunResult::NotApplied);
        assert!(
            told.told.contains("own table public.v was made"),
            "{told:?}"
        );
        for (before, after) in [(with("1"), with("2")), (with("1"), none)] {
            let told = outcome(false, Some(&before), Some(&after));
            assert_eq!(told.result, RunResult::HalfApplied, "{after:?}");
        }
    }
}
