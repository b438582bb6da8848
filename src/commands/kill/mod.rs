//! `pgguard kill`: shows who it is and what it costs, asks, signals exactly that session, and waits until
//! it is gone.

mod consent;
pub mod end;
pub mod note;

use super::screen;
use crate::cli::{Color, KillArgs, RecordArgs};
use crate::door::{self, Form};
use crate::gate::not_for_others;
use crate::history::SignalNote;
use crate::kill::{Confirmation, Dossier, Step, prepared_dossier, roots};
use crate::look::facts::Facts;
use crate::look::past::Past;
use crate::look::{Question, facts};
use crate::model::{Answer, Estimate, Pid, PreparedXact, Role, Snapshot};
use crate::postgres::connect::{Connection, Target};
use crate::postgres::signal::{self, Sent};
use crate::postgres::snapshot;
use crate::report::page::{Ink, Page};
use crate::safe::printable;
use crate::sessions::Party;
use crate::sessions::{WaitGraph, Words, alike, understand};
use crate::words::many;
use crate::{Error, Result};
use crate::{config, look};
use consent::Consent;
use end::{End, end, look_at};
use std::collections::BTreeMap;

/// Gone.
const DONE: u8 = 0;
/// Still there, changed, or not confirmed.
const NOT_DONE: u8 = 1;

/// Runs the command.
///
/// # Errors
/// When it could not look or act, or may not.
pub async fn run(args: KillArgs, color: Color) -> Result<u8> {
    let target = facts::target(&args.connect)?;
    let mut kill = Kill {
        connection: Connection::open(&target, args.connect.timeout).await?,
        target,
        page: screen::page(color),
        args,
        brief: false,
        refused: false,
    };
    let status = kill.run().await;
    kill.connection.close().await;
    status
}

/// One run.
struct Kill {
    connection: Connection,
    target: Target,
    page: Page,
    args: KillArgs,
    /// One like the session before: only what differs is shown.
    brief: bool,
    /// A person has just said no.
    refused: bool,
}

impl Kill {
    async fn run(&mut self) -> Result<u8> {
        if let Some(gid) = self.args.prepared.clone() {
            return self.prepared(&gid).await;
        }
        if let Some(pid) = self.args.pid {
            return self.session(pid).await;
        }
        self.blocking().await
    }

    /// The true roots in the way of migrations, one after the other.
    async fn blocking(&mut self) -> Result<u8> {
        let config = config::of(self.args.judge.config.as_deref())?;
        let policy = look::policy(&self.args.judge, &config);
        let question = Question::new(&self.args.blocking, &self.args.migration, policy)?;
        let judged = question.now(&self.args.connect, &mut Past::none()).await?;
        let graph = WaitGraph::between_sessions(&judged.snapshot, &judged.sessions);
        let roots = roots(&judged.verdict, &graph);
        if roots.is_empty() {
            return self.nobody_blocks(&judged.verdict);
        }
        let words = Words::new(&judged.snapshot, &judged.sessions);
        let mut roots = roots;
        roots.sort_by_key(|root| std::cmp::Reverse(words.party_age(root)));
        let crowds = alike::crowds(roots, |root| words.kind(root.pid()?));
        let mut worst = DONE;
        for crowd in crowds {
            worst = worst.max(self.crowd(&crowd, &judged.snapshot).await?);
        }
        Ok(worst)
    }

    /// Sessions like each other, the oldest first. Of the others only what differs is shown, and who says no to one
    /// is not asked about the rest.
    async fn crowd(&mut self, crowd: &[Party], look: &Snapshot) -> Result<u8> {
        if crowd.len() > 1 {
            self.say(&format!(
                "{} sessions like this one, the oldest first:",
                crowd.len()
            ))?;
        }
        let (mut worst, mut asked) = (DONE, 0);
        for root in crowd {
            let status = match root {
                Party::Prepared(gid) => self.prepared(gid).await?,
                Party::Pid(pid) if asked > 0 && !self.is_named(look, *pid) => continue,
                Party::Pid(pid) => self.session(*pid).await?,
            };
            worst = worst.max(status);
            asked += 1;
            self.brief = true;
            if self.refused {
                break;
            }
        }
        (self.brief, self.refused) = (false, false);
        if asked < crowd.len() {
            let rest = many(crowd.len() - asked, "session");
            self.say(&format!("nothing was done to {rest} like it"))?;
            worst = NOT_DONE;
        }
        Ok(worst)
    }

