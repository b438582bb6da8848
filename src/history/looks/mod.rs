//! The flight recorder: what every command that looks saw anyhow, kept for an hour in files of its own.
//!
//! A process writes a *segment* of its own: its first look whole, of the others what has changed, all in one
//! stream of deflate that is flushed after each look. So a thousand sessions take a few kilobytes a look, two
//! processes never write the same file, and what a crash left behind ends with its last whole look. Segments are
//! short, so that what is old can go file by file. They hold query texts: nobody but the owner reads them.
//!
//! None of it may harm the command that looks: what goes wrong ends the recording, and nothing else.

mod episodes;
mod folder;
mod moments;
mod parts;
mod read;
mod segment;

pub use episodes::{FAR_APART, Told, told};
pub use moments::{Moment, between};
pub use read::Looks;

use crate::model::{LookToKeep, SeenWait};
use chrono::{DateTime, TimeDelta, Utc};
use folder::folder_name;
use segment::Segment;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// So long looks are kept.
pub const KEPT: TimeDelta = TimeDelta::hours(1);

/// The most that the looks at one server take on disk, about.
const MOST_BYTES: u64 = 16 << 20;

/// Who looks each second keeps no more than one look in this time, unless who waits for whom has changed.
const KEEP_EVERY: TimeDelta = TimeDelta::seconds(5);

/// Keeps looks.
#[derive(Debug, Default)]
pub struct Recorder {
    /// `None`: nothing is kept.
    folder: Option<PathBuf>,
    segment: Option<Segment>,
    last: Option<(DateTime<Utc>, Vec<SeenWait>)>,
}

impl Recorder {
    /// One that keeps looks below this folder; `None`: one that keeps nothing.
    #[must_use]
    pub const fn new(folder: Option<PathBuf>) -> Self {
        Self {
            folder,
            segment: None,
            last: None,
        }
    }

    /// Whether anything is kept.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.folder.is_some()
    }

    /// When somebody looked at a server, and which transactions had ended; the oldest first.
    #[must_use]
    pub fn moments(&self, server: &str) -> Vec<Moment> {
        let folder = self.folder.as_deref();
        folder.map_or_else(Vec::new, |folder| moments::of(folder, server))
    }

    /// The looks that are kept of a server.
    #[must_use]
    pub fn looks(&self, server: &str) -> Looks {
        let folder = self.folder.as_deref();
        folder.map_or_else(Looks::default, |folder| Looks::of(folder, server))
    }

    /// Whether a look that sees these waits is worth keeping.
    #[must_use]
    pub fn wants(&self, at: DateTime<Utc>, waits: &[SeenWait]) -> bool {
        let is_news = self.last.as_ref().is_none_or(|(before, seen)| {
            let age = at - *before;
            let is_new_wait = !alike(seen, waits) && age >= TimeDelta::seconds(1);
            is_new_wait || age >= KEEP_EVERY || age < TimeDelta::zero()
        });
        self.folder.is_some() && is_news
    }

    /// Keeps a look.
    pub fn keep(&mut self, look: &LookToKeep<'_>) {
        if self.try_to_keep(look).is_none() {
            // A full disk or a folder that is not ours: no news each second.
            self.folder = None;
            self.segment = None;
        }
        self.last = Some((look.snapshot.taken_at, look.waits.to_vec()));
    }

    fn try_to_keep(&mut self, look: &LookToKeep<'_>) -> Option<()> {
        let folder = self.folder.as_ref()?;
        let server = look.snapshot.server.history_key();
        if let Some(moment) = Moment::of(look.snapshot) {
            moments::keep(folder, &server, moment).ok()?;
        }
        let goes_on = self.segment.take().filter(|segment| segment.takes(look));
        let mut segment = match goes_on {
            Some(segment) => segment,
            None => {
                let folder = folder.join(folder_name(&server));
                make_room(&folder);
                Segment::begin(&folder, look.snapshot).ok()?
            }
        };
        segment.add(look).ok()?;
        self.segment = Some(segment);
        Some(())
    }
}

/// Whether two looks saw the same ones keep others waiting.
fn alike(a: &[SeenWait], b: &[SeenWait]) -> bool {
    let key = |wait: &SeenWait| (wait.root.clone(), wait.through.clone(), wait.on.clone());
    a.len() == b.len() && a.iter().map(key).eq(b.iter().map(key))
}

/// Our files in a folder, the oldest first, with their age and size.
fn segments(folder: &Path) -> Vec<(PathBuf, Duration, u64)> {
    let mut found: Vec<(PathBuf, Duration, u64)> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| segment::is_name(&entry.file_name().to_string_lossy()))
        .filter_map(|entry| {
            let about = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
            let age = SystemTime::now().duration_since(about.modified().ok()?);
            Some((entry.path(), age.unwrap_or_default(), about.len()))
        })
        .collect();
    found.sort_by_key(|(path, age, _)| (std::cmp::Reverse(*age), path.clone()));
    found
}

/// Deletes what is too old, and of the others the oldest that are too much.
fn make_room(folder: &Path) {
    let kept = KEPT.to_std().unwrap_or_default();
    let found = segments(folder);
    let mut bytes: u64 = found.iter().map(|(_, _, size)| size).sum();
    for (path, age, size) in found {
        if age > kept || bytes > MOST_BYTES - segment::MOST_BYTES {
            bytes -= size;
            // Somebody else may have been quicker.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests;
