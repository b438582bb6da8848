//! Recorded runs of real pg_dumps: what the views said twice a second, replayed as looks.

#![allow(dead_code, reason = "the test and the example use a part each")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures of a trial"
)]

use chrono::{DateTime, TimeDelta, Utc};
use pgguard::backup::{self, Question, TableFacts};
use pgguard::model::{
    Backend, BackendState, BackupRun, Lock, LockMode, LockTarget, LockedRelation, Oid, Pid,
    Progress, RelationKind, RelationName, RunKey, RunOutcome, Server, Snapshot, TableRun, Work,
};
use pgguard::sessions::understand;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// One recorded run.
pub struct Trace {
    /// The file's name.
    pub name: String,
    head: Value,
    looks: Vec<Snapshot>,
    facts: BTreeMap<Oid, TableFacts>,
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

/// How an estimator did over one run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Score {
    /// Mean of |error of the remaining time| / whole duration.
    pub error: f64,
    /// Share of looks whose interval held the real end.
    pub cover: f64,
    /// Share of looks that got a figure at all.
    pub answered: f64,
}

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
            looks,
            facts,
            end,
            succeeded,
        }
    }

    /// Whether the dump ended well: an aborted one has no end to be right about.
    pub fn completed(&self) -> bool {
        self.succeeded
    }

    fn begin(&self) -> f64 {
        self.looks.first().map_or(self.end, |look| {
            seconds(look.backends[0].xact_start.expect("a transaction"))
        })
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

    /// Runs that are history to this one: same database, same mode, marked as history, earlier.
    pub fn past(&self, all: &[Self]) -> Vec<BackupRun> {
        all.iter()
            .filter(|t| {
                t.kind() == self.kind()
                    && t.head["label"]["phase"] == "hist"
                    && t.end < self.begin()
                    && t.succeeded
            })
            .map(Self::as_run)
            .collect()
    }

    /// The run as the history would keep it.
    fn as_run(&self) -> BackupRun {
        self.seen(&self.looks)
    }

    /// What these looks saw of it.
    fn seen(&self, looks: &[Snapshot]) -> BackupRun {
        let mut tables: BTreeMap<Oid, TableRun> = BTreeMap::new();
        let mut since: BTreeMap<(Pid, Oid), f64> = BTreeMap::new();
        for look in looks {
            let now = seconds(look.taken_at);
            for progress in &look.progress {
                let Work::Copy {
                    relid: Some(oid),
                    bytes_processed,
                    tuples_processed,
                    ..
                } = progress.work
                else {
                    continue;
                };
                let Some(facts) = self.facts.get(&oid) else {
                    continue;
                };
                let began = *since.entry((progress.pid, oid)).or_insert_with(|| {
                    look.backend(progress.pid)
                        .and_then(|b| b.query_start)
                        .map_or(now, seconds)
                });
                tables.insert(
                    oid,
                    TableRun {
                        name: facts.name.clone(),
                        tuples: tuples_processed.unwrap_or(0) as f64,
                        bytes: bytes_processed.unwrap_or(0) as f64,
                        seconds: now - began + 0.25,
                        complete: true,
                    },
                );
            }
        }
        let disk: f64 = self.facts.values().map(TableFacts::disk_bytes).sum();
        BackupRun {
            key: RunKey {
                server: String::new(),
                database: self.kind().0,
                tool: "pg_dump".into(),
                user: String::new(),
                application_name: "pg_dump".into(),
            },
            started: time(self.begin()),
            ended: time(self.end),
            outcome: RunOutcome::Complete,
            workers: 0,
            database_bytes: disk as i64,
            tables: tables.into_values().collect(),
            source: "trace".into(),
        }
    }

    /// How well the estimator does with what it knows.
    pub fn score(&self, known: &Known, watching: bool) -> Score {
        let total = self.duration();
        let (mut error, mut cover, mut answered, mut count) = (0.0, 0.0, 0.0, 0.0);
        for (at, look) in self.looks.iter().enumerate() {
            let now = seconds(look.taken_at);
            let watched = watching.then(|| self.seen(&self.looks[..at]));
            let real = self.end - now;
            let told = match known {
                Known::Naive(past) => Some(naive(past, now - self.begin())),
                Known::Nothing => self.estimate(look, &[], watched.as_ref()),
                Known::Runs(past) => self.estimate(look, past, watched.as_ref()),
            };
            count += 1.0;
            if let Some((remaining, earliest, latest)) = told {
                answered += 1.0;
                error += (remaining - real).abs() / total;
                if (earliest - 1.0..=latest + 1.0).contains(&real) {
                    cover += 1.0;
                }
            }
        }
        Score {
            error: error / f64::max(answered, 1.0),
            cover: cover / f64::max(answered, 1.0),
            answered: answered / f64::max(count, 1.0),
        }
    }

    fn estimate(
        &self,
        look: &Snapshot,
        past: &[BackupRun],
        watched: Option<&BackupRun>,
    ) -> Option<(f64, f64, f64)> {
        let sessions = understand(look);
        let session = sessions.iter().find(|s| s.backup.is_some())?;
        let told = backup::estimate(&Question {
            snapshot: look,
            session,
            facts: &self.facts,
            past,
            watched,
        })?;
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

/// The catalog of the head, with the widths that `src/postgres/tables.sql` would give.
fn facts(head: &Value) -> BTreeMap<Oid, TableFacts> {
    let number = |v: &Value| v.as_f64().unwrap_or(0.0);
    head["catalog"]
        .as_array()
        .expect("a catalog")
        .iter()
        .filter(|t| t["relkind"] == "r")
        .map(|t| {
            let columns = t["cols"].as_array().expect("columns");
            let known = columns.iter().all(|c| c["w"].is_number());
            let width: f64 = columns.iter().map(column_width).sum();
            let facts = TableFacts {
                name: RelationName::new(
                    t["nspname"].as_str().expect("a name"),
                    t["relname"].as_str().expect("a name"),
                ),
                heap_bytes: number(&t["relpages"]) * 8192.0,
                toast_bytes: number(&t["toastpages"]) * 8192.0,
                tuples: number(&t["reltuples"]),
                columns: columns.len() as f64,
                row_bytes: (known && !columns.is_empty()).then_some(width),
            };
            (t["oid"].as_u64().expect("an oid") as Oid, facts)
        })
        .collect()
}

fn column_width(column: &Value) -> f64 {
    let stored = column["w"].as_f64().unwrap_or(0.0);
    let nulls = column["nf"].as_f64().unwrap_or(0.0);
    let printed = match column["t"].as_str().unwrap_or_default() {
        "bytea" => 2.0 * stored + 2.0,
        "boolean" => 1.0,
        "smallint" => 4.0,
        "integer" | "oid" => 7.0,
        "bigint" | "real" => 9.0,
        "double precision" => 14.0,
        "date" => 10.0,
        "timestamp without time zone" => 26.0,
        "timestamp with time zone" => 29.0,
        "uuid" => 36.0,
        "jsonb" => 1.3 * stored,
        t if t.starts_with("numeric") => 1.2 * stored,
        _ => stored,
    };
    1.0 + (1.0 - nulls) * printed + 2.0 * nulls
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
            virtualtransaction: format!("1/{pid}"),
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
            virtualtransaction: format!("1/{pid}"),
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
        taken_at: when(&sample["t"]).expect("a time"),
        server,
        backends,
        locks: rows,
        prepared: Vec::new(),
        progress,
        walsenders: Vec::new(),
        relations,
    }
}
