//! What was left behind: the doctor's findings as one answer.

use super::sight::Sight;
use super::state::{Answer, Figure, State, Unit};
use crate::doctor::{Diagnosis, Finding};
use crate::words::{many, one_line};

/// How long the sentence of a finding may be in the first line.
const ROOM: usize = 120;

/// How many things were left behind; what could not be read makes the answer UNKNOWN, never OK.
pub fn left_behind(sight: &Sight<'_>) -> Answer {
    let Some(diagnosis) = sight.diagnosis else {
        return Answer::unknown("nothing was examined");
    };
    let harmful: Vec<&Finding> = diagnosis
        .findings
        .iter()
        .filter(|finding| !finding.is_information())
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    let value = harmful.len() as f64;
    let state = match sight.judgement.thresholds.state_of(value) {
        State::Ok if !diagnosis.unread.is_empty() => State::Unknown,
        state => state,
    };
    Answer {
        state,
        text: text(&harmful, diagnosis),
        details: harmful.iter().map(|finding| detail(finding)).collect(),
        figures: vec![
            sight.judged("left_behind", value, Unit::Count),
            Figure::count("notes", diagnosis.findings.len() - harmful.len()),
            Figure::count("not_seen", diagnosis.unread.len()),
        ],
    }
}

fn text(harmful: &[&Finding], diagnosis: &Diagnosis) -> String {
    let found = match harmful.first() {
        None => "nothing was left behind".to_owned(),
        Some(worst) => format!(
            "{}: {}; pgguard doctor says more",
            many(harmful.len(), "finding"),
            one_line(&worst.what, ROOM)
        ),
    };
    match diagnosis.unread.first() {
        None => found,
        Some(unread) if unread.help.is_empty() => format!("{found}; {}", unread.what),
        Some(unread) => format!("{found}; {}: {}", unread.what, unread.help),
    }
}

fn detail(finding: &Finding) -> String {
    let command = match finding.remedy.command.as_str() {
        "" => String::new(),
        command => format!(": {}", one_line(command, ROOM)),
    };
    format!("{}; {}{command}", finding.what, finding.remedy.advice)
}
