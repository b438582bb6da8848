//! A real terminal (pty) with a program in it, as sshd gives one.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

/// Gives the program a terminal, repeats what comes from it, and closes it when its own input ends: the session's
/// processes get SIGHUP.
const SCRIPT: &str = "
import os, pty, select, signal, sys
pid, terminal = pty.fork()
if pid == 0:
    # Under nohup it is ignored.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
while True:
    ready = select.select([terminal, 0], [], [])[0]
    if 0 in ready and not os.read(0, 1):
        break
    if terminal in ready:
        try:
            os.write(1, os.read(terminal, 1000))
        except OSError:
            break
os.close(terminal)
os.waitpid(pid, 0)
";

pub struct Terminal {
    python: Child,
    open: Option<ChildStdin>,
    shown: Arc<Mutex<String>>,
}

impl Terminal {
    /// `None`: there is no python3, and the test says that it is skipped.
    pub fn open(program: &Command) -> Option<Self> {
        let mut python = Command::new("python3");
        python
            .args(["-c", SCRIPT])
            .arg(program.get_program())
            .args(program.get_args());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => python.env(name, value),
                None => python.env_remove(name),
            };
        }
        let spawned = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut python = match spawned {
            Ok(child) => child,
            Err(error) => {
                println!("skipped: no python3 for a terminal: {error}");
                return None;
            }
        };
        let shown = Arc::new(Mutex::new(String::new()));
        let (output, text) = (python.stdout.take().expect("a pipe"), Arc::clone(&shown));
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            loop {
                let bytes = output.fill_buf().unwrap_or_default();
                let count = bytes.len();
                if count == 0 {
                    return;
                }
                text.lock()
                    .expect("whole")
                    .push_str(&String::from_utf8_lossy(bytes));
                output.consume(count);
            }
        });
        Some(Self {
            open: python.stdin.take(),
            python,
            shown,
        })
    }

    /// The process around the program.
    pub fn id(&self) -> i32 {
        i32::try_from(self.python.id()).expect("a pid")
    }

    pub fn shown(&self) -> String {
        self.shown.lock().expect("whole").clone()
    }

    pub fn until_said(&self, text: &str) {
        let begun = std::time::Instant::now();
        while !self.shown().contains(text) {
            assert!(
                begun.elapsed().as_secs() < 180,
                "it does not say {text}: {}",
                self.shown()
            );
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// The connection drops.
    pub fn close(&mut self) {
        self.open = None;
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.close();
        let _ = self.python.wait();
    }
}
