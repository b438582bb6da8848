//! Text of others made safe to show: names, query texts, file names, messages of servers and parsers.
//!
//! A terminal acts on control characters, a CI log on some words: an error message that ends in a line
//! `::add-mask::…` gives GitHub's runner an order. [`printable`] is for a field that is shown within a line,
//! [`page`] and [`json`] for whole texts that leave; the door applies them to everything.

mod ink;
mod passwords;

pub use ink::Ink;
pub use passwords::{masked, masked_command};

use std::fmt::Write as _;

/// A text of somebody else's on one line, with everything visible that a terminal or a log would act on.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c => visible(c, &mut out),
        }
    }
    without_commands(out)
}

/// Whether a person can see and type every character of it.
#[must_use]
pub fn is_typable(text: &str) -> bool {
    let is_odd_space = |c: char| c.is_whitespace() && c != ' ';
    !text.trim().is_empty()
        && !text.chars().any(|c| {
            acts(c)
                || is_odd_space(c)
                || matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
        })
}

/// A text of several lines, ours with theirs in it. Line feeds stay, and the colours of
/// [`crate::report::page`]; no line begins as a command of GitHub's runner does.
#[must_use]
pub fn page(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let taken = colour(rest).unwrap_or(c.len_utf8());
        if taken > c.len_utf8() || matches!(c, '\n' | '\t') {
            out.push_str(&rest[..taken]);
        } else {
            visible(c, &mut out);
        }
        rest = &rest[taken..];
    }
    let out = without_commands(out);
    if !out.contains("::") {
        return out;
    }
    out.split_inclusive('\n').map(no_command_line).collect()
}

/// GitHub's runner trims a line, and takes what begins with `::` for a command (`ActionCommand.TryParseV2`).
fn no_command_line(line: &str) -> String {
    let text = line.trim_start();
    let indent = &line[..line.len() - text.len()];
    match text.strip_prefix("::") {
        Some(rest) => format!("{indent}\\u{{3a}}:{rest}"),
        None => line.to_owned(),
    }
}

/// Words that a CI's runner acts on wherever they stand in a line: GitHub's older commands
/// (`ActionCommand.TryParse`), Azure Pipelines (`##vso[`), TeamCity (`##teamcity[`).
const COMMANDS: [&str; 3] = ["##[", "##vso[", "##teamcity["];

fn without_commands(text: String) -> String {
    if !text.contains("##") {
        return text;
    }
    COMMANDS.iter().fold(text, |text, command| {
        text.replace(command, &command.replacen("##", "#\\u{23}", 1))
    })
}

/// The same JSON, with everything escaped in its strings that a terminal or a log would act on.
#[must_use]
pub fn json(document: &str) -> String {
    let mut out = String::with_capacity(document.len());
    for c in document.chars() {
        // Line feeds between values are ours: within a string JSON has no raw one.
        if acts(c) && c != '\n' {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    if !out.contains("##") {
        return out;
    }
    COMMANDS.iter().fold(out, |text, command| {
        text.replace(command, &command.replacen("##", "#\\u0023", 1))
    })
}

/// A word for a shell, as people paste it: quoted whatever is in it.
#[must_use]
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    if !text.chars().any(|c| acts(c) || c == '\n') {
        return format!("'{}'", text.replace('\'', "'\\''"));
    }
    // bash, zsh, ksh, busybox and POSIX 2024 read $'…'; every byte in octal is what all of them agree on.
    let mut out = String::from("$'");
    for byte in text.bytes() {
        match byte {
            b'\'' | b'\\' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            b' '..=b'~' => out.push(char::from(byte)),
            byte => {
                let _ = write!(out, "\\{byte:03o}");
            }
        }
    }
    out.push('\'');
    out
}

fn visible(c: char, out: &mut String) {
    if acts(c) {
        let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
    } else {
        out.push(c);
    }
}

/// Control characters, Unicode's marks of the direction of writing, line separators, and characters that
/// nobody sees. Joiners and variation selectors stay: words of Persian and flags are made with them.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// How long a colour of ours is that a text begins with.
fn colour(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("\x1b[")?;
    let (number, _) = rest.split_once('m')?;
    ink::is_ours(number).then_some(number.len() + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_gets_through() {
        assert_eq!(
            printable("a\x1b[2J\u{9b}31m\u{202e}b\nc\u{7f}\u{200b}"),
            "a\\u{1b}[2J\\u{9b}31m\\u{202e}b c\\u{7f}\\u{200b}"
        );
        assert_eq!(
            printable("Größe 名前 👩\u{200d}🚒"),
            "Größe 名前 👩\u{200d}🚒"
        );
    }

    #[test]
    fn a_page_keeps_its_lines_and_our_colours_only() {
        assert_eq!(
            page("\x1b[1;31mBAD\x1b[0m\n\x1b[8mhidden\x1b]0;t\x07\r\n"),
            "\x1b[1;31mBAD\x1b[0m\n\\u{1b}[8mhidden\\u{1b}]0;t\\u{7}\\u{d}\n"
        );
    }

    #[test]
    fn no_line_is_a_command_of_a_runner() {
        assert_eq!(page("a ::b\n ::error::c\n"), "a ::b\n \\u{3a}:error::c\n");
        assert_eq!(printable("a ##[error]b"), "a #\\u{23}[error]b");
        assert_eq!(
            printable("##vso[x] ##teamcity[y"),
            "#\\u{23}vso[x] #\\u{23}teamcity[y"
        );
        assert_eq!(printable("## heading"), "## heading");
    }

    #[test]
    fn json_keeps_its_value() {
        for text in [
            "\u{202e}",
            "\u{9b}31m",
            "\u{7f}",
            "a\nb\t\u{1b}",
            "\u{e0041}",
            "##[error]",
            "Größe",
            "\u{2028}",
        ] {
            let document = serde_json::json!({ "a": text });
            let safe = json(&format!("{document:#}\n"));
            assert!(safe.chars().all(|c| c == '\n' || !acts(c)), "{safe}");
            assert!(!safe.contains("##["), "{safe}");
            let back: serde_json::Value = serde_json::from_str(&safe).unwrap();
            assert_eq!(back, document);
        }
    }

    #[test]
    fn what_a_person_cannot_see_or_type_is_known() {
        for text in [
            "",
            " ",
            "\u{a0}",
            "a\u{a0}b",
            "a\x1bb",
            "\u{200d}",
            "a\u{202e}b",
            "\t",
        ] {
            assert!(!is_typable(text), "{text:?}");
        }
        for text in ["a", "xa 1", "Größe", "名前"] {
            assert!(is_typable(text), "{text:?}");
        }
    }

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        for text in [
            "",
            "a",
            "it's me",
            "$(id)",
            "a\nb",
            "\x1b]0;x\x07'\\",
            "\u{a0}",
            "-",
            "名\u{202e}前",
        ] {
            let output = std::process::Command::new("bash")
                .args(["-c", &format!("printf %s {}", shell_word(text))])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), text);
            assert!(!shell_word(text).chars().any(|c| acts(c) || c == '\n'));
        }
    }
}
