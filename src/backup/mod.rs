//! UNDERSTAND. A snapshot and past runs → how far a backup is, and when it ends.
