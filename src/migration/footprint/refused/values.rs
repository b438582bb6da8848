//! Values that a column cannot take: text that is no number, a number for an identity column, none for NOT NULL.

use crate::migration::footprint::act::{Act, Step, refuse};
use crate::migration::footprint::world::World;
use crate::migration::footprint::{names, tree, types};
use crate::migration::parts;
use crate::migration::settings::truth;
use crate::model::{Column, DataType, Oid, quoted};
use crate::words::sql::literal;
use chrono::NaiveDate;
use pg_query::protobuf::{
    AExprKind, AlterTableCmd, AlterTableType as T, ColumnDef, ConstrType, InsertStmt, Node,
    OverridingKind, RangeVar, UpdateStmt, a_const::Val,
};
use pg_query::{NodeEnum as N, NodeRef};

/// Refuses values that do not fit their columns, and constants that do not fit their casts.
pub fn fit(act: &Act, node: &N) -> Step {
    if act.in_body {
        return Ok(());
    }
    casts(act, node)?;
    match node {
        N::InsertStmt(s) => inserted(act, s),
        N::UpdateStmt(s) => updated(act, s),
        N::DeleteStmt(s) if s.using_clause.is_empty() && s.with_clause.is_none() => {
            compared(act, s.relation.as_ref(), s.where_clause.as_deref())
        }
        N::SelectStmt(s) => match s.from_clause.as_slice() {
            [only] if s.with_clause.is_none() => match &only.node {
                Some(N::RangeVar(range)) => compared(act, Some(range), s.where_clause.as_deref()),
                _ => Ok(()),
            },
            _ => Ok(()),
        },
        N::AlterTableStmt(s) => {
            let table = s.relation.as_ref().and_then(|r| act.world.find(r));
            tree::commands(s).try_for_each(|cmd| defaults(act, table, cmd))
        }
        N::CreateStmt(s) => s
            .table_elts
            .iter()
            .try_for_each(|element| match &element.node {
                Some(N::ColumnDef(def)) => default_of(act, def),
                _ => Ok(()),
            }),
        _ => Ok(()),
    }
}

// ---- constants ----------------------------------------------------------------------------------

/// A text constant without a cast: its type is what it is given to.
fn text(node: &Node) -> Option<&str> {
    match node.node.as_ref()? {
        N::AConst(c) => match c.val.as_ref()? {
            Val::Sval(text) => Some(&text.sval),
            _ => None,
        },
        _ => None,
    }
}

/// Refuses a text that a type of the server's own does not read.
fn is_read(act: &Act, value: &str, of: Oid) -> Step {
    let Some(kind) = act.world.types.get(&of).filter(|t| is_own(t)) else {
        return Ok(());
    };
    match reads(act.version(), &kind.name, value) {
        true => Ok(()),
        false => refuse(format!(
            "{} is no {}",
            literal(value),
            types::written(&kind.name)
        )),
    }
}

fn is_own(kind: &DataType) -> bool {
    World::is_catalog(kind.oid) && kind.kind == 'b' && kind.element == 0
}

/// Whether a type's input function takes a text; where that is not sure, it does.
fn reads(version: i32, name: &str, value: &str) -> bool {
    let value = value.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
    match name {
        "int2" => whole(version, value, i64::from(i16::MIN), i64::from(i16::MAX)),
        "int4" => whole(version, value, i64::from(i32::MIN), i64::from(i32::MAX)),
        "int8" => whole(version, value, i64::MIN, i64::MAX),
        "numeric" | "float4" | "float8" => number(version, value),
        "bool" => truth(value).is_some(),
        "uuid" => uuid(value),
        "json" | "jsonb" => json(value),
        "date" | "timestamp" | "timestamptz" => day(value),
        _ => true,
    }
}

/// Since 16 numbers may be `0x1F` and `1_000` (`pg_strtoint32_safe`, numutils.c).
fn is_new_form(version: i32, value: &str) -> bool {
    let digits = value.trim_start_matches(['-', '+']);
    let has_base = ["0x", "0X", "0o", "0O", "0b", "0B"]
        .iter()
        .any(|b| digits.starts_with(b));
    version >= 16 && (has_base || value.contains('_'))
}

