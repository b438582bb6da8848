//! Conditions of bodies that the catalog answers: `IF NOT EXISTS (SELECT … FROM pg_type WHERE typname = 'x')` and
//! its kin; where a migration tool's version table is asked, its rows. What is not certain has no answer.

use super::act::Act;
use super::names;
use super::world::KnownRows;
use crate::migration::depth;
use crate::model::Oid;
use pg_query::NodeEnum;
use pg_query::protobuf::{
    AExpr, BoolExprType, InsertStmt, Node, NullTestType, RangeVar, SelectStmt, SubLink,
    SubLinkType, a_const::Val,
};

/// Whether a condition holds in the catalog as it is now; `None`: it is not known.
#[must_use]
pub fn holds(act: &Act, condition: &str) -> Option<bool> {
    let parsed = depth::parse(&format!("SELECT {condition}"))?;
    let statement = parsed.protobuf.stmts.into_iter().next()?.stmt?.node?;
    let NodeEnum::SelectStmt(select) = statement else {
        return None;
    };
    match select.target_list.first()?.node.as_ref()? {
        NodeEnum::ResTarget(target) => value(act, target.val.as_deref()?),
        _ => None,
    }
}

/// Whether a condition names a version table whose rows are known: it is read when it is asked.
#[must_use]
pub fn reads_rows(act: &Act, condition: &str) -> bool {
    let mut tables = act.world.version_rows.keys();
    tables.any(|table| {
        let relation = act.world.relation(*table);
        relation.is_some_and(|r| condition.contains(&r.name.relation))
    })
}

fn value(act: &Act, node: &Node) -> Option<bool> {
    match node.node.as_ref()? {
        NodeEnum::BoolExpr(e) => {
            let values: Vec<Option<bool>> = e.args.iter().map(|a| value(act, a)).collect();
            match BoolExprType::try_from(e.boolop).ok()? {
                BoolExprType::NotExpr => values.first()?.map(|v| !v),
                BoolExprType::AndExpr => all(&values, false),
                BoolExprType::OrExpr => all(&values, true),
                BoolExprType::Undefined => None,
            }
        }
        NodeEnum::SubLink(link) => exists(act, link, SubLinkType::ExistsSublink),
        NodeEnum::AExpr(e) => counted(act, e),
        NodeEnum::NullTest(test) => {
            let is_there = to_regclass(act, test.arg.as_deref()?)?;
            match NullTestType::try_from(test.nulltesttype).ok()? {
                NullTestType::IsNull => Some(!is_there),
                NullTestType::IsNotNull => Some(is_there),
                NullTestType::Undefined => None,
            }
        }
        NodeEnum::AConst(c) => match c.val.as_ref()? {
            Val::Boolval(b) => Some(b.boolval),
            _ => None,
        },
        _ => None,
    }
}

/// `(SELECT count(*) …) = 0` and its kin.
fn counted(act: &Act, e: &AExpr) -> Option<bool> {
    let NodeEnum::SubLink(link) = e.lexpr.as_ref()?.node.as_ref()? else {
        return None;
    };
    let number = text(e.rexpr.as_deref()?)?;
    let any = match (names::list(&e.name).last()?.as_str(), number.as_str()) {
        ("=" | "<=", "0") | ("<", "1") => false,
        (">" | "<>", "0") | (">=", "1") => true,
        _ => return None,
    };
    exists(act, link, SubLinkType::ExprSublink).map(|found| found == any)
}

/// One value that decides, or all the other one.
fn all(values: &[Option<bool>], decides: bool) -> Option<bool> {
    if values.contains(&Some(decides)) {
        return Some(decides);
    }
    values.iter().all(Option::is_some).then_some(!decides)
}

/// `to_regclass('x')`: whether it finds one.
fn to_regclass(act: &Act, node: &Node) -> Option<bool> {
    let call = match node.node.as_ref()? {
        NodeEnum::FuncCall(call) => call,
        NodeEnum::TypeCast(cast) => return to_regclass(act, cast.arg.as_deref()?),
        _ => return None,
    };
    let name = names::split(&text(call.args.first()?)?);
    match names::list(&call.funcname).last()?.as_str() {
        "to_regclass" => Some(act.world.find(&names::range_var(&name)).is_some()),
        "to_regtype" => act.world.find_type(&name).map(|_| true),
        _ => None,
    }
}

/// `column = 'constant'` in a WHERE, without what is not of that form.
struct Wanted {
    pairs: Vec<(String, String)>,
    /// Nothing else is asked.
    is_whole: bool,
}

impl Wanted {
    fn get(&self, column: &str) -> Option<&str> {
        let mut pairs = self.pairs.iter();
        pairs.find(|(c, _)| c == column).map(|(_, v)| v.as_str())
    }

