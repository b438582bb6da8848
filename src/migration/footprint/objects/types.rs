//! Types and domains.

use crate::migration::footprint::act::{Act, Step, refuse};
use crate::migration::footprint::world::{FIRST_OWN_OID, NewLabel};
use crate::migration::footprint::{drop, expression, names, new_column};
use crate::model::{DataType, LockMode, LockWork, Oid, RelationKind, class};
use pg_query::protobuf::{AlterDomainStmt, AlterEnumStmt, CompositeTypeStmt, Node};
use pg_query::{NodeEnum, protobuf};

use LockMode::{Exclusive, Share};

/// `CREATE TYPE … AS (…)`
pub fn composite_type(act: &mut Act, statement: &CompositeTypeStmt) -> Step {
    let Some(range) = &statement.typevar else {
        return Ok(());
    };
    let name = act.world.new_name(range);
    if act.world.find_name(&name.schema, &name.relation).is_some() {
        return refuse(format!("type {name} already exists"));
    }
    let relation = act.create(name.clone(), RelationKind::CompositeType);
    for node in &statement.coldeflist {
        if let Some(NodeEnum::ColumnDef(def)) = &node.node {
            new_column::put(act, relation, def, true);
        }
    }
    let oid = put_type(act, &name.schema, &name.relation, 'c', 0);
    if let Some(t) = act.world.types.get_mut(&oid) {
        t.relation = relation;
    }
    if let Some(r) = act.world.relation_mut(relation) {
        r.row_type = oid;
    }
    Ok(())
}

/// Puts a type into the world.
fn put_type(act: &mut Act, schema: &str, name: &str, kind: char, base: Oid) -> Oid {
    let oid = act.world.new_oid();
    act.world.types.insert(
        oid,
        DataType {
            oid,
            schema: schema.to_owned(),
            name: name.to_owned(),
            kind,
            relation: 0,
            base,
            base_modifier: -1,
            element: 0,
            not_null: false,
            has_default: false,
            storage: 'p',
            category: if kind == 'e' { 'E' } else { '\0' },
            labels: None,
        },
    );
    oid
}

/// `ALTER TYPE … ADD VALUE`, `RENAME VALUE`: one at a time (`AddEnumLabel`, pg_enum.c).
pub fn alter_enum(act: &mut Act, statement: &AlterEnumStmt) {
    let found = act.world.find_type(&names::list(&statement.type_name));
    if let Some(oid) = found.map(|t| t.oid) {
        let what = drop::object_words(act, (class::TYPE, oid, 0));
        act.object(class::TYPE, oid, Exclusive, what);
        if let Some(labels) = act
            .world
            .types
            .get_mut(&oid)
            .and_then(|t| t.labels.as_mut())
        {
            labels.retain(|label| *label != statement.old_val);
            labels.push(statement.new_val.clone());
        }
        // ADD VALUE; since 17 a type of this very transaction may have every label.
        let is_own = act.version() >= 17 && oid >= FIRST_OWN_OID;
        if statement.old_val.is_empty() && !is_own && act.source.in_block {
            act.world.new_labels.push(NewLabel {
                of: oid,
                label: statement.new_val.clone(),
                transaction: act.source.transaction,
            });
        }
    }
}

/// A type by a list of name parts: enums, domains, ranges.
pub fn create_type(
    act: &mut Act,
    parts: &[String],
    kind: char,
    base: Option<&protobuf::TypeName>,
    constrained: bool,
) {
    let Some(name) = parts.last().cloned() else {
        return;
    };
    let schema = match parts.len() {
        0 | 1 => act.world.creation_schema(),
        n => parts[n - 2].clone(),
    };
    let base = base
        .and_then(|b| act.world.find_type(&names::list(&b.names)).map(|t| t.oid))
        .unwrap_or(0);
    let oid = put_type(act, &schema, &name, kind, base);
    if let Some(t) = act.world.types.get_mut(&oid) {
        t.not_null = constrained;
    }
}

