//! Every program's sessions are recognised on a real server, and none is mistaken for another's.

use crate::common::{self, Database, Dump, Session, own_server, until};
use crate::look::Observer;
use pgguard::model::{BackupTool, Certainty, Pid, Role, Session as Seen, Snapshot};
use pgguard::test_support::sessions::{Sessions, understand};
use pgguard::test_support::throwaway::{Options, Server};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};

/// A program whose output nobody reads; gone with its process group when dropped.
struct Program {
    child: Child,
    _unread: Option<ChildStdout>,
}

impl Program {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("the program starts");
        Self {
            _unread: child.stdout.take(),
            child,
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let group = i32::try_from(self.child.id()).expect("a pid");
        let _ = nix::sys::signal::killpg(
            nix::unistd::Pid::from_raw(group),
            nix::sys::signal::Signal::SIGKILL,
        );
        let _ = self.child.wait();
    }
}

/// Looks until somebody fits.
fn look_until(database: &Database, what: &str, fits: impl Fn(&Seen) -> bool) -> (Snapshot, Seen) {
    let mut observer = Observer::of(database);
    let mut found = None;
    until(what, || {
        let snapshot = observer.look();
        let seen = understand(&snapshot)
            .iter()
            .find(|seen| fits(seen))
            .cloned();
        found = seen.map(|seen| (snapshot, seen));
        found.is_some()
    });
    found.expect("just found")
}

fn seen(sessions: &Sessions, pid: Pid) -> &Seen {
    sessions
        .of(pid)
        .unwrap_or_else(|| panic!("pid {pid} is in no session"))
}

/// The backups of one database: other tests dump theirs on the same server.
fn backups<'a>(sessions: &'a Sessions, snapshot: &Snapshot, database: &Database) -> Vec<&'a Seen> {
    let own = |pid: Pid| {
        snapshot
            .backend(pid)
            .is_some_and(|b| b.datname.as_ref() == Some(&database.name))
    };
    sessions
        .in_role(Role::Backup)
        .filter(|session| own(session.pid))
        .collect()
}

fn bulky() -> Database {
    bulky_on(common::server())
}

fn bulky_on(server: &'static Server) -> Database {
    let database = Database::empty(server);
    database.sql(
        "CREATE TABLE bulky AS SELECT repeat('x', 900) AS body FROM generate_series(1, 20000);
         CREATE TABLE small (id serial PRIMARY KEY); CREATE VIEW seen AS SELECT * FROM small",
    );
    database
}

/// The one backup there is, with the locks that the server says it has.
fn the_backup(database: &Database) -> (Snapshot, Seen) {
    let snapshot = Observer::of(database).look();
    let sessions = understand(&snapshot);
    let found = backups(&sessions, &snapshot, database);
    assert_eq!(found.len(), 1, "{found:?}");
    let found = found[0].clone();
    (snapshot, found)
}

fn tables(snapshot: &Snapshot, seen: &Seen) -> Vec<String> {
    let oids = &seen.backup.as_ref().expect("a backup").tables;
    let mut names: Vec<String> = oids
        .iter()
        .map(|oid| snapshot.relations[oid].name.relation.clone())
        .collect();
    names.sort();
    names
}

