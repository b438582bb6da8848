//! What a command sent to one database.

/// It.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    pub database: String,
    /// The script, with its header.
    pub text: String,
    /// Whether it changes something.
    pub changes: bool,
    /// How many statements it has.
    pub statements: usize,
}
