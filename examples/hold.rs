//! Builds random tables on throw-away servers, runs work on them that keeps others out, and prints how far
//! off the estimates of its time were: the table by which any change to `src/hold` is judged. `./dev hold`
//! runs it; see docs/holds.md.
//!
//! `./dev hold [MAJOR…]`: on these versions [default: all that are installed]. `TABLES=30` tables a server,
//! `SEED=1`, `RAW=1` prints each trial as JSON.

use pgguard::model::{Footprint, HoldTime, WorkSeen};
use pgguard::test_support::hold::{self, Pace};
use pgguard::test_support::migration::footprint;
use pgguard::test_support::migration::statement::{Script, TransactionHabit, statements};
use pgguard::test_support::postgres::connect::limits_that_keep_the_path;
use pgguard::test_support::throwaway::{Binaries, Options, Server};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

fn main() {
    let asked: Vec<u32> = std::env::args()
        .skip(1)
        .filter_map(|a| a.parse().ok())
        .collect();
    let installed: Vec<u32> = Binaries::installed().iter().map(Binaries::major).collect();
    let majors = if asked.is_empty() { installed } else { asked };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("an event loop");
    let mut scores: BTreeMap<&'static str, Vec<Score>> = BTreeMap::new();
    for major in majors {
        let options = Options::major(major)
            .setting("autovacuum", "off")
            .setting("max_wal_size", "2GB");
        let server = Server::start(&options).expect("a server");
        runtime.block_on(trials(&server, major, &mut scores));
    }
    print(&scores);
}

/// What was said and what it took.
struct Score {
    said: HoldTime,
    /// What was said with one past run of such work on this server; `None`: it is the first.
    with_past: Option<HoldTime>,
    took: f64,
}

/// By how much it was off: 1 is exact.
fn factor(said: HoldTime, took: f64) -> f64 {
    (said.expected / took).max(took / said.expected)
}

fn covers(said: HoldTime, took: f64) -> bool {
    (said.earliest..=said.latest).contains(&took)
}

/// A small generator: the same tables for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    let said = std::env::var(name).ok().and_then(|text| text.parse().ok());
    said.unwrap_or(otherwise)
}

async fn trials(server: &Server, major: u32, scores: &mut BTreeMap<&'static str, Vec<Score>>) {
    let mut dice = Dice(number("SEED", 1) * 1000 + u64::from(major));
    server.create_database("holds").expect("a database");
    let mut session = PgConnection::connect(&server.url("holds"))
        .await
        .expect("connects");
    let mut past = Vec::new();
    for _ in 0..number("TABLES", 12) {
        run(
            &mut session,
            "DROP SCHEMA public CASCADE; CREATE SCHEMA public",
        )
        .await;
        for statement in table(&mut dice) {
            run(&mut session, &statement).await;
        }
        for (kind, sql) in actions(&mut dice) {
            trial(&mut session, major, (kind, sql), &mut past, scores).await;
        }
    }
}

