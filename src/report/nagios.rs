//! TELL a monitoring system: one line by the Monitoring Plugins Development Guidelines, understood by
//! Nagios, Icinga and their kin. `NAME STATE - text | label=value[unit];warn;crit;min`.

use crate::check::{Answer, Figure, Thresholds};
use crate::safe::printable;
use std::fmt::Write as _;

/// All of the output, in bytes: NRPE passes 4 KiB on, and older ones less.
const LIMIT: usize = 3900;

/// The sentence on the first line, in bytes.
const SENTENCE: usize = 1000;

/// An answer as a plugin's output, with a line's end. `verbosity` is the number of `-v`: 0 one line,
/// 1 the next details in it too, 2 and more one line each. All figures stand on the first line: what
/// follows a `|` further down is read differently by different systems.
#[must_use]
pub fn nagios(name: &str, answer: &Answer, verbosity: u8) -> String {
    let mut sentence = cleaned(&answer.text);
    if verbosity == 1 {
        for detail in answer.details.iter().skip(1) {
            let _ = write!(sentence, "; {}", cleaned(detail));
        }
    }
    let mut out = format!(
        "{} {} - {}",
        cleaned(name),
        answer.state,
        cut(&sentence, SENTENCE)
    );
    if !answer.figures.is_empty() {
        let figures: Vec<String> = answer.figures.iter().map(figure).collect();
        let _ = write!(out, " | {}", figures.join(" "));
    }
    out.push('\n');
    if verbosity >= 2 {
        for detail in &answer.details {
            let line = cut(&cleaned(detail), SENTENCE);
            if out.len() + line.len() + 1 > LIMIT {
                break;
            }
            out.push_str(&line);
            out.push('\n');
        }
    }
    out
}

/// Text without what a monitoring system would act on: `|` begins performance data wherever it stands.
#[must_use]
pub fn cleaned(text: &str) -> String {
    printable(text).replace('|', "¦").trim().to_owned()
}

/// Cuts on a character, with a mark.
fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let mut end = bytes - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", text[..end].trim_end())
}

/// `longest_wait=12.5s;30;300;0`. The label is quoted where it must be; what is not known is `U`.
fn figure(figure: &Figure) -> String {
    let value = match figure.value {
        Some(value) if value.is_finite() => format!("{}{}", number(value), figure.unit.symbol()),
        _ => "U".into(),
    };
    let Thresholds { warning, critical } = figure.thresholds;
    let shown =
        |range: Option<crate::check::Range>| range.map_or_else(String::new, |r| r.to_string());
    format!(
        "{}={value};{};{};0",
        label(figure.label),
        shown(warning),
        shown(critical)
    )
}

fn label(text: &str) -> String {
    if text.contains([' ', '=', '\'']) {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        text.to_owned()
    }
}

/// Digits, a point, a sign: to the millisecond, without an exponent and without idle zeros.
fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Range, State, Unit};

    fn answer(text: &str) -> Answer {
        Answer {
            state: State::Critical,
            text: text.into(),
            details: vec!["first".into(), "second".into()],
            figures: vec![
                Figure::seconds("longest_wait", Some(0.1 + 0.2)).judged_by(Thresholds {
                    warning: Some(Range::up_to(30.0)),
                    critical: "@~:5m".parse().ok(),
                }),
                Figure::count("waiting", 3),
                Figure::seconds("it's late", None),
            ],
        }
    }

    #[test]
    fn the_first_line_is_complete_by_itself() {
        assert_eq!(
            nagios("PGGUARD LOCK-WAIT", &answer("it is late"), 0),
            "PGGUARD LOCK-WAIT CRITICAL - it is late | longest_wait=0.3s;30;@~:300;0 waiting=3;;;0 'it''s late'=U;;;0\n"
        );
    }

    #[test]
    fn a_query_cannot_add_figures_lines_or_escape_sequences() {
        let line = nagios("X", &answer("select a || b\n| x=1\u{1b}[31m\r\0"), 2);
        let first = line.lines().next().unwrap_or_default();
        assert_eq!(first.matches('|').count(), 1, "{first}");
        assert!(first.contains("select a ¦¦ b ¦ x=1\\u{1b}[31m \\u{0} | longest_wait="));
        assert_eq!(line.lines().count(), 3);
    }

    #[test]
    fn verbosity_adds_details_and_never_figures_further_down() {
        let one = nagios("X", &answer("sum"), 1);
        assert!(one.starts_with("X CRITICAL - sum; second | "), "{one}");
        assert_eq!(one.lines().count(), 1);
        let two = nagios("X", &answer("sum"), 2);
        assert!(two.ends_with("\nfirst\nsecond\n"), "{two}");
    }

    #[test]
    fn however_long_the_text_it_fits_and_is_cut_on_a_character() {
        let mut long = answer(&"ä".repeat(5000));
        long.details = vec!["ö".repeat(3000); 50];
        for verbosity in 0..4 {
            let out = nagios("X", &long, verbosity);
            assert!(out.len() <= LIMIT, "{} bytes", out.len());
            assert!(
                out.lines()
                    .next()
                    .is_some_and(|l| l.contains("ä… | longest_wait="))
            );
        }
        assert_eq!(Unit::Seconds.symbol(), "s");
    }
}
