//! Whole reports of `status`, on snapshots made by hand.

use super::page::Page;
use super::status::{Shown, StatusReport};
use super::{status_html, status_json, status_markdown, status_text};
use crate::model::BackendState::{Active, Idle, IdleInTransaction};
use crate::model::LockMode::{AccessExclusive, AccessShare, RowExclusive};
use crate::model::{Backend, BackendState, Estimate, Pid, RelationName, Role};
use crate::sessions::scene::Scene;
use crate::sessions::{WaitGraph, understand};
use chrono::TimeDelta;
use std::collections::BTreeMap;

const USERS: u32 = 16_400;
const ORDERS: u32 = 16_401;

/// The deploy: a dump, an ALTER behind it, readers behind the ALTER, and the everyday crowd.
fn deploy() -> Scene {
    let mut scene = Scene::new()
        .table(USERS, "users")
        .table(ORDERS, "orders")
        .client(10, Active, "COPY public.users (id, email) TO stdout;")
        .with(|backend| {
            backend.backend_xmin = Some(919);
            backend.application_name = "pg_dump".into();
            backend.usename = Some("backup".into());
            backend.xact_start = backend
                .xact_start
                .map(|start| start - TimeDelta::minutes(25));
        })
        .reads_catalogs(10)
        .holds(10, AccessShare, USERS)
        .holds(10, AccessShare, ORDERS)
        .client(50, Active, "ALTER TABLE users ADD COLUMN country text")
        .with(|backend| backend.application_name = "rails db:migrate".into())
        .waits(50, AccessExclusive, USERS, 902);
    for pid in 51..59 {
        scene = scene
            .client(pid, Active, "SELECT id, email\n  FROM users WHERE id = $1")
            .with(|backend| backend.application_name = "web".into())
            .waits(pid, AccessShare, USERS, 700 - i64::from(pid));
    }
    for pid in 60..75 {
        scene = scene
            .client(pid, Idle, "COMMIT")
            .with(|backend| backend.application_name = "web".into());
    }
    scene
        .client(
            80,
            IdleInTransaction,
            "UPDATE orders SET paid = true WHERE id = 7",
        )
        .with(|backend| {
            backend.application_name = "worker".into();
            backend.state_change = backend.state_change.map(|at| at - TimeDelta::minutes(20));
        })
        .holds(80, RowExclusive, ORDERS)
        .client(1, Active, "SELECT")
        .client(90, Active, "")
        .with(server_process)
}

fn server_process(backend: &mut Backend) {
    backend.backend_type = Some("checkpointer".into());
    backend.state = None;
    backend.datid = None;
    backend.datname = None;
    backend.usename = None;
}

fn estimate() -> BTreeMap<Pid, Estimate> {
    let scene = Scene::new();
    let estimate = Estimate {
        phase: "copying".into(),
        started: scene.0.taken_at - TimeDelta::minutes(26),
        fraction_done: Some(0.7),
        tables_done: 31,
        tables_total: 44,
        copying: vec![RelationName::new("public", "users")],
        remaining_s: Some(720.0),
        earliest_s: Some(540.0),
        latest_s: Some(840.0),
        basis: "31 of 44 tables, 14 past runs".into(),
        ..Estimate::default()
    };
    BTreeMap::from([(10, estimate)])
}

fn text(scene: &Scene, shown: &Shown, width: usize, estimates: &BTreeMap<Pid, Estimate>) -> String {
    let sessions = understand(&scene.0);
    let waits = WaitGraph::between_sessions(&scene.0, &sessions);
    let report = StatusReport::new(&scene.0, &sessions, &waits, estimates, shown);
    status_text::render(&report, Page::of_width(width))
}

/// The same in a terminal of 24 lines.
fn on_a_screen(scene: &Scene, estimates: &BTreeMap<Pid, Estimate>) -> String {
    let sessions = understand(&scene.0);
    let waits = WaitGraph::between_sessions(&scene.0, &sessions);
    let shown = Shown::default();
    let report = StatusReport::new(&scene.0, &sessions, &waits, estimates, &shown);
    let page = Page {
        height: 24,
        ..Page::of_width(80)
    };
    status_text::render(&report, page)
}

fn plain(scene: &Scene, width: usize) -> String {
    text(scene, &Shown::default(), width, &BTreeMap::new())
}

#[test]
fn the_deploy_fits_eighty_columns_and_says_what_to_do() {
    let told = text(&deploy(), &Shown::default(), 80, &estimate());
    insta::assert_snapshot!(told);
    for line in told.lines() {
        assert!(super::page::columns(line) <= 80, "too wide: {line}");
    }
}

