//! Looks that are kept, read back, cut off, and forged.

use super::*;
use crate::model::{
    Backend, KeptLook, Lock, LockMode, LockTarget, Role, Server, Session, Snapshot,
};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

const SERVER: &str = "7000000000000000001";

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 123_456_000).expect("a time")
}

/// A server with this number of sessions, each at a statement that began in this second; `waiting` of them wait.
fn look(seconds: i64, sessions: i32, waiting: usize) -> KeptLook {
    let now = at(seconds);
    let server = Server {
        system_identifier: Some(SERVER.into()),
        datname: "shop".into(),
        ..Server::unknown()
    };
    let mut snapshot = Snapshot::of_nobody(server, now);
    let relation = LockTarget::Relation {
        database: 5,
        relation: 16_401,
    };
    for pid in 1000..1000 + sessions {
        snapshot.backends.push(Backend {
            pid,
            application_name: "puma".into(),
            backend_start: Some(at(-1000) + TimeDelta::microseconds(i64::from(pid) * 7919)),
            query_start: Some(at(seconds) - TimeDelta::milliseconds(i64::from(pid * 31 % 997))),
            state_change: Some(at(seconds) - TimeDelta::milliseconds(i64::from(pid * 17 % 991))),
            query: format!(
                "SELECT * FROM orders WHERE id = {}",
                i64::from(pid) * seconds
            ),
            ..Backend::default()
        });
        snapshot.locks.push(Lock {
            target: relation.clone(),
            virtualtransaction: format!("{pid}/1").into(),
            pid: Some(pid),
            mode: LockMode::AccessShare,
            granted: usize::try_from(pid - 1000).expect("a pid") >= waiting,
            waitstart: None,
        });
    }
    let sessions = (1000..1000 + sessions).map(|pid| Session {
        pid,
        members: vec![pid],
        role: Role::Application,
        certainty: crate::model::Certainty::Possible,
        evidence: vec!["it runs a statement".into()],
        backup: None,
        detail: None,
    });
    let waits = (waiting > 0).then(|| SeenWait {
        target: String::new(),
        root: "5@2026-11-28T02:00:00Z".into(),
        who: "pg_dump (pid 5)".into(),
        through: Some("rake (pid 6)".into()),
        database: "shop".into(),
        on: "public.orders".into(),
        since: Some(at(0)),
        waiting,
    });
    KeptLook {
        sessions: sessions.collect(),
        snapshot,
        estimates: BTreeMap::new(),
        waits: waits.into_iter().collect(),
    }
}

fn keep(recorder: &mut Recorder, look: &KeptLook) {
    if recorder.wants(look.snapshot.taken_at, &look.waits) {
        recorder.keep(&LookToKeep {
            snapshot: &look.snapshot,
            sessions: &look.sessions,
            estimates: &look.estimates,
            waits: &look.waits,
        });
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let found = segments(&folder.join(SERVER));
    found.into_iter().map(|(path, ..)| path).collect()
}

#[test]
fn what_was_kept_reads_back_and_is_ours_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut recorder = Recorder::new(Some(folder.path().into()));
    for seconds in 0..20 {
        keep(&mut recorder, &look(seconds, 30, 3));
    }
    let looks = Looks::of(folder.path(), SERVER);
    // Not each second: who waits for whom has not changed.
    assert_eq!(looks.times(), [at(0), at(5), at(10), at(15)]);
    for seconds in [0, 5, 15] {
        let (kept, seen) = (
            looks.look(at(seconds)).expect("a look"),
            look(seconds, 30, 3),
        );
        assert_eq!(kept.sessions, seen.sessions);
        assert_eq!(kept.waits, seen.waits);
        assert_eq!(kept.snapshot.locks, seen.snapshot.locks);
        assert_eq!(kept.snapshot.taken_at, seen.snapshot.taken_at);
        let queries = |look: &KeptLook| -> Vec<String> {
            look.snapshot
                .backends
                .iter()
                .map(|b| b.query.clone())
                .collect()
        };
        assert_eq!(queries(&kept), queries(&seen));
    }
    assert_eq!(looks.before(at(12)), Some(at(10)));
    assert_eq!(looks.before(at(-1)), None);
    assert_eq!(looks.after(at(12)), Some(at(15)));
    assert_eq!(looks.look(at(12)), None);
    for file in files(folder.path()) {
        let mode = |path: &Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode(&file), 0o600);
        assert_eq!(mode(file.parent().expect("a folder")), 0o700);
    }
}

#[test]
fn a_new_wait_is_kept_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut recorder = Recorder::new(Some(folder.path().into()));
    for (seconds, waiting) in [(0, 0), (1, 0), (2, 4), (3, 5), (4, 0)] {
        keep(&mut recorder, &look(seconds, 10, waiting));
    }
    let looks = Looks::of(folder.path(), SERVER);
    assert_eq!(looks.times(), [at(0), at(2), at(4)]);
}

/// A thousand sessions that all run another statement at each look: the worst that a screen can see.
#[test]
fn an_hour_of_a_thousand_sessions_takes_less_than_twenty_megabytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut recorder = Recorder::new(Some(folder.path().into()));
    let bytes = || -> u64 {
        let found = segments(&folder.path().join(SERVER));
        found.iter().map(|(_, _, size)| size).sum()
    };
    for nth in 0..24 {
        keep(&mut recorder, &look(nth * 5, 1000, 40));
    }
    let of_a_look = bytes() / 24;
    assert!(of_a_look * 720 < 20 << 20, "{of_a_look} bytes a look");
    assert!(bytes() <= MOST_BYTES + segment::MOST_BYTES);
}

