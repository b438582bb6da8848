//! What a gate found, as short facts: the same for every form that it is told in.

use super::gate_holds;
use super::gate_view::{Finding, GateView, Level, RULES, place};
use super::gate_waits::{crowds, groups, label, rule};
use super::gate_words::{
    MOST_BLOCKERS, advice, behind, clears, crowd_in_words, passed_over, title,
};
<<<<<<< HEAD
use crate::model::{ClearsBy, RunningMigration, Statement, StatementVerdict};
use crate::safe::printable;
=======
use crate::safe::{printable, shell_word};
use crate::sessions::alike;
use crate::words::{one_line, range, span};
use chrono::{DateTime, FixedOffset, Utc};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write as _;

/// Everything a gate's report is made of.
#[derive(Clone, Copy)]
pub struct GateView<'a> {
    /// What was asked about.
    pub footprint: &'a Footprint,
    /// The answer.
    pub verdict: &'a Verdict,
    /// The database, as people call it: `shop on db1`.
    pub database: &'a str,
    /// When the server was looked at, by its clock.
    pub taken_at: DateTime<Utc>,
    /// In which zone to say times.
    pub zone: FixedOffset,
    /// Whether it was judged by a catalog file: who is connected was not asked.
    pub of_catalog: bool,
    /// Who is there, where a server was looked at.
    pub status: Option<&'a StatusReport<'a>>,
    /// What is expected of a later time, where one was asked about.
    pub forecast: Option<&'a Forecast>,
}

impl GateView<'_> {
    /// While users hang already, whatever the migration would do: how many, on what, behind whom, and what frees them.
    #[must_use]
    pub fn outage(&self) -> Option<(String, Vec<Advice>)> {
        let (headline, advice) = in_short(self.status?)?;
        let headline = headline.strip_prefix("OUTAGE")?;
        Some((headline.trim().to_owned(), advice))
    }

    /// The exit status: that of the verdict, and of a later time where one was asked about.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        let now = self.verdict.answer.exit_status();
        self.forecast.map_or(now, |f| f.outlook.exit_status())
    }
}

/// What a verdict by a catalog file does not say.
pub const NOT_ASKED: &str =
    "judged by a catalog file: who is connected, and who would be in the way, was not asked";

/// The name of a script that is in no file: what a rehearsal sent.
pub const REHEARSAL: &str = "rehearsal";

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It would block.
    Block,
    /// Postgres will refuse it.
    Fail,
    /// It is unknown.
    Doubt,
    /// Worth knowing.
    Note,
}

/// What kind of finding, for forms that number them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// Its name there.
    pub id: &'static str,
    /// What it says, in a sentence.
    pub meaning: &'static str,
}

/// Every rule, in the order of their numbers.
pub const RULES: [Rule; 8] = [
    Rule {
        id: "lock-wait",
        meaning: "The statement would wait for a lock that somebody holds or waits for.",
    },
    Rule {
        id: "transaction-wait",
        meaning: "The statement would wait for transactions that have a lock on the relation to end.",
    },
    Rule {
        id: "snapshot-wait",
        meaning: "The statement would wait for every older snapshot of the database to end.",
    },
    Rule {
        id: "holds-up",
        meaning: "A backup started now would make somebody else wait.",
    },
    Rule {
        id: "cannot-tell",
        meaning: "Whether the migration would wait is unknown.",
    },
    Rule {
        id: "note",
        meaning: "It does not stop the migration and is worth knowing.",
    },
    Rule {
        id: "long-hold",
        meaning: "The migration would keep others out of a relation for too long.",
    },
    Rule {
        id: "would-fail",
        meaning: "Postgres will refuse the statement.",
    },
];

/// One thing that was found. Its texts are safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it weighs.
    pub level: Level,
    /// Which kind.
    pub rule: Rule,
    /// The statement it is about; `None`: the whole migration.
    pub place: Option<Place>,
    /// What it says in a line: `needs ACCESS EXCLUSIVE on public.orders`.
    pub title: String,
    /// More, as label and text.
    pub facts: Vec<(&'static str, String)>,
    /// What to do about it.
    pub advice: Vec<String>,
    /// What to run instead.
    pub safer: Option<SaferForm>,
}

