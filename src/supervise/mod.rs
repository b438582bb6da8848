//! DECIDE. A migration command under watch: which sessions are its own, whether it has to make way, whether it may be
//! tried again, and what became of it. Pure: `commands::run` looks, starts, signals and tells.
//!
//! | file | answers |
//! |---|---|
//! | `tag` | the name of a run, which its sessions bear, and the settings that they begin with |
//! | `own` | which sessions are the run's own |
//! | `running` | which migrations are running now |
//! | `sight` | one look: what they do, whom they wait for, who waits behind them |
//! | `pace` | how fast its long statements go, and when a step of one ends |
//! | `record` | what was seen over all looks, for the history |
//! | `repeat` | whether the command may be started once more |
//! | `outcome` | applied, not applied, half applied: from the schema before and after |
//! | `page` | the maintenance page |

pub mod outcome;
pub mod own;
pub mod pace;
pub mod page;
pub mod record;
pub mod repeat;
pub mod running;
pub mod sight;
pub mod tag;

pub use outcome::outcome;
pub use own::{Own, Socket};
pub use pace::Pace;
pub use record::Record;
pub use repeat::{Repeat, may_repeat};
pub use running::{Signs, running};
pub use sight::{OwnSession, Sight, Step};