#[test]
fn a_serial_dump_in_each_of_its_forms_is_a_backup_on_every_major() {
    let forms = [
        &[][..],
        &["-Fc", "-Z0"],
        &["--inserts"],
        &["-t", "bulky"],
        &["--data-only"],
    ];
    for (major, arguments) in common::majors()
        .into_iter()
        .flat_map(|major| forms.map(|form| (major, form)))
    {
        let database = bulky_on(common::server_of(major));
        let mut command = database.server.command("pg_dump");
        // Under another name, as PGAPPNAME allows: the structure has to tell.
        command
            .args(["-d", &database.name])
            .args(arguments)
            .env("PGAPPNAME", "nightly");
        let _dump = Program::start(&mut command);
        let all = if arguments.contains(&"-t") {
            vec!["bulky"]
        } else {
            vec!["bulky", "small"]
        };
        // It is known before it has all its locks.
        let (snapshot, seen) = look_until(&database, "a dump for certain", |seen| {
            let locked = seen.backup.as_ref().map(|backup| backup.tables.len());
            seen.certainty == Certainty::Certain && locked == Some(all.len())
        });
        assert_eq!(seen.role, Role::Backup);
        let backup = seen.backup.clone().expect("a backup");
        assert_eq!(
            (backup.tool, backup.workers, backup.leaked),
            (BackupTool::PgDump, 0, false),
            "{major} {arguments:?}"
        );
        assert!(backup.blocks_ddl);
        assert_eq!(tables(&snapshot, &seen), all, "{major} {arguments:?}");
    }
}

#[test]
fn a_schema_only_dump_is_a_backup_on_every_major() {
    for major in common::majors() {
        a_schema_only_dump_is_a_backup(&bulky_on(common::server_of(major)));
    }
}

fn a_schema_only_dump_is_a_backup(database: &Database) {
    for number in 0..20 {
        database.sql(&format!(
            "DO $$ BEGIN FOR i IN 1..100 LOOP EXECUTE format('CREATE TABLE t_{number}_%s (id int, body text)', i); END LOOP; END $$"
        ));
    }
    let mut observer = Observer::of(database);
    // Again and again until a look falls into one of them: it takes well under a second.
    let mut dump = None;
    let mut found = None;
    until("a dump is seen", || {
        let running: &mut Program = dump.get_or_insert_with(|| {
            Program::start(database.server.command("pg_dump").args([
                "-s",
                "-f",
                "/dev/null",
                "-d",
                &database.name,
            ]))
        });
        let ended = running.child.try_wait().expect("a status").is_some();
        let snapshot = observer.look();
        let sessions = understand(&snapshot);
        found = backups(&sessions, &snapshot, database)
            .into_iter()
            .find(|seen| {
                seen.certainty >= Certainty::Likely
                    && seen.backup.as_ref().is_some_and(|b| b.tables.len() > 1000)
            })
            .cloned();
        if ended {
            dump = None;
        }
        found.is_some()
    });
    assert_eq!(
        found.expect("just found").backup.expect("a backup").tool,
        BackupTool::PgDump
    );
}

#[test]
fn a_parallel_dump_is_one_backup_on_every_major() {
    for major in common::majors() {
        let database = Database::empty(common::server_of(major));
        let dump = Dump::stalled_parallel(&database, 2);
        let (_, seen) = the_backup(&database);
        assert_eq!(seen.members, dump.pids(), "{major}");
        assert_eq!((seen.pid, seen.certainty), (dump.pid(), Certainty::Certain));
        let backup = seen.backup.expect("a backup");
        assert_eq!(
            (backup.tool, backup.workers, backup.leaked),
            (BackupTool::PgDump, 2, false),
            "{major}"
        );
    }
}

#[test]
fn a_dump_that_waits_for_a_table_is_a_backup_already() {
    let database = bulky();
    let mut application = database.session();
    application.begin_and_lock("small", "ACCESS EXCLUSIVE");
    let _dump = Program::start(
        database
            .server
            .command("pg_dump")
            .args(["-d", &database.name])
            .env("PGAPPNAME", "nightly"),
    );
    let (_, seen) = look_until(&database, "the dump waits", |seen| {
        seen.role == Role::Backup
    });
    assert_ne!(seen.pid, application.pid());
}

#[test]
fn a_dumpall_is_one_backup_with_the_dump_that_it_runs_on_every_major() {
    for major in common::majors() {
        a_dumpall_is_one_backup(own_server(&Options::major(major)));
    }
}

