//! Every form of the gate's report, whole, from one verdict.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use pgguard::model::*;
use pgguard::test_support::report::page::Page;
use pgguard::test_support::report::{self, GateView};

fn now() -> DateTime<Utc> {
    "2026-03-03T02:29:12Z".parse().expect("a time")
}

fn statement(line: usize, sql: &str, command: &str) -> Statement {
    Statement {
        file: "migrations/0057.sql".into(),
        line,
        sql: sql.into(),
        command: command.into(),
        locks: vec![LockRequest {
            oid: Some(20_000),
            name: RelationName::new("public", "user_profiles"),
            kind: RelationKind::Table,
            mode: LockMode::AccessExclusive,
            named: true,
            reason: "named".into(),
            work: LockWork::Rewrite,
            transient: false,
            is_given_back: false,
            own: false,
            nowait: false,
            only_after: None,
            possible: false,
            one_of: None,
            rows: None,
            bytes: Some(12_582_912),
        }],
        ..Statement::default()
    }
}

fn footprint() -> Footprint {
    let index = Statement {
        locks: vec![LockRequest {
            mode: LockMode::ShareUpdateExclusive,
            work: LockWork::Scan,
            ..statement(1, "", "").locks.remove(0)
        }],
        phases: vec![
            WaitPhase::Lockers {
                oid: Some(20_000),
                name: RelationName::new("public", "user_profiles"),
                mode: LockMode::Share,
            },
            WaitPhase::Snapshots,
        ],
        transaction: 1,
        ..statement(
            5,
            "CREATE INDEX CONCURRENTLY user_profiles_seen ON user_profiles (last_seen)",
            "CREATE INDEX",
        )
    };
    let block = Statement {
        locks: vec![],
        opaque: Some("a DO block runs code".into()),
        transaction: 2,
        ..statement(7, "DO $$ begin perform 1; end $$", "DO")
    };
    let harmless = Statement {
        locks: vec![],
        notes: vec!["nothing is locked".into()],
        transaction: 3,
        ..statement(9, "SET search_path = \"a|b\"", "SET")
    };
    Footprint {
        statements: vec![
            statement(
                3,
                "ALTER TABLE user_profiles\n    ADD COLUMN last_seen timestamptz DEFAULT clock_timestamp()",
                "ALTER TABLE",
            ),
            index,
            block,
            harmless,
        ],
    }
}

fn dump() -> Blocker {
    Blocker {
        pid: Some(2_459_692),
        gid: None,
        role: Role::Backup,
        application_name: "pg_dump".into(),
        user: "backup".into(),
        state: "active".into(),
        mode: Some(LockMode::AccessShare),
        granted: true,
        since: Some(now() - TimeDelta::seconds(1529)),
        backend_start: Some(now() - TimeDelta::seconds(1530)),
        detail: "now copying public.jobs, 31 of 44 tables".into(),
        advice: "wait until the backup is done".into(),
    }
}

fn wait(kind: WaitKind, blocker: Blocker) -> Wait {
    let snapshot = kind == WaitKind::Snapshot;
    Wait {
        oid: (!snapshot).then_some(20_000),
        name: (!snapshot).then(|| RelationName::new("public", "user_profiles")),
        object: None,
        mode: (!snapshot).then_some(LockMode::AccessExclusive),
        kind,
        counts: true,
        clears: Some(Clears {
            earliest: Some(now() + TimeDelta::minutes(9)),
            expected: Some(now() + TimeDelta::minutes(12)),
            latest: Some(now() + TimeDelta::minutes(14)),
            basis: "from 14 past runs".into(),
            from_past_runs: true,
        }),
        blocker,
        clears_by: None,
        fails: false,
    }
}

fn evil() -> Blocker {
    Blocker {
        pid: Some(77),
        role: Role::IdleInTransaction,
        application_name: "app::error,\x1b[31m|<b>%0A".into(),
        user: "app".into(),
        state: "idle in transaction".into(),
        mode: Some(LockMode::AccessExclusive),
        granted: false,
        detail: "idle for 14 min · last statement: select ']]>'".into(),
        advice: "pgguard kill 77: it waits for its client, with its locks".into(),
        ..dump()
    }
}

