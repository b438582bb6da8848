//! A gate's answer as JUnit XML: a suite a file, a case a statement.

use super::gate_findings::findings;
use super::gate_view::{Finding, GateView, Level, Place, answer_on, place};
use crate::model::Answer;
use crate::safe::printable;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

/// The whole document, of all servers.
///
/// # Errors
/// What the XML writer said; it cannot happen with texts that are valid UTF-8.
pub fn gate_junit(views: &[GateView]) -> crate::Result<String> {
    let mut report = Report::new("pgguard gate");
    for view in views {
        let found = findings(view);
        for mut suite in suites(view, &found, views.len() > 1) {
            suite.set_timestamp(view.taken_at.fixed_offset());
            report.add_test_suite(suite);
        }
    }
    report.to_string().map_err(|error| crate::Error::File {
        what: "write",
        path: "JUnit XML".into(),
        why: error.to_string(),
    })
}

/// The suite of what is in no file.
const NO_FILE: &str = "migration";

/// The suite of what is about the server as a whole.
const SERVER: &str = "the server";

fn suites(view: &GateView, found: &[Finding], several: bool) -> Vec<TestSuite> {
    let mut suites: Vec<(String, TestSuite)> = Vec::new();
    let mut add = |suite: &str, mut case: TestCase| {
        let name = if several {
            format!("{}: {suite}", database(view))
        } else {
            suite.to_owned()
        };
        case.set_classname(name.as_str());
        let at = suites.iter().position(|(known, _)| *known == name);
        let at = at.unwrap_or_else(|| {
            suites.push((name.clone(), TestSuite::new(name)));
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
            let mut case =
                TestCase::new(name(&place), status(answer_on(view.verdict, index), &own));
            if let Some(path) = place.path() {
                case.extra.insert("file".into(), path.into());
                case.extra
                    .insert("line".into(), place.line.to_string().into());
            }
            add(place.path().unwrap_or(NO_FILE), case);
        }
    }
    let whole: Vec<&Finding> = found.iter().filter(|f| f.place.is_none()).collect();
    if view.footprint.statements.is_empty() || whole.iter().any(|f| f.level == Level::Doubt) {
        let answer = if whole.iter().any(|f| f.level == Level::Doubt) {
            Answer::CannotTell
        } else {
            Answer::Clear
        };
        add(
            SERVER,
            TestCase::new(database(view), status(answer, &whole)),
        );
    }
    suites.into_iter().map(|(_, suite)| suite).collect()
}

/// Never empty: a reader of JUnit drops a case without a name, or all of the file.
fn name(place: &Place) -> String {
    let sql = if place.sql.trim().is_empty() {
        "(no text)"
    } else {
        &place.sql
    };
    if place.file.is_empty() {
        sql.to_owned()
    } else {
        format!("line {}: {sql}", place.line)
    }
}

fn database(view: &GateView) -> String {
    if view.database.trim().is_empty() {
        "not connected".to_owned()
    } else {
        printable(view.database)
    }
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
