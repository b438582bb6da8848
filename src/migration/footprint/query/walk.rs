//! Queries: `SELECT`, `INSERT`, `UPDATE`, `DELETE`, `MERGE`, `COPY`, and those inside other commands.
//!
//! A query locks in stages, and a command may stop after any of them: parse analysis locks what is named
//! (`parserOpenTable`), the rewriter what views, rules and row security bring in (`AcquireRewriteLocks`),
//! the planner every child and every index of what is read (`expand_inherited_rtentry`,
//! `get_relation_info`), the executor what rows set in motion: sequences, foreign keys, triggers.

use crate::migration::footprint::act::{Act, Step};
use crate::migration::footprint::query::deed::{Deed, Insert, Written};
use crate::migration::footprint::query::{execute, plan};
use crate::migration::footprint::{expression, names, tree};
use crate::migration::parts;
use crate::model::{Column, LockMode, Oid};
use pg_query::protobuf::{
    CmdType, CopyStmt, DeleteStmt, InsertStmt, MergeStmt, MergeWhenClause, Node, OnConflictAction,
    OverridingKind, RangeSubselect, RangeVar, ReturningClause, SelectStmt, SubLinkType, UpdateStmt,
    WithClause,
};
use pg_query::{NodeEnum, NodeRef};

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
    written: Written,
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
    /// Its expressions are worked out for each row, and there may be none.
    may_have_no_rows: bool,
    /// The query stands in EXISTS, where Postgres reads none of its columns (`simplify_EXISTS_query`).
    is_exists: bool,
    /// The columns that the query reads, `*` for all: some of system views open relations.
    shows: Vec<String>,
}

impl Scope {
    /// What FOR UPDATE of the query around it does not reach into.
    fn unlocked(&self) -> Self {
        Self {
            locked: None,
            ..self.clone()
        }
    }
}

/// A walk over one query.
struct Walk<'w, 'a> {
    act: &'w mut Act<'a>,
    uses: Vec<Use>,
    stage: Stage,
    /// Arbiter indexes are looked for: ON CONFLICT with a target.
    arbiters: Vec<Oid>,
    inserts: Vec<Insert>,
    /// Rows are looked for that often are not there: groups by HAVING, a table's duplicates.
    seeks_few: bool,
    /// A constant is longer than a row may be without TOAST.
    has_long_values: bool,
}

impl Walk<'_, '_> {
    fn visit(&mut self, node: NodeRef, scope: &Scope) -> Step {
        match node {
            NodeRef::RangeVar(range) => self.table(range, scope),
            NodeRef::SelectStmt(select) => self.select(select, scope),
            NodeRef::InsertStmt(insert) => self.insert(insert, scope),
            NodeRef::UpdateStmt(update) => self.update(update, scope),
            NodeRef::DeleteStmt(delete) => self.delete(delete, scope),
            NodeRef::MergeStmt(merge) => self.merge(merge, scope),
            NodeRef::RangeSubselect(query) => self.subselect(query, scope),
            NodeRef::SubLink(link) => {
                let inner = Scope {
                    is_exists: link.sub_link_type() == SubLinkType::ExistsSublink,
                    ..scope.unlocked()
                };
                self.below(node, &inner)
            }
            NodeRef::LockingClause(_) | NodeRef::IntoClause(_) => Ok(()),
            NodeRef::AExpr(operation) => {
                if self.stage >= Stage::Executed {
                    self.act.possibly(scope.may_have_no_rows, |act| {
                        expression::operator(act, operation);
                    });
                }
                self.below(node, scope)
            }
            NodeRef::FuncCall(call) => {
                if self.stage >= Stage::Executed {
                    self.act.possibly(scope.may_have_no_rows, |act| {
                        expression::call(act, call);
                    });
                }
                self.below(node, scope)
            }
            _ => self.below(node, scope),
        }
    }

    /// Everything below a node.
    fn below(&mut self, node: NodeRef, scope: &Scope) -> Step {
        parts::nodes(node).try_for_each(|part| self.visit(part, scope))
    }

