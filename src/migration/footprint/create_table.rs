//! `CREATE TABLE` in all its forms: what exists already is locked for its sake.

use super::act::{Act, Step, refuse};
use super::altering::Altering;
use super::index::part;
use super::objects::view;
use super::query::walk::Stage;
use super::query::{plan, walk};
use super::{altering, constraint, names, new_column, partition, tree};
use crate::model::{
    Constraint, ExtendedStatistics, Index, Inheritance, LockMode, Oid, PartitionKey, RelationKind,
    class,
};
use pg_query::protobuf::{
    ConstrType, CreateStmt, CreateTableAsStmt, ObjectType, OnCommitAction, RefreshMatViewStmt,
    TableLikeClause,
};
use pg_query::{NodeEnum, protobuf};
use std::collections::BTreeMap;

use LockMode::{AccessExclusive, AccessShare, Exclusive, RowExclusive, ShareUpdateExclusive};

/// `CREATE TABLE`; `kind`: a table or a foreign table.
pub fn create(act: &mut Act, statement: &CreateStmt, kind: RelationKind) -> Step {
    let Some(range) = &statement.relation else {
        return refuse("no table is named");
    };
    let name = act.world.new_name(range);
    if let Some(existing) = act.world.find_name(&name.schema, &name.relation) {
        if statement.if_not_exists {
            act.notes
                .push(format!("{} exists already", act.shown(existing)));
            return Ok(());
        }
        return refuse(format!("relation {name} already exists"));
    }
    let kind = if statement.partspec.is_some() {
        RelationKind::PartitionedTable
    } else {
        kind
    };
    let oid = act.create(name, kind);
    lasts_until(act, oid, statement.oncommit);
    if let Some(schema) = act
        .world
        .relation(oid)
        .and_then(|r| act.world.schema(&r.name.schema))
    {
        act.world
            .depend((class::RELATION, oid, 0), (class::SCHEMA, schema, 0), 'n');
    }
    parents(act, statement, oid)?;
    of_type(act, statement, oid);
    let mut constraints: Vec<protobuf::Constraint> = Vec::new();
    let mut likes = Vec::new();
    for element in statement.table_elts.iter().chain(&statement.constraints) {
        match &element.node {
            Some(NodeEnum::ColumnDef(def)) => add_column(act, oid, def, &mut constraints),
            Some(NodeEnum::Constraint(c)) => constraints.push((**c).clone()),
            Some(NodeEnum::TableLikeClause(like)) => {
                likes.push((copy_columns(act, oid, like)?, like.options))
            }
            _ => {}
        }
    }
    inherited_keys(act, statement, &constraints);
    partition_key(act, statement, oid);
    if let Some(bound) = &statement.partbound
        && let Some(parent) = statement.inh_relations.first().and_then(|n| match &n.node {
            Some(NodeEnum::RangeVar(r)) => act.world.find(r),
            _ => None,
        })
    {
        partition::create_of(act, &mut nothing_to_alter(), parent, oid, bound)?;
    }
    add_constraints(act, oid, constraints, &likes)
}

/// `INHERITS (…)` and `PARTITION OF` (`DefineRelation`: `parentLockmode`).
fn parents(act: &mut Act, statement: &CreateStmt, oid: Oid) -> Step {
    let is_partition = statement.partbound.is_some();
    for node in &statement.inh_relations {
        let Some(NodeEnum::RangeVar(range)) = &node.node else {
            continue;
        };
        let parent = act.resolve(range)?;
        let (mode, why) = if is_partition {
            (AccessExclusive, "gets a partition")
        } else {
            (ShareUpdateExclusive, "gets a child")
        };
        act.lock(parent, mode, why);
        let inherited = act.relation(parent)?.columns.clone();
        for c in inherited {
            if act.world.column(oid, &c.name).is_none() {
                new_column::put_copy(act, oid, &c, false);
            }
        }
        if !is_partition {
            act.world.put_inheritance(Inheritance {
                child: oid,
                parent,
                detach_pending: false,
            });
            act.world
                .depend((class::RELATION, oid, 0), (class::RELATION, parent, 0), 'n');
        }
        copy_defaults(act, parent);
        inherit_checks(act, parent, oid);
    }
    Ok(())
}

