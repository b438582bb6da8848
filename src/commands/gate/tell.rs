//! What a gate prints: the report in every form, and its progress line.

use super::over_all::{outlook, over_all};
use super::subject::Subject;
use crate::cli::{Color, GateArgs, GateFormat};
use crate::commands::screen;
use crate::door::{self, Form};
use crate::model::{Answer, Outlook, Wait};
use crate::report::{self, GateView, Shown, StatusReport};
use crate::words::Zone;
use crate::{Error, Result};
use chrono::{TimeDelta, Utc};

/// Prints the report in the form asked for.
pub(super) fn tell(args: &GateArgs, subjects: &[Subject], color: Color) -> Result<()> {
    let shown = Shown::default();
    let reports = reports(subjects, &shown);
    let views = views(subjects, &reports, args.from.catalog.is_some());
    let (form, text) = match args.format {
        GateFormat::Text => (
            Form::Lines,
            each(&views, |view| report::gate_text(view, screen::page(color))),
        ),
        GateFormat::Json => (
            Form::Json,
            json(
                &views,
                over_all(subjects).answer,
                outlook(subjects, args.at.is_some()),
            ),
        ),
        GateFormat::Github => (Form::Marked, github(&views)?),
        GateFormat::Junit => (Form::Marked, report::gate_junit(&views)?),
        GateFormat::Sarif => (Form::Json, report::gate_sarif(&views)),
        GateFormat::Gitlab => (Form::Json, report::gate_gitlab(&views)),
        GateFormat::Html => (Form::Marked, report::gate_html(&views)),
        GateFormat::Markdown => (Form::Lines, each(&views, report::gate_markdown)),
    };
    door::print(form, &text)?;
    if args.format == GateFormat::Text && views.len() > 1 {
        let answer = over_all(subjects).answer;
        door::print(
            Form::Lines,
            &format!("{} over all {} servers\n", answer.headline(), views.len()),
        )?;
    }
    Ok(())
}

/// Who is there, server by server.
pub(super) fn reports<'a>(
    subjects: &'a [Subject],
    shown: &'a Shown,
) -> Vec<Option<StatusReport<'a>>> {
    let looked = subjects.iter().filter_map(|s| s.last.as_ref());
    looked
        .map(|last| last.look.as_ref().map(|look| look.report(shown)))
        .collect()
}

pub(super) fn views<'a>(
    subjects: &'a [Subject],
    reports: &'a [Option<StatusReport<'a>>],
    of_catalog: bool,
) -> Vec<GateView<'a>> {
    let zone = screen::zone(Utc::now());
    subjects
        .iter()
        .filter_map(|s| s.last.as_ref())
        .zip(reports)
        .map(|(l, report)| GateView {
            status: report.as_ref(),
            forecast: l.forecast.as_ref(),
            footprint: &l.footprint,
            verdict: &l.verdict,
            database: &l.database,
            taken_at: l.taken_at,
            zone,
            of_catalog,
        })
        .collect()
}

pub(super) fn each(views: &[GateView], told: impl Fn(&GateView) -> String) -> String {
    views.iter().map(told).collect()
}

/// Several servers in one document: one verdict each, and one over all.
fn json(views: &[GateView], answer: Answer, outlook: Option<Outlook>) -> String {
    if let [view] = views {
        return report::gate_json(view);
    }
    let targets: Vec<_> = views.iter().map(report::gate_value).collect();
    let document = serde_json::json!({
        "version": 1,
        "verdict": answer.word(),
        "exit_status": outlook.map_or(answer.exit_status(), Outlook::exit_status),
        "targets": targets,
    });
    format!("{document:#}\n")
}

/// Annotations on standard output, and the step's summary where the runner names a file for it.
fn github(views: &[GateView]) -> Result<String> {
    if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY") {
        let summary = Form::Lines.made_safe(&each(views, report::gate_markdown));
        door::file::append(path.as_ref(), summary.as_bytes()).map_err(|error| Error::File {
            what: "write",
            path: path.to_string_lossy().into_owned(),
            why: format!("{error} ($GITHUB_STEP_SUMMARY)"),
        })?;
    }
    Ok(each(views, report::gate_github))
}
/// The progress line: who is in the way, and until when, as far as that is known.
pub(super) fn still_waiting(subjects: &[Subject], left: TimeDelta) -> String {
    let waits = || {
        subjects
            .iter()
            .filter_map(|s| s.last.as_ref())
            .flat_map(|l| &l.verdict.statements)
            .flat_map(|s| &s.waits)
            .filter(|w| w.counts)
    };
    let who = waits()
        .next()
        .map_or_else(|| "not clear yet".to_owned(), in_the_way);
    format!("waiting: {who}; gives up in {}", crate::words::span(left))
}

/// Who is in the way, and until when, as far as that is known.
pub(super) fn in_the_way(wait: &Wait) -> String {
    let who = match (wait.blocker.pid, &wait.blocker.gid) {
        (Some(pid), _) => format!("{} (pid {pid})", wait.blocker.role.in_words()),
        (None, gid) => format!(
            "prepared transaction {}",
            gid.as_deref().unwrap_or_default()
        ),
    };
    let until = wait.clears.as_ref().and_then(|c| c.expected);
    let until = until.map_or_else(String::new, |t| {
        format!(
            ", clears ~{}",
            t.with_timezone(&Zone::local()).format("%H:%M")
        )
    });
    format!("{who} is in the way{until}")
}
