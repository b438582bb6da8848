//! READ. The only room that talks to a server; its SQL stands in `.sql` files beside it.

pub mod applied;
pub mod catalog;
pub mod connect;
pub mod signal;
pub mod snapshot;
pub mod statements;
pub mod tables;
pub mod usage;
