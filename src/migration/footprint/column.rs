//! Columns: added, retyped, given defaults, identities, storage.

use super::act::{Act, Step, refuse};
use super::alter_table::{self, Altered, Altering};
use super::drop;
use super::expression;
use super::foreign_key;
use super::index;
use super::names;
use super::query;
use super::world::Object;
use crate::model::{
    Column, ColumnDefault, Constraint, DataType, LockMode, Oid, RelationKind, RelationName, class,
};
use pg_query::NodeEnum;
use pg_query::protobuf::{
    self, AlterTableCmd, AlterTableType as T, ColumnDef, ConstrType, Node, TypeName,
};

use LockMode::{AccessShare, RowExclusive, ShareRowExclusive, ShareUpdateExclusive};

/// The pseudo-types that make a sequence (`transformColumnDefinition`).
const SERIAL: &[(&str, &str)] = &[
    ("serial", "int4"),
    ("serial4", "int4"),
    ("bigserial", "int8"),
    ("serial8", "int8"),
    ("smallserial", "int2"),
    ("serial2", "int2"),
];

/// A column's constraints, sorted.
fn constraints(def: &ColumnDef) -> impl Iterator<Item = (ConstrType, &protobuf::Constraint)> {
    def.constraints.iter().filter_map(|n| match &n.node {
        Some(NodeEnum::Constraint(c)) => Some((ConstrType::try_from(c.contype).ok()?, c.as_ref())),
        _ => None,
    })
}

fn serial_base(name: &TypeName) -> Option<&'static str> {
    let parts = names::list(&name.names);
    match parts.as_slice() {
        [one] => SERIAL.iter().find(|(s, _)| s == one).map(|(_, base)| *base),
        _ => None,
    }
}

/// The type's oid as far as it is known; 0: not.
#[must_use]
pub fn type_of(act: &Act, name: &TypeName) -> Oid {
    if let Some(base) = serial_base(name) {
        return act.world.find_type(&[base.to_owned()]).map_or(0, |t| t.oid);
    }
    let found = act
        .world
        .find_type(&names::list(&name.names))
        .map(|t| t.oid);
    match found {
        Some(oid) if !name.array_bounds.is_empty() => act
            .world
            .types
            .values()
            .find(|t| t.element == oid && t.name.starts_with('_'))
            .map_or(0, |t| t.oid),
        Some(oid) => oid,
        None => 0,
    }
}

/// Whether a type is a domain with a constraint, its own or inherited (`DomainHasConstraints`).
fn has_domain_constraints(act: &Act, mut oid: Oid) -> bool {
    while let Some(t) = act.world.types.get(&oid).filter(|t| t.kind == 'd') {
        let checks = act
            .world
            .constraints
            .all()
            .any(|c| c.domain == oid && matches!(c.kind, 'c' | 'n'));
        if t.not_null || checks {
            return true;
        }
        oid = t.base;
    }
    false
}

/// Puts a column into the world, without anything it may lock.
pub fn put(act: &mut Act, table: Oid, def: &ColumnDef, is_local: bool) -> i16 {
    let type_oid = def.type_name.as_ref().map_or(0, |t| type_of(act, t));
    let not_null = def.is_not_null
        || !def.identity.is_empty()
        || def.type_name.as_ref().and_then(serial_base).is_some()
        || constraints(def).any(|(k, _)| {
            matches!(
                k,
                ConstrType::ConstrNotnull | ConstrType::ConstrPrimary | ConstrType::ConstrIdentity
            )
        });
    let modifier = def.type_name.as_ref().map_or(-1, modifier_of);
    let identity = constraints(def)
        .find(|(k, _)| *k == ConstrType::ConstrIdentity)
        .map_or(String::new(), |(_, c)| c.generated_when.clone());
    let generated = constraints(def)
        .find(|(k, _)| *k == ConstrType::ConstrGenerated)
        .map_or(String::new(), |(_, c)| {
            if c.generated_kind == "v" {
                "v".into()
            } else {
                "s".into()
            }
        });
    put_raw(
        act,
        table,
        &def.colname,
        type_oid,
        modifier,
        not_null,
        identity,
        generated,
        is_local,
    )
}

