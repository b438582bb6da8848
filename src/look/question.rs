//! Would this block? The one way to ask, for `gate`, `check -m migration`, `kill --blocking` and the tests.

use super::facts::Facts;
use super::migrations::{self, Acting};
use super::past::Past;
use super::safer;
use crate::Result;
use crate::cli::{ConnectArgs, JudgeArgs, MigrationArgs, RecordArgs};
use crate::config::Config;
use crate::gate::{self, FirstLook, Policy};
use crate::hold::Pace;
use crate::migration::footprint;
use crate::migration::rehearsed::{applied_in, fingerprint_in};
use crate::migration::source::{self, Source};
use crate::migration::statement::{Script, SourceStatement, statements_in};
use crate::model::{
    Allowable, Allowance, Doubt, Footprint, Rehearsed, SessionSettings, Snapshot, Verdict,
};
use crate::sessions::{Sessions, understand};
use chrono::TimeDelta;
use std::panic::resume_unwind;
use std::path::PathBuf;

/// How to judge, by the flags, and where they say nothing by the settings file.
#[must_use]
pub fn policy(args: &JudgeArgs, config: &Config) -> Policy {
    let old_flag = args.allow_opaque.then(|| Allowance {
        what: Allowable::Opaque,
        pattern: None,
        because: None,
        from: "--allow-opaque".into(),
    });
    let said = args.allow.iter().cloned();
    Policy {
        patience: TimeDelta::from_std(args.patience).unwrap_or(TimeDelta::MAX),
        allow: said.chain(old_flag).chain(config.allowed()).collect(),
        max_hold: args.max_hold.or(config.max_hold).unwrap_or_default().0,
        asking: args.asking,
        ..Policy::default()
    }
}

/// What is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    Migration,
    /// Any schema change: no migration was named.
    AnyChange,
    /// A backup that starts now.
    Backup,
}

/// A question that every server is asked.
pub struct Question {
    /// What it is about.
    pub about: About,
    sources: Vec<Source>,
    args: MigrationArgs,
    policy: Policy,
    /// What was measured of these statements.
    rehearsed: Option<(Vec<SourceStatement>, Rehearsed)>,
}

/// The answer, with the look that it is about.
pub struct Judged {
    /// The last look.
    pub snapshot: Snapshot,
    /// Who is who in it.
    pub sessions: Sessions,
    /// What was asked about.
    pub footprint: Footprint,
    pub verdict: Verdict,
    /// How it was judged.
    pub policy: Policy,
}

/// A migration on what a server has.
struct Asked {
    statements: Vec<SourceStatement>,
    footprint: Footprint,
    /// Worth telling about the files.
    notes: Vec<String>,
    /// The session that read the catalog.
    session: SessionSettings,
    /// Why the scripts may be no longer what would run.
    doubt: Option<Doubt>,
}

impl Question {
    /// About the migrations at these paths; about any schema change where there are none. `policy`: how patient,
    /// and who will run it.
    ///
    /// # Errors
    /// When the migrations cannot be read.
    pub fn new(paths: &[PathBuf], args: &MigrationArgs, policy: Policy) -> Result<Self> {
        let sources = migrations::read(paths, args)?;
        let recognised = sources.iter().find_map(|source| source.tool);
        let named = args.tool.clone();
        let tool = named.or_else(|| recognised.map(|tool| tool.name.to_owned()));
        Ok(Self {
            about: if sources.is_empty() {
                About::AnyChange
            } else {
                About::Migration
            },
            sources,
            args: args.clone(),
            policy: Policy { tool, ..policy },
            rehearsed: None,
        })
    }

    /// About what a rehearsal sent.
    #[must_use]
    pub fn rehearsed(name: &str, sql: String, args: &MigrationArgs, policy: Policy) -> Self {
        Self {
            about: About::Migration,
            sources: vec![source::of_text(name, sql)],
            args: args.clone(),
            policy: Policy {
                tool: args.tool.clone(),
                ..policy
            },
            rehearsed: None,
        }
    }

