//! Parts are killed at random moments: no page is left standing, no session of others is signalled, and what is left in
//! the database the doctor names.

use crate::common::{self, Session};
use crate::stage::Stage;
use crate::terminal::Terminal;
use crate::web::Web;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::time::Duration;

/// How often; `PGGUARD_KILLS` says otherwise.
fn rounds() -> u64 {
    std::env::var("PGGUARD_KILLS").map_or(8, |n| n.parse().expect("a number"))
}

/// Where the dice begin: another place each time, printed, so that a failure can be played once more with
/// `PGGUARD_KILLS_SEED`.
fn seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(1, |time| time.subsec_nanos().into());
    std::env::var("PGGUARD_KILLS_SEED").map_or(now, |n| n.parse().expect("a number"))
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// A part of a run that is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Pgguard,
    Guard,
    Command,
    Hook,
    Terminal,
    /// The run's session in the server, as an administrator ends one.
    Backend,
    WebServer,
}

const PARTS: [Part; 7] = [
    Part::Pgguard,
    Part::Guard,
    Part::Command,
    Part::Hook,
    Part::Terminal,
    Part::Backend,
    Part::WebServer,
];

/// What stands in the command line of a hook.
const HOOK: &str = "a hook of this run";

/// The children of a process, and their command lines.
fn children(of: i32) -> Vec<(i32, String)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
            let state = fields.next()?;
            let parent: i32 = fields.next()?.parse().ok()?;
            let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
            (parent == of && state != "Z").then_some((pid, line))
        })
        .collect()
}

/// What python3 is called by may start programs of its own first, with the same words behind theirs.
fn is_pgguard(line: &str) -> bool {
    line.split('\0')
        .next()
        .is_some_and(|program| program.ends_with("/pgguard"))
}

fn part_of(line: &str) -> Part {
    if line.contains("__guard") {
        Part::Guard
    } else if line.contains(HOOK) {
        Part::Hook
    } else {
        Part::Command
    }
}

fn is_there(pid: i32) -> bool {
    // A process that is dead and not yet waited for is gone.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

/// A run in a terminal.
struct Played<'a> {
    stage: &'a Stage,
    terminal: Terminal,
    pgguard: i32,
}

impl Played<'_> {
    /// Kills these parts, all at once; gives the processes of the run.
    fn kill(&mut self, parts: &[Part], web: &Web) -> Vec<i32> {
        let below = children(self.pgguard);
        let wanted = below
            .iter()
            .filter(|(_, line)| parts.contains(&part_of(line)));
        let mut pids: Vec<i32> = wanted.map(|(pid, _)| *pid).collect();
        if parts.contains(&Part::Pgguard) {
            pids.push(self.pgguard);
        }
        if parts.contains(&Part::WebServer) {
            pids.extend(children(web.id()).into_iter().map(|(pid, _)| pid));
        }
        for pid in pids {
            // It may have ended a moment ago.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        if parts.contains(&Part::Backend) {
            self.stage.shop.sql(&format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OWN}"
            ));
        }
        if parts.contains(&Part::Terminal) {
            self.terminal.close();
        }
        below
            .into_iter()
            .map(|(pid, _)| pid)
            .chain([self.pgguard])
            .collect()
    }
}

/// The sessions of runs that are in the middle of something.
const OWN: &str =
    "application_name LIKE '%pgguard:%' AND datname = current_database() AND state <> 'idle'";

/// What the run changes, and how somebody is in its way.
const SCENES: [(&str, &str); 3] = [
    (
        "ALTER TABLE orders ALTER COLUMN note SET DEFAULT 'x'",
        "BEGIN; SELECT count(*) FROM orders",
    ),
    (
        "CREATE INDEX CONCURRENTLY by_note ON orders (note)",
        "BEGIN; UPDATE orders SET note = 'b'",
    ),
    (
        "BEGIN; ALTER TABLE orders ALTER COLUMN note SET DEFAULT 'y'; SELECT pg_sleep(2); COMMIT",
        "BEGIN; SELECT 1",
    ),
];

#[cfg(target_os = "linux")]
#[test]
fn whatever_is_killed_whenever_nothing_is_left_that_nobody_names() {
    let stage = Stage::new();
    let Some(web) = Web::start(&stage) else {
        return;
    };
    let seed = seed();
    println!("PGGUARD_KILLS_SEED={seed}");
    let mut dice = Dice(seed.max(1));
    let mut bystander = stage.shop.session_named("web");
    for round in 0..rounds() {
        let about = play(&stage, &web, &mut dice, &mut bystander);
        println!("round {round}: {about}");
    }
}

