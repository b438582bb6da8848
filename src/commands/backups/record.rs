//! `pgguard backups record -- COMMAND`: runs a backup and looks at the server meanwhile.
//!
//! The command comes first: its input, output, signals and status are its own, it is started before
//! anything is looked at, and nothing that goes wrong here is of any consequence to it.

use crate::Result;
use crate::backup::{has_option, is_backup_program, is_started_by, manner_of, program_name};
use crate::cli::{ConnectArgs, HistoryArgs, RecordArgs};
use crate::config::Config;
use crate::door::{say, writes_to_file};
use crate::look::ended::Recorded;
use crate::look::facts::Facts;
use crate::look::past::Past;
use crate::model::{Backend, BackendIdentity, Manner, RunOutcome, Session, Snapshot};
use crate::postgres::connect::{Flags, Target};
use crate::sessions::understand;
use chrono::{DateTime, TimeDelta, Utc};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgrp, tcgetpgrp};
use std::collections::BTreeSet;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal as Incoming, SignalKind, signal};

/// The first look, once the command had time to connect.
const FIRST_LOOK: Duration = Duration::from_millis(200);

/// Between two looks, at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Once the command has ended, its caller waits no longer than this for the history.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Clocks of client and server, and the moment between fork and connect.
const SLACK: TimeDelta = TimeDelta::seconds(1);

/// Statuses that shells and env(1) give for a command that cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

/// Runs the command; the status is the command's own, and 128 and the number of a signal that ended it.
pub async fn run(connect: &ConnectArgs, history: &HistoryArgs, command: &[String]) -> u8 {
    // Before there is a child: none of them shall end this and leave the child behind.
    let mut signals = Signals::caught();
    let spawned = Command::new(&command[0]).args(&command[1..]).spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            let missing = error.kind() == io::ErrorKind::NotFound;
            let help = if missing {
                "it is not in $PATH; name it with its folder"
            } else {
                "check that it may be executed"
            };
            say(&format!("cannot run {}: {error}; {help}", command[0]));
            return if missing { NOT_FOUND } else { NOT_EXECUTABLE };
        }
    };
    let mut observer = Observer::new(connect, history, command);
    let ended = loop {
        if let Some(ended) = unless_it_ends(&mut child, &mut signals, observer.wait()).await {
            break ended;
        }
        // A look is never left in the middle: it may have noted the command's backup already, and what it
        // saw tells whose backup that is.
        let look = observer.look_once();
        tokio::pin!(look);
        if let Some(ended) = unless_it_ends(&mut child, &mut signals, &mut look).await {
            let _ = tokio::time::timeout(LAST_WORDS, look).await;
            break ended;
        }
    };
    let (ended, at) = ended;
    let (status, outcome) = match ended {
        Ok(status) => (passed_on(status), outcome(status)),
        Err(error) => {
            say(&format!("cannot tell how {} ended: {error}", command[0]));
            return NOT_EXECUTABLE;
        }
    };
    observer.finish(at, outcome).await;
    status
}

/// Does the work, and passes signals on meanwhile. When the command ends first: how, and when.
async fn unless_it_ends(
    child: &mut Child,
    signals: &mut Signals,
    work: impl Future<Output = ()>,
) -> Option<(io::Result<ExitStatus>, DateTime<Utc>)> {
    tokio::pin!(work);
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    loop {
        tokio::select! {
            ended = child.wait() => return Some((ended, Utc::now())),
            signal = signals.next() => pass_on(signal, id),
            () = &mut work => return None,
        }
    }
}

fn outcome(status: ExitStatus) -> RunOutcome {
    if status.success() {
        RunOutcome::Complete
    } else {
        RunOutcome::Aborted
    }
}

fn passed_on(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(u8::MAX)
}

