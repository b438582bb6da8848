//! Where a migration comes from: files, folders as the known tools lay them out, or standard input.
//!
//! A folder is read as its tool would run it: only the parts that go up, in the tool's order, with the tool's
//! transactions. [`tools::TOOLS`] is the one table of what is known about them. What the tool has applied
//! already is told by its version table ([`applied`]); without a server everything counts as pending.

pub mod applied;
mod bytes;
mod formatted;
mod frameworks;
mod migration;
mod ordered;
mod section;

use super::psql::{count, is_empty, missing_includes};
use super::rehearsed::HEADER;
use super::script::{Script, Sender, TransactionHabit};
use super::split::Reading;
use crate::error::{Error, Result};
use crate::tools::comment::has_comment;
use crate::tools::layout::{self, Layout};
use crate::tools::{self, Likeness, TOOLS, Tool, name};
pub use migration::Migration;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How to read what was named on the command line.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// The tool's name, instead of recognising its layout.
    pub tool: Option<String>,
    /// The runner's habit, instead of the tool's.
    pub habit: Option<TransactionHabit>,
    /// What is too large to be read.
    pub limits: Limits,
}

/// The largest migration that is read: more would take memory that the machine may not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all its files.
    pub bytes: usize,
    /// Statements of all its files.
    pub statements: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            statements: 25_000,
        }
    }
}

/// One thing that was named: a file, a folder, or standard input.
#[derive(Debug, Clone)]
pub struct Source {
    /// As it was named.
    pub path: PathBuf,
    /// Whose layout it has; `None`: plain SQL, as psql runs it.
    pub tool: Option<&'static Tool>,
    /// Tools whose layout looks the same. A version table in the database tells them apart.
    pub look_alikes: Vec<&'static Tool>,
    /// Whether it is a folder: only then is what was applied already left out.
    pub is_folder: bool,
    /// In the order they run.
    pub migrations: Vec<Migration>,
    /// Worth telling the user.
    pub notes: Vec<String>,
}

/// Reads what was named, in the order it will run, applied or not.
///
/// # Errors
/// See [`sources`].
pub fn read(paths: &[PathBuf], options: &ReadOptions) -> Result<Vec<Script>> {
    Ok(scripts(sources(paths, options)?))
}

/// All scripts of what was read, in order.
#[must_use]
pub fn scripts(sources: Vec<Source>) -> Vec<Script> {
    sources
        .into_iter()
        .flat_map(|source| source.migrations)
        .map(|migration| migration.script)
        .collect()
}

/// Reads what was named, each by itself.
///
/// # Errors
/// What cannot be read; a folder that no tool is known by, or more than one; one without a migration; a file or
/// input that was named and holds no statement: nothing to look at is no reason for a green light.
pub fn sources(paths: &[PathBuf], options: &ReadOptions) -> Result<Vec<Source>> {
    let tool = options.tool.as_deref().map(tools::asked_for).transpose()?;
    paths
        .iter()
        .map(|path| source(path, tool, options))
        .collect()
}

/// Refuses what is too large, before anything of it is parsed.
fn check_size(layout: &Layout, migrations: &[Migration], limits: Limits) -> Result<()> {
    let bytes: usize = migrations.iter().map(|m| m.script.sql.len()).sum();
    let count = |migration: &Migration| count(&migration.script);
    let (found, limit, what, flag) = if bytes > limits.bytes {
        (bytes, limits.bytes, "bytes", "--max-bytes")
    } else {
        let statements = migrations.iter().map(count).sum();
        (
            statements,
            limits.statements,
            "statements",
            "--max-statements",
        )
    };
    if found <= limit {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "{} is too large to be read: {found} {what}, and the limit is {limit}; with enough memory, raise it with {flag} {found}; or check it in parts",
        layout.name
    )))
}

/// A script that is not in a file, such as a rehearsal's.
#[must_use]
pub fn of_text(name: &str, sql: String) -> Source {
    Source {
        path: PathBuf::from(name),
        tool: None,
        look_alikes: Vec::new(),
        is_folder: false,
        migrations: vec![Migration {
            id: String::new(),
            checksum: None,
            script: Script::psql(name, sql),
        }],
        notes: Vec::new(),
    }
}

