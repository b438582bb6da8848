//! Where a command prints: how wide it is, whether it has colours, and a line that moves.

use crate::cli::Color;
use crate::report::page::Page;
use crate::{Error, Result};
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// The page that standard output is.
#[must_use]
pub fn page(color: Color) -> Page {
    let terminal = io::stdout().is_terminal();
    Page {
        width: if terminal { columns() } else { 0 },
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

fn columns() -> usize {
    crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns).max(40))
}

/// Writes to standard output; a reader that has gone away is no error.
///
/// # Errors
/// When it cannot be written for another reason.
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::File {
            what: "write",
            path: "standard output".into(),
            why: error.to_string(),
        }),
        _ => Ok(()),
    }
}

/// A line on standard error that says how a wait goes on: rewritten in place on a terminal, at most
/// every 30 seconds and only when it changed in a log.
pub struct ProgressLine {
    terminal: bool,
    last: Option<Instant>,
}

/// Between two lines of a log that say the same kind of thing.
const LOG_EVERY: Duration = Duration::from_secs(30);

impl ProgressLine {
    /// A line that has not been shown yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            terminal: io::stderr().is_terminal(),
            last: None,
        }
    }

    /// Shows a text in it.
    pub fn say(&mut self, text: &str) {
        if self.terminal {
            let cut: String = text.chars().take(columns().saturating_sub(1)).collect();
            eprint!("\r\x1b[2K{cut}");
        } else if self
            .last
            .as_ref()
            .is_none_or(|at| at.elapsed() >= LOG_EVERY)
        {
            eprintln!("pgguard: {text}");
        } else {
            return;
        }
        self.last = Some(Instant::now());
    }

    /// Takes it away.
    pub fn clear(&mut self) {
        if self.terminal && self.last.take().is_some() {
            eprint!("\r\x1b[2K");
        }
    }
}

impl Default for ProgressLine {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.clear();
    }
}
