//! The rules on hand-made values; the servers' own judgement is in `tests/gate_*.rs`.

use super::*;
use crate::model::{
    AdvisoryRequest, Answer, Backend, BackendState, Backup, BackupTool, Certainty, ClearsBy,
    Footprint, Lock, LockMode, LockRequest, LockTarget, LockWork, LockedRelation, Oid, Pid,
    PreparedXact, Progress, RelationKind, RelationName, Role, RowWait, Server, Session, Snapshot,
    Statement, Verdict, Wait, WaitKind, WaitPhase, Work,
};
use crate::sessions::Sessions;
use LockMode::*;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};

const DATABASE: Oid = 5;
const ORDERS: Oid = 20_000;
const ITEMS: Oid = 20_001;

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

/// A scene built line by line.
struct Stage {
    snapshot: Snapshot,
    sessions: Vec<Session>,
    policy: Policy,
}

impl Stage {
    fn empty() -> Self {
        let server = Server {
            version_num: 180_000,
            own_pid: 1,
            datid: DATABASE,
            datname: "shop".into(),
            user: "deploy".into(),
            in_recovery: false,
            sees_all: true,
            deadlock_timeout_ms: 1000,
            max_connections: 100,
            settings: BTreeMap::from([("lock_timeout".into(), "0".into())]),
            started_at: None,
            system_identifier: None,
            address: None,
            pooled: false,
        };
        Self {
            snapshot: Snapshot {
                xids: None,
                taken_at: now(),
                server,
                backends: Vec::new(),
                locks: Vec::new(),
                prepared: Vec::new(),
                progress: Vec::new(),
                walsenders: Vec::new(),
                serializable: Vec::new(),
                temporary_schemas: BTreeSet::new(),
                changed_rows: Vec::new(),
                working: BTreeSet::new(),
                relations: BTreeMap::new(),
            },
            sessions: Vec::new(),
            policy: Policy::default(),
        }
    }

    /// A client in a transaction of a minute.
    fn client(mut self, pid: Pid) -> Self {
        self.snapshot.backends.push(Backend {
            pid,
            datid: Some(DATABASE),
            datname: Some("shop".into()),
            usename: Some("app".into()),
            application_name: "shop".into(),
            backend_start: Some(now() - TimeDelta::hours(1)),
            xact_start: Some(now() - TimeDelta::minutes(1)),
            state: Some(BackendState::IdleInTransaction),
            backend_type: Some("client backend".into()),
            ..Backend::default()
        });
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Backend)) -> Self {
        change(self.snapshot.backends.last_mut().expect("a backend"));
        self
    }

    fn young(self) -> Self {
        self.with(|b| b.xact_start = Some(now() - TimeDelta::milliseconds(20)))
    }

    fn lock(mut self, oid: Oid, mode: LockMode, granted: bool) -> Self {
        let pid = self.snapshot.backends.last().map(|b| b.pid);
        let order = i64::try_from(self.snapshot.locks.len()).expect("few");
        self.snapshot.locks.push(Lock {
            target: LockTarget::Relation {
                database: DATABASE,
                relation: oid,
            },
            pid,
            virtualtransaction: format!("{}/7", pid.unwrap_or_default()).into(),
            mode,
            granted,
            waitstart: (!granted).then(|| now() + TimeDelta::milliseconds(order)),
        });
        self
    }

    fn holds(self, oid: Oid, mode: LockMode) -> Self {
        self.lock(oid, mode, true)
    }

    fn waits(self, oid: Oid, mode: LockMode) -> Self {
        self.lock(oid, mode, false)
    }

    fn decide(&self, statements: Vec<Statement>) -> Verdict {
        decide(
            &Footprint { statements },
            &self.snapshot,
            &self.sessions.iter().cloned().collect(),
            &self.policy,
        )
    }

    /// The pids in the way of one request, as Postgres's `pg_blocking_pids` would list them.
    fn in_front(&self, oid: Oid, mode: LockMode) -> Vec<Pid> {
        pids(
            &self
                .decide(vec![statement(vec![request(oid, mode)])])
                .statements[0]
                .waits,
        )
    }
}

fn pids(waits: &[Wait]) -> Vec<Pid> {
    let mut pids: Vec<Pid> = waits
        .iter()
        .map(|w| w.blocker.pid.unwrap_or_default())
        .collect();
    pids.sort_unstable();
    pids
}

