//! What blocks what, cell by cell: a running pg_dump against every kind of statement, and every kind of
//! transaction against the CONCURRENTLY forms. The gate speaks first, the server decides.

use crate::common::{self, Database, Dump, Session};
use crate::trial::{agree, ask, gate_with, observer};
use pgguard::model::{Answer, WaitKind};
use pgguard::test_support::gate::{FirstLook, Policy, needs_second_look};

/// A table that takes long to dump, and one of everything beside it.
const SCHEMA: &str = "
CREATE TABLE a_big (id int, note text);
INSERT INTO a_big SELECT n, repeat(md5(n::text), 40) FROM generate_series(1, 5000) n;
CREATE TABLE ref (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, v int, CONSTRAINT v_positive CHECK (v > 0) NOT VALID);
INSERT INTO t VALUES (1, 1), (2, 2);
CREATE INDEX t_v ON t (v);
CREATE INDEX t_v_id ON t (v, id);
CREATE TABLE par (k int, v int) PARTITION BY LIST (k);
CREATE TABLE par1 PARTITION OF par FOR VALUES IN (1);
CREATE TABLE par2 PARTITION OF par FOR VALUES IN (2);
CREATE TABLE pard (k int, v int) PARTITION BY LIST (k);
CREATE TABLE pard1 PARTITION OF pard FOR VALUES IN (1);
CREATE TABLE pard_default PARTITION OF pard DEFAULT;
CREATE TABLE loose (k int, v int);
CREATE VIEW vw AS SELECT id FROM t;
CREATE MATERIALIZED VIEW mv AS SELECT id FROM t;
CREATE SEQUENCE sq;
CREATE TYPE mood AS ENUM ('calm');
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'begin return new; end';
";

fn everything(major: u32) -> Database {
    let database = Database::empty(common::server_of(major));
    database.sql(SCHEMA);
    database
}

/// A plain dump blocks it on every version, up to a version, or on none.
const ALWAYS: u32 = u32::MAX;
/// pg_get_viewdef no longer keeps its lock on the view or materialized view.
const UNTIL_15: u32 = 15;
const NEVER: u32 = 0;

/// Statements on other objects than the one being copied, and the last version on which a plain dump
/// blocks them.
const DURING_A_DUMP: [(&str, u32); 35] = [
    ("ALTER TABLE t ADD COLUMN extra int", ALWAYS),
    ("ALTER TABLE t RENAME COLUMN v TO w", ALWAYS),
    ("TRUNCATE ref", ALWAYS),
    ("VACUUM FULL t", ALWAYS),
    ("DROP INDEX t_v", ALWAYS),
    ("CREATE INDEX CONCURRENTLY t_c ON t (v)", ALWAYS),
    ("DROP INDEX CONCURRENTLY t_v_id", ALWAYS),
    ("REINDEX INDEX CONCURRENTLY t_pkey", ALWAYS),
    ("REINDEX TABLE CONCURRENTLY ref", ALWAYS),
    ("DROP TABLE ref", ALWAYS),
    (
        "ALTER TABLE par ATTACH PARTITION loose FOR VALUES IN (9)",
        ALWAYS,
    ),
    (
        "CREATE TABLE par3 PARTITION OF par FOR VALUES IN (3)",
        ALWAYS,
    ),
    (
        "CREATE TABLE pard3 PARTITION OF pard FOR VALUES IN (3)",
        ALWAYS,
    ),
    ("ALTER TABLE par DETACH PARTITION par1", ALWAYS),
    ("ALTER TABLE par DETACH PARTITION par2 CONCURRENTLY", ALWAYS),
    ("CREATE POLICY mine ON t", ALWAYS),
    ("REFRESH MATERIALIZED VIEW mv", UNTIL_15),
    ("CREATE OR REPLACE VIEW vw AS SELECT id FROM t", UNTIL_15),
    ("DROP VIEW vw", UNTIL_15),
    ("CREATE INDEX t_p ON t (v)", NEVER),
    ("REINDEX TABLE t", NEVER),
    ("ALTER TABLE t VALIDATE CONSTRAINT v_positive", NEVER),
    ("ALTER TABLE t ALTER COLUMN v SET STATISTICS 100", NEVER),
    ("ALTER TABLE t SET (fillfactor = 90)", NEVER),
    (
        "ALTER TABLE t ADD CONSTRAINT to_ref FOREIGN KEY (v) REFERENCES ref NOT VALID",
        NEVER,
    ),
    ("CREATE TABLE child (id int REFERENCES ref)", NEVER),
    (
        "CREATE TRIGGER note_it BEFORE INSERT ON ref FOR EACH ROW EXECUTE FUNCTION noted()",
        NEVER,
    ),
    ("ALTER SEQUENCE sq INCREMENT 2", NEVER),
    ("ALTER TYPE mood ADD VALUE 'cross'", NEVER),
    ("COMMENT ON TABLE t IS 'a table'", NEVER),
    ("GRANT SELECT ON t TO PUBLIC", NEVER),
    ("VACUUM t", NEVER),
    ("ANALYZE t", NEVER),
    ("UPDATE ref SET id = id", NEVER),
    ("CREATE TABLE fresh (id int)", NEVER),
];

