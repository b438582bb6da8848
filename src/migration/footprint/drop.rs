//! Every `DROP`: the walk along `pg_depend`.
//!
//! Postgres locks whatever it is about to drop, one object at a time, as it meets it
//! (`findDependentObjects` and `AcquireDeletionLock`, dependency.c), and then opens the relation that
//! loses a constraint, a default, a trigger, a rule or a policy (`doDeletion`). The same walk serves
//! `DROP COLUMN`, `DROP CONSTRAINT` and everything else that takes something away.

use super::act::{Act, Step, refuse};
use super::world::Object;
use super::{listed, names};
use crate::model::{LockMode, Oid, RelationKind, WaitPhase, class};
use pg_query::protobuf::{DropBehavior, DropStmt, Node, ObjectType};
use std::collections::HashMap;

use LockMode::{AccessExclusive, AccessShare, ShareUpdateExclusive};

/// Parts of a relation: to lock one is to lock the relation.
const PARTS: &[Oid] = &[
    class::CONSTRAINT,
    class::DEFAULT,
    class::POLICY,
    class::RULE,
    class::TRIGGER,
];

/// How a dependent was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Via {
    Original,
    Normal,
    Automatic,
}

/// A deletion under way.
struct Deletion<'o> {
    originals: &'o [Object],
    /// In the order in which Postgres would take them away: dependents first.
    targets: Vec<Object>,
    met: HashMap<Object, Via>,
    stack: Vec<Object>,
    reason: String,
}

/// Takes objects away with all that depends on them (`performMultipleDeletions`).
///
/// # Errors
/// When something else needs one of them and `cascade` does not allow to take that too.
pub fn delete(act: &mut Act, objects: &[Object], cascade: bool, reason: &str) -> Step {
    let mut deletion = Deletion {
        originals: objects,
        targets: Vec::new(),
        met: HashMap::new(),
        stack: Vec::new(),
        reason: reason.to_owned(),
    };
    for &object in objects {
        deletion.lock(act, object, None);
        deletion.find(act, object, Via::Original)?;
    }
    // A part of something that goes anyway needs no CASCADE.
    let goes_whole = |o: &Object| {
        let whole = deletion.met.get(&(o.0, o.1, 0));
        o.2 != 0 && whole.is_some_and(|via| *via != Via::Normal)
    };
    let mut met = deletion.met.iter();
    if !cascade
        && let Some((object, _)) = met.find(|(o, via)| **via == Via::Normal && !goes_whole(o))
    {
        let what = object_words(act, *object);
        return refuse(format!(
            "{what} depends on what is dropped (CASCADE would drop it too)"
        ));
    }
    for object in deletion.targets {
        take_away(act, object)?;
    }
    Ok(())
}

impl Deletion<'_> {
    /// `AcquireDeletionLock`: relations by their lock, everything else by an object lock.
    fn lock(&self, act: &mut Act, object: Object, because_of: Option<Object>) {
        if object.0 == class::RELATION {
            let reason = match because_of {
                None => self.reason.clone(),
                Some(other) => format!("depends on {}", object_words(act, other)),
            };
            act.lock(object.1, AccessExclusive, reason);
        } else if !PARTS.contains(&object.0) {
            let what = object_words(act, object);
            act.object(object.0, object.1, AccessExclusive, what);
        }
    }

    fn find(&mut self, act: &mut Act, object: Object, via: Via) -> Step {
        let whole = (object.0, object.1, 0);
        if let Some(known) = self.met.get_mut(&object) {
            if *known == Via::Normal {
                *known = via;
            }
            return Ok(());
        }
        if object.2 != 0 && self.met.contains_key(&whole) {
            return Ok(());
        }
        if let Some(owner) = self.owner(act, object) {
            if via == Via::Original {
                if self.originals.contains(&owner) {
                    return Ok(());
                }
                let (what, needs) = (object_words(act, object), object_words(act, owner));
                return refuse(format!(
                    "{what} cannot be dropped because {needs} requires it"
                ));
            }
            self.lock(act, owner, Some(object));
            return self.find(act, owner, via);
        }
        self.met.insert(object, via);
        self.stack.push(object);
        let dependents: Vec<(Object, char)> = act
            .world
            .below(object)
            .map(|d| ((d.class, d.oid, d.column), d.kind))
            .filter(|(o, _)| (o.0, o.1) != (object.0, object.1))
            .collect();
        for &(other, _) in &dependents {
            self.lock(act, other, Some(object));
        }
        for (other, kind) in dependents {
            let via = if kind == 'n' {
                Via::Normal
            } else {
                Via::Automatic
            };
            self.find(act, other, via)?;
        }
        // Columns that refer to columns of the same table: a generated column, a default.
        let inner: Vec<Object> = act
            .world
            .below(object)
            .filter(|d| {
                object.2 != 0 && (d.class, d.oid) == (object.0, object.1) && d.column != object.2
            })
            .map(|d| (d.class, d.oid, d.column))
            .collect();
        for other in inner {
            self.find(act, other, Via::Automatic)?;
        }
        self.stack.pop();
        self.targets.push(object);
        Ok(())
    }

    /// The object that this one is an internal part of, unless that is where we come from.
    fn owner(&self, act: &Act, object: Object) -> Option<Object> {
        act.world
            .above(object)
            .filter(|d| matches!(d.kind, 'i' | 'e') && d.column == object.2)
            .map(|d| (d.on_class, d.on_oid, d.on_column))
            .find(|owner| {
                let came_from_it = self
                    .stack
                    .iter()
                    .any(|s| (s.0, s.1) == (owner.0, owner.1) && (s.2 == owner.2 || s.2 == 0));
                // A part of the object itself: a view's rule and the view.
                !came_from_it && (owner.0, owner.1) != (object.0, object.1)
            })
    }
}