/// Reads a source again as another tool's.
///
/// # Errors
/// As [`sources`].
pub fn read_as(source: &Source, tool: &'static Tool, options: &ReadOptions) -> Result<Source> {
    self::source(&source.path, Some(tool), options)
}

fn source(path: &Path, tool: Option<&'static Tool>, options: &ReadOptions) -> Result<Source> {
    let mut layout = if path.as_os_str() == "-" {
        Layout::of_text("-", standard_input()?)
    } else {
        Layout::at(path)?
    };
    if !layout.is_folder && layout.files.iter().all(layout::File::is_code) {
        return Err(none_in(&layout, None));
    }
    let is_said = tool.is_some();
    let (tool, look_alikes) = match tool {
        // It has the comments of the tool that it rehearsed, and the tool's own statements, too.
        _ if is_rehearsal(&layout) => (None, Vec::new()),
        Some(tool) => (Some(tool), Vec::new()),
        None => recognised(&layout)?,
    };
    let folder = tool.and_then(|tool| Some((tool, tool.folder.as_ref()?)));
    let mut migrations = match folder {
        Some((tool, folder)) => {
            let migrations = ordered::migrations(tool, folder, &layout)?;
            if !is_said {
                refuse_code_beside(&layout, &migrations)?;
            }
            migrations
        }
        None => {
            refuse_code_beside(&layout, &[])?;
            plain(&layout)?
        }
    };
    for migration in &mut migrations {
        let file = layout
            .files
            .iter()
            .find(|file| file.path == migration.script.file);
        migration.script.sender = sender(tool, file);
        include(&mut migration.script);
    }
    check_size(&layout, &migrations, options.limits)?;
    let code = tool.filter(|_| folder.is_none());
    if let Some(habit) = options.habit.or(code.map(|tool| tool.habit)) {
        migrations
            .iter_mut()
            .for_each(|migration| migration.script.habit = habit);
    }
    if migrations.is_empty() {
        return Err(none_in(&layout, tool));
    }
    if !layout.is_folder
        && migrations
            .iter()
            .all(|migration| is_empty(&migration.script) && !is_said_opaque(&migration.script.sql))
    {
        let what = if layout.name == "-" {
            "standard input".to_owned()
        } else {
            layout.name.clone()
        };
        return Err(Error::Usage(format!(
            "cannot look at {what}: it has no SQL statement; the command that makes it may have failed"
        )));
    }
    if folder.is_none() && layout.is_folder && options.habit.is_none() {
        layout.notes.push(format!(
            "no tool's layout: all {} files of {} count as pending, each statement by itself; say --tool NAME or \
             --transaction file",
            migrations.len(),
            layout.name
        ));
    }
    Ok(Source {
        path: path.to_owned(),
        tool,
        look_alikes,
        is_folder: layout.is_folder,
        migrations,
        notes: layout.notes,
    })
}

/// Whether it is the script of a rehearsal.
fn is_rehearsal(layout: &Layout) -> bool {
    let mut files = layout.files.iter();
    !layout.is_folder && files.any(|file| file.text.starts_with(HEADER))
}

/// Who sends the text of a file, and what is doubtful about it.
fn sender(tool: Option<&'static Tool>, file: Option<&layout::File>) -> Sender {
    let reading = tool.map_or(Reading::Psql, |tool| tool.reading);
    let name = tool
        .filter(|_| reading != Reading::Psql)
        .map(|tool| tool.name);
    let strips_mark = reading != Reading::Server || tool.is_some_and(|tool| tool.strips_mark);
    let text = file.map_or("", |file| file.text.as_str());
    Sender {
        tool: name,
        reading,
        puts_back: tool.map_or(&[], |tool| tool.puts_back),
        cut_after: tool
            .and_then(|tool| tool.keeps_together)
            .map_or_else(Vec::new, |marks| section::cuts(text, marks)),
        fills_in: has_comment(text, "+goose envsub on"),
        doubts: file.map_or_else(Vec::new, |file| {
            bytes::doubts(file, name.unwrap_or("psql"), strips_mark)
        }),
        ..Sender::default()
    }
}

