//! What a statement names and Postgres looks up, and that is not there: roles, schemas, types, functions and the like.

use crate::migration::footprint::act::{Act, Step, refuse};
use crate::migration::footprint::world::TEMPORARY;
use crate::migration::footprint::{names, routine, tree, types};
use crate::migration::parts;
use crate::model::{Named, Oid, class, quoted};
use pg_query::protobuf::{
    AlterTableType, Node, ObjectType, RangeVar, RoleSpecType, TypeName, VariableSetKind,
};
use pg_query::{NodeEnum as N, NodeRef};

/// A kind of object that a statement names, as the row of a table.
struct Kind {
    what: &'static str,
    /// The names that a statement looks up.
    wanted: fn(&N) -> Vec<String>,
    is_there: fn(&Act, &Named, &str) -> bool,
}

const KINDS: &[Kind] = &[
    Kind {
        what: "role",
        wanted: roles,
        is_there: |_, named, name| named.roles.contains(name),
    },
    Kind {
        what: "function",
        wanted: functions,
        is_there: has_function,
    },
    Kind {
        what: "access method",
        wanted: access_method,
        is_there: |act, named, name| {
            named.access_methods.contains(name) || has_object(act, class::ACCESS_METHOD, name)
        },
    },
    Kind {
        what: "operator class",
        wanted: operator_classes,
        is_there: |act, named, name| {
            named.operator_classes.contains(name) || has_object(act, class::OPCLASS, name)
        },
    },
    Kind {
        what: "tablespace",
        wanted: tablespaces,
        is_there: |_, named, name| named.tablespaces.contains(name),
    },
];

/// Refuses a statement that names what is not there. In a body, which is read by its words, the catalog was not asked for
/// what the grammar makes of them: `boolean` is `bool`, `AT TIME ZONE` is `timezone()`.
pub fn nothing(act: &Act, node: &N) -> Step {
    if act.in_body {
        return Ok(());
    }
    schemas(act, node)?;
    types_are_there(act, node)?;
    objects(act, node)?;
    sequences(act, node)?;
    let Some(named) = &act.world.named else {
        return Ok(());
    };
    for kind in KINDS {
        let wanted = (kind.wanted)(node);
        let missing = wanted
            .iter()
            .find(|name| !(kind.is_there)(act, named, name));
        if let Some(name) = missing {
            return is_missing(kind.what, name);
        }
    }
    Ok(())
}

/// What is often missing, and the extension that has it.
const OF_EXTENSIONS: &[(&str, &str)] = &[
    ("citext", "citext"),
    ("crypt", "pgcrypto"),
    ("digest", "pgcrypto"),
    ("gen_random_bytes", "pgcrypto"),
    ("gen_salt", "pgcrypto"),
    ("geography", "postgis"),
    ("geometry", "postgis"),
    ("gin_trgm_ops", "pg_trgm"),
    ("gist_trgm_ops", "pg_trgm"),
    ("halfvec", "vector"),
    ("hstore", "hstore"),
    ("ltree", "ltree"),
    ("similarity", "pg_trgm"),
    ("unaccent", "unaccent"),
    ("uuid_generate_v1", "uuid-ossp"),
    ("uuid_generate_v1mc", "uuid-ossp"),
    ("uuid_generate_v4", "uuid-ossp"),
    ("uuid_generate_v5", "uuid-ossp"),
    ("vector", "vector"),
    ("vector_cosine_ops", "vector"),
    ("vector_ip_ops", "vector"),
    ("vector_l2_ops", "vector"),
];

fn is_missing(what: &str, name: &str) -> Step {
    let mut extensions = OF_EXTENSIONS.iter();
    let help = match extensions.find(|(known, _)| *known == name) {
        Some((_, extension)) => format!(": extension {} has it", quoted(extension)),
        None => String::new(),
    };
    refuse(format!("{what} {} does not exist{help}", quoted(name)))
}

fn has_object(act: &Act, class: Oid, name: &str) -> bool {
    let mut objects = act.world.objects.iter();
    objects.any(|o| o.class == class && o.name == name)
}

// ---- roles --------------------------------------------------------------------------------------

/// The roles that a statement looks up (`get_rolespec_oid`, acl.c).
fn roles(node: &N) -> Vec<String> {
    let mut found: Vec<String> = parts::all(node).filter_map(role_of).collect();
    match node {
        N::GrantRoleStmt(s) => found.extend(s.granted_roles.iter().filter_map(|r| match &r.node {
            Some(N::AccessPriv(p)) => Some(p.priv_name.clone()),
            _ => None,
        })),
        N::RenameStmt(s) if s.rename_type == ObjectType::ObjectRole as i32 => {
            found.push(s.subname.clone());
        }
        N::CommentStmt(s) if s.objtype == ObjectType::ObjectRole as i32 => {
            found.extend(s.object.as_deref().map(names::strings).unwrap_or_default());
        }
        N::VariableSetStmt(s)
            if s.name == "role" && s.kind == VariableSetKind::VarSetValue as i32 =>
        {
            let role = s.args.first().and_then(tree::constant);
            found.extend(role.filter(|role| role != "none"));
        }
        _ => {}
    }
    found
}

