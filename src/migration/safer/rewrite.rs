//! The whole migration with safer forms, as a script for psql.

use crate::migration::script::{Body, SourceStatement};
use crate::model::SaferForm;
use crate::safe::printable;
use crate::words::one_line;
use pg_query::NodeEnum as N;
use pg_query::protobuf::{TransactionStmt, TransactionStmtKind as Kind};
use std::fmt::Write as _;

/// The script; an error names what it cannot write.
///
/// # Errors
/// A step that is no SQL, or a transaction that does more than begin and commit.
pub fn rewritten(
    statements: &[SourceStatement],
    forms: &[Option<SaferForm>],
) -> Result<String, String> {
    let mut script = Script::default();
    let mut at = 0;
    while at < statements.len() {
        let number = statements[at].transaction;
        let same = |s: &&SourceStatement| s.transaction == number;
        let length = statements[at..].iter().take_while(same).count();
        let group = at..at + length;
        script.transaction(&statements[group.clone()], &forms[group])?;
        at += length;
    }
    Ok(script.text)
}

#[derive(Default)]
struct Script {
    text: String,
    file: String,
    is_open: bool,
    /// SET LOCAL of this transaction: said again after it was split.
    local: Vec<String>,
}

impl Script {
    /// The statements of one transaction. Its own BEGIN and COMMIT go where it is split.
    fn transaction(
        &mut self,
        group: &[SourceStatement],
        forms: &[Option<SaferForm>],
    ) -> Result<(), String> {
        let is_split = forms.iter().any(Option::is_some);
        let is_one = group.len() > 1 || group.iter().any(|s| s.in_block);
        let wraps = is_one && (is_split || !group.iter().any(controls));
        self.local.clear();
        for (statement, form) in group.iter().zip(forms) {
            let place = format!("{}:{}", statement.file, statement.line);
            let Body::Sql(tree) = &statement.body else {
                return Err(format!("{place} is no SQL that can be rewritten"));
            };
            self.file(&statement.file);
            match (form, &*tree.node()) {
                (Some(form), _) => self.steps(statement, form, is_one),
                (None, N::TransactionStmt(control)) if wraps => {
                    if !is_plain(control) {
                        return Err(format!(
                            "{place}: a transaction that does more than BEGIN and COMMIT cannot be split"
                        ));
                    }
                }
                (None, N::VariableSetStmt(set)) if wraps && set.is_local => {
                    if self.is_open {
                        self.say(&statement.sql);
                    }
                    self.local.push(statement.sql.clone());
                }
                (None, _) => {
                    if wraps {
                        self.open();
                    }
                    self.say(&statement.sql);
                }
            }
        }
        self.close();
        Ok(())
    }

    fn file(&mut self, file: &str) {
        if self.file != file {
            file.clone_into(&mut self.file);
            let break_before = if self.text.is_empty() { "" } else { "\n" };
            let _ = writeln!(self.text, "{break_before}-- {}", printable(file));
        }
    }

    fn open(&mut self) {
        if !std::mem::replace(&mut self.is_open, true) {
            self.say("BEGIN");
            for setting in self.local.clone() {
                self.say(&setting);
            }
        }
    }

    fn close(&mut self) {
        if std::mem::take(&mut self.is_open) {
            self.say("COMMIT");
        }
    }

    /// A safer form, outside any transaction.
    fn steps(&mut self, statement: &SourceStatement, form: &SaferForm, is_one: bool) {
        self.close();
        let split = if is_one {
            "; it runs outside the transaction"
        } else {
            ""
        };
        let _ = writeln!(
            self.text,
            "-- line {}: {}{split}\n-- was: {}",
            statement.line,
            form.because,
            printable(&one_line(&statement.sql, 100))
        );
        for step in &form.steps {
            self.say(step);
        }
    }

    fn say(&mut self, sql: &str) {
        let _ = writeln!(self.text, "{sql};");
    }
}

fn controls(statement: &SourceStatement) -> bool {
    matches!(&statement.body, Body::Sql(tree) if matches!(&*tree.node(), N::TransactionStmt(_)))
}

/// BEGIN or COMMIT and no more.
fn is_plain(control: &TransactionStmt) -> bool {
    let plain = [
        Kind::TransStmtBegin,
        Kind::TransStmtStart,
        Kind::TransStmtCommit,
    ];
    let kind = Kind::try_from(control.kind).unwrap_or(Kind::Undefined);
    plain.contains(&kind) && control.options.is_empty() && !control.chain
}
