//! What hangs together: inheritance, constraints, dependencies, and what goes when an object goes.

use super::{Object, World};
use crate::model::{Constraint, Dependency, Inheritance, Oid, RelationKind, class};

impl World {
    // ---- inheritance ----------------------------------------------------------------------------

    /// Adds a child to a parent.
    pub fn put_inheritance(&mut self, bond: Inheritance) {
        let children = self.children.entry(bond.parent).or_default();
        children.push(bond.clone());
        children.sort_by_key(|b| b.child);
        self.parents.entry(bond.child).or_default().push(bond);
    }

    /// Parts a child from a parent.
    pub fn remove_inheritance(&mut self, child: Oid, parent: Oid) {
        if let Some(list) = self.children.get_mut(&parent) {
            list.retain(|b| b.child != child);
        }
        if let Some(list) = self.parents.get_mut(&child) {
            list.retain(|b| b.parent != parent);
        }
    }

    /// Its children, in oid order (`find_inheritance_children`: one that is half detached is none).
    #[must_use]
    pub fn children(&self, oid: Oid) -> Vec<Oid> {
        let bonds = self.children.get(&oid).into_iter().flatten();
        bonds
            .filter(|b| !b.detach_pending)
            .map(|b| b.child)
            .collect()
    }

    /// The partition that DETACH … CONCURRENTLY has half detached from it.
    #[must_use]
    pub fn pending_detach(&self, oid: Oid) -> Option<Oid> {
        let mut bonds = self.children.get(&oid).into_iter().flatten();
        bonds.find(|b| b.detach_pending).map(|b| b.child)
    }

    #[must_use]
    pub fn parents(&self, oid: Oid) -> Vec<Oid> {
        self.parents
            .get(&oid)
            .map(|list| list.iter().map(|b| b.parent).collect())
            .unwrap_or_default()
    }

    /// Itself and everything below, parents first (`find_all_inheritors`).
    #[must_use]
    pub fn tree(&self, oid: Oid) -> Vec<Oid> {
        let mut found = vec![oid];
        let mut next = 0;
        while next < found.len() {
            for child in self.children(found[next]) {
                if !found.contains(&child) {
                    found.push(child);
                }
            }
            next += 1;
        }
        found
    }

    /// Those of its tree that hold rows: all but the partitioned tables.
    #[must_use]
    pub fn leaves(&self, oid: Oid) -> Vec<Oid> {
        let mut leaves = self.tree(oid);
        leaves.retain(|leaf| self.kind(*leaf) != Some(RelationKind::PartitionedTable));
        leaves
    }

    /// Everything above, nearest first.
    #[must_use]
    pub fn ancestors(&self, oid: Oid) -> Vec<Oid> {
        let mut found = Vec::new();
        let mut queue = vec![oid];
        while let Some(next) = queue.pop() {
            for parent in self.parents(next) {
                if !found.contains(&parent) {
                    found.push(parent);
                    queue.push(parent);
                }
            }
        }
        found
    }

    /// The parent that it is a partition of.
    #[must_use]
    pub fn partition_parent(&self, oid: Oid) -> Option<Oid> {
        self.relation(oid)
            .filter(|r| r.is_partition)
            .and_then(|_| self.parents(oid).first().copied())
    }

    /// Whether one of these columns is in the key of a partitioned table of the tree. A key that is computed may be of
    /// any of them.
    #[must_use]
    pub fn is_partition_key(&self, oid: Oid, names: &[String]) -> bool {
        let mut keys = self.tree(oid).into_iter().filter_map(|t| {
            let relation = self.relation(t)?;
            Some((relation, relation.partition_key.as_ref()?))
        });
        keys.any(|(relation, key)| {
            let columns = relation.columns.iter();
            let mut columns = columns.filter(|c| names.contains(&c.name));
            columns.any(|c| key.columns.contains(&c.number) || key.columns.contains(&0))
        })
    }

