//! Projects of real frameworks (`tests/projects`), each with a server's address, user and password fixed in its
//! configuration. A step has migrations: `all` kinds of them, only `one`, one that `fails`, one that reads `rows`.

use super::{Database, migration_tools};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

/// A framework, and how a deploy migrates with it.
pub struct Project {
    /// The name of its folder.
    pub name: &'static str,
    /// The command.
    pub migrate: &'static [&'static str],
    /// Whether its migrations may be code, which can read rows.
    pub is_code: bool,
}

/// All of them.
pub const PROJECTS: &[Project] = &[
    code("rails", &["bin/rails", "db:migrate"]),
    code("django", &["python3", "manage.py", "migrate"]),
    code(
        "alembic",
        &["python3", "-m", "alembic.config", "upgrade", "head"],
    ),
    code("flask", &["python3", "-m", "flask", "db", "upgrade"]),
    code("knex", &["knex", "migrate:latest"]),
    code(
        "node-pg-migrate",
        &["node-pg-migrate", "up", "--config-file", "config.json"],
    ),
    code("sequelize", &["sequelize-cli", "db:migrate"]),
    code(
        "typeorm",
        &["typeorm", "migration:run", "-d", "data-source.js"],
    ),
    plain("drizzle", &["drizzle-kit", "migrate"]),
    plain("dbmate", &["dbmate", "--no-dump-schema", "up"]),
    plain("sqlx", &["sqlx", "migrate", "run"]),
    plain("diesel", &["diesel", "migration", "run"]),
];

const fn code(name: &'static str, migrate: &'static [&'static str]) -> Project {
    Project {
        name,
        migrate,
        is_code: true,
    }
}

const fn plain(name: &'static str, migrate: &'static [&'static str]) -> Project {
    Project {
        name,
        migrate,
        is_code: false,
    }
}

/// What a project's configuration says.
pub struct Address {
    pub port: u16,
    pub user: String,
    pub password: String,
    pub database: String,
}

impl Address {
    /// A database's, over TCP, as the superuser.
    pub fn of(shop: &Database) -> Self {
        Self {
            port: shop.server.port(),
            user: "postgres".into(),
            password: shop.server.password().to_owned(),
            database: shop.name.clone(),
        }
    }
}

/// A project laid out in a folder of its own.
pub struct LaidOut {
    pub folder: TempDir,
    pub command: Vec<String>,
    tools: PathBuf,
}

/// The projects that can be tried here. One whose framework is missing is skipped, and that is said.
pub fn projects() -> Vec<&'static Project> {
    let Some(tools) = migration_tools() else {
        return Vec::new();
    };
    PROJECTS.iter().filter(|one| one.is_here(&tools)).collect()
}

/// One of them by its name; `None`: its framework is missing.
pub fn project(name: &str) -> Option<&'static Project> {
    projects().into_iter().find(|one| one.name == name)
}

impl Project {
    fn is_here(&self, tools: &Path) -> bool {
        static RAILS: OnceLock<bool> = OnceLock::new();
        let is_here = match self.name {
            "rails" => *RAILS.get_or_init(has_rails),
            // Compiled by cargo install, which ./dev does not: minutes for each.
            program @ ("sqlx" | "diesel") => answers(program),
            _ => tools.is_dir(),
        };
        if !is_here {
            println!("skipped: {} is not here (./dev setup)", self.name);
        }
        is_here
    }

    /// With the migrations of a step, and this address in its configuration.
    pub fn laid_out(&self, step: &str, address: &Address) -> LaidOut {
        let folder = tempfile::tempdir_in("/tmp").expect("a folder");
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/projects")
            .join(self.name);
        copy(&source, folder.path(), address);
        // Flask-Migrate runs Alembic's files.
        let steps = match self.name {
            "flask" => source.with_file_name("alembic"),
            _ => source,
        };
        copy(&steps.join("steps").join(step), folder.path(), address);
        LaidOut {
            folder,
            command: self.migrate.iter().map(|word| (*word).to_owned()).collect(),
            tools: migration_tools().expect("a folder with tools"),
        }
    }
}

/// Whether a program is on the PATH.
fn answers(program: &str) -> bool {
    let mut command = Command::new(program);
    let asked = command.arg("--version").stdin(Stdio::null());
    asked.stdout(Stdio::null()).status().is_ok()
}

/// Debian's Rails, without its metapackage.
fn has_rails() -> bool {
    let asked = Command::new("ruby")
        .args([
            "-e",
            "require 'rails'; require 'active_record/railtie'; require 'pg'",
        ])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

/// Copies what is in a folder, but for its steps.
fn copy(from: &Path, to: &Path, address: &Address) {
    for entry in fs::read_dir(from).unwrap_or_else(|why| panic!("{}: {why}", from.display())) {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.ends_with("steps") {
            continue;
        }
        if path.is_dir() {
            fs::create_dir_all(&target).expect("made");
            copy(&path, &target, address);
        } else {
            let text = fs::read_to_string(&path).expect("text");
            fs::write(&target, filled(&text, address)).expect("written");
            let mode = fs::metadata(&path).expect("there").permissions();
            fs::set_permissions(&target, mode).expect("set");
        }
    }
}

fn filled(text: &str, address: &Address) -> String {
    text.replace("{host}", "127.0.0.1")
        .replace("{port}", &address.port.to_string())
        .replace("{user}", &address.user)
        .replace("{password}", &address.password)
        .replace("{database}", &address.database)
}

impl LaidOut {
    /// Puts a command of pgguard's into the project: its folder, and where its framework is found. The project's own
    /// command comes last.
    pub fn with_command(&self, command: &mut Command) {
        self.enter(command);
        command.arg("--").args(&self.command);
    }

    /// The project's own command, without pgguard.
    pub fn alone(&self) -> Command {
        let mut command = Command::new(self.program());
        command.args(&self.command[1..]);
        self.enter(&mut command);
        command
    }

    fn program(&self) -> PathBuf {
        let own = self.folder.path().join(&self.command[0]);
        let node = self
            .tools
            .join("node/node_modules/.bin")
            .join(&self.command[0]);
        [own, node]
            .into_iter()
            .find(|path| path.exists())
            .unwrap_or_else(|| PathBuf::from(&self.command[0]))
    }

    fn enter(&self, command: &mut Command) {
        let node = self.tools.join("node/node_modules");
        let path = std::env::var("PATH").unwrap_or_default();
        let python = format!(
            "{}:{}",
            self.tools.join("python").display(),
            self.folder.path().display()
        );
        command
            .current_dir(self.folder.path())
            .env("RAILS_ENV", "production")
            .env("PYTHONPATH", python)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PATH", format!("{}:{path}", node.join(".bin").display()))
            .env("NODE_PATH", node);
    }
}
