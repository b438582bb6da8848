//! `pgguard doctor`: what interrupted migrations, index builds and backups left behind. It changes nothing.

use super::screen;
use crate::Result;
use crate::cli::{Color, DoctorArgs, Format, MigrationArgs};
use crate::config::Config;
use crate::doctor::{Diagnosis, half_applied};
use crate::door::{self, Form};
use crate::look::examination::examine;
use crate::look::facts::Facts;
use crate::look::past::Past;
use crate::look::unrecorded;
use crate::migration::source::Limits;
use crate::postgres::leftovers::Depth;
use crate::report;

/// Runs the command: 0 nothing was found, 1 something was, 2 nothing was and not all could be read.
///
/// # Errors
/// When it could not look.
pub async fn run(args: DoctorArgs, color: Color) -> Result<u8> {
    let mut facts = Facts::open(&args.connect, &args.record, 0).await?;
    let is_replayed = args.record.replay.is_some();
    let mut past = Past::new(&args.history, &Config::default(), is_replayed);
    let seen = examine(&mut facts, &mut past, Depth::Whole).await?;
    let (pending, notes) = unrecorded::pending(&mut facts, &args.migrations, &how(&args)).await?;
    let mut diagnosis = seen.diagnosis();
    diagnosis.add(half_applied(&pending));
    diagnosis.notes.extend(notes);
    let (server, at) = (&seen.snapshot.server, seen.snapshot.taken_at);
    match args.format {
        Format::Text => door::print(
            Form::Lines,
            &report::doctor_text(&diagnosis, server, at, screen::page(color)),
        ),
        Format::Json => door::print(Form::Json, &report::doctor_json(&diagnosis, server, at)),
    }?;
    past.warn();
    past.close().await;
    let recording = facts.finish().await;
    if let Some(path) = &args.record.record {
        recording.write(path)?;
    }
    Ok(status(&diagnosis))
}

/// How the migrations are read.
fn how(args: &DoctorArgs) -> MigrationArgs {
    let limits = Limits::default();
    MigrationArgs {
        tool: args.tool.clone(),
        max_bytes: limits.bytes,
        max_statements: limits.statements,
        ..MigrationArgs::default()
    }
}

fn status(diagnosis: &Diagnosis) -> u8 {
    match diagnosis.count() {
        0 if diagnosis.unread.is_empty() => 0,
        0 => 2,
        _ => 1,
    }
}
