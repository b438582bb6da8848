//! Recorded runs of real pg_dumps: what the views said twice a second, replayed as looks.

#![allow(dead_code, reason = "the test and the example use a part each")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures of a trial"
)]

use chrono::{DateTime, TimeDelta, Utc};
use pgguard::model::{
    Backend, BackendState, BackupRun, ColumnFacts, DatabaseFacts, Lock, LockMode, LockTarget,
    LockedRelation, Oid, Pid, Progress, RelationKind, RelationName, RunOutcome, Server, Snapshot,
    TableFacts, TableSample, Work,
};
use pgguard::test_support::backup::{End, Watcher, key_of};
use pgguard::test_support::sessions::{Sessions, understand};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// One recorded run.
pub struct Trace {
    /// The file's name.
    pub name: String,
    head: Value,
    looks: Vec<Snapshot>,
    /// Who is who in each look.
    sessions: Vec<Sessions>,
    facts: DatabaseFacts,
    end: f64,
    succeeded: bool,
}

/// What the estimator is told beside the look.
#[derive(Clone)]
pub enum Known {
    /// Nothing.
    Nothing,
    /// Past runs.
    Runs(Vec<BackupRun>),
    /// Not our estimator: the median past duration less what has passed.
    Naive(Vec<BackupRun>),
}

/// What the estimator has seen before it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Nothing but this look.
    OneLook,
    /// Everything since the dump began.
    Watching,
}

/// How an estimator did over one run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Score {
    /// Mean of |error of the remaining time| / whole duration.
    pub error: f64,
    /// Share of looks whose interval held the real end.
    pub cover: f64,
    /// Share of looks that got a figure at all.
    pub answered: f64,
    /// How far the told end moved at most between two looks, as a share of the whole duration.
    pub jitter: f64,
}

/// So many looks of a run, at most, ask for an estimate; the others are only seen.
const ASKED: usize = 40;

const DATABASE: Oid = 5;

/// System catalogs that only a dump's leader has locked together.
const DUMPED_CATALOGS: [Oid; 8] = [2753, 2616, 2607, 2605, 3600, 3601, 3602, 3764];

