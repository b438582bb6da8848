//! The program: parse arguments, run one command, exit with its status.

use crate::commands::line::{self, Asked};
use crate::migration::depth;
use crate::{commands, door, world};
use std::panic::catch_unwind;
use std::process::ExitCode;

/// Runs the command that the program's arguments name.
#[must_use]
pub fn main() -> ExitCode {
    // A step into a private world: this process has a single thread, and becomes another program.
    if world::is_asked() {
        return ExitCode::from(world::main());
    }
    // `check` answers a monitoring system by other rules: bad usage and panics are 3 there, in its one line.
    if std::env::args_os().nth(1).is_some_and(|arg| arg == "check") {
        return ExitCode::from(depth::with_room(commands::check::main));
    }
    // The processes that `run` starts of itself, before there is a command line to read.
    if let Some(status) = commands::run::as_helper() {
        return ExitCode::from(status);
    }
    door::remember_panics();
    // A migration may nest deeper than the stack that the system gives.
    let status = catch_unwind(|| depth::with_room(run)).unwrap_or_else(|_| {
        door::say(&door::last_panic());
        2
    });
    ExitCode::from(status)
}

fn run() -> u8 {
    let done = match line::read(std::env::args_os()) {
        Asked::Command(cli) => commands::block_on(commands::run(*cli)),
        Asked::Help(text) => door::print(door::Form::Ours, &text).map(|()| 0),
        Asked::Wrong(text) => {
            door::complain(&text);
            return 2;
        }
    };
    done.unwrap_or_else(|error| {
        door::say(&error.to_string());
        error.exit_status()
    })
}