fn role_of(node: NodeRef) -> Option<String> {
    match node {
        NodeRef::RoleSpec(role) if role.roletype == RoleSpecType::RolespecCstring as i32 => {
            Some(role.rolename.clone())
        }
        _ => None,
    }
}

// ---- functions ----------------------------------------------------------------------------------

/// Whether any schema has a function of that name, or a type or a column by which a call can mean a cast or a field
/// (`ParseFuncOrColumn`, parse_func.c).
fn has_function(act: &Act, named: &Named, name: &str) -> bool {
    named.functions.contains(name)
        || act.world.routines.values().any(|r| r.name == name)
        || act.world.types.values().any(|t| t.name == name)
        || act
            .world
            .relations()
            .any(|r| r.name.relation == name || r.columns.iter().any(|column| column.name == name))
}

/// The functions that a statement calls, or gives to a trigger.
fn functions(node: &N) -> Vec<String> {
    let calls = !matches!(
        node,
        N::CreateFunctionStmt(_) | N::CallStmt(_) | N::DefineStmt(_)
    );
    let calls = calls.then(|| tree::calls(node).filter_map(|c| names::list(&c.funcname).pop()));
    let mut found: Vec<String> = calls.into_iter().flatten().collect();
    let last = |parts: Vec<String>| parts.into_iter().next_back();
    let is_routine = |kind: i32| {
        matches!(
            ObjectType::try_from(kind).unwrap_or(ObjectType::Undefined),
            ObjectType::ObjectFunction
                | ObjectType::ObjectProcedure
                | ObjectType::ObjectRoutine
                | ObjectType::ObjectAggregate
        )
    };
    match node {
        N::CreateTrigStmt(s) => found.extend(last(names::list(&s.funcname))),
        N::CreateEventTrigStmt(s) => found.extend(last(names::list(&s.funcname))),
        N::AlterFunctionStmt(s) => {
            found.extend(s.func.as_ref().and_then(|f| last(names::list(&f.objname))));
        }
        N::CommentStmt(s) if is_routine(s.objtype) => {
            found.extend(s.object.as_deref().map(names::strings).and_then(last));
        }
        N::GrantStmt(s) if is_routine(s.objtype) => {
            found.extend(s.objects.iter().filter_map(|o| match &o.node {
                Some(N::ObjectWithArgs(o)) => last(names::list(&o.objname)),
                _ => None,
            }));
        }
        N::AlterOwnerStmt(s) if is_routine(s.object_type) => {
            found.extend(s.object.as_deref().map(names::strings).and_then(last));
        }
        N::RenameStmt(s) if is_routine(s.rename_type) => {
            found.extend(s.object.as_deref().map(names::strings).and_then(last));
        }
        _ => {}
    }
    // Columns that the statement itself makes can be called like functions.
    let made = made_columns(node);
    found.retain(|name| !made.contains(name));
    found
}

fn made_columns(node: &N) -> Vec<String> {
    let defs = parts::all(node).filter_map(|n| match n {
        NodeRef::ColumnDef(def) => Some(def.colname.clone()),
        _ => None,
    });
    defs.collect()
}

// ---- schemas ------------------------------------------------------------------------------------

