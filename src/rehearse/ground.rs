//! What was in the copy before the first statement: only locks on that can keep anybody waiting on the real server.

use super::probe::Probe;
use super::stage::Stage;
use crate::model::{LockMode, LockWork, Measured, MeasuredLock, Oid, RelationName};
use crate::postgres::connect::Row;
use crate::postgres::plain::{Plain, Refused};
use std::collections::{BTreeMap, BTreeSet};

const QUESTION: &str = include_str!("ground.sql");

/// A relation as it was.
#[derive(Debug, Clone)]
struct Relation {
    name: RelationName,
    kind: String,
    /// The table of an index or a TOAST table.
    owner: Option<Oid>,
}

/// What was there.
#[derive(Debug, Default)]
pub struct Ground {
    relations: BTreeMap<Oid, Relation>,
    /// Objects that are no relation, as (class, object): what they are called.
    objects: BTreeMap<(Oid, Oid), String>,
    /// The file of each relation as it was last seen.
    files: BTreeMap<Oid, Oid>,
    first_files: BTreeMap<Oid, Oid>,
}

impl Ground {
    /// Reads it.
    ///
    /// # Errors
    /// The copy does not answer.
    pub async fn read(stage: &Stage) -> Result<Self, Refused> {
        let mut session =
            Plain::open(&stage.folder, stage.port, &stage.superuser, &stage.database).await?;
        let mut found = Self::default();
        session.rows(QUESTION, |row| found.add(row)).await?;
        found.first_files = found.files.clone();
        Ok(found)
    }

    fn add(&mut self, row: &Row<'_>) {
        let text = |at| row.word(at).unwrap_or_default().to_owned();
        let Some(oid) = row.number::<Oid>(1) else {
            return;
        };
        if text(0) == "object" {
            let name = match text(3).as_str() {
                "" => crate::model::quoted(&text(4)),
                schema => RelationName::new(schema, text(4)).to_string(),
            };
            let class = row.number(2).unwrap_or_default();
            self.objects
                .insert((class, oid), format!("{} {name}", text(5)));
            return;
        }
        self.files.insert(oid, row.number(5).unwrap_or_default());
        self.relations.insert(
            oid,
            Relation {
                name: RelationName::new(text(3), text(4)),
                kind: text(2),
                owner: row.number(6),
            },
        );
    }

    /// After ROLLBACK nobody knows which file is which: a relation that seems rewritten may not be.
    pub fn take_back(&mut self) {
        self.files.clone_from(&self.first_files);
    }

    /// What a statement did between two looks.
    pub fn between(
        &mut self,
        before: &Probe,
        after: &Probe,
        sql: &str,
        versions: &BTreeSet<String>,
    ) -> Measured {
        let scanned = self.scanned(before, after);
        let mut locks = Vec::new();
        for (oid, mode) in after.locks.difference(&before.locks) {
            locks.extend(self.lock(*oid, *mode, &scanned, after));
        }
        let reads = self.reads(&scanned, after, versions);
        self.files.extend(&after.files);
        Measured {
            locks,
            reads,
            unclear: self.unclear(before, after, sql),
        }
    }

    /// The tables that were read between two looks, themselves or by an index.
    fn scanned(&self, before: &Probe, after: &Probe) -> BTreeSet<Oid> {
        let more = after
            .scans
            .iter()
            .filter(|(oid, count)| **count > before.scans.get(oid).copied().unwrap_or_default());
        let tables = more.map(|(oid, _)| match self.relations.get(oid) {
            Some(Relation {
                owner: Some(table),
                kind,
                ..
            }) if kind != "t" => *table,
            _ => *oid,
        });
        tables.collect()
    }

    fn lock(
        &self,
        oid: Oid,
        mode: LockMode,
        scanned: &BTreeSet<Oid>,
        after: &Probe,
    ) -> Option<MeasuredLock> {
        let relation = self.relations.get(&oid)?;
        let is_toast = relation.kind == "t";
        let owner = relation.owner.filter(|_| is_toast);
        let named = owner.map_or(Some(relation), |owner| self.relations.get(&owner))?;
        // The index of a TOAST table goes with it.
        if named.name.schema == "pg_toast" {
            return None;
        }
        let is_new_file = after
            .files
            .get(&oid)
            .is_some_and(|file| self.files.get(&oid) != Some(file));
        let work = match (scanned.contains(&oid), is_new_file) {
            (true, true) => LockWork::Rewrite,
            (true, false) => LockWork::Scan,
            (false, _) => LockWork::Instant,
        };
        Some(MeasuredLock {
            name: named.name.clone(),
            is_toast,
            mode,
            work,
        })
    }

    /// The tables of which a query read rows, or would have: those of frameworks' books have theirs.
    fn reads(
        &self,
        scanned: &BTreeSet<Oid>,
        after: &Probe,
        versions: &BTreeSet<String>,
    ) -> Vec<RelationName> {
        let by_query = |mode: &LockMode| *mode <= LockMode::RowExclusive;
        let oids: BTreeSet<Oid> = after
            .locks
            .iter()
            .filter(|(_, mode)| by_query(mode))
            .map(|(oid, _)| *oid)
            .collect();
        let read = oids.iter().filter_map(|oid| {
            let relation = self.relations.get(oid)?;
            let is_read = scanned.contains(oid) || relation.kind == "f";
            let is_version = versions.contains(&relation.name.relation);
            (is_read && !is_version && matches!(relation.kind.as_str(), "r" | "m" | "f"))
                .then(|| relation.name.clone())
        });
        read.collect()
    }

    fn unclear(&self, before: &Probe, after: &Probe, sql: &str) -> Option<String> {
        if after.catching > before.catching || catches(sql) {
            return Some(
                "its code catches errors, or asks for sizes: what it does there may differ".into(),
            );
        }
        if after.advisory > before.advisory {
            return Some("it takes an advisory lock".into());
        }
        let locked = after.objects.difference(&before.objects);
        let mut known = locked.filter_map(|object| self.objects.get(object));
        if let Some(object) = known.next() {
            return Some(format!("it also locks {object}"));
        }
        let counted = after.counted.difference(&before.counted).next()?;
        Some(format!(
            "it reads {counted}, which gives other values there"
        ))
    }
}

/// Whether a text is code that catches errors, or asks how large things are.
fn catches(sql: &str) -> bool {
    let lower = sql.to_ascii_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let catches = words
        .windows(2)
        .any(|two| two[0].ends_with("exception") && two[1].starts_with("when"));
    let sizes = ["reltuples", "relpages", "_size(", "_size ("];
    catches || sizes.iter().any(|part| lower.contains(part))
}
