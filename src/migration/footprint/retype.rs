//! `ALTER COLUMN … TYPE`: what is rewritten, and what is taken away and made again.

use super::act::{Act, Step, refuse};
use super::altering::{Altered, Altering};
use super::index::{part, remade};
use super::stored;
use super::types;
use super::world::Object;
use super::{altering, drop, expression, foreign_key, names};
use crate::model::{Column, Constraint, LockMode, Oid, RelationKind, class};
use pg_query::NodeEnum;
use pg_query::protobuf::{ColumnDef, Node, TypeName};

use LockMode::{AccessShare, RowExclusive, ShareRowExclusive, ShareUpdateExclusive};

/// Collations that every server has under these oids (`pg_collation.dat`).
const DEFAULT_COLLATION: Oid = 100;

const PINNED_COLLATIONS: [(&str, Oid); 3] =
    [("default", DEFAULT_COLLATION), ("C", 950), ("POSIX", 951)];

/// The collation that a retyped column gets, where it is another one than before. One of another name is
/// taken for the same: its oid is not known here.
fn new_collation(column: &Column, def: &ColumnDef) -> Option<Oid> {
    let before = column.collation;
    let after = match def.coll_clause.as_ref().and_then(|c| c.collname.last()) {
        None => DEFAULT_COLLATION,
        Some(node) => {
            let named = names::list(std::slice::from_ref(node)).pop()?;
            PINNED_COLLATIONS.iter().find(|c| c.0 == named)?.1
        }
    };
    // 0: of a type without collations, or made in this very migration.
    (before != 0 && before != after).then_some(after)
}

/// `ALTER COLUMN … TYPE` (`ATPrepAlterColumnType`, `ATExecAlterColumnType`)
pub fn alter_type(
    act: &mut Act,
    altering: &mut Altering,
    oid: Oid,
    name: &str,
    def: &ColumnDef,
) -> Step {
    altering::column_number(act, oid, name)?;
    let tables = altering::recursion(act, altering, oid);
    if let Some(using) = &def.raw_default {
        expression::check(act, oid, using);
    }
    let Some(type_name) = &def.type_name else {
        return Ok(());
    };
    let typed = altering::typed_tables(act, altering, oid)?;
    for table in tables.into_iter().chain(typed) {
        let Some(column) = act.world.column(table, name).cloned() else {
            continue;
        };
        let new_type = types::type_of(act, type_name);
        let new_modifier = types::modifier_of(type_name);
        // A partitioned table has nothing to write, but its indexes are not kept then either.
        let may_rewrite = matches!(
            act.kind(table),
            RelationKind::Table | RelationKind::MaterializedView | RelationKind::PartitionedTable
        );
        if may_rewrite
            && let Some(why) =
                rewrites_on_retype(act, &column, new_type, new_modifier, type_name, def)
        {
            altering.table(table).rewrite = Some(why);
        }
        if !same_operators(act, column.type_oid, new_type) {
            altering.table(table).other_operators.push(column.number);
        }
        let collation = new_collation(&column, def);
        if collation.is_some() {
            altering.table(table).other_collations.push(column.number);
        }
        depend_on_column(act, altering, table, column.number, false)?;
        sequences_of_retyped(act, table, column.number);
        types::look_at_row_types(act, new_type);
        leave_old_type(act, table, column.number, new_type);
        stored::domain(act, new_type);
        if let Some(c) = act.world.column_mut(table, name) {
            c.type_oid = new_type;
            c.type_modifier = new_modifier;
            c.collation = collation.unwrap_or(c.collation);
        }
    }
    Ok(())
}

/// The column depends on its new type and no longer on the old one, and so does its default, which is stored
/// again (`ATExecAlterColumnType`).
fn leave_old_type(act: &mut Act, table: Oid, number: i16, new_type: Oid) {
    let column = i32::from(number);
    let is_of_type = |class| matches!(class, class::TYPE | class::COLLATION);
    act.world.undepend_column(table, column, &is_of_type);
    let defaults = act.world.defaults.of(table);
    let of_column: Vec<Oid> = defaults
        .filter(|d| d.column == number)
        .map(|d| d.oid)
        .collect();
    for default in of_column {
        let types = act.world.above((class::DEFAULT, default, 0));
        let types: Vec<Oid> = types
            .filter(|d| d.on_class == class::TYPE)
            .map(|d| d.on_oid)
            .collect();
        for old in types {
            act.world
                .undepend((class::DEFAULT, default), (class::TYPE, old));
        }
        act.world.depend(
            (class::DEFAULT, default, 0),
            (class::TYPE, new_type, 0),
            'n',
        );
    }
    act.world.depend(
        (class::RELATION, table, column),
        (class::TYPE, new_type, 0),
        'n',
    );
}