    /// The answer where these many of the pairs have been used.
    fn answer(&self, found: bool, used: usize) -> Option<bool> {
        match found {
            false => Some(false),
            true => (self.is_whole && used == self.pairs.len()).then_some(true),
        }
    }
}

/// `EXISTS (SELECT … FROM one catalog WHERE …)`
fn exists(act: &Act, link: &SubLink, kind: SubLinkType) -> Option<bool> {
    if link.sub_link_type != kind as i32 {
        return None;
    }
    let NodeEnum::SelectStmt(select) = link.subselect.as_ref()?.node.as_ref()? else {
        return None;
    };
    // An aggregate gives a row in any case.
    if (kind == SubLinkType::ExprSublink) != is_count(select)
        || kind == SubLinkType::ExistsSublink && calls(select)
    {
        return None;
    }
    let range = only_table(select)?;
    let wanted = wanted(select);
    if let Some(rows) = act
        .world
        .find(range)
        .and_then(|t| act.world.version_rows.get(&t))
    {
        return has_row(rows, &wanted);
    }
    let is_catalog = matches!(range.schemaname.as_str(), "" | "pg_catalog")
        && range.relname.starts_with("pg_")
        || range.schemaname == "information_schema";
    if !is_catalog {
        return None;
    }
    match range.relname.as_str() {
        "pg_type" => {
            let name = wanted.get("typname")?;
            wanted.answer(has_type(act, name), 1)
        }
        "pg_class" => has_relation(act, &wanted, "relname", "relnamespace"),
        "pg_tables" => has_relation(act, &wanted, "tablename", "schemaname"),
        "tables" => has_relation(act, &wanted, "table_name", "table_schema"),
        "columns" => has_column(act, &wanted),
        "pg_constraint" => has_constraint(act, &wanted),
        "pg_extension" => {
            let name = wanted.get("extname")?;
            wanted.answer(act.world.has_extension(name), 1)
        }
        _ => None,
    }
}

/// Whether a query is a `SELECT count(…)`, and nothing more.
fn is_count(select: &SelectStmt) -> bool {
    let is_count = |node: &Node| match &node.node {
        Some(NodeEnum::ResTarget(t)) => match t.val.as_ref().and_then(|v| v.node.as_ref()) {
            Some(NodeEnum::FuncCall(call)) => {
                names::list(&call.funcname)
                    .last()
                    .is_some_and(|n| n == "count")
                    && call.agg_filter.is_none()
                    && call.agg_star
            }
            _ => false,
        },
        _ => false,
    };
    matches!(select.target_list.as_slice(), [only] if is_count(only))
}

/// Whether a query calls a function for what it gives.
fn calls(select: &SelectStmt) -> bool {
    select.target_list.iter().any(|target| match &target.node {
        Some(NodeEnum::ResTarget(t)) => {
            matches!(
                t.val.as_ref().and_then(|v| v.node.as_ref()),
                Some(NodeEnum::FuncCall(_))
            )
        }
        _ => true,
    })
}

/// Whether a version table has a row, as far as that is known.
fn has_row(known: &KnownRows, wanted: &Wanted) -> Option<bool> {
    let place = |(column, value): &(String, String)| {
        let at = known.rows.columns.iter().position(|c| c == column)?;
        Some((at, value.clone()))
    };
    let places: Vec<(usize, String)> = wanted.pairs.iter().map(place).collect::<Option<_>>()?;
    let is_it = |row: &&Vec<Option<String>>| {
        let is_so = |(at, value): &(usize, String)| row[*at].as_ref() == Some(value);
        places.iter().all(is_so)
    };
    let found = known.rows.rows.iter().find(is_it).is_some();
    let was_added = wanted.pairs.is_empty() && !known.added.is_empty()
        || wanted
            .pairs
            .iter()
            .any(|(_, value)| known.added.contains(value));
    match found {
        true if known.may_have_less => None,
        false if known.may_have_more || was_added => None,
        _ => wanted.answer(found, places.len()),
    }
}

