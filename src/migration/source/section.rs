//! The part of a file that goes up, where a tool keeps both ways in one: between its marks.

use crate::tools::comment::{comment, has_comment};
use crate::tools::folder::Marks;

/// The part that goes up, on its own lines of the file: other lines are left empty. `None`: it is not marked.
pub fn up(text: &str, marks: &Marks) -> Option<String> {
    let is_marked = marks.up.is_empty() || has_comment(text, marks.up);
    if !is_marked {
        return marks.whole_without.then(|| text.to_owned());
    }
    let mut is_up = marks.up.is_empty();
    let mut part = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if let Some(comment) = comment(line) {
            if !marks.down.is_empty() && comment.starts_with(marks.down) {
                is_up = false;
            } else if !marks.up.is_empty() && comment.starts_with(marks.up) {
                is_up = true;
            }
        }
        part.push_str(match (is_up, line.ends_with('\n')) {
            (true, _) => line,
            (false, true) => "\n",
            (false, false) => "",
        });
    }
    Some(part)
}

/// The lines behind which a tool ends a statement: those that end with a semicolon, `--` comments left out, but not
/// between the marks that keep one together (goose, internal/sqlparser/parser.go, `endsWithSemicolon`).
pub fn cuts(text: &str, (begin, end): (&str, &str)) -> Vec<usize> {
    let mut is_kept = false;
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if let Some(comment) = comment(line) {
            is_kept = (is_kept || comment.starts_with(begin)) && !comment.starts_with(end);
        } else if !is_kept {
            let words = line
                .split_whitespace()
                .take_while(|word| !word.starts_with("--"));
            if words.last().is_some_and(|word| word.ends_with(';')) {
                found.push(at + 1);
            }
        }
    }
    found
}
