//! What standard output is as a page: how wide it is, and whether it has colours.

use crate::cli::Color;
use crate::door;
use crate::report::page::Page;
use chrono::{DateTime, FixedOffset, Local, Utc};

/// The reader's zone, as its clocks are at this time.
#[must_use]
pub fn zone(at: DateTime<Utc>) -> FixedOffset {
    *at.with_timezone(&Local).offset()
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
