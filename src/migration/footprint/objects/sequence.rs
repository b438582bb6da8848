//! Sequences.

use crate::migration::footprint::act::{Act, Step, refuse};
use crate::migration::footprint::{altering, names};
use crate::model::{LockMode, Oid, RelationKind, class};
use pg_query::NodeEnum;
use pg_query::protobuf::{AlterSeqStmt, CreateSeqStmt, Node};

use LockMode::{AccessShare, RowExclusive, ShareRowExclusive};

/// The table of `OWNED BY table.column` among a sequence's options.
fn owner_of(act: &mut Act, options: &[Node]) -> Step<Option<(Oid, i16)>> {
    for option in options {
        let Some(NodeEnum::DefElem(e)) = &option.node else {
            continue;
        };
        if e.defname != "owned_by" {
            continue;
        }
        let mut parts = e.arg.as_deref().map(names::strings).unwrap_or_default();
        let column = parts.pop().unwrap_or_default();
        if parts.is_empty() {
            return Ok(None);
        }
        let table = act.resolve(&names::range_var(&parts))?;
        act.lock(
            table,
            AccessShare,
            "one of its columns will own the sequence",
        );
        let number = altering::column_number(act, table, &column)?;
        return Ok(Some((table, number)));
    }
    Ok(None)
}

/// `CREATE SEQUENCE`
pub fn create_sequence(act: &mut Act, statement: &CreateSeqStmt) -> Step {
    let Some(range) = &statement.sequence else {
        return Ok(());
    };
    let name = act.world.new_name(range);
    if act.world.find_name(&name.schema, &name.relation).is_some() {
        if statement.if_not_exists {
            return Ok(());
        }
        return refuse(format!("relation {name} already exists"));
    }
    let oid = act.create(name, RelationKind::Sequence);
    if let Some((table, column)) = owner_of(act, &statement.options)? {
        act.world.depend(
            (class::RELATION, oid, 0),
            (class::RELATION, table, i32::from(column)),
            'a',
        );
    }
    Ok(())
}

/// `ALTER SEQUENCE` (`AlterSequence`)
pub fn alter_sequence(act: &mut Act, statement: &AlterSeqStmt) -> Step {
    let Some(range) = &statement.sequence else {
        return Ok(());
    };
    let Some(oid) = act.found(range, statement.missing_ok)? else {
        return Ok(());
    };
    act.lock(oid, ShareRowExclusive, "is altered");
    if act.kind(oid) != RelationKind::Sequence {
        return refuse(format!("{} is not a sequence", act.shown(oid)));
    }
    act.lock(oid, RowExclusive, "is altered");
    let owns = statement
        .options
        .iter()
        .any(|o| matches!(&o.node, Some(NodeEnum::DefElem(e)) if e.defname == "owned_by"));
    let owner = owner_of(act, &statement.options)?;
    if owns {
        let old: Vec<Oid> = act
            .world
            .above((class::RELATION, oid, 0))
            .filter(|d| d.on_class == class::RELATION && d.kind == 'a')
            .map(|d| d.on_oid)
            .collect();
        for table in old {
            act.world
                .undepend((class::RELATION, oid), (class::RELATION, table));
        }
        if let Some((table, column)) = owner {
            act.world.depend(
                (class::RELATION, oid, 0),
                (class::RELATION, table, i32::from(column)),
                'a',
            );
        }
    }
    Ok(())
}