/// Where a statement stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its number in the footprint, from 0.
    pub statement: usize,
    /// Its file; empty: it is of no file.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// Its beginning, on one line.
    pub sql: String,
}

impl Place {
    /// `migrations/0057.sql:3`; empty for what is of no file.
    #[must_use]
    pub fn shown(&self) -> String {
        if self.file.is_empty() {
            String::new()
        } else {
            format!("{}:{}", self.file, self.line)
        }
    }

    /// The file for a form that points at lines of a repository's files; `None`: standard input, or no file.
    /// GitLab finds no file whose path begins with `./`.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        let path = self.file.trim_start_matches("./").trim_start_matches('/');
        let path = if self.file.starts_with('/') {
            &self.file
        } else {
            path
        };
        (!path.is_empty() && path != "-").then_some(path)
    }
}

impl Finding {
    /// All of it in words, a line each, without the place.
    #[must_use]
    pub fn text(&self) -> String {
        let facts = self
            .facts
            .iter()
            .map(|(label, text)| format!("{label}: {text}"));
        let safer = self.safer.iter().flat_map(|form| {
            let steps = form
                .steps
                .iter()
                .map(|step| format!("{};", printable(step)));
            [format!("do: {}", run_instead(form))]
                .into_iter()
                .chain(steps)
        });
        let advice = self.advice.iter().map(|text| format!("do: {text}"));
        std::iter::once(self.title.clone())
            .chain(facts)
            .chain(safer)
            .chain(advice)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// The words above a safer form: why, and that nothing is in its way.
pub fn run_instead(form: &SaferForm) -> String {
    format!(
        "run the safer form, outside a transaction: {}, and nothing is in its way now",
        form.because
    )
}

/// Where a statement of the footprint stands.
#[must_use]
pub fn place(footprint: &Footprint, statement: usize) -> Option<Place> {
    let found = footprint.statements.get(statement)?;
    Some(Place {
        statement,
        file: printable(&found.file),
        line: found.line.max(1),
        sql: printable(&one_line(&found.sql, 60)),
    })
}

/// The answer on one statement.
#[must_use]
pub fn answer_on(verdict: &Verdict, statement: usize) -> Answer {
    let own = verdict.statements.get(statement);
    let blocks = own.is_some_and(StatementVerdict::blocks);
    let fails = own.is_some_and(|own| own.fails.is_some());
    let doubted = verdict
        .doubts
        .iter()
        .any(|doubt| doubt.statement == Some(statement));
    match (blocks, fails, doubted) {
        (true, ..) => Answer::WouldBlock,
        (false, true, _) => Answer::WouldFail,
        (false, false, true) => Answer::CannotTell,
        (false, false, false) => Answer::Clear,
    }
}
>>>>>>> fb95f46 (Keep how a past run dumped, count large objects as work, and damp the end that is told)

/// Everything that was found: what blocks, then what is unknown, then what is worth knowing, each in
/// the order of the statements.
#[must_use]
pub fn findings(view: &GateView) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, verdict) in view.verdict.statements.iter().enumerate() {
        found.extend(blocks(view, index, verdict));
        found.extend(too_long(view, index, verdict));
        found.extend(fails(view, index, verdict));
        if let Some(statement) = view.footprint.statements.get(index) {
            found.extend(notes(view, index, statement, verdict));
        }
    }
    found.extend(view.verdict.doubts.iter().map(|doubt| {
        Finding {
            level: Level::Doubt,
            rule: RULES[4],
            place: doubt
                .statement
                .and_then(|index| place(view.footprint, index)),
            title: printable(&doubt.what),
            facts: Vec::new(),
            advice: vec![printable(&doubt.help)],
            safer: None,
        }
    }));
    let running = view.verdict.running.iter().map(RunningMigration::in_words);
    let warnings = view.verdict.warnings.iter().cloned();
    let rehearsal = view.footprint.rehearsal().map(|tally| tally.in_words());
    found.extend(
        running
            .chain(warnings)
            .chain(rehearsal)
            .map(|text| Finding {
                level: Level::Note,
                rule: RULES[5],
                place: None,
                title: printable(&text),
                facts: Vec::new(),
                advice: Vec::new(),
                safer: None,
            }),
    );
    found.extend(accepted(view));
    found.sort_by_key(|finding| finding.level);
    found
}

