//! DECIDE. Footprint × snapshot → verdict: would it wait, behind whom, and who would pile up behind it.
//!
//! Three things make a statement wait. The **queue** for a relation lock
//! ([`crate::sessions::queue`]): who holds a conflicting mode, and who waits for one ahead of it. **Lockers**, whose
//! transactions a CONCURRENTLY form waits for without queueing. And **old snapshots** of the whole
//! database ([`waits::old_snapshots`]), whatever they read. A deferrable transaction waits for the serializable
//! ones that may write ([`waits::safe_snapshot`]).
//!
//! Not everybody ahead counts. An ordinary autovacuum gives way to a waiter, and a transaction of a
//! few milliseconds is over before anybody notices ([`clearing`]): a blocker counts once it outlives the
//! patience, which its age shows at once, or a second look.
//!
//! Floors, from the ground up. A file imports from its own floor and from those below it:
//!
//! 1. `party`, `policy`, `held`, `timeouts`, `signs`, `scene`, `pooler`, `commits`, `standby`, `strictest`, `waiting`,
//!    `meets_dump`, `not_for_others`, `forecast`
//! 2. `allow`, `blocker`, `clearing`, `chains`, `fails`, `judge`
//! 3. `waits`, `behind`, `notes`, `holds`, `collisions`
//! 4. `in_order`, `decide`, `before_backup`
//!
//! What is certain is said first: one wait that counts makes the answer WOULD BLOCK, whatever else is
//! unknown. Without one, a single doubt makes it CANNOT TELL. CLEAR is what is left.

mod allow;
pub mod before_backup;
mod behind;
mod blocker;
mod chains;
mod clearing;
mod collisions;
pub mod commits;
mod decide;
mod fails;
mod forecast;
mod held;
mod holds;
mod in_order;
mod judge;
mod meets_dump;
mod not_for_others;
mod notes;
mod party;
mod policy;
pub mod pooler;
pub mod scene;
mod signs;
pub mod standby;
mod strictest;
mod timeouts;
pub mod waiting;
mod waits;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod wait_for_tests;

pub use before_backup::before_backup;
pub use decide::{decide, needs_second_look};
pub use forecast::forecast;
pub use meets_dump::meets_a_dump;
pub use not_for_others::not_for_others;
pub use policy::{FirstLook, Policy, Usage};
pub use strictest::strictest;