/// `CREATE DOMAIN` (`DefineDomain`)
pub fn domain(act: &mut Act, statement: &protobuf::CreateDomainStmt) {
    let constraints: Vec<&protobuf::Constraint> = statement
        .constraints
        .iter()
        .filter_map(|c| match &c.node {
            Some(NodeEnum::Constraint(c)) => Some(c.as_ref()),
            _ => None,
        })
        .collect();
    let is = |c: &protobuf::Constraint, kind: protobuf::ConstrType| c.contype == kind as i32;
    let constrained = constraints.iter().any(|c| {
        is(c, protobuf::ConstrType::ConstrNotnull) || is(c, protobuf::ConstrType::ConstrCheck)
    });
    let parts = names::list(&statement.domainname);
    create_type(act, &parts, 'd', statement.type_name.as_ref(), constrained);
    let Some(oid) = act.world.find_type(&parts).map(|t| t.oid) else {
        return;
    };
    for constraint in constraints {
        let Some(expr) = constraint.raw_expr.as_deref() else {
            continue;
        };
        if is(constraint, protobuf::ConstrType::ConstrDefault) {
            domain_default(act, oid, expr);
        } else {
            value_fields(act, expr, oid);
        }
    }
}

/// What a domain's default needs, the columns with it need too.
fn domain_default(act: &mut Act, domain: Oid, expression: &Node) {
    for sequence in expression::depends_on(act, expression, "the domain's default uses it") {
        act.world.depend(
            (class::TYPE, domain, 0),
            (class::RELATION, sequence, 0),
            'n',
        );
    }
}

/// Fields of VALUE in a domain's CHECK.
fn value_fields(act: &mut Act, expression: &Node, domain: Oid) {
    expression::fields(act, expression, &|_, name| {
        if name == "value" { domain } else { 0 }
    });
}

/// `ALTER DOMAIN` (`AlterDomainAddConstraint`, `AlterDomainNotNull`, `AlterDomainValidateConstraint`):
/// every table with a column of the domain is read with SHARE.
pub fn alter_domain(act: &mut Act, statement: &AlterDomainStmt) -> Step {
    let parts = names::list(&statement.type_name);
    let Some(domain) = act.world.find_type(&parts).map(|t| t.oid) else {
        return refuse(format!("type {} does not exist", parts.join(".")));
    };
    let constraint = match statement.def.as_ref().and_then(|d| d.node.as_ref()) {
        Some(NodeEnum::Constraint(c)) => Some(c),
        _ => None,
    };
    let reads = match statement.subtype.as_str() {
        "O" | "V" => true,
        "C" => constraint.is_some_and(|c| !c.skip_validation),
        _ => false,
    };
    if let Some(expr) = constraint.and_then(|c| c.raw_expr.as_deref()) {
        expression::check(act, 0, expr);
        value_fields(act, expr, domain);
    }
    if let Some(default) = statement
        .def
        .as_deref()
        .filter(|_| statement.subtype == "T")
    {
        domain_default(act, domain, default);
    }
    if statement.subtype == "X" {
        let found = act
            .world
            .constraints
            .all()
            .find(|c| c.domain == domain && c.name == statement.name)
            .map(|c| c.oid);
        if let Some(oid) = found {
            act.world.forget((class::CONSTRAINT, oid, 0));
        }
        return Ok(());
    }
    if reads {
        for table in tables_with(act, domain) {
            act.lock(table, Share, format!("has a column of {}", parts.join(".")));
            act.works(table, LockWork::Scan);
        }
    }
    if let Some(t) = act.world.types.get_mut(&domain) {
        t.not_null |= statement.subtype == "O" || statement.subtype == "C";
    }
    Ok(())
}

/// `get_rels_with_domain`: tables with a column of the domain, or of one over it.
fn tables_with(act: &Act, domain: Oid) -> Vec<Oid> {
    let mut found = Vec::new();
    let mut types = vec![domain];
    let mut next = 0;
    while next < types.len() {
        let below: Vec<_> = act
            .world
            .below((class::TYPE, types[next], 0))
            .copied()
            .collect();
        next += 1;
        for d in below {
            if d.class == class::TYPE && act.world.types.get(&d.oid).is_some_and(|t| t.kind == 'd')
            {
                types.push(d.oid);
            } else if d.class == class::RELATION
                && d.column > 0
                && matches!(
                    act.kind(d.oid),
                    RelationKind::Table | RelationKind::MaterializedView
                )
                && !found.contains(&d.oid)
            {
                found.push(d.oid);
            }
        }
    }
    found
}
