//! Ways out: files, pipes, standard error, and that text leaves by one door only.

use crate::common::{self, pgguard_command, until};
use crate::door::run;
use std::fs::File;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// cases/safety/08 on what there is in a folder of the test's own; the device is never a real one's name.
#[test]
fn a_recording_spares_what_is_no_plain_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let shop = common::database();
    let url = shop.url();
    let record = |path: &Path| {
        run(pgguard_command()
            .args(["status", "-d", &url, "--record"])
            .arg(path))
    };
    std::fs::write(at("target"), "old").unwrap();
    std::os::unix::fs::symlink("target", at("link")).unwrap();
    std::os::unix::fs::symlink("/dev/null", at("null")).unwrap();
    std::os::unix::fs::symlink("/dev/stdout", at("out")).unwrap();
    nix::unistd::mkfifo(&at("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let is_recording = |text: &str| text.contains("\"looks\":[{");

    assert_eq!(record(&at("link")).status, 0);
    assert!(is_recording(
        &std::fs::read_to_string(at("target")).unwrap()
    ));
    assert!(at("link").symlink_metadata().unwrap().is_symlink());
    assert_eq!(record(&at("null")).status, 0);
    assert!(at("null").symlink_metadata().unwrap().is_symlink());
    assert!(
        Path::new("/dev/null")
            .metadata()
            .unwrap()
            .file_type()
            .is_char_device()
    );
    let reader = std::thread::spawn({
        let fifo = at("fifo");
        move || std::fs::read_to_string(fifo).unwrap()
    });
    assert_eq!(record(&at("fifo")).status, 0);
    assert!(is_recording(&reader.join().unwrap()));
    assert!(at("fifo").metadata().unwrap().file_type().is_fifo());
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]
        .map(Path::new)
        .into_iter()
        .chain([&*at("out")])
    {
        let before = name.symlink_metadata().ok().map(|found| found.file_type());
        let outcome = record(name);
        assert_eq!(outcome.status, 0, "{name:?}: {outcome}");
        let lines: Vec<&str> = outcome.stdout.lines().collect();
        assert!(
            lines.iter().any(|line| is_recording(line)),
            "{name:?}: {outcome}"
        );
        assert!(
            lines[0].contains(" on ") || lines.len() > 1,
            "the report came first: {outcome}"
        );
        assert_eq!(
            name.symlink_metadata().ok().map(|found| found.file_type()),
            before
        );
    }
    let full = record(Path::new("/dev/full"));
    assert_eq!(full.status, 2, "{full}");
    let exported = run(pgguard_command()
        .args([
            "backups",
            "export",
            "--history",
            at("h.sqlite").to_str().unwrap(),
        ])
        .arg(at("null")));
    assert_eq!(exported.status, 0, "{exported}");
    assert!(
        Path::new("/dev/null")
            .metadata()
            .unwrap()
            .file_type()
            .is_char_device()
    );
}

/// cases/safety/06: the one who reads our lines goes after the first; we end by the next.
#[test]
fn what_prints_in_a_loop_ends_when_nobody_reads() {
    let shop = common::shop();
    let url = shop.url();
    let mut holder = shop.session();
    holder.begin_and_lock("orders", "ACCESS SHARE");
    let migration = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(migration.path(), "ALTER TABLE orders ADD COLUMN x int;").unwrap();
    let file = migration.path().to_str().unwrap();
    for (script, status) in [
        (
            format!(
                "exec \"$0\" status -d '{url}' --watch 100ms | head -1; echo ${{PIPESTATUS[0]}}"
            ),
            "0",
        ),
        (
            format!(
                "\"$0\" gate -d '{url}' --wait 1h --interval 100ms {file} 2>&1 | true; echo ${{PIPESTATUS[0]}}"
            ),
            "141",
        ),
    ] {
        let output = Command::new("bash")
            .args([
                "-c",
                &script,
                pgguard_command().get_program().to_str().unwrap(),
            ])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(said.lines().last(), Some(status), "{script}: {said}");
    }
    let name = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgguard%' AND datname = current_database()";
    until("no session of ours is left", || shop.sql(name) == "0");
}