fn verdict() -> Verdict {
    Verdict {
        running: Vec::new(),
        answer: Answer::WouldBlock,
        statements: vec![
            StatementVerdict {
                waits: vec![
                    wait(WaitKind::Lock, dump()),
                    Wait {
                        clears: None,
                        ..wait(WaitKind::Queue, evil())
                    },
                ],
                behind: Some(Behind {
                    name: RelationName::new("public", "user_profiles"),
                    sessions_now: 2,
                    per_minute: Some(7.2),
                    what: "reads and writes of public.user_profiles".into(),
                }),
                lock_timeout_ms: Some(60_000),
                notes: vec![
                    "60 s of lock_timeout are up to 60 s of stalled readers and writers".into(),
                ],
                ..StatementVerdict::default()
            },
            StatementVerdict {
                waits: vec![wait(
                    WaitKind::Snapshot,
                    Blocker {
                        mode: None,
                        ..dump()
                    },
                )],
                lock_timeout_ms: Some(0),
                ..StatementVerdict::default()
            },
            StatementVerdict::default(),
            StatementVerdict::default(),
        ],
        doubts: vec![Doubt {
            statement: Some(2),
            what: "not everything that it locks can be known: a DO block runs code".into(),
            help: "read it, and let it through with --allow-opaque".into(),
            lasting: true,
            accepts: None,
        }],
        warnings: vec!["another migration is under way: pid 9 (rails)".into()],
        look_again: false,
        accepted: Vec::new(),
    }
}

fn with<T>(verdict: &Verdict, footprint: &Footprint, tell: impl FnOnce(&GateView) -> T) -> T {
    tell(&GateView {
        footprint,
        verdict,
        database: "shop on db1",
        taken_at: now(),
        zone: FixedOffset::east_opt(3600).expect("a zone"),
        of_catalog: false,
        status: None,
        forecast: None,
    })
}

fn clear() -> (Verdict, Footprint) {
    let mut footprint = footprint();
    footprint.statements.truncate(2);
    let verdict = Verdict {
        running: Vec::new(),
        answer: Answer::Clear,
        statements: vec![StatementVerdict::default(); 2],
        doubts: vec![],
        warnings: vec![],
        look_again: false,
        accepted: Vec::new(),
    };
    (verdict, footprint)
}

#[test]
fn text_says_who_until_when_and_what_to_do() {
    let text = with(&verdict(), &footprint(), |v| {
        report::gate_text(v, Page::of_width(100))
    });
    insta::assert_snapshot!("gate_text", text);
}

#[test]
fn clear_is_one_calm_line() {
    let (verdict, footprint) = clear();
    let text = with(&verdict, &footprint, |v| report::gate_text(v, Page::PLAIN));
    assert_eq!(
        text,
        "CLEAR  nothing is in the way of these 2 statements  (shop on db1, 03:29:12)\n"
    );
}

#[test]
fn text_fits_the_terminal_and_colours_only_where_asked() {
    for width in [60, 80, 120] {
        let text = with(&verdict(), &footprint(), |v| {
            report::gate_text(v, Page::of_width(width))
        });
        for line in text.lines() {
            // A command is whole, to be copied, however wide it is.
            let is_command =
                line.trim_start().starts_with("pgguard gate ") && line.ends_with("./migrate");
            assert!(
                is_command || line.chars().count() <= width,
                "{width}: {line}"
            );
        }
        assert!(!text.contains('\x1b'));
    }
    let text = with(&verdict(), &footprint(), |v| {
        report::gate_text(
            v,
            Page {
                color: true,
                ..Page::of_width(80)
            },
        )
    });
    assert!(text.starts_with("\x1b[1;31mWOULD BLOCK\x1b[0m  "), "{text}");
}

#[test]
fn json_holds_the_footprint_with_the_waits_added() {
    insta::assert_snapshot!(
        "gate_json",
        with(&verdict(), &footprint(), report::gate_json)
    );
}

#[test]
fn github_annotates_the_lines_and_escapes_what_is_special_there() {
    insta::assert_snapshot!(
        "gate_github",
        with(&verdict(), &footprint(), report::gate_github)
    );
}

#[test]
fn markdown_has_a_table_of_the_statements_and_no_markup_of_others() {
    insta::assert_snapshot!(
        "gate_markdown",
        with(&verdict(), &footprint(), report::gate_markdown)
    );
}

#[test]
fn junit_has_a_case_for_every_statement() {
    let xml = with(&verdict(), &footprint(), |view| {
        report::gate_junit(std::slice::from_ref(view))
    })
    .expect("it is written");
    insta::assert_snapshot!("gate_junit", xml);
}

#[test]
fn sarif_has_a_result_for_every_finding() {
    let sarif = with(&verdict(), &footprint(), |view| {
        report::gate_sarif(std::slice::from_ref(view))
    });
    insta::assert_snapshot!(
        "gate_sarif",
        sarif.replace(env!("CARGO_PKG_VERSION"), "[version]")
    );
}

#[test]
fn gitlab_has_an_issue_for_every_finding() {
    insta::assert_snapshot!(
        "gate_gitlab",
        with(&verdict(), &footprint(), |view| report::gate_gitlab(
            std::slice::from_ref(view)
        ))
    );
}

