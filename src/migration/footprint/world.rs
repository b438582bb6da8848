//! The catalog that moves: what one statement creates, drops or renames, the next one finds changed.
//!
//! Looked up as Postgres looks it up: names through `search_path`, children in oid order, objects by
//! (catalog, oid). What a statement creates gets an oid of its own making, above any that the server
//! has given.

use crate::migration::settings::{Move, Settings, identifiers, truth};
use crate::model::{
    Catalog, Column, ColumnDefault, Constraint, DataType, Dependency, EventTrigger,
    ExtendedStatistics, FIRST_NORMAL_OID, Index, Inheritance, NamedObject, Oid, Owned, Policy,
    PublicationTable, Relation, RelationKind, RelationName, Routine, Rule, SessionSettings,
    Trigger, class,
};
use pg_query::protobuf::RangeVar;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The first oid of things that the migration itself creates.
pub const FIRST_OWN_OID: Oid = 4_000_000_000;

/// The minors since which `recordMultipleDependencies` (pg_depend.c) locks a relation that something
/// comes to depend on, unless it is locked already: so that it cannot be dropped in between.
/// Observed in 15.20 and 18.6, not in 15.18, 14.23, 16.14 and 17.10; the minors of one date go together.
const DEPENDENCY_LOCKS: &[(i32, i32)] = &[
    (14, 140_024),
    (15, 150_019),
    (16, 160_015),
    (17, 170_011),
    (18, 180_005),
];

/// The schema that stands for the session's own temporary one.
pub const TEMPORARY: &str = "pg_temp";

