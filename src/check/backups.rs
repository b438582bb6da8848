//! Backups: running, over their time, missing.

use super::sight::Sight;
use super::state::{Answer, Figure, State, Unit};
use crate::model::{Backend, BackupRun, Estimate, Role, RunOutcome, Session, StandsStill};
use crate::words::{many, rough, seconds, span};
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// One running backup.
struct Running<'a> {
    session: &'a Session,
    backend: &'a Backend,
    /// `None`: hidden from the role that looks.
    age: Option<TimeDelta>,
    estimate: Option<&'a Estimate>,
}

impl Running<'_> {
    fn stands_still(&self) -> Option<&StandsStill> {
        self.estimate?.stands_still.as_ref()
    }
}

/// The running backups with their ages, the oldest first.
fn all<'s>(sight: &'s Sight<'_>) -> Vec<Running<'s>> {
    let mut found: Vec<Running<'_>> = sight
        .sessions
        .in_role(Role::Backup)
        .filter_map(|session| {
            let backend = sight.words.backend(session.pid)?;
            let age = began(sight, session).map(|at| sight.words.age(at));
            sight
                .judges_database(backend.datname.as_deref())
                .then(|| Running {
                    session,
                    backend,
                    age,
                    estimate: sight.estimates.and_then(|all| all.get(&session.pid)),
                })
        })
        .collect();
    found.sort_by_key(|running| std::cmp::Reverse(running.age));
    found
}

/// A dump begins with its transaction, a physical backup with its connection.
fn began(sight: &Sight<'_>, session: &Session) -> Option<DateTime<Utc>> {
    session
        .members
        .iter()
        .filter_map(|&pid| sight.words.backend(pid))
        .filter_map(|b| b.xact_start.or(b.backend_start))
        .min()
}

/// How long the longest has run.
pub fn running(sight: &Sight<'_>) -> Answer {
    let backups = all(sight);
    let longest = backups.first().and_then(|b| Some((b, b.age?)));
    let value = longest.map_or(0.0, |(_, age)| seconds(age));
    let how_many = || many(backups.len(), "backup");
    let who = |b: &Running<'_>| sight.words.session(b.session.pid);
    let mut text = match (&backups[..], longest) {
        ([], _) => "no backup is running".to_owned(),
        (_, Some((b, age))) => format!(
            "{} running, longest for {}: {}",
            how_many(),
            span(age),
            who(b)
        ),
        (_, None) => {
            let all: Vec<String> = backups.iter().map(who).collect();
            format!(
                "{} running, for how long is hidden: {}",
                how_many(),
                all.join(", ")
            )
        }
    };
    let mut state = sight.state_despite_hidden(value);
    if let Some(dead) = backups.iter().find(|b| is_leaked(b.session)) {
        state = worst(state, State::Warning);
        text = format!(
            "{text}; its client seems to be gone: {}, pgguard kill {}",
            sight.words.session(dead.session.pid),
            dead.session.pid
        );
    }
    if let Some((stuck, still)) = backups.iter().find_map(|b| Some((b, b.stands_still()?))) {
        state = worst(state, State::Warning);
        text = format!(
            "{text}; {} has stood still for {}: {}; look at the machine that runs it ({})",
            sight.words.session(stuck.session.pid),
            span(sight.words.age(still.since)),
            still.why,
            still.client
        );
    }
    if let Some(hidden) = sight.hidden_words() {
        text = format!("{text}; {hidden}");
    }
    Answer {
        state,
        text,
        details: backups
            .iter()
            .map(|b| format!("{}: {}", age_of(b), who(b)))
            .collect(),
        figures: vec![
            sight.judged("longest_backup", value, Unit::Seconds),
            Figure::count("backups", backups.len()),
            sight.hidden_figure(),
        ],
    }
}

fn age_of(backup: &Running<'_>) -> String {
    backup.age.map_or_else(|| "hidden".into(), span)
}

