//! The server decides who may signal whom; its refusal says which right is missing.

use crate::model::quoted;

/// The grant that a refusal (SQLSTATE 42501) asks for. `signalfuncs.c`: other roles' sessions need
/// `pg_signal_backend`, a superuser's need a superuser, and an autovacuum worker counts as a superuser's
/// before 18, which has `pg_signal_autovacuum_worker`.
#[must_use]
pub fn missing_grant(user: &str, major: i32, is_autovacuum: bool, message: &str) -> String {
    let user = quoted(user);
    if is_autovacuum && major >= 18 {
        return format!("GRANT pg_signal_autovacuum_worker TO {user}");
    }
    let of_superuser = message.to_lowercase().contains("superuser");
    if of_superuser || is_autovacuum {
        format!("connect as a superuser: no grant lets {user} signal a superuser's process")
    } else {
        format!("GRANT pg_signal_backend TO {user}")
    }
}