/// Signals that are the command's to answer.
const PASSED_ON: [Signal; 6] = [
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

struct Signals(Vec<(Signal, Incoming)>);

impl Signals {
    fn caught() -> Self {
        let caught = PASSED_ON.into_iter().filter_map(|kind| {
            let incoming = signal(SignalKind::from_raw(kind as i32)).ok()?;
            Some((kind, incoming))
        });
        Self(caught.collect())
    }

    async fn next(&mut self) -> Signal {
        std::future::poll_fn(|context| {
            for (kind, incoming) in &mut self.0 {
                if incoming.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*kind);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

/// Gives a signal to the command, unless the terminal has given it one already: Ctrl-C and Ctrl-\ go to
/// every process in the foreground.
fn pass_on(signal: Signal, child: Option<i32>) {
    let of_terminal = matches!(signal, Signal::SIGINT | Signal::SIGQUIT) && in_foreground();
    if let Some(child) = child.filter(|_| !of_terminal) {
        // It may have ended by itself: then there is nobody to tell.
        let _ = kill(Pid::from_raw(child), signal);
    }
}

fn in_foreground() -> bool {
    let Ok(terminal) = std::fs::File::open("/dev/tty") else {
        return false;
    };
    tcgetpgrp(&terminal) == Ok(getpgrp())
}

/// What looks at the server while the command runs.
struct Observer {
    connect: ConnectArgs,
    /// The program, without its folder.
    program: String,
    /// What it was told to dump.
    scope: Scope,
    /// How, as its arguments say.
    manner: Manner,
    /// The one database that the command says it dumps.
    database: Option<String>,
    past: Past,
    facts: Option<Facts>,
    spawned: DateTime<Utc>,
    pause: Duration,
    /// The last look that was understood.
    seen: Option<Snapshot>,
    /// How far the server's clock was ahead of ours at that look.
    clocks: TimeDelta,
    /// The backups that the command has, or had.
    own: BTreeSet<BackendIdentity>,
    /// Others of its kind began at the same time: which is whose is unknown.
    ambiguous: bool,
    problem: Option<String>,
}

impl Observer {
    fn new(connect: &ConnectArgs, history: &HistoryArgs, command: &[String]) -> Self {
        let program = program_name(&command[0]).to_owned();
        let said = as_the_command_connects(&ConnectArgs::default(), &program, &command[1..]);
        Self {
            scope: scope(&program, &command[1..]),
            manner: manner_of(&program, &command[1..], writes_to_file()),
            database: (program == "pg_dump").then(|| database_of(said)).flatten(),
            connect: as_the_command_connects(connect, &program, &command[1..]),
            past: Past::new(history, &Config::default(), false),
            program,
            facts: None,
            spawned: Utc::now(),
            pause: FIRST_LOOK,
            seen: None,
            clocks: TimeDelta::zero(),
            own: BTreeSet::new(),
            ambiguous: false,
            problem: None,
        }
    }

    /// The pause before the next look. Each is a little longer than the last.
    async fn wait(&mut self) {
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 3 / 2).min(LONGEST_PAUSE);
    }

    async fn look_once(&mut self) {
        if let Err(error) = self.look().await {
            self.problem = Some(error.to_string());
        }
    }

    async fn look(&mut self) -> Result<()> {
        // Left out until the look is done: one that is given up in the middle takes its connection along.
        let mut facts = match self.facts.take() {
            Some(facts) => facts,
            None => Facts::open(&self.connect, &RecordArgs::default(), 0).await?,
        };
        let snapshot = self.past.look(&mut facts).await?;
        self.clocks = snapshot.taken_at - Utc::now();
        let sessions = understand(&snapshot);
        let mut found: Vec<BackendIdentity> = sessions
            .iter()
            .filter(|session| self.may_be_own(session, &snapshot))
            .filter_map(|session| Some(snapshot.backend(session.pid)?.identity()))
            .collect();
        if found.len() > 1 {
            found.retain(|identity| self.own.contains(identity));
            self.ambiguous |= found.is_empty();
        }
        self.own.extend(found);
        self.past.knows_manner(&self.own, self.manner);
        self.past.estimates(&mut facts, &snapshot, &sessions).await;
        facts.forget();
        self.facts = Some(facts);
        self.seen = Some(snapshot);
        Ok(())
    }

    /// A backup by the command's program, from this machine, that began with the command or after it.
    fn may_be_own(&self, session: &Session, snapshot: &Snapshot) -> bool {
        let (Some(backup), Some(leader)) = (&session.backup, snapshot.backend(session.pid)) else {
            return false;
        };
        let own = snapshot.backend(snapshot.server.own_pid);
        let begun = self.spawned + self.clocks - SLACK;
        let named = backup.tool.word() == self.program || !is_backup_program(&self.program);
        let is_of = |name: &String| leader.datname.as_ref() == Some(name);
        let same_client = |own: &Backend| own.client_addr == leader.client_addr;
        named
            && self.database.as_ref().is_none_or(is_of)
            && own.is_none_or(same_client)
            && leader.backend_start.is_some_and(|start| start >= begun)
    }

    /// Puts down how it ended.
    async fn finish(mut self, ended: DateTime<Utc>, outcome: RunOutcome) {
        let program = self.program.clone();
        let recorded = tokio::time::timeout(LAST_WORDS, self.record(ended, outcome)).await;
        let problem = match recorded {
            Ok(problem) => problem,
            Err(_) => Some(format!(
                "the history took longer than {} s",
                LAST_WORDS.as_secs()
            )),
        };
        if let Some(problem) = problem {
            say(&format!(
                "note: this run of {program} is not recorded exactly: {problem}"
            ));
        }
    }

    /// What went wrong, if something did.
    async fn record(&mut self, ended: DateTime<Utc>, outcome: RunOutcome) -> Option<String> {
        // A command of less than a moment was never looked at; the look tells which server it is at least.
        if self.seen.is_none()
            && let Err(error) = self.look().await
        {
            return Some(error.to_string());
        }
        let seen = self.seen.take()?;
        if self.scope == Scope::NoData {
            self.past.close().await;
            return None;
        }
        let at = if self.clocks.abs() > SLACK {
            ended + self.clocks
        } else {
            ended
        };
        let recorded = Recorded {
            own: &self.own,
            at,
            outcome,
            begun: at - (ended - self.spawned),
            program: &self.program,
            database: self.database.clone(),
            is_selected: self.scope == Scope::Selected,
            manner: self.manner,
        };
        if self.ambiguous && self.own.is_empty() {
            self.past.close().await;
            return Some(
                "several such backups began at once, so it is kept as the looks saw it".into(),
            );
        }
        let mut facts = self.facts.take();
        self.past.record(facts.as_mut(), &seen, &recorded).await;
        self.past.close().await;
        if let Some(facts) = facts {
            facts.finish().await;
        }
        self.past
            .problem()
            .or_else(|| self.problem.take().filter(|_| self.own.is_empty()))
    }
}

/// Options of pg_dump and its kin that take a value, by their letters.
const WITH_VALUE: &str = "dhpUfFjnNtTeEZSlr";

/// What a command dumps, by its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// All tables.
    All,
    /// Some of them.
    Selected,
    /// No rows: that is no backup of the database.
    NoData,
}

fn scope(program: &str, arguments: &[String]) -> Scope {
    if !program.starts_with("pg_dump") {
        return Scope::All;
    }
    if !is_started_by(program, arguments) {
        return Scope::NoData;
    }
    let letters = if program == "pg_dump" { "tTnN" } else { "" };
    match arguments
        .iter()
        .any(|word| has_option(word, letters, &SELECTING))
    {
        true => Scope::Selected,
        false => Scope::All,
    }
}

/// Options that leave out some of the tables, or their rows.
const SELECTING: [&str; 9] = [
    "table",
    "schema",
    "table-and-children",
    "exclude-table",
    "exclude-table-and-children",
    "exclude-table-data",
    "exclude-schema",
    "exclude-database",
    "filter",
];

/// The database that pg_dump's arguments name: by its name, a URL or a string of keywords; else its environment.
fn database_of(said: ConnectArgs) -> Option<String> {
    if let Some(name) = said.dbname.as_ref().filter(|n| !n.contains(['/', '='])) {
        return Some(name.clone());
    }
    let flags = Flags {
        // pg_dump does not know DATABASE_URL, which is not asked where a host is named.
        host: said.dbname.is_none().then(|| "localhost".to_owned()),
        dbname: said.dbname,
        user: said.user,
        ..Flags::default()
    };
    Target::from_flags(&flags)
        .ok()
        .map(|target| target.database)
}

/// Where the command connects, as far as its own arguments say so and ours do not.
fn as_the_command_connects(ours: &ConnectArgs, program: &str, arguments: &[String]) -> ConnectArgs {
    let mut connect = ours.clone();
    if !program.starts_with("pg_") {
        return connect;
    }
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let (option, value) = if let Some(long) = word.strip_prefix("--") {
            match long.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None if ["host", "port", "username", "dbname"].contains(&long) => {
                    (long.to_owned(), words.next().cloned())
                }
                None => continue,
            }
        } else if let Some(short) = word.strip_prefix('-').filter(|s| !s.is_empty()) {
            let letter = &short[..short.chars().next().map_or(0, char::len_utf8)];
            let glued = &short[letter.len()..];
            let takes = WITH_VALUE.contains(letter);
            let value = if glued.is_empty() && takes {
                words.next().cloned()
            } else {
                Some(glued.to_owned())
            };
            (letter.to_owned(), value.filter(|_| takes))
        } else {
            // pg_dump's database stands alone.
            (
                "dbname".to_owned(),
                (program == "pg_dump").then(|| word.clone()),
            )
        };
        let Some(value) = value else { continue };
        match option.as_str() {
            "h" | "host" if connect.host.is_none() => connect.host = Some(value),
            "p" | "port" if connect.port.is_none() => connect.port = value.parse().ok(),
            "U" | "username" if connect.user.is_none() => connect.user = Some(value),
            "d" | "dbname" if connect.dbname.is_none() => connect.dbname = Some(value),
            _ => {}
        }
    }
    connect
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_dumps_no_rows_is_no_backup() {
        let read = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            scope(&words[0], &words[1..])
        };
        for (line, expected) in [
            ("pg_dump -Fc -f /backup/shop shop", Scope::All),
            ("pg_dump -U app -d shop", Scope::All),
            ("pg_dump -s shop", Scope::NoData),
            ("pg_dump -vs shop", Scope::NoData),
            ("pg_dump --schema-only shop", Scope::NoData),
            ("pg_dump -t orders shop", Scope::Selected),
            ("pg_dump -torders shop", Scope::Selected),
            ("pg_dump --exclude-table-data=log shop", Scope::Selected),
            ("pg_dump --schema app shop", Scope::Selected),
            ("pg_dump -Fd -j4 -f out shop", Scope::All),
            ("pg_dumpall -g", Scope::NoData),
            ("pg_dumpall", Scope::All),
            ("pg_basebackup -D /backup -X stream", Scope::All),
            ("nightly.sh -s", Scope::All),
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
    }

    #[test]
    fn the_commands_own_arguments_tell_where_it_connects() {
        let read = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let c = as_the_command_connects(&ConnectArgs::default(), &words[0], &words[1..]);
            (c.host, c.port, c.user, c.dbname)
        };
        let some = |word: &str| Some(word.to_owned());
        assert_eq!(
            read("pg_dump -h db1 -p5433 -U backup -Fc -f /backup/shop -t orders shop"),
            (some("db1"), Some(5433), some("backup"), some("shop"))
        );
        assert_eq!(
            read("pg_dump --host=db1 --username backup --dbname=postgres://db2/shop --schema-only"),
            (
                some("db1"),
                None,
                some("backup"),
                some("postgres://db2/shop")
            )
        );
        assert_eq!(
            read("pg_basebackup -D /backup -h db1 -X stream"),
            (some("db1"), None, None, None)
        );
        assert_eq!(read("backup.sh -h nobody shop"), (None, None, None, None));
    }
}