/// A random table `t` and a table `u` that references it.
fn table(dice: &mut Dice) -> Vec<String> {
    let width = [8, 16, 32, 100, 400][usize::try_from(dice.below(5)).expect("an index")];
    let long = if dice.one_in(4) { 6000 } else { 0 };
    let megabytes = 8 + dice.below(50);
    let rows = (megabytes * 1024 * 1024 / (44 + width + long)).min(400_000);
    let fill = 60 + dice.below(5) * 10;
    let partitions = if dice.one_in(5) { 3 } else { 0 };
    let mut sql = Vec::new();
    let columns = "id int NOT NULL, a int, b bigint, c timestamptz, d text, e text";
    if partitions == 0 {
        sql.push(format!(
            "CREATE TABLE t ({columns}) WITH (fillfactor = {fill})"
        ));
    } else {
        sql.push(format!("CREATE TABLE t ({columns}) PARTITION BY HASH (id)"));
        sql.extend((0..partitions).map(|n| {
            format!("CREATE TABLE t{n} PARTITION OF t FOR VALUES WITH (MODULUS {partitions}, REMAINDER {n})")
        }));
    }
    // Text that compression makes little smaller.
    sql.push(format!(
        "INSERT INTO t SELECT g, (random() * 1e6)::int, g, now() + g * interval '1 s', \
         left(repeat(md5(random()::text), 1 + {width} / 32), {width}), \
         (SELECT string_agg(md5((g + k)::text), '') FROM generate_series(1, {long} / 32) k) \
         FROM generate_series(1, {rows}) g"
    ));
    sql.push("ALTER TABLE t ADD PRIMARY KEY (id)".into());
    // What GIN indexes: words, tags, documents; each in a table of its own.
    let keys = 1 + dice.below(25);
    let few = rows.min(20_000);
    for (name, value) in [
        (
            "words",
            "string_agg(substr(md5((g * 7 + k * k)::text), 1, 3 + (g + k) % 6), ' ')",
        ),
        ("tags", "array_agg((g * 31 + k * 17) % 5000)"),
        (
            "documents",
            "jsonb_object_agg('key' || k % 20, (g * k) % 1000)",
        ),
    ] {
        sql.push(format!(
            "CREATE TABLE {name} AS SELECT g AS id, (SELECT {value} FROM generate_series(1, {keys}) k) AS v \
             FROM generate_series(1, {few}) g"
        ));
    }
    for column in ["a", "b", "d", "lower(d)"] {
        if dice.one_in(3) {
            sql.push(format!("CREATE INDEX ON t ({column})"));
        }
    }
    sql.push(format!(
        "CREATE TABLE u AS SELECT g AS n, 1 + g % {rows} AS t FROM generate_series(1, {rows}) g"
    ));
    // Half of the tables were vacuumed, the others only analyzed, as autovacuum does.
    sql.push(
        if dice.one_in(2) {
            "VACUUM ANALYZE"
        } else {
            "ANALYZE"
        }
        .into(),
    );
    sql
}

/// What is run on it, each in a transaction that is rolled back.
fn actions(dice: &mut Dice) -> Vec<(&'static str, &'static str)> {
    let all = [
        ("type change", "ALTER TABLE t ALTER a TYPE bigint"),
        ("type change", "ALTER TABLE t ALTER b TYPE numeric"),
        (
            "stored column",
            "ALTER TABLE t ADD COLUMN s text GENERATED ALWAYS AS (left(d, 4)) STORED",
        ),
        (
            "volatile default",
            "ALTER TABLE t ADD COLUMN v double precision DEFAULT random()",
        ),
        (
            "identity",
            "ALTER TABLE t ADD COLUMN i bigint GENERATED ALWAYS AS IDENTITY",
        ),
        ("check", "ALTER TABLE t ADD CHECK (a IS NOT NULL AND b > 0)"),
        ("not null", "ALTER TABLE t ALTER b SET NOT NULL"),
        (
            "foreign key",
            "ALTER TABLE u ADD FOREIGN KEY (t) REFERENCES t (id)",
        ),
        ("index", "CREATE INDEX ON t (a, b)"),
        ("index", "CREATE INDEX ON t (d)"),
        ("index on expression", "CREATE INDEX ON t (upper(d))"),
        ("unique", "ALTER TABLE t ADD UNIQUE (id, b)"),
        ("brin", "CREATE INDEX ON t USING brin (c)"),
        ("hash index", "CREATE INDEX ON t USING hash (b)"),
        (
            "gin",
            "CREATE INDEX ON words USING gin (to_tsvector('simple', coalesce(v, '')))",
        ),
        ("gin", "CREATE INDEX ON tags USING gin (v)"),
        ("gin", "CREATE INDEX ON documents USING gin (v)"),
        (
            "gin",
            "CREATE INDEX ON documents USING gin (v jsonb_path_ops)",
        ),
        (
            "validate",
            "ALTER TABLE t ADD CHECK (c IS NOT NULL) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT t_c_check",
        ),
        ("reindex", "REINDEX TABLE u"),
        ("update", "LOCK t; UPDATE t SET a = a + 1"),
        ("unlogged", "ALTER TABLE u SET UNLOGGED"),
        ("vacuum full", "VACUUM FULL t"),
    ];
    let start = usize::try_from(dice.below(3)).expect("an index");
    all.into_iter().skip(start).step_by(1).collect()
}