/// Something that belongs to a relation.
pub trait Belongs {
    /// Its oid.
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
    fn from(items: Vec<T>) -> Self {
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

/// Names of time zones that keep UTC.
const UTC: &[&str] = &[
    "0",
    "utc",
    "gmt",
    "uct",
    "zulu",
    "universal",
    "etc/utc",
    "etc/gmt",
    "etc/uct",
];

fn is_utc(zone: &str) -> bool {
    UTC.iter().any(|name| zone.eq_ignore_ascii_case(name))
}

/// An object: the catalog that lists it, its oid, and a column or 0.
pub type Object = (Oid, Oid, i32);

/// The catalog as the statement at hand finds it.
#[derive(Debug, Clone)]
pub struct World {
    /// What the session starts with; `search_path` is kept apart in [`World::path`].
    pub session: SessionSettings,
    /// Major version, such as 15.
    pub version: i32,
    /// Whether an earlier statement did what is unknown, or fails.
    pub is_doubtful: bool,
    /// `search_path`, expanded but for schemas that do not exist.
    path: Vec<String>,
    start_path: Vec<String>,
    is_first_session: bool,
    /// What the migration has set.
    pub settings: Settings,
    /// What the session starts with.
    start: SessionSettings,
    schemas: HashMap<String, Oid>,
    relations: HashMap<Oid, Relation>,
    by_name: HashMap<RelationName, Oid>,
    children: HashMap<Oid, Vec<Inheritance>>,
    parents: HashMap<Oid, Vec<Inheritance>>,
    /// `pg_index`
    pub indexes: Shelf<Index>,
    /// `pg_constraint`
    pub constraints: Shelf<Constraint>,
    referencing: HashMap<Oid, Vec<Oid>>,
    /// `pg_attrdef`
    pub defaults: Shelf<ColumnDefault>,
    /// `pg_trigger`
    pub triggers: Shelf<Trigger>,
    /// `pg_rewrite`
    pub rules: Shelf<Rule>,
    /// `pg_policy`
    pub policies: Shelf<Policy>,
    /// `pg_statistic_ext`
    pub statistics: Shelf<ExtendedStatistics>,
    /// `pg_publication_rel`
    pub publications: Shelf<PublicationTable>,
    /// `pg_type`
    pub types: HashMap<Oid, DataType>,
    /// `pg_proc`
    pub routines: HashMap<Oid, Routine>,
    /// `pg_event_trigger`
    pub event_triggers: Vec<EventTrigger>,
    /// Objects of other catalogs.
    pub objects: Vec<NamedObject>,
    above: HashMap<(Oid, Oid), Vec<Dependency>>,
    below: HashMap<(Oid, Oid), Vec<Dependency>>,
    foreign_temporaries: Vec<String>,
    /// The role that the session acts in, where it has set one.
    pub role: Option<String>,
    powerless: HashMap<String, HashSet<Oid>>,
    /// What belongs to the roles whose objects are worked on.
    pub owned: Vec<Owned>,
    /// What the migration created, and in which of its transactions.
    created: HashMap<Oid, usize>,
    next_oid: Oid,
}

impl World {
    /// The world before the first statement.
    #[must_use]
    pub fn new(catalog: Catalog, server_version_num: i32) -> Self {
        let version_num = match server_version_num {
            0 => catalog.session.server_version_num,
            known => known,
        };
        let mut world = Self {
            is_doubtful: false,
            version: if version_num == 0 {
                18
            } else {
                version_num / 10_000
            },
            path: Vec::new(),
            start_path: Vec::new(),
            is_first_session: true,
            settings: Settings::starting_with(
                catalog.session.acting.clone().map(|role| ("role", role)),
            )
            .beginning_with(catalog.session.begins.clone()),
            start: catalog.session.clone(),
            schemas: catalog
                .schemas
                .into_iter()
                .map(|s| (s.name, s.oid))
                .collect(),
            relations: HashMap::new(),
            by_name: HashMap::new(),
            children: HashMap::new(),
            parents: HashMap::new(),
            indexes: Shelf::from(catalog.indexes),
            constraints: Shelf::default(),
            referencing: HashMap::new(),
            defaults: Shelf::from(catalog.defaults),
            triggers: Shelf::from(catalog.triggers),
            rules: Shelf::from(catalog.rules),
            policies: Shelf::from(catalog.policies),
            statistics: Shelf::from(catalog.statistics),
            publications: Shelf::from(catalog.publications),
            types: catalog.types.into_iter().map(|t| (t.oid, t)).collect(),
            routines: catalog.routines.into_iter().map(|r| (r.oid, r)).collect(),
            event_triggers: catalog.event_triggers,
            objects: catalog.objects,
            above: HashMap::new(),
            below: HashMap::new(),
            foreign_temporaries: catalog.foreign_temporaries,
            role: catalog.session.acting.clone(),
            powerless: HashMap::new(),
            owned: catalog.owned,
            created: HashMap::new(),
            next_oid: FIRST_OWN_OID,
            session: catalog.session,
        };
        world.session.server_version_num = version_num;
        catalog
            .relations
            .into_iter()
            .for_each(|r| world.put_relation(r));
        for one in catalog.powerless {
            let relations = world.powerless.entry(one.role).or_default();
            relations.insert(one.relation);
        }
        catalog
            .inherits
            .into_iter()
            .for_each(|i| world.put_inheritance(i));
        catalog
            .constraints
            .into_iter()
            .for_each(|c| world.put_constraint(c));
        catalog
            .dependencies
            .into_iter()
            .for_each(|d| world.put_dependency(d));
        world.start_path = world.read_path(&world.session.search_path);
        world.follow_settings();
        world
    }

    /// Whether what is depended on is locked while the dependency is written down.
    #[must_use]
    pub fn locks_what_is_depended_on(&self) -> bool {
        DEPENDENCY_LOCKS.iter().any(|(major, first)| {
            self.version == *major && self.session.server_version_num >= *first
        }) || self.version > 18
    }

    /// Whether the row type of a new column keeps its lock (`CheckAttributeType`, heap.c): with the locks
    /// on what is depended on, but not since 18. Observed in 15.20; not in 14.23, 16.14, 17.10 and 18.6.
    #[must_use]
    pub fn keeps_row_types(&self) -> bool {
        self.version < 18 && self.locks_what_is_depended_on()
    }

    /// An oid for something new.
    pub fn new_oid(&mut self) -> Oid {
        self.next_oid += 1;
        self.next_oid
    }

    // ---- names ----------------------------------------------------------------------------------

    fn read_path(&self, setting: &str) -> Vec<String> {
        let names = identifiers(setting).into_iter();
        names
            .map(|name| match name.as_str() {
                "$user" => self.session.user.clone(),
                _ => name,
            })
            .collect()
    }

    /// Takes over what the settings say by now.
    pub fn follow_settings(&mut self) {
        let (settings, start) = (&self.settings, &self.start);
        self.role = settings.role().map(str::to_owned);
        self.session.replica = match settings.in_force("session_replication_role") {
            Some(role) => role.eq_ignore_ascii_case("replica"),
            None => start.replica,
        };
        let checks = settings.in_force("check_function_bodies").and_then(truth);
        self.session.check_function_bodies = checks.unwrap_or(start.check_function_bodies);
        // Our own session has a time zone of its own. A server's is most likely that of its log: initdb sets both.
        let zone = settings
            .in_force("timezone")
            .or_else(|| settings.in_force("log_timezone"));
        self.session.utc = zone.map_or(start.utc, is_utc);
        let space = settings.in_force("default_tablespace");
        self.session.default_tablespace = space.unwrap_or(&start.default_tablespace).to_owned();
        self.path = match settings.text("search_path") {
            Some(path) => self.read_path(path),
            None => self.start_path.clone(),
        };
    }

    /// Another path for a while; says the one before.
    pub fn swap_path(&mut self, path: Vec<String>) -> Vec<String> {
        std::mem::replace(&mut self.path, path)
    }

    /// Whether a role has no right whatever on a relation.
    #[must_use]
    pub fn is_powerless(&self, role: &str, oid: Oid) -> bool {
        // An index has no rights of its own: those of its table count (RangeVarCallbackForReindexIndex).
        let oid = self.indexes.get(oid).map_or(oid, |i| i.table);
        let relations = self.powerless.get(role);
        relations.is_some_and(|relations| relations.contains(&oid))
    }

    /// Rights may have been given that the catalog did not have.
    pub fn forget_rights(&mut self) {
        self.powerless.clear();
    }

    /// Plays what happens to the session between statements.
    pub fn play(&mut self, moves: &[Move]) {
        for happens in moves {
            self.settings.play(happens);
            // A session that another one follows was told nothing of a role.
            if *happens == Move::Session && self.is_first_session {
                let acting = self.start.acting.clone();
                self.settings = Settings::starting_with(acting.map(|role| ("role", role)))
                    .beginning_with(self.start.begins.clone());
            }
        }
        self.is_first_session = false;
        if !moves.is_empty() {
            self.follow_settings();
        }
    }

    /// The role is the session's own again.
    pub fn forget_role(&mut self) {
        self.settings
            .play(&Move::PutBack(&["role", "session_authorization"]));
        self.follow_settings();
    }

    /// Takes back the catalog of `earlier`, and not the settings: they follow rules of their own.
    pub fn restore_catalog(&mut self, earlier: &Self) {
        let settings = self.settings.clone();
        self.restore(earlier);
        self.settings = settings;
        self.follow_settings();
    }

    /// Takes back everything since `earlier`; oids are not given twice.
    pub fn restore(&mut self, earlier: &Self) {
        let next_oid = self.next_oid;
        *self = earlier.clone();
        self.next_oid = next_oid;
    }

    /// The path as it is, to come back to it.
    #[must_use]
    pub fn path(&self) -> Vec<String> {
        self.path.clone()
    }

    /// Whether a schema is known.
    #[must_use]
    pub fn schema(&self, name: &str) -> Option<Oid> {
        self.schemas.get(name).copied()
    }

    /// The schemas, types and functions whose name is among these words, each in words.
    #[must_use]
    pub fn named_among(&self, words: &HashSet<String>) -> Vec<(Object, String)> {
        let schemas = self.schemas.iter().map(|(name, oid)| {
            let what = format!("schema {}", crate::model::quoted(name));
            (name, (class::SCHEMA, *oid, 0), what)
        });
        let types = self.types.values().map(|t| {
            let what = format!("type {}.{}", t.schema, t.name);
            (&t.name, (class::TYPE, t.oid, 0), what)
        });
        let routines = self.routines.values().map(|r| {
            let what = format!("function {}.{}", r.schema, r.name);
            (&r.name, (class::PROC, r.oid, 0), what)
        });
        let mut found: Vec<(Object, String)> = schemas
            .chain(types)
            .chain(routines)
            .filter(|(name, (_, oid, _), _)| *oid >= FIRST_NORMAL_OID && words.contains(*name))
            .map(|(_, object, what)| (object, what))
            .collect();
        found.sort();
        found
    }

    /// A schema's name.
    #[must_use]
    pub fn schema_name(&self, oid: Oid) -> Option<&str> {
        let mut schemas = self.schemas.iter();
        schemas
            .find(|(_, known)| **known == oid)
            .map(|(name, _)| name.as_str())
    }

    /// Adds a schema.
    pub fn put_schema(&mut self, name: &str) {
        let oid = self.new_oid();
        self.schemas.insert(name.to_owned(), oid);
    }

    /// Renames a schema and everything in it.
    pub fn rename_schema(&mut self, old: &str, new: &str) {
        if let Some(oid) = self.schemas.remove(old) {
            self.schemas.insert(new.to_owned(), oid);
        }
        let inside: Vec<Oid> = self
            .relations
            .values()
            .filter(|r| r.name.schema == old)
            .map(|r| r.oid)
            .collect();
        for oid in inside {
            let name = self.relations[&oid].name.relation.clone();
            self.rename(oid, RelationName::new(new, name));
        }
        for t in self.types.values_mut().filter(|t| t.schema == old) {
            new.clone_into(&mut t.schema);
        }
        for r in self.routines.values_mut().filter(|r| r.schema == old) {
            new.clone_into(&mut r.schema);
        }
    }

    /// The schemas that an unqualified name is looked for in, in order
    /// (`recomputeNamespacePath`: temporary first, then `pg_catalog` unless it is named).
    pub fn search_order(&self) -> impl Iterator<Item = &str> {
        let names_catalog = self.path.iter().any(|p| p == "pg_catalog");
        std::iter::once(TEMPORARY)
            .chain((!names_catalog).then_some("pg_catalog"))
            .chain(
                self.path
                    .iter()
                    .map(String::as_str)
                    .filter(|p| *p != TEMPORARY),
            )
    }

    /// The schema that an unqualified new relation goes to.
    #[must_use]
    pub fn creation_schema(&self) -> String {
        self.path
            .iter()
            .find(|p| self.schemas.contains_key(*p))
            .or_else(|| self.path.first())
            .cloned()
            .unwrap_or_else(|| "public".to_owned())
    }

    /// The name that a new relation gets.
    #[must_use]
    pub fn new_name(&self, range: &RangeVar) -> RelationName {
        let schema = if range.relpersistence == "t" && range.schemaname.is_empty() {
            TEMPORARY.to_owned()
        } else if range.schemaname.is_empty() {
            self.creation_schema()
        } else {
            range.schemaname.clone()
        };
        RelationName::new(schema, &range.relname)
    }

    /// Resolves a name (`RangeVarGetRelid`).
    #[must_use]
    pub fn find(&self, range: &RangeVar) -> Option<Oid> {
        self.find_name(&range.schemaname, &range.relname)
    }

    /// Resolves a name; an empty schema searches the path.
    #[must_use]
    pub fn find_name(&self, schema: &str, relation: &str) -> Option<Oid> {
        if !schema.is_empty() {
            return self
                .by_name
                .get(&RelationName::new(schema, relation))
                .copied();
        }
        self.search_order()
            .find_map(|s| self.by_name.get(&RelationName::new(s, relation)).copied())
    }

    /// Whether another session has a temporary table of that name.
    #[must_use]
    pub fn is_foreign_temporary(&self, relation: &str) -> bool {
        self.foreign_temporaries.iter().any(|t| t == relation)
    }

    /// Resolves a type's name.
    #[must_use]
    pub fn find_type(&self, parts: &[String]) -> Option<&DataType> {
        let name = parts.last()?;
        if parts.len() > 1 {
            let schema = &parts[parts.len() - 2];
            return self
                .types
                .values()
                .find(|t| &t.name == name && &t.schema == schema);
        }
        let order: Vec<&str> = self.search_order().collect();
        self.types
            .values()
            .filter(|t| &t.name == name)
            .filter_map(|t| Some((order.iter().position(|s| *s == t.schema)?, t)))
            .min_by_key(|(position, _)| *position)
            .map(|(_, t)| t)
    }

    /// Routines of that name: on the path, or in the schema that is named.
    pub fn find_routines<'a>(&'a self, parts: &'a [String]) -> Vec<&'a Routine> {
        let Some(name) = parts.last() else {
            return Vec::new();
        };
        let order: Vec<&str> = match parts.len() {
            0 | 1 => self.search_order().collect(),
            n => vec![parts[n - 2].as_str()],
        };
        self.routines
            .values()
            .filter(|r| &r.name == name && order.contains(&r.schema.as_str()))
            .collect()
    }

    /// Whether an extension of that name is there.
    #[must_use]
    pub fn has_extension(&self, name: &str) -> bool {
        self.objects
            .iter()
            .any(|o| o.class == class::EXTENSION && o.name == name)
    }

    // ---- relations ------------------------------------------------------------------------------

    /// The relation of that oid.
    #[must_use]
    pub fn relation(&self, oid: Oid) -> Option<&Relation> {
        self.relations.get(&oid)
    }

    /// The relation of that oid, to change it; its name only through [`World::rename`].
    pub fn relation_mut(&mut self, oid: Oid) -> Option<&mut Relation> {
        self.relations.get_mut(&oid)
    }

    /// All relations.
    pub fn relations(&self) -> impl Iterator<Item = &Relation> {
        self.relations.values()
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self, oid: Oid) -> Option<RelationKind> {
        self.relation(oid).map(|r| r.kind)
    }

    /// Its column of that name.
    #[must_use]
    pub fn column(&self, oid: Oid, name: &str) -> Option<&Column> {
        self.relation(oid)?.columns.iter().find(|c| c.name == name)
    }

    /// A column, to be changed.
    pub fn column_mut(&mut self, oid: Oid, name: &str) -> Option<&mut Column> {
        let columns = &mut self.relation_mut(oid)?.columns;
        columns.iter_mut().find(|c| c.name == name)
    }

    /// Adds a relation.
    pub fn put_relation(&mut self, relation: Relation) {
        self.by_name.insert(relation.name.clone(), relation.oid);
        self.relations.insert(relation.oid, relation);
    }

    /// Remembers that the migration created it.
    pub fn mark_created(&mut self, oid: Oid, transaction: usize) {
        self.created.insert(oid, transaction);
    }

    /// The transaction of the migration that created it.
    #[must_use]
    pub fn created_in(&self, oid: Oid) -> Option<usize> {
        self.created.get(&oid).copied()
    }

    /// Whether it was there before the migration.
    #[must_use]
    pub const fn is_catalog(oid: Oid) -> bool {
        oid < FIRST_NORMAL_OID
    }

    /// Gives it another name.
    pub fn rename(&mut self, oid: Oid, name: RelationName) {
        if let Some(relation) = self.relations.get_mut(&oid) {
            if self.by_name.get(&relation.name) == Some(&oid) {
                self.by_name.remove(&relation.name);
            }
            relation.name = name.clone();
            self.by_name.insert(name, oid);
        }
    }

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

    /// Its parents.
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
            class::SCHEMA => self.schemas.retain(|_, &mut o| o != oid),
            _ => self.objects.retain(|o| (o.class, o.oid) != (class, oid)),
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
