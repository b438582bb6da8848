//! Which transactions had ended when somebody looked: a line for each look, kept for weeks. A row of a catalog names the
//! transaction that wrote it, so these lines tell between which looks the schema changed, where the server does not keep
//! the times of commits.
//!
//! Source: `pg_current_snapshot()`: what is below `xmin` has ended, what is not below `xmax` had not ended yet
//! (<https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT>).

use super::folder::folder_name;
use crate::model::{Snapshot, Xids};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use std::fmt::Write as _;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The file's name, next to the looks of the same server.
const NAME: &str = "transactions.txt";

/// Lines are no closer together than this.
const APART: TimeDelta = TimeDelta::seconds(10);

/// A file that is larger loses what is old.
const MOST_BYTES: u64 = 512 << 10;

/// Lines that are older than the first are no closer together than the second.
const THINNED: [(TimeDelta, TimeDelta); 3] = [
    (TimeDelta::hours(1), TimeDelta::minutes(1)),
    (TimeDelta::days(1), TimeDelta::minutes(15)),
    (TimeDelta::days(30), TimeDelta::MAX),
];

/// A look at a server: when it was, and which transactions had ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// When, by the server's clock.
    pub at: DateTime<Utc>,
    /// Which.
    pub xids: Xids,
}

impl Moment {
    /// Of a look; `None`: it does not tell. A standby is behind its primary, whose identifier it has.
    #[must_use]
    pub fn of(look: &Snapshot) -> Option<Self> {
        let xids = look.xids.filter(|_| !look.server.in_recovery)?;
        Some(Self {
            at: look.taken_at,
            xids,
        })
    }

    fn line(self) -> String {
        let at = self.at.to_rfc3339_opts(SecondsFormat::Micros, true);
        format!("{at} {} {}\n", self.xids.xmin, self.xids.xmax)
    }

    fn read(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        Some(Self {
            at: words.next()?.parse().ok()?,
            xids: Xids {
                xmin: words.next()?.parse().ok()?,
                xmax: words.next()?.parse().ok()?,
            },
        })
    }
}

/// Adds a look of a server to those below a folder.
///
/// # Errors
/// As the system has it.
pub fn keep(folder: &Path, server: &str, moment: Moment) -> io::Result<()> {
    let path = place(folder, server);
    let known = of(folder, server);
    let is_close = |last: &Moment| (moment.at - last.at).abs() < APART;
    if known.last().is_some_and(is_close) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let is_large = std::fs::metadata(&path).is_ok_and(|about| about.len() > MOST_BYTES);
    if is_large {
        return rewrite(&path, &thinned(&known, moment));
    }
    let mut file = OpenOptions::new();
    let mut file = file.append(true).create(true).mode(0o600).open(path)?;
    file.write_all(moment.line().as_bytes())
}

/// What is known of a server below a folder, in the order in which it was seen. Transactions that went back to earlier
/// numbers are another history (a server restored to an earlier time): nothing before that counts.
#[must_use]
pub fn of(folder: &Path, server: &str) -> Vec<Moment> {
    let text = std::fs::read_to_string(place(folder, server)).unwrap_or_default();
    let mut found: Vec<Moment> = Vec::new();
    for moment in text.lines().filter_map(Moment::read) {
        if found
            .last()
            .is_some_and(|last| moment.xids.xmax < last.xids.xmin)
        {
            found.clear();
        }
        found.push(moment);
    }
    found
}

/// Between which looks a transaction ended: the last before, and the first after. `None`: before the first look.
#[must_use]
pub fn between(moments: &[Moment], xid: i64) -> Option<(DateTime<Utc>, Option<DateTime<Utc>>)> {
    let before = moments.iter().filter(|moment| moment.xids.xmax <= xid);
    let after = moments.iter().filter(|moment| moment.xids.xmin > xid);
    let begin = before.map(|moment| moment.at).max()?;
    let end = after.map(|moment| moment.at).min();
    // A clock that was set back tells nothing.
    end.is_none_or(|end| begin <= end).then_some((begin, end))
}

fn place(folder: &Path, server: &str) -> PathBuf {
    folder.join(folder_name(server)).join(NAME)
}

fn thinned(known: &[Moment], last: Moment) -> Vec<Moment> {
    let mut kept: Vec<Moment> = Vec::new();
    for moment in known {
        let age = last.at - moment.at;
        let rules = THINNED.iter().filter(|(older, _)| age > *older);
        let apart = rules.map(|(_, apart)| *apart).max().unwrap_or(APART);
        let is_close = kept
            .last()
            .is_some_and(|before| moment.at - before.at < apart);
        if apart < TimeDelta::MAX && !is_close {
            kept.push(*moment);
        }
    }
    kept.push(last);
    kept
}

/// In one step: another process may read or write it.
fn rewrite(path: &Path, moments: &[Moment]) -> io::Result<()> {
    let mut text = String::new();
    for moment in moments {
        let _ = write!(text, "{}", moment.line());
    }
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = OpenOptions::new();
    let mut file = file
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(text.as_bytes())?;
    std::fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(seconds: i64, xmin: i64, xmax: i64) -> Moment {
        Moment {
            at: DateTime::from_timestamp(1_700_000_000 + seconds, 0).expect("a time"),
            xids: Xids { xmin, xmax },
        }
    }

    #[test]
    fn looks_on_both_sides_of_a_transaction_tell_when_it_ended() {
        let all = [
            moment(0, 90, 100),
            moment(60, 95, 110),
            moment(120, 115, 115),
        ];
        let at = |nth: usize| all[nth].at;
        assert_eq!(between(&all, 80), None, "before the first look");
        assert_eq!(
            between(&all, 95),
            None,
            "it may have ended before the first look"
        );
        assert_eq!(between(&all, 100), Some((at(0), Some(at(2)))));
        assert_eq!(between(&all, 112), Some((at(1), Some(at(2)))));
        assert_eq!(between(&all, 115), Some((at(2), None)));
    }

    #[test]
    fn what_was_kept_is_read_and_grows_no_larger() {
        let folder = tempfile::tempdir().expect("a folder");
        let keep = |moment| keep(folder.path(), "1/x", moment).expect("kept");
        keep(moment(0, 10, 10));
        keep(moment(5, 11, 11));
        keep(moment(20, 12, 12));
        assert_eq!(
            of(folder.path(), "1/x"),
            [moment(0, 10, 10), moment(20, 12, 12)]
        );
        assert!(of(folder.path(), "2").is_empty());
        // Restored to an earlier time.
        keep(moment(40, 5, 5));
        assert_eq!(of(folder.path(), "1/x"), [moment(40, 5, 5)]);
        let path = place(folder.path(), "1/x");
        std::fs::write(&path, "no line of ours\n2026\n").expect("written");
        assert!(of(folder.path(), "1/x").is_empty());
        let many: String = (0..20_000).map(|n| moment(n * 60, n, n).line()).collect();
        std::fs::write(&path, many).expect("written");
        keep(moment(20_000 * 60, 20_000, 20_000));
        let kept = of(folder.path(), "1/x");
        assert!((1000..4000).contains(&kept.len()), "{}", kept.len());
        assert_eq!(kept.last(), Some(&moment(20_000 * 60, 20_000, 20_000)));
    }
}
