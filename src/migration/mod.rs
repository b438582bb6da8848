//! UNDERSTAND. SQL → statements → lock requests, on a catalog that each statement changes.

mod allowed;
pub mod command;
pub mod depth;
mod dynamic;
pub mod footprint;
pub mod left_behind;
pub mod parts;
pub mod plpgsql;
mod psql;
pub mod rehearsed;
pub mod safer;
mod scan;
mod script;
pub mod settings;
pub mod source;
pub mod split;
pub mod statement;
mod transactions;
pub mod tree;
mod values;
