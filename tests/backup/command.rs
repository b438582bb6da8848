//! `pgguard backups`: a real pg_dump recorded, and what is told of it.

use crate::common::{Database, pgguard_command, shop, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A database, a history of its own, and pgguard set to both.
struct Desk {
    database: Database,
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self {
            database: shop(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn history(&self) -> PathBuf {
        self.folder.path().join("history.sqlite")
    }

    fn pgguard(&self, arguments: &[&str]) -> Command {
        let mut command = pgguard_command();
        command
            .args(arguments)
            .envs(self.database.server.env())
            .env("PGDATABASE", &self.database.name)
            .env("PGGUARD_HISTORY", self.history())
            .stdin(Stdio::null());
        command
    }

    /// `backups record -- PROGRAM ARGUMENTS`, by a client program of the server's installation.
    fn record(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = self.pgguard(&["backups", "record", "--"]);
        command
            .arg(self.database.server.bin(program))
            .args(arguments);
        command
    }

    fn told(&self, arguments: &[&str]) -> Value {
        let output = self
            .pgguard(&[&["backups", "--format", "json"], arguments].concat())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What is told of its own database: a look sees the dumps of other tests too.
    fn own(&self, what: &str) -> Vec<Value> {
        let told = self.told(&[]);
        let all = told[what].as_array().unwrap().iter();
        all.filter(|one| one["database"] == self.database.name.as_str())
            .cloned()
            .collect()
    }

    fn runs(&self) -> Vec<Value> {
        self.own("runs")
    }
}

fn ran(mut command: Command) -> Output {
    command.output().unwrap()
}

/// A dump's text without the token that each run makes anew (pg_dump since the minors of August 2025).
fn text(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().filter(|line| !line.contains("restrict "));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_output_is_the_commands_own_and_the_run_is_put_down() {
    let desk = Desk::new();
    let mut bare = desk.database.server.command("pg_dump");
    let bare = ran({
        bare.args(["-d", &desk.database.name]);
        bare
    });
    let wrapped = ran(desk.record("pg_dump", &[&desk.database.name]));
    assert!(wrapped.status.success(), "{wrapped:?}");
    assert_eq!(text(&wrapped), text(&bare));
    assert!(wrapped.stdout.len() > 1000);
    assert_eq!(String::from_utf8_lossy(&wrapped.stderr), "");
    let runs = desk.runs();
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!(runs[0]["outcome"], "complete");
    assert_eq!(runs[0]["source"], "record");
    assert_eq!(runs[0]["tool"], "pg_dump");
    assert_eq!(runs[0]["database"], desk.database.name);
    assert!(runs[0]["seconds"].as_f64().unwrap() > 0.0);
}

/// The look may be at another database of the same server, where another dump may run.
#[test]
fn a_dump_whose_database_only_its_environment_names_is_kept_as_one_of_that() {
    let desk = Desk::new();
    let other = Database::empty(desk.database.server);
    let mut command = desk.pgguard(&["backups", "record", "-d", &other.name, "--"]);
    command
        .arg(desk.database.server.bin("pg_dump"))
        .env("DATABASE_URL", other.url());
    let wrapped = ran(command);
    assert!(wrapped.status.success(), "{wrapped:?}");
    let told = desk.told(&[]);
    let runs = told["runs"].as_array().unwrap();
    let of = |name: &str| runs.iter().filter(|run| run["database"] == name).count();
    assert_eq!(
        (of(&desk.database.name), of(&other.name)),
        (1, 0),
        "{runs:?}"
    );
}

#[test]
fn a_parallel_dump_and_an_archive_are_complete_files() {
    let desk = Desk::new();
    let folder = desk.folder.path().join("parallel");
    let file = desk.folder.path().join("archive");
    let database = desk.database.name.as_str();
    let name = |path: &Path| path.to_str().unwrap().to_owned();
    let parallel = ran(desk.record("pg_dump", &["-Fd", "-j2", "-f", &name(&folder), database]));
    let archive = ran(desk.record("pg_dump", &["-Fc", "-f", &name(&file), database]));
    for (output, made) in [(parallel, folder), (archive, file)] {
        assert!(output.status.success(), "{output:?}");
        let mut list = desk.database.server.command("pg_restore");
        list.arg("-l").arg(made);
        let listed = ran(list);
        assert!(
            text(&listed).contains("TABLE DATA public orders"),
            "{listed:?}"
        );
    }
    let runs = desk.runs();
    assert_eq!(runs.len(), 2, "{runs:#?}");
}

#[test]
fn a_failing_dump_keeps_its_status_and_its_words() {
    let desk = Desk::new();
    let output = ran(desk.record("pg_dump", &["-t", "nosuch", &desk.database.name]));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("no matching tables"),
        "{output:?}"
    );
    let runs = desk.runs();
    assert_eq!(runs[0]["outcome"], "aborted", "{runs:?}");
}

#[test]
fn what_cannot_be_run_is_said_with_the_statuses_of_a_shell() {
    let desk = Desk::new();
    let missing = ran(desk.pgguard(&["backups", "record", "--", "nosuch-program"]));
    assert_eq!(missing.status.code(), Some(127));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("nosuch-program"));
    let plain = desk.folder.path().join("plain");
    std::fs::write(&plain, "no program").unwrap();
    std::fs::set_permissions(&plain, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = ran(desk.pgguard(&["backups", "record", "--", plain.to_str().unwrap()]));
    assert_eq!(refused.status.code(), Some(126));
    let none = ran(desk.pgguard(&["backups", "record"]));
    assert_eq!(none.status.code(), Some(2));
}

#[test]
fn any_status_of_the_command_is_passed_on() {
    let desk = Desk::new();
    for (script, status) in [
        ("exit 3", 3),
        ("exit 255", 255),
        ("kill -KILL $$", 137),
        ("kill -TERM $$", 143),
    ] {
        let output = ran(desk.pgguard(&["backups", "record", "--", "sh", "-c", script]));
        assert_eq!(output.status.code(), Some(status), "{script}");
    }
}

#[test]
fn a_signal_reaches_the_dump_which_is_gone_then() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let desk = Desk::new();
        let mut child = desk
            .record("pg_dump", &[&desk.database.name])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let dumps = || {
            let count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                         AND application_name = 'pg_dump'";
            desk.database.sql(count).trim() == "1"
        };
        // Nobody reads: it stalls, and is still there.
        until("the dump runs", dumps);
        until("it was looked at", || {
            desk.history().exists() && !desk.own("running").is_empty()
        });
        let before = desk
            .database
            .sql("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')");
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        let status = child.wait().unwrap();
        assert!(
            !status.success() && status.code().is_some(),
            "{signal}: {status:?}"
        );
        until("the dump is gone", || !dumps());
        let runs = desk.runs();
        assert_eq!(runs.len(), 1, "{runs:?}");
        assert_eq!(runs[0]["outcome"], "aborted");
        assert_eq!(runs[0]["source"], "record");
        // Its end, and not the last look before it.
        assert!(
            runs[0]["ended"].as_str().unwrap() >= before.trim(),
            "{before}: {runs:?}"
        );
    }
}

#[test]
fn neither_a_history_nor_a_server_is_needed_for_the_dump() {
    let desk = Desk::new();
    let mut unusable = desk.record("pg_dump", &[&desk.database.name]);
    unusable.env("PGGUARD_HISTORY", desk.folder.path());
    let output = ran(unusable);
    assert!(output.status.success());
    assert!(text(&output).contains("COPY public.orders"));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("not recorded"),
        "{output:?}"
    );

    let mut unreachable = desk.pgguard(&[
        "backups",
        "record",
        "-h",
        "/nowhere",
        "--",
        "sh",
        "-c",
        "echo done; exit 4",
    ]);
    unreachable.env_remove("PGHOST");
    let output = ran(unreachable);
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(output.stdout, b"done\n");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("/nowhere"),
        "{output:?}"
    );
}

