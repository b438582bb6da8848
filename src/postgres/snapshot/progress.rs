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
        part: part(row).filter(|(done, total)| *total > 0 && (0..=*total).contains(done)),
        work,
    })
}

/// How far the phase is: the counters that count in it, by what each phase of a command counts (the views' pages, and
/// `nbtsort.c`, `cluster.c`, `vacuumlazy.c`, `analyze.c`). A sort counts nothing; counters of an earlier phase stay.
fn part(row: &Row<'_>) -> Option<(i64, i64)> {
    let phase = |at| row.word(at).unwrap_or_default();
    let of = |done, total| Some((row.number(done)?, row.number(total)?));
    match row.kind() {
        "copy" => of(5, 7),
        "vacuum" if phase(3) == "scanning heap" => of(5, 4),
        "vacuum" if phase(3) == "vacuuming heap" => of(6, 4),
        "analyze" if phase(3) == "acquiring sample rows" => of(5, 4),
        "analyze" if phase(3).starts_with("acquiring inherited") => of(7, 6),
        "create_index" if phase(5).starts_with("waiting") => of(9, 8),
        "create_index" if phase(5).contains("loading tuples") => of(13, 12),
        "create_index" if phase(5).contains("scanning") || phase(5) == "building index" => {
            of(11, 10)
        }
        "cluster" if phase(4) == "seq scanning heap" => of(6, 5),
        "cluster" if phase(4) == "writing new heap" => of(8, 7),
        // By the planner's number of rows: no counter has how many there are.
        "cluster" if phase(4) == "index scanning heap" => of(7, 9),
        "cluster" if phase(4) == "rebuilding index" => of(10, 11),
        "basebackup" => of(3, 2),
        _ => None,
    }
}
