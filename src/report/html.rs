//! One self-contained page: nothing is loaded from elsewhere, light and dark, readable on a phone.
//!
//! Every text of others goes through [`text`]. The only script is ours: it says times in the reader's zone, and the page's
//! own policy lets no other run.

use crate::safe::printable;
use chrono::{DateTime, SecondsFormat, Utc};
use std::fmt::Write as _;

/// Makes times those of the reader's clock; the page says them in UTC where it does not run.
const SCRIPT: &str = include_str!("html/page.js");

/// Lets [`SCRIPT`] run and nothing else: its SHA-256, which a test holds against the file.
const SCRIPT_HASH: &str = "sha256-RYDagCVveh9qRuPX2HLxNAKjmIAarNOm7Ri8YXvoAnA=";

const STYLE: &str = include_str!("html/page.css");

/// A text of others, in which nothing is markup, and nothing acts or hides.
#[must_use]
pub fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A time, which the reader's browser says in its own zone.
#[must_use]
pub fn time(at: DateTime<Utc>) -> String {
    format!(
        "<time datetime=\"{}\">{} UTC</time>",
        at.to_rfc3339_opts(SecondsFormat::Millis, true),
        at.format("%Y-%m-%d %H:%M:%S")
    )
}

/// Commands, each alone and whole, to be copied.
#[must_use]
pub fn commands(commands: &[impl AsRef<str>]) -> String {
    commands.iter().fold(String::new(), |mut out, command| {
        let _ = write!(out, "<pre><code>{}</code></pre>", text(command.as_ref()));
        out
    })
}

/// The whole page; `body` is made of what this file makes safe.
#[must_use]
pub fn page(title: &str, body: &str) -> String {
    let title = text(title);
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src '{SCRIPT_HASH}'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{body}\
         <footer>pgguard {version}</footer>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )
}
