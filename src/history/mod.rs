//! READ. Past backup runs: a SQLite file by default, a Postgres schema for teams.
//!
//! Every command that looks leaves here what it saw of a running dump, for free: so the next look goes on
//! where the last one ended, and a dump that is no longer there becomes a past run. Beside the runs there
//! is a line for every session that `pgguard kill` ended, and one for every migration that `pgguard run` watched.
//!
//! What was seen at all is kept for an hour, in files next to it: [`looks`].
//!
//! Both places have the same tables and are asked in the same words ([`store`]); only their migrations
//! differ. Several machines may see the same run: it is one row, named by its [`RunKey`] and its begin,
//! and what two of them know of it is [merged](runs). Nothing in here is needed for a verdict.

mod document;
pub mod looks;
mod migration_runs;
mod place;
mod runs;
mod sets;
mod signals;
mod store;
mod tables;
mod watched;
mod watches;

pub use document::Document;
pub use migration_runs::WhichRuns;
pub use place::{Place, state_folder};
pub use runs::Filter;
pub use signals::SignalNote;
pub use watches::Watch;

use crate::Result;
use sets::Sets;
use store::Store;

/// An open history.
#[derive(Debug)]
pub struct History {
    store: Store,
    sets: Sets,
}

impl History {
    /// Opens it. `place`: a SQLite file or a `postgres://` URL; `None`: `$PGGUARD_HISTORY`, or a file in the
    /// user's state folder. A SQLite file that is not there is created; a Postgres schema never is.
    ///
    /// # Errors
    /// [`crate::Error::History`] when it is damaged, written by a newer pgguard, no history, or (Postgres)
    /// not created yet; the message names the place and what to do. Nothing in it is changed then.
    pub async fn open(place: Option<&str>) -> Result<Self> {
        Self::open_at(&Place::of(place)?).await
    }

    /// Opens the history at a place that is known.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_at(place: &Place) -> Result<Self> {
        Ok(Self::of(Store::open(place).await?))
    }

    /// Creates the schema `pgguard` in a Postgres database, or brings it up to date. The only thing in
    /// here that runs DDL on a server, and only when asked to. For a file it does what opening it does.
    ///
    /// # Errors
    /// When the role may not, or the schema is of a newer pgguard.
    pub async fn init(place: Option<&str>) -> Result<Self> {
        Ok(Self::of(Store::create(&Place::of(place)?).await?))
    }

    fn of(store: Store) -> Self {
        Self {
            store,
            sets: Sets::default(),
        }
    }

    /// After a transaction that may have made sets: where it failed there are none of them, and where one that
    /// was known has gone the next try reads it anew.
    fn only_committed_sets<T>(&mut self, done: Result<T>) -> Result<T> {
        if done.is_err() {
            self.sets = Sets::default();
        }
        done
    }

    /// Where it is, as it may be shown: without a password.
    #[must_use]
    pub fn place(&self) -> &str {
        self.store.name()
    }

    /// Says goodbye.
    pub async fn close(self) {
        self.store.close().await;
    }
}
