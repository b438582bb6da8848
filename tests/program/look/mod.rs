//! pgguard's own look at a server, as its commands take it.

use crate::common::Database;
use pgguard::model::Snapshot;
use pgguard::test_support::postgres::connect::{Connection, Flags, Target};
use pgguard::test_support::postgres::snapshot;
use std::time::Duration;

/// A connection that looks, and looks again.
pub struct Observer {
    runtime: tokio::runtime::Runtime,
    connection: Connection,
}

impl Observer {
    /// Connects to a database.
    pub fn of(database: &Database) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.expect("an event loop");
        let flags = Flags {
            dbname: Some(database.url()),
            ..Flags::default()
        };
        let target = Target::from_flags(&flags).expect("a target");
        let connection = runtime.block_on(Connection::open(&target, Duration::from_secs(60)));
        Self {
            connection: connection.expect("a connection"),
            runtime,
        }
    }

    /// One look.
    pub fn look(&mut self) -> Snapshot {
        self.runtime
            .block_on(snapshot::look(&mut self.connection))
            .expect("a look")
    }
}
