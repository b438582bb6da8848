//! Types of columns: what a name stands for, and what lies under it.

use super::act::Act;
use super::names;
use crate::model::{DataType, LockMode, Oid};
use pg_query::protobuf::TypeName;
use pg_query::{NodeEnum, protobuf};

use LockMode::AccessShare;

/// The type under a serial one.
pub fn serial_base(name: &TypeName) -> Option<&'static str> {
    let parts = names::list(&name.names);
    match parts.as_slice() {
        [one] => SERIAL.iter().find(|(s, _)| s == one).map(|(_, base)| *base),
        _ => None,
    }
}

/// The pseudo-types that make a sequence (`transformColumnDefinition`).
const SERIAL: &[(&str, &str)] = &[
    ("serial", "int4"),
    ("serial4", "int4"),
    ("bigserial", "int8"),
    ("serial8", "int8"),
    ("smallserial", "int2"),
    ("serial2", "int2"),
];

/// The name that people write for a type of the server's own.
#[must_use]
pub fn written(name: &str) -> &str {
    match name {
        "int2" => "smallint",
        "int4" => "integer",
        "int8" => "bigint",
        "bool" => "boolean",
        "float4" => "real",
        "float8" => "double precision",
        "bpchar" => "character",
        "timetz" => "time with time zone",
        "timestamptz" => "timestamp with time zone",
        name => name,
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

/// The relations of the composite types in a type: its own, those of its elements, of the type under a
/// domain, and of its columns (`CheckAttributeType`).
#[must_use]
fn composites(act: &Act, type_oid: Oid) -> Vec<Oid> {
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

/// Whether a type is a domain with a constraint, its own or inherited (`DomainHasConstraints`).
pub fn has_domain_constraints(act: &Act, mut oid: Oid) -> bool {
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

/// The type under all domains.
pub fn base_of<'t>(act: &'t Act, mut t: &'t DataType, mut modifier: i32) -> (&'t str, i32) {
    while t.kind == 'd' {
        modifier = t.base_modifier;
        match act.world.types.get(&t.base) {
            Some(base) => t = base,
            None => break,
        }
    }
    (&t.name, modifier)
}