    /// The statements that are still to run.
    ///
    /// # Errors
    /// When the server cannot be read.
    pub async fn statements(&self, facts: &mut Facts) -> Result<Vec<SourceStatement>> {
        let options = migrations::options(&self.args);
        let (scripts, _) = facts
            .pending(self.sources.clone(), &options, self.args.all)
            .await?;
        let begins = facts.begins(None).await?;
        Ok(statements_in(&scripts, &begins))
    }

    /// Whether a version table has other rows than in the rehearsal.
    async fn rows_have_moved(facts: &mut Facts, scripts: &[Script]) -> Option<Doubt> {
        for (table, then) in scripts.iter().flat_map(|script| applied_in(&script.sql)) {
            let now = match &table {
                Some(table) => facts.applied(table).await,
                None => Some(String::new()),
            };
            if now.is_some_and(|now| now.trim() != then) {
                let table = table.map_or_else(|| "a version table".into(), |t| t.to_string());
                return Some(rows_have_moved(&table));
            }
        }
        None
    }

    /// With what was measured of its statements.
    #[must_use]
    pub fn measured(mut self, statements: Vec<SourceStatement>, rehearsed: Rehearsed) -> Self {
        self.rehearsed = Some((statements, rehearsed));
        self
    }

    /// Puts what was measured to the statements. Those of others than were measured have nothing.
    fn put_measures(&self, statements: &mut [SourceStatement]) {
        let Some((known, rehearsed)) = &self.rehearsed else {
            return;
        };
        let same =
            |(a, b): (&SourceStatement, &SourceStatement)| a.file == b.file && a.sql == b.sql;
        if statements.len() != known.len() || !statements.iter().zip(known).all(same) {
            return;
        }
        for (statement, measured) in statements.iter_mut().zip(&rehearsed.measured) {
            statement.measured.clone_from(measured);
        }
    }

    /// Looks once, and judges. `first`: what an earlier look saw; `past` says when backups end, and learns what
    /// is seen.
    ///
    /// # Errors
    /// When the server cannot be read.
    pub async fn ask(
        &self,
        facts: &mut Facts,
        past: &mut Past,
        first: Option<FirstLook>,
    ) -> Result<Judged> {
        let mut snapshot = past.look(facts).await?;
        if let Some(first) = &first {
            first.note_who_works(&mut snapshot);
        }
        let asking = self.policy.asking.and_then(|pid| snapshot.backend(pid));
        let acting = Acting::of(self.args.role.as_ref(), asking);
        // While the server reads its catalog for the footprint, this machine works out who is who.
        let work = tokio::task::spawn_blocking(move || {
            let sessions = understand(&snapshot);
            (snapshot, sessions)
        });
        let migration = self.footprint(facts, &acting).await?;
        let (mut snapshot, sessions) = work.await.unwrap_or_else(|e| resume_unwind(e.into_panic()));
        if let Some(asked) = &migration {
            let relations = asked.footprint.relations();
            facts.add_changed_rows(&mut snapshot, &relations).await;
        }
        let policy = Policy {
            first_look: first,
            estimates: past.estimates(facts, &snapshot, &sessions).await,
            pace: match &migration {
                Some(asked) => past.pace(&snapshot, &asked.footprint).await,
                None => Pace::default(),
            },
            usage: facts.known_usage(),
            doubts: self.doubts(&snapshot, migration.as_ref()),
            ..self.policy.clone()
        };
        let (footprint, statements, notes) = match (self.about, migration) {
            (About::Migration, Some(asked)) => (asked.footprint, asked.statements, asked.notes),
            (_, asked) => (
                gate::strictest(&snapshot),
                Vec::new(),
                asked.map_or_else(Vec::new, |asked| asked.notes),
            ),
        };
        let (footprint, mut verdict) = if self.about == About::Backup {
            gate::before_backup(&snapshot, &sessions, &policy)
        } else {
            let decide = |of: &Footprint| gate::decide(of, &snapshot, &sessions, &policy);
            let mut verdict = decide(&footprint);
            let forms = safer::clear_forms(facts, &statements, &acting, &verdict, decide).await;
            // The verdict holds without them.
            for (verdict, form) in verdict.statements.iter_mut().zip(forms.unwrap_or_default()) {
                verdict.safer = form;
            }
            (footprint, verdict)
        };
        verdict.warnings.splice(0..0, notes);
        Ok(Judged {
            snapshot,
            sessions,
            footprint,
            verdict,
            policy,
        })
    }