/// A key on a column that only a parent has: the parents are read to find it
/// (`transformIndexConstraint`, parse_utilcmd.c).
fn inherited_keys(act: &mut Act, statement: &CreateStmt, constraints: &[protobuf::Constraint]) {
    let own: Vec<&str> = statement
        .table_elts
        .iter()
        .filter_map(|e| match &e.node {
            Some(NodeEnum::ColumnDef(def)) => Some(def.colname.as_str()),
            _ => None,
        })
        .collect();
    let keys = constraints
        .iter()
        .filter(|c| {
            let kind = ConstrType::try_from(c.contype);
            matches!(
                kind,
                Ok(ConstrType::ConstrPrimary | ConstrType::ConstrUnique)
            )
        })
        .flat_map(|c| {
            names::list(&c.keys)
                .into_iter()
                .chain(names::list(&c.including))
        });
    for key in keys.filter(|k| !own.contains(&k.as_str())) {
        for node in &statement.inh_relations {
            let Some(NodeEnum::RangeVar(range)) = &node.node else {
                continue;
            };
            let Some(parent) = act.world.find(range) else {
                continue;
            };
            act.lock(parent, AccessShare, format!("is checked for column {key}"));
            if act.world.column(parent, &key).is_some() {
                break;
            }
        }
    }
}

/// Inherited or copied defaults depend on the sequences that the originals use.
fn copy_defaults(act: &mut Act, source: Oid) {
    let sequences: Vec<Oid> = act
        .world
        .defaults
        .of(source)
        .flat_map(|d| act.world.above((class::DEFAULT, d.oid, 0)))
        .filter(|d| {
            d.on_class == class::RELATION
                && act.world.kind(d.on_oid) == Some(RelationKind::Sequence)
        })
        .map(|d| d.on_oid)
        .collect();
    for sequence in sequences {
        act.depends_on(sequence, "a copied default uses it");
    }
}

fn inherit_checks(act: &mut Act, parent: Oid, child: Oid) {
    copy_checks(act, parent, child, false, |c| {
        matches!(c.kind, 'c' | 'n') && !c.no_inherit
    });
}

/// The constraints of a table that `wanted` takes, for another one of the same columns.
fn copy_checks(act: &mut Act, from: Oid, to: Oid, is_local: bool, wanted: fn(&Constraint) -> bool) {
    let checks: Vec<Constraint> = act
        .world
        .constraints
        .of(from)
        .filter(|c| wanted(c))
        .cloned()
        .collect();
    for check in checks {
        let oid = act.world.new_oid();
        let columns = check
            .columns
            .iter()
            .map(|&n| part::same_column(act, from, n, to))
            .collect();
        altering::put_constraint(
            act,
            Constraint {
                oid,
                table: to,
                columns,
                is_local,
                inherited: i32::from(!is_local),
                ..check
            },
        );
    }
}

/// `OF type`: the composite type's relation is read.
fn of_type(act: &mut Act, statement: &CreateStmt, oid: Oid) {
    let Some(name) = &statement.of_typename else {
        return;
    };
    let Some((type_oid, relation)) = act
        .world
        .find_type(&names::list(&name.names))
        .map(|t| (t.oid, t.relation))
    else {
        return;
    };
    act.names(relation);
    act.lock(relation, AccessShare, "the composite type");
    let columns = act
        .world
        .relation(relation)
        .map(|r| r.columns.clone())
        .unwrap_or_default();
    for c in columns {
        new_column::put_copy(act, oid, &c, true);
    }
    if let Some(r) = act.world.relation_mut(oid) {
        r.of_type = type_oid;
    }
    act.world
        .depend((class::RELATION, oid, 0), (class::TYPE, type_oid, 0), 'n');
}

fn add_column(
    act: &mut Act,
    oid: Oid,
    def: &protobuf::ColumnDef,
    constraints: &mut Vec<protobuf::Constraint>,
) {
    if act.world.column(oid, &def.colname).is_none() {
        new_column::put(act, oid, def, true);
    }
    new_column::make_sequence(act, oid, def);
    for node in &def.constraints {
        let Some(NodeEnum::Constraint(constraint)) = &node.node else {
            continue;
        };
        let mut whole = (**constraint).clone();
        match ConstrType::try_from(constraint.contype) {
            Ok(ConstrType::ConstrForeign) => whole.fk_attrs = vec![tree::string(&def.colname)],
            Ok(ConstrType::ConstrPrimary | ConstrType::ConstrUnique) => {
                whole.keys = vec![tree::string(&def.colname)]
            }
            Ok(ConstrType::ConstrCheck) => {}
            Ok(ConstrType::ConstrDefault) => {
                let number = act.world.column(oid, &def.colname).map_or(0, |c| c.number);
                new_column::put_default(act, oid, number, constraint.raw_expr.as_deref());
                continue;
            }
            _ => continue,
        }
        constraints.push(whole);
    }
}