/// Reads the files that psql includes, and those that they include.
fn include(script: &mut Script) {
    if script.sender.reading != Reading::Psql || !script.sql.contains("\\i") {
        return;
    }
    loop {
        let missing = missing_includes(script);
        if missing.is_empty() {
            return;
        }
        for path in missing {
            let text = match std::fs::read(&path).map(|bytes| layout::text_of(&bytes)) {
                Ok((text, layout::Encoding::Utf8 | layout::Encoding::Utf8WithMark)) => Ok(text),
                Ok(_) => Err("it is not UTF-8".to_owned()),
                Err(why) => Err(why.to_string()),
            };
            script.sender.included.insert(path, text);
        }
    }
}

fn standard_input() -> Result<(String, layout::Encoding)> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .map_err(|error| Error::File {
            what: "read",
            path: "standard input".to_owned(),
            why: error.to_string(),
        })?;
    Ok(layout::text_of(&bytes))
}

/// Whose layout it is, and whose it could be as well.
fn recognised(layout: &Layout) -> Result<(Option<&'static Tool>, Vec<&'static Tool>)> {
    let of = |likeness| {
        TOOLS
            .iter()
            .filter(move |tool| {
                tool.folder
                    .as_ref()
                    .is_some_and(|folder| (folder.recognised)(layout) == likeness)
            })
            .collect::<Vec<_>>()
    };
    let weaker = of(Likeness::Possible);
    for likeness in [Likeness::Marked, Likeness::Named] {
        match of(likeness).as_slice() {
            [] => {}
            [tool] => {
                return Ok((
                    Some(tool),
                    if likeness == Likeness::Marked {
                        Vec::new()
                    } else {
                        weaker
                    },
                ));
            }
            several => {
                let names: Vec<_> = several.iter().map(|tool| tool.name).collect();
                return Err(Error::Usage(format!(
                    "cannot tell which tool's migrations {} has: they look like those of {}; name it with --tool {}",
                    layout.name,
                    names.join(" and "),
                    several[0].word(),
                )));
            }
        }
    }
    Ok((None, weaker))
}

/// Files without a tool's mark: as psql would run them, by version and then by name.
fn plain(layout: &Layout) -> Result<Vec<Migration>> {
    if layout.is_folder {
        let deeper = layout
            .files
            .iter()
            .find(|file| file.name.contains('/') && file.is_sql());
        if let Some(deeper) = deeper {
            return Err(Error::Usage(format!(
                "cannot tell in which order {} runs: it has SQL in folders of its own ({}); name the folders or files, or say --tool",
                layout.name, deeper.name,
            )));
        }
    }
    let mut files: Vec<_> = layout
        .files
        .iter()
        .filter(|file| file.is_sql() || !layout.is_folder)
        .collect();
    files.sort_by_cached_key(|file| name::natural(&file.name));
    Ok(files
        .into_iter()
        .map(|file| Migration {
            id: file.name.clone(),
            checksum: None,
            script: Script::psql(file.path.clone(), file.text.clone()),
        })
        .collect())
}

fn none_in(layout: &Layout, tool: Option<&Tool>) -> Error {
    let path = &layout.name;
    let help = match tool {
        Some(Tool {
            name,
            folder: Some(folder),
            ..
        }) => format!("{name} expects {}", folder.expects),
        _ => frameworks::help(layout)
            .unwrap_or_else(|| "name the folder that holds the .sql files".to_owned()),
    };
    Error::Usage(format!(
        "cannot look at {path}: no SQL migration in it; {help}"
    ))
}

/// Some SQL lies next to migrations that are code: a dump of the schema, or a script that the code reads.
fn refuse_code_beside(layout: &Layout, migrations: &[Migration]) -> Result<()> {
    let is_read = |path: &str| migrations.iter().any(|m| m.script.file == path);
    let has_sql = layout.files.iter().any(layout::File::is_sql);
    let Some((file, help)) = frameworks::beside(layout, is_read).filter(|_| has_sql) else {
        return Ok(());
    };
    Err(Error::Usage(format!(
        "cannot judge {} by its SQL alone, it also has {file} (or name the .sql files themselves): {help}",
        layout.name
    )))
}

/// Whether a text says of itself that SQL cannot show what it does.
fn is_said_opaque(sql: &str) -> bool {
    sql.contains(super::statement::NOT_AS_SQL)
}

#[cfg(test)]
mod tests;
