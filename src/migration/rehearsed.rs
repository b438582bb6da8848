//! What a rehearsal writes into its script for the gate: on which schema it was made, and which statements read rows.

/// How the script begins.
pub const HEADER: &str = "-- pgguard rehearsal 1";

/// The line of the header that has the schema's fingerprint.
pub const FINGERPRINT: &str = "-- schema: ";

/// In a comment above a statement, after `pgguard:`, with the tables behind it.
pub const READS_ROWS: &str = "reads rows of ";

/// The schema's fingerprint that a script says it was made on; `None`: it is no rehearsal's.
#[must_use]
pub fn fingerprint_in(text: &str) -> Option<&str> {
    let rest = text.strip_prefix(HEADER)?;
    let mut lines = rest
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with("--"));
    lines.find_map(|line| line.strip_prefix(FINGERPRINT))
}

/// Why not everything is known of a statement that reads rows.
#[must_use]
pub fn not_seen(tables: &str) -> String {
    format!(
        "it {READS_ROWS}{tables}, which was empty in the rehearsal: what the command does with the rows was not seen"
    )
}

/// Whether a reason is [`not_seen`].
#[must_use]
pub fn is_not_seen(why: &str) -> bool {
    why.starts_with("it ") && why[3..].starts_with(READS_ROWS)
}
