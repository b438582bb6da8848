//! Real frameworks whose migrations are code, each with production's address fixed in its configuration: what they
//! would send is captured on the copy. `PGGUARD_TEST_TOOLS` names a folder with them (`./dev setup` fetches it).

use crate::common::{self, Dump, Outcome};
use crate::production::Production;
use std::fs;
use std::path::Path;

/// A project whose migration adds the column `total` to `orders`, and the command that migrates it. `{port}` and `{db}`
/// are production's.
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
                "import os, sys\nfrom django.core.management import execute_from_command_line\nos.environ['DJANGO_SETTINGS_MODULE'] = 'settings'\nexecute_from_command_line(sys.argv)\n",
            ),
            (
                "settings.py",
                "SECRET_KEY = 'x'\nINSTALLED_APPS = ['shop']\nDATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'HOST': '127.0.0.1', 'PORT': '{port}', 'USER': 'deploy', 'PASSWORD': 'right', 'NAME': '{db}'}}\n",
            ),
            ("shop/__init__.py", ""),
            ("shop/migrations/__init__.py", ""),
            (
                "shop/migrations/0001_initial.py",
                "from django.db import migrations, models\nclass Migration(migrations.Migration):\n    initial = True\n    operations = [\n        migrations.CreateModel('Note', [('id', models.AutoField(primary_key=True)), ('text', models.CharField(max_length=80))]),\n        migrations.AddIndex('note', models.Index(fields=['text'], name='by_text')),\n        migrations.RunSQL('ALTER TABLE orders ADD COLUMN total int'),\n    ]\n",
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
                "from alembic import context\nfrom sqlalchemy import create_engine\nengine = create_engine('postgresql+psycopg://deploy:right@127.0.0.1:{port}/{db}')\nwith engine.connect() as connection:\n    context.configure(connection=connection)\n    with context.begin_transaction():\n        context.run_migrations()\n",
            ),
            ("alembic/script.py.mako", ""),
            (
                "alembic/versions/1_total.py",
                "from alembic import op\nimport sqlalchemy as sa\nrevision = '1'\ndown_revision = None\ndef upgrade():\n    op.add_column('orders', sa.Column('total', sa.Integer()))\n",
            ),
        ],
        command: &["python3", "-m", "alembic.config", "upgrade", "head"],
    },
    Project {
        name: "Knex",
        files: &[
            (
                "knexfile.js",
                "module.exports = { client: 'pg', connection: { host: '127.0.0.1', port: {port}, user: 'deploy', password: 'right', database: '{db}' } };\n",
            ),
            (
                "migrations/20260101000000_total.js",
                "exports.up = (knex) => knex.schema.alterTable('orders', (t) => t.integer('total'));\nexports.down = () => {};\n",
            ),
        ],
        command: &["knex", "migrate:latest"],
    },
    Project {
        name: "node-pg-migrate",
        files: &[(
            "migrations/1700000000000_total.js",
            "exports.up = (pgm) => { pgm.addColumn('orders', { total: { type: 'integer' } }); };\n",
        )],
        command: &[
            "sh",
            "-c",
            "DATABASE_URL=postgres://deploy:right@127.0.0.1:{port}/{db} exec node-pg-migrate up",
        ],
    },
];

impl Project {
    /// pgguard with these arguments and the command behind them, in the project's folder.
    fn pgguard(&self, production: &Production, tools: &Path, arguments: &[&str]) -> Outcome {
        let folder = tempfile::tempdir().expect("a folder");
        let filled = |text: &str| {
            let port = production.shop.server.port().to_string();
            text.replace("{port}", &port)
                .replace("{db}", &production.shop.name)
        };
        for (name, text) in self.files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, filled(text)).expect("written");
        }
        let words: Vec<String> = self.command.iter().map(|word| filled(word)).collect();
        let mut all = arguments.to_vec();
        all.push("--");
        all.extend(words.iter().map(String::as_str));
        let mut command = production.command(&all);
        let node = tools.join("node/node_modules");
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .current_dir(folder.path())
            .env("PYTHONPATH", tools.join("python"))
            .env("PATH", format!("{}:{path}", node.join(".bin").display()))
            .env("NODE_PATH", node);
        common::run_with_input(command, "")
    }
}

#[test]
fn what_a_framework_would_send_is_captured_and_production_is_untouched() {
    let Some(tools) = common::migration_tools() else {
        return;
    };
    for project in PROJECTS {
        let production = Production::on(common::majors()[0]);
        let url = production.url();
        let told = project.pgguard(&production, &tools, &["rehearse", "-d", &url]);
        assert_eq!(told.status, 0, "{}: {told}", project.name);
        let alters = |line: &str| {
            let line = line.to_lowercase().replace('"', "");
            line.contains("alter table") && line.contains("orders") && line.contains("total")
        };
        let script = told.stdout.replace("\n  ADD", " ADD");
        assert!(script.lines().any(alters), "{}: {told}", project.name);
        production.is_untouched();
    }
}

#[test]
fn the_gate_says_which_statement_of_a_framework_would_wait_for_the_backup() {
    let Some(tools) = common::migration_tools() else {
        return;
    };
    for project in PROJECTS {
        let production = Production::on(common::majors()[0]);
        let url = production.url();
        let mut dump = Dump::stalled(&production.shop);
        let arguments = ["gate", "-d", &url, "--patience", "0s", "--rehearse"];
        let told = project.pgguard(&production, &tools, &arguments);
        dump.kill();
        let name = project.name;
        assert_eq!(told.status, 1, "{name}: {told}");
        let is_named = told.stdout.to_lowercase().contains("alter table")
            && told.stdout.contains("backup (pg_dump");
        assert!(is_named, "{name}: {told}");
    }
}
