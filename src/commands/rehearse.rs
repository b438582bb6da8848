//! `pgguard rehearse`: what a command would send to production, from a run on a throw-away copy of its schema.

use crate::cli::{ConnectArgs, GateArgs, RehearseArgs, RehearseCommandArgs};
use crate::door::file::{self, Access};
use crate::door::{self, Form};
use crate::gate::Policy;
use crate::look::{Question, facts};
use crate::model::Doubt;
use crate::rehearse::{Captured, Failure, Rehearsal, Wanted, rehearse};
use crate::report::REHEARSAL;
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// Runs the command.
///
/// # Errors
/// It could not be rehearsed, or the file cannot be written.
pub async fn run(args: RehearseCommandArgs) -> Result<u8> {
    let wanted = wanted(&args.rehearse, &args.connect, &args.command)?;
    let rehearsal = rehearse(&wanted).await?;
    for note in &rehearsal.notes {
        door::say(note);
    }
    for (at, captured) in rehearsal.captured.iter().enumerate() {
        match &args.output {
            Some(path) => write(&place(path, at, captured), captured)?,
            None => door::print(Form::Lines, &captured.text)?,
        }
    }
    if let Some(failure) = &rehearsal.failure {
        say_failure(failure);
        return Ok(1);
    }
    door::say(&summary(&rehearsal));
    Ok(0)
}

/// What the arguments ask for.
///
/// # Errors
/// When they, or the environment, say something that cannot be used.
pub fn wanted(args: &RehearseArgs, connect: &ConnectArgs, command: &[String]) -> Result<Wanted> {
    Ok(Wanted {
        target: facts::target(connect)?,
        patience: connect.timeout,
        command: command.to_vec(),
        schema: args.schema.clone(),
        prepare: args.prepare.clone(),
        version_tables: args.version_table.clone(),
        also: args.also.clone(),
        ports: args.also_port.clone(),
        limit: args.command_timeout,
        unconfined: args.unconfined,
    })
}

/// What the gate is asked after a rehearsal.
pub fn question(rehearsal: Rehearsal, args: &GateArgs, mut policy: Policy) -> Question {
    for note in &rehearsal.notes {
        door::say(note);
    }
    let mut captured = rehearsal.captured.into_iter();
    let first = captured.next().map(|first| first.text).unwrap_or_default();
    policy
        .doubts
        .extend(captured.filter(|other| other.changes).map(|other| Doubt {
            statement: None,
            what: format!("the command also changes the database {}", other.database),
            help: format!(
                "ask there, too: pgguard rehearse -o FILE, and pgguard gate -d {} on it",
                other.database
            ),
            lasting: true,
            accepts: None,
        }));
    Question::rehearsed(REHEARSAL, first, &args.migration, policy)
}

/// Says why the command failed on the copy.
pub fn say_failure(failure: &Failure) {
    door::say(&format!(
        "the command failed on the copy: it {}",
        failure.how
    ));
    if let Some((sql, message)) = &failure.refused {
        let sql = crate::words::one_line(sql, 300);
        door::say(&format!(
            "the last that Postgres refused there: {message}: {sql}"
        ));
    }
}

/// A further database's statements go next to the file.
fn place(path: &Path, at: usize, captured: &Captured) -> PathBuf {
    if at == 0 {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let database = captured.database.replace(['/', '\\'], "_");
    path.with_file_name(format!("{stem}.{database}.sql"))
}

fn write(path: &Path, captured: &Captured) -> Result<()> {
    file::replace(path, Access::Owner, captured.text.as_bytes()).map_err(|error| Error::File {
        what: "write",
        path: path.display().to_string(),
        why: error.to_string(),
    })
}

fn summary(rehearsal: &Rehearsal) -> String {
    if !rehearsal.captured.iter().any(|captured| captured.changes) {
        return "no migration is pending: the command changed nothing on the copy".into();
    }
    let each = rehearsal.captured.iter().map(|captured| {
        let plural = if captured.statements == 1 { "" } else { "s" };
        format!(
            "{} statement{plural} for {}",
            captured.statements, captured.database
        )
    });
    format!("rehearsed: {}", each.collect::<Vec<_>>().join(", "))
}
