//! A tool on the JVM under `pgguard run`: its driver takes neither PGAPPNAME nor PGOPTIONS, and its shell script starts
//! `java` as a process of its own.

use crate::common::{self, Address};
use crate::stage::{Stage, Started};
use nix::sys::signal::Signal;
use std::process::Command;

const CHANGELOG: &str =
    "--liquibase formatted sql\n\n--changeset shop:1\nALTER TABLE orders ADD COLUMN total int;\n";

/// Liquibase on a stage's database; `None`: it is not here.
struct Liquibase {
    stage: Stage,
    words: Vec<String>,
}

impl Liquibase {
    fn on(stage: Stage) -> Option<Self> {
        let program =
            common::migration_tools()?.join("node/node_modules/liquibase/dist/liquibase/liquibase");
        let java = Command::new("java").arg("-version").output();
        if !program.exists() || java.is_err() {
            println!(
                "skipped: there is no {}, or no java (./dev setup)",
                program.display()
            );
            return None;
        }
        let address = Address::of(&stage.shop);
        stage.file("changelog.sql", CHANGELOG);
        let words = vec![
            program.display().to_string(),
            "--changelog-file=changelog.sql".into(),
            format!(
                "--url=jdbc:postgresql://127.0.0.1:{}/{}",
                address.port, address.database
            ),
            format!("--username={}", address.user),
            "--password".into(),
            address.password,
        ];
        Some(Self { stage, words })
    }

    fn command(&self, task: &str) -> Vec<String> {
        let words = self.words.iter().cloned();
        words.chain([task.to_owned()]).collect()
    }

