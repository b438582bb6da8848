//! How long a migration keeps others out, in words: the same for every form that a gate's answer has.

use crate::model::{Behind, Held, Hold, Statement, StatementVerdict};
use crate::safe::printable;
use crate::words;

/// A lock that others wait for, and the relations that it is on.
pub struct Group<'a> {
    /// The one that is held longest.
    pub longest: &'a Held,
    more: usize,
}

/// The locks of a statement that keep others out: those that are held for too long, or the others, each
/// mode once.
pub fn groups(verdict: &StatementVerdict, too_long: bool) -> Vec<Group<'_>> {
    let mut found: Vec<Group> = Vec::new();
    for held in &verdict.holds {
        let is_told = too_long || held.hold.is_worth_a_line();
        if held.over_s.is_some() != too_long || !is_told {
            continue;
        }
        match found
            .iter_mut()
            .find(|group| group.longest.hold.mode == held.hold.mode)
        {
            Some(group) => {
                group.more += 1;
                if held.hold.time.expected > group.longest.hold.time.expected {
                    group.longest = held;
                }
            }
            None => found.push(Group {
                longest: held,
                more: 0,
            }),
        }
    }
    found
}

impl Group<'_> {
    /// `holds ACCESS EXCLUSIVE on public.big for ~4 s (2–8 s)`
    #[must_use]
    pub fn title(&self) -> String {
        printable(&title(&self.longest.hold, self.more))
    }

    /// What takes so long, and whom it keeps out.
    #[must_use]
    pub fn facts(&self, statements: &[Statement]) -> Vec<(&'static str, String)> {
        let hold = &self.longest.hold;
        let mut facts = Vec::new();
        if !hold.basis.is_empty() {
            facts.push(("meanwhile", printable(&hold.basis)));
        }
        facts.extend(needs(hold).map(|text| ("needs", text)));
        facts.extend(end(hold, statements).map(|text| ("until", text)));
        facts.extend(hold.unknown.iter().map(|why| ("unknown", printable(why))));
        let users = &self.longest.users;
        let who = format!("{} wait that long ({})", users.what, uses(users));
        facts.push(("keeps out", printable(&who)));
        if let Some(limit) = self.longest.over_s {
            let text = format!("--max-hold lets through {limit} s");
            facts.push(("limit", text));
        }
        facts
    }

    /// The same in a line.
    #[must_use]
    pub fn line(&self, statements: &[Statement]) -> String {
        let hold = &self.longest.hold;
        let mut parts: Vec<String> = Some(hold.basis.clone())
            .filter(|b| !b.is_empty())
            .into_iter()
            .collect();
        parts.extend(needs(hold).map(|text| format!("needs {text}")));
        parts.extend(end(hold, statements).map(|text| format!("until {text}")));
        parts.extend(hold.unknown.iter().cloned());
        parts.push(format!("{} wait that long", hold.mode.keeps_out()));
        parts.push(uses(&self.longest.users));
        printable(&format!("{}: {}", title(hold, self.more), parts.join("; ")))
    }
}

fn title(hold: &Hold, more: usize) -> String {
    let more = match more {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let time = match (hold.time.latest >= 0.05, hold.unknown.is_empty()) {
        (true, true) => format!(" for {}", words::guess(hold.time)),
        (true, false) => format!(" for {} or longer", words::guess(hold.time)),
        (false, true) => " for less than 0.1 s".to_owned(),
        (false, false) => " for an unknown time".to_owned(),
    };
    format!("holds {} on {}{more}{time}", hold.mode, hold.name)
}

/// Disk that is worth a word, in bytes.
const MUCH: f64 = 100.0 * 1024.0 * 1024.0;

/// The disk that the work needs until its transaction ends.
pub fn needs(hold: &Hold) -> Option<String> {
    let size = crate::hold::size(hold.disk_bytes);
    (hold.disk_bytes >= MUCH).then(|| {
        format!("about {size} of disk for new files, the old ones go when its transaction ends")
    })
}

/// Where the transaction ends, if that is not with the statement.
fn end(hold: &Hold, statements: &[Statement]) -> Option<String> {
    let last = statements
        .get(hold.until)
        .filter(|_| hold.until > hold.statement)?;
    Some(format!("its transaction ends, after line {}", last.line))
}

/// `3 sessions use it now, about 20 uses a minute by its counters`
#[must_use]
pub fn uses(behind: &Behind) -> String {
    let now = match behind.sessions_now {
        0 => "nobody uses it now".to_owned(),
        1 => "1 session uses it now".to_owned(),
        n => format!("{n} sessions use it now"),
    };
    match behind.per_minute {
        Some(rate) if rate >= 0.5 => {
            format!("{now}, about {rate:.0} uses a minute by its counters")
        }
        Some(_) => format!("{now}, hardly used by its counters"),
        None => now,
    }
}
