//! What a session's last message leaves behind, by its text.
//!
//! Sources: `GetSafeSnapshot` (predicate.c), SET TRANSACTION in the documentation.

use super::statement::{Script, statements};

/// Whether a session whose last message was this text, in a transaction that has no snapshot yet, waits for
/// a safe one with its next query.
#[must_use]
pub fn leaves_deferrable(text: &str) -> bool {
    let script = Script::psql("", format!("{text}\n;\nSELECT"));
    statements(&[script])
        .last()
        .is_some_and(|statement| statement.waits_for_safe_snapshot)
}

#[cfg(test)]
mod tests {
    use super::leaves_deferrable;

    #[test]
    fn a_transaction_is_deferred_that_is_serializable_and_read_only_and_deferrable() {
        for (text, expected) in [
            (
                "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE",
                true,
            ),
            (
                "begin; set transaction isolation level serializable, read only, deferrable",
                true,
            ),
            (
                "START TRANSACTION READ ONLY, DEFERRABLE; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;",
                true,
            ),
            (
                "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE; SHOW server_version",
                true,
            ),
            (
                "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE; SELECT 1",
                false,
            ),
            (
                "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE; COMMIT",
                false,
            ),
            (
                "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY NOT DEFERRABLE",
                false,
            ),
            ("BEGIN ISOLATION LEVEL SERIALIZABLE DEFERRABLE", false),
            (
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY DEFERRABLE",
                false,
            ),
            ("BEGIN", false),
            ("not sql", false),
            ("", false),
        ] {
            assert_eq!(leaves_deferrable(text), expected, "{text}");
        }
    }
}