#[test]
fn words_that_nobody_can_read_change_no_status() {
    let folder = tempfile::tempdir().unwrap();
    for (command, status) in [("exit 0", 0), ("exit 4", 4)] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let ended = pgguard_command()
            .args(["backups", "record", "-h", "/nowhere", "--", "sh", "-c"])
            .arg(command)
            .env("PGGUARD_HISTORY", folder.path().join("history.sqlite"))
            .stderr(full.unwrap())
            .status()
            .unwrap();
        assert_eq!(ended.code(), Some(status), "{command}");
    }
}

#[test]
fn a_history_is_carried_to_another_place() {
    let desk = Desk::new();
    assert!(
        ran(desk.record("pg_dump", &[&desk.database.name]))
            .status
            .success()
    );
    let file = desk.folder.path().join("export.json");
    let other = desk.folder.path().join("other.sqlite");
    let (file, other) = (file.to_str().unwrap(), other.to_str().unwrap());
    assert!(
        ran(desk.pgguard(&["backups", "export", file]))
            .status
            .success()
    );
    let import = || ran(desk.pgguard(&["backups", "import", file, "--history", other]));
    let first = import();
    assert!(first.status.success(), "{first:?}");
    assert!(
        String::from_utf8_lossy(&first.stdout).contains("runs read, "),
        "{first:?}"
    );
    assert!(String::from_utf8_lossy(&import().stdout).contains("runs read, 0 of them new"));
    assert_eq!(
        desk.told(&["--history", other])["runs"],
        desk.told(&[])["runs"]
    );
    let damaged = ran(desk.pgguard(&["backups", "import", "/etc/hostname"]));
    assert_eq!(damaged.status.code(), Some(2));
}

