//! `pgguard kill`

use crate::cli::{Color, KillArgs};
use crate::{Error, Result};

/// Runs the command.
///
/// # Errors
/// As it says.
#[expect(clippy::unused_async, reason = "not built yet")]
pub async fn run(_args: KillArgs, _color: Color) -> Result<u8> {
    Err(Error::Usage("kill is not built yet".into()))
}
