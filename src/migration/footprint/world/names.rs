//! Names as Postgres looks them up, and the session's settings and rights.

use super::{Object, TEMPORARY, World};
use crate::migration::settings::{Move, Settings, identifiers, truth};
use crate::model::{DataType, FIRST_NORMAL_OID, Oid, RelationName, Routine, class};
use pg_query::protobuf::RangeVar;
use std::collections::HashSet;

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

impl World {
    pub(super) fn read_path(&self, setting: &str) -> Vec<String> {
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
        let named = self.routines.values();
        let named = named.filter(|r| &r.name == name && order.contains(&r.schema.as_str()));
        let mut found: Vec<&Routine> = named.collect();
        // What is said first is said in the same order each time.
        found.sort_unstable_by_key(|routine| routine.oid);
        found
    }

    /// Whether an extension of that name is there.
    #[must_use]
    pub fn has_extension(&self, name: &str) -> bool {
        self.objects
            .iter()
            .any(|o| o.class == class::EXTENSION && o.name == name)
    }
}
