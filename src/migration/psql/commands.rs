//! The backslash commands of psql, up to 18 (command.c): what each does to the server.

/// What a command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// Nothing on the server, and nothing to what psql sends.
    Nothing,
    /// Nothing, unless its first argument begins with `|`: a program runs then.
    Output,
    /// It sends the statement before it; with none, the last one again.
    Send,
    /// It sends the statement before it, and puts what comes back in variables.
    SendAndSet,
    /// It sends the statement before it, and does what is said.
    SendAnd(&'static str),
    /// `\set`
    Set,
    /// The variable that is its first argument loses the value, or gets one that nobody knows.
    Forget,
    /// `\r`: the statement before it is not sent.
    Reset,
    /// `\q`
    Quit,
    /// `\if`
    If,
    /// `\elif`
    Elif,
    /// `\else`
    Else,
    /// `\endif`
    EndIf,
    /// `\i`: from the working directory.
    Include,
    /// `\ir`: from the folder of the script.
    IncludeRelative,
    /// `\c`
    Connect,
    /// `\copy`
    Copy,
    /// `\restrict`
    Restrict,
    /// `\unrestrict`
    Unrestrict,
    /// What it does is not known from the script.
    Unknown(&'static str),
}

const DESCRIBES: &str = "it reads table definitions, and may wait for a lock";
const PIPELINE: &str = "statements of a pipeline run in transactions of their own";
const CATALOG: &str = "it calls a function of the server";

/// Every command, by its names.
const COMMANDS: &[(&[&str], Does)] = &[
    (
        &[
            "a",
            "C",
            "cd",
            "conninfo",
            "copyright",
            "echo",
            "encoding",
            "errverbose",
            "f",
            "h",
            "H",
            "help",
            "html",
            "p",
            "print",
            "pset",
            "qecho",
            "setenv",
            "t",
            "T",
            "timing",
            "warn",
            "x",
            "?",
        ],
        Does::Nothing,
    ),
    (&["o", "out", "s", "w", "write"], Does::Output),
    (&["g", "gx", "crosstabview"], Does::Send),
    (&["gset"], Does::SendAndSet),
    (
        &["gexec"],
        Does::SendAnd("it runs what the query returns as SQL"),
    ),
    (
        &["gdesc"],
        Does::SendAnd("it describes the statement and does not run it"),
    ),
    (
        &["watch"],
        Does::SendAnd("it runs the statement again and again"),
    ),
    (
        &["parse", "bind", "bind_named"],
        Does::SendAnd("the statement is sent with values of its own"),
    ),
    (&["sendpipeline"], Does::SendAnd(PIPELINE)),
    (&["set"], Does::Set),
    (&["unset", "prompt", "getenv"], Does::Forget),
    (&["r", "reset"], Does::Reset),
    (&["q", "quit"], Does::Quit),
    (&["if"], Does::If),
    (&["elif"], Does::Elif),
    (&["else"], Does::Else),
    (&["endif"], Does::EndIf),
    (&["i", "include"], Does::Include),
    (&["ir", "include_relative"], Does::IncludeRelative),
    (&["c", "connect"], Does::Connect),
    (&["copy"], Does::Copy),
    (&["restrict"], Does::Restrict),
    (&["unrestrict"], Does::Unrestrict),
    (&["!"], Does::Unknown("it runs a program")),
    (
        &["e", "edit", "ef", "ev"],
        Does::Unknown("it opens an editor"),
    ),
    (
        &["password"],
        Does::Unknown("it asks for a password and changes a role"),
    ),
    (
        &[
            "sf", "sf+", "sv", "sv+", "l", "l+", "list", "list+", "lx", "lx+", "z", "zS", "zx",
            "zSx",
        ],
        Does::Unknown(DESCRIBES),
    ),
    (
        &[
            "lo_export",
            "lo_import",
            "lo_list",
            "lo_list+",
            "lo_unlink",
            "dl",
            "dl+",
        ],
        Does::Unknown(CATALOG),
    ),
    (
        &[
            "startpipeline",
            "endpipeline",
            "syncpipeline",
            "flush",
            "flushrequest",
            "getresults",
            "close",
            "close_prepared",
        ],
        Does::Unknown(PIPELINE),
    ),
];

/// What the command of this name does; `None`: psql knows none.
#[must_use]
pub fn does(name: &str) -> Option<Does> {
    let known = COMMANDS.iter().find(|(names, _)| names.contains(&name));
    let describes = name.starts_with('d') && name.len() < 8;
    known
        .map(|(_, does)| *does)
        .or_else(|| describes.then_some(Does::Unknown(DESCRIBES)))
}

/// The name of a command: all to white space or a backslash (`xslashcmd`, psqlscanslash.l).
#[must_use]
pub fn command_name(command: &str) -> &str {
    let rest = command.strip_prefix('\\').unwrap_or(command);
    let end = rest.find(|c: char| c.is_ascii_whitespace() || c == '\\');
    &rest[..end.unwrap_or(rest.len())]
}

/// Variables of psql's own that change what it sends, with the value that changes nothing.
pub const SPECIAL: &[(&str, bool, &str)] = &[
    (
        "AUTOCOMMIT",
        true,
        "with AUTOCOMMIT off psql opens the transactions",
    ),
    (
        "SINGLELINE",
        false,
        "with SINGLELINE a line's end ends a statement",
    ),
    (
        "SINGLESTEP",
        false,
        "with SINGLESTEP psql asks before each statement",
    ),
];

/// A word as psql reads a truth value (`ParseVariableBool`, variables.c).
#[must_use]
pub fn truth(word: &str) -> Option<bool> {
    let word = word.to_ascii_lowercase();
    let begins = |whole: &str| !word.is_empty() && whole.starts_with(&word);
    match word.as_str() {
        "o" | "" => None,
        "1" | "on" => Some(true),
        "0" | "of" | "off" => Some(false),
        _ if begins("true") || begins("yes") => Some(true),
        _ if begins("false") || begins("no") => Some(false),
        _ => None,
    }
}
