//! The command line as a text: reading it, help, the man pages, completions.
//!
//! Which options matter first, how a command exits and what it reads stand once, in [`pages`].

mod around;
mod completions;
mod help;
mod man;
mod page;
mod pages;
mod read;

pub use completions::completions;
pub use help::plugin;
pub use man::man;
pub use read::{Asked, read};