    /// The default partition of a partitioned table.
    #[must_use]
    pub fn default_partition(&self, oid: Oid) -> Option<Oid> {
        self.children(oid)
            .into_iter()
            .find(|&c| self.relation(c).is_some_and(|r| r.is_default_partition))
    }

    // ---- constraints ----------------------------------------------------------------------------

    /// Adds a constraint.
    pub fn put_constraint(&mut self, constraint: Constraint) {
        if constraint.referenced != 0 {
            let list = self.referencing.entry(constraint.referenced).or_default();
            if !list.contains(&constraint.oid) {
                list.push(constraint.oid);
            }
        }
        self.constraints.put(constraint);
    }

    /// The foreign keys that point at it.
    pub fn referencing(&self, oid: Oid) -> impl Iterator<Item = &Constraint> {
        self.referencing
            .get(&oid)
            .into_iter()
            .flatten()
            .filter_map(|c| self.constraints.get(*c))
    }

    /// Its own foreign keys.
    pub fn foreign_keys(&self, oid: Oid) -> impl Iterator<Item = &Constraint> {
        self.constraints.of(oid).filter(|c| c.kind == 'f')
    }

    /// Its constraint of that name.
    #[must_use]
    pub fn constraint(&self, table: Oid, name: &str) -> Option<&Constraint> {
        self.constraints.of(table).find(|c| c.name == name)
    }

    // ---- dependencies ---------------------------------------------------------------------------

    /// Adds a row of `pg_depend`.
    pub fn put_dependency(&mut self, dependency: Dependency) {
        self.above
            .entry((dependency.class, dependency.oid))
            .or_default()
            .push(dependency);
        self.below
            .entry((dependency.on_class, dependency.on_oid))
            .or_default()
            .push(dependency);
    }

    /// Adds a dependency of one object on another.
    pub fn depend(&mut self, object: Object, on: Object, kind: char) {
        self.put_dependency(Dependency {
            class: object.0,
            oid: object.1,
            column: object.2,
            on_class: on.0,
            on_oid: on.1,
            on_column: on.2,
            kind,
        });
    }

    /// What an object depends on; a whole object (column 0) answers for its columns too.
    pub fn above(&self, object: Object) -> impl Iterator<Item = &Dependency> {
        self.above
            .get(&(object.0, object.1))
            .into_iter()
            .flatten()
            .filter(move |d| object.2 == 0 || d.column == object.2)
    }

    /// What depends on an object; for a whole object, on its columns too.
    pub fn below(&self, object: Object) -> impl Iterator<Item = &Dependency> {
        self.below
            .get(&(object.0, object.1))
            .into_iter()
            .flatten()
            .filter(move |d| object.2 == 0 || d.on_column == object.2)
    }

    /// Forgets an object and every dependency that touches it.
    pub fn forget(&mut self, object: Object) {
        let (class, oid, column) = object;
        if column != 0 {
            self.forget_column(oid, column);
            return;
        }
        for d in self.above.remove(&(class, oid)).unwrap_or_default() {
            if let Some(list) = self.below.get_mut(&(d.on_class, d.on_oid)) {
                list.retain(|o| (o.class, o.oid) != (class, oid));
            }
        }
        for d in self.below.remove(&(class, oid)).unwrap_or_default() {
            if let Some(list) = self.above.get_mut(&(d.class, d.oid)) {
                list.retain(|o| (o.on_class, o.on_oid) != (class, oid));
            }
        }
        match class {
            class::RELATION => self.forget_relation(oid),
            class::CONSTRAINT => self.forget_constraint(oid),
            class::DEFAULT => self.defaults.remove(oid),
            class::TRIGGER => self.triggers.remove(oid),
            class::RULE => self.rules.remove(oid),
            class::POLICY => self.policies.remove(oid),
            class::STATISTICS => self.statistics.remove(oid),
            class::PUBLICATION_RELATION => self.publications.remove(oid),
            class::TYPE => drop(self.types.remove(&oid)),
            class::PROC => drop(self.routines.remove(&oid)),
            class::SCHEMA => self.forget_schema(oid),
            _ => self.objects.retain(|o| (o.class, o.oid) != (class, oid)),
        }
    }