fn is_leaked(session: &Session) -> bool {
    session.backup.as_ref().is_some_and(|b| b.leaked)
}

/// A warning is worse than OK and than not knowing; nothing is worse than critical.
const fn worst(a: State, b: State) -> State {
    match (a, b) {
        (State::Critical, _) | (_, State::Critical) => State::Critical,
        (State::Warning, _) | (_, State::Warning) => State::Warning,
        (State::Unknown, _) | (_, State::Unknown) => State::Unknown,
        _ => State::Ok,
    }
}

/// By how much a running one is over the longest of its past runs.
pub fn overtime(sight: &Sight<'_>) -> Answer {
    let mut state = sight.state_despite_hidden(0.0);
    let mut most = None;
    let mut sentences = Vec::new();
    for backup in all(sight) {
        let who = sight.words.session(backup.session.pid);
        let Some(ran) = backup.age else {
            state = worst(state, State::Unknown);
            sentences.push(format!("{who} runs, for how long is hidden"));
            continue;
        };
        let age = span(ran);
        let Some(usual) = longest_past(sight, &backup) else {
            state = worst(state, State::Unknown);
            sentences.push(format!(
                "{who} has run for {age} and there is no complete past run to compare it with: \
                 pgguard backups record -- pg_dump … keeps them"
            ));
            continue;
        };
        let over = (ran - usual).max(TimeDelta::zero());
        let value = seconds(over);
        state = worst(state, sight.judgement.thresholds.state_of(value));
        most = Some(most.unwrap_or(0.0_f64).max(value));
        let slow = slow(&backup, ran, usual);
        if let Some((_, soonest)) = &slow {
            let will_be = sight.judgement.thresholds.state_of(seconds(*soonest));
            if will_be != State::Ok {
                state = worst(state, State::Warning);
            }
        }
        sentences.push(format!(
            "{who} has run for {age}, past runs took at most {}{}",
            span(usual),
            slow.map_or_else(String::new, |(text, _)| text)
        ));
    }
    let mut text = sentences
        .first()
        .cloned()
        .unwrap_or_else(|| "no backup is running".into());
    if let Some(hidden) = sight.hidden_words() {
        text = format!("{text}; {hidden}");
    }
    Answer {
        state,
        text,
        figures: vec![
            Figure::seconds("overtime", most.or(sentences.is_empty().then_some(0.0)))
                .judged_by(sight.judgement.thresholds),
            Figure::count("backups", sentences.len()),
            sight.hidden_figure(),
        ],
        details: sentences,
    }
}

/// What is to say of one that will be over its time, by the pace that it has, and by how much at least.
fn slow(backup: &Running<'_>, ran: TimeDelta, usual: TimeDelta) -> Option<(String, TimeDelta)> {
    let estimate = backup.estimate?;
    let times = estimate.times_slower?;
    let soonest = ran + time(estimate.earliest_s?)?;
    let expected = ran + time(estimate.remaining_s?)?;
    (soonest > usual).then(|| {
        let text = format!(
            "; it is {times:.1} times slower than they were, and will take about {}",
            rough(seconds(expected))
        );
        (text, soonest - usual)
    })
}

fn time(seconds: f64) -> Option<TimeDelta> {
    TimeDelta::from_std(Duration::try_from_secs_f64(seconds).ok()?).ok()
}

/// The longest complete run that dumped the same: as the estimate finds them, whatever they call themselves; of
/// what it does not know, the longest of the same program, role, name and database.
fn longest_past(sight: &Sight<'_>, backup: &Running<'_>) -> Option<TimeDelta> {
    if let Some(longest) = backup.estimate.and_then(|e| e.longest_past_s) {
        return time(longest);
    }
    let tool = backup.session.backup.as_ref().map(|b| b.tool.word());
    let same = |run: &&BackupRun| {
        let key = &run.key;
        run.outcome == RunOutcome::Complete
            && Some(key.tool.as_str()) == tool
            && Some(key.user.as_str()) == backup.backend.usename.as_deref()
            && key.application_name == backup.backend.application_name
            && (key.database.is_empty()
                || Some(key.database.as_str()) == backup.backend.datname.as_deref())
    };
    sight
        .runs
        .iter()
        .filter(same)
        .map(|run| run.ended - run.started)
        .max()
}

