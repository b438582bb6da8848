//! What past runs cost a look: `cargo run --release --example history_cost -- [TABLES] [RUNS]`.
//!
//! A throw-away server with TABLES tables (20000), a real pg_dump that has stalled in the middle of them, and
//! a history of RUNS past runs (200). Prints the median of each part of a look in milliseconds, and judges
//! nothing: what is fast depends on the machine. The first four parts are a look without a history; the last
//! two are whole commands, which need `cargo build --release` before.

use chrono::{TimeDelta, Utc};
use pgguard::model::{BackupRun, Manner, RunOutcome, TableRun};
use pgguard::test_support::backup::{Similar, Watcher, key_of};
use pgguard::test_support::history::{History, Place, Watch};
use pgguard::test_support::postgres::connect::{Connection, Flags, Target};
use pgguard::test_support::postgres::{snapshot, tables};
use pgguard::test_support::sessions::understand;
use pgguard::test_support::throwaway::{Options, Server};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const LOOKS: usize = 15;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let mut numbers = std::env::args().skip(1).map(|a| a.parse::<usize>());
    let count = numbers.next().transpose()?.unwrap_or(20_000);
    let runs = numbers.next().transpose()?.unwrap_or(200);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let server = Server::start(
        &Options::default()
            .setting("autovacuum", "off")
            .setting("max_locks_per_transaction", "4096"),
    )?;
    eprintln!("creating {count} tables …");
    create_tables(&server, count)?;
    let mut dump = stalled_dump(&server, count / 2)?;
    let told = runtime.block_on(measure(&server, runs));
    dump.kill()?;
    dump.wait()?;
    for (part, times) in told? {
        println!("{part:<44}{:8.1} ms", median(times));
    }
    Ok(())
}

fn create_tables(server: &Server, count: usize) -> Result<()> {
    server.create_database("many")?;
    for first in (0..count).step_by(1000) {
        let last = (first + 999).min(count - 1);
        server.sql(
            "many",
            &format!(
                "DO $$ BEGIN FOR i IN {first}..{last} LOOP EXECUTE format(\
                 'CREATE TABLE table_with_a_usual_name_%s (id bigint, name text, at timestamptz)', lpad(i::text, 6, '0')); \
                 END LOOP; END $$"
            ),
        )?;
    }
    let middle = count / 2;
    server.sql(
        "many",
        &format!(
            "INSERT INTO table_with_a_usual_name_{middle:06} \
             SELECT n, repeat(md5(n::text), 32), now() FROM generate_series(1, 5000) n; ANALYZE"
        ),
    )?;
    Ok(())
}

