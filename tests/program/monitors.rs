//! The check under a real Nagios and a real Icinga, which have the last word on what a plugin may say.
//! Where one is not installed (`nagios4-core`, `icinga2-bin`), its test says so and passes, unless
//! `PGGUARD_TEST_MONITORS` is set.

use crate::common::{self, Database};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// What a monitoring system made of a check.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Seen {
    state: String,
    output: String,
    figures: String,
}

fn program(candidates: &[&str]) -> Option<PathBuf> {
    let found = candidates
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists());
    assert!(
        found.is_some() || std::env::var_os("PGGUARD_TEST_MONITORS").is_none(),
        "PGGUARD_TEST_MONITORS is set and none of {candidates:?} is there"
    );
    if found.is_none() {
        println!("skipped: none of {candidates:?} is there");
    }
    found
}

/// A folder that the daemon's account can use, with the program in it: it may not enter ours.
fn place() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o777));
    open(folder.path()).expect("rights");
    let program = folder.path().join("pgguard");
    fs::copy(env!("CARGO_BIN_EXE_pgguard"), &program).expect("a copy");
    open(&program).expect("rights");
    let name = program.display().to_string();
    (folder, name)
}

/// Every state, the deadline, and a query full of pipes; name and arguments.
fn scene(shop: &Database, mute: u16) -> Vec<(&'static str, String)> {
    let url = shop.server.tcp_url(&shop.name);
    let on = |rest: &str| format!("check -d {url} --only-database {} {rest}", shop.name);
    vec![
        ("ok", on("-m lock-wait")),
        ("warning", on("-m idle-in-transaction -w 0")),
        ("critical", on("-m idle-in-transaction -c 0")),
        ("unknown", on("-m nonsense")),
        ("late", format!("check -H 127.0.0.1 -p {mute} -t 1")),
    ]
}

/// What both systems must have understood.
fn is_understood(seen: &BTreeMap<String, Seen>) {
    let states: Vec<(&str, &str)> = seen
        .iter()
        .map(|(name, s)| (name.as_str(), s.state.as_str()))
        .collect();
    assert_eq!(
        states,
        [
            ("critical", "2"),
            ("late", "3"),
            ("ok", "0"),
            ("unknown", "3"),
            ("warning", "1")
        ],
        "{seen:#?}"
    );
    assert!(
        seen["ok"]
            .output
            .starts_with("PGGUARD LOCK-WAIT OK - nobody waits"),
        "{seen:#?}"
    );
    assert!(
        seen["ok"].figures.starts_with("longest_wait=0s;30;300;0"),
        "{seen:#?}"
    );
    assert!(seen["critical"].output.contains("x ¦ y=1"), "{seen:#?}");
    assert!(
        seen["critical"].figures.starts_with("longest_idle="),
        "{seen:#?}"
    );
    assert!(!seen["critical"].figures.contains("y=1"), "{seen:#?}");
    assert!(
        seen["late"].output.contains("timed out after 1 s"),
        "{seen:#?}"
    );
    assert!(seen["unknown"].output.contains("modes are"), "{seen:#?}");
}

fn as_account(account: &str, program: &str, arguments: &[&str]) -> Command {
    let is_root = nix::unistd::geteuid().is_root();
    let mut command = Command::new(if is_root { "runuser" } else { "env" });
    if is_root {
        command.args(["-u", account, "--"]);
    }
    command.args(["timeout", "40", program]).args(arguments);
    command
}

/// Asks the daemon, or whoever runs it as another account, to end.
fn stop(daemon: &mut Child) {
    let pid = i32::try_from(daemon.id()).expect("a pid");
    kill(Pid::from_raw(pid), Signal::SIGTERM).expect("a signal");
    daemon.wait().expect("it ends");
}

