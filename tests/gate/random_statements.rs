//! Random scenes in a shop, and then a random statement by a newcomer: the gate says whether it would wait
//! and behind whom, from the statement's text alone, and the server shows whether it does.
//!
//! `PGGUARD_CASES` and `PGGUARD_SEED` as in `gate_random.rs`.

use crate::common;
use crate::dice::{Dice, setting};
use crate::scene::{Attempt, Scene};
use crate::trial::{Said, ask, at_once};
use pgguard::model::Answer;

const SHOP: &str = "
CREATE TABLE customers (id int PRIMARY KEY, email text, joined date);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers, status text);
CREATE TABLE items (order_id int REFERENCES orders, product text, CONSTRAINT named CHECK (product <> '') NOT VALID);
CREATE TABLE events (day int, what text) PARTITION BY RANGE (day);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (1) TO (10);
CREATE TABLE events_rest PARTITION OF events DEFAULT;
CREATE TABLE loose (day int, what text);
CREATE INDEX orders_status ON orders (status);
CREATE INDEX items_order ON items (order_id);
CREATE VIEW open_orders AS SELECT o.id, c.email FROM orders o JOIN customers c ON c.id = o.customer_id;
CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n FROM orders;
CREATE SEQUENCE numbers;
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'begin return new; end';
INSERT INTO customers SELECT n, 'c' || n FROM generate_series(1, 20) n;
INSERT INTO orders SELECT n, n, 'open' FROM generate_series(1, 20) n;
INSERT INTO items SELECT n, 'p' FROM generate_series(1, 20) n;
INSERT INTO events SELECT n, 'e' FROM generate_series(1, 20) n;
";

const TABLES: [&str; 8] = [
    "customers",
    "orders",
    "items",
    "events",
    "events_1",
    "events_rest",
    "loose",
    "open_orders",
];

/// In a transaction that is rolled back.
const IN_A_BLOCK: [&str; 40] = [
    "ALTER TABLE customers ADD COLUMN extra int",
    "ALTER TABLE orders ADD COLUMN extra int DEFAULT 5, ALTER COLUMN status SET DEFAULT 'x'",
    "ALTER TABLE customers ALTER COLUMN email TYPE varchar(50)",
    "ALTER TABLE customers ALTER COLUMN id TYPE bigint",
    "ALTER TABLE orders ALTER COLUMN status SET NOT NULL",
    "ALTER TABLE orders ALTER COLUMN status SET STATISTICS 50",
    "ALTER TABLE items SET (fillfactor = 80)",
    "ALTER TABLE items VALIDATE CONSTRAINT named",
    "ALTER TABLE items DROP CONSTRAINT items_order_id_fkey",
    "ALTER TABLE items ADD CHECK (order_id > 0) NOT VALID",
    "ALTER TABLE loose ADD FOREIGN KEY (day) REFERENCES customers NOT VALID",
    "ALTER TABLE items ADD FOREIGN KEY (order_id) REFERENCES customers",
    "ALTER TABLE orders RENAME COLUMN status TO state",
    "ALTER TABLE orders RENAME TO purchases",
    "ALTER TABLE customers OWNER TO CURRENT_USER",
    "ALTER TABLE orders DISABLE TRIGGER ALL",
    "ALTER TABLE customers CLUSTER ON customers_pkey",
    "ALTER TABLE events ADD COLUMN extra int",
    "ALTER TABLE events ATTACH PARTITION loose FOR VALUES FROM (100) TO (200)",
    "ALTER TABLE events DETACH PARTITION events_1",
    "CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (50) TO (60)",
    "CREATE TABLE notes (id int, order_id int REFERENCES orders)",
    "CREATE TABLE copy AS SELECT * FROM open_orders",
    "CREATE INDEX ON orders (customer_id)",
    "CREATE INDEX ON events (what)",
    "CREATE TRIGGER t BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION noted()",
    "CREATE OR REPLACE VIEW open_orders AS SELECT o.id, c.email FROM orders o JOIN customers c ON c.id = o.customer_id",
    "CREATE POLICY mine ON customers",
    "CREATE STATISTICS s ON id, status FROM orders",
    "DROP INDEX orders_status",
    "DROP TABLE items",
    "DROP TABLE events_1",
    "DROP TABLE orders CASCADE",
    "DROP VIEW open_orders",
    "TRUNCATE items",
    "TRUNCATE customers CASCADE",
    "REINDEX TABLE orders",
    "REFRESH MATERIALIZED VIEW totals",
    "COMMENT ON TABLE orders IS 'a comment'",
    "LOCK TABLE open_orders IN SHARE MODE",
];