/// `doDeletion`: what is opened while one object goes.
fn take_away(act: &mut Act, object: Object) -> Step {
    let (class, oid, column) = object;
    match class {
        class::RELATION if column != 0 => act.lock(oid, AccessExclusive, "loses a column"),
        class::RELATION => drop_relation(act, oid),
        class::CONSTRAINT => {
            // RemoveConstraintById, pg_constraint.c
            if let Some(c) = act.world.constraints.get(oid).cloned() {
                act.lock(
                    c.table,
                    AccessExclusive,
                    format!("loses constraint {}", c.name),
                );
            }
        }
        class::DEFAULT => {
            // RemoveAttrDefaultById, pg_attrdef.c
            if let Some(d) = act.world.defaults.get(oid).cloned() {
                act.lock(d.table, AccessExclusive, "loses a column default");
            }
        }
        class::TRIGGER => {
            // RemoveTriggerById, trigger.c
            if let Some(t) = act.world.triggers.get(oid).cloned() {
                let what = match act.world.constraints.get(t.constraint) {
                    Some(c) => format!("loses the trigger of foreign key {}", c.name),
                    None => format!("loses trigger {}", t.name),
                };
                act.lock(t.table, AccessExclusive, what);
            }
        }
        class::RULE => {
            // RemoveRewriteRuleById, rewriteRemove.c
            if let Some(r) = act.world.rules.get(oid).cloned() {
                act.lock(r.table, AccessExclusive, format!("loses rule {}", r.name));
            }
        }
        class::POLICY => {
            // RemovePolicyById, policy.c
            if let Some(p) = act.world.policies.get(oid).cloned() {
                act.lock(p.table, AccessExclusive, format!("loses policy {}", p.name));
            }
        }
        class::STATISTICS => {
            // RemoveStatisticsById, statscmds.c
            if let Some(s) = act.world.statistics.get(oid).cloned() {
                act.lock(
                    s.table,
                    ShareUpdateExclusive,
                    format!("loses statistics {}", s.name),
                );
            }
        }
        _ => {}
    }
    act.world.forget(object);
    Ok(())
}

/// `heap_drop_with_catalog` (heap.c) and `index_drop` (index.c).
fn drop_relation(act: &mut Act, oid: Oid) {
    if let Some(index) = act.world.indexes.get(oid).cloned() {
        act.lock(
            index.table,
            AccessExclusive,
            format!("the table of index {}", act.shown(oid)),
        );
        act.lock(oid, AccessExclusive, "is dropped");
    }
    if let Some(parent) = act.world.partition_parent(oid)
        && act.kind(oid) != RelationKind::Index
        && act.kind(oid) != RelationKind::PartitionedIndex
    {
        act.lock(
            parent,
            AccessExclusive,
            format!("loses partition {}", act.shown(oid)),
        );
        if let Some(default) = act.world.default_partition(parent)
            && default != oid
        {
            act.lock(
                default,
                AccessExclusive,
                "the default partition of a table that loses a partition",
            );
        }
    }
}

