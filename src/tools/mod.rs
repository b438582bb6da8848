//! Migration tools: one row a tool. What they lock, which tables they keep their books in, how they open transactions.
//! What their folders look like is `migration::source`'s.
//!
//! Names collide (`schema_migrations` is Rails', dbmate's, Ecto's and golang-migrate's), so a lookup by
//! table gives every tool that it could be. An advisory key is per database: some tools compute it from
//! the database's name.

use crate::model::LockMode;

/// How a tool chooses its advisory key. Keys of one bigint (`pg_locks.objsubid` 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Always the same.
    Fixed(i64),
    /// `factor × crc32(database name)`, wrapped to 64 bits.
    TimesCrc32(i64),
    /// `base + String.hashCode(quoted table)`: any of the 2³² keys around the base.
    PlusJavaHash(i64),
    /// `crc32(schema \0 table \0 database) × salt` in 32 bits; the command line tool writes the database as `/name`.
    GolangMigrate,
}

/// How the program that runs a script opens transactions around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionHabit {
    /// Each statement by itself, unless the script says BEGIN: psql. Each script is a session of its own.
    PerStatement,
    /// The script is one message to the server: an implicit transaction if it holds more than one statement
    /// (golang-migrate, postgrator, Prisma, and the scripts that sqlx runs without a transaction).
    PerMessage,
    /// One around each script: psql -1, and most migration tools.
    PerScript,
    /// One around all scripts of the run: Alembic, knex, node-pg-migrate.
    WholeRun,
}

use TransactionHabit::{PerMessage, PerStatement, WholeRun};

/// One migration tool.
#[derive(Debug, PartialEq, Eq)]
pub struct Tool {
    /// What people call it.
    pub name: &'static str,
    /// Its advisory key, where it takes one.
    pub key: Option<Key>,
    /// Its table of applied migrations, without schema.
    pub version_table: Option<&'static str>,
    /// A further table that it locks, or has a lock row in.
    pub lock_table: Option<&'static str>,
    /// `application_name` that it sets itself, or begins with: a hint.
    pub application_name: Option<&'static str>,
    /// How it opens transactions.
    pub habit: TransactionHabit,
    /// How it locks its version table before a run; most only write to it.
    pub table_lock: LockMode,
}

const fn tool(
    name: &'static str,
    key: Option<Key>,
    version_table: Option<&'static str>,
    lock_table: Option<&'static str>,
    application_name: Option<&'static str>,
) -> Tool {
    Tool {
        name,
        key,
        version_table,
        lock_table,
        application_name,
        habit: TransactionHabit::PerScript,
        table_lock: LockMode::RowExclusive,
    }
}

impl Tool {
    /// The row of a tool that opens transactions in another way than one around each migration.
    const fn runs(self, habit: TransactionHabit) -> Self {
        Self { habit, ..self }
    }

    /// The row of a tool that locks its version table as a whole before a run.
    const fn locks(self, table_lock: LockMode) -> Self {
        Self { table_lock, ..self }
    }
}

/// The salt of golang-migrate (`database/util.go`, `advisoryLockIDSalt`).
const GOLANG_MIGRATE_SALT: u32 = 1_486_364_155;