/// The schemas that something is put into, or that are worked on.
fn schemas(act: &Act, node: &N) -> Step {
    let of_range = |range: Option<&RangeVar>| {
        range
            .map(|r| r.schemaname.clone())
            .filter(|schema| !schema.is_empty())
    };
    let of_name = |parts: &[Node]| {
        let parts = names::list(parts);
        (parts.len() > 1).then(|| parts[parts.len() - 2].clone())
    };
    let named: Vec<String> = match node {
        N::CreateStmt(s) => of_range(s.relation.as_ref()).into_iter().collect(),
        N::CreateSeqStmt(s) => of_range(s.sequence.as_ref()).into_iter().collect(),
        N::ViewStmt(s) => of_range(s.view.as_ref()).into_iter().collect(),
        N::CreateTableAsStmt(s) => {
            let into = s.into.as_ref().and_then(|i| i.rel.as_ref());
            of_range(into).into_iter().collect()
        }
        N::CompositeTypeStmt(s) => of_range(s.typevar.as_ref()).into_iter().collect(),
        N::CreateEnumStmt(s) => of_name(&s.type_name).into_iter().collect(),
        N::CreateRangeStmt(s) => of_name(&s.type_name).into_iter().collect(),
        N::CreateDomainStmt(s) => of_name(&s.domainname).into_iter().collect(),
        N::CreateFunctionStmt(s) => of_name(&s.funcname).into_iter().collect(),
        N::AlterObjectSchemaStmt(s) => vec![s.newschema.clone()],
        N::RenameStmt(s) if s.rename_type == ObjectType::ObjectSchema as i32 => {
            vec![s.subname.clone()]
        }
        N::CommentStmt(s) if s.objtype == ObjectType::ObjectSchema as i32 => {
            s.object.as_deref().map(names::strings).unwrap_or_default()
        }
        N::GrantStmt(s) if s.objtype == ObjectType::ObjectSchema as i32 => names::list(&s.objects),
        _ => Vec::new(),
    };
    let is_own = |name: &&String| name.starts_with(TEMPORARY) || name.starts_with("pg_toast");
    let missing = named
        .iter()
        .find(|name| !is_own(name) && act.world.schema(name).is_none());
    match missing {
        Some(name) => refuse(format!("schema {} does not exist", quoted(name))),
        None => Ok(()),
    }
}

// ---- types --------------------------------------------------------------------------------------

/// Refuses a type that no schema has.
fn types_are_there(act: &Act, node: &N) -> Step {
    let missing = named_types(act, node).into_iter().find(|name| {
        let parts = names::list(&name.names);
        let Some(last) = parts.last() else {
            return false;
        };
        let is_known = act.world.types.values().any(|t| t.name == *last)
            || act.world.relations().any(|r| r.name.relation == *last)
            || own_name(node) == Some(last);
        // An array's own name, which a recording of a whole database does not have.
        !name.pct_type && !is_known && !last.starts_with('_') && types::serial_base(name).is_none()
    });
    match missing {
        Some(name) => is_missing("type", &names::list(&name.names).join(".")),
        None => Ok(()),
    }
}

/// The row type of a table in the making: its partition key may use it.
fn own_name(node: &N) -> Option<&String> {
    match node {
        N::CreateStmt(s) => s.relation.as_ref().map(|r| &r.relname),
        _ => None,
    }
}

/// The types in a tree. A word that an option is set to (`fillfactor = off`) is read as one, too.
fn type_names(node: &N) -> Vec<&TypeName> {
    let mut found = Vec::new();
    let mut waiting = vec![node.to_ref()];
    while let Some(node) = waiting.pop() {
        match node {
            NodeRef::TypeName(name) => found.push(name),
            NodeRef::DefElem(_) => {}
            _ => waiting.extend(parts::nodes(node)),
        }
    }
    found
}

/// The types that a statement must find. In other statements a type may be a word of another sense, or be passed over.
fn named_types<'a>(act: &Act, node: &'a N) -> Vec<&'a TypeName> {
    match node {
        N::AlterTableStmt(s) => s
            .cmds
            .iter()
            .filter(|cmd| !is_passed_over(act, s.relation.as_ref(), cmd))
            .filter_map(|cmd| cmd.node.as_ref())
            .flat_map(type_names)
            .collect(),
        // A type that C code returns may be made later (compute_return_type, functioncmds.c).
        N::CreateFunctionStmt(s) => match routine::language(&s.options).as_deref() {
            Some("sql" | "plpgsql") => type_names(node),
            _ => Vec::new(),
        },
        N::AlterEnumStmt(_) => Vec::new(),
        N::CreateStmt(_)
        | N::CreateTableAsStmt(_)
        | N::ViewStmt(_)
        | N::SelectStmt(_)
        | N::InsertStmt(_)
        | N::UpdateStmt(_)
        | N::DeleteStmt(_)
        | N::CompositeTypeStmt(_)
        | N::CreateDomainStmt(_)
        | N::IndexStmt(_)
        | N::CreatePolicyStmt(_) => type_names(node),
        _ => Vec::new(),
    }
}

/// `ADD COLUMN IF NOT EXISTS` of a column that is there.
fn is_passed_over(act: &Act, range: Option<&RangeVar>, cmd: &Node) -> bool {
    let table = range.and_then(|r| act.world.find(r));
    match &cmd.node {
        Some(N::AlterTableCmd(c)) if c.subtype == AlterTableType::AtAddColumn as i32 => {
            let name = match c.def.as_ref().and_then(|d| d.node.as_ref()) {
                Some(N::ColumnDef(def)) => def.colname.as_str(),
                _ => return false,
            };
            c.missing_ok && table.is_some_and(|t| act.world.column(t, name).is_some())
        }
        _ => false,
    }
}

