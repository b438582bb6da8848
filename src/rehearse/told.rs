//! The whole rehearsal, and what it tells.

use super::Wanted;
use super::captured::Captured;
use super::copy::Copy;
use super::elsewhere;
use super::log::{self, Entry, What};
use super::made::{self, Made, Use};
use super::measure;
use super::run::{self, Ran};
use super::schema::Schema;
use super::script::{self, Known};
use super::stage::Stage;
use crate::safe::masked_command;
use crate::throwaway::Server;
use crate::words::one_line;
use crate::world::Begun;
use crate::{Error, Result};

/// Why the command failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// How it ended.
    pub how: String,
    /// The last statement that the server refused, and what it said.
    pub refused: Option<(String, String)>,
}

/// What came of it.
#[derive(Debug)]
pub struct Rehearsal {
    /// The copy goes when this is dropped.
    pub _copy: Copy,
    /// What was sent to each database, production's own first.
    pub captured: Vec<Captured>,
    /// Why the command failed.
    pub failure: Option<Failure>,
    /// Worth a line.
    pub notes: Vec<String>,
}

/// Rehearses.
///
/// # Errors
/// It could not, or the command never reached the copy.
pub async fn rehearse(wanted: &Wanted) -> Result<Rehearsal> {
    let Made {
        mut copy,
        schemas,
        notes: drift,
    } = made::made(wanted, Use::Command).await?;
    copy.double(schemas.iter().map(|schema| &schema.database))?;
    copy.begin_log()?;
    let (ran, begun) = run::run(wanted, &copy, &schemas[0], &wanted.command).await?;
    let mut entries = log::entries(&copy.log()?);
    elsewhere::bring_home(&mut entries, &schemas);
    let sent: Vec<Sent> = schemas
        .iter()
        .map(|schema| sent(wanted, &copy, schema, &entries, &begun))
        .collect::<Result<_>>()?;
    reached(wanted, &entries)?;
    let changes = sent.iter().any(|one| one.captured.changes);
    let failure = failure(ran, wanted, &entries, changes)?;
    let (mut captured, mut notes) = (Vec::new(), drift);
    for (mut sent, schema) in sent.into_iter().zip(&schemas) {
        if failure.is_none() && sent.captured.changes {
            copy.begin_again(schema)?;
            let text = &sent.captured.text;
            let (text, stopped) = measure::measured(&sent.stage, text, &sent.filled).await;
            sent.captured.text = text;
            notes.extend(stopped);
        }
        captured.push(sent.captured);
    }
    captured.extend(elsewhere::captured(wanted, &entries, &schemas, &begun));
    notes.extend(unknown_databases(&entries));
    if failure.is_none() {
        notes.extend(refused(&entries).map(|(sql, message)| {
            let sql = one_line(&sql, 200);
            format!("the command went on after Postgres refused this: {message}: {sql}")
        }));
    }
    Ok(Rehearsal {
        captured,
        failure,
        notes,
        _copy: copy,
    })
}

fn is_ours(entry: &Entry, server: &Server) -> bool {
    entry.user == super::copy::SUPERUSER && entry.database == "postgres" && server.port() > 0
}

/// What was sent to one database, and with which script it is played again.
struct Sent {
    captured: Captured,
    filled: String,
    stage: Stage,
}

fn sent(
    wanted: &Wanted,
    copy: &Copy,
    schema: &Schema,
    entries: &[Entry],
    begun: &[Begun],
) -> Result<Sent> {
    let server = &copy.server;
    let names = server.sql(
        &schema.database,
        "SELECT DISTINCT proname FROM pg_catalog.pg_proc WHERE oid >= 16384",
    )?;
    let known = Known {
        versions: script::versions(wanted, schema),
        functions: names.lines().map(str::to_owned).collect(),
    };
    let own: Vec<Entry> = entries
        .iter()
        .filter(|entry| entry.database == schema.database && !is_ours(entry, server))
        .cloned()
        .collect();
    let script = script::written(&own, &known, begun);
    let header = script::header(
        &wanted.command,
        server.version(),
        &schema.database,
        &schema.around.fingerprint,
        &schema.applied.join("\n"),
    );
    let captured = Captured {
        database: schema.database.clone(),
        text: header.clone() + &script.text,
        changes: script.changes,
        statements: script.statements,
    };
    Ok(Sent {
        captured,
        filled: header + &script.filled,
        stage: measure::stage(wanted, copy, schema, script.roles, known.versions),
    })
}

/// Whether a session of the command's came.
fn reached(wanted: &Wanted, entries: &[Entry]) -> Result<()> {
    let came =
        |entry: &Entry| entry.user != super::copy::SUPERUSER && entry.what == What::Connected;
    if entries.iter().any(came) {
        return Ok(());
    }
    let refused = entries.iter().rev().find_map(|entry| match &entry.what {
        What::Refused { message, .. } => Some(format!("; it was refused: {message}")),
        _ => None,
    });
    Err(Error::Program {
        program: masked_command(&wanted.command).join(" "),
        why: format!(
            "it never reached the copy of {}{}",
            wanted.target.database,
            refused.unwrap_or_default()
        ),
        help: "a port that its configuration names is given with --also-port, a database with --also; what it \
               printed may say more"
            .into(),
    })
}

/// The last statement of the command's that the server refused, and what it said.
fn refused(entries: &[Entry]) -> Option<(String, String)> {
    entries.iter().rev().find_map(|entry| match &entry.what {
        What::Refused { message, sql } if entry.user != super::copy::SUPERUSER => {
            Some((sql.clone(), message.clone()))
        }
        _ => None,
    })
}

/// A command with exit status 0 has failed too if the server refused one of its statements and it changed nothing
/// (psql runs the next statement after an error).
fn failure(ran: Ran, wanted: &Wanted, entries: &[Entry], changes: bool) -> Result<Option<Failure>> {
    let refused = refused(entries);
    let how = match ran {
        Ran::Ended(0) if changes || refused.is_none() => return Ok(None),
        Ran::Ended(0) => "ended with 0, but it changed nothing".to_owned(),
        Ran::Ended(status) => format!("ended with {status}"),
        Ran::TookTooLong => return Err(run::too_long(wanted)),
    };
    Ok(Some(Failure { how, refused }))
}

/// Databases that the command asked for, and that the copy lacks (3D000).
fn unknown_databases(entries: &[Entry]) -> Vec<String> {
    let mut notes: Vec<String> = entries
        .iter()
        .filter(|entry| entry.state == "3D000")
        .map(|entry| {
            format!(
                "the command also asked for the database {0}, which is not in the copy: --also {0}",
                entry.database
            )
        })
        .collect();
    notes.sort();
    notes.dedup();
    notes
}
