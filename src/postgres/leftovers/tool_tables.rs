//! Tables of migration tools. They are the tools', and reading one takes ACCESS SHARE for a moment: not where somebody
//! has or awaits ACCESS EXCLUSIVE on it, and for a tenth of a second at most. A policy of the table would run code of
//! its owner: then it is an error.

use crate::Result;
use crate::model::RelationName;
use crate::postgres::connect::Connection;
use crate::words::literal;

const TABLES: &str = include_str!("tables.sql");

/// What a question about such a table begins with.
pub const LIMITS: &str = "SET LOCAL lock_timeout = 100; SET LOCAL row_security = off; ";

/// One table.
pub struct Table {
    /// Quoted where SQL needs it.
    pub sql: String,
    pub name: RelationName,
    /// Whether the role may read it.
    pub is_readable: bool,
    /// Whether somebody has or awaits the one lock that a reader waits for.
    pub is_locked: bool,
    /// Its columns of Postgres's own types.
    columns: Vec<String>,
    /// Those of the type timestamptz.
    times: Vec<String>,
}

impl Table {
    /// Whether it has these columns.
    pub fn has(&self, columns: &[&str]) -> bool {
        columns
            .iter()
            .all(|name| self.columns.iter().any(|column| column == name))
    }

    /// Whether it has such a column of the type timestamptz.
    pub fn has_time(&self, name: &str) -> bool {
        self.times.iter().any(|column| column == name)
    }

    /// Whether it can be read now.
    pub const fn may_be_read(&self) -> bool {
        self.is_readable && !self.is_locked
    }
}

/// The tables of these names, in any schema.
pub async fn tables(connection: &mut Connection, names: &[&str]) -> Result<Vec<Table>> {
    let names: Vec<String> = names.iter().map(|name| literal(name)).collect();
    let question = TABLES.replace("$names", &format!("ARRAY[{}]::name[]", names.join(", ")));
    let encoding = connection.encoding();
    let mut tables = Vec::new();
    connection
        .ask("look for the tables of migration tools", &question, |row| {
            let text = |at| row.text(at, encoding);
            let list = |at| {
                row.word(at)
                    .unwrap_or_default()
                    .split(',')
                    .map(str::to_owned)
                    .collect()
            };
            if let (Some(sql), Some(schema), Some(relation)) = (text(0), text(1), text(2)) {
                tables.push(Table {
                    sql,
                    name: RelationName::new(schema, relation),
                    is_readable: row.flag(3).unwrap_or_default(),
                    is_locked: row.flag(4).unwrap_or_default(),
                    columns: list(5),
                    times: list(6),
                });
            }
        })
        .await?;
    Ok(tables)
}