#[allow(clippy::too_many_arguments)]
fn put_raw(
    act: &mut Act,
    table: Oid,
    name: &str,
    type_oid: Oid,
    type_modifier: i32,
    not_null: bool,
    identity: String,
    generated: String,
    is_local: bool,
) -> i16 {
    let Some(relation) = act.world.relation_mut(table) else {
        return 0;
    };
    // Numbers of dropped columns are not known; numbers given here are ours alone.
    let number = relation.columns.iter().map(|c| c.number).max().unwrap_or(0) + 1;
    relation.columns.push(Column {
        number,
        name: name.to_owned(),
        type_oid,
        type_modifier,
        not_null,
        identity,
        generated,
        is_local,
        inherited: i32::from(!is_local),
        collation: 0,
    });
    if type_oid >= crate::model::FIRST_NORMAL_OID {
        look_at_row_types(act, type_oid);
        act.world.depend(
            (class::RELATION, table, i32::from(number)),
            (class::TYPE, type_oid, 0),
            'n',
        );
    }
    number
}

/// The row types in the type of a new column are opened (`CheckAttributeType`, heap.c).
pub fn look_at_row_types(act: &mut Act, type_oid: Oid) {
    for composite in composites(act, type_oid) {
        if act.world.keeps_row_types() {
            act.lock(composite, AccessShare, "is the row type of a column");
        } else {
            act.touch(composite, AccessShare, "is the row type of a column");
        }
    }
}

/// The relations of the composite types in a type: its own, those of its elements, of the type under a
/// domain, and of its columns (`CheckAttributeType`).
#[must_use]
pub fn composites(act: &Act, type_oid: Oid) -> Vec<Oid> {
    let mut found = Vec::new();
    let mut types = vec![type_oid];
    let mut next = 0;
    while next < types.len() {
        let inner: Vec<Oid> = match act.world.types.get(&types[next]) {
            Some(t) if t.kind == 'c' => {
                found.push(t.relation);
                let columns = act.world.relation(t.relation).map(|r| &r.columns);
                columns.into_iter().flatten().map(|c| c.type_oid).collect()
            }
            Some(t) if t.kind == 'd' => vec![t.base],
            Some(t) if t.element != 0 => vec![t.element],
            _ => Vec::new(),
        };
        next += 1;
        for one in inner {
            if !types.contains(&one) {
                types.push(one);
            }
        }
    }
    found
}

/// Puts a copy of a column into another table.
pub fn put_copy(act: &mut Act, table: Oid, column: &Column, is_local: bool) {
    put_raw(
        act,
        table,
        &column.name,
        column.type_oid,
        column.type_modifier,
        column.not_null,
        column.identity.clone(),
        column.generated.clone(),
        is_local,
    );
}

/// Puts a column of a query's result into a table or view.
pub fn put_output(act: &mut Act, table: Oid, column: &super::output::Output) {
    put_raw(
        act,
        table,
        &column.name,
        column.type_oid,
        column.type_modifier,
        false,
        String::new(),
        String::new(),
        true,
    );
}

/// Puts a default into the world, with the functions and sequences it needs.
pub fn put_default(act: &mut Act, table: Oid, column: i16, expression: Option<&Node>) {
    let oid = act.world.new_oid();
    act.world.defaults.put(ColumnDefault { oid, table, column });
    act.world.depend(
        (class::DEFAULT, oid, 0),
        (class::RELATION, table, i32::from(column)),
        'a',
    );
    if let Some(expression) = expression
        && let Ok(tree) = serde_json::to_value(expression)
    {
        for sequence in expression::depends_on(act, &tree, "a default comes to use it") {
            act.world.depend(
                (class::DEFAULT, oid, 0),
                (class::RELATION, sequence, 0),
                'n',
            );
        }
    }
}