#[test]
fn the_oldest_go_when_it_is_too_much() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join(SERVER);
    std::fs::create_dir(&place).expect("a folder");
    let filled = |name: &str| {
        std::fs::write(place.join(name), vec![0; 4 << 20]).expect("a file");
    };
    for nth in 0..8 {
        filled(&format!("looks-{nth}-1-0.bin"));
    }
    filled("not ours");
    let mut recorder = Recorder::new(Some(folder.path().into()));
    keep(&mut recorder, &look(0, 10, 0));
    assert!(
        files(folder.path()).len() <= 4,
        "{:?}",
        files(folder.path())
    );
    assert!(place.join("not ours").exists());
    assert_eq!(Looks::of(folder.path(), SERVER).times(), [at(0)]);
}

#[test]
fn a_broken_a_foreign_or_a_half_written_file_harms_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut recorder = Recorder::new(Some(folder.path().into()));
    for nth in 0..4 {
        keep(&mut recorder, &look(nth * 10, 20, 2));
    }
    let file = files(folder.path()).remove(0);
    let whole = std::fs::read(&file).expect("bytes");
    for cut in (0..whole.len()).step_by(7) {
        std::fs::write(&file, &whole[..cut]).expect("written");
        let looks = Looks::of(folder.path(), SERVER);
        for time in looks.times() {
            assert!(looks.look(*time).is_some(), "cut at {cut}");
        }
        assert!(looks.waits().len() <= 4);
    }
    for place in (0..whole.len()).step_by(5) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x5a;
        std::fs::write(&file, &bytes).expect("written");
        let looks = Looks::of(folder.path(), SERVER);
        for time in looks.times() {
            let _ = looks.look(*time);
        }
        let _ = told(&looks.waits());
        let _ = Looks::servers(folder.path());
    }
    std::fs::write(&file, b"SQLite format 3\0").expect("written");
    assert!(Looks::of(folder.path(), SERVER).times().is_empty());
    // What cannot be written ends the recording, and nothing else.
    let mut nowhere = Recorder::new(Some(file.join("below a file")));
    keep(&mut nowhere, &look(0, 3, 1));
    assert!(!nowhere.wants(at(100), &[]));
}

#[test]
fn looks_in_a_row_are_an_episode_and_gaps_are_told() {
    let wait = |root: &str, since: i64, waiting: usize| SeenWait {
        target: String::new(),
        root: root.into(),
        who: format!("{root} (pid 1)"),
        through: None,
        database: "shop".into(),
        on: "public.orders".into(),
        since: Some(at(since)),
        waiting,
    };
    let looks = vec![
        (at(0), vec![]),
        (at(60), vec![wait("a", 50, 2)]),
        (at(120), vec![wait("a", 50, 40), wait("b", 115, 1)]),
        (at(180), vec![wait("a", 170, 3)]),
        (at(240), vec![]),
        // Nobody looks for ten minutes; c began before, d after.
        (at(250), vec![wait("c", 245, 1), wait("d", 245, 1)]),
        (at(850), vec![wait("c", 245, 1), wait("d", 840, 1)]),
    ];
    let told = told(&looks);
    assert_eq!(told.looked, Some((at(0), at(850))));
    assert_eq!(
        told.unseen,
        [crate::model::Unseen {
            from: at(250),
            to: at(850)
        }]
    );
    let brief: Vec<(&str, i64, i64, Option<i64>, usize)> = told
        .episodes
        .iter()
        .map(|e| {
            let seconds = |time: DateTime<Utc>| (time - at(0)).num_seconds();
            let over = e.over_by.map(seconds);
            (
                e.root.as_str(),
                seconds(e.began),
                seconds(e.last_seen),
                over,
                e.most_waiting,
            )
        })
        .collect();
    assert_eq!(
        brief,
        [
            ("a", 50, 180, Some(240), 40),
            ("c", 245, 850, None, 1),
            ("d", 840, 850, None, 1),
            ("b", 115, 120, Some(180), 1),
            ("d", 245, 250, None, 1),
        ]
    );
}

#[test]
fn looks_from_two_databases_see_one_episode_and_two_relations_of_a_name_are_two() {
    let wait = |database: &str, target: &str, on: &str, waiting: usize| SeenWait {
        target: target.into(),
        root: "a".into(),
        who: "a (pid 1)".into(),
        through: None,
        database: database.into(),
        on: on.into(),
        since: Some(at(0)),
        waiting,
    };
    let nameless = "relation 77 of database 5";
    let shop = |on: &str, waiting| wait("shop", "5/77", on, waiting);
    let episodes = told(&[
        (at(10), vec![shop(nameless, 1)]),
        (at(20), vec![shop("public.orders", 2)]),
        (at(30), vec![shop(nameless, 3)]),
        // The same root, but the relation of that name is another one.
        (at(40), vec![wait("other", "6/77", "public.orders", 1)]),
    ])
    .episodes;
    let brief: Vec<(&str, &str, usize)> = episodes
        .iter()
        .map(|e| (e.database.as_str(), e.on.as_str(), e.most_waiting))
        .collect();
    assert_eq!(
        brief,
        [("shop", "public.orders", 3), ("other", "public.orders", 1)]
    );
}
