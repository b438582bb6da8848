//! `pgguard run -- COMMAND`: the gate, the command under watch, and what comes before and after it.
//!
//! | file | does |
//! |---|---|
//! | `supervisor.rs` | what a run has at hand |
//! | `prepare.rs`, `already.rs`, `implied.rs` | may it start |
//! | `child.rs`, `sockets.rs`, `watch.rs`, `doing.rs`, `left.rs`, `asked.rs` | the command, its sessions, signals |
//! | `hooks.rs`, `page.rs`, `finish.rs` | what comes before and after |
//! | `folder.rs`, `guard.rs` | what is left on this machine, and who puts it right after a SIGKILL |
//! | `tell.rs` | terminal, events, log |
//! | `list.rs`, `attach.rs`, `detach.rs` | past and running runs |

mod already;
mod asked;
mod attach;
mod child;
mod detach;
mod doing;
mod finish;
mod folder;
mod guard;
mod hooks;
mod implied;
mod left;
mod list;
mod page;
mod prepare;
mod sockets;
mod supervisor;
mod tell;
mod watch;

use crate::Result;
use crate::cli::{Format, RunArgs};
use crate::commands::stop::Stop;
use crate::model::RunResult;
use crate::supervise::repeat::Known;
use crate::supervise::{Repeat, may_repeat, tag};
use asked::Asked;
use chrono::Utc;
use finish::status_of_run;
use folder::RunFolder;
use guard::{Brief, Guard};
use prepare::NotStarted;
use serde_json::json;
use std::ffi::OsString;
use std::time::Duration;
use supervisor::Supervisor;
use tell::Voice;
use watch::Tried;

/// The command was never started (`EX_TEMPFAIL`, sysexits.h: try again later).
const NOT_STARTED: u8 = 75;

/// The command succeeded, and a hook after it failed.
const HOOK_FAILED: u8 = 76;

/// Between two tries, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Whether this process was started by a run, to be its command or its guard; its exit status then.
#[must_use]
pub fn as_helper() -> Option<u8> {
    let words: Vec<OsString> = std::env::args_os().collect();
    match words.get(1)?.to_str()? {
        child::AS_CHILD => Some(child::become_command(&words[2..])),
        child::AS_SESSION => Some(child::become_session(&words[2..])),
        guard::AS_GUARD => Some(guard::stand()),
        _ => None,
    }
}

/// Runs the command.
///
/// # Errors
/// When the arguments cannot be used.
pub async fn run(args: RunArgs) -> Result<u8> {
    if args.list {
        return list::run(&args).await;
    }
    if let Some(which) = args.attach.clone() {
        return attach::run(&args, &which).await;
    }
    let run = detach::given_name().unwrap_or_else(|| tag::new_run(Utc::now(), std::process::id()));
    if args.detach {
        return detach::run(&run);
    }
    supervise(args, &run).await
}

async fn supervise(args: RunArgs, run: &str) -> Result<u8> {
    let folder = RunFolder::create(run).map_err(|error| error.to_string());
    let log = folder
        .as_ref()
        .map_err(Clone::clone)
        .and_then(|folder| folder.open_log().map_err(|error| error.to_string()));
    let noted = folder.as_ref().ok().cloned();
    let (voice, mut screen) = Voice::new(run, args.format == Format::Json, log);
    let mut asked = Asked::new(voice.clone());
    for page in page::sweep() {
        voice.say(
            "swept",
            &format!(
                "removed the maintenance page of a killed run: {}",
                page.display()
            ),
            &json!({}),
        );
    }
    let done = match Supervisor::new(args, run, folder.ok(), voice.clone()) {
        Ok(mut supervisor) => {
            let done = steps(&mut supervisor, &mut asked).await;
            end(&mut supervisor, done.as_ref().ok().copied()).await;
            done
        }
        Err(error) => Err(error),
    };
    if let (Some(folder), Ok(status)) = (noted, &done) {
        // Who attaches asks the history then.
        let _ = folder.note_process(Some(*status));
    }
    voice.finish(&mut screen);
    done
}

