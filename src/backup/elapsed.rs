//! Time that has passed, as the estimate counts it.

use chrono::{DateTime, Utc};

/// Seconds from one time to another, not below zero.
pub(super) fn seconds(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    ((to - from).num_microseconds().unwrap_or(i64::MAX) as f64 / 1e6).max(0.0)
}