/// Before all passes: the sequence of an identity column gets the column's new type (`ATParseTransformCmd`
/// makes an ALTER SEQUENCE of it).
pub fn retype_identity(act: &mut Act, oid: Oid, name: &str) {
    let tables = act.world.tree(oid);
    for table in tables {
        let Some(number) = act.world.column(table, name).map(|c| c.number) else {
            continue;
        };
        let of_identity: Vec<Oid> = act
            .world
            .below((class::RELATION, table, i32::from(number)))
            .filter(|d| d.kind == 'i' && act.world.kind(d.oid) == Some(RelationKind::Sequence))
            .map(|d| d.oid)
            .collect();
        for sequence in of_identity {
            for mode in [ShareRowExclusive, RowExclusive] {
                act.lock(sequence, mode, "the sequence of the identity column");
            }
        }
    }
}

/// A default is stored again with its column's type, with what it depends on.
fn sequences_of_retyped(act: &mut Act, table: Oid, number: i16) {
    let default = act
        .world
        .defaults
        .of(table)
        .find(|d| d.column == number)
        .map(|d| d.oid);
    let used: Vec<Oid> = default
        .into_iter()
        .flat_map(|d| act.world.above((class::DEFAULT, d, 0)))
        .filter(|d| d.on_class == class::RELATION && d.on_oid != table)
        .map(|d| d.on_oid)
        .collect();
    for relation in used {
        act.depends_on(relation, "the column's default uses it");
    }
}

