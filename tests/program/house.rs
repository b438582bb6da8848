//! The map of the house, held against the code: which file imports which.
//!
//! Read from the source as text. A path through a room's `pub use` counts as the file that it leads to; `mod` lines
//! and re-exports are no imports, and unit tests do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module's path in the crate, such as `gate/waits/rows`; the crate itself: the empty one.
type Module = Vec<String>;

/// One file of the library.
struct File {
    module: Module,
    /// Each path that its code names, begun at the crate.
    paths: BTreeSet<Vec<String>>,
    /// What it passes on under a name of its own.
    passes_on: BTreeMap<String, Vec<String>>,
}

struct House {
    files: BTreeMap<Module, File>,
}

impl House {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut paths = Vec::new();
        collect(&root, &mut paths);
        let files = paths
            .iter()
            .filter_map(|path| {
                let module = module_of(path.strip_prefix(&root).expect("below src"))?;
                let text = fs::read_to_string(path).expect("a source file");
                Some((module.clone(), File::of(module, &text)))
            })
            .collect();
        Self { files }
    }

    /// The file that a path leads to, through what others pass on.
    fn leads_to(&self, path: &[String]) -> Option<&Module> {
        let mut path = path.to_vec();
        // A chain of re-exports is short; a ring of them would not compile.
        for _ in 0..16 {
            let depth = (0..=path.len())
                .rev()
                .find(|n| self.files.contains_key(&path[..*n]))?;
            let (module, file) = self.files.get_key_value(&path[..depth])?;
            match path.get(depth).and_then(|name| file.passes_on.get(name)) {
                Some(onward) => {
                    path = onward.iter().chain(&path[depth + 1..]).cloned().collect();
                }
                None => return Some(module),
            }
        }
        None
    }

    fn imports(&self, file: &File) -> BTreeSet<&Module> {
        file.paths
            .iter()
            .filter_map(|path| self.leads_to(path))
            .filter(|module| **module != file.module)
            .collect()
    }

    /// Groups of files that reach each other.
    fn circles(&self) -> Vec<Vec<String>> {
        let arrows: BTreeMap<&Module, BTreeSet<&Module>> = self
            .files
            .iter()
            .map(|(module, file)| (module, self.imports(file)))
            .collect();
        let reached: BTreeMap<&Module, BTreeSet<&Module>> = arrows
            .keys()
            .map(|module| (*module, reached_from(module, &arrows)))
            .collect();
        let mut circles = BTreeSet::new();
        for (module, seen) in &reached {
            if seen.contains(module) {
                let circle: Vec<String> = seen
                    .iter()
                    .filter(|other| reached[**other].contains(module))
                    .map(|other| other.join("/"))
                    .collect();
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }
}

impl File {
    fn of(module: Module, text: &str) -> Self {
        let code = code_of(text);
        let mut file = Self {
            module,
            paths: BTreeSet::new(),
            passes_on: BTreeMap::new(),
        };
        let mut rest = String::new();

        for statement in code.split_inclusive(';') {
            match use_tree(statement) {
                Some((is_public, tree)) => file.take_use(is_public, tree),
                None => rest.push_str(statement),
            }
        }
        file.take_paths(&rest);
        file
    }

    fn take_use(&mut self, is_public: bool, tree: &str) {
        for (path, name) in leaves(tree.trim().trim_end_matches(';')) {
            let Some(path) = self.absolute(&path) else {
                continue;
            };
            if is_public {
                self.passes_on.insert(name, path);
            } else {
                self.paths.insert(path);
            }
        }
    }

    /// Paths that the code names without a `use`.
    fn take_paths(&mut self, code: &str) {
        for word in code.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')) {
            let parts: Vec<String> = word.split("::").map(str::to_owned).collect();
            if parts.len() > 1
                && let Some(path) = self.absolute(&parts)
            {
                self.paths.insert(path);
            }
        }
    }

    /// A path begun at the crate; `None`: another crate's, or a name that is imported.
    fn absolute(&self, path: &[String]) -> Option<Vec<String>> {
        let mut base = self.module.clone();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => base.clear(),
            "self" => {}
            "super" => {
                base.pop()?;
            }
            _ => return self.is_room(path).then(|| [base, path.to_vec()].concat()),
        }
        rest = &rest[1..];
        while rest.first().is_some_and(|part| part == "super") {
            base.pop()?;
            rest = &rest[1..];
        }
        Some(base.into_iter().chain(rest.iter().cloned()).collect())
    }

    /// Whether a bare path begins at a module below this one, as `pub use place::Place` does.
    fn is_room(&self, path: &[String]) -> bool {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let below = self
            .module
            .iter()
            .chain(path.first())
            .fold(root, |folder, part| folder.join(part));
        below.is_dir() || below.with_extension("rs").is_file()
    }
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            paths.push(path);
        }
    }
}

/// `None`: a file of unit tests, or the program's door.
fn module_of(path: &Path) -> Option<Module> {
    let mut module: Module = path
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if module
        .last()
        .is_some_and(|name| name.ends_with("tests") || name == "main")
    {
        return None;
    }
    if module
        .last()
        .is_some_and(|name| name == "mod" || name == "lib")
    {
        module.pop();
    }
    Some(module)
}

