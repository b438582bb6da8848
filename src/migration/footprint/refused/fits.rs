//! What does not fit together: types without a cast, values without a column, keys without the partition key.

use super::columns;
use crate::migration::footprint::act::{Act, Step, refuse};
use crate::migration::footprint::world::World;
use crate::migration::footprint::{names, tree, types};
use crate::migration::parts;
use crate::model::{DataType, Oid, RelationKind, quoted};
use pg_query::protobuf::{
    AlterTableCmd, AlterTableStmt, AlterTableType as T, ColumnDef, ConstrType, Constraint,
    CreateStmt, IndexStmt, InsertStmt, Node,
};
use pg_query::{NodeEnum as N, NodeRef};

/// Refuses a statement whose parts do not fit.
pub fn together(act: &Act, node: &N) -> Step {
    match node {
        N::AlterTableStmt(s) => alter_table(act, s),
        N::CreateStmt(s) => new_table(act, s),
        N::IndexStmt(s) => index(act, s),
        N::InsertStmt(s) => insert(act, s),
        _ => Ok(()),
    }
}

fn alter_table(act: &Act, statement: &AlterTableStmt) -> Step {
    let Some(table) = statement.relation.as_ref().and_then(|r| act.world.find(r)) else {
        return Ok(());
    };
    let Some((kind, cmd)) = tree::only_command(statement) else {
        return Ok(());
    };
    match (kind, cmd.def.as_ref().and_then(|d| d.node.as_ref())) {
        // An attribute of a composite type has no rows to cast.
        (T::AtAlterColumnType, Some(N::ColumnDef(def)))
            if act.kind(table) != RelationKind::CompositeType =>
        {
            retype(act, table, cmd, def)
        }
        (T::AtAddIdentity, _) => identity(act, table, cmd),
        (T::AtAddConstraint, Some(N::Constraint(new))) => {
            let columns: Vec<Oid> = names::list(&new.fk_attrs)
                .iter()
                .map(|name| act.world.column(table, name).map_or(0, |c| c.type_oid))
                .collect();
            foreign_key(act, new, &columns)?;
            using_index(act, table, new)?;
            unique_with_partition_key(act, table, new, &names::list(&new.keys))
        }
        (T::AtAddColumn, Some(N::ColumnDef(def))) => {
            let of = def.type_name.as_ref().map_or(0, |t| types::type_of(act, t));
            column_constraints(def).try_for_each(|new| foreign_key(act, new, &[of]))
        }
        _ => Ok(()),
    }
}

fn column_constraints(def: &ColumnDef) -> impl Iterator<Item = &Constraint> {
    def.constraints.iter().filter_map(|c| match &c.node {
        Some(N::Constraint(c)) => Some(c.as_ref()),
        _ => None,
    })
}

/// `ADD GENERATED … AS IDENTITY` (`ATExecAddIdentity`)
fn identity(act: &Act, table: Oid, cmd: &AlterTableCmd) -> Step {
    let Some(column) = act.world.column(table, &cmd.name) else {
        return Ok(());
    };
    // Of a table that the migration makes, not every NOT NULL may be known.
    let may_be_null = act.world.created_in(table).is_none() && !column.not_null;
    let mut indexes = act.world.indexes.of(table);
    let in_key = indexes.any(|i| i.is_primary && i.columns.contains(&column.number));
    match !may_be_null || in_key || !column.identity.is_empty() {
        true => Ok(()),
        false => refuse(format!(
            "column {} of {} must be NOT NULL before it can be an identity column",
            quoted(&cmd.name),
            act.shown(table)
        )),
    }
}

// ---- types --------------------------------------------------------------------------------------

