//! `pgguard status --watch` in a real terminal: tmux types the keys and reads the screen.

use crate::common::{self, Database, Dump, until};
use std::cell::RefCell;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// A terminal of 120 columns and 30 lines with pgguard in it.
pub struct Terminal {
    socket: String,
    last: RefCell<String>,
}

impl Terminal {
    /// `None` where there is no tmux.
    pub fn watch(shop: &Database, arguments: &[&str]) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let socket = format!("pgguard-test-{}-{number}", std::process::id());
        let terminal = Self {
            socket,
            last: RefCell::default(),
        };
        let program = env!("CARGO_BIN_EXE_pgguard");
        let url = shop.url();
        let command = format!(
            "env -u NO_COLOR {program} status --watch 200ms -d '{url}' {}; echo status=$?; exec sleep 1000",
            arguments.join(" ")
        );
        let started = terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            "120",
            "-y",
            "30",
            "sh",
            "-c",
            &command,
        ]);
        if started.is_none() {
            println!("skipped: there is no tmux");
        }
        started.map(|_| terminal)
    }

    fn tmux(&self, arguments: &[&str]) -> Option<String> {
        let output = Command::new("tmux")
            .args(["-L", &self.socket])
            .args(arguments)
            .output()
            .ok()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then_some(said)
    }

    fn text(&self) -> String {
        let text = self.tmux(&["capture-pane", "-p"]).expect("a screen");
        self.last.replace(text.clone());
        text
    }

    pub fn until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        until(&format!("{what} is on the screen"), || is_so(&self.text()));
        self.last.borrow().clone()
    }

    pub fn until_shows(&self, part: &str) -> String {
        self.until(part, |text| text.contains(part))
    }

    pub fn keys(&self, keys: &[&str]) {
        for key in keys {
            self.tmux(&["send-keys", key]).expect("a key");
        }
    }

    fn type_text(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]).expect("keys");
    }

    /// The line under the cursor.
    fn cursor(&self) -> Option<String> {
        let text = self.text();
        text.lines()
            .find(|line| line.starts_with('>'))
            .map(str::to_owned)
    }

    /// Moves down until the cursor is on this pid.
    pub fn choose(&self, pid: i32) {
        self.keys(&["Home"]);
        for _ in 0..40 {
            let mut line = None;
            until("the cursor is somewhere", || {
                line = self.cursor();
                line.is_some()
            });
            if line.is_some_and(|line| line.starts_with(&format!(">{pid} "))) {
                return;
            }
            let before = self.cursor();
            self.keys(&["Down"]);
            until("the cursor moves", || self.cursor() != before);
        }
        panic!("pid {pid} is not in\n{}", self.text());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

#[test]
fn the_screen_shows_the_tree_opens_a_session_and_gives_the_terminal_back() {
    let shop = common::shop();
    let dump = Dump::stalled(&shop);
    let mut migration = shop.session_named("deploy");
    migration.start("ALTER TABLE orders ADD COLUMN extra int");
    migration.until_waiting();
    let Some(terminal) = Terminal::watch(&shop, &["--database", &shop.name]) else {
        return;
    };
    terminal.until_shows(&format!("pg_dump {}", dump.pid()));
    // Somebody waits: the tree comes first, without a key.
    let tree = terminal.until_shows("who waits behind whom");
    let place = |text: &str, pid: i32| {
        let found = text.lines().position(|line| {
            line.get(1..)
                .is_some_and(|l| l.starts_with(&format!("{pid} ")))
        });
        found.unwrap_or_else(|| panic!("no {pid} in\n{text}"))
    };
    assert_eq!(place(&tree, dump.pid()) + 1, place(&tree, migration.pid()));
    terminal.choose(migration.pid());
    terminal.keys(&["Enter"]);
    let detail = terminal.until_shows("identity");
    assert!(
        detail.contains("ALTER TABLE orders ADD COLUMN extra int"),
        "{detail}"
    );
    assert!(
        detail.contains("ACCESS EXCLUSIVE on public.orders"),
        "{detail}"
    );
    terminal.keys(&["Escape"]);
    terminal.until("the list", |text| !text.contains("identity"));
    terminal.keys(&["?"]);
    terminal.until_shows("this help");
    terminal.keys(&["x", "q"]);
    let after = terminal.until_shows("status=0");
    assert!(!after.contains("who waits behind whom"), "{after}");
    // Raw mode is off again: the terminal echoes.
    terminal.type_text("echo");
    terminal.until_shows("echo");
}

#[test]
fn a_backup_is_ended_only_by_its_words_and_an_idle_transaction_by_y() {
    let shop = common::shop();
    let mut dump = Dump::stalled(&shop);
    let mut leaked = shop.session_named("billing");
    leaked.begin_and_lock("customers", "ROW EXCLUSIVE");
    let Some(terminal) = Terminal::watch(&shop, &["--database", &shop.name]) else {
        return;
    };
    terminal.until_shows("billing");
    terminal.choose(dump.pid());
    terminal.keys(&["K"]);
    // Where its lines break depends on how long the figures in them are.
    let words = format!("end backup {}", dump.pid());
    terminal.until("the question with its cost", |text| {
        let flat = text.replace('│', " ");
        let flat = flat.split_whitespace().collect::<Vec<_>>().join(" ");
        flat.contains("to do it:") && flat.contains(&words) && flat.contains("must be run again")
    });
    terminal.keys(&["y", "Enter"]);
    terminal.until_shows("not confirmed: nothing was done");
    assert!(dump.is_running());
    terminal.choose(leaked.pid());
    terminal.keys(&["K"]);
    terminal.until_shows("[y/N]");
    terminal.keys(&["y", "Enter"]);
    terminal.until_shows(&format!("gone: pid {}", leaked.pid()));
    assert!(!leaked.is_there());
    terminal.choose(dump.pid());
    terminal.keys(&["K"]);
    terminal.until_shows("to do it:");
    terminal.type_text(&format!("end backup {}", dump.pid()));
    terminal.keys(&["Enter"]);
    terminal.until_shows(&format!("gone: pid {}", dump.pid()));
    assert!(!dump.finish().success());
}

#[test]
fn it_connects_again_by_itself() {
    let shop = common::shop();
    let Some(terminal) = Terminal::watch(&shop, &["--all", "--database", &shop.name]) else {
        return;
    };
    terminal.until_shows("Postgres");
    let mut elsewhere = common::database().session();
    let ours = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}' AND application_name LIKE 'pgguard%'",
        shop.name
    );
    assert_eq!(elsewhere.query_text(&ours), "t");
    terminal.until_shows("NO CONNECTION");
    terminal.until("a picture again", |text| {
        text.contains("Postgres") && !text.contains("NO CONNECTION")
    });
}

