//! What standard output is as a page: how wide it is, and whether it has colours.

use crate::Result;
use crate::cli::{Color, StatusFormat};
use crate::door::{self, Form};
use crate::report::page::Page;
use crate::report::{self, StatusReport};
use crate::words::Zone;
use chrono::{DateTime, FixedOffset, Offset as _, Utc};

/// The reader's zone, as its clocks are at this time.
#[must_use]
pub fn zone(at: DateTime<Utc>) -> FixedOffset {
    at.with_timezone(&Zone::local()).offset().fix()
}

/// The page that standard output is.
#[must_use]
pub fn page(color: Color) -> Page {
    let terminal = door::is_terminal();
    Page {
        width: if terminal { door::columns() } else { 0 },
        height: if terminal { door::lines() } else { 0 },
        color: match color {
            Color::Always => true,
            Color::Never => false,
            // https://no-color.org: set and not empty.
            Color::Auto => {
                terminal
                    && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
                    && std::env::var_os("TERM").is_none_or(|v| v != "dumb")
            }
        },
    }
}

/// Prints the report in the form asked for.
pub(super) fn tell(told: &StatusReport<'_>, format: StatusFormat, page: Page) -> Result<()> {
    let (form, text) = match format {
        StatusFormat::Text => (Form::Lines, report::status_text::render(told, page)),
        StatusFormat::Json => (Form::Json, report::status_json(told)),
        StatusFormat::Html => (Form::Marked, report::status_html(told)),
        StatusFormat::Markdown => (Form::Lines, report::status_markdown(told)),
    };
    door::print(form, &text)
}
