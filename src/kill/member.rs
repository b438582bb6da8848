//! One process that is to be signalled.

use crate::model::BackendIdentity;
use chrono::{DateTime, Utc};

/// One process of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// What tells it from a later one with the same pid.
    pub identity: BackendIdentity,
    /// When its transaction began.
    pub xact_start: Option<DateTime<Utc>>,
}
