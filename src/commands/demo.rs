//! `pgguard demo`: a story on a throw-away server, in which everything is real: the server, the
//! `pg_dump`, the migrations, and pgguard's own answers, which are its commands run as a user would.

mod stage;

use crate::Result;
use crate::cli::{Color, DemoArgs};
use crate::door::{self, Form};
use crate::throwaway::{Options, Server};
use stage::{Backup, Migration, Stage};
use std::io::{BufRead, IsTerminal};
use std::time::Instant;

const ADD_COLUMN: Migration = (
    "0001_add_order_total.sql",
    include_str!("../../migrations-fixtures/demo/0001_add_order_total.sql"),
);
const INDEX: Migration = (
    "0002_index_order_status.sql",
    include_str!("../../migrations-fixtures/demo/0002_index_order_status.sql"),
);
const INDEX_CONCURRENTLY: Migration = (
    "0003_index_order_placed.sql",
    include_str!("../../migrations-fixtures/demo/0003_index_order_placed.sql"),
);

/// The statement of [`ADD_COLUMN`], for the session that does not ask first.
const ALTER: &str = "ALTER TABLE orders ADD COLUMN total numeric(10, 2)";

/// Runs the command.
///
/// # Errors
/// No server is found or it does not start, or an answer is not the one that the story tells of.
#[expect(
    clippy::unused_async,
    reason = "commands are; the story is told step by step, by one thread"
)]
pub async fn run(args: DemoArgs, color: Color) -> Result<u8> {
    let begun = Instant::now();
    let options = Options {
        major: args.pg,
        ..Options::default().setting("autovacuum", "off")
    };
    let server = Server::start(&options)?;
    server.create_shop("shop")?;
    let stage = Stage::new(&server, color)?;
    stage.tell(&format!(
        "A throw-away Postgres {} is up, with a small shop in it. Nothing of yours is touched,\n\
         and nothing of it stays. It took {:.1} s.",
        server.version(),
        begun.elapsed().as_secs_f64()
    ))?;
    for (name, text) in [ADD_COLUMN, INDEX, INDEX_CONCURRENTLY] {
        stage.write(name, text)?;
    }
    let mut backup = the_backup(&stage)?;
    the_questions(&stage)?;
    the_outage(&stage)?;
    if args.keep {
        wait_for_enter(&stage)?;
    }
    the_way_out(&stage, &mut backup)?;
    stage.tell(&format!(
        "That was {:.0} s. The server and all its files are going now.\n\
         On a database of yours: pgguard status -d URL, then pgguard gate -d URL MIGRATION…",
        begun.elapsed().as_secs_f64()
    ))?;
    Ok(0)
}

/// The nightly backup runs late.
fn the_backup(stage: &Stage) -> Result<Backup> {
    stage.tell(
        "A backup is running: a real pg_dump, whose reader has stalled, as a slow disk or network\n\
         makes it. Who is connected?",
    )?;
    let backup = Backup::stalled(stage)?;
    stage.pgguard(&["status"], 0)?;
    Ok(backup)
}

/// Three migrations, three answers.
fn the_questions(stage: &Stage) -> Result<()> {
    stage.tell("The deploy has a migration. If it ran now, would it block?")?;
    stage.show(ADD_COLUMN)?;
    stage.pgguard(&["gate", ADD_COLUMN.0], 1)?;
    stage.tell("Exit status 1 stops the pipeline. Another migration makes an index:")?;
    stage.show(INDEX)?;
    stage.pgguard(&["gate", INDEX.0], 0)?;
    stage.tell("Clear, exit status 0. And the same made with care?")?;
    stage.show(INDEX_CONCURRENTLY)?;
    stage.pgguard(&["gate", INDEX_CONCURRENTLY.0], 1)?;
    stage.tell(
        "The careful form is the one that waits: for every older snapshot, and a backup's is old.",
    )
}

/// What the gate saves one from.
fn the_outage(stage: &Stage) -> Result<()> {
    stage.tell(
        "What happens when nobody asks? Somebody runs the ALTER TABLE all the same; then the shop\n\
         reads an order.",
    )?;
    let migration = stage.waiting("deploy", ALTER)?;
    let reader = stage.waiting("shop", "SELECT status FROM orders WHERE id = 1")?;
    stage.pgguard(&["status"], 0)?;
    stage.tell(
        "The backup holds up the migration, and the migration the shop. Both are cancelled here.",
    )?;
    stage.cancel([migration, reader])
}

/// The backup ends, and the gate turns green.
fn the_way_out(stage: &Stage, backup: &mut Backup) -> Result<()> {
    stage.tell(
        "A pipeline can wait for the right moment. The backup's reader wakes up meanwhile.",
    )?;
    backup.resume();
    stage.pgguard(
        &["gate", "--wait", "30s", "--interval", "1s", ADD_COLUMN.0],
        0,
    )?;
    backup.until_ended()?;
    stage.tell("Clear. So the migration runs, on the table that nobody holds:")?;
    let begun = Instant::now();
    stage.run_sql(ALTER)?;
    stage.tell(&format!("It took {} ms.", begun.elapsed().as_millis()))
}

fn wait_for_enter(stage: &Stage) -> Result<()> {
    stage.tell(&format!(
        "The backup is still stalled. To try things by hand, from another terminal:\n  \
         pgguard status -d '{url}'\n  psql '{url}'\nPress Enter to continue.",
        url = stage.url()
    ))?;
    let mut line = String::new();
    // At the end of the input nobody can press Enter any more.
    let _ = std::io::stdin().lock().read_line(&mut line);
    if !std::io::stdin().is_terminal() {
        door::print(Form::Lines, "\n")?;
    }
    Ok(())
}