fn stalled_dump(server: &Server, table: usize) -> Result<Child> {
    let mut dump = server
        .command("pg_dump")
        .args(["-d", "many"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut output = BufReader::new(dump.stdout.take().ok_or("no pipe")?);
    let header = format!("COPY public.table_with_a_usual_name_{table:06} ");
    let mut line = String::new();
    while !line.starts_with(&header) {
        line.clear();
        if output.read_line(&mut line)? == 0 {
            return Err("pg_dump ended".into());
        }
    }
    dump.stdout = Some(output.into_inner());
    std::thread::sleep(Duration::from_secs(3)); // A look right at its begin has nothing to count.
    Ok(dump)
}

async fn measure(server: &Server, runs: usize) -> Result<Vec<(&'static str, Vec<f64>)>> {
    let folder = tempfile::tempdir()?;
    let place = Place::File(folder.path().join("history.sqlite"));
    let target = Target::from_flags(&Flags {
        dbname: Some(server.url("many")),
        ..Flags::default()
    })?;
    let mut connection = Connection::open(&target, Duration::from_secs(60)).await?;
    fill(&mut connection, &place, runs).await?;
    let mut times: BTreeMap<usize, (&'static str, Vec<f64>)> = BTreeMap::new();
    for _ in 0..LOOKS {
        let mut part = 0;
        let mut clock = Instant::now();
        let mut lap = |name| {
            let entry = times.entry(part).or_insert((name, Vec::new()));
            entry.1.push(clock.elapsed().as_secs_f64() * 1000.0);
            part += 1;
            clock = Instant::now();
        };
        let look = snapshot::look(&mut connection).await?;
        lap("the look");
        let sessions = understand(&look);
        lap("who is who");
        let session = sessions
            .iter()
            .find(|s| s.backup.is_some())
            .ok_or("no backup was recognised")?;
        let backup = session.backup.as_ref().ok_or("no backup")?;
        let facts = tables::facts(&mut connection, &backup.tables, &look.relations).await?;
        lap("sizes of the tables");
        let mut alone = Watcher::default();
        alone.look(&look, session, &facts);
        let estimate = alone.estimate(&facts, &[]);
        lap("estimate without history");
        let mut history = History::open_at(&place).await?;
        lap("history: open");
        let key = key_of(&look, session).ok_or("no key")?;
        let watches = history.watches(&key.server).await?;
        lap("history: what earlier looks saw");
        let mut watch = watches.into_iter().next().unwrap_or(Watch {
            key: key.clone(),
            leader: look.backend(session.pid).ok_or("no leader")?.identity(),
            instance: look.server.started_at,
            watcher: Watcher::default(),
        });
        watch.watcher.look(&look, session, &facts);
        lap("one more look at the dump");
        let similar = Similar::to(&watch.watcher);
        let past = history
            .past(&key, false, Manner::default(), |other| similar.has(other))
            .await?;
        lap("history: past runs");
        let informed = watch.watcher.estimate(&facts, &past);
        lap("estimate with past runs");
        history.observe(std::slice::from_ref(&watch)).await?;
        history.close().await;
        lap("history: keep what was seen");
        eprintln!(
            "{:?} → {:?}",
            estimate.map(|e| e.basis),
            informed.map(|e| e.basis)
        );
    }
    let parts = times.into_values();
    Ok(parts.chain(commands(server, &place)?).collect())
}

/// What a user waits for: a whole `pgguard status`, with the history and without, in turns. A command reads
/// the history while the server looks, so the difference is less than the sum of the parts.
fn commands(server: &Server, place: &Place) -> Result<Vec<(&'static str, Vec<f64>)>> {
    let here = std::env::current_exe()?;
    let folder = here.parent().and_then(|f| f.parent()).ok_or("no folder")?;
    let program = folder.join("pgguard");
    let mut took = [Vec::new(), Vec::new()];
    for _ in 0..LOOKS {
        for (flag, times) in [format!("--history={place}"), "--no-history".into()]
            .iter()
            .zip(&mut took)
        {
            let begun = Instant::now();
            let done = std::process::Command::new(&program)
                .args(["status", "-d", &server.url("many"), flag])
                .output();
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
            if !done.is_ok_and(|done| done.status.success()) {
                eprintln!(
                    "no whole commands: build --release first ({})",
                    program.display()
                );
                return Ok(Vec::new());
            }
        }
    }
    let [with, without] = took;
    Ok(vec![
        ("pgguard status, with the history", with),
        ("pgguard status --no-history", without),
    ])
}

/// Past runs of this very dump, one a day.
async fn fill(connection: &mut Connection, place: &Place, runs: usize) -> Result<()> {
    let look = snapshot::look(connection).await?;
    let sessions = understand(&look);
    let session = sessions
        .iter()
        .find(|s| s.backup.is_some())
        .ok_or("no backup was recognised")?;
    let key = key_of(&look, session).ok_or("no key")?;
    let backup = session.backup.as_ref().ok_or("no backup")?;
    let facts = tables::facts(connection, &backup.tables, &look.relations).await?;
    let mut watcher = Watcher::default();
    watcher.look(&look, session, &facts);
    let tables: Vec<TableRun> = watcher
        .tables
        .iter()
        .enumerate()
        .map(|(place, table)| TableRun {
            name: Arc::clone(&table.name),
            tuples: place as f64,
            promised: place as f64,
            bytes: 100.0 * place as f64,
            seconds: 0.001 * place as f64,
            complete: true,
        })
        .collect();
    eprintln!("a history of {runs} runs of {} tables …", tables.len());
    let mut history = History::open_at(place).await?;
    for day in 0..runs {
        let started = Utc::now() - TimeDelta::days(1 + day as i64);
        let run = BackupRun {
            key: key.clone(),
            started,
            ended: started + TimeDelta::minutes(90),
            outcome: RunOutcome::Complete,
            workers: 0,
            manner: Manner::default(),
            database_bytes: 1 << 40,
            tables: tables.clone(),
            source: "watch".into(),
        };
        history.save(&run).await?;
    }
    history.close().await;
    Ok(())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}
