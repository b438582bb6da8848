//! The tables of a run, packed: an estimate has 50 ms, and there may be 20,000 of them in each run.
//!
//! A run has its figures in one value: in dump order, for each table, the place of its name in the run's
//! [set](super::sets) (`u32`), whether its end was seen (`u8`), and rows, promised rows, bytes and seconds
//! (`f64`); all little-endian.

use super::sets::{Names, places};
use crate::model::TableRun;
use std::sync::Arc;

const ENTRY: usize = 4 + 1 + 4 * 8;

/// The figures of the tables, whose names the set has.
pub fn pack(tables: &[TableRun], set: &Names) -> Vec<u8> {
    let mut packed = Vec::with_capacity(tables.len() * ENTRY);
    for (place, table) in places(set, tables.iter().map(|t| &t.name)).zip(tables) {
        packed.extend(place.to_le_bytes());
        packed.push(u8::from(table.complete));
        for figure in [table.tuples, table.promised, table.bytes, table.seconds] {
            packed.extend(figure.to_le_bytes());
        }
    }
    packed
}

/// Reads what [`pack`] wrote; `None`: it is damaged.
pub fn unpack(packed: &[u8], set: &Names) -> Option<Vec<TableRun>> {
    let (entries, rest) = packed.as_chunks::<ENTRY>();
    if !rest.is_empty() {
        return None;
    }
    entries.iter().map(|entry| table_of(entry, set)).collect()
}

fn table_of(entry: &[u8; ENTRY], set: &Names) -> Option<TableRun> {
    let (place, rest) = entry.split_first_chunk::<4>()?;
    let (complete, figures) = rest.split_first()?;
    let name = set.get(usize::try_from(u32::from_le_bytes(*place)).ok()?)?;
    let (figures, _) = figures.as_chunks::<8>();
    let [tuples, promised, bytes, seconds] = *figures else {
        return None;
    };
    Some(TableRun {
        name: Arc::clone(name),
        tuples: f64::from_le_bytes(tuples),
        promised: f64::from_le_bytes(promised),
        bytes: f64::from_le_bytes(bytes),
        seconds: f64::from_le_bytes(seconds),
        complete: *complete == 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::sets;
    use crate::model::RelationName;

    fn table(schema: &str, name: &str, seconds: f64) -> TableRun {
        TableRun {
            name: Arc::new(RelationName::new(schema, name)),
            tuples: 1.5,
            promised: 2.0,
            bytes: 1e12,
            seconds,
            complete: seconds > 1.0,
        }
    }

    #[test]
    fn what_was_packed_unpacks_in_its_order() {
        let tables = [
            table("z", "big \"x\"", 9.25),
            table("a", "b", 0.0),
            table("a", "ä", 3.0),
        ];
        let set = sets::names(tables.iter().map(|t| &t.name));
        let packed = pack(&tables, &set);
        assert_eq!(unpack(&packed, &set).as_deref(), Some(&tables[..]));
    }

    #[test]
    fn damaged_figures_are_no_figures() {
        let tables = [table("a", "b", 2.0)];
        let set = sets::names(tables.iter().map(|t| &t.name));
        let packed = pack(&tables, &set);
        assert_eq!(unpack(&packed[1..], &set), None);
        assert_eq!(unpack(&packed, &Names::new()), None);
    }
}
