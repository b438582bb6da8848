//! What a rehearsal writes into its script for the gate: on which schema it was made, which statements read rows, and
//! what each one locked there.

use crate::model::{LockMode, LockWork, Measured, MeasuredLock, RelationName, quoted};

/// How the script begins.
pub const HEADER: &str = "-- pgguard rehearsal 1";

/// The line of the header that has the schema's fingerprint.
pub const FINGERPRINT: &str = "-- schema: ";

/// The lines of the header that have the rows of the version tables.
pub const APPLIED: &str = "-- applied: ";

/// How a comment of ours above a statement begins.
const OURS: &str = "-- pgguard: ";

/// In such a comment, with the tables behind it.
pub const READS_ROWS: &str = "reads rows of ";

/// In such a comment, with what the server said behind it: it refused the statement, and the command went on.
pub const REFUSED: &str = "refused there: ";

/// In such a comment, with the locks behind it.
const MEASURED: &str = "measured ";

/// The schema's fingerprint that a script says it was made on; `None`: it is no rehearsal's.
#[must_use]
pub fn fingerprint_in(text: &str) -> Option<&str> {
    header(text).find_map(|line| line.strip_prefix(FINGERPRINT))
}

/// The version tables of a script's header, each with its rows then; `None`: the name is not understood.
pub fn applied_in(text: &str) -> impl Iterator<Item = (Option<RelationName>, &str)> {
    let lines = header(text).filter_map(|line| line.strip_prefix(APPLIED));
    lines.map(|line| {
        let table = split(line, " ").first().copied().unwrap_or_default();
        (name(table), line[table.len()..].trim())
    })
}

fn header(text: &str) -> impl Iterator<Item = &str> {
    let rest = text.strip_prefix(HEADER).unwrap_or_default();
    rest.lines()
        .take_while(|line| line.is_empty() || line.starts_with("--"))
}

/// Why not everything is known of a statement that reads rows.
#[must_use]
pub fn not_seen(tables: &str) -> String {
    format!(
        "it {READS_ROWS}{tables}, which was empty in the rehearsal: what the command does with the rows was not seen"
    )
}

/// Whether a reason is [`not_seen`].
#[must_use]
pub fn is_not_seen(why: &str) -> bool {
    why.starts_with("it ") && why[3..].starts_with(READS_ROWS)
}

/// Whether what a comment says behind `pgguard:` is a rehearsal's.
#[must_use]
pub fn is_ours(said: &str) -> bool {
    [READS_ROWS, REFUSED, MEASURED]
        .iter()
        .any(|word| said.starts_with(word))
}

/// The tables of which a rehearsal says that the statement on this line reads rows. `line` counts from 0.
#[must_use]
pub fn rows_read(text: &str, line: usize) -> Option<String> {
    said_above(text, line)
        .into_iter()
        .find_map(|said| Some(said.strip_prefix(READS_ROWS)?.to_owned()))
}

/// Why the server refused the statement on this line in a rehearsal. `line` counts from 0.
#[must_use]
pub fn refused(text: &str, line: usize) -> Option<String> {
    said_above(text, line)
        .into_iter()
        .find_map(|said| Some(said.strip_prefix(REFUSED)?.to_owned()))
}

/// What a rehearsal says that the statement on this line locked. `line` counts from 0.
#[must_use]
pub fn measured(text: &str, line: usize) -> Option<Measured> {
    said_above(text, line)
        .into_iter()
        .find_map(|said| read(said.strip_prefix(MEASURED)?))
}

/// What our comments right above a line say.
fn said_above(text: &str, line: usize) -> Vec<&str> {
    let above: Vec<&str> = text.lines().take(line).collect();
    let ours = above
        .iter()
        .rev()
        .map_while(|line| line.trim().strip_prefix(OURS.trim_end()));
    ours.map(str::trim).collect()
}

const TOAST_OF: &str = "TOAST of ";
const UNCLEAR: &str = "unclear: ";
const READS: &str = "reads ";
const NOTHING: &str = "nothing";

/// The comment line with what a statement locked; `None`: a name has a line break in it.
#[must_use]
pub fn comment(measured: &Measured) -> Option<String> {
    let locks: Vec<String> = measured.locks.iter().map(lock).collect();
    let mut parts = vec![match locks.is_empty() {
        true => NOTHING.to_owned(),
        false => locks.join(", "),
    }];
    if !measured.reads.is_empty() {
        let names: Vec<String> = measured.reads.iter().map(ToString::to_string).collect();
        parts.push(format!("{READS}{}", names.join(", ")));
    }
    if let Some(why) = &measured.unclear {
        parts.push(format!("{UNCLEAR}{why}"));
    }
    let line = format!("{OURS}{MEASURED}{}", parts.join("; "));
    (!line.contains(['\n', '\r'])).then_some(line)
}

fn lock(lock: &MeasuredLock) -> String {
    let toast = if lock.is_toast { TOAST_OF } else { "" };
    let work = match lock.work {
        LockWork::Instant => "",
        LockWork::Scan => " (scan)",
        LockWork::Rewrite => " (rewrite)",
    };
    format!("{} on {toast}{}{work}", lock.mode, lock.name)
}

