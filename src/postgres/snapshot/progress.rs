//! Rows of the progress views.

use crate::model::{Progress, Work};
use crate::postgres::connect::Row;

/// One row of one of the views of `progress.sql`; each is named by its first column.
pub fn read(row: &Row<'_>) -> Option<Progress> {
    let word = |at| row.word(at).map(str::to_owned);
    let work = match row.kind() {
        "copy" => Work::Copy {
            relid: row.number(2),
            direction: word(3),
            kind: word(4),
            bytes_processed: row.number(5),
            tuples_processed: row.number(6),
        },
        "vacuum" => Work::Vacuum {
            relid: row.number(2),
            phase: word(3),
            blocks_total: row.number(4),
            blocks_done: row.number(5),
        },
        "analyze" => Work::Analyze {
            relid: row.number(2),
            phase: word(3),
        },
        "create_index" => Work::CreateIndex {
            relid: row.number(2),
            index_relid: row.number(3),
            form: word(4),
            phase: word(5),
            current_locker_pid: row.number(6).filter(|&pid| pid != 0),
            has_expressions: row.flag(7),
        },
        "cluster" => Work::Cluster {
            relid: row.number(2),
            form: word(3),
            phase: word(4),
        },
        "basebackup" => Work::Basebackup {
            phase: word(1),
            backup_total: row.number(2),
            backup_streamed: row.number(3),
        },
        _ => return None,
    };
    let datid = match work {
        Work::Basebackup { .. } => None,
        _ => row.number(1),
    };
    Some(Progress {
        pid: row.number(0)?,
        datid,
        work,
    })
}
