//! Records fresh runs of real dumps, of databases and throttles that chance picks: so that nobody judges the
//! estimate by the runs that it was made with.

use crate::chance::Chance;
use crate::schema::{self, Table};
use crate::throttle::{self, Course, Rate};
use pgguard::test_support::throwaway::{Binaries, Options, Server};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A kind of dump: its name, the arguments, and the share of a plain dump's bytes that it writes, about.
type Kind = (&'static str, &'static [&'static str], f64);

const KINDS: [Kind; 7] = [
    ("plain", &[], 1.0),
    ("plain", &[], 1.0),
    ("custom", &["-Fc"], 0.25),
    ("gzip", &["-Z6"], 0.25),
    ("inserts", &["--inserts"], 1.3),
    ("j2", &["-Fd", "-j2"], 1.0),
    ("j3", &["-Fd", "-j3"], 1.0),
];

/// Runs of one database: whether each is of its usual kind, and whether it comes before the growth.
const RUNS: [(bool, bool); 6] = [
    (true, true),
    (true, true),
    (false, true),
    (true, false),
    (true, false),
    (false, false),
];

/// Bytes of a plain dump, and seconds that a run takes, about.
const BYTES: (f64, f64) = (8e7, 2.5e8);
const SECONDS: (f64, f64) = (20.0, 60.0);

/// One run among those of its database.
struct Run<'a> {
    server: &'a Server,
    database: &'a str,
    kind: Kind,
    phase: &'static str,
    rate: Rate,
    folder: &'a Path,
}

/// Records so many runs, in a new folder.
pub fn record(count: usize, seed: u64) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("pgguard-eta-{seed}"));
    std::fs::create_dir_all(&folder).expect("a folder");
    std::thread::scope(|scope| {
        for nth in 0..count.div_ceil(RUNS.len()) {
            let left = count - nth * RUNS.len();
            let folder = &folder;
            scope.spawn(move || of_one_database(seed + nth as u64, left.min(RUNS.len()), folder));
        }
    });
    folder
}

fn of_one_database(seed: u64, count: usize, folder: &Path) {
    let mut chance = Chance::new(seed);
    for _ in 0..8 {
        chance.share();
    }
    let majors: Vec<u32> = Binaries::installed().iter().map(Binaries::major).collect();
    let options = Options::major(*chance.one_of(&majors)).setting("autovacuum", "off");
    let server = Server::start(&options).expect("the server starts");
    let database = format!("rec{seed}");
    server.create_database(&database).expect("a database");
    let (sql, mut tables) = schema::any(&mut chance, chance_bytes(&mut Chance::new(seed + 1)));
    server.sql(&database, &sql).expect("tables");
    let usual = *chance.one_of(&KINDS);
    let bytes = size_of_dump(&server, &database);
    let usual_rate = bytes / chance.between(SECONDS.0, SECONDS.1);
    for (nth, (is_usual, is_before)) in RUNS.into_iter().take(count).enumerate() {
        if nth == 3 {
            grow(&mut chance, &server, &database, &mut tables);
        }
        let kind = if is_usual {
            usual
        } else {
            *chance.one_of(&KINDS)
        };
        let rate = usual_rate * chance.about(0.8, 1.25) * kind.2;
        let course = if is_before && is_usual {
            Course::Noisy(1.3)
        } else {
            Course::any(&mut chance, bytes / usual_rate)
        };
        let run = Run {
            server: &server,
            database: &database,
            kind,
            phase: if is_before { "hist" } else { "test" },
            rate: Rate {
                bytes: rate,
                course,
            },
            folder,
        };
        run.record(&format!("{seed}_{nth}_{}_{}", server.major(), kind.0));
    }
}

fn chance_bytes(chance: &mut Chance) -> f64 {
    chance.share();
    chance.about(BYTES.0, BYTES.1)
}

fn grow(chance: &mut Chance, server: &Server, database: &str, tables: &mut [Table]) {
    let sql = schema::grow(chance, tables);
    server.sql(database, &sql).expect("more rows");
}

fn size_of_dump(server: &Server, database: &str) -> f64 {
    let output = server.command("pg_dump").args(["-d", database]).output();
    output.expect("pg_dump").stdout.len() as f64
}

const CATALOG: &str = "
SELECT json_agg(json_build_object('oid', c.oid::int8, 'nspname', n.nspname, 'relname', c.relname, 'relkind', c.relkind,
         'relpages', c.relpages, 'reltuples', c.reltuples, 'main', pg_relation_size(c.oid),
         'toastpages', coalesce(t.relpages, 0), 'n_live_tup', pg_stat_get_live_tuples(c.oid),
         'n_tup_ins', pg_stat_get_tuples_inserted(c.oid), 'n_tup_del', pg_stat_get_tuples_deleted(c.oid),
         'cols', (SELECT json_agg(json_build_object('t', format_type(a.atttypid, a.atttypmod), 'w', s.avg_width,
                    'nf', s.null_frac, 'nd', s.n_distinct, 'st', a.attstorage) ORDER BY a.attnum)
                    FROM pg_attribute a LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname
                         AND s.attname = a.attname AND NOT s.inherited
                   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)))
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
 WHERE c.relkind = 'r' AND c.oid >= 16384";