    fn run(&self, flags: &[&str]) -> Command {
        let url = self.stage.shop.server.tcp_url(&self.stage.shop.name);
        let mut command = self
            .stage
            .command([&["run", "-d", &*url], flags, &["--"]].concat());
        command
            .args(self.command("update"))
            .current_dir(self.stage.folder.path())
            .env("JAVA_OPTS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
            .env_remove("DATABASE_URL");
        command
    }

    /// Liquibase itself, to its end.
    fn alone(&self, task: &str) {
        let words = self.command(task);
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .current_dir(self.stage.folder.path());
        let ran = common::run_with_input(command, "");
        assert_eq!(ran.status, 0, "{ran}");
    }

    fn until_it_waits(&self) {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'PostgreSQL JDBC Driver' \
                   AND wait_event_type = 'Lock' AND datname = current_database()";
        let begun = std::time::Instant::now();
        // A JVM begins slowly on a loaded machine.
        while self.stage.shop.sql(sql) != "1" {
            assert!(begun.elapsed().as_secs() < 180, "{}", self.stage.out());
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }

    fn until_gone(&self) {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'PostgreSQL JDBC Driver' AND datname = current_database()";
        common::until("its sessions are gone", || self.stage.shop.sql(sql) == "0");
    }

    fn lock_is_held(&self) -> bool {
        self.stage
            .shop
            .sql("SELECT locked FROM databasechangeloglock")
            == "t"
    }

    fn doctor(&self) -> common::Outcome {
        let url = self.stage.shop.server.tcp_url(&self.stage.shop.name);
        common::run_with_input(
            self.stage
                .command(["doctor", "-d", &*url, "--format", "json"]),
            "",
        )
    }
}

fn kinds(told: &common::Outcome) -> Vec<String> {
    let all = told.json()["findings"]
        .as_array()
        .expect("findings")
        .clone();
    all.iter()
        .map(|finding| finding["kind"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[cfg(target_os = "linux")]
#[test]
fn a_tool_on_the_jvm_is_watched_makes_way_is_tried_again_and_told_from_the_server() {
    let Some(liquibase) = Liquibase::on(Stage::new()) else {
        return;
    };
    let stage = &liquibase.stage;
    let holder = stage.holder();
    let flags = ["--no-gate", "--tries", "5"];
    let mut run = Started::of(liquibase.run(&flags), &stage.path("out"));
    liquibase.until_it_waits();
    let mut reader = stage.shop.session();
    reader.start("SELECT count(*) FROM orders");
    assert_eq!(reader.join().as_deref(), Ok("1"));
    stage.until_said("known by its connection");
    stage.until_said("cancelled pid");
    stage.until_said("it is tried again");
    assert!(holder.is_there());
    holder.close();
    assert_eq!(run.wait(), 0, "{}", stage.out());
    assert!(stage.has_column("total") && !liquibase.lock_is_held());
    let told = &stage.runs()[0];
    assert_eq!(told["result"], "applied", "{}", stage.out());
    let recorded = told["facts"]["recorded"].to_string();
    assert!(recorded.contains("databasechangelog"), "{recorded}");
    let password = stage.shop.server.password();
    assert!(
        password.is_empty() || !stage.out().contains(password),
        "{}",
        stage.out()
    );
    let ran = common::run_with_input(liquibase.run(&["--no-gate"]), "");
    assert!(
        ran.status == 0 && ran.stderr.contains("nothing to do"),
        "{ran}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn stopped_or_killed_while_it_waits_it_leaves_at_most_its_lock_row_and_that_is_named() {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let Some(liquibase) = Liquibase::on(Stage::new()) else {
            return;
        };
        let stage = &liquibase.stage;
        let holder = stage.holder();
        let flags = ["--no-gate", "--max-queue", "1h"];
        let mut run = Started::of(liquibase.run(&flags), &stage.path("out"));
        liquibase.until_it_waits();
        stage.until_said("known by its connection");
        run.signal(signal);
        run.wait();
        liquibase.until_gone();
        assert!(holder.is_there() && !stage.has_column("total"), "{signal}");
        if signal == Signal::SIGTERM {
            let told = &stage.runs()[0];
            assert_eq!(told["result"], "not_applied", "{}", stage.out());
        }
        // The lock row is committed before: whoever is killed does not give it back.
        if liquibase.lock_is_held() {
            let told = liquibase.doctor();
            assert_eq!(kinds(&told), ["tool_lock"], "{signal}: {told}");
            assert!(told.stdout.contains("liquibase release-locks"), "{told}");
            let again = common::run_with_input(liquibase.run(&["--no-gate"]), "");
            assert_eq!(again.status, 75, "{signal}: {again}");
            liquibase.alone("release-locks");
        }
        let told = liquibase.doctor();
        assert_eq!(kinds(&told), Vec::<String>::new(), "{signal}: {told}");
        holder.close();
        let ran = common::run_with_input(liquibase.run(&[]), "");
        assert_eq!(ran.status, 0, "{signal}: {ran}");
        assert!(stage.has_column("total"), "{signal}");
    }
}

/// Without pgguard: what is left of it, by the doctor.
#[cfg(target_os = "linux")]
#[test]
fn killed_alone_it_leaves_a_zombie_and_its_lock_row() {
    use std::os::unix::process::CommandExt as _;
    let Some(liquibase) = Liquibase::on(Stage::new()) else {
        return;
    };
    let stage = &liquibase.stage;
    let holder = stage.holder();
    let words = liquibase.command("update");
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).current_dir(stage.folder.path());
    let quiet = command
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null());
    let mut child = quiet.process_group(0).spawn().expect("it starts");
    liquibase.until_it_waits();
    let group = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    nix::sys::signal::killpg(group, Signal::SIGKILL).expect("killed");
    child.wait().expect("gone");
    let told = liquibase.doctor();
    assert_eq!(kinds(&told), ["zombie", "tool_lock"], "{told}");
    holder.close();
    liquibase.until_gone();
    assert_eq!(kinds(&liquibase.doctor()), ["tool_lock"]);
    liquibase.alone("release-locks");
    let told = liquibase.doctor();
    assert_eq!(kinds(&told), Vec::<String>::new(), "{told}");
}
