//! The name of a run. Its sessions bear it in `application_name`, so that anybody who looks knows whose they are.

use chrono::{DateTime, Utc};

/// What the name is put after.
const MARK: &str = "pgguard:";

/// The server keeps this many bytes of an `application_name` (`NAMEDATALEN` less its end).
const LONGEST_NAME: usize = 63;

/// A name for a run that begins now: short enough for `application_name`, in the order of time.
#[must_use]
pub fn new_run(now: DateTime<Utc>, process: u32) -> String {
    let fraction = now.timestamp_subsec_nanos() ^ process.wrapping_mul(2_654_435_761);
    format!("{}-{:04x}", now.format("%Y%m%d-%H%M%S"), fraction & 0xffff)
}

/// The `application_name` of the run's sessions; `theirs` stays in it, cut where both are too long.
#[must_use]
pub fn application_name(run: &str, theirs: Option<&str>) -> String {
    let tag = format!("{MARK}{run}");
    let Some(theirs) = theirs.filter(|name| !name.is_empty()) else {
        return tag;
    };
    let room = LONGEST_NAME.saturating_sub(tag.len() + 1);
    let kept = (0..=room.min(theirs.len()))
        .rev()
        .find(|at| theirs.is_char_boundary(*at))
        .unwrap_or(0);
    format!("{} {tag}", &theirs[..kept]).trim_start().to_owned()
}

/// The run that an `application_name` belongs to.
#[must_use]
pub fn run_of(application_name: &str) -> Option<&str> {
    let at = application_name.find(MARK)? + MARK.len();
    let rest = &application_name[at..];
    let end = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .unwrap_or(rest.len());
    Some(&rest[..end]).filter(|run| !run.is_empty())
}

/// `PGOPTIONS` with further settings after those that are there: the last one counts. A start-up option survives a
/// RESET in the migration.
#[must_use]
pub fn options(theirs: Option<&str>, ours: &[(&str, String)]) -> String {
    let ours = ours
        .iter()
        .map(|(name, value)| format!("-c {name}={value}"));
    theirs
        .map(str::to_owned)
        .filter(|text| !text.trim().is_empty())
        .into_iter()
        .chain(ours)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_whatever_is_around_it() {
        let now = "2026-11-28T03:17:09.5Z".parse().expect("a time");
        let run = new_run(now, 31_705);
        assert!(run.starts_with("20261128-031709-"), "{run}");
        for theirs in [None, Some(""), Some("bin/rails"), Some(&*"ä".repeat(70))] {
            let name = application_name(&run, theirs);
            assert!(name.len() <= LONGEST_NAME, "{name}");
            assert_eq!(run_of(&name), Some(&*run), "{name}");
        }
        for name in ["", "pgguard", "pgguard:", "pgguard: x"] {
            assert_eq!(run_of(name), None, "{name}");
        }
    }

    #[test]
    fn options_are_added_and_never_replace() {
        let ours = [("lock_timeout", "2s".to_owned())];
        assert_eq!(options(None, &ours), "-c lock_timeout=2s");
        assert_eq!(
            options(Some("-c search_path=app"), &ours),
            "-c search_path=app -c lock_timeout=2s"
        );
        assert_eq!(options(Some(" "), &[]), "");
    }
}
