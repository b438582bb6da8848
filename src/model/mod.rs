//! The nouns, in Postgres's own words. No I/O in here, and nothing of ours is imported.

mod allowance;
mod backend;
mod backup_run;
mod catalog;
mod command;
mod facts;
mod footprint;
mod hold;
mod job;
mod leftovers;
mod lock;
mod lock_mode;
mod migration_run;
mod relation;
mod session;
mod snapshot;
mod verdict;
mod versions;

pub use allowance::*;
pub use backend::*;
pub use backup_run::*;
pub use catalog::*;
pub use command::*;
pub use facts::*;
pub use footprint::*;
pub use hold::*;
pub use job::*;
pub use leftovers::*;
pub use lock::*;
pub use lock_mode::*;
pub use migration_run::*;
pub use relation::*;
pub use session::*;
pub use snapshot::*;
pub use verdict::*;
pub use versions::*;