    /// Whether `--yes` may mean this one; it does not name anybody where a person is asked.
    fn is_named(&self, look: &Snapshot, pid: Pid) -> bool {
        let identity = look.backend(pid).map(|b| b.identity().to_string());
        self.args.yes.is_empty() || identity.is_some_and(|own| self.args.yes.contains(&own))
    }

    /// Nobody to end; and a verdict in doubt is no leave to say that all is well.
    fn nobody_blocks(&self, verdict: &crate::model::Verdict) -> Result<u8> {
        if let (Answer::CannotTell, Some(doubt)) = (verdict.answer, verdict.doubts.first()) {
            return Err(Error::Usage(format!(
                "cannot tell who would block it: {}; {}",
                doubt.what, doubt.help
            )));
        }
        let (text, status) = match (verdict.answer, not_for_others(verdict).first()) {
            (Answer::Clear, _) => ("nobody is in the way: nothing was done".to_owned(), DONE),
            (_, Some(why)) => (
                format!("nobody is in the way, so nothing was done; but {why}"),
                NOT_DONE,
            ),
            (_, None) => (
                "nobody who can be ended is in the way: nothing was done".to_owned(),
                NOT_DONE,
            ),
        };
        self.say(&text)?;
        Ok(status)
    }

    /// One session.
    async fn session(&mut self, pid: Pid) -> Result<u8> {
        let looked = look_at(&mut self.connection, pid).await?;
        let Some(dossier) = looked.dossier else {
            self.say(&format!(
                "no session has pid {pid} (any more): nothing was done"
            ))?;
            return Ok(NOT_DONE);
        };
        let dossier = self.with_end(dossier, &looked.snapshot).await;
        self.show(&dossier)?;
        if let Some(why) = &dossier.refused {
            return Err(Error::Usage(format!("nothing was done: {why}")));
        }
        let steps = self.steps(&dossier);
        let deed = format!("{} {}", capitalised(deeds(&steps)), dossier.identity.pid);
        let identity = dossier.identity.to_string();
        if !self.may(&identity, &dossier.confirmation, &deed)? {
            return Ok(NOT_DONE);
        }
        let wait = self.args.wait;
        let ended = end(&mut self.connection, &dossier, &steps, wait, |step| {
            door::say(step);
        })
        .await?;
        let status = self.tell(&dossier, &ended)?;
        let why = note::why(&self.args);
        let note = note::of_session(&looked.snapshot, &dossier, &steps, &ended, why);
        self.keep(note).await;
        Ok(status)
    }

    /// A backup with its end, where the history and one more look tell it.
    async fn with_end(&self, dossier: Dossier, look: &Snapshot) -> Dossier {
        if dossier.role != Role::Backup {
            return dossier;
        }
        let Ok(estimates) = self.estimates().await else {
            return dossier;
        };
        let graph = WaitGraph::between_sessions(look, &understand(look));
        let estimate = estimates.get(&dossier.identity.pid);
        dossier.with_estimate(estimate, &graph, look.taken_at)
    }

    async fn estimates(&self) -> Result<BTreeMap<Pid, Estimate>> {
        let config = config::of(self.args.judge.config.as_deref())?;
        let mut past = Past::new(&self.args.history, &config, false);
        let mut facts = Facts::open(&self.args.connect, &RecordArgs::default(), 0).await?;
        let look = past.look(&mut facts).await?;
        let found = past.estimates(&mut facts, &look, &understand(&look)).await;
        past.close().await;
        facts.finish().await;
        Ok(found)
    }

    async fn keep(&self, note: Option<SignalNote>) {
        if let Some(problem) = note::keep(note, &self.args.history).await {
            door::say(&format!("note: {problem}"));
        }
    }

    /// The steps: what fits, or the one that was asked for.
    fn steps(&self, dossier: &Dossier) -> Vec<Step> {
        match (self.args.cancel, self.args.terminate) {
            (true, _) => vec![Step::Cancel],
            (_, true) => vec![Step::Terminate],
            _ => dossier.steps.clone(),
        }
    }

