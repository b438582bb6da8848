//! Names as the grammar gives them: lists of strings, range variables.

use pg_query::NodeEnum;
use pg_query::protobuf::{DefElem, Node, RangeVar};

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

/// A generated name of at most 63 bytes: the longer part is cut first (`makeObjectName`, indexcmds.c).
#[must_use]
pub fn object_name(first: &str, second: &str, label: &str) -> String {
    const LONGEST: usize = 63;
    let overhead = label.len() + 1 + usize::from(!second.is_empty());
    let room = LONGEST.saturating_sub(overhead);
    let (mut one, mut two) = (first.len(), second.len());
    while one + two > room {
        if one > two {
            one -= 1;
        } else {
            two -= 1;
        }
    }
    let first = cut(first, one);
    if second.is_empty() {
        format!("{first}_{label}")
    } else {
        format!("{first}_{}_{label}", cut(second, two))
    }
}

/// The first bytes of a text, no character in two.
fn cut(text: &str, mut bytes: usize) -> &str {
    while bytes > 0 && !text.is_char_boundary(bytes) {
        bytes -= 1;
    }
    &text[..bytes.min(text.len())]
}

/// The parts of a qualified name in a text constant, folded and unquoted
/// (`stringToQualifiedNameList`).
#[must_use]
pub fn split(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                part.push('"');
            }
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(std::mem::take(&mut part)),
            c if quoted => part.push(c),
            c if c.is_whitespace() => {}
            c => part.extend(c.to_lowercase()),
        }
    }

    parts.push(part);

    parts
}

/// The names of roles; `CURRENT_USER` and its kin have none.
#[must_use]
pub fn role_names(roles: &[pg_query::protobuf::Node]) -> Vec<String> {
    roles
        .iter()
        .filter_map(|role| match &role.node {
            Some(NodeEnum::RoleSpec(role)) => Some(role.rolename.clone()),
            _ => None,
        })
        .collect()
}

/// Whether an option such as `(CONCURRENTLY)` is on (`defGetBoolean`).
#[must_use]
pub fn is_on(option: &DefElem) -> bool {
    match option.arg.as_ref().and_then(|a| a.node.as_ref()) {
        None => true,
        Some(NodeEnum::Boolean(b)) => b.boolval,
        Some(NodeEnum::Integer(i)) => i.ival != 0,
        Some(NodeEnum::String(s)) => !matches!(
            s.sval.to_lowercase().as_str(),
            "false" | "off" | "0" | "no" | "disabled"
        ),
        _ => true,
    }
}
