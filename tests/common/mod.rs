//! Actors for the integration tests: a server, a fresh database, sessions, a backup whose reader
//! stalls, and pgguard itself. A test reads as a scene: who holds what, what is asked, what is
//! answered, what Postgres then did.
//!
//! ```ignore
//! let shop = common::shop();                       // a database of its own
//! let dump = Dump::stalled(&shop);                 // a real pg_dump that nobody reads from
//! let mut migration = shop.session();
//! migration.start("ALTER TABLE orders ADD COLUMN total int");
//! migration.until_waiting();
//! let gate = common::pgguard(["gate", "-d", &shop.url(), "fixture.sql"]);
//! assert_eq!(gate.status, 1, "{gate}");
//! ```

#![allow(
    dead_code,
    unused_imports,
    reason = "every test binary uses a part of it"
)]

mod database;
mod dump;
mod pooler;
mod program;
mod project;
mod session;
mod standby;

pub use database::Database;
pub use dump::Dump;
pub use pooler::Pooler;
pub use program::{Outcome, pgguard, pgguard_command, pgguard_with_input, run_with_input};
pub use project::{Address, LaidOut, PROJECTS, Project, project, projects};
pub use session::Session;
pub use standby::Standby;

use pgguard::test_support::throwaway::{Binaries, Options, Server};
use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// Longest that a test waits for something that must happen: generous, a loaded machine is slow.
const PATIENCE: Duration = Duration::from_secs(180);

/// The server of this test binary, of the version that `$PGGUARD_TEST_MAJOR` names or that is found
/// first. Statics are not dropped: the server goes when the process does.
pub fn server() -> &'static Server {
    static MAJOR: OnceLock<u32> = OnceLock::new();
    let major = *MAJOR.get_or_init(|| {
        let asked = std::env::var("PGGUARD_TEST_MAJOR").ok().map(|major| {
            major
                .parse()
                .expect("PGGUARD_TEST_MAJOR is a number, such as 15")
        });
        Binaries::find(asked)
            .expect("a server to test with")
            .major()
    });
    server_of(major)
}

/// The server of this test binary of a certain major version.
pub fn server_of(major: u32) -> &'static Server {
    static SERVERS: Mutex<BTreeMap<u32, &'static Server>> = Mutex::new(BTreeMap::new());
    let mut servers = SERVERS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    servers.entry(major).or_insert_with(|| {
        // Autovacuum would take locks at times that no test chose.
        own_server(&Options::major(major).setting("autovacuum", "off"))
    })
}

/// A server of one test alone: set up otherwise, or looked at as a whole.
pub fn own_server(options: &Options) -> &'static Server {
    Box::leak(Box::new(Server::start(options).expect("the server starts")))
}

/// The folder with real migration tools, which `./dev setup` fetches; without it a test is skipped, and says so.
pub fn migration_tools() -> Option<std::path::PathBuf> {
    let folder = std::env::var_os("PGGUARD_TEST_TOOLS").map(std::path::PathBuf::from);
    if folder.is_none() {
        println!("skipped: PGGUARD_TEST_TOOLS names no folder with migration tools (./dev setup)");
    }
    folder
}

/// The major versions to test on, oldest first: those that `$PGGUARD_TEST_MAJORS` lists (`14 15 16`),
/// or all that are installed. `./dev test` sets it, so that a missing one is noticed there.
pub fn majors() -> Vec<u32> {
    let mut majors: Vec<u32> = match std::env::var("PGGUARD_TEST_MAJORS") {
        Ok(list) => list
            .split([' ', ','])
            .filter(|word| !word.is_empty())
            .map(|word| word.parse().expect("PGGUARD_TEST_MAJORS lists numbers"))
            .collect(),
        Err(_) => Binaries::installed().iter().map(Binaries::major).collect(),
    };
    majors.sort_unstable();
    majors.dedup();
    assert!(!majors.is_empty(), "no server to test with");
    majors
}

/// A fresh, empty database on the test binary's server.
pub fn database() -> Database {
    Database::empty(server())
}

/// A fresh copy of the small shop on the test binary's server.
pub fn shop() -> Database {
    Database::shop(server())
}

/// Waits until something is so.
///
/// # Panics
/// It is not so after a generous time.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
