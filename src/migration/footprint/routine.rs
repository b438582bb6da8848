//! Functions and procedures: the text of their bodies.

use super::names;
use pg_query::NodeEnum;
use pg_query::protobuf::{DefElem, Node};

/// The body texts of `CREATE FUNCTION … AS '…'` and `DO '…'`.
#[must_use]
pub fn bodies(node: &NodeEnum) -> Vec<String> {
    match node {
        NodeEnum::CreateFunctionStmt(s) => option(&s.options, "as"),
        NodeEnum::DoStmt(s) => option(&s.args, "as"),
        _ => Vec::new(),
    }
}

/// The language that is named; `None`: none is.
#[must_use]
pub fn language(options: &[Node]) -> Option<String> {
    option(options, "language").into_iter().next()
}

fn option(options: &[Node], name: &str) -> Vec<String> {
    options
        .iter()
        .filter_map(|o| match &o.node {
            Some(NodeEnum::DefElem(e)) if e.defname == name => Some(e),
            _ => None,
        })
        .flat_map(|e: &Box<DefElem>| e.arg.as_deref().map(names::strings).unwrap_or_default())
        .collect()
}