/// An object for a sentence.
pub fn object_words(act: &Act, object: Object) -> String {
    let (class, oid, column) = object;
    match class {
        class::RELATION => {
            let kind = act.world.kind(oid).map_or("relation", RelationKind::words);
            let name = act.shown(oid);
            match act.world.relation(oid).and_then(|r| {
                r.columns
                    .iter()
                    .find(|c| column != 0 && i32::from(c.number) == column)
            }) {
                Some(c) => format!("column {} of {kind} {name}", c.name),
                None => format!("{kind} {name}"),
            }
        }
        class::CONSTRAINT => match act.world.constraints.get(oid) {
            Some(c) => format!("constraint {} of {}", c.name, act.shown(c.table)),
            None => "a constraint".to_owned(),
        },
        class::DEFAULT => match act.world.defaults.get(oid) {
            Some(d) => format!("a default of {}", act.shown(d.table)),
            None => "a default".to_owned(),
        },
        class::TRIGGER => match act.world.triggers.get(oid) {
            Some(t) => format!("trigger {} of {}", t.name, act.shown(t.table)),
            None => "a trigger".to_owned(),
        },
        class::RULE => match act.world.rules.get(oid) {
            Some(r) => format!("rule {} of {}", r.name, act.shown(r.table)),
            None => "a rule".to_owned(),
        },
        class::POLICY => match act.world.policies.get(oid) {
            Some(p) => format!("policy {} of {}", p.name, act.shown(p.table)),
            None => "a policy".to_owned(),
        },
        class::TYPE => match act.world.types.get(&oid) {
            Some(t) => format!("type {}.{}", t.schema, t.name),
            None => "a type".to_owned(),
        },
        class::PROC => match act.world.routines.get(&oid) {
            Some(r) => format!("function {}.{}", r.schema, r.name),
            None => "a function".to_owned(),
        },
        class::STATISTICS => match act.world.statistics.get(oid) {
            Some(s) => format!("statistics {}", s.name),
            None => "statistics".to_owned(),
        },
        class::SCHEMA => match act.world.schema_name(oid) {
            Some(name) => format!("schema {}", crate::model::quoted(name)),
            None => "the schema".to_owned(),
        },
        class::EXTENSION => "the extension".to_owned(),
        _ => match act
            .world
            .objects
            .iter()
            .find(|o| (o.class, o.oid) == (class, oid))
        {
            Some(o) => o.name.clone(),
            None => "what is dropped".to_owned(),
        },
    }
}

/// `DROP …`
pub fn drop(act: &mut Act, statement: &DropStmt) -> Step {
    let kind = ObjectType::try_from(statement.remove_type).unwrap_or(ObjectType::Undefined);
    let cascade = statement.behavior == DropBehavior::DropCascade as i32;
    match kind {
        ObjectType::ObjectTable
        | ObjectType::ObjectIndex
        | ObjectType::ObjectView
        | ObjectType::ObjectMatview
        | ObjectType::ObjectSequence
        | ObjectType::ObjectForeignTable => drop_relations(act, statement, kind, cascade),
        ObjectType::ObjectTrigger | ObjectType::ObjectRule | ObjectType::ObjectPolicy => {
            drop_of_table(act, statement, kind, cascade)
        }
        ObjectType::ObjectSchema => drop_schemas(act, statement, cascade),
        ObjectType::ObjectPublication => {
            for name in names::list(&statement.objects) {
                let found = listed::find(act, class::PUBLICATION, &[name]);
                let found: Vec<Oid> = found.iter().map(|o| o.oid).collect();
                for oid in found {
                    act.world.forget((class::PUBLICATION, oid, 0));
                }
            }
            Ok(())
        }
        ObjectType::ObjectEventTrigger => {
            for name in statement.objects.iter().flat_map(names::strings) {
                act.world.event_triggers.retain(|e| e.name != name);
            }
            Ok(())
        }
        _ => drop_objects(act, statement, kind, cascade),
    }
}

