//! Conditions of bodies that the catalog answers: `IF NOT EXISTS (SELECT … FROM pg_type WHERE typname = 'x')` and
//! its kin; where a migration tool's version table is asked, its rows. What is not certain has no answer.

use super::act::Act;
use super::names;
use super::system_rows::{self, Wanted, text};
use super::world::KnownRows;
use crate::migration::depth;
use pg_query::NodeEnum;
use pg_query::protobuf::{
    AExpr, BoolExprType, InsertStmt, Node, NullTestType, SelectStmt, SubLink, SubLinkType,
    a_const::Val,
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

/// `EXISTS (SELECT … FROM a catalog WHERE …)`
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
    let ranges = system_rows::tables(select)?;
    let wanted = Wanted::of(select, ranges.len() > 1);
    let [range] = ranges.as_slice() else {
        return system_rows::exists(act, &ranges, &wanted);
    };
    let table = act.world.find(range);
    match table.and_then(|t| act.world.version_rows.get(&t)) {
        Some(rows) => has_row(rows, &wanted),
        None => system_rows::exists(act, &ranges, &wanted),
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
