//! The traces of each tool, and its own way to end them.
//!
//! Sources: golang-migrate `database/postgres/postgres.go` (`SetVersion`, `Run`) and `migrate.go` (`ErrDirty`); Prisma's
//! `migrate resolve`; Flyway's `repair`; sqlx-core `migrate/error.rs` (`Dirty`); Atlas `sql/migrate/migrate.go`
//! (`Execute` goes on behind `Applied`); Liquibase `StandardLockService.java`; Knex `Migrator.js`; yoyo
//! `backends/base.py`; goose `lock/table_locker_options.go`; bun `migrate/migrator.go`.

use super::trace::{Trace, UNFINISHED};

/// What a lock row does to the next run.
const NEXT_RUN_FAILS: &str = "the next run of the tool refuses to start";
/// What a migration that was begun does to it.
const NO_NEXT_RUN: &str = "the tool applies nothing before this is settled";
/// First of all.
const LOOK_FIRST: &str = "look which of its statements are done, finish or undo them, then";

pub(super) const GOLANG_MIGRATE: &[Trace] = &[Trace {
    table: "schema_migrations",
    columns: &["version", "dirty"],
    query: "SELECT version::text, 'dirty' FROM {table} WHERE dirty",
    means: "began this version and did not end it",
    cost: NO_NEXT_RUN,
    advice: LOOK_FIRST,
    command: "migrate -path DIR -database URL force {id}",
    ..UNFINISHED
}];

pub(super) const PRISMA: &[Trace] = &[Trace {
    table: "_prisma_migrations",
    columns: &["migration_name", "finished_at", "rolled_back_at"],
    query: "SELECT migration_name::text, 'finished_at and rolled_back_at are empty' FROM {table} \
            WHERE finished_at IS NULL AND rolled_back_at IS NULL",
    means: "began this migration and did not end it",
    cost: "prisma migrate deploy refuses to continue (P3009)",
    advice: "look which of its statements are done; finish them and say --applied, or undo them and",
    command: "npx prisma migrate resolve --rolled-back {id}",
    ..UNFINISHED
}];

pub(super) const FLYWAY: &[Trace] = &[Trace {
    table: "flyway_schema_history",
    columns: &["installed_rank", "version", "success", "description"],
    query: "SELECT coalesce(version::text, description::text), 'success = false' FROM {table} WHERE NOT success",
    means: "failed in the middle of this migration, which ran without a transaction",
    cost: "flyway migrate refuses to continue",
    advice: "undo what it did, or finish it by hand, then",
    command: "flyway repair",
    ..UNFINISHED
}];

pub(super) const SQLX: &[Trace] = &[Trace {
    table: "_sqlx_migrations",
    columns: &["version", "success", "description"],
    query: "SELECT version::text, 'success = false' FROM {table} WHERE NOT success",
    means: "began this migration and did not end it",
    cost: "sqlx migrate run refuses to continue (partially applied)",
    advice: "undo what it did; sqlx has no command for it and asks to remove the row",
    command: "DELETE FROM {table} WHERE version = {id} AND NOT success;",
    is_sql: true,
    ..UNFINISHED
}];

pub(super) const ATLAS: &[Trace] = &[Trace {
    table: "atlas_schema_revisions",
    columns: &["version", "applied", "total", "error"],
    query: "SELECT version::text, applied::text || ' of ' || total::text || ' statements applied' || \
            CASE WHEN coalesce(error::text, '') = '' THEN '' ELSE ', error: ' || error::text END \
            FROM {table} WHERE applied < total OR coalesce(error::text, '') <> ''",
    means: "ended in the middle of this migration",
    cost: "the schema is between two versions",
    advice: "atlas continues with the first statement that is not applied; correct it if it failed, then",
    command: "atlas migrate apply",
    ..UNFINISHED
}];

pub(super) const LIQUIBASE: &[Trace] = &[
    Trace {
        is_lock: true,
        table: "databasechangeloglock",
        columns: &["id", "locked", "lockgranted", "lockedby"],
        query: "SELECT id::text, 'locked by ' || coalesce(lockedby::text, 'somebody') || ' at ' || \
                coalesce(lockgranted::text, 'a time that it does not say') FROM {table} WHERE locked",
        means: "keeps its lock",
        cost: "the next run waits for it, five minutes by default, and fails",
        advice: "if no Liquibase runs there any more",
        command: "liquibase release-locks",
        ..UNFINISHED
    },
    Trace {
        table: "databasechangelog",
        columns: &["id", "author", "filename", "exectype"],
        query: "SELECT author::text || ':' || id::text, 'exectype FAILED, ' || filename::text FROM {table} WHERE exectype = 'FAILED'",
        means: "failed in this change set",
        cost: "the next run tries it again",
        advice: "correct it, then",
        command: "liquibase update",
        ..UNFINISHED
    },
];

