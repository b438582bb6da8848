//! What a comment above a statement lets through: `-- pgguard: allow opaque because it was reviewed`.

use super::rehearsed;
use crate::model::Allowance;

/// What the comment lines above a line let through, and what is wrong with them. `line` counts from 0.
#[must_use]
pub fn above(
    text: &str,
    line: usize,
    file: &str,
    first_line: usize,
) -> (Vec<Allowance>, Vec<String>) {
    let before: Vec<&str> = text.lines().take(line).collect();
    let mut allowed = Vec::new();
    let mut wrong = Vec::new();
    for (at, line) in before.iter().enumerate().rev() {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let Some(comment) = line.strip_prefix("--") else {
            break;
        };
        let place = format!("{file}:{}", first_line + at);
        match read(comment, &place) {
            Some(Ok(found)) => allowed.extend(found),
            Some(Err(why)) => {
                wrong.push(format!("the comment in {place} is not understood: {why}"))
            }
            None => {}
        }
    }
    (allowed, wrong)
}

/// `pgguard: allow NAME[=PATTERN][, …] [because REASON]`; `None`: another comment.
fn read(comment: &str, place: &str) -> Option<Result<Vec<Allowance>, String>> {
    let said = comment.trim().strip_prefix("pgguard:")?.trim();
    if rehearsed::is_ours(said) {
        return None;
    }
    let Some(said) = said.strip_prefix("allow ") else {
        return Some(Err("only `allow` can be said there".into()));
    };
    let (names, because) = match said.split_once(" because ") {
        Some((names, because)) => (names, Some(because.trim().to_owned())),
        None => (said, None),
    };
    let one = |name: &str| -> Result<Allowance, String> {
        Ok(Allowance {
            because: because.clone(),
            from: place.to_owned(),
            ..name.trim().parse()?
        })
    };
    Some(names.split(',').map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str, line: usize) -> (Vec<String>, usize) {
        let (allowed, wrong) = above(text, line, "a.sql", 1);
        let names = allowed.iter().map(|a| a.what.word().to_owned());
        (names.collect(), wrong.len())
    }

    #[test]
    fn a_comment_is_about_the_statement_below_it_alone() {
        let text =
            "-- pgguard: allow opaque because Ann has read it\n\n-- more\nDO $$ $$;\nDO $$ $$;\n";
        assert_eq!(names(text, 3), (vec!["opaque".into()], 0));
        assert_eq!(names(text, 4), (vec![], 0));
        let (allowed, _) = above(text, 3, "a.sql", 1);
        assert_eq!(allowed[0].because.as_deref(), Some("Ann has read it"));
        assert_eq!(allowed[0].from, "a.sql:1");
    }

    #[test]
    fn several_names_stand_in_a_row_and_a_wrong_one_is_said() {
        assert_eq!(
            names("--pgguard: allow hold=public.big, failing\nx", 1),
            (vec!["hold".into(), "failing".into()], 0)
        );
        assert_eq!(names("-- pgguard: allow opaqe\nx", 1), (vec![], 1));
        assert_eq!(names("-- pgguard: ignore\nx", 1), (vec![], 1));
        assert_eq!(names("/* pgguard: allow opaque\n*/\nx", 2), (vec![], 0));
    }
}
