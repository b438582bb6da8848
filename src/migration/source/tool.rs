//! What is known of each tool: one row. A new tool is a row here and, for its file names, a function in `name`.
//!
//! Sources: each tool's own code (the file is named where the rule is not plain), observed runs of the tools
//! where they could be had.

use super::applied::{Check, VersionTable};
use super::formatted;
use super::layout::{File, Layout};
use super::listed::{self, Listed};
use super::name::{self, Named};
use super::section::{self, Marks, WHOLE, has_comment};
use super::{Migration, Script, Sender};
use crate::migration::scan::words;
use crate::migration::split::{Reading, pieces};
use crate::migration::statement::NOT_AS_SQL;
use crate::migration::statement::TransactionHabit::{
    self, PerMessage, PerScript, PerStatement, WholeRun,
};
use crate::tools;
use crate::{Error, Result};

/// A migration tool.
#[derive(Debug)]
pub struct Tool {
    /// As `--tool` takes it.
    pub name: &'static str,
    /// What its folder holds, for a message.
    pub expects: &'static str,
    /// How much a layout looks like its.
    pub recognised: fn(&Layout) -> Likeness,
    /// Which files are migrations, and in which order.
    pub files: Files,
    /// Which part of a file goes up.
    pub marks: Marks,
    /// How it opens transactions.
    pub habit: TransactionHabit,
    /// A comment with which a file opts out of that, and how it then runs.
    pub opt_out: Option<(&'static str, TransactionHabit)>,
    /// Another way in which a file says how it runs.
    pub own_habit: Option<fn(&Layout, &File) -> Option<TransactionHabit>>,
    /// Endings of migrations that are code: they run among the others, and nobody knows what they do.
    pub code: &'static [&'static str],
    /// What it reads in a text that it sends.
    pub reading: Reading,
    /// The comments that keep a statement together, where it ends one at each line with a semicolon at its end.
    pub keeps_together: Option<(&'static str, &'static str)>,
    /// Settings that it puts back before each migration.
    pub puts_back: &'static [&'static str],
    /// Whether it leaves out a byte order mark.
    pub strips_mark: bool,
    /// Where it records what it has applied.
    pub version_table: VersionTable,
}

/// How much a layout looks like a tool's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// Not.
    None,
    /// It could be, but nothing says so.
    Possible,
    /// By the names of its files or of a library in the project.
    Named,
    /// By a mark that no other tool has.
    Marked,
}

/// Which files are migrations, and in which order.
#[derive(Debug)]
pub enum Files {
    /// By their names.
    Named(fn(&str) -> Option<Named>),
    /// By a list in a file of its own.
    Listed(fn(&Layout) -> Result<Listed>),
    /// Several in each file, the files by name.
    Changesets,
}

use Likeness::{Marked, Named as ByName, None as No, Possible};

