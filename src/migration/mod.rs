//! UNDERSTAND. SQL → statements → lock requests, on a catalog that each statement changes.

pub mod footprint;
pub mod statement;
