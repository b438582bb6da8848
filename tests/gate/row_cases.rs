//! Cases of waits that stand between the lock modes: data for `rows.rs`.

use crate::common::{self, Database};
use pgguard::model::Answer::{self, CannotTell, Clear, WouldBlock};

/// What an open transaction has done, what is asked, what the gate says, and whether the server waits.
pub type Case = (&'static str, &'static str, Answer, bool);

pub const SCHEMA: &str = "
CREATE TABLE plain (a int);
INSERT INTO plain VALUES (1);
CREATE TABLE keyed (id int PRIMARY KEY, v int);
INSERT INTO keyed VALUES (1, 1), (2, 2);
CREATE TABLE child (id int REFERENCES keyed);
CREATE TABLE stamped (v int);
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'begin new.v := 1; return new; end';
CREATE TRIGGER stamp BEFORE INSERT ON stamped FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE TABLE par (k int) PARTITION BY LIST (k);
CREATE TABLE par1 PARTITION OF par FOR VALUES IN (1);
CREATE TABLE par2 PARTITION OF par FOR VALUES IN (2);
CREATE TABLE deep (k int DEFAULT 1, n int DEFAULT 1) PARTITION BY LIST (k);
CREATE TABLE deep1 PARTITION OF deep FOR VALUES IN (1) PARTITION BY LIST (n);
CREATE TABLE deep1a PARTITION OF deep1 FOR VALUES IN (1);
CREATE TABLE deep1b PARTITION OF deep1 DEFAULT;
CREATE TABLE deep2 PARTITION OF deep FOR VALUES IN (2);
CREATE SCHEMA app;
CREATE SCHEMA other;
CREATE TYPE mood AS ENUM ('good');
CREATE TYPE temper AS ENUM ('good');
CREATE FUNCTION lock_it(int) RETURNS int LANGUAGE sql AS 'select pg_advisory_xact_lock($1); select 1';
";

pub fn shop(major: u32) -> Database {
    let database = Database::empty(common::server_of(major));
    database.sql(SCHEMA);
    database
}

/// Whether a row waits, only the rows tell: a doubt stands before both.
pub const ROWS: &[Case] = &[
    (
        "INSERT INTO plain VALUES (2)",
        "INSERT INTO plain VALUES (2)",
        Clear,
        false,
    ),
    (
        "SELECT FROM plain FOR UPDATE",
        "INSERT INTO plain VALUES (2)",
        Clear,
        false,
    ),
    (
        "INSERT INTO keyed VALUES (3)",
        "INSERT INTO keyed VALUES (3)",
        CannotTell,
        true,
    ),
    (
        "INSERT INTO keyed VALUES (3)",
        "INSERT INTO keyed VALUES (4)",
        CannotTell,
        false,
    ),
    (
        "SELECT FROM keyed FOR UPDATE",
        "INSERT INTO keyed VALUES (5)",
        Clear,
        false,
    ),
    (
        "SELECT FROM keyed FOR UPDATE",
        "UPDATE keyed SET v = 3 WHERE id = 1",
        CannotTell,
        true,
    ),
    (
        "SELECT FROM keyed",
        "UPDATE keyed SET v = 3 WHERE id = 1",
        Clear,
        false,
    ),
    (
        "DELETE FROM keyed WHERE id = 2",
        "INSERT INTO child VALUES (2)",
        CannotTell,
        true,
    ),
    (
        "SELECT FROM plain FOR UPDATE",
        "SELECT FROM plain FOR UPDATE",
        CannotTell,
        true,
    ),
    (
        "SELECT FROM plain FOR UPDATE",
        "SELECT FROM plain FOR UPDATE SKIP LOCKED",
        Clear,
        false,
    ),
    (
        "UPDATE plain SET a = 2",
        "EXPLAIN UPDATE plain SET a = 2",
        Clear,
        false,
    ),
    (
        "UPDATE plain SET a = 2",
        "EXPLAIN (ANALYZE) UPDATE plain SET a = 2",
        CannotTell,
        true,
    ),
    (
        "INSERT INTO stamped VALUES (1)",
        "INSERT INTO stamped VALUES (1)",
        Clear,
        false,
    ),
];

