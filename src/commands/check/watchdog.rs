//! Says the last word when the check itself cannot: the deadline, SIGTERM, a panic. A plugin that says
//! nothing, or exits with another status than 0 to 3, loses its text in Nagios.

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// What the check is at, for the last word.
static STAGE: Mutex<&str> = Mutex::new("starting");

/// Whether the one output has been given.
static SAID: AtomicBool = AtomicBool::new(false);

/// Notes what is done next.
pub fn stage(name: &'static str) {
    if let Ok(mut stage) = STAGE.lock() {
        *stage = name;
    }
}

fn current_stage() -> &'static str {
    STAGE.lock().map_or("working", |stage| *stage)
}

/// Prints the output, if it is the first; `false` where nobody reads it or another was there first.
pub fn say(text: &str) -> bool {
    if SAID.swap(true, Ordering::SeqCst) {
        return false;
    }
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_ok()
}

/// Ends the process with UNKNOWN and one line, unless the check has said its own.
fn last_word(text: &str) {
    if say(&format!("PGGUARD UNKNOWN - {text}\n")) || !SAID.load(Ordering::SeqCst) {
        std::process::exit(3);
    }
}

/// Watches from a thread of its own: it also ends a check that computes or waits for a name server.
pub fn watch(timeout: Duration) {
    let _ = std::thread::Builder::new()
        .name("watchdog".into())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            match runtime {
                Ok(runtime) => runtime.block_on(until_it_is_over(timeout)),
                Err(_) => std::thread::sleep(timeout),
            }
            last_word(&format!(
                "timed out after {} s while {}; -t gives it more seconds",
                timeout.as_secs_f64(),
                current_stage()
            ));
        });
}

/// Returns when the time is up; a signal ends the process.
async fn until_it_is_over(timeout: Duration) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return tokio::time::sleep(timeout).await;
    };
    let name = tokio::select! {
        () = tokio::time::sleep(timeout) => return,
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    last_word(&format!("stopped by {name} while {}", current_stage()));
}

/// A panic's message goes into the one line instead of to standard error.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(String::new, |l| format!(" ({}:{})", l.file(), l.line()));
        let text = format!(
            "internal error while {}{place}; please report it",
            current_stage()
        );
        last_word(&crate::report::cleaned(&text));
    }));
}
