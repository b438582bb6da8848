//! The tables of a running dump, packed: each look reads and writes them, and there may be 20,000.
//!
//! Of most of them there is nothing to say but that they are there: so they are columns, in JSON, and what
//! was seen stands beside them. The names are those of a [set](super::sets), which past runs share.

use super::sets::{Names, places};
use crate::backup::{Flight, TableSeen};
use crate::model::Oid;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// In dump order, one entry a table.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Columns {
    /// Places of the names in the set; none at all: they are in the set's order.
    places: Vec<u32>,
    oids: Vec<Oid>,
    pages: Vec<f64>,
    /// What was seen of the COPY of the table at this place, for those of which anything was.
    flights: Vec<(usize, Flight)>,
    /// So many tables, one after the other, and when they were done.
    done: Vec<(usize, Option<DateTime<Utc>>)>,
}

/// What was seen of the tables, whose names the set has.
pub fn pack(tables: &[TableSeen], set: &Names) -> String {
    let flights = tables.iter().enumerate();
    let mut columns = Columns {
        places: places(set, tables.iter().map(|t| &t.name)).collect(),
        oids: tables.iter().map(|t| t.oid).collect(),
        pages: tables.iter().map(|t| t.pages).collect(),
        flights: flights
            .filter_map(|(at, t)| Some((at, t.flight()?)))
            .collect(),
        done: tables
            .chunk_by(|a, b| a.done_at == b.done_at)
            .map(|alike| (alike.len(), alike[0].done_at))
            .collect(),
    };
    if columns
        .places
        .iter()
        .zip(0..)
        .all(|(place, at)| *place == at)
    {
        columns.places.clear();
    }
    serde_json::to_string(&columns).unwrap_or_default()
}

/// Reads what [`pack`] wrote; `None`: it is damaged.
pub fn unpack(text: &str, set: &Names) -> Option<Vec<TableSeen>> {
    let columns: Columns = serde_json::from_str(text).ok()?;
    let count = columns.oids.len();
    let in_order = columns.places.is_empty();
    if columns.pages.len() != count || (!in_order && columns.places.len() != count) {
        return None;
    }
    let mut tables = Vec::with_capacity(count);
    for (at, (oid, pages)) in columns.oids.iter().zip(&columns.pages).enumerate() {
        let place = match columns.places.get(at) {
            Some(place) => usize::try_from(*place).ok()?,
            None => at,
        };
        tables.push(TableSeen::new(*oid, Arc::clone(set.get(place)?), *pages));
    }
    for (at, flight) in columns.flights {
        tables.get_mut(at)?.set_flight(flight);
    }
    let mut rest = tables.as_mut_slice();
    for (alike, done_at) in columns.done {
        let (these, others) = rest.split_at_mut_checked(alike)?;
        for table in these {
            table.done_at = done_at;
        }
        rest = others;
    }
    rest.is_empty().then_some(tables)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::sets;
    use crate::model::RelationName;

    fn tables(names: &[&str]) -> Vec<TableSeen> {
        let name = |name: &&str| Arc::new(RelationName::new("public", *name));
        (1..)
            .zip(names)
            .map(|(oid, n)| TableSeen::new(oid, name(n), 2.5))
            .collect()
    }

    fn set_of(tables: &[TableSeen]) -> Names {
        sets::names(tables.iter().map(|t| &t.name))
    }

    #[test]
    fn what_was_packed_unpacks_in_its_order() {
        let at = DateTime::from_timestamp(1_700_000_000, 123_000);
        for names in [["a", "b", "c", "d"], ["c", "d", "a", "b"]] {
            let mut tables = tables(&names);
            tables[0].done_at = at;
            tables[1].done_at = at;
            tables[2].copy_start = at;
            tables[2].bytes = 7e9;
            let set = set_of(&tables);
            let text = pack(&tables, &set);
            assert_eq!(unpack(&text, &set), Some(tables), "{text}");
        }
    }

    #[test]
    fn columns_that_do_not_fit_are_damage() {
        let tables = tables(&["a", "b"]);
        let set = set_of(&tables);
        let text = pack(&tables, &set);
        assert_eq!(unpack(&text, &Names::new()), None);
        for (good, bad) in [
            ("[2.5,2.5]", "[2.5]"),
            ("\"places\":[]", "\"places\":[0]"),
            (
                "\"flights\":[]",
                "\"flights\":[[2,[null,null,0.0,0.0,null]]]",
            ),
            ("[[2,null]]", "[[3,null]]"),
            ("[[2,null]]", "[[1,null]]"),
        ] {
            assert!(text.contains(good), "{text}");
            assert_eq!(unpack(&text.replace(good, bad), &set), None, "{bad}");
        }
    }
}