/// What is in a statement's way: a finding for each mode and set of blockers.
fn blocks(view: &GateView, index: usize, verdict: &StatementVerdict) -> Vec<Finding> {
    groups(verdict)
        .iter()
        .enumerate()
        .map(|(nth, group)| {
            let first = group.waits[0];
            let crowds = crowds(&group.waits);
            let mut facts: Vec<(&'static str, String)> = crowds
                .iter()
                .take(MOST_BLOCKERS)
                .map(|crowd| (label(crowd[0]), crowd_in_words(view, crowd)))
                .collect();
            if crowds.len() > MOST_BLOCKERS {
                facts.push(("", format!("and {} more", crowds.len() - MOST_BLOCKERS)));
            }
            facts.push(("clears", clears(view, &group.waits)));
            if nth == 0 {
                facts.extend(verdict.behind.as_ref().map(|b| ("behind it", behind(b))));
                facts.extend(verdict.notes.iter().map(|note| ("note", printable(note))));
            }
            Finding {
                level: Level::Block,
                rule: rule(first.kind),
                place: place(view.footprint, index),
                title: title(view, first, &group.relations),
                facts,
                advice: advice(view, &group.waits),
                safer: verdict.safer.clone().filter(|_| nth == 0),
            }
        })
        .collect()
}

/// The locks of a statement that would keep others out for too long.
fn too_long(view: &GateView, index: usize, verdict: &StatementVerdict) -> Vec<Finding> {
    let groups = gate_holds::groups(verdict, true);
    let finding = |group: &gate_holds::Group| Finding {
        level: Level::Block,
        rule: RULES[6],
        place: place(view.footprint, index),
        title: group.title(),
        facts: group.facts(&view.footprint.statements),
        advice: vec![format!(
            "if others can wait that long, let it through: --max-hold {}s",
            (group.longest.hold.time.latest / 10.0).ceil() * 10.0
        )],
        safer: verdict.safer.clone(),
    };
    groups.iter().map(finding).collect()
}

/// Why a statement will not run.
fn fails(view: &GateView, index: usize, verdict: &StatementVerdict) -> Option<Finding> {
    let why = verdict.fails.as_ref()?;
    Some(Finding {
        level: Level::Fail,
        rule: RULES[7],
        place: place(view.footprint, index),
        title: printable(&format!("Postgres will refuse it: {why}")),
        facts: Vec::new(),
        advice: vec!["fix it; if it is meant to fail, let it through: --allow failing".to_owned()],
        safer: None,
    })
}

/// What was let through by name.
fn accepted(view: &GateView) -> impl Iterator<Item = Finding> {
    view.verdict.accepted.iter().map(|accepted| {
        let by = &accepted.by;
        let because = match &by.because {
            Some(why) => format!(" because {why}"),
            None => String::new(),
        };
        let text = format!(
            "let through ({} by {}{because}): {}",
            by.what.word(),
            by.from,
            accepted.what
        );
        Finding {
            level: Level::Note,
            rule: RULES[5],
            place: accepted.statement.and_then(|at| place(view.footprint, at)),
            title: printable(&text),
            facts: Vec::new(),
            advice: Vec::new(),
            safer: None,
        }
    })
}

<<<<<<< HEAD
=======
/// Waits for sessions like each other, the first of which is the oldest.
fn crowds<'a>(waits: &[&'a Wait]) -> Vec<Vec<&'a Wait>> {
    let key = |wait: &Wait| {
        let who = &wait.blocker;
        let named = (who.application_name.clone(), who.user.clone());
        let alone = who.pid.is_none() || matches!(who.role, Role::Backup | Role::Migration);
        let own = alone.then(|| (who.pid, who.gid.clone()));
        Some((label(wait), who.role, named, who.mode, who.granted, own))
    };
    alike::crowds(waits.iter().copied(), |wait| key(wait))
}

/// One blocker, or how many there are like the oldest one.
fn crowd_in_words(view: &GateView, crowd: &[&Wait]) -> String {
    let first = blocker(view, &crowd[0].blocker);
    match crowd.len() {
        1 => first,
        n => format!("{n} sessions like this, the oldest: {first}"),
    }
}

