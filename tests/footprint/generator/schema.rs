//! Random schemas: tables of every make, and what hangs on them.

use super::Tape;

/// Every table has these, so that keys, partitions and foreign keys fit one another.
const COLUMNS: &str = "id int, k int, v varchar(20), n numeric(8,2)";

/// What exists in every schema.
const PRELUDE: [&str; 10] = [
    "CREATE SEQUENCE free_seq",
    "CREATE DOMAIN positive AS int CHECK (VALUE > 0)",
    "CREATE DOMAIN loose AS text",
    "CREATE TYPE pair AS (x int, y text)",
    "CREATE TYPE mood AS ENUM ('good', 'bad')",
    "CREATE SCHEMA other",
    "CREATE FUNCTION trg() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE FUNCTION plus(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1'",
    "CREATE TABLE typed OF pair",
    "CREATE PUBLICATION pub",
];

/// More columns.
const EXTRA: [&str; 12] = [
    "s serial",
    "i int GENERATED ALWAYS AS IDENTITY",
    "g int GENERATED ALWAYS AS (id * 2) STORED",
    "d positive",
    "l loose",
    "c pair",
    "m mood DEFAULT 'good'",
    "q int DEFAULT nextval('free_seq')",
    "b bigint NOT NULL DEFAULT 0",
    "t text CHECK (t <> '')",
    "j jsonb",
    "w timestamp",
];

/// Constraints of a table.
const KEYS: [&str; 8] = [
    "",
    "PRIMARY KEY (id)",
    "PRIMARY KEY (id, k)",
    "UNIQUE (id), UNIQUE (id, k)",
    "PRIMARY KEY (id), UNIQUE (v) DEFERRABLE",
    "UNIQUE (id) INCLUDE (v), CHECK (k IS NOT NULL)",
    "CONSTRAINT ck CHECK (n >= 0), PRIMARY KEY (id)",
    "EXCLUDE USING btree (id WITH =), UNIQUE (k)",
];

/// The statements that make a schema; some of them fail.
pub fn schema(tape: &mut Tape) -> Vec<String> {
    let mut made: Vec<String> = PRELUDE.iter().map(ToString::to_string).collect();
    let tables = 3 + tape.roll(4);
    for number in 0..tables {
        table(tape, number, &mut made);
    }
    for number in 0..tables {
        rows(number, &mut made);
    }
    for number in 0..3 + tape.roll(10) {
        made.push(something(tape, tables, number));
    }
    made
}

fn table(tape: &mut Tape, number: usize, made: &mut Vec<String>) {
    let mut columns = vec![COLUMNS.to_owned()];
    for _ in 0..tape.roll(4) {
        let extra = tape.pick(&EXTRA).to_owned();
        if !columns.contains(&extra) {
            columns.push(extra);
        }
    }
    let key = tape.pick(&KEYS);
    if !key.is_empty() {
        columns.push(key.to_owned());
    }
    let columns = columns.join(", ");
    let name = format!("t{number}");
    match tape.roll(6) {
        0..=2 => made.push(format!("CREATE TABLE {name} ({columns})")),
        3 if number > 0 => {
            let parent = tape.roll(number);
            let more = tape.pick(&EXTRA);
            made.push(format!("CREATE TABLE {name} ({more}) INHERITS (t{parent})"));
        }
        4 => {
            made.push(format!(
                "CREATE TABLE {name} ({columns}) PARTITION BY LIST (k)"
            ));
            partitions(tape, &name, made);
        }
        _ => {
            let key = tape.pick(&["", ", PRIMARY KEY (id, k)", ", UNIQUE (k, id)"]);
            made.push(format!(
                "CREATE TABLE {name} ({COLUMNS}{key}) PARTITION BY LIST (k)"
            ));
            partitions(tape, &name, made);
        }
    }
}

fn partitions(tape: &mut Tape, name: &str, made: &mut Vec<String>) {
    made.push(format!(
        "CREATE TABLE {name}_1 PARTITION OF {name} FOR VALUES IN (1, 2, 3)"
    ));
    if tape.one_in(2) {
        made.push(format!(
            "CREATE TABLE {name}_2 PARTITION OF {name} FOR VALUES IN (4, 5, 6) PARTITION BY RANGE (k)"
        ));
        made.push(format!(
            "CREATE TABLE {name}_21 PARTITION OF {name}_2 FOR VALUES FROM (4) TO (6)"
        ));
    }
    if tape.one_in(2) {
        made.push(format!("CREATE TABLE {name}_d PARTITION OF {name} DEFAULT"));
    }
    if tape.one_in(2) {
        made.push(format!(
            "CREATE TABLE {name}_free (LIKE {name} INCLUDING ALL)"
        ));
    }
}

fn rows(number: usize, made: &mut Vec<String>) {
    made.push(format!(
        "INSERT INTO t{number} (id, k, v, n) SELECT n, n, 'v' || n, n FROM generate_series(1, 5) n"
    ));
}

/// Something that hangs on tables.
fn something(tape: &mut Tape, tables: usize, number: usize) -> String {
    let (a, b) = (tape.roll(tables), tape.roll(tables));
    match tape.roll(16) {
        0 | 1 => {
            let action = tape.pick(&[
                "",
                " ON DELETE CASCADE",
                " ON UPDATE SET NULL",
                " NOT VALID",
            ]);
            format!(
                "ALTER TABLE t{a} ADD CONSTRAINT fk{number} FOREIGN KEY (id) REFERENCES t{b} (id){action}"
            )
        }
        2 => format!(
            "ALTER TABLE t{a} ADD CONSTRAINT fk{number} FOREIGN KEY (id, k) REFERENCES t{b} (id, k)"
        ),
        3 => format!("CREATE INDEX x{number} ON t{a} (v)"),
        4 => format!("CREATE INDEX x{number} ON t{a} (plus(id)) WHERE k > 0"),
        5 => format!("CREATE UNIQUE INDEX x{number} ON t{a} (id, k)"),
        6 => format!("CREATE VIEW w{number} AS SELECT id, k, v FROM t{a}"),
        7 => format!(
            "CREATE VIEW w{number} AS SELECT a.id, b.v FROM t{a} a JOIN t{b} b ON a.id = b.id"
        ),
        8 => format!("CREATE MATERIALIZED VIEW y{number} AS SELECT id, v FROM t{a}"),
        9 => format!(
            "CREATE TRIGGER g{number} AFTER INSERT ON t{a} FOR EACH ROW EXECUTE FUNCTION trg()"
        ),
        10 => format!(
            "CREATE TRIGGER g{number} BEFORE UPDATE ON t{a} FOR EACH STATEMENT EXECUTE FUNCTION trg()"
        ),
        11 => format!("CREATE STATISTICS st{number} ON id, v FROM t{a}"),
        12 => format!("CREATE POLICY p{number} ON t{a} USING (id IN (SELECT id FROM t{b}))"),
        13 => {
            format!("COMMENT ON COLUMN t{a}.v IS 'a value'; ALTER TABLE t{a} CLUSTER ON t{a}_pkey")
        }
        14 => format!(
            "CREATE RULE r{number} AS ON DELETE TO t{a} DO ALSO DELETE FROM t{b} WHERE id = OLD.id"
        ),
        _ => format!("ALTER TABLE t{a} ADD CONSTRAINT ch{number} CHECK (k > 0) NOT VALID"),
    }
}