/// Notes what a statement perhaps does to the rows of a version table.
pub fn note_rows(act: &mut Act, node: &NodeEnum) {
    if act.world.version_rows.is_empty() {
        return;
    }
    let target = match node {
        NodeEnum::InsertStmt(s) => s.relation.as_ref(),
        NodeEnum::UpdateStmt(s) => s.relation.as_ref(),
        NodeEnum::DeleteStmt(s) => s.relation.as_ref(),
        NodeEnum::MergeStmt(s) => s.relation.as_ref(),
        NodeEnum::CopyStmt(s) => s.relation.as_ref().filter(|_| s.is_from),
        NodeEnum::SelectStmt(s) if s.with_clause.is_none() => return,
        NodeEnum::SelectStmt(_) | NodeEnum::TruncateStmt(_) => None,
        _ => return,
    };
    let table = target.map(|range| act.world.find(range));
    for (oid, known) in &mut act.world.version_rows {
        match (node, table) {
            (_, Some(other)) if other != Some(*oid) => {}
            (NodeEnum::InsertStmt(s), _) if s.on_conflict_clause.is_none() => match constants(s) {
                Some(values) => known.added.extend(values),
                None => known.may_have_more = true,
            },
            _ => (known.may_have_more, known.may_have_less) = (true, true),
        }
    }
}

/// The values of `INSERT … VALUES`, where all of them are constants.
fn constants(statement: &InsertStmt) -> Option<Vec<String>> {
    let NodeEnum::SelectStmt(select) = statement.select_stmt.as_ref()?.node.as_ref()? else {
        return None;
    };
    let mut values = Vec::new();
    for list in &select.values_lists {
        let NodeEnum::List(list) = list.node.as_ref()? else {
            return None;
        };
        for item in &list.items {
            values.push(text(item)?);
        }
    }
    (!values.is_empty()).then_some(values)
}

/// The one table that a plain query reads.
fn only_table(select: &SelectStmt) -> Option<&RangeVar> {
    let is_plain = select.larg.is_none()
        && select.with_clause.is_none()
        && select.group_clause.is_empty()
        && select.having_clause.is_none()
        && select.limit_offset.is_none();
    match (is_plain, select.from_clause.as_slice()) {
        (true, [only]) => match only.node.as_ref()? {
            NodeEnum::RangeVar(range) => Some(range),
            _ => None,
        },
        _ => None,
    }
}

fn wanted(select: &SelectStmt) -> Wanted {
    let mut wanted = Wanted {
        pairs: Vec::new(),
        is_whole: true,
    };
    if let Some(clause) = &select.where_clause {
        collect(clause, &mut wanted);
    }
    wanted
}

fn collect(node: &Node, wanted: &mut Wanted) {
    match &node.node {
        Some(NodeEnum::BoolExpr(e)) if e.boolop == BoolExprType::AndExpr as i32 => {
            e.args.iter().for_each(|a| collect(a, wanted));
        }
        Some(NodeEnum::AExpr(e)) => match pair(e) {
            Some(pair) => wanted.pairs.push(pair),
            None => wanted.is_whole = false,
        },
        _ => wanted.is_whole = false,
    }
}

fn pair(e: &AExpr) -> Option<(String, String)> {
    if names::list(&e.name) != ["="] {
        return None;
    }
    let (left, right) = (e.lexpr.as_deref()?, e.rexpr.as_deref()?);
    let column = |n: &Node| match n.node.as_ref()? {
        NodeEnum::ColumnRef(c) => names::list(&c.fields).pop(),
        _ => None,
    };
    match column(left) {
        Some(name) => Some((name, text(right)?)),
        None => Some((column(right)?, text(left)?)),
    }
}

/// A text constant, also under a cast.
fn text(node: &Node) -> Option<String> {
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

/// Types of every schema are loaded by name, the row types of tables among them.
fn has_type(act: &Act, name: &str) -> bool {
    act.world.types.values().any(|t| t.name == name)
}

fn relations<'a>(
    act: &'a Act,
    name: &str,
    schema: Option<&str>,
) -> Vec<&'a crate::model::Relation> {
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

fn has_column(act: &Act, wanted: &Wanted) -> Option<bool> {
    let (table, column) = (wanted.get("table_name")?, wanted.get("column_name")?);
    let schema = wanted.get("table_schema");
    let tables = relations(act, table, schema);
    if tables.is_empty() && has_type(act, table) {
        return None;
    }
    let mut columns = tables.iter().flat_map(|t| &t.columns);
    let found = columns.any(|c| c.name == column);
    wanted.answer(found, 2 + usize::from(schema.is_some()))
}

fn has_constraint(act: &Act, wanted: &Wanted) -> Option<bool> {
    let name = wanted.get("conname")?;
    let table: Option<Oid> = match wanted.get("conrelid") {
        Some(table) => Some(act.world.find(&names::range_var(&names::split(table)))?),
        None => None,
    };
    let mut constraints = act.world.constraints.all();
    let found = constraints.any(|c| c.name == name && table.is_none_or(|t| c.table == t));
    // Those of tables that the migration does not name are not known here.
    if !found && table.is_none() {
        return None;
    }
    wanted.answer(found, 1 + usize::from(table.is_some()))
}