/// The steps in their order; the exit status.
async fn steps(supervisor: &mut Supervisor, asked: &mut Asked) -> Result<u8> {
    let text = format!("run {}", supervisor.state.run);
    supervisor.say(
        "begun",
        &text,
        &json!({ "log": supervisor.state.facts.log }),
    );
    supervisor.guard = Guard::begin(Brief::of(
        &supervisor.state.run,
        &supervisor.args.connect,
        &supervisor.args.history,
    ));
    if let Err(why) = supervisor.may_start(asked).await? {
        return Ok(not_started(supervisor, why));
    }
    let before = supervisor.args.before.clone();
    if let Some(line) = before {
        let failed = match supervisor.hook(asked, "before", &line, &[]).await {
            Ok(0) => None,
            Ok(_) => Some(NotStarted::Because(
                "--before failed, nothing was migrated".into(),
            )),
            Err(stop) => Some(NotStarted::Stopped(stop)),
        };
        if let Some(why) = failed {
            after(supervisor, asked, "not_started", NOT_STARTED).await;
            return Ok(not_started(supervisor, why));
        }
    }
    let tried = tries(supervisor, asked).await?;
    let Some(tried) = tried else {
        after(supervisor, asked, "not_started", NOT_STARTED).await;
        return Ok(NOT_STARTED);
    };
    supervisor.tell_end(&tried).await;
    let status = status_of_run(&tried);
    let hooks = [then(supervisor, asked, &tried).await, {
        let result = supervisor.state.result.word();
        after(supervisor, asked, result, status).await
    }];
    if tried.succeeded {
        // Asked to stop: what it would have told is not worth a wait.
        let _ = supervisor.settle(asked).await;
    }
    Ok(match (status, hooks.contains(&false)) {
        (0, true) => HOOK_FAILED,
        _ => status,
    })
}

fn not_started(supervisor: &mut Supervisor, why: NotStarted) -> u8 {
    match why {
        NotStarted::Because(why) => {
            supervisor.not_started(&why);
            NOT_STARTED
        }
        NotStarted::Stopped(stop) => {
            supervisor.not_started(&format!("stopped by {stop}"));
            stop.exit_status()
        }
    }
}

