//! A pooler in between (pgbouncer): it shares the server's sessions, and what one client sets there, the
//! next one finds. The locks in `pg_locks` are the server's all the same; what hangs on the session is not
//! the migration's.

use crate::model::{AdvisoryRequest, Doubt, Footprint, Server, SessionSettings};

/// The doubt where the session that resolved the migration's names is not as a session begins.
#[must_use]
pub fn doubt(server: &Server, session: &SessionSettings) -> Option<Doubt> {
    if !server.pooled {
        return None;
    }
    let what = match (server.settings.get("search_path"), &session.own_search_path) {
        (Some(asked), _) if words(asked) != words(&session.search_path) => format!(
            "a pooler is in between, and dropped options: search_path is {} and not {asked}, so names without a \
             schema may mean other relations",
            session.search_path
        ),
        (None, Some(own)) if *own != session.search_path => format!(
            "a pooler is in between, and an earlier client has left search_path = {} in its session (it \
             began with {own}): names without a schema may mean other relations",
            session.search_path
        ),
        _ => return None,
    };
    Some(Doubt {
        statement: None,
        what,
        help: "connect to the server itself, past the pooler, or write schemas into the migration"
            .into(),
        lasting: false,
        accepts: None,
    })
}

/// The schemas of a search path, however it is written.
fn words(path: &str) -> Vec<&str> {
    path.split(',')
        .map(|word| word.trim().trim_matches(['"', '\'']))
        .collect()
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