/// A backup of some of the database's tables.
#[derive(Clone, Copy)]
struct Part {
    dumped: usize,
    all: usize,
}

impl Part {
    /// `None`: it has all of them, as far as that is known.
    fn of(run: &BackupRun, all: Option<usize>) -> Option<Self> {
        let all = all?;
        let dumped = run.tables.iter().filter(|t| !t.is_left_out()).count();
        (!run.tables.is_empty() && dumped < all).then_some(Self { dumped, all })
    }

    /// Whether it counts: a log may be left out, and a table may be newer than the backup.
    const fn is_enough(self) -> bool {
        10 * self.dumped >= 9 * self.all || (self.dumped >= 3 && self.all - self.dumped == 1)
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} tables", self.dumped, self.all)
    }
}

/// How long ago the last complete one ended.
pub fn missing(sight: &Sight<'_>) -> Answer {
    let database = sight
        .judgement
        .database
        .as_deref()
        .unwrap_or(&sight.snapshot.server.datname);
    let of_database: Vec<&BackupRun> = sight
        .runs
        .iter()
        .filter(|run| run.key.database == database || run.key.database.is_empty())
        .collect();
    let is_own = database == sight.snapshot.server.datname;
    let all_tables = sight.user_tables.filter(|_| is_own);
    let newest = |is_meant: &dyn Fn(&BackupRun) -> bool| {
        let complete = of_database
            .iter()
            .filter(|run| run.outcome == RunOutcome::Complete && is_meant(run));
        complete.max_by_key(|run| run.ended).copied()
    };
    let covers = |run: &BackupRun| Part::of(run, all_tables).is_none_or(|part| part.is_enough());
    let Some(last) = newest(&covers) else {
        let part = newest(&|_| true).and_then(|run| Part::of(run, all_tables));
        let part = part.map_or_else(String::new, |part| format!("; the last dumped {part}"));
        let elsewhere = if is_own {
            String::new()
        } else {
            format!("; dumps of {database} are visible only from that database: -d {database}")
        };
        let mut answer = Answer::unknown(format!(
            "no complete backup of {database} is in the history ({} known{part}): \
             pgguard backups record -- pg_dump … keeps them{elsewhere}",
            many(of_database.len(), "run")
        ));
        answer.figures = vec![
            Figure::seconds("since_last_backup", None).judged_by(sight.judgement.thresholds),
            Figure::count("backups", all(sight).len()),
        ];
        return answer;
    };
    let value = seconds(sight.words.age(last.ended));
    let since = |outcome| {
        let runs = of_database.iter();
        runs.filter(|run| run.outcome == outcome && run.ended > last.ended)
            .count()
    };
    let mut text = format!(
        "the last complete backup of {database} ended {} ago, {} ({} by {})",
        span(sight.words.age(last.ended)),
        last.ended.format("%Y-%m-%d %H:%M UTC"),
        last.key.tool,
        last.key.user
    );
    if let Some(part) = Part::of(last, all_tables) {
        text = format!("{text}, {part}");
    }
    for (outcome, what) in [
        (RunOutcome::Aborted, "did not complete"),
        (RunOutcome::Unseen, "ended unseen"),
    ] {
        let count = since(outcome);
        if count > 0 {
            text = format!("{text}; {} since then {what}", many(count, "run"));
        }
    }
    let running = all(sight);
    if let Some(now) = running.first() {
        text = format!("{text}; one has run for {}", age_of(now));
    }
    Answer {
        state: sight.judgement.thresholds.state_of(value),
        text,
        details: Vec::new(),
        figures: vec![
            sight.judged("since_last_backup", value, Unit::Seconds),
            Figure::count("backups", running.len()),
        ],
    }
}
