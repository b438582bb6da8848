//! Whether the programs at the other end of sessions are still there, as far as this machine's kernel knows: it is the
//! server's host, the clients' host, or both, or neither.
//!
//! No view of Postgres shows it: a backend that waits for a lock does not read from its socket, and notices nothing.

mod internet;
mod local;

use crate::model::{Backend, Client, Leftovers, Pid, Snapshot};
use internet::Connections;
use std::collections::BTreeMap;

/// The clients of a look, those of which something is known.
#[must_use]
pub fn of(look: &Snapshot, leftovers: &Leftovers) -> BTreeMap<Pid, Client> {
    let connections = Connections::read();
    let own = look.backend(look.server.own_pid);
    // Behind a pooler the address of our session is the pooler's, and says nothing of this machine.
    let own = own.filter(|_| !look.server.pooled);
    let ours = own.and_then(|own| connections.client_side(own));
    let pairs = local::Pairs::read();
    let is_client = |b: &&Backend| b.is_client() || b.backend_type.as_deref() == Some("walsender");
    let clients = look.backends.iter().filter(is_client).filter(|b| !b.masked);
    clients
        .filter_map(|backend| {
            let known = match backend.client_port {
                Some(-1) => pairs.client_of(backend),
                _ => connections.client_of(backend, leftovers.port, ours.as_ref()),
            };
            Some((backend.pid, known?))
        })
        .collect()
}
