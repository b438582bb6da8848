//! Dump sets: the names of the tables that runs dumped, kept once for all runs that dumped them.
//!
//! A database of 20,000 tables that is dumped each night would be four million names after 200 nights. A
//! history reads each set once, and everything that it then gives out of this set shares the names.

use crate::model::RelationName;
use std::collections::HashMap;
use std::sync::Arc;

/// The names of a set, sorted.
pub type Names = Vec<Arc<RelationName>>;

/// The sets that were read or written, by their `table_set.id`.
#[derive(Debug, Default)]
pub struct Sets(HashMap<i64, Names>);

impl Sets {
    /// The names of a set.
    pub fn names(&self, id: i64) -> Option<&Names> {
        self.0.get(&id)
    }

    /// The set that has exactly these names.
    pub fn id_of(&self, names: &Names) -> Option<i64> {
        let same = self.0.iter().find(|(_, known)| *known == names);
        same.map(|(id, _)| *id)
    }

    /// Remembers a set.
    pub fn insert(&mut self, id: i64, names: Names) {
        self.0.insert(id, names);
    }

    /// Forgets all but these: the others may have gone.
    pub fn keep_only(&mut self, used: &[i64]) {
        self.0.retain(|id, _| used.contains(id));
    }

    /// Remembers a row of `table_set`. One that is damaged is not known: what needs it says so.
    pub fn know(&mut self, row: Option<(i64, String)>) {
        if let Some((id, text)) = row
            && let Some(names) = from_text(&text)
        {
            self.insert(id, names);
        }
    }
}

/// Reads a set in a transaction, unless it is known.
macro_rules! know_set {
    ($tx:ident, $sql:ident, $sets:expr, $id:expr) => {
        if $sets.names($id).is_none() {
            let row: Option<(i64, String)> = sqlx::query_as($sql(
                "SELECT id, names FROM pgguard.table_set WHERE id = $1",
            ))
            .bind($id)
            .fetch_optional(&mut **$tx)
            .await?;
            $sets.know(row);
        }
    };
}
pub(super) use know_set;

/// The id of a set with these names, which is made in the transaction where there is none; `None`: no names.
macro_rules! set_of {
    ($tx:ident, $sql:ident, $sets:expr, $names:expr) => {{
        let names: &$crate::history::sets::Names = $names;
        let mut id = $sets.id_of(names);
        if id.is_none() && !names.is_empty() {
            let text = $crate::history::sets::to_text(names);
            let digest = $crate::history::sets::digest(&text);
            id = sqlx::query_scalar($sql(
                "SELECT id FROM pgguard.table_set WHERE digest = $1 AND names = $2 ORDER BY id LIMIT 1",
            ))
            .bind(digest)
            .bind(&text)
            .fetch_optional(&mut **$tx)
            .await?;
            if id.is_none() {
                id = sqlx::query_scalar($sql(
                    "INSERT INTO pgguard.table_set (digest, names) VALUES ($1, $2) RETURNING id",
                ))
                .bind(digest)
                .bind(&text)
                .fetch_optional(&mut **$tx)
                .await?;
            }
            if let Some(id) = id {
                $sets.insert(id, names.clone());
            }
        }
        id
    }};
}
pub(super) use set_of;

/// Does away with sets that nothing refers to: those of a dump that was still taking its locks.
pub const TIDY: &str = "
DELETE FROM pgguard.table_set
 WHERE NOT EXISTS (SELECT 1 FROM pgguard.backup_run r WHERE r.table_set = pgguard.table_set.id)
   AND NOT EXISTS (SELECT 1 FROM pgguard.backup_watch w WHERE w.table_set = pgguard.table_set.id)";

/// The names of tables as a set.
pub fn names<'a>(of: impl Iterator<Item = &'a Arc<RelationName>>) -> Names {
    let mut names: Names = of.cloned().collect();
    names.sort();
    names.dedup();
    names
}

/// The place of each of these names in a set. Most lists are in its order: each is looked for behind the one
/// before it first. Beyond the set: it has none of that name.
pub fn places<'a>(
    set: &'a Names,
    names: impl Iterator<Item = &'a Arc<RelationName>> + 'a,
) -> impl Iterator<Item = u32> + 'a {
    let mut next = 0;
    names.map(move |name| {
        let place = if set.get(next) == Some(name) {
            next
        } else {
            set.binary_search(name).unwrap_or(usize::MAX - 1)
        };
        next = place + 1;
        u32::try_from(place).unwrap_or(u32::MAX)
    })
}

/// Names as the store has them.
pub fn to_text(names: &Names) -> String {
    let pairs: Vec<(&str, &str)> = names
        .iter()
        .map(|n| (n.schema.as_str(), n.relation.as_str()))
        .collect();
    serde_json::to_string(&pairs).unwrap_or_default()
}

/// Reads what [`to_text`] wrote.
fn from_text(text: &str) -> Option<Names> {
    let pairs: Vec<(String, String)> = serde_json::from_str(text).ok()?;
    let names = pairs.into_iter();
    Some(
        names
            .map(|(schema, relation)| Arc::new(RelationName::new(schema, relation)))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn name(schema: &str, relation: &str) -> Arc<RelationName> {
        Arc::new(RelationName::new(schema, relation))
    }

    #[test]
    fn names_read_back_sorted_and_are_found_at_their_places() {
        let list = [name("z", "big \"x\""), name("a", "b"), name("a", "ä")];
        let set = names(list.iter().chain(&list));
        assert_eq!(
            set,
            [name("a", "b"), name("a", "ä"), name("z", "big \"x\"")]
        );
        assert_eq!(from_text(&to_text(&set)).as_ref(), Some(&set));
        let found: Vec<u32> = places(&set, list.iter()).collect();
        assert_eq!(found, [2, 0, 1]);
        let stranger = [name("b", "b")];
        let beyond = places(&set, stranger.iter()).next();
        assert!(beyond.is_some_and(|place| place as usize >= set.len()));
    }

    #[test]
    fn a_set_is_known_by_its_names() {
        let mut sets = Sets::default();
        sets.know(Some((7, r#"[["a","b"],["a","c"]]"#.into())));
        sets.know(Some((8, "damaged".into())));
        assert!(sets.names(8).is_none());
        let (b, c) = (name("a", "b"), name("a", "c"));
        assert_eq!(sets.id_of(&names([&c, &b].into_iter())), Some(7));
        assert_eq!(sets.id_of(&names([&b].into_iter())), None);
    }
}