fn name(oid: Oid) -> RelationName {
    RelationName::new("public", if oid == ORDERS { "orders" } else { "items" })
}

fn request(oid: Oid, mode: LockMode) -> LockRequest {
    LockRequest {
        oid: Some(oid),
        name: name(oid),
        kind: RelationKind::Table,
        mode,
        named: true,
        reason: "named".into(),
        work: LockWork::Instant,
        transient: false,
        is_given_back: false,
        own: false,
        nowait: false,
        only_after: None,
        possible: false,
        one_of: None,
        rows: None,
        bytes: None,
    }
}

fn statement(locks: Vec<LockRequest>) -> Statement {
    Statement {
        file: "1.sql".into(),
        line: 1,
        sql: "alter table orders …".into(),
        command: "ALTER TABLE".into(),
        locks,
        ..Statement::default()
    }
}

fn concurrently() -> Statement {
    Statement {
        command: "CREATE INDEX".into(),
        phases: vec![
            WaitPhase::Lockers {
                oid: Some(ORDERS),
                name: name(ORDERS),
                mode: Share,
            },
            WaitPhase::Snapshots,
        ],
        ..statement(vec![request(ORDERS, ShareUpdateExclusive)])
    }
}

#[test]
fn a_holder_is_in_front_exactly_where_the_modes_conflict() {
    for held in LockMode::ALL {
        for asked in LockMode::ALL {
            let stage = Stage::empty().client(10).holds(ORDERS, held);
            let expected = if asked.conflicts_with(held) {
                vec![10]
            } else {
                vec![]
            };
            assert_eq!(stage.in_front(ORDERS, asked), expected, "{held}, {asked}");
        }
    }
}

#[test]
fn a_reader_waits_behind_a_waiting_alter_and_not_behind_the_reader_that_it_waits_for() {
    let stage = Stage::empty()
        .client(10)
        .holds(ORDERS, AccessShare)
        .client(11)
        .waits(ORDERS, AccessExclusive);
    let verdict = stage.decide(vec![statement(vec![request(ORDERS, AccessShare)])]);
    let waits = &verdict.statements[0].waits;
    assert_eq!(pids(waits), [11]);
    assert_eq!(waits[0].kind, WaitKind::Queue);
    assert!(!waits[0].blocker.granted);
    assert_eq!(stage.in_front(ORDERS, AccessExclusive), [10, 11]);
}

#[test]
fn the_same_oid_in_another_database_does_not_matter_and_a_shared_catalog_does() {
    for (database, expected) in [(DATABASE + 1, vec![]), (0, vec![10])] {
        let mut stage = Stage::empty().client(10).holds(ORDERS, AccessExclusive);
        stage.snapshot.locks[0].target = LockTarget::Relation {
            database,
            relation: ORDERS,
        };
        assert_eq!(stage.in_front(ORDERS, AccessShare), expected, "{database}");
    }
}

#[test]
fn a_lock_of_our_own_session_does_not_count() {
    let stage = Stage::empty().client(1).holds(ORDERS, AccessShare);
    assert!(stage.in_front(ORDERS, AccessExclusive).is_empty());
}

#[test]
fn parallel_workers_are_their_leader() {
    let stage = Stage::empty()
        .client(10)
        .holds(ORDERS, AccessShare)
        .client(12)
        .with(|b| {
            b.leader_pid = Some(10);
            b.backend_type = Some("parallel worker".into());
        })
        .holds(ORDERS, AccessShare);
    assert_eq!(stage.in_front(ORDERS, AccessExclusive), [10]);
}

#[test]
fn a_session_that_has_what_a_waiter_waits_for_goes_before_it() {
    let mut stage = Stage::empty()
        .client(10)
        .holds(ORDERS, AccessShare)
        .client(11)
        .waits(ORDERS, AccessExclusive);
    stage.policy.asking = Some(10);
    for mode in LockMode::ALL {
        assert!(stage.in_front(ORDERS, mode).is_empty(), "{mode}");
    }
}

#[test]
fn two_that_wait_for_each_other_fail_at_once() {
    let mut stage = Stage::empty()
        .client(10)
        .holds(ORDERS, AccessShare)
        .client(11)
        .holds(ORDERS, AccessShare)
        .waits(ORDERS, AccessExclusive);
    stage.policy.asking = Some(10);
    let verdict = stage.decide(vec![statement(vec![request(ORDERS, AccessExclusive)])]);
    assert_eq!(verdict.answer, Answer::WouldBlock);
    assert!(verdict.statements[0].waits.iter().all(|wait| wait.fails));
}

