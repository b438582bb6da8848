//! Things that belong to relations, by oid and by relation.

use crate::model::{
    ColumnDefault, Constraint, ExtendedStatistics, Index, Oid, Policy, PublicationTable, Rule,
    Trigger,
};
use std::collections::{BTreeMap, HashMap};

/// Something that belongs to a relation.
pub trait Belongs {
    fn oid(&self) -> Oid;
    /// The relation's.
    fn table(&self) -> Oid;
}

macro_rules! belongs {
    ($($kind:ty),*) => { $(impl Belongs for $kind {
        fn oid(&self) -> Oid { self.oid }
        fn table(&self) -> Oid { self.table }
    })* };
}
belongs!(
    Index,
    Constraint,
    ColumnDefault,
    Trigger,
    Rule,
    Policy,
    ExtendedStatistics,
    PublicationTable
);

/// Things of one kind, by oid and by the relation they belong to.
#[derive(Debug, Clone)]
pub struct Shelf<T> {
    items: BTreeMap<Oid, T>,
    by_table: HashMap<Oid, Vec<Oid>>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self {
            items: BTreeMap::new(),
            by_table: HashMap::new(),
        }
    }
}

impl<T: Belongs> Shelf<T> {
    pub fn from(items: Vec<T>) -> Self {
        let mut shelf = Self::default();
        for item in items {
            shelf.put(item);
        }
        shelf
    }

    /// Adds or replaces one.
    pub fn put(&mut self, item: T) {
        let (oid, table) = (item.oid(), item.table());
        if self.items.insert(oid, item).is_none() {
            self.by_table.entry(table).or_default().push(oid);
        }
    }

    /// The one with this oid.
    pub fn get(&self, oid: Oid) -> Option<&T> {
        self.items.get(&oid)
    }

    /// The one with this oid, to change it.
    pub fn get_mut(&mut self, oid: Oid) -> Option<&mut T> {
        self.items.get_mut(&oid)
    }

    /// Those of a relation, oldest first.
    pub fn of(&self, table: Oid) -> impl Iterator<Item = &T> {
        self.by_table
            .get(&table)
            .into_iter()
            .flatten()
            .filter_map(|oid| self.items.get(oid))
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &T> {
        self.items.values()
    }

    /// Takes one away.
    pub fn remove(&mut self, oid: Oid) {
        if let Some(item) = self.items.remove(&oid)
            && let Some(list) = self.by_table.get_mut(&item.table())
        {
            list.retain(|&o| o != oid);
        }
    }
}
