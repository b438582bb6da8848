//! What psql makes of a script: which statements it sends, and which of its own commands do something else.

mod arguments;
pub(super) mod commands;
pub(super) mod variables;

use super::scan::{Token, token_at};
use super::script::{Connect, Script, Sender};
use super::split::{Cutter, Piece, Reading};
use commands::{Does, command_name};
use std::path::{Component, Path, PathBuf};
use variables::Variables;

/// What a script does next.
#[derive(Debug)]
pub(super) struct Step {
    /// The file that it is written in.
    pub file: String,
    /// Its line there.
    pub line: usize,
    /// The line of the script itself: that of its `\i`.
    pub script_line: usize,
    /// Its text there.
    pub text: String,
    /// What it is.
    pub what: What,
    /// Whether it is in a branch that may not run.
    pub possible: bool,
}

/// The kinds of a step.
#[derive(Debug)]
pub(super) enum What {
    /// A statement; the text that is sent, where it is not what is written.
    Sql {
        sent: Option<String>,
        joins_next: bool,
    },
    /// What this does is not known, and why.
    Doubt(String),
    /// The server refuses it, and why.
    Refused(String),
    /// A file that is not read.
    Include(String),
    /// What comes after this runs in another session, perhaps in another database.
    Connect(Connect),
}

/// Files include files so deep, and no deeper.
const DEEPEST: usize = 32;

/// So many includes are followed: a file that includes itself twice has no end.
const MOST: usize = 10_000;

/// The steps of a script.
pub(super) fn steps(script: &Script, text: &str) -> Vec<Step> {
    let mut player = Player {
        sender: &script.sender,
        reading: script.sender.reading,
        variables: Variables::default(),
        restricted: false,
        moved: false,
        files: Vec::new(),
        includes: 0,
        possible: false,
        script_line: None,
        last: None,
        steps: Vec::new(),
    };
    player.file(&script.file, text, script.first_line);
    player.steps
}

struct Player<'a> {
    sender: &'a Sender,
    reading: Reading,
    variables: Variables,
    /// Between `\restrict` and `\unrestrict` psql refuses every other command.
    restricted: bool,
    /// `\cd` has come.
    moved: bool,
    /// The files that are open, from the script on.
    files: Vec<String>,
    /// How many files have been included.
    includes: usize,
    possible: bool,
    script_line: Option<usize>,
    /// The last statement that was sent, for `\g` with none before it.
    last: Option<String>,
    steps: Vec<Step>,
}

/// One `\if`.
struct Branch {
    /// Whether this branch runs: `None`, perhaps.
    runs: Option<bool>,
    /// Whether one of the branches before it has run.
    has_run: Option<bool>,
}

/// Whether `\q` has come.
#[derive(PartialEq, Eq)]
enum Ends {
    No,
    Yes,
}

