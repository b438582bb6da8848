//! Reading looks back. A file that is damaged, half written or none of ours tells what it has before that, or nothing.

use super::folder::folder_name;
use super::parts::{self, Parts, WAITS};
use super::segment::{About, MAGIC, apply};
use super::{KEPT, segments};
use crate::model::{KeptLook, SeenWait};
use chrono::{DateTime, Utc};
use flate2::write::DeflateDecoder;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// No segment of ours is longer.
const MOST_OF_A_FILE: u64 = 64 << 20;

/// Nor is any look of ours, inflated.
const MOST_OF_A_LOOK: usize = 256 << 20;

/// The looks that are kept of one server.
#[derive(Debug, Clone, Default)]
pub struct Looks {
    files: Vec<Kept>,
    times: Vec<DateTime<Utc>>,
}

#[derive(Debug, Clone)]
struct Kept {
    path: PathBuf,
    database: String,
    times: Vec<DateTime<Utc>>,
}

impl Looks {
    /// The servers that looks are kept of, below a folder.
    #[must_use]
    pub fn servers(folder: &Path) -> BTreeSet<String> {
        let below = std::fs::read_dir(folder).into_iter().flatten().flatten();
        below
            .flat_map(|entry| segments(&entry.path()))
            .filter_map(|(path, ..)| Some(File::read(&path)?.server))
            .collect()
    }

    /// What is kept of a server below a folder.
    #[must_use]
    pub fn of(folder: &Path, server: &str) -> Self {
        let files: Vec<Kept> = segments(&folder.join(folder_name(server)))
            .into_iter()
            .filter(|(_, age, _)| *age <= KEPT.to_std().unwrap_or_default())
            .filter_map(|(path, ..)| {
                let file = File::read(&path).filter(|file| file.server == server)?;
                let times = file.frames().map(|(at, _)| at).collect();
                Some(Kept {
                    path,
                    database: file.database,
                    times,
                })
            })
            .collect();
        Self::of_files(files)
    }

    fn of_files(files: Vec<Kept>) -> Self {
        let mut times: Vec<DateTime<Utc>> =
            files.iter().flat_map(|file| file.times.clone()).collect();
        times.sort();
        times.dedup();
        Self { files, times }
    }

    /// The looks from one database: those from another know other names.
    #[must_use]
    pub fn of_database(self, database: &str) -> Self {
        let files = self.files.into_iter();
        Self::of_files(files.filter(|file| file.database == database).collect())
    }

    /// When somebody looked, the oldest first.
    #[must_use]
    pub fn times(&self) -> &[DateTime<Utc>] {
        &self.times
    }

    /// The last look at or before a time; `None`: nobody had looked by then.
    #[must_use]
    pub fn before(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let after = self.times.partition_point(|time| *time <= at);
        after.checked_sub(1).map(|last| self.times[last])
    }

    /// The first look after a time; `None`: there is none.
    #[must_use]
    pub fn after(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let after = self.times.partition_point(|time| *time <= at);
        self.times.get(after).copied()
    }

    /// The look of a time of [`Self::times`]; `None`: it has gone since, or is damaged.
    #[must_use]
    pub fn look(&self, at: DateTime<Utc>) -> Option<KeptLook> {
        let files = self.files.iter().filter(|file| file.times.contains(&at));
        files.into_iter().find_map(|file| {
            let mut found = None;
            File::read(&file.path)?.play(|time, parts| {
                if time == at {
                    found = parts::look(time, parts);
                }
                time != at
            });
            found
        })
    }

    /// Who kept others waiting, look by look, the oldest first.
    #[must_use]
    pub fn waits(&self) -> Vec<(DateTime<Utc>, Vec<SeenWait>)> {
        let mut found = Vec::new();
        for file in &self.files {
            if let Some(file) = File::read(&file.path) {
                file.play(|time, parts| {
                    found.extend(parts::part(parts, WAITS).map(|waits| (time, waits)));
                    true
                });
            }
        }
        found.sort_by_key(|(time, _)| *time);
        found
    }
}

/// A file that begins as ours do.
struct File {
    server: String,
    database: String,
    frames: Vec<u8>,
}

impl File {
    fn read(path: &Path) -> Option<Self> {
        let about = std::fs::symlink_metadata(path).ok()?;
        if !about.is_file() || about.len() > MOST_OF_A_FILE {
            return None;
        }
        let bytes = std::fs::read(path).ok()?;
        let rest = bytes.strip_prefix(MAGIC)?;
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let about: About = serde_json::from_slice(&rest[..end]).ok()?;
        Some(Self {
            server: about.server,
            database: about.database,
            frames: rest[end + 1..].to_vec(),
        })
    }

    /// The frames that are whole: when each look was, and its changes, deflated.
    fn frames(&self) -> impl Iterator<Item = (DateTime<Utc>, &[u8])> {
        let mut rest = self.frames.as_slice();
        std::iter::from_fn(move || {
            let (head, after) = rest.split_at_checked(12)?;
            let length = u32::from_le_bytes(head[..4].try_into().ok()?);
            let at = i64::from_le_bytes(head[4..].try_into().ok()?);
            let (frame, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
            rest = after;
            Some((DateTime::from_timestamp_micros(at)?, frame))
        })
    }

    /// Look by look, as far as they can be read, until somebody has seen enough.
    fn play(&self, mut seen: impl FnMut(DateTime<Utc>, &Parts) -> bool) {
        let mut decoder = DeflateDecoder::new(Bounded(Vec::new()));
        let mut parts = Parts::new();
        for (at, frame) in self.frames() {
            let inflated = decoder.write_all(frame).and_then(|()| decoder.flush());
            if inflated.is_err() {
                return;
            }
            let text = std::mem::take(&mut decoder.get_mut().0);
            let applied = std::str::from_utf8(&text)
                .ok()
                .and_then(|text| apply(text, &mut parts));
            if applied.is_none() || !seen(at, &parts) {
                return;
            }
        }
    }
}

/// Takes so much and no more: a file may say anything.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MOST_OF_A_LOOK {
            return Err(io::Error::other("no look is that long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
