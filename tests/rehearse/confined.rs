//! What a hostile command can reach: the copy, or nothing. And nothing stays behind.

use crate::common;
use crate::production::Production;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

/// Every way to production that a command may know: its address and others, names, sockets, the environment.
#[test]
fn every_way_leads_to_the_copy_or_nowhere() {
    let production = Production::on(common::majors()[0]);
    let server = production.shop.server;
    let (port, name) = (server.port(), &production.shop.name);
    let socket = server.socket_dir().display();
    let write = "INSERT INTO schema_migrations VALUES (gen_random_uuid())";
    let ways = [
        format!("postgres://deploy:right@127.0.0.1:{port}/{name}"),
        format!("postgres://deploy:right@localhost:{port}/{name}"),
        format!("postgres://deploy:wrong@10.20.30.40/{name}"),
        format!("postgres://deploy:wrong@db.internal.example:6432/{name}"),
        format!("postgres:///{name}?host={socket}&port={port}&user=deploy"),
        format!("postgres:///{name}?host={socket}&port={port}&user=postgres"),
        format!("postgres:///{name}?host=/var/run/postgresql&user=deploy"),
    ];
    let script: String = ways
        .iter()
        .map(|way| format!("psql -X -q '{way}' -c '{write}' && echo reached >&2\n"))
        .collect();
    let told = production.rehearse(&script);
    assert_eq!(told.status, 0, "{told}");
    let reached = told.stderr.matches("reached\n").count();
    // Where the machine has no /var/run/postgresql, nothing is there in the world either.
    assert!(
        reached >= ways.len() - 1,
        "{reached} of {}: {told}",
        ways.len()
    );
    assert_eq!(
        told.stdout.matches("\nINSERT INTO").count(),
        reached,
        "{told}"
    );
    production.is_untouched();
}

#[test]
fn the_world_cannot_be_undone() {
    let production = Production::on(common::majors()[0]);
    let server = production.shop.server;
    let socket = format!(
        "{}/.s.PGSQL.{}",
        server.socket_dir().display(),
        server.port()
    );
    let url = production.url();
    let write = "INSERT INTO schema_migrations VALUES (gen_random_uuid())";
    let script = format!(
        "psql -X -q '{url}' -c 'SELECT 1' >/dev/null
         umount '{socket}' && echo undone >&2
         unshare -Urm sh -c \"umount '{socket}' && echo undone >&2\"
         nsenter -t 1 -n true && echo undone >&2
         for root in /proc/[0-9]*/root; do
             psql -X -q \"postgres:///{name}?host=$root{folder}&port={port}&user=deploy\" -c '{write}' >/dev/null 2>&1
         done
         ip addr add 192.0.2.1/24 dev lo 2>/dev/null && echo undone >&2
         exit 0",
        name = production.shop.name,
        folder = server.socket_dir().display(),
        port = server.port(),
    );
    let told = production.rehearse(&script);
    assert_eq!(told.status, 0, "{told}");
    assert!(!told.stderr.contains("undone\n"), "{told}");
    production.is_untouched();
}

/// What the copy's server itself is made to do.
#[test]
fn the_copys_server_reaches_nothing_either() {
    let production = Production::on(common::majors()[0]);
    let url = production.url();
    let port = production.shop.server.port();
    let socket = production.shop.server.socket_dir().display();
    let name = &production.shop.name;
    let script = format!(
        "psql -X '{url}' <<'SQL'
         COPY schema_migrations FROM PROGRAM 'echo 9';
         CREATE EXTENSION dblink;
         SELECT dblink_exec('host=127.0.0.1 port={port} dbname={name} user=deploy password=right', 'INSERT INTO schema_migrations VALUES (9)');
         SELECT dblink_exec('host={socket} port={port} dbname={name} user=deploy password=right', 'INSERT INTO schema_migrations VALUES (9)');
SQL
         exit 0"
    );
    let told = production.rehearse(&script);
    assert!(
        told.stderr.contains("permission denied") || told.stderr.contains("ERROR"),
        "{told}"
    );
    production.is_untouched();
}

/// Processes whose command line has this text.
fn running(mark: &str) -> Vec<String> {
    let listed = Command::new("ps")
        .args(["-eo", "pid,args", "-ww"])
        .output()
        .expect("ps runs");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    listed
        .lines()
        .filter(|line| line.contains(mark) && !line.contains("ps -eo"))
        .map(str::to_owned)
        .collect()
}

/// Folders of rehearsals in a folder for temporary files.
fn left_in(folder: &std::path::Path) -> usize {
    std::fs::read_dir(folder)
        .expect("the folder")
        .flatten()
        .count()
}

#[test]
fn nothing_stays_behind_however_it_ends() {
    use std::os::unix::fs::PermissionsExt as _;
    let production = Production::on(common::majors()[0]);
    let url = production.url();
    for (number, end) in ["success", "failure", "INT", "TERM", "KILL"]
        .iter()
        .enumerate()
    {
        let temporary = tempfile::Builder::new()
            .prefix("t")
            .tempdir_in("/tmp")
            .expect("a folder");
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(temporary.path(), open).expect("set");
        let mark = format!("47{number}11.{}", std::process::id());
        // It connects, leaves a child in a session of its own, and then ends or stays.
        let last = match *end {
            "success" => "exit 0",
            "failure" => "exit 3",
            _ => "echo waits >&2; sleep 600",
        };
        let script = format!(
            "psql -X -q '{url}' -c 'SELECT 1' >/dev/null; setsid sleep {mark} & sleep 0.1; {last}"
        );
        let mut command = production.command(&["rehearse", "-d", &url, "--", "sh", "-c", &script]);
        command
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command.spawn().expect("it starts");
        if number >= 2 {
            let mut said = std::io::BufReader::new(child.stderr.take().expect("a pipe"));
            let mut line = String::new();
            while !line.contains("waits") {
                line.clear();
                let read = std::io::BufRead::read_line(&mut said, &mut line).expect("it reads");
                assert!(read > 0, "it ended before it waited");
            }
            let pid = child.id().to_string();
            assert!(!running(&mark).is_empty(), "the child runs");
            let killed = Command::new("kill")
                .args(["-s", end, &pid])
                .status()
                .expect("kill runs");
            assert!(killed.success());
        }
        child.wait().expect("it ends");
        common::until(&format!("all is gone after {end}"), || {
            running(&mark).is_empty() && left_in(temporary.path()) == 0
        });
    }
    production.is_untouched();
}