const LOOK: &str = "
WITH dump AS MATERIALIZED (SELECT * FROM pg_stat_activity WHERE application_name = 'pg_dump')
SELECT json_build_object('k', 's', 't', extract(epoch FROM clock_timestamp())::float8,
  'a', (SELECT coalesce(json_agg(json_build_object('pid', pid, 'application_name', application_name, 'state', state,
          'q', query, 'bs', extract(epoch FROM backend_start)::float8, 'xs', extract(epoch FROM xact_start)::float8,
          'qs', extract(epoch FROM query_start)::float8, 'sc', extract(epoch FROM state_change)::float8,
          'xmin', backend_xmin::text, 'wt', wait_event_type, 'we', wait_event)), '[]') FROM dump),
  'p', (SELECT coalesce(json_agg(json_build_array(pid, relid::int8, command, type, bytes_processed, bytes_total,
          tuples_processed)), '[]') FROM pg_stat_progress_copy WHERE pid IN (SELECT pid FROM dump)),
  'l', (SELECT coalesce(json_object_agg(who, oids), '{}') FROM (
          SELECT pid || ':' || mode AS who, json_agg(relation::int8 ORDER BY relation) AS oids FROM pg_locks
           WHERE locktype = 'relation' AND granted AND relation >= 16384 AND pid IN (SELECT pid FROM dump)
           GROUP BY 1) l))";

impl Run<'_> {
    fn record(&self, name: &str) {
        let catalog = self.server.sql(self.database, CATALOG).expect("a catalog");
        let catalog: Value = serde_json::from_str(&catalog).expect("JSON");
        let version = self.server.sql(self.database, "SHOW server_version_num");
        let head = serde_json::json!({
            "k": "head", "ver": version.expect("a version").trim().parse::<i32>().expect("a number"),
            "db": self.database, "label": {"mode": self.kind.0, "phase": self.phase},
            "rate": format!("{:?}", self.rate), "catalog": catalog,
        });
        let mut text = format!("{head}\n");
        let begun = Instant::now();
        let mut child = self.start();
        let reader = child.stdout.take().map(|output| {
            let rate = self.rate.clone();
            std::thread::spawn(move || throttle::read(output, rate))
        });
        let mut locks = Value::Null;
        let status = loop {
            if let Some(status) = child.try_wait().expect("pg_dump") {
                break status;
            }
            self.look(&mut text, &mut locks);
            std::thread::sleep(Duration::from_secs(1));
        };
        drop(reader);
        let _ = writeln!(text, "{}", self.end(status.code()));
        let path = self.folder.join(format!("{name}.jsonl"));
        std::fs::write(&path, text).expect("a recording");
        println!(
            "{} {:.0} s, status {status}, {:?}",
            path.display(),
            begun.elapsed().as_secs_f64(),
            self.rate
        );
    }

    /// A parallel dump writes files, so the line is narrow; the others have a slow reader.
    fn start(&self) -> Child {
        let mut command: Command = self.server.command("pg_dump");
        let is_parallel = self.kind.0.starts_with('j');
        let mut port = self.server.port();
        if is_parallel {
            port = throttle::line(port, self.rate.clone()).expect("a line");
            let output = self.folder.join(format!("{}.dump", self.database));
            let _ = std::fs::remove_dir_all(&output);
            std::fs::create_dir_all(self.folder).expect("a folder");
            command.arg("-f").arg(output);
        }
        command.args([
            "-h",
            "127.0.0.1",
            "-p",
            &port.to_string(),
            "-d",
            self.database,
        ]);
        command
            .args(self.kind.1)
            .env("PGPASSWORD", self.server.password());
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.spawn().expect("pg_dump starts")
    }

    /// Writes down a look; of the locks those that changed.
    fn look(&self, text: &mut String, locks: &mut Value) {
        let seen = self.server.sql(self.database, LOOK).expect("a look");
        let mut seen: Value = serde_json::from_str(&seen).expect("JSON");
        if seen["l"] == *locks {
            seen["l"] = serde_json::json!({});
        } else {
            *locks = seen["l"].clone();
        }
        let _ = writeln!(text, "{seen}");
    }

    fn end(&self, status: Option<i32>) -> Value {
        let at = "SELECT extract(epoch FROM clock_timestamp())::float8";
        let at = self.server.sql(self.database, at).expect("a time");
        let at: f64 = at.trim().parse().expect("a number");
        serde_json::json!({"k": "end", "t": at, "rc": status})
    }
}
