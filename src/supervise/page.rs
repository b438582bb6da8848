//! The maintenance page that a web server shows while a file is there.

use crate::words::Zone;
use chrono::{DateTime, Utc};

/// The page where no template is named.
const PAGE: &str = include_str!("page.html");

/// What the page says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Why.
    pub reason: String,
    /// Until when.
    pub until: DateTime<Utc>,
    /// Seconds until then.
    pub retry_after: i64,
}

/// Fills a template: `{{reason}}`, `{{until}}`, `{{retry_after}}`, and the expressions of Capistrano's templates:
/// any `<%= … %>` that names `reason`, or `deadline` or `until`.
#[must_use]
pub fn render(template: Option<&str>, words: &Words) -> String {
    let until = words
        .until
        .with_timezone(&Zone::local())
        .format("%H:%M %:z")
        .to_string();
    let value = |name: &str| match name {
        "reason" => escaped(&words.reason),
        "until" | "deadline" => escaped(&until),
        "retry_after" => words.retry_after.to_string(),
        _ => String::new(),
    };
    let page = replaced(template.unwrap_or(PAGE), ("{{", "}}"), |inside| {
        Some(inside.trim())
            .filter(|name| ["reason", "until", "deadline", "retry_after"].contains(name))
            .map(value)
    });
    replaced(&page, ("<%=", "%>"), |inside| {
        ["reason", "deadline", "until"]
            .into_iter()
            .find(|name| names(inside, name))
            .map(value)
    })
}

/// Whether an expression names a variable.
fn names(expression: &str, variable: &str) -> bool {
    expression
        .to_ascii_lowercase()
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .any(|word| word == variable)
}

/// Puts values where marks are; what has none stays.
fn replaced(
    text: &str,
    (open, close): (&str, &str),
    value: impl Fn(&str) -> Option<String>,
) -> String {
    let mut page = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(open) {
        page.push_str(before);
        let Some((inside, behind)) = after.split_once(close) else {
            page.push_str(open);
            rest = after;
            continue;
        };
        match value(inside) {
            Some(value) => page.push_str(&value),
            None => page.push_str(&format!("{open}{inside}{close}")),
        }
        rest = behind;
    }
    page + rest
}

fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for c in crate::safe::printable(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_of_both_kinds_are_filled_and_what_is_put_in_is_no_markup() {
        let words = Words {
            reason: "<b>a & \"b\"".into(),
            until: "2026-11-28T03:17:00Z".parse().expect("a time"),
            retry_after: 90,
        };
        let until = words
            .until
            .with_timezone(&Zone::local())
            .format("%H:%M %:z")
            .to_string();
        for (template, page) in [
            (
                "{{reason}}|{{ retry_after }}|{{other}}",
                "&lt;b&gt;a &amp; &quot;b&quot;|90|{{other}}",
            ),
            (
                "<%= reason ? reason : 'maintenance' %>",
                "&lt;b&gt;a &amp; &quot;b&quot;",
            ),
            (
                "<%= deadline ? \"by #{deadline}\" : 'shortly' %> {{",
                &format!("{until} {{{{"),
            ),
            (
                "<%= ENV['REASON'] %><%= x %>",
                "&lt;b&gt;a &amp; &quot;b&quot;<%= x %>",
            ),
        ] {
            assert_eq!(render(Some(template), &words), page);
        }
        assert!(render(None, &words).contains(&until));
    }
}
