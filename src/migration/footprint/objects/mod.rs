//! Objects that are no tables: one file a family.

pub mod comment;
pub mod function;
pub mod made;
pub mod publication;
pub mod sequence;
pub mod trigger;
pub mod types;
pub mod view;