fn a_dumpall_is_one_backup(server: &'static Server) {
    let database = Database::empty(server);
    database.sql(
        "CREATE TABLE bulky AS SELECT repeat('x', 900) AS body FROM generate_series(1, 20000)",
    );
    let _dumpall = Program::start(&mut server.command("pg_dumpall"));
    let (_, seen) = look_until(&database, "a dump of this database", |seen| {
        seen.backup
            .as_ref()
            .is_some_and(|backup| !backup.tables.is_empty() && seen.members.len() > 1)
    });
    assert_eq!(seen.members.len(), 2);
    let backup = seen.backup.expect("a backup");
    assert_eq!((backup.tool, backup.workers), (BackupTool::PgDumpall, 0));
    assert!(backup.blocks_ddl);
}

#[test]
fn a_base_backup_is_one_backup_that_blocks_nothing_on_every_major() {
    for major in common::majors() {
        a_base_backup_blocks_nothing(own_server(&Options::major(major)));
    }
}

fn a_base_backup_blocks_nothing(server: &'static Server) {
    let database = Database::empty(server);
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = server.command("pg_basebackup");
    command
        .args(["--max-rate=1M", "--checkpoint=fast", "-D"])
        .arg(folder.path().join("base"));
    let _backup = Program::start(&mut command);
    let (snapshot, seen) = look_until(&database, "both walsenders", |seen| {
        seen.role == Role::Backup && seen.members.len() == 2
    });
    let backup = seen.backup.expect("a backup");
    assert_eq!(
        (backup.tool, backup.blocks_ddl),
        (BackupTool::PgBasebackup, false)
    );
    assert_eq!(understand(&snapshot).in_role(Role::Replication).count(), 0);
}

#[test]
fn what_only_looks_like_a_backup_is_none_on_any_major() {
    for major in common::majors() {
        what_only_looks_like_a_backup_is_none(&bulky_on(common::server_of(major)));
    }
}

fn what_only_looks_like_a_backup_is_none(database: &Database) {
    let mut exports: Vec<Program> = Vec::new();
    for copy in [
        "\\copy bulky TO STDOUT",
        "\\copy (SELECT * FROM bulky) TO STDOUT",
    ] {
        let mut command = database.server.command("psql");
        command.args(["-X", "-d", &database.name, "-c", copy]);
        exports.push(Program::start(&mut command));
    }
    let mut session = database.session();
    until("both stall", || {
        let stalled = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%' \
                       AND wait_event = 'ClientWrite' AND datname = current_database()";
        session.query_text(stalled) == "2"
    });
    // And a session that calls itself pg_dump and writes.
    let mut liar = database.session_named("pg_dump");
    liar.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; INSERT INTO small DEFAULT VALUES");
    let snapshot = Observer::of(database).look();
    let sessions = understand(&snapshot);
    assert!(backups(&sessions, &snapshot, database).is_empty());
    let exporting = sessions
        .iter()
        .filter(|seen| seen.detail.as_deref() == Some("data export (COPY)"));
    assert_eq!(
        exporting
            .filter(|seen| seen.role == Role::Application)
            .count(),
        2
    );
    assert_eq!(seen(&sessions, liar.pid()).role, Role::Application);
}