/// `ALTER COLUMN … TYPE` without USING: an assignment must do it (`ATPrepAlterColumnType`, `coerce_to_target_type`).
fn retype(act: &Act, table: Oid, cmd: &AlterTableCmd, def: &ColumnDef) -> Step {
    let to = def.type_name.as_ref().map_or(0, |t| types::type_of(act, t));
    let column = act.world.column(table, &cmd.name);
    let (Some(column), None) = (column, &def.raw_default) else {
        return Ok(());
    };
    match assigns(act, column.type_oid, to) {
        Some(false) => refuse(format!(
            "column {} of {} cannot be cast to {} automatically: say how with USING",
            quoted(&cmd.name),
            act.shown(table),
            act.world
                .types
                .get(&to)
                .map_or("it", |t| types::written(&t.name))
        )),
        _ => Ok(()),
    }
}

/// A type that casts are found for by its own oid alone: no domain, array, row, range.
fn plain<'a>(act: &'a Act, oid: Oid) -> Option<&'a DataType> {
    let found = act.world.types.get(&oid)?;
    let is_plain = matches!(found.kind, 'b' | 'e') && found.element == 0 && found.category != '\0';
    is_plain.then_some(found)
}

/// Whether a value of one type can be assigned to another (`find_coercion_pathway`, parse_coerce.c); `None`: not known.
fn assigns(act: &Act, from: Oid, to: Oid) -> Option<bool> {
    let (source, target) = (plain(act, from)?, plain(act, to)?);
    // What the migration itself makes has no casts yet, but may get some.
    if !act.world.is_listed(from) || !act.world.is_listed(to) || act.world.has_new_casts {
        return None;
    }
    // Anything is assigned to a string through its output function.
    Some(source.oid == target.oid || target.category == 'S' || cast(act, from, to, "ia")?)
}

/// Whether `pg_cast` has a cast of one of these contexts.
fn cast(act: &Act, from: Oid, to: Oid, contexts: &str) -> Option<bool> {
    let casts = &act.world.named.as_ref()?.casts;
    let fits =
        |c: &crate::model::Cast| c.from == from && c.to == to && contexts.contains(c.context);
    Some(casts.iter().any(fits))
}

/// Types of one operator family compare with each other (`integer_ops`, `float_ops`, `datetime_ops`; pg_amop.dat).
const COMPARED: &[&[&str]] = &[
    &["int2", "int4", "int8"],
    &["float4", "float8"],
    &["date", "timestamp", "timestamptz"],
];

/// A foreign key compares its columns with those that it references (`ATAddForeignKeyConstraint`).
fn foreign_key(act: &Act, new: &Constraint, columns: &[Oid]) -> Step {
    let range = new
        .pktable
        .as_ref()
        .filter(|_| new.contype == ConstrType::ConstrForeign as i32);
    let Some(referenced) = range.and_then(|r| act.world.find(r)) else {
        return Ok(());
    };
    for (from, to) in columns.iter().zip(referenced_types(act, referenced, new)) {
        let (Some(one), Some(other)) = (plain(act, *from), plain(act, to)) else {
            continue;
        };
        // Types of extensions may be compared by operators of their own.
        let is_own = |t: &DataType| !World::is_catalog(t.oid) && t.kind != 'e';
        let are_compared = one.oid == other.oid
            || COMPARED.iter().any(|family| {
                family.contains(&one.name.as_str()) && family.contains(&other.name.as_str())
            })
            || (one.category == 'S' && other.category == 'S');
        if are_compared || is_own(one) || is_own(other) || act.world.has_new_casts {
            continue;
        }
        if cast(act, *from, to, "i") == Some(false) {
            return refuse(format!(
                "a foreign key cannot compare {} with {}, the type of the referenced column",
                types::written(&one.name),
                types::written(&other.name)
            ));
        }
    }
    Ok(())
}

fn referenced_types(act: &Act, referenced: Oid, new: &Constraint) -> Vec<Oid> {
    let named = names::list(&new.pk_attrs);
    let relation = act.world.relation(referenced);
    if !named.is_empty() {
        let of = |name: &String| act.world.column(referenced, name).map_or(0, |c| c.type_oid);
        return named.iter().map(of).collect();
    }
    let primary = act.world.indexes.of(referenced).find(|i| i.is_primary);
    let Some((primary, relation)) = primary.zip(relation) else {
        return Vec::new();
    };
    let of = |number: &i16| {
        let column = relation.columns.iter().find(|c| c.number == *number);
        column.map_or(0, |c| c.type_oid)
    };
    primary.columns.iter().map(of).collect()
}

