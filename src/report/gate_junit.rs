//! A gate's answer as JUnit XML: a suite a file, a case a statement.

use super::gate_findings::{Finding, GateView, Level, answer_on, findings, place};
use crate::model::Answer;
use crate::safe::printable;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

/// The whole document.
///
/// # Errors
/// What the XML writer said; it cannot happen with texts that are valid UTF-8.
pub fn gate_junit(view: &GateView) -> crate::Result<String> {
    let found = findings(view);
    let mut report = Report::new("pgguard gate");
    for mut suite in suites(view, &found) {
        suite.set_timestamp(view.taken_at.fixed_offset());
        report.add_test_suite(suite);
    }
    report.to_string().map_err(|error| crate::Error::File {
        what: "write",
        path: "JUnit XML".into(),
        why: error.to_string(),
    })
}

fn suites(view: &GateView, found: &[Finding]) -> Vec<TestSuite> {
    let mut suites: Vec<(String, TestSuite)> = Vec::new();
    let mut add = |file: String, case: TestCase| {
        let at = suites.iter().position(|(name, _)| *name == file);
        let at = at.unwrap_or_else(|| {
            suites.push((file.clone(), TestSuite::new(file)));
            suites.len() - 1
        });
        suites[at].1.add_test_case(case);
    };
    for index in 0..view.footprint.statements.len() {
        if let Some(place) = place(view.footprint, index) {
            let own: Vec<&Finding> = found
                .iter()
                .filter(|f| f.place.as_ref().is_some_and(|p| p.statement == index))
                .collect();
            let mut case = TestCase::new(
                if place.file.is_empty() {
                    place.sql.clone()
                } else {
                    format!("line {}: {}", place.line, place.sql)
                },
                status(answer_on(view.verdict, index), &own),
            );
            let suite = if place.file.is_empty() {
                "pgguard"
            } else {
                &place.file
            };
            case.set_classname(suite);
            case.extra.insert("file".into(), place.file.clone().into());
            case.extra
                .insert("line".into(), place.line.to_string().into());
            add(place.file, case);
        }
    }
    let whole: Vec<&Finding> = found.iter().filter(|f| f.place.is_none()).collect();
    if view.footprint.statements.is_empty() || whole.iter().any(|f| f.level == Level::Doubt) {
        let answer = if whole.iter().any(|f| f.level == Level::Doubt) {
            Answer::CannotTell
        } else {
            Answer::Clear
        };
        let mut case = TestCase::new(printable(view.database), status(answer, &whole));
        case.set_classname("the server");
        add("the server".into(), case);
    }
    suites.into_iter().map(|(_, suite)| suite).collect()
}

fn status(answer: Answer, found: &[&Finding]) -> TestCaseStatus {
    let kind = match answer {
        Answer::Clear => return TestCaseStatus::success(),
        Answer::WouldBlock | Answer::WouldFail => NonSuccessKind::Failure,
        Answer::CannotTell => NonSuccessKind::Error,
    };
    let weighty: Vec<&&Finding> = found.iter().filter(|f| f.level != Level::Note).collect();
    let titles: Vec<&str> = weighty.iter().map(|f| f.title.as_str()).collect();
    let texts: Vec<String> = found.iter().map(|f| f.text()).collect();
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(answer.word());
    status.set_message(format!("{}: {}", answer.headline(), titles.join("; ")));
    status.set_description(texts.join("\n\n"));
    status
}
