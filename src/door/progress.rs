//! A line on standard error that says how far a wait is.

use super::{columns, to_error};
use crate::safe;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

/// Rewritten in place on a terminal; at most every 30 seconds in a log.
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

    /// Shows a text in it. `false`: nobody reads it, nor standard output, so nobody waits for an end.
    #[must_use]
    pub fn say(&mut self, text: &str) -> bool {
        let text = safe::printable(text);
        let is_due = self.last.is_none_or(|at| at.elapsed() >= LOG_EVERY);
        let line = if self.terminal {
            let cut: String = text.chars().take(columns().saturating_sub(1)).collect();
            format!("\r\x1b[2K{cut}")
        } else if is_due {
            format!("pgguard: {text}\n")
        } else {
            return true;
        };
        self.last = Some(Instant::now());
        !is_gone(to_error(line.as_bytes())) || !output_is_gone()
    }

    /// Takes it away.
    pub fn clear(&mut self) {
        if self.terminal && self.last.take().is_some() {
            let _ = to_error(b"\r\x1b[2K");
        }
    }
}

fn is_gone(written: io::Result<()>) -> bool {
    written.is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Whether standard output is a pipe that nobody reads: poll(2) says so before a write does.
fn output_is_gone() -> bool {
    let out = io::stdout();
    let mut asked = [PollFd::new(out.as_fd(), PollFlags::empty())];
    poll(&mut asked, PollTimeout::ZERO).is_ok()
        && asked[0]
            .revents()
            .is_some_and(|events| events.contains(PollFlags::POLLERR))
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