/// The object of a COMMENT, an extension that is altered, a domain's constraint.
fn objects(act: &Act, node: &N) -> Step {
    let missing =
        |what: &str, name: &str| refuse(format!("{what} {} does not exist", quoted(name)));
    let extension = |name: &str| match act.world.has_extension(name) {
        true => Ok(()),
        false => missing("extension", name),
    };
    match node {
        N::AlterExtensionStmt(s) => extension(&s.extname),
        N::CommentStmt(s) => {
            let parts = s.object.as_deref().map(names::strings).unwrap_or_default();
            let kind = ObjectType::try_from(s.objtype).unwrap_or(ObjectType::Undefined);
            match (kind, parts.last()) {
                (ObjectType::ObjectExtension, Some(name)) => extension(name),
                (ObjectType::ObjectType | ObjectType::ObjectDomain, Some(name)) => {
                    let is_there = act.world.types.values().any(|t| t.name == *name)
                        || act.world.relations().any(|r| r.name.relation == *name);
                    match is_there {
                        true => Ok(()),
                        false => missing("type", &parts.join(".")),
                    }
                }
                _ => Ok(()),
            }
        }
        N::AlterDomainStmt(s) if matches!(s.subtype.as_str(), "X" | "V") && !s.missing_ok => {
            let domain = act.world.find_type(&names::list(&s.type_name));
            let Some(domain) = domain.filter(|t| act.world.is_listed(t.oid)) else {
                return Ok(());
            };
            let mut constraints = act.world.constraints.all();
            match constraints.any(|c| c.domain == domain.oid && c.name == s.name) {
                true => Ok(()),
                false => missing("constraint", &s.name),
            }
        }
        _ => Ok(()),
    }
}

/// The functions that take a sequence by its name.
const OF_SEQUENCES: &[&str] = &["nextval", "setval", "currval"];

/// The constant is read where the statement is analysed (`regclassin`).
fn sequences(act: &Act, node: &N) -> Step {
    if matches!(node, N::CreateFunctionStmt(_)) || makes_sequences(node) {
        return Ok(());
    }
    let calls = tree::calls(node).filter(|call| {
        let name = names::list(&call.funcname).pop().unwrap_or_default();
        OF_SEQUENCES.contains(&name.as_str())
    });
    let mut named = calls.filter_map(|call| tree::constant(call.args.first()?));
    let missing = named.find(|text| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let range = names::range_var(&names::split(text));
        !is_number
            && act.world.find(&range).is_none()
            && !act.world.is_foreign_temporary(&range.relname)
    });
    match missing {
        Some(name) => refuse(format!("relation {name} does not exist")),
        None => Ok(()),
    }
}

/// Whether the statement makes sequences of its own: they are there before its defaults are read.
fn makes_sequences(node: &N) -> bool {
    let is_serial = |n: NodeRef| match n {
        NodeRef::ColumnDef(def) => def
            .type_name
            .as_ref()
            .and_then(types::serial_base)
            .is_some(),
        NodeRef::CreateSeqStmt(_) => true,
        _ => false,
    };
    parts::all(node).any(is_serial)
}

// ---- the rest -----------------------------------------------------------------------------------

fn access_method(node: &N) -> Vec<String> {
    let name = match node {
        N::IndexStmt(s) => &s.access_method,
        N::CreateStmt(s) => &s.access_method,
        _ => return Vec::new(),
    };
    // The old name of GiST's first form (DefineIndex, indexcmds.c).
    let is_name = !name.is_empty() && name != "rtree";
    is_name.then(|| name.clone()).into_iter().collect()
}

fn operator_classes(node: &N) -> Vec<String> {
    let N::IndexStmt(statement) = node else {
        return Vec::new();
    };
    let named = statement.index_params.iter().filter_map(|p| match &p.node {
        Some(N::IndexElem(element)) => names::list(&element.opclass).pop(),
        _ => None,
    });
    named.collect()
}

fn tablespaces(node: &N) -> Vec<String> {
    let of_cmd = |cmd: &Node| match &cmd.node {
        Some(N::AlterTableCmd(c)) if c.subtype == AlterTableType::AtSetTableSpace as i32 => {
            Some(c.name.clone())
        }
        _ => None,
    };
    let mut found: Vec<String> = match node {
        N::CreateStmt(s) => vec![s.tablespacename.clone()],
        N::IndexStmt(s) => vec![s.table_space.clone()],
        N::AlterTableStmt(s) => s.cmds.iter().filter_map(of_cmd).collect(),
        _ => Vec::new(),
    };
    found.retain(|name| !name.is_empty());
    found
}
