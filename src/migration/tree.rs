//! A statement's tree, which takes a hundred times the memory of its text: of a long run only the first trees are kept,
//! and the others are made again where they are asked for.

use super::command;
use super::depth;
use pg_query::NodeEnum;
use std::fmt;
use std::sync::Arc;

/// The trees of the first statements are kept: nearly every migration is shorter.
pub const KEPT: usize = 500;

/// The tree of a statement.
#[derive(Clone)]
pub struct Tree(Kind);

#[derive(Clone)]
enum Kind {
    Kept(Arc<NodeEnum>),
    /// The text to parse again; it has been read once.
    Text {
        sql: String,
        needs_snapshot: bool,
    },
}

impl Tree {
    /// A tree that is kept.
    #[must_use]
    pub fn kept(node: NodeEnum) -> Self {
        Self(Kind::Kept(Arc::new(node)))
    }

    /// The tree of this text, which is the `number`th of its run.
    #[must_use]
    pub fn of(sql: &str, node: NodeEnum, number: usize) -> Self {
        if number < KEPT || decides(&node) {
            return Self::kept(node);
        }
        Self(Kind::Text {
            sql: sql.to_owned(),
            needs_snapshot: command::of(&node).needs_snapshot,
        })
    }

    /// The tree of a statement that decides on the session or its transactions; `None` may be any other.
    #[must_use]
    pub fn deciding(&self) -> Option<&NodeEnum> {
        match &self.0 {
            Kind::Kept(node) => Some(node),
            Kind::Text { .. } => None,
        }
    }

    #[must_use]
    pub fn node(&self) -> Arc<NodeEnum> {
        match &self.0 {
            Kind::Kept(node) => Arc::clone(node),
            Kind::Text { sql, .. } => Arc::new(again(sql)),
        }
    }

    /// Whether the statement takes a snapshot before it runs.
    #[must_use]
    pub fn needs_snapshot(&self) -> bool {
        match &self.0 {
            Kind::Kept(node) => command::of(node).needs_snapshot,
            Kind::Text { needs_snapshot, .. } => *needs_snapshot,
        }
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.node().fmt(f)
    }
}

/// Whether a statement may set something, begin or end a transaction.
const fn decides(node: &NodeEnum) -> bool {
    matches!(
        node,
        NodeEnum::VariableSetStmt(_)
            | NodeEnum::DiscardStmt(_)
            | NodeEnum::TransactionStmt(_)
            | NodeEnum::SelectStmt(_)
    )
}

/// The tree of a text that has been parsed before. Would it fail now, the statement is one that nothing is known of.
fn again(sql: &str) -> NodeEnum {
    depth::parse(sql)
        .and_then(|parsed| parsed.protobuf.stmts.into_iter().next()?.stmt?.node)
        .unwrap_or(NodeEnum::RawStmt(Box::default()))
}
