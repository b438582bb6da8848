//! A row a kind of statement: the form that keeps others out less.

use crate::migration::footprint::{columns, object_name};
use crate::model::{SaferForm, quoted};
use crate::words::literal;
use pg_query::NodeEnum as N;
use pg_query::protobuf::{
    AlterTableCmd, AlterTableStmt, AlterTableType as Sub, ColumnDef, ColumnRef, ConstrType,
    Constraint, DefElem, DefElemAction, DropBehavior, DropStmt, IndexElem, IndexStmt, Node,
    NullTest, NullTestType, ObjectType, PartitionCmd, RangeVar, RefreshMatViewStmt,
    ReindexObjectType, ReindexStmt, SortByDir, SortByNulls, String as Name,
};

/// Another form of a statement, not judged yet; `None`: none is known.
#[must_use]
pub fn of(node: &N) -> Option<SaferForm> {
    let (steps, because) = match node {
        N::IndexStmt(index) => (
            vec![create_index(index)?],
            "writes go on while the index is built",
        ),
        N::DropStmt(drop) => (
            vec![drop_index(drop)?],
            "reads and writes of its table do not queue behind it",
        ),
        N::ReindexStmt(reindex) => (
            vec![rebuild(reindex)?],
            "writes go on while the index is built again",
        ),
        N::RefreshMatViewStmt(refresh) => {
            (vec![refreshed(refresh)?], "reads go on while it is filled")
        }
        N::AlterTableStmt(alter) => return alter_table(alter),
        _ => return None,
    };
    form(&steps, because)
}

/// A form of these steps; `None` where one cannot be written.
fn form(steps: &[N], because: &str) -> Option<SaferForm> {
    let written: Option<Vec<String>> = steps.iter().map(text).collect();
    let is_loop = |step: &N| matches!(step, N::DoStmt(_));
    written.map(|written| SaferForm {
        steps: written,
        because: because.to_owned(),
        one_table: steps.iter().any(is_loop),
    })
}

fn text(node: &N) -> Option<String> {
    node.deparse(pg_query::DeparseOptions::default()).ok()
}

fn create_index(index: &IndexStmt) -> Option<N> {
    (!index.concurrent).then(|| {
        N::IndexStmt(Box::new(IndexStmt {
            concurrent: true,
            access_method: index.access_method.replace("btree", ""),
            ..index.clone()
        }))
    })
}

/// CONCURRENTLY takes one index, and no CASCADE (`RemoveRelations`, tablecmds.c).
fn drop_index(drop: &DropStmt) -> Option<N> {
    let fits = drop.remove_type == ObjectType::ObjectIndex as i32
        && drop.objects.len() == 1
        && drop.behavior != DropBehavior::DropCascade as i32
        && !drop.concurrent;
    fits.then(|| {
        N::DropStmt(DropStmt {
            concurrent: true,
            ..drop.clone()
        })
    })
}

fn rebuild(reindex: &ReindexStmt) -> Option<N> {
    let kinds = [
        ReindexObjectType::ReindexObjectIndex as i32,
        ReindexObjectType::ReindexObjectTable as i32,
    ];
    let says = |node: &Node| matches!(&node.node, Some(N::DefElem(option)) if option.defname == "concurrently");
    if !kinds.contains(&reindex.kind) || reindex.params.iter().any(says) {
        return None;
    }
    let mut reindex = reindex.clone();
    reindex.params.push(node(N::DefElem(Box::new(DefElem {
        defname: "concurrently".to_owned(),
        defaction: DefElemAction::DefelemUnspec as i32,
        ..DefElem::default()
    }))));
    Some(N::ReindexStmt(reindex))
}

fn refreshed(refresh: &RefreshMatViewStmt) -> Option<N> {
    (!refresh.concurrent && !refresh.skip_data).then(|| {
        N::RefreshMatViewStmt(RefreshMatViewStmt {
            concurrent: true,
            ..refresh.clone()
        })
    })
}

/// What has another form runs by itself, behind the rest of the statement.
fn alter_table(alter: &AlterTableStmt) -> Option<SaferForm> {
    let is_table = alter.objtype == ObjectType::ObjectTable as i32;
    let table = alter.relation.as_ref().filter(|_| is_table)?;
    let (mut rest, mut steps, mut because) = (Vec::new(), Vec::new(), "");
    for cmd in &alter.cmds {
        let Some(N::AlterTableCmd(inner)) = &cmd.node else {
            return None;
        };
        match subcommand(alter, table, inner) {
            Some((other, why)) => {
                steps.extend(other);
                because = why;
            }
            None => rest.push(cmd.clone()),
        }
    }
    if steps.is_empty() {
        return None;
    }
    if !rest.is_empty() {
        let rest = AlterTableStmt {
            cmds: rest,
            ..alter.clone()
        };
        steps.insert(0, N::AlterTableStmt(rest));
    }
    form(&steps, because)
}

