//! What statements lock, measured on the copy.

use super::Wanted;
use super::copy::{Copy, SUPERUSER};
use super::made::{self, Made, Use};
use super::replay;
use super::schema::Schema;
use super::script;
use super::stage::Stage;
use crate::Result;
use crate::migration::rehearsed::annotated;
use crate::migration::statement::{Script, SourceStatement, statements};
use crate::model::{Measured, Rehearsed};
use std::collections::BTreeSet;

/// Runs statements of files on a copy. `acting`: the role that they begin in.
///
/// # Errors
/// There can be no copy.
pub async fn measure(
    wanted: &Wanted,
    statements: &[SourceStatement],
    acting: Option<&String>,
) -> Result<Rehearsed> {
    let Made {
        copy,
        mut schemas,
        mut notes,
    } = made::made(wanted, Use::Statements).await?;
    let schema = schemas.remove(0);
    let versions = script::versions(wanted, &schema);
    let stage = Stage {
        acting: acting.cloned(),
        ..stage(
            wanted,
            &copy,
            &schema,
            vec![wanted.target.user.clone()],
            versions,
        )
    };
    let replayed = replay::replay(&stage, statements).await;
    notes.extend(replayed.stopped);
    Ok(Rehearsed {
        measured: replayed.measured,
        fingerprint: schema.around.fingerprint,
        notes,
    })
}

/// A script with what each of its statements locked above it, and why not all of them have it. `filled`: the same script
/// with the values of its parameters.
pub(super) async fn measured(stage: &Stage, text: &str, filled: &str) -> (String, Option<String>) {
    let of = |text: &str| statements(&[Script::psql("rehearsal", text)]);
    let (shown, sent) = (of(text), of(filled));
    if shown.len() != sent.len() {
        let why = "the locks were not measured: the values of parameters are not understood";
        return (text.to_owned(), Some(why.to_owned()));
    }
    let replayed = replay::replay(stage, &sent).await;
    let places: Vec<(usize, &Measured)> = shown
        .iter()
        .zip(&replayed.measured)
        .filter_map(|(statement, measured)| Some((statement.line, measured.as_ref()?)))
        .collect();
    (annotated(text, &places), replayed.stopped)
}

/// Where a database of the copy is.
pub(super) fn stage(
    wanted: &Wanted,
    copy: &Copy,
    schema: &Schema,
    roles: Vec<String>,
    versions: BTreeSet<String>,
) -> Stage {
    Stage {
        folder: copy.server.socket_dir().to_owned(),
        port: copy.server.port(),
        superuser: SUPERUSER.to_owned(),
        database: schema.database.clone(),
        roles,
        acting: None,
        versions,
        limit: wanted.limit,
    }
}