#[test]
fn nagios_understands_every_answer() {
    let Some(nagios) = program(&["/usr/sbin/nagios4", "/usr/local/nagios/bin/nagios"]) else {
        return;
    };
    let shop = common::shop();
    let mut odd = shop.session();
    odd.exec("BEGIN; SELECT 'x | y=1'");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its number").port();
    let (folder, pgguard) = place();
    let dir = folder.path().display().to_string();
    let mut objects = String::from(
        "define timeperiod {\n timeperiod_name always\n alias always\n monday 00:00-24:00\n tuesday 00:00-24:00\n \
         wednesday 00:00-24:00\n thursday 00:00-24:00\n friday 00:00-24:00\n saturday 00:00-24:00\n sunday 00:00-24:00\n}\n\
         define contact {\n contact_name nobody\n host_notifications_enabled 0\n service_notifications_enabled 0\n \
         host_notification_period always\n service_notification_period always\n host_notification_options n\n \
         service_notification_options n\n host_notification_commands none\n service_notification_commands none\n}\n\
         define command {\n command_name none\n command_line /bin/true\n}\n\
         define host {\n host_name db\n address 127.0.0.1\n max_check_attempts 1\n check_period always\n contacts nobody\n}\n",
    );
    for (name, arguments) in scene(&shop, port) {
        let arguments = arguments.replace('$', "$$");
        objects += &format!(
            "define command {{\n command_name {name}\n command_line {pgguard} {arguments}\n}}\n\
             define service {{\n host_name db\n service_description {name}\n check_command {name}\n \
             max_check_attempts 1\n check_interval 1\n retry_interval 1\n check_period always\n contacts nobody\n}}\n"
        );
    }
    fs::write(folder.path().join("objects.cfg"), objects).expect("a file");
    fs::create_dir(folder.path().join("results")).expect("a folder");
    fs::set_permissions(
        folder.path().join("results"),
        fs::Permissions::from_mode(0o777),
    )
    .expect("rights");
    let status = folder.path().join("status.dat");
    let main = format!(
        "cfg_file={dir}/objects.cfg\nlog_file={dir}/nagios.log\nstatus_file={dir}/status.dat\n\
         object_cache_file={dir}/objects.cache\nprecached_object_file={dir}/precached\ntemp_file={dir}/temp\n\
         temp_path={dir}\ncheck_result_path={dir}/results\nlock_file={dir}/lock\nstate_retention_file={dir}/retention\n\
         query_socket={dir}/query\ncommand_file={dir}/command\ncheck_external_commands=0\nuse_syslog=0\n\
         interval_length=2\nservice_inter_check_delay_method=n\nstatus_update_interval=1\nexecute_host_checks=0\n\
         retain_state_information=0\nenable_notifications=0\n"
    );
    let config = folder.path().join("nagios.cfg");
    fs::write(&config, main).expect("a file");
    let config = config.display().to_string();
    let mut daemon = as_account("nagios", &nagios.display().to_string(), &[&config])
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("nagios starts");
    let mut seen = BTreeMap::new();
    common::until("nagios has checked everything", || {
        seen = from_status(&fs::read_to_string(&status).unwrap_or_default());
        seen.len() == 5
    });
    stop(&mut daemon);
    is_understood(&seen);
    odd.exec("ROLLBACK");
}

/// The services that have been checked, from `status.dat`.
fn from_status(text: &str) -> BTreeMap<String, Seen> {
    let mut seen = BTreeMap::new();
    for block in text.split("servicestatus {").skip(1) {
        let value = |key: &str| {
            block
                .lines()
                .find_map(|line| line.trim().strip_prefix(&format!("{key}=")))
                .unwrap_or_default()
                .to_owned()
        };
        if value("has_been_checked") == "1" {
            seen.insert(
                value("service_description"),
                Seen {
                    state: value("current_state"),
                    output: value("plugin_output"),
                    figures: value("performance_data"),
                },
            );
        }
    }
    seen
}