fn whole(version: i32, value: &str, least: i64, most: i64) -> bool {
    let parsed = value.parse::<i64>();
    is_new_form(version, value) || parsed.is_ok_and(|n| (least..=most).contains(&n))
}

fn number(version: i32, value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let word = lower.trim_start_matches(['-', '+']);
    let is_word = matches!(word, "nan" | "inf" | "infinity");
    let is_digits =
        word.starts_with(|c: char| c.is_ascii_digit() || c == '.') && word.parse::<f64>().is_ok();
    is_new_form(version, value) || is_word || is_digits || word.starts_with("0x")
}

/// `string_to_uuid`, uuid.c: where its hyphens stand is left to the server.
fn uuid(value: &str) -> bool {
    let value = value
        .strip_prefix('{')
        .and_then(|v| v.strip_suffix('}'))
        .unwrap_or(value);
    let digits = value.chars().filter(|c| *c != '-');
    digits.clone().all(|c| c.is_ascii_hexdigit()) && digits.count() == 32
}

/// Long texts are left to the server: the reader here has a bound on nesting.
fn json(value: &str) -> bool {
    value.len() > 4096
        || value.matches(['[', '{']).count() > 100
        || serde_json::from_str::<serde::de::IgnoredAny>(value).is_ok()
}

/// The words that stand for days (`datetktbl`, datetime.c).
const DAYS: &[&str] = &[
    "allballs",
    "epoch",
    "infinity",
    "now",
    "today",
    "tomorrow",
    "yesterday",
];

/// A text without a digit and without such a word is no day; nor is the 30th of February.
fn day(value: &str) -> bool {
    if !value.contains(|c: char| c.is_ascii_digit()) {
        let lower = value.to_ascii_lowercase();
        return DAYS.iter().any(|word| lower.contains(word));
    }
    let parts: Vec<&str> = value.split('-').collect();
    match parts.as_slice() {
        [year, month, day] if year.len() == 4 => {
            let numbers = (year.parse(), month.parse(), day.parse());
            match numbers {
                (Ok(year), Ok(month), Ok(day)) => {
                    year == 0 || NaiveDate::from_ymd_opt(year, month, day).is_some()
                }
                _ => true,
            }
        }
        _ => true,
    }
}

/// `'a'::int`: a constant is read when the statement is (`coerce_type`, parse_coerce.c).
fn casts(act: &Act, node: &N) -> Step {
    if let N::CreateFunctionStmt(_) = node {
        return Ok(());
    }
    for part in parts::all(node) {
        let NodeRef::TypeCast(cast) = part else {
            continue;
        };
        let value = cast.arg.as_deref().and_then(text);
        if let (Some(value), Some(name)) = (value, &cast.type_name) {
            is_read(act, value, types::type_of(act, name))?;
        }
    }
    Ok(())
}

/// `column = 'constant'`: of the column's type (`binary_oper_exact`, parse_oper.c).
fn compared(act: &Act, range: Option<&RangeVar>, condition: Option<&Node>) -> Step {
    let table = range.and_then(|r| act.world.find(r));
    let (Some(table), Some(condition)) = (table.filter(|t| act.kind(*t).is_table()), condition)
    else {
        return Ok(());
    };
    if parts::all(condition).any(|n| matches!(n, NodeRef::SubLink(_))) {
        return Ok(());
    }
    for part in parts::all(condition) {
        let NodeRef::AExpr(expression) = part else {
            continue;
        };
        let name = names::list(&expression.name);
        let is_comparison = expression.kind == AExprKind::AexprOp as i32
            && matches!(name.as_slice(), [op] if ["=", "<>", "<", ">", "<=", ">="].contains(&op.as_str()));
        let sides = (expression.lexpr.as_deref(), expression.rexpr.as_deref());
        let (Some(left), Some(right), true) = (sides.0, sides.1, is_comparison) else {
            continue;
        };
        for (column, value) in [(left, right), (right, left)] {
            let named = match &column.node {
                Some(N::ColumnRef(c)) => names::list(&c.fields).pop(),
                _ => None,
            };
            let column = named.and_then(|name| act.world.column(table, &name));
            if let (Some(column), Some(value)) = (column, text(value)) {
                is_read(act, value, column.type_oid)?;
            }
        }
    }
    Ok(())
}

