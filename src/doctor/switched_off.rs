//! What is disabled, and constraints whose old rows nobody checked.

use super::case::Case;
use super::finding::{Finding, Harm, Kind, Remedy};
use crate::model::{Certainty, Disabled, NotValid, RelationName, Switch, quoted};

/// Triggers, rules and event triggers that do not fire.
pub fn disabled(case: &Case<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    let all = &case.leftovers.disabled;
    let mut done: Vec<(&Option<RelationName>, Switch)> = Vec::new();
    for one in all {
        if done.contains(&(&one.table, one.what)) {
            continue;
        }
        done.push((&one.table, one.what));
        let alike: Vec<&Disabled> = all
            .iter()
            .filter(|other| other.what == one.what && other.table == one.table)
            .collect();
        found.push(off(one, &alike));
    }
    found
}

/// What of one table is disabled, of one kind.
fn off(one: &Disabled, alike: &[&Disabled]) -> Finding {
    let names: Vec<String> = alike.iter().map(|d| quoted(&d.name)).collect();
    let is_are = if names.len() == 1 { "is" } else { "are" };
    let names = names.join(", ");
    let on = one
        .table
        .as_ref()
        .map_or_else(String::new, |table| format!(" of {table}"));
    let (kind, cost, harm) = match one.what {
        Switch::Constraint => (
            "foreign key",
            "nothing checks it: rows that break it get in",
            Harm::Risks,
        ),
        Switch::Trigger => ("trigger", "what it does is not done", Harm::Risks),
        Switch::Rule => ("rule", "what it does is not done", Harm::Risks),
        Switch::EventTrigger => (
            "event trigger",
            "what it does is not done",
            Harm::Information,
        ),
    };
    let plural = if alike.len() == 1 { "" } else { "s" };
    Finding {
        kind: Kind::Disabled,
        harm,
        certainty: Certainty::Likely,
        what: format!("{kind}{plural} {names}{on} {is_are} disabled"),
        relation: one.table.clone(),
        session: None,
        since: None,
        proof: vec![format!(
            "the catalog says so; this may be intended; a load that disables it and fails before it enables it again looks the same"
        )],
        cost: cost.into(),
        remedy: enable(one, alike),
    }
}

fn enable(one: &Disabled, alike: &[&Disabled]) -> Remedy {
    let table = one
        .table
        .as_ref()
        .map_or_else(String::new, ToString::to_string);
    let each = |form: &dyn Fn(&str) -> String| -> String {
        let commands: Vec<String> = alike.iter().map(|d| form(&quoted(&d.name))).collect();
        commands.join(" ")
    };
    match one.what {
        Switch::Constraint => Remedy::sql(
            "as superuser (it enables the table's other triggers too; rows added in the meantime stay unchecked)",
            format!("ALTER TABLE {table} ENABLE TRIGGER ALL;"),
        ),
        Switch::Trigger => Remedy::sql(
            "if that is not intended",
            each(&|name| format!("ALTER TABLE {table} ENABLE TRIGGER {name};")),
        ),
        Switch::Rule => Remedy::sql(
            "if that is not intended",
            each(&|name| format!("ALTER TABLE {table} ENABLE RULE {name};")),
        ),
        Switch::EventTrigger => Remedy::sql(
            "if that is not intended",
            each(&|name| format!("ALTER EVENT TRIGGER {name} ENABLE;")),
        ),
    }
}

/// Constraints that hold for new rows only.
pub fn not_valid(case: &Case<'_>) -> Vec<Finding> {
    case.leftovers.not_valid.iter().map(unchecked).collect()
}

fn unchecked(one: &NotValid) -> Finding {
    let (name, table) = (quoted(&one.name), &one.table);
    let kind = match one.kind {
        'f' => "foreign key",
        'n' => "not-null constraint",
        _ => "check",
    };
    Finding {
        kind: Kind::NotValidConstraint,
        harm: Harm::Information,
        certainty: Certainty::Certain,
        what: format!("{kind} {name} of {table} is NOT VALID"),
        relation: Some(table.clone()),
        session: None,
        since: None,
        proof: vec![
            "pg_constraint says convalidated = false; that is often intended for a while".into(),
        ],
        cost: "rows from before it may break it, and the planner does not rely on it".into(),
        remedy: Remedy::sql(
            "check the old rows (SHARE UPDATE EXCLUSIVE: reads and writes continue)",
            format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name};"),
        ),
    }
}
