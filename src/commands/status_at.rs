//! `pgguard status --at 03:15`: what somebody saw then.

use super::screen;
use crate::cli::{Color, ConnectArgs, HistoryArgs, RecordArgs, StatusArgs, StatusFormat};
use crate::door::{self, Form};
use crate::history::Place;
use crate::history::looks::{FAR_APART, Looks};
use crate::look::facts::Facts;
use crate::report::Shown;
use crate::report::page::{Ink, Page};
use crate::watch::Look;
use crate::words::{Zone, brief, when};
use crate::{Error, Result};
use chrono::{DateTime, FixedOffset, Utc};
use std::path::{Path, PathBuf};

/// Runs the command for a time of the last hour.
///
/// # Errors
/// When nobody looked, or it is unknown at which server.
pub async fn run(args: &StatusArgs, shown: &Shown, text: &str, color: Color) -> Result<u8> {
    let asked = when(text, Utc::now(), &Zone::local()).map_err(Error::Usage)?;
    let looks = kept(&args.history, &args.connect).await?;
    let nobody = || {
        Error::Usage(
            "nobody looked in the last hour: status, check, gate, run and status --watch keep what they see".into(),
        )
    };
    let at = looks
        .before(asked)
        .or_else(|| looks.after(asked))
        .ok_or_else(nobody)?;
    let kept = looks.look(at).ok_or_else(nobody)?;
    let zone = screen::zone(at);
    let look = Look::of_kept(kept).in_zone(zone);
    let told = look.report(shown);
    let page = screen::page(color);
    if args.format == StatusFormat::Text {
        let text = past_in_words(&looks, asked, at, zone, page);
        door::print(Form::Lines, &text)?;
    }
    screen::tell(&told, args.format, page.without_lines(3))?;
    Ok(0)
}

/// The folder with the looks of this machine.
///
/// # Errors
/// When nothing is kept.
pub(super) fn folder(history: &HistoryArgs) -> Result<PathBuf> {
    let place = Place::of(history.history.as_deref())?;
    place
        .looks()
        .filter(|_| !history.no_history)
        .ok_or_else(|| {
            Error::Usage(
                "looks are kept next to the history's file: name one with --history".into(),
            )
        })
}

/// The looks at the server that is meant: the only one that looks are kept of, else the one that is connected to.
async fn kept(history: &HistoryArgs, connect: &ConnectArgs) -> Result<Looks> {
    let folder = folder(history)?;
    let mut servers = Looks::servers(&folder).into_iter();
    match (servers.next(), servers.next()) {
        (None, _) => Ok(Looks::default()),
        (Some(only), None) => Ok(Looks::of(&folder, &only)),
        _ => of_server(&folder, connect).await,
    }
}

async fn of_server(folder: &Path, connect: &ConnectArgs) -> Result<Looks> {
    let facts = Facts::open(connect, &RecordArgs::default(), 0).await?;
    let server = facts.server_key().unwrap_or_default();
    facts.finish().await;
    Ok(Looks::of(folder, &server))
}

/// When the look was, and how far from the time that was asked for.
fn past_in_words(
    looks: &Looks,
    asked: DateTime<Utc>,
    at: DateTime<Utc>,
    zone: FixedOffset,
    page: Page,
) -> String {
    let clock = |at: DateTime<Utc>| at.with_timezone(&zone).format("%H:%M:%S").to_string();
    let away = brief((asked - at).abs());
    let how = if at <= asked { "before" } else { "after" };
    let next = looks.after(at).map_or_else(
        || "no look came after it".to_owned(),
        |next| format!("the next one was at {}", clock(next)),
    );
    let is_far = (asked - at).abs() > FAR_APART;
    let (ink, label, text) = if is_far {
        let text = format!(
            "at {}: this look was at {}, {away} {how} it; {next}",
            clock(asked),
            clock(at)
        );
        (Ink::Doubtful, "NOBODY LOOKED", text)
    } else {
        let text = format!(
            "the look of {}, {away} {how} {}; {next}",
            clock(at),
            clock(asked)
        );
        (Ink::Doubtful, "PAST", text)
    };
    let mut out = String::new();
    for (nth, line) in page.lines(&text, label.len() + 2).iter().enumerate() {
        let label = if nth == 0 {
            label.to_owned()
        } else {
            " ".repeat(label.len())
        };
        out += &format!("{}  {line}\n", page.paint(ink, &label));
    }
    out
}
