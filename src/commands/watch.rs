//! `pgguard status --watch`: looks again and again, and shows it on a live screen.

use super::kill::end::{self, End};
use super::kill::note;
use super::{screen, status_at, stop};
use crate::Result;
use crate::cli::{Color, StatusArgs};
use crate::config::Config;
use crate::door::{self, Form, Live};
use crate::history::looks::{FAR_APART, Looks};
use crate::kill::Dossier;
use crate::look::examination::Before;
use crate::look::facts::{self, Facts};
use crate::look::past::Past;
use crate::model::age;
use crate::postgres::connect::Connection;
use crate::postgres::snapshot;
use crate::report::{self, Shown, page::Page};
use crate::supervise::{Signs, running};
use crate::watch::{Look, Screen, Wish, draw};
use crate::words::brief;
use chrono::{TimeDelta, Utc};
use crossterm::event::{Event, EventStream, KeyEventKind};
use futures_util::StreamExt as _;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::Instant;

/// How long a kill waits until the session is gone.
const KILL_WAITS: Duration = Duration::from_secs(10);

/// How often the live screen asks what was left behind: a person reads it, and it changes seldom.
const EXAMINE_EVERY: Duration = Duration::from_secs(30);

/// Between two attempts to connect again.
const RETRY: Duration = Duration::from_secs(2);

/// Runs the live screen; on what is no terminal, or a dumb one, the report again and again.
///
/// # Errors
/// When the terminal cannot be used.
pub async fn run(args: StatusArgs, shown: Shown, interval: Duration, color: Color) -> Result<u8> {
    let interval = interval.max(Duration::from_millis(100));
    let page = screen::page(color);
    if !door::is_screen() {
        return plainly(args, shown, interval, page).await;
    }
    let mut terminal = Live::begin()?;
    let done = Watch::new(args, shown, interval, page.color)
        .run(&mut terminal)
        .await;
    drop(terminal);
    done.map(|()| 0)
}

/// The report in plain text, one after the other.
async fn plainly(args: StatusArgs, shown: Shown, interval: Duration, page: Page) -> Result<u8> {
    let stop = stop::requested();
    tokio::pin!(stop);
    let args = Box::new(args);
    let mut facts = None;
    let mut past = past_of(&args);
    loop {
        let looked = look(facts.take(), &mut past, &args).await;
        past.warn();
        let text = match looked {
            Ok((open, look)) => {
                facts = Some(open);
                report::status_text::render(&look.report(&shown), page)
            }
            Err(error) => format!("pgguard: {error}\n"),
        };
        door::print(Form::Lines, &format!("{text}\n"))?;
        if door::is_closed() {
            past.close().await;
            return Ok(0);
        }
        tokio::select! {
            signal = &mut stop => {
                past.close().await;
                return Ok(signal.exit_status());
            }
            () = tokio::time::sleep(interval) => {}
        }
    }
}

fn past_of(args: &StatusArgs) -> Past {
    let replayed = args.record.replay.is_some();
    Past::new(&args.history, &Config::default(), replayed).sampling(args.sample)
}

/// Looks once more, on the connection that is open or on a new one.
async fn look(facts: Option<Facts>, past: &mut Past, args: &StatusArgs) -> Result<(Facts, Look)> {
    let mut facts = match facts {
        Some(facts) => facts,
        None => Facts::open(&args.connect, &args.record, 0).await?,
    };
    let before = match facts.examines_again(EXAMINE_EVERY) {
        true => Some(Before::read(&mut facts).await),
        false => None,
    };
    let snapshot = past.look(&mut facts).await?;
    if let Some(before) = before {
        let findings = before.findings(&mut facts, &snapshot).await;
        facts.note_findings(findings);
    }
    facts.forget();
    let sessions = crate::sessions::understand(&snapshot);
    let estimates = past.estimates(&mut facts, &snapshot, &sessions).await;
    let findings = facts.findings();
    let running = running(&snapshot, &Signs::default()).len();
    let zone = screen::zone(snapshot.taken_at);
    let look = Look {
        findings,
        running,
        ..Look::new(snapshot, estimates).in_zone(zone)
    };
    Ok((facts, look))
}

type Looking = Pin<Box<dyn Future<Output = (Past, Result<(Facts, Look)>)>>>;
type Ending = Pin<Box<dyn Future<Output = String>>>;

/// The loop between keys, looks and pictures.
struct Watch {
    args: std::rc::Rc<StatusArgs>,
    screen: Screen,
    interval: Duration,
    facts: Option<Facts>,
    /// `None` while a look has it.
    past: Option<Past>,
    next_look: Instant,
}

impl Watch {
    fn new(args: StatusArgs, shown: Shown, interval: Duration, color: bool) -> Self {
        Self {
            past: Some(past_of(&args)),
            args: std::rc::Rc::new(args),
            screen: Screen::new(shown, color),
            interval,
            facts: None,
            next_look: Instant::now(),
        }
    }

