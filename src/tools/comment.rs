//! Comments by which tools mark parts of a file.

/// The text of a comment line as marks are written: `-- +Goose  Up` → `+goose up`.
#[must_use]
pub fn comment(line: &str) -> Option<String> {
    let text = line.trim_start().strip_prefix("--")?;
    let text = text.trim_start_matches(|c: char| c == '-' || c.is_whitespace());
    Some(
        text.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .to_ascii_lowercase(),
    )
}

/// Whether a text has a comment that begins so.
#[must_use]
pub fn has_comment(text: &str, mark: &str) -> bool {
    text.lines()
        .filter_map(comment)
        .any(|comment| comment.starts_with(mark))
}