#[test]
fn icinga_understands_every_answer() {
    let Some(icinga) = program(&["/usr/sbin/icinga2", "/usr/lib/icinga2/sbin/icinga2"]) else {
        return;
    };
    let shop = common::shop();
    let mut odd = shop.session();
    odd.exec("BEGIN; SELECT 'x | y=1'");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its number").port();
    let (folder, pgguard) = place();
    let dir = folder.path().display().to_string();
    for name in ["run/icinga2", "data", "log", "cache", "spool", "out", "tmp"] {
        fs::create_dir_all(folder.path().join(name)).expect("a folder");
    }
    let mut objects = format!(
        "object CheckerComponent \"checker\" {{ }}\n\
         object PerfdataWriter \"out\" {{\n service_perfdata_path = \"{dir}/out/services\"\n \
         service_temp_path = \"{dir}/tmp/services\"\n host_perfdata_path = \"{dir}/out/hosts\"\n \
         host_temp_path = \"{dir}/tmp/hosts\"\n rotation_interval = 1s\n \
         service_format_template = \"$service.name$\\t$service.state_id$\\t$service.output$\\t$service.perfdata$\"\n}}\n\
         object CheckCommand \"none\" {{ command = [ \"/bin/true\" ] }}\n\
         object Host \"db\" {{ check_command = \"none\" }}\n"
    );
    for (name, arguments) in scene(&shop, port) {
        let words: Vec<String> = arguments
            .split(' ')
            .map(|word| format!("\"{}\"", word.replace('$', "$$")))
            .collect();
        objects += &format!(
            "object CheckCommand \"{name}\" {{ command = [ \"{pgguard}\", {} ] }}\n\
             object Service \"{name}\" {{\n host_name = \"db\"\n check_command = \"{name}\"\n check_interval = 1s\n \
             retry_interval = 1s\n max_check_attempts = 1\n}}\n",
            words.join(", ")
        );
    }
    let config = folder.path().join("icinga.conf");
    fs::write(&config, objects).expect("a file");
    let owned = Command::new("chown").args(["-R", "nagios", &dir]).status();
    let account = if owned.is_ok_and(|status| status.success()) {
        "nagios"
    } else {
        "nobody"
    };
    let defines: Vec<String> = [
        ("Configuration.RunAsUser", account.to_owned()),
        ("Configuration.RunAsGroup", "nogroup".into()),
        ("Configuration.DataDir", format!("{dir}/data")),
        ("Configuration.LogDir", format!("{dir}/log")),
        ("Configuration.CacheDir", format!("{dir}/cache")),
        ("Configuration.SpoolDir", format!("{dir}/spool")),
        ("Configuration.InitRunDir", format!("{dir}/run")),
        ("Configuration.PidPath", format!("{dir}/run/icinga2/pid")),
    ]
    .into_iter()
    .map(|(name, value)| format!("-D{name}={value}"))
    .collect();
    let config = config.display().to_string();
    let log = fs::File::create(folder.path().join("daemon.log")).expect("a file");
    let mut command = Command::new("timeout");
    command
        .arg("160")
        .arg(icinga)
        .arg("daemon")
        .args(&defines)
        .args(["-c", &config])
        .stdout(log.try_clone().expect("a file"))
        .stderr(log);
    let mut daemon = command.spawn().expect("icinga starts");
    let mut seen = BTreeMap::new();
    let started = std::time::Instant::now();
    while seen.len() < 5 && started.elapsed().as_secs() < 150 {
        std::thread::sleep(std::time::Duration::from_millis(200));
        for file in fs::read_dir(folder.path().join("out"))
            .into_iter()
            .flatten()
            .flatten()
        {
            take_perfdata(
                &fs::read_to_string(file.path()).unwrap_or_default(),
                &mut seen,
            );
        }
    }
    stop(&mut daemon);
    let log = fs::read_to_string(folder.path().join("daemon.log")).unwrap_or_default();
    assert_eq!(seen.len(), 5, "{seen:#?}\n{log}");
    is_understood(&seen);
    odd.exec("ROLLBACK");
}

fn take_perfdata(text: &str, seen: &mut BTreeMap<String, Seen>) {
    for line in text.lines() {
        let cells: Vec<&str> = line.split('\t').collect();
        if let [name, state, output, rest @ ..] = cells.as_slice() {
            seen.insert(
                (*name).to_owned(),
                Seen {
                    state: (*state).to_owned(),
                    output: (*output).to_owned(),
                    figures: rest.join(" ").trim().to_owned(),
                },
            );
        }
    }
}