    /// What no lock tells: a pooler, commits that nobody sees, the migration's own.
    fn doubts(&self, snapshot: &Snapshot, migration: Option<&Asked>) -> Vec<Doubt> {
        let pooler =
            migration.and_then(|asked| gate::pooler::doubt(&snapshot.server, &asked.session));
        let commits = gate::commits::doubt(snapshot).filter(|_| self.about != About::Backup);
        let own = migration.and_then(|asked| asked.doubt.clone());
        let found = pooler.into_iter().chain(commits).chain(own);
        found.chain(self.policy.doubts.iter().cloned()).collect()
    }

    /// Connects and judges by one look, or by two where one does not show whether somebody ahead is about to leave.
    ///
    /// # Errors
    /// When the server cannot be read.
    pub async fn now(&self, connect: &ConnectArgs, past: &mut Past) -> Result<Judged> {
        let mut facts = Facts::open(connect, &RecordArgs::default(), 0).await?;
        let mut judged = self.ask(&mut facts, past, None).await?;
        if judged.verdict.look_again {
            tokio::time::sleep(self.policy.patience.to_std().unwrap_or_default()).await;
            let first = FirstLook::of(&judged.snapshot);
            judged = self.ask(&mut facts, past, Some(first)).await?;
        }
        facts.finish().await;
        Ok(judged)
    }

    /// The migration's footprint on what a server has, with notes; `None`: no migration was named.
    async fn footprint(&self, facts: &mut Facts, acting: &Acting) -> Result<Option<Asked>> {
        if self.sources.is_empty() {
            return Ok(None);
        }
        let options = migrations::options(&self.args);
        let (scripts, notes) = facts
            .pending(self.sources.clone(), &options, self.args.all)
            .await?;
        let begins = facts.begins(acting.login.as_deref()).await?;
        let mut statements = statements_in(&scripts, &begins);
        self.put_measures(&mut statements);
        let catalog = migrations::catalog(facts, &statements, acting).await?;
        let rehearsed = self.rehearsed.as_ref();
        let made_on = scripts
            .iter()
            .find_map(|script| fingerprint_in(&script.sql))
            .or(rehearsed.map(|(_, rehearsed)| rehearsed.fingerprint.as_str()));
        let doubt = match made_on {
            Some(made_on) if facts.fingerprint().await?.is_some_and(|now| now != made_on) => {
                Some(schema_has_moved())
            }
            _ => None,
        };
        let doubt = match doubt {
            Some(doubt) => Some(doubt),
            None => Self::rows_have_moved(facts, &scripts).await,
        };
        Ok(Some(Asked {
            doubt,
            session: catalog.session.clone(),
            footprint: footprint::of(&statements, catalog, 0),
            statements,
            notes,
        }))
    }
}

fn rows_have_moved(table: &str) -> Doubt {
    Doubt {
        what: format!(
            "{table} has other rows than in the rehearsal: other migrations are pending now"
        ),
        ..schema_has_moved()
    }
}

fn schema_has_moved() -> Doubt {
    Doubt {
        statement: None,
        what: "the schema has changed since the rehearsal: the command may send something else now"
            .into(),
        help: "rehearse it again".into(),
        lasting: true,
        accepts: None,
    }
}