async fn trial(
    session: &mut PgConnection,
    major: u32,
    (kind, sql): (&'static str, &str),
    past: &mut Vec<WorkSeen>,
    scores: &mut BTreeMap<&'static str, Vec<Score>>,
) {
    let footprint = footprint_of(session, sql).await;
    let longest = |pace: &Pace| {
        let times = hold::of(&footprint, pace).into_iter().map(|hold| hold.time);
        times.max_by(|a, b| a.expected.total_cmp(&b.expected))
    };
    let Some(said) = longest(&Pace::default()) else {
        return;
    };
    let outside = sql.starts_with("VACUUM");
    let begun = Instant::now();
    let text = if outside {
        sql.to_owned()
    } else {
        format!("BEGIN; {sql}")
    };
    let ran = sqlx::raw_sql(AssertSqlSafe(text))
        .execute(&mut *session)
        .await;
    let took = begun.elapsed().as_secs_f64();
    if !outside {
        run(session, "ROLLBACK").await;
    }
    // Too short to be judged: the parsing of the statement is most of it.
    if ran.is_err() || took < 0.02 || said.expected <= 0.0 {
        return;
    }
    if std::env::var_os("RAW").is_some() {
        let jobs: Vec<_> = footprint.statements.iter().flat_map(|s| &s.jobs).collect();
        println!(
            "{}",
            serde_json::json!({"major": major, "kind": kind, "took": took, "said": said, "jobs": jobs})
        );
    }
    let seen = hold::seen(&footprint, |_, _| Some(took));
    let like = |work: &WorkSeen, other: &WorkSeen| {
        (work.kind, &work.method, work.slow_keys) == (other.kind, &other.method, other.slow_keys)
    };
    let is_known = seen
        .iter()
        .any(|work| past.iter().any(|other| like(work, other)));
    let with_past = longest(&Pace::of(&*past)).filter(|_| is_known);
    scores.entry(kind).or_default().push(Score {
        said,
        with_past,
        took,
    });
    // The newest of each kind.
    past.retain(|other| !seen.iter().any(|work| like(work, other)));
    past.extend(seen);
}

async fn footprint_of(session: &mut PgConnection, sql: &str) -> Footprint {
    let habit = if sql.starts_with("VACUUM") {
        TransactionHabit::PerStatement
    } else {
        TransactionHabit::PerScript
    };
    let script = Script {
        habit,
        ..Script::psql("-", sql)
    };
    let statements = statements(&[script]);
    let reach = footprint::reach(&statements);
    let limits = limits_that_keep_the_path(Duration::from_secs(60));
    let catalog = pgguard::test_support::postgres::catalog::load(session, &reach, &limits)
        .await
        .expect("a catalog");
    footprint::of(&statements, catalog, 0)
}

async fn run(session: &mut PgConnection, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(session).await.expect("it runs");
}

fn print(scores: &BTreeMap<&'static str, Vec<Score>>) {
    println!(
        "| work | trials | median factor | worst | in the 80 % interval | with one past run | worst | in the interval |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (kind, scores) in scores {
        row(kind, &scores.iter().collect::<Vec<_>>());
    }
    row("all", &scores.values().flatten().collect::<Vec<_>>());
}

fn row(kind: &str, scores: &[&Score]) {
    let plain = scores.iter().map(|score| (score.said, score.took));
    let with_past = scores
        .iter()
        .filter_map(|score| Some((score.with_past?, score.took)));
    println!(
        "| {kind} | {} | {} | {} |",
        scores.len(),
        figures(plain.collect()),
        figures(with_past.collect())
    );
}

/// `1.46 | 25.7 | 85 %`
fn figures(told: Vec<(HoldTime, f64)>) -> String {
    let covered = told
        .iter()
        .filter(|(said, took)| covers(*said, *took))
        .count();
    let mut factors: Vec<f64> = told
        .iter()
        .map(|(said, took)| factor(*said, *took))
        .collect();
    factors.sort_by(f64::total_cmp);
    match factors.last() {
        Some(worst) => format!(
            "{:.2} | {worst:.1} | {} %",
            factors[factors.len() / 2],
            covered * 100 / factors.len()
        ),
        None => "- | - | -".to_owned(),
    }
}
