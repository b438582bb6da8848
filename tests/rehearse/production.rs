//! Stand-ins for production: a database on a server that listens at an address and a socket, and that is watched.

use crate::common::{self, Address, Database, Outcome, Session};
use std::path::Path;
use std::process::Command;

/// A shop with a role that deploys, and a version table.
pub struct Production {
    pub shop: Database,
    before: String,
}

const SCHEMA: &str = "
    DO $$ BEGIN CREATE ROLE deploy LOGIN PASSWORD 'right'; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
    CREATE TABLE schema_migrations (version text PRIMARY KEY);
    INSERT INTO schema_migrations VALUES ('1');
    CREATE TYPE order_state AS ENUM ('open', 'sent');
    ALTER TYPE order_state OWNER TO deploy;
    DO $$ DECLARE t record; BEGIN
        FOR t IN SELECT c.oid::regclass AS name FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
            EXECUTE format('ALTER TABLE %s OWNER TO deploy', t.name);
        END LOOP;
    END $$;
    GRANT ALL ON SCHEMA public TO deploy;";

impl Production {
    /// On the server of this major version.
    pub fn on(major: u32) -> Self {
        Self::with(major, "")
    }

    /// The same with more in it.
    pub fn with(major: u32, more: &str) -> Self {
        let shop = Database::shop(common::server_of(major));
        shop.sql(SCHEMA);
        // Drizzle keeps its version table in a schema of its own.
        shop.sql(&format!("GRANT CREATE ON DATABASE {} TO deploy", shop.name));
        shop.sql(more);
        let mut production = Self {
            shop,
            before: String::new(),
        };
        // The counters hear of the row above a moment after its session has ended.
        let counted = "SELECT sum(n_tup_ins) > 0 FROM pg_stat_user_tables";
        for _ in 0..200 {
            if production.shop.sql(counted).trim() == "t" {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        production.before = production.state();
        production
    }

    /// All that a write would change: the schema's rows in the catalogs, the rows of the tables, who ever wrote.
    fn state(&self) -> String {
        self.shop.sql(
            "SELECT md5(string_agg(x, ',' ORDER BY x)) FROM (
                 SELECT c::text FROM pg_class c WHERE oid >= 16384
                 UNION ALL SELECT a::text FROM pg_attribute a WHERE attrelid >= 16384
                 UNION ALL SELECT o::text FROM orders o UNION ALL SELECT s::text FROM schema_migrations s) y (x);
             SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables",
        )
    }

    /// Whether `orders` has a column.
    pub fn has_column(&self, name: &str) -> bool {
        let sql = format!(
            "SELECT count(*) FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attname = '{name}'"
        );
        self.shop.sql(&sql) == "1"
    }

    /// # Panics
    /// Something was written.
    pub fn is_untouched(&self) {
        assert_eq!(self.state(), self.before, "production was written");
    }

    /// Its URL over TCP, as the role that deploys.
    pub fn url(&self) -> String {
        let port = self.shop.server.port();
        format!(
            "postgres://deploy:right@127.0.0.1:{port}/{}",
            self.shop.name
        )
    }

    /// The same for a project's configuration.
    pub fn address(&self) -> Address {
        Address {
            port: self.shop.server.port(),
            user: "deploy".into(),
            password: "right".into(),
            database: self.shop.name.clone(),
        }
    }

    /// pgguard with these arguments, in a folder.
    pub fn pgguard(&self, folder: &Path, arguments: &[&str]) -> Outcome {
        let mut command = self.command(arguments);
        command.current_dir(folder);
        common::run_with_input(command, "")
    }

    /// The same, not yet run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = common::pgguard_command();
        command
            .args(arguments)
            .env("PATH", std::env::var("PATH").expect("a PATH"));
        command
    }

    /// A rehearsal of a shell's script that calls psql.
    pub fn rehearse(&self, script: &str) -> Outcome {
        let folder = tempfile::tempdir().expect("a folder");
        let url = self.url();
        self.pgguard(
            folder.path(),
            &["rehearse", "-d", &url, "--", "sh", "-c", script],
        )
    }

    /// What the gate says after a rehearsal of such a script, with more flags.
    pub fn gate_rehearsed(&self, script: &str, flags: &[&str]) -> Outcome {
        let folder = tempfile::tempdir().expect("a folder");
        let url = self.url();
        let before = ["gate", "-d", &url, "--rehearse"];
        let arguments = [&before[..], flags, &["--", "sh", "-c", script]].concat();
        self.pgguard(folder.path(), &arguments)
    }

    pub fn session(&self) -> Session {
        self.shop.session()
    }
}
