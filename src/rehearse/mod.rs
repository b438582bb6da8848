//! A rehearsal: a command that migrates is run on a throw-away copy of the schema, and what it sent is read from that
//! server's log. Production is read, as carefully as `gate` does and by one pg_dump of the schema, and never written:
//! neither the command nor the throw-away server can reach it ([`crate::world`]).

mod begun;
mod captured;
mod copy;
mod elsewhere;
mod ground;
mod log;
mod made;
mod measure;
mod nodes;
mod parameters;
mod probe;
mod replay;
mod run;
mod schema;
mod script;
mod stage;
mod told;

pub use captured::Captured;
pub use measure::measure;
pub use run::run;
pub use told::{Failure, Rehearsal, rehearse};

use crate::postgres::connect::Target;
use std::path::PathBuf;
use std::time::Duration;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Production.
    pub target: Target,
    /// How long a question to production may take.
    pub patience: Duration,
    /// The command that migrates.
    pub command: Vec<String>,
    /// The schema, from a file and not from production.
    pub schema: Option<PathBuf>,
    /// A command of the shell that completes the schema on the copy.
    pub prepare: Option<String>,
    /// Further version tables.
    pub version_tables: Vec<String>,
    /// Further databases of production's server.
    pub also: Vec<String>,
    /// Further ports at which the command may look for production.
    pub ports: Vec<u16>,
    /// TCP ports outside that are opened to the command.
    pub network: Vec<u16>,
    /// How long the command may take.
    pub limit: Duration,
    /// Whether to run it where it cannot be kept from reaching production.
    pub unconfined: bool,
}