/// How many blockers of a wait are named.
const MOST_BLOCKERS: usize = 6;

fn groups(verdict: &StatementVerdict) -> Vec<Group<'_>> {
    let is_behind_others = |wait: &&Wait| wait.counts && wait.kind != WaitKind::Hold;
    let counting = verdict.waits.iter().filter(is_behind_others);
    let mut by_relation = gathered(
        counting.map(|wait| Group {
            waits: vec![wait],
            relations: wait.name.iter().collect(),
        }),
        |group| {
            let wait = group.waits[0];
            (
                wait.oid,
                &wait.name,
                &wait.object,
                wait.mode,
                rule(wait.kind).id,
            )
        },
        |group, other| group.waits.extend(other.waits),
    );
    for group in &mut by_relation {
        // Holders first, the oldest of them first.
        group.waits.sort_by_key(|wait| {
            let who = &wait.blocker;
            (!who.granted, who.since.is_none(), who.since, who.pid)
        });
    }
    gathered(
        by_relation.into_iter(),
        |group| -> Vec<_> {
            let waits = group.waits.iter();
            waits
                .map(|w| (w.blocker.pid, &w.blocker.gid, w.kind, w.mode, &w.object))
                .collect()
        },
        |group, other| group.relations.extend(other.relations),
    )
}

/// Groups of the same key made one, in the order of their first ones.
fn gathered<'a, K: std::hash::Hash + Eq>(
    groups: impl Iterator<Item = Group<'a>>,
    key: impl Fn(&Group<'a>) -> K,
    join: impl Fn(&mut Group<'a>, Group<'a>),
) -> Vec<Group<'a>> {
    let mut places: HashMap<K, usize> = HashMap::new();
    let mut gathered: Vec<Group<'a>> = Vec::new();
    for group in groups {
        match places.entry(key(&group)) {
            Entry::Occupied(place) => join(&mut gathered[*place.get()], group),
            Entry::Vacant(place) => {
                place.insert(gathered.len());
                gathered.push(group);
            }
        }
    }
    gathered
}

const fn rule(kind: WaitKind) -> Rule {
    match kind {
        WaitKind::Lock | WaitKind::Queue | WaitKind::SelfClearing => RULES[0],
        WaitKind::Lockers => RULES[1],
        WaitKind::Snapshot | WaitKind::SafeSnapshot | WaitKind::Transactions => RULES[2],
        WaitKind::HoldsUp => RULES[3],
        WaitKind::Hold => RULES[6],
    }
}

fn title(view: &GateView, wait: &Wait, relations: &[&RelationName]) -> String {
    let mode = wait.mode.map_or("a lock", crate::model::LockMode::sql);
    let on = list(relations);
    printable(&match wait.kind {
        WaitKind::Snapshot => format!("waits for every older snapshot of {}", view.database),
        WaitKind::SafeSnapshot => "waits for every serializable transaction that may write".into(),
        WaitKind::Transactions => {
            "waits for every transaction of the server that has written".into()
        }
        WaitKind::Lockers => format!("waits for every transaction that uses {on}"),
        WaitKind::HoldsUp | WaitKind::Hold => "would make others wait".into(),
        _ if relations.is_empty() => {
            format!(
                "needs {mode} on {}",
                wait.object.as_deref().unwrap_or("an object")
            )
        }
        _ => format!("needs {mode} on {on}"),
    })
}

/// `public.a, public.b and 12 more`
fn list(relations: &[&RelationName]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> = relations
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    match relations.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

const fn label(wait: &Wait) -> &'static str {
    match wait.kind {
        WaitKind::Lock => "held by",
        WaitKind::Queue => "behind",
        WaitKind::Lockers
        | WaitKind::Snapshot
        | WaitKind::SafeSnapshot
        | WaitKind::Transactions => "waits for",
        WaitKind::SelfClearing => "a moment",
        WaitKind::HoldsUp | WaitKind::Hold => "holds up",
    }
}