#[test]
fn states_and_statements_give_the_everyday_roles() {
    let database = bulky();
    let idle = database.session();
    let mut open = database.session();
    open.exec("BEGIN; SELECT * FROM bulky LIMIT 1");
    let mut aborted = database.session();
    aborted.exec("BEGIN");
    let _ = aborted.try_exec("SELECT 1/0");
    let mut busy = database.session();
    busy.start("SELECT pg_sleep(1000)");
    until("it sleeps", || busy.is_active());
    let mut changed = database.session();
    changed.exec("BEGIN; ALTER TABLE small ADD COLUMN note text");
    let mut indexer = database.session();
    indexer.start("CREATE INDEX ON small (id)");
    indexer.until_waiting();
    let mut vacuum = database.session();
    vacuum.start("VACUUM small");
    vacuum.until_waiting();
    let mut tool = database.session();
    tool.exec("SELECT pg_advisory_lock(72707369)");

    let snapshot = Observer::of(&database).look();
    let sessions = understand(&snapshot);
    let role = |session: &Session| seen(&sessions, session.pid()).role;
    assert_eq!(role(&idle), Role::Idle);
    // Only just idle: cases/ops/01.
    assert_eq!(role(&open), Role::Application);
    assert_eq!(role(&aborted), Role::Application);
    assert_eq!(role(&busy), Role::Application);
    assert_eq!(role(&changed), Role::Migration);
    assert_eq!(role(&indexer), Role::Migration);
    assert_eq!(role(&vacuum), Role::Maintenance);
    assert_eq!(role(&tool), Role::Migration);
    assert_eq!(
        seen(&sessions, snapshot.server.own_pid).role,
        Role::Monitoring
    );
    assert_eq!(
        seen(&sessions, tool.pid()).detail.as_deref(),
        Some("Prisma (advisory lock)")
    );
    database.sql(&format!("SELECT pg_terminate_backend({})", busy.pid()));
}

#[test]
fn an_autovacuum_worker_does_maintenance() {
    let options = Options::default()
        .setting("autovacuum_naptime", "1s")
        .setting("autovacuum_vacuum_cost_delay", "100ms")
        .setting("autovacuum_vacuum_cost_limit", "1");
    let server = own_server(&options);
    let database = Database::empty(server);
    database.sql(
        "CREATE TABLE bulky AS SELECT repeat('x', 900) AS body FROM generate_series(1, 20000); \
         DELETE FROM bulky",
    );
    let (_, seen) = look_until(&database, "autovacuum runs", |seen| {
        seen.role == Role::Maintenance
    });
    assert_eq!(seen.detail.as_deref(), Some("autovacuum"));
}

#[test]
fn a_subscriptions_first_copy_is_replication_on_every_major() {
    for major in common::majors() {
        a_subscriptions_first_copy_is_replication(own_server(
            &Options::major(major).setting("wal_level", "logical"),
        ));
    }
}

fn a_subscriptions_first_copy_is_replication(server: &'static Server) {
    let (source, target) = (Database::empty(server), Database::empty(server));
    source.sql("CREATE TABLE bulky (body text); CREATE PUBLICATION p FOR TABLE bulky");
    source.sql("INSERT INTO bulky SELECT repeat('x', 900) FROM generate_series(1, 20000)");
    source.sql("SELECT pg_create_logical_replication_slot('s', 'pgoutput')");
    // The subscriber's trigger stalls it, so that the copy stays where it can be seen.
    target.sql(
        "CREATE TABLE bulky (body text);
         CREATE FUNCTION stall() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1000); RETURN NEW; END';
         CREATE TRIGGER stall BEFORE INSERT ON bulky FOR EACH ROW EXECUTE FUNCTION stall();
         ALTER TABLE bulky ENABLE ALWAYS TRIGGER stall",
    );
    target.sql(&format!(
        "CREATE SUBSCRIPTION s CONNECTION 'host={} port={} dbname={} user=postgres' PUBLICATION p \
         WITH (create_slot = false, slot_name = 's')",
        server.socket_dir().display(),
        server.port(),
        source.name
    ));
    let (snapshot, seen) = look_until(&source, "the first copy", |seen| {
        seen.detail.as_deref() == Some("first copy of a subscription")
    });
    assert_eq!(
        (seen.role, seen.certainty),
        (Role::Replication, Certainty::Certain)
    );
    let sessions = understand(&snapshot);
    assert_eq!(sessions.in_role(Role::Backup).count(), 0);
    assert!(
        sessions.in_role(Role::Replication).count() >= 3,
        "apply, sync, and their walsenders"
    );
}
