//! What statements are, by their trees.

use crate::migration::depth;
use pg_query::NodeEnum;

/// The statements of a text; none where it is no SQL.
pub fn nodes(sql: &str) -> Vec<NodeEnum> {
    if depth::is_too_deep(sql) {
        return Vec::new();
    }
    let parsed = std::panic::catch_unwind(|| pg_query::parse(sql, 0));
    let Ok(Ok(parsed)) = parsed else {
        return Vec::new();
    };
    let statements = parsed.protobuf.stmts.into_iter();
    statements.filter_map(|raw| raw.stmt?.node).collect()
}

/// Whether the client sends data with it.
pub const fn copies_in(node: &NodeEnum) -> bool {
    matches!(node, NodeEnum::CopyStmt(copy) if copy.is_from && !copy.is_program && copy.filename.is_empty())
}

pub const fn makes_if_missing(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::CreateStmt(made) => made.if_not_exists,
        NodeEnum::CreateTableAsStmt(made) => made.if_not_exists,
        NodeEnum::CreateSchemaStmt(made) => made.if_not_exists,
        NodeEnum::CreateSeqStmt(made) => made.if_not_exists,
        NodeEnum::CreateExtensionStmt(made) => made.if_not_exists,
        NodeEnum::IndexStmt(made) => made.if_not_exists,
        _ => false,
    }
}

/// The databases that a statement makes.
#[must_use]
pub fn made_databases(sql: &str) -> Vec<String> {
    let made = nodes(sql).into_iter().filter_map(|node| match node {
        NodeEnum::CreatedbStmt(made) => Some(made.dbname),
        _ => None,
    });
    made.collect()
}

/// Whether it is about whole databases or roles, from whichever database it is sent.
#[must_use]
pub fn is_of_the_server(sql: &str) -> bool {
    nodes(sql).iter().any(|node| {
        matches!(
            node,
            NodeEnum::CreatedbStmt(_)
                | NodeEnum::DropdbStmt(_)
                | NodeEnum::AlterDatabaseStmt(_)
                | NodeEnum::AlterDatabaseSetStmt(_)
                | NodeEnum::CreateRoleStmt(_)
                | NodeEnum::AlterRoleStmt(_)
                | NodeEnum::AlterRoleSetStmt(_)
                | NodeEnum::DropRoleStmt(_)
                | NodeEnum::GrantRoleStmt(_)
                | NodeEnum::CreateTableSpaceStmt(_)
                | NodeEnum::DropTableSpaceStmt(_)
        )
    })
}

pub const fn is_transaction(node: &NodeEnum) -> bool {
    matches!(node, NodeEnum::TransactionStmt(_))
}

/// Whether it is more than a read, a setting or a lock.
pub const fn changes(node: &NodeEnum) -> bool {
    !matches!(
        node,
        NodeEnum::TransactionStmt(_)
            | NodeEnum::SelectStmt(_)
            | NodeEnum::VariableSetStmt(_)
            | NodeEnum::VariableShowStmt(_)
            | NodeEnum::LockStmt(_)
            | NodeEnum::DiscardStmt(_)
            | NodeEnum::PrepareStmt(_)
            | NodeEnum::DeallocateStmt(_)
            | NodeEnum::DeclareCursorStmt(_)
            | NodeEnum::FetchStmt(_)
            | NodeEnum::ClosePortalStmt(_)
            | NodeEnum::ListenStmt(_)
            | NodeEnum::UnlistenStmt(_)
    )
}

/// The text with the queries of cursors in the place of their DECLARE, into which the parser's list of tables does not
/// look.
pub fn queries(sql: &str, nodes: &[NodeEnum]) -> String {
    let query = |node: &NodeEnum| match node {
        NodeEnum::DeclareCursorStmt(cursor) => cursor.query.as_ref()?.node.clone(),
        _ => None,
    };
    let text = |node: NodeEnum| node.deparse(pg_query::DeparseOptions::default()).ok();
    let cursors: Vec<String> = nodes.iter().filter_map(query).filter_map(text).collect();
    match cursors.is_empty() {
        true => sql.to_owned(),
        false => format!("{sql};\n{}", cursors.join(";\n")),
    }
}

pub const fn reads_only(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::SelectStmt(select) => select.into_clause.is_none(),
        NodeEnum::VariableShowStmt(_) | NodeEnum::DeclareCursorStmt(_) => true,
        NodeEnum::CopyStmt(copy) => !copy.is_from,
        _ => false,
    }
}
