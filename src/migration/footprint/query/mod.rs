//! Queries: walked as the parser gives them, then planned, then executed.

pub mod deed;
pub mod execute;
pub mod plan;
pub mod walk;
