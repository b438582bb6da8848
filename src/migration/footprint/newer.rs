//! What a newer server knows and the parser does not: enough of it, read by hand, to name the relation and
//! the strongest lock. A row goes once the parser reads the form.

use super::act::{Act, Step, refuse};
use super::storage;
use crate::model::{LockMode, LockWork, Oid, RelationKind, WaitPhase};
use pg_query::protobuf::RangeVar;

/// A form that only a newer server knows.
struct Form {
    /// The words that it begins with, or holds in this order.
    words: &'static [&'static str],
    /// Its kind in Postgres's words.
    command: &'static str,
    /// The first major version that knows it.
    since: i32,
    /// Asks for its locks.
    play: fn(&mut Act, &[Word]) -> Step,
}

/// Source: the release notes of Postgres 19.
const FORMS: [Form; 9] = [
    form(&["REPACK"], "REPACK", repack),
    form(
        &["ALTER", "TABLE", "MERGE", "PARTITIONS"],
        "ALTER TABLE",
        merge_or_split,
    ),
    form(
        &["ALTER", "TABLE", "SPLIT", "PARTITION"],
        "ALTER TABLE",
        merge_or_split,
    ),
    form(&["UPDATE", "FOR", "PORTION", "OF"], "UPDATE", changes_rows),
    form(
        &["DELETE", "FROM", "FOR", "PORTION", "OF"],
        "DELETE",
        changes_rows,
    ),
    form(
        &["INSERT", "INTO", "ON", "CONFLICT", "DO", "SELECT"],
        "INSERT",
        changes_rows,
    ),
    form(
        &["CREATE", "PROPERTY", "GRAPH"],
        "CREATE PROPERTY GRAPH",
        nothing,
    ),
    form(&["COPY", "FORMAT", "json"], "COPY", copies),
    form(&["WAIT", "FOR"], "WAIT FOR", nothing),
];

const fn form(
    words: &'static [&'static str],
    command: &'static str,
    play: fn(&mut Act, &[Word]) -> Step,
) -> Form {
    Form {
        words,
        command,
        since: 19,
        play,
    }
}

/// A word of a statement: as it was written, and whether it was quoted.
type Word<'a> = &'a str;

/// Plays a statement that the parser refuses; `None`: no newer form is known that it could be.
pub fn play(act: &mut Act, text: &str) -> Option<(&'static str, Step)> {
    let scanned = pg_query::scan(text).ok()?;
    let words: Vec<Word> = scanned
        .tokens
        .iter()
        .filter_map(|token| {
            let (start, end) = (
                usize::try_from(token.start).ok()?,
                usize::try_from(token.end).ok()?,
            );
            text.get(start..end)
        })
        .filter(|word| !word.starts_with("--") && !word.starts_with("/*"))
        .collect();
    let form = FORMS.iter().find(|form| form.is(&words))?;
    if act.version() > 0 && act.version() < form.since {
        let why = format!(
            "Postgres {} knows this form, this server is {}",
            form.since,
            act.version()
        );
        return Some((form.command, refuse(why)));
    }
    act.opaque(format!(
        "{} of Postgres {} is read by hand: its relation and its strongest lock are known, no more",
        form.words.join(" "),
        form.since
    ));
    Some((form.command, (form.play)(act, &words)))
}

impl Form {
    /// Whether the words begin with the first of the form's, and hold the others in their order.
    fn is(&self, words: &[Word]) -> bool {
        let begins = words
            .first()
            .is_some_and(|w| w.eq_ignore_ascii_case(self.words[0]));
        let mut rest = words.iter();
        begins
            && self
                .words
                .iter()
                .all(|wanted| rest.any(|w| w.eq_ignore_ascii_case(wanted)))
    }
}

/// `COPY … TO`: the reader's lock.
fn copies(act: &mut Act, words: &[Word]) -> Step {
    match name_at(words, 1) {
        Some((range, _)) => {
            let table = act.resolve(&range)?;
            act.lock(table, LockMode::AccessShare, "is copied out");
            Ok(())
        }
        None => Ok(()),
    }
}

