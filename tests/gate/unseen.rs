//! Waits that the lock table does not show. cases/migrations/23

use crate::common::{self, Database, Outcome, Session, own_server, pgguard_with_input};
use pgguard::test_support::throwaway::Options;

const SLOT: &str = "SELECT pg_create_logical_replication_slot('s', 'pgoutput');";
const WRITE: &str = "INSERT INTO orders VALUES (1);";

fn gate(database: &Database, sql: &str) -> Outcome {
    let url = database.url();
    let arguments = ["gate", "-d", &url, "-", "--no-history", "--patience", "0s"];
    pgguard_with_input(arguments, sql)
}

#[test]
fn a_logical_slot_waits_for_every_writer_of_the_server() {
    for major in common::majors() {
        let options = Options::major(major)
            .setting("wal_level", "logical")
            .setting("max_prepared_transactions", "5");
        let server = own_server(&options);
        let (here, there) = (Database::empty(server), Database::empty(server));
        for database in [&here, &there] {
            database.sql("CREATE TABLE orders (id int)");
        }
        let calm = gate(&here, SLOT);
        assert_eq!(calm.status, 0, "{major}: {calm}");

        // Who only reads has no id.
        let mut reader = here.session();
        reader.exec("BEGIN; SELECT FROM orders");
        let calm = gate(&here, SLOT);
        assert_eq!(calm.status, 0, "{major}: {calm}");

        let mut writer = there.session();
        writer.exec("BEGIN");
        writer.exec(WRITE);
        let told = gate(&here, SLOT);
        assert_eq!(told.status, 1, "{major}: {told}");
        assert!(told.stdout.contains(&writer.pid().to_string()), "{told}");
        let mut runner = here.session();
        runner.start(SLOT);
        until_waiting(&runner, &here, major);
        writer.exec("PREPARE TRANSACTION 'p'");
        let told = gate(&here, &SLOT.replace("'s'", "'other'"));
        assert_eq!(told.status, 1, "{major}: a prepared one counts too: {told}");
        writer.exec("COMMIT PREPARED 'p'");
        runner.join().expect("the slot is made");
    }
}

fn until_waiting(runner: &Session, database: &Database, major: u32) {
    let question = format!(
        "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = {}",
        runner.pid()
    );
    common::until(&format!("the slot waits on {major}"), || {
        database.sql(&question).trim() == "t"
    });
}

#[test]
fn a_subscription_waits_where_nobody_here_can_see() {
    let database = common::database();
    let make = "CREATE SUBSCRIPTION s CONNECTION 'dbname=elsewhere' PUBLICATION p";
    let told = gate(&database, make);
    assert_eq!(told.status, 2, "{told}");
    let told = gate(&database, &format!("{make} WITH (connect = false)"));
    assert_eq!(told.status, 0, "{told}");
}

#[test]
fn a_commit_that_waits_for_a_standby_keeps_its_locks() {
    for major in common::majors() {
        // A throw-away server waits for nothing by itself.
        let options = Options::major(major).setting("synchronous_commit", "on");
        let database = Database::empty(own_server(&options));
        database.sql("CREATE TABLE orders (id int)");
        assert_eq!(gate(&database, WRITE).status, 0, "{major}");
        let set = |sql: &str| {
            database.sql(sql);
            database.sql("SELECT pg_reload_conf()");
        };
        set("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
        common::until("the setting is read", || {
            database.sql("SHOW synchronous_standby_names").trim() == "nobody"
        });
        let told = gate(&database, WRITE);
        assert_eq!(told.status, 2, "{major}: {told}");
        assert!(told.stdout.contains("synchronous_standby_names"), "{told}");
        let mut runner = database.session();
        runner.start(WRITE);
        let event = format!(
            "SELECT wait_event FROM pg_stat_activity WHERE pid = {}",
            runner.pid()
        );
        common::until("the commit waits", || {
            database.sql(&event).trim() == "SyncRep"
        });
        let told = gate(&database, WRITE);
        assert!(
            told.stdout.contains(&runner.pid().to_string()),
            "{major}: {told}"
        );
        set("ALTER SYSTEM RESET synchronous_standby_names");
        runner.join().expect("the commit is done");
        assert_eq!(gate(&database, WRITE).status, 0, "{major}");
    }
}
