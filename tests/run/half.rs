//! Real tools whose migration is no transaction, killed at its worst moment.

use crate::common;
use crate::stage::Stage;
use nix::sys::signal::Signal;
use std::fs;
use std::process::Command;

/// A tool: the files of a project that adds the column `total`, and the command that migrates it.
struct Project {
    name: &'static str,
    files: &'static [(&'static str, &'static str)],
    command: &'static [&'static str],
}

const PROJECTS: &[Project] = &[
    Project {
        name: "Django",
        files: &[
            (
                "manage.py",
                "import os\nfrom django.core.management import execute_from_command_line\nimport sys\nos.environ['DJANGO_SETTINGS_MODULE'] = 'settings'\nexecute_from_command_line(sys.argv)\n",
            ),
            (
                "settings.py",
                "import os\nSECRET_KEY = 'x'\nINSTALLED_APPS = ['shop']\nDATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'HOST': os.environ['PGHOST'], 'PORT': os.environ['PGPORT'], 'USER': os.environ['PGUSER'], 'NAME': os.environ['PGDATABASE']}}\n",
            ),
            ("shop/__init__.py", ""),
            ("shop/migrations/__init__.py", ""),
            (
                "shop/migrations/0001_total.py",
                "from django.db import migrations\nclass Migration(migrations.Migration):\n    operations = [migrations.RunSQL('ALTER TABLE orders ADD COLUMN total int')]\n",
            ),
        ],
        command: &["python3", "manage.py", "migrate"],
    },
    Project {
        name: "Alembic",
        files: &[
            ("alembic.ini", "[alembic]\nscript_location = alembic\n"),
            (
                "alembic/env.py",
                "import os\nfrom alembic import context\nfrom sqlalchemy import create_engine\nengine = create_engine('postgresql+psycopg://')\nwith engine.connect() as connection:\n    context.configure(connection=connection)\n    with context.begin_transaction():\n        context.run_migrations()\n",
            ),
            ("alembic/script.py.mako", ""),
            (
                "alembic/versions/1_total.py",
                "from alembic import op\nrevision = '1'\ndown_revision = None\ndef upgrade():\n    op.execute('ALTER TABLE orders ADD COLUMN total int')\n",
            ),
        ],
        command: &["python3", "-m", "alembic.config", "upgrade", "head"],
    },
    Project {
        name: "Knex",
        files: &[
            (
                "knexfile.js",
                "module.exports = { client: 'pg', connection: { host: process.env.PGHOST, port: +process.env.PGPORT, user: process.env.PGUSER, database: process.env.PGDATABASE } };\n",
            ),
            (
                "migrations/20260101000000_total.js",
                "exports.up = (knex) => knex.raw('ALTER TABLE orders ADD COLUMN total int');\nexports.down = () => {};\n",
            ),
        ],
        command: &["knex", "migrate:latest"],
    },
    Project {
        name: "node-pg-migrate",
        files: &[(
            "migrations/1700000000000_total.sql",
            "-- Up Migration\nALTER TABLE orders ADD COLUMN total int;\n-- Down Migration\n",
        )],
        command: &["node-pg-migrate", "up"],
    },
];

