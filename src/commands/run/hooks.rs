//! What comes before and after the command: shell commands of the user's.

use super::asked::Asked;
use super::child::{Running, status_of};
use super::page::REASON;
use super::supervisor::Supervisor;
use crate::commands::stop::Stop;
use crate::safe::masked;
use crate::words::Zone;
use chrono::{SecondsFormat, Utc};
use nix::sys::signal::Signal;
use serde_json::json;
use std::time::Duration;

/// A hook that shall stop has this long.
const GRACE: Duration = Duration::from_secs(5);

impl Supervisor {
    /// Runs one; its status. `further`: variables for it alone.
    ///
    /// # Errors
    /// It shall stop; the hook was ended.
    pub async fn hook(
        &self,
        asked: &mut Asked,
        name: &str,
        line: &str,
        further: &[(String, String)],
    ) -> Result<u8, Stop> {
        let shown = masked(line);
        self.say(
            "hook",
            &format!("--{name}: {shown}"),
            &json!({ "hook": name, "command": shown }),
        );
        let words = ["sh", "-c", line].map(str::to_owned);
        let variables = [&self.variables(), further].concat();
        let mut running = match Running::start(&words, &variables, &self.voice) {
            Ok(running) => running,
            Err(error) => {
                self.note(&format!("cannot run --{name}: {error}"));
                return Ok(126);
            }
        };
        let ended = match asked.unless_stopped(running.wait()).await {
            Ok(ended) => ended,
            Err(stop) => {
                end(&mut running).await;
                return Err(stop);
            }
        };
        running.hear_out().await;
        let status = ended.map_or(126, status_of);
        if status != 0 {
            let text = format!("--{name} failed with exit status {status}");
            self.say(
                "hook_failed",
                &text,
                &json!({ "hook": name, "exit_status": status }),
            );
        }
        Ok(status)
    }

    /// What every hook is told: why, and until when.
    fn variables(&self) -> Vec<(String, String)> {
        let until = self.until();
        let seconds = (until - Utc::now()).num_seconds().max(1);
        let reason = self.args.reason.clone().unwrap_or_else(|| REASON.into());
        let exact = until.to_rfc3339_opts(SecondsFormat::Secs, true);
        let clock = until
            .with_timezone(&Zone::local())
            .format("%H:%M %:z")
            .to_string();
        [
            ("PGGUARD_RUN", self.state.run.clone()),
            ("PGGUARD_REASON", reason.clone()),
            ("PGGUARD_UNTIL", exact),
            ("PGGUARD_RETRY_AFTER", seconds.to_string()),
            ("REASON", reason),
            ("UNTIL", clock),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}

async fn end(running: &mut Running) {
    running.group.signal(Signal::SIGTERM);
    if tokio::time::timeout(GRACE, running.wait()).await.is_err() {
        running.group.signal(Signal::SIGKILL);
        let _ = running.wait().await;
    }
}
