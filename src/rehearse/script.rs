//! What a command sent, as a script that psql, `gate` and people read.

use super::begun;
use super::log::{Entry, What};
use super::nodes::{
    changes, copies_in, is_transaction, makes_if_missing, nodes, queries, reads_only,
};
use super::schema::Schema;
use super::{Wanted, parameters};
use crate::migration::rehearsed::{APPLIED, FINGERPRINT, HEADER, READS_ROWS, REFUSED};
use crate::migration::{depth, split};
use crate::postgres::surroundings;
use crate::safe::masked_command;
use crate::tools::TOOLS;
use crate::world::Begun;
use pg_query::NodeEnum;
use pg_query::protobuf::TransactionStmtKind as Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// What is known of the copy's database.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Names of the version tables that production has, or that were given, without schema.
    pub versions: BTreeSet<String>,
    /// Names of functions that are not Postgres's own.
    pub functions: BTreeSet<String>,
}

impl Known {
    /// Whether a table is a version table or another one of a tool's. One that production lacks is made by the tool's
    /// first run, and has the same rows there.
    fn is_kept_by_a_tool(&self, table: &str) -> bool {
        self.versions.contains(table)
            || is_book(table)
            || TOOLS.iter().any(|tool| tool.version_table == Some(table))
    }
}

/// Whether a tool keeps something about itself in it, such as its lock, but no migrations.
fn is_book(table: &str) -> bool {
    surroundings::books().any(|book| book == table)
}

/// The names of the version tables, without schema.
#[must_use]
pub fn versions(wanted: &Wanted, schema: &Schema) -> BTreeSet<String> {
    let there = schema.around.version_tables.iter();
    there
        .map(|table| bare(table).to_owned())
        .chain(wanted.version_tables.iter().cloned())
        .collect()
}

/// What a statement is for a script.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Worth {
    /// It only reads catalogs.
    Nothing,
    /// It is kept.
    Kept,
    /// It reads rows of these tables, of which the copy has none.
    ReadsRows(String),
}

/// A script, and whether anything in it changes something.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Script {
    /// The text, without the header.
    pub text: String,
    /// Whether a statement is more than a read, a setting or a lock.
    pub changes: bool,
    /// How many statements there are.
    pub statements: usize,
    /// The same text with the values of parameters in it.
    pub filled: String,
    /// The roles of the sessions, in turn.
    pub roles: Vec<String>,
}

/// The header: command, server, schema.
#[must_use]
pub fn header(
    command: &[String],
    version: &str,
    database: &str,
    fingerprint: &str,
    versions: &str,
) -> String {
    let one_line = |text: &str| text.replace(['\n', '\r'], " ");
    let mut out = format!("{HEADER}\n");
    let _ = writeln!(
        out,
        "-- command: {}",
        one_line(&masked_command(command).join(" "))
    );
    let _ = writeln!(
        out,
        "-- server: Postgres {version}, database {}",
        one_line(database)
    );
    let _ = writeln!(out, "{FINGERPRINT}{fingerprint}");
    for line in versions.lines() {
        let _ = writeln!(out, "{APPLIED}{}", one_line(line));
    }
    out.push('\n');
    out
}

/// A run of entries of one session in one transaction.
struct Group<'a> {
    session: &'a str,
    role: &'a str,
    entries: Vec<&'a Entry>,
}

/// Writes what was sent to one database.
#[must_use]
pub fn written(entries: &[Entry], known: &Known, begun: &[Begun]) -> Script {
    let mut script = Script::default();
    let mut settings = begun::settings(entries, begun);
    let mut session = "";
    let prepares = entries.iter().any(Entry::prepares);
    for group in groups(entries) {
        let mut sent = group.sent(known);
        let leaves = left_set(&sent);
        // What a driver has prepared by the protocol is not in the script: there is nothing to deallocate.
        sent.retain(|s| prepares || !s.deallocates());
        let (text, changes, statements) = text(&sent, |s| &s.sql);
        if text.is_empty() {
            continue;
        }
        if session != group.session {
            let mut begin = String::new();
            begin += if session.is_empty() {
                "\n"
            } else {
                "\n\\connect -\n"
            };
            for setting in settings.get(group.session).into_iter().flatten() {
                let _ = writeln!(begin, "{setting};");
            }
            if begin == "\n" {
                begin.clear();
            }
            script.text += &begin;
            script.filled += &begin;
            script.roles.push(group.role.to_owned());
        }
        session = group.session;
        settings.entry(session).or_default().extend(leaves);
        script.text += &text;
        script.filled += &self::text(&sent, |s| &s.filled).0;
        script.changes |= changes;
        script.statements += statements;
    }
    script
}

