//! One file of looks: a line that says what it is, a line about the server, then a frame for each look: its length,
//! when it was, and the changes since the one before, deflated.

use super::parts::{self, Parts};
use crate::model::{LookToKeep, Snapshot};
use chrono::{DateTime, TimeDelta, Utc};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// The first line. Another number: another form.
pub const MAGIC: &[u8] = b"pgguard looks 1\n";

/// A segment covers no more than this: what is old goes segment by segment.
const LONGEST: TimeDelta = TimeDelta::minutes(5);

/// Nor takes much more than this.
pub const MOST_BYTES: u64 = 1 << 20;

/// The second line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct About {
    /// The server, as the history knows it.
    pub server: String,
    /// The database that was looked from.
    #[serde(default)]
    pub database: String,
}

/// The name that our files have.
pub fn is_name(name: &str) -> bool {
    name.starts_with("looks-") && name.ends_with(".bin")
}

/// A file that is being written.
#[derive(Debug)]
pub struct Segment {
    file: File,
    server: String,
    database: String,
    began: DateTime<Utc>,
    written: u64,
    encoder: DeflateEncoder<Vec<u8>>,
    before: Parts,
}

impl Segment {
    /// Begins a file in a folder, which is made where it is not there.
    pub fn begin(folder: &Path, first: &Snapshot) -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let name = format!(
            "looks-{}-{}-{}.bin",
            first.taken_at.timestamp_millis(),
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(folder.join(name))?;
        let server = first.server.history_key();
        let about = serde_json::to_string(&About {
            server: server.clone(),
            database: first.server.datname.clone(),
        })?;
        file.write_all(MAGIC)?;
        file.write_all(format!("{about}\n").as_bytes())?;
        Ok(Self {
            file,
            server,
            database: first.server.datname.clone(),
            began: first.taken_at,
            written: 0,
            encoder: DeflateEncoder::new(Vec::new(), Compression::default()),
            before: Parts::new(),
        })
    }

    /// Whether a look goes into this file.
    pub fn takes(&self, look: &LookToKeep<'_>) -> bool {
        let age = look.snapshot.taken_at - self.began;
        age < LONGEST
            && age >= TimeDelta::zero()
            && self.written < MOST_BYTES
            && look.snapshot.server.datname == self.database
            && look.snapshot.server.history_key() == self.server
    }

    /// Adds a look.
    pub fn add(&mut self, look: &LookToKeep<'_>) -> io::Result<()> {
        let now = parts::parts(look);
        self.encoder
            .write_all(changes(&self.before, &now).as_bytes())?;
        self.encoder.flush()?;
        let deflated = std::mem::take(self.encoder.get_mut());
        let mut frame = Vec::with_capacity(deflated.len() + 12);
        let length = u32::try_from(deflated.len()).map_err(io::Error::other)?;
        frame.extend(length.to_le_bytes());
        frame.extend(look.snapshot.taken_at.timestamp_micros().to_le_bytes());
        frame.extend(deflated);
        // In one write: a frame is whole, or the last.
        self.file.write_all(&frame)?;
        self.written += u64::from(length);
        self.before = now;
        Ok(())
    }
}

/// `+name json` for what is new or has changed, `-name` for what is gone, a line each.
fn changes(before: &Parts, now: &Parts) -> String {
    let mut out = String::new();
    for (name, text) in now {
        if before.get(name) != Some(text) {
            out.push('+');
            out.push_str(name);
            out.push(' ');
            out.push_str(text);
            out.push('\n');
        }
    }
    for name in before.keys().filter(|name| !now.contains_key(*name)) {
        out.push('-');
        out.push_str(name);
        out.push('\n');
    }
    out
}

/// Changes what was there before; `None`: these are no changes of ours.
pub fn apply(changes: &str, parts: &mut Parts) -> Option<()> {
    for line in changes.lines() {
        match line.split_at_checked(1)? {
            ("+", rest) => {
                let (name, text) = rest.split_once(' ')?;
                parts.insert(name.to_owned(), text.to_owned());
            }
            ("-", name) => {
                parts.remove(name)?;
            }
            _ => return None,
        }
    }
    Some(())
}
