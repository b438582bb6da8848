//! One file a kind of wait: each finds who is ahead, and hands them to the judge, who weighs them.

pub mod advisory;
pub mod catalog_rows;
pub mod databases;
pub mod objects;
pub mod old_snapshots;
pub mod phases;
pub mod relation;
pub mod routed;
pub mod rows;
pub mod safe_snapshot;
pub mod transactions;