/// Starts the command, and again where that is safe. `None`: it could not be started.
async fn tries(supervisor: &mut Supervisor, asked: &mut Asked) -> Result<Option<Tried>> {
    let mut pause = FIRST_PAUSE;
    loop {
        if let Err(why) = show_page(supervisor) {
            supervisor.not_started(&why);
            return Ok(None);
        }
        let tried = supervisor.one_try(asked).await;
        take_page_away(supervisor);
        let mut tried = match tried {
            Ok(tried) => tried,
            Err(error) => {
                supervisor.not_started(&format!("cannot start the command: {error}"));
                return Ok(None);
            }
        };
        if !goes_on(supervisor, &tried).await {
            return Ok(Some(tried));
        }
        if let Err(stop) = asked.unless_stopped(tokio::time::sleep(pause)).await {
            tried.stopped = Some(stop);
            return Ok(Some(tried));
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
        if !supervisor.is_clear_again(asked, &mut tried.stopped).await? {
            return Ok(Some(tried));
        }
    }
}

/// Whether the command may and shall be started once more.
async fn goes_on(supervisor: &mut Supervisor, tried: &Tried) -> bool {
    let was_in_the_way = tried.made_way || tried.timed_out;
    if tried.succeeded || tried.stopped.is_some() || !was_in_the_way {
        return false;
    }
    if supervisor.state.tries >= supervisor.args.tries {
        return false;
    }
    let now = supervisor.schema().await;
    let repeat = may_repeat(Known {
        said: supervisor.args.repeat_is_safe,
        tool: supervisor.tool,
        errand: supervisor.errand,
        in_block: supervisor.record.waited_in_block(),
        footprint: supervisor.footprint.as_ref(),
        before: supervisor.before.as_ref(),
        now: now.as_ref(),
    });
    match repeat {
        Repeat::Safe(why) => {
            let text = format!("it is tried again: {why}");
            supervisor.say("again", &text, &json!({ "why": why }));
            true
        }
        Repeat::Unsafe(why) => {
            supervisor.say(
                "not_again",
                &format!("it is not tried again: {why}"),
                &json!({ "why": why }),
            );
            false
        }
    }
}

/// Why the page cannot be put up, if so: then nothing is started.
fn show_page(supervisor: &mut Supervisor) -> std::result::Result<(), String> {
    let until = supervisor.until();
    let Some(page) = &mut supervisor.page else {
        return Ok(());
    };
    if page.is_taken() {
        let text = format!(
            "a maintenance page is already there, and stays: {}",
            page.path().display()
        );
        supervisor.note(&text);
        return Ok(());
    }
    page.show(Utc::now(), until)
        .map_err(|error| error.to_string())?;
    let path = page.path().display().to_string();
    supervisor.say(
        "page_up",
        &format!("maintenance page: {path}"),
        &json!({ "page": path, "until": until }),
    );
    Ok(())
}

fn take_page_away(supervisor: &mut Supervisor) {
    let Some(page) = &mut supervisor.page else {
        return;
    };
    match page.take_away() {
        Some(problem) => supervisor.note(&problem),
        None => supervisor.say("page_down", "the maintenance page is removed", &json!({})),
    }
}

/// `--then`, after success; whether all is well.
async fn then(supervisor: &mut Supervisor, asked: &mut Asked, tried: &Tried) -> bool {
    let Some(line) = supervisor.args.then.clone().filter(|_| tried.succeeded) else {
        return true;
    };
    matches!(supervisor.hook(asked, "then", &line, &[]).await, Ok(0))
}

/// `--after`, whatever happened; whether all is well.
async fn after(supervisor: &mut Supervisor, asked: &mut Asked, result: &str, status: u8) -> bool {
    let Some(line) = supervisor.args.after.clone() else {
        return true;
    };
    let variables = [
        ("PGGUARD_RESULT", result.to_owned()),
        ("PGGUARD_STATUS", status.to_string()),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    matches!(
        supervisor.hook(asked, "after", &line, &variables).await,
        Ok(0)
    )
}

/// Writes down how it ended, and puts everything away.
async fn end(supervisor: &mut Supervisor, status: Option<u8>) {
    if let Some(page) = &mut supervisor.page {
        page.take_away();
    }
    // A clock that was set meanwhile would make it hours long, or end before it began.
    supervisor.state.ended = Some(supervisor.state.started + supervisor.since.elapsed());
    supervisor.state.exit_status = status;
    if supervisor.state.result == RunResult::Running {
        supervisor.state.result = RunResult::NotStarted;
    }
    let told = supervisor.state.facts.told.clone();
    supervisor.keep(&told).await;
    supervisor.step_summary();
    supervisor.guard.dismiss();
    if let Some(problem) = supervisor.voice.log_problem() {
        supervisor.note(&format!("the log is incomplete: {problem}"));
    }
    if let Some(status) = status {
        let result = supervisor.state.result.word();
        let text = format!(
            "{}, exit status {status}",
            supervisor.state.result.in_words()
        );
        supervisor.say(
            "end",
            &text,
            &json!({ "result": result, "exit_status": status }),
        );
    }
    supervisor.close().await;
}

impl Supervisor {
    /// Waits until nothing is in the way of another try.
    async fn is_clear_again(
        &mut self,
        asked: &mut Asked,
        stopped: &mut Option<Stop>,
    ) -> Result<bool> {
        match self.may_try_again(asked).await? {
            Ok(()) => Ok(true),
            Err(NotStarted::Stopped(stop)) => {
                *stopped = Some(stop);
                Ok(false)
            }
            Err(NotStarted::Because(why)) => {
                self.say(
                    "not_again",
                    &format!("it is not tried again: {why}"),
                    &json!({}),
                );
                Ok(false)
            }
        }
    }
}