impl Player<'_> {
    fn file(&mut self, name: &str, text: &str, first_line: usize) {
        self.files.push(name.to_owned());
        let mut cutter = Cutter::new(text, self.reading);
        let mut branches: Vec<Branch> = Vec::new();
        let possible = self.possible;
        while let Some(piece) = cutter.next() {
            let line = first_line + piece.line;
            if !piece.is_meta {
                if runs(&branches) {
                    self.send(&piece, line, piece.joins_next);
                }
            } else if self.reading == Reading::Psql {
                let is_top = self.files.len() == 1;
                self.script_line = is_top.then_some(line).or(self.script_line);
                let ends =
                    self.command(&piece.text, (first_line, line), &mut cutter, &mut branches);
                self.possible = possible || branches.iter().any(|branch| branch.runs.is_none());
                if is_top {
                    self.script_line = None;
                }
                if ends == Ends::Yes {
                    // psql sends what has begun.
                    if let Some(open) = cutter.send() {
                        self.send(&open, first_line + open.line, false);
                    }
                    break;
                }
                cutter.sends = runs(&branches);
            } else {
                self.push(
                    &piece.text,
                    line,
                    What::Refused(self.sender.refuses_backslash()),
                );
            }
            if std::mem::take(&mut cutter.is_unclear) {
                self.doubt(
                    "COPY",
                    line,
                    "a statement continues after the data of a COPY".to_owned(),
                );
            }
        }
        self.possible = possible;
        self.files.pop();
    }

    fn push(&mut self, text: &str, line: usize, what: What) {
        self.steps.push(Step {
            file: self.files.last().cloned().unwrap_or_default(),
            line,
            script_line: self.script_line.unwrap_or(line),
            text: text.to_owned(),
            what,
            possible: self.possible,
        });
    }

    fn doubt(&mut self, text: &str, line: usize, why: String) {
        self.push(text, line, What::Doubt(why));
    }

    fn unknown(&mut self, text: &str, line: usize, why: &str) {
        self.doubt(text, line, format!("psql command `{text}`: {why}"));
    }

    fn send(&mut self, piece: &Piece<'_>, line: usize, joins_next: bool) {
        self.last = Some(piece.text.to_string());
        if self.reading != Reading::Psql {
            let sent = None;
            return self.push(&piece.text, line, What::Sql { sent, joins_next });
        }
        let what = match self.variables.replaced_in(&piece.text) {
            Some(sent) => What::Sql {
                sent: (sent != piece.text).then(|| sent.into_owned()),
                joins_next,
            },
            None => What::Doubt(
                "the value of a psql variable in it moves the end of the statement".to_owned(),
            ),
        };
        self.push(&piece.text, line, what);
    }

    fn command(
        &mut self,
        text: &str,
        (first_line, line): (usize, usize),
        cutter: &mut Cutter<'_>,
        branches: &mut Vec<Branch>,
    ) -> Ends {
        let name = command_name(text);
        let does = commands::does(name);
        let arguments = arguments::of(text, &self.variables);
        let first = arguments.first();
        if self.restricted && does != Some(Does::Unrestrict) {
            self.unknown(
                text,
                line,
                "psql refuses it after \\restrict; older versions run it",
            );
            return Ends::No;
        }
        if let Some(does @ (Does::If | Does::Elif | Does::Else | Does::EndIf)) = does {
            if cutter.is_open() {
                self.unknown(
                    text,
                    line,
                    "a statement begins before it and continues after it",
                );
            }
            let words: Vec<&str> = arguments.iter().map(|a| a.value.as_str()).collect();
            let condition = arguments
                .iter()
                .all(|a| a.is_known)
                .then(|| commands::truth(&words.join(" ")).unwrap_or(false));
            if matches!(does, Does::If | Does::Elif) && condition.is_none() && runs(branches) {
                self.unknown(
                    text,
                    line,
                    "whether it is true is not known from the script",
                );
            }
            branch(does, condition, branches);
            return Ends::No;
        }
        if !runs(branches) {
            return Ends::No;
        }
        let has_program = text.contains('`') && arguments.iter().any(|a| !a.is_known);
        match does {
            None => self.unknown(
                text,
                line,
                "psql does not know this command, and skips the rest of the line",
            ),
            Some(Does::Unknown(why)) => self.unknown(text, line, why),
            Some(_) if has_program => self.unknown(text, line, "it runs a program"),
            Some(Does::Nothing) => self.moved |= name == "cd",
            Some(Does::Output) if first.is_some_and(|a| a.value.starts_with('|')) => {
                self.unknown(text, line, "it runs a program");
            }
            Some(Does::Output | Does::If | Does::Elif | Does::Else | Does::EndIf) => {}
            Some(Does::Send | Does::SendAndSet | Does::SendAnd(_)) => {
                self.sent_by(text, (first_line, line), cutter);
                match does {
                    Some(Does::SendAndSet) => self.variables.forget_all(),
                    Some(Does::SendAnd(why)) => self.unknown(text, line, why),
                    _ if first.is_some_and(|a| a.value.starts_with('|')) => {
                        self.unknown(text, line, "it runs a program");
                    }
                    _ => {}
                }
            }
            Some(Does::Set) => self.set(text, line, &arguments),
            Some(Does::Forget) => {
                let names = arguments.iter().filter(|a| !a.value.starts_with('-'));
                names.for_each(|a| self.variables.forget(&a.value));
            }
            Some(Does::Reset) => cutter.reset(),
            Some(Does::Quit) if !self.possible => return Ends::Yes,
            Some(Does::Quit) => {}
            Some(Does::Include) => self.include(text, line, first, false),
            Some(Does::IncludeRelative) => self.include(text, line, first, true),
            Some(Does::Connect) => {
                self.push(text, line, What::Connect(connect(&arguments)));
            }
            Some(Does::Copy) => self.copy(text, line, cutter),
            Some(Does::Restrict) => self.restricted = first.is_some(),
            Some(Does::Unrestrict) => self.restricted = false,
        }
        Ends::No
    }

    /// The statement before a command such as `\g`; the last one where none has begun.
    fn sent_by(&mut self, text: &str, (first_line, line): (usize, usize), cutter: &mut Cutter<'_>) {
        if let Some(open) = cutter.send() {
            self.send(&open, first_line + open.line, false);
        } else if let Some(last) = self.last.clone() {
            let sent = self
                .variables
                .replaced_in(&last)
                .map(|sent| sent.into_owned());
            let joins_next = false;
            self.push(
                text,
                line,
                What::Sql {
                    sent: Some(sent.unwrap_or(last)),
                    joins_next,
                },
            );
        }
    }

    fn set(&mut self, text: &str, line: usize, arguments: &[arguments::Argument]) {
        let Some((name, values)) = arguments.split_first() else {
            return;
        };
        let value: String = values.iter().map(|a| a.value.as_str()).collect();
        let special = commands::SPECIAL
            .iter()
            .find(|(special, _, _)| *special == name.value);
        if let Some((_, harmless, why)) = special
            && commands::truth(if value.is_empty() { "on" } else { &value }) != Some(*harmless)
        {
            self.unknown(text, line, why);
        }
        if values.iter().all(|a| a.is_known) {
            self.variables.set(&name.value, value);
        } else {
            self.variables.forget(&name.value);
        }
    }

    fn include(
        &mut self,
        text: &str,
        line: usize,
        file: Option<&arguments::Argument>,
        relative: bool,
    ) {
        let Some(file) = file.filter(|file| file.is_known) else {
            return self.unknown(
                text,
                line,
                "which file it reads is not known from the script",
            );
        };
        let beside = self.files.last().filter(|_| relative);
        let path = included_path(&file.value, beside.map(String::as_str));
        self.includes += 1;
        if self.moved && !relative && !file.value.starts_with('/') {
            return self.unknown(text, line, "\\cd has changed the folder before it");
        }
        if self.files.contains(&path) || self.files.len() > DEEPEST || self.includes > MOST {
            return self.unknown(text, line, "the file includes itself");
        }
        match self.sender.included.get(&path) {
            Some(Ok(sql)) => {
                let sql = sql.clone();
                self.file(&path, sql.strip_prefix('\u{feff}').unwrap_or(&sql), 1);
            }
            Some(Err(why)) => self.unknown(text, line, &format!("{path} cannot be read: {why}")),
            None => self.push(text, line, What::Include(path)),
        }
    }

    fn copy(&mut self, text: &str, line: usize, cutter: &mut Cutter<'_>) {
        match as_copy(text) {
            Some((sql, reads_script)) => {
                if reads_script {
                    cutter.expect_copy_data();
                }
                let what = What::Sql {
                    sent: Some(sql),
                    joins_next: false,
                };
                self.push(text, line, what);
            }
            None => self.unknown(text, line, "what it copies cannot be read"),
        }
    }
}