#[test]
fn what_the_migration_has_locked_before_is_not_in_its_way() {
    let stage = Stage::empty().client(10).holds(ORDERS, RowExclusive);
    let first = statement(vec![request(ORDERS, ShareRowExclusive)]);
    let verdict = stage.decide(vec![
        first.clone(),
        statement(vec![request(ORDERS, AccessExclusive)]),
    ]);
    assert_eq!(pids(&verdict.statements[0].waits), [10]);
    // Who conflicted with the first request is gone by the second: named once.
    assert!(verdict.statements[1].waits.is_empty());
    // In a transaction of its own it asks again.
    let second = Statement {
        transaction: 1,
        ..statement(vec![request(ORDERS, AccessExclusive)])
    };
    let verdict = stage.decide(vec![first, second]);
    assert_eq!(pids(&verdict.statements[1].waits), [10]);
}

#[test]
fn statements_after_one_that_would_wait_are_judged_too_and_it_says_what_is_held_meanwhile() {
    let stage = Stage::empty().client(10).holds(ITEMS, AccessShare);
    let verdict = stage.decide(vec![
        statement(vec![request(ORDERS, AccessExclusive)]),
        Statement {
            line: 3,
            ..statement(vec![request(ITEMS, AccessExclusive)])
        },
    ]);
    assert_eq!(verdict.answer, Answer::WouldBlock);
    assert!(verdict.statements[0].waits.is_empty());
    assert_eq!(pids(&verdict.statements[1].waits), [10]);
    assert_eq!(
        verdict.statements[1].notes,
        [
            "no lock_timeout: it would wait without end, and so would readers and writers",
            "meanwhile it holds ACCESS EXCLUSIVE on public.orders (line 1)"
        ]
    );
}

#[test]
fn a_prepared_transaction_is_named_by_its_gid() {
    let mut stage = Stage::empty().holds(ORDERS, RowExclusive);
    stage.snapshot.locks.push(Lock {
        target: LockTarget::TransactionId { transactionid: 700 },
        pid: None,
        virtualtransaction: "0/7".into(),
        mode: Exclusive,
        granted: true,
        waitstart: None,
    });
    stage.snapshot.prepared.push(PreparedXact {
        transaction: 700,
        gid: "it's me".into(),
        prepared: now() - TimeDelta::days(5),
        owner: "app".into(),
        database: "shop".into(),
    });
    let verdict = stage.decide(vec![statement(vec![request(ORDERS, AccessExclusive)])]);
    let blocker = &verdict.statements[0].waits[0].blocker;
    assert_eq!(
        (blocker.pid, blocker.gid.as_deref()),
        (None, Some("it's me"))
    );
    assert_eq!(blocker.since, Some(now() - TimeDelta::days(5)));
    assert!(
        blocker.advice.starts_with("ROLLBACK PREPARED 'it''s me'"),
        "{}",
        blocker.advice
    );
}

#[test]
fn concurrently_waits_for_snapshots_of_the_same_database_only() {
    let other = Stage::empty().client(10).with(|b| {
        b.backend_xmin = Some(900);
        b.datid = Some(DATABASE + 1);
    });
    assert_eq!(other.decide(vec![concurrently()]).answer, Answer::Clear);
    let same = Stage::empty()
        .client(10)
        .with(|b| b.backend_xmin = Some(900));
    let verdict = same.decide(vec![concurrently()]);
    assert_eq!(verdict.answer, Answer::WouldBlock);
    assert_eq!(verdict.statements[0].waits[0].kind, WaitKind::Snapshot);
}

#[test]
fn concurrently_does_not_wait_for_who_is_exempt() {
    let vacuum = Work::Vacuum {
        relid: None,
        phase: None,
        blocks_total: None,
        blocks_done: None,
    };
    let build = |has_expressions| Work::CreateIndex {
        relid: None,
        index_relid: None,
        form: Some("CREATE INDEX CONCURRENTLY".into()),
        phase: None,
        current_locker_pid: None,
        has_expressions,
    };
    for (work, expected) in [
        (vacuum, Answer::Clear),
        (build(Some(false)), Answer::Clear),
        (build(Some(true)), Answer::WouldBlock),
        (build(None), Answer::CannotTell),
    ] {
        let mut stage = Stage::empty()
            .client(10)
            .with(|b| b.backend_xmin = Some(900));
        stage.snapshot.progress.push(Progress {
            pid: 10,
            datid: Some(DATABASE),
            work: work.clone(),
            part: None,
        });
        assert_eq!(
            stage.decide(vec![concurrently()]).answer,
            expected,
            "{work:?}"
        );
    }
}