/// `RememberAllDependentForRebuilding`: what has to be taken away and made again, or prevents it.
pub fn depend_on_column(
    act: &mut Act,
    altering: &mut Altering,
    table: Oid,
    number: i16,
    expression_only: bool,
) -> Step {
    let dependents: Vec<_> = act
        .world
        .below((class::RELATION, table, i32::from(number)))
        .copied()
        .collect();
    for d in dependents {
        match d.class {
            class::RELATION if act.kind(d.oid).is_index() => {
                note_index(act, altering, table, d.oid)
            }
            class::CONSTRAINT => note_constraint(act, altering, table, d.oid),
            class::STATISTICS => {
                let list = &mut altering.table(table).statistics;
                if !list.contains(&d.oid) {
                    list.push(d.oid);
                }
            }
            class::RULE => {
                return refuse("cannot alter type of a column used by a view or rule");
            }
            class::TRIGGER if !act.world.triggers.get(d.oid).is_some_and(|t| t.is_internal) => {
                return refuse("cannot alter type of a column used in a trigger definition");
            }
            class::POLICY if act.version() < 19 => {
                return refuse("cannot alter type of a column used in a policy definition");
            }
            class::DEFAULT if !expression_only => {
                let own = act
                    .world
                    .defaults
                    .get(d.oid)
                    .is_some_and(|a| a.table == table && a.column == number);
                if !own {
                    return refuse("cannot alter type of a column used by a generated column");
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn note_index(act: &Act, altering: &mut Altering, table: Oid, index: Oid) {
    let constraint = act
        .world
        .constraints
        .of(table)
        .find(|c| c.index == index && matches!(c.kind, 'p' | 'u' | 'x'))
        .map(|c| c.oid);
    match constraint {
        Some(constraint) => note_constraint(act, altering, table, constraint),
        None => {
            let list = &mut altering.table(table).indexes;
            if !list.contains(&index) {
                list.push(index);
            }
        }
    }
}

fn note_constraint(act: &Act, altering: &mut Altering, table: Oid, constraint: Oid) {
    if act
        .world
        .constraints
        .get(constraint)
        .is_some_and(|c| c.kind == 'n')
    {
        return;
    }
    let list = &mut altering.table(table).constraints;
    if !list.contains(&constraint) {
        list.push(constraint);
    }
    // An index's constraint drags the foreign keys that lean on the index.
    let index = act
        .world
        .constraints
        .get(constraint)
        .filter(|c| c.kind != 'f')
        .map_or(0, |c| c.index);
    if index != 0 {
        for key in act
            .world
            .constraints
            .all()
            .filter(|c| c.kind == 'f' && c.index == index)
        {
            let list = &mut altering.table(table).constraints;
            if !list.contains(&key.oid) {
                list.push(key.oid);
            }
        }
    }
}

/// Whether a change of type writes every row (`ATColumnChangeRequiresRewrite`).
fn rewrites_on_retype(
    act: &Act,
    column: &Column,
    new_type: Oid,
    new_modifier: i32,
    type_name: &TypeName,
    def: &ColumnDef,
) -> Option<String> {
    if let Some(using) = &def.raw_default
        && !is_plain_cast(using, &column.name)
    {
        return Some("USING computes every value again".to_owned());
    }
    let old = act.world.types.get(&column.type_oid);
    let new = act.world.types.get(&new_type);
    let (Some(old), Some(new)) = (old, new) else {
        return Some(format!(
            "its type becomes {}",
            names::list(&type_name.names).join(".")
        ));
    };
    let (old_base, old_modifier) = types::base_of(act, old, column.type_modifier);
    if types::has_domain_constraints(act, new_type) && old.oid != new.oid {
        return Some("its new type is a domain with constraints".to_owned());
    }
    let (new_base, new_modifier) = types::base_of(act, new, new_modifier);
    let free = binary_compatible(act, old_base, new_base)
        && widens(new_base, old_base, old_modifier, new_modifier);
    (!free).then(|| {
        format!(
            "values of {} do not stay as they are as {}",
            old.name, new.name
        )
    })
}

/// Whether two types are indexed by the same operator class (`GetDefaultOpClass`).
fn same_operators(act: &Act, old: Oid, new: Oid) -> bool {
    let base = |oid: Oid| {
        let base = act
            .world
            .types
            .get(&oid)
            .map(|t| types::base_of(act, t, -1).0);
        match base {
            Some("varchar") => Some("text"),
            Some("cidr") => Some("inet"),
            other => other,
        }
    };
    old == new || base(old).is_some() && base(old) == base(new)
}

/// Casts that change nothing (`pg_cast.castmethod = 'b'`), timestamps in UTC.
const BINARY: &[(&str, &str)] = &[
    ("varchar", "text"),
    ("text", "varchar"),
    ("cidr", "inet"),
    ("bit", "varbit"),
    ("varbit", "bit"),
    ("xml", "text"),
    ("xml", "varchar"),
    ("int4", "oid"),
    ("oid", "int4"),
    ("int4", "regclass"),
    ("oid", "regclass"),
    ("regclass", "oid"),
    ("regclass", "int4"),
    ("citext", "text"),
    ("citext", "varchar"),
    ("text", "citext"),
    ("varchar", "citext"),
];

fn binary_compatible(act: &Act, old: &str, new: &str) -> bool {
    old == new
        || BINARY.contains(&(old, new))
        || act.world.session.utc
            && matches!(
                (old, new),
                ("timestamp", "timestamptz") | ("timestamptz", "timestamp")
            )
}

/// Whether the new length or precision holds all that the old one held (the types' support functions).
fn widens(new: &str, old: &str, from: i32, to: i32) -> bool {
    // No modifier is no coercion.
    if new == old && (from == to || to == -1) {
        return true;
    }
    match new {
        "text" | "citext" => true,
        "varchar" => to == -1 || (old == "varchar" && from != -1 && to >= from),
        "varbit" => to == -1 || (old == "varbit" && from != -1 && to >= from),
        "numeric" => {
            let parts = |m: i32| (((m - 4) >> 16) & 0xffff, (m - 4) & 0x7ff);
            to == -1 || (from != -1 && parts(from).1 == parts(to).1 && parts(to).0 >= parts(from).0)
        }
        "timestamp" | "timestamptz" | "time" | "timetz" | "interval" => {
            to == -1 || to >= 6 || (from != -1 && to >= from)
        }
        _ => to == -1 && from == -1,
    }
}

/// `USING c` or `USING c::type`.
fn is_plain_cast(using: &Node, column: &str) -> bool {
    match &using.node {
        Some(NodeEnum::ColumnRef(c)) => names::list(&c.fields).last().is_some_and(|n| n == column),
        Some(NodeEnum::TypeCast(c)) => c.arg.as_ref().is_some_and(|a| is_plain_cast(a, column)),
        _ => false,
    }
}

/// `ATPostAlterTypeCleanup`: constraints, indexes and statistics that were noted go, all at once, and
/// come back with new oids.
pub fn rebuild(act: &mut Act, altering: &mut Altering) -> Step {
    let noted: Vec<Altered> = altering.tables.values().cloned().collect();
    for altered in altering.tables.values_mut() {
        altered.constraints.clear();
        altered.indexes.clear();
        altered.statistics.clear();
    }
    let constraints: Vec<Constraint> = noted
        .iter()
        .flat_map(|a| &a.constraints)
        .filter_map(|&c| act.world.constraints.get(c).cloned())
        .collect();
    let indexes: Vec<remade::Remade> = noted
        .iter()
        .flat_map(|a| &a.indexes)
        .chain(
            constraints
                .iter()
                .filter(|c| c.kind != 'f')
                .map(|c| &c.index),
        )
        .filter_map(|&i| remade::Remade::of(act, i))
        .collect();
    let statistics: Vec<_> = noted
        .iter()
        .flat_map(|a| &a.statistics)
        .filter_map(|&s| act.world.statistics.get(s).cloned())
        .collect();
    let mut objects: Vec<Object> = Vec::new();
    objects.extend(constraints.iter().map(|c| (class::CONSTRAINT, c.oid, 0)));
    objects.extend(
        noted
            .iter()
            .flat_map(|a| &a.indexes)
            .map(|&i| (class::RELATION, i, 0)),
    );
    objects.extend(statistics.iter().map(|s| (class::STATISTICS, s.oid, 0)));
    if objects.is_empty() {
        return Ok(());
    }
    for index in &indexes {
        let altered = altering.table(index.table());
        let is_kept = index.is_reusable(&altered.other_operators)
            && index.is_reusable(&altered.other_collations);
        if altered.rewrite.is_none() && is_kept {
            // CheckIndexCompatible, indexcmds.c
            act.lock(index.oid(), AccessShare, "is checked, and kept as it is");
        } else {
            altering.table(index.table()).scan = true;
        }
    }
    for constraint in constraints.iter().filter(|c| c.kind == 'c') {
        stored::run(act, (class::CONSTRAINT, constraint.oid, 0));
    }
    for index in &indexes {
        stored::run(act, (class::RELATION, index.oid(), 0));
    }
    drop::delete(
        act,
        &objects,
        true,
        "has the retyped column, and is rebuilt",
    )?;
    for index in indexes {
        index.put_back(act);
    }
    for one in statistics {
        act.lock(
            one.table,
            ShareUpdateExclusive,
            format!("statistics {} are recreated", one.name),
        );
        act.world.statistics.put(one);
    }
    for constraint in constraints {
        if constraint.has_comment && constraint.is_local {
            act.lock(
                constraint.table,
                AccessShare,
                format!("the comment on constraint {} is recreated", constraint.name),
            );
        }
        if constraint.is_deferrable && matches!(constraint.kind, 'p' | 'u' | 'x') {
            part::checked_later(act, constraint.table);
        }
        match constraint.kind {
            'f' if constraint.is_local => {
                let checks = checks_again(&noted, altering, &constraint);
                foreign_key::again(act, altering, &constraint, checks)?;
            }
            'c' | 'n' => {
                altering.table(constraint.table).scan = true;
                altering::put_constraint(act, constraint);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a foreign key that is made again is checked again (`TryReuseForeignKey`, and `old_check_ok` in
/// `ATAddForeignKeyConstraint`): when a table is rewritten for it, or other operators compare its columns.
fn checks_again(noted: &[Altered], altering: &mut Altering, key: &Constraint) -> bool {
    let rewritten = noted
        .iter()
        .any(|a| a.constraints.contains(&key.oid) && a.rewrite.is_some());
    let mut compares_otherwise = |table: Oid, columns: &[i16]| {
        let other = &altering.table(table).other_operators;
        columns.iter().any(|c| other.contains(c))
    };
    let otherwise = compares_otherwise(key.table, &key.columns)
        || compares_otherwise(key.referenced, &key.referenced_columns);
    rewritten || otherwise || altering.table(key.table).rewrite.is_some()
}
