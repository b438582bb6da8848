//! Waits that stand between the lock modes: for rows, for rows of the catalogs, for partitions that a row may
//! belong to, for what a statement skips. The gate speaks first, the server decides.

use crate::common::{self, Database};
use crate::row_cases::{COMPUTED_KEYS, Case, OBJECTS, PARTITIONS, ROWS, SCHEMA, shop};
use crate::trial::{Did, agree, at_once, gate, gate_with, run, waits};
use pgguard::model::Answer::{self, CannotTell, Clear, WouldBlock};
use pgguard::test_support::gate::Policy;
use pgguard::test_support::throwaway::Options;

/// What depends on something keeps it from being dropped in between: in some minors with a lock, in none of
/// them with one that the gate calls certain.
#[test]
fn what_another_drops_is_never_a_green_light_for_what_depends_on_it() {
    let cases = [
        ("DROP TYPE mood", "CREATE TABLE fresh (m mood)"),
        (
            "DROP TYPE mood",
            "CREATE FUNCTION fresh(mood) RETURNS int LANGUAGE sql AS 'select 1'",
        ),
        (
            "DROP FUNCTION stamp CASCADE",
            "CREATE TRIGGER fresh BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION stamp()",
        ),
        (
            "DROP SCHEMA app",
            "CREATE FUNCTION app.fresh() RETURNS int LANGUAGE sql AS 'select 1'",
        ),
        ("DROP SCHEMA app", "ALTER FUNCTION stamp SET SCHEMA app"),
    ];
    for major in common::majors() {
        for (holder, asked) in cases {
            let database = shop(major);
            let mut session = database.session();
            session.exec(&format!("BEGIN; {holder}"));
            let said = gate(&database, asked);
            let context = format!("on {major}, {holder} before {asked}\n{}", said.text());
            let elsewhere = gate(&database, "CREATE TABLE fresh (m temper)");
            assert_eq!(elsewhere.answer(), Clear, "{context}{}", elsewhere.text());
            let mut other = database.session();
            if let Did::Waited(_) = run(&mut other, asked) {
                assert_ne!(said.answer(), Clear, "{context}");
                session.exec("ROLLBACK");
                let _ = other.join();
            }
        }
    }
}

#[test]
fn a_schema_or_type_that_another_has_locked_is_waited_for() {
    judged(OBJECTS);
}

/// Roles are not looked up by name: whoever has one locked makes a doubt.
#[test]
fn a_role_cannot_be_dropped_while_another_gives_it_something() {
    for major in common::majors() {
        let database = shop(major);
        database.sql("CREATE ROLE owner_to_be");
        let mut session = database.session();
        session.exec("BEGIN; ALTER TABLE plain OWNER TO owner_to_be");
        let said = gate(&database, "DROP ROLE owner_to_be");
        assert_eq!(said.answer(), CannotTell, "on {major}\n{}", said.text());
        let mut other = database.session();
        let did = run(&mut other, "DROP ROLE owner_to_be");
        assert!(matches!(did, Did::Waited(_)), "on {major}, {did:?}");
        session.exec("ROLLBACK");
        other.join().expect("it is dropped");
        database.sql("CREATE ROLE owner_to_be");
        let said = gate(&database, "DROP ROLE owner_to_be");
        assert_eq!(said.answer(), Clear, "on {major}\n{}", said.text());
        database.sql("DROP ROLE owner_to_be");
    }
}

#[test]
fn rows_of_others_are_a_doubt_only_where_they_can_be_waited_for() {
    judged(ROWS);
}

#[test]
fn only_the_partitions_that_may_get_a_row_are_asked_for_and_what_is_skipped_is_not() {
    judged(PARTITIONS);
}

#[test]
fn an_advisory_lock_with_a_computed_key_cannot_be_told() {
    judged(COMPUTED_KEYS);
}