impl Project {
    fn write(&self, stage: &Stage) {
        for (name, text) in self.files {
            let path = stage.path(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
    }

    /// pgguard run with these flags on it.
    fn run(&self, stage: &Stage, tools: &std::path::Path, flags: &[&str]) -> Command {
        let mut words = vec!["run"];
        words.extend(flags);
        words.push("--");
        words.extend(self.command);
        let mut command = stage.command(words);
        in_surroundings(&mut command, stage, tools);
        command
    }
}

fn in_surroundings(command: &mut Command, stage: &Stage, tools: &std::path::Path) {
    let node = tools.join("node/node_modules");
    let path = format!(
        "{}:{}",
        node.join(".bin").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    command
        .current_dir(stage.folder.path())
        .env(
            "PYTHONPATH",
            format!(
                "{}:{}",
                tools.join("python").display(),
                stage.folder.path().display()
            ),
        )
        .env("NODE_PATH", node)
        .env("PATH", path)
        .env("PGDATABASE", &stage.shop.name)
        .envs(stage.shop.server.env());
    command.env("PGDATABASE", &stage.shop.name);
}

/// Projects whose migration is no transaction: killed at its worst moment, between two statements, the first one is
/// there and recorded nowhere. Then how the tool is told that the migration is applied.
const HALF: &[(Project, &str, &[&str])] = &[
    (
        Project {
            name: "Django",
            files: &[
                PROJECTS[0].files[0],
                PROJECTS[0].files[1],
                ("shop/__init__.py", ""),
                ("shop/migrations/__init__.py", ""),
                (
                    "shop/migrations/0001_total.py",
                    "from django.db import migrations\nclass Migration(migrations.Migration):\n    atomic = False\n    operations = [migrations.RunSQL('CREATE TABLE first (id int)'), migrations.RunSQL('ALTER TABLE orders ADD COLUMN total int')]\n",
                ),
            ],
            command: PROJECTS[0].command,
        },
        "python manage.py migrate APP NAME --fake",
        &[
            "python3",
            "manage.py",
            "migrate",
            "shop",
            "0001_total",
            "--fake",
        ],
    ),
    (
        Project {
            name: "Alembic",
            files: &[
                PROJECTS[1].files[0],
                PROJECTS[1].files[1],
                ("alembic/script.py.mako", ""),
                (
                    "alembic/versions/1_total.py",
                    "from alembic import op\nrevision = '1'\ndown_revision = None\ndef upgrade():\n    with op.get_context().autocommit_block():\n        op.execute('CREATE TABLE first (id int)')\n        op.execute('ALTER TABLE orders ADD COLUMN total int')\n",
                ),
            ],
            command: PROJECTS[1].command,
        },
        "alembic stamp REVISION",
        &["python3", "-m", "alembic.config", "stamp", "1"],
    ),
    (
        Project {
            name: "node-pg-migrate",
            files: &[(
                "migrations/1700000000000_total.js",
                "exports.up = (pgm) => { pgm.noTransaction(); pgm.sql('CREATE TABLE first (id int)'); pgm.sql('ALTER TABLE orders ADD COLUMN total int'); };\nexports.down = false;\n",
            )],
            command: PROJECTS[3].command,
        },
        "npx node-pg-migrate up 1 --fake",
        &["node-pg-migrate", "up", "1", "--fake"],
    ),
    (
        Project {
            name: "Knex",
            files: &[
                PROJECTS[2].files[0],
                (
                    "migrations/20260101000000_total.js",
                    "exports.config = { transaction: false };\nexports.up = async (knex) => { await knex.raw('CREATE TABLE first (id int)'); await knex.raw('ALTER TABLE orders ADD COLUMN total int'); };\nexports.down = () => {};\n",
                ),
            ],
            command: PROJECTS[2].command,
        },
        "INSERT INTO knex_migrations (name, batch, migration_time)",
        &["knex", "migrate:unlock"],
    ),
];

#[test]
fn killed_between_two_statements_a_tool_is_told_by_its_own_command_what_is_applied() {
    let Some(tools) = common::migration_tools() else {
        return;
    };
    for (project, told, mark) in HALF {
        let name = project.name;
        let stage = Stage::new();
        project.write(&stage);
        let holder = stage.holder();
        let flags = ["--no-gate", "--max-queue", "1h"];
        let mut run =
            crate::stage::Started::of(project.run(&stage, &tools, &flags), &stage.path("out"));
        stage.until_run_waits();
        run.signal(Signal::SIGTERM);
        assert_eq!(run.wait(), 143, "{name}: {}", stage.out());
        let out = stage.out();
        assert!(out.contains("half applied"), "{name}: {out}");
        assert!(out.contains(told), "{name}: {out}");
        assert_eq!(
            stage
                .shop
                .sql("SELECT count(*) FROM pg_class WHERE relname = 'first'"),
            "1",
            "{name}"
        );
        holder.close();
        // Once the rest is done by hand, the tool is told, and has nothing to do.
        stage.shop.sql("ALTER TABLE orders ADD COLUMN total int");
        if name == "Knex" {
            let (_, sql) = out
                .split_once("INSERT INTO knex_migrations")
                .expect("its statement");
            let sql = sql
                .lines()
                .next()
                .expect("a line")
                .replace("'NAME'", "'20260101000000_total.js'");
            stage.shop.sql(&format!("INSERT INTO knex_migrations{sql}"));
        }
        let mut marks = Command::new(mark[0]);
        marks.args(&mark[1..]);
        in_surroundings(&mut marks, &stage, &tools);
        let marked = common::run_with_input(marks, "");
        assert_eq!(marked.status, 0, "{name}: {marked}");
        let ran = common::run_with_input(project.run(&stage, &tools, &[]), "");
        assert!(
            ran.status == 0 && ran.stderr.contains("nothing to do"),
            "{name}: {ran}"
        );
    }
}
