//! The files of a source, read once: what the tools' rows look at.

use crate::error::{Error, Result};
use std::cell::OnceCell;
use std::path::{Path, PathBuf};

/// A file, a folder with its files, or a text.
#[derive(Debug)]
pub struct Layout {
    /// As it was named.
    pub name: String,
    /// The folder that names are relative to.
    pub root: PathBuf,
    /// Whether a folder was named.
    pub is_folder: bool,
    /// In no particular order.
    pub files: Vec<File>,
    /// Worth telling the user.
    pub notes: Vec<String>,
    /// The manifests of its project, lower case.
    manifests: OnceCell<String>,
}

/// One file.
#[derive(Debug, Clone)]
pub struct File {
    /// Relative to the root, with `/`.
    pub name: String,
    /// As the user would name it.
    pub path: String,
    /// Its text; empty for code.
    pub text: String,
    /// How it was written.
    pub encoding: Encoding,
}

/// How a text was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// As the server expects it.
    #[default]
    Utf8,
    /// With a byte order mark before it.
    Utf8WithMark,
    /// With its byte order mark.
    Utf16,
    /// Bytes that are not UTF-8: each is taken for a character.
    Other,
}

impl File {
    /// Whether it is SQL by its name.
    pub fn is_sql(&self) -> bool {
        self.name.to_ascii_lowercase().ends_with(".sql")
    }

    /// Whether it is code by its name.
    pub fn is_code(&self) -> bool {
        self.name
            .rsplit_once('.')
            .is_some_and(|(_, end)| CODE.contains(&end))
    }
}

/// How deep a folder is read: Flyway's and Liquibase's may have folders in them.
const DEPTH: usize = 5;

/// Files whose text is read. Others are only known by name.
const READ: &[&str] = &["sql"];

/// Code that could be a migration.
const CODE: &[&str] = &[
    "js", "ts", "cjs", "mjs", "go", "rs", "rb", "py", "exs", "php", "cs", "java", "xml", "yaml",
    "yml",
];

/// A file that each migration folder of its tool has: the folder is its name.
const IN_A_FOLDER: &[&str] = &["up.sql", "down.sql", "migration.sql"];

impl Layout {
    /// A text without a file.
    pub fn of_text(name: &str, (text, encoding): (String, Encoding)) -> Self {
        let file = File {
            name: name.to_owned(),
            path: name.to_owned(),
            text,
            encoding,
        };
        Self::new(name.to_owned(), PathBuf::new(), false, vec![file])
    }

    /// What is at a path.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn at(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let kind = std::fs::metadata(path).map_err(|error| cannot_read(path, &error))?;
        if kind.is_dir() {
            let root = sqitch_root(path);
            let mut files = Vec::new();
            walk(&root, "", DEPTH, &mut files)?;
            return Ok(Self::new(name, root, true, files));
        }
        let (text, encoding) =
            text_of(&std::fs::read(path).map_err(|error| cannot_read(path, &error))?);
        let file_name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let (root, relative) = match folder.file_name() {
            Some(parent) if IN_A_FOLDER.contains(&file_name.as_str()) => (
                folder.parent().unwrap_or(Path::new("")).to_owned(),
                format!("{}/{file_name}", parent.to_string_lossy()),
            ),
            _ => (folder, file_name),
        };
        Ok(Self::new(
            name.clone(),
            root,
            false,
            vec![File {
                name: relative,
                path: name,
                text,
                encoding,
            }],
        ))
    }

    const fn new(name: String, root: PathBuf, is_folder: bool, files: Vec<File>) -> Self {
        Self {
            name,
            root,
            is_folder,
            files,
            notes: Vec::new(),
            manifests: OnceCell::new(),
        }
    }

    /// Whether a file or folder of this name stands beside the migrations.
    pub fn has(&self, name: &str) -> bool {
        self.name != "-" && self.root.join(name).exists()
    }

    /// The text of a file beside the migrations.
    pub fn text(&self, name: &str) -> Option<String> {
        if self.name == "-" {
            None
        } else {
            std::fs::read(self.root.join(name))
                .ok()
                .map(|bytes| text_of(&bytes).0)
        }
    }

    /// The file of this name.
    pub fn file(&self, name: &str) -> Option<&File> {
        self.files.iter().find(|file| file.name == name)
    }

    /// Whether a manifest (Cargo.toml, go.mod, package.json) nearest to the folder, at most two above it, names a library.
    pub fn project_uses(&self, library: &str) -> bool {
        self.manifests
            .get_or_init(|| self.read_manifests())
            .contains(library)
    }

    fn read_manifests(&self) -> String {
        if self.name == "-" {
            return String::new();
        }
        let root = std::path::absolute(&self.root).unwrap_or_else(|_| self.root.clone());
        let names = [
            "Cargo.toml",
            "go.mod",
            "package.json",
            "pom.xml",
            "build.gradle",
        ];
        let of = |folder: &Path| -> String {
            let read = |name| std::fs::read_to_string(folder.join(name)).ok();
            names.into_iter().filter_map(read).collect()
        };
        let nearest = root
            .ancestors()
            .take(3)
            .map(of)
            .find(|text| !text.is_empty());
        nearest.unwrap_or_default().to_ascii_lowercase()
    }
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Error {
    Error::File {
        what: "read",
        path: path.display().to_string(),
        why: error.to_string(),
    }
}

