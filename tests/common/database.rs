//! A database that only one test knows.

use super::Session;
use pgguard::test_support::throwaway::Server;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// A fresh database on a throw-away server. It goes with the server.
pub struct Database {
    pub server: &'static Server,
    pub name: String,
}

impl Database {
    /// An empty one.
    pub fn empty(server: &'static Server) -> Self {
        Self::copy_of("template0", server)
    }

    /// A copy of the small shop (`src/throwaway/shop.sql`), which is built once a server.
    pub fn shop(server: &'static Server) -> Self {
        static BUILT: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
        let mut built = BUILT
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if built.insert(server.port()) {
            server
                .create_shop("shop_template")
                .expect("the shop is built");
        }
        // Under the lock: a template can be copied by one at a time.
        Self::copy_of("shop_template", server)
    }

    fn copy_of(template: &str, server: &'static Server) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        server
            .create_database_from(&name, template)
            .expect("a database is created");
        Self { server, name }
    }

    /// Its URL, as the superuser through the private socket.
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Its URL as another role through the private socket.
    pub fn url_as(&self, role: &str) -> String {
        self.server.url_as(role, &self.name)
    }

    /// Runs SQL in a session that ends with it, statement by statement; what `psql -At` prints.
    ///
    /// # Panics
    /// A statement fails.
    pub fn sql(&self, text: &str) -> String {
        self.server
            .sql(&self.name, text)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// A session of the superuser.
    pub fn session(&self) -> Session {
        Session::connect(self.server, &self.url(), "session")
    }

    /// A session that calls itself by this `application_name`.
    pub fn session_named(&self, application_name: &str) -> Session {
        Session::connect(self.server, &self.url(), application_name)
    }

    /// An ALTER TABLE of `orders` that waits, and a reader that waits behind it. Somebody must hold the table.
    pub fn outage(&self) -> [Session; 2] {
        let waiting = |sql| {
            let mut session = self.session();
            session.start(sql);
            session.until_waiting();
            session
        };
        [
            waiting("ALTER TABLE orders ADD COLUMN total int"),
            waiting("SELECT count(*) FROM orders"),
        ]
    }

    /// A session of another role.
    pub fn session_as(&self, role: &str) -> Session {
        Session::connect(self.server, &self.url_as(role), "session")
    }
}
