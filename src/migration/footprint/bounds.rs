//! The bounds of partitions: what overlaps, is empty, or is of another strategy than its parent (partbounds.c).
//!
//! A bound is compared where its values are whole numbers, dates, timestamps without a zone, or texts of a list; others
//! are left to the server.

use super::act::{Act, Step, refuse};
use super::tree;
use super::world::bound::{Bound, Edge, Of, of_type, stored};
use crate::model::Oid;
use chrono::{NaiveDate, NaiveDateTime};
use pg_query::NodeEnum as N;
use pg_query::protobuf::{Node, PartitionBoundSpec};

/// Enters the bound of a new partition, and refuses one that does not fit beside the others.
pub fn take(act: &mut Act, parent: Oid, child: Oid, spec: &PartitionBoundSpec) -> Step {
    let keys = key_types(act, parent);
    if !act.world.is_unsure && !act.is_unsure {
        has_the_strategy(act, parent, spec, keys.len())?;
    }
    let Some(bound) = read(spec, &keys) else {
        return Ok(());
    };
    if !act.world.is_unsure && !act.is_unsure {
        if let Bound::Range(edges) = &bound
            && edges[0] >= edges[1]
        {
            return refuse(format!(
                "the bounds of {} are empty: FROM is not below TO",
                act.shown(child)
            ));
        }
        let others = act
            .world
            .children(parent)
            .into_iter()
            .filter(|c| *c != child);
        for other in others {
            let known = known(act, other, &keys);
            if known.is_some_and(|known| overlap(&bound, &known)) {
                return refuse(format!(
                    "{} would overlap {}",
                    act.shown(child),
                    act.shown(other)
                ));
            }
        }
    }
    act.world.bounds.insert(child, bound);
    Ok(())
}

fn key_types(act: &Act, parent: Oid) -> Vec<Oid> {
    let relation = act.world.relation(parent);
    let key = relation.and_then(|r| Some((r, r.partition_key.as_ref()?)));
    let Some((relation, key)) = key else {
        return Vec::new();
    };
    let of = |number: &i16| {
        let column = relation.columns.iter().find(|c| c.number == *number);
        column.map_or(0, |c| c.type_oid)
    };
    key.columns.iter().map(of).collect()
}

/// `transformPartitionBound`, parse_utilcmd.c
fn has_the_strategy(act: &Act, parent: Oid, spec: &PartitionBoundSpec, keys: usize) -> Step {
    let relation = act.world.relation(parent);
    let Some(key) = relation.and_then(|r| r.partition_key.as_ref()) else {
        return Ok(());
    };
    if spec.is_default {
        return match key.strategy {
            'h' => refuse("a table that is partitioned by hash has no default partition"),
            _ => Ok(()),
        };
    }
    let (words, wanted) = match key.strategy {
        'l' => ("LIST", "IN (…)"),
        'r' => ("RANGE", "FROM (…) TO (…)"),
        'h' => ("HASH", "WITH (MODULUS …, REMAINDER …)"),
        _ => return Ok(()),
    };
    if !spec.strategy.starts_with(key.strategy) {
        return refuse(format!(
            "{} is partitioned by {words}: its partitions are FOR VALUES {wanted}",
            act.shown(parent)
        ));
    }
    let is_short = |edge: &[Node]| edge.len() != keys;
    match key.strategy == 'r' && (is_short(&spec.lowerdatums) || is_short(&spec.upperdatums)) {
        true => refuse(format!(
            "FROM and TO need a value for each column of the partition key of {}",
            act.shown(parent)
        )),
        false => Ok(()),
    }
}

/// Two edges meet in nothing, or in something.
fn overlap(one: &Bound, other: &Bound) -> bool {
    match (one, other) {
        (Bound::Range(a), Bound::Range(b)) => a[0] < b[1] && b[0] < a[1],
        (Bound::List(a), Bound::List(b)) => a.iter().any(|value| b.contains(value)),
        (Bound::Hash(m, r), Bound::Hash(n, s)) => {
            let smaller = *m.min(n);
            smaller > 0 && m.max(n) % smaller == 0 && r % smaller == s % smaller
        }
        _ => false,
    }
}

// ---- as SQL -------------------------------------------------------------------------------------

fn read(spec: &PartitionBoundSpec, keys: &[Oid]) -> Option<Bound> {
    if spec.is_default {
        return None;
    }
    match spec.strategy.as_str() {
        "h" => Some(Bound::Hash(spec.modulus, spec.remainder)),
        "l" => {
            let of = of_type(*keys.first()?)?;
            let values = spec.listdatums.iter().map(|value| listed(value, of));
            values.collect::<Option<_>>().map(Bound::List)
        }
        "r" => Some(Bound::Range([
            edge(&spec.lowerdatums, keys)?,
            edge(&spec.upperdatums, keys)?,
        ])),
        _ => None,
    }
}

/// The columns after MINVALUE or MAXVALUE do not count (`partition_rbound_cmp`).
fn edge(values: &[Node], keys: &[Oid]) -> Option<Vec<Edge>> {
    let mut found = Vec::new();
    for (value, key) in values.iter().zip(keys) {
        let at = match &value.node {
            Some(N::ColumnRef(word)) => match super::names::list(&word.fields).pop()?.as_str() {
                "minvalue" => Edge::Least,
                "maxvalue" => Edge::Most,
                _ => return None,
            },
            _ => Edge::At(number(value, of_type(*key)?)?),
        };
        let is_last = at == Edge::Least || at == Edge::Most;
        found.push(at);
        if is_last {
            break;
        }
    }
    Some(found)
}

fn number(value: &Node, of: Of) -> Option<i64> {
    let text = tree::constant(value);
    match of {
        Of::Whole => tree::integer(value).or_else(|| text?.trim().parse().ok()),
        Of::Date => Some((day(&text?)? - epoch()?).num_days()),
        Of::Timestamp => {
            let text = text?;
            let time = [
                "%Y-%m-%d %H:%M:%S%.f",
                "%Y-%m-%dT%H:%M:%S%.f",
                "%Y-%m-%d %H:%M",
            ]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text.trim(), form).ok());
            let time = time.or_else(|| day(&text)?.and_hms_opt(0, 0, 0))?;
            (time - epoch()?.and_hms_opt(0, 0, 0)?).num_microseconds()
        }
        Of::Text => None,
    }
}

/// ISO 8601 alone means one day in every `DateStyle`.
fn day(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok()
}

/// Dates and timestamps are counted from 2000 on.
fn epoch() -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(2000, 1, 1)
}

fn listed(value: &Node, of: Of) -> Option<Option<String>> {
    if tree::is_null(value) {
        return Some(None);
    }
    match of {
        Of::Text => tree::constant(value).map(Some),
        _ => number(value, of).map(|n| Some(n.to_string())),
    }
}

// ---- as the catalog has it ----------------------------------------------------------------------

/// The bound of a partition that is there: entered by the migration, or read from `relpartbound`.
fn known(act: &Act, partition: Oid, keys: &[Oid]) -> Option<Bound> {
    if let Some(bound) = act.world.bounds.get(&partition) {
        return Some(bound.clone());
    }
    let tree = act.world.relation(partition)?.bound.as_deref()?;
    stored(tree, keys)
}