    /// Clauses: a list of nodes, or one that may be there.
    fn each<'n>(&mut self, nodes: impl IntoIterator<Item = &'n Node>, scope: &Scope) -> Step {
        let mut nodes = nodes.into_iter().filter_map(|node| node.node.as_ref());
        nodes.try_for_each(|node| self.visit(node.to_ref(), scope))
    }

    fn returning(&mut self, clause: Option<&ReturningClause>, scope: &Scope) -> Step {
        clause.map_or(Ok(()), |c| self.below(NodeRef::ReturningClause(c), scope))
    }

    fn select(&mut self, select: &SelectStmt, scope: &Scope) -> Step {
        let mut inner = Scope {
            is_exists: false,
            ..scope.clone()
        };
        self.with(select.with_clause.as_ref(), &mut inner)?;
        let locked = tree::locked_names(&select.locking_clause);
        let from = Scope {
            locked: match (&scope.locked, locked) {
                (Some(all), _) if all.is_empty() => Some(Vec::new()),
                (_, Some(names)) => Some(names),
                (outer, None) => outer.clone(),
            },
            skips_rows: tree::skips_rows(&select.locking_clause),
            compared: tree::compared(select.where_clause.as_deref()),
            shows: tree::columns_shown(select, scope.is_exists),
            ..inner.clone()
        };
        for side in [&select.larg, &select.rarg].into_iter().flatten() {
            self.select(side, &inner)?;
        }
        let first = self.uses.len();
        self.each(&select.from_clause, &from)?;
        // An aggregate gives a row in any case.
        let is_one_row = select.group_clause.is_empty() && tree::aggregates(&select.target_list);
        inner.may_have_no_rows |= !is_one_row && self.reads_empty(first);
        let lists = [
            &select.target_list,
            &select.distinct_clause,
            &select.group_clause,
            &select.window_clause,
            &select.values_lists,
            &select.sort_clause,
        ];
        let single = [
            &select.where_clause,
            &select.having_clause,
            &select.limit_offset,
            &select.limit_count,
        ];
        self.seeks_few |= select.having_clause.is_some();
        let plain = inner.unlocked();
        self.each(lists.into_iter().flatten(), &plain)?;
        self.each(single.into_iter().filter_map(Option::as_deref), &plain)
    }

    /// Common table expressions: each sees those before it (all of them, if recursive).
    fn with(&mut self, clause: Option<&WithClause>, scope: &mut Scope) -> Step {
        let Some(clause) = clause else {
            return Ok(());
        };
        let expressions = clause.ctes.iter().filter_map(|c| match &c.node {
            Some(NodeEnum::CommonTableExpr(expression)) => Some(expression),
            _ => None,
        });
        if clause.recursive {
            let names = expressions.clone().map(|c| c.ctename.clone());
            scope.tables.extend(names);
        }
        for expression in expressions {
            self.each(expression.ctequery.as_deref(), &scope.unlocked())?;
            scope.tables.push(expression.ctename.clone());
        }
        Ok(())
    }

    /// A query in FROM: FOR UPDATE of the outer one reaches into it.
    fn subselect(&mut self, field: &RangeSubselect, scope: &Scope) -> Step {
        let alias = field.alias.as_ref().map(|alias| &alias.aliasname);
        let locked = match &scope.locked {
            Some(names) if names.is_empty() || alias.is_some_and(|a| names.contains(a)) => {
                Some(Vec::new())
            }
            _ => None,
        };
        let inner = Scope {
            locked,
            ..scope.clone()
        };
        self.each(field.subquery.as_deref(), &inner)
    }

    fn table(&mut self, range: &RangeVar, scope: &Scope) -> Step {
        let is_none = scope.tables.contains(&range.relname)
            || self.act.transition_tables.contains(&range.relname);
        if range.schemaname.is_empty() && is_none {
            return Ok(());
        }
        let oid = self.act.resolve(range)?;
        self.may_be_used(oid)?;
        let alias = range
            .alias
            .as_ref()
            .map_or(&range.relname, |a| &a.aliasname);
        let is_locked = scope
            .locked
            .as_ref()
            .is_some_and(|names| names.is_empty() || names.contains(alias));
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
        if self.stage >= Stage::Executed
            && let Some(relation) = self.act.world.relation(oid)
            && plan::opens_relations(&relation.name, &scope.shows)
        {
            plan::opens_others(self.act, oid);
        }
        self.uses.push(Use {
            oid,
            mode,
            with_children: range.inh,
            deed: Deed::Read,
            written: Written::default(),
            skips_rows: scope.skips_rows,
            is_pruned: self.act.world.is_partition_key(oid, &scope.compared),
        });
        Ok(())
    }

    /// Refuses a view that reads itself, where it is more than named.
    fn may_be_used(&self, oid: Oid) -> Step {
        match self.stage {
            Stage::Parsed => Ok(()),
            _ => plan::has_an_end(self.act, oid),
        }
    }

    /// Whether one of the tables named since then looks empty.
    fn reads_empty(&self, first: usize) -> bool {
        let read = self.uses.iter().skip(first);
        let mut read = read.filter(|one| one.deed != Deed::Insert);
        read.any(|one| execute::looks_empty(self.act, one.oid))
    }

    /// The table that a statement writes to, with the columns that it sets and the condition that rows meet.
    fn target(
        &mut self,
        relation: Option<&RangeVar>,
        deed: Deed,
        written: Written,
        condition: Option<&Node>,
    ) -> Step<Option<Oid>> {
        let Some(range) = relation else {
            return Ok(None);
        };
        let oid = self.act.resolve(range)?;
        self.may_be_used(oid)?;
        self.act.lock(oid, RowExclusive, "is written to");
        self.uses.push(Use {
            oid,
            mode: RowExclusive,
            with_children: range.inh,
            deed,
            written,
            skips_rows: false,
            is_pruned: self
                .act
                .world
                .is_partition_key(oid, &tree::compared(condition)),
        });
        Ok(Some(oid))
    }

    fn insert(&mut self, statement: &InsertStmt, scope: &Scope) -> Step {
        let mut inner = scope.clone();
        self.with(statement.with_clause.as_ref(), &mut inner)?;
        let relation = statement.relation.as_ref();
        let query = statement.select_stmt.as_deref();
        let table = relation.and_then(|range| self.act.world.find(range));
        let written = Written {
            set: Vec::new(),
            null: table.map_or_else(Vec::new, |table| self.columns_left(table, statement)),
        };
        let Some(table) = self.target(relation, Deed::Insert, written, None)? else {
            return Ok(());
        };
        self.inserts.push(Insert {
            table,
            columns: self.columns_given(table, statement),
            has_rows: query.is_none() || !tree::values(query).is_empty(),
            is_new_row: true,
        });
        if let Some(conflict) = &statement.on_conflict_clause {
            if conflict.infer.is_some() {
                self.arbiters.push(table);
            }
            if conflict.action() == OnConflictAction::OnconflictUpdate {
                self.uses.push(Use {
                    oid: table,
                    mode: RowExclusive,
                    with_children: false,
                    deed: Deed::Update,
                    written: written_by(&conflict.target_list),
                    skips_rows: false,
                    is_pruned: false,
                });
            }
            self.below(NodeRef::OnConflictClause(conflict), &inner)?;
        }
        self.each(query, &inner)?;
        self.returning(statement.returning_clause.as_ref(), &inner)
    }

    /// The columns that an INSERT gives values to; `None`: nothing is known of them.
    fn columns_given(&self, table: Oid, statement: &InsertStmt) -> Option<Vec<String>> {
        // DEFAULT VALUES gives none.
        let query = statement.select_stmt.as_deref();
        if query.is_none() {
            return Some(Vec::new());
        }
        let rows = tree::values(query);
        let mut columns = match tree::columns_set(&statement.cols) {
            named if named.is_empty() => self.leading_columns(table, rows.first()?.len())?,
            named => named,
        };
        let is_given = |at: usize| {
            !rows
                .iter()
                .any(|row| row.get(at).is_some_and(tree::is_default))
        };
        let mut at = 0..;
        columns.retain(|_| at.next().is_none_or(is_given));
        // OVERRIDING USER VALUE: identity columns take their own (rewriteTargetListIU).
        if statement.r#override() == OverridingKind::OverridingUserValue {
            self.takes_identities(table, &mut columns);
        }
        Some(columns)
    }

    /// Leaves out identity columns, which take their own values, also behind a view of the same names.
    fn takes_identities(&self, table: Oid, columns: &mut Vec<String>) {
        let Some(base) = plan::base_table(self.act, table, Deed::Insert) else {
            return;
        };
        columns.retain(|name| {
            let column = self.act.world.column(base, name);
            column.is_none_or(|c| c.identity.is_empty())
        });
    }

    /// The columns that are NULL in the new rows, for nothing gives them a value.
    fn columns_left(&self, table: Oid, statement: &InsertStmt) -> Vec<String> {
        let rows = tree::values(statement.select_stmt.as_deref());
        let named = match tree::columns_set(&statement.cols) {
            named if named.is_empty() => {
                let width = rows.first().map(|row| row.len());
                width.and_then(|width| self.leading_columns(table, width))
            }
            named => Some(named),
        };
        let Some(named) = named else {
            return Vec::new();
        };
        let open = execute::without_default(self.act, table);
        let is_open = |name: &str| open.iter().any(|n| n == name);
        let all = |at: usize, is: &dyn Fn(&Node) -> bool| {
            !rows.is_empty() && rows.iter().all(|row| row.get(at).is_some_and(is))
        };
        // An identity column is never NULL.
        let is_left = |column: &Column| match named.iter().position(|n| *n == column.name) {
            None => is_open(&column.name),
            Some(at) if is_open(&column.name) => {
                all(at, &|value| tree::is_null(value) || tree::is_default(value))
            }
            Some(at) => column.identity.is_empty() && all(at, &tree::is_null),
        };
        let columns = self.act.world.relation(table).into_iter();
        let columns = columns.flat_map(|relation| &relation.columns);
        let left = columns.filter(|column| is_left(column));
        left.map(|column| column.name.clone()).collect()
    }

    /// The columns that values without a column list fill: as many as they are, from the first.
    fn leading_columns(&self, table: Oid, width: usize) -> Option<Vec<String>> {
        let columns = &self.act.world.relation(table)?.columns;
        Some(columns.iter().take(width).map(|c| c.name.clone()).collect())
    }

    /// `SET … = DEFAULT` takes defaults as a row without these columns does.
    fn set_to_defaults(&mut self, table: Oid, targets: &[Node]) {
        let reset: Vec<&str> = tree::targets(targets)
            .filter(|target| target.val.as_deref().is_some_and(tree::is_default))
            .map(|target| target.name.as_str())
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

    fn update(&mut self, statement: &UpdateStmt, scope: &Scope) -> Step {
        let mut inner = scope.clone();
        self.with(statement.with_clause.as_ref(), &mut inner)?;
        let condition = statement.where_clause.as_deref();
        let written = written_by(&statement.target_list);
        let relation = statement.relation.as_ref();
        let first = self.uses.len();
        if let Some(table) = self.target(relation, Deed::Update, written, condition)? {
            self.set_to_defaults(table, &statement.target_list);
        }
        self.each(&statement.from_clause, &inner)?;
        inner.may_have_no_rows |= self.reads_empty(first);
        self.each(&statement.target_list, &inner)?;
        self.each(condition, &inner)?;
        self.returning(statement.returning_clause.as_ref(), &inner)
    }

    fn delete(&mut self, statement: &DeleteStmt, scope: &Scope) -> Step {
        let mut inner = scope.clone();
        self.with(statement.with_clause.as_ref(), &mut inner)?;
        let condition = statement.where_clause.as_deref();
        let relation = statement.relation.as_ref();
        let first = self.uses.len();
        self.target(relation, Deed::Delete, Written::default(), condition)?;
        self.seeks_few |=
            statement
                .using_clause
                .iter()
                .any(|other| match (&other.node, relation) {
                    (Some(NodeEnum::RangeVar(other)), Some(own)) => other.relname == own.relname,
                    _ => false,
                });
        self.each(&statement.using_clause, &inner)?;
        inner.may_have_no_rows |= self.reads_empty(first);
        self.each(condition, &inner)?;
        self.returning(statement.returning_clause.as_ref(), &inner)
    }

    /// MERGE: each WHEN is an INSERT, an UPDATE or a DELETE of its own (`ExecInitMerge`).
    fn merge(&mut self, statement: &MergeStmt, scope: &Scope) -> Step {
        let mut inner = scope.clone();
        self.with(statement.with_clause.as_ref(), &mut inner)?;
        let clauses = statement.merge_when_clauses.iter();
        let mut actions: Vec<&MergeWhenClause> = clauses
            .filter_map(|clause| match &clause.node {
                Some(NodeEnum::MergeWhenClause(action)) => Some(action.as_ref()),
                _ => None,
            })
            .collect();
        let relation = statement.relation.as_ref();
        if let Some(table) = self.target(relation, Deed::Read, Written::default(), None)? {
            actions.sort_by_key(|action| action.command_type);
            for action in actions {
                self.merge_action(table, action);
            }
        }
        self.each(statement.source_relation.as_deref(), &inner)?;
        self.each(statement.join_condition.as_deref(), &inner)?;
        self.each(&statement.merge_when_clauses, &inner)?;
        self.returning(statement.returning_clause.as_ref(), &inner)
    }

    fn merge_action(&mut self, table: Oid, action: &MergeWhenClause) {
        let mut written = written_by(&action.target_list);
        let deed = match action.command_type() {
            CmdType::CmdInsert => {
                let given = Some(written.set).filter(|columns| !columns.is_empty());
                let mut given = given.or_else(|| self.leading_columns(table, action.values.len()));
                if action.r#override() == OverridingKind::OverridingUserValue
                    && let Some(given) = &mut given
                {
                    self.takes_identities(table, given);
                }
                written = Written::default();
                if let Some(given) = &given {
                    let mut left = execute::without_default(self.act, table);
                    left.retain(|column| !given.contains(column));
                    written.null = left;
                }
                self.inserts.push(Insert {
                    table,
                    columns: given,
                    has_rows: false,
                    is_new_row: true,
                });
                Deed::Insert
            }
            CmdType::CmdUpdate => {
                self.set_to_defaults(table, &action.target_list);
                Deed::Update
            }
            CmdType::CmdDelete => Deed::Delete,
            _ => return,
        };
        self.uses.push(Use {
            oid: table,
            mode: RowExclusive,
            with_children: true,
            deed,
            written,
            skips_rows: false,
            is_pruned: false,
        });
    }

    /// The later stages for everything that was named.
    fn follow(self) {
        let Walk {
            act,
            uses,
            stage,
            arbiters,
            inserts,
            seeks_few,
            has_long_values,
        } = self;
        if stage == Stage::Parsed {
            return;
        }
        for one in &uses {
            plan::rewritten(act, one.oid, one.mode, one.deed);
        }
        if stage == Stage::Rewritten {
            return;
        }
        for one in uses.iter().filter(|one| one.deed != Deed::Insert) {
            if one.is_pruned && one.with_children {
                plan::planned(act, one.oid, one.mode, one.deed, false, "is read");
            }
            // Constants in WHERE may leave partitions out (prune_append_rel_partitions): which, the bounds tell.
            act.possibly(one.is_pruned, |act| {
                let with_children = one.with_children;
                plan::planned(act, one.oid, one.mode, one.deed, with_children, "is read");
            });
        }
        for one in uses.iter().filter(|one| one.deed == Deed::Insert) {
            act.possibly(true, |act| plan::checked_by_view(act, one.oid));
        }
        for table in arbiters {
            if let Some(table) = plan::base_table(act, table, Deed::Insert) {
                plan::indexes(act, table, RowExclusive, "may decide which rows conflict");
            }
        }
        if stage == Stage::Planned {
            return;
        }
        // What triggers run is a query of its own.
        let outer = act.may_have_no_rows;
        let mut read = uses.iter().filter(|one| one.deed != Deed::Insert);
        let may_have_no_rows = seeks_few || read.any(|one| execute::looks_empty(act, one.oid));
        let mut read = uses.iter().filter(|one| one.deed == Deed::Read);
        let reads_long = read.any(|one| execute::has_long_values(act, one.oid));
        let has_rows = |table: Oid| inserts.iter().any(|i| i.table == table && i.has_rows);
        for one in &uses {
            if one.deed != Deed::Insert && !one.skips_rows {
                execute::meets_locked_rows(act, one.oid, one.with_children);
            }
            let is_certain = one.deed == Deed::Insert && has_rows(one.oid);
            act.may_have_no_rows = may_have_no_rows && !is_certain;
            execute::executed(act, one.oid, one.deed, &one.written);
            let is_long = match one.deed {
                Deed::Read => false,
                Deed::Insert => has_long_values || reads_long,
                Deed::Update => has_long_values || execute::has_long_values(act, one.oid),
                Deed::Delete => execute::has_long_values(act, one.oid),
            };
            if is_long {
                execute::moves_out_of_line(act, one.oid);
            }
        }
        act.may_have_no_rows = may_have_no_rows;
        for insert in &inserts {
            if insert.has_rows {
                execute::goes_to_a_partition(act, insert.table);
            }
            execute::defaults(act, insert);
        }
        act.may_have_no_rows = outer;
    }
}

