//! The table of migration tools: everything that is known of one is its row.
//!
//! Sources: each tool's own code (the file is named where the rule is not plain), or runs of it against a server; for the
//! table locks `NpgsqlHistoryRepository.cs`, `Ecto.Adapters.Postgres.lock_for_migrations` and Sqitch's `Engine/pg.pm`.

use super::folder::Check::UpTo;
use super::folder::{Books, FILES, Files, Folder, Marks, listed};
use super::key::Key;
use super::likeness::{any, marked_if, says};
use super::sending::Reading;
use super::sending::TransactionHabit::{PerMessage, PerStatement, WholeRun};
use super::tool::{TOOL, Tool};
use super::{habit, likeness, list, name, traces};
use crate::model::LockMode;

/// A version table in which every row is a migration that was applied.
const EACH_VERSION: &str = "SELECT version::text, true, NULL::text FROM {table}";

/// Every tool that is known.
pub static TOOLS: &[Tool] = &[
    Tool {
        name: "Rails",
        key: Some(Key::TimesCrc32(2_053_462_845)),
        version_table: Some("schema_migrations"),
        lock_table: Some("ar_internal_metadata"),
        ..TOOL
    },
    Tool {
        name: "golang-migrate",
        traces: traces::GOLANG_MIGRATE,
        key: Some(Key::GolangMigrate),
        version_table: Some("schema_migrations"),
        habit: PerMessage,
        folder: Some(Folder {
            expects: "<version>_<name>.up.sql",
            recognised: likeness::golang_migrate,
            files: Files::Named(name::golang_migrate),
            books: Books {
                check: UpTo,
                ..listed(
                    &["version", "dirty"],
                    "SELECT version::text, NOT dirty, NULL::text FROM {table}",
                )
            },
            ..FILES
        }),
        ..TOOL
    },
    Tool {
        name: "dbmate",
        version_table: Some("schema_migrations"),
        folder: Some(Folder {
            expects: "<version>_<name>.sql with -- migrate:up in it",
            recognised: |layout| marked_if(says(layout, "migrate:up")),
            files: Files::Named(name::dbmate),
            marks: Marks::between("migrate:up", "migrate:down"),
            opt_out: Some(("migrate:up transaction:false", PerMessage)),
            books: Books {
                lacks: &["dirty", "inserted_at", "statements"],
                ..listed(&["version"], EACH_VERSION)
            },
            ..FILES
        }),
        ..TOOL
    },
    Tool {
        name: "Ecto",
        version_table: Some("schema_migrations"),
        table_lock: LockMode::ShareUpdateExclusive,
        ..TOOL
    },
    Tool {
        name: "Django",
        applied_at: Some("applied"),
        version_table: Some("django_migrations"),
        ..TOOL
    },
    Tool {
        name: "Alembic",
        version_table: Some("alembic_version"),
        habit: WholeRun,
        ..TOOL
    },
    Tool {
        name: "Flyway",
        first_row: Some("0 << Flyway"),
        traces: traces::FLYWAY,
        key: Some(Key::PlusJavaHash(77_431_708_279_161)),
        version_table: Some("flyway_schema_history"),
        application_name: Some("Flyway"),
        // PostgreSQLParser.java reads the data of a COPY.
        reading: Reading::ServerWithCopy,
        // DbMigrate.java (restoreOriginalState), PostgreSQLConnection.java.
        puts_back: &["search_path", "role"],
        strips_mark: true,
        folder: Some(Folder {
            expects: "V<version>__<name>.sql or R__<name>.sql",
            recognised: likeness::flyway,
            files: Files::Named(name::flyway),
            own_habit: Some(habit::flyway),
            runs_alone: true,
            books: Books {
                normal: |version| name::flyway(&format!("V{version}__x.sql")).map(|named| named.id),
                ..listed(
                    &["installed_rank", "version", "success", "checksum"],
                    "SELECT CASE WHEN version IS NULL THEN 'R ' || description \
                        WHEN type = 'BASELINE' THEN '<= ' || version ELSE version END, success, checksum::text FROM {table} AS row \
                        WHERE type NOT LIKE 'UNDO%' AND NOT EXISTS (SELECT FROM {table} AS undo WHERE undo.version = row.version \
                        AND undo.type LIKE 'UNDO%' AND undo.success AND undo.installed_rank > row.installed_rank) \
                        ORDER BY installed_rank",
                )
            },
            ..FILES
        }),
        ..TOOL
    },
    Tool {
        name: "Liquibase",
        traces: traces::LIQUIBASE,
        version_table: Some("databasechangelog"),
        lock_table: Some("databasechangeloglock"),
        strips_mark: true,
        folder: Some(Folder {
            expects: ".sql files that begin with --liquibase formatted sql",
            recognised: |layout| marked_if(says(layout, "liquibase formatted sql")),
            files: Files::Changesets,
            books: listed(
                &["id", "author", "filename", "exectype"],
                "SELECT author || ':' || id || ':' || regexp_replace(filename, '.*/', ''), exectype <> 'FAILED', NULL::text FROM {table}",
            ),
            ..FILES
        }),
        ..TOOL
    },
    Tool {
        name: "Prisma",
        applied_at: Some("finished_at"),
        traces: traces::PRISMA,
        key: Some(Key::Fixed(72_707_369)),
        version_table: Some("_prisma_migrations"),
        habit: PerMessage,
        folder: Some(Folder {
            expects: "<timestamp>_<name>/migration.sql",
            recognised: |layout| marked_if(any(layout, name::prisma)),
            files: Files::Named(name::prisma),
            books: listed(
                &["migration_name", "finished_at", "rolled_back_at"],
                "SELECT migration_name, finished_at IS NOT NULL, NULL::text FROM {table} WHERE rolled_back_at IS NULL",
            ),
            ..FILES
        }),
        ..TOOL
    },
    Tool {
        name: "sqlx",
        applied_at: Some("installed_on"),
        traces: traces::SQLX,
        key: Some(Key::TimesCrc32(0x3d32_ad9e)),
        version_table: Some("_sqlx_migrations"),
        folder: Some(Folder {
            expects: "<version>_<name>.sql or .up.sql",
            recognised: likeness::sqlx,
            files: Files::Named(name::sqlx),
            own_habit: Some(habit::sqlx),
            books: listed(
                &["version", "success"],
                "SELECT version::text, success, NULL::text FROM {table}",
            ),
            ..FILES
        }),
        ..TOOL
    },
    Tool {
        name: "diesel",
        version_table: Some("__diesel_schema_migrations"),
        folder: Some(Folder {
            expects: "<timestamp>_<name>/up.sql",
            recognised: |layout| marked_if(any(layout, name::diesel)),
            files: Files::Named(name::diesel),
            own_habit: Some(habit::diesel),
            books: listed(
                &["version", "run_on"],
                "SELECT version, true, NULL::text FROM {table}",
            ),
            ..FILES
        }),
        ..TOOL
    },
    Tool {
        name: "refinery",
        version_table: Some("refinery_schema_history"),
        folder: Some(Folder {
            expects: "V<version>__<name>.sql",
            recognised: likeness::refinery,
            files: Files::Named(name::refinery),
            code: &["rs"],
            books: listed(&["version", "checksum", "applied_on"], EACH_VERSION),
            ..FILES
        }),
        ..TOOL
    },
    Tool {
        name: "SeaORM",
        version_table: Some("seaql_migrations"),
        habit: WholeRun,
        ..TOOL
    },
    Tool {
        name: "goose",
        first_row: Some("1 0 t"),
        traces: traces::GOOSE,
        key: Some(Key::Fixed(5_887_940_537_704_921_958)),
        version_table: Some("goose_db_version"),
        lock_table: Some("goose_lock"),
        keeps_together: Some(("+goose statementbegin", "+goose statementend")),
        folder: Some(Folder {
            expects: "<version>_<name>.sql with -- +goose Up in it",
            recognised: |layout| marked_if(says(layout, "+goose up")),
            files: Files::Named(name::goose),
            marks: Marks::between("+goose up", "+goose down"),
            opt_out: Some(("+goose no transaction", PerStatement)),
            code: &["go"],
            // The last row of a version counts: going down adds one too, in older versions.
            books: listed(
                &["version_id", "is_applied"],
                "SELECT version_id::text, true, NULL::text FROM (SELECT DISTINCT ON (version_id) version_id, is_applied \
                        FROM {table} ORDER BY version_id, id DESC) AS last WHERE is_applied",
            ),
            ..FILES
        }),
        ..TOOL
    },
    Tool {
        name: "Atlas",
        makes_schema: Some("atlas_schema_revisions"),
        first_row: Some(".atlas_cloud_identifier"),
        applied_at: Some("executed_at"),
        traces: traces::ATLAS,
        key: Some(Key::Fixed(2_686_470_616)),
        version_table: Some("atlas_schema_revisions"),
        folder: Some(Folder {
            expects: "<version>_<name>.sql and atlas.sum",
            recognised: likeness::atlas,
            files: Files::Named(name::atlas),
            opt_out: Some(("atlas:txmode none", PerStatement)),
            books: listed(
                &["version", "applied", "total", "error"],
                "SELECT version, applied >= total AND coalesce(error, '') = '', NULL::text FROM {table}",
            ),
            ..FILES
        }),
        ..TOOL
    },
    Tool {
        name: "tern",
        first_row: Some("0"),
        key: Some(Key::Fixed(9_628_173_550_095_224)),
        version_table: Some("schema_version"),
        application_name: Some("tern"),
        folder: Some(Folder {
            expects: "001_<name>.sql",
            recognised: likeness::tern,
            files: Files::Named(name::tern),
            marks: Marks {
                up: "",
                down: likeness::TERN_DOWN,
                whole_without: true,
            },
            opt_out: Some(("tern: disable-tx", PerMessage)),
            books: Books {
                check: UpTo,
                ..listed(&["version"], EACH_VERSION)
            },
            ..FILES
        }),
        ..TOOL
    },
    Tool {
        name: "Knex",
        applied_at: Some("migration_time"),
        traces: traces::KNEX,
        version_table: Some("knex_migrations"),
        lock_table: Some("knex_migrations_lock"),
        habit: WholeRun,
        ..TOOL
    },
    Tool {
        name: "node-pg-migrate",
        key: Some(Key::Fixed(7_241_865_325_823_964)),
        version_table: Some("pgmigrations"),
        habit: WholeRun,
        folder: Some(Folder {
            expects: "<number>_<name>.sql with -- Up Migration in it",
            recognised: likeness::node_pg_migrate,
            files: Files::Named(name::node_pg_migrate),
            marks: Marks {
                up: "up migration",
                down: "down migration",
                whole_without: true,
            },
            code: &["js", "ts", "cjs", "mjs"],
            books: listed(
                &["name", "run_on"],
                "SELECT name, true, NULL::text FROM {table}",
            ),
            ..FILES
        }),
        ..TOOL
    },
    Tool {
        name: "Sequelize",
        version_table: Some("SequelizeMeta"),
        habit: PerStatement,
        ..TOOL
    },
    Tool {
        name: "TypeORM",
        version_table: Some("migrations"),
        habit: WholeRun,
        ..TOOL
    },
    Tool {
        name: "Laravel",
        version_table: Some("migrations"),
        ..TOOL
    },
    Tool {
        name: "db-migrate",
        version_table: Some("migrations"),
        ..TOOL
    },
    Tool {
        name: "Drizzle",
        makes_schema: Some("drizzle"),
        version_table: Some("__drizzle_migrations"),
        habit: WholeRun,
        folder: Some(Folder {
            expects: "meta/_journal.json and the .sql files that it names",
            recognised: |layout| marked_if(layout.has("meta/_journal.json")),
            files: Files::Listed(list::drizzle),
            books: Books {
                check: UpTo,
                ..listed(
                    &["hash", "created_at"],
                    "SELECT created_at::text, true, NULL::text FROM {table}",
                )
            },
            ..FILES
        }),
        ..TOOL
    },
    Tool {
        name: "MikroORM",
        applied_at: Some("executed_at"),
        version_table: Some("mikro_orm_migrations"),
        habit: WholeRun,
        ..TOOL
    },
    Tool {
        name: "Kysely",
        key: Some(Key::Fixed(3_853_314_791_062_309_107)),
        version_table: Some("kysely_migration"),
        lock_table: Some("kysely_migration_lock"),
        habit: WholeRun,
        ..TOOL
    },
    Tool {
        name: "graphile-migrate",
        key: Some(Key::Fixed(4_727_445_306_447_283)),
        version_table: Some("migrations"),
        schema: Some("graphile_migrate"),
        folder: Some(Folder {
            expects: "committed/000001.sql",
            recognised: |layout| {
                marked_if(any(layout, name::graphile) && says(layout, "! previous:"))
            },
            files: Files::Named(name::graphile),
            opt_out: Some(("! no-transaction", PerMessage)),
            books: listed(
                &["hash", "previous_hash", "filename"],
                "SELECT filename, true, NULL::text FROM {table}",
            ),
            ..FILES
        }),
        ..TOOL
    },
    Tool {
        name: "postgrator",
        first_row: Some("0"),
        version_table: Some("schemaversion"),
        habit: PerMessage,
        folder: Some(Folder {
            expects: "001.do.<name>.sql",
            recognised: |layout| marked_if(any(layout, name::postgrator)),
            files: Files::Named(name::postgrator),
            code: &["js", "cjs", "mjs"],
            books: Books {
                check: UpTo,
                ..listed(&["version", "run_at"], EACH_VERSION)
            },
            ..FILES
        }),
        ..TOOL
    },
    Tool {
        name: "yoyo",
        makes: &["_yoyo_log", "_yoyo_version"],
        traces: traces::YOYO,
        version_table: Some("_yoyo_migration"),
        lock_table: Some("yoyo_lock"),
        ..TOOL
    },
    Tool {
        name: "Doctrine",
        version_table: Some("doctrine_migration_versions"),
        ..TOOL
    },
    Tool {
        name: "EF Core",
        version_table: Some("__EFMigrationsHistory"),
        table_lock: LockMode::AccessExclusive,
        ..TOOL
    },
    Tool {
        name: "Sqitch",
        makes_schema: Some("sqitch"),
        applied_at: Some("committed_at"),
        key: Some(Key::Fixed(75_474_063)),
        version_table: Some("changes"),
        // It runs psql on each script, which has its own BEGIN and COMMIT.
        habit: PerStatement,
        table_lock: LockMode::Exclusive,
        reading: Reading::Psql,
        folder: Some(Folder {
            expects: "sqitch.plan and deploy/",
            recognised: likeness::sqitch,
            files: Files::Listed(list::sqitch),
            books: listed(
                &["change_id", "change", "project", "committed_at"],
                "SELECT project || ':' || change || ':' || row_number() OVER (PARTITION BY project, change ORDER BY committed_at), \
                        true, NULL::text FROM {table}",
            ),
            ..FILES
        }),
        ..TOOL
    },
    Tool {
        name: "pgroll",
        makes_schema: Some("pgroll"),
        traces: traces::PGROLL,
        key: Some(Key::Fixed(12_388_221_127_840_347)),
        application_name: Some("pgroll"),
        habit: PerStatement,
        ..TOOL
    },
    Tool {
        name: "Bytebase",
        application_name: Some("bytebase"),
        ..TOOL
    },
    Tool {
        name: "Supabase",
        version_table: Some("schema_migrations"),
        schema: Some("supabase_migrations"),
        folder: Some(Folder {
            expects: "<14 digits>_<name>.sql in supabase/migrations",
            recognised: likeness::supabase,
            files: Files::Named(name::supabase),
            books: listed(&["version", "statements"], EACH_VERSION),
            ..FILES
        }),
        ..TOOL
    },
    Tool {
        name: "bun",
        traces: traces::BUN,
        version_table: Some("bun_migrations"),
        lock_table: Some("bun_migration_locks"),
        habit: PerMessage,
        folder: Some(Folder {
            expects: "<14 digits>_<name>.up.sql or .tx.up.sql",
            recognised: likeness::bun,
            files: Files::Named(name::bun),
            own_habit: Some(habit::bun),
            code: &["go"],
            books: listed(
                &["name", "group_id", "migrated_at"],
                "SELECT name, true, NULL::text FROM {table}",
            ),
            ..FILES
        }),
        ..TOOL
    },
    Tool {
        name: "sql-migrate",
        applied_at: Some("applied_at"),
        version_table: Some("gorp_migrations"),
        keeps_together: Some(("+migrate statementbegin", "+migrate statementend")),
        folder: Some(Folder {
            expects: "<name>.sql with -- +migrate Up in it",
            recognised: |layout| marked_if(says(layout, "+migrate up")),
            files: Files::Named(name::sql_migrate),
            marks: Marks::between("+migrate up", "+migrate down"),
            opt_out: Some(("+migrate up notransaction", PerStatement)),
            books: listed(
                &["id", "applied_at"],
                "SELECT id, true, NULL::text FROM {table}",
            ),
            ..FILES
        }),
        ..TOOL
    },
];
