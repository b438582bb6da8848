//! Which rows of the system catalogs and of information_schema a query finds, as far as the catalog is loaded.

use super::act::Act;
use super::names;
use crate::model::{Oid, Relation, RelationKind};
use pg_query::NodeEnum;
use pg_query::protobuf::{AExpr, BoolExprType, Node, RangeVar, SelectStmt, a_const::Val};

/// `column = 'constant'` in a WHERE, without what is not of that form.
pub struct Wanted {
    pub pairs: Vec<(String, String)>,
    /// Nothing else is asked.
    is_whole: bool,
    /// Catalogs are joined by their oids.
    joins: bool,
}

impl Wanted {
    /// What a query asks for.
    pub fn of(select: &SelectStmt, joins: bool) -> Self {
        let mut wanted = Self {
            pairs: Vec::new(),
            is_whole: true,
            joins,
        };
        for from in &select.from_clause {
            wanted.join(from);
        }
        if let Some(clause) = &select.where_clause {
            wanted.collect(clause);
        }
        wanted
    }

    /// The constant that a column is compared with.
    pub fn get(&self, column: &str) -> Option<&str> {
        let mut pairs = self.pairs.iter();
        pairs.find(|(c, _)| c == column).map(|(_, v)| v.as_str())
    }

    /// The answer where these many of the pairs have been used.
    pub fn answer(&self, found: bool, used: usize) -> Option<bool> {
        match found {
            false => Some(false),
            true => (self.is_whole && used == self.pairs.len()).then_some(true),
        }
    }

    /// The answer where these columns have been looked at.
    fn told(&self, found: bool, columns: &[&str]) -> Option<bool> {
        let used = columns.iter().filter(|c| self.get(c).is_some()).count();
        self.answer(found, used)
    }

    fn join(&mut self, from: &Node) {
        if let Some(NodeEnum::JoinExpr(join)) = &from.node {
            for side in [&join.larg, &join.rarg].into_iter().flatten() {
                self.join(side);
            }
            if let Some(condition) = &join.quals {
                self.collect(condition);
            }
        }
    }

    fn collect(&mut self, node: &Node) {
        match &node.node {
            Some(NodeEnum::BoolExpr(e)) if e.boolop == BoolExprType::AndExpr as i32 => {
                e.args.iter().for_each(|a| self.collect(a));
            }
            // Columns that are gone are not loaded.
            Some(NodeEnum::BoolExpr(e))
                if e.boolop == BoolExprType::NotExpr as i32
                    && e.args.first().and_then(column).as_deref() == Some("attisdropped") => {}
            Some(NodeEnum::AExpr(e)) if self.joins && is_join(e) => {}
            Some(NodeEnum::AExpr(e)) => match pair(e) {
                Some(pair) => self.pairs.push(pair),
                None => self.is_whole = false,
            },
            _ => self.is_whole = false,
        }
    }
}

/// The tables that a plain query reads: one, or some that are joined.
pub fn tables(select: &SelectStmt) -> Option<Vec<&RangeVar>> {
    let is_plain = select.larg.is_none()
        && select.with_clause.is_none()
        && select.group_clause.is_empty()
        && select.having_clause.is_none()
        && select.limit_offset.is_none();
    let mut found = Vec::new();
    let all = select
        .from_clause
        .iter()
        .all(|from| joined(from, &mut found));
    (is_plain && all && !found.is_empty()).then_some(found)
}

fn joined<'a>(from: &'a Node, found: &mut Vec<&'a RangeVar>) -> bool {
    match &from.node {
        Some(NodeEnum::RangeVar(range)) => {
            found.push(range);
            true
        }
        Some(NodeEnum::JoinExpr(join)) => {
            let is_inner = join.jointype() == pg_query::protobuf::JoinType::JoinInner
                && !join.is_natural
                && join.using_clause.is_empty();
            let mut sides = [&join.larg, &join.rarg].into_iter().flatten();
            is_inner && sides.all(|side| joined(side, found))
        }
        _ => false,
    }
}

/// `n.oid = c.relnamespace`: the rows that belong together.
fn is_join(e: &AExpr) -> bool {
    let sides = [&e.lexpr, &e.rexpr].map(|side| side.as_deref().and_then(column));
    match sides {
        [Some(a), Some(b)] => names::list(&e.name) == ["="] && (a == "oid" || b == "oid"),
        _ => false,
    }
}

