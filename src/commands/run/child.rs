//! The command: started in a session of its own, so that neither Ctrl-C nor a closed terminal reaches it by itself.
//!
//! pgguard starts itself, which makes the session and becomes the command: between fork and exec nothing of ours may
//! run otherwise. Its input is ours; its output goes through us to the terminal and to the log.

use super::tell::Voice;
use crate::door::{Stream, say};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

/// The first word of the process that becomes the command.
pub const AS_CHILD: &str = "__child";

/// The first word of the process that becomes a run in the background.
pub const AS_SESSION: &str = "__session";

/// Gives a run in the background its name; the command's own runs have others.
pub const NAME_OF_DETACHED: &str = "PGGUARD_DETACHED_RUN";

/// Once the command has ended, its last words come within this.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Statuses that shells and env(1) give for a command that cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

/// The command while it runs.
pub struct Running {
    child: Child,
    pub group: Group,
    listeners: Vec<JoinHandle<()>>,
}

/// The command's process and those that it has started, but for what has left the group.
#[derive(Debug, Clone, Copy)]
pub struct Group(Pid);

/// Becomes the command, in a session of its own. It does not outlive pgguard: unwatched, it could keep others waiting for
/// ever. Comes back only where it cannot.
pub fn become_command(words: &[OsString]) -> u8 {
    // It holds through exec (prctl(2), PR_SET_PDEATHSIG); elsewhere the guard alone sees to it.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGTERM);
    become_session(words)
}

/// Becomes a program, in a session of its own. Comes back only where it cannot.
pub fn become_session(words: &[OsString]) -> u8 {
    // It fails only for the leader of a group, which then is in no terminal's foreground either.
    let _ = nix::unistd::setsid();
    let Some((program, arguments)) = words.split_first() else {
        return NOT_FOUND;
    };
    let error = std::process::Command::new(program).args(arguments).exec();
    let is_missing = error.kind() == io::ErrorKind::NotFound;
    let help = if is_missing {
        "it is not in $PATH; name it with its folder"
    } else {
        "check that it may be executed"
    };
    say(&format!(
        "cannot run {}: {error}; {help}",
        program.to_string_lossy()
    ));
    if is_missing {
        NOT_FOUND
    } else {
        NOT_EXECUTABLE
    }
}

impl Running {
    /// Starts it with these further variables.
    ///
    /// # Errors
    /// As the system has it.
    pub fn start(
        words: &[String],
        variables: &[(String, String)],
        voice: &Voice,
    ) -> io::Result<Self> {
        let (out, to_out) = io::pipe()?;
        let (err, to_err) = io::pipe()?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg(AS_CHILD)
            .args(words)
            .envs(variables.iter().cloned())
            .env_remove(NAME_OF_DETACHED);
        let child = command
            .stdout(to_out)
            .stderr(to_err)
            .stdin(Stdio::inherit())
            .spawn()?;
        // Our ends for writing go with it: a listener hears the end when the command's are closed.
        drop(command);
        let id = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .unwrap_or_default();
        Ok(Self {
            child,
            group: Group(Pid::from_raw(id)),
            listeners: vec![
                voice.listen(Stream::Out, out),
                voice.listen(Stream::Err, err),
            ],
        })
    }

    /// Waits for its end.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Waits a moment for what it wrote last. What it left in the background may hold the output open.
    pub async fn hear_out(&mut self) {
        let begun = Instant::now();
        while self
            .listeners
            .iter()
            .any(|listener| !listener.is_finished())
            && begun.elapsed() < LAST_WORDS
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Group {
    /// The process that leads it.
    pub const fn id(self) -> u32 {
        self.0.as_raw().unsigned_abs()
    }

    /// Sends a signal to all of it. One that is stopped (SIGSTOP, Ctrl-Z) would never see it: it is continued.
    pub fn signal(self, signal: Signal) {
        if killpg(self.0, signal).is_err() {
            // Before it has made its session. It may also have ended: then there is nobody to tell.
            let _ = kill(self.0, signal);
        }
        let _ = killpg(self.0, Signal::SIGCONT);
    }

    /// Whether processes of it are there: of a command that has ended, those that it left behind.
    pub fn lives(self) -> bool {
        killpg(self.0, None).is_ok()
    }
}

/// A status as a shell reports it: 128 and the number of a signal.
pub fn status_of(ended: ExitStatus) -> u8 {
    let code = ended
        .code()
        .or_else(|| ended.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(u8::MAX)
}
