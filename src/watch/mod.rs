//! TELL, again and again: the live screen of `status --watch`.
//!
//! [`Screen`] is all that the screen knows; a key or a look changes it, [`draw`] shows it, and neither
//! touches a terminal or a server. The row under the cursor is remembered by who it is, not by where it
//! stands: however the list changes between a look and a key, the key means the session that was read,
//! and that row stays on its line. When that session has ended, the cursor is on nobody until it is moved.

mod ink;
mod list;
mod look;
mod rows;
mod screen;
mod session;
#[cfg(test)]
mod tests;
mod view;

pub use look::Look;
pub use screen::{Screen, Wish};
pub use view::draw;