/// By themselves, with what takes them back.
const ALONE: [(&str, &str); 8] = [
    (
        "CREATE INDEX CONCURRENTLY c_i ON orders (customer_id)",
        "DROP INDEX IF EXISTS c_i",
    ),
    (
        "CREATE INDEX CONCURRENTLY c_j ON loose (day)",
        "DROP INDEX IF EXISTS c_j",
    ),
    (
        "DROP INDEX CONCURRENTLY items_order",
        "DROP INDEX IF EXISTS items_order; CREATE INDEX items_order ON items (order_id)",
    ),
    (
        "REINDEX INDEX CONCURRENTLY orders_status",
        "DROP INDEX IF EXISTS orders_status_ccnew, orders_status_ccold",
    ),
    ("VACUUM orders", ""),
    ("VACUUM FULL items", ""),
    ("ANALYZE customers", ""),
    ("VACUUM (SKIP_LOCKED) customers", ""),
];

const ACTORS: usize = 5;

#[tokio::test]
async fn a_random_statement_waits_for_whom_the_gate_said() {
    let first = setting("PGGUARD_SEED", 1);
    let cases = setting("PGGUARD_CASES", 60);
    for major in common::majors() {
        let mut scene = Scene::open(major, ACTORS, &[]).await;
        scene.execute(SHOP).await;
        let (mut waited, mut ran) = (0, 0);
        for seed in first..first + cases {
            if play(&mut scene, seed).await {
                waited += 1;
            } else {
                ran += 1;
            }
        }
        scene.close().await;
        println!("PostgreSQL {major}: {waited} waited, {ran} ran, as the gate said");
        assert!(cases < 60 || (waited > 0 && ran > 0));
    }
}

/// One scene; whether the statement waited.
async fn play(scene: &mut Scene, seed: u64) -> bool {
    let mut dice = Dice::new(seed);
    let mut story = Vec::new();
    for _ in 0..1 + dice.roll(5) {
        let actor = dice.roll(ACTORS - 1);
        if scene.waiting().contains(&actor) {
            continue;
        }
        let act = act(&mut dice);
        story.push(format!("{actor}: {act}"));
        scene.attempt(actor, &act).await;
    }
    let (statement, undo) = statement(&mut dice);
    story.push(statement.clone());
    let said = ask(scene.gate(), &statement, &at_once()).await;
    let did = scene.attempt_alone(ACTORS - 1, &statement).await;
    compare(&said, &did, &format!("seed {seed}\n{}\n", story.join("\n")));
    scene.reset().await;
    if !undo.is_empty() {
        scene.execute(undo).await;
    }
    matches!(did, Attempt::Waits { .. })
}

fn act(dice: &mut Dice) -> String {
    let table = TABLES[dice.roll(TABLES.len())];
    match dice.roll(6) {
        0 => "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT FROM loose".into(),
        1 => format!("SELECT FROM {table} LIMIT 1"),
        2 => "INSERT INTO items VALUES (1, 'new')".into(),
        _ => format!("LOCK TABLE {table} IN {} MODE", dice.mode()),
    }
}

fn statement(dice: &mut Dice) -> (String, &'static str) {
    let at = dice.roll(IN_A_BLOCK.len() + ALONE.len());
    match IN_A_BLOCK.get(at) {
        Some(statement) => (format!("BEGIN; {statement}"), ""),
        None => {
            let (statement, undo) = ALONE[at - IN_A_BLOCK.len()];
            (statement.to_owned(), undo)
        }
    }
}

fn compare(said: &Said, did: &Attempt, story: &str) {
    let context = || format!("{story}{}{:#?}", said.text(), said.footprint);
    match did {
        // What the server refuses may be foretold; what it runs may not be refused.
        Attempt::Ran(Err(_)) if said.answer() == Answer::WouldFail => {}
        // A transaction that only locked a table has a transaction ID as one has that changed the catalog.
        Attempt::Ran(_)
            if said
                .verdict
                .doubts
                .iter()
                .all(|doubt| doubt.what.contains("catalogs alone"))
                && said.answer() == Answer::CannotTell => {}
        Attempt::Ran(result) => assert_eq!(
            said.answer(),
            Answer::Clear,
            "it did not wait ({result:?}): {}",
            context()
        ),
        Attempt::Waits { behind } => {
            assert_eq!(
                said.answer(),
                Answer::WouldBlock,
                "it waited: {}",
                context()
            );
            if said.one_by_one() {
                assert!(
                    behind.is_subset(&said.in_front()),
                    "{behind:?}: {}",
                    context()
                );
            } else {
                assert_eq!(&said.in_front(), behind, "{}", context());
            }
        }
    }
}