fn walk(folder: &Path, prefix: &str, depth: usize, files: &mut Vec<File>) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(|error| cannot_read(folder, &error))? {
        let entry = entry.map_err(|error| cannot_read(folder, &error))?;
        let (path, own) = (
            entry.path(),
            entry.file_name().to_string_lossy().into_owned(),
        );
        if own.starts_with('.') || own == "node_modules" {
            continue;
        }
        let name = format!("{prefix}{own}");
        // Follows symbolic links, as the tools do.
        if path.is_dir() {
            if depth > 0 {
                walk(&path, &format!("{name}/"), depth - 1, files)?;
            }
            continue;
        }
        let extension = path
            .extension()
            .map(|end| end.to_string_lossy().to_ascii_lowercase())
            .unwrap_or_default();
        let (text, encoding) = if READ.contains(&extension.as_str()) {
            text_of(&std::fs::read(&path).map_err(|error| cannot_read(&path, &error))?)
        } else if CODE.contains(&extension.as_str()) {
            Default::default()
        } else {
            continue;
        };
        files.push(File {
            name,
            path: path.display().to_string(),
            text,
            encoding,
        });
    }
    Ok(())
}

/// Sqitch's project: the folder that has the plan, also when its `deploy` or the folder of sqitch.conf was named.
fn sqitch_root(path: &Path) -> PathBuf {
    if path.file_name().is_some_and(|name| name == "deploy")
        && let Some(parent) = path
            .parent()
            .filter(|parent| parent.join("sqitch.plan").exists())
    {
        return parent.to_owned();
    }
    let conf = std::fs::read_to_string(path.join("sqitch.conf")).unwrap_or_default();
    let top = conf
        .lines()
        .filter_map(|line| line.split_once('='))
        .find(|(key, _)| key.trim() == "top_dir");
    top.map(|(_, folder)| path.join(folder.trim()))
        .filter(|root| root.is_dir())
        .unwrap_or_else(|| path.to_owned())
}

/// The text of a file, whatever its encoding: UTF-8, UTF-16 where a byte order mark says so (a shell on Windows
/// writes it), and else Latin-1, where each byte is a character and none is lost.
pub fn text_of(bytes: &[u8]) -> (String, Encoding) {
    let wide = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes
            .chunks_exact(2)
            .map(|pair| read([pair[0], pair[1]]))
            .collect();
        (String::from_utf16_lossy(&units), Encoding::Utf16)
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => match text_of(rest) {
            (text, Encoding::Utf8) => (text, Encoding::Utf8WithMark),
            other => other,
        },
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => (text.to_owned(), Encoding::Utf8),
            Err(_) => (
                bytes.iter().map(|byte| char::from(*byte)).collect(),
                Encoding::Other,
            ),
        },
    }
}