#[test]
fn a_wide_terminal_is_used() {
    insta::assert_snapshot!(text(&deploy(), &Shown::default(), 160, &estimate()));
}

#[test]
fn a_calm_server_takes_few_lines() {
    let scene = Scene::new()
        .client(1, Active, "")
        .client(60, Idle, "COMMIT");
    insta::assert_snapshot!(plain(&scene, 80));
}

#[test]
fn filters_leave_only_what_was_asked_for() {
    let shown = Shown {
        roles: vec![Role::IdleInTransaction],
        ..Shown::default()
    };
    let told = text(&deploy(), &shown, 80, &BTreeMap::new());
    assert!(
        told.contains("UPDATE orders") && !told.contains("pg_dump") && !told.contains("web"),
        "{told}"
    );
    let shown = Shown {
        search: Some("EMAIL".into()),
        ..Shown::default()
    };
    assert!(text(&deploy(), &shown, 80, &BTreeMap::new()).contains("pg_dump"));
    let shown = Shown {
        database: Some("other".into()),
        ..Shown::default()
    };
    assert!(text(&deploy(), &shown, 80, &BTreeMap::new()).contains("No session fits the filter."));
}

#[test]
fn evidence_says_why_a_role_was_given() {
    let shown = Shown {
        evidence: true,
        roles: vec![Role::Backup],
        ..Shown::default()
    };
    let told = text(&deploy(), &shown, 80, &BTreeMap::new());
    assert!(
        told.contains("10 backup, certain:\n  - reads all catalogs in one transaction"),
        "{told}"
    );
}

#[test]
fn all_lists_everybody() {
    let shown = Shown {
        all: true,
        ..Shown::default()
    };
    let told = text(&deploy(), &shown, 80, &BTreeMap::new());
    assert!(
        told.contains("checkpointer") && !told.contains("--all"),
        "{told}"
    );
    // 15 idle ones, and 8 that wait: in the tree and in the table.
    assert_eq!(told.matches("web").count(), 15 + 2 * 8, "{told}");
}

#[test]
fn nothing_of_a_statement_reaches_the_terminal_raw() {
    let evil = "SELECT '\x1b]0;owned\x07\u{202e}' -- \u{9b}2J";
    let scene = Scene::new()
        .table(USERS, "us\x1b[2Jers")
        .client(20, IdleInTransaction, evil)
        .with(|backend| backend.application_name = "a\x1b[31m".into())
        .holds(20, AccessExclusive, USERS)
        .client(21, Active, evil)
        .with(|backend| backend.client_addr = Some("\x1b[1m".into()))
        .waits(21, AccessShare, USERS, 5)
        .prepared("g\x1bid", AccessShare, ORDERS);
    for width in [0, 80, 160] {
        let shown = Shown {
            all: true,
            evidence: true,
            ..Shown::default()
        };
        let told = text(&scene, &shown, width, &BTreeMap::new());
        assert!(
            told.chars()
                .all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'),
            "{told:?}"
        );
    }
}

#[test]
fn hidden_rows_are_counted_with_the_grant_that_helps() {
    let scene = Scene::new()
        .client(1, Active, "")
        .client(30, Active, "")
        .with(|backend| {
            backend.masked = true;
            backend.state = None;
            backend.backend_type = None;
        });
    let told = plain(&scene, 80);
    assert!(
        told.contains(
            "HIDDEN  1 row is hidden from role postgres: GRANT pg_read_all_stats TO postgres"
        ),
        "{told}"
    );
}

#[test]
fn a_leaked_dump_a_prepared_transaction_and_a_wraparound_vacuum_come_first() {
    let mut scene = deploy().prepared("two phase", AccessShare, ORDERS).client(
        95,
        Active,
        "autovacuum: VACUUM public.users (to prevent wraparound)",
    );
    scene = scene.with(|backend| backend.backend_type = Some("autovacuum worker".into()));
    if let Some(dump) = scene
        .0
        .backends
        .iter_mut()
        .find(|backend| backend.pid == 10)
    {
        dump.state = Some(BackendState::IdleInTransaction);
        dump.state_change = Some(scene.0.taken_at - TimeDelta::days(5));
    }
    insta::assert_snapshot!(plain(&scene, 80));
}

#[test]
fn json_names_who_waits_behind_whom_and_who_to_kill() {
    let scene = deploy();
    let sessions = understand(&scene.0);
    let waits = WaitGraph::between_sessions(&scene.0, &sessions);
    let estimates = estimate();
    let shown = Shown {
        roles: vec![Role::Backup, Role::Migration],
        ..Shown::default()
    };
    let report = StatusReport::new(&scene.0, &sessions, &waits, &estimates, &shown);
    insta::assert_snapshot!(status_json(&report));
}

