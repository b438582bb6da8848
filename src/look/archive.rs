//! The history as a place that may be slow, or away: what goes wrong is a note, said once.

use crate::history::{History, Place};
use crate::{Error, Result};
use std::future::Future;
use std::time::{Duration, Instant};

/// No look waits longer for the history.
const PATIENCE: Duration = Duration::from_secs(2);

/// After a failure it is left alone for so long.
const RETRY: Duration = Duration::from_secs(60);

/// Where past runs are kept.
pub(super) struct Archive {
    /// `None`: not wanted.
    place: Option<Place>,
    /// It failed: not asked again until then.
    off_until: Option<Instant>,
    history: Option<History>,
    /// What went wrong since that was last asked.
    pub problem: Option<String>,
    /// What each look may spend on it.
    pub patience: Duration,
}

impl Archive {
    /// The one at a place; `None`: none at all.
    pub const fn at(place: Option<Place>) -> Self {
        Self {
            place,
            off_until: None,
            history: None,
            problem: None,
            patience: PATIENCE,
        }
    }

    /// Where it is; `None`: not wanted.
    pub const fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// Whether a dump may have been seen running that has ended since. A file that is not there knows none.
    pub fn may_know_more(&self) -> bool {
        match &self.place {
            Some(Place::File(path)) => path.exists(),
            Some(Place::Postgres(_)) => true,
            None => false,
        }
    }

    /// Asks the history something; what goes wrong, or takes too long, is a note.
    pub async fn ask<T>(
        &mut self,
        question: impl AsyncFnOnce(&mut History) -> Result<T>,
    ) -> Option<T> {
        let place = self.place.clone()?;
        if self.off_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        match self.demand(&place, question).await {
            Ok(answer) => {
                self.off_until = None;
                Some(answer)
            }
            Err(error) => {
                // Said once: one that is away for an hour is no news each minute.
                if self.off_until.replace(Instant::now() + RETRY).is_none() {
                    self.problem = Some(format!("{error}; going on without it"));
                }
                None
            }
        }
    }

    /// The same where a failure is the caller's: it answers, or says why not.
    pub async fn demand<T>(
        &mut self,
        place: &Place,
        question: impl AsyncFnOnce(&mut History) -> Result<T>,
    ) -> Result<T> {
        let history = self.history.take();
        let asked = within(self.patience, place, async {
            let mut history = match history {
                Some(history) => history,
                None => History::open_at(place).await?,
            };
            let answer = question(&mut history).await?;
            Ok((history, answer))
        });
        let (history, answer) = asked.await?;
        self.history = Some(history);
        Ok(answer)
    }

    /// Says goodbye.
    pub async fn close(&mut self) {
        if let Some(history) = self.history.take() {
            history.close().await;
        }
    }
}

/// Runs something, for so long at most.
async fn within<T>(
    patience: Duration,
    place: &Place,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    match tokio::time::timeout(patience, work).await {
        Ok(done) => done,
        Err(_) => Err(Error::History {
            path: place.to_string(),
            why: format!(
                "it did not answer within {:.1} s; name another place with --history, or none with --no-history",
                patience.as_secs_f64()
            ),
        }),
    }
}
