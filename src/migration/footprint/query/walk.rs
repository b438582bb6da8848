//! Queries: `SELECT`, `INSERT`, `UPDATE`, `DELETE`, `MERGE`, `COPY`, and those inside other commands.
//!
//! A query locks in stages, and a command may stop after any of them: parse analysis locks what is named
//! (`parserOpenTable`), the rewriter what views, rules and row security bring in (`AcquireRewriteLocks`),
//! the planner every child and every index of what is read (`expand_inherited_rtentry`,
//! `get_relation_info`), the executor what rows set in motion: sequences, foreign keys, triggers.

use crate::migration::footprint::act::{Act, Step};
use crate::migration::footprint::query::execute::{self, Deed, Insert};
use crate::migration::footprint::query::plan;
use crate::migration::footprint::{expression, names, tree};
use crate::model::{LockMode, Oid};
use pg_query::NodeEnum;
use pg_query::protobuf::{CmdType, CopyStmt, OverridingKind};
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
    /// WHERE compares the partition key with a constant: partitions may be left out.
    is_pruned: bool,
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
    /// Columns that WHERE compares with constants.
    compared: Vec<String>,
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
            "MergeStmt" => self.merge(field, scope),
            "RangeSubselect" => self.subselect(field, scope),
            "SubLink" => self.visit(
                field,
                &Scope {
                    locked: None,
                    ..scope.clone()
                },
            ),
            "AExpr" => {
                if self.stage >= Stage::Executed {
                    expression::operator(self.act, field);
                }
                self.visit(field, scope)
            }
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
        let locked = tree::locked_names(select.get("locking_clause"));
        let from_scope = Scope {
            locked: match (&scope.locked, locked) {
                (Some(all), _) if all.is_empty() => Some(Vec::new()),
                (_, Some(names)) => Some(names),
                (outer, None) => outer.clone(),
            },
            skips_rows: tree::skips_rows(select.get("locking_clause")),
            compared: tree::compared(select.get("where_clause")),
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
        let expressions: Vec<&Value> = tree::items(clause.get("ctes"))
            .filter_map(|c| tree::find_key(c, "CommonTableExpr"))
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
        let alias = tree::alias_of(field);
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
        let range = tree::range_of(field);
        if range.schemaname.is_empty() && scope.tables.contains(&range.relname) {
            return Ok(());
        }
        let oid = self.act.resolve(&range)?;
        let alias = tree::alias_of(field).unwrap_or_else(|| range.relname.clone());
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
            is_pruned: self.is_pruned(oid, &scope.compared),
        });
        Ok(())
    }

    /// Whether one of these columns is in the key of a partitioned table. A key that is computed may be compared too.
    fn is_pruned(&self, oid: Oid, compared: &[String]) -> bool {
        let world = &self.act.world;
        let mut keys = world.tree(oid).into_iter().filter_map(|t| {
            let relation = world.relation(t)?;
            Some((relation, relation.partition_key.as_ref()?))
        });
        keys.any(|(relation, key)| {
            let mut columns = relation
                .columns
                .iter()
                .filter(|c| compared.contains(&c.name));
            columns.any(|c| key.columns.contains(&c.number) || key.columns.contains(&0))
        })
    }

    fn target(&mut self, statement: &Value, deed: Deed) -> Step<Option<Oid>> {
        let Some(relation) = statement.get("relation").filter(|r| !r.is_null()) else {
            return Ok(None);
        };
        let range = tree::range_of(relation);
        let oid = self.act.resolve(&range)?;
        self.act.lock(oid, RowExclusive, "is written to");
        self.uses.push(Use {
            oid,
            mode: RowExclusive,
            with_children: range.inh,
            deed,
            columns: tree::columns_set(statement),
            skips_rows: false,
            is_pruned: self.is_pruned(oid, &tree::compared(statement.get("where_clause"))),
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
            .map(tree::texts_of_targets)
            .filter(|c| !c.is_empty());
        let columns = columns.or_else(|| self.leading_columns(table, statement));
        let columns = columns.map(|c| tree::without_defaults(statement, c));
        let columns = columns.map(|c| self.without_overridden(table, statement, c));
        self.inserts.push(Insert {
            table,
            columns,
            has_rows: tree::has_rows(statement),
            is_new_row: true,
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
                    columns: tree::columns_set(conflict),
                    skips_rows: false,
                    is_pruned: false,
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

    /// The columns that rows without a column list fill: as many as they have values, from the first.
    fn leading_columns(&self, table: Oid, statement: &Value) -> Option<Vec<String>> {
        let select = tree::find_key(statement.get("select_stmt")?, "SelectStmt")?;
        let lists = select.get("values_lists")?.as_array()?;
        let width = match lists.first() {
            Some(list) => tree::find_key(list, "List")?
                .get("items")?
                .as_array()?
                .len(),
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
        let reset: Vec<&str> = tree::items(statement.get("target_list"))
            .filter_map(|item| tree::find_key(item, "ResTarget"))
            .filter(|target| target.get("val").is_some_and(tree::is_default))
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
            is_new_row: false,
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

    /// MERGE: each WHEN is an INSERT, an UPDATE or a DELETE of its own (`ExecInitMerge`).
    fn merge(&mut self, statement: &Value, scope: &Scope) -> Step {
        let mut inner = scope.clone();
        self.with(statement.get("with_clause"), &mut inner)?;
        if let Some(table) = self.target(statement, Deed::Read)? {
            let mut actions: Vec<&Value> = tree::items(statement.get("merge_when_clauses"))
                .filter_map(|clause| tree::find_key(clause, "MergeWhenClause"))
                .collect();
            actions.sort_by_key(|a| a.get("command_type").and_then(Value::as_i64));
            for action in actions {
                self.merge_action(table, action);
            }
        }
        for (key, field) in statement.as_object().into_iter().flatten() {
            if !matches!(key.as_str(), "relation" | "with_clause") {
                self.visit(field, &inner)?;
            }
        }
        Ok(())
    }

    fn merge_action(&mut self, table: Oid, action: &Value) {
        let kind = action.get("command_type").and_then(Value::as_i64);
        let is = |wanted: CmdType| kind == Some(wanted as i64);
        let columns = tree::columns_set(action);
        let deed = if is(CmdType::CmdInsert) {
            let given = (!columns.is_empty()).then(|| columns.clone());
            self.inserts.push(Insert {
                table,
                columns: given.or_else(|| self.first_columns(table, action)),
                has_rows: false,
                is_new_row: true,
            });
            Deed::Insert
        } else if is(CmdType::CmdUpdate) {
            self.set_to_defaults(table, action);
            Deed::Update
        } else if is(CmdType::CmdDelete) {
            Deed::Delete
        } else {
            return;
        };
        self.uses.push(Use {
            oid: table,
            mode: RowExclusive,
            with_children: true,
            deed,
            columns,
            skips_rows: false,
            is_pruned: false,
        });
    }

    /// The columns that the values of a MERGE's INSERT without a column list fill.
    fn first_columns(&self, table: Oid, action: &Value) -> Option<Vec<String>> {
        let width = action.get("values")?.as_array()?.len();
        let columns = &self.act.world.relation(table)?.columns;
        Some(columns.iter().take(width).map(|c| c.name.clone()).collect())
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
            plan::rewritten(act, one.oid, one.mode, 0);
        }
        if stage == Stage::Rewritten {
            return;
        }
        for one in uses.iter().filter(|one| one.deed != Deed::Insert) {
            if one.is_pruned && one.with_children {
                plan::planned(act, one.oid, one.mode, false, "is read", 0);
            }
            // Constants in WHERE may leave partitions out (prune_append_rel_partitions): which, the bounds tell.
            act.possibly(one.is_pruned, |act| {
                plan::planned(act, one.oid, one.mode, one.with_children, "is read", 0);
            });
        }
        for table in arbiters {
            plan::indexes(act, table, RowExclusive, "may tell which rows conflict");
        }
        if stage == Stage::Planned {
            return;
        }
        let mut read = uses.iter().filter(|one| one.deed != Deed::Insert);
        let may_have_no_rows = read.any(|one| execute::looks_empty(act, one.oid));
        let has_rows = |table: Oid| inserts.iter().any(|i| i.table == table && i.has_rows);
        for one in &uses {
            if one.deed != Deed::Insert && !one.skips_rows {
                execute::meets_locked_rows(act, one.oid, one.with_children, 0);
            }
            let is_certain = one.deed == Deed::Insert && has_rows(one.oid);
            act.may_have_no_rows = may_have_no_rows && !is_certain;
            execute::executed(act, one.oid, one.deed, &one.columns);
        }
        act.may_have_no_rows = may_have_no_rows;
        for insert in &inserts {
            if insert.has_rows {
                execute::goes_to_a_partition(act, insert.table);
            }
            execute::defaults(act, insert);
        }
        act.may_have_no_rows = false;
    }
}

/// A query, as far as `stage`.
pub fn run(act: &mut Act, node: &NodeEnum, stage: Stage) -> Step {
    let tree = serde_json::to_value(node).unwrap_or(Value::Null);
    run_tree(act, &tree, stage)
}

/// A query as a tree.
fn run_tree(act: &mut Act, tree: &Value, stage: Stage) -> Step {
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
            plan::rewritten(act, table, AccessShare, 0);
            plan::planned(act, table, AccessShare, false, "is read", 0);
        }
        return Ok(());
    }
    act.lock(table, RowExclusive, "is copied into");
    execute::executed(act, table, Deed::Insert, &[]);
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
    execute::defaults(
        act,
        &Insert {
            table,
            columns: Some(columns),
            has_rows: false,
            is_new_row: true,
        },
    );
    Ok(())
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
