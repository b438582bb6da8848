//! What migration tools leave when their run is killed: the real tools where they can be had, else the rows that they
//! leave by their source.
//!
//! They are those of `./dev setup`. A tool that is not there is skipped, and the test says so.

use crate::common::{self, Database, Session, until};
use crate::{Told, databases};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

fn tool(path: &str) -> Option<PathBuf> {
    let program = common::migration_tools()?.join(path);
    if !program.exists() {
        println!("skipped: there is no {}", program.display());
        return None;
    }
    Some(program)
}

/// A database with a table that somebody reads, and a folder to run a tool in.
struct Stage {
    database: Database,
    holder: Session,
    folder: tempfile::TempDir,
}

impl Stage {
    fn set() -> Self {
        let database = common::database();
        database.sql("CREATE TABLE t (a int)");
        let mut holder = database.session_named("holder");
        holder.exec("BEGIN; SELECT count(*) FROM t");
        let folder = tempfile::tempdir().expect("a folder");
        Self {
            database,
            holder,
            folder,
        }
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn url(&self) -> String {
        self.database.server.tcp_url(&self.database.name)
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        let modules = program.ancestors().find(|a| a.ends_with("node_modules"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("DATABASE_URL", self.url())
            .env("NODE_PATH", modules.unwrap_or(Path::new("")))
            .env(
                "PYTHONPATH",
                program.ancestors().nth(2).unwrap_or(Path::new("")),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Runs a tool until it waits for the table, and kills it.
    fn cut_off(&self, program: &Path, arguments: &[&str]) {
        let mut child: Child = self.command(program, arguments).spawn().expect("it starts");
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        until("it waits", || {
            let ended = child.try_wait().expect("a child");
            assert!(ended.is_none(), "{} ended: {ended:?}", program.display());
            self.database.sql(waits) == "1"
        });
        Told::of(&self.database, &[]).assert_nothing("while it runs");
        child.kill().expect("killed");
        child.wait().expect("gone");
    }

    /// The same for a program that starts another one: both are killed.
    fn cut_off_group(&self, program: &Path, arguments: &[&str]) {
        use std::os::unix::process::CommandExt as _;
        let mut command = self.command(program, arguments);
        let mut child: Child = command.process_group(0).spawn().expect("it starts");
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        until("it waits", || self.database.sql(waits) == "1");
        let group = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
        nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL).expect("killed");
        child.wait().expect("gone");
    }

    fn run(&self, program: &Path, arguments: &[&str]) {
        let status = self.command(program, arguments).status().expect("it runs");
        assert!(
            status.success(),
            "{} {arguments:?}: {status}",
            program.display()
        );
    }

    /// The holder ends, and the zombie behind it does.
    fn until_zombie_is_gone(&mut self) {
        self.holder.exec("ROLLBACK");
        until("the zombie is gone", || {
            Told::of(&self.database, &[]).of_kind("zombie").is_empty()
        });
    }
}

fn command_of(told: &Told, kind: &str) -> String {
    let found = told.of_kind(kind);
    assert_eq!(found.len(), 1, "{kind}: {}", told.outcome);
    found[0]["command"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn knex_killed_in_a_migration_without_a_transaction_keeps_its_lock_row() {
    let Some(knex) = tool("node/node_modules/.bin/knex") else {
        return;
    };
    let mut stage = Stage::set();
    stage.file(
        "knexfile.js",
        "module.exports = { client: 'pg', connection: process.env.DATABASE_URL };",
    );
    stage.file(
        "migrations/20240101000000_x.js",
        "exports.config = { transaction: false }; exports.up = k => k.raw('ALTER TABLE t ADD x int'); exports.down = k => k;",
    );
    stage.cut_off(&knex, &["migrate:latest"]);
    let told = Told::of(&stage.database, &[]);
    assert_eq!(told.kinds(), ["zombie", "tool_lock"], "{}", told.outcome);
    stage.until_zombie_is_gone();
    let told = Told::of(&stage.database, &[]);
    assert_eq!(told.kinds(), ["tool_lock"], "{}", told.outcome);
    assert_eq!(command_of(&told, "tool_lock"), "npx knex migrate:unlock");
    stage.run(&knex, &["migrate:unlock"]);
    Told::of(&stage.database, &[]).assert_nothing("after the unlock");
}

#[test]
fn yoyo_killed_keeps_its_lock_row() {
    let Some(yoyo) = tool("python/bin/yoyo") else {
        return;
    };
    let mut stage = Stage::set();
    stage.file("migrations/0001.x.sql", "ALTER TABLE t ADD x int;\n");
    let url = stage.url().replace("postgres://", "postgresql://");
    stage.cut_off(
        &yoyo,
        &["apply", "--batch", "--database", &url, "migrations"],
    );
    let told = Told::of(&stage.database, &[]);
    assert_eq!(told.kinds(), ["zombie", "tool_lock"], "{}", told.outcome);
    stage.until_zombie_is_gone();
    let told = Told::of(&stage.database, &[]);
    assert_eq!(told.kinds(), ["tool_lock"], "{}", told.outcome);
    assert_eq!(command_of(&told, "tool_lock"), "yoyo break-lock");
    stage.run(
        &yoyo,
        &["break-lock", "--batch", "--database", &url, "migrations"],
    );
    Told::of(&stage.database, &[]).assert_nothing("after break-lock");
}

#[test]
fn node_pg_migrate_killed_leaves_a_zombie_with_its_advisory_lock() {
    let Some(program) = tool("node/node_modules/.bin/node-pg-migrate") else {
        return;
    };
    let mut stage = Stage::set();
    stage.file(
        "migrations/1704067200000_x.sql",
        "-- Up Migration\nALTER TABLE t ADD x int;\n-- Down Migration\n",
    );
    stage.cut_off(&program, &["up"]);
    let told = Told::of(&stage.database, &[]);
    assert_eq!(told.kinds(), ["zombie"], "{}", told.outcome);
    let proof = told.of_kind("zombie")[0]["proof"].to_string();
    assert!(proof.contains("node-pg-migrate's advisory lock"), "{proof}");
    stage.until_zombie_is_gone();
    Told::of(&stage.database, &[]).assert_nothing("its transaction was rolled back");
}

/// Writes a migration, and gives the tool's arguments.
type Prepare = fn(&Stage) -> Vec<String>;

/// Tools without a lock: the zombie is all that they leave.
#[test]
fn dbmate_and_sequelize_killed_leave_a_zombie_and_its_end() {
    let dbmate: Prepare = |stage| {
        let url = format!("{}?sslmode=disable", stage.url());
        let text = "-- migrate:up\nALTER TABLE t ADD x int;\n-- migrate:down\n";
        stage.file("db/migrations/20240101000000_x.sql", text);
        vec![
            "--no-dump-schema".to_owned(),
            "--url".to_owned(),
            url,
            "up".to_owned(),
        ]
    };
    let sequelize: Prepare = |stage| {
        let text = "module.exports = { up: q => q.sequelize.query('ALTER TABLE t ADD x int'), down: () => {} };";
        stage.file("migrations/20240101000000-x.js", text);
        vec!["db:migrate".to_owned(), "--url".to_owned(), stage.url()]
    };
    let cases: [(&str, Prepare, &str); 2] = [
        ("node/node_modules/.bin/dbmate", dbmate, "rolled back"),
        (
            "node_modules/.bin/sequelize-cli",
            sequelize,
            "the tool has not recorded it",
        ),
    ];
    for (program, arguments, end) in cases {
        let Some(program) = tool(program) else {
            continue;
        };
        let mut stage = Stage::set();
        let arguments = arguments(&stage);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        stage.cut_off_group(&program, &arguments);
        let told = Told::of(&stage.database, &[]);
        assert_eq!(told.kinds(), ["zombie"], "{}", told.outcome);
        let cost = told.of_kind("zombie")[0]["cost"].to_string();
        assert!(cost.contains(end), "{}: {cost}", program.display());
        stage.until_zombie_is_gone();
        Told::of(&stage.database, &[]).assert_nothing("the holder is gone");
    }
}

/// A lock that stays with a connection that nobody uses: a pooler's.
#[test]
fn an_advisory_lock_on_a_connection_that_does_nothing_is_found_after_a_minute() {
    let database = common::database();
    let mut pooled = database.session_named("pooled");
    pooled.exec("SELECT pg_advisory_lock(72707369)");
    Told::of(&database, &[]).assert_nothing("a moment is no sign");
    let told = crate::later(&database, 120);
    assert_eq!(told.kinds(), ["tool_lock"], "{}", told.outcome);
    let what = told.of_kind("tool_lock")[0]["what"]
        .as_str()
        .expect("a text")
        .to_owned();
    assert!(what.contains("Prisma's advisory lock"), "{what}");
    pooled.exec("SELECT pg_advisory_unlock(72707369)");
    let after = crate::later(&database, 120);
    after.assert_nothing("it was given back");
}

/// The tables and rows as each tool's source makes them, the kind, and the tool's own command.
const ROWS: [(&str, &str, &str); 9] = [
    (
        "CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL); \
         INSERT INTO schema_migrations VALUES (3, true)",
        "unfinished_migration",
        "migrate -path DIR -database URL force 3",
    ),
    (
        "CREATE TABLE _prisma_migrations (id varchar(36) PRIMARY KEY, checksum varchar(64) NOT NULL, finished_at timestamptz, \
         migration_name varchar(255) NOT NULL, logs text, rolled_back_at timestamptz, started_at timestamptz NOT NULL DEFAULT now(), \
         applied_steps_count int NOT NULL DEFAULT 0); \
         INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ('a', 'b', '20240101000000_x')",
        "unfinished_migration",
        "npx prisma migrate resolve --rolled-back 20240101000000_x",
    ),
    (
        "CREATE TABLE flyway_schema_history (installed_rank int NOT NULL PRIMARY KEY, version varchar(50), description varchar(200) NOT NULL, \
         type varchar(20) NOT NULL, script varchar(1000) NOT NULL, checksum int, installed_by varchar(100) NOT NULL, \
         installed_on timestamp NOT NULL DEFAULT now(), execution_time int NOT NULL, success boolean NOT NULL); \
         INSERT INTO flyway_schema_history VALUES (1, '1', 'x', 'SQL', 'V1__x.sql', 1, 'u', now(), 1, false)",
        "unfinished_migration",
        "flyway repair",
    ),
    (
        "CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, description text NOT NULL, installed_on timestamptz NOT NULL DEFAULT now(), \
         success boolean NOT NULL, checksum bytea NOT NULL, execution_time bigint NOT NULL); \
         INSERT INTO _sqlx_migrations VALUES (7, 'x', now(), false, '', -1)",
        "unfinished_migration",
        "DELETE FROM public._sqlx_migrations WHERE version = '7' AND NOT success;",
    ),
    (
        "CREATE SCHEMA atlas_schema_revisions; CREATE TABLE atlas_schema_revisions.atlas_schema_revisions (version varchar PRIMARY KEY, \
         description varchar NOT NULL, type bigint NOT NULL DEFAULT 2, applied bigint NOT NULL DEFAULT 0, total bigint NOT NULL DEFAULT 0, \
         executed_at timestamptz NOT NULL, execution_time bigint NOT NULL, error text, error_stmt text, hash varchar NOT NULL, \
         partial_hashes jsonb, operator_version varchar NOT NULL); \
         INSERT INTO atlas_schema_revisions.atlas_schema_revisions VALUES ('2', 'x', 2, 1, 3, now(), 1, 'no such table', '', 'h', '[]', 'v')",
        "unfinished_migration",
        "atlas migrate apply",
    ),
    (
        "CREATE TABLE databasechangeloglock (id int NOT NULL PRIMARY KEY, locked boolean NOT NULL, lockgranted timestamp, lockedby varchar(255)); \
         INSERT INTO databasechangeloglock VALUES (1, true, now(), 'runner7 (10.0.0.7)')",
        "tool_lock",
        "liquibase release-locks",
    ),
    (
        "CREATE TABLE goose_lock (lock_id bigint PRIMARY KEY, locked boolean NOT NULL, locked_at timestamptz, locked_by text, \
         lease_expires_at timestamptz, updated_at timestamptz); INSERT INTO goose_lock VALUES (1, true, now(), 'a', now() + interval '1 hour', now())",
        "tool_lock",
        "",
    ),
    (
        "CREATE SCHEMA pgroll; CREATE TABLE pgroll.migrations (schema name NOT NULL, name text NOT NULL, migration jsonb NOT NULL, \
         created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(), parent text, \
         done boolean NOT NULL DEFAULT false, resulting_schema jsonb NOT NULL DEFAULT '{}', PRIMARY KEY (schema, name)); \
         INSERT INTO pgroll.migrations (schema, name, migration) VALUES ('public', '01_total', '{}')",
        "unfinished_migration",
        "pgroll rollback",
    ),
    (
        "CREATE TABLE bun_migration_locks (id bigserial PRIMARY KEY, table_name varchar UNIQUE); \
         INSERT INTO bun_migration_locks (table_name) VALUES ('bun_migrations')",
        "tool_lock",
        "",
    ),
];

#[test]
fn the_rows_of_an_unfinished_run_are_found_in_every_tools_tables() {
    for (major, _) in databases() {
        for (sql, kind, command) in ROWS {
            let database = Database::empty(common::server_of(major));
            database.sql(sql);
            let told = Told::of(&database, &[]);
            assert_eq!(told.outcome.status, 1, "{major}: {sql}: {}", told.outcome);
            assert_eq!(told.kinds(), [kind], "{major}: {sql}: {}", told.outcome);
            assert_eq!(command_of(&told, kind), command, "{major}: {sql}");
            let mut migrating = database.session_named("migrating");
            migrating.exec("BEGIN; CREATE TABLE made (a int)");
            let told = Told::of(&database, &[]);
            assert_eq!(
                told.kinds(),
                Vec::<&str>::new(),
                "{major}: somebody migrates: {sql}"
            );
            migrating.exec("ROLLBACK");
            migrating.close();
        }
    }
}

#[test]
fn what_may_not_be_read_is_said_and_is_never_green() {
    let database = common::database();
    database.sql(
        "CREATE ROLE looks LOGIN; GRANT pg_monitor TO looks; CREATE TABLE schema_migrations (version bigint, dirty boolean)",
    );
    let url = database.url_as("looks");
    let ask = || common::pgguard(["doctor", "--no-history", "-d", &url]);
    let told = ask();
    assert_eq!(told.status, 2, "{told}");
    assert!(
        told.stdout
            .contains("GRANT SELECT ON public.schema_migrations TO looks"),
        "{told}"
    );
    database.sql("GRANT SELECT ON schema_migrations TO looks");
    assert_eq!(ask().status, 0);
    let mut holder = database.session();
    holder.begin_and_lock("schema_migrations", "ACCESS EXCLUSIVE");
    let told = ask();
    assert_eq!(told.status, 2, "{told}");
    assert!(told.stdout.contains("ACCESS EXCLUSIVE on it"), "{told}");
    holder.exec("ROLLBACK");
    database.sql("REVOKE pg_monitor FROM looks");
    let told = ask();
    assert_eq!(told.status, 2, "{told}");
    assert!(told.stdout.contains("GRANT pg_monitor TO looks"), "{told}");
}