pub(super) const KNEX: &[Trace] = &[Trace {
    is_lock: true,
    table: "knex_migrations_lock",
    columns: &["index", "is_locked"],
    query: "SELECT index::text, 'is_locked = 1' FROM {table} WHERE is_locked = 1",
    means: "keeps its lock",
    cost: NEXT_RUN_FAILS,
    advice: "if no Knex runs any more",
    command: "npx knex migrate:unlock",
    ..UNFINISHED
}];

pub(super) const YOYO: &[Trace] = &[Trace {
    is_lock: true,
    table: "yoyo_lock",
    columns: &["locked", "ctime", "pid"],
    query: "SELECT pid::text, 'locked by the process ' || pid::text || ' of its machine at ' || coalesce(ctime::text, '?') \
            FROM {table} WHERE locked = 1",
    means: "keeps its lock",
    cost: "the next run waits for it and fails",
    advice: "if that process is gone",
    command: "yoyo break-lock",
    ..UNFINISHED
}];

pub(super) const PGROLL: &[Trace] = &[Trace {
    table: "migrations",
    columns: &["schema", "name", "parent", "done", "migration"],
    query: "SELECT name::text, 'done = false, in the schema ' || schema::text FROM {table} WHERE NOT done",
    means: "started this migration, and nobody has completed it or rolled it back",
    cost: "both forms of the schema are kept, with triggers that write each row twice; no other migration can start",
    advice: "once every application uses the new schema: pgroll complete; to give it up",
    command: "pgroll rollback",
    ..UNFINISHED
}];

pub(super) const GOOSE: &[Trace] = &[Trace {
    is_lock: true,
    table: "goose_lock",
    columns: &["lock_id", "locked", "locked_by", "lease_expires_at"],
    query: "SELECT lock_id::text, 'locked by ' || coalesce(locked_by::text, 'somebody') || ', leased until ' || \
            coalesce(lease_expires_at::text, '?') FROM {table} WHERE locked AND coalesce(lease_expires_at > now(), true)",
    means: "keeps its lock",
    cost: "the next run waits for it until its lease ends",
    advice: "nothing: goose takes it over when the lease has ended",
    ..UNFINISHED
}];

pub(super) const BUN: &[Trace] = &[Trace {
    is_lock: true,
    table: "bun_migration_locks",
    columns: &["id", "table_name"],
    query: "SELECT id::text, 'for ' || table_name::text FROM {table}",
    means: "keeps its lock",
    cost: NEXT_RUN_FAILS,
    advice: "if no migration is running any more, call Migrator.Unlock (in bun's own example program: db unlock)",
    ..UNFINISHED
}];

/// How each tool is told that a migration is applied: its own command, or, where it has none, the row that it would
/// write.
///
/// Sources: each tool's manual; node-pg-migrate `--fake`, sql-migrate `skip`, sqitch `--log-only`.
const MARKS: [(&str, &str, bool); 19] = [
    ("Django", "python manage.py migrate APP NAME --fake", false),
    ("Alembic", "alembic stamp REVISION", false),
    (
        "Knex",
        "INSERT INTO knex_migrations (name, batch, migration_time) \
         SELECT 'NAME', coalesce(max(batch), 0) + 1, now() FROM knex_migrations;",
        true,
    ),
    (
        "Sequelize",
        "INSERT INTO \"SequelizeMeta\" (name) VALUES ('NAME');",
        true,
    ),
    (
        "Rails",
        "INSERT INTO schema_migrations (version) VALUES ('VERSION');",
        true,
    ),
    (
        "golang-migrate",
        "migrate -path DIR -database URL force {id}",
        false,
    ),
    (
        "dbmate",
        "INSERT INTO schema_migrations (version) VALUES ({id});",
        true,
    ),
    (
        "Flyway",
        "flyway migrate -skipExecutingMigrations=true -target={id}",
        false,
    ),
    ("Liquibase", "liquibase mark-next-changeset-ran", false),
    ("Prisma", "npx prisma migrate resolve --applied {id}", false),
    (
        "diesel",
        "INSERT INTO __diesel_schema_migrations (version) VALUES ({id});",
        true,
    ),
    (
        "goose",
        "INSERT INTO goose_db_version (version_id, is_applied) VALUES ({id}, true);",
        true,
    ),
    ("Atlas", "atlas migrate set {id}", false),
    ("tern", "UPDATE schema_version SET version = {id};", true),
    // It takes the next one that is pending.
    ("node-pg-migrate", "npx node-pg-migrate up 1 --fake", false),
    ("Sqitch", "sqitch deploy --log-only", false),
    (
        "Supabase",
        "supabase migration repair --status applied {id}",
        false,
    ),
    ("sql-migrate", "sql-migrate skip -limit=1", false),
    (
        "postgrator",
        "INSERT INTO schemaversion (version) VALUES ({id});",
        true,
    ),
];

/// The command that tells a tool that a migration is applied, and whether it is SQL; `None`: the tool has none.
#[must_use]
pub fn mark_applied(tool: &str, quoted: impl Fn(bool) -> String) -> Option<(String, bool)> {
    let (_, command, is_sql) = MARKS.iter().find(|(name, ..)| *name == tool)?;
    Some((command.replace("{id}", &quoted(*is_sql)), *is_sql))
}