    /// A transaction is over: temporary tables go with it, and all that depends on them (`PreCommit_on_commit_actions`).
    pub fn commit(&mut self) {
        let tables = std::mem::take(&mut self.dropped_at_commit);
        let trees = tables.into_iter().flat_map(|table| self.tree(table));
        let mut going: Vec<Object> = trees.map(|oid| (class::RELATION, oid, 0)).collect();
        while let Some(object) = going.pop() {
            let below = self.below(object).filter(|d| d.column == 0);
            going.extend(below.map(|d| (d.class, d.oid, 0)));
            if object.0 == class::RELATION {
                let indexes = self.indexes.of(object.1).map(|index| index.oid);
                going.extend(indexes.map(|oid| (class::RELATION, oid, 0)));
            }
            // A rule is of its view.
            if object.0 == class::RULE {
                let views = self.rules.get(object.1).map(|rule| rule.table);
                going.extend(views.map(|oid| (class::RELATION, oid, 0)));
            }
            self.forget(object);
        }
    }

    /// With what the migration has made in it, of which no dependency is written down.
    fn forget_schema(&mut self, oid: Oid) {
        if let Some(name) = self.schema_name(oid).map(str::to_owned) {
            let relations = self.relations.values();
            let inside: Vec<Oid> = relations
                .filter(|r| r.name.schema == name)
                .map(|r| r.oid)
                .collect();
            for relation in inside {
                self.forget_relation(relation);
            }
            self.types.retain(|_, t| t.schema != name);
            self.routines.retain(|_, r| r.schema != name);
            self.schemas.remove(&name);
        }
    }

    fn forget_constraint(&mut self, oid: Oid) {
        let referenced = self.constraints.get(oid).map_or(0, |c| c.referenced);
        if let Some(list) = self.referencing.get_mut(&referenced) {
            list.retain(|&o| o != oid);
        }
        self.constraints.remove(oid);
    }

    fn forget_relation(&mut self, oid: Oid) {
        if let Some(relation) = self.relations.remove(&oid)
            && self.by_name.get(&relation.name) == Some(&oid)
        {
            self.by_name.remove(&relation.name);
        }
        for parent in self.parents(oid) {
            self.remove_inheritance(oid, parent);
        }
        self.indexes.remove(oid);
    }

    fn forget_column(&mut self, table: Oid, column: i32) {
        if let Some(relation) = self.relations.get_mut(&table) {
            relation.columns.retain(|c| i32::from(c.number) != column);
        }
        let key = (class::RELATION, table);
        let below = self.below.entry(key).or_default();
        let gone: Vec<Dependency> = below.extract_if(.., |d| d.on_column == column).collect();
        for d in gone {
            if let Some(list) = self.above.get_mut(&(d.class, d.oid)) {
                list.retain(|o| *o != d);
            }
        }
        self.undepend_column(table, column, &|_| true);
    }

    /// Forgets what a column depends on, of these catalogs.
    pub fn undepend_column(&mut self, table: Oid, column: i32, of: &dyn Fn(Oid) -> bool) {
        let above = self.above.entry((class::RELATION, table)).or_default();
        let is_gone = |d: &mut Dependency| d.column == column && of(d.on_class);
        let gone: Vec<Dependency> = above.extract_if(.., is_gone).collect();
        for d in gone {
            if let Some(list) = self.below.get_mut(&(d.on_class, d.on_oid)) {
                list.retain(|o| *o != d);
            }
        }
    }

    /// Forgets that one object depends on another.
    pub fn undepend(&mut self, object: (Oid, Oid), on: (Oid, Oid)) {
        if let Some(list) = self.above.get_mut(&object) {
            list.retain(|d| (d.on_class, d.on_oid) != on);
        }
        if let Some(list) = self.below.get_mut(&on) {
            list.retain(|d| (d.class, d.oid) != object);
        }
    }
}
