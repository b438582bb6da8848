//! `CREATE` of what is no relation: aggregates, operators, text search, collations, operator classes.

use crate::migration::footprint::act::Act;
use crate::migration::footprint::listed::{class_of, find, put};
use crate::migration::footprint::objects::types;
use crate::migration::footprint::{names, stored};
use crate::model::{Oid, Routine, class};
use pg_query::NodeEnum;
use pg_query::protobuf::{CreateOpClassStmt, DefineStmt, Node, ObjectType};

/// `CREATE AGGREGATE`, `CREATE OPERATOR`, `CREATE TEXT SEARCH …`, `CREATE COLLATION`, `CREATE TYPE` of a base type.
pub fn define(act: &mut Act, statement: &DefineStmt) {
    let kind = ObjectType::try_from(statement.kind).unwrap_or(ObjectType::Undefined);
    let parts = names::list(&statement.defnames);
    let object = match kind {
        ObjectType::ObjectAggregate => (class::PROC, put_aggregate(act, &parts)),
        ObjectType::ObjectType => {
            // The second CREATE TYPE fills the shell that the first has made.
            if act.world.find_type(&parts).is_none() {
                types::create_type(act, &parts, 'b', None, false);
            }
            return;
        }
        _ => match class_of(kind) {
            Some(class) => {
                let exists = statement.if_not_exists && !find(act, class, &parts).is_empty();
                if exists {
                    return;
                }
                (class, put(act, class, &parts))
            }
            None => return,
        },
    };
    for function in named_in(&statement.definition) {
        let routines = act.world.find_routines(&function);
        let routines: Vec<Oid> = routines.iter().map(|r| r.oid).collect();
        for routine in routines {
            act.world
                .depend((object.0, object.1, 0), (class::PROC, routine, 0), 'n');
        }
    }
}

/// The functions that a definition is made of.
fn named_in(definition: &[Node]) -> Vec<Vec<String>> {
    const OPTIONS: [&str; 8] = [
        "function",
        "procedure",
        "sfunc",
        "finalfunc",
        "combinefunc",
        "msfunc",
        "minvfunc",
        "mfinalfunc",
    ];
    let named = definition
        .iter()
        .filter_map(|node| match node.node.as_ref()? {
            NodeEnum::DefElem(e) if OPTIONS.contains(&e.defname.as_str()) => {
                match e.arg.as_ref()?.node.as_ref()? {
                    NodeEnum::TypeName(t) => Some(names::list(&t.names)),
                    _ => None,
                }
            }
            _ => None,
        });
    named.collect()
}

fn put_aggregate(act: &mut Act, parts: &[String]) -> Oid {
    let Some((name, schema)) = parts.split_last() else {
        return 0;
    };
    let schema = schema.last().cloned();
    let schema = schema.unwrap_or_else(|| act.world.creation_schema());
    let oid = act.world.new_oid();
    act.world.routines.insert(
        oid,
        Routine {
            oid,
            schema,
            name: name.clone(),
            kind: 'a',
            language: "internal".to_owned(),
            volatility: 'i',
            arguments: 1,
            signature: Vec::new(),
            argument_names: Vec::new(),
            defaults: None,
            returns: 0,
            body: None,
            parsed: None,
            is_definer: false,
            settings: Vec::new(),
        },
    );
    oid
}

/// `CREATE OPERATOR CLASS`: a family of the same name comes with it, if none is named.
pub fn operator_class(act: &mut Act, statement: &CreateOpClassStmt) {
    let parts = names::list(&statement.opclassname);
    let oid = put(act, class::OPCLASS, &parts);
    if statement.opfamilyname.is_empty() && find(act, class::OPFAMILY, &parts).is_empty() {
        put(act, class::OPFAMILY, &parts);
    }
    let object = (class::OPCLASS, oid, 0);
    for node in &statement.items {
        if let Some(NodeEnum::CreateOpClassItem(item)) = &node.node
            && let Some(name) = &item.name
        {
            stored::note_called(act, object, &names::list(&name.objname));
        }
    }
}