/// What the targets of an UPDATE set.
fn written_by(targets: &[Node]) -> Written {
    let null = tree::targets(targets).filter(|t| t.val.as_deref().is_some_and(tree::is_null));
    Written {
        set: tree::columns_set(targets),
        null: null.map(|target| target.name.clone()).collect(),
    }
}

/// About a quarter of a page: a longer row is compressed or moved out of line (`TOAST_TUPLE_THRESHOLD`, heaptoast.h).
const TOAST_THRESHOLD: usize = 2000;

/// Functions that make long values of short ones.
const LENGTHENING: &[&str] = &[
    "array_agg",
    "array_fill",
    "array_to_string",
    "json_agg",
    "json_object_agg",
    "jsonb_agg",
    "jsonb_object_agg",
    "lo_get",
    "lpad",
    "pg_read_binary_file",
    "pg_read_file",
    "repeat",
    "rpad",
    "string_agg",
    "xmlagg",
];

/// A query, as far as `stage`.
pub fn run(act: &mut Act, node: &NodeEnum, stage: Stage) -> Step {
    let mut walk = Walk {
        act,
        uses: Vec::new(),
        stage,
        arbiters: Vec::new(),
        inserts: Vec::new(),
        seeks_few: false,
        has_long_values: parts::texts(node).any(|text| text.len() > TOAST_THRESHOLD)
            || tree::any_call(node.to_ref(), |name| {
                name.last()
                    .is_some_and(|last| LENGTHENING.contains(&last.as_str()))
            }),
    };
    walk.visit(node.to_ref(), &Scope::default())?;
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
            plan::rewritten(act, table, AccessShare, Deed::Read);
            plan::planned(act, table, AccessShare, Deed::Read, false, "is read");
        }
        return Ok(());
    }
    act.lock(table, RowExclusive, "is copied into");
    execute::executed(act, table, Deed::Insert, &Written::default());
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
    let mut walk = Walk {
        act,
        uses: Vec::new(),
        stage: Stage::Parsed,
        arbiters: Vec::new(),
        inserts: Vec::new(),
        seeks_few: false,
        has_long_values: false,
    };
    let scope = Scope {
        tables: vec!["old".to_owned(), "new".to_owned()],
        ..Scope::default()
    };
    walk.visit(node.to_ref(), &scope)
}
