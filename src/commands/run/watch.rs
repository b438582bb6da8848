//! The command runs: one look a second at what its sessions do, and whether they have to make way.

use super::asked::Asked;
use super::child::{Group, Running, status_of};
use super::doing::{doing, in_the_way};
use super::sockets;
use super::supervisor::Supervisor;
use crate::Result;
use crate::commands::stop::Stop;
use crate::model::Snapshot;
use crate::postgres::signal::Signal;
use crate::sessions::{WaitGraph, understand};
use crate::supervise::own::KnownBy;
use crate::supervise::{OwnSession, Sight, Step, tag};
use crate::words::{many, span};
use chrono::{DateTime, TimeDelta, Utc};
use nix::sys::signal::Signal as SystemSignal;
use serde_json::json;
use std::collections::BTreeSet;
use std::io;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// Between two looks; the first ones come sooner.
const PAUSE: Duration = Duration::from_secs(1);
const FIRST_PAUSES: Duration = Duration::from_millis(200);

/// The same thing is said again after this long.
const SAY_AGAIN: Duration = Duration::from_secs(30);

/// The history is written this often.
const KEEP_EVERY: Duration = Duration::from_secs(5);

/// Nothing that a signal asks for waits longer than this for the server.
pub const CANCEL_WITHIN: Duration = Duration::from_secs(3);

/// With no session of the command seen for this long, that is said.
const EXPECTED_WITHIN: Duration = Duration::from_secs(10);

/// How a try ended.
#[derive(Debug)]
pub struct Tried {
    /// The command's status, as a shell reports it.
    pub status: u8,
    /// It ended by itself and says that it succeeded.
    pub succeeded: bool,
    /// pgguard has cancelled it, so that others could go on.
    pub made_way: bool,
    /// It was ended by its own lock_timeout.
    pub timed_out: bool,
    /// It shall stop.
    pub stopped: Option<Stop>,
}

/// What the watch remembers from look to look.
#[derive(Debug, Default)]
struct Eye {
    looks: u32,
    begun: Option<Instant>,
    kept: Option<Instant>,
    said: Option<(String, Instant)>,
    problem: Option<String>,
    is_known: bool,
    missed: bool,
    made_way: bool,
    stopping: bool,
    was_waiting: bool,
    is_stopped: bool,
    /// When the step that it is in ends, by this machine's clock.
    ends: Option<DateTime<Utc>>,
}

impl Eye {
    /// Before the next look.
    const fn pause(&self) -> Duration {
        if self.looks < 10 { FIRST_PAUSES } else { PAUSE }
    }
}

/// What comes while something is done.
enum Happened {
    /// The command has ended.
    Ended(io::Result<ExitStatus>),
    /// It shall stop.
    Stop(Stop),
}

/// Does something; what comes first, if something does.
async fn unless(
    running: &mut Running,
    asked: &mut Asked,
    work: impl Future<Output = ()>,
) -> Option<Happened> {
    tokio::select! {
        ended = running.wait() => Some(Happened::Ended(ended)),
        stop = asked.stop() => Some(Happened::Stop(stop)),
        () = work => None,
    }
}

impl Supervisor {
    /// Starts the command, and watches it to its end.
    ///
    /// # Errors
    /// It could not be started.
    pub async fn one_try(&mut self, asked: &mut Asked) -> io::Result<Tried> {
        self.state.tries += 1;
        self.record.begin_again();
        let variables = self.injected();
        let mut running = Running::start(&self.args.command, &variables, &self.voice)?;
        let group = running.group;
        self.begun.get_or_insert_with(|| Utc::now() + self.clocks);
        let since = self.since.elapsed();
        self.state
            .facts
            .begun
            .get_or_insert(self.state.started + since);
        self.state.facts.child = Some(group.id());
        self.guard.child(Some(group.id()));
        self.say(
            "started",
            &format!("started: {} (process {})", self.state.command.join(" "), group.id()),
            &json!({ "command": self.state.command, "process": group.id(), "try": self.state.tries }),
        );
        let mut eye = Eye {
            begun: Some(Instant::now()),
            ..Eye::default()
        };
        let mut stopped = None;
        let ended = loop {
            let happened = {
                let pause = tokio::time::sleep(eye.pause());
                let happened = unless(&mut running, asked, pause).await;
                match happened {
                    Some(happened) => Some(happened),
                    None => {
                        // A look is never left in the middle: it may have cancelled something, which is to be said.
                        let turn = self.turn(group, &mut eye);
                        tokio::pin!(turn);
                        let happened = unless(&mut running, asked, &mut turn).await;
                        if happened.is_some() {
                            let _ = tokio::time::timeout(CANCEL_WITHIN, turn).await;
                        }
                        happened
                    }
                }
            };
            match happened {
                None => {}
                Some(Happened::Ended(ended)) => break ended?,
                Some(Happened::Stop(stop)) => {
                    let is_second = stopped.replace(stop).is_some();
                    eye.stopping = true;
                    self.stop(group, stop, is_second).await;
                }
            }
        };
        running.hear_out().await;
        self.clear_left(group, ended, stopped.is_some()).await;
        self.guard.child(None);
        let status = status_of(ended);
        self.say(
            "ended",
            &format!("the command ended with exit status {status}"),
            &json!({ "exit_status": status }),
        );
        Ok(Tried {
            status,
            succeeded: ended.success() && !eye.made_way,
            made_way: eye.made_way,
            timed_out: self.voice.said_lock_timeout()
                || (self.args.lock_timeout.is_some() && eye.was_waiting && !ended.success()),
            stopped,
        })
    }

