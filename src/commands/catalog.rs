//! `pgguard catalog`: schema, sizes, settings and rates of use in a file, for `explain` and `gate --catalog`.

use crate::Result;
use crate::cli::{CatalogArgs, RecordArgs};
use crate::door::{self, Form};
use crate::look::facts::Facts;

/// Runs the command.
///
/// # Errors
/// When the server cannot be read, or the file cannot be written.
pub async fn run(args: CatalogArgs) -> Result<u8> {
    let mut facts = Facts::open(&args.connect, &RecordArgs::default(), 0).await?;
    let file = facts.whole(args.count_uses).await?;
    facts.finish().await;
    match &args.output {
        Some(path) => file.write(path)?,
        None => door::print(Form::Json, &file.text()?)?,
    }
    Ok(0)
}