/// `ADD CONSTRAINT … USING INDEX` (`transformIndexConstraint`, parse_utilcmd.c)
fn using_index(act: &Act, table: Oid, new: &Constraint) -> Step {
    let mut indexes = act.world.indexes.of(table);
    let named = indexes.find(|i| {
        let relation = act.world.relation(i.oid);
        relation.is_some_and(|r| r.name.relation == new.indexname)
    });
    match named.filter(|index| !index.is_unique) {
        Some(index) => refuse(format!("index {} is not unique", act.shown(index.oid))),
        None => Ok(()),
    }
}

// ---- partitions ---------------------------------------------------------------------------------

/// A unique key of a partitioned table has its partition key in it (`DefineIndex`, indexcmds.c).
fn unique_with_partition_key(act: &Act, table: Oid, new: &Constraint, keys: &[String]) -> Step {
    let kind = ConstrType::try_from(new.contype).unwrap_or(ConstrType::Undefined);
    match kind {
        ConstrType::ConstrPrimary | ConstrType::ConstrUnique if new.indexname.is_empty() => {
            has_partition_key(act, table, keys)
        }
        _ => Ok(()),
    }
}

fn has_partition_key(act: &Act, table: Oid, keys: &[String]) -> Step {
    let relation = act.world.relation(table);
    let partition_key = relation
        .filter(|r| r.kind == RelationKind::PartitionedTable)
        .and_then(|r| r.partition_key.as_ref());
    let (Some(relation), Some(partition_key)) = (relation, partition_key) else {
        return Ok(());
    };
    let name = |number: &i16| {
        let column = relation.columns.iter().find(|c| c.number == *number);
        column.map(|c| c.name.clone())
    };
    let missing = partition_key
        .columns
        .iter()
        .find(|number| name(number).is_none_or(|name| !keys.contains(&name)));
    match missing {
        Some(number) => refuse(format!(
            "a unique key of the partitioned table {} must have its partition key in it{}",
            act.shown(table),
            name(number).map_or(String::new(), |name| format!(
                ": {} is missing",
                quoted(&name)
            ))
        )),
        None => Ok(()),
    }
}

fn index(act: &Act, statement: &IndexStmt) -> Step {
    let table = statement.relation.as_ref().and_then(|r| act.world.find(r));
    let Some(table) = table.filter(|_| statement.unique) else {
        return Ok(());
    };
    let keys: Vec<String> = statement
        .index_params
        .iter()
        .filter_map(|p| match &p.node {
            Some(N::IndexElem(element)) => Some(element.name.clone()),
            _ => None,
        })
        .collect();
    has_partition_key(act, table, &keys)
}

/// The same of a table in the making, and its foreign keys.
fn new_table(act: &Act, statement: &CreateStmt) -> Step {
    let mut columns: Vec<(&str, Oid)> = Vec::new();
    let mut keys: Vec<(&Constraint, Vec<String>)> = Vec::new();
    for element in &statement.table_elts {
        match &element.node {
            Some(N::ColumnDef(def)) => {
                let of = def.type_name.as_ref().map_or(0, |t| types::type_of(act, t));
                columns.push((&def.colname, of));
                for new in column_constraints(def) {
                    foreign_key(act, new, &[of])?;
                    keys.push((new, vec![def.colname.clone()]));
                }
            }
            Some(N::Constraint(new)) => keys.push((new, names::list(&new.keys))),
            _ => {}
        }
    }
    for (new, _) in &keys {
        let of = |name: &String| {
            let column = columns.iter().find(|(known, _)| known == name);
            column.map_or(0, |(_, of)| *of)
        };
        let of: Vec<Oid> = names::list(&new.fk_attrs).iter().map(of).collect();
        foreign_key(act, new, &of)?;
    }
    let Some(partition) = &statement.partspec else {
        return Ok(());
    };
    let wanted: Vec<String> = partition
        .part_params
        .iter()
        .filter_map(|p| match &p.node {
            Some(N::PartitionElem(key)) => Some(key.name.clone()),
            _ => None,
        })
        .collect();
    for (new, key) in keys {
        let kind = ConstrType::try_from(new.contype).unwrap_or(ConstrType::Undefined);
        let is_unique = matches!(kind, ConstrType::ConstrPrimary | ConstrType::ConstrUnique);
        if is_unique && wanted.iter().any(|column| !key.contains(column)) {
            return refuse("a unique key of a partitioned table must have its partition key in it");
        }
    }
    Ok(())
}