/// Whether what stands here is sent, or may be.
fn runs(branches: &[Branch]) -> bool {
    branches.iter().all(|branch| branch.runs != Some(false))
}

fn branch(does: Does, condition: Option<bool>, branches: &mut Vec<Branch>) {
    let no = |truth: Option<bool>| truth.map(|truth| !truth);
    let and = |one: Option<bool>, other: Option<bool>| match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    };
    match (does, branches.last_mut()) {
        (Does::If, _) => branches.push(Branch {
            runs: condition,
            has_run: condition,
        }),
        (Does::Elif, Some(last)) => {
            last.runs = and(no(last.has_run), condition);
            last.has_run = no(and(no(last.has_run), no(condition)));
        }
        (Does::Else, Some(last)) => {
            last.runs = no(last.has_run);
            last.has_run = Some(true);
        }
        (Does::EndIf, _) => {
            branches.pop();
        }
        _ => {}
    }
}

/// By the arguments (`do_connect`, command.c): database, user, host, port; `-` or nothing is as before.
fn connect(arguments: &[arguments::Argument]) -> Connect {
    let said: Vec<_> = arguments
        .iter()
        .filter(|a| !a.value.starts_with("-reuse-previous="))
        .map(|a| (a.value.trim_matches('"'), a.is_known))
        .collect();
    let is_string = |value: &str| value.contains('=') || value.contains("://");
    let first = said.first().copied();
    Connect {
        database: first
            .filter(|(value, _)| *value != "-")
            .map(|(value, _)| value.to_owned()),
        is_elsewhere: said.iter().any(|(_, is_known)| !is_known)
            || said.iter().skip(1).any(|(value, _)| *value != "-")
            || first.is_some_and(|(value, _)| is_string(value)),
    }
}

