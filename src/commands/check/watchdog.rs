//! Says the last word when the check itself cannot: the deadline, SIGTERM, a panic. A plugin that says
//! nothing, or exits with another status than 0 to 3, loses its text in Nagios.

use crate::door;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
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

/// Takes the right to give the one output; `false` where somebody has it already.
fn claim() -> bool {
    !SAID.swap(true, Ordering::SeqCst)
}

/// Prints the check's own output and returns its status; UNKNOWN where nobody could read it.
pub fn say(text: &str, status: u8) -> u8 {
    if !claim() {
        // The last word is being said by another thread, which then ends the process.
        loop {
            std::thread::park();
        }
    }
    if door::is_printed(text) { status } else { 3 }
}

/// Ends the process with UNKNOWN and one line, unless the check has said its own.
fn last_word(text: &str) {
    if claim() {
        // Where nobody reads it, the exit status tells it.
        let _ = door::is_printed(&format!("PGGUARD UNKNOWN - {text}\n"));
        std::process::exit(3);
    }
}

/// What is said when the time is up.
pub fn timed_out(timeout: Duration) -> String {
    format!(
        "timed out after {} s while {}; -t gives it more seconds",
        timeout.as_secs_f64(),
        current_stage()
    )
}

/// The check's own deadline comes first, and can still choose its form.
const GRACE: Duration = Duration::from_millis(300);

/// Watches from a thread of its own: it also ends a check that computes or waits for a name server.
pub fn watch(timeout: Duration) {
    let limit = timeout.saturating_add(GRACE);
    let (ready, is_ready) = mpsc::channel();
    let _ = std::thread::Builder::new()
        .name("watchdog".into())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            match runtime {
                Ok(runtime) => runtime.block_on(until_it_is_over(limit, ready)),
                Err(_) => std::thread::sleep(limit),
            }
            last_word(&timed_out(timeout));
        });
    // A signal that comes before its handler would end the check without a word.
    let _ = is_ready.recv_timeout(GRACE);
}

/// Returns when the time is up; a signal ends the process. Tells when it would notice one.
async fn until_it_is_over(timeout: Duration, ready: Sender<()>) {
    let handlers = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    // Nobody hears it any more: the check went on without.
    let _ = ready.send(());
    let (Ok(mut terminate), Ok(mut interrupt)) = handlers else {
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

#[cfg(test)]
mod tests {
    use std::process::Command;

    /// Runs only when the test below starts this very binary again.
    #[test]
    #[ignore = "the other half of the next test"]
    fn child_that_panics() {
        super::quiet_panics();
        super::stage("judging");
        panic!("a | in a panic");
    }

    #[test]
    fn a_panic_is_unknown_with_one_line() {
        let ourselves = std::env::current_exe().expect("this binary");
        let output = Command::new(ourselves)
            .args([
                "--ignored",
                "--exact",
                "--nocapture",
                "commands::check::watchdog::tests::child_that_panics",
            ])
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(
            said.contains("PGGUARD UNKNOWN - internal error while judging (src/"),
            "{said}"
        );
    }
}