fn judged(cases: &[Case]) {
    for major in common::majors() {
        for (holder, asked, answer, waits) in cases {
            let database = shop(major);
            let mut session = database.session();
            session.exec(&format!("BEGIN; {holder}"));
            let said = gate(&database, asked);
            let context = format!("on {major}, {holder} before {asked}\n{}", said.text());
            assert_eq!(said.answer(), *answer, "{context}");
            let mut other = database.session();
            let did = run(&mut other, asked);
            assert_eq!(matches!(did, Did::Waited(_)), *waits, "{context}{did:?}");
            if *waits {
                session.exec("ROLLBACK; SELECT pg_advisory_unlock_all()");
                let _ = other.join();
            }
        }
    }
}

#[test]
fn whoever_has_an_advisory_lock_gets_it_again_although_others_wait_for_it() {
    for major in common::majors() {
        let database = shop(major);
        let mut holder = database.session();
        holder.exec("SELECT pg_advisory_lock(7)");
        let mut waiter = database.session();
        waiter.start("SELECT pg_advisory_lock(7)");
        waiter.until_waiting();
        let policy = Policy {
            asking: Some(holder.pid()),
            ..at_once()
        };
        let said = gate_with(&database, "SELECT pg_advisory_lock(7)", &policy);
        assert_eq!(said.answer(), Clear, "on {major}\n{}", said.text());
        holder.exec("SELECT pg_advisory_lock(7)");
        holder.exec("SELECT pg_advisory_unlock_all()");
        waiter.join().expect("it gets the lock");
    }
}

#[test]
fn a_partition_that_is_half_detached_is_none_any_more_and_keeps_another_from_going() {
    for major in common::majors() {
        let database = shop(major);
        let mut reader = database.session();
        reader.exec("BEGIN; SELECT FROM par");
        let mut detaching = database.session();
        let sql = "ALTER TABLE par DETACH PARTITION par1 CONCURRENTLY";
        assert_eq!(waits(&mut detaching, sql), [reader.pid()].into());
        database.sql(&format!("SELECT pg_cancel_backend({})", detaching.pid()));
        detaching.join().unwrap_err();
        let said = agree(
            &database,
            "ALTER TABLE par DETACH PARTITION par2 CONCURRENTLY",
        );
        assert_eq!(
            said.answer(),
            Answer::WouldFail,
            "on {major}\n{}",
            said.text()
        );

        reader.exec("COMMIT");
        reader.exec("BEGIN; LOCK par1");
        let said = agree(&database, "UPDATE par SET k = 2 WHERE k = 2");
        assert_eq!(said.answer(), Clear, "on {major}\n{}", said.text());
    }
}

/// Rows of the catalogs: `pg_locks` does not show who wrote them, the last statement may.
#[test]
fn an_uncommitted_schema_change_of_the_same_object_is_never_a_green_light() {
    let cases = [
        (
            "GRANT SELECT ON plain TO public",
            "GRANT UPDATE ON plain TO public",
        ),
        (
            "GRANT SELECT ON plain TO public",
            "ALTER TABLE plain ADD PRIMARY KEY (a)",
        ),
        ("CREATE TABLE fresh (a int)", "CREATE TABLE fresh (a int)"),
        (
            "CREATE OR REPLACE FUNCTION lock_it(int) RETURNS int LANGUAGE sql AS 'select 2'",
            "CREATE OR REPLACE FUNCTION lock_it(int) RETURNS int LANGUAGE sql AS 'select 3'",
        ),
        (
            "SELECT FROM pg_class WHERE relname = 'plain' FOR UPDATE",
            "GRANT SELECT ON plain TO public",
        ),
        (
            "GRANT SELECT ON plain TO public",
            "SELECT FROM pg_class WHERE relname = 'plain' FOR UPDATE",
        ),
    ];
    for major in common::majors() {
        let mut waited = 0;
        for (holder, asked) in cases {
            let database = shop(major);
            let mut session = database.session();
            session.exec(&format!("BEGIN; {holder}"));
            let said = gate(&database, asked);
            let context = format!("on {major}, {holder} before {asked}\n{}", said.text());
            assert_ne!(said.answer(), Clear, "{context}");
            let elsewhere = gate(&database, "GRANT SELECT ON keyed TO public");
            let expected = if holder.contains("FOR UPDATE") {
                CannotTell
            } else {
                Clear
            };
            assert_eq!(
                elsewhere.answer(),
                expected,
                "{context}{}",
                elsewhere.text()
            );
            let mut other = database.session();
            if let Did::Waited(_) = run(&mut other, asked) {
                waited += 1;
                session.exec("ROLLBACK");
                let _ = other.join();
            }
        }
        // Minor versions differ in one of them.
        assert!(waited >= 5, "on {major} {waited} waited");
    }
}

