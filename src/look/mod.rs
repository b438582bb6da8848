//! What every command that looks at a server shares: where facts come from, what past runs tell, and the one way
//! in which "would this migration block" is asked.

mod archive;
pub mod clients;
pub mod ended;
pub mod examination;
pub mod facts;
pub mod migrations;
pub mod past;
pub mod question;
pub mod running;
pub mod safer;
pub mod schedulers;
mod stalled;
pub mod unrecorded;

pub use question::{About, Judged, Question, policy};
