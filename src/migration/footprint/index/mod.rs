//! Indexes: created, built again, added with a constraint, cloned on partitions.

pub mod create;
pub mod key;
pub mod part;
pub mod reindex;
pub mod remade;
