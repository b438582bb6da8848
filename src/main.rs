//! The door: parse arguments, run one command, exit with its status.

use clap::Parser;
use pgguard::{cli::Cli, commands, migration::depth};
use std::process::ExitCode;

fn main() -> ExitCode {
    // A migration may nest deeper than the stack that the system gives.
    depth::with_room(run)
}

fn run() -> ExitCode {
    // `check` answers a monitoring system by other rules: bad usage and panics are 3 there.
    if std::env::args_os().nth(1).is_some_and(|arg| arg == "check") {
        return ExitCode::from(commands::check::main());
    }
    let cli = Cli::parse();
    match commands::block_on(commands::run(cli)) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("pgguard: {error}");
            ExitCode::from(error.exit_status())
        }
    }
}