/// `CREATE_TABLE_LIKE_…` (parsenodes.h).
mod including {
    pub const CONSTRAINTS: u32 = 1 << 2;
    pub const DEFAULTS: u32 = 1 << 3;
    pub const INDEXES: u32 = 1 << 6;
    pub const STATISTICS: u32 = 1 << 7;
}

/// `LIKE` (`transformTableLikeClause`): the columns. Returns the table that they come from.
fn copy_columns(act: &mut Act, oid: Oid, like: &TableLikeClause) -> Step<Oid> {
    let Some(range) = &like.relation else {
        return Ok(0);
    };
    let source = act.resolve(range)?;
    act.lock(source, AccessShare, "its columns are copied");
    let columns = act.relation(source)?.columns.clone();
    for c in columns {
        new_column::put_copy(act, oid, &c, true);
    }
    if like.options & including::DEFAULTS != 0 {
        copy_defaults(act, source);
    }
    Ok(source)
}

/// The rest of LIKE (`expandTableLikeClause`): checks, indexes and statistics, under names of their own but for
/// the checks.
fn copy_parts(act: &mut Act, oid: Oid, source: Oid, options: u32) {
    if options & including::CONSTRAINTS != 0 {
        copy_checks(act, source, oid, true, |c| c.kind == 'c');
    }
    if options & including::INDEXES != 0 {
        let indexes: Vec<Oid> = act.world.indexes.of(source).map(|i| i.oid).collect();
        for index in indexes {
            act.touch(index, AccessShare, "is copied");
            part::copy_on(act, index, oid);
        }
    }
    if options & including::STATISTICS != 0 {
        let statistics: Vec<_> = act.world.statistics.of(source).cloned().collect();
        for one in statistics {
            copy_statistics(act, oid, &one);
        }
    }
}

/// `generateClonedExtStatsStmt`, under a name that `ChooseExtendedStatisticName` would choose.
fn copy_statistics(act: &mut Act, table: Oid, model: &ExtendedStatistics) {
    let columns: Vec<i16> = model
        .columns
        .iter()
        .map(|&n| part::same_column(act, model.table, n, table))
        .collect();
    let Some(name) = act.world.relation(table).map(|r| r.name.clone()) else {
        return;
    };
    let second = part::column_names(act, table, &columns);
    let oid = act.world.new_oid();
    act.world.statistics.put(ExtendedStatistics {
        oid,
        schema: name.schema,
        name: names::object_name(&name.relation, &second, "stat"),
        table,
        columns,
    });
    act.world.depend(
        (class::STATISTICS, oid, 0),
        (class::RELATION, table, 0),
        'a',
    );
}

fn partition_key(act: &mut Act, statement: &CreateStmt, oid: Oid) {
    let Some(spec) = &statement.partspec else {
        return;
    };
    let columns: Vec<i16> = spec
        .part_params
        .iter()
        .filter_map(|p| match &p.node {
            Some(NodeEnum::PartitionElem(e)) => {
                Some(act.world.column(oid, &e.name).map_or(0, |c| c.number))
            }
            _ => None,
        })
        .collect();
    let strategy = match spec.strategy {
        1 => 'l',
        2 => 'r',
        _ => 'h',
    };
    if let Some(r) = act.world.relation_mut(oid) {
        r.partition_key = Some(PartitionKey { strategy, columns });
    }
}

/// Checks and keys first, then what LIKE brings, then foreign keys, as `transformCreateStmt` orders them.
fn add_constraints(
    act: &mut Act,
    oid: Oid,
    mut constraints: Vec<protobuf::Constraint>,
    likes: &[(Oid, u32)],
) -> Step {
    let rank = |c: &protobuf::Constraint| match ConstrType::try_from(c.contype) {
        Ok(ConstrType::ConstrCheck) => 0,
        Ok(ConstrType::ConstrPrimary) => 1,
        Ok(ConstrType::ConstrForeign) => 3,
        _ => 2,
    };
    constraints.sort_by_key(rank);
    let mut altering = nothing_to_alter();
    let (foreign, own): (Vec<_>, Vec<_>) = constraints.iter().partition(|c| rank(c) == 3);
    for constraint in own {
        constraint::add_constraint(act, &mut altering, oid, constraint, true)?;
    }
    for &(source, options) in likes {
        copy_parts(act, oid, source, options);
    }
    for constraint in foreign {
        constraint::add_constraint(act, &mut altering, oid, constraint, true)?;
    }
    Ok(())
}

