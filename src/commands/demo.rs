//! `pgguard demo`

use crate::cli::{Color, DemoArgs};
use crate::{Error, Result};

/// Runs the command.
///
/// # Errors
/// As it says.
#[expect(clippy::unused_async, reason = "not built yet")]
pub async fn run(_args: DemoArgs, _color: Color) -> Result<u8> {
    Err(Error::Usage("demo is not built yet".into()))
}
