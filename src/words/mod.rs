//! How pgguard speaks: one way to write a span, a time, a cut line, a role, what a lock is on, an SQL literal.
//!
//! A ground room: it knows the nouns of [`crate::model`] and nothing else, so every other room may use it.

pub mod backup;
pub mod duration;
pub mod guess;
pub mod line;
pub mod role;
pub mod sql;
pub mod target;
pub mod time;
pub mod when;
pub mod zone;

pub use backup::{cost_of_kill, ends, wait_or_kill};
pub use duration::{duration, not_too_long};
pub use guess::guess;
pub use line::{cut, many, one_line};
pub use role::role;
pub use sql::literal;
pub use target::target;
pub use time::{brief, clock, dated, hour, range, rough, second, seconds, setting, span};
pub use when::{coming, when};
pub use zone::Zone;
