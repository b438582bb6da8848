//! Which statements share a transaction: by the runner's habit, and by BEGIN, COMMIT and their kin in the text.
//!
//! Three things open one (xact.c): the runner's BEGIN around a script; BEGIN in the text; and a message with
//! more than one statement, which Postgres runs as an implicit block (`exec_simple_query`, postgres.c) that
//! a COMMIT in it cuts in two.

use super::characteristics::Characteristics;
use super::statement::{Body, TransactionHabit};
use super::timeouts::Timeouts;
use pg_query::NodeEnum;
use pg_query::protobuf::{TransactionStmt, TransactionStmtKind as Kind};

/// A statement's place in its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub transaction: usize,
    pub in_block: bool,
    pub lock_timeout_ms: Option<i64>,
    pub statement_timeout_ms: Option<i64>,
    pub waits_for_safe_snapshot: bool,
}

/// The session that runs the migration, as its statements go by.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// The number for the next transaction.
    next: usize,
    block: Block,
    timeouts: Timeouts,
    /// Of the transaction that is open.
    characteristics: Characteristics,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Block {
    #[default]
    None,
    /// To the end of the message.
    Implicit(usize),
    /// To COMMIT or ROLLBACK.
    Explicit(usize),
}

impl Session {
    /// Where each statement of a script runs. `joins_next` of a statement: psql sends it with the next one.
    pub(super) fn places(
        &mut self,
        habit: TransactionHabit,
        statements: &[(&Body, bool)],
    ) -> Vec<Place> {
        self.open_script(habit);
        let mut places = Vec::with_capacity(statements.len());
        let mut rest = statements;
        while !rest.is_empty() {
            let (message, after) = rest.split_at(message_length(habit, rest));
            let is_many = message.iter().filter(|(body, _)| is_sent(body)).count() > 1;
            places.extend(message.iter().map(|(body, _)| self.place(body, is_many)));
            self.close_message();
            rest = after;
        }
        self.close_script(habit);
        places
    }

    fn open_script(&mut self, habit: TransactionHabit) {
        match habit {
            // psql runs a file in a session of its own.
            TransactionHabit::PerStatement => {
                *self = Self {
                    next: self.next,
                    ..Self::default()
                }
            }
            TransactionHabit::PerMessage => {}
            TransactionHabit::PerScript | TransactionHabit::WholeRun
                if self.block == Block::None =>
            {
                self.block = Block::Explicit(self.number());
                self.timeouts.begin();
            }
            TransactionHabit::PerScript | TransactionHabit::WholeRun => {}
        }
    }

    /// The runner commits after each script, or after the last one.
    fn close_script(&mut self, habit: TransactionHabit) {
        if habit == TransactionHabit::PerScript && self.block != Block::None {
            self.end(true);
        }
    }

    fn close_message(&mut self) {
        if matches!(self.block, Block::Implicit(_)) {
            self.end(true);
        }
    }

    fn place(&mut self, body: &Body, is_many: bool) -> Place {
        let statement = match body {
            Body::Sql(node) => Some(&**node),
            Body::Doubt(_) | Body::Connect(_) | Body::Unparsable(_) => None,
        };
        let opens_implicit = is_many && self.block == Block::None && is_sent(body);
        if opens_implicit {
            self.block = Block::Implicit(self.number());
            self.timeouts.begin();
        }
        let in_block = self.block != Block::None;
        let (lock_timeout_ms, statement_timeout_ms) = self.timeouts.in_force();
        let transaction = match (self.block, statement) {
            (Block::Explicit(number), _) => number,
            (Block::Implicit(number), statement) => {
                if statement.is_some_and(begins) {
                    self.block = Block::Explicit(number);
                }
                number
            }
            (Block::None, statement) => {
                let number = self.number();
                if statement.is_some_and(begins) {
                    self.block = Block::Explicit(number);
                    self.timeouts.begin();
                }
                number
            }
        };
        let waits_for_safe_snapshot =
            self.block != Block::None && statement.is_some_and(|s| self.characteristics.note(s));
        match statement {
            Some(NodeEnum::TransactionStmt(control)) => self.control(control),
            Some(other) => self.timeouts.apply(other, in_block),
            None => self.meta(body),
        }
        Place {
            transaction,
            in_block,
            lock_timeout_ms,
            statement_timeout_ms,
            waits_for_safe_snapshot,
        }
    }

    fn control(&mut self, control: &TransactionStmt) {
        let name = control.savepoint_name.as_str();
        let characteristics = self.characteristics;
        match Kind::try_from(control.kind).unwrap_or(Kind::Undefined) {
            Kind::TransStmtCommit | Kind::TransStmtPrepare => self.end(true),
            Kind::TransStmtRollback => self.end(false),
            Kind::TransStmtSavepoint => self.timeouts.savepoint(name),
            Kind::TransStmtRelease => self.timeouts.release(name),
            Kind::TransStmtRollbackTo => self.timeouts.rollback_to(name),
            _ => {}
        }
        // The next one has the same characteristics, and its own snapshot.
        if control.chain && self.block == Block::None {
            self.characteristics = characteristics.again();
            self.block = Block::Explicit(self.number());
            self.timeouts.begin();
        }
    }

    /// `\c` begins a session anew; what was open is rolled back.
    fn meta(&mut self, body: &Body) {
        if matches!(body, Body::Connect(_)) {
            *self = Self {
                next: self.next,
                ..Self::default()
            };
        }
    }

    fn end(&mut self, commits: bool) {
        self.block = Block::None;
        self.characteristics = Characteristics::default();
        if commits {
            self.timeouts.commit()
        } else {
            self.timeouts.rollback()
        }
    }

    fn number(&mut self) -> usize {
        self.next += 1;
        self.next
    }
}

/// How many of the statements go to the server together.
fn message_length(habit: TransactionHabit, statements: &[(&Body, bool)]) -> usize {
    match habit {
        TransactionHabit::PerStatement => {
            let joined = statements
                .iter()
                .take_while(|(_, joins_next)| *joins_next)
                .count();
            statements.len().min(joined + 1)
        }
        TransactionHabit::PerMessage | TransactionHabit::PerScript | TransactionHabit::WholeRun => {
            statements.len()
        }
    }
}

/// Whether it is a statement, and no command of psql's own.
const fn is_sent(body: &Body) -> bool {
    matches!(body, Body::Sql(_) | Body::Unparsable(_))
}

fn begins(statement: &NodeEnum) -> bool {
    let begins = [Kind::TransStmtBegin as i32, Kind::TransStmtStart as i32];
    matches!(statement, NodeEnum::TransactionStmt(control) if begins.contains(&control.kind))
}
