//! Publications and extended statistics.

use crate::migration::footprint::act::{Act, Step, refuse};
use crate::migration::footprint::{listed, names};
use crate::model::{ExtendedStatistics, LockMode, Oid, PublicationTable, RelationKind, class};
use pg_query::protobuf::{
    AlterPublicationStmt, CreatePublicationStmt, CreateStatsStmt, Node, RangeVar,
};
use pg_query::{NodeEnum, protobuf};

use LockMode::ShareUpdateExclusive;

fn publication_tables(objects: &[Node]) -> Vec<RangeVar> {
    objects
        .iter()
        .filter_map(|n| match &n.node {
            Some(NodeEnum::PublicationObjSpec(s)) => s.pubtable.as_ref()?.relation.clone(),
            _ => None,
        })
        .collect()
}

/// `OpenTableList` (publicationcmds.c): children of a plain parent too, partitions not.
fn open_published(act: &mut Act, ranges: &[RangeVar], missing_ok: bool) -> Step<Vec<Oid>> {
    let mut opened = Vec::new();
    for range in ranges {
        let Some(oid) = act.find(range) else {
            if missing_ok {
                continue;
            }
            return act.missing(range);
        };
        let tree = if range.inh && act.kind(oid) != RelationKind::PartitionedTable {
            act.world.tree(oid)
        } else {
            vec![oid]
        };
        for table in tree {
            act.lock(table, ShareUpdateExclusive, "is published, or no longer");
            opened.push(table);
        }
    }
    Ok(opened)
}

fn publish(act: &mut Act, name: &str, table: Oid) {
    let oid = act.world.new_oid();
    act.world.publications.put(PublicationTable {
        oid,
        table,
        publication: name.to_owned(),
    });
}

/// `CREATE PUBLICATION`
pub fn create_publication(act: &mut Act, statement: &CreatePublicationStmt) -> Step {
    listed::put(
        act,
        class::PUBLICATION,
        std::slice::from_ref(&statement.pubname),
    );
    for table in open_published(act, &publication_tables(&statement.pubobjects), false)? {
        publish(act, &statement.pubname, table);
    }
    Ok(())
}

/// `ALTER PUBLICATION … ADD|SET|DROP TABLE`
pub fn alter_publication(act: &mut Act, statement: &AlterPublicationStmt) -> Step {
    let tables = open_published(act, &publication_tables(&statement.pubobjects), false)?;
    let action = protobuf::AlterPublicationAction::try_from(statement.action);
    let old: Vec<PublicationTable> = act
        .world
        .publications
        .all()
        .filter(|p| p.publication == statement.pubname)
        .cloned()
        .collect();
    match action {
        Ok(protobuf::AlterPublicationAction::ApSetObjects) if !statement.pubobjects.is_empty() => {
            for one in old.iter().filter(|p| !tables.contains(&p.table)) {
                // AlterPublicationTables: tables that fall out of the list.
                act.lock(one.table, ShareUpdateExclusive, "is no longer published");
                act.world.forget((class::PUBLICATION_RELATION, one.oid, 0));
            }
            for table in tables {
                publish(act, &statement.pubname, table);
            }
        }
        Ok(protobuf::AlterPublicationAction::ApDropObjects) => {
            for one in old.iter().filter(|p| tables.contains(&p.table)) {
                act.world.forget((class::PUBLICATION_RELATION, one.oid, 0));
            }
        }
        _ => {
            for table in tables {
                if old.iter().any(|p| p.table == table) {
                    return refuse(format!(
                        "{} is already in publication {}",
                        act.shown(table),
                        statement.pubname
                    ));
                }
                publish(act, &statement.pubname, table);
            }
        }
    }
    Ok(())
}

/// `CREATE STATISTICS`
pub fn statistics(act: &mut Act, statement: &CreateStatsStmt) -> Step {
    for node in &statement.relations {
        let Some(NodeEnum::RangeVar(range)) = &node.node else {
            continue;
        };
        let table = act.resolve(range)?;
        act.lock(table, ShareUpdateExclusive, "gets extended statistics");
        let oid = act.world.new_oid();
        act.world.statistics.put(ExtendedStatistics {
            oid,
            schema: act.world.creation_schema(),
            name: names::list(&statement.defnames).pop().unwrap_or_default(),
            table,
            columns: Vec::new(),
        });
        act.world.depend(
            (class::STATISTICS, oid, 0),
            (class::RELATION, table, 0),
            'a',
        );
    }
    Ok(())
}
