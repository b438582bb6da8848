//! Real migration tools under `pgguard run`: stopped while they wait they leave nothing in the queue, and run again they
//! are applied and recorded. `PGGUARD_TEST_TOOLS` names a folder with them (`./dev setup` fetches it).

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

#[test]
fn stopped_while_it_waits_a_tool_leaves_nothing_and_run_again_it_is_applied() {
    let Some(tools) = common::migration_tools() else {
        return;
    };
    for project in PROJECTS {
        let name = project.name;
        let stage = Stage::new();
        project.write(&stage);
        let holder = stage.holder();
        let out = stage.path("out");
        let flags = ["--no-gate", "--max-queue", "1h"];
        let mut run = crate::stage::Started::of(project.run(&stage, &tools, &flags), &out);
        stage.until_run_waits();
        let mut reader = stage.shop.session();
        reader.start("SELECT count(*) FROM orders");
        reader.until_waiting();
        run.signal(Signal::SIGTERM);
        assert_eq!(run.wait(), 143, "{name}: {}", stage.out());
        assert_eq!(reader.join().as_deref(), Ok("1"), "{name}");
        stage.until_no_session();
        assert!(!stage.has_column("total"), "{name}");
        holder.close();
        reader.close();
        let ran = common::run_with_input(project.run(&stage, &tools, &[]), "");
        assert_eq!(ran.status, 0, "{name}: {ran}");
        assert!(stage.has_column("total"), "{name}");
        let run = &stage.runs()[0];
        assert_eq!(run["result"], "applied", "{name}: {ran}");
        assert!(
            !run["facts"]["recorded"]
                .as_array()
                .expect("rows")
                .is_empty(),
            "{name}: {run}"
        );
        let ran = common::run_with_input(project.run(&stage, &tools, &[]), "");
        assert!(
            ran.status == 0 && ran.stderr.contains("nothing to do"),
            "{name}: {ran}"
        );
    }
}

#[test]
fn a_tool_that_runs_in_one_transaction_is_tried_again() {
    let Some(tools) = common::migration_tools() else {
        return;
    };
    for project in PROJECTS {
        let name = project.name;
        let stage = Stage::new();
        project.write(&stage);
        let holder = stage.holder();
        let flags = ["--no-gate", "--tries", "5"];
        let mut run =
            crate::stage::Started::of(project.run(&stage, &tools, &flags), &stage.path("out"));
        stage.until_run_waits();
        let mut reader = stage.shop.session();
        reader.start("SELECT count(*) FROM orders");
        assert_eq!(reader.join().as_deref(), Ok("1"), "{name}");
        stage.until_said("it is tried again");
        holder.close();
        assert_eq!(run.wait(), 0, "{name}: {}", stage.out());
        assert!(stage.has_column("total"), "{name}");
    }
}

/// asyncpg takes neither PGAPPNAME nor PGOPTIONS.
#[cfg(target_os = "linux")]
#[test]
fn a_driver_that_takes_no_name_is_known_by_its_connection() {
    let Some(tools) = common::migration_tools() else {
        return;
    };
    let stage = Stage::new();
    let holder = stage.holder();
    stage.file(
        "migrate.py",
        "import asyncio, asyncpg, sys\nasync def main():\n    c = await asyncpg.connect(sys.argv[1])\n    await c.execute('ALTER TABLE orders ADD COLUMN total int')\nasyncio.run(main())\n",
    );
    let url = stage.shop.server.tcp_url(&stage.shop.name);
    let mut command = stage.command(["run", "--no-gate", "--", "python3", "migrate.py", &*url]);
    in_surroundings(&mut command, &stage, &tools);
    command
        .env_remove("PGHOST")
        .env_remove("PGPORT")
        .env_remove("PGDATABASE")
        .env("DATABASE_URL", &url);
    let mut run = crate::stage::Started::of(command, &stage.path("out"));
    stage.until_said("known by its connection");
    let mut reader = stage.shop.session();
    reader.start("SELECT count(*) FROM orders");
    assert_eq!(reader.join().as_deref(), Ok("1"));
    assert_eq!(run.wait(), 1, "{}", stage.out());
    assert!(stage.out().contains("cancelled pid"), "{}", stage.out());
    assert!(holder.is_there() && !stage.has_column("total"));
}