/// A deferrable transaction waits for a safe snapshot: `(what another has done, gate, whether it waits)`.
#[test]
fn a_deferrable_transaction_waits_for_serializable_writers_and_for_nobody_else() {
    let deferred = "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE";
    let cases = [
        (
            "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT FROM plain; UPDATE keyed SET v = 3",
            WouldBlock,
            true,
        ),
        (
            "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT FROM plain",
            CannotTell,
            true,
        ),
        (
            "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY; SELECT FROM plain",
            CannotTell,
            false,
        ),
        (
            "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM plain",
            CannotTell,
            false,
        ),
        ("BEGIN; UPDATE keyed SET v = 3", Clear, false),
        (
            "BEGIN ISOLATION LEVEL SERIALIZABLE; UPDATE keyed SET v = 3; COMMIT",
            Clear,
            false,
        ),
    ];
    for major in common::majors() {
        // Snapshots of every database count: nobody else's may be there.
        let options = Options::major(major).setting("autovacuum", "off");
        let server = common::own_server(&options);
        for (holder, answer, waits) in cases {
            let database = Database::empty(server);
            database.sql(SCHEMA);
            let mut session = database.session();
            session.exec(holder);
            let mut other = database.session();
            other.exec(deferred);
            let context = format!("on {major}, behind {holder}");
            let policy = Policy {
                asking: Some(other.pid()),
                ..at_once()
            };
            // The migration says so itself, or the session has said so before.
            let whole = gate(&database, &format!("{deferred}; SELECT FROM plain; COMMIT"));
            let begun = gate_with(&database, "SELECT FROM plain", &policy);
            for said in [whole, begun] {
                assert_eq!(said.answer(), answer, "{context}\n{}", said.text());
            }
            let nothing = gate_with(&database, "COMMIT", &policy);
            assert_eq!(nothing.answer(), Clear, "{context}\n{}", nothing.text());
            let plain = gate(&database, "BEGIN; SELECT FROM plain; COMMIT");
            assert_eq!(plain.answer(), Clear, "{context}\n{}", plain.text());
            assert_eq!(is_deferred(&database, &mut other), waits, "{context}");
            session.exec("ROLLBACK");
            if waits {
                other.join().expect("it gets its snapshot");
            }
            // It has its snapshot now.
            let said = gate_with(&database, "SELECT FROM plain", &policy);
            assert_eq!(said.answer(), Clear, "{context}\n{}", said.text());
        }
    }
}

/// Runs a query and says whether it waits for a safe snapshot.
fn is_deferred(database: &Database, session: &mut common::Session) -> bool {
    session.start("SELECT FROM plain");
    let mut looker = database.session();
    let question = format!(
        "SELECT coalesce(wait_event, '') FROM pg_stat_activity WHERE pid = {}",
        session.pid()
    );
    loop {
        if let Some(answer) = session.poll() {
            answer.expect("it ran");
            return false;
        }
        if looker.query_text(&question) == "SafeSnapshot" {
            return true;
        }
    }
}