/// Partitions that a row may belong to, and what is skipped.
pub const PARTITIONS: &[Case] = &[
    (
        "SELECT FROM par",
        "INSERT INTO par VALUES (1)",
        Clear,
        false,
    ),
    (
        "LOCK par1 IN SHARE MODE",
        "INSERT INTO par VALUES (1)",
        CannotTell,
        true,
    ),
    (
        "LOCK par1 IN SHARE MODE",
        "INSERT INTO par VALUES (2)",
        CannotTell,
        false,
    ),
    (
        "LOCK par1, par2 IN SHARE MODE",
        "INSERT INTO par VALUES (2)",
        WouldBlock,
        true,
    ),
    (
        "LOCK par1, par2 IN SHARE MODE",
        "INSERT INTO par SELECT 2 WHERE false",
        CannotTell,
        false,
    ),
    (
        "LOCK par1, par2 IN SHARE UPDATE EXCLUSIVE MODE",
        "INSERT INTO par VALUES (2)",
        Clear,
        false,
    ),
    (
        "LOCK deep1a, deep1b IN SHARE MODE",
        "INSERT INTO deep VALUES (1, 1)",
        CannotTell,
        true,
    ),
    (
        "LOCK deep1a, deep1b, deep2 IN SHARE MODE",
        "INSERT INTO deep DEFAULT VALUES",
        WouldBlock,
        true,
    ),
    (
        "LOCK deep1a, deep2 IN SHARE MODE",
        "INSERT INTO deep VALUES (1, 2)",
        CannotTell,
        false,
    ),
    (
        "LOCK par IN SHARE MODE",
        "INSERT INTO par VALUES (2)",
        WouldBlock,
        true,
    ),
    (
        "LOCK par1 IN SHARE MODE",
        "ANALYZE (SKIP_LOCKED) par",
        Clear,
        false,
    ),
    ("LOCK par1", "ANALYZE (SKIP_LOCKED) par", WouldBlock, true),
    ("LOCK par1", "VACUUM (SKIP_LOCKED) par", Clear, false),
    (
        "LOCK par1",
        "VACUUM (ANALYZE, SKIP_LOCKED) par",
        WouldBlock,
        true,
    ),
    ("LOCK par", "ANALYZE (SKIP_LOCKED) par", Clear, false),
    (
        "LOCK par",
        "VACUUM (ANALYZE, SKIP_LOCKED) par",
        Clear,
        false,
    ),
];

/// Locks whose key is computed, here or in a function.
pub const COMPUTED_KEYS: &[Case] = &[
    (
        "SELECT pg_advisory_lock(7)",
        "SELECT pg_advisory_lock(7)",
        WouldBlock,
        true,
    ),
    (
        "SELECT pg_advisory_lock(7)",
        "SELECT pg_advisory_lock(8)",
        Clear,
        false,
    ),
    (
        "SELECT pg_advisory_lock(7)",
        "SELECT pg_advisory_lock(a + 6) FROM plain",
        CannotTell,
        true,
    ),
    (
        "SELECT pg_advisory_lock(7)",
        "SELECT pg_try_advisory_lock(a + 6) FROM plain",
        Clear,
        false,
    ),
    (
        "SELECT pg_advisory_lock(7)",
        "SELECT pg_try_advisory_lock(7)",
        Clear,
        false,
    ),
    (
        "SELECT pg_advisory_lock(7)",
        "SELECT pg_try_advisory_xact_lock_shared(7)",
        Clear,
        false,
    ),
    (
        "SELECT pg_advisory_xact_lock_shared(-1, 7)",
        "SELECT pg_advisory_lock_shared(-1, 7)",
        Clear,
        false,
    ),
    (
        "SELECT pg_advisory_xact_lock_shared(-1, 7)",
        "SELECT pg_advisory_xact_lock(-1, 7)",
        WouldBlock,
        true,
    ),
    (
        "SELECT pg_advisory_xact_lock_shared(-1, 7)",
        "SELECT pg_advisory_xact_lock(-4294967289)",
        Clear,
        false,
    ),
    (
        "SELECT pg_advisory_lock(7)",
        "SELECT lock_it(7)",
        CannotTell,
        true,
    ),
];

/// Locks on schemas, types, roles: `pg_locks` shows them like any other.
pub const OBJECTS: &[Case] = &[
    (
        "CREATE TABLE app.fresh (a int)",
        "DROP SCHEMA app",
        WouldBlock,
        true,
    ),
    (
        "ALTER TABLE plain SET SCHEMA app",
        "DROP SCHEMA app CASCADE",
        WouldBlock,
        true,
    ),
    (
        "CREATE TABLE app.fresh (a int)",
        "DROP SCHEMA other",
        Clear,
        false,
    ),
    (
        "DROP SCHEMA app",
        "CREATE TABLE app.fresh (a int)",
        WouldBlock,
        true,
    ),
    (
        "DROP SCHEMA app",
        "CREATE SEQUENCE other.fresh",
        Clear,
        false,
    ),
    (
        "DROP SCHEMA app",
        "ALTER TABLE plain SET SCHEMA app",
        WouldBlock,
        true,
    ),
    (
        "ALTER TYPE mood ADD VALUE 'fine'",
        "ALTER TYPE mood ADD VALUE 'bad'",
        WouldBlock,
        true,
    ),
    (
        "ALTER TYPE mood ADD VALUE 'fine'",
        "DROP TYPE mood",
        WouldBlock,
        true,
    ),
    (
        "ALTER TYPE mood ADD VALUE 'fine'",
        "DROP TYPE temper",
        Clear,
        false,
    ),
    ("DROP TYPE mood", "DROP TYPE mood", WouldBlock, true),
];