/// Every tool that is known. Sources: each tool's own source, or runs of it against a server; for the table locks
/// `NpgsqlHistoryRepository.cs`, `Ecto.Adapters.Postgres.lock_for_migrations` and Sqitch's `Engine/pg.pm`.
#[rustfmt::skip]
pub const TOOLS: &[Tool] = &[
    // name              advisory key                                         version table                          lock table                        application_name
    tool("Rails",           Some(Key::TimesCrc32(2_053_462_845)),              Some("schema_migrations"),             Some("ar_internal_metadata"),     None),
    tool("golang-migrate",  Some(Key::GolangMigrate),                          Some("schema_migrations"),             None,                             None).runs(PerMessage),
    tool("dbmate",          None,                                              Some("schema_migrations"),             None,                             None),
    tool("Ecto",            None,                                              Some("schema_migrations"),             None,                             None).locks(LockMode::ShareUpdateExclusive),
    tool("Django",          None,                                              Some("django_migrations"),             None,                             None),
    tool("Alembic",         None,                                              Some("alembic_version"),               None,                             None).runs(WholeRun),
    tool("Flyway",          Some(Key::PlusJavaHash(77_431_708_279_161)),       Some("flyway_schema_history"),         None,                             Some("Flyway")),
    tool("Liquibase",       None,                                              Some("databasechangelog"),             Some("databasechangeloglock"),    None),
    tool("Prisma",          Some(Key::Fixed(72_707_369)),                      Some("_prisma_migrations"),            None,                             None).runs(PerMessage),
    tool("sqlx",            Some(Key::TimesCrc32(0x3d32_ad9e)),                Some("_sqlx_migrations"),              None,                             None),
    tool("diesel",          None,                                              Some("__diesel_schema_migrations"),    None,                             None),
    tool("refinery",        None,                                              Some("refinery_schema_history"),       None,                             None),
    tool("SeaORM",          None,                                              Some("seaql_migrations"),              None,                             None).runs(WholeRun),
    tool("goose",           Some(Key::Fixed(5_887_940_537_704_921_958)),       Some("goose_db_version"),              Some("goose_lock"),               None),
    tool("Atlas",           Some(Key::Fixed(2_686_470_616)),                   Some("atlas_schema_revisions"),        None,                             None),
    tool("tern",            Some(Key::Fixed(9_628_173_550_095_224)),           Some("schema_version"),                None,                             Some("tern")),
    tool("Knex",            None,                                              Some("knex_migrations"),               Some("knex_migrations_lock"),     None).runs(WholeRun),
    tool("node-pg-migrate", Some(Key::Fixed(7_241_865_325_823_964)),           Some("pgmigrations"),                  None,                             None).runs(WholeRun),
    tool("Sequelize",       None,                                              Some("SequelizeMeta"),                 None,                             None).runs(PerStatement),
    tool("TypeORM",         None,                                              Some("migrations"),                    None,                             None).runs(WholeRun),
    tool("Laravel",         None,                                              Some("migrations"),                    None,                             None),
    tool("db-migrate",      None,                                              Some("migrations"),                    None,                             None),
    tool("Drizzle",         None,                                              Some("__drizzle_migrations"),          None,                             None).runs(WholeRun),
    tool("MikroORM",        None,                                              Some("mikro_orm_migrations"),          None,                             None).runs(WholeRun),
    tool("Kysely",          Some(Key::Fixed(3_853_314_791_062_309_107)),       Some("kysely_migration"),              Some("kysely_migration_lock"),    None).runs(WholeRun),
    tool("graphile-migrate",Some(Key::Fixed(4_727_445_306_447_283)),           None,                                  None,                             None),
    tool("postgrator",      None,                                              Some("schemaversion"),                 None,                             None).runs(PerMessage),
    tool("yoyo",            None,                                              Some("_yoyo_migration"),               Some("yoyo_lock"),                None),
    tool("Doctrine",        None,                                              Some("doctrine_migration_versions"),   None,                             None),
    tool("EF Core",         None,                                              Some("__EFMigrationsHistory"),         None,                             None).locks(LockMode::AccessExclusive),
    tool("Sqitch",          Some(Key::Fixed(75_474_063)),                      Some("changes"),                       None,                             None).runs(PerStatement).locks(LockMode::Exclusive),
    tool("pgroll",          Some(Key::Fixed(12_388_221_127_840_347)),          None,                                  None,                             Some("pgroll")).runs(PerStatement),
    tool("Bytebase",        None,                                              None,                                  None,                             Some("bytebase")),
    tool("Supabase",        None,                                              None,                                  None,                             None),
    tool("sql-migrate",     None,                                              Some("gorp_migrations"),               None,                             None),
];

/// Tables that are too commonly an application's own to tell anything by their name alone.
const COMMON_NAMES: [&str; 3] = ["migrations", "changes", "schema_version"];

/// A tool by its name, in any case and without its punctuation: `node-pg-migrate`, `efcore`.
#[must_use]
pub fn named(name: &str) -> Option<&'static Tool> {
    let plain = |text: &str| -> String {
        let letters = text.chars().filter(char::is_ascii_alphanumeric);
        letters.map(|c| c.to_ascii_lowercase()).collect()
    };
    TOOLS.iter().find(|tool| plain(tool.name) == plain(name))
}

