//! UNDERSTAND. SQL → statements → lock requests, on a catalog that each statement changes.

mod allowed;
pub mod characteristics;
pub mod command;
pub mod depth;
pub mod footprint;
pub mod plpgsql;
mod psql;
mod scan;
mod script;
pub mod source;
pub mod split;
pub mod statement;
pub mod timeouts;
mod transactions;