#[test]
fn concurrently_waits_for_writers_of_its_table_and_not_for_readers() {
    for (mode, expected) in [
        (AccessShare, Answer::Clear),
        (RowShare, Answer::Clear),
        (RowExclusive, Answer::WouldBlock),
    ] {
        let stage = Stage::empty().client(10).holds(ORDERS, mode);
        assert_eq!(
            stage.decide(vec![concurrently()]).answer,
            expected,
            "{mode}"
        );
    }
}

fn autovacuum(text: &str) -> Stage {
    let text = text.to_owned();
    Stage::empty()
        .client(10)
        .with(|b| {
            b.backend_type = Some("autovacuum worker".into());
            b.query = text;
        })
        .holds(ORDERS, ShareUpdateExclusive)
}

#[test]
fn an_ordinary_autovacuum_gives_way_unless_a_timeout_is_shorter() {
    let ask = |lock_timeout_ms, nowait| Statement {
        lock_timeout_ms,
        ..statement(vec![LockRequest {
            nowait,
            ..request(ORDERS, AccessExclusive)
        }])
    };
    let stage = autovacuum("autovacuum: VACUUM public.orders");
    for (timeout, nowait, expected) in [
        (None, false, Answer::Clear),
        (Some(5000), false, Answer::Clear),
        (Some(500), false, Answer::WouldBlock),
        (None, true, Answer::WouldBlock),
    ] {
        let verdict = stage.decide(vec![ask(timeout, nowait)]);
        assert_eq!(verdict.answer, expected, "{timeout:?} {nowait}");
    }
    let wraparound = autovacuum("autovacuum: VACUUM public.orders (to prevent wraparound)");
    assert_eq!(
        wraparound.decide(vec![ask(None, false)]).answer,
        Answer::WouldBlock
    );
}

#[test]
fn whether_a_masked_autovacuum_gives_way_is_a_doubt() {
    let mut stage = autovacuum("<insufficient privilege>").with(|b| {
        b.masked = true;
        b.backend_type = None;
        b.usename = None;
        b.xact_start = None;
    });
    stage.snapshot.server.sees_all = false;
    let verdict = stage.decide(vec![statement(vec![request(ORDERS, AccessExclusive)])]);
    assert_eq!(verdict.answer, Answer::CannotTell);
    assert_eq!(verdict.doubts[0].help, "GRANT pg_monitor TO deploy");
}

#[test]
fn who_has_only_just_begun_counts_when_seen_twice() {
    let mut stage = Stage::empty().client(10).young().holds(ORDERS, AccessShare);
    let ask = || vec![statement(vec![request(ORDERS, AccessExclusive)])];
    let first = stage.decide(ask());
    assert_eq!(first.answer, Answer::CannotTell);
    assert!(needs_second_look(&first));

    // Gone, and another one in its place.
    let other = Stage::empty().client(11).young().holds(ORDERS, AccessShare);
    stage.policy.first_look = Some(FirstLook::of(&other.snapshot));
    let verdict = stage.decide(ask());
    assert_eq!(verdict.answer, Answer::Clear);
    assert_eq!(
        verdict.statements[0].waits[0].clears_by,
        Some(ClearsBy::Young)
    );

    // Still there, as one that may see no times can tell too.
    stage.policy.first_look = Some(FirstLook::of(&stage.snapshot));
    stage.snapshot.backends[0].xact_start = None;
    stage.snapshot.backends[0].masked = true;
    let verdict = stage.decide(ask());
    assert_eq!(verdict.answer, Answer::WouldBlock);
    assert!(!needs_second_look(&verdict));
}