/// The tools.
pub static TOOLS: &[Tool] = &[
    Tool {
        name: "sqlx",
        expects: "<version>_<name>.sql or .up.sql",
        recognised: |layout| match (
            any(layout, name::sqlx),
            layout.project_uses("sqlx"),
            says(layout, "no-transaction"),
        ) {
            (true, true, _) if any(layout, name::golang_migrate) => ByName,
            (true, _, true) => ByName,
            (true, _, _) => Possible,
            _ => No,
        },
        files: Files::Named(name::sqlx),
        opt_out: None,
        own_habit: Some(|_, file| {
            file.text
                .starts_with("-- no-transaction")
                .then_some(PerMessage)
        }),
        version_table: VersionTable {
            relation: "_sqlx_migrations",
            columns: &["version", "success"],
            query: "SELECT version::text, success, NULL::text FROM {table}",
            ..VersionTable::LISTED
        },
        ..FILES
    },
    Tool {
        name: "golang-migrate",
        expects: "<version>_<name>.up.sql",
        recognised: |layout| match (
            any(layout, name::golang_migrate),
            layout.project_uses("sqlx"),
        ) {
            (true, _) if says(layout, "no-transaction") => Possible,
            (true, false) => ByName,
            (true, true) => Possible,
            _ => No,
        },
        files: Files::Named(name::golang_migrate),
        habit: PerMessage,
        version_table: VersionTable {
            relation: "schema_migrations",
            columns: &["version", "dirty"],
            check: Check::UpTo,
            query: "SELECT version::text, NOT dirty, NULL::text FROM {table}",
            ..VersionTable::LISTED
        },
        ..FILES
    },
    Tool {
        name: "diesel",
        expects: "<timestamp>_<name>/up.sql",
        recognised: |layout| {
            if any(layout, name::diesel) {
                Marked
            } else {
                No
            }
        },
        files: Files::Named(name::diesel),
        own_habit: Some(|layout, file| {
            let metadata = layout.text(&file.name.replace("up.sql", "metadata.toml"))?;
            let metadata: toml::Table = metadata.parse().ok()?;
            (metadata.get("run_in_transaction")?.as_bool() == Some(false)).then_some(PerMessage)
        }),
        version_table: VersionTable {
            relation: "__diesel_schema_migrations",
            columns: &["version", "run_on"],
            query: "SELECT version, true, NULL::text FROM {table}",
            ..VersionTable::LISTED
        },
        ..FILES
    },
    Tool {
        name: "refinery",
        expects: "V<version>__<name>.sql",
        recognised: |layout| match (any(layout, name::refinery), layout.project_uses("refinery")) {
            (true, true) => ByName,
            (true, false) => Possible,
            _ => No,
        },
        files: Files::Named(name::refinery),
        code: &["rs"],
        version_table: VersionTable {
            relation: "refinery_schema_history",
            columns: &["version", "checksum", "applied_on"],
            query: "SELECT version::text, true, NULL::text FROM {table}",
            ..VersionTable::LISTED
        },
        ..FILES
    },
    Tool {
        name: "dbmate",
        expects: "<version>_<name>.sql with -- migrate:up in it",
        recognised: |layout| {
            if says(layout, "migrate:up") {
                Marked
            } else {
                No
            }
        },
        files: Files::Named(name::dbmate),
        marks: Marks {
            up: "migrate:up",
            down: "migrate:down",
            whole_without: false,
        },
        opt_out: Some(("migrate:up transaction:false", PerMessage)),
        version_table: VersionTable {
            relation: "schema_migrations",
            columns: &["version"],
            lacks: &["dirty", "inserted_at", "statements"],
            query: "SELECT version::text, true, NULL::text FROM {table}",
            ..VersionTable::LISTED
        },
        ..FILES
    },
    Tool {
        name: "goose",
        expects: "<version>_<name>.sql with -- +goose Up in it",
        recognised: |layout| {
            if says(layout, "+goose up") {
                Marked
            } else {
                No
            }
        },
        files: Files::Named(name::goose),
        marks: Marks {
            up: "+goose up",
            down: "+goose down",
            whole_without: false,
        },
        opt_out: Some(("+goose no transaction", PerStatement)),
        code: &["go"],
        keeps_together: Some(("+goose statementbegin", "+goose statementend")),
        version_table: VersionTable {
            relation: "goose_db_version",
            columns: &["version_id", "is_applied"],
            // The last row of a version counts: going down adds one too, in older versions.
            query: "SELECT version_id::text, true, NULL::text FROM (SELECT DISTINCT ON (version_id) version_id, is_applied \
                    FROM {table} ORDER BY version_id, id DESC) AS last WHERE is_applied",
            ..VersionTable::LISTED
        },
        ..FILES
    },
    Tool {
        name: "flyway",
        expects: "V<version>__<name>.sql or R__<name>.sql",
        recognised: |layout| match (
            any(layout, name::flyway),
            any(layout, name::refinery) && layout.project_uses("refinery"),
        ) {
            (true, false) => ByName,
            (true, true) => Possible,
            _ => No,
        },
        files: Files::Named(name::flyway),
        own_habit: Some(flyway_habit),
        // PostgreSQLParser.java reads the data of a COPY.
        reading: Reading::ServerWithCopy,
        // DbMigrate.java (restoreOriginalState), PostgreSQLConnection.java.
        puts_back: &["search_path", "role"],
        strips_mark: true,
        version_table: VersionTable {
            relation: "flyway_schema_history",
            columns: &["installed_rank", "version", "success", "checksum"],
            query: "SELECT CASE WHEN version IS NULL THEN 'R ' || description \
                    WHEN type = 'BASELINE' THEN '<= ' || version ELSE version END, success, checksum::text FROM {table} AS row \
                    WHERE type NOT LIKE 'UNDO%' AND NOT EXISTS (SELECT FROM {table} AS undo WHERE undo.version = row.version \
                    AND undo.type LIKE 'UNDO%' AND undo.success AND undo.installed_rank > row.installed_rank) \
                    ORDER BY installed_rank",
            normal: |version| name::flyway(&format!("V{version}__x.sql")).map(|named| named.id),
            ..VersionTable::LISTED
        },
        ..FILES
    },
    Tool {
        name: "prisma",
        expects: "<timestamp>_<name>/migration.sql",
        recognised: |layout| {
            if any(layout, name::prisma) {
                Marked
            } else {
                No
            }
        },
        files: Files::Named(name::prisma),
        habit: PerMessage,
        version_table: VersionTable {
            relation: "_prisma_migrations",
            columns: &["migration_name", "finished_at", "rolled_back_at"],
            query: "SELECT migration_name, finished_at IS NOT NULL, NULL::text FROM {table} WHERE rolled_back_at IS NULL",
            ..VersionTable::LISTED
        },
        ..FILES
    },
    Tool {
        name: "atlas",
        expects: "<version>_<name>.sql and atlas.sum",
        recognised: |layout| {
            if layout.has("atlas.sum") && !is_marked(layout) {
                ByName
            } else {
                No
            }
        },
        files: Files::Named(name::atlas),
        opt_out: Some(("atlas:txmode none", PerStatement)),
        version_table: VersionTable {
            relation: "atlas_schema_revisions",
            columns: &["version", "applied", "total", "error"],
            query: "SELECT version, applied >= total AND coalesce(error, '') = '', NULL::text FROM {table}",
            ..VersionTable::LISTED
        },
        ..FILES
    },
    Tool {
        name: "drizzle",
        expects: "meta/_journal.json and the .sql files that it names",
        recognised: |layout| {
            if layout.has("meta/_journal.json") {
                Marked
            } else {
                No
            }
        },
        files: Files::Listed(listed::drizzle),
        habit: WholeRun,
        version_table: VersionTable {
            relation: "__drizzle_migrations",
            columns: &["hash", "created_at"],
            check: Check::UpTo,
            query: "SELECT created_at::text, true, NULL::text FROM {table}",
            ..VersionTable::LISTED
        },
        ..FILES
    },
    Tool {
        name: "node-pg-migrate",
        expects: "<number>_<name>.sql with -- Up Migration in it",
        recognised: |layout| match (
            says(layout, "up migration"),
            any(layout, name::node_pg_migrate),
        ) {
            (true, _) => Marked,
            (false, true) if layout.project_uses("node-pg-migrate") => ByName,
            _ => No,
        },
        files: Files::Named(name::node_pg_migrate),
        marks: Marks {
            up: "up migration",
            down: "down migration",
            whole_without: true,
        },
        habit: WholeRun,
        code: &["js", "ts", "cjs", "mjs"],
        version_table: VersionTable {
            relation: "pgmigrations",
            columns: &["name", "run_on"],
            query: "SELECT name, true, NULL::text FROM {table}",
            ..VersionTable::LISTED
        },
        ..FILES
    },
    Tool {
        name: "sqitch",
        expects: "sqitch.plan and deploy/",
        recognised: |layout| {
            let in_deploy = layout.root.ends_with("deploy") && layout.has("../sqitch.plan");
            if layout.has("sqitch.plan") || in_deploy {
                Marked
            } else {
                No
            }
        },
        files: Files::Listed(listed::sqitch),
        // It runs psql on each script, which has its own BEGIN and COMMIT.
        habit: PerStatement,
        reading: Reading::Psql,
        version_table: VersionTable {
            relation: "changes",
            columns: &["change_id", "change", "project", "committed_at"],
            query: "SELECT project || ':' || change || ':' || row_number() OVER (PARTITION BY project, change ORDER BY committed_at), \
                    true, NULL::text FROM {table}",
            ..VersionTable::LISTED
        },
        ..FILES
    },
    Tool {
        name: "supabase",
        expects: "<14 digits>_<name>.sql in supabase/migrations",
        recognised: |layout| match (
            any(layout, name::supabase),
            std::path::absolute(&layout.root)
                .is_ok_and(|root| root.ends_with("supabase/migrations")),
        ) {
            (true, true) => Marked,
            (true, false) if layout.has("../config.toml") => Possible,
            _ => No,
        },
        files: Files::Named(name::supabase),
        version_table: VersionTable {
            relation: "schema_migrations",
            columns: &["version", "statements"],
            query: "SELECT version::text, true, NULL::text FROM {table}",
            ..VersionTable::LISTED
        },
        ..FILES
    },
    Tool {
        name: "sql-migrate",
        expects: "<name>.sql with -- +migrate Up in it",
        recognised: |layout| {
            if says(layout, "+migrate up") {
                Marked
            } else {
                No
            }
        },
        files: Files::Named(name::sql_migrate),
        marks: Marks {
            up: "+migrate up",
            down: "+migrate down",
            whole_without: false,
        },
        opt_out: Some(("+migrate up notransaction", PerStatement)),
        keeps_together: Some(("+migrate statementbegin", "+migrate statementend")),
        version_table: VersionTable {
            relation: "gorp_migrations",
            columns: &["id", "applied_at"],
            query: "SELECT id, true, NULL::text FROM {table}",
            ..VersionTable::LISTED
        },
        ..FILES
    },
    Tool {
        name: "tern",
        expects: "001_<name>.sql",
        recognised: |layout| match (
            says(layout, TERN_DOWN) || layout.has("tern.conf"),
            any(layout, name::tern),
        ) {
            (true, true) => Marked,
            (_, true) => Possible,
            _ => {
                if says(layout, TERN_DOWN) {
                    Marked
                } else {
                    No
                }
            }
        },
        files: Files::Named(name::tern),
        marks: Marks {
            up: "",
            down: TERN_DOWN,
            whole_without: true,
        },
        opt_out: Some(("tern: disable-tx", PerMessage)),
        version_table: VersionTable {
            relation: "schema_version",
            columns: &["version"],
            check: Check::UpTo,
            query: "SELECT version::text, true, NULL::text FROM {table}",
            ..VersionTable::LISTED
        },
        ..FILES
    },
    Tool {
        name: "graphile-migrate",
        expects: "committed/000001.sql",
        recognised: |layout| {
            if any(layout, name::graphile) && says(layout, "! previous:") {
                Marked
            } else {
                No
            }
        },
        files: Files::Named(name::graphile),
        opt_out: Some(("! no-transaction", PerMessage)),
        version_table: VersionTable {
            relation: "migrations",
            columns: &["hash", "previous_hash", "filename"],
            query: "SELECT filename, true, NULL::text FROM {table}",
            ..VersionTable::LISTED
        },
        ..FILES
    },
    Tool {
        name: "postgrator",
        expects: "001.do.<name>.sql",
        recognised: |layout| {
            if any(layout, name::postgrator) {
                Marked
            } else {
                No
            }
        },
        files: Files::Named(name::postgrator),
        habit: PerMessage,
        code: &["js", "cjs", "mjs"],
        version_table: VersionTable {
            relation: "schemaversion",
            columns: &["version", "run_at"],
            check: Check::UpTo,
            query: "SELECT version::text, true, NULL::text FROM {table}",
            ..VersionTable::LISTED
        },
        ..FILES
    },
    Tool {
        name: "liquibase",
        expects: ".sql files that begin with --liquibase formatted sql",
        recognised: |layout| {
            if says(layout, formatted::FIRST_LINE) {
                Marked
            } else {
                No
            }
        },
        files: Files::Changesets,
        strips_mark: true,
        version_table: VersionTable {
            relation: "databasechangelog",
            columns: &["id", "author", "filename", "exectype"],
            query: "SELECT author || ':' || id || ':' || regexp_replace(filename, '.*/', ''), exectype <> 'FAILED', NULL::text FROM {table}",
            ..VersionTable::LISTED
        },
        ..FILES
    },
];