/// The relation kinds that a form of DROP accepts (`dropmsgstringarray`, tablecmds.c).
fn accepts(form: ObjectType, kind: RelationKind) -> bool {
    use RelationKind as K;
    match form {
        ObjectType::ObjectTable => matches!(kind, K::Table | K::PartitionedTable),
        ObjectType::ObjectIndex => kind.is_index(),
        ObjectType::ObjectView => kind == K::View,
        ObjectType::ObjectMatview => kind == K::MaterializedView,
        ObjectType::ObjectSequence => kind == K::Sequence,
        ObjectType::ObjectForeignTable => kind == K::ForeignTable,
        _ => false,
    }
}

/// `RemoveRelations` with `RangeVarCallbackForDropRelation`, tablecmds.c.
fn drop_relations(act: &mut Act, statement: &DropStmt, form: ObjectType, cascade: bool) -> Step {
    if statement.concurrent {
        act.not_in_block("DROP INDEX CONCURRENTLY")?;
    }
    let mut objects = Vec::new();
    for name in &statement.objects {
        let range = names::range_var(&names::strings(name));
        let Some(oid) = act.find(&range) else {
            if statement.missing_ok {
                continue;
            }
            let refused = act.missing(&range);
            // Another session's temporary table: if this session has one too, the names after it count.
            if act.world.is_foreign_temporary(&range.relname) {
                continue;
            }
            return refused;
        };
        let kind = act.kind(oid);
        if !accepts(form, kind) {
            return refuse(format!("{} is a {}", act.shown(oid), kind.words()));
        }
        let is_temporary = act
            .world
            .relation(oid)
            .is_some_and(|r| r.persistence == 't');
        if statement.concurrent && !is_temporary {
            return drop_index_concurrently(act, oid);
        }
        if let Some(index) = act.world.indexes.get(oid).cloned() {
            let reason = format!("the table of index {}", act.shown(oid));
            act.lock(index.table, AccessExclusive, reason.clone());
            if kind == RelationKind::PartitionedIndex {
                for table in act.world.tree(index.table) {
                    act.lock(table, AccessExclusive, format!("a partition of {reason}"));
                }
            }
        } else if let Some(parent) = act.world.partition_parent(oid) {
            act.lock(
                parent,
                AccessExclusive,
                format!("loses partition {}", act.shown(oid)),
            );
        }
        act.lock(oid, AccessExclusive, "is dropped");
        objects.push((class::RELATION, oid, 0));
    }
    delete(act, &objects, cascade, "is dropped")
}

/// `index_drop` with `concurrent`, index.c: twice `WaitForLockers` for everybody on the table.
fn drop_index_concurrently(act: &mut Act, oid: Oid) -> Step {
    let Some(index) = act.world.indexes.get(oid).cloned() else {
        return refuse("not an index");
    };
    if act.kind(oid) == RelationKind::PartitionedIndex {
        return refuse("a partitioned index cannot be dropped concurrently");
    }
    let reason = format!("the table of index {}", act.shown(oid));
    act.lock(index.table, ShareUpdateExclusive, reason);
    act.lock(oid, ShareUpdateExclusive, "is dropped concurrently");
    let name = act.relation(index.table)?.name.clone();
    let created = act.world.created_in(index.table).is_some();
    for _ in 0..2 {
        act.phases.push(WaitPhase::Lockers {
            oid: (!created).then_some(index.table),
            name: name.clone(),
            mode: AccessExclusive,
        });
    }
    act.touch(oid, AccessExclusive, "is dropped, once nobody uses it");
    act.world.forget((class::RELATION, oid, 0));
    Ok(())
}

/// `DROP TRIGGER|RULE|POLICY … ON table`: `get_object_address_relobject` opens the table first.
fn drop_of_table(act: &mut Act, statement: &DropStmt, kind: ObjectType, cascade: bool) -> Step {
    for object in &statement.objects {
        let mut parts = names::strings(object);
        let name = parts.pop().unwrap_or_default();
        let range = names::range_var(&parts);
        let Some(table) = act.find(&range) else {
            if statement.missing_ok {
                continue;
            }
            return act.missing(&range);
        };
        let found = match kind {
            ObjectType::ObjectTrigger => act
                .world
                .triggers
                .of(table)
                .find(|t| t.name == name)
                .map(|t| (class::TRIGGER, t.oid, 0)),
            ObjectType::ObjectRule => act
                .world
                .rules
                .of(table)
                .find(|r| r.name == name)
                .map(|r| (class::RULE, r.oid, 0)),
            _ => act
                .world
                .policies
                .of(table)
                .find(|p| p.name == name)
                .map(|p| (class::POLICY, p.oid, 0)),
        };
        let what = format!("is looked up to drop {name}");
        let Some(found) = found else {
            act.touch(table, AccessShare, what);
            if statement.missing_ok {
                continue;
            }
            return refuse(format!("{name} of {} does not exist", act.shown(table)));
        };
        act.lock(table, AccessShare, what);
        delete(act, &[found], cascade, "is dropped")?;
    }
    Ok(())
}

