//! The thread that commands run on.

use crate::{Error, Result};
use std::future::Future;

/// Runs a future on this thread: one connection needs no more.
///
/// # Errors
/// The future's own, or that the system gave no event queue.
pub fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Program {
            program: "the event loop".into(),
            why: error.to_string(),
            help: "check the limit of open files".into(),
        })?
        .block_on(future)
}
