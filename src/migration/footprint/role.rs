//! The role that a migration acts in: SET ROLE, SET SESSION AUTHORIZATION, or the one it was told of. What a
//! role has no right to touch fails before it waits, or is passed over: the callback of
//! `RangeVarGetRelidExtended` (namespace.c) looks at rights before it locks.
//!
//! Only a role without any right on a relation is known here, and only until the migration gives rights or runs
//! code that cannot be seen, so nothing is taken for a failure that is none.

use super::world::World;
use crate::migration::settings::Settings;
use crate::migration::statement::{Body, Script, statements};
use crate::model::{Command, LockMode, LockRequest};
use pg_query::NodeEnum;
use pg_query::protobuf::{AlterTableType, Node};

/// The role that a session acts in whose last message was this text and succeeded, and whether SET LOCAL says
/// so; `None`: it does not tell.
#[must_use]
pub fn left_by(text: &str) -> Option<(String, bool)> {
    let script = Script::psql("", text);
    let statements = statements(&[script]);
    let [only] = statements.as_slice() else {
        return None;
    };
    match &only.body {
        Body::Sql(tree) => match tree.deciding() {
            Some(node @ NodeEnum::VariableSetStmt(set)) if set.name == "role" => {
                let mut settings = Settings::default();
                settings.apply(node, true);
                Some((settings.role()?.to_owned(), set.is_local))
            }
            _ => None,
        },
        Body::Doubt(_) | Body::Connect(_) | Body::Unparsable(_) | Body::Code => None,
    }
}

/// Whether a statement may give a role rights that it has not had: what the catalog said of them is then old.
pub fn gives_rights(node: &NodeEnum) -> bool {
    let changes_owner = |command: &Node| match &command.node {
        Some(NodeEnum::AlterTableCmd(c)) => c.subtype == AlterTableType::AtChangeOwner as i32,
        _ => false,
    };
    match node {
        NodeEnum::GrantStmt(_)
        | NodeEnum::GrantRoleStmt(_)
        | NodeEnum::CreateRoleStmt(_)
        | NodeEnum::AlterRoleStmt(_)
        | NodeEnum::AlterOwnerStmt(_)
        | NodeEnum::ReassignOwnedStmt(_) => true,
        NodeEnum::AlterTableStmt(s) => s.cmds.iter().any(changes_owner),
        _ => false,
    }
}

/// Leaves out what the acting role may not touch. Says why Postgres will refuse the statement, if it does.
pub fn without_rights(
    world: &World,
    command: &Command,
    locks: &mut Vec<LockRequest>,
) -> Option<String> {
    let role = world.role.as_deref()?;
    let may_not = |lock: &LockRequest| lock.oid.is_some_and(|oid| world.is_powerless(role, oid));
    if command.passes_over {
        // Its name is looked up under ACCESS SHARE before (expand_vacuum_rel, vacuum.c).
        locks.retain(|lock| lock.mode == LockMode::AccessShare || !may_not(lock));
        return None;
    }
    if command.passes_over_parts {
        locks.retain(|lock| lock.named || !may_not(lock));
    }
    let first = locks.iter().position(|lock| lock.named && may_not(lock))?;
    if !command.refused_before_locking {
        return None;
    }
    let name = locks[first].name.clone();
    locks.truncate(first);
    Some(format!(
        "role {} may not touch {name}",
        crate::model::quoted(role)
    ))
}

#[cfg(test)]
mod tests {
    use super::left_by;

    #[test]
    fn the_last_message_tells_the_role_where_it_is_nothing_else() {
        let role = |name: &str, local| Some((name.to_owned(), local));
        for (text, expected) in [
            ("SET ROLE app;", role("app", false)),
            ("set local role \"App\"", role("App", true)),
            ("SET SESSION ROLE 'app'", role("app", false)),
            ("SET ROLE NONE", None),
            ("RESET ROLE", None),
            ("SET SESSION AUTHORIZATION app", None),
            ("SET ROLE app; SELECT 1 / 0", None),
            ("SELECT 1", None),
            ("SET ROLE", None),
        ] {
            assert_eq!(left_by(text), expected, "{text}");
        }
    }
}