fn groups(entries: &[Entry]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group> = Vec::new();
    // A statement that waits in one session may be overtaken by another's: by transaction, in order of their beginning.
    let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for entry in entries {
        let key = (entry.session.as_str(), entry.transaction.as_str());
        let is_alone = entry.transaction.is_empty() || entry.transaction.ends_with("/0");
        let place = if is_alone {
            None
        } else {
            places.get(&key).copied()
        };
        match place {
            Some(at) => groups[at].entries.push(entry),
            None => {
                places.insert(key, groups.len());
                groups.push(Group {
                    session: &entry.session,
                    role: &entry.user,
                    entries: vec![entry],
                });
            }
        }
    }
    groups
}

/// A statement of a group.
struct Sent {
    sql: String,
    /// With the values of its parameters in it.
    filled: String,
    worth: Worth,
    /// Whether it runs code that is not Postgres's own.
    runs_code: bool,
    nodes: Vec<NodeEnum>,
    refused: Option<String>,
    /// Whether what it would make was there.
    skipped: bool,
}

impl Group<'_> {
    fn sent(&self, known: &Known) -> Vec<Sent> {
        let mut sent: Vec<Sent> = Vec::new();
        for entry in &self.entries {
            match &entry.what {
                What::Statement { sql, parameters } => {
                    let bare = sql.trim().trim_end_matches(';');
                    let filled = parameters::filled(bare, parameters);
                    // The values of an advisory lock's key are needed; all others stay where they are.
                    let sql = match bare.contains("advisory") {
                        true => filled.clone(),
                        false => bare.to_owned(),
                    };
                    let nodes = nodes(&sql);
                    let worth = worth(&sql, &nodes, known);
                    sent.push(Sent {
                        runs_code: runs_code(&sql, known),
                        sql,
                        filled,
                        worth,
                        nodes,
                        refused: None,
                        skipped: false,
                    });
                }
                What::Refused { message, .. } => {
                    if let Some(last) = sent.last_mut() {
                        last.refused = Some(format!("{} ({})", message, entry.state));
                    }
                }
                What::Skipped => {
                    if let Some(last) = sent.last_mut() {
                        last.skipped = true;
                    }
                }
                What::Connected => {}
            }
        }
        sent
    }
}

/// The statements that leave something set in their session.
fn left_set(sent: &[Sent]) -> Vec<String> {
    let sets =
        |s: &&Sent| matches!(s.nodes.as_slice(), [NodeEnum::VariableSetStmt(set)] if !set.is_local);
    sent.iter().filter(sets).map(|s| s.sql.clone()).collect()
}

/// The text of a group, whether it changes something, and how many statements it has; empty where nothing of it is kept.
fn text(sent: &[Sent], sql: fn(&Sent) -> &str) -> (String, bool, usize) {
    let kept: Vec<&Sent> = sent.iter().filter(|s| s.worth != Worth::Nothing).collect();
    let is_control = |s: &&Sent| s.nodes.iter().any(is_transaction);
    if kept.iter().all(|s| is_control(s) || s.is_left_out()) {
        return (String::new(), false, 0);
    }
    let controls = kept.iter().any(is_control);
    let several = kept.len() > 1 || kept.iter().any(|s| s.nodes.len() > 1);
    let fails = kept.iter().any(|s| s.refused.is_some());
    let mut out = String::from("\n");
    let wrap = !controls && several;
    if wrap {
        out += "BEGIN;\n";
    }
    for statement in &kept {
        statement.write(sql(statement), &mut out);
    }
    if wrap {
        out += if fails { "ROLLBACK;\n" } else { "COMMIT;\n" };
    } else if controls && !ends(&kept) {
        out += "ROLLBACK; -- its session ended\n";
    }
    let changes = kept.iter().any(|s| s.changes());
    (
        out,
        changes,
        kept.iter().filter(|s| s.refused.is_none()).count(),
    )
}

impl Entry {
    /// Whether it is an SQL command PREPARE.
    fn prepares(&self) -> bool {
        let What::Statement { sql, .. } = &self.what else {
            return false;
        };
        let word = sql.split_whitespace().next().unwrap_or_default();
        word.eq_ignore_ascii_case("prepare")
    }
}

impl Sent {
    fn deallocates(&self) -> bool {
        matches!(self.nodes.as_slice(), [NodeEnum::DeallocateStmt(_)])
    }

    /// Whether it was refused, and only asked something: another one asks for locks all the same.
    fn is_left_out(&self) -> bool {
        self.refused.is_some() && !self.nodes.iter().any(changes)
    }

    /// Whether it changed something of the user's.
    fn changes(&self) -> bool {
        let changed = self.nodes.iter().any(changes) && !self.keeps_books() && !self.does_nothing();
        self.refused.is_none() && (self.runs_code || changed)
    }

    /// Whether it would make one thing, which was there.
    fn does_nothing(&self) -> bool {
        self.skipped && matches!(self.nodes.as_slice(), [node] if makes_if_missing(node))
    }

