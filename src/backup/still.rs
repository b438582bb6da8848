//! Whether a dump stands still: nothing of it has moved for some time.

use super::seen::Point;
use crate::model::{Backend, BackendState, StandsStill};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// A slow client takes what the socket's buffers hold (megabytes) in one go, and nothing moves meanwhile.
const FULL_BUFFER: TimeDelta = TimeDelta::seconds(30);

/// Between two tables it takes all that the buffers hold.
const WHOLE_BUFFER: TimeDelta = TimeDelta::seconds(60);

/// What a dump was at, as of the last look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Whatever changes while a dump gets on.
    at: String,
    /// The first look that saw it there.
    since: DateTime<Utc>,
    /// What it waits for; `None`: it works, or waits for something of the server's.
    waits: Option<Waits>,
    /// The machine that runs it.
    client: String,
}

/// What a dump waits for that its client owes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Waits {
    /// To take rows.
    ToTake,
    /// To say what comes next.
    ToAsk,
}

impl Mark {
    /// The mark of a look, after that of the look before it.
    pub(super) fn after(
        before: Option<Self>,
        taken_at: DateTime<Utc>,
        members: &[&Backend],
        point: &Point,
    ) -> Self {
        let mut at = format!("{:?}", point.streamed);
        for backend in members {
            let (state, query) = (backend.state_change, backend.query_start);
            let _ = write!(at, " {} {state:?} {query:?}", backend.pid);
        }
        for copy in &point.copies {
            let _ = write!(at, " {} {} {}", copy.oid, copy.tuples, copy.bytes);
        }
        let waits = waits(members);
        // One that is idle says itself since when.
        let idle_since = members.iter().filter_map(|b| b.state_change).max();
        let first = match before {
            Some(before) if before.at == at => before.since,
            _ if waits == Some(Waits::ToAsk) => idle_since.unwrap_or(taken_at),
            _ => taken_at,
        };
        Self {
            at,
            since: first,
            waits,
            client: members.first().map_or_else(String::new, |b| client(b)),
        }
    }

    /// Whether it stands still at a time.
    pub(super) fn stands_still(&self, now: DateTime<Utc>) -> Option<StandsStill> {
        let (why, patience) = match self.waits? {
            Waits::ToTake => ("its client takes no data (ClientWrite)", FULL_BUFFER),
            Waits::ToAsk => (
                "its client asks for nothing more (ClientRead)",
                WHOLE_BUFFER,
            ),
        };
        (now - self.since >= patience).then(|| StandsStill {
            since: self.since,
            why: why.into(),
            client: self.client.clone(),
        })
    }
}

/// All that is not idle waits for the client to take rows; or everything is idle in its transaction. A parallel
/// dump's leader always is.
fn waits(members: &[&Backend]) -> Option<Waits> {
    let is_idle = |b: &&&Backend| b.state.is_some_and(BackendState::is_idle_in_transaction);
    let mut working = members.iter().filter(|b| !is_idle(b)).peekable();
    if working.peek().is_none() {
        return members.iter().any(|b| is_idle(&b)).then_some(Waits::ToAsk);
    }
    working
        .all(|b| b.waits_in("Client", "ClientWrite"))
        .then_some(Waits::ToTake)
}

fn client(backend: &Backend) -> String {
    match (&backend.client_addr, backend.client_port) {
        (Some(address), Some(port)) => format!("{address}, port {port}"),
        (Some(address), None) => address.clone(),
        (None, _) => "the server's own machine (a local socket)".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_whose_client_takes_nothing_stands_still_after_some_time() {
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let copying = Backend {
            state: Some(BackendState::Active),
            wait_event_type: Some("Client".into()),
            wait_event: Some("ClientWrite".into()),
            ..Backend::default()
        };
        let point = Point {
            at: at(0),
            copies: Vec::new(),
            draining: Vec::new(),
            client_wait: 1.0,
            streamed: None,
        };
        let look = |before, backend: &Backend, seconds| {
            Mark::after(before, at(seconds), &[backend], &point)
        };
        let mark = look(Some(look(None, &copying, 10)), &copying, 70);
        let still = mark.stands_still(at(70)).expect("60 s");
        assert_eq!(still.since, at(10));
        assert_eq!(mark.stands_still(at(20)), None, "a buffer drains");
        let moved = Backend {
            state_change: Some(at(69)),
            ..copying.clone()
        };
        assert_eq!(look(Some(mark), &moved, 70).stands_still(at(70)), None);
        let reading = Backend {
            wait_event_type: Some("IO".into()),
            ..copying
        };
        let mark = look(Some(look(None, &reading, 10)), &reading, 70);
        assert_eq!(mark.stands_still(at(70)), None, "a disk is no client");
        let idle = Backend {
            state: Some(BackendState::IdleInTransaction),
            state_change: Some(at(5)),
            ..Backend::default()
        };
        let still = look(None, &idle, 70).stands_still(at(70)).expect("65 s");
        assert_eq!(still.since, at(5));
    }
}