/// The text without comments, without what only tests see.
fn code_of(text: &str) -> String {
    let text = text
        .find("#[cfg(test)]\nmod tests {")
        .map_or(text, |at| &text[..at]);
    text.lines()
        .map(|line| line.find("//").map_or(line, |at| &line[..at]))
        .filter(|line| {
            !line.trim_start().starts_with("pub mod ") && !line.trim_start().starts_with("mod ")
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// The tree of a `use` at the end of a stretch of code, and whether it is passed on.
fn use_tree(statement: &str) -> Option<(bool, &str)> {
    let line = statement
        .rmatch_indices("use ")
        .map(|(at, _)| at)
        .find(|at| {
            let before = statement[..*at].rsplit('\n').next().unwrap_or("");
            before.trim().is_empty() || before.trim().starts_with("pub")
        })?;
    let before = statement[..line].rsplit('\n').next().unwrap_or("");
    Some((before.trim().starts_with("pub"), &statement[line + 4..]))
}

/// Each path of a tree of imports, with the name that it gets.
fn leaves(tree: &str) -> Vec<(Vec<String>, String)> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let (path, name) = tree.split_once(" as ").unwrap_or((tree, ""));
        let mut path: Vec<String> = path
            .trim()
            .split("::")
            .map(|part| part.trim().to_owned())
            .collect();
        if path.len() > 1 && path.last().is_some_and(|part| part == "self") {
            path.pop();
        }
        let own = path.last().cloned().unwrap_or_default();
        let name = if name.is_empty() {
            own
        } else {
            name.trim().to_owned()
        };
        return vec![(path, name)];
    };
    let close = tree.rfind('}').expect("a closed list of imports");
    parts(&tree[open + 1..close])
        .iter()
        .flat_map(|part| leaves(&format!("{}{}", &tree[..open], part.trim())))
        .collect()
}

/// The parts of a list, split at its own commas.
fn parts(list: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, sign) in list.char_indices() {
        match sign {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

fn reached_from<'a>(
    start: &Module,
    arrows: &BTreeMap<&'a Module, BTreeSet<&'a Module>>,
) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&Module> = arrows[start].iter().copied().collect();
    while let Some(module) = open.pop() {
        if reached.insert(module) {
            open.extend(arrows[module].iter().copied());
        }
    }
    reached
}

/// The rooms of the table in `lib.rs`, each with those that it may use. Its last row may use everything.
fn map() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs"))
        .expect("lib.rs");
    text.lines()
        .filter_map(|line| {
            line.strip_prefix("//! | ")?
                .trim_start_matches('[')
                .strip_prefix('`')
        })
        .map(|row| {
            let (room, row) = row.split_once('`').expect("the name of a room");
            let may_use = row
                .trim_end()
                .trim_end_matches('|')
                .rsplit('|')
                .next()
                .unwrap_or("");
            let rooms = may_use.split('`').skip(1).step_by(2).map(str::to_owned);
            let rooms = rooms.chain(may_use.contains("everything").then(|| "*".to_owned()));
            (room.to_owned(), rooms.collect())
        })
        .collect()
}

/// The floors that a room's own documentation lists, from the ground up: files and folders of the room.
fn floors(room: &Module) -> Vec<BTreeSet<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src")
        .join(room.join("/"))
        .join("mod.rs");
    let text = fs::read_to_string(path).expect("a room");
    let mut floors: Vec<BTreeSet<String>> = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("//! ")) {
        let begins = line.starts_with(|c: char| c.is_ascii_digit());
        if begins {
            floors.push(BTreeSet::new());
        }
        if let Some(floor) = floors
            .last_mut()
            .filter(|_| begins || line.starts_with("   "))
        {
            floor.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    floors
}

#[test]
fn a_file_of_a_room_with_floors_imports_nothing_from_above() {
    let house = House::read();
    let mut wrong = BTreeSet::new();
    for room in ["gate", "migration/footprint"] {
        let room: Module = room.split('/').map(str::to_owned).collect();
        let floors = floors(&room);
        let floor_of = |module: &Module| {
            let name = module.get(room.len())?;
            floors.iter().position(|floor| floor.contains(name))
        };
        for file in house.files.values() {
            if !file.module.starts_with(&room) || file.module == room {
                continue;
            }
            let shown = file.module.join("/");
            let Some(floor) = floor_of(&file.module) else {
                wrong.insert(format!("{shown} is on no floor"));
                continue;
            };
            for import in house.imports(file) {
                if import.starts_with(&room) && floor_of(import).is_none_or(|other| other > floor) {
                    wrong.insert(format!("{shown} -> {}", import.join("/")));
                }
            }
        }
        for name in floors.iter().flatten() {
            let module: Module = room.iter().chain([name]).cloned().collect();
            if !house.files.contains_key(&module) {
                wrong.insert(format!("{} is no file", module.join("/")));
            }
        }
    }
    assert!(wrong.is_empty(), "against the floors: {wrong:#?}");
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let circles = House::read().circles();
    assert!(circles.is_empty(), "circles of files: {circles:#?}");
}

#[test]
fn a_room_uses_only_what_the_map_allows() {
    let (house, map) = (House::read(), map());
    let mut wrong = BTreeSet::new();
    for file in house.files.values() {
        let Some(may_use) = file.module.first().and_then(|room| map.get(room)) else {
            continue;
        };
        for import in house.imports(file) {
            let Some(room) = import.first() else { continue };
            let is_allowed =
                room == &file.module[0] || may_use.contains(room) || may_use.contains("*");
            if !is_allowed && map.contains_key(room) {
                wrong.insert(format!("{} -> {}", file.module.join("/"), import.join("/")));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "the map in lib.rs does not allow: {wrong:#?}"
    );
}