const TERN_DOWN: &str = "create above / drop below";

/// What most rows have in common: one migration a file, in one transaction.
const FILES: Tool = Tool {
    name: "",
    expects: "",
    recognised: |_| No,
    files: Files::Changesets,
    marks: WHOLE,
    habit: PerScript,
    opt_out: None,
    own_habit: None,
    code: &[],
    reading: Reading::Server,
    keeps_together: None,
    puts_back: &[],
    strips_mark: false,
    version_table: VersionTable::LISTED,
};

fn any(layout: &Layout, named: fn(&str) -> Option<Named>) -> bool {
    layout.files.iter().any(|file| named(&file.name).is_some())
}

fn says(layout: &Layout, mark: &str) -> bool {
    layout
        .files
        .iter()
        .any(|file| has_comment(&file.text, mark))
}

/// Whether files have the marks of a tool that Atlas can read the folders of, too.
fn is_marked(layout: &Layout) -> bool {
    ["migrate:up", "+goose up"]
        .iter()
        .any(|mark| says(layout, mark))
}

/// Flyway runs a file without a transaction when its `.conf` says so, or when it holds a statement that cannot run
/// in one (PostgreSQLParser.java, `detectCanExecuteInTransaction`).
fn flyway_habit(layout: &Layout, file: &File) -> Option<TransactionHabit> {
    let conf = layout
        .text(&format!("{}.conf", file.name))
        .unwrap_or_default();
    let setting = conf
        .lines()
        .filter_map(|line| line.split_once('='))
        .find(|(key, _)| key.trim() == "executeInTransaction");
    if let Some((_, value)) = setting {
        return value
            .trim()
            .eq_ignore_ascii_case("false")
            .then_some(PerStatement);
    }
    let alone = pieces(&file.text).iter().any(|piece| {
        let words = words(&piece.text);
        let words: Vec<&str> = words.iter().take(4).map(String::as_str).collect();
        match words.as_slice() {
            ["vacuum", ..]
            | [
                "create" | "drop",
                "database" | "tablespace" | "subscription",
                ..,
            ]
            | ["alter", "system", ..] => true,
            ["create" | "drop" | "reindex", rest @ ..] => rest.contains(&"concurrently"),
            _ => false,
        }
    });
    alone.then_some(PerStatement)
}

