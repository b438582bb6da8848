//! The maintenance page: put up, kept true, and always taken away.

use super::folder::{self, PageNote, RunFolder};
use crate::door::file::{self, Access};
use crate::supervise::page::{Words, render};
use crate::{Error, Result};
use chrono::{DateTime, TimeDelta, Utc};
use std::path::{Path, PathBuf};

/// The page of a run.
#[derive(Debug)]
pub struct Page {
    path: PathBuf,
    template: Option<String>,
    reason: String,
    folder: Option<RunFolder>,
    /// The bytes that stand there, where they are ours.
    up: Option<Vec<u8>>,
    /// The time that it names.
    until: DateTime<Utc>,
}

/// The page's time is moved when less than this is left, and by this.
const AHEAD: TimeDelta = TimeDelta::minutes(1);
const FURTHER: TimeDelta = TimeDelta::minutes(5);

/// The page's reason, where none was given.
pub const REASON: &str = "The database is being changed.";

impl Page {
    /// A page that is not up yet.
    ///
    /// # Errors
    /// When the template cannot be read.
    pub fn new(
        path: &Path,
        template: Option<&Path>,
        reason: Option<&str>,
        folder: Option<RunFolder>,
    ) -> Result<Self> {
        let read = |path: &Path| {
            let bytes = std::fs::read(path).map_err(|error| Error::File {
                what: "read",
                path: path.display().to_string(),
                why: error.to_string(),
            })?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        Ok(Self {
            path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
            template: template.map(read).transpose()?,
            reason: reason.unwrap_or(REASON).to_owned(),
            folder,
            up: None,
            until: DateTime::UNIX_EPOCH,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether somebody else's page is there: then it stays, and ours is not needed.
    pub fn is_taken(&self) -> bool {
        self.up.is_none() && self.path.exists()
    }

    /// Puts it up, or writes it again with another time.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn show(&mut self, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<()> {
        let words = Words {
            reason: self.reason.clone(),
            until,
            retry_after: (until - now).max(TimeDelta::seconds(1)).num_seconds(),
        };
        let bytes = render(self.template.as_deref(), &words).into_bytes();
        let note = PageNote {
            path: self.path.clone(),
            pid: std::process::id(),
            began: folder::began(std::process::id()),
        };
        if let Some(folder) = &self.folder {
            // Without it the page is taken away all the same, unless everything is killed at once.
            let _ = folder.note_page(&note, &bytes);
        }
        file::replace(&self.path, Access::Usual, &bytes).map_err(|error| Error::File {
            what: "write",
            path: self.path.display().to_string(),
            why: error.to_string(),
        })?;
        self.up = Some(bytes);
        self.until = until;
        Ok(())
    }

    /// Moves the time that it names, where that is about to pass, or the command ends later than it says.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_ahead(&mut self, now: DateTime<Utc>, ends: Option<DateTime<Utc>>) -> Result<()> {
        let is_later = ends.filter(|ends| *ends - self.until > AHEAD);
        if self.up.is_none() || (self.until - now > AHEAD && is_later.is_none()) {
            return Ok(());
        }
        self.show(now, is_later.unwrap_or(now + FURTHER).max(now + FURTHER))
    }

    /// Takes it away, where it is ours. Why it could not be, if so.
    pub fn take_away(&mut self) -> Option<String> {
        let bytes = self.up.take()?;
        let problem = remove(&self.path, &bytes);
        if problem.is_none()
            && let Some(folder) = &self.folder
        {
            folder.forget_page();
        }
        problem
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.take_away();
    }
}

/// Removes a page that has these bytes; another one was put there by somebody else.
fn remove(path: &Path, bytes: &[u8]) -> Option<String> {
    match std::fs::read(path) {
        Ok(found) if found != bytes => None,
        Ok(_) => std::fs::remove_file(path).err().map(|error| {
            format!(
                "cannot remove the maintenance page {}: {error}; remove it by hand",
                path.display()
            )
        }),
        Err(_) => None,
    }
}

/// Takes away a run's page that its killed process has left. The page's path, if it did.
pub fn take_away_left(folder: &RunFolder) -> Option<PathBuf> {
    let note = folder.page_note()?;
    let bytes = std::fs::read(folder.page_copy()).ok()?;
    let was_there = note.path.exists();
    if let Some(problem) = remove(&note.path, &bytes) {
        crate::door::say(&problem);
        return None;
    }
    folder.forget_page();
    was_there.then_some(note.path)
}

/// Takes away the pages of all runs whose process is gone.
pub fn sweep() -> Vec<PathBuf> {
    folder::known()
        .iter()
        .filter_map(|run| RunFolder::of(run))
        .filter(|folder| {
            let note = folder.page_note();
            note.is_some_and(|note| !folder::is_alive(note.pid, note.began.as_deref()))
        })
        .filter_map(|folder| take_away_left(&folder))
        .collect()
}