/// Whether there is such a row; `None`: it is not known.
pub fn exists(act: &Act, ranges: &[&RangeVar], wanted: &Wanted) -> Option<bool> {
    let is_catalog = |r: &&&RangeVar| {
        matches!(r.schemaname.as_str(), "" | "pg_catalog") && r.relname.starts_with("pg_")
            || r.schemaname == "information_schema"
    };
    if ranges.iter().filter(is_catalog).count() != ranges.len() {
        return None;
    }
    // What the others say of it is the relation that it belongs to, and the schema.
    let mut main = ranges.iter().map(|r| r.relname.as_str());
    let main = match ranges {
        [only] => only.relname.as_str(),
        _ => main.find(|name| !matches!(*name, "pg_namespace" | "pg_class"))?,
    };
    let is_alone = ranges.len() == 1;
    let is_with = |others: &[&str]| {
        ranges
            .iter()
            .all(|r| r.relname == main || others.contains(&r.relname.as_str()))
    };
    let of_class = ["pg_class", "pg_namespace"];
    match main {
        "pg_type" if is_with(&["pg_namespace"]) => has_type_of_schema(act, wanted),
        "pg_class" if is_alone => has_relation(act, wanted, "relname", "relnamespace"),
        "pg_tables" => has_relation(act, wanted, "tablename", "schemaname"),
        "pg_views" => has_relation(act, wanted, "viewname", "schemaname"),
        "pg_matviews" => has_relation(act, wanted, "matviewname", "schemaname"),
        "tables" | "views" => has_relation(act, wanted, "table_name", "table_schema"),
        "pg_indexes" => has_index(act, wanted),
        "columns" => has_column(act, wanted, ["table_name", "column_name", "table_schema"]),
        "pg_attribute" if is_alone => has_column(act, wanted, ["attrelid", "attname", ""]),
        "pg_attribute" if is_with(&of_class) => {
            has_column(act, wanted, ["relname", "attname", "nspname"])
        }
        "pg_constraint" if is_alone => has_constraint(act, wanted, ["conname", "conrelid", ""]),
        "pg_constraint" if is_with(&of_class) => {
            has_constraint(act, wanted, ["conname", "relname", "nspname"])
        }
        "table_constraints" => has_constraint(
            act,
            wanted,
            ["constraint_name", "table_name", "table_schema"],
        ),
        "constraint_column_usage" => has_used_constraint(act, wanted),
        "pg_trigger" if is_alone => has_trigger(act, wanted, ["tgname", "tgrelid", ""]),
        "pg_trigger" if is_with(&of_class) => {
            has_trigger(act, wanted, ["tgname", "relname", "nspname"])
        }
        "triggers" => has_trigger(
            act,
            wanted,
            ["trigger_name", "event_object_table", "event_object_schema"],
        ),
        "pg_policies" => has_policy(act, wanted),
        "pg_extension" => {
            let name = wanted.get("extname")?;
            wanted.answer(act.world.has_extension(name), 1)
        }
        _ => None,
    }
}

/// Types of every schema are loaded by name, the row types of tables among them.
fn has_type(act: &Act, name: &str) -> bool {
    act.world.types.values().any(|t| t.name == name)
}

fn relations<'a>(act: &'a Act, name: &str, schema: Option<&str>) -> Vec<&'a Relation> {
    let named = act.world.relations().filter(|r| r.name.relation == name);
    named
        .filter(|r| schema.is_none_or(|s| r.name.schema == s))
        .collect()
}

fn has_relation(act: &Act, wanted: &Wanted, column: &str, schema: &str) -> Option<bool> {
    let name = wanted.get(column)?;
    let schema = wanted.get(schema);
    let found = !relations(act, name, schema).is_empty();
    // In a schema that is not searched, it would not be known here.
    if !found && has_type(act, name) {
        return None;
    }
    wanted.answer(found, 1 + usize::from(schema.is_some()))
}

/// A type, or in a schema that is given.
fn has_type_of_schema(act: &Act, wanted: &Wanted) -> Option<bool> {
    let name = wanted.get("typname")?;
    let schema = wanted.get("nspname");
    let mut types = act.world.types.values();
    let found = types.any(|t| t.name == name && schema.is_none_or(|s| t.schema == s));
    wanted.told(found, &["typname", "nspname"])
}

/// Indexes have no row type: in a schema that is not searched, one would not be known here.
fn has_index(act: &Act, wanted: &Wanted) -> Option<bool> {
    let name = wanted.get("indexname")?;
    let schema = wanted.get("schemaname");
    let table = wanted.get("tablename");
    let mut indexes = relations(act, name, schema)
        .into_iter()
        .filter(|r| r.kind.is_index());
    let found = indexes.any(|r| {
        let of = act
            .world
            .indexes
            .get(r.oid)
            .and_then(|i| act.world.relation(i.table));
        table.is_none_or(|t| of.is_some_and(|of| of.name.relation == t))
    });
    if !found && schema.is_none() {
        return None;
    }
    wanted.told(found, &["indexname", "schemaname", "tablename"])
}