/// The statements for one subcommand, and what is better.
type Instead = (Vec<N>, &'static str);

fn subcommand(alter: &AlterTableStmt, table: &RangeVar, cmd: &AlterTableCmd) -> Option<Instead> {
    let with = |subtype: Sub, change: &dyn Fn(&mut AlterTableCmd)| {
        let mut cmd = AlterTableCmd {
            subtype: subtype as i32,
            behavior: DropBehavior::DropRestrict as i32,
            ..AlterTableCmd::default()
        };
        change(&mut cmd);
        N::AlterTableStmt(AlterTableStmt {
            cmds: vec![node(N::AlterTableCmd(Box::new(cmd)))],
            ..alter.clone()
        })
    };
    let add = |constraint: Constraint| {
        with(Sub::AtAddConstraint, &|cmd| {
            cmd.def = Some(Box::new(node(N::Constraint(Box::new(constraint.clone())))));
        })
    };
    let on = |subtype: Sub, name: &str| with(subtype, &|cmd| cmd.name = name.to_owned());
    match Sub::try_from(cmd.subtype).ok()? {
        Sub::AtAddConstraint => {
            let Some(N::Constraint(constraint)) = cmd.def.as_ref()?.node.as_ref() else {
                return None;
            };
            added(table, constraint, &add, &on)
        }
        Sub::AtSetNotNull => Some((set_not_null(table, &cmd.name, &add, &on), CHECKED)),
        Sub::AtAddColumn => {
            let Some(N::ColumnDef(column)) = cmd.def.as_ref()?.node.as_ref() else {
                return None;
            };
            let (column, default, not_null) = without_default(column)?;
            let name = column.colname.clone();
            let added = with(Sub::AtAddColumn, &|new| {
                new.def = Some(Box::new(node(N::ColumnDef(Box::new(column.clone())))));
                new.missing_ok = cmd.missing_ok;
            });
            let default = with(Sub::AtColumnDefault, &|new| {
                new.name.clone_from(&name);
                new.def = Some(Box::new(default.clone()));
            });
            let mut steps = vec![added, default, filled(table, &name)?];
            if not_null {
                steps.extend(set_not_null(table, &name, &add, &on));
            }
            Some((
                steps,
                "the rows are filled in short transactions while reads and writes go on (UPDATE triggers of the table fire)",
            ))
        }
        Sub::AtDetachPartition => {
            let Some(N::PartitionCmd(part)) = cmd.def.as_ref()?.node.as_ref() else {
                return None;
            };
            let detach = with(Sub::AtDetachPartition, &|cmd| {
                let part = PartitionCmd {
                    concurrent: true,
                    ..part.clone()
                };
                cmd.def = Some(Box::new(node(N::PartitionCmd(part))));
            });
            let is_first = !part.concurrent;
            is_first.then(|| {
                (
                    vec![detach],
                    "queries of the partitioned table do not queue behind it; the partition keeps a CHECK of its bounds",
                )
            })
        }
        _ => None,
    }
}

/// `SET NOT NULL` that finds a valid CHECK for it.
fn set_not_null(
    table: &RangeVar,
    column: &str,
    add: &dyn Fn(Constraint) -> N,
    on: &dyn Fn(Sub, &str) -> N,
) -> Vec<N> {
    let name = object_name(&table.relname, column, "is_set");
    vec![
        add(not_null(&name, column)),
        on(Sub::AtValidateConstraint, &name),
        on(Sub::AtSetNotNull, column),
        on(Sub::AtDropConstraint, &name),
    ]
}

/// A new column without its default, the default, and whether it is NOT NULL; `None`: it has no default, or more than
/// these two.
fn without_default(column: &ColumnDef) -> Option<(ColumnDef, Node, bool)> {
    let (mut default, mut not_null) = (None, false);
    for constraint in &column.constraints {
        let Some(N::Constraint(constraint)) = &constraint.node else {
            return None;
        };
        match ConstrType::try_from(constraint.contype).ok()? {
            ConstrType::ConstrDefault => default = constraint.raw_expr.as_deref().cloned(),
            ConstrType::ConstrNotnull if constraint.conname.is_empty() => not_null = true,
            ConstrType::ConstrNull => {}
            _ => return None,
        }
    }
    let column = ColumnDef {
        constraints: Vec::new(),
        ..column.clone()
    };
    Some((column, default?, not_null))
}

/// Pages of a table that one transaction fills.
const PAGES: u32 = 1000;

/// Fills a column that has a default, page by page; twice, since a row moves when somebody else writes it.
fn filled(table: &RangeVar, column: &str) -> Option<N> {
    let names = [&table.schemaname, &table.relname];
    let names = names.into_iter().filter(|name| !name.is_empty());
    let table: Vec<String> = names.map(|name| quoted(name)).collect();
    let (table, column) = (table.join("."), quoted(column));
    let size = literal(&table);
    let body = format!(
        "
DECLARE
  page bigint;
BEGIN
  FOR pass IN 1..2 LOOP
    page := 0;
    WHILE page * current_setting('block_size')::bigint < pg_relation_size({size}) LOOP
      UPDATE ONLY {table} SET {column} = DEFAULT
       WHERE ctid >= format('(%s,0)', page)::tid AND ctid < format('(%s,0)', page + {PAGES})::tid
         AND {column} IS NULL;
      COMMIT;
      page := page + {PAGES};
    END LOOP;
  END LOOP;
END
"
    );
    let parsed = crate::migration::depth::parse(&format!("DO {}", literal(&body)))?;
    parsed.protobuf.stmts.into_iter().next()?.stmt?.node
}

/// What is better about NOT VALID and VALIDATE.
const CHECKED: &str = "the rows are checked while reads and writes go on";

fn added(
    table: &RangeVar,
    constraint: &Constraint,
    add: &dyn Fn(Constraint) -> N,
    on: &dyn Fn(Sub, &str) -> N,
) -> Option<Instead> {
    match ConstrType::try_from(constraint.contype).ok()? {
        ConstrType::ConstrForeign | ConstrType::ConstrCheck if !constraint.skip_validation => {
            let name = constraint_name(table, constraint);
            let later = Constraint {
                conname: name.clone(),
                skip_validation: true,
                initially_valid: false,
                ..constraint.clone()
            };
            Some((
                vec![add(later), on(Sub::AtValidateConstraint, &name)],
                CHECKED,
            ))
        }
        ConstrType::ConstrUnique | ConstrType::ConstrPrimary
            if constraint.indexname.is_empty() && !constraint.without_overlaps =>
        {
            let name = constraint_name(table, constraint);
            let using = Constraint {
                conname: name.clone(),
                indexname: name.clone(),
                keys: Vec::new(),
                including: Vec::new(),
                options: Vec::new(),
                indexspace: String::new(),
                nulls_not_distinct: false,
                ..constraint.clone()
            };
            let steps = vec![key_index(table, constraint, name), add(using)];
            Some((steps, "writes go on while the index is built"))
        }
        _ => None,
    }
}

/// The index of a key.
fn key_index(table: &RangeVar, constraint: &Constraint, name: String) -> N {
    let parts = |columns: &[Node]| columns.iter().filter_map(column_of).map(part).collect();
    N::IndexStmt(Box::new(IndexStmt {
        idxname: name,
        relation: Some(table.clone()),
        table_space: constraint.indexspace.clone(),
        index_params: parts(&constraint.keys),
        index_including_params: parts(&constraint.including),
        options: constraint.options.clone(),
        nulls_not_distinct: constraint.nulls_not_distinct,
        unique: true,
        concurrent: true,
        ..IndexStmt::default()
    }))
}

fn part(column: String) -> Node {
    node(N::IndexElem(Box::new(IndexElem {
        name: column,
        ordering: SortByDir::SortbyDefault as i32,
        nulls_ordering: SortByNulls::SortbyNullsDefault as i32,
        ..IndexElem::default()
    })))
}

/// `CHECK (column IS NOT NULL) NOT VALID`, which lets SET NOT NULL pass over the rows (`NotNullImpliedByRelConstraints`,
/// tablecmds.c).
fn not_null(name: &str, column: &str) -> Constraint {
    let column = node(N::ColumnRef(ColumnRef {
        fields: vec![string(column)],
        location: -1,
    }));
    let test = node(N::NullTest(Box::new(NullTest {
        arg: Some(Box::new(column)),
        nulltesttype: NullTestType::IsNotNull as i32,
        ..NullTest::default()
    })));
    Constraint {
        contype: ConstrType::ConstrCheck as i32,
        conname: name.to_owned(),
        raw_expr: Some(Box::new(test)),
        is_enforced: true,
        skip_validation: true,
        ..Constraint::default()
    }
}

/// The name that the statement gives, or the one that Postgres would (`ChooseConstraintName`, `ChooseIndexName`,
/// `AddRelationNewConstraints`).
fn constraint_name(table: &RangeVar, constraint: &Constraint) -> String {
    if !constraint.conname.is_empty() {
        return constraint.conname.clone();
    }
    let joined = |lists: [&[Node]; 2]| {
        let names: Vec<String> = lists.into_iter().flatten().filter_map(column_of).collect();
        names.join("_")
    };
    let (columns, label) = match ConstrType::try_from(constraint.contype) {
        Ok(ConstrType::ConstrForeign) => (joined([&constraint.fk_attrs, &[]]), "fkey"),
        Ok(ConstrType::ConstrUnique) => (joined([&constraint.keys, &constraint.including]), "key"),
        Ok(ConstrType::ConstrPrimary) => (String::new(), "pkey"),
        _ => (only_column(constraint), "check"),
    };
    object_name(&table.relname, &columns, label)
}

/// The column of a check that is about one column only.
fn only_column(constraint: &Constraint) -> String {
    let expression = constraint.raw_expr.as_deref();
    match expression.map(columns).as_deref() {
        Some([one]) => one.clone(),
        _ => String::new(),
    }
}

fn column_of(node: &Node) -> Option<String> {
    match &node.node {
        Some(N::String(name)) => Some(name.sval.clone()),
        _ => None,
    }
}

fn string(text: &str) -> Node {
    node(N::String(Name {
        sval: text.to_owned(),
    }))
}

fn node(node: N) -> Node {
    Node { node: Some(node) }
}