/// `varchar(10)` → 14, `numeric(10,2)` → 655366: as `atttypmod`.
#[must_use]
pub fn modifier_of(name: &TypeName) -> i32 {
    let numbers: Vec<i32> = name
        .typmods
        .iter()
        .filter_map(|n| match &n.node {
            Some(NodeEnum::AConst(c)) => match &c.val {
                Some(protobuf::a_const::Val::Ival(i)) => Some(i.ival),
                _ => None,
            },
            _ => None,
        })
        .collect();
    let last = names::list(&name.names).pop().unwrap_or_default();
    match (last.as_str(), numbers.as_slice()) {
        ("varchar" | "bpchar", [n]) => n + 4,
        ("numeric", [p]) => (p << 16) + 4,
        ("numeric", [p, s]) => ((p << 16) | (s & 0x7ff)) + 4,
        ("bit" | "varbit" | "timestamp" | "timestamptz" | "time" | "timetz", [n]) => *n,
        ("bpchar", []) => 5,
        ("bit", []) => 1,
        (_, []) => -1,
        _ => -2,
    }
}

/// What makes a new column write every row (`ATExecAddColumn`): a value for each row that is not one
/// constant for all.
fn rewrites_on_add(act: &Act, def: &ColumnDef) -> Option<String> {
    if def.type_name.as_ref().and_then(serial_base).is_some() {
        return Some("every row gets a number".to_owned());
    }
    for (kind, constraint) in constraints(def) {
        match kind {
            ConstrType::ConstrIdentity => return Some("every row gets a number".to_owned()),
            ConstrType::ConstrGenerated if constraint.generated_kind != "v" => {
                return Some("a stored generated column".to_owned());
            }
            ConstrType::ConstrDefault => {
                if let Some(expr) = &constraint.raw_expr
                    && expression::is_volatile(act, expr)
                {
                    return Some("its default is volatile".to_owned());
                }
            }
            _ => {}
        }
    }
    let type_oid = def.type_name.as_ref().map_or(0, |t| type_of(act, t));
    if has_domain_constraints(act, type_oid) {
        return Some("its type is a domain with constraints".to_owned());
    }
    None
}