/// The path of an included file as its key: as written, or from the folder of the file that includes it.
#[must_use]
pub fn included_path(written: &str, beside: Option<&str>) -> String {
    let folder = beside.and_then(|file| Path::new(file).parent());
    let path = folder.map_or_else(|| PathBuf::from(written), |folder| folder.join(written));
    let parts = path.components().filter(|part| *part != Component::CurDir);
    parts.collect::<PathBuf>().display().to_string()
}

/// `\copy` as the COPY that it sends (`parse_slash_copy`, copy.c), and whether its data is in the script.
fn as_copy(command: &str) -> Option<(String, bool)> {
    let rest = &command[1 + command_name(command).len()..];
    let (mut at, mut depth) = (0, 0_usize);
    while at < rest.len() {
        let (token, end) = token_at(rest, at);
        match token {
            Token::Open => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            Token::Word if depth == 0 => {
                let word = rest[at..end].to_ascii_lowercase();
                if matches!(word.as_str(), "from" | "to") {
                    let (before, after) = (&rest[..at], rest[end..].trim_start());
                    let (place, options) = copy_place(after)?;
                    let place = place.to_ascii_lowercase();
                    let reads_script =
                        word == "from" && matches!(place.as_str(), "stdin" | "pstdin");
                    let stream = if word == "from" {
                        "FROM STDIN"
                    } else {
                        "TO STDOUT"
                    };
                    return Some((
                        format!("COPY {} {stream} {options}", before.trim()),
                        reads_script,
                    ));
                }
            }
            _ => {}
        }
        at = end;
    }
    None
}

/// The file, program or stream of `\copy`, and what comes after it.
fn copy_place(text: &str) -> Option<(&str, &str)> {
    let end = |text: &str| match text.strip_prefix('\'') {
        Some(quoted) => {
            let mut at = 0;
            loop {
                at += quoted[at..].find('\'')? + 1;
                if !quoted[at..].starts_with('\'') {
                    return Some(at + 1);
                }
                at += 1;
            }
        }
        None => Some(text.find(char::is_whitespace).unwrap_or(text.len())),
    };
    let first = end(text)?;
    if text[..first].eq_ignore_ascii_case("program") {
        let program = text[first..].trim_start();
        return Some(("program", &program[end(program)?..]));
    }
    (first > 0).then(|| text.split_at(first))
}

/// The files that a script includes and that are not read yet, by [`included_path`].
pub(super) fn missing_includes(script: &Script) -> Vec<String> {
    let missing = |step: Step| match step.what {
        What::Include(path) => Some(path),
        _ => None,
    };
    steps(script, script.text())
        .into_iter()
        .filter_map(missing)
        .collect()
}

/// Whether a script sends nothing.
pub(super) fn is_empty(script: &Script) -> bool {
    steps(script, script.text()).is_empty()
}

/// How many steps a script has, the included ones among them.
pub(super) fn count(script: &Script) -> usize {
    steps(script, script.text()).len()
}
