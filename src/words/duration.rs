//! A span that a person wrote.

use std::time::Duration;

/// A span as people write it.
///
/// # Errors
/// What is wrong with it, and how it should read.
pub fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| {
        format!("{error}; a number with its unit is meant, such as 30s, 5m or 1h30m")
    })?;
    not_too_long(duration)
}

/// No span of ours is longer: a time that much later or earlier is still one that can be computed with.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// A span that times can be moved by.
///
/// # Errors
/// It is longer than a century.
pub fn not_too_long(duration: Duration) -> Result<Duration, String> {
    if duration > LONGEST {
        return Err("it is longer than 100 years".into());
    }
    Ok(duration)
}