impl Tool {
    /// The tool of this name.
    ///
    /// # Errors
    /// A name that is not in the table.
    pub fn named(name: &str) -> Result<&'static Self> {
        TOOLS
            .iter()
            .find(|tool| tool.name.eq_ignore_ascii_case(name))
            .ok_or_else(|| {
                let is_here = |name: &str| {
                    TOOLS
                        .iter()
                        .any(|tool| tool.name.eq_ignore_ascii_case(name))
                };
                let known = TOOLS.iter().map(|tool| tool.name);
                let code = tools::TOOLS
                    .iter()
                    .map(|tool| tool.name)
                    .filter(|name| !is_here(name));
                let names: Vec<_> = known.chain(code).collect();
                Error::Usage(format!(
                    "cannot read migrations of {name}: pgguard knows {}",
                    names.join(", ")
                ))
            })
    }

    /// The migrations of a layout, in the order that the tool runs them.
    ///
    /// # Errors
    /// A file that a list names and that is not there; one without the mark that the tool needs.
    pub fn migrations(&self, layout: &Layout) -> Result<Vec<Migration>> {
        match self.files {
            // A file that was named is read, whatever its name says.
            _ if !layout.is_folder && !matches!(self.files, Files::Changesets) => layout
                .files
                .iter()
                .map(|file| self.migration(layout, file, &self.id_of(file)))
                .collect(),
            Files::Named(named) => {
                let mut found: Vec<_> = layout
                    .files
                    .iter()
                    .filter_map(|file| Some((self.named_file(file, named)?, file)))
                    .collect();
                found.sort_by(|(one, a), (other, b)| {
                    (&one.order, &a.name).cmp(&(&other.order, &b.name))
                });
                found
                    .into_iter()
                    .map(|(named, file)| self.migration(layout, file, &named.id))
                    .collect()
            }
            Files::Listed(list) => list(layout)?
                .into_iter()
                .map(|(id, name)| match layout.file(&name) {
                    Some(file) => self.migration(layout, file, &id),
                    None => Err(Error::File {
                        what: "read",
                        path: layout.root.join(&name).display().to_string(),
                        why: format!("{} lists it, and it is not there", self.name),
                    }),
                })
                .collect(),
            Files::Changesets => {
                let mut files: Vec<&File> = layout
                    .files
                    .iter()
                    .filter(|file| file.is_sql() || !layout.is_folder)
                    .collect();
                files.sort_by(|one, other| one.name.cmp(&other.name));
                Ok(files.into_iter().flat_map(formatted::changesets).collect())
            }
        }
    }

    fn id_of(&self, file: &File) -> String {
        match self.files {
            Files::Named(named) => {
                named(&file.name).map_or_else(|| file.name.clone(), |named| named.id)
            }
            _ => file.name.clone(),
        }
    }

    /// A migration by its name: SQL, or code of a kind that the tool runs too.
    fn named_file(&self, file: &File, named: fn(&str) -> Option<Named>) -> Option<Named> {
        let (stem, extension) = file.name.rsplit_once('.')?;
        if self.code.contains(&extension) {
            named(&format!("{stem}.sql"))
        } else {
            named(&file.name).filter(|_| file.is_sql())
        }
    }

    fn migration(&self, layout: &Layout, file: &File, id: &str) -> Result<Migration> {
        let sql = if file.is_sql() || !layout.is_folder {
            section::up(&file.text, &self.marks).ok_or_else(|| Error::Sql {
                file: file.path.clone(),
                line: 1,
                why: format!(
                    "{} needs a comment that begins with `{}`",
                    self.name, self.marks.up
                ),
            })?
        } else {
            format!("-- {NOT_AS_SQL}: this migration of {} is code", self.name)
        };
        let opted_out = self
            .opt_out
            .filter(|(mark, _)| has_comment(&file.text, mark))
            .map(|(_, habit)| habit);
        let own = self.own_habit.and_then(|own| own(layout, file));
        let habit = own.or(opted_out).unwrap_or(self.habit);
        let checksum = id
            .starts_with("R ")
            .then(|| super::applied::flyway_checksum(&file.text));
        let script = Script {
            file: file.path.clone(),
            sql,
            first_line: 1,
            habit,
            sender: Sender::default(),
        };
        Ok(Migration {
            id: id.to_owned(),
            checksum,
            script,
        })
    }
}