    /// What the command's environment is given: the name of its sessions, and settings that they begin with.
    fn injected(&self) -> Vec<(String, String)> {
        let theirs = |name: &str| std::env::var(name).ok();
        let name = tag::application_name(&self.state.run, theirs("PGAPPNAME").as_deref());
        let mut variables = vec![
            ("PGAPPNAME".to_owned(), name),
            ("PGGUARD_RUN".to_owned(), self.state.run.clone()),
        ];
        if !self.settings.is_empty() {
            let options = tag::options(theirs("PGOPTIONS").as_deref(), &self.settings);
            variables.push(("PGOPTIONS".to_owned(), options));
        }
        variables
    }

    /// A look, and what follows from it.
    async fn turn(&mut self, group: Group, eye: &mut Eye) {
        eye.looks += 1;
        self.refresh_page(eye.ends);
        self.say_stopped(group, eye);
        match self.look_once(group, eye).await {
            Ok(()) => eye.problem = None,
            Err(error) => {
                let error = error.to_string();
                if eye.problem.as_ref() != Some(&error) {
                    self.note(&format!("the command runs, and is not watched: {error}"));
                    eye.problem = Some(error);
                }
            }
        }
        if eye.kept.is_none_or(|at| at.elapsed() >= KEEP_EVERY) {
            eye.kept = Some(Instant::now());
            let told = eye
                .said
                .as_ref()
                .map_or("runs", |(text, _)| text)
                .to_owned();
            self.keep(&told).await;
        }
    }

    /// Says that the command's process does nothing, and does so no more.
    fn say_stopped(&self, group: Group, eye: &mut Eye) {
        let is_stopped = sockets::is_stopped(group.id());
        if is_stopped && !eye.is_stopped {
            self.note(&format!(
                "the command's process is stopped (SIGSTOP) and does nothing until it is continued: kill -CONT -- -{}",
                group.id()
            ));
        }
        eye.is_stopped = is_stopped;
    }

    async fn look_once(&mut self, group: Group, eye: &mut Eye) -> Result<()> {
        let (look, sight) = self.sight(Some(group.id())).await?;
        self.say_who(&sight, eye);
        self.record.note(&sight);
        self.pace.note(&sight);
        eye.ends = self.pace.end(&sight).map(|end| end - self.clocks);
        eye.was_waiting = sight.own.iter().any(|session| session.wait.is_some());
        if eye.stopping {
            self.cancel_busy(&sight, true).await;
            return Ok(());
        }
        self.say_what(&sight, eye);
        let limit = TimeDelta::from_std(self.args.max_queue).unwrap_or(TimeDelta::MAX);
        let overdue: Vec<OwnSession> = sight.overdue(limit).cloned().collect();
        for session in overdue {
            eye.made_way |= self.make_way(&session, &look).await;
        }
        Ok(())
    }

    /// A look, and what it shows of the run.
    pub async fn sight(&mut self, leader: Option<u32>) -> Result<(Snapshot, Sight)> {
        let look = self.look().await?;
        let sockets = leader.map_or_else(BTreeSet::new, sockets::of_session);
        let begun = self.begun.unwrap_or(self.state.started + self.clocks);
        self.own.note(&look, &sockets, begun);
        self.guard.sessions(self.own.by_socket().collect());
        let sight = Sight::of(&look, &understand(&look), &self.own);
        Ok((look, sight))
    }

