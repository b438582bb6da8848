//! `pgguard backups`

use crate::cli::{BackupsArgs, Color};
use crate::{Error, Result};

/// Runs the command.
///
/// # Errors
/// As it says.
#[expect(clippy::unused_async, reason = "not built yet")]
pub async fn run(_args: BackupsArgs, _color: Color) -> Result<u8> {
    Err(Error::Usage("the history of backup runs is not built yet; `pgguard status` shows how far a running backup is".into()))
}
