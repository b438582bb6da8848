//! One file a command: read, decide, render. No rules of Postgres in here.

mod backups;
mod block_on;
mod catalog;
pub mod check;
mod demo;
mod doctor;
mod explain;
mod gate;
pub mod kill;
pub mod line;
mod log;
mod rehearse;
pub mod run;
mod screen;
mod status;
mod status_at;
mod stop;
mod tools;
mod watch;

pub use block_on::block_on;

use crate::Result;
use crate::cli::{Cli, Command};

/// Runs one command.
///
/// # Errors
/// Whatever kept it from looking; [`crate::Error::exit_status`] says how to exit.
pub async fn run(cli: Cli) -> Result<u8> {
    let color = cli.color;
    match cli.command {
        Command::Status(args) => status::run(args, color).await,
        Command::Gate(args) => gate::run(*args, color).await,
        Command::Explain(args) => explain::run(args, color).await,
        Command::Check(_) => Ok(check::main()),
        Command::Kill(args) => kill::run(args, color).await,
        Command::Run(args) => run::run(*args).await,
        Command::Backups(args) => backups::run(args, color).await,
        Command::Rehearse(args) => rehearse::run(args).await,
        Command::Catalog(args) => catalog::run(args).await,
        Command::Log(args) => log::run(args, color).await,
        Command::Tools { format } => tools::run(format),
        Command::Doctor(args) => doctor::run(args, color).await,
        Command::Demo(args) => demo::run(args, color).await,
        Command::Completions { shell } => line::completions(shell),
        Command::Man { command, folder } => line::man(&command, folder.as_deref()),
        // `line::read` has answered it.
        Command::Help { .. } => Ok(0),
    }
}
