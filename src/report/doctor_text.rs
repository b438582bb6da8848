//! `doctor` for people: what was left behind, the most harmful first, each with the command that ends it.

use super::page::{Ink, Page};
use crate::doctor::{Diagnosis, Finding, Harm, Place};
use crate::model::{Certainty, Server, Unread};
use crate::safe::printable;
use crate::words::{Zone, dated, many};
use chrono::{DateTime, Utc};
use std::fmt::Write as _;

#[must_use]
pub fn doctor_text(
    diagnosis: &Diagnosis,
    server: &Server,
    at: DateTime<Utc>,
    page: Page,
) -> String {
    let mut out = heading(diagnosis, server, at, page);
    for finding in &diagnosis.findings {
        out += &one(finding, page);
    }
    for unread in &diagnosis.unread {
        out += &not_seen(unread, page);
    }
    for note in &diagnosis.notes {
        out += &page.labelled("note", &printable(note));
    }
    out
}

fn heading(diagnosis: &Diagnosis, server: &Server, at: DateTime<Utc>, page: Page) -> String {
    let server = format!(
        "{}, Postgres {}.{}, {}",
        printable(&server.datname),
        server.major(),
        server.version_num % 10_000,
        dated(&Zone::local(), at, "%H:%M:%S"),
    );
    let (ink, label, rest) = match diagnosis.count() {
        0 if diagnosis.unread.is_empty() => (Ink::Good, "OK".to_owned(), "nothing was left behind"),
        0 => (
            Ink::Doubtful,
            "CANNOT TELL".to_owned(),
            "nothing was found, and not all could be read",
        ),
        count => (
            Ink::Bad,
            many(count, "finding").to_uppercase(),
            "the most harmful first",
        ),
    };
    format!(
        "{}\n\n{}  {rest}\n\n",
        page.paint(Ink::Faint, &page.cut(&server, 0)),
        page.paint(ink, &label)
    )
}

fn one(finding: &Finding, page: Page) -> String {
    let ink = match finding.harm {
        Harm::Blocks | Harm::StopsMigrations => Ink::Bad,
        Harm::Risks | Harm::Costs => Ink::Doubtful,
        Harm::Information => Ink::Faint,
    };
    let doubt = match finding.certainty {
        Certainty::Certain => String::new(),
        less => format!(" ({})", less.word()),
    };
    let label = match finding.is_information() {
        true => format!("note: {}", finding.kind.label()),
        false => finding.kind.label().to_owned(),
    };
    let mut out = format!("{}{doubt}\n", page.paint(ink, &label));
    for line in page.within(2).hanging(&printable(&finding.what)) {
        let _ = writeln!(out, "  {line}");
    }
    for proof in &finding.proof {
        out += &page.labelled("proof", &printable(proof));
    }
    out += &page.labelled("costs", &printable(&finding.cost));
    let advice = &finding.remedy.advice;
    let advice = match (finding.remedy.command.is_empty(), finding.remedy.place) {
        (true, _) => advice.clone(),
        (false, Place::Sql) => format!("{advice}, in psql:"),
        (false, Place::Shell) => format!("{advice}:"),
    };
    out += &page.labelled("do", &printable(&advice));
    if !finding.remedy.command.is_empty() {
        for line in finding.remedy.command.lines() {
            let _ = writeln!(out, "      {}", page.paint(Ink::Strong, &printable(line)));
        }
    }
    out.push('\n');
    out
}

fn not_seen(unread: &Unread, page: Page) -> String {
    let mut out = format!("{}\n", page.paint(Ink::Doubtful, "NOT SEEN"));
    for line in page.within(2).hanging(&printable(&unread.what)) {
        let _ = writeln!(out, "  {line}");
    }
    if !unread.help.is_empty() {
        out += &page.labelled("do", &printable(&unread.help));
    }
    out.push('\n');
    out
}