#[test]
fn fingerprints_differ_from_each_other_and_not_from_run_to_run() {
    let prints = |verdict: &Verdict| -> Vec<String> {
        let text = with(verdict, &footprint(), |view| {
            report::gate_gitlab(std::slice::from_ref(view))
        });
        let issues: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
        issues
            .iter()
            .map(|issue| issue["fingerprint"].to_string())
            .collect()
    };
    let first = prints(&verdict());
    let mut unique = first.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), first.len());
    let mut later = verdict();
    later.statements[0].waits[0].blocker.pid = Some(4711);
    assert_eq!(prints(&later), first);
}

#[test]
fn explain_says_which_relation_in_which_mode_and_for_how_long() {
    insta::assert_snapshot!(
        "explain_text",
        report::explain_text(&footprint(), &[], Page::of_width(100))
    );
    insta::assert_snapshot!("explain_json", report::explain_json(&footprint(), &[]));
}

/// A migration that nobody wrote to a file: from standard input, or none at all.
fn without_a_file(file: &str, database: &str, tell: impl FnOnce(&GateView) -> String) -> String {
    let mut footprint = footprint();
    for statement in &mut footprint.statements {
        statement.file = file.into();
    }
    footprint.statements[3].sql = String::new();
    let mut verdict = verdict();
    verdict.doubts.push(Doubt {
        statement: None,
        what: "cannot connect".into(),
        help: "start it".into(),
        lasting: false,
        accepts: None,
    });
    tell(&GateView {
        footprint: &footprint,
        verdict: &verdict,
        database,
        taken_at: now(),
        zone: FixedOffset::east_opt(0).expect("a zone"),
        of_catalog: false,
        status: None,
        forecast: None,
    })
}

#[test]
fn junit_and_gitlab_name_everything_where_there_is_no_file() {
    for file in ["", "-", "./a.sql", "/abs/a.sql"] {
        for database in ["", " ", "shop"] {
            let xml = without_a_file(file, database, |view| {
                report::gate_junit(std::slice::from_ref(view)).expect("XML")
            });
            for empty in [
                "name=\"\"",
                "file=\"\"",
                "classname=\"\"",
                "name=\" \"",
                "file=\"-\"",
                "file=\"./",
            ] {
                assert!(
                    !xml.contains(empty),
                    "{file:?} {database:?}: {empty} in {xml}"
                );
            }
            let issues = without_a_file(file, database, |view| {
                report::gate_gitlab(std::slice::from_ref(view))
            });
            let issues: Vec<serde_json::Value> = serde_json::from_str(&issues).expect("JSON");
            for issue in &issues {
                let path = issue["location"]["path"].as_str().expect("a path");
                assert!(
                    !path.is_empty() && path != "-" && !path.starts_with("./"),
                    "{issue}"
                );
                assert!(
                    issue["location"]["lines"]["begin"].as_u64() >= Some(1),
                    "{issue}"
                );
                for key in ["description", "check_name", "fingerprint"] {
                    let text = issue[key].as_str().expect(key);
                    assert!(!text.trim().is_empty() && !text.contains('\n'), "{issue}");
                }
                let severities = ["info", "minor", "major", "critical", "blocker"];
                assert!(severities.contains(&issue["severity"].as_str().expect("a severity")));
                assert!(
                    issue["description"].as_str().map(str::len) < Some(600),
                    "{issue}"
                );
            }
            let sarif = without_a_file(file, database, |view| {
                report::gate_sarif(std::slice::from_ref(view))
            });
            assert!(
                !sarif.contains("\"uri\": \"-\"") && !sarif.contains("\"uri\": \"\""),
                "{sarif}"
            );
        }
    }
}

#[test]
fn several_servers_are_one_document() {
    let (verdict, footprint) = (verdict(), footprint());
    let view = |database| GateView {
        footprint: &footprint,
        verdict: &verdict,
        database,
        taken_at: now(),
        zone: FixedOffset::east_opt(0).expect("a zone"),
        of_catalog: false,
        status: None,
        forecast: None,
    };
    let views = [view("shop on db1"), view("shop on db2")];
    let xml = report::gate_junit(&views).expect("XML");
    assert_eq!(xml.matches("<?xml").count(), 1, "{xml}");
    assert!(
        xml.contains("shop on db1: migrations/0057.sql")
            && xml.contains("shop on db2: migrations/0057.sql")
    );
    let sarif: serde_json::Value = serde_json::from_str(&report::gate_sarif(&views)).expect("JSON");
    assert_eq!(sarif["runs"].as_array().map(Vec::len), Some(2));
    let issues: Vec<serde_json::Value> =
        serde_json::from_str(&report::gate_gitlab(&views)).expect("JSON");
    let mut prints: Vec<String> = issues
        .iter()
        .map(|issue| issue["fingerprint"].to_string())
        .collect();
    prints.sort();
    prints.dedup();
    assert_eq!(
        prints.len(),
        issues.len(),
        "GitLab takes issues of the same fingerprint for one"
    );
}