/// cases/safety/10 b: a full disk under the log is no panic, and no other status.
#[test]
fn a_standard_error_that_takes_nothing_changes_no_status() {
    let shop = common::shop();
    let url = shop.url();
    let mut holder = shop.session();
    holder.begin_and_lock("orders", "ACCESS SHARE");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.sql");
    std::fs::write(&file, "ALTER TABLE orders ADD COLUMN x int;").unwrap();
    let file = file.to_str().unwrap();
    let pid = holder.pid().to_string();
    for (arguments, status) in [
        (&["gate", "-d", &url, file][..], 1),
        (
            &[
                "gate",
                "-d",
                &url,
                "--wait",
                "300ms",
                "--interval",
                "100ms",
                file,
            ],
            1,
        ),
        (&["gate", "-d", "postgres://127.0.0.1:1/x", file], 2),
        (&["status", "-d", "postgres://127.0.0.1:1/x"], 2),
        (&["gate", "nowhere.sql"], 2),
        (&["gate", "--nonsense"], 2),
        (&["kill", "-d", &url, &pid], 2),
        (&["kill", "-d", &url, &pid, "--yes", "another"], 1),
        (&["status", "-d", &url, "--history", "/dev/null/x"], 0),
        (&["check", "-d", "postgres://127.0.0.1:1/x"], 3),
    ] {
        for to in ["2>/dev/full", "2>&-"] {
            let ran = Command::new("bash")
                .args(["-c", &format!("exec \"$@\" {to}"), "bash"])
                .arg(pgguard_command().get_program())
                .args(arguments)
                .env("PGGUARD_HISTORY", folder.path().join("h.sqlite"))
                .output()
                .unwrap();
            assert_eq!(
                ran.status.code(),
                Some(status),
                "{arguments:?} {to}: {ran:?}"
            );
        }
    }
    for (arguments, status) in [
        (&["gate", "-d", &url, file][..], 2),
        (&["status", "-d", &url], 2),
        (&["--version"], 2),
        (&["kill", "-d", &url, &pid], 2),
    ] {
        let full = Stdio::from(File::options().write(true).open("/dev/full").unwrap());
        let ran = pgguard_command()
            .args(arguments)
            .stdout(full)
            .output()
            .unwrap();
        assert_eq!(ran.status.code(), Some(status), "{arguments:?}: {ran:?}");
    }
    assert!(holder.is_there());
}

/// Nothing but the door writes to standard output, standard error or the terminal.
#[test]
fn the_door_is_the_only_way_out() {
    let mut files = vec![std::path::PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src"
    ))];
    let mut read = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        if path.extension().is_none_or(|ending| ending != "rs") || path.ends_with("watch/tests.rs")
        {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let is_door = path
            .parent()
            .is_some_and(|folder| folder.ends_with("src/door"));
        read += 1;
        for (nth, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for word in [
                "print!(",
                "println!(",
                "eprint!(",
                "eprintln!(",
                "dbg!(",
                "stdout()",
                "stderr()",
                "/dev/tty\").write",
            ] {
                let writes = code.contains(word);
                assert!(is_door || !writes, "{}:{}: {line}", path.display(), nth + 1);
            }
        }
    }
    assert!(read > 100, "the sources were read");
}

/// The door lets our own colours pass, those of the tables included.
#[test]
fn our_colours_leave_as_colours() {
    let shop = common::shop();
    let mut reader = shop.session();
    reader.begin_and_lock("orders", "ACCESS SHARE");
    let _outage = shop.outage();
    let url = shop.url();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("1.sql");
    std::fs::write(&file, "ALTER TABLE orders ADD COLUMN remark text;\n").expect("written");
    let file = file.to_str().expect("UTF-8");
    for arguments in [
        &["status", "--all"][..],
        &["gate", "--patience", "0s", file],
        &["explain", file],
        &["backups", "--no-history"],
        &["tools"],
    ] {
        for no_color in [true, false] {
            let mut command = common::pgguard_command();
            if !no_color {
                command.env_remove("NO_COLOR");
            }
            command
                .args(arguments)
                .args(["--color", "always"])
                .env("DATABASE_URL", &url);
            let told = common::run_with_input(command, "");
            assert!(!told.stdout.contains("\\u{1b}"), "{arguments:?}: {told}");
            let is_coloured = told.stdout.contains("\x1b[");
            assert!(
                is_coloured || !["status", "gate"].contains(&arguments[0]),
                "{arguments:?}: {told}"
            );
        }
    }
}
