//! `REINDEX`, and what is waited for while an index is built concurrently.

use crate::migration::footprint::act::{Act, Step, refuse};
use crate::migration::footprint::index::part;
use crate::migration::footprint::names;
use crate::migration::footprint::stored;
use crate::model::class;
use crate::model::{LockMode, LockWork, Oid, RelationKind, WaitPhase};
use pg_query::NodeEnum;
use pg_query::protobuf::{ReindexObjectType, ReindexStmt};

use LockMode::{AccessExclusive, Share, ShareUpdateExclusive};

/// `REINDEX`
pub fn reindex(act: &mut Act, statement: &ReindexStmt) -> Step {
    let concurrent = statement
        .params
        .iter()
        .any(|p| matches!(&p.node, Some(NodeEnum::DefElem(e)) if e.defname == "concurrently" && names::is_on(e)));
    let kind = ReindexObjectType::try_from(statement.kind).unwrap_or(ReindexObjectType::Undefined);
    if concurrent {
        act.not_in_block("REINDEX CONCURRENTLY")?;
    }
    match (kind, &statement.relation) {
        (ReindexObjectType::ReindexObjectIndex, Some(range)) => {
            let index = act.resolve(range)?;
            reindex_index(act, index, concurrent)
        }
        (ReindexObjectType::ReindexObjectTable, Some(range)) => {
            let table = act.resolve(range)?;
            reindex_table(act, table, concurrent)
        }
        _ => {
            act.not_in_block("REINDEX of a whole schema or database")?;
            let schema =
                (kind == ReindexObjectType::ReindexObjectSchema).then(|| statement.name.clone());
            if kind == ReindexObjectType::ReindexObjectSystem {
                return Ok(());
            }
            let tables: Vec<Oid> = act
                .world
                .relations()
                .filter(|r| matches!(r.kind, RelationKind::Table | RelationKind::MaterializedView))
                .filter(|r| schema.as_ref().is_none_or(|s| &r.name.schema == s))
                .map(|r| r.oid)
                .collect();
            for table in tables {
                reindex_table(act, table, concurrent)?;
            }
            Ok(())
        }
    }
}

fn reindex_index(act: &mut Act, index: Oid, concurrent: bool) -> Step {
    let Some(table) = act.world.indexes.get(index).map(|i| i.table) else {
        return refuse(format!("{} is not an index", act.shown(index)));
    };
    let reason = format!("the table of index {}", act.shown(index));
    if act.kind(index) == RelationKind::PartitionedIndex {
        act.not_in_block("REINDEX INDEX of a partitioned index")?;
        let parts: Vec<Oid> = act
            .world
            .tree(index)
            .into_iter()
            .filter(|&i| act.kind(i) == RelationKind::Index)
            .collect();
        act.touch(
            table,
            if concurrent {
                ShareUpdateExclusive
            } else {
                Share
            },
            reason,
        );
        act.touch(
            index,
            if concurrent {
                ShareUpdateExclusive
            } else {
                AccessExclusive
            },
            "its partitions are rebuilt",
        );
        for part in parts {
            reindex_index(act, part, concurrent)?;
        }
        return Ok(());
    }
    stored::run(act, (class::RELATION, index, 0));
    if concurrent && !part::is_temporary(act, table) {
        act.lock(table, ShareUpdateExclusive, reason);
        act.lock(index, ShareUpdateExclusive, "is rebuilt concurrently");
        act.builds(table, index);
        act.works(table, LockWork::Scan);
        phases_of_reindex(act, table)?;
        act.touch(
            index,
            AccessExclusive,
            "the old one is dropped, once nobody uses it",
        );
        return Ok(());
    }
    act.lock(table, Share, reason);
    act.lock(index, AccessExclusive, "is built again");
    act.builds(table, index);
    act.works(table, LockWork::Scan);
    Ok(())
}

fn reindex_table(act: &mut Act, table: Oid, concurrent: bool) -> Step {
    if act.kind(table) == RelationKind::PartitionedTable {
        act.not_in_block("REINDEX TABLE of a partitioned table")?;
        act.touch(
            table,
            if concurrent {
                ShareUpdateExclusive
            } else {
                Share
            },
            "its partitions are indexed again",
        );
        let leaves: Vec<Oid> = act
            .world
            .tree(table)
            .into_iter()
            .filter(|&t| act.kind(t) == RelationKind::Table)
            .collect();
        for leaf in leaves {
            reindex_table(act, leaf, concurrent)?;
        }
        return Ok(());
    }
    let toast = act.world.relation(table).map_or(0, |r| r.toast);
    stored::indexes(act, table);
    if concurrent && !part::is_temporary(act, table) {
        for relation in [table, toast] {
            act.lock(
                relation,
                ShareUpdateExclusive,
                "its indexes are rebuilt concurrently",
            );
            let indexes: Vec<Oid> = act.world.indexes.of(relation).map(|i| i.oid).collect();
            for index in indexes {
                act.lock(index, ShareUpdateExclusive, "is rebuilt concurrently");
                act.builds(relation, index);
            }
        }
        act.works(table, LockWork::Scan);
        phases_of_reindex(act, table)?;
        for relation in [table, toast] {
            let indexes: Vec<Oid> = act.world.indexes.of(relation).map(|i| i.oid).collect();
            for index in indexes {
                act.touch(
                    index,
                    AccessExclusive,
                    "the old one is dropped, once nobody uses it",
                );
            }
        }
        return Ok(());
    }
    for relation in [table, toast] {
        act.lock(relation, Share, "its indexes are rebuilt");
        let indexes: Vec<Oid> = act.world.indexes.of(relation).map(|i| i.oid).collect();
        for index in indexes {
            act.lock(index, AccessExclusive, "is built again");
            act.builds(relation, index);
        }
    }
    act.works(table, LockWork::Scan);
    Ok(())
}

/// What `CREATE INDEX CONCURRENTLY` waits for: writers twice, then old snapshots.
pub fn phases_of_build(act: &mut Act, table: Oid) -> Step {
    let name = act.relation(table)?.name.clone();
    let oid = act.world.created_in(table).is_none().then_some(table);
    for _ in 0..2 {
        act.phases.push(WaitPhase::Lockers {
            oid,
            name: name.clone(),
            mode: Share,
        });
    }
    act.phases.push(WaitPhase::Snapshots);
    Ok(())
}

/// `ReindexRelationConcurrently`: writers twice, old snapshots, then everybody on the table twice.
fn phases_of_reindex(act: &mut Act, table: Oid) -> Step {
    phases_of_build(act, table)?;
    let name = act.relation(table)?.name.clone();
    let oid = act.world.created_in(table).is_none().then_some(table);
    for _ in 0..2 {
        act.phases.push(WaitPhase::Lockers {
            oid,
            name: name.clone(),
            mode: AccessExclusive,
        });
    }
    Ok(())
}