/// A program at work, seen between two of its statements (cases/ops/01), in the states that this can have.
#[test]
fn nobody_is_advised_to_end_a_session_that_works() {
    for state in [IdleInTransaction, BackendState::IdleInTransactionAborted] {
        for (milliseconds, works) in [(0, true), (20, true), (4_900, true), (5_100, false)] {
            let scene = Scene::new()
                .table(USERS, "users")
                .client(20, state, "INSERT INTO users VALUES (1)")
                .with(|backend| backend.application_name = "importer".into());
            let idle_since = scene.0.taken_at - TimeDelta::milliseconds(milliseconds);
            let scene = scene
                .with(|backend| backend.state_change = Some(idle_since))
                .holds(20, RowExclusive, USERS)
                .client(21, Active, "ALTER TABLE users ADD y int")
                .waits(21, AccessExclusive, USERS, 3);
            let told = plain(&scene, 80);
            assert_eq!(told.contains("wait until pid 20 is done"), works, "{told}");
            assert_eq!(told.contains("pgguard kill 20"), !works, "{told}");
            assert_eq!(
                understand(&scene.0).of(20).map(|s| s.role),
                Some(if works {
                    Role::Application
                } else {
                    Role::IdleInTransaction
                })
            );
        }
    }
}

/// cases/migrations/23, item 8: like sessions are one line with a count, the oldest and one command.
#[test]
fn a_crowd_is_one_line_with_a_count_and_one_command() {
    let mut scene = Scene::new().table(USERS, "users");
    for pid in 100..660 {
        scene = scene
            .client(pid, IdleInTransaction, "SELECT FROM users")
            .holds(pid, AccessShare, USERS);
    }
    scene = scene
        .with(|backend| {
            backend.xact_start = backend.xact_start.map(|at| at - TimeDelta::minutes(9));
        })
        .client(50, Active, "ALTER TABLE users ADD y int")
        .waits(50, AccessExclusive, USERS, 900);
    for pid in 700..740 {
        scene = scene
            .client(pid, Active, "SELECT FROM users")
            .waits(pid, AccessShare, USERS, 800);
    }
    let screen = on_a_screen(&scene, &BTreeMap::new());
    assert!(screen.lines().count() < 24, "{screen}");
    let told = plain(&scene, 80);
    assert!(told.contains("559 sessions like it"), "{told}");
    assert!(told.contains("and 39 like it"), "{told}");
    assert_eq!(
        told.matches("pgguard kill 659\n").count(),
        1,
        "the oldest: {told}"
    );
    assert_eq!(told.matches("pgguard kill").count(), 2, "{told}");
    assert!(told.lines().count() <= 40, "{told}");
}

#[test]
fn a_command_stands_alone_on_its_line_and_the_gentlest_help_for_most_comes_first() {
    let told = text(&deploy(), &Shown::default(), 80, &estimate());
    let commands: Vec<&str> = told
        .lines()
        .filter(|line| line.contains("pgguard kill"))
        .collect();
    assert_eq!(commands, ["        pgguard kill 50"], "{told}");
    let place = |part: &str| {
        told.find(part)
            .unwrap_or_else(|| panic!("{part} in {told}"))
    };
    assert!(
        told.contains("OUTAGE   8 sessions hang on public.users since"),
        "{told}"
    );
    assert!(
        place("8 sessions go on at once") < place("wait: the backup"),
        "{told}"
    );
    assert!(place("wait: the backup") < place("└─ "), "{told}");
}

#[test]
fn an_outage_is_a_screen_at_most_however_many_roots_it_has() {
    for roots in [1, 3, 9, 40] {
        let mut scene = deploy();
        for nth in 0..roots {
            let oid = 20_000 + u32::try_from(nth).unwrap();
            scene = scene
                .table(oid, &format!("t{nth}"))
                .client(1000 + nth, IdleInTransaction, "UPDATE t SET x = 1")
                .with(|backend| backend.application_name = format!("job {nth}"))
                .holds(1000 + nth, RowExclusive, oid)
                .client(2000 + nth, Active, "ALTER TABLE t ADD y int")
                .waits(2000 + nth, AccessExclusive, oid, 60);
            for reader in 0..i32::try_from(oid % 7).unwrap() {
                let pid = 3000 + 10 * nth + reader;
                scene = scene
                    .client(pid, Active, "SELECT FROM t")
                    .waits(pid, AccessShare, oid, 30);
            }
        }
        let told = on_a_screen(&scene, &estimate());
        assert!(told.lines().count() < 24, "{roots}:\n{told}");
        let first: Vec<&str> = told.lines().take(9).collect();
        assert!(
            first.iter().any(|line| line.trim() == "pgguard kill 50"),
            "{roots}:\n{told}"
        );
    }
}

