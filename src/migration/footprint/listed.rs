//! Objects that are no relation, type or function, by name: operators, text search, collations, operator classes,
//! servers, languages.

use super::act::Act;
use crate::model::{NamedObject, Oid, class};
use pg_query::protobuf::ObjectType;

/// The catalog that lists a kind of object.
#[must_use]
pub const fn class_of(kind: ObjectType) -> Option<Oid> {
    Some(match kind {
        ObjectType::ObjectExtension => class::EXTENSION,
        ObjectType::ObjectForeignServer => class::SERVER,
        ObjectType::ObjectFdw => class::FDW,
        ObjectType::ObjectLanguage => class::LANGUAGE,
        ObjectType::ObjectAccessMethod => class::ACCESS_METHOD,
        ObjectType::ObjectOperator => class::OPERATOR,
        ObjectType::ObjectOpclass => class::OPCLASS,
        ObjectType::ObjectOpfamily => class::OPFAMILY,
        ObjectType::ObjectCollation => class::COLLATION,
        ObjectType::ObjectTsconfiguration => class::TS_CONFIGURATION,
        ObjectType::ObjectTsdictionary => class::TS_DICTIONARY,
        ObjectType::ObjectTsparser => class::TS_PARSER,
        ObjectType::ObjectTstemplate => class::TS_TEMPLATE,
        _ => return None,
    })
}

/// The objects of a name; the schema counts where it is said and known.
#[must_use]
pub fn find<'a>(act: &'a Act, class: Oid, parts: &[String]) -> Vec<&'a NamedObject> {
    let Some((name, schema)) = parts.split_last() else {
        return Vec::new();
    };
    let fits = |o: &&NamedObject| {
        let in_schema = match (schema.last(), &o.schema) {
            (Some(said), Some(known)) => said == known,
            _ => true,
        };
        o.class == class && o.name == *name && in_schema
    };
    act.world.objects.iter().filter(fits).collect()
}

/// Puts an object into the world.
pub fn put(act: &mut Act, class: Oid, parts: &[String]) -> Oid {
    let Some((name, schema)) = parts.split_last() else {
        return 0;
    };
    let has_schema = !matches!(
        class,
        class::SERVER
            | class::FDW
            | class::LANGUAGE
            | class::ACCESS_METHOD
            | class::EXTENSION
            | class::PUBLICATION
    );
    let schema = schema.last().cloned();
    let schema = has_schema.then(|| schema.unwrap_or_else(|| act.world.creation_schema()));
    let oid = act.world.new_oid();
    act.world.objects.push(NamedObject {
        class,
        oid,
        schema,
        name: name.clone(),
    });
    oid
}

/// `ALTER … RENAME TO` of such an object.
pub fn rename(act: &mut Act, kind: ObjectType, parts: &[String], name: &str) {
    let Some(class) = class_of(kind) else {
        return;
    };
    let found = find(act, class, parts).first().map(|o| o.oid);
    let mut objects = act.world.objects.iter_mut();
    if let Some(object) = objects.find(|o| o.class == class && Some(o.oid) == found) {
        name.clone_into(&mut object.name);
    }
}
