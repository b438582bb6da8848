//! The catalog that moves: what one statement creates, drops or renames, the next one finds changed.
//!
//! Looked up as Postgres looks it up: names through `search_path`, children in oid order, objects by
//! (catalog, oid). What a statement creates gets an oid of its own making, above any that the server
//! has given.

mod bonds;
pub mod bound;
mod names;
mod shelf;

use crate::migration::settings::Settings;
use crate::model::{
    Catalog, Column, ColumnDefault, Constraint, DataType, Dependency, EventTrigger,
    ExtendedStatistics, FIRST_NORMAL_OID, Index, Inheritance, Named, NamedObject, Oid, Owned,
    Policy, PublicationTable, Relation, RelationKind, RelationName, Routine, Rule, SessionSettings,
    Trigger, VersionRows,
};
use shelf::Shelf;
use std::collections::{HashMap, HashSet};

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
/// A label that may not be used yet.
#[derive(Debug, Clone)]
pub struct NewLabel {
    pub of: Oid,
    pub label: String,
    /// The transaction that adds it.
    pub transaction: usize,
}

/// The rows of a version table, and what the migration has perhaps done to them so far.
#[derive(Debug, Clone, Default)]
pub struct KnownRows {
    /// As they were before the migration.
    pub rows: VersionRows,
    /// Constants of rows that were perhaps added.
    pub added: HashSet<String>,
    /// Rows that are not known were perhaps added.
    pub may_have_more: bool,
    /// Rows were perhaps taken away or changed.
    pub may_have_less: bool,
}

impl From<VersionRows> for KnownRows {
    fn from(rows: VersionRows) -> Self {
        Self {
            rows,
            ..Self::default()
        }
    }
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
    /// What the partitions take that the migration makes.
    pub bounds: HashMap<Oid, bound::Bound>,
    /// Something unknown has perhaps made, renamed or dropped what the catalog lists.
    pub is_unsure: bool,
    /// The migration has made a cast.
    pub has_new_casts: bool,
    /// Which names exist, with what the migration has done to them; `None`: the catalog does not say.
    pub named: Option<Named>,
    /// `search_path`, expanded but for schemas that do not exist.
    path: Vec<String>,
    start_path: Vec<String>,
    /// The statement that set `path`, as `file:line`; `None`: it is as the session found it.
    pub path_set_at: Option<String>,
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
    /// Temporary tables that go with their transaction: ON COMMIT DROP.
    pub dropped_at_commit: Vec<Oid>,
    /// What belongs to the roles whose objects are worked on.
    pub owned: Vec<Owned>,
    /// Enum labels that may not be used yet.
    pub new_labels: Vec<NewLabel>,
    /// Rows of version tables, by table, with what the migration does to them.
    pub version_rows: HashMap<Oid, KnownRows>,
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
            bounds: HashMap::new(),
            is_unsure: false,
            has_new_casts: false,
            named: catalog.named,
            version: if version_num == 0 {
                18
            } else {
                version_num / 10_000
            },
            path: Vec::new(),
            start_path: Vec::new(),
            path_set_at: None,
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
            dropped_at_commit: Vec::new(),
            owned: catalog.owned,
            new_labels: Vec::new(),
            version_rows: catalog
                .version_rows
                .into_iter()
                .map(|rows| (rows.table, KnownRows::from(rows)))
                .collect(),
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

    /// Whether the catalog lists an object, and not the migration makes it.
    #[must_use]
    pub const fn is_listed(&self, oid: Oid) -> bool {
        oid < FIRST_OWN_OID
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
}