/// `ADD COLUMN` (`ATExecAddColumn`)
pub fn add(
    act: &mut Act,
    altering: &mut Altering,
    oid: Oid,
    def: &ColumnDef,
    missing_ok: bool,
) -> Step {
    let has_children = !act.world.children(oid).is_empty();
    if act.world.column(oid, &def.colname).is_some() {
        if missing_ok {
            return Ok(());
        }
        return refuse(format!(
            "column {} of {} already exists",
            def.colname,
            act.shown(oid)
        ));
    }
    if has_children && !altering.recurse {
        return refuse("column must be added to child tables too");
    }
    let why = rewrites_on_add(act, def);
    let checks = constraints(def).any(|(k, _)| k == ConstrType::ConstrCheck);
    let has_default = constraints(def).any(|(k, c)| {
        k == ConstrType::ConstrDefault && !c.raw_expr.as_deref().is_some_and(query::is_null)
            || matches!(k, ConstrType::ConstrIdentity | ConstrType::ConstrGenerated)
    }) || def.type_name.as_ref().and_then(serial_base).is_some();
    for (_, constraint) in constraints(def) {
        if let Some(expr) = &constraint.raw_expr {
            expression::check(act, oid, expr);
        }
    }
    for table in tables_to_add_to(act, altering, oid, &def.colname) {
        let number = if act.world.column(table, &def.colname).is_none() {
            put(act, table, def, table == oid)
        } else {
            0
        };
        if number != 0 && has_default {
            let expr = constraints(def)
                .find(|(k, _)| *k == ConstrType::ConstrDefault)
                .and_then(|(_, c)| c.raw_expr.clone());
            put_default(act, table, number, expr.as_deref());
        }
        let altered = altering.table(table);
        altered.scan |= checks;
        if let Some(why) = &why {
            altered.rewrite = Some(why.clone());
        }
    }
    for table in typed_tables(act, altering, oid)? {
        put(act, table, def, true);
    }
    make_sequence(act, oid, def);
    for (kind, constraint) in constraints(def) {
        let mut whole = constraint.clone();
        let own = vec![string(&def.colname)];
        match kind {
            ConstrType::ConstrForeign => {
                whole.fk_attrs = own;
                // Nothing to check: the new column is NULL everywhere.
                let unchecked = !has_raw_default(def);
                foreign_key::add(act, altering, oid, &whole, unchecked)?;
            }
            ConstrType::ConstrPrimary | ConstrType::ConstrUnique => {
                whole.keys = own;
                alter_table::add_constraint(act, altering, oid, &whole, false)?;
            }
            ConstrType::ConstrCheck => {
                alter_table::add_constraint(act, altering, oid, &whole, false)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// A child that has the column already is opened, those below it are not (`ATExecAddColumn`).
fn tables_to_add_to(act: &mut Act, altering: &Altering, oid: Oid, name: &str) -> Vec<Oid> {
    let mut found = vec![oid];
    if altering.recurse {
        let mut next = 0;
        while next < found.len() {
            let table = found[next];
            next += 1;
            if table != oid && act.world.column(table, name).is_some() {
                continue;
            }
            for child in act.world.children(table) {
                act.lock(
                    child,
                    altering.mode,
                    format!("a child of {}, which gets a column", act.shown(table)),
                );
                if !found.contains(&child) {
                    found.push(child);
                }
            }
        }
    }
    found
}

/// Whether the column's definition says a default of any kind, NULL included
/// (`transformAlterTableStmt`: then a foreign key is checked).
fn has_raw_default(def: &ColumnDef) -> bool {
    def.type_name.as_ref().and_then(serial_base).is_some()
        || constraints(def)
            .any(|(k, _)| matches!(k, ConstrType::ConstrDefault | ConstrType::ConstrGenerated))
}

/// A string node.
pub fn string(text: &str) -> Node {
    Node {
        node: Some(NodeEnum::String(protobuf::String {
            sval: text.to_owned(),
        })),
    }
}

/// The sequence of a serial or identity column.
pub fn make_sequence(act: &mut Act, table: Oid, def: &ColumnDef) {
    let identity = constraints(def).any(|(k, _)| k == ConstrType::ConstrIdentity);
    if !identity && def.type_name.as_ref().and_then(serial_base).is_none() {
        return;
    }
    let Some(relation) = act.world.relation(table) else {
        return;
    };
    let table_name = relation.name.clone();
    let number = i32::from(
        relation
            .columns
            .iter()
            .find(|c| c.name == def.colname)
            .map_or(0, |c| c.number),
    );
    let name = super::index::unused_name(act, &table_name, &def.colname, "seq");
    let sequence = act.create(
        RelationName::new(table_name.schema, name),
        RelationKind::Sequence,
    );
    // process_owned_by, sequence.c
    act.lock(
        table,
        AccessShare,
        "one of its columns comes to own a sequence",
    );
    act.world.depend(
        (class::RELATION, sequence, 0),
        (class::RELATION, table, number),
        if identity { 'i' } else { 'a' },
    );
}

/// `NOT NULL` for a column: a scan, unless a valid CHECK proves it.
pub fn require_not_null(act: &mut Act, altering: &mut Altering, table: Oid, name: &str) {
    let Some(column) = act.world.column(table, name).cloned() else {
        return;
    };
    let proven = act.world.constraints.of(table).any(|c| {
        c.kind == 'c'
            && c.is_validated
            && c.columns == [column.number]
            && c.expression
                .as_deref()
                .is_none_or(|e| e.starts_with("{NULLTEST") && e.contains(":nulltesttype 1"))
    });
    if !column.not_null && !proven {
        altering.table(table).scan = true;
    }
    if let Some(c) = act.world.column_mut(table, &column.name) {
        c.not_null = true;
    }
}

/// `SET STORAGE`, `SET COMPRESSION`: every index that has the column is opened with the same mode
/// (`SetIndexStorageProperties`).
pub fn set_storage(
    act: &mut Act,
    altering: &mut Altering,
    oid: Oid,
    name: &str,
    recurses: bool,
) -> Step {
    alter_table::column_number(act, oid, name)?;
    let tables = if recurses {
        alter_table::recursion(act, altering, oid)
    } else {
        vec![oid]
    };
    for table in tables {
        let indexes: Vec<Oid> = act.world.indexes.of(table).map(|i| i.oid).collect();
        let number = act.world.column(table, name).map_or(0, |c| c.number);
        for index in indexes {
            let has_it = act
                .world
                .indexes
                .get(index)
                .is_some_and(|i| i.columns.contains(&number));
            let why = if has_it {
                "has the column, and is stored alike"
            } else {
                "is looked at for the column"
            };
            act.touch(index, altering.mode, why);
        }
    }
    Ok(())
}

/// `ADD|SET|DROP IDENTITY`
pub fn identity(
    act: &mut Act,
    altering: &mut Altering,
    oid: Oid,
    kind: T,
    cmd: &AlterTableCmd,
) -> Step {
    let number = i32::from(alter_table::column_number(act, oid, &cmd.name)?);
    if act.version() >= 17 && act.kind(oid) == RelationKind::PartitionedTable {
        alter_table::recursion(act, altering, oid);
    }
    let sequences: Vec<Oid> = act
        .world
        .below((class::RELATION, oid, number))
        .filter(|d| d.kind == 'i' && act.world.kind(d.oid) == Some(RelationKind::Sequence))
        .map(|d| d.oid)
        .collect();
    match kind {
        T::AtSetIdentity => {
            for sequence in sequences {
                for mode in [ShareRowExclusive, RowExclusive] {
                    act.lock(sequence, mode, "the sequence of the identity column");
                }
            }
        }
        T::AtDropIdentity => {
            let has_identity = act
                .world
                .column(oid, &cmd.name)
                .is_some_and(|c| !c.identity.is_empty());
            if !has_identity && !cmd.missing_ok {
                return refuse(format!("column {} is not an identity column", cmd.name));
            }
            for sequence in sequences {
                act.world
                    .undepend((class::RELATION, sequence), (class::RELATION, oid));
                drop::delete(
                    act,
                    &[(class::RELATION, sequence, 0)],
                    false,
                    "the sequence of the identity column goes",
                )?;
            }
            set_identity(act, oid, &cmd.name, "");
        }
        _ => {
            set_identity(act, oid, &cmd.name, "d");
            let def = ColumnDef {
                colname: cmd.name.clone(),
                constraints: vec![Node {
                    node: Some(NodeEnum::Constraint(Box::new(protobuf::Constraint {
                        contype: ConstrType::ConstrIdentity as i32,
                        ..protobuf::Constraint::default()
                    }))),
                }],
                ..ColumnDef::default()
            };
            make_sequence(act, oid, &def);
        }
    }
    Ok(())
}

fn set_identity(act: &mut Act, oid: Oid, name: &str, identity: &str) {
    if let Some(c) = act.world.column_mut(oid, name) {
        identity.clone_into(&mut c.identity);
    }
}

/// `SET EXPRESSION` (17), `DROP EXPRESSION`
pub fn expression(
    act: &mut Act,
    altering: &mut Altering,
    oid: Oid,
    kind: T,
    cmd: &AlterTableCmd,
) -> Step {
    alter_table::column_number(act, oid, &cmd.name)?;
    for table in alter_table::recursion(act, altering, oid) {
        let Some(column) = act.world.column(table, &cmd.name).cloned() else {
            continue;
        };
        if kind == T::AtSetExpression {
            if column.generated == "s" {
                altering.table(table).rewrite = Some("a stored column is computed anew".to_owned());
            }
            depend_on_column(act, altering, table, column.number, true)?;
        } else if let Some(c) = act.world.column_mut(table, &cmd.name) {
            c.generated.clear();
        }
    }
    if let Some(expr) = &cmd.def {
        expression::check(act, oid, expr);
    }
    Ok(())
}

// ---- ALTER COLUMN TYPE ----------------------------------------------------------------------------

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
    alter_table::column_number(act, oid, name)?;
    let tables = alter_table::recursion(act, altering, oid);
    if let Some(using) = &def.raw_default {
        expression::check(act, oid, using);
    }
    let Some(type_name) = &def.type_name else {
        return Ok(());
    };
    let typed = typed_tables(act, altering, oid)?;
    for table in tables.into_iter().chain(typed) {
        let Some(column) = act.world.column(table, name).cloned() else {
            continue;
        };
        let new_type = type_of(act, type_name);
        let new_modifier = modifier_of(type_name);
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
        look_at_row_types(act, new_type);
        if let Some(c) = act.world.column_mut(table, name) {
            c.type_oid = new_type;
            c.type_modifier = new_modifier;
            c.collation = collation.unwrap_or(c.collation);
        }
    }
    Ok(())
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

/// A default is stored anew with its column's type, with what it depends on.
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

/// Tables OF a composite type follow it with CASCADE (`ATTypedTableRecursion`).
pub fn typed_tables(act: &mut Act, altering: &mut Altering, oid: Oid) -> Step<Vec<Oid>> {
    let row_type = act.relation(oid)?.row_type;
    if act.kind(oid) != RelationKind::CompositeType || row_type == 0 {
        return Ok(Vec::new());
    }
    let typed: Vec<Oid> = act
        .world
        .relations()
        .filter(|r| r.of_type == row_type)
        .map(|r| r.oid)
        .collect();
    let mut found = Vec::new();
    for table in typed {
        for below in act.world.tree(table) {
            act.lock(
                below,
                altering.mode,
                format!("is a table of {}", act.shown(oid)),
            );
            found.push(below);
        }
    }
    Ok(found)
}

/// `RememberAllDependentForRebuilding`: what has to be taken away and made again, or stands in the way.
fn depend_on_column(
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
        return Some("USING computes every value anew".to_owned());
    }
    let old = act.world.types.get(&column.type_oid);
    let new = act.world.types.get(&new_type);
    let (Some(old), Some(new)) = (old, new) else {
        return Some(format!(
            "its type becomes {}",
            names::list(&type_name.names).join(".")
        ));
    };
    let (old_base, old_modifier) = base_of(act, old, column.type_modifier);
    if has_domain_constraints(act, new_type) && old.oid != new.oid {
        return Some("its new type is a domain with constraints".to_owned());
    }
    let (new_base, new_modifier) = base_of(act, new, new_modifier);
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
        let base = act.world.types.get(&oid).map(|t| base_of(act, t, -1).0);
        match base {
            Some("varchar") => Some("text"),
            Some("cidr") => Some("inet"),
            other => other,
        }
    };
    old == new || base(old).is_some() && base(old) == base(new)
}

/// The type under all domains.
fn base_of<'t>(act: &'t Act, mut t: &'t DataType, mut modifier: i32) -> (&'t str, i32) {
    while t.kind == 'd' {
        modifier = t.base_modifier;
        match act.world.types.get(&t.base) {
            Some(base) => t = base,
            None => break,
        }
    }
    (&t.name, modifier)
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
    let indexes: Vec<index::Remade> = noted
        .iter()
        .flat_map(|a| &a.indexes)
        .chain(
            constraints
                .iter()
                .filter(|c| c.kind != 'f')
                .map(|c| &c.index),
        )
        .filter_map(|&i| index::Remade::of(act, i))
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
            act.lock(index.oid(), AccessShare, "is looked at, and kept as it is");
        } else {
            altering.table(index.table()).scan = true;
        }
    }
    drop::delete(
        act,
        &objects,
        true,
        "has the retyped column, and is built again",
    )?;
    for index in indexes {
        index.put_back(act);
    }
    for one in statistics {
        act.lock(
            one.table,
            ShareUpdateExclusive,
            format!("statistics {} are made again", one.name),
        );
        act.world.statistics.put(one);
    }
    for constraint in constraints {
        if constraint.has_comment && constraint.is_local {
            act.lock(
                constraint.table,
                AccessShare,
                format!(
                    "the comment on constraint {} is made again",
                    constraint.name
                ),
            );
        }
        if constraint.is_deferrable && matches!(constraint.kind, 'p' | 'u' | 'x') {
            index::checked_later(act, constraint.table);
        }
        match constraint.kind {
            'f' if constraint.is_local => {
                let checks = checks_again(&noted, altering, &constraint);
                foreign_key::again(act, altering, &constraint, checks)?;
            }
            'c' | 'n' => {
                altering.table(constraint.table).scan = true;
                alter_table::put_constraint(act, constraint);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a foreign key that is made again is checked again (`TryReuseForeignKey`, and `old_check_ok` in
/// `ATAddForeignKeyConstraint`): when a table is written anew for it, or other operators compare its columns.
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
