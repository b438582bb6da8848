//! The tables of a run, packed.
//!
//! A database of 20,000 tables that is dumped each night would be four million rows after 200 nights, and
//! an estimate has 50 ms. So the names of a dump set are kept once for all runs that dumped it, as JSON,
//! and a run has its figures in one value: in dump order, for each table, the place of its name in the
//! sorted set (`u32`), whether its end was seen (`u8`), and rows, promised rows, bytes and seconds (`f64`);
//! all little-endian.

use crate::model::{RelationName, TableRun};

const ENTRY: usize = 4 + 1 + 4 * 8;

/// The names of a run's tables, sorted.
pub fn names(tables: &[TableRun]) -> Vec<RelationName> {
    let mut names: Vec<RelationName> = tables.iter().map(|t| t.name.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// Names as the store has them.
pub fn names_to_text(names: &[RelationName]) -> String {
    let pairs: Vec<(&str, &str)> = names
        .iter()
        .map(|n| (n.schema.as_str(), n.relation.as_str()))
        .collect();
    serde_json::to_string(&pairs).unwrap_or_default()
}

/// Reads what [`names_to_text`] wrote.
pub fn names_from_text(text: &str) -> Option<Vec<RelationName>> {
    let pairs: Vec<(String, String)> = serde_json::from_str(text).ok()?;
    Some(
        pairs
            .into_iter()
            .map(|(schema, relation)| RelationName::new(schema, relation))
            .collect(),
    )
}

/// Finds a set among others: FNV-1a, 64 bits. Sets of the same digest are compared by their names.
pub fn digest(text: &str) -> i64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.cast_signed()
}

/// The figures of the tables; `names` is [`names`] of them.
pub fn pack(tables: &[TableRun], names: &[RelationName]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(tables.len() * ENTRY);
    for table in tables {
        let place = names.binary_search(&table.name).unwrap_or_default();
        packed.extend(u32::try_from(place).unwrap_or(u32::MAX).to_le_bytes());
        packed.push(u8::from(table.complete));
        for figure in [table.tuples, table.promised, table.bytes, table.seconds] {
            packed.extend(figure.to_le_bytes());
        }
    }
    packed
}

/// Reads what [`pack`] wrote; `None`: it is damaged.
pub fn unpack(packed: &[u8], names: &[RelationName]) -> Option<Vec<TableRun>> {
    let entries = packed.chunks_exact(ENTRY);
    if !entries.remainder().is_empty() {
        return None;
    }
    entries
        .map(|entry| {
            let (place, rest) = entry.split_first_chunk::<4>()?;
            let (complete, figures) = rest.split_first()?;
            let name = names.get(usize::try_from(u32::from_le_bytes(*place)).ok()?)?;
            let figure = |at: usize| {
                let bytes = figures.get(at * 8..)?.first_chunk::<8>()?;
                Some(f64::from_le_bytes(*bytes))
            };
            Some(TableRun {
                name: name.clone(),
                tuples: figure(0)?,
                promised: figure(1)?,
                bytes: figure(2)?,
                seconds: figure(3)?,
                complete: *complete == 1,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(schema: &str, name: &str, seconds: f64) -> TableRun {
        TableRun {
            name: RelationName::new(schema, name),
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
        let names = names(&tables);
        let text = names_to_text(&names);
        assert_eq!(names_from_text(&text).as_ref(), Some(&names));
        let packed = pack(&tables, &names);
        assert_eq!(unpack(&packed, &names).as_deref(), Some(&tables[..]));
    }

    #[test]
    fn damaged_figures_are_no_figures() {
        let tables = [table("a", "b", 2.0)];
        let names = names(&tables);
        let packed = pack(&tables, &names);
        assert_eq!(unpack(&packed[1..], &names), None);
        assert_eq!(unpack(&packed, &[]), None);
    }
}
