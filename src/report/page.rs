//! What a text is written on: its width, its colours, and what may not be printed as it is.

pub use crate::safe::Ink;
use std::fmt::Write as _;

/// A page of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Columns; longer lines are broken between words. 0: as long as they are.
    pub width: usize,
    /// Lines of the terminal; 0: no limit.
    pub height: usize,
    /// Whether to colour.
    pub color: bool,
}

impl Page {
    /// A pipe or a file: no colours, no limit.
    pub const PLAIN: Self = Self::of_width(0);

    /// A page of this width without colours and without an end.
    #[must_use]
    pub const fn of_width(width: usize) -> Self {
        Self {
            width,
            height: 0,
            color: false,
        }
    }

    /// The same page with this number of its lines taken.
    #[must_use]
    pub const fn without_lines(self, lines: usize) -> Self {
        let height = match self.height {
            0 => 0,
            height if height > lines => height - lines,
            _ => 1,
        };
        Self { height, ..self }
    }

    /// What is left of the page after an indent.
    #[must_use]
    pub const fn within(self, indent: usize) -> Self {
        let width = match self.width {
            0 => 0,
            width if width > indent => width - indent,
            _ => 1,
        };
        Self { width, ..self }
    }

    /// A text on one line that fits after `indent` columns, cut with `…` where it must be.
    #[must_use]
    pub fn cut(self, text: &str, indent: usize) -> String {
        if self.width == 0 {
            return text.to_owned();
        }
        cut(text, self.width.saturating_sub(indent).max(20))
    }

    /// A word in a colour, where there are colours.
    #[must_use]
    pub fn paint(self, ink: Ink, text: &str) -> String {
        if self.color && !text.is_empty() {
            format!("\x1b[{}m{text}\x1b[0m", ink.code())
        } else {
            text.to_owned()
        }
    }

    /// Breaks a text into lines that fit after `indent` columns. A command stays whole, to be copied; another word that
    /// is longer than a line is broken too: the terminal would begin a line of its own with the rest of it.
    #[must_use]
    pub fn lines(self, text: &str, indent: usize) -> Vec<String> {
        let room = match self.width {
            0 => usize::MAX,
            width => width.saturating_sub(indent).max(20),
        };
        let (mut lines, mut used) = (vec![String::new()], 0);
        for unit in units(text) {
            for (nth, piece) in pieces(unit, room).into_iter().enumerate() {
                let length = columns(piece);
                let fits = used == 0 || nth == 0 && used + 1 + length <= room;
                match lines.last_mut().filter(|_| fits) {
                    Some(line) => {
                        let gap = if line.is_empty() { "" } else { " " };
                        line.push_str(gap);
                        line.push_str(piece);
                        used += gap.len() + length;
                    }
                    None => {
                        lines.push(piece.to_owned());
                        used = length;
                    }
                }
            }
        }
        lines
    }

    /// Breaks a text into lines of which all but the first hang by two columns: no name in it begins a line that
    /// reads like one of ours.
    #[must_use]
    pub fn hanging(self, text: &str) -> Vec<String> {
        let mut lines = self.lines(text, 2);
        for line in lines.iter_mut().skip(1) {
            line.insert_str(0, "  ");
        }
        lines
    }

    /// Something to do: its reason under the label, its command whole and alone on a line below.
    #[must_use]
    pub fn step(self, label: &str, text: &str) -> String {
        let (reason, command) = reason_and_command(text);
        let Some(command) = command else {
            return self.labelled(label, text);
        };
        let mut out = match (reason, command.strip_prefix("pgguard kill ")) {
            ("", _) => String::new(),
            (reason, Some(pid)) if text.starts_with(command) && !pid.starts_with('-') => {
                self.labelled(label, &format!("end pid {pid} ({reason}):"))
            }
            (reason, _) => self.labelled(label, &format!("{reason}:")),
        };
        let label = if reason.is_empty() { label } else { "" };
        let padded = format!("{label:<LABEL$}");
        let (label, command) = (
            self.paint(Ink::Faint, &padded),
            self.paint(Ink::Strong, command),
        );
        let _ = writeln!(out, "  {label}   {command}");
        out
    }

    /// A label and its text, hanging under each other: `  held by   backup (pid 5)`.
    #[must_use]
    pub fn labelled(self, label: &str, text: &str) -> String {
        let mut out = String::new();
        for (nth, line) in self.lines(text, LABEL + 3).iter().enumerate() {
            let shown = if nth == 0 { label } else { "" };
            let padded = format!("{shown:<LABEL$}");
            let _ = writeln!(out, "  {} {line}", self.paint(Ink::Faint, &padded));
        }
        out
    }
}

/// A piece of advice as its reason and its command of ours, where it has one: `pgguard kill 5: it waits`,
/// `wait until it is done: pgguard gate …`.
#[must_use]
pub fn reason_and_command(text: &str) -> (&str, Option<&str>) {
    if text.starts_with("pgguard ") {
        return match text.split_once(": ") {
            Some((command, reason)) => (reason, Some(command)),
            None => ("", Some(text)),
        };
    }
    [": pgguard ", "; or pgguard "]
        .iter()
        .find_map(|before| {
            let at = text.find(before)?;
            let (reason, command) = text.split_at(at);
            let command = command.trim_start_matches([':', ';']).trim_start();
            Some((reason, Some(command.trim_start_matches("or "))))
        })
        .unwrap_or((text, None))
}

