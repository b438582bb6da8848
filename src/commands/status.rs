//! `pgguard status`: who is connected, in which role, who waits behind whom, how far the backup is.

use super::{screen, status_at, watch};
use crate::cli::{Color, StatusArgs};
use crate::config::Config;
use crate::look::examination::Before;
use crate::look::facts::Facts;
use crate::look::past::Past;
use crate::look::running;
use crate::model::Role;
use crate::report::{Shown, StatusReport};
use crate::sessions::{WaitGraph, understand};
use crate::{Error, Result};

/// Runs the command.
///
/// # Errors
/// When it could not look.
pub async fn run(args: StatusArgs, color: Color) -> Result<u8> {
    let shown = shown(&args)?;
    if let Some(interval) = args.watch {
        return watch::run(args, shown, interval, color).await;
    }
    if let Some(at) = &args.at {
        return status_at::run(&args, &shown, at, color).await;
    }
    let mut facts = Facts::open(&args.connect, &args.record, 0).await?;
    let mut past = Past::new(
        &args.history,
        &Config::default(),
        args.record.replay.is_some(),
    )
    .sampling(args.sample);
    let before = Before::read(&mut facts).await;
    let snapshot = past.look_closely(&mut facts).await?;
    let findings = before.findings(&mut facts, &snapshot).await;
    let sessions = understand(&snapshot);
    let waits = WaitGraph::between_sessions(&snapshot, &sessions);
    let estimates = past.estimates(&mut facts, &snapshot, &sessions).await;
    let running = running::now(&mut facts, &mut past, &snapshot, &[]).await;
    let told = StatusReport::new(&snapshot, &sessions, &waits, &estimates, &shown)
        .with_findings(findings)
        .with_running(running)
        .in_zone(screen::zone(snapshot.taken_at));
    screen::tell(&told, args.format, screen::page(color))?;
    past.warn();
    past.close().await;
    let recording = facts.finish().await;
    if let Some(path) = &args.record.record {
        recording.write(path)?;
    }
    Ok(0)
}

/// What the flags say is to be shown.
fn shown(args: &StatusArgs) -> Result<Shown> {
    Ok(Shown {
        all: args.all,
        evidence: args.evidence,
        roles: args
            .role
            .iter()
            .map(|word| role(word))
            .collect::<Result<_>>()?,
        database: args.database.clone(),
        user: args.user.clone(),
        search: args.search.clone(),
    })
}

fn role(word: &str) -> Result<Role> {
    Role::from_word(word).ok_or_else(|| {
        let known: Vec<&str> = Role::ALL.iter().map(|role| role.word()).collect();
        Error::Usage(format!(
            "there is no role `{word}`; one of {}",
            known.join(", ")
        ))
    })
}
