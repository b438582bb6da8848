//! `pgguard run --detach`: the same in the background, in a session of its own.

use super::child::{AS_SESSION, NAME_OF_DETACHED};
use super::folder::RunFolder;
use crate::door::{self, Form};
use crate::{Error, Result};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// It has begun within this, or something is wrong.
const BEGINS_WITHIN: Duration = Duration::from_secs(10);

/// The name that a process in the background was given.
pub fn given_name() -> Option<String> {
    std::env::var(NAME_OF_DETACHED)
        .ok()
        .filter(|name| RunFolder::of(name).is_some())
}

/// Starts this command line once more without the flag, and prints the run's name.
///
/// # Errors
/// When it cannot be started.
pub fn run(name: &str) -> Result<u8> {
    let failed = |why: String| Error::Program {
        program: "pgguard in the background".into(),
        why,
        help: "run it without --detach".into(),
    };
    let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let mut is_ours = true;
    let words = std::env::args_os().skip(1).filter(|word| {
        is_ours &= word != "--";
        !(is_ours && word == "--detach")
    });
    let mut child = Command::new(&program)
        .arg(AS_SESSION)
        .arg(&program)
        .args(words)
        .env(NAME_OF_DETACHED, name)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let begun = Instant::now();
    let log = RunFolder::of(name).map(|folder| folder.log());
    while !log.as_ref().is_some_and(|log| log.exists()) && begun.elapsed() < BEGINS_WITHIN {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(failed(format!("it ended at once ({status})")));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    door::print(Form::Lines, &format!("{name}\n"))?;
    door::say(&format!(
        "started in the background; to see it: pgguard run --attach {name}"
    ));
    Ok(0)
}
