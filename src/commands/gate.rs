//! `pgguard gate`

use crate::cli::{Color, GateArgs};
use crate::{Error, Result};

/// Runs the command.
///
/// # Errors
/// As it says.
#[expect(clippy::unused_async, reason = "not built yet")]
pub async fn run(_args: GateArgs, _color: Color) -> Result<u8> {
    Err(Error::Usage("gate is not built yet".into()))
}
