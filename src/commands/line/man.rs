//! `pgguard man`: a page a command, in roff.

use super::around::{ENVIRONMENT, FILES};
use super::help::shown;
use super::page::Page;
use super::pages::page;
use crate::door::file::{Access, replace};
use crate::door::{self, Form};
use crate::{Error, Result};
use clap::Command;
use clap_mangen::Man;
use std::fmt::Write as _;
use std::path::Path;

/// Prints the page of a command, of pgguard itself where none is named; or writes every page into a folder.
///
/// # Errors
/// There is no such command, or the page cannot be written.
pub fn man(path: &[String], folder: Option<&Path>) -> Result<u8> {
    let mut command = shown(true);
    // What holds for all commands, such as which flag is help, reaches those below only when it is built.
    command.build();
    if let Some(folder) = folder {
        write_all(&command, "", folder)?;
        return Ok(0);
    }
    let mut found = &command;
    for name in path {
        found = found.find_subcommand(name).ok_or_else(|| {
            Error::Usage(format!(
                "there is no command `{name}`; pgguard help lists them"
            ))
        })?;
    }
    door::print(Form::Ours, &text(found, &path.join(" "))?)?;
    Ok(0)
}

fn write_all(command: &Command, path: &str, folder: &Path) -> Result<()> {
    let file = folder.join(format!("{}.1", title(path)));
    replace(&file, Access::Usual, text(command, path)?.as_bytes())
        .map_err(|error| cannot_write(&file, &error))?;
    for below in command.get_subcommands() {
        let path = format!("{path} {}", below.get_name());
        write_all(below, path.trim_start(), folder)?;
    }
    Ok(())
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Error {
    Error::File {
        what: "write",
        path: path.display().to_string(),
        why: error.to_string(),
    }
}

/// `pgguard-backups-record`
fn title(path: &str) -> String {
    format!("pgguard {path}").trim_end().replace(' ', "-")
}

fn text(command: &Command, path: &str) -> Result<String> {
    let named = command.clone().name(title(path)).display_name(title(path));
    let man = Man::new(named).manual("pgguard manual");
    let mut text = Vec::new();
    let rendered = man
        .render_title(&mut text)
        .and_then(|()| man.render_name_section(&mut text))
        .and_then(|()| man.render_synopsis_section(&mut text))
        .and_then(|()| man.render_description_section(&mut text))
        .and_then(|()| man.render_options_section(&mut text))
        .and_then(|()| match command.has_subcommands() {
            true => man.render_subcommands_section(&mut text),
            false => Ok(()),
        });
    rendered.map_err(|error| cannot_write(Path::new("the man page"), &error))?;
    let mut text = String::from_utf8_lossy(&text).into_owned();
    if let Some(page) = page(path) {
        text += &sections(page);
    }
    Ok(text)
}

/// What clap does not know of.
fn sections(page: &Page) -> String {
    let environment = ENVIRONMENT
        .iter()
        .filter(|(kind, ..)| page.reads.contains(kind));
    let files = FILES.iter().filter(|(kind, ..)| page.reads.contains(kind));
    let examples = page.examples.iter().map(|(line, why)| (*why, *line));
    let mut out = String::new();
    if !page.notes.is_empty() {
        let _ = writeln!(out, ".SH NOTES");
        for note in page.notes {
            let _ = writeln!(out, ".PP\n{}", escaped(note));
        }
    }
    out += &list("EXIT STATUS", page.status.iter().copied());
    out += &list(
        "ENVIRONMENT",
        environment.map(|(_, name, what)| (*name, *what)),
    );
    out += &list("FILES", files.map(|(_, name, what)| (*name, *what)));
    let mut shown = String::new();
    for (why, line) in examples {
        let _ = writeln!(
            shown,
            ".PP\n{}\n.PP\n.RS 4\n.nf\n{}\n.fi\n.RE",
            escaped(why),
            escaped(line)
        );
    }
    if !shown.is_empty() {
        let _ = write!(out, ".SH EXAMPLES\n{shown}");
    }
    let _ = writeln!(out, ".SH SEE ALSO\n{}", see_also(page.path));
    out
}

fn list<'a>(heading: &str, entries: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let entries: String = entries
        .map(|(name, what)| format!(".TP\n\\fB{}\\fR\n{}\n", escaped(name), escaped(what)))
        .collect();
    if entries.is_empty() {
        return entries;
    }
    format!(".SH {heading}\n{entries}")
}

/// The page above it, and pg_dump's where it belongs.
fn see_also(path: &str) -> String {
    match path.rsplit_once(' ') {
        Some((above, _)) => format!(".BR {} (1)", title(above).replace('-', "\\-")),
        None if path.is_empty() => ".BR psql (1),\n.BR pg_dump (1)".to_owned(),
        None => ".BR pgguard (1)".to_owned(),
    }
}

/// Text in which roff sees no request and no escape.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    let lines = text.lines().map(|line| match line.chars().next() {
        Some('.' | '\'') => format!("\\&{line}"),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}
