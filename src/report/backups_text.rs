//! `backups` for people: what runs, what comes, and a table of what was, with a bar for each duration.

use super::backups::{BackupsReport, RunningBackup};
use super::page::{Ink, Page, columns};
use super::status_words as words;
use crate::backup::Kind;
use crate::backup::schedule::NextBackup;
use crate::model::{BackupRun, RunOutcome};
use crate::safe::printable;
use crate::words::{Zone, brief, clock, many};
use chrono::{DateTime, TimeDelta, Utc};
use comfy_table::{ContentArrangement, Table, presets};
use std::fmt::Write as _;

/// Columns of the bar of a running backup.
const BAR: usize = 20;

/// The longest bar of a past run takes no more columns than this, and no bar is drawn in less than the least.
const MOST_CHART: usize = 30;
const LEAST_CHART: usize = 6;

#[must_use]
pub fn render(report: &BackupsReport, page: Page) -> String {
    let mut out = String::new();
    match report.running.as_deref() {
        Some([]) => line(&mut out, page, "running", "no backup is visible"),
        Some(running) => running
            .iter()
            .for_each(|backup| out += &is_running(backup, report.now, page)),
        None => {}
    }
    if let Some(next) = &report.next {
        line(&mut out, page, "next", &comes_next(next, report.now));
    }
    for note in &report.notes {
        line(&mut out, page, "note", note);
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out + &past(report, page)
}

fn line(out: &mut String, page: Page, label: &str, text: &str) {
    *out += &page.labelled(label, &printable(text));
}

fn is_running(backup: &RunningBackup, now: DateTime<Utc>, page: Page) -> String {
    let of = match backup.database.as_str() {
        "" => String::new(),
        database => format!(" of {database}"),
    };
    let since = backup.started.map_or_else(String::new, |at| {
        format!(
            ", since {} ({})",
            clock(&Zone::local(), at, now),
            brief(now - at)
        )
    });
    let mut out = page.labelled(
        "running",
        &printable(&format!(
            "{}{of} by {}, pid {}{since}",
            backup.tool, backup.user, backup.pid
        )),
    );
    let Some(estimate) = &backup.estimate else {
        return out;
    };
    let bar = estimate.fraction_done.map(|done| {
        let full = (done.clamp(0.0, 1.0) * BAR as f64).round() as usize;
        format!("[{}{}]  ", "█".repeat(full), "░".repeat(BAR - full))
    });
    let end = words::ends(estimate).map_or_else(
        || {
            let why = estimate
                .unknown
                .as_deref()
                .unwrap_or("not enough was seen of it yet");
            format!("its end is not known: {why}")
        },
        |ends| match estimate.remaining_s {
            Some(left) => format!(
                "{ends}, at {}",
                clock(&Zone::local(), now + seconds(left), now)
            ),
            None => ends,
        },
    );
    out += &page.labelled(
        "",
        &format!("{}{}", bar.unwrap_or_default(), printable(&end)),
    );
    for more in [
        words::progress(estimate),
        format!("from {}", estimate.basis),
    ] {
        if !more.is_empty() && more != "from " {
            out += &page.labelled("", &printable(&more));
        }
    }
    out
}

fn seconds(seconds: f64) -> TimeDelta {
    TimeDelta::try_milliseconds((seconds * 1000.0) as i64).unwrap_or_default()
}

fn comes_next(next: &NextBackup, now: DateTime<Utc>) -> String {
    let starts = if next.starts > now {
        format!(
            "{}, in {}",
            clock(&Zone::local(), next.starts, now),
            brief(next.starts - now)
        )
    } else {
        format!(
            "{}, due {} ago",
            clock(&Zone::local(), next.starts, now),
            brief(now - next.starts)
        )
    };
    let ends = next.ends.map_or_else(String::new, |ends| {
        format!(", until about {}", clock(&Zone::local(), ends, now))
    });
    let physical = match next.kind {
        Kind::Physical => "; it copies files, so no migration meets it",
        Kind::Logical => "",
    };
    format!("{starts}{ends} ({}{physical})", next.basis)
}

fn past(report: &BackupsReport, page: Page) -> String {
    let place = report.history.as_deref().unwrap_or("not read");
    if report.runs.is_empty() {
        let what = if report.history.is_some() {
            "No past run is known. Every look records what it sees: let `pgguard check` or `pgguard status --watch` look \
             while a backup runs, or put the backup's command behind `pgguard backups record --`."
        } else {
            "The history was not read."
        };
        let mut out = String::new();
        for line in page.lines(what, 0) {
            let _ = writeln!(out, "{line}");
        }
        return out + &page.paint(Ink::Faint, &format!("History: {place}\n"));
    }
    let mut out = table(report, page);
    let shown = if report.known_runs > report.runs.len() {
        format!(
            "{} of {} runs (--last shows more)",
            report.runs.len(),
            report.known_runs
        )
    } else {
        many(report.known_runs, "run")
    };
    let _ = writeln!(
        out,
        "{}",
        page.paint(
            Ink::Faint,
            &page.cut(&format!("History: {place}, {shown}"), 0)
        )
    );
    out
}

fn table(report: &BackupsReport, page: Page) -> String {
    let longest = report.runs.iter().map(span).max().unwrap_or_default();
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["STARTED", "TOOK", "DATABASE", "TOOL", "BY", "SIZE", ""]);
    for run in &report.runs {
        table.add_row(cells(run));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<String> = table.lines().collect();
    let widest = lines
        .iter()
        .map(|line| columns(line.trim_end()))
        .max()
        .unwrap_or(0);
    let room = match page.width {
        0 => MOST_CHART,
        width => width.saturating_sub(widest + 2).min(MOST_CHART),
    };
    let mut out = String::new();
    for (nth, line) in lines.iter().enumerate() {
        let bare = page.cut(line.trim_end(), 0);
        let Some(run) = nth.checked_sub(1).and_then(|nth| report.runs.get(nth)) else {
            let _ = writeln!(out, "{}", page.paint(Ink::Faint, &bare));
            continue;
        };
        let gap = " ".repeat((widest + 2).saturating_sub(columns(&bare)));
        let bar = if room < LEAST_CHART {
            String::new()
        } else {
            format!("{gap}{}", bar(span(run), longest, room))
        };
        let ink = match run.outcome {
            RunOutcome::Complete => Ink::Good,
            RunOutcome::Running => Ink::Strong,
            RunOutcome::Aborted => Ink::Bad,
            RunOutcome::Unseen => Ink::Doubtful,
        };
        let _ = writeln!(out, "{}{}", bare, page.paint(ink, &bar));
    }
    out
}

fn cells(run: &BackupRun) -> Vec<String> {
    let outcome = match run.outcome {
        RunOutcome::Complete => "",
        RunOutcome::Running => "running",
        RunOutcome::Aborted => "aborted",
        RunOutcome::Unseen => "end not seen",
    };
    let tool = match run.workers {
        0 | 1 => run.key.tool.clone(),
        workers => format!("{} -j{workers}", run.key.tool),
    };
    vec![
        run.started
            .with_timezone(&Zone::local())
            .format("%Y-%m-%d %H:%M")
            .to_string(),
        brief(span(run)),
        printable(&run.key.database),
        printable(&tool),
        printable(&run.key.user),
        if run.database_bytes > 0 {
            super::explain_text::size(run.database_bytes)
        } else {
            String::new()
        },
        outcome.to_owned(),
    ]
}

fn span(run: &BackupRun) -> TimeDelta {
    run.ended - run.started
}

/// A bar of eighths: `███▌`.
fn bar(span: TimeDelta, longest: TimeDelta, room: usize) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let share = span.as_seconds_f64() / longest.as_seconds_f64().max(0.001);
    let eighths = ((share.clamp(0.0, 1.0) * room as f64 * 8.0).round() as usize).max(1);
    let mut bar = "█".repeat(eighths / 8);
    if let part @ 1.. = eighths % 8 {
        bar.push(EIGHTHS[part]);
    }
    bar
}
