//! UNDERSTAND. A snapshot → who is who, and who waits behind whom.
