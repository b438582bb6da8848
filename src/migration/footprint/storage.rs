//! Where and how a table is stored: options, tablespace, access method, persistence, rewriting.

use super::act::{Act, Step};
use super::altering::{Altered, Altering};
use super::stored;
use super::types;
use crate::model::{Index, LockMode, LockWork, Oid, RelationKind};
use pg_query::NodeEnum;
use pg_query::protobuf::Node;

use LockMode::{AccessExclusive, Share, ShareUpdateExclusive};

/// Options whose change needs ACCESS EXCLUSIVE; all others need SHARE UPDATE EXCLUSIVE
/// (`relOpts` in reloptions.c). Matched by bare name, whatever the relation is.
const STRONG_OPTIONS: &[&str] = &[
    "user_catalog_table",
    "security_barrier",
    "security_invoker",
    "check_option",
    "autosummarize",
    "pages_per_range",
    "fastupdate",
    "gin_pending_list_limit",
    "buffering",
];

/// The mode for `SET (…)` and `RESET (…)` (`AlterTableGetRelOptionsLockLevel`).
#[must_use]
pub fn options_level(options: &[Node]) -> LockMode {
    let strong = options.iter().any(|o| {
        matches!(&o.node, Some(NodeEnum::DefElem(e)) if STRONG_OPTIONS.contains(&e.defname.to_lowercase().as_str()))
    });
    if strong || options.is_empty() {
        AccessExclusive
    } else {
        ShareUpdateExclusive
    }
}

/// `ATExecSetRelOptions`: the TOAST table is opened with the same mode, whichever option it is.
pub fn set_options(act: &mut Act, mode: LockMode, oid: Oid) {
    let toast = act.world.relation(oid).map_or(0, |r| r.toast);
    act.lock(
        toast,
        mode,
        format!("the TOAST table of {}", act.shown(oid)),
    );
}

/// `SET LOGGED`, `SET UNLOGGED`
pub fn set_persistence(
    act: &mut Act,
    altering: &mut Altering,
    oid: Oid,
    persistence: char,
) -> Step {
    if act.relation(oid)?.persistence == persistence {
        return Ok(());
    }
    if act.kind(oid) == RelationKind::Sequence {
        act.lock(oid, LockMode::RowExclusive, "is stored otherwise");
    }
    let altered = altering.table(oid);
    altered.rewrite = Some("its persistence changes".to_owned());
    altered.persistence = Some(persistence);
    if let Some(r) = act.world.relation_mut(oid) {
        r.persistence = persistence;
    }
    Ok(())
}

/// `SET ACCESS METHOD`
pub fn set_access_method(act: &mut Act, altering: &mut Altering, oid: Oid, name: &str) -> Step {
    let relation = act.relation(oid)?;
    let changes = relation.access_method.as_deref().unwrap_or("heap")
        != if name.is_empty() { "heap" } else { name };
    if changes && relation.kind != RelationKind::PartitionedTable {
        altering.table(oid).rewrite = Some("its access method changes".to_owned());
    }
    if let Some(r) = act.world.relation_mut(oid) {
        r.access_method = Some(name.to_owned());
    }
    Ok(())
}

/// `SET TABLESPACE`: the files of the table and its TOAST table are copied, indexes stay
/// (`ATExecSetTableSpace`).
pub fn set_tablespace(act: &mut Act, altering: &mut Altering, oid: Oid, name: &str) -> Step {
    let relation = act.relation(oid)?;
    let wanted = (name != "pg_default").then(|| name.to_owned());
    let has_storage = !matches!(
        relation.kind,
        RelationKind::PartitionedTable | RelationKind::PartitionedIndex
    );
    if relation.tablespace != wanted && has_storage {
        altering.table(oid).moves = true;
    }
    if let Some(r) = act.world.relation_mut(oid) {
        r.tablespace = wanted;
    }
    Ok(())
}

