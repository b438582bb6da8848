//! What an index, a generated column or a partition key cannot be made of: types that the access method does not
//! know, and expressions that may change.

use crate::migration::footprint::act::{Act, Step, refuse};
use crate::migration::footprint::world::World;
use crate::migration::footprint::{names, tree, types};
use crate::migration::parts;
use crate::model::{DataType, Oid, quoted};
use pg_query::protobuf::{
    AlterTableType, ColumnDef, ConstrType, Constraint, CreateStmt, FuncCall, IndexElem, IndexStmt,
    Node, RangeVar, TypeCast,
};
use pg_query::{NodeEnum as N, NodeRef};

/// Refuses what cannot be indexed or computed once for all.
pub fn by_method(act: &Act, node: &N) -> Step {
    match node {
        N::IndexStmt(s) => index(act, s),
        N::CreateStmt(s) => new_table(act, s),
        N::AlterTableStmt(s) => {
            let columns = columns_of(act, s.relation.as_ref());
            for cmd in tree::commands(s) {
                match cmd.def.as_ref().and_then(|d| d.node.as_ref()) {
                    Some(N::ColumnDef(def))
                        if cmd.subtype == AlterTableType::AtAddColumn as i32 =>
                    {
                        generated(act, &columns, def)?;
                    }
                    Some(N::Constraint(new)) => exclusion(act, &columns, new)?,
                    _ => {}
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Names and types of columns.
type Columns = Vec<(String, Oid)>;

fn columns_of(act: &Act, range: Option<&RangeVar>) -> Columns {
    let table = range.and_then(|r| act.world.find(r));
    let relation = table.and_then(|t| act.world.relation(t));
    let columns = relation.into_iter().flat_map(|r| &r.columns);
    columns.map(|c| (c.name.clone(), c.type_oid)).collect()
}

fn type_of(columns: &Columns, name: &str) -> Oid {
    let found = columns.iter().find(|(column, _)| column == name);
    found.map_or(0, |(_, of)| *of)
}

fn index(act: &Act, statement: &IndexStmt) -> Step {
    let method = statement.access_method.as_str();
    if statement.unique && NOT_UNIQUE.contains(&method) {
        return refuse(format!("access method {method} has no unique indexes"));
    }
    let columns = columns_of(act, statement.relation.as_ref());
    for element in statement.index_params.iter().filter_map(element) {
        known_by(act, &columns, method, element)?;
        if let Some(expression) = element.expr.as_deref() {
            stays(act, &columns, expression, "an index")?;
        }
    }
    match statement.where_clause.as_deref() {
        Some(predicate) => stays(act, &columns, predicate, "an index"),
        None => Ok(()),
    }
}

fn element(node: &Node) -> Option<&IndexElem> {
    match node.node.as_ref()? {
        N::IndexElem(element) => Some(element),
        _ => None,
    }
}

fn new_table(act: &Act, statement: &CreateStmt) -> Step {
    let defs = statement.table_elts.iter().filter_map(|e| match &e.node {
        Some(N::ColumnDef(def)) => Some(def.as_ref()),
        _ => None,
    });
    let type_of_def =
        |def: &ColumnDef| def.type_name.as_ref().map_or(0, |t| types::type_of(act, t));
    let columns: Columns = defs
        .clone()
        .map(|def| (def.colname.clone(), type_of_def(def)))
        .collect();
    for def in defs {
        generated(act, &columns, def)?;
    }
    for element in &statement.table_elts {
        if let Some(N::Constraint(new)) = &element.node {
            exclusion(act, &columns, new)?;
        }
    }
    let keys = statement.partspec.iter().flat_map(|p| &p.part_params);
    for key in keys {
        if let Some(N::PartitionElem(key)) = &key.node
            && let Some(expression) = key.expr.as_deref()
        {
            stays(act, &columns, expression, "a partition key")?;
        }
    }
    Ok(())
}

fn generated(act: &Act, columns: &Columns, def: &ColumnDef) -> Step {
    for constraint in &def.constraints {
        match &constraint.node {
            Some(N::Constraint(c)) if c.contype == ConstrType::ConstrGenerated as i32 => {
                if let Some(expression) = c.raw_expr.as_deref() {
                    stays(act, columns, expression, "a generated column")?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// `EXCLUDE USING gist (room WITH =)`
fn exclusion(act: &Act, columns: &Columns, new: &Constraint) -> Step {
    if new.contype != ConstrType::ConstrExclusion as i32 {
        return Ok(());
    }
    for pair in &new.exclusions {
        let Some(N::List(pair)) = &pair.node else {
            continue;
        };
        if let Some(element) = pair.items.first().and_then(element) {
            known_by(act, columns, &new.access_method, element)?;
        }
    }
    Ok(())
}

// ---- access methods -----------------------------------------------------------------------------

/// The server's access methods without unique indexes (`amcanunique`).
const NOT_UNIQUE: &[&str] = &["brin", "gin", "gist", "hash", "spgist"];

/// The server's types without a default operator class of an access method (pg_opclass.dat), and the extension that has
/// one.
const NO_CLASS: &[(&str, &[&str], Option<&str>)] = &[
    (
        "btree",
        &[
            "json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle",
        ],
        None,
    ),
    (
        "hash",
        &[
            "json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle",
        ],
        None,
    ),
    ("gin", SCALARS, Some("btree_gin")),
    ("gist", SCALARS, Some("btree_gist")),
];

const SCALARS: &[&str] = &[
    "int2",
    "int4",
    "int8",
    "float4",
    "float8",
    "numeric",
    "money",
    "text",
    "varchar",
    "bpchar",
    "bool",
    "date",
    "time",
    "timetz",
    "timestamp",
    "timestamptz",
    "interval",
    "uuid",
    "bytea",
    "json",
    "xml",
    "bit",
    "varbit",
    "oid",
];

/// Whether an access method knows the type of a column (`ResolveOpClass`, indexcmds.c).
fn known_by(act: &Act, columns: &Columns, method: &str, element: &IndexElem) -> Step {
    if element.name.is_empty() || !element.opclass.is_empty() {
        return Ok(());
    }
    let Some((_, types, extension)) = NO_CLASS.iter().find(|(of, ..)| *of == method) else {
        return Ok(());
    };
    let kind = own(act, type_of(columns, &element.name));
    let Some(kind) = kind.filter(|t| types.contains(&t.name.as_str())) else {
        return Ok(());
    };
    match extension {
        Some(extension) if act.world.has_extension(extension) => Ok(()),
        _ => refuse(format!(
            "column {}: {method} has no default operator class for {}{}",
            quoted(&element.name),
            types::written(&kind.name),
            extension.map_or(String::new(), |e| format!(" without the extension {e}"))
        )),
    }
}

/// A type of the server's own.
fn own<'a>(act: &'a Act, oid: Oid) -> Option<&'a DataType> {
    let found = act.world.types.get(&oid)?;
    (World::is_catalog(oid) && found.kind == 'b').then_some(found)
}

// ---- what may change ----------------------------------------------------------------------------

/// The server's functions none of which is IMMUTABLE, whatever they are given (pg_proc.dat).
const CHANGING: &[&str] = &[
    "clock_timestamp",
    "concat",
    "concat_ws",
    "current_database",
    "current_schema",
    "current_setting",
    "currval",
    "gen_random_uuid",
    "json_build_object",
    "jsonb_build_object",
    "lastval",
    "localtimestamp",
    "nextval",
    "now",
    "random",
    "row_to_json",
    "statement_timestamp",
    "timeofday",
    "to_json",
    "to_jsonb",
    "transaction_timestamp",
    "txid_current",
];

/// Those that depend on the time zone where they are given a `timestamptz`.
const OF_THE_ZONE: &[&str] = &["date_trunc", "date_part", "extract"];

/// Those that depend on a setting where they are given one value.
const OF_THE_CONFIGURATION: &[&str] = &["to_tsvector", "to_tsquery", "plainto_tsquery"];

/// Casts that depend on a setting (pg_cast.dat, pg_proc.dat: `provolatile` = `s`).
const STABLE_CASTS: &[(&str, &[&str])] = &[
    (
        "timestamptz",
        &["date", "time", "timestamp", "text", "varchar", "bpchar"],
    ),
    ("timestamp", &["timestamptz", "text", "varchar", "bpchar"]),
    ("date", &["timestamptz", "text", "varchar", "bpchar"]),
    ("text", &["date", "time", "timestamp", "timestamptz"]),
    ("varchar", &["date", "time", "timestamp", "timestamptz"]),
];

/// Refuses an expression that may give something else another time (`contain_mutable_functions`, clauses.c).
fn stays(act: &Act, columns: &Columns, expression: &Node, what: &str) -> Step {
    for part in parts::all(expression) {
        let why = match part {
            NodeRef::SqlvalueFunction(_) => Some("the time or the user".to_owned()),
            NodeRef::FuncCall(call) => changing_call(act, columns, call),
            NodeRef::TypeCast(cast) => changing_cast(act, columns, cast),
            _ => None,
        };
        if let Some(why) = why {
            return refuse(format!("{what} cannot use {why}: it is not IMMUTABLE"));
        }
    }
    Ok(())
}

fn changing_call(act: &Act, columns: &Columns, call: &FuncCall) -> Option<String> {
    let parts = names::list(&call.funcname);
    let (name, schema) = parts.split_last()?;
    let is_servers = match schema {
        [] => !act
            .world
            .routines
            .values()
            .any(|r| r.name == *name && !World::is_catalog(r.oid)),
        [schema] => schema == "pg_catalog",
        _ => false,
    };
    let of_zone = || {
        let of = call
            .args
            .get(1)
            .map(|value| value_type(act, columns, value));
        of.flatten().is_some_and(|of| of == "timestamptz")
    };
    let changes = CHANGING.contains(&name.as_str())
        || OF_THE_ZONE.contains(&name.as_str()) && of_zone()
        || OF_THE_CONFIGURATION.contains(&name.as_str()) && call.args.len() == 1;
    (is_servers && changes).then(|| format!("{name}()"))
}

/// The name of the type of a column, or of a cast, that the server has itself.
fn value_type<'a>(act: &'a Act, columns: &Columns, value: &Node) -> Option<&'a str> {
    let oid = match value.node.as_ref()? {
        N::ColumnRef(column) => type_of(columns, &names::list(&column.fields).pop()?),
        N::TypeCast(cast) => types::type_of(act, cast.type_name.as_ref()?),
        _ => return None,
    };
    own(act, oid).map(|t| t.name.as_str())
}

fn changing_cast(act: &Act, columns: &Columns, cast: &TypeCast) -> Option<String> {
    let from = value_type(act, columns, cast.arg.as_deref()?)?;
    let to = own(act, types::type_of(act, cast.type_name.as_ref()?))?;
    let (_, stable) = STABLE_CASTS.iter().find(|(of, _)| *of == from)?;
    stable.contains(&to.name.as_str()).then(|| {
        format!(
            "the cast of {} to {}",
            types::written(from),
            types::written(&to.name)
        )
    })
}
