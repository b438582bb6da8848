//! Statements run one by one on a pristine copy, and what each of them locked: `pg_locks` before and after it, in a
//! transaction that is kept open meanwhile.

use super::ground::Ground;
use super::probe::Probe;
use super::stage::Stage;
use crate::migration::settings::Move;
use crate::migration::statement::{Body, SourceStatement};
use crate::model::Measured;
use crate::postgres::plain::{Plain, Refused};
use pg_query::protobuf::TransactionStmtKind as Kind;
use pg_query::{DeparseOptions, NodeEnum};

/// What was measured.
pub struct Replayed {
    /// What each statement locked; `None`: it was not measured. After one that the copy refuses, none is.
    pub measured: Vec<Option<Measured>>,
    /// Why it ended early.
    pub stopped: Option<String>,
}

/// Runs the statements.
pub async fn replay(stage: &Stage, statements: &[SourceStatement]) -> Replayed {
    let mut measured = Vec::with_capacity(statements.len());
    let ended = tokio::time::timeout(stage.limit, played(stage, statements, &mut measured)).await;
    let why = match ended {
        Ok(Ok(())) => None,
        Ok(Err(refused)) => Some(refused.message),
        Err(_) => Some(format!("it took more than {} s", stage.limit.as_secs())),
    };
    let stopped = why.map(|why| {
        let of = statements.len() - measured.len();
        let next = statements.get(measured.len());
        let line = next.map_or(0, |statement| statement.line);
        format!(
            "the locks of {of} of {} statements were not measured, from line {line} on, and the rules count: {why}",
            statements.len(),
        )
    });
    measured.resize(statements.len(), None);
    Replayed { measured, stopped }
}

async fn played(
    stage: &Stage,
    statements: &[SourceStatement],
    measured: &mut Vec<Option<Measured>>,
) -> Result<(), Refused> {
    let ground = Ground::read(stage).await?;
    let mut player = Player {
        stage,
        ground,
        session: stage.session(0).await?,
        sessions: 0,
        is_open: false,
        transaction: None,
    };
    for statement in statements {
        if statement.possible {
            return Ok(());
        }
        player.arrive(statement).await?;
        let seen = player.step(statement).await?;
        measured.push(seen);
    }
    Ok(())
}

struct Player<'a> {
    stage: &'a Stage,
    ground: Ground,
    session: Plain,
    /// How many sessions there were before this one.
    sessions: usize,
    /// Whether a transaction block is open.
    is_open: bool,
    transaction: Option<usize>,
}

/// What a statement is to the player.
enum Part {
    Control(Kind, bool),
    /// SET and its kin: a query before it could be in its way.
    Setting,
    /// Data that only its client has.
    Copy,
    Work,
}

impl Player<'_> {
    /// What the runner does before a statement: another session, the end of a transaction, the beginning of one.
    async fn arrive(&mut self, statement: &SourceStatement) -> Result<(), Refused> {
        let begins = |happens: &&Move| matches!(happens, Move::Session);
        let sessions = statement.moves.0.iter().filter(begins).count();
        // The first one is there.
        let is_first = self.transaction.is_none();
        for _ in 0..sessions.saturating_sub(usize::from(is_first)) {
            self.come_again().await?;
        }
        if self.is_open && self.transaction != Some(statement.transaction) {
            self.session.run("COMMIT").await?;
            self.is_open = false;
        }
        self.transaction = Some(statement.transaction);
        Ok(())
    }

    async fn come_again(&mut self) -> Result<(), Refused> {
        self.sessions += 1;
        self.session = self.stage.session(self.sessions).await?;
        self.is_open = false;
        Ok(())
    }

    async fn step(&mut self, statement: &SourceStatement) -> Result<Option<Measured>, Refused> {
        if statement.refused.is_some() {
            return Ok(None);
        }
        let sql = match &statement.body {
            Body::Connect(connect) if !connect.is_elsewhere && connect.database.is_none() => {
                self.come_again().await?;
                return Ok(None);
            }
            Body::Connect(_) | Body::Doubt(_) => return Err(unknown()),
            Body::Sql(_) | Body::Unparsable(_) | Body::Code => {
                sent(statement).ok_or_else(unknown)?
            }
        };
        match part(statement) {
            Part::Control(kind, chains) => self.control(&sql, kind, chains).await,
            Part::Setting => self.setting(&sql, statement.in_block).await,
            Part::Copy => Ok(None),
            Part::Work => self.work(&sql, statement.in_block).await,
        }
    }

    async fn control(
        &mut self,
        sql: &str,
        kind: Kind,
        chains: bool,
    ) -> Result<Option<Measured>, Refused> {
        self.session.run(sql).await?;
        match kind {
            Kind::TransStmtBegin | Kind::TransStmtStart => self.is_open = true,
            Kind::TransStmtCommit | Kind::TransStmtRollback | Kind::TransStmtPrepare => {
                self.is_open = chains;
            }
            _ => {}
        }
        if matches!(kind, Kind::TransStmtRollback | Kind::TransStmtRollbackTo) {
            self.ground.take_back();
        }
        Ok(None)
    }

    async fn open_block(&mut self) -> Result<(), Refused> {
        if !self.is_open {
            self.session.run("BEGIN").await?;
            self.is_open = true;
        }
        Ok(())
    }

    async fn setting(&mut self, sql: &str, in_block: bool) -> Result<Option<Measured>, Refused> {
        if in_block {
            self.open_block().await?;
        }
        self.session.run(sql).await?;
        Ok(None)
    }

    async fn work(&mut self, sql: &str, in_block: bool) -> Result<Option<Measured>, Refused> {
        self.open_block().await?;
        let before = Probe::take(&mut self.session).await?;
        match self.session.run(sql).await {
            Ok(()) => {}
            // Only outside a block (CONCURRENTLY, VACUUM), or with COMMIT in its own code.
            Err(refused) if !in_block && ["25001", "2D000"].contains(&refused.state.as_str()) => {
                self.session.run("ROLLBACK").await?;
                self.is_open = false;
                self.session.run(sql).await?;
                self.ground.take_back();
                return Ok(None);
            }
            Err(refused) => return Err(refused),
        }
        let after = Probe::take(&mut self.session).await?;
        let measured = self
            .ground
            .between(&before, &after, sql, &self.stage.versions);
        if !in_block {
            self.session.run("COMMIT").await?;
            self.is_open = false;
        }
        Ok(Some(measured))
    }
}

fn unknown() -> Refused {
    Refused {
        state: String::new(),
        message: "what is sent is not known".into(),
    }
}

/// The text that the server gets: of a statement with psql's variables in it, the tree's.
fn sent(statement: &SourceStatement) -> Option<String> {
    let Body::Sql(tree) = &statement.body else {
        return Some(statement.sql.clone());
    };
    let is_read = std::panic::catch_unwind(|| pg_query::parse(&statement.sql, 0).is_ok());
    match is_read {
        Ok(true) => Some(statement.sql.clone()),
        _ => tree.node().deparse(DeparseOptions::default()).ok(),
    }
}

fn part(statement: &SourceStatement) -> Part {
    let Body::Sql(tree) = &statement.body else {
        return Part::Work;
    };
    match &*tree.node() {
        NodeEnum::TransactionStmt(control) => Part::Control(
            Kind::try_from(control.kind).unwrap_or(Kind::Undefined),
            control.chain,
        ),
        NodeEnum::VariableSetStmt(_) | NodeEnum::VariableShowStmt(_) => Part::Setting,
        NodeEnum::CopyStmt(copy) if copy.filename.is_empty() && !copy.is_program => Part::Copy,
        _ => Part::Work,
    }
}