fn play(stage: &Stage, web: &Web, dice: &mut Dice, bystander: &mut Session) -> String {
    let scene = usize::try_from(dice.roll(3)).unwrap_or_default();
    let (change, in_the_way) = SCENES[scene];
    let page = stage
        .path("public/system/maintenance.html")
        .display()
        .to_string();
    let hook = format!(": {HOOK}; sleep 0.{}", dice.roll(10));
    let mut flags = vec![
        "run",
        "--no-gate",
        "--max-queue",
        "700ms",
        "--maintenance-page",
        &page,
    ];
    for name in ["--before", "--after", "--then"] {
        if dice.roll(2) == 0 {
            flags.extend([name, &hook]);
        }
    }
    flags.push("--");
    let psql = stage.psql(&["-c", change]);
    let mut holder = stage.shop.session_named("holder");
    holder.exec(in_the_way);
    let words = flags.iter().map(|word| (*word).to_owned()).chain(psql);
    let terminal = Terminal::open(&stage.command(words)).expect("python3");
    let mut pgguard = 0;
    common::until("pgguard runs", || {
        let found = children(terminal.id())
            .into_iter()
            .find(|(_, line)| is_pgguard(line));
        pgguard = found.map_or(0, |(pid, _)| pid);
        pgguard != 0
    });
    let mut played = Played {
        stage,
        terminal,
        pgguard,
    };
    std::thread::sleep(Duration::from_millis(dice.roll(1500)));
    bystander.start("SELECT count(*) FROM orders");
    std::thread::sleep(Duration::from_millis(dice.roll(1500)));
    let which = 1 + dice.roll(127);
    let parts: Vec<Part> = PARTS
        .into_iter()
        .enumerate()
        .filter(|(at, _)| which >> at & 1 == 1)
        .map(|(_, part)| part)
        .collect();
    let processes = played.kill(&parts, web);
    let about = format!("{parts:?} at {change}, seed and rounds above");

    // Nobody else's session is signalled, and nobody waits for ever.
    assert_eq!(
        bystander.join().as_deref(),
        Ok("1"),
        "{about}: {}",
        played.terminal.shown()
    );
    assert!(holder.is_there() && bystander.is_there(), "{about}");
    // What it has left in the server while somebody is in the way is named, or ends within a moment.
    let ends = || !processes.iter().any(|pid| is_there(*pid));
    std::thread::sleep(Duration::from_millis(500));
    if ends() {
        common::until("the doctor names what is left", || is_named(stage));
    }
    holder.exec("COMMIT");
    common::until("the run is over", ends);
    common::until("nothing of it works any more", || {
        stage.shop.sql(&format!(
            "SELECT count(*) FROM pg_stat_activity WHERE {OWN}"
        )) == "0"
    });
    index_is_named(stage, &about);

    // The guard takes the page away; where it was killed too, the next run does.
    if parts.contains(&Part::Pgguard) && parts.contains(&Part::Guard) {
        stage.run(&["--no-gate"], &["true".to_owned()]);
    }
    common::until("the page is gone", || !fs::exists(&page).unwrap_or(true));
    web.until("200", "the shop");
    about
}

/// Whether each session of a run that is at something, and whose client is gone, is a finding.
fn is_named(stage: &Stage) -> bool {
    let told = common::run_with_input(stage.command(["doctor", "--format", "json"]), "");
    let findings = told.json()["findings"].clone();
    let named: Vec<i64> = findings
        .as_array()
        .expect("findings")
        .iter()
        .filter_map(|finding| {
            finding["command"]
                .as_str()?
                .strip_prefix("pgguard kill ")?
                .parse()
                .ok()
        })
        .collect();
    let left = stage
        .shop
        .sql(&format!("SELECT pid FROM pg_stat_activity WHERE {OWN}"));
    left.lines()
        .all(|pid| named.contains(&pid.parse().expect("a pid")))
}

/// An index that is not valid is a finding; it is dropped as the doctor says.
fn index_is_named(stage: &Stage, about: &str) {
    let invalid =
        "SELECT count(*) FROM pg_index WHERE indrelid = 'orders'::regclass AND NOT indisvalid";
    if stage.shop.sql(invalid) != "0" {
        let told = common::run_with_input(stage.command(["doctor", "--format", "json"]), "");
        let findings = told.json()["findings"].clone();
        let found = findings
            .as_array()
            .expect("findings")
            .iter()
            .find(|f| f["kind"] == "invalid_index")
            .cloned();
        let found = found.unwrap_or_else(|| panic!("{about}: {told}"));
        stage.shop.sql(found["command"].as_str().expect("SQL"));
        assert_eq!(stage.shop.sql(invalid), "0", "{about}: {told}");
    }
    stage.shop.sql("DROP INDEX IF EXISTS by_note");
}

#[cfg(target_os = "linux")]
#[test]
fn a_real_terminal_that_closes_does_not_end_it() {
    let stage = Stage::new();
    let go = stage.path("go");
    let script = format!(
        "printf 'before the hang'; echo up; while [ ! -e {} ]; do sleep 0.05; done; echo after it; exit 4",
        go.display()
    );
    let pgguard = stage.command(["run", "--no-gate", "--", "sh", "-c", &*script]);
    let Some(mut terminal) = Terminal::open(&pgguard) else {
        return;
    };
    terminal.until_said("before the hangup");
    terminal.close();
    let log = || {
        let runs = stage.runs();
        let log = runs
            .first()
            .and_then(|run| run["facts"]["log"].as_str().map(str::to_owned));
        log.map_or_else(String::new, |log| {
            fs::read_to_string(log).unwrap_or_default()
        })
    };
    common::until("the log says that the terminal is gone", || {
        log().contains("the terminal is gone")
    });
    fs::write(&go, "").expect("written");
    let attached = common::run_with_input(stage.command(["run", "--attach"]), "");
    assert_eq!(attached.status, 4, "{attached}");
    assert!(attached.stdout.contains("after it\n"), "{attached}");
}
