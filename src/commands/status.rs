//! `pgguard status`

use crate::cli::{Color, StatusArgs};
use crate::{Error, Result};

/// Runs the command.
///
/// # Errors
/// As it says.
#[expect(clippy::unused_async, reason = "not built yet")]
pub async fn run(_args: StatusArgs, _color: Color) -> Result<u8> {
    Err(Error::Usage("status is not built yet".into()))
}
