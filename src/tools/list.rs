//! Orders that stand in a file of their own: Sqitch's plan and Drizzle's journal.

use super::layout::Layout;
use crate::error::{Error, Result};
use serde_json::Value;
use std::collections::HashMap;

/// A migration by its place in a list: (its id, its file).
pub type Listed = Vec<(String, String)>;

/// Drizzle's journal: entries with a time `when`, by which it tells what is applied, and a `tag`, the file's name.
///
/// # Errors
/// A journal that is no such JSON.
pub fn drizzle(layout: &Layout) -> Result<Listed> {
    const JOURNAL: &str = "meta/_journal.json";
    let bad = |why: String| Error::File {
        what: "read",
        path: layout.root.join(JOURNAL).display().to_string(),
        why,
    };
    let text = layout
        .text(JOURNAL)
        .ok_or_else(|| bad("it is not there; drizzle-kit generate writes it".to_owned()))?;
    let journal: Value = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
    let entries = journal["entries"]
        .as_array()
        .ok_or_else(|| bad("it has no list of entries".to_owned()))?;
    let mut entries: Vec<_> = entries
        .iter()
        .map(|entry| {
            Some((
                entry["idx"].as_i64()?,
                entry["when"].as_i64()?,
                entry["tag"].as_str()?,
            ))
        })
        .collect::<Option<_>>()
        .ok_or_else(|| bad("an entry lacks idx, when or tag".to_owned()))?;
    entries.sort_unstable();
    Ok(entries
        .into_iter()
        .map(|(_, when, tag)| (when.to_string(), format!("{tag}.sql")))
        .collect())
}

/// Sqitch's plan: a change a line (`name [requires] date planner # note`), `@tag` lines between, `%pragma` lines on top.
/// A change that comes again was reworked: its earlier script is `name@tag.sql`, by the first tag after it.
///
/// # Errors
/// A plan that is not there.
pub fn sqitch(layout: &Layout) -> Result<Listed> {
    let text = layout.text("sqitch.plan").ok_or_else(|| Error::File {
        what: "read",
        path: layout.root.join("sqitch.plan").display().to_string(),
        why: "it is not there; name the folder that has it".to_owned(),
    })?;
    let project = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("%project="))
        .unwrap_or("")
        .trim();
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with(['%', '#']))
        .collect();
    let last: HashMap<&str, usize> = lines
        .iter()
        .enumerate()
        .map(|(at, line)| (first_word(line), at))
        .collect();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut listed = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let change = first_word(line);
        if change.starts_with('@') {
            continue;
        }
        let tag = lines[at..]
            .iter()
            .map(|line| first_word(line))
            .find(|word| word.starts_with('@'));
        let file = match tag {
            Some(tag) if last.get(change) != Some(&at) => format!("deploy/{change}{tag}.sql"),
            _ => format!("deploy/{change}.sql"),
        };
        let times = seen
            .entry(change)
            .and_modify(|times| *times += 1)
            .or_insert(1);
        listed.push((format!("{project}:{change}:{times}"), file));
    }
    Ok(listed)
}

fn first_word(line: &str) -> &str {
    line.split_whitespace()
        .next()
        .unwrap_or("")
        .trim_start_matches('+')
}
