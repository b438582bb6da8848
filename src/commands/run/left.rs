//! The command has ended: what its sessions are still at.

use super::child::Group;
use super::supervisor::Supervisor;
use super::watch::CANCEL_WITHIN;
use crate::postgres::signal::Signal;
use crate::supervise::OwnSession;
use nix::sys::signal::Signal as SystemSignal;
use serde_json::json;
use std::collections::BTreeSet;
use std::process::ExitStatus;
use std::time::Duration;

impl Supervisor {
    /// The command has ended: what its sessions are still at is cancelled, unless it said that all is well or its
    /// processes go on. `stopping`: somebody has asked for it.
    pub async fn clear_left(&mut self, group: Group, ended: ExitStatus, stopping: bool) {
        if ended.success() {
            return self.say_still_at_work().await;
        }
        if group.lives() {
            if ended.code().is_some() && !stopping {
                return self.note("processes of the command still run in the background: they and their sessions are left alone");
            }
            group.signal(SystemSignal::SIGTERM);
        }
        let mut said = BTreeSet::new();
        for nth in 0..20_u32 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let looked = tokio::time::timeout(CANCEL_WITHIN, self.sight(None)).await;
            let Ok(Ok((_, sight))) = looked else {
                self.note(
                    "whether the command left sessions is not known: the server does not answer",
                );
                return;
            };
            let busy: Vec<OwnSession> = sight.own.into_iter().filter(OwnSession::is_busy).collect();
            let (builds, others): (Vec<_>, Vec<_>) = busy
                .into_iter()
                .partition(|session| session.concurrently && !stopping);
            for session in &builds {
                if said.insert(session.identity) {
                    self.say_build(session);
                }
            }
            if others.is_empty() {
                return;
            }
            for session in others {
                self.clear_one(&session, nth, said.insert(session.identity))
                    .await;
            }
        }
    }

    /// The command says that all is well, and sessions of it are still at work: what comes is told as of now.
    async fn say_still_at_work(&mut self) {
        let looked = tokio::time::timeout(CANCEL_WITHIN, self.sight(None)).await;
        let Ok(Ok((_, sight))) = looked else { return };
        for session in sight.own.iter().filter(|session| session.is_busy()) {
            let text = format!(
                "the command has ended, and its session pid {} has not: {}; it is left alone, and what follows is as of now",
                session.identity.pid, session.statement
            );
            self.say_of("left", &text, session);
        }
    }

    fn say_of(&self, event: &str, text: &str, session: &OwnSession) {
        let about = json!({ "pid": session.identity.pid, "statement": session.statement });
        self.say(event, text, &about);
    }

    fn say_build(&self, session: &OwnSession) {
        let text = format!(
            "the command has died, and its session pid {0} still works: {1}; it was not cancelled, that would leave an invalid index. \
             Let it finish, then record the migration as applied; or end it with pgguard kill {0} and drop the index",
            session.identity.pid, session.statement
        );
        self.say_of("left", &text, session);
    }

    async fn clear_one(&mut self, session: &OwnSession, nth: u32, is_first: bool) {
        let with = if session.is_idle_in_transaction() || nth > 10 {
            Signal::Terminate
        } else {
            Signal::Cancel
        };
        let sent = self.signal(session, with).await;
        if sent && is_first {
            let text = format!(
                "the command has ended, its session pid {} had not: cancelled ({})",
                session.identity.pid, session.statement
            );
            self.say_of("cancelled", &text, session);
        }
    }
}
