//! A pooler in between (pgbouncer): it shares the server's sessions, and what one client sets there, the
//! next one finds. The locks in `pg_locks` are the server's all the same; what hangs on the session is not
//! the migration's.

use crate::model::{AdvisoryRequest, Doubt, Footprint, Server, SessionSettings};

/// The doubt where the session that resolved the migration's names is not as a session begins.
#[must_use]
pub fn doubt(server: &Server, session: &SessionSettings) -> Option<Doubt> {
    let own = session.own_search_path.as_ref()?;
    (server.pooled && *own != session.search_path).then(|| Doubt {
        statement: None,
        what: format!(
            "a pooler is in between, and an earlier client has left search_path = {} in its session (it \
             began with {own}): names without a schema may mean other relations",
            session.search_path
        ),
        help: "connect to the server itself, past the pooler, or write schemas into the migration".into(),
        lasting: false,
        accepts: None,
    })
}

/// What is worth a line where the migration takes an advisory lock through the pooler.
#[must_use]
pub fn warning(server: &Server, footprint: &Footprint) -> Option<String> {
    let mut statements = footprint.statements.iter();
    let waits = |request: &AdvisoryRequest| !request.nowait;
    (server.pooled && statements.any(|s| s.advisory.iter().any(waits))).then(|| {
        "a pooler is in between: an advisory lock that is taken for a session stays with the pooler's \
         session and not with the migration; connect the migration to the server itself"
            .to_owned()
    })
}
