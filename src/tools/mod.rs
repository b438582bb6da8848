//! Migration tools: one row a tool in [`TOOLS`]. How it opens transactions, what it locks, which tables it keeps its books
//! in, and what its folder looks like where its migrations are files that can be read.
//!
//! | file | what |
//! |---|---|
//! | `table.rs` | the rows |
//! | `tool.rs`, `sending.rs`, `folder.rs` | the words of a row: the tool; how it sends; its folder and its version table |
//! | `likeness.rs`, `name.rs`, `list.rs`, `habit.rs` | its functions: whose folder it is, which file is which migration, in which order, how it runs |
//! | `layout.rs`, `comment.rs` | what those functions look at |
//! | `trace.rs`, `traces.rs` | what a run that did not end leaves in a tool's tables, and how the tool itself ends it |
//! | `key.rs` | advisory keys |
//! | `command.rs`, `errands.rs` | which tool a command line runs, and what it has it do: migrate, go back, start over, look |
//!
//! Names collide (`schema_migrations` is Rails', dbmate's, Ecto's and golang-migrate's), so a lookup by
//! table gives every tool that it could be. An advisory key is per database: some tools compute it from
//! the database's name.

mod command;
pub mod comment;
mod errands;
pub mod folder;
mod habit;
mod key;
pub mod layout;
mod likeness;
mod list;
pub mod name;
mod sending;
mod table;
mod tool;
mod trace;
mod traces;

pub use command::{errand_of, of_command};
pub use errands::Errand;
pub use key::{bigint_key, crc32, key_in, key_of};
pub use likeness::Likeness;
pub use sending::{Reading, TransactionHabit};
pub use table::TOOLS;
pub use tool::Tool;
pub use trace::Trace;
pub use traces::mark_applied;

use crate::error::{Error, Result};
use crate::model::RelationName;

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

/// The tool that `--tool` names.
///
/// # Errors
/// A name without a row.
pub fn asked_for(name: &str) -> Result<&'static Tool> {
    named(name).ok_or_else(|| {
        let known: Vec<String> = TOOLS.iter().map(Tool::word).collect();
        Error::Usage(format!(
            "cannot read migrations of {name}: pgguard knows {}",
            known.join(", ")
        ))
    })
}

/// The tool that an advisory lock with this key (one bigint) in this database belongs to.
#[must_use]
pub fn advisory_key_owner(database: &str, key: i64) -> Option<&'static Tool> {
    TOOLS
        .iter()
        .find(|tool| tool.key.is_some_and(|form| form.matches(database, key)))
}

/// The tools that keep their books, or a lock row, in a table of this name. Several where the name collides.
pub fn table_owners(table: &RelationName) -> impl Iterator<Item = &'static Tool> {
    TOOLS.iter().filter(move |tool| tool.has_table(table))
}

/// Whether a table's name alone says that it is a migration tool's.
#[must_use]
pub fn is_tools_table(table: &RelationName) -> bool {
    table_owners(table)
        .any(|tool| tool.schema.is_some() || !COMMON_NAMES.contains(&table.relation.as_str()))
}

/// The names of the tools that a table could belong to, for people: `Rails, golang-migrate, dbmate or Ecto`.
#[must_use]
pub fn owners_in_words(table: &RelationName) -> String {
    let names: Vec<&str> = table_owners(table).map(|tool| tool.name).collect();
    match names.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => names.concat(),
    }
}

/// Where tools keep what they make for themselves.
#[derive(Debug, Default)]
pub struct OwnPlaces {
    /// Tables, in any schema.
    pub tables: Vec<&'static str>,
    /// Schemas, with everything in them.
    pub schemas: Vec<&'static str>,
}

/// What a tool's first run makes for itself; of all tools where none is known, but for names that are too common.
#[must_use]
pub fn own_places(tool: Option<&Tool>) -> OwnPlaces {
    let mut places = OwnPlaces::default();
    for one in TOOLS
        .iter()
        .filter(|one| tool.is_none_or(|tool| tool.name == one.name))
    {
        let schema = one.schema.or(one.makes_schema);
        places.schemas.extend(schema);
        if schema.is_some() {
            continue;
        }
        let tables = [one.version_table, one.lock_table].into_iter().flatten();
        let tables = tables.chain(one.makes.iter().copied());
        let is_telling = |name: &&str| tool.is_some() || !COMMON_NAMES.contains(name);
        places.tables.extend(tables.filter(is_telling));
    }
    places
}

/// Whether a row of a version table (`schema.table`) is none of a migration: its tool writes it when it makes the table.
#[must_use]
pub fn is_first_row(table: &str, row: &str) -> bool {
    let name = table.rsplit('.').next().unwrap_or(table).trim_matches('"');
    let tools = TOOLS.iter().filter(|tool| tool.version_table == Some(name));
    let mut begins = tools.filter_map(|tool| tool.first_row);
    begins.any(|begin| {
        row.strip_prefix(begin)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
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
    fn what_a_first_run_makes_is_known() {
        let own = own_places(named("sqitch"));
        assert_eq!((own.tables, own.schemas), (vec![], vec!["sqitch"]));
        let own = own_places(named("typeorm"));
        assert_eq!(own.tables, ["migrations"]);
        let own = own_places(None);
        assert!(own.tables.contains(&"schema_migrations") && own.tables.contains(&"_yoyo_log"));
        assert!(!own.tables.contains(&"migrations") && !own.tables.contains(&"changes"));
        for (table, row, is_first) in [
            ("public.goose_db_version", "1 0 t 2026-11-28 12:00:00", true),
            (
                "public.goose_db_version",
                "2 1 t 2026-11-28 12:00:00",
                false,
            ),
            ("public.schema_version", "0", true),
            ("public.schema_version", "01", false),
            ("public.schema_migrations", "0", false),
        ] {
            assert_eq!(is_first_row(table, row), is_first, "{table} {row}");
        }
    }

    #[test]
    fn a_colliding_table_names_every_tool_it_could_be() {
        let table = |name: &str| RelationName::new("public", name);
        assert_eq!(
            owners_in_words(&table("schema_migrations")),
            "Rails, golang-migrate, dbmate or Ecto"
        );
        let own = RelationName::new("graphile_migrate", "migrations");
        assert!(owners_in_words(&own).ends_with("or graphile-migrate"));
        assert!(is_tools_table(&own));
        assert!(is_tools_table(&table("flyway_schema_history")));
        assert!(!is_tools_table(&table("migrations")));
        assert!(!is_tools_table(&table("orders")));
    }
}