    /// Says once by what its sessions are known.
    fn say_who(&self, sight: &Sight, eye: &mut Eye) {
        if !eye.is_known && !sight.own.is_empty() {
            eye.is_known = true;
            let pids: Vec<i32> = sight
                .own
                .iter()
                .map(|session| session.identity.pid)
                .collect();
            let list: Vec<String> = pids.iter().map(ToString::to_string).collect();
            let by_socket = self.own.all().all(|(_, by)| by == KnownBy::Socket);
            let how = if by_socket {
                "; its driver does not take PGAPPNAME and PGOPTIONS: known by its connection, cancelled from outside"
            } else {
                ""
            };
            let text = format!("watching pid {}{how}", list.join(", "));
            self.say(
                "watching",
                &text,
                &json!({ "pids": pids, "known_by_name": !by_socket }),
            );
        }
        let late = eye
            .begun
            .is_some_and(|begun| begun.elapsed() > EXPECTED_WITHIN);
        if !eye.is_known && late && !eye.missed {
            eye.missed = true;
            self.note(
                "no session of the command is seen: it has not connected yet, or its driver does not take PGAPPNAME",
            );
        }
    }

    /// Says what it does, when that changes and each half minute.
    fn say_what(&self, sight: &Sight, eye: &mut Eye) {
        let Some(session) = sight.foremost() else {
            return;
        };
        let left = self.pace.left(session.identity);
        let (key, text) = doing(session, left);
        let is_new = eye
            .said
            .as_ref()
            .is_none_or(|(said, at)| *said != key || at.elapsed() >= SAY_AGAIN);
        if !is_new {
            return;
        }
        eye.said = Some((key, Instant::now()));
        self.say(
            if session.wait.is_some() {
                "waits"
            } else {
                "works"
            },
            &text,
            &json!({
                "pid": session.identity.pid,
                "statement": session.statement,
                "progress": session.step.as_ref().map(Step::in_words),
                "percent": session.step.as_ref().and_then(Step::percent),
                "step_ends_in_s": left.map(crate::words::seconds),
                "wait": session.wait,
                "behind": session.behind,
            }),
        );
    }

    /// Others have waited long enough behind it.
    async fn make_way(&mut self, session: &OwnSession, look: &Snapshot) -> bool {
        let with = if session.is_idle_in_transaction() {
            Signal::Terminate
        } else {
            Signal::Cancel
        };
        if !self.signal(session, with).await {
            return false;
        }
        self.state.facts.cancels += 1;
        let freed = WaitGraph::of(look).freed_without(session.identity.pid);
        let others = many(session.behind.len(), "session");
        let way = session.wait.as_ref().map_or_else(String::new, |wait| {
            format!("; in the way was {}", in_the_way(wait))
        });
        let text = format!(
            "cancelled pid {} ({}): {others} had waited behind it for up to {}, {freed} of them can continue{way}",
            session.identity.pid,
            session.statement,
            span(session.others_waited)
        );
        self.say(
            "made_way",
            &text,
            &json!({
                "pid": session.identity.pid,
                "statement": session.statement,
                "behind": session.behind,
                "freed": freed,
                "others_waited_s": crate::words::seconds(session.others_waited),
                "wait": session.wait,
            }),
        );
        true
    }

    /// It shall stop: its sessions first, since a signal to the command leaves a waiting statement in the queue.
    async fn stop(&mut self, group: Group, stop: Stop, at_once: bool) {
        let how = if at_once {
            "ending the command at once"
        } else {
            "ending the command; a second one ends it at once"
        };
        self.say(
            "stopping",
            &format!("{stop}: {how}"),
            &json!({ "signal": stop.to_string() }),
        );
        let cancelled = tokio::time::timeout(CANCEL_WITHIN, async {
            let (_, sight) = self.sight(Some(group.id())).await?;
            self.cancel_busy(&sight, !at_once).await;
            Ok::<(), crate::Error>(())
        });
        let problem = match cancelled.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("the server does not answer".into()),
        };
        if let Some(problem) = problem {
            self.note(&format!("its sessions could not be cancelled: {problem}"));
        }
        group.signal(match (at_once, stop) {
            (true, _) => SystemSignal::SIGKILL,
            (false, Stop::Interrupt) => SystemSignal::SIGINT,
            (false, Stop::Terminate) => SystemSignal::SIGTERM,
        });
    }

    /// Cancels what its sessions are at; `gently`: one that waits for its client is left to the client's end.
    async fn cancel_busy(&mut self, sight: &Sight, gently: bool) {
        for session in sight.own.iter().filter(|session| session.is_busy()) {
            let is_idle = session.is_idle_in_transaction();
            if gently && is_idle {
                continue;
            }
            let with = if is_idle {
                Signal::Terminate
            } else {
                Signal::Cancel
            };
            self.signal(session, with).await;
        }
    }

    /// The page says a time that is still to come.
    fn refresh_page(&mut self, ends: Option<DateTime<Utc>>) {
        let Some(page) = &mut self.page else { return };
        let now = Utc::now();
        if let Err(error) = page.keep_ahead(now, ends) {
            self.note(&error.to_string());
        }
    }
}
