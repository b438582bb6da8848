//! Names as the grammar gives them: lists of strings, range variables.

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, RangeVar};

/// The strings of a name, of a list of strings, or of a type's name.
#[must_use]
pub fn strings(node: &Node) -> Vec<String> {
    match &node.node {
        Some(NodeEnum::String(s)) => vec![s.sval.clone()],
        Some(NodeEnum::List(list)) => list.items.iter().flat_map(strings).collect(),
        Some(NodeEnum::TypeName(t)) => t.names.iter().flat_map(strings).collect(),
        Some(NodeEnum::ObjectWithArgs(o)) => o.objname.iter().flat_map(strings).collect(),
        Some(NodeEnum::RangeVar(r)) => {
            let mut parts = vec![r.relname.clone()];
            if !r.schemaname.is_empty() {
                parts.insert(0, r.schemaname.clone());
            }
            parts
        }
        _ => Vec::new(),
    }
}

/// The strings of several nodes, in order.
#[must_use]
pub fn list(nodes: &[Node]) -> Vec<String> {
    nodes.iter().flat_map(strings).collect()
}

/// A range variable from the parts of a qualified name (`makeRangeVarFromNameList`).
#[must_use]
pub fn range_var(parts: &[String]) -> RangeVar {
    let relname = parts.last().cloned().unwrap_or_default();
    let schemaname = match parts.len() {
        0 | 1 => String::new(),
        n => parts[n - 2].clone(),
    };
    RangeVar {
        relname,
        schemaname,
        inh: true,
        ..RangeVar::default()
    }
}
