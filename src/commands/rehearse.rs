//! `pgguard rehearse`: what a command would send to production, from a run on a throw-away copy of its schema.

use crate::cli::{ConnectArgs, GateArgs, RecordArgs, RehearseArgs, RehearseCommandArgs};
use crate::door::file::{self, Access};
use crate::door::{self, Form};
use crate::gate::Policy;
use crate::look::{Question, facts};
use crate::model::Doubt;
pub use crate::rehearse::rehearse;
use crate::rehearse::{Captured, Failure, Rehearsal, Wanted, measure};
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
        network: args.network.clone(),
        limit: args.command_timeout,
        unconfined: args.unconfined,
    })
}

/// What the gate is asked after a rehearsal of its command, or of its files; or why the command failed there.
///
/// # Errors
/// It could not be rehearsed.
pub async fn asked(
    args: &GateArgs,
    policy: Policy,
) -> Result<std::result::Result<Question, Failure>> {
    let wanted = wanted(&args.rehearsing, &args.connect, &args.command)?;
    match (args.migrations.is_empty(), args.command.is_empty()) {
        (true, false) => {}
        (false, true) => return measured(args, policy, &wanted).await.map(Ok),
        _ => {
            return Err(Error::Usage(
                "--rehearse takes either files or a command after --".into(),
            ));
        }
    }
    let mut rehearsal = rehearse(&wanted).await?;
    Ok(match rehearsal.failure.take() {
        Some(failure) => Err(failure),
        None => Ok(question(rehearsal, args, policy)),
    })
}

/// Runs the statements of files on the copy, for what they lock there.
async fn measured(args: &GateArgs, policy: Policy, wanted: &Wanted) -> Result<Question> {
    let question = Question::new(&args.migrations, &args.migration, policy)?;
    let mut facts = facts::Facts::open(&args.connect, &RecordArgs::default(), 0).await?;
    let statements = question.statements(&mut facts).await?;
    facts.finish().await;
    let acting = args.migration.role.as_ref();
    let rehearsed = measure(wanted, &statements, acting).await?;
    for note in &rehearsed.notes {
        door::say(note);
    }
    let of = rehearsed.measured.iter().flatten().count();
    if of == 0 && !statements.is_empty() {
        door::say("no statement could be measured on the copy: the rules alone count");
    }
    Ok(question.measured(statements, rehearsed))
}

/// What the gate is asked after a rehearsal.
fn question(rehearsal: Rehearsal, args: &GateArgs, mut policy: Policy) -> Question {
    for note in &rehearsal.notes {
        door::say(note);
    }
    if !rehearsal.captured.iter().any(|captured| captured.changes) {
        door::say(NOTHING);
    }
    let mut captured = rehearsal.captured.into_iter();
    let first = captured.next().map(|first| first.text).unwrap_or_default();
    policy
        .doubts
        .extend(captured.filter(|other| other.changes).map(|other| Doubt {
            statement: None,
            what: format!("the command also changes the database {}", other.database),
            help: format!(
                "check there too: pgguard rehearse -o FILE, and pgguard gate -d {} on it",
                other.database
            ),
            lasting: true,
            accepts: None,
        }));
    Question::rehearsed(REHEARSAL, first, &args.migration, policy)
}

/// Says why the command failed on the copy.
pub fn say_failure(failure: &Failure) {
    failed(failure).iter().for_each(|line| door::say(line));
}

/// Why the command failed on the copy.
pub fn failed(failure: &Failure) -> Vec<String> {
    let how = format!("the command failed on the copy: it {}", failure.how);
    let refused = failure.refused.as_ref().map(|(sql, message)| {
        let sql = crate::words::one_line(sql, 300);
        format!("the last that Postgres refused there: {message}: {sql}")
    });
    std::iter::once(how).chain(refused).collect()
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

/// What is said where the command changes nothing.
const NOTHING: &str = "no migration is pending: the command changed nothing on the copy";

fn summary(rehearsal: &Rehearsal) -> String {
    if !rehearsal.captured.iter().any(|captured| captured.changes) {
        return NOTHING.into();
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
