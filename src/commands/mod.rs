//! One file a command: read, decide, render. No rules of Postgres in here.

mod backups;
pub mod check;
mod demo;
mod explain;
mod gate;
pub mod kill;
pub mod line;
mod screen;
mod status;
mod stop;
mod watch;

use crate::look::{facts, migrations, past, schedulers};

use crate::cli::{Cli, Command};
use crate::{Error, Result};
use std::future::Future;

/// Runs a future on this thread: one connection needs no more.
///
/// # Errors
/// The future's own, or that the system gave no event queue.
pub fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Program {
            program: "the event loop".into(),
            why: error.to_string(),
            help: "check the limit of open files".into(),
        })?
        .block_on(future)
}

/// Runs one command.
///
/// # Errors
/// Whatever kept it from looking; [`crate::Error::exit_status`] says how to exit.
pub async fn run(cli: Cli) -> Result<u8> {
    let color = cli.color;
    match cli.command {
        Command::Status(args) => status::run(args, color).await,
        Command::Gate(args) => gate::run(args, color).await,
        Command::Explain(args) => explain::run(args, color).await,
        Command::Check(_) => Ok(check::main()),
        Command::Kill(args) => kill::run(args, color).await,
        Command::Backups(args) => backups::run(args, color).await,
        Command::Demo(args) => demo::run(args, color).await,
        Command::Completions { shell } => line::completions(shell),
        Command::Man { command, folder } => line::man(&command, folder.as_deref()),
        // `line::read` has answered it.
        Command::Help { .. } => Ok(0),
    }
}