fn read(said: &str) -> Option<Measured> {
    let mut found = Measured::default();
    let mut passed = 0;
    for part in split(said, "; ") {
        if part.starts_with(UNCLEAR) {
            // The last one: what it says may have a semicolon in it.
            found.unclear = Some(said[passed + UNCLEAR.len()..].to_owned());
            break;
        }
        passed += part.len() + "; ".len();
        if let Some(names) = part.strip_prefix(READS) {
            found.reads = split(names, ", ")
                .into_iter()
                .map(name)
                .collect::<Option<_>>()?;
        } else if part != NOTHING {
            found.locks = split(part, ", ")
                .into_iter()
                .map(read_lock)
                .collect::<Option<_>>()?;
        }
    }
    Some(found)
}

fn read_lock(said: &str) -> Option<MeasuredLock> {
    let (mode, rest) = said.split_once(" on ")?;
    let (rest, work) = [
        (" (scan)", LockWork::Scan),
        (" (rewrite)", LockWork::Rewrite),
    ]
    .into_iter()
    .find_map(|(word, work)| Some((rest.strip_suffix(word)?, work)))
    .unwrap_or((rest, LockWork::Instant));
    let (rest, is_toast) = rest
        .strip_prefix(TOAST_OF)
        .map_or((rest, false), |rest| (rest, true));
    Some(MeasuredLock {
        name: name(rest)?,
        is_toast,
        mode: LockMode::from_sql(mode)?,
        work,
    })
}

/// A name as [`RelationName`] writes it.
fn name(said: &str) -> Option<RelationName> {
    match split(said, ".").as_slice() {
        [schema, relation] => Some(RelationName::new(bare(schema), bare(relation))),
        _ => None,
    }
}

fn bare(said: &str) -> String {
    let inner = said.strip_prefix('"').and_then(|s| s.strip_suffix('"'));
    inner.map_or_else(|| said.to_owned(), |inner| inner.replace("\"\"", "\""))
}

/// The parts between separators that are outside double quotes.
fn split<'a>(text: &'a str, separator: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let mut from = 0;
    for (at, _) in text.match_indices(separator) {
        let is_outside = text[..at].matches('"').count().is_multiple_of(2);
        if is_outside && at >= from {
            parts.push(&text[from..at]);
            from = at + separator.len();
        }
    }
    parts.push(&text[from..]);
    parts
}

/// A script with what each statement locked above it. `places`: the line of each statement, from 1, with what it
/// locked.
#[must_use]
pub fn annotated(text: &str, places: &[(usize, &Measured)]) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, line) in text.split_inclusive('\n').enumerate() {
        let here = places.iter().filter(|(line, _)| *line == at + 1);
        let all: Vec<&Measured> = here.map(|(_, measured)| *measured).collect();
        // Of several statements on a line nobody knows which one it is about.
        if let [measured] = all.as_slice()
            && let Some(comment) = comment(measured)
        {
            out.push_str(&comment);
            out.push('\n');
        }
        out.push_str(line);
    }
    out
}

/// How a relation's name is shown.
#[must_use]
pub fn shown(names: &[RelationName]) -> String {
    let one = |name: &RelationName| match name.schema.as_str() {
        "public" => quoted(&name.relation),
        _ => name.to_string(),
    };
    names.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_all_kinds() -> Measured {
        let lock = |name, is_toast, mode, work| MeasuredLock {
            name,
            is_toast,
            mode,
            work,
        };
        let odd = RelationName::new("a\"b.c", "d, e; f (scan)");
        Measured {
            locks: vec![
                lock(odd.clone(), false, LockMode::Share, LockWork::Scan),
                lock(
                    RelationName::new("public", "orders"),
                    true,
                    LockMode::AccessExclusive,
                    LockWork::Rewrite,
                ),
            ],
            reads: vec![odd],
            unclear: Some("its code; catches \"errors".into()),
        }
    }

    #[test]
    fn what_was_measured_is_read_back() {
        for measured in [of_all_kinds(), Measured::default()] {
            let line = comment(&measured).unwrap();
            let text = format!("{line}\n{OURS}{READS_ROWS}x\nDO $$ $$;");
            assert_eq!(super::measured(&text, 2), Some(measured), "{line}");
            assert_eq!(rows_read(&text, 2).as_deref(), Some("x"));
            assert_eq!(
                super::measured(&text, 1),
                None.or(super::measured(&text, 2))
            );
        }
        let mut broken = of_all_kinds();
        broken.reads[0].relation.push('\n');
        assert_eq!(comment(&broken), None);
    }

    #[test]
    fn a_comment_that_is_not_understood_measures_nothing() {
        for said in [
            "",
            "SHARE",
            "NOTHING on a.b",
            "SHARE on a",
            "SHARE on a.b.c",
            "SHARE on \"a.b",
        ] {
            let text = format!("{OURS}{MEASURED}{said}\nSELECT 1");
            assert_eq!(super::measured(&text, 1), None, "{said}");
        }
    }

    #[test]
    fn version_tables_are_read_by_name() {
        let text =
            format!("{HEADER}\n{APPLIED}public.\"a b\" (1) (2)\n{APPLIED}x; SELECT 1\n\nSELECT 1;");
        let found: Vec<_> = applied_in(&text).collect();
        assert_eq!(
            found[0],
            (Some(RelationName::new("public", "a b")), "(1) (2)")
        );
        assert_eq!(found[1].0, None);
    }

    #[test]
    fn comments_come_above_their_statements() {
        let one = Measured::default();
        let text = "-- x\nSELECT 1;\nSELECT 2; SELECT 3;\n";
        assert_eq!(
            annotated(text, &[(2, &one), (3, &one), (3, &one)]),
            "-- x\n-- pgguard: measured nothing\nSELECT 1;\nSELECT 2; SELECT 3;\n"
        );
    }
}