#[test]
fn during_a_plain_dump_each_statement_waits_or_runs_as_the_gate_said() {
    for major in common::majors() {
        let database = everything(major);
        let mut dump = Dump::stalled(&database);
        for (sql, until) in DURING_A_DUMP {
            let blocked = major <= until;
            let said = agree(&database, sql);
            assert_eq!(
                said.answer() == Answer::WouldBlock,
                blocked,
                "on {major}: {sql}\n{}",
                said.text()
            );
            if blocked {
                assert_eq!(said.in_front(), [dump.pid()].into(), "on {major}: {sql}");
            }
        }
        dump.kill();
    }
}

#[test]
fn without_a_dump_each_that_it_blocked_is_clear_and_runs() {
    for major in common::majors() {
        // The others have run beside the dump.
        for (sql, _) in DURING_A_DUMP
            .into_iter()
            .filter(|(_, until)| *until != NEVER)
        {
            let database = everything(major);
            let said = agree(&database, sql);
            assert_eq!(
                said.answer(),
                Answer::Clear,
                "on {major}: {sql}\n{}",
                said.text()
            );
        }
    }
}

/// Someone in a transaction, and whether CREATE INDEX, DROP INDEX and REINDEX CONCURRENTLY wait for it.
struct Holder {
    name: &'static str,
    does: fn(&Database) -> Session,
    blocks: [bool; 3],
}

fn begun(database: &Database, sql: &str) -> Session {
    let mut session = database.session();
    session.exec(sql);
    session
}

