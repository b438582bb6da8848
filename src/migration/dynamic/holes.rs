//! Holes in a text that is run: names of our own in their places, and whether a lock can depend on one of them.

use super::text::{Form, Piece, Text};
use crate::migration::depth;
use pg_query::NodeEnum;
use pg_query::protobuf::ObjectType;
use std::collections::HashSet;

/// A hole that is read as one name.
const NAME: &str = "pgguard_unknown_name_";
/// A hole in whose place any text may come.
const ANY: &str = "pgguard_unknown_text_";
/// The same where no name may stand.
const NUMBER: &str = "918273645";

/// Whether a name has a hole in it.
#[must_use]
pub fn is_unknown(name: &str) -> bool {
    name.contains(NAME) || name.contains(ANY)
}

/// Relations with a hole in their names that the body has made.
#[derive(Debug, Clone, Default)]
pub struct Made(HashSet<String>);

/// The SQL of a text; `None`: what it locks is unknown.
pub fn read(text: &Text, made: &mut Made) -> Option<String> {
    let pieces = text.0.as_slice();
    let named = rendered(pieces, false);
    if pieces.iter().all(|piece| matches!(piece, Piece::Known(_))) {
        return Some(named);
    }
    for text in [named, rendered(pieces, true)] {
        if let Some(parsed) = depth::parse(&text) {
            let statements = parsed.protobuf.stmts.iter();
            let mut tops = statements.filter_map(|s| s.stmt.as_ref()?.node.as_ref());
            return tops.all(|top| is_safe(top, made)).then_some(text);
        }
    }
    None
}

fn rendered(pieces: &[Piece], with_numbers: bool) -> String {
    let shown = pieces.iter().map(|piece| match piece {
        Piece::Known(text) => text.clone(),
        Piece::Hole(Form::Name, id) => format!("{NAME}{id}"),
        Piece::Hole(Form::Literal, id) => format!("'{ANY}{id}'"),
        Piece::Hole(Form::Raw, _) if with_numbers => NUMBER.to_owned(),
        Piece::Hole(Form::Raw, id) => format!("{ANY}{id}"),
    });
    shown.collect()
}

/// Whether no lock of a statement depends on a hole in it.
fn is_safe(top: &NodeEnum, made: &mut Made) -> bool {
    let shown = format!("{top:?}");
    let is_only_rows = matches!(
        top,
        NodeEnum::SelectStmt(_) | NodeEnum::UpdateStmt(_) | NodeEnum::DeleteStmt(_)
    );
    let mut new = Vec::new();
    for place in places(&shown) {
        let is_column = place.text.starts_with(NAME) && is_only_rows && place.is_column();
        let is_known = place.field == "relname" && made.0.contains(place.text);
        let is_new = place.is_new_relation();
        if is_new {
            new.push(place.text.to_owned());
        }
        if !(is_new || is_known || is_column || place.is_free(top)) {
            return false;
        }
    }
    made.0.extend(new);
    true
}

/// Where in a statement a hole stands.
struct Place<'a> {
    /// The nodes around it, the outermost first.
    nodes: Vec<&'a str>,
    field: &'a str,
    text: &'a str,
}

impl Place<'_> {
    fn is_column(&self) -> bool {
        let mut above = self.nodes.iter().rev().filter(|node| **node != "Node");
        above.next() == Some(&"String")
            && matches!(above.next(), Some(&("ColumnRef" | "AIndirection")))
    }

    /// The name of a relation that is made: nobody else has a lock on it.
    fn is_new_relation(&self) -> bool {
        self.field == "relname"
            && matches!(
                self.nodes.as_slice(),
                ["CreateStmt" | "CreateSeqStmt", "RangeVar"]
                    | ["CreateStmt", "CreateStmt", "RangeVar"]
                    | ["CreateTableAsStmt", "IntoClause", "RangeVar"]
            )
    }

    /// A role, a constant, or the name of something new that is no relation.
    fn is_free(&self, top: &NodeEnum) -> bool {
        let is_constant = self.nodes.contains(&"AConst") || self.nodes.last() == Some(&"Integer");
        if is_constant {
            // A constant may name a relation or a setting.
            return !self.nodes.contains(&"FuncCall")
                && !self.nodes.contains(&"TypeCast")
                && !matches!(top, NodeEnum::VariableSetStmt(_) | NodeEnum::DoStmt(_));
        }
        let node = self.nodes.last().copied().unwrap_or_default();
        match (node, self.field) {
            ("RoleSpec", _) => !matches!(
                top,
                NodeEnum::DropRoleStmt(_)
                    | NodeEnum::DropOwnedStmt(_)
                    | NodeEnum::ReassignOwnedStmt(_)
            ),
            ("AccessPriv", "priv_name") => matches!(top, NodeEnum::GrantRoleStmt(_)),
            ("CreateRoleStmt", "role")
            | ("RenameStmt", "newname")
            | ("IndexStmt", "idxname")
            | ("Constraint", "conname")
            | ("CreatePolicyStmt", "policy_name")
            | ("CreateTrigStmt", "trigname")
            | ("AlterDatabaseSetStmt", "dbname")
            | ("CommentStmt", "comment") => true,
            ("String", _) => {
                let is_database =
                    |s: &pg_query::protobuf::GrantStmt| s.objtype() == ObjectType::ObjectDatabase;
                matches!(top, NodeEnum::GrantStmt(s) if is_database(s))
            }
            _ => false,
        }
    }
}

/// Every hole in a tree, as the library prints it: `RoleSpec { rolename: "…", … }`.
fn places(shown: &str) -> Vec<Place<'_>> {
    let mut found = Vec::new();
    let (mut nodes, mut fields) = (Vec::new(), Vec::new());
    let (mut word, mut at) = ("", 0);
    while let Some(c) = shown[at..].chars().next() {
        let rest = &shown[at..];
        let length = match c {
            '"' => string_length(rest),
            _ if is_in_word(c) => rest.find(|c| !is_in_word(c)).unwrap_or(rest.len()),
            _ => c.len_utf8(),
        };
        let token = &rest[..length];
        match c {
            '{' => {
                nodes.push(word);
                fields.push("");
            }
            '}' => {
                nodes.pop();
                fields.pop();
            }
            ':' => {
                if let Some(field) = fields.last_mut() {
                    *field = word;
                }
            }
            _ if token.contains(NAME) || token.contains(ANY) || token.contains(NUMBER) => {
                found.push(Place {
                    nodes: nodes.clone(),
                    field: fields.last().copied().unwrap_or_default(),
                    text: token.trim_matches('"'),
                });
            }
            _ if is_in_word(c) => word = token,
            _ => {}
        }
        at += length;
    }
    found
}

fn is_in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of a string in quotes, those included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}
