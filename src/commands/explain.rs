//! `pgguard explain`

use crate::cli::{Color, ExplainArgs};
use crate::{Error, Result};

/// Runs the command.
///
/// # Errors
/// As it says.
#[expect(clippy::unused_async, reason = "not built yet")]
pub async fn run(_args: ExplainArgs, _color: Color) -> Result<u8> {
    Err(Error::Usage("explain is not built yet".into()))
}
