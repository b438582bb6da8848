//! Like with like: a past run of another kind promises nothing (cases/ops/15, F4), and large objects are work that is
//! left (F2).

use crate::common::{self, Database, Dump, Outcome, until};
use crate::past_runs::{Place, database_on, estimate, inserts, status, until_gone, watched_dump};
use std::process::{Command, Stdio};

/// Whether an estimate knows of any past run.
fn has_past(told: &serde_json::Value) -> bool {
    told["longest_past_s"].is_number()
}

/// What a look tells of a plain dump that stands in the middle.
fn of_a_plain_dump(database: &Database, place: &Place) -> serde_json::Value {
    let mut dump = Dump::stalled_in(database, "public.b");
    let told = estimate(&status(database, place));
    dump.kill();
    until_gone(database, dump.pid());
    status(database, place);
    told
}

#[test]
fn inserts_and_copies_tell_nothing_about_each_other() {
    for major in common::majors() {
        let database = database_on(common::server_of(major));
        database.sql("CREATE TABLE zz (id int); INSERT INTO zz VALUES (1); ANALYZE zz");
        let place = Place::new();
        watched_dump(&database, || {
            status(&database, &place);
        });
        assert_eq!(
            place.runs(&database)[0].manner.by_cursor,
            Some(false),
            "{major}"
        );
        let told = inserts(&database, &place, true);
        assert!(
            !has_past(&told) && told["remaining_s"].is_null(),
            "{major}: {told}"
        );
        // The newest run is one of inserts now; the one before it still tells.
        assert_eq!(
            place.runs(&database)[0].manner.by_cursor,
            Some(true),
            "{major}"
        );
        assert!(has_past(&of_a_plain_dump(&database, &place)), "{major}");
        assert!(has_past(&inserts(&database, &place, false)), "{major}");

        let only_inserts = Place::new();
        inserts(&database, &only_inserts, true);
        let told = of_a_plain_dump(&database, &only_inserts);
        assert!(!has_past(&told), "{major}: {told}");
    }
}

/// `pgguard backups record -- pg_dump …`, its output not read.
fn record(database: &Database, place: &Place, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgguard"));
    let (url, flag) = (database.url(), place.flag());
    command
        .args(["backups", "record", "-d", &url, &flag, "--"])
        .arg(database.server.bin("pg_dump"))
        .args(["-d", &url])
        .args(arguments)
        .stdin(Stdio::null());
    command
}

/// An archive is compressed, as its command says: a look from elsewhere at it knows that of the history.
#[test]
fn a_recorded_archive_is_not_compared_with_a_recorded_plain_dump() {
    for major in common::majors() {
        let (database, place) = (database_on(common::server_of(major)), Place::new());
        // Of one that is killed there is more than fits into a pipe, compressed too.
        let noise = "(SELECT string_agg(md5((n * i)::text), '') FROM generate_series(1, 32) i)";
        database.sql(&format!(
            "INSERT INTO b SELECT n, {noise} FROM generate_series(1, 2000) n; ANALYZE b"
        ));
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("x").display().to_string();
        let mut slow = record(&database, &place, &["-f", &file]);
        assert!(slow.status().expect("a dump").success());
        let runs = place.runs(&database);
        assert_eq!(runs[0].manner.compressed, Some(false), "{major}: {runs:?}");

        let mut archive = record(&database, &place, &["-Fc"]);
        let mut archive = archive.stdout(Stdio::piped()).spawn().expect("a dump");
        let copying = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND query LIKE 'COPY %' \
             AND wait_event = 'ClientWrite'",
            database.name
        );
        until("the archive stalls", || database.sql(&copying) == "1");
        until("its manner is known", || {
            !has_past(&estimate(&status(&database, &place)))
        });
        archive.stdout.take();
        archive.wait().expect("its end");
    }
}

/// Sixty large objects of 640 kB behind small tables.
fn with_large_objects(database: &Database) {
    database.sql(
        "SELECT count(lo_from_bytea(0, decode(repeat(md5(n::text), 20000), 'hex'))) FROM generate_series(1, 60) n; \
         VACUUM (ANALYZE) pg_largeobject; VACUUM (ANALYZE) pg_largeobject_metadata",
    );
}

fn done(looked: &Outcome) -> Option<f64> {
    estimate(looked)["fraction_done"].as_f64()
}

#[test]
fn large_objects_are_work_that_is_left() {
    for major in common::majors() {
        let (database, place) = (database_on(common::server_of(major)), Place::new());
        with_large_objects(&database);
        let mut dump = Dump::stalled_in(&database, "public.c");
        // Two of three tables of 4 MB each, and 38 MB to come.
        let mut looked = status(&database, &place);
        until("there is a figure", || {
            looked = status(&database, &place);
            let told = estimate(&looked);
            assert!(
                done(&looked).is_none_or(|done| done < 0.5),
                "{major}: {told}"
            );
            told["remaining_s"].is_number() || told["stands_still"].is_object()
        });
        let told = estimate(&looked);
        if let Some(basis) = told["basis"].as_str().filter(|b| !b.is_empty()) {
            assert!(basis.contains("large objects"), "{major}: {told}");
        }
        dump.read_on_to_line("SELECT pg_catalog.lo_open(");
        let looked = status(&database, &place);
        let told = estimate(&looked);
        assert_eq!(told["phase"], "large objects", "{major}: {told}");
        assert!(
            done(&looked).is_none_or(|done| done < 0.9),
            "{major}: {told}"
        );
        let left = told["remaining_s"].as_f64();
        assert!(
            left.is_some() || told["unknown"].is_string(),
            "{major}: {told}"
        );
        assert!(dump.finish().success());
    }
}

/// A dump that waits in its large objects until so many seconds have passed there; the looks at it before and then.
fn in_large_objects(database: &Database, place: &Place, seconds: u32) -> serde_json::Value {
    let mut dump = Dump::stalled_in(database, "public.a");
    status(database, place);
    dump.read_on_to("public.c");
    status(database, place);
    dump.read_on_to_line("SELECT pg_catalog.lo_open(");
    let told = estimate(&status(database, place));
    let begun = std::time::Instant::now();
    until("it has waited", || {
        begun.elapsed().as_secs() >= seconds.into()
    });
    status(database, place);
    assert!(dump.finish().success());
    until_gone(database, dump.pid());
    status(database, place);
    told
}

#[test]
fn large_objects_take_as_long_as_in_a_past_run() {
    for major in common::majors() {
        let (database, place) = (database_on(common::server_of(major)), Place::new());
        with_large_objects(&database);
        in_large_objects(&database, &place, 8);
        let told = in_large_objects(&database, &place, 0);
        assert_eq!(told["phase"], "large objects", "{major}: {told}");
        // By their bytes it would be a second.
        let left = told["remaining_s"].as_f64();
        assert!(left.is_some_and(|left| left > 3.0), "{major}: {told}");
    }
}