/// The words of a text; a command of ours to copy is one of them, up to the migration that it begins.
fn units(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        let length = command(rest)
            .or_else(|| pid(rest))
            .or_else(|| rest.find(' '));
        let Some(length) = length.filter(|length| *length < rest.len()) else {
            found.push(rest);
            return found;
        };
        found.push(&rest[..length]);
        rest = &rest[length + 1..];
    }
}

/// A word in pieces that fit into a line; a command of ours is never broken.
fn pieces(word: &str, room: usize) -> Vec<&str> {
    if word.starts_with("pgguard ") || columns(word) <= room {
        return vec![word];
    }
    let (mut found, mut begin, mut used) = (Vec::new(), 0, 0);
    for (at, c) in word.char_indices() {
        let width = columns(c.encode_utf8(&mut [0; 4]));
        if used + width > room {
            found.push(&word[begin..at]);
            (begin, used) = (at, 0);
        }
        used += width;
    }
    found.push(&word[begin..]);
    found
}

/// How long a pid is that a text begins with: `(pid 5)`.
fn pid(text: &str) -> Option<usize> {
    let digits = text.strip_prefix("(pid ")?;
    let end = digits.find(|c: char| !c.is_ascii_digit())?;
    let rest = &digits[end..];
    Some(text.len() - rest.len() + rest.find(' ').unwrap_or(rest.len()))
}

/// How long the command is that a text begins with: `pgguard kill 5`, `pgguard gate … && ./migrate`.
fn command(text: &str) -> Option<usize> {
    const MIGRATES: &str = " && ./migrate";
    if text.starts_with("pgguard gate ") {
        return text.find(MIGRATES).map(|at| at + MIGRATES.len());
    }
    let whom = text.strip_prefix("pgguard kill ")?;
    let whom = whom.strip_prefix("--prepared ").unwrap_or(whom);
    Some(text.len() - whom.len() + shell_word(whom))
}

/// How long the word of a shell is that a text begins with, its quotes included.
fn shell_word(text: &str) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    let mut ends = text.char_indices().filter(|(_, c)| match c {
        _ if std::mem::take(&mut escaped) => false,
        '\'' => {
            quoted = !quoted;
            false
        }
        '\\' if !quoted => {
            escaped = true;
            false
        }
        c => *c == ' ' && !quoted,
    });
    ends.next().map_or(text.len(), |(at, _)| at)
}

/// A text that fits into `room` columns of a terminal, cut with `…` where it must be.
#[must_use]
pub fn cut(text: &str, room: usize) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    let (mut out, mut used) = (String::new(), 1);
    for c in text.chars() {
        used += columns(c.encode_utf8(&mut [0; 4]));
        if used > room {
            break;
        }
        out.push(c);
    }
    out.truncate(out.trim_end().len());
    out + "…"
}

/// How many columns of a terminal a text takes: letters of East Asian scripts take two.
#[must_use]
pub fn columns(text: &str) -> usize {
    ratatui::text::Span::raw(text).width()
}

/// Width of a label's column.
const LABEL: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_by_the_columns_it_takes() {
        let page = Page::of_width(24);
        assert_eq!(
            page.cut("SELECT * FROM somewhere_far", 2),
            "SELECT * FROM somewhe…"
        );
        assert_eq!(
            page.cut("名前名前名前名前名前名前名前", 2),
            "名前名前名前名前名前…"
        );
        assert_eq!(
            Page::PLAIN
                .cut("as long as it is, however long it may be", 2)
                .len(),
            40
        );
    }

    #[test]
    fn no_line_is_longer_than_the_page_whatever_the_words() {
        let page = Page::of_width(30);
        let long = "x".repeat(95);
        for text in [
            format!("held by {long} and {long}"),
            "名前".repeat(40),
            format!("a {} b", "名前".repeat(12)),
            "e\u{301}".repeat(70),
        ] {
            let lines = page.lines(&text, 4);
            assert!(
                lines.iter().all(|line| columns(line) <= 26),
                "{text}: {lines:?}"
            );
            let letters = |text: &str| text.replace(' ', "");
            assert_eq!(letters(&lines.concat()), letters(&text));
        }
        let command = format!("pgguard kill --prepared 'it'\\''s {long}'");
        assert_eq!(page.lines(&format!("{command} ends it"), 4)[0], command);
        assert_eq!(
            page.hanging("behind an application named OUTAGE of all"),
            ["behind an application named", "  OUTAGE of all"]
        );
    }

    #[test]
    fn a_command_is_never_broken() {
        let page = Page::of_width(40);
        let told = |text| page.labelled("do", text);
        assert_eq!(
            told("wait until it is done: pgguard gate --wait 30m 1.sql && ./migrate"),
            "  do        wait until it is done:\n            pgguard gate --wait 30m 1.sql && ./migrate\n"
        );
        assert_eq!(
            told("its client has gone away: pgguard kill 12, or wait for it"),
            "  do        its client has gone away:\n            pgguard kill 12, or wait for\n            it\n"
        );
        assert_eq!(told("pgguard kill 12"), "  do        pgguard kill 12\n");
        assert_eq!(told("two  blanks "), "  do        two  blanks \n");
    }

    #[test]
    fn long_texts_are_broken_between_words_and_hang() {
        let page = Page::of_width(40);
        assert_eq!(
            page.labelled("held by", "a backup that holds it for as long as it takes"),
            "  held by   a backup that holds it for\n            as long as it takes\n"
        );
    }
}