/// The tables that a query names: by name and schema, or as a regclass; `None`: which is not known.
fn tables_named<'a>(
    act: &'a Act,
    wanted: &Wanted,
    table: &str,
    schema: &str,
) -> Option<Vec<&'a Relation>> {
    let name = wanted.get(table)?;
    if table.ends_with("relid") {
        let oid = act.world.find(&names::range_var(&names::split(name)))?;
        return act.world.relation(oid).map(|r| vec![r]);
    }
    let mut found = relations(act, name, wanted.get(schema));
    found.retain(|r| !r.kind.is_index() && r.kind != RelationKind::Sequence);
    // In a schema that is not searched, it would not be known here.
    (!found.is_empty() || !has_type(act, name)).then_some(found)
}

/// `columns`: of the query, for the name of the table, of the column, of the schema.
fn has_column(act: &Act, wanted: &Wanted, columns: [&str; 3]) -> Option<bool> {
    let [table, column, schema] = columns;
    let name = wanted.get(column)?;
    let tables = tables_named(act, wanted, table, schema)?;
    let mut all = tables.iter().flat_map(|t| &t.columns);
    let found = all.any(|c| c.name == name);
    wanted.told(found, &columns)
}

/// `columns`: of the query, for the name of the constraint, of its table, of the schema.
fn has_constraint(act: &Act, wanted: &Wanted, columns: [&str; 3]) -> Option<bool> {
    let [constraint, table, schema] = columns;
    let name = wanted.get(constraint)?;
    let tables: Option<Vec<Oid>> = match wanted.get(table) {
        Some(_) => {
            let tables = tables_named(act, wanted, table, schema)?;
            Some(tables.iter().map(|t| t.oid).collect())
        }
        None => None,
    };
    let mut constraints = act.world.constraints.all();
    let found = constraints.any(|c| {
        c.name == name
            && tables
                .as_ref()
                .is_none_or(|tables| tables.contains(&c.table))
    });
    // Those of tables that the migration does not name are not known here.
    if !found && tables.is_none() {
        return None;
    }
    wanted.told(found, &columns)
}

/// `constraint_column_usage` shows a foreign key with the table that is referenced.
fn has_used_constraint(act: &Act, wanted: &Wanted) -> Option<bool> {
    let name = wanted.get("constraint_name")?;
    let tables = tables_named(act, wanted, "table_name", "table_schema")?;
    let mut constraints = act.world.constraints.all();
    let found = constraints.any(|c| {
        let shown = if c.kind == 'f' { c.referenced } else { c.table };
        c.name == name && tables.iter().any(|t| t.oid == shown)
    });
    wanted.told(found, &["constraint_name", "table_name", "table_schema"])
}

/// `columns`: of the query, for the name of the trigger, of its table, of the schema.
fn has_trigger(act: &Act, wanted: &Wanted, columns: [&str; 3]) -> Option<bool> {
    let [trigger, table, schema] = columns;
    let name = wanted.get(trigger)?;
    let tables = tables_named(act, wanted, table, schema)?;
    let mut triggers = act.world.triggers.all();
    let found = triggers.any(|t| t.name == name && tables.iter().any(|r| r.oid == t.table));
    wanted.told(found, &columns)
}

fn has_policy(act: &Act, wanted: &Wanted) -> Option<bool> {
    let name = wanted.get("policyname")?;
    let tables = tables_named(act, wanted, "tablename", "schemaname")?;
    let mut policies = act.world.policies.all();
    let found = policies.any(|p| p.name == name && tables.iter().any(|r| r.oid == p.table));
    wanted.told(found, &["policyname", "tablename", "schemaname"])
}

/// The column that a node names.
fn column(node: &Node) -> Option<String> {
    match node.node.as_ref()? {
        NodeEnum::ColumnRef(c) => names::list(&c.fields).pop(),
        _ => None,
    }
}

fn pair(e: &AExpr) -> Option<(String, String)> {
    if names::list(&e.name) != ["="] {
        return None;
    }
    let (left, right) = (e.lexpr.as_deref()?, e.rexpr.as_deref()?);
    match column(left) {
        Some(name) => Some((name, text(right)?)),
        None => Some((column(right)?, text(left)?)),
    }
}

/// A text constant, also under a cast.
pub fn text(node: &Node) -> Option<String> {
    match node.node.as_ref()? {
        NodeEnum::AConst(c) => match c.val.as_ref()? {
            Val::Sval(s) => Some(s.sval.clone()),
            Val::Ival(i) => Some(i.ival.to_string()),
            Val::Fval(f) => Some(f.fval.clone()),
            _ => None,
        },
        NodeEnum::TypeCast(cast) => text(cast.arg.as_deref()?),
        _ => None,
    }
}