/// What a role may not touch fails before it waits, or is passed over.
#[test]
fn a_partition_that_the_acting_role_may_not_touch_is_passed_over_by_cluster() {
    for major in common::majors().into_iter().filter(|major| *major >= 15) {
        let database = shop(major);
        database.sql(
            "CREATE TABLE parts (a int) PARTITION BY LIST (a); CREATE INDEX parts_a ON parts (a); \
             CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1); \
             CREATE ROLE owns_parent; ALTER TABLE ONLY parts OWNER TO owns_parent",
        );
        for (role, waits) in [("owns_parent", false), ("NONE", true)] {
            let mut holder = database.session();
            holder.begin_and_lock("parts_1", "SHARE UPDATE EXCLUSIVE");
            let said = gate(
                &database,
                &format!("SET ROLE {role}; CLUSTER parts USING parts_a"),
            );
            let expected = if waits { WouldBlock } else { Clear };
            assert_eq!(said.answer(), expected, "{major}, {role}: {}", said.text());
            let mut other = database.session();
            other.exec(&format!("SET ROLE {role}"));
            let did = run(&mut other, "CLUSTER parts USING parts_a");
            assert_eq!(
                matches!(did, Did::Waited(_)),
                waits,
                "{major}, {role}: {did:?}"
            );
            holder.exec("ROLLBACK");
            if waits {
                let _ = other.join();
            }
        }
        database.sql("DROP OWNED BY owns_parent; DROP ROLE owns_parent");
    }
}

#[test]
fn what_the_acting_role_may_not_touch_is_not_waited_for() {
    let roles = "CREATE ROLE nobody; CREATE ROLE reader; GRANT SELECT ON plain TO reader; \
                 CREATE ROLE member; CREATE ROLE owner; ALTER TABLE plain OWNER TO owner; GRANT owner TO member";
    let cases = [
        ("SET ROLE nobody", "ALTER TABLE plain ADD b int", Clear),
        ("SET ROLE nobody", "TRUNCATE plain", Clear),
        ("SET SESSION AUTHORIZATION nobody", "LOCK plain", Clear),
        ("SET ROLE nobody", "CREATE INDEX ON plain (a)", Clear),
        ("SET ROLE nobody", "ANALYZE plain", Clear),
        ("SET ROLE nobody; RESET ROLE", "TRUNCATE plain", WouldBlock),
        (
            "SET ROLE nobody; SET ROLE NONE",
            "ANALYZE plain",
            WouldBlock,
        ),
        ("SET ROLE nobody", "SELECT FROM plain", WouldBlock),
        ("SET ROLE nobody", "DROP TABLE plain", WouldBlock),
        ("SET ROLE reader", "TRUNCATE plain", WouldBlock),
        ("SET ROLE member", "TRUNCATE plain", WouldBlock),
        (
            "GRANT TRUNCATE ON plain TO nobody; SET ROLE nobody",
            "TRUNCATE plain",
            WouldBlock,
        ),
    ];
    for major in common::majors() {
        let database = shop(major);
        database.sql(roles);
        for (role, asked, answer) in cases {
            let waits = answer == WouldBlock && !role.contains("reader") && !asked.contains("DROP");
            let mode = if asked.contains("SELECT") {
                "ACCESS EXCLUSIVE"
            } else {
                "SHARE UPDATE EXCLUSIVE"
            };
            let mut holder = database.session();
            holder.begin_and_lock("plain", mode);
            let said = gate(&database, &format!("{role}; {asked}"));
            let context = format!("on {major}, {role}; {asked}\n{}", said.text());
            assert_eq!(said.answer(), answer, "{context}");
            let mut other = database.session();
            for one in role.split(';') {
                other.exec(one);
            }
            let did = run(&mut other, &format!("BEGIN; {asked}"));
            assert_eq!(matches!(did, Did::Waited(_)), waits, "{context}{did:?}");
            if waits {
                holder.exec("ROLLBACK");
                let _ = other.join();
            }
        }
        database
            .sql("DROP OWNED BY owner, reader, nobody; DROP ROLE nobody, reader, member, owner");
    }
}