/// `backup (pg_dump, pid 2459692, 25 min)  ACCESS SHARE · now copying public.jobs, 31 of 44 tables`
fn blocker(view: &GateView, blocker: &Blocker) -> String {
    let mut identity = Vec::new();
    if let Some(gid) = &blocker.gid {
        identity.push(format!("'{gid}'"));
    }
    if !blocker.application_name.is_empty() && blocker.role != Role::Server {
        identity.push(blocker.application_name.clone());
    }
    identity.extend(blocker.pid.map(|pid| format!("pid {pid}")));
    if !blocker.user.is_empty() {
        identity.push(format!("user {}", blocker.user));
    }
    identity.extend(blocker.since.map(|since| span(age(since, view.taken_at))));
    let who = match (blocker.pid, blocker.role) {
        (None, _) => "prepared transaction",
        (_, role) => role_words(role),
    };
    let has = match (blocker.mode, blocker.granted) {
        (Some(mode), true) => format!("  {mode}"),
        (Some(mode), false) => format!("  waits for {mode}"),
        (None, _) => String::new(),
    };
    let detail = match blocker.detail.as_str() {
        "" => String::new(),
        detail => format!(" · {detail}"),
    };
    printable(&format!("{who} ({}){has}{detail}", identity.join(", ")))
}

const fn role_words(role: Role) -> &'static str {
    match role {
        Role::Backup => "backup",
        Role::Migration => "migration",
        Role::Application => "application",
        Role::Idle => "idle session",
        Role::IdleInTransaction => "idle in transaction",
        Role::Maintenance => "maintenance",
        Role::Replication => "replication",
        Role::Monitoring => "monitoring",
        Role::Server => "server process",
        Role::Masked => "hidden session",
    }
}

/// `~03:41 (in 9–14 min, 14 past runs)`: of the last to go.
fn clears(view: &GateView, waits: &[&Wait]) -> String {
    let known = |wait: &&&Wait| wait.clears.as_ref().is_some_and(|c| c.expected.is_some());
    if let Some(unknown) = waits.iter().find(|wait| !known(wait)) {
        return printable(&format!("unknown: {}", why_unknown(unknown)));
    }
    waits
        .iter()
        .filter_map(|wait| wait.clears.as_ref())
        .max_by_key(|clears| clears.expected)
        .map_or_else(|| "unknown".to_owned(), |c| printable(&when(view, c)))
}

fn why_unknown(wait: &Wait) -> String {
    if let Some(clears) = &wait.clears
        && !clears.basis.is_empty()
    {
        return clears.basis.clone();
    }
    let blocker = &wait.blocker;
    match (blocker.pid, blocker.role) {
        (None, _) => "a prepared transaction stays until it is committed or rolled back".into(),
        (Some(pid), Role::IdleInTransaction) => {
            format!("pid {pid} has waited for its client, possibly forever")
        }
        (Some(_), Role::Backup) => "no estimate for this backup".into(),
        (Some(pid), _) if !blocker.granted => format!("pid {pid} waits itself"),
        (Some(pid), _) => format!("when pid {pid} is done is unknown"),
    }
}

fn when(view: &GateView, clears: &Clears) -> String {
    let Some(expected) = clears.expected else {
        return format!("unknown: {}", clears.basis);
    };
    let local = expected.with_timezone(&view.zone);
    let today = view.taken_at.with_timezone(&view.zone).date_naive();
    let pattern = if local.date_naive() == today {
        "~%H:%M"
    } else {
        "~%Y-%m-%d %H:%M"
    };
    let (from, to) = (
        clears.earliest.unwrap_or(expected),
        clears.latest.unwrap_or(expected),
    );
    format!(
        "{} (in {}, {})",
        local.format(pattern),
        range(age(view.taken_at, from), age(view.taken_at, to)),
        clears.basis
    )
}

fn behind(behind: &Behind) -> String {
    printable(&format!(
        "{} would queue ({})",
        behind.what,
        gate_holds::uses(behind)
    ))
}

