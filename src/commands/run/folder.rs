//! A run's folder on this machine: its log, and what is to be put right should pgguard be killed.

use crate::door::file::{self, Access};
use crate::history::state_folder;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Logs of past runs that are kept.
const KEPT: usize = 100;

/// The folder of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder(PathBuf);

/// A page that was put up, and by whom: enough for anybody to take it away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageNote {
    /// The file that the web server looks for.
    pub path: PathBuf,
    /// The process that has put it up.
    pub pid: u32,
    /// When that process began, as the system counts it: a pid is used again.
    pub began: Option<String>,
}

/// The process that watches a run, and its exit status once it is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ProcessNote {
    pid: u32,
    began: Option<String>,
    exit_status: Option<u8>,
}

/// How a run stands, by what its own process has noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its process is there.
    GoesOn,
    /// It is over, with this exit status; `None`: its process was killed.
    Over(Option<u8>),
}

fn all_runs() -> Option<PathBuf> {
    Some(state_folder().ok()?.join("runs"))
}

impl RunFolder {
    /// The folder of a run; it may not be there.
    pub fn of(run: &str) -> Option<Self> {
        let is_name = run.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        Some(Self(all_runs()?.join(run))).filter(|_| is_name && !run.is_empty())
    }

    /// Makes it, and drops those of the oldest runs.
    ///
    /// # Errors
    /// As the system has it.
    pub fn create(run: &str) -> io::Result<Self> {
        let folder = Self::of(run)
            .ok_or_else(|| io::Error::other("there is no home folder to keep it in"))?;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder.0)?;
        folder.note_process(None)?;
        drop_oldest();
        Ok(folder)
    }

    fn process_file(&self) -> PathBuf {
        self.0.join("process.json")
    }

    /// Notes that this process watches the run, or how it ended.
    ///
    /// # Errors
    /// As the system has it.
    pub fn note_process(&self, exit_status: Option<u8>) -> io::Result<()> {
        let pid = std::process::id();
        let note = ProcessNote {
            pid,
            began: began(pid),
            exit_status,
        };
        file::replace(
            &self.process_file(),
            Access::Owner,
            &serde_json::to_vec(&note)?,
        )
    }

    /// How the run stands; `None`: nothing was noted.
    pub fn state(&self) -> Option<State> {
        let bytes = fs::read(self.process_file()).ok()?;
        let note: ProcessNote = serde_json::from_slice(&bytes).ok()?;
        let is_there = is_alive(note.pid, note.began.as_deref());
        Some(match note.exit_status {
            None if is_there => State::GoesOn,
            status => State::Over(status),
        })
    }

    pub fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// Opens the log to be written.
    ///
    /// # Errors
    /// As the system has it.
    pub fn open_log(&self) -> io::Result<File> {
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(self.log())
    }

    /// Where the page's bytes are kept as they were written last: only that page is ours to take away.
    pub fn page_copy(&self) -> PathBuf {
        self.0.join("page.html")
    }

    fn note_file(&self) -> PathBuf {
        self.0.join("page.json")
    }

    /// Keeps a note of the page before it is put up.
    ///
    /// # Errors
    /// As the system has it.
    pub fn note_page(&self, note: &PageNote, bytes: &[u8]) -> io::Result<()> {
        fs::write(self.page_copy(), bytes)?;
        fs::write(self.note_file(), serde_json::to_vec(note)?)
    }

    /// The page that the run has up, as far as is known.
    pub fn page_note(&self) -> Option<PageNote> {
        serde_json::from_slice(&fs::read(self.note_file()).ok()?).ok()
    }

    /// The page is gone.
    pub fn forget_page(&self) {
        let _ = fs::remove_file(self.note_file());
        let _ = fs::remove_file(self.page_copy());
    }
}

/// The runs that have a folder, the oldest first: their names are in the order of time.
pub fn known() -> Vec<String> {
    let entries = all_runs().and_then(|folder| fs::read_dir(folder).ok());
    let mut names: Vec<String> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

fn drop_oldest() {
    let names = known();
    for name in names.iter().take(names.len().saturating_sub(KEPT)) {
        if let Some(folder) = RunFolder::of(name).filter(|folder| folder.page_note().is_none()) {
            let _ = fs::remove_dir_all(folder.0);
        }
    }
}

/// When a process began, as `/proc` counts it; `None`: it is not there, or the system does not tell.
pub fn began(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    // The name in parentheses may hold blanks; the start is the 22nd field (proc_pid_stat(5)).
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19).map(str::to_owned)
}

/// Whether a process is there, and the same one.
pub fn is_alive(pid: u32, since: Option<&str>) -> bool {
    let Ok(raw) = i32::try_from(pid) else {
        return false;
    };
    if nix::sys::signal::kill(nix::unistd::Pid::from_raw(raw), None)
        == Err(nix::errno::Errno::ESRCH)
    {
        return false;
    }
    match (since, began(pid)) {
        (Some(then), Some(now)) => then == now,
        _ => true,
    }
}