const HOLDERS: [Holder; 10] = [
    Holder {
        name: "read committed, idle, read another table",
        does: |d| begun(d, "BEGIN; SELECT FROM ref"),
        blocks: [false, false, false],
    },
    Holder {
        name: "read committed, idle, wrote another table",
        does: |d| begun(d, "BEGIN; INSERT INTO ref VALUES (1)"),
        blocks: [false, false, false],
    },
    Holder {
        name: "repeatable read, idle, read another table",
        does: |d| begun(d, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM ref"),
        blocks: [true, false, true],
    },
    Holder {
        name: "repeatable read, begun, no statement yet",
        does: |d| begun(d, "BEGIN ISOLATION LEVEL REPEATABLE READ"),
        blocks: [false, false, false],
    },
    Holder {
        name: "active, touching no table",
        does: |d| {
            let mut session = d.session();
            session.start("SELECT pg_sleep(3600)");
            common::until("it sleeps", || session.is_active());
            session
        },
        blocks: [true, false, true],
    },
    Holder {
        name: "read committed, idle, with an open cursor on another table",
        does: |d| {
            begun(
                d,
                "BEGIN; DECLARE c CURSOR FOR SELECT * FROM a_big; FETCH c",
            )
        },
        blocks: [true, false, true],
    },
    Holder {
        name: "read committed, idle, wrote the table",
        does: |d| begun(d, "BEGIN; UPDATE t SET v = 3 WHERE id = 1"),
        blocks: [true, true, true],
    },
    Holder {
        name: "read committed, idle, read the table",
        does: |d| begun(d, "BEGIN; SELECT FROM t"),
        blocks: [false, true, true],
    },
    Holder {
        name: "read committed, idle, locked rows of the table",
        does: |d| begun(d, "BEGIN; SELECT FROM t FOR UPDATE"),
        blocks: [false, true, true],
    },
    Holder {
        name: "repeatable read, idle, in another database",
        does: |d| {
            let other = Database::empty(d.server);
            begun(
                &other,
                "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM pg_class",
            )
        },
        blocks: [false, false, false],
    },
];

const CONCURRENTLY: [&str; 3] = [
    "CREATE INDEX CONCURRENTLY t_c ON t (v)",
    "DROP INDEX CONCURRENTLY t_v",
    "REINDEX INDEX CONCURRENTLY t_v_id",
];

#[test]
fn concurrently_waits_for_whom_the_gate_names() {
    for major in common::majors() {
        for holder in &HOLDERS {
            let database = everything(major);
            let session = (holder.does)(&database);
            for (sql, blocked) in CONCURRENTLY.into_iter().zip(holder.blocks) {
                let said = agree(&database, sql);
                let context = format!("on {major}, {}: {sql}\n{}", holder.name, said.text());
                assert_eq!(said.answer() == Answer::WouldBlock, blocked, "{context}");
                if blocked {
                    assert_eq!(said.in_front(), [session.pid()].into(), "{context}");
                }
            }
            end(&database, session);
        }
    }
}

fn end(database: &Database, session: Session) {
    database.sql(&format!("SELECT pg_terminate_backend({})", session.pid()));
    session.close();
}

#[test]
fn detach_concurrently_waits_for_the_parents_lockers_then_for_the_partition_in_the_queue() {
    let cases = [
        ("BEGIN; SELECT FROM par", Some(WaitKind::Lockers)),
        ("BEGIN; SELECT FROM ONLY par1", Some(WaitKind::Lock)),
        ("BEGIN; SELECT FROM ONLY par2", None),
        (
            "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM ref",
            None,
        ),
    ];
    for major in common::majors() {
        for (holder, expected) in cases {
            let database = everything(major);
            let session = begun(&database, holder);
            let said = agree(
                &database,
                "ALTER TABLE par DETACH PARTITION par1 CONCURRENTLY",
            );
            let kind = said.first_block().map(|s| s.waits[0].kind);
            assert_eq!(kind, expected, "on {major}, {holder}\n{}", said.text());
            end(&database, session);
        }
    }
}

#[test]
fn a_concurrent_build_waits_for_anothers_snapshot_only_while_that_one_has_expressions_and_builds() {
    for major in common::majors() {
        let database = everything(major);
        // It stands in its first wait, for a writer of its table: its own snapshot is gone.
        let writer = begun(&database, "BEGIN; INSERT INTO ref VALUES (1)");
        let mut other = database.session();
        other.start("CREATE INDEX CONCURRENTLY ref_x ON ref ((id + 1))");
        other.until_waiting();
        let said = agree(&database, "CREATE INDEX CONCURRENTLY t_c ON t (v)");
        assert_eq!(said.answer(), Answer::Clear, "on {major}\n{}", said.text());
        end(&database, writer);
        other.join().expect("it is built");

        // It builds, for as long as its expression sleeps.
        database.sql("CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'begin perform pg_sleep(3600); return $1; end'");
        other.start("CREATE INDEX CONCURRENTLY t_x ON t (slow(id))");
        common::until("it builds", || {
            database.sql("SELECT count(*) FROM pg_stat_progress_create_index WHERE phase LIKE 'building index%'") == "1"
        });
        let said = agree(&database, "CREATE INDEX CONCURRENTLY loose_c ON loose (v)");
        assert_eq!(
            said.answer(),
            Answer::WouldBlock,
            "on {major}\n{}",
            said.text()
        );
        assert_eq!(said.in_front(), [other.pid()].into());
        end(&database, other);
    }
}

#[test]
fn a_prepared_transaction_is_waited_for_and_named() {
    for major in common::majors() {
        let options = pgguard::test_support::throwaway::Options::major(major)
            .setting("autovacuum", "off")
            .setting("max_prepared_transactions", "5");
        let database = Database::empty(common::own_server(&options));
        database.sql(SCHEMA);
        let mut session = database.session();
        session.exec("BEGIN; INSERT INTO t VALUES (7, 7)");
        session.exec("PREPARE TRANSACTION 'it''s left'");
        for sql in [
            "ALTER TABLE t ADD COLUMN extra int",
            "CREATE INDEX CONCURRENTLY t_c ON t (v)",
        ] {
            let said = agree(&database, sql);
            assert_eq!(said.in_front(), [0].into(), "{}", said.text());
            assert!(
                said.text().contains("prepared transaction ('it's left'"),
                "{}",
                said.text()
            );
            assert!(
                said.text().contains("ROLLBACK PREPARED 'it''s left'"),
                "{}",
                said.text()
            );
            assert!(!said.text().contains("pid 0"), "{}", said.text());
        }
    }
}

/// What a role without pg_monitor can tell: who holds what, and, by looking twice, for how long.
#[test]
fn a_role_that_sees_no_ages_tells_by_looking_twice() {
    for major in common::majors() {
        let database = everything(major);
        database.sql("DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN");
        let reader = begun(&database, "BEGIN; SELECT FROM t");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("an event loop");
        let (first, second) = runtime.block_on(async {
            let mut plain = observer(&database.url_as("plain")).await;
            let sql = "ALTER TABLE t ADD COLUMN extra int";
            let first = ask(&mut plain, sql, &Policy::default()).await;
            let policy = Policy {
                first_look: Some(FirstLook::of(&first.snapshot)),
                ..Policy::default()
            };
            (first, ask(&mut plain, sql, &policy).await)
        });
        assert_eq!(
            first.answer(),
            Answer::CannotTell,
            "on {major}\n{}",
            first.text()
        );
        assert!(needs_second_look(&first.verdict));
        assert_eq!(
            second.answer(),
            Answer::WouldBlock,
            "on {major}\n{}",
            second.text()
        );
        assert_eq!(second.in_front(), [reader.pid()].into());
        assert!(
            second.text().contains("hidden session"),
            "{}",
            second.text()
        );
        assert!(
            second.text().contains("GRANT pg_monitor"),
            "{}",
            second.text()
        );
    }
}

/// A transaction that has only just begun: one look cannot tell, the second one can.
#[test]
fn who_is_gone_by_the_second_look_was_not_in_the_way() {
    let database = everything(common::majors()[0]);
    let brief = begun(&database, "BEGIN; SELECT FROM t");
    let sql = "ALTER TABLE t ADD COLUMN extra int";
    let patient = Policy {
        patience: chrono::TimeDelta::hours(1),
        ..Policy::default()
    };
    let first = gate_with(&database, sql, &patient);
    assert_eq!(first.answer(), Answer::CannotTell, "{}", first.text());
    assert!(needs_second_look(&first.verdict));
    let again = Policy {
        first_look: Some(FirstLook::of(&first.snapshot)),
        ..patient
    };
    let still_there = gate_with(&database, sql, &again);
    assert_eq!(
        still_there.answer(),
        Answer::WouldBlock,
        "{}",
        still_there.text()
    );

    brief.close();
    let another = begun(&database, "BEGIN; SELECT FROM t");
    let second = gate_with(&database, sql, &again);
    assert_eq!(second.answer(), Answer::Clear, "{}", second.text());
    assert!(!needs_second_look(&second.verdict));
    another.close();
}