    fn may(&mut self, identity: &str, confirmation: &Confirmation, deed: &str) -> Result<bool> {
        match consent::ask(&self.args.yes, identity, confirmation, deed)? {
            Consent::Given => Ok(true),
            Consent::Refused => {
                self.refused = true;
                self.say("not confirmed: nothing was done")?;
                Ok(false)
            }
            Consent::NamesAnother => {
                self.say(&format!(
                    "this is {identity}, and --yes names another: nothing was done"
                ))?;
                Ok(false)
            }
        }
    }

    fn show(&self, dossier: &Dossier) -> Result<()> {
        let mut out = self.headline(&dossier.who);
        let facts = dossier.facts.iter();
        for (label, text) in facts.filter(|(label, _)| !self.brief || *label == "state") {
            out.push_str(&self.page.labelled(label, &printable(text)));
        }
        for cost in dossier.costs.iter().filter(|_| !self.brief) {
            out.push_str(&self.page.labelled("cost", &printable(cost)));
        }
        if let Some(better) = &dossier.better {
            out.push_str(&self.page.labelled("better", &printable(better)));
        }
        let identity = dossier.identity.to_string();
        out.push_str(&self.page.labelled("identity", &printable(&identity)));
        door::print(Form::Lines, &out)
    }

    fn headline(&self, who: &str) -> String {
        let lines = self.page.hanging(&printable(who)).into_iter();
        lines
            .map(|line| format!("{}\n", self.page.paint(Ink::Strong, &line)))
            .collect()
    }

    fn tell(&self, dossier: &Dossier, ended: &End) -> Result<u8> {
        self.say(&ended.in_words(dossier, self.args.wait))?;
        Ok(match ended {
            End::Gone | End::Released => DONE,
            End::Changed(_) | End::StillThere => NOT_DONE,
        })
    }

    fn say(&self, text: &str) -> Result<()> {
        let lines = self.page.hanging(&printable(text));
        let out = lines.join("\n") + "\n";
        door::print(Form::Lines, &out)
    }

    /// A prepared transaction, from a connection to its own database.
    async fn prepared(&mut self, gid: &str) -> Result<u8> {
        let look = snapshot::look(&mut self.connection).await?;
        let Some(xact) = look.prepared.iter().find(|xact| xact.gid == gid) else {
            self.say(&format!(
                "no prepared transaction is called {gid}: nothing was done"
            ))?;
            return Ok(NOT_DONE);
        };
        self.show_prepared(xact, &look)?;
        let confirmation = Confirmation::for_prepared(xact);
        if !self.may(&xact.identity(), &confirmation, "Roll it back")? {
            return Ok(NOT_DONE);
        }
        let sent = if xact.database == self.connection.server().datname {
            signal::rollback_prepared(&mut self.connection, xact).await?
        } else {
            let target = self.target.clone().with_database(&xact.database);
            let mut there = Connection::open(&target, self.args.connect.timeout).await?;
            let sent = signal::rollback_prepared(&mut there, xact).await;
            there.close().await;
            sent?
        };
        if sent == Sent::Signalled {
            let note = note::of_prepared(&look, xact, note::why(&self.args));
            self.keep(Some(note)).await;
        }
        let (text, status) = match sent {
            Sent::Signalled => (format!("rolled back: {gid}, and its locks are gone"), DONE),
            Sent::NotSignalled | Sent::Changed => (
                format!("{gid} is not the one any more that was looked at: nothing was done"),
                NOT_DONE,
            ),
        };
        self.say(&text)?;
        Ok(status)
    }

    fn show_prepared(&self, xact: &PreparedXact, look: &Snapshot) -> Result<()> {
        let sessions = understand(look);
        let graph = WaitGraph::between_sessions(look, &sessions);
        let mut out = self.headline(&format!("prepared transaction {}", xact.gid));
        for (label, text) in prepared_dossier(xact, look, &sessions, &graph) {
            out.push_str(&self.page.labelled(label, &printable(&text)));
        }
        out.push_str(&self.page.labelled("identity", &printable(&xact.identity())));
        door::print(Form::Lines, &out)
    }
}

/// `cancel the statement, then terminate` in words.
const fn deeds(steps: &[Step]) -> &'static str {
    match steps {
        [Step::Cancel] => "cancel the statement of pid",
        [Step::Terminate] => "terminate pid",
        _ => "cancel (and if that does nothing, terminate) pid",
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}
