//! Columns: added, retyped, given defaults, identities, storage.

use super::act::{Act, Step, refuse};
use super::altering::Altering;
use super::stored;
use super::types;
use super::{altering, constraint, drop, expression, foreign_key, new_column, retype, tree};
use crate::model::{LockMode, Oid, RelationKind, class};
use pg_query::protobuf::{AlterTableCmd, AlterTableType as T, ColumnDef, ConstrType, Node};
use pg_query::{NodeEnum, protobuf};

use LockMode::{RowExclusive, ShareRowExclusive};

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
    let why = new_column::rewrites_on_add(act, def);
    let checks = new_column::constraints(def).any(|(k, _)| k == ConstrType::ConstrCheck);
    let has_default = new_column::constraints(def).any(|(k, c)| {
        k == ConstrType::ConstrDefault && !c.raw_expr.as_deref().is_some_and(tree::is_null)
            || matches!(k, ConstrType::ConstrIdentity | ConstrType::ConstrGenerated)
    }) || def
        .type_name
        .as_ref()
        .and_then(types::serial_base)
        .is_some();
    if let Some(name) = &def.type_name {
        let type_oid = types::type_of(act, name);
        stored::domain(act, type_oid);
    }
    for table in tables_to_add_to(act, altering, oid, &def.colname) {
        let number = if act.world.column(table, &def.colname).is_none() {
            new_column::put(act, table, def, table == oid)
        } else {
            0
        };
        if number != 0 && has_default {
            let expr = new_column::constraints(def)
                .find(|(k, _)| *k == ConstrType::ConstrDefault)
                .and_then(|(_, c)| c.raw_expr.clone());
            new_column::put_default(act, table, number, expr.as_deref());
        }
        let altered = altering.table(table);
        altered.scan |= checks;
        if let Some(why) = &why {
            altered.rewrite = Some(why.clone());
        }
    }
    // The rows are written at the end (ATRewriteTables).
    for (_, constraint) in new_column::constraints(def) {
        if let Some(expr) = &constraint.raw_expr {
            expression::check(act, oid, expr);
        }
    }
    for table in altering::typed_tables(act, altering, oid)? {
        new_column::put(act, table, def, true);
    }
    new_column::make_sequence(act, oid, def);
    for (kind, constraint) in new_column::constraints(def) {
        let mut whole = constraint.clone();
        let own = vec![tree::string(&def.colname)];
        match kind {
            ConstrType::ConstrForeign => {
                whole.fk_attrs = own;
                // Nothing to check: the new column is NULL everywhere.
                let unchecked = !has_raw_default(def);
                foreign_key::add(act, altering, oid, &whole, unchecked)?;
            }
            ConstrType::ConstrPrimary | ConstrType::ConstrUnique => {
                whole.keys = own;
                constraint::add_constraint(act, altering, oid, &whole, false)?;
            }
            ConstrType::ConstrCheck => {
                constraint::add_constraint(act, altering, oid, &whole, false)?;
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
    def.type_name
        .as_ref()
        .and_then(types::serial_base)
        .is_some()
        || new_column::constraints(def)
            .any(|(k, _)| matches!(k, ConstrType::ConstrDefault | ConstrType::ConstrGenerated))
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
    altering::column_number(act, oid, name)?;
    let tables = if recurses {
        altering::recursion(act, altering, oid)
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
                "has the column, and is stored in the same way"
            } else {
                "is checked for the column"
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
    let number = i32::from(altering::column_number(act, oid, &cmd.name)?);
    if act.version() >= 17 && act.kind(oid) == RelationKind::PartitionedTable {
        altering::recursion(act, altering, oid);
    }
    let sequences: Vec<Oid> = act
        .world
        .below((class::RELATION, oid, number))
        .filter(|d| d.kind == 'i' && act.world.kind(d.oid) == Some(RelationKind::Sequence))
        .map(|d| d.oid)
        .collect();
    match kind {
        T::AtSetIdentity => {
            if let Some(kind) = generated_when(cmd) {
                set_identity(act, oid, &cmd.name, &kind);
            }
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
                    "the sequence of the identity column is dropped",
                )?;
            }
            set_identity(act, oid, &cmd.name, "");
        }
        _ => {
            let kind = generated_when(cmd).unwrap_or_else(|| "d".to_owned());
            set_identity(act, oid, &cmd.name, &kind);
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
            new_column::make_sequence(act, oid, &def);
        }
    }
    Ok(())
}

/// `ALWAYS` (`a`) or `BY DEFAULT` (`d`), of ADD GENERATED and of SET GENERATED.
fn generated_when(cmd: &AlterTableCmd) -> Option<String> {
    match cmd.def.as_ref()?.node.as_ref()? {
        NodeEnum::Constraint(new) => Some(new.generated_when.clone()),
        NodeEnum::List(options) => options.items.iter().find_map(|option| match &option.node {
            // The grammar has the letter as its number.
            Some(NodeEnum::DefElem(e)) if e.defname == "generated" => match &e.arg.as_ref()?.node {
                Some(NodeEnum::Integer(letter)) => {
                    let letter = u32::try_from(letter.ival).ok()?;
                    char::from_u32(letter).map(String::from)
                }
                _ => None,
            },
            _ => None,
        }),
        _ => None,
    }
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
    altering::column_number(act, oid, &cmd.name)?;
    for table in altering::recursion(act, altering, oid) {
        let Some(column) = act.world.column(table, &cmd.name).cloned() else {
            continue;
        };
        if kind == T::AtSetExpression {
            if column.generated == "s" {
                altering.table(table).rewrite =
                    Some("a stored column is computed again".to_owned());
            }
            retype::depend_on_column(act, altering, table, column.number, true)?;
        } else if let Some(c) = act.world.column_mut(table, &cmd.name) {
            c.generated.clear();
        }
    }
    if let Some(expr) = &cmd.def {
        expression::check(act, oid, expr);
    }
    Ok(())
}
