//! Which statements share a transaction: by the runner's habit, and by BEGIN, COMMIT and their kin in the text.
//!
//! Three things open one (xact.c): the runner's BEGIN around a script; BEGIN in the text; and a message with
//! more than one statement, which Postgres runs as an implicit block (`exec_simple_query`, postgres.c) that
//! a COMMIT in it cuts in two.

use super::script::{Body, TransactionHabit};
use super::settings::{Move, Settings};
use pg_query::NodeEnum;
use pg_query::protobuf::{TransactionStmt, TransactionStmtKind as Kind};
use std::collections::BTreeMap;

/// A statement's place in its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub transaction: usize,
    pub in_block: bool,
    pub lock_timeout_ms: Option<i64>,
    pub statement_timeout_ms: Option<i64>,
    pub waits_for_safe_snapshot: bool,
    /// Whether its transaction is READ ONLY.
    pub is_read_only: bool,
    /// The server may take a backslash in a plain string as an escape.
    pub may_escape: bool,
    pub before: Vec<Move>,
    pub after: Vec<Move>,
}

/// The session that runs the migration, as its statements go by.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// The number for the next transaction.
    next: usize,
    block: Block,
    settings: Settings,
    /// A statement of the transaction that is open has had a snapshot: what is deferred has been waited for.
    has_snapshot: bool,
    /// What has happened since the last statement.
    moves: Vec<Move>,
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
    /// Before the first script; each session begins with these settings.
    pub(super) fn beginning_with(began: BTreeMap<String, String>) -> Self {
        Self {
            settings: Settings::default().beginning_with(began),
            ..Self::default()
        }
    }

    /// Where each statement of a script runs. `joins_next` of a statement: psql sends it with the next one.
    pub(super) fn places(
        &mut self,
        habit: TransactionHabit,
        puts_back: &'static [&'static str],
        statements: &[(&Body, bool)],
    ) -> Vec<Place> {
        self.open_script(habit, puts_back);
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

    fn open_script(&mut self, habit: TransactionHabit, puts_back: &'static [&'static str]) {
        if !puts_back.is_empty() {
            self.play(Move::PutBack(puts_back));
        }
        match habit {
            // psql runs a file in a session of its own.
            TransactionHabit::PerStatement => self.open_session(),
            TransactionHabit::PerMessage => {}
            TransactionHabit::PerScript | TransactionHabit::WholeRun
                if self.block == Block::None =>
            {
                self.block = Block::Explicit(self.number());
                self.play(Move::Begin);
            }
            TransactionHabit::PerScript | TransactionHabit::WholeRun => {}
        }
    }

    /// What was open is rolled back.
    fn open_session(&mut self) {
        *self = Self {
            next: self.next,
            moves: std::mem::take(&mut self.moves),
            settings: std::mem::take(&mut self.settings),
            ..Self::default()
        };
        self.play(Move::Session);
    }

    fn play(&mut self, happens: Move) {
        self.settings.play(&happens);
        self.moves.push(happens);
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
            Body::Sql(tree) => tree.deciding(),
            Body::Doubt(_) | Body::Connect(_) | Body::Unparsable(_) | Body::Code => None,
        };
        let opens_implicit = is_many && self.block == Block::None && is_sent(body);
        if opens_implicit {
            self.block = Block::Implicit(self.number());
            self.play(Move::Begin);
        }
        let in_block = self.block != Block::None;
        let may_escape = self.settings.may_escape_plain_strings();
        let lock_timeout_ms = self.settings.milliseconds("lock_timeout");
        let statement_timeout_ms = self.settings.milliseconds("statement_timeout");
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
                    self.play(Move::Begin);
                }
                number
            }
        };
        let before = std::mem::take(&mut self.moves);
        let waits_for_safe_snapshot = matches!(body, Body::Sql(tree) if tree.needs_snapshot())
            && self.waits_for_safe_snapshot(in_block);
        let is_read_only = self.settings.is_read_only(in_block);
        if let Some(statement) = statement {
            self.settings.apply(statement, self.block != Block::None);
            self.settings.apply_calls(statement, in_block);
        }
        match (statement, body) {
            (Some(NodeEnum::TransactionStmt(control)), _) => self.control(control),
            (_, Body::Connect(_)) => self.open_session(),
            _ => {}
        }
        Place {
            transaction,
            in_block,
            lock_timeout_ms,
            statement_timeout_ms,
            waits_for_safe_snapshot,
            is_read_only,
            may_escape,
            before,
            after: std::mem::take(&mut self.moves),
        }
    }

    /// The first statement of a transaction that needs a snapshot waits for a safe one (`GetSafeSnapshot`,
    /// predicate.c).
    fn waits_for_safe_snapshot(&mut self, in_block: bool) -> bool {
        let waits = self.settings.waits_for_safe_snapshot(in_block);
        waits && !(in_block && std::mem::replace(&mut self.has_snapshot, true))
    }

    fn control(&mut self, control: &TransactionStmt) {
        let name = control.savepoint_name.as_str();
        match Kind::try_from(control.kind).unwrap_or(Kind::Undefined) {
            kind @ (Kind::TransStmtCommit | Kind::TransStmtRollback)
                if control.chain && self.block != Block::None =>
            {
                // The next one has the same characteristics, and its own snapshot.
                self.has_snapshot = false;
                self.block = Block::Explicit(self.number());
                self.play(Move::Chain {
                    commits: kind == Kind::TransStmtCommit,
                });
            }
            Kind::TransStmtCommit | Kind::TransStmtPrepare => self.end(true),
            Kind::TransStmtRollback => self.end(false),
            Kind::TransStmtSavepoint => self.play(Move::Savepoint(name.to_owned())),
            Kind::TransStmtRelease => self.play(Move::Release(name.to_owned())),
            Kind::TransStmtRollbackTo => self.play(Move::RollbackTo(name.to_owned())),
            _ => {}
        }
    }

    fn end(&mut self, commits: bool) {
        self.block = Block::None;
        self.has_snapshot = false;
        self.play(if commits {
            Move::Commit
        } else {
            Move::Rollback
        });
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
    matches!(body, Body::Sql(_) | Body::Unparsable(_) | Body::Code)
}

fn begins(statement: &NodeEnum) -> bool {
    let begins = [Kind::TransStmtBegin as i32, Kind::TransStmtStart as i32];
    matches!(statement, NodeEnum::TransactionStmt(control) if begins.contains(&control.kind))
}