    /// Whether it writes a tool's own tables, and records no migration: it takes the tool's lock.
    fn keeps_books(&self) -> bool {
        let writes = |node: &NodeEnum| {
            matches!(
                node,
                NodeEnum::InsertStmt(_) | NodeEnum::UpdateStmt(_) | NodeEnum::DeleteStmt(_)
            )
        };
        let only_books = |parsed: pg_query::ParseResult| {
            parsed.tables().iter().all(|table| is_book(bare(table)))
        };
        self.nodes.iter().all(writes) && depth::parse(&self.sql).is_some_and(only_books)
    }

    fn write(&self, sql: &str, out: &mut String) {
        if let Some(why) = self.refused.as_ref().filter(|_| !self.is_left_out()) {
            let _ = writeln!(out, "-- pgguard: {REFUSED}{}", one_line(why));
        }
        if let Some(why) = self.refused.as_ref().filter(|_| self.is_left_out()) {
            let _ = writeln!(out, "-- {REFUSED}{}", one_line(why));
            for line in sql.lines() {
                let _ = writeln!(out, "--   {line}");
            }
            return;
        }
        if let Worth::ReadsRows(tables) = &self.worth {
            let _ = writeln!(out, "-- pgguard: {READS_ROWS}{tables}");
        }
        let parts = split::pieces(sql);
        // Each statement of a message has its own lines.
        if self.nodes.len() > 1 && parts.len() == self.nodes.len() {
            for part in parts {
                let _ = writeln!(out, "{};", part.text);
            }
        } else {
            let _ = writeln!(out, "{sql};");
        }
        // The data are not in the log: none follow.
        if self.nodes.iter().any(copies_in) {
            let _ = writeln!(out, "\\.");
        }
    }
}

/// Whether the last of the statements that control the transaction ends it.
fn ends(kept: &[&Sent]) -> bool {
    let mut control = kept
        .iter()
        .flat_map(|s| &s.nodes)
        .filter(|node| is_transaction(node));
    control.next_back().is_some_and(|node| match node {
        NodeEnum::TransactionStmt(t) => matches!(
            Kind::try_from(t.kind),
            Ok(Kind::TransStmtCommit | Kind::TransStmtRollback | Kind::TransStmtPrepare)
        ),
        _ => false,
    })
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

fn worth(sql: &str, nodes: &[NodeEnum], known: &Known) -> Worth {
    let reads = nodes.iter().filter(|node| reads_only(node)).count();
    if nodes.is_empty() || reads == 0 {
        return Worth::Kept;
    }
    let Some(parsed) = depth::parse(&queries(sql, nodes)) else {
        return Worth::Kept;
    };
    let ends = |name: &String| ENDS.contains(&bare(name));
    if parsed.functions().iter().any(ends) && parsed.tables().iter().any(|t| is_catalog(t)) {
        return Worth::ReadsRows("pg_stat_activity".into());
    }
    let tables: Vec<String> = parsed
        .tables()
        .into_iter()
        .filter(|t| !is_catalog(t))
        .collect();
    let rows: Vec<&str> = tables
        .iter()
        .filter(|table| !known.is_kept_by_a_tool(bare(table)))
        .map(String::as_str)
        .collect();
    if !rows.is_empty() {
        return Worth::ReadsRows(one_line(&rows.join(", ")));
    }
    let acts = |name: &String| {
        ACTS.iter().any(|part| name.contains(part)) || known.functions.contains(bare(name))
    };
    if reads < nodes.len() || !tables.is_empty() || parsed.functions().iter().any(acts) {
        return Worth::Kept;
    }
    Worth::Nothing
}

/// Whether a query calls a function that is not Postgres's own.
fn runs_code(sql: &str, known: &Known) -> bool {
    depth::parse(sql).is_some_and(|parsed| {
        let functions = parsed.functions();
        functions
            .iter()
            .any(|name| known.functions.contains(bare(name)))
    })
}

/// Functions that end what sessions do: which ones, rows of the server tell that the copy does not have.
const ENDS: &[&str] = &["pg_terminate_backend", "pg_cancel_backend"];

/// Parts of the names of Postgres's own functions that do more than read a catalog.
const ACTS: &[&str] = &[
    "advisory",
    "set_config",
    "nextval",
    "setval",
    "sleep",
    "lo_",
    "terminate",
    "cancel",
    "notify",
    "pg_get_",
    "_size",
    "to_xml",
    "currval",
    "replication",
    "pg_reload",
    "pg_stat_reset",
    "dblink",
];

fn bare(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name).trim_matches('"')
}

fn is_catalog(table: &str) -> bool {
    let table = table.trim_matches('"');
    ["pg_catalog.", "information_schema."]
        .iter()
        .any(|schema| table.starts_with(schema))
        || table.starts_with("pg_")
}

#[cfg(test)]
mod tests;
