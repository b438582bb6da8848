//! How long a piece of work takes: so much a row, and so much a megabyte of what it reads and writes.
//!
//! Measured on servers of 14 to 18 by `./dev hold`; see docs/holds.md for the figures and how far off they
//! are. Rows and bytes together: by bytes alone a narrow table is six times slower than it should be.

use crate::model::{HoldTime, Job, JobKind};

/// Bytes of a megabyte.
const MB: f64 = 1024.0 * 1024.0;

/// What a kind of work costs.
#[derive(Clone, Copy)]
struct Cost {
    /// Microseconds a row.
    row: f64,
    /// Milliseconds a megabyte of the table.
    heap: f64,
    /// Milliseconds a megabyte of what is stored out of line.
    toast: f64,
    /// Milliseconds a megabyte of the index.
    index: f64,
    /// The 80 % interval is from the estimate divided by this to the estimate times this.
    within: f64,
}

const fn costs(row: f64, heap: f64, toast: f64, index: f64, within: f64) -> Cost {
    Cost {
        row,
        heap,
        toast,
        index,
        within,
    }
}

/// What a job costs, by its kind.
fn cost(job: &Job) -> Cost {
    match job.kind {
        JobKind::Scan => costs(0.15, 0.7, 0.0, 0.0, 3.0),
        JobKind::Read => costs(0.15, 0.7, 0.0, 0.0, 4.0),
        JobKind::Join => costs(1.1, 0.7, 0.0, 0.0, 3.0),
        JobKind::Rewrite => costs(1.3, 10.0, 32.0, 0.0, 3.0),
        JobKind::Move => costs(0.0, 4.0, 4.0, 0.0, 3.0),
        JobKind::Build => index(job),
        JobKind::Write => costs(12.0, 40.0, 0.0, 40.0, 4.0),
    }
}

/// What an index costs, by its access method.
fn index(job: &Job) -> Cost {
    match (job.method.as_deref(), job.slow_keys) {
        (None | Some("btree"), false) => costs(1.2, 0.7, 0.0, 6.0, 2.5),
        (None | Some("btree"), true) => costs(4.0, 0.7, 0.0, 8.0, 3.0),
        (Some("brin"), _) => costs(0.3, 0.7, 0.0, 0.0, 3.0),
        (Some("hash"), _) => costs(5.0, 0.7, 0.0, 6.0, 3.0),
        // Each row has many keys: how many, its size tells a little.
        (Some("gin"), false) => costs(1.0, 110.0, 110.0, 0.0, 4.0),
        // Mostly `to_tsvector`.
        (Some("gin"), true) => costs(5.0, 1000.0, 1000.0, 0.0, 6.0),
        (Some("gist" | "spgist"), _) => costs(15.0, 0.7, 0.0, 10.0, 5.0),
        // An extension's: vectors take hundreds of microseconds a row.
        (Some(_), _) => costs(100.0, 0.7, 0.0, 10.0, 10.0),
    }
}

/// How long a job takes.
#[must_use]
pub fn of(job: &Job) -> HoldTime {
    let cost = cost(job);
    let rows = job.rows.unwrap_or_default();
    let megabytes =
        job.bytes * cost.heap + job.toast_bytes * cost.toast + job.index_bytes * cost.index;
    let seconds = rows * cost.row / 1e6 + megabytes / MB / 1e3;
    // A WHERE may leave much out, half is the guess; a constraint that proves what a scan would look for is
    // there for that.
    let (least, share) = match (job.whole, job.kind) {
        (true, _) => (1.0 / cost.within, 1.0),
        (false, JobKind::Scan) => (0.0, 0.1),
        (false, _) => (0.0, 0.5),
    };
    HoldTime {
        earliest: seconds * least,
        expected: seconds * share,
        latest: seconds * cost.within,
    }
}