// ---- defaults -----------------------------------------------------------------------------------

fn defaults(act: &Act, table: Option<Oid>, cmd: &AlterTableCmd) -> Step {
    let given = cmd.def.as_ref().and_then(|d| d.node.as_ref());
    match (T::try_from(cmd.subtype).unwrap_or(T::Undefined), given) {
        (T::AtAddColumn, Some(N::ColumnDef(def))) => {
            let is_there = table.is_some_and(|t| act.world.column(t, &def.colname).is_some());
            match cmd.missing_ok && is_there {
                true => Ok(()),
                false => default_of(act, def),
            }
        }
        (T::AtColumnDefault, Some(_)) => {
            let column = table.and_then(|t| act.world.column(t, &cmd.name));
            match (column, cmd.def.as_deref().and_then(text)) {
                (Some(column), Some(value)) => is_read(act, value, column.type_oid),
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn default_of(act: &Act, def: &ColumnDef) -> Step {
    let of = def.type_name.as_ref().map_or(0, |t| types::type_of(act, t));
    let mut has_default = def.raw_default.as_deref();
    let mut is_generated = false;
    for constraint in &def.constraints {
        let Some(N::Constraint(c)) = &constraint.node else {
            continue;
        };
        match ConstrType::try_from(c.contype) {
            Ok(ConstrType::ConstrDefault) => has_default = c.raw_expr.as_deref(),
            Ok(ConstrType::ConstrGenerated | ConstrType::ConstrIdentity) => is_generated = true,
            _ => {}
        }
    }
    match has_default {
        Some(_) if is_generated => refuse(format!(
            "column {} has a default, and is generated or an identity: it can have one of them",
            quoted(&def.colname)
        )),
        Some(value) => text(value).map_or(Ok(()), |value| is_read(act, value, of)),
        None => Ok(()),
    }
}

// ---- rows ---------------------------------------------------------------------------------------

/// The table that is written to; `None`: it is none, or a rule may do something else.
fn written(act: &Act, range: &RangeVar) -> Option<Oid> {
    let table = act.world.find(range)?;
    let has_rules = act.world.rules.of(table).next().is_some();
    (act.kind(table).is_table() && !has_rules).then_some(table)
}

/// A row trigger BEFORE INSERT may fill in what is missing (bits of `pg_trigger.h`); a rule may do anything.
fn is_rewritten(act: &Act, table: Oid) -> bool {
    const ROW_BEFORE_INSERT: i16 = 1 | 2 | 4;
    let changes = |oid: &Oid| {
        let mut triggers = act.world.triggers.of(*oid);
        triggers.any(|t| t.events & ROW_BEFORE_INSERT == ROW_BEFORE_INSERT)
    };
    act.world.rules.of(table).next().is_some() || act.world.tree(table).iter().any(changes)
}

fn inserted(act: &Act, statement: &InsertStmt) -> Step {
    let range = statement.relation.as_ref();
    let range = range.filter(|_| statement.with_clause.is_none());
    let Some(table) = range.and_then(|r| written(act, r)) else {
        return Ok(());
    };
    let Some(columns) = targets(act, table, statement) else {
        return Ok(());
    };
    let rows = tree::values(statement.select_stmt.as_deref());
    // `(x).*` stands for several values.
    let is_several = |value: &Node| parts::all(value).any(|n| matches!(n, NodeRef::AStar(_)));
    if rows.iter().flat_map(|row| row.iter()).any(is_several) {
        return Ok(());
    }
    for (place, column) in columns.iter().enumerate() {
        let values: Vec<&Node> = rows.iter().filter_map(|row| row.get(place)).collect();
        for value in values.iter().filter_map(|value| text(value)) {
            is_read(act, value, column.type_oid)?;
        }
        // A SELECT gives its columns whatever they are.
        let gives = match rows.is_empty() {
            true => statement.select_stmt.is_some() && !statement.cols.is_empty(),
            false => values.iter().any(|value| !tree::is_default(value)),
        };
        let keeps = statement.r#override == OverridingKind::OverridingNotSet as i32
            || statement.r#override == OverridingKind::Undefined as i32;
        if gives && keeps {
            is_its_own(act, table, column)?;
        }
    }
    match rows.is_empty() {
        true => Ok(()),
        false => not_null(act, table, &columns, &rows),
    }
}

/// The columns that the values are for, in their order; `None`: not all of them are known.
fn targets<'a>(act: &'a Act, table: Oid, statement: &InsertStmt) -> Option<Vec<&'a Column>> {
    if statement.cols.is_empty() {
        let is_known = act.world.created_in(table).is_none();
        let relation = act.world.relation(table).filter(|_| is_known)?;
        return Some(relation.columns.iter().collect());
    }
    tree::targets(&statement.cols)
        .map(|target| match target.indirection.is_empty() {
            true => act.world.column(table, &target.name),
            false => None,
        })
        .collect()
}

/// A value for `GENERATED ALWAYS` (`rewriteTargetListIU`, rewriteHandler.c).
fn is_its_own(act: &Act, table: Oid, column: &Column) -> Step {
    let (what, help) = match (column.identity.as_str(), column.generated.is_empty()) {
        ("a", _) => (
            "GENERATED ALWAYS AS IDENTITY",
            ", or OVERRIDING SYSTEM VALUE",
        ),
        (_, false) => ("generated", ""),
        _ => return Ok(()),
    };
    refuse(format!(
        "column {} of {} is {what}: it takes no value but DEFAULT{help}",
        quoted(&column.name),
        act.shown(table)
    ))
}

/// `ExecConstraints`, execMain.c
fn not_null(act: &Act, table: Oid, given: &[&Column], rows: &[&[Node]]) -> Step {
    let is_known = act.world.created_in(table).is_none();
    let Some(relation) = act.world.relation(table).filter(|_| is_known) else {
        return Ok(());
    };
    if is_rewritten(act, table) {
        return Ok(());
    }
    for column in relation.columns.iter().filter(|c| c.not_null) {
        let place = given.iter().position(|c| c.number == column.number);
        let is_null = match place {
            Some(place) => rows
                .iter()
                .filter_map(|row| row.get(place))
                .any(tree::is_null),
            None => !fills_itself(act, table, column),
        };
        // Fewer values than columns: the rest is as if it was not named.
        let is_short = place.is_some_and(|place| rows.iter().any(|row| row.len() <= place));
        if is_null && !is_short {
            return refuse(format!(
                "column {} of {} is NOT NULL: it needs a value",
                quoted(&column.name),
                act.shown(table)
            ));
        }
    }
    Ok(())
}

/// Whether a column that is not named gets a value: a default, an identity, an expression, its domain's default.
fn fills_itself(act: &Act, table: Oid, column: &Column) -> bool {
    let mut defaults = act.world.defaults.of(table);
    let kind = act.world.types.get(&column.type_oid);
    !column.identity.is_empty()
        || !column.generated.is_empty()
        || defaults.any(|d| d.column == column.number)
        || kind.is_none_or(|t| t.has_default || t.kind == 'd')
}

fn updated(act: &Act, statement: &UpdateStmt) -> Step {
    let range = statement.relation.as_ref();
    let range = range.filter(|_| statement.with_clause.is_none());
    let Some(table) = range.and_then(|r| written(act, r)) else {
        return Ok(());
    };
    for target in tree::targets(&statement.target_list) {
        let column = act.world.column(table, &target.name);
        let (Some(column), Some(value)) = (column, target.val.as_deref()) else {
            continue;
        };
        if !target.indirection.is_empty() {
            continue;
        }
        if !tree::is_default(value) {
            is_its_own(act, table, column)?;
        }
        if let Some(value) = text(value) {
            is_read(act, value, column.type_oid)?;
        }
    }
    match statement.from_clause.is_empty() {
        true => compared(
            act,
            statement.relation.as_ref(),
            statement.where_clause.as_deref(),
        ),
        false => Ok(()),
    }
}
