//! What is asked of a run by signals.

use super::tell::Voice;
use crate::commands::stop::Stop;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTSTP: Ctrl-Z.
const STOP_KEY: i32 = nix::libc::SIGTSTP;

/// The signals that a run answers itself.
pub struct Asked {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
    hang_up: Option<Signal>,
    stop_key: Option<Signal>,
    voice: Voice,
}

impl Asked {
    /// From here on they no longer end this process.
    pub fn new(voice: Voice) -> Self {
        let on = |kind| signal(kind).ok();
        Self {
            interrupt: on(SignalKind::interrupt()),
            terminate: on(SignalKind::terminate()),
            hang_up: on(SignalKind::hangup()),
            stop_key: on(SignalKind::from_raw(STOP_KEY)),
            voice,
        }
    }

    /// Waits until it shall stop. A terminal that goes away does not stop it, and neither does Ctrl-Z: the command
    /// would go on unwatched.
    pub async fn stop(&mut self) -> Stop {
        loop {
            tokio::select! {
                () = next(&mut self.interrupt) => return Stop::Interrupt,
                () = next(&mut self.terminate) => return Stop::Terminate,
                () = next(&mut self.hang_up) => self.hung_up(),
                () = next(&mut self.stop_key) => {}
            }
        }
    }

    fn hung_up(&self) {
        self.voice.lose_terminal();
        self.voice.say(
            "terminal_gone",
            "the terminal is gone; the run continues, and writes to its log only",
            &serde_json::json!({}),
        );
    }

    /// Does some work, unless it shall stop meanwhile.
    ///
    /// # Errors
    /// It shall stop; the work was left.
    pub async fn unless_stopped<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Stop> {
        tokio::select! {
            done = work => Ok(done),
            stop = self.stop() => Err(stop),
        }
    }
}

async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