impl Trace {
    /// All traces of a folder, by name.
    pub fn read_all(folder: &Path) -> Vec<Self> {
        let mut paths: Vec<_> = std::fs::read_dir(folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
            .collect();
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("a trace");
        let mut lines = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let head = lines.next().expect("a head");
        let facts = facts(&head);
        let mut looks = Vec::new();
        let mut locks: BTreeMap<String, Vec<Oid>> = BTreeMap::new();
        let (mut end, mut succeeded) = (0.0, false);
        for line in lines {
            if line["k"] == "end" {
                end = line["t"].as_f64().expect("a time");
                succeeded = line["rc"] == 0;
            } else {
                for (who, oids) in line["l"].as_object().into_iter().flatten() {
                    let oids = oids.as_array().expect("oids").iter();
                    let oids = oids
                        .map(|oid| oid.as_u64().expect("an oid") as Oid)
                        .collect();
                    locks.insert(who.clone(), oids);
                }
                if !line["a"].as_array().is_none_or(Vec::is_empty) {
                    looks.push(look(&head, &line, &locks));
                }
            }
        }
        Self {
            name: path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned(),
            head,
            sessions: looks.iter().map(understand).collect(),
            looks,
            facts,
            end,
            succeeded,
        }
    }

    /// Whether the dump ended well: an aborted one has no end to be right about.
    pub fn completed(&self) -> bool {
        self.succeeded && self.head["label"]["phase"] != "aborted"
    }

    fn begin(&self) -> f64 {
        let begun = |look: &Snapshot| look.backends.iter().filter_map(|b| b.xact_start).min();
        self.looks.iter().find_map(begun).map_or(self.end, seconds)
    }

    /// Seconds from the dump's transaction to its end.
    pub fn duration(&self) -> f64 {
        self.end - self.begin()
    }

    /// Its looks, in order.
    pub fn looks(&self) -> &[Snapshot] {
        &self.looks
    }

    fn kind(&self) -> (String, String) {
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        (text(&self.head["db"]), text(&self.head["label"]["mode"]))
    }

    /// Lets the estimator know a few rows of each table, where the folder has `samples_DATABASE.json`
    /// (`_grown` for runs after the growth).
    pub fn sample(&mut self, folder: &Path) {
        let db = self.kind().0;
        let grown = self.head["label"]["phase"] == "test";
        let read = |name: String| std::fs::read_to_string(folder.join(name)).ok();
        let text = grown
            .then(|| read(format!("samples_{db}_grown.json")))
            .flatten()
            .or_else(|| read(format!("samples_{db}.json")));
        let Some(text) = text else { return };
        let samples: Value = serde_json::from_str(&text).expect("JSON");
        for table in &mut self.facts.tables {
            let Some(sample) = samples["sample"][table.oid.to_string()].as_array() else {
                continue;
            };
            let number = |at: usize| sample[at].as_f64().unwrap_or(0.0);
            table.sample = Some(TableSample {
                bytes_per_row: number(0),
                zlib_seconds_per_row: number(1),
                rows: number(2),
                ..TableSample::default()
            });
        }
    }

    /// Runs that are history to this one: same database, same mode, marked as history, earlier.
    pub fn past(&self, all: &[Self]) -> Vec<BackupRun> {
        self.earlier(all, |mode, own| mode == own)
    }

    /// The same of other modes.
    pub fn past_of_another_kind(&self, all: &[Self]) -> Vec<BackupRun> {
        self.earlier(all, |mode, own| mode != own)
    }

    fn earlier(&self, all: &[Self], is_meant: fn(&str, &str) -> bool) -> Vec<BackupRun> {
        let (database, mode) = self.kind();
        let of_database = all.iter().filter(|t| t.kind().0 == database);
        of_database
            .filter(|t| is_meant(&t.kind().1, &mode))
            .filter(|t| t.head["label"]["phase"] == "hist" && t.end < self.begin() && t.succeeded)
            .map(Self::as_run)
            .collect()
    }

    /// The run as the history would keep it.
    fn as_run(&self) -> BackupRun {
        let mut watcher = Watcher::default();
        let mut key = None;
        for (look, sessions) in self.looks.iter().zip(&self.sessions) {
            if let Some(session) = sessions.iter().find(|s| s.backup.is_some()) {
                watcher.look(look, session, &self.facts);
                key = key.or_else(|| key_of(look, session));
            }
        }
        let end = End {
            at: time(self.end),
            outcome: Some(RunOutcome::Complete),
        };
        watcher
            .run(key.expect("a backup"), &self.facts, Some(end))
            .expect("a begin")
    }

    /// How well the estimator does with what it knows.
    pub fn score(&self, known: &Known, sight: Sight) -> Score {
        let total = self.duration();
        let (mut error, mut cover, mut answered, mut count) = (0.0, 0.0, 0.0, 0.0);
        let (mut jitter, mut before) = (0.0_f64, None);
        let mut watcher = Watcher::default();
        let every = self.looks.len().div_ceil(ASKED);
        for (nth, (look, sessions)) in self.looks.iter().zip(&self.sessions).enumerate() {
            let now = seconds(look.taken_at);
            let real = self.end - now;
            match sight {
                Sight::Watching => {}
                Sight::OneLook => watcher = Watcher::default(),
            }
            self.show(&mut watcher, look, sessions);
            if nth % every != 0 {
                continue;
            }
            let told = match known {
                Known::Naive(past) => Some(naive(past, now - self.begin())),
                Known::Nothing => self.told(&mut watcher, &[]),
                Known::Runs(past) => self.told(&mut watcher, past),
            };
            count += 1.0;
            if let Some((remaining, earliest, latest)) = told {
                if std::env::var_os("ETA_TRACE").is_some() {
                    eprintln!(
                        "{} {:5.1} real {real:6.1} said {remaining:6.1} [{earliest:.1} {latest:.1}] {}",
                        self.name,
                        now - self.begin(),
                        watcher
                            .estimate(&self.facts, &[])
                            .map_or(String::new(), |e| e.basis)
                    );
                }
                answered += 1.0;
                let end = now + remaining;
                jitter = jitter.max(before.map_or(0.0, |b: f64| (end - b).abs() / total));
                before = Some(end);
                error += (remaining - real).abs() / total;
                if (earliest - 0.5..=latest + 0.5).contains(&real) {
                    cover += 1.0;
                }
            }
        }
        Score {
            error: error / f64::max(answered, 1.0),
            cover: cover / f64::max(answered, 1.0),
            answered: answered / f64::max(count, 1.0),
            jitter,
        }
    }

    fn show(&self, watcher: &mut Watcher, look: &Snapshot, sessions: &Sessions) {
        if let Some(session) = sessions.iter().find(|s| s.backup.is_some()) {
            watcher.look(look, session, &self.facts);
        }
    }

    fn told(&self, watcher: &mut Watcher, past: &[BackupRun]) -> Option<(f64, f64, f64)> {
        let told = watcher.estimate(&self.facts, past)?;
        watcher.keep_told(&told);
        Some((told.remaining_s?, told.earliest_s?, told.latest_s?))
    }
}

fn naive(past: &[BackupRun], elapsed: f64) -> (f64, f64, f64) {
    let mut totals: Vec<f64> = past
        .iter()
        .map(|r| (r.ended - r.started).as_seconds_f64())
        .collect();
    totals.sort_by(f64::total_cmp);
    let left = (totals[totals.len() / 2] - elapsed).max(0.0);
    (left, left * 0.8, left * 1.25)
}

fn time(seconds: f64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::microseconds((seconds * 1e6) as i64)
}

fn seconds(time: DateTime<Utc>) -> f64 {
    (time - DateTime::UNIX_EPOCH).as_seconds_f64()
}

/// The catalog of the head, as `src/postgres/tables.sql` would read it.
fn facts(head: &Value) -> DatabaseFacts {
    let number = |v: &Value| v.as_f64().unwrap_or(0.0);
    let tables = head["catalog"]
        .as_array()
        .expect("a catalog")
        .iter()
        .filter(|t| t["relkind"] == "r")
        .map(|t| TableFacts {
            oid: t["oid"].as_u64().expect("an oid") as Oid,
            schema: t["nspname"].as_str().expect("a name").into(),
            relation: t["relname"].as_str().expect("a name").into(),
            pages: number(&t["relpages"]),
            toast_pages: number(&t["toastpages"]),
            tuples: number(&t["reltuples"]),
            live_tuples: t["n_live_tup"].as_f64().unwrap_or_else(|| live_tuples(t)),
            heap_bytes: 0.0,
            columns: t["cols"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|c| ColumnFacts {
                    type_name: c["t"].as_str().unwrap_or_default().into(),
                    avg_width: c["w"].as_f64(),
                    null_frac: number(&c["nf"]),
                    n_distinct: c["nd"].as_f64(),
                    external: c["st"] == "e",
                })
                .collect(),
            sample: None,
            scans: None,
            reads: None,
            inserted: t["n_tup_ins"].as_f64(),
            deleted: t["n_tup_del"].as_f64(),
        })
        .collect();
    DatabaseFacts {
        tables,
        ..DatabaseFacts::default()
    }
}

/// What the cumulative statistics would count, where a recording has sizes only.
fn live_tuples(table: &Value) -> f64 {
    let number = |v: &Value| v.as_f64().unwrap_or(0.0);
    let (pages, tuples, bytes) = (
        number(&table["relpages"]),
        number(&table["reltuples"]),
        number(&table["main"]),
    );
    if pages > 0.0 && tuples >= 0.0 {
        tuples * bytes / (8192.0 * pages)
    } else {
        bytes / 80.0
    }
}

fn look(head: &Value, sample: &Value, locks: &BTreeMap<String, Vec<Oid>>) -> Snapshot {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let when = |v: &Value| v.as_f64().map(time);
    let mut server = Server::unknown();
    server.version_num = head["ver"].as_i64().unwrap_or(150_000) as i32;
    server.datid = DATABASE;
    server.datname = text(&head["db"]);
    server.sees_all = true;
    let backends: Vec<Backend> = sample["a"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|a| Backend {
            pid: a["pid"].as_i64().expect("a pid") as Pid,
            datid: Some(DATABASE),
            datname: Some(text(&head["db"])),
            usename: Some("postgres".into()),
            application_name: text(&a["application_name"]),
            client_addr: Some("127.0.0.1".into()),
            backend_start: when(&a["bs"]),
            xact_start: when(&a["xs"]),
            query_start: when(&a["qs"]),
            state_change: when(&a["sc"]),
            wait_event_type: a["wt"].as_str().map(Into::into),
            wait_event: a["we"].as_str().map(Into::into),
            state: BackendState::from_text(&text(&a["state"])),
            backend_xmin: text(&a["xmin"]).parse().ok(),
            query: text(&a["q"]),
            backend_type: Some("client backend".into()),
            ..Backend::default()
        })
        .collect();
    let progress = sample["p"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|p| Progress {
            part: None,
            pid: p[0].as_i64().expect("a pid") as Pid,
            datid: Some(DATABASE),
            work: Work::Copy {
                relid: p[1].as_u64().map(|o| o as Oid),
                direction: Some(text(&p[2])),
                kind: Some(text(&p[3])),
                bytes_processed: p[4].as_i64(),
                tuples_processed: p[6].as_i64(),
            },
        })
        .collect();
    let mut rows = Vec::new();
    for (who, oids) in locks {
        let (pid, mode) = who.split_once(':').expect("pid:mode");
        let pid: Pid = pid.parse().expect("a pid");
        if !backends.iter().any(|b| b.pid == pid) {
            continue;
        }
        let mode = LockMode::from_pg_locks(mode).expect("a mode");
        rows.extend(oids.iter().map(|&relation| Lock {
            target: LockTarget::Relation {
                database: DATABASE,
                relation,
            },
            pid: Some(pid),
            virtualtransaction: format!("1/{pid}").into(),
            mode,
            granted: true,
            waitstart: None,
        }));
    }
    // The recording left out the system catalogs, by which a dump's leader is known: it came first.
    if let Some(leader) = backends.iter().min_by_key(|b| b.backend_start) {
        let pid = leader.pid;
        rows.extend(DUMPED_CATALOGS.iter().map(|&relation| Lock {
            target: LockTarget::Relation {
                database: DATABASE,
                relation,
            },
            pid: Some(pid),
            virtualtransaction: format!("1/{pid}").into(),
            mode: LockMode::AccessShare,
            granted: true,
            waitstart: None,
        }));
    }
    let relations = head["catalog"]
        .as_array()
        .expect("a catalog")
        .iter()
        .map(|t| {
            let kind = t["relkind"]
                .as_str()
                .and_then(|k| k.chars().next())
                .and_then(RelationKind::from_relkind);
            let relation = LockedRelation {
                name: RelationName::new(text(&t["nspname"]), text(&t["relname"])),
                kind: kind.expect("a kind"),
                bytes: 0,
                tuples: 0.0,
                is_partition: false,
            };
            (t["oid"].as_u64().expect("an oid") as Oid, relation)
        })
        .collect();
    Snapshot {
        xids: None,
        taken_at: when(&sample["t"]).expect("a time"),
        server,
        backends,
        locks: rows,
        prepared: Vec::new(),
        progress,
        walsenders: Vec::new(),
        serializable: Vec::new(),
        temporary_schemas: BTreeSet::new(),
        changed_rows: Vec::new(),
        working: BTreeSet::new(),
        relations,
    }
}
