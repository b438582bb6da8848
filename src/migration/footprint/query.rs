//! Queries: `SELECT`, `INSERT`, `UPDATE`, `DELETE`, `MERGE`, `COPY`, and those inside other commands.
//!
//! A query locks in stages, and a command may stop after any of them: parse analysis locks what is named
//! (`parserOpenTable`), the rewriter what views, rules and row security bring in (`AcquireRewriteLocks`),
//! the planner every child and every index of what is read (`expand_inherited_rtentry`,
//! `get_relation_info`), the executor what rows set in motion: sequences, foreign keys, triggers.

use super::act::{Act, Step};
use super::expression;
use super::names;
use crate::model::{Constraint, LockMode, Oid, RangeEntry, RelationKind, RowWait, class};
use pg_query::NodeEnum;
use pg_query::protobuf::{CopyStmt, Node, OverridingKind, RangeVar};
use serde_json::Value;

use LockMode::{AccessShare, RowExclusive, RowShare};

/// How far a query gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Parse analysis only: `CREATE VIEW`.
    Parsed,
    /// Rewritten: `PREPARE`, the body of an SQL function.
    Rewritten,
    /// Planned: `EXPLAIN`.
    Planned,
    /// Executed.
    Executed,
}

/// What is done to a relation that a query names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Read,
    Insert,
    Update,
    Delete,
}

/// A relation that a query names.
#[derive(Debug, Clone)]
struct Use {
    oid: Oid,
    mode: LockMode,
    with_children: bool,
    deed: Deed,
    /// Columns that an UPDATE sets.
    columns: Vec<String>,
    /// Passes over rows that others have locked: SKIP LOCKED.
    skips_rows: bool,
}

/// What is known while a tree is walked.
#[derive(Debug, Clone, Default)]
struct Scope {
    /// Names of common table expressions.
    tables: Vec<String>,
    /// Aliases that FOR UPDATE and its kin lock; `Some` of nothing: all.
    locked: Option<Vec<String>>,
    /// With SKIP LOCKED.
    skips_rows: bool,
}

/// A walk over one query.
struct Walk<'w, 'a> {
    act: &'w mut Act<'a>,
    uses: Vec<Use>,
    stage: Stage,
    /// Arbiter indexes are looked for: ON CONFLICT with a target.
    arbiters: Vec<Oid>,
    inserts: Vec<Insert>,
}

/// An insertion: which columns it gives values for.
#[derive(Debug, Clone)]
struct Insert {
    table: Oid,
    /// `None`: all, in order, as many as the first row has.
    columns: Option<Vec<String>>,
    /// Gives a row at least: VALUES, where a query may find none.
    has_rows: bool,
}

/// A query, as far as `stage`.
pub fn run(act: &mut Act, node: &NodeEnum, stage: Stage) -> Step {
    let tree = serde_json::to_value(node).unwrap_or(Value::Null);
    run_tree(act, &tree, stage)
}

/// A query as a tree.
pub fn run_tree(act: &mut Act, tree: &Value, stage: Stage) -> Step {
    let mut walk = Walk {
        act,
        uses: Vec::new(),
        stage,
        arbiters: Vec::new(),
        inserts: Vec::new(),
    };
    walk.visit(tree, &Scope::default())?;
    walk.follow();
    Ok(())
}