/// The TOAST table and its index.
pub fn toast_of(act: &Act, oid: Oid) -> Vec<Oid> {
    let toast = act.world.relation(oid).map_or(0, |r| r.toast);
    if toast == 0 {
        return Vec::new();
    }
    let mut found = vec![toast];
    found.extend(act.world.indexes.of(toast).map(|i| i.oid));
    found
}

/// `ATRewriteTables`: a table that is rewritten, or whose files move.
pub fn rewrite(act: &mut Act, altering: &Altering, oid: Oid, altered: &Altered) {
    let has_storage = matches!(
        act.kind(oid),
        RelationKind::Table | RelationKind::MaterializedView | RelationKind::Toast
    );
    if let Some(why) = &altered.rewrite
        && has_storage
    {
        write_new_files(act, oid, why);
        if let Some(persistence) = altered.persistence
            && act.version() >= 15
        {
            sequences(act, altering, oid, persistence);
        }
        act.works(oid, LockWork::Rewrite);
    } else if altered.moves {
        // ATExecSetTableSpace
        for toast in toast_of(act, oid) {
            act.lock(
                toast,
                altering.mode,
                format!("moves with {}", act.shown(oid)),
            );
        }
        act.moves(oid);
    }
}

/// `finish_heap_swap` (cluster.c): the old TOAST table goes, every index is built again
/// (`reindex_relation`, which asks for SHARE on the table).
pub fn write_new_files(act: &mut Act, oid: Oid, why: &str) {
    act.lock(oid, Share, format!("is rewritten: {why}"));
    let table = act.shown(oid);
    for toast in toast_of(act, oid) {
        act.lock(
            toast,
            AccessExclusive,
            format!("the old TOAST table of {table}"),
        );
    }
    let indexes: Vec<Oid> = act.world.indexes.of(oid).map(|i| i.oid).collect();
    for index in indexes {
        act.lock(
            index,
            AccessExclusive,
            format!("is built again with {table}: {why}"),
        );
    }
    stored::indexes(act, oid);
    renew_toast(act, oid);
    // make_new_heap: its columns are checked like those of any new table.
    let types: Vec<Oid> = act
        .world
        .relation(oid)
        .map(|r| r.columns.iter().map(|c| c.type_oid).collect())
        .unwrap_or_default();
    for type_oid in types {
        types::look_at_row_types(act, type_oid);
    }
}

/// The new files come with a TOAST table of their own, which takes the old one's name (`swap_relation_files`).
fn renew_toast(act: &mut Act, oid: Oid) {
    let toast = act.world.relation(oid).map_or(0, |r| r.toast);
    let indexes: Vec<Index> = act.world.indexes.of(toast).cloned().collect();
    let Some(new) = act.renews(toast) else {
        return;
    };
    for index in indexes {
        if let Some(oid) = act.renews(index.oid) {
            act.world.indexes.put(Index {
                oid,
                table: new,
                ..index
            });
        }
    }
    if let Some(relation) = act.world.relation_mut(oid) {
        relation.toast = new;
    }
}

/// Owned sequences follow the table's persistence (`SequenceChangePersistence`, 15).
fn sequences(act: &mut Act, altering: &Altering, oid: Oid, persistence: char) {
    for sequence in owned_sequences(act, oid) {
        for mode in [altering.mode, LockMode::RowExclusive] {
            act.lock(sequence, mode, format!("is owned by {}", act.shown(oid)));
        }
        if let Some(r) = act.world.relation_mut(sequence) {
            r.persistence = persistence;
        }
    }
}

/// The sequences that columns of a table own (`getOwnedSequences`).
pub fn owned_sequences(act: &Act, oid: Oid) -> Vec<Oid> {
    let mut found: Vec<Oid> = act
        .world
        .below((crate::model::class::RELATION, oid, 0))
        .filter(|d| {
            d.class == crate::model::class::RELATION
                && d.on_column > 0
                && matches!(d.kind, 'a' | 'i')
                && act.world.kind(d.oid) == Some(RelationKind::Sequence)
        })
        .map(|d| d.oid)
        .collect();
    found.dedup();
    found
}
