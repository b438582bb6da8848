//! `CREATE TABLE` in all its forms: what exists already is locked for its sake.

use super::act::{Act, Step, refuse};
use super::altering::Altering;
use super::objects::view;
use super::query::walk::Stage;
use super::query::{plan, walk};
use super::{altering, constraint, names, new_column, partition, tree};
use crate::model::{Inheritance, LockMode, Oid, PartitionKey, RelationKind, class};
use pg_query::protobuf::{
    ConstrType, CreateStmt, CreateTableAsStmt, ObjectType, RefreshMatViewStmt, TableLikeClause,
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
    for element in statement.table_elts.iter().chain(&statement.constraints) {
        match &element.node {
            Some(NodeEnum::ColumnDef(def)) => add_column(act, oid, def, &mut constraints),
            Some(NodeEnum::Constraint(c)) => constraints.push((**c).clone()),
            Some(NodeEnum::TableLikeClause(like)) => copy_columns(act, oid, like)?,
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
        partition::create_of(act, &mut nothing_to_alter(), parent, oid, bound.is_default)?;
    }
    add_constraints(act, oid, constraints)
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
            act.lock(
                parent,
                AccessShare,
                format!("is looked at for column {key}"),
            );
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
    let checks: Vec<_> = act
        .world
        .constraints
        .of(parent)
        .filter(|c| matches!(c.kind, 'c' | 'n') && !c.no_inherit)
        .cloned()
        .collect();
    for check in checks {
        let oid = act.world.new_oid();
        altering::put_constraint(
            act,
            crate::model::Constraint {
                oid,
                table: child,
                is_local: false,
                inherited: 1,
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

/// `LIKE` (`transformTableLikeClause`).
fn copy_columns(act: &mut Act, oid: Oid, like: &TableLikeClause) -> Step {
    let Some(range) = &like.relation else {
        return Ok(());
    };
    let source = act.resolve(range)?;
    act.lock(source, AccessShare, "its columns are copied");
    let columns = act.relation(source)?.columns.clone();
    for c in columns {
        new_column::put_copy(act, oid, &c, true);
    }
    // CREATE_TABLE_LIKE_DEFAULTS
    if like.options & (1 << 3) != 0 {
        copy_defaults(act, source);
    }
    // CREATE_TABLE_LIKE_INDEXES
    if like.options & (1 << 6) != 0 {
        let indexes: Vec<Oid> = act.world.indexes.of(source).map(|i| i.oid).collect();
        for index in indexes {
            act.touch(index, AccessShare, "is copied");
        }
    }
    Ok(())
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

/// Keys first, then checks, then foreign keys, as `transformCreateStmt` orders them.
fn add_constraints(act: &mut Act, oid: Oid, mut constraints: Vec<protobuf::Constraint>) -> Step {
    let rank = |c: &protobuf::Constraint| match ConstrType::try_from(c.contype) {
        Ok(ConstrType::ConstrCheck) => 0,
        Ok(ConstrType::ConstrPrimary) => 1,
        Ok(ConstrType::ConstrForeign) => 3,
        _ => 2,
    };
    constraints.sort_by_key(rank);
    let mut altering = nothing_to_alter();
    for constraint in &constraints {
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
            act.opaque("what the prepared statement reads cannot be told");
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
    if is_view && let Some(query) = query {
        view::put_view_rule(act, oid, query);
    }
    view::put_view_columns(act, oid, &into.col_names, query);
    Ok(())
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
    act.lock(oid, mode, "is filled anew");
    if act.kind(oid) != RelationKind::MaterializedView {
        return refuse(format!("{} is not a materialized view", act.shown(oid)));
    }
    let entries: Vec<_> = act
        .world
        .rules
        .of(oid)
        .filter(|r| r.event == '1')
        .flat_map(|r| r.range.clone())
        .collect();
    if !statement.skip_data {
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
        act.lock(oid, Exclusive, "is filled anew");
        super::storage::written_anew(act, oid, "it is filled anew");
    }
    act.works(oid, crate::model::LockWork::Rewrite);
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