    async fn run(mut self, live: &mut Live) -> Result<()> {
        let mut keys = EventStream::new();
        let mut looking: Option<Looking> = None;
        let mut ending: Option<Ending> = None;
        let stop = stop::requested();
        tokio::pin!(stop);
        loop {
            live.draw(|frame| draw(frame, &mut self.screen))?;
            if looking.is_none() && !self.screen.paused && Instant::now() >= self.next_look {
                looking = Some(self.begin_look());
            }
            tokio::select! {
                _ = &mut stop => return self.leave().await,
                event = keys.next() => match self.on_event(event) {
                    Wish::None => {}
                    Wish::Quit => return self.leave().await,
                    Wish::Look => self.next_look = Instant::now(),
                    Wish::Earlier => self.travel(true),
                    Wish::Later => self.travel(false),
                    Wish::End(_) if ending.is_some() => {
                        self.screen.message = Some("a session is already being ended: wait until it is gone".into());
                    }
                    Wish::End(dossier) => {
                        self.screen.message = Some(format!("ending pid {} …", dossier.identity.pid));
                        ending = Some(self.begin_end(dossier));
                    }
                },
                (past, looked) = async { maybe(&mut looking).await } => {
                    looking = None;
                    self.on_look(past, looked);
                }
                said = async { maybe(&mut ending).await } => {
                    ending = None;
                    self.screen.message = Some(said);
                    self.next_look = Instant::now();
                }
                () = tokio::time::sleep_until(self.next_look),
                    if looking.is_none() && !self.screen.paused => {}
            }
        }
    }

    fn begin_look(&mut self) -> Looking {
        let (facts, args) = (self.facts.take(), self.args.clone());
        let mut past = self.past.take().unwrap_or_else(Past::none);
        Box::pin(async move {
            let looked = look(facts, &mut past, &args).await;
            (past, looked)
        })
    }

    /// What was seen last is kept too.
    async fn leave(&mut self) -> Result<()> {
        if let Some(past) = &mut self.past {
            past.close().await;
        }
        Ok(())
    }

    fn on_look(&mut self, mut past: Past, looked: Result<(Facts, Look)>) {
        if let Some(problem) = past.problem() {
            self.screen.message = Some(problem);
        }
        self.past = Some(past);
        match looked {
            Ok((facts, look)) => {
                self.facts = Some(facts);
                self.next_look = Instant::now() + self.interval;
                // What is being read or confirmed stays under the eye; the rows move on behind it.
                self.screen.on_look(look);
            }
            Err(error) => {
                self.screen.lost = Some(error.to_string());
                self.next_look = Instant::now() + RETRY;
            }
        }
    }

    /// Shows the look before, or after, the one on the screen.
    fn travel(&mut self, back: bool) {
        match self.look_of_the_past(back) {
            Some((look, note)) => self.screen.on_past(look, note),
            None if back => {
                self.screen.message =
                    Some("nobody looked before that: the last hour is kept".into());
            }
            None => self.screen.go_to_now(),
        }
    }

    fn look_of_the_past(&self, back: bool) -> Option<(Look, String)> {
        let shown = self.screen.look.as_ref()?;
        if !back && self.screen.past.is_none() {
            return None;
        }
        let folder = status_at::folder(&self.args.history).ok()?;
        let server = &shown.snapshot.server;
        let looks = Looks::of(&folder, &server.history_key()).of_database(&server.datname);
        let from = shown.snapshot.taken_at;
        let at = match back {
            true => looks.before(from - TimeDelta::milliseconds(1)),
            false => looks.after(from),
        }?;
        let look = Look::of_kept(looks.look(at)?).in_zone(screen::zone(at));
        let age = brief(age(at, Utc::now()));
        let gap = (from - at).abs();
        let gap = match gap > FAR_APART {
            true => format!("nobody looked in the {} between · ", brief(gap)),
            false => String::new(),
        };
        let note = format!("PAST, {age} ago · {gap}← earlier  → later  Esc now");
        Some((look, note))
    }

    fn on_event(&mut self, event: Option<io::Result<Event>>) -> Wish {
        match event {
            Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => {
                self.screen.on_key(key)
            }
            Some(Ok(_)) => Wish::None,
            // The terminal is gone.
            Some(Err(_)) | None => Wish::Quit,
        }
    }

    /// Ends a session on a connection of its own, through the same door as `pgguard kill`.
    fn begin_end(&self, dossier: Box<Dossier>) -> Ending {
        let args = self.args.clone();
        Box::pin(async move {
            match end_one(&args, &dossier).await {
                Ok(ended) => ended.in_words(&dossier, KILL_WAITS),
                Err(error) => error.to_string(),
            }
        })
    }
}

async fn end_one(args: &StatusArgs, dossier: &Dossier) -> Result<End> {
    let target = facts::target(&args.connect)?;
    let mut connection = Connection::open(&target, args.connect.timeout).await?;
    let looked = snapshot::look(&mut connection).await;
    let ended = end::end(&mut connection, dossier, &dossier.steps, KILL_WAITS, |_| {}).await;
    connection.close().await;
    if let (Ok(look), Ok(ended)) = (&looked, &ended) {
        let note = note::of_session(look, dossier, &dossier.steps, ended, None);
        // The screen is no place for a note on the note.
        let _ = note::keep(note, &args.history).await;
    }
    ended
}

/// What is under way, or for ever nothing.
async fn maybe<T>(work: &mut Option<Pin<Box<dyn Future<Output = T>>>>) -> T {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}