/// The tool that an advisory lock with this key (one bigint) in this database belongs to.
#[must_use]
pub fn advisory_key_owner(database: &str, key: i64) -> Option<&'static Tool> {
    TOOLS
        .iter()
        .find(|tool| tool.key.is_some_and(|form| form.matches(database, key)))
}

/// The bigint that `pg_locks` shows as `classid` and `objid` (with `objsubid` 1).
#[must_use]
pub const fn bigint_key(classid: u32, objid: u32) -> i64 {
    (((classid as u64) << 32) | objid as u64).cast_signed()
}

/// The tools that keep their books, or a lock row, in a table of this name. Several where the name collides.
pub fn table_owners(table: &str) -> impl Iterator<Item = &'static Tool> {
    TOOLS
        .iter()
        .filter(move |tool| tool.version_table == Some(table) || tool.lock_table == Some(table))
}

/// Whether a table's name alone says that it is a migration tool's.
#[must_use]
pub fn is_tools_table(table: &str) -> bool {
    !COMMON_NAMES.contains(&table) && table_owners(table).next().is_some()
}

/// The names of the tools that a table could belong to, for people: `Rails, golang-migrate, dbmate or Ecto`.
#[must_use]
pub fn owners_in_words(table: &str) -> String {
    let names: Vec<&str> = table_owners(table).map(|tool| tool.name).collect();
    match names.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => names.concat(),
    }
}

impl Key {
    /// Whether the tool would use this key in this database.
    #[must_use]
    pub fn matches(self, database: &str, key: i64) -> bool {
        match self {
            Self::Fixed(fixed) => key == fixed,
            Self::TimesCrc32(factor) => {
                key == factor.wrapping_mul(i64::from(crc32(database.as_bytes())))
            }
            Self::PlusJavaHash(base) => i32::try_from(key.wrapping_sub(base)).is_ok(),
            Self::GolangMigrate => {
                [database.to_owned(), format!("/{database}")]
                    .iter()
                    .any(|name| {
                        let text = format!("public\0schema_migrations\0{name}");
                        key == i64::from(crc32(text.as_bytes()).wrapping_mul(GOLANG_MIGRATE_SALT))
                    })
            }
        }
    }
}

/// CRC-32 as in zlib (polynomial 0xEDB88320, reflected), which the tools above use.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(database: &str, key: i64) -> Option<&'static str> {
        advisory_key_owner(database, key).map(|tool| tool.name)
    }

    #[test]
    fn crc32_gives_the_published_check_value() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn fixed_keys_are_known_in_every_database() {
        assert_eq!(owner("a", 72_707_369), Some("Prisma"));
        assert_eq!(owner("b", 7_241_865_325_823_964), Some("node-pg-migrate"));
        // Flyway's key of its default table, "public"."flyway_schema_history".
        assert_eq!(owner("a", 77_433_833_903_597), Some("Flyway"));
        assert_eq!(owner("a", 42), None);
    }

    #[test]
    fn computed_keys_are_known_only_in_their_own_database() {
        // Seen in pg_locks while Rails 6.1 migrated a database of this name.
        let rails = 3_005_302_134_541_743_855;
        assert_eq!(owner("app_rails", rails), Some("Rails"));
        assert_eq!(owner("other", rails), None);
    }

    #[test]
    fn keys_above_two_to_the_63_come_back_negative() {
        assert_eq!(bigint_key(0xFFFF_FFFF, 0xFFFF_FFFF), -1);
        assert_eq!(bigint_key(1, 2), (1 << 32) | 2);
    }

    #[test]
    fn a_colliding_table_names_every_tool_it_could_be() {
        assert_eq!(
            owners_in_words("schema_migrations"),
            "Rails, golang-migrate, dbmate or Ecto"
        );
        assert!(is_tools_table("flyway_schema_history"));
        assert!(!is_tools_table("migrations"));
        assert!(!is_tools_table("orders"));
    }
}