/// `CREATE TABLE … AS`, `SELECT INTO`, `CREATE MATERIALIZED VIEW`
pub fn create_as(act: &mut Act, statement: &CreateTableAsStmt) -> Step {
    let Some(into) = &statement.into else {
        return Ok(());
    };
    let Some(range) = &into.rel else {
        return Ok(());
    };
    let name = act.world.new_name(range);
    let exists = act.world.find_name(&name.schema, &name.relation).is_some();
    let query = statement.query.as_ref().and_then(|q| q.node.as_ref());
    // Parse analysis comes before the name is looked at.
    if exists {
        if let Some(query) = query {
            walk::run(act, query, Stage::Parsed)?;
        }
        if statement.if_not_exists {
            return Ok(());
        }
        return refuse(format!("relation {name} already exists"));
    }
    let is_view = statement.objtype == ObjectType::ObjectMatview as i32;
    if let Some(query) = query {
        if matches!(query, NodeEnum::ExecuteStmt(_)) {
            act.opaque("what the prepared statement reads is unknown");
        } else {
            let stage = if into.skip_data {
                Stage::Parsed
            } else {
                Stage::Executed
            };
            walk::run(act, query, stage)?;
        }
    }
    let kind = if is_view {
        RelationKind::MaterializedView
    } else {
        RelationKind::Table
    };
    let oid = act.create(name, kind);
    lasts_until(act, oid, into.on_commit);
    if let Some(r) = act.world.relation_mut(oid) {
        r.is_populated = !into.skip_data;
    }
    if is_view && let Some(query) = query {
        view::put_view_rule(act, oid, query);
    }
    view::put_view_columns(act, oid, &into.col_names, query);
    Ok(())
}

/// ON COMMIT DROP
fn lasts_until(act: &mut Act, table: Oid, on_commit: i32) {
    if on_commit == OnCommitAction::OncommitDrop as i32 {
        act.world.dropped_at_commit.push(table);
    }
}

/// `REFRESH MATERIALIZED VIEW` (`ExecRefreshMatView`)
pub fn refresh(act: &mut Act, statement: &RefreshMatViewStmt) -> Step {
    let Some(range) = &statement.relation else {
        return Ok(());
    };
    let oid = act.resolve(range)?;
    let mode = if statement.concurrent {
        Exclusive
    } else {
        AccessExclusive
    };
    act.lock(oid, mode, "is filled again");
    if act.kind(oid) != RelationKind::MaterializedView {
        return refuse(format!("{} is not a materialized view", act.shown(oid)));
    }
    if statement.concurrent {
        may_refresh_concurrently(act, oid)?;
    }
    if let Some(r) = act.world.relation_mut(oid) {
        r.is_populated = !statement.skip_data;
    }
    let entries = plan::view_range(act, oid);
    if !statement.skip_data {
        for entry in &entries {
            plan::has_an_end(act, entry.relation)?;
        }
        plan::called_by_view(act, oid);
        for entry in entries {
            if entry.relation == oid {
                act.lock(oid, AccessShare, "its own query names it");
            } else {
                plan::read_through(
                    act,
                    entry.relation,
                    entry.with_children,
                    &format!("{} reads it", act.shown(oid)),
                );
            }
        }
    }
    if statement.concurrent {
        act.lock(oid, RowExclusive, "gets the rows that changed");
        plan::scan(
            act,
            oid,
            AccessShare,
            false,
            "is compared with its new rows",
        );
        plan::scan(act, oid, RowExclusive, false, "gets the rows that changed");
    } else {
        // make_new_heap
        act.lock(oid, Exclusive, "is filled again");
        super::storage::write_new_files(act, oid, "it is filled again");
    }
    act.works(oid, crate::model::LockWork::Rewrite);
    Ok(())
}

/// What CONCURRENTLY needs: rows, and a unique index on columns and on every row (`is_usable_unique_index`,
/// matview.c).
fn may_refresh_concurrently(act: &Act, oid: Oid) -> Step {
    if act.world.relation(oid).is_some_and(|r| !r.is_populated) {
        return refuse(format!(
            "{} is not populated: CONCURRENTLY cannot be used",
            act.shown(oid)
        ));
    }
    let is_usable = |i: &Index| {
        let is_whole = i.is_unique && i.is_immediate && i.is_valid && i.predicate.is_none();
        is_whole && !i.columns.contains(&0)
    };
    if !act.world.indexes.of(oid).any(is_usable) {
        return refuse(format!(
            "{} has no unique index on columns and without WHERE: it cannot be refreshed concurrently",
            act.shown(oid)
        ));
    }
    Ok(())
}

/// A new table's constraints go the way of ALTER TABLE, with nothing to check.
fn nothing_to_alter() -> Altering {
    Altering {
        mode: AccessExclusive,
        tables: BTreeMap::new(),
        recurse: true,
    }
}