impl Walk<'_, '_> {
    fn visit(&mut self, tree: &Value, scope: &Scope) -> Step {
        match tree {
            Value::Array(items) => items.iter().try_for_each(|i| self.visit(i, scope)),
            Value::Object(fields) => {
                if fields.contains_key("from_clause") && fields.contains_key("locking_clause") {
                    return self.select(tree, scope);
                }
                for (key, field) in fields {
                    self.visit_key(key, field, scope)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn visit_key(&mut self, key: &str, field: &Value, scope: &Scope) -> Step {
        match key {
            "RangeVar" => self.table(field, scope),
            "SelectStmt" => self.select(field, scope),
            "InsertStmt" => self.insert(field, scope),
            "UpdateStmt" => self.change(field, scope, Deed::Update),
            "DeleteStmt" => self.change(field, scope, Deed::Delete),
            "MergeStmt" => self.change(field, scope, Deed::Update),
            "RangeSubselect" => self.subselect(field, scope),
            "SubLink" => self.visit(
                field,
                &Scope {
                    locked: None,
                    ..scope.clone()
                },
            ),
            "LockingClause" | "IntoClause" | "into_clause" => Ok(()),
            "FuncCall" => {
                if self.stage >= Stage::Executed {
                    expression::call(self.act, field);
                }
                self.visit(field, scope)
            }
            "RangeTableSample" => self.visit(field, scope),
            _ => self.visit(field, scope),
        }
    }

    fn select(&mut self, select: &Value, scope: &Scope) -> Step {
        let mut inner = scope.clone();
        self.with(select.get("with_clause"), &mut inner)?;
        let locked = locked_names(select.get("locking_clause"));
        let from_scope = Scope {
            locked: match (&scope.locked, locked) {
                (Some(all), _) if all.is_empty() => Some(Vec::new()),
                (_, Some(names)) => Some(names),
                (outer, None) => outer.clone(),
            },
            skips_rows: skips_rows(select.get("locking_clause")),
            ..inner.clone()
        };
        let plain = Scope {
            locked: None,
            ..inner.clone()
        };
        for (key, field) in select.as_object().into_iter().flatten() {
            match key.as_str() {
                "from_clause" => self.visit(field, &from_scope)?,
                "larg" | "rarg" => self.visit(field, &inner)?,
                "with_clause" | "locking_clause" | "into_clause" => {}
                _ => self.visit(field, &plain)?,
            }
        }
        Ok(())
    }

    /// Common table expressions: each sees those before it (all of them, if recursive).
    fn with(&mut self, clause: Option<&Value>, scope: &mut Scope) -> Step {
        let Some(clause) = clause.filter(|c| !c.is_null()) else {
            return Ok(());
        };
        let recursive = clause
            .get("recursive")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        let expressions: Vec<&Value> = items(clause.get("ctes"))
            .filter_map(|c| find_key(c, "CommonTableExpr"))
            .collect();
        let name = |c: &Value| {
            c.get("ctename")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        if recursive {
            scope.tables.extend(expressions.iter().map(|c| name(c)));
        }
        for expression in expressions {
            let own = Scope {
                locked: None,
                ..scope.clone()
            };
            if let Some(query) = expression.get("ctequery") {
                self.visit(query, &own)?;
            }
            scope.tables.push(name(expression));
        }
        Ok(())
    }

    /// A query in FROM: FOR UPDATE of the outer one reaches into it.
    fn subselect(&mut self, field: &Value, scope: &Scope) -> Step {
        let alias = alias_of(field);
        let locked = match &scope.locked {
            Some(names) if names.is_empty() || alias.is_some_and(|a| names.contains(&a)) => {
                Some(Vec::new())
            }
            _ => None,
        };
        let inner = Scope {
            locked,
            ..scope.clone()
        };
        match field.get("subquery") {
            Some(query) => self.visit(query, &inner),
            None => Ok(()),
        }
    }

    fn table(&mut self, field: &Value, scope: &Scope) -> Step {
        let range = range_of(field);
        if range.schemaname.is_empty() && scope.tables.contains(&range.relname) {
            return Ok(());
        }
        let oid = self.act.resolve(&range)?;
        let alias = alias_of(field).unwrap_or_else(|| range.relname.clone());
        let is_locked = scope
            .locked
            .as_ref()
            .is_some_and(|names| names.is_empty() || names.contains(&alias));
        let mode = if is_locked { RowShare } else { AccessShare };
        self.act.lock(
            oid,
            mode,
            if is_locked {
                "its rows are read and locked"
            } else {
                "is read"
            },
        );
        self.uses.push(Use {
            oid,
            mode,
            with_children: range.inh,
            deed: Deed::Read,
            columns: Vec::new(),
            skips_rows: scope.skips_rows,
        });
        Ok(())
    }

    fn target(&mut self, statement: &Value, deed: Deed) -> Step<Option<Oid>> {
        let Some(relation) = statement.get("relation").filter(|r| !r.is_null()) else {
            return Ok(None);
        };
        let range = range_of(relation);
        let oid = self.act.resolve(&range)?;
        self.act.lock(oid, RowExclusive, "is written to");
        self.uses.push(Use {
            oid,
            mode: RowExclusive,
            with_children: range.inh,
            deed,
            columns: columns_set(statement),
            skips_rows: false,
        });
        Ok(Some(oid))
    }

    fn insert(&mut self, statement: &Value, scope: &Scope) -> Step {
        let mut inner = scope.clone();
        self.with(statement.get("with_clause"), &mut inner)?;
        let Some(table) = self.target(statement, Deed::Insert)? else {
            return Ok(());
        };
        let columns = statement
            .get("cols")
            .map(texts_of_targets)
            .filter(|c| !c.is_empty());
        let columns = columns.or_else(|| self.leading_columns(table, statement));
        let columns = columns.map(|c| without_defaults(statement, c));
        let columns = columns.map(|c| self.without_overridden(table, statement, c));
        self.inserts.push(Insert {
            table,
            columns,
            has_rows: has_rows(statement),
        });
        if let Some(conflict) = statement.get("on_conflict_clause").filter(|c| !c.is_null()) {
            if conflict.get("infer").is_some_and(|i| !i.is_null()) {
                self.arbiters.push(table);
            }
            // ONCONFLICT_UPDATE
            if conflict.get("action").and_then(Value::as_i64) == Some(3) {
                self.uses.push(Use {
                    oid: table,
                    mode: RowExclusive,
                    with_children: false,
                    deed: Deed::Update,
                    columns: columns_set(conflict),
                    skips_rows: false,
                });
            }
            self.visit(conflict, &inner)?;
        }
        for key in ["select_stmt", "returning_clause"] {
            if let Some(part) = statement.get(key) {
                self.visit(part, &inner)?;
            }
        }
        Ok(())
    }

    /// The columns that rows without a column list fill: the first so many.
    fn leading_columns(&self, table: Oid, statement: &Value) -> Option<Vec<String>> {
        let select = find_key(statement.get("select_stmt")?, "SelectStmt")?;
        let lists = select.get("values_lists")?.as_array()?;
        let width = match lists.first() {
            Some(list) => find_key(list, "List")?.get("items")?.as_array()?.len(),
            None => return None,
        };
        let relation = self.act.world.relation(table)?;
        Some(
            relation
                .columns
                .iter()
                .take(width)
                .map(|c| c.name.clone())
                .collect(),
        )
    }

    /// The columns whose value in the statement counts: not those of identity columns under
    /// `OVERRIDING USER VALUE` (`rewriteTargetListIU`).
    fn without_overridden(
        &self,
        table: Oid,
        statement: &Value,
        mut columns: Vec<String>,
    ) -> Vec<String> {
        let overriding = statement.get("override").and_then(Value::as_i64);
        if overriding == Some(OverridingKind::OverridingUserValue as i64) {
            columns.retain(|name| {
                let column = self.act.world.column(table, name);
                column.is_none_or(|c| c.identity.is_empty())
            });
        }
        columns
    }

    /// `SET … = DEFAULT` takes defaults as a row without these columns does.
    fn set_to_defaults(&mut self, table: Oid, statement: &Value) {
        let reset: Vec<&str> = items(statement.get("target_list"))
            .filter_map(|item| find_key(item, "ResTarget"))
            .filter(|target| target.get("val").is_some_and(is_default))
            .filter_map(|target| target.get("name")?.as_str())
            .collect();
        let Some(relation) = self.act.world.relation(table).filter(|_| !reset.is_empty()) else {
            return;
        };
        let names = relation.columns.iter().map(|c| c.name.clone());
        let columns = names.filter(|n| !reset.contains(&n.as_str())).collect();
        self.inserts.push(Insert {
            table,
            columns: Some(columns),
            has_rows: false,
        });
    }

    fn change(&mut self, statement: &Value, scope: &Scope, deed: Deed) -> Step {
        let mut inner = scope.clone();
        self.with(statement.get("with_clause"), &mut inner)?;
        if let Some(table) = self.target(statement, deed)? {
            self.set_to_defaults(table, statement);
        }
        for (key, field) in statement.as_object().into_iter().flatten() {
            if !matches!(key.as_str(), "relation" | "with_clause") {
                self.visit(field, &inner)?;
            }
        }
        Ok(())
    }

    /// The later stages for everything that was named.
    fn follow(self) {
        let Walk {
            act,
            uses,
            stage,
            arbiters,
            inserts,
        } = self;
        if stage == Stage::Parsed {
            return;
        }
        for one in &uses {
            rewritten(act, one.oid, one.mode, 0);
        }
        if stage == Stage::Rewritten {
            return;
        }
        for one in &uses {
            if one.deed != Deed::Insert {
                planned(act, one.oid, one.mode, one.with_children, "is read", 0);
            }
        }
        for table in arbiters {
            indexes(act, table, RowExclusive, "may tell which rows conflict");
        }
        if stage == Stage::Planned {
            return;
        }
        for one in &uses {
            if one.deed != Deed::Insert && !one.skips_rows {
                meets_locked_rows(act, one.oid, one.with_children, 0);
            }
            executed(act, one.oid, one.deed, &one.columns);
        }
        for insert in inserts {
            if insert.has_rows {
                goes_to_a_partition(act, insert.table);
            }
            defaults(act, &insert);
        }
    }
}

/// Views bring in what they read, row security what its policies read (`fireRIRrules`).
fn rewritten(act: &mut Act, oid: Oid, mode: LockMode, depth: u8) {
    if depth > 30 {
        return;
    }
    let shown = act.shown(oid);
    match act.kind(oid) {
        RelationKind::View => {
            called_by_view(act, oid);
            let entries = view_range(act, oid);
            let others = entries.iter().filter(|e| e.relation != oid).count();
            for entry in entries {
                if mode == RowExclusive && entry.relation == oid {
                    continue;
                }
                let mode = match mode {
                    // Written through: only a view of one relation can be (rewriteTargetView).
                    RowExclusive if others == 1 => RowExclusive,
                    outer => mode_inside(outer, &entry),
                };
                act.lock(entry.relation, mode, format!("view {shown} reads it"));
                if entry.relation != oid {
                    rewritten(act, entry.relation, mode, depth + 1);
                }
            }
        }
        _ if act.world.relation(oid).is_some_and(|r| r.row_security) => {
            let entries: Vec<RangeEntry> = act
                .world
                .policies
                .of(oid)
                .flat_map(|p| {
                    p.range
                        .iter()
                        .chain(&p.check_range)
                        .cloned()
                        .collect::<Vec<_>>()
                })
                .collect();
            for entry in entries {
                act.lock(
                    entry.relation,
                    AccessShare,
                    format!("a policy of {shown} reads it"),
                );
                rewritten(act, entry.relation, AccessShare, depth + 1);
            }
        }
        _ => {}
    }
}

/// Functions that a view's query calls.
fn called_by_view(act: &mut Act, oid: Oid) {
    let called: Vec<_> = act
        .world
        .rules
        .of(oid)
        .flat_map(|r| act.world.above((class::RULE, r.oid, 0)))
        .filter(|d| d.on_class == class::PROC)
        .filter_map(|d| act.world.routines.get(&d.on_oid).cloned())
        .collect();
    for one in called {
        super::body::of_routine(act, &one);
    }
}

/// What a view's query reads.
fn view_range(act: &Act, oid: Oid) -> Vec<RangeEntry> {
    act.world
        .rules
        .of(oid)
        .filter(|r| r.event == '1')
        .flat_map(|r| r.range.clone())
        .collect()
}

/// A view's relations get the mode of the query that uses the view, if it is stronger than reading.
fn mode_inside(outer: LockMode, entry: &RangeEntry) -> LockMode {
    let own = LockMode::from_number(entry.mode).unwrap_or(AccessShare);
    if outer == RowShare && own == AccessShare {
        RowShare
    } else {
        own
    }
}

/// The planner: children, and every index.
fn planned(act: &mut Act, oid: Oid, mode: LockMode, with_children: bool, reason: &str, depth: u8) {
    if depth > 30 {
        return;
    }
    if act.kind(oid) == RelationKind::View {
        for entry in view_range(act, oid) {
            if entry.relation != oid {
                let inner = if mode == RowExclusive {
                    RowExclusive
                } else {
                    mode_inside(mode, &entry)
                };
                planned(
                    act,
                    entry.relation,
                    inner,
                    entry.with_children,
                    reason,
                    depth + 1,
                );
            }
        }
        return;
    }
    scan(act, oid, mode, with_children, reason);
    if act.world.relation(oid).is_some_and(|r| r.row_security) {
        let entries: Vec<RangeEntry> = act
            .world
            .policies
            .of(oid)
            .flat_map(|p| {
                p.range
                    .iter()
                    .chain(&p.check_range)
                    .cloned()
                    .collect::<Vec<_>>()
            })
            .collect();
        for entry in entries {
            if entry.relation != oid {
                planned(
                    act,
                    entry.relation,
                    AccessShare,
                    entry.with_children,
                    reason,
                    depth + 1,
                );
            }
        }
    }
}

/// What the planner opens to scan a relation: itself, its children, every index of each.
pub fn scan(act: &mut Act, oid: Oid, mode: LockMode, with_children: bool, reason: &str) {
    let tables = if with_children {
        act.world.tree(oid)
    } else {
        vec![oid]
    };
    for table in tables {
        let why = if table == oid {
            reason.to_owned()
        } else {
            format!("a child of {}, which {reason}", act.shown(oid))
        };
        act.lock(table, mode, why.clone());
        // RelationGetPartitionQual for what is both a partition and partitioned (plancat.c).
        if act.kind(table) == RelationKind::PartitionedTable
            && let Some(parent) = act.world.partition_parent(table)
        {
            partition_bounds(act, parent);
        }
        if act.kind(table) != RelationKind::PartitionedTable || act.version() >= 16 {
            indexes(
                act,
                table,
                mode,
                &format!("an index of {}, which {reason}", act.shown(table)),
            );
        }
    }
}

/// The parents of a partition, for its bounds (`generate_partition_qual`, partcache.c).
fn partition_bounds(act: &mut Act, mut parent: Oid) {
    loop {
        act.lock(parent, AccessShare, "has its partition's bounds");
        match act.world.partition_parent(parent) {
            Some(next) => parent = next,
            None => return,
        }
    }
}

fn indexes(act: &mut Act, table: Oid, mode: LockMode, reason: &str) {
    let indexes: Vec<Oid> = act
        .world
        .indexes
        .of(table)
        .filter(|i| i.is_live)
        .map(|i| i.oid)
        .collect();
    for index in indexes {
        act.lock(index, mode, reason);
    }
}

/// Bits of `pg_trigger.tgtype`.
const ON_INSERT: i16 = 4;
const ON_DELETE: i16 = 8;
const ON_UPDATE: i16 = 16;

/// TRUNCATE.
pub const ON_TRUNCATE: i16 = 32;

/// The user's triggers that an event fires (`TriggerEnabled`, trigger.c).
pub fn triggers(act: &mut Act, oid: Oid, event: i16) {
    let replica = act.world.session.replica;
    let fires = |t: &crate::model::Trigger| match t.enabled {
        'A' => true,
        'D' => false,
        'R' => replica,
        _ => !replica,
    };
    let fired: Vec<(String, Oid)> = act
        .world
        .triggers
        .of(oid)
        .filter(|t| !t.is_internal && t.events & event != 0 && fires(t))
        .map(|t| (t.name.clone(), t.function))
        .collect();
    for (name, function) in fired {
        let why = format!("trigger {name} of {} runs code of its own", act.shown(oid));
        super::body::of_trigger(act, function, why);
    }
}

/// The rows that are changed or locked may be those of others, in every table that is scanned.
fn meets_locked_rows(act: &mut Act, oid: Oid, with_children: bool, depth: u8) {
    if act.kind(oid) == RelationKind::View && depth < 30 {
        for entry in view_range(act, oid) {
            if entry.relation != oid {
                meets_locked_rows(act, entry.relation, entry.with_children, depth + 1);
            }
        }
        return;
    }
    let tables = if with_children {
        act.world.tree(oid)
    } else {
        vec![oid]
    };
    for table in tables {
        act.meets_rows(table, RowWait::Locked);
    }
}

/// A unique index must know whether the rows that others have written stay.
fn meets_written_rows(act: &mut Act, oid: Oid) {
    let has_to_know = |table: Oid| {
        let mut indexes = act.world.indexes.of(table);
        indexes.any(|index| index.is_unique || index.is_exclusion)
    };
    let mut tables: Vec<Oid> = match act.kind(oid) {
        RelationKind::View => view_range(act, oid).iter().map(|e| e.relation).collect(),
        _ => act.world.tree(oid),
    };
    tables.retain(|table| has_to_know(*table));
    for table in tables {
        act.meets_rows(table, RowWait::Written);
    }
}

/// What rows set in motion: indexes of the target, foreign keys, triggers, rules.
fn executed(act: &mut Act, oid: Oid, deed: Deed, set: &[String]) {
    let event = match deed {
        Deed::Read => return,
        Deed::Insert => ON_INSERT,
        Deed::Update => ON_UPDATE,
        Deed::Delete => ON_DELETE,
    };
    if deed != Deed::Delete {
        let open: Vec<Oid> = act.world.indexes.of(oid).map(|i| i.oid).collect();
        for index in open {
            act.touch(index, RowExclusive, "gets the new rows' entries");
        }
    }
    if act.world.rules.of(oid).any(|r| r.event != '1') {
        act.opaque(format!("rules of {} rewrite the statement", act.shown(oid)));
    }
    triggers(act, oid, event);
    // ExecPartitionCheck
    if deed != Deed::Delete
        && act.kind(oid) != RelationKind::PartitionedTable
        && let Some(parent) = act.world.partition_parent(oid)
    {
        partition_bounds(act, parent);
    }
    if deed == Deed::Insert {
        meets_written_rows(act, oid);
        if act.kind(oid) == RelationKind::PartitionedTable {
            possible_partitions(act, oid);
        }
    }
    if !act.world.session.replica {
        references(act, oid, deed, set);
    }
}

/// New rows of a partitioned table go to some of its partitions (`ExecFindPartition`); to which, only their
/// values tell.
fn possible_partitions(act: &mut Act, oid: Oid) {
    let below: Vec<Oid> = act.world.tree(oid).into_iter().skip(1).collect();
    let outer = std::mem::replace(&mut act.possible, true);
    for partition in below {
        act.touch(
            partition,
            RowExclusive,
            "a partition that the rows may belong to",
        );
        if act.kind(partition) != RelationKind::PartitionedTable {
            executed(act, partition, Deed::Insert, &[]);
        }
    }
    act.possible = outer;
}

/// A row goes to one of the partitions, and from there to one of that one's, down to a leaf.
fn goes_to_a_partition(act: &mut Act, oid: Oid) {
    for partition in act.world.tree(oid).into_iter().skip(1) {
        if let Some(parent) = act.world.partition_parent(partition) {
            act.routes(partition, parent);
        }
    }
}

/// Foreign keys (ri_triggers.c): a new row looks up what it references; a row that goes is looked for
/// in what references it.
fn references(act: &mut Act, oid: Oid, deed: Deed, set: &[String]) {
    let numbers: Vec<i16> = set
        .iter()
        .filter_map(|name| act.world.column(oid, name).map(|c| c.number))
        .collect();
    let touches = |columns: &[i16]| columns.iter().any(|c| numbers.contains(c));
    // A copy for a partition of the referenced table has no trigger here (addFkRecurseReferenced).
    let is_a_copy = |key: &Constraint| {
        let original = act.world.constraints.get(key.parent);
        original.is_some_and(|original| original.table == oid)
    };
    let own: Vec<Constraint> = act
        .world
        .foreign_keys(oid)
        .filter(|k| !is_a_copy(k))
        .filter(|k| deed == Deed::Insert || deed == Deed::Update && touches(&k.columns))
        .cloned()
        .collect();
    for key in own {
        let reason = format!("is looked up for foreign key {}", key.name);
        let with_children = act.kind(key.referenced) == RelationKind::PartitionedTable;
        scan(act, key.referenced, RowShare, with_children, &reason);
        meets_locked_rows(act, key.referenced, with_children, 0);
    }
    let pointing: Vec<Constraint> = act
        .world
        .referencing(oid)
        .filter(|k| deed == Deed::Delete || deed == Deed::Update && touches(&k.referenced_columns))
        .cloned()
        .collect();
    for key in pointing {
        referencing_rows(act, oid, deed, &key);
    }
}

/// Rows that reference one that goes or changes its key.
fn referencing_rows(act: &mut Act, oid: Oid, deed: Deed, key: &Constraint) {
    let reason = format!(
        "may hold rows that reference {} by {}",
        act.shown(oid),
        key.name
    );
    let action = if deed == Deed::Delete {
        key.on_delete
    } else {
        key.on_update
    };
    let with_children = act.kind(key.table) == RelationKind::PartitionedTable;
    meets_locked_rows(act, key.table, with_children, 0);
    if !matches!(action, 'c' | 'n' | 'd') {
        // ri_restrict: with NO ACTION the key may have come back meanwhile.
        if action == 'a' {
            scan(
                act,
                oid,
                RowShare,
                false,
                "is looked up again for rows that reference it",
            );
        }
        scan(act, key.table, RowShare, with_children, &reason);
        return;
    }
    let already = act.holds(key.table, RowExclusive);
    scan(act, key.table, RowExclusive, with_children, &reason);
    if !already {
        let columns: Vec<String> = key
            .columns
            .iter()
            .filter_map(|n| {
                act.world
                    .relation(key.table)?
                    .columns
                    .iter()
                    .find(|c| c.number == *n)
            })
            .map(|c| c.name.clone())
            .collect();
        let follows = if deed == Deed::Delete && action == 'c' {
            Deed::Delete
        } else {
            Deed::Update
        };
        executed(act, key.table, follows, &columns);
    }
}

/// Columns without a value take their defaults: a sequence gives the next number.
fn defaults(act: &mut Act, insert: &Insert) {
    let Some(relation) = act.world.relation(insert.table) else {
        return;
    };
    let shown = act.shown(insert.table);
    let open: Vec<(i16, bool)> = relation
        .columns
        .iter()
        .filter(|c| {
            insert
                .columns
                .as_ref()
                .is_none_or(|given| !given.contains(&c.name))
        })
        .map(|c| (c.number, !c.identity.is_empty()))
        .collect();
    let mut sequences = Vec::new();
    let mut routines = Vec::new();
    for (number, has_identity) in open {
        if has_identity {
            sequences.extend(
                act.world
                    .below((class::RELATION, insert.table, i32::from(number)))
                    .filter(|d| d.class == class::RELATION && d.kind == 'i')
                    .map(|d| d.oid),
            );
        }
        for default in act
            .world
            .defaults
            .of(insert.table)
            .filter(|d| d.column == number)
        {
            for d in act.world.above((class::DEFAULT, default.oid, 0)) {
                if d.on_class == class::RELATION
                    && act.world.kind(d.on_oid) == Some(RelationKind::Sequence)
                {
                    sequences.push(d.on_oid);
                } else if d.on_class == class::PROC {
                    routines.push(d.on_oid);
                }
            }
        }
    }
    for sequence in sequences {
        act.lock(
            sequence,
            RowExclusive,
            format!("gives {shown} its next number"),
        );
    }
    for routine in routines {
        let why = act
            .world
            .routines
            .get(&routine)
            .and_then(|r| super::routine::why_opaque(act.world, r));
        if let Some(why) = why {
            act.opaque(why);
        }
    }
}

/// The sequences that `nextval('…')` in an expression names.
pub fn sequences_of(act: &Act, tree: &Value) -> Vec<Oid> {
    let mut found = Vec::new();
    collect_sequences(act, tree, &mut found);
    found
}

fn collect_sequences(act: &Act, tree: &Value, found: &mut Vec<Oid>) {
    match tree {
        Value::Array(items) => items.iter().for_each(|i| collect_sequences(act, i, found)),
        Value::Object(fields) => {
            for (key, field) in fields {
                if key == "FuncCall"
                    && let Some(name) = field.get("funcname").map(texts)
                    && name.last().is_some_and(|n| n == "nextval")
                    && let Some(text) = field.get("args").and_then(|a| a.get(0)).and_then(constant)
                    && let Some(oid) = act.world.find(&names::range_var(&names::split(&text)))
                {
                    found.push(oid);
                }
                collect_sequences(act, field, found);
            }
        }
        _ => {}
    }
}

/// `COPY`
pub fn copy(act: &mut Act, statement: &CopyStmt) -> Step {
    if let Some(query) = statement.query.as_ref().and_then(|q| q.node.as_ref()) {
        return run(act, query, Stage::Executed);
    }
    let Some(range) = &statement.relation else {
        return Ok(());
    };
    let table = act.resolve(range)?;
    if !statement.is_from {
        act.lock(table, AccessShare, "is copied out");
        if act.world.relation(table).is_some_and(|r| r.row_security) {
            rewritten(act, table, AccessShare, 0);
            planned(act, table, AccessShare, false, "is read", 0);
        }
        return Ok(());
    }
    act.lock(table, RowExclusive, "is copied into");
    executed(act, table, Deed::Insert, &[]);
    let columns = names::list(&statement.attlist);
    let columns = if columns.is_empty() {
        act.relation(table)?
            .columns
            .iter()
            .map(|c| c.name.clone())
            .collect()
    } else {
        columns
    };
    defaults(
        act,
        &Insert {
            table,
            columns: Some(columns),
            has_rows: false,
        },
    );
    Ok(())
}

// ---- reading trees --------------------------------------------------------------------------------

/// The names of the tables that a tree writes to.
#[must_use]
pub fn targets(tree: &Value) -> Vec<String> {
    match tree {
        Value::Array(items) => items.iter().flat_map(targets).collect(),
        Value::Object(fields) => {
            let own = fields
                .get("relation")
                .and_then(|r| r.get("relname")?.as_str())
                .map(str::to_owned);
            own.into_iter()
                .chain(fields.values().flat_map(targets))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// The strings of a list of string nodes.
#[must_use]
pub fn texts(list: &Value) -> Vec<String> {
    items(Some(list))
        .filter_map(|item| {
            find_key(item, "String")?
                .get("sval")?
                .as_str()
                .map(str::to_owned)
        })
        .collect()
}

/// The columns that SET gives values to; those of every WHEN for MERGE.
fn columns_set(statement: &Value) -> Vec<String> {
    let mut found = statement
        .get("target_list")
        .map(texts_of_targets)
        .unwrap_or_default();
    for clause in items(statement.get("merge_when_clauses")) {
        if let Some(list) = find_key(clause, "MergeWhenClause").and_then(|c| c.get("target_list")) {
            found.extend(texts_of_targets(list));
        }
    }
    found
}

fn texts_of_targets(list: &Value) -> Vec<String> {
    items(Some(list))
        .filter_map(|item| {
            find_key(item, "ResTarget")?
                .get("name")?
                .as_str()
                .map(str::to_owned)
        })
        .collect()
}

/// The items of a list, where there is one.
fn items(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(Value::as_array).into_iter().flatten()
}

/// Whether a value is the word DEFAULT.
fn is_default(value: &Value) -> bool {
    find_key(value, "SetToDefault").is_some()
}

/// A node of that kind, at the top of a tree.
#[must_use]
pub fn find_key<'v>(tree: &'v Value, key: &str) -> Option<&'v Value> {
    let node = tree.get("node").unwrap_or(tree);
    node.get(key)
}

/// A text constant, also under a cast.
#[must_use]
pub fn constant(tree: &Value) -> Option<String> {
    if let Some(c) = find_key(tree, "AConst") {
        return c
            .get("val")?
            .get("Sval")?
            .get("sval")?
            .as_str()
            .map(str::to_owned);
    }
    constant(find_key(tree, "TypeCast")?.get("arg")?)
}

/// An integer constant, also under a cast or a minus.
#[must_use]
pub fn integer(tree: &Value) -> Option<i64> {
    if let Some(c) = find_key(tree, "AConst") {
        let value = c.get("val")?;
        return match value.get("Ival") {
            Some(i) => i.get("ival")?.as_i64(),
            None => value.get("Fval")?.get("fval")?.as_str()?.parse().ok(),
        };
    }
    if let Some(e) = find_key(tree, "AExpr")
        && e.get("lexpr").is_none_or(Value::is_null)
        && e.get("name").map(texts).is_some_and(|n| n == ["-"])
    {
        return integer(e.get("rexpr")?).map(|n| -n);
    }
    integer(find_key(tree, "TypeCast")?.get("arg")?)
}

/// Whether a tree is the constant `true`.
#[must_use]
pub fn is_true(tree: &Value) -> bool {
    find_key(tree, "AConst")
        .and_then(|c| c.get("val")?.get("Boolval")?.get("boolval")?.as_bool())
        .unwrap_or(false)
}

/// Whether an expression is the constant NULL.
#[must_use]
pub fn is_null(node: &Node) -> bool {
    match &node.node {
        Some(NodeEnum::AConst(c)) => c.isnull,
        Some(NodeEnum::TypeCast(c)) => c.arg.as_deref().is_some_and(is_null),
        _ => false,
    }
}

/// The columns that no row of VALUES says DEFAULT for.
fn without_defaults(statement: &Value, columns: Vec<String>) -> Vec<String> {
    let select = statement
        .get("select_stmt")
        .and_then(|s| find_key(s, "SelectStmt"));
    let rows: Vec<&Value> = items(select.and_then(|s| s.get("values_lists")))
        .filter_map(|row| find_key(row, "List")?.get("items"))
        .collect();
    columns
        .into_iter()
        .enumerate()
        .filter(|(at, _)| !rows.iter().any(|row| row.get(*at).is_some_and(is_default)))
        .map(|(_, name)| name)
        .collect()
}

/// Whether an INSERT gives rows whatever there is to read: VALUES and DEFAULT VALUES.
fn has_rows(statement: &Value) -> bool {
    match statement.get("select_stmt").filter(|s| !s.is_null()) {
        Some(select) => find_key(select, "SelectStmt")
            .is_some_and(|s| items(s.get("values_lists")).next().is_some()),
        None => true,
    }
}

fn alias_of(field: &Value) -> Option<String> {
    field
        .get("alias")?
        .get("aliasname")?
        .as_str()
        .map(str::to_owned)
}

fn range_of(field: &Value) -> RangeVar {
    let text = |key: &str| {
        field
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    RangeVar {
        schemaname: text("schemaname"),
        relname: text("relname"),
        inh: field.get("inh").and_then(Value::as_bool).unwrap_or(true),
        relpersistence: text("relpersistence"),
        ..RangeVar::default()
    }
}

/// The names of FOR UPDATE OF …; nothing in the list: every relation.
fn locked_names(clause: Option<&Value>) -> Option<Vec<String>> {
    let clauses = clause?.as_array()?;
    if clauses.is_empty() {
        return None;
    }
    let mut names = Vec::new();
    for clause in clauses {
        let of = find_key(clause, "LockingClause")?
            .get("locked_rels")?
            .as_array()?;
        if of.is_empty() {
            return Some(Vec::new());
        }
        names.extend(of.iter().filter_map(|r| {
            find_key(r, "RangeVar")?
                .get("relname")?
                .as_str()
                .map(str::to_owned)
        }));
    }
    Some(names)
}

/// Whether every locking clause says SKIP LOCKED (`LOCK_WAIT_SKIP`).
fn skips_rows(clause: Option<&Value>) -> bool {
    let clauses = clause.and_then(Value::as_array);
    clauses.is_some_and(|clauses| {
        clauses.iter().all(|clause| {
            find_key(clause, "LockingClause")
                .and_then(|c| c.get("wait_policy"))
                .and_then(Value::as_i64)
                == Some(2)
        })
    })
}

/// A relation that a stored query reads, as if it stood in the query at hand.
pub fn read_through(act: &mut Act, oid: Oid, with_children: bool, reason: &str) {
    act.lock(oid, AccessShare, reason);
    rewritten(act, oid, AccessShare, 0);
    planned(act, oid, AccessShare, with_children, "is read", 0);
}

/// An action of a rule: parse analysis, where OLD and NEW stand for the rule's own table.
pub fn run_rule_action(act: &mut Act, node: &NodeEnum) -> Step {
    let tree = serde_json::to_value(node).unwrap_or(Value::Null);
    let mut walk = Walk {
        act,
        uses: Vec::new(),
        stage: Stage::Parsed,
        arbiters: Vec::new(),
        inserts: Vec::new(),
    };
    let scope = Scope {
        tables: vec!["old".to_owned(), "new".to_owned()],
        ..Scope::default()
    };
    walk.visit(&serde_json::json!({ "node": tree }), &scope)
}
