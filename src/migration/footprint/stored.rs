//! Stored expressions: the functions that checks, domains, indexes and statistics call when rows are written
//! or read again. `pg_depend` names them, also those behind operators and aggregates.

use super::act::Act;
use super::world::Object;
use super::{code, listed, names, tree};
use crate::migration::parts;
use crate::model::{Oid, class};
use pg_query::NodeRef;
use pg_query::protobuf::FuncCall;

/// The functions that a stored object calls.
#[must_use]
pub fn routines_of(act: &Act, object: Object) -> Vec<Oid> {
    let mut found = Vec::new();
    let mut objects = vec![object];
    while let Some(next) = objects.pop() {
        for d in act.world.above(next) {
            let other = (d.on_class, d.on_oid, 0);
            if d.on_class == class::OPERATOR {
                objects.push(other);
            } else if d.on_class == class::PROC && !found.contains(&d.on_oid) {
                found.push(d.on_oid);
                let routine = act.world.routines.get(&d.on_oid);
                if routine.is_some_and(|r| r.kind == 'a') {
                    objects.push(other);
                }
            }
        }
    }
    found
}

/// Runs the functions that a stored object calls.
pub fn run(act: &mut Act, object: Object) {
    for oid in routines_of(act, object) {
        if let Some(routine) = act.world.routines.get(&oid).cloned() {
            code::of_routine(act, &routine);
        }
    }
}

/// New rows of a table meet its checks and those of its columns' domains (`ExecConstraints`).
pub fn checks(act: &mut Act, table: Oid) {
    let of_table = act.world.constraints.of(table);
    let checks: Vec<Oid> = of_table
        .filter(|c| c.kind == 'c' && c.is_enforced)
        .map(|c| c.oid)
        .collect();
    for check in checks {
        run(act, (class::CONSTRAINT, check, 0));
    }
    let columns = act.world.relation(table).map(|r| &r.columns);
    let types: Vec<Oid> = columns.into_iter().flatten().map(|c| c.type_oid).collect();
    for type_oid in types {
        domain(act, type_oid);
    }
}

/// Values of a type meet the checks of the domains in it.
pub fn domain(act: &mut Act, mut type_oid: Oid) {
    while let Some(t) = act.world.types.get(&type_oid) {
        let next = if t.kind == 'd' { t.base } else { t.element };
        let checks = act
            .world
            .constraints
            .all()
            .filter(|c| c.kind == 'c' && c.domain == type_oid);
        let checks: Vec<Oid> = checks.map(|c| c.oid).collect();
        for check in checks {
            run(act, (class::CONSTRAINT, check, 0));
        }
        type_oid = next;
    }
}

/// Entries of a table's indexes are computed (`FormIndexDatum`, `ExecQual` of the predicate).
pub fn indexes(act: &mut Act, table: Oid) {
    let of_table = act.world.indexes.of(table);
    let computed = of_table.filter(|i| i.expressions.is_some() || i.predicate.is_some());
    let computed: Vec<Oid> = computed.map(|i| i.oid).collect();
    for index in computed {
        run(act, (class::RELATION, index, 0));
    }
}

/// ANALYZE computes index expressions and extended statistics (`compute_index_stats`, `BuildRelationExtStatistics`).
pub fn statistics(act: &mut Act, table: Oid) {
    indexes(act, table);
    let of_table: Vec<Oid> = act.world.statistics.of(table).map(|s| s.oid).collect();
    for one in of_table {
        run(act, (class::STATISTICS, one, 0));
    }
}

/// Remembers the functions, operators and such that a new object's expression or query names.
pub fn note<'a>(act: &mut Act, object: Object, expression: impl Into<parts::Tree<'a>>) {
    for node in parts::all(expression) {
        if let Some(name) = called(node) {
            note_called(act, object, &name);
        }
        for (class, name) in configured(node) {
            let named: Vec<Oid> = listed::find(act, class, &name)
                .iter()
                .map(|o| o.oid)
                .collect();
            for oid in named {
                act.world.depend(object, (class, oid, 0), 'n');
            }
        }
    }
}

/// Remembers the functions and operators of a name.
pub fn note_called(act: &mut Act, object: Object, name: &[String]) {
    let routines = act.world.find_routines(name);
    let routines: Vec<Oid> = routines.iter().map(|r| r.oid).collect();
    for routine in routines {
        act.world.depend(object, (class::PROC, routine, 0), 'n');
    }
    for operator in operators(act, name) {
        act.world
            .depend(object, (class::OPERATOR, operator, 0), 'n');
    }
}

/// The collations, operator classes and text search configurations that a node names.
fn configured(node: NodeRef) -> Vec<(Oid, Vec<String>)> {
    let named = match node {
        NodeRef::CollateClause(clause) => vec![(class::COLLATION, names::list(&clause.collname))],
        NodeRef::IndexElem(element) => vec![
            (class::COLLATION, names::list(&element.collation)),
            (class::OPCLASS, names::list(&element.opclass)),
        ],
        NodeRef::FuncCall(call) => {
            let name = configuration(call).unwrap_or_default();
            vec![(class::TS_CONFIGURATION, name)]
        }
        _ => Vec::new(),
    };
    named
        .into_iter()
        .filter(|(_, name)| !name.is_empty())
        .collect()
}

/// The configuration that `to_tsvector('…', …)` and its kin name.
fn configuration(call: &FuncCall) -> Option<Vec<String>> {
    let name = names::list(&call.funcname).pop()?;
    let takes_one = name.contains("tsvector") || name.contains("tsquery") || name == "ts_headline";
    let first = call.args.first().filter(|_| takes_one)?;
    Some(names::split(&tree::constant(first)?))
}

/// The users' operators of that name.
#[must_use]
pub fn operators(act: &Act, name: &[String]) -> Vec<Oid> {
    let objects = act.world.objects.iter();
    let named = objects.filter(|o| o.class == class::OPERATOR && Some(&o.name) == name.last());
    named.map(|o| o.oid).collect()
}

/// The name of the function or operator that a node calls.
fn called(node: NodeRef) -> Option<Vec<String>> {
    match node {
        NodeRef::FuncCall(call) => Some(names::list(&call.funcname)),
        NodeRef::AExpr(operation) => Some(names::list(&operation.name)),
        _ => None,
    }
}
