//! What a gate found, as short facts: the same for every form that it is told in.

use super::gate_holds;
use super::gate_view::{Finding, GateView, Level, RULES, place};
use super::gate_waits::{crowds, groups, label, rule};
use super::gate_words::{
    MOST_BLOCKERS, advice, behind, clears, crowd_in_words, passed_over, title,
};
use crate::model::{ClearsBy, RunningMigration, Statement, StatementVerdict};
use crate::safe::printable;

/// Everything that was found: what blocks, then what is unknown, then what is worth knowing, each in
/// the order of the statements.
#[must_use]
pub fn findings(view: &GateView) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, verdict) in view.verdict.statements.iter().enumerate() {
        found.extend(blocks(view, index, verdict));
        found.extend(too_long(view, index, verdict));
        found.extend(fails(view, index, verdict));
        if let Some(statement) = view.footprint.statements.get(index) {
            found.extend(notes(view, index, statement, verdict));
        }
    }
    found.extend(view.verdict.doubts.iter().map(|doubt| {
        Finding {
            level: Level::Doubt,
            rule: RULES[4],
            place: doubt
                .statement
                .and_then(|index| place(view.footprint, index)),
            title: printable(&doubt.what),
            facts: Vec::new(),
            advice: vec![printable(&doubt.help)],
            safer: None,
        }
    }));
    let running = view.verdict.running.iter().map(RunningMigration::in_words);
    let warnings = view.verdict.warnings.iter().cloned();
    let rehearsal = view.footprint.rehearsal().map(|tally| tally.in_words());
    found.extend(
        running
            .chain(warnings)
            .chain(rehearsal)
            .map(|text| Finding {
                level: Level::Note,
                rule: RULES[5],
                place: None,
                title: printable(&text),
                facts: Vec::new(),
                advice: Vec::new(),
                safer: None,
            }),
    );
    found.extend(accepted(view));
    found.sort_by_key(|finding| finding.level);
    found
}

/// What is in a statement's way: a finding for each mode and set of blockers.
fn blocks(view: &GateView, index: usize, verdict: &StatementVerdict) -> Vec<Finding> {
    groups(verdict)
        .iter()
        .enumerate()
        .map(|(nth, group)| {
            let first = group.waits[0];
            let crowds = crowds(&group.waits);
            let mut facts: Vec<(&'static str, String)> = crowds
                .iter()
                .take(MOST_BLOCKERS)
                .map(|crowd| (label(crowd[0]), crowd_in_words(view, crowd)))
                .collect();
            if crowds.len() > MOST_BLOCKERS {
                facts.push(("", format!("and {} more", crowds.len() - MOST_BLOCKERS)));
            }
            facts.push(("clears", clears(view, &group.waits)));
            if nth == 0 {
                facts.extend(verdict.behind.as_ref().map(|b| ("behind it", behind(b))));
                facts.extend(verdict.notes.iter().map(|note| ("note", printable(note))));
            }
            Finding {
                level: Level::Block,
                rule: rule(first.kind),
                place: place(view.footprint, index),
                title: title(view, first, &group.relations),
                facts,
                advice: advice(view, &group.waits),
                safer: verdict.safer.clone().filter(|_| nth == 0),
            }
        })
        .collect()
}

/// The locks of a statement that would keep others out for too long.
fn too_long(view: &GateView, index: usize, verdict: &StatementVerdict) -> Vec<Finding> {
    let groups = gate_holds::groups(verdict, true);
    let finding = |group: &gate_holds::Group| Finding {
        level: Level::Block,
        rule: RULES[6],
        place: place(view.footprint, index),
        title: group.title(),
        facts: group.facts(&view.footprint.statements),
        advice: vec![format!(
            "if others can wait that long, let it through: --max-hold {}s",
            (group.longest.hold.time.latest / 10.0).ceil() * 10.0
        )],
        safer: verdict.safer.clone(),
    };
    groups.iter().map(finding).collect()
}

/// Why a statement will not run.
fn fails(view: &GateView, index: usize, verdict: &StatementVerdict) -> Option<Finding> {
    let why = verdict.fails.as_ref()?;
    Some(Finding {
        level: Level::Fail,
        rule: RULES[7],
        place: place(view.footprint, index),
        title: printable(&format!("Postgres will refuse it: {why}")),
        facts: Vec::new(),
        advice: vec!["fix it; if it is meant to fail, let it through: --allow failing".to_owned()],
        safer: None,
    })
}

/// What was let through by name.
fn accepted(view: &GateView) -> impl Iterator<Item = Finding> {
    view.verdict.accepted.iter().map(|accepted| {
        let by = &accepted.by;
        let because = match &by.because {
            Some(why) => format!(" because {why}"),
            None => String::new(),
        };
        let text = format!(
            "let through ({} by {}{because}): {}",
            by.what.word(),
            by.from,
            accepted.what
        );
        Finding {
            level: Level::Note,
            rule: RULES[5],
            place: accepted.statement.and_then(|at| place(view.footprint, at)),
            title: printable(&text),
            facts: Vec::new(),
            advice: Vec::new(),
            safer: None,
        }
    })
}

/// What does not stop a statement: what gives way, what it will fail of, what the footprint noted.
fn notes(
    view: &GateView,
    index: usize,
    statement: &Statement,
    verdict: &StatementVerdict,
) -> Vec<Finding> {
    let gives_way = verdict
        .waits
        .iter()
        .filter_map(|wait| Some((wait, wait.clears_by?)))
        .filter_map(|(wait, by)| match by {
            ClearsBy::Autovacuum => Some(format!(
                "would wait a moment for autovacuum (pid {}), which gives way after deadlock_timeout",
                wait.blocker.pid.unwrap_or_default()
            )),
            ClearsBy::Skipped => Some(passed_over(wait)),
            ClearsBy::NotSeenTwice | ClearsBy::Young => None,
        });
    let fails = statement
        .fails
        .iter()
        .filter(|_| !statement.fails_for_certain)
        .map(|why| format!("Postgres will probably refuse it: {why}"));
    let holds = gate_holds::groups(verdict, false);
    let holds = holds
        .iter()
        .map(|group| group.line(&view.footprint.statements));
    gives_way
        .chain(fails)
        .chain(holds)
        .chain(statement.notes.iter().cloned())
        .map(|text| Finding {
            level: Level::Note,
            rule: RULES[5],
            place: place(view.footprint, index),
            title: printable(&text),
            facts: Vec::new(),
            advice: Vec::new(),
            safer: None,
        })
        .collect()
}
