//! What a panic says: one line at the end, instead of its own raw message.

use std::sync::Mutex;

/// The place and message of the last one.
static LAST: Mutex<Option<String>> = Mutex::new(None);

/// From here on a panic prints nothing, and is remembered.
pub fn remember_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(String::new, |l| format!(" at {}:{}", l.file(), l.line()));
        let why = panic
            .payload_as_str()
            .map_or_else(String::new, |text| format!(": {text}"));
        if let Ok(mut last) = LAST.lock() {
            *last = Some(format!("{place}{why}"));
        }
    }));
}

/// The line about the last one.
#[must_use]
pub fn last_panic() -> String {
    let last = LAST.lock().ok().and_then(|mut last| last.take());
    format!(
        "internal error{}; nothing is known about the migration or the server, please report it",
        last.unwrap_or_default()
    )
}