// ---- rows ---------------------------------------------------------------------------------------

/// `INSERT … VALUES`: as many values as columns, labels that the enum has, and a key for ON CONFLICT.
fn insert(act: &Act, statement: &InsertStmt) -> Step {
    let columns = tree::columns_set(&statement.cols);
    let table = statement.relation.as_ref().and_then(|r| act.world.find(r));
    let Some(table) = table else {
        return Ok(());
    };
    if !act.kind(table).is_table() {
        return Ok(());
    }
    let all = act.world.relation(table).map_or(0, |r| r.columns.len());
    for row in tree::values(statement.select_stmt.as_deref()) {
        // `(x).*` stands for several values.
        if row.iter().any(is_several) {
            continue;
        }
        let why = match (columns.len(), row.len()) {
            (0, values) if values > all && act.world.created_in(table).is_none() => "columns",
            (0, _) => continue,
            (named, values) if values > named => "columns",
            (named, values) if values < named => "values",
            _ => continue,
        };
        return refuse(format!(
            "INSERT into {} has too few {why}: {} values for {} columns",
            act.shown(table),
            row.len(),
            if columns.is_empty() {
                all
            } else {
                columns.len()
            }
        ));
    }
    conflict(act, table, statement)
}

fn is_several(value: &Node) -> bool {
    matches!(value.node, Some(N::AIndirection(_) | N::ColumnRef(_)))
        && parts::all(value).any(|n| matches!(n, NodeRef::AStar(_)))
}

/// ON CONFLICT (columns): a unique key of just these columns (`infer_arbiter_indexes`, plancat.c).
fn conflict(act: &Act, table: Oid, statement: &InsertStmt) -> Step {
    let clause = statement.on_conflict_clause.as_ref();
    let infer = clause.and_then(|c| c.infer.as_ref());
    // Of a table that the migration makes, not every index may be known.
    let infer = infer.filter(|_| act.world.created_in(table).is_none());
    let Some(infer) = infer.filter(|i| i.conname.is_empty() && !i.index_elems.is_empty()) else {
        return Ok(());
    };
    let named: Option<Vec<String>> = infer
        .index_elems
        .iter()
        .map(|e| match &e.node {
            Some(N::IndexElem(e)) if !e.name.is_empty() => Some(e.name.clone()),
            _ => None,
        })
        .collect();
    let Some(mut named) = named else {
        return Ok(());
    };
    columns::are_in(act, statement.relation.as_ref(), &named)?;
    let number = |name: &String| act.world.column(table, name).map(|c| c.number);
    let Some(mut wanted) = named
        .drain(..)
        .map(|n| number(&n))
        .collect::<Option<Vec<i16>>>()
    else {
        return Ok(());
    };
    wanted.sort_unstable();
    wanted.dedup();
    let fits = |index: &crate::model::Index| {
        let keys = usize::try_from(index.key_columns).unwrap_or(0);
        let mut columns: Vec<i16> = index.columns.iter().take(keys).copied().collect();
        columns.sort_unstable();
        columns.dedup();
        index.is_unique && columns == wanted
    };
    match act.world.indexes.of(table).any(fits) {
        true => Ok(()),
        false => refuse(format!(
            "{} has no unique key of the columns in ON CONFLICT",
            act.shown(table)
        )),
    }
}