/// Names and statements of others that would like to be markup, a script, a policy, or another direction of writing.
const HOSTILE: [&str; 8] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg/onload=alert(1)>",
    "</code></pre></style></title><h1>OK: nobody waits</h1>",
    "&lt;b&gt; &#60;b&#62;",
    "\u{202e}txet\u{2066}\u{200b}",
    "```\n# OUTAGE\n@channel [x](http://x) <!-- ",
    "a\u{0}\u{1b}[2J\u{85}b",
];

fn hostile(evil: &str) -> Scene {
    Scene::new()
        .table(USERS, evil)
        .client(20, IdleInTransaction, evil)
        .with(|backend| {
            backend.application_name = evil.into();
            backend.usename = Some(evil.into());
        })
        .holds(20, AccessExclusive, USERS)
        .client(21, Active, evil)
        .with(|backend| {
            backend.application_name = evil.into();
            backend.client_addr = Some(evil.into());
        })
        .waits(21, AccessExclusive, USERS, 5)
        .client(22, Active, evil)
        .waits(22, AccessShare, USERS, 4)
        .prepared(evil, AccessShare, ORDERS)
}

fn as_html(scene: &Scene) -> String {
    let sessions = understand(&scene.0);
    let waits = WaitGraph::between_sessions(&scene.0, &sessions);
    let (shown, estimates) = (Shown::default(), BTreeMap::new());
    let report = StatusReport::new(&scene.0, &sessions, &waits, &estimates, &shown);
    status_html::status_html(&report)
}

/// The tags of a page, without what is in them.
fn tags(page: &str) -> Vec<&str> {
    page.split('<')
        .skip(1)
        .map(|rest| rest.split(['>', ' ', '\n']).next().unwrap_or_default())
        .collect()
}

#[test]
fn no_text_of_others_is_markup_of_the_page() {
    let calm = as_html(&hostile("x"));
    for evil in HOSTILE {
        let mut scene = hostile(evil);
        scene.0.server.datname = evil.into();
        for backend in &mut scene.0.backends {
            backend.datname = Some(evil.into());
        }
        let page = as_html(&scene);
        assert_eq!(tags(&page), tags(&calm), "{evil}: {page}");
        assert_eq!(page.matches("<script>").count(), 1, "{page}");
        assert!(
            page.chars().all(|c| c == '\n'
                || !c.is_control()
                    && !('\u{200b}'..='\u{200f}').contains(&c)
                    && !('\u{202a}'..='\u{202e}').contains(&c)
                    && !('\u{2066}'..='\u{2069}').contains(&c)),
            "{evil}: {page:?}"
        );
    }
}

#[test]
fn no_text_of_others_is_markup_of_a_chat() {
    for evil in HOSTILE {
        let scene = hostile(evil);
        let sessions = understand(&scene.0);
        let waits = WaitGraph::between_sessions(&scene.0, &sessions);
        let (shown, estimates) = (Shown::default(), BTreeMap::new());
        let report = StatusReport::new(&scene.0, &sessions, &waits, &estimates, &shown);
        let told = status_markdown::status_markdown(&report);
        let mut fence: Option<&str> = None;
        for line in told.lines().map(str::trim_start) {
            let ticks = line.len() - line.trim_start_matches('`').len();
            match fence {
                None if ticks >= 3 => fence = Some(line),
                None => assert!(
                    !line.starts_with('#') && !line.contains("<s") && !line.contains(" @channel"),
                    "{told}"
                ),
                Some(open) if line == open => fence = None,
                Some(_) => {}
            }
        }
        assert_eq!(fence, None, "{told}");
    }
}

#[test]
fn a_page_tells_the_outage_with_its_commands_and_its_times() {
    let page = as_html(&deploy());
    for part in [
        "<span class=\"bad\">OUTAGE</span> 8 sessions hang on <b>public.users</b> since <time datetime=\"",
        "<pre><code>pgguard kill 50</code></pre>",
        "and 7 like it",
        "prefers-color-scheme: dark",
        "name=\"viewport\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(
        !page.contains("http://") && !page.contains("https://") && !page.contains("src="),
        "{page}"
    );
}