/// In the order of harm: a schema change that only waits and keeps others waiting is ended first.
fn advice(view: &GateView, waits: &[&Wait]) -> Vec<String> {
    let mut crowds = crowds(waits);
    crowds.sort_by_key(|crowd| crowd[0].blocker.granted);
    let mut advice: Vec<String> = Vec::new();
    for crowd in crowds {
        let wait = crowd[0];
        let mut text = printable(&wait.blocker.advice);
        if wait.blocker.role == Role::Backup && text.starts_with("wait") {
            let _ = write!(text, ": {}", wait_command(view, wait));
        }
        if let (true, Some(files), true) = (
            crowd.len() > 1,
            files(view),
            text.starts_with("pgguard kill"),
        ) {
            text = format!(
                "pgguard kill --blocking {files}: asks for each of the {} sessions",
                crowd.len()
            );
        }
        if !text.is_empty() && !advice.contains(&text) {
            advice.push(text);
        }
        // Hundreds may be in the way.
        if advice.len() == MOST_BLOCKERS {
            break;
        }
    }
    advice
}

/// The files of the statements, in order.
fn named_files<'a>(view: &GateView<'a>) -> Vec<&'a str> {
    let statements = view.footprint.statements.iter();
    let mut files: Vec<&str> = statements.map(|s| s.file.as_str()).collect();
    files.dedup();
    files
}

/// The migration's one file, for a command line; `None`: several, or none that could be named.
fn files(view: &GateView) -> Option<String> {
    match named_files(view).as_slice() {
        ["" | "-" | REHEARSAL] => None,
        [file] => Some(shell_word(file)),
        _ => None,
    }
}

/// `pgguard gate --wait 20m 0057.sql && ./migrate`: a little longer than the backup's last guess.
fn wait_command(view: &GateView, wait: &Wait) -> String {
    let latest = wait.clears.as_ref().and_then(|c| c.latest);
    let minutes = latest.map_or(60, |latest| {
        let left = age(view.taken_at, latest).num_minutes();
        (left + left / 4 + 5) / 5 * 5
    });
    let files = match named_files(view).as_slice() {
        [""] => String::new(),
        [REHEARSAL] => " --rehearse -- …".to_owned(),
        [file] if *file != "-" => format!(" {}", shell_word(file)),
        _ => " …".to_owned(),
    };
    format!(
        "pgguard gate --wait {}m{files} && ./migrate",
        minutes.max(5)
    )
}

/// What a statement runs without.
fn passed_over(wait: &Wait) -> String {
    let who = match (wait.blocker.pid, &wait.blocker.gid) {
        (Some(pid), _) => format!("pid {pid}"),
        (None, gid) => format!(
            "prepared transaction {}",
            gid.as_deref().unwrap_or_default()
        ),
    };
    match (&wait.name, &wait.object) {
        (Some(name), _) => format!("would skip {name}: {who} has it"),
        (None, object) => {
            let object = object.as_deref().unwrap_or("it");
            format!("would run without {object}: {who} has it")
        }
    }
}

>>>>>>> fb95f46 (Keep how a past run dumped, count large objects as work, and damp the end that is told)
/// What does not stop a statement: what gives way, what it will fail of, what the footprint noted.
fn notes(
    view: &GateView,
    index: usize,
    statement: &Statement,
    verdict: &StatementVerdict,
) -> Vec<Finding> {
    let gives_way = verdict
        .waits
        .iter()
        .filter_map(|wait| Some((wait, wait.clears_by?)))
        .filter_map(|(wait, by)| match by {
            ClearsBy::Autovacuum => Some(format!(
                "would wait a moment for autovacuum (pid {}), which gives way after deadlock_timeout",
                wait.blocker.pid.unwrap_or_default()
            )),
            ClearsBy::Skipped => Some(passed_over(wait)),
            ClearsBy::NotSeenTwice | ClearsBy::Young => None,
        });
    let fails = statement
        .fails
        .iter()
        .filter(|_| !statement.fails_for_certain)
        .map(|why| format!("Postgres will probably refuse it: {why}"));
    let holds = gate_holds::groups(verdict, false);
    let holds = holds
        .iter()
        .map(|group| group.line(&view.footprint.statements));
    gives_way
        .chain(fails)
        .chain(holds)
        .chain(statement.notes.iter().cloned())
        .map(|text| Finding {
            level: Level::Note,
            rule: RULES[5],
            place: place(view.footprint, index),
            title: printable(&text),
            facts: Vec::new(),
            advice: Vec::new(),
            safer: None,
        })
        .collect()
}