/// The relation that is named at a place, and the place after it.
fn name_at(words: &[Word], at: usize) -> Option<(RangeVar, usize)> {
    let first = words.get(at)?;
    let is_name =
        first.starts_with('"') || first.starts_with(|c: char| c.is_alphabetic() || c == '_');
    if !is_name {
        return None;
    }
    let range = |schema: String, relation: String| RangeVar {
        schemaname: schema,
        relname: relation,
        inh: true,
        relpersistence: "p".into(),
        ..RangeVar::default()
    };
    match (words.get(at + 1), words.get(at + 2)) {
        (Some(&"."), Some(second)) => Some((range(plain(first), plain(second)), at + 3)),
        _ => Some((range(String::new(), plain(first)), at + 1)),
    }
}

/// A name as the catalog has it.
fn plain(word: Word) -> String {
    match word.strip_prefix('"').and_then(|w| w.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => word.to_lowercase(),
    }
}

/// The place after a list in parentheses, if one begins here.
fn after_list(words: &[Word], at: usize) -> usize {
    if words.get(at) != Some(&"(") {
        return at;
    }
    let end = words[at..].iter().position(|word| *word == ")");
    end.map_or(words.len(), |end| at + end + 1)
}

fn place_of(words: &[Word], wanted: &str) -> Option<usize> {
    words
        .iter()
        .position(|word| word.eq_ignore_ascii_case(wanted))
}

/// `REPACK [(CONCURRENTLY, …)] [table] [USING INDEX …]`: VACUUM FULL and CLUSTER in one; concurrently, it
/// copies under SHARE UPDATE EXCLUSIVE and takes ACCESS EXCLUSIVE at its end.
fn repack(act: &mut Act, words: &[Word]) -> Step {
    let list = after_list(words, 1);
    let is_concurrent = place_of(words, "CONCURRENTLY").is_some();
    let at = match words.get(list) {
        Some(word) if word.eq_ignore_ascii_case("CONCURRENTLY") => list + 1,
        _ => list,
    };
    let named = name_at(words, at).filter(|_| !words[at].eq_ignore_ascii_case("USING"));
    let tables: Vec<Oid> = match named {
        Some((range, _)) => vec![act.resolve(&range)?],
        None => act
            .world
            .relations()
            .filter(|r| r.kind == RelationKind::Table)
            .map(|r| r.oid)
            .collect(),
    };
    for table in tables {
        if is_concurrent {
            act.lock(table, LockMode::ShareUpdateExclusive, "is copied");
            let name = act.relation(table)?.name.clone();
            act.phases.push(WaitPhase::ThenLock {
                oid: Some(table),
                name,
                mode: LockMode::AccessExclusive,
            });
        } else {
            act.lock(
                table,
                LockMode::AccessExclusive,
                "is written into new files",
            );
            storage::write_new_files(act, table, "REPACK");
        }
        act.works(table, LockWork::Rewrite);
    }
    Ok(())
}

/// `ALTER TABLE t MERGE PARTITIONS (a, b) INTO c`, `… SPLIT PARTITION a INTO (PARTITION b …, …)`
fn merge_or_split(act: &mut Act, words: &[Word]) -> Step {
    let mut at = 2;
    while ["IF", "EXISTS", "ONLY"]
        .iter()
        .any(|w| words.get(at).is_some_and(|x| x.eq_ignore_ascii_case(w)))
    {
        at += 1;
    }
    let Some((parent, next)) = name_at(words, at) else {
        return Ok(());
    };
    let parent = act.resolve(&parent)?;
    act.lock(parent, LockMode::AccessExclusive, "is altered");
    // Past the verb and PARTITION or PARTITIONS.
    let mut at = next + 2;
    let into = place_of(words, "INTO").unwrap_or(words.len());
    while at < into {
        if let Some((part, next)) = name_at(words, at) {
            let part = act.resolve(&part)?;
            act.lock(
                part,
                LockMode::AccessExclusive,
                "its rows go to other partitions",
            );
            act.works(part, LockWork::Rewrite);
            at = next;
        } else {
            at += 1;
        }
    }
    Ok(())
}

/// The table after INTO, FROM or UPDATE.
fn changes_rows(act: &mut Act, words: &[Word]) -> Step {
    let has_word = words.get(1).is_some_and(|w| {
        ["INTO", "FROM", "ONLY"]
            .iter()
            .any(|x| w.eq_ignore_ascii_case(x))
    });
    if let Some((range, _)) = name_at(words, if has_word { 2 } else { 1 }) {
        let table = act.resolve(&range)?;
        act.lock(table, LockMode::RowExclusive, "its rows are changed");
    }
    Ok(())
}

fn nothing(_: &mut Act, _: &[Word]) -> Step {
    Ok(())
}
