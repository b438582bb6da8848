//! The migrations of a folder, in the order that its tool runs them, and how it runs each.

use super::{formatted, migration::Migration, section};
use crate::error::{Error, Result};
use crate::migration::scan::words;
use crate::migration::script::{Script, Sender, TransactionHabit};
use crate::migration::split::pieces;
use crate::migration::statement::NOT_AS_SQL;
use crate::tools::comment::has_comment;
use crate::tools::folder::{Files, Folder};
use crate::tools::layout::{File, Layout};
use crate::tools::name::Named;
use crate::tools::{Tool, crc32};

/// The migrations of a layout.
///
/// # Errors
/// A file that a list names and that is not there; one without the mark that the tool needs.
pub fn migrations(tool: &Tool, folder: &Folder, layout: &Layout) -> Result<Vec<Migration>> {
    let reader = Reader {
        tool,
        folder,
        layout,
    };
    match folder.files {
        // A file that was named is read, whatever its name says.
        Files::Named(_) | Files::Listed(_) if !layout.is_folder => layout
            .files
            .iter()
            .map(|file| reader.migration(file, &reader.id_of(file)))
            .collect(),
        Files::Named(named) => reader.by_name(named),
        Files::Listed(list) => list(layout)?
            .into_iter()
            .map(|(id, name)| reader.listed(&id, &name))
            .collect(),
        Files::Changesets => Ok(changesets(layout)),
    }
}

fn changesets(layout: &Layout) -> Vec<Migration> {
    let files = layout.files.iter();
    let mut files: Vec<&File> = files
        .filter(|file| file.is_sql() || !layout.is_folder)
        .collect();
    files.sort_by(|one, other| one.name.cmp(&other.name));
    files.into_iter().flat_map(formatted::changesets).collect()
}

/// One tool's layout as it is read.
struct Reader<'a> {
    tool: &'a Tool,
    folder: &'a Folder,
    layout: &'a Layout,
}

impl Reader<'_> {
    fn by_name(&self, named: fn(&str) -> Option<Named>) -> Result<Vec<Migration>> {
        let files = self.layout.files.iter();
        let mut found: Vec<_> = files
            .filter_map(|file| Some((self.named_file(file, named)?, file)))
            .collect();
        found.sort_by(|(one, a), (other, b)| (&one.order, &a.name).cmp(&(&other.order, &b.name)));
        found
            .into_iter()
            .map(|(named, file)| self.migration(file, &named.id))
            .collect()
    }

    fn listed(&self, id: &str, name: &str) -> Result<Migration> {
        let file = self.layout.file(name).ok_or_else(|| Error::File {
            what: "read",
            path: self.layout.root.join(name).display().to_string(),
            why: format!("{} lists it, but it is not there", self.tool.name),
        })?;
        self.migration(file, id)
    }

    fn id_of(&self, file: &File) -> String {
        let named = match self.folder.files {
            Files::Named(named) => named(&file.name),
            _ => None,
        };
        named.map_or_else(|| file.name.clone(), |named| named.id)
    }

    /// A migration by its name: SQL, or code of a kind that the tool runs too.
    fn named_file(&self, file: &File, named: fn(&str) -> Option<Named>) -> Option<Named> {
        let (stem, extension) = file.name.rsplit_once('.')?;
        if self.folder.code.contains(&extension) {
            named(&format!("{stem}.sql"))
        } else {
            named(&file.name).filter(|_| file.is_sql())
        }
    }

    fn migration(&self, file: &File, id: &str) -> Result<Migration> {
        let repeats = id.starts_with("R ");
        Ok(Migration {
            id: id.to_owned(),
            checksum: repeats.then(|| flyway_checksum(&file.text)),
            script: Script {
                file: file.path.clone(),
                sql: self.sql(file)?,
                first_line: 1,
                habit: self.habit(file),
                sender: Sender::default(),
            },
        })
    }

    /// The part of a file that goes up; of code, a comment that says so.
    fn sql(&self, file: &File) -> Result<String> {
        let (name, marks) = (self.tool.name, &self.folder.marks);
        if !file.is_sql() && self.layout.is_folder {
            return Ok(format!("-- {NOT_AS_SQL}: this migration of {name} is code"));
        }
        section::up(&file.text, marks).ok_or_else(|| Error::Sql {
            file: file.path.clone(),
            line: 1,
            why: format!("{name} needs a comment that begins with `{}`", marks.up),
        })
    }

    fn habit(&self, file: &File) -> TransactionHabit {
        let folder = self.folder;
        let own = folder.own_habit.and_then(|own| own(self.layout, file));
        let opts_out = |mark: &str| has_comment(&file.text, mark);
        let opted_out = folder.opt_out.filter(|(mark, _)| opts_out(mark));
        let alone = folder.runs_alone && has_one_that_runs_alone(&file.text);
        own.or(opted_out.map(|(_, habit)| habit))
            .or(alone.then_some(TransactionHabit::PerStatement))
            .unwrap_or(self.tool.habit)
    }
}

/// Whether a text has a statement that cannot run in a transaction, as Flyway sees it.
fn has_one_that_runs_alone(text: &str) -> bool {
    pieces(text).iter().any(|piece| {
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
    })
}

/// Flyway's checksum of a file: CRC-32 over its lines without their ends, as a signed number (ChecksumCalculator.java).
pub(super) fn flyway_checksum(text: &str) -> String {
    let text = text.trim_start_matches('\u{feff}');
    let bytes: Vec<u8> = text.lines().flat_map(str::bytes).collect();
    crc32(&bytes).cast_signed().to_string()
}