#[test]
fn it_follows_the_size_of_the_terminal() {
    let shop = common::shop();
    let Some(terminal) = Terminal::watch(&shop, &[]) else {
        return;
    };
    terminal.until_shows("no session is active");
    for (columns, lines) in [("60", "12"), ("20", "5"), ("3", "2"), ("200", "50")] {
        let sized = ["resize-window", "-x", columns, "-y", lines];
        terminal.tmux(&sized).expect("another size");
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    terminal.until_shows("no session is active");
}

#[test]
fn a_dumb_terminal_gets_the_report_again_and_again() {
    let shop = common::shop();
    let mut child = common::pgguard_command()
        .args(["status", "--watch", "100ms", "-d", &shop.url()])
        .env("TERM", "dumb")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("pgguard starts");
    let stdout = child.stdout.take().expect("a pipe");
    let lines = std::io::BufRead::lines(std::io::BufReader::new(stdout));
    let looks = lines
        .map_while(Result::ok)
        .inspect(|line| assert!(!line.contains('\u{1b}'), "{line}"))
        .filter(|line| line.contains(&format!("{}, Postgres", shop.name)))
        .take(3)
        .count();
    assert_eq!(looks, 3);
    child.kill().expect("it is stopped");
    child.wait().expect("it ends");
}
