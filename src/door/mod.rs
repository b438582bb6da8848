//! The door: the one place through which text leaves, to standard output, standard error or the terminal.
//!
//! Nothing else writes there (a test reads the sources for it), so that text of others never reaches a
//! terminal or a log raw, a full disk is no panic, and a reader that has gone away is noticed.

pub mod file;
mod live;
mod panics;
mod progress;

pub use live::Live;
pub use panics::{last_panic, remember_panics};
pub use progress::ProgressLine;

use crate::{Error, Result, safe};
use std::io::{self, IsTerminal as _, Write};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a text is: it says how text of others in it is made safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people, monitoring and metrics: lines.
    Lines,
    /// JSON.
    Json,
    /// XML, and commands for GitHub's runner: every text in them is made safe where they are written.
    Marked,
    /// Not a word of others: completions, help, man pages.
    Ours,
}

impl Form {
    /// The text as it may leave.
    #[must_use]
    pub fn made_safe(self, text: &str) -> String {
        match self {
            Self::Lines => safe::page(text),
            Self::Json => safe::json(text),
            Self::Marked | Self::Ours => text.to_owned(),
        }
    }
}

/// Where a program that we start writes what is not our answer: our standard error.
#[must_use]
pub fn to_errors() -> Stdio {
    Stdio::from(io::stderr())
}

/// Nobody reads standard output any more.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Writes to standard output. A reader that has gone away is no error: [`is_closed`] says so, and what
/// prints in a loop ends then.
///
/// # Errors
/// When it cannot be written for another reason.
pub fn print(form: Form, text: &str) -> Result<()> {
    let written = match form {
        // A long document is not copied whole.
        Form::Json => parts(text, PART).try_for_each(|part| write(safe::json(part).as_bytes())),
        _ => write(form.made_safe(text).as_bytes()),
    };
    written.map_err(|error| Error::File {
        what: "write",
        path: "standard output".into(),
        why: error.to_string(),
    })
}

/// Bytes of a document that are made safe at once, about.
const PART: usize = 64 * 1024;

/// A text in parts of whole lines, each of at least so many bytes.
fn parts(text: &str, at_least: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let from = rest.len().min(at_least);
        let end = rest.as_bytes()[from..]
            .iter()
            .position(|byte| *byte == b'\n');
        let (part, after) = rest.split_at(end.map_or(rest.len(), |end| from + end + 1));
        rest = after;
        (!part.is_empty()).then_some(part)
    })
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            CLOSED.store(true, Ordering::Relaxed);
            Ok(())
        }
        written => written,
    }
}

/// Whether a write to standard output has found that nobody reads it.
#[must_use]
pub fn is_closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}

/// Writes lines for people to standard output and says whether they were written, whatever kept them.
#[must_use]
pub fn is_printed(text: &str) -> bool {
    write(safe::page(text).as_bytes()).is_ok() && !is_closed()
}

/// Which of the two outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Passes on, as it is, what a command writes that a person has started through us: it is theirs, colours and all.
///
/// # Errors
/// When it cannot be written: its reader or the terminal has gone.
pub fn pass_on(stream: Stream, bytes: &[u8]) -> io::Result<()> {
    match stream {
        Stream::Out => {
            let mut out = io::stdout().lock();
            out.write_all(bytes).and_then(|()| out.flush())
        }
        Stream::Err => to_error(bytes),
    }
}

/// One line on standard error, after our name. Where it cannot be written nothing is lost but the line.
pub fn say(text: &str) {
    complain(&format!("pgguard: {}\n", safe::printable(text)));
}

/// Lines on standard error as they are, for a refusal of several lines.
pub fn complain(text: &str) {
    let _ = to_error(safe::page(text).as_bytes());
}

fn to_error(bytes: &[u8]) -> io::Result<()> {
    let mut err = io::stderr().lock();
    err.write_all(bytes).and_then(|()| err.flush())
}

/// Asks on the terminal. `None`: the question could not be shown, or the input ended before a whole line.
#[must_use]
pub fn ask(question: &str) -> Option<String> {
    to_error(safe::printable(question).as_bytes()).ok()?;
    let answer = whole_line();
    if answer.is_none() {
        // The cursor stands behind the question.
        complain("\n");
    }
    answer
}

/// A line of standard input; `None` at its end: half a line was given by nobody's Enter.
fn whole_line() -> Option<String> {
    let mut line = String::new();
    io::stdin().read_line(&mut line).ok()?;
    line.ends_with('\n').then_some(line)
}

/// Whether somebody can be asked: by [`ask`], and answers from a keyboard.
#[must_use]
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Whether standard output is a terminal.
#[must_use]
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether a screen can be drawn and driven by keys.
#[must_use]
pub fn is_screen() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    !dumb && io::stdout().is_terminal() && io::stdin().is_terminal()
}

/// How many lines the terminal has; 0: unknown.
#[must_use]
pub fn lines() -> usize {
    crossterm::terminal::size().map_or(0, |(_, lines)| usize::from(lines))
}

/// How many columns the terminal has.
#[must_use]
pub fn columns() -> usize {
    crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns).max(40))
}

/// Whether standard output is a file: what a command of ours writes there goes through no other program.
pub fn writes_to_file() -> bool {
    use std::os::fd::AsFd as _;
    let output = io::stdout().as_fd().try_clone_to_owned();
    let file = output.map(std::fs::File::from);
    file.and_then(|file| file.metadata())
        .is_ok_and(|output| output.is_file())
}
