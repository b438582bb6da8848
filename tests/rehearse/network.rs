//! What a command may reach where ports are opened to it, and where it may write.

use crate::common::{self, Outcome};
use crate::production::Production;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

/// A server on this machine that answers each line with `here: ` before it.
fn service() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            std::thread::spawn(move || answer(client));
        }
    });
    port
}

fn answer(mut client: TcpStream) {
    let mut line = Vec::new();
    let mut byte = [0];
    while client.read(&mut byte).is_ok_and(|length| length == 1) && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    let _ = client.write_all(&[b"here: ", &line[..], b"\n"].concat());
}

fn rehearse(production: &Production, flags: &[&str], script: &str) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    let url = production.url();
    let before = ["rehearse", "-d", &url];
    let arguments = [&before[..], flags, &["--", "bash", "-c", script]].concat();
    production.pgguard(folder.path(), &arguments)
}

/// A shell's line that says a word to a port and prints what comes back.
fn asks(port: u16) -> String {
    format!(
        "(exec 3<>/dev/tcp/127.0.0.1/{port} && echo word >&3 && timeout 5 head -n 1 <&3 >&2) 2>&1 >/dev/null | sed 's/^/{port}: /' >&2"
    )
}

#[test]
fn an_opened_port_is_reached_and_no_other() {
    let production = Production::on(common::majors()[0]);
    let (opened, closed) = (service(), service());
    let url = production.url();
    let script = format!(
        "{}\n{}\npsql -X -q '{url}' -c 'ALTER TABLE orders ADD COLUMN x int'",
        asks(opened),
        asks(closed)
    );
    let told = rehearse(&production, &["--network", &opened.to_string()], &script);
    assert_eq!(told.status, 0, "{told}");
    assert!(
        told.stderr.contains(&format!("{opened}: here: word")),
        "{told}"
    );
    assert!(!told.stderr.contains(&format!("{closed}: here")), "{told}");
    assert!(
        told.stdout.contains("ALTER TABLE orders ADD COLUMN x int;"),
        "{told}"
    );
    // Without it, neither.
    let told = rehearse(&production, &[], &script);
    assert_eq!(told.status, 0, "{told}");
    assert!(!told.stderr.contains("here: word"), "{told}");
    production.is_untouched();
}

/// Production behind a port that somebody opened by mistake, in whatever way a client of Postgres begins.
#[test]
fn what_speaks_postgres_at_an_opened_port_is_led_to_the_copy() {
    let production = Production::on(common::majors()[0]);
    // A pooler, a tunnel: another port that leads to production.
    let server = production.shop.server.port();
    let tunnel = tunnel(server);
    let name = &production.shop.name;
    let write = "INSERT INTO schema_migrations VALUES (gen_random_uuid())";
    let ways = [
        format!("postgres://deploy:right@127.0.0.1:{tunnel}/{name}?sslmode=disable"),
        format!("postgres://deploy:right@127.0.0.1:{tunnel}/{name}"),
        format!("postgres://deploy:right@localhost:{tunnel}/{name}"),
    ];
    let script: String = ways
        .iter()
        .map(|way| format!("psql -X -q '{way}' -c '{write}' && echo reached >&2\n"))
        .collect();
    // Silent first, and then as a client of Postgres: the connection ends.
    let late = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{tunnel}; sleep 0.6
         printf '\\0\\0\\0\\051\\0\\003\\0\\0user\\0deploy\\0database\\0{name}\\0\\0' >&3
         timeout 3 head -c 1 <&3 | wc -c | sed 's/^/answered: /' >&2\nexit 0"
    );
    let flags = ["--network", &tunnel.to_string()];
    let told = rehearse(&production, &flags, &format!("{script}{late}"));
    assert_eq!(told.status, 0, "{told}");
    assert_eq!(
        told.stderr.matches("reached\n").count(),
        ways.len(),
        "{told}"
    );
    assert!(told.stderr.contains("answered: 0"), "{told}");
    production.is_untouched();
}

/// A port that leads to another one.
fn tunnel(to: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(("127.0.0.1", to)).expect("the server");
            let (from, back) = (
                client.try_clone().expect("a twin"),
                server.try_clone().expect("a twin"),
            );
            std::thread::spawn(move || pass(client, server));
            std::thread::spawn(move || pass(back, from));
        }
    });
    port
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Write);
}

#[test]
fn the_copys_own_ports_are_not_opened() {
    let production = Production::on(common::majors()[0]);
    let server = production.shop.server.port().to_string();
    for ports in ["5432", &server, "443,6432", "0", "53"] {
        let told = rehearse(&production, &["--network", ports], "exit 0");
        assert_eq!(told.status, 2, "{ports}: {told}");
        assert!(told.stderr.contains("--network"), "{ports}: {told}");
    }
    let both = rehearse(&production, &["--network", "443", "--unconfined"], "exit 0");
    assert_eq!(both.status, 2, "{both}");
}

/// Landlock: only the project, temporary files and the user's own folders are written.
#[test]
fn nothing_is_written_outside() {
    let production = Production::on(common::majors()[0]);
    let outside = ["/etc", "/opt", "/usr/local", "/var/lib"];
    let url = production.url();
    let writes: String = outside
        .iter()
        .map(|folder| {
            format!("touch {folder}/pgguard-was-here && echo written: {folder} >&2; mv inside {folder}/ && echo moved >&2\n")
        })
        .collect();
    // A child that stays, and one with all rights in a namespace of its own, are held, too.
    let script = format!(
        "touch inside \"$(mktemp)\" && echo mine >&2
         {writes}
         setsid sh -c 'sleep 0.1; touch /etc/pgguard-was-here && echo written: later >&2' &
         unshare -Ur sh -c 'touch /etc/pgguard-was-here && echo written: as root >&2'
         psql -X -q '{url}' -c 'ALTER TABLE orders ADD COLUMN x int'
         wait"
    );
    for flags in [&[][..], &["--network", "443"]] {
        let told = rehearse(&production, flags, &script);
        assert_eq!(told.status, 0, "{told}");
        assert!(told.stderr.contains("mine\n"), "{told}");
        assert!(!told.stderr.contains("written: "), "{told}");
        assert!(!told.stderr.contains("moved\n"), "{told}");
    }
    for folder in outside {
        let left = std::path::Path::new(folder).join("pgguard-was-here");
        assert!(!left.exists(), "{}", left.display());
    }
    production.is_untouched();
}
