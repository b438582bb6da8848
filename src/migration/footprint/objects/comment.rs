//! Comments, privileges, and what belongs to a role.

use crate::migration::footprint::act::{Act, Step};
use crate::migration::footprint::world::Object;
use crate::migration::footprint::{drop, names};
use crate::model::{LockMode, Oid, RelationKind, class};
use pg_query::protobuf;
use pg_query::protobuf::{
    AlterExtensionContentsStmt, CommentStmt, DropBehavior, GrantStmt, Node, ObjectType,
};

use LockMode::{AccessExclusive, AccessShare, ShareUpdateExclusive};

fn object_type(number: i32) -> ObjectType {
    ObjectType::try_from(number).unwrap_or(ObjectType::Undefined)
}

/// `COMMENT ON` (`CommentObject`), `SECURITY LABEL`
pub fn comment(act: &mut Act, objtype: i32, object: Option<&Node>) -> Step {
    let parts = object.map(names::strings).unwrap_or_default();
    let (range, mode) = match object_type(objtype) {
        ObjectType::ObjectTable
        | ObjectType::ObjectIndex
        | ObjectType::ObjectView
        | ObjectType::ObjectMatview
        | ObjectType::ObjectSequence
        | ObjectType::ObjectForeignTable => (names::range_var(&parts), ShareUpdateExclusive),
        ObjectType::ObjectColumn => (
            names::range_var(&parts[..parts.len().saturating_sub(1)]),
            ShareUpdateExclusive,
        ),
        ObjectType::ObjectTabconstraint
        | ObjectType::ObjectTrigger
        | ObjectType::ObjectRule
        | ObjectType::ObjectPolicy => (
            names::range_var(&parts[..parts.len().saturating_sub(1)]),
            AccessShare,
        ),
        ObjectType::ObjectType => {
            return Ok(());
        }
        _ => return Ok(()),
    };
    let oid = act.resolve(&range)?;
    act.lock(oid, mode, "is commented on");
    Ok(())
}

/// `COMMENT ON …`
pub fn comment_on(act: &mut Act, statement: &CommentStmt) -> Step {
    comment(act, statement.objtype, statement.object.as_deref())
}

/// `ALTER EXTENSION … ADD` and `DROP` (`ExecAlterExtensionContentsStmt`, extension.c).
pub fn member(act: &mut Act, statement: &AlterExtensionContentsStmt) -> Step {
    let parts = statement.object.as_deref().map(names::strings);
    match object_type(statement.objtype) {
        ObjectType::ObjectTable
        | ObjectType::ObjectView
        | ObjectType::ObjectMatview
        | ObjectType::ObjectSequence
        | ObjectType::ObjectForeignTable => {
            let oid = act.resolve(&names::range_var(&parts.unwrap_or_default()))?;
            act.lock(oid, ShareUpdateExclusive, "joins or leaves the extension");
        }
        _ => act.opaque("which object of the extension is locked is unknown"),
    }
    Ok(())
}

/// `GRANT`, `REVOKE` on tables and sequences: no lock before 18, ACCESS SHARE since
/// (`objectNamesToOids`, aclchk.c).
pub fn grant(act: &mut Act, statement: &GrantStmt) -> Step {
    let on_objects = statement.targtype == protobuf::GrantTargetType::AclTargetObject as i32;
    let kind = object_type(statement.objtype);
    if !on_objects
        || !matches!(
            kind,
            ObjectType::ObjectTable | ObjectType::ObjectSequence | ObjectType::ObjectColumn
        )
    {
        return Ok(());
    }
    for object in &statement.objects {
        let range = names::range_var(&names::strings(object));
        let oid = act.resolve(&range)?;
        if act.version() >= 18 {
            act.lock(oid, AccessShare, "its privileges change");
        }
    }
    Ok(())
}

/// `DROP OWNED BY`: everything of the role's goes, like DROP … for each.
pub fn drop_owned(act: &mut Act, statement: &protobuf::DropOwnedStmt) -> Step {
    let roles = names::role_names(&statement.roles);
    let theirs = act.world.owned.iter().filter(|o| roles.contains(&o.role));
    let mut objects: Vec<Object> = theirs.map(|o| (o.class, o.oid, 0)).collect();
    // What the migration itself has made.
    let made = act.world.relations().filter(|r| {
        let is_part = r.kind.is_index()
            || matches!(r.kind, RelationKind::Toast | RelationKind::CompositeType);
        act.world.created_in(r.oid).is_some() && roles.contains(&r.owner) && !is_part
    });
    objects.extend(made.map(|r| (class::RELATION, r.oid, 0)));
    objects.sort_unstable();
    // RemoveRoleFromObjectPolicy, policy.c: a policy for this role alone goes.
    let policies: Vec<(Oid, Oid, bool)> = act
        .world
        .policies
        .all()
        .filter(|p| p.roles.iter().any(|r| roles.contains(r)))
        .map(|p| (p.oid, p.table, p.roles.iter().all(|r| roles.contains(r))))
        .collect();
    for (policy, table, goes) in policies {
        if goes {
            objects.push((class::POLICY, policy, 0));
        } else {
            act.touch(table, AccessExclusive, "one of its policies loses the role");
        }
    }
    act.notes
        .push("privileges of the role on other relations are not listed".to_owned());
    drop::delete(
        act,
        &objects,
        statement.behavior == DropBehavior::DropCascade as i32,
        "belongs to the role",
    )
}