#[test]
fn no_second_look_when_clear_or_certainly_blocked() {
    let clear = Stage::empty();
    let verdict = clear.decide(vec![statement(vec![request(ORDERS, AccessExclusive)])]);
    assert_eq!(verdict.answer, Answer::Clear);
    assert!(!needs_second_look(&verdict));
    let blocked = Stage::empty()
        .client(10)
        .holds(ORDERS, AccessShare)
        .client(11)
        .young()
        .holds(ORDERS, AccessShare);
    let verdict = blocked.decide(vec![statement(vec![request(ORDERS, AccessExclusive)])]);
    assert_eq!(verdict.answer, Answer::WouldBlock);
    assert!(!needs_second_look(&verdict));
}

#[test]
fn what_cannot_be_known_is_never_clear_and_never_hides_a_certain_block() {
    let opaque = || Statement {
        opaque: Some("a DO block".into()),
        ..statement(vec![])
    };
    let mut stage = Stage::empty().client(10).holds(ORDERS, AccessShare);
    assert_eq!(stage.decide(vec![opaque()]).answer, Answer::CannotTell);
    let both = vec![opaque(), statement(vec![request(ORDERS, AccessExclusive)])];
    assert_eq!(stage.decide(both).answer, Answer::WouldBlock);
    stage.policy.allow = vec!["opaque".parse().unwrap()];
    let verdict = stage.decide(vec![opaque()]);
    assert_eq!(verdict.answer, Answer::Clear);
    assert_eq!(verdict.accepted.len(), 1);
    stage.snapshot.server.in_recovery = true;
    assert_eq!(
        stage.decide(vec![statement(vec![])]).answer,
        Answer::CannotTell
    );
}

#[test]
fn a_relation_that_the_migration_makes_is_in_nobodys_way() {
    let made = LockRequest {
        oid: None,
        ..request(ORDERS, AccessExclusive)
    };
    // Also where a relation of that name is held: it is the one that was dropped before.
    let stage = Stage::empty().client(10).holds(ORDERS, AccessShare);
    assert_eq!(
        stage.decide(vec![statement(vec![made])]).answer,
        Answer::Clear
    );
}

#[test]
fn rows_may_be_locked_only_by_who_has_a_transaction_id_and_a_row_mode() {
    let update = || Statement {
        command: "UPDATE".into(),
        ..statement(vec![LockRequest {
            rows: Some(RowWait::Locked),
            ..request(ORDERS, RowExclusive)
        }])
    };
    for (mode, xid, expected) in [
        (AccessShare, Some(700), Answer::Clear),
        (RowExclusive, None, Answer::Clear),
        (RowExclusive, Some(700), Answer::CannotTell),
        (RowShare, Some(700), Answer::CannotTell),
    ] {
        let stage = Stage::empty()
            .client(10)
            .with(|b| b.backend_xid = xid)
            .holds(ORDERS, mode);
        assert_eq!(
            stage.decide(vec![update()]).answer,
            expected,
            "{mode} {xid:?}"
        );
    }
}

/// The lock of a known tool, held by a session that is idle: no transaction shows its age.
fn stranded_migration_lock() -> Stage {
    let mut stage = Stage::empty().client(10).with(|b| {
        b.state = Some(BackendState::Idle);
        b.xact_start = None;
        b.state_change = Some(now() - TimeDelta::minutes(40));
    });
    stage.snapshot.locks.push(Lock {
        target: LockTarget::Advisory {
            database: DATABASE,
            classid: 0,
            objid: 72_707_369,
            objsubid: 1,
        },
        pid: Some(10),
        virtualtransaction: "10/0".into(),
        mode: Exclusive,
        granted: true,
        waitstart: None,
    });
    stage
}

#[test]
fn another_run_of_the_same_tool_is_in_the_way_and_of_another_tool_is_not() {
    let mut stage = stranded_migration_lock();
    let ask = || vec![statement(vec![request(ORDERS, AccessExclusive)])];
    assert_eq!(stage.decide(ask()).answer, Answer::Clear);
    stage.policy.tool = Some("rails".into());
    assert_eq!(stage.decide(ask()).answer, Answer::Clear);
    stage.policy.tool = Some("prisma".into());
    let verdict = stage.decide(ask());
    assert_eq!(pids(&verdict.statements[0].waits), [10]);
    assert_eq!(
        verdict.statements[0].waits[0].object.as_deref(),
        Some("advisory lock 72707369 (Prisma's migration lock)")
    );
}

