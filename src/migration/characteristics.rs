//! A transaction that waits for a safe snapshot: SERIALIZABLE, READ ONLY and DEFERRABLE. Its first statement
//! that needs a snapshot waits until other serializable transactions that may write are over.
//!
//! Sources: `GetSafeSnapshot` (predicate.c), `PlannedStmtRequiresSnapshot` (pquery.c), SET TRANSACTION in the
//! documentation.

use super::command;
use super::statement::{Script, statements};
use pg_query::NodeEnum;
use pg_query::protobuf::{Node, TransactionStmtKind as Kind, a_const::Val};

/// The characteristics of one transaction, as BEGIN and SET TRANSACTION give them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Characteristics {
    is_serializable: bool,
    is_read_only: bool,
    is_deferrable: bool,
    /// A statement has had a snapshot: what is deferred has been waited for.
    has_snapshot: bool,
}

impl Characteristics {
    /// Notes a statement. Says whether it waits for a safe snapshot.
    pub(super) fn note(&mut self, statement: &NodeEnum) -> bool {
        match statement {
            NodeEnum::TransactionStmt(control) => {
                let begins = [Kind::TransStmtBegin as i32, Kind::TransStmtStart as i32];
                if begins.contains(&control.kind) {
                    self.set(&control.options);
                }
                false
            }
            NodeEnum::VariableSetStmt(set) => {
                if set.name == "TRANSACTION" {
                    self.set(&set.args);
                }
                false
            }
            _ if !command::of(statement).needs_snapshot => false,
            _ => {
                let waits = self.is_serializable && self.is_read_only && self.is_deferrable;
                waits && !std::mem::replace(&mut self.has_snapshot, true)
            }
        }
    }

    /// Those of the next transaction after COMMIT AND CHAIN.
    pub(super) const fn again(self) -> Self {
        Self {
            has_snapshot: false,
            ..self
        }
    }

    fn set(&mut self, options: &[Node]) {
        for option in options {
            let Some(NodeEnum::DefElem(option)) = &option.node else {
                continue;
            };
            let value = option.arg.as_ref().and_then(|arg| constant(arg));
            let is_on = value.as_deref() == Some("1");
            match option.defname.as_str() {
                "transaction_isolation" => {
                    self.is_serializable = value.as_deref() == Some("serializable");
                }
                "transaction_read_only" => self.is_read_only = is_on,
                "transaction_deferrable" => self.is_deferrable = is_on,
                _ => {}
            }
        }
    }
}

fn constant(node: &Node) -> Option<String> {
    let Some(NodeEnum::AConst(constant)) = &node.node else {
        return None;
    };
    match constant.val.as_ref()? {
        Val::Sval(text) => Some(text.sval.clone()),
        Val::Ival(number) => Some(number.ival.to_string()),
        _ => None,
    }
}

/// Whether a session whose last message was this text, in a transaction that has no snapshot yet, waits for
/// a safe one with its next query.
#[must_use]
pub fn leaves_deferrable(text: &str) -> bool {
    let script = Script::psql("", format!("{text}\n;\nSELECT"));
    statements(&[script])
        .last()
        .is_some_and(|statement| statement.waits_for_safe_snapshot)
}

#[cfg(test)]
mod tests {
    use super::leaves_deferrable;

    #[test]
    fn a_transaction_is_deferred_that_is_serializable_and_read_only_and_deferrable() {
        for (text, expected) in [
            (
                "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE",
                true,
            ),
            (
                "begin; set transaction isolation level serializable, read only, deferrable",
                true,
            ),
            (
                "START TRANSACTION READ ONLY, DEFERRABLE; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;",
                true,
            ),
            (
                "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE; SHOW server_version",
                true,
            ),
            (
                "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE; SELECT 1",
                false,
            ),
            (
                "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE; COMMIT",
                false,
            ),
            (
                "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY NOT DEFERRABLE",
                false,
            ),
            ("BEGIN ISOLATION LEVEL SERIALIZABLE DEFERRABLE", false),
            (
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY DEFERRABLE",
                false,
            ),
            ("BEGIN", false),
            ("not sql", false),
            ("", false),
        ] {
            assert_eq!(leaves_deferrable(text), expected, "{text}");
        }
    }
}
