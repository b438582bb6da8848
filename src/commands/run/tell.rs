//! What a run tells: to the terminal, or as events in JSON, and always to its log.
//!
//! Nothing here may hold the run up: a terminal that takes no data, that is gone, or a disk that is full. What is
//! written goes to a thread of its own; only a command that writes faster than its reader reads waits, as in a pipe.

use crate::door::{self, Stream};
use crate::safe;
use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{Read, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Pieces of output that may wait for a slow terminal.
const BACKLOG: usize = 1024;

/// Longest time that the end waits for a terminal to take what is left.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Speaks for a run; clones speak for the same one.
#[derive(Clone)]
pub struct Voice(Arc<Shared>);

/// A piece of output, and where it goes.
type Piece = (Stream, Vec<u8>);

struct Shared {
    run: String,
    is_json: bool,
    log: Mutex<Log>,
    screen: Mutex<Option<SyncSender<Piece>>>,
    terminal_is_gone: AtomicBool,
    timed_out: AtomicBool,
}

struct Log {
    file: Option<File>,
    problem: Option<String>,
}

/// The thread that writes to the terminal.
pub struct Screen(Option<JoinHandle<()>>);

impl Voice {
    /// For a run of this name. `log`: its log, or why there is none.
    pub fn new(run: &str, is_json: bool, log: Result<File, String>) -> (Self, Screen) {
        let (screen, pieces) = sync_channel(BACKLOG);
        let (file, problem) = match log {
            Ok(file) => (Some(file), None),
            Err(why) => (None, Some(why)),
        };
        let shared = Arc::new(Shared {
            run: run.to_owned(),
            is_json,
            log: Mutex::new(Log { file, problem }),
            screen: Mutex::new(Some(screen)),
            terminal_is_gone: AtomicBool::new(false),
            timed_out: AtomicBool::new(false),
        });
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::spawn(move || write_all(&of_thread, &pieces));
        (Self(shared), Screen(Some(thread)))
    }

    /// Tells an event; `more`: its fields, as an object.
    pub fn say(&self, event: &str, text: &str, more: &Value) {
        self.log(format!("{} pgguard: {text}\n", now()).as_bytes());
        if self.0.is_json {
            self.event(event, text, more);
        } else {
            let line = safe::page(&format!("pgguard: {text}\n"));
            self.show(Stream::Err, line.into_bytes());
        }
    }

    fn event(&self, event: &str, text: &str, more: &Value) {
        let mut object = Map::new();
        object.insert("version".into(), 1.into());
        object.insert("run".into(), self.0.run.clone().into());
        object.insert("at".into(), now().into());
        object.insert("event".into(), event.into());
        object.insert("text".into(), text.into());
        object.extend(more.as_object().cloned().unwrap_or_default());
        let line = safe::json(&Value::Object(object).to_string()) + "\n";
        self.show(Stream::Out, line.into_bytes());
    }

    /// Passes on what the command has written.
    fn output(&self, stream: Stream, bytes: &[u8]) {
        if contains(bytes, b"lock timeout") || contains(bytes, b"55P03") {
            self.0.timed_out.store(true, Ordering::Relaxed);
        }
        self.log(bytes);
        if self.0.is_json {
            let name = match stream {
                Stream::Out => "stdout",
                Stream::Err => "stderr",
            };
            let text = String::from_utf8_lossy(bytes);
            self.event("output", &text, &serde_json::json!({ "stream": name }));
        } else {
            self.show(stream, bytes.to_vec());
        }
    }

    /// Reads what the command writes, on a thread of its own, until nobody can write any more.
    pub fn listen(&self, stream: Stream, mut from: impl Read + Send + 'static) -> JoinHandle<()> {
        let voice = self.clone();
        std::thread::spawn(move || {
            let mut bytes = vec![0; 64 * 1024];
            let mut line = Vec::new();
            while let Ok(read @ 1..) = from.read(&mut bytes) {
                voice.heard(stream, &bytes[..read], &mut line);
            }
            if !line.is_empty() {
                voice.output(stream, &line);
            }
        })
    }

    /// In JSON an event is whole lines: a character cut in two would be lost.
    fn heard(&self, stream: Stream, bytes: &[u8], line: &mut Vec<u8>) {
        if !self.0.is_json {
            return self.output(stream, bytes);
        }
        line.extend_from_slice(bytes);
        if let Some(end) = line.iter().rposition(|byte| *byte == b'\n') {
            let rest = line.split_off(end + 1);
            self.output(stream, line);
            *line = rest;
        }
    }

    fn log(&self, bytes: &[u8]) {
        let mut log = self.0.log.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &mut log.file
            && let Err(error) = file.write_all(bytes)
        {
            log.problem = Some(error.to_string());
            log.file = None;
        }
    }

    fn show(&self, stream: Stream, bytes: Vec<u8>) {
        if self.terminal_is_gone() {
            return;
        }
        let screen = self
            .0
            .screen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(screen) = screen {
            // The thread lives as long as there is a sender.
            let _ = screen.send((stream, bytes));
        }
    }

    /// From here on only the log is written.
    pub fn lose_terminal(&self) {
        self.0.terminal_is_gone.store(true, Ordering::Relaxed);
    }

    /// Whether nobody sees what is told.
    pub fn terminal_is_gone(&self) -> bool {
        self.0.terminal_is_gone.load(Ordering::Relaxed)
    }

    /// Whether the command has said that a lock timeout ended it; forgotten once asked.
    pub fn said_lock_timeout(&self) -> bool {
        self.0.timed_out.swap(false, Ordering::Relaxed)
    }

    /// Why the log is incomplete, where it is not.
    pub fn log_problem(&self) -> Option<String> {
        self.0
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .problem
            .clone()
    }

    /// Nothing more comes. Waits a moment until the terminal has taken it all.
    pub fn finish(&self, screen: &mut Screen) {
        self.0
            .screen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(thread) = screen.0.take() else {
            return;
        };
        let begun = Instant::now();
        while !thread.is_finished() && begun.elapsed() < LAST_WORDS {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn write_all(shared: &Shared, pieces: &Receiver<Piece>) {
    let (mut out, mut err) = (true, true);
    for (stream, bytes) in pieces {
        let is_open = match stream {
            Stream::Out => &mut out,
            Stream::Err => &mut err,
        };
        if *is_open && !shared.terminal_is_gone.load(Ordering::Relaxed) {
            *is_open = door::pass_on(stream, &bytes).is_ok();
        }
        if !out && !err {
            shared.terminal_is_gone.store(true, Ordering::Relaxed);
        }
    }
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