#[test]
fn an_advisory_lock_of_the_migration_meets_the_same_key_only() {
    let stage = stranded_migration_lock();
    for (objid, shared, expected) in [(72_707_369, false, 1), (72_707_369, true, 1), (1, false, 0)]
    {
        let asked = Statement {
            advisory: vec![AdvisoryRequest {
                classid: 0,
                objid,
                objsubid: 1,
                shared,
                nowait: false,
            }],
            ..statement(vec![])
        };
        let waits = &stage.decide(vec![asked]).statements[0].waits;
        assert_eq!(waits.len(), expected, "{objid} {shared}");
    }
}

#[test]
fn the_tools_own_table_is_asked_for_as_the_tool_does() {
    let mut stage = Stage::empty().client(10).holds(ITEMS, AccessShare);
    stage.snapshot.relations.insert(
        ITEMS,
        LockedRelation {
            name: RelationName::new("public", "__EFMigrationsHistory"),
            kind: RelationKind::Table,
            bytes: 0,
            tuples: 0.0,
            is_partition: false,
        },
    );
    let ask = || vec![statement(vec![request(ORDERS, AccessExclusive)])];
    stage.policy.tool = Some("EF Core".into());
    let verdict = stage.decide(ask());
    assert_eq!(pids(&verdict.statements[0].waits), [10]);
    assert_eq!(verdict.statements[0].waits[0].oid, Some(ITEMS));
    stage.policy.tool = Some("Django".into());
    assert_eq!(stage.decide(ask()).answer, Answer::Clear);
}

fn parallel_dump() -> Stage {
    let mut stage = Stage::empty()
        .client(10)
        .holds(ORDERS, AccessShare)
        .holds(ITEMS, AccessShare)
        .client(11)
        .holds(ITEMS, AccessShare);
    stage.sessions.push(Session {
        pid: 10,
        members: vec![10, 11],
        role: Role::Backup,
        certainty: Certainty::Certain,
        evidence: vec![],
        backup: Some(Backup {
            tool: BackupTool::PgDump,
            blocks_ddl: true,
            tables: vec![ORDERS, ITEMS],
            workers: 1,
            leaked: false,
        }),
        detail: None,
    });
    stage
}

#[test]
fn a_parallel_dump_is_one_blocker_and_would_die_where_no_worker_has_been_yet() {
    let stage = parallel_dump();
    let ask = |oid| stage.decide(vec![statement(vec![request(oid, AccessExclusive)])]);
    let kills = |verdict: &Verdict| {
        verdict.statements[0]
            .notes
            .iter()
            .any(|note| note.contains("it would end the running dump"))
    };
    let not_yet = ask(ORDERS);
    assert_eq!(pids(&not_yet.statements[0].waits), [10]);
    assert!(kills(&not_yet));
    let copied = ask(ITEMS);
    assert_eq!(pids(&copied.statements[0].waits), [10]);
    assert!(!kills(&copied));
}

#[test]
fn who_would_queue_behind_is_counted_without_the_backup() {
    let stage = parallel_dump().client(12).holds(ORDERS, AccessShare);
    let verdict = stage.decide(vec![statement(vec![request(ORDERS, AccessExclusive)])]);
    let behind = verdict.statements[0]
        .behind
        .as_ref()
        .expect("it would wait");
    assert_eq!(behind.sessions_now, 1);
    assert_eq!(behind.what, "reads and writes of public.orders");
}

#[test]
fn a_backup_is_blocked_by_access_exclusive_and_by_who_waits_for_it() {
    let quiet = Stage::empty().client(10).holds(ORDERS, RowExclusive);
    let (_, verdict) = before_backup(&quiet.snapshot, &Sessions::default(), &quiet.policy);
    assert_eq!(verdict.answer, Answer::Clear);
    let waiting = Stage::empty().client(10).waits(ORDERS, AccessExclusive);
    let (_, verdict) = before_backup(&waiting.snapshot, &Sessions::default(), &waiting.policy);
    assert_eq!(verdict.answer, Answer::WouldBlock);
    let repack = Stage::empty()
        .client(10)
        .with(|b| b.application_name = "pg_repack".into())
        .holds(ORDERS, AccessShare);
    let mut sessions = parallel_dump().sessions;
    sessions[0].role = Role::Maintenance;
    let (_, verdict) = before_backup(
        &repack.snapshot,
        &sessions.into_iter().collect(),
        &repack.policy,
    );
    assert_eq!(verdict.statements[0].waits[0].kind, WaitKind::HoldsUp);
}