#[test]
fn a_shared_history_is_created_only_by_init() {
    let desk = Desk::new();
    let url = desk.database.url();
    let show = || ran(desk.pgguard(&["backups", "--history", &url]));
    let before = show();
    assert_eq!(before.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&before.stderr).contains("backups init"),
        "{before:?}"
    );
    assert!(
        ran(desk.pgguard(&["backups", "init", "--history", &url]))
            .status
            .success()
    );
    let after = show();
    assert!(after.status.success(), "{after:?}");
}

#[test]
fn without_a_server_the_past_is_told_all_the_same() {
    let desk = Desk::new();
    assert!(
        ran(desk.record("pg_dump", &[&desk.database.name]))
            .status
            .success()
    );
    let mut away = desk.pgguard(&["backups", "-h", "/nowhere"]);
    away.env_remove("PGHOST");
    let output = ran(away);
    assert!(output.status.success());
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        told.contains("/nowhere") && told.contains("pg_dump"),
        "{told}"
    );
}

#[test]
fn the_gate_warns_shortly_before_a_backup_that_the_configuration_names() {
    let desk = Desk::new();
    let migration = desk.folder.path().join("1.sql");
    let migrate = |sql| std::fs::write(&migration, sql).unwrap();
    migrate("ALTER TABLE orders ADD COLUMN total int;");
    let config = desk.folder.path().join("guard.toml");
    let gate = || {
        let files = [config.to_str().unwrap(), migration.to_str().unwrap()];
        let output =
            ran(desk.pgguard(&["gate", "--format", "json", "--config", files[0], files[1]]));
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    // Every minute of the day one starts, so one is always near.
    std::fs::write(&config, "[[backup]]\ncron = '* * * * *'\n").unwrap();
    let (status, told) = gate();
    assert_eq!(status, Some(0), "{told}");
    assert!(
        told.contains("the next backup starts within a minute")
            || told.contains("the next backup starts in 1 min"),
        "{told}"
    );
    // Never in the next quarter of an hour: on 29 February.
    std::fs::write(&config, "[[backup]]\ncron = '0 15 29 2 *'\n").unwrap();
    assert!(!gate().1.contains("next backup"));
    // In an hour, said as the minute of the hour: within reach of a migration that takes two.
    let hourly = desk
        .database
        .sql("SELECT to_char((now() + '50 minutes') AT TIME ZONE 'UTC', 'MI \"* * * *\"')");
    let said = |takes: &str| {
        let backup = format!(
            "{takes}\n[[backup]]\ncron = '{}'\nexpect = '5m'\n",
            hourly.trim()
        );
        std::fs::write(&config, backup).unwrap();
        gate().1
    };
    assert!(!said("").contains("next backup"));
    let told = said("takes = '2h'");
    assert!(
        told.contains("takes 2h") && told.contains("latest safe start"),
        "{told}"
    );
    let flag = ran(desk.pgguard(&[
        "gate",
        "--takes=20m",
        "--config",
        config.to_str().unwrap(),
        migration.to_str().unwrap(),
    ]));
    let told = String::from_utf8_lossy(&flag.stdout).into_owned();
    assert!(!told.contains("next backup"), "the flag goes first: {told}");
    // What no dump would meet.
    for harmless in [
        "CREATE TABLE another (id int);",
        "CREATE INDEX more ON orders (id);",
        "INSERT INTO orders DEFAULT VALUES;",
    ] {
        migrate(harmless);
        let told = said("takes = '2h'");
        assert!(!told.contains("next backup"), "{harmless}: {told}");
    }
    migrate("CREATE INDEX CONCURRENTLY more ON orders (id);");
    assert!(said("takes = '2h'").contains("next backup"));
    for wrong in [
        "[[backup]]\ncron = '0 25 * * *'\n",
        "tz = 'Berlin'\n",
        "takes = 'long'\n",
    ] {
        std::fs::write(&config, wrong).unwrap();
        assert_eq!(gate().0, Some(2), "{wrong}");
    }
}

#[test]
fn jobs_of_pg_cron_tell_when_the_next_backup_starts() {
    let desk = Desk::new();
    // As the extension makes it.
    desk.database.sql(
        "CREATE SCHEMA cron; CREATE TABLE cron.job (jobid bigint PRIMARY KEY, schedule text, command text, \
         nodename text, nodeport int, database text, username text, active bool, jobname text); \
         INSERT INTO cron.job VALUES \
           (1, '0 1 * * *', 'VACUUM', '', 5432, 'shop', 'postgres', true, 'vacuum'), \
           (2, '0 2 * * *', $$COPY t TO PROGRAM 'pg_dump old'$$, '', 5432, 'shop', 'postgres', false, 'old'), \
           (3, '17 3 * * *', $$COPY t TO PROGRAM '/bin/pg_dump a'$$, '', 5432, 'shop', 'postgres', true, 'new'), \
           (4, '20 seconds', 'SELECT 1', '', 5432, 'shop', 'postgres', true, NULL)",
    );
    let basis = |arguments: &[&str]| desk.told(arguments)["next"]["basis"].clone();
    let of_job = "17 3 * * * GMT, pg_cron's job 3";
    assert_eq!(basis(&[]), of_job);

    let role = format!("looker_{}", desk.database.name);
    desk.database.sql(&format!("CREATE ROLE {role} LOGIN"));
    let url = desk.database.url_as(&role);
    assert_eq!(basis(&["-d", &url]), Value::Null);
    desk.database.sql(&format!(
        "GRANT USAGE ON SCHEMA cron TO {role}; GRANT SELECT ON cron.job TO {role}"
    ));
    assert_eq!(basis(&["-d", &url]), of_job);

    let mut migration = desk.database.session();
    migration.begin_and_lock("cron.job", "ACCESS EXCLUSIVE");
    let told = desk.told(&[]);
    let nothing = (&Value::Null, &serde_json::json!([]));
    assert_eq!((&told["next"], &told["notes"]), nothing);
}