/// `DROP SCHEMA`
fn drop_schemas(act: &mut Act, statement: &DropStmt, cascade: bool) -> Step {
    let mut objects = Vec::new();
    for name in statement.objects.iter().flat_map(names::strings) {
        match act.world.schema(&name) {
            Some(oid) => objects.push((class::SCHEMA, oid, 0)),
            None if statement.missing_ok => {}
            None => return refuse(format!("schema {name} does not exist")),
        }
    }
    delete(act, &objects, cascade, "is in the schema")
}

/// Types, functions, extensions and all other things that are no relation.
fn drop_objects(act: &mut Act, statement: &DropStmt, kind: ObjectType, cascade: bool) -> Step {
    let mut objects = Vec::new();
    for node in &statement.objects {
        let parts = names::strings(node);
        match find_object(act, kind, node, &parts) {
            Found::One(object) => objects.push(object),
            Found::Nothing if statement.missing_ok => {}
            Found::Nothing => return refuse(format!("{} does not exist", parts.join("."))),
            // Kinds that no list here has, or not all of: nothing of a user's depends on these.
            Found::Untracked => {}
            Found::Unclear => {
                act.opaque(format!("which {} is meant is unknown", parts.join(".")));
                return Ok(());
            }
        }
    }
    delete(act, &objects, cascade, "is dropped")
}

/// What a name leads to.
enum Found {
    One(Object),
    Nothing,
    Untracked,
    Unclear,
}

fn find_object(act: &Act, kind: ObjectType, node: &Node, parts: &[String]) -> Found {
    let of_class = match kind {
        ObjectType::ObjectType | ObjectType::ObjectDomain => {
            return match act.world.find_type(parts) {
                Some(t) => Found::One((class::TYPE, t.oid, 0)),
                None => Found::Nothing,
            };
        }
        ObjectType::ObjectFunction
        | ObjectType::ObjectProcedure
        | ObjectType::ObjectRoutine
        | ObjectType::ObjectAggregate => return find_routine(act, node, parts),
        ObjectType::ObjectStatisticExt => {
            let name = parts.last();
            return match act.world.statistics.all().find(|s| Some(&s.name) == name) {
                Some(s) => Found::One((class::STATISTICS, s.oid, 0)),
                None => Found::Nothing,
            };
        }
        _ => match listed::class_of(kind) {
            Some(class) => class,
            None => return Found::Untracked,
        },
    };
    let parts = match kind {
        // USING method comes first.
        ObjectType::ObjectOpclass | ObjectType::ObjectOpfamily => &parts[parts.len().min(1)..],
        _ => parts,
    };
    match listed::find(act, of_class, parts).as_slice() {
        [one] => Found::One((one.class, one.oid, 0)),
        [] if has_unlisted(of_class) => Found::Untracked,
        [] => Found::Nothing,
        _ => Found::Unclear,
    }
}

/// Kinds of which the cluster itself has some that can be dropped, and that are not listed: those which initdb
/// makes after the bootstrap (`IsPinnedObject`, catalog.c).
const fn has_unlisted(of_class: Oid) -> bool {
    matches!(
        of_class,
        class::COLLATION
            | class::TS_CONFIGURATION
            | class::TS_DICTIONARY
            | class::TS_PARSER
            | class::TS_TEMPLATE
    )
}

fn find_routine(act: &Act, node: &Node, parts: &[String]) -> Found {
    let found = act.world.find_routines(parts);
    match found.as_slice() {
        [] => Found::Nothing,
        [one] => Found::One((class::PROC, one.oid, 0)),
        several => match super::routine::pick(act.world, several, node) {
            Some(oid) => Found::One((class::PROC, oid, 0)),
            None => Found::Unclear,
        },
    }
}
