//! Rows of the system catalogs: a schema change writes them like any table's, and waits for another
//! transaction that has written or locked the same row.
//!
//! Mostly a lock on the relation keeps two schema changes apart, and that lock is in the footprint. Not so
//! for GRANT (before 18 it locks no relation), for functions, roles, and for two that create the same
//! name. Nor does `pg_locks` show who wrote: the lock on the catalog is given back with the statement
//! (`table_close(…, RowExclusiveLock)`), the row stays. So what is seen are signs, and they make a doubt.
//!
//! Source: `ExecGrant_Relation` (aclchk.c), `heap_inplace_lock` (heapam.c), `_bt_check_unique` (nbtinsert.c).

use crate::gate::blocker::Owner;
use crate::gate::judge::Judge;
use crate::gate::scene::{CATALOGS, Party};
use crate::model::{LockMode, LockTarget};
use crate::sessions::query_text;

/// Commands that write no row of a catalog.
const NO_SCHEMA_CHANGE: &[&str] = &[
    "",
    "BEGIN",
    "CALL",
    "CHECKPOINT",
    "CLOSE CURSOR",
    "COMMIT",
    "COMMIT PREPARED",
    "COPY",
    "DEALLOCATE",
    "DECLARE CURSOR",
    "DELETE",
    "DISCARD",
    "DO",
    "EXECUTE",
    "EXPLAIN",
    "FETCH",
    "INSERT",
    "LISTEN",
    "LOAD",
    "LOCK TABLE",
    "MERGE",
    "NOTIFY",
    "PREPARE",
    "PREPARE TRANSACTION",
    "RELEASE",
    "ROLLBACK",
    "ROLLBACK PREPARED",
    "SAVEPOINT",
    "SELECT",
    "SET",
    "SET CONSTRAINTS",
    "SHOW",
    "START TRANSACTION",
    "UNLISTEN",
    "UPDATE",
    "psql",
];

/// Doubts a schema change where another open transaction shows signs of the same catalog rows.
pub fn judge(judge: &mut Judge) {
    let command = judge.statement.command.as_str();
    if NO_SCHEMA_CHANGE.contains(&command) && !may_change_schema_inside(judge) {
        return;
    }
    if let Some(who) = lockers(judge) {
        judge.doubt(
            format!(
                "{who} has system catalogs or rows of them locked, which this statement writes"
            ),
            "look again once that transaction is over",
            false,
        );
    }
    if let Some(who) = changers_of_the_same(judge) {
        judge.doubt(
            format!(
                "{who} changes the schema too, has not committed, and last worked on an object that this \
                 statement names"
            ),
            "look again once that transaction is over; which rows of the catalogs it wrote, no view shows",
            false,
        );
    }
}

/// Whether a body may change the schema: that of CALL is not at hand, that of DO is its text.
fn may_change_schema_inside(judge: &Judge) -> bool {
    match judge.statement.command.as_str() {
        "CALL" => true,
        "DO" => {
            let text = judge.statement.sql.to_uppercase();
            VERBS.iter().any(|verb| text.contains(verb))
        }
        _ => false,
    }
}

/// Everybody else whose open transaction has written something in this database.
pub fn writers(judge: &Judge) -> Option<String> {
    Owner::names(others(judge).into_iter(), judge.scene)
}

/// Who has or awaits a lock on a catalog that keeps its writers out, or has locked rows of one.
fn lockers(judge: &Judge) -> Option<String> {
    let scene = judge.scene;
    let of_rows = |mode| matches!(mode, LockMode::RowShare | LockMode::RowExclusive);
    let claims = CATALOGS.iter().flat_map(|oid| scene.queue(*oid).claims());
    let owners = claims
        .filter(|claim| Some(claim.party) != scene.asker())
        .map(|claim| {
            let owner = Owner {
                party: claim.party,
                lock: Some(claim.lock),
            };
            (claim.mode(), owner)
        })
        .filter(|(mode, owner)| {
            mode.conflicts_with(LockMode::RowExclusive) || of_rows(*mode) && judge.has_xid(owner)
        })
        .map(|(_, owner)| owner)
        .filter(|owner| judge.lasts(owner));
    Owner::names(owners, scene)
}

/// Who has written in an open transaction, and by its last statement changes the schema of something that
/// this statement names.
fn changers_of_the_same(judge: &Judge) -> Option<String> {
    let scene = judge.scene;
    let mut ours = Objects::of(&judge.statement.sql);
    let named = judge.statement.locks.iter().filter(|lock| lock.named);
    ours.names
        .extend(named.map(|lock| lock.name.relation.to_uppercase()));
    // Which objects a body changes is not sought: any.
    ours.all |= may_change_schema_inside(judge);
    if judge.statement.command == "VACUUM" {
        // vac_update_datfrozenxid writes the database's row.
        ours.names
            .push(scene.snapshot.server.datname.to_uppercase());
    }
    let owners = others(judge).into_iter().filter(|owner| {
        let theirs = owner.backend(scene).map(|b| Objects::of(&b.query));
        theirs.is_some_and(|theirs| ours.meet(&theirs))
    });
    Owner::names(owners, scene)
}

/// Every other transaction of this database that has an id, once each.
fn others<'a>(judge: &Judge<'_, 'a>) -> Vec<Owner<'a>> {
    let scene = judge.scene;
    let server = &scene.snapshot.server;
    let backends = scene
        .snapshot
        .backends
        .iter()
        .filter(|b| b.datid == Some(server.datid) && b.pid != server.own_pid)
        .filter(|b| b.backend_xid.is_some())
        .map(|b| Owner {
            party: scene.party_of(b.pid),
            lock: None,
        });
    let prepared = scene
        .snapshot
        .locks
        .iter()
        .filter(|l| l.pid.is_none() && matches!(l.target, LockTarget::TransactionId { .. }))
        .filter(|l| {
            let xact = scene.snapshot.prepared_of(l);
            xact.is_none_or(|xact| xact.database == server.datname)
        })
        .map(|l| Owner {
            party: Party::Prepared(&l.virtualtransaction),
            lock: Some(l),
        });
    backends
        .chain(prepared)
        .filter(|owner| Some(owner.party) != scene.asker() && judge.lasts(owner))
        .collect()
}

/// Words that a schema change begins with.
const VERBS: &[&str] = &["ALTER", "COMMENT", "CREATE", "DROP", "GRANT", "REVOKE"];

/// Words between the verb and the object's name.
const BEFORE_A_NAME: &[&str] = &[
    "(",
    "AGGREGATE",
    "CONCURRENTLY",
    "CONSTRAINT",
    "DATABASE",
    "DOMAIN",
    "EXISTS",
    "EXTENSION",
    "FOREIGN",
    "FUNCTION",
    "GLOBAL",
    "IF",
    "INDEX",
    "LANGUAGE",
    "LOCAL",
    "MATERIALIZED",
    "NOT",
    "ON",
    "ONLY",
    "OR",
    "POLICY",
    "PROCEDURE",
    "PUBLICATION",
    "RECURSIVE",
    "REPLACE",
    "ROLE",
    "ROUTINE",
    "RULE",
    "SCHEMA",
    "SEQUENCE",
    "SERVER",
    "STATISTICS",
    "TABLE",
    "TEMP",
    "TEMPORARY",
    "TRIGGER",
    "TYPE",
    "UNIQUE",
    "UNLOGGED",
    "USER",
    "VIEW",
];

/// The objects that a schema change names first, as far as its words tell.
#[derive(Debug, Default, PartialEq, Eq)]
struct Objects {
    names: Vec<String>,
    /// `GRANT … ON ALL TABLES IN SCHEMA`, `REASSIGN OWNED`: whatever there is.
    all: bool,
}

impl Objects {
    fn of(text: &str) -> Self {
        let mut objects = Self::default();
        for words in query_text::words(text, 200) {
            objects.add(&words);
        }
        objects
    }

    fn add(&mut self, words: &[String]) {
        let Some((verb, rest)) = words.split_first() else {
            return;
        };
        if !VERBS.contains(&verb.as_str()) {
            return;
        }
        let is_grant = matches!(verb.as_str(), "GRANT" | "REVOKE");
        let begin = if is_grant {
            rest.iter().position(|word| word == "ON").unwrap_or(0)
        } else {
            0
        };
        let names = rest[begin..]
            .iter()
            .skip_while(|word| BEFORE_A_NAME.contains(&word.as_str()));
        if is_grant && rest[begin..].iter().any(|word| word == "ALL") {
            self.all = true;
        }
        let ends = |word: &&String| !matches!(word.as_str(), "TO" | "FROM");
        let most = if is_grant { usize::MAX } else { 1 };
        self.names.extend(
            names
                .take_while(ends)
                .take(most)
                .map(|word| last_part(word).to_uppercase()),
        );
    }

    fn meet(&self, other: &Self) -> bool {
        let is_change = |objects: &Self| objects.all || !objects.names.is_empty();
        is_change(self)
            && is_change(other)
            && (self.all || other.all || self.names.iter().any(|name| other.names.contains(name)))
    }
}

/// `T` of `S.T`.
fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::Objects;

    fn names(text: &str) -> Vec<String> {
        Objects::of(text).names
    }

    #[test]
    fn the_object_is_the_first_name_of_a_schema_change() {
        for (text, expected) in [
            (
                "create or replace function app.area(x int) returns int …",
                "AREA",
            ),
            (
                "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)",
                "I",
            ),
            ("alter table only \"Orders\" add column note text", "ORDERS"),
            ("comment on function area is 'x'", "AREA"),
            ("drop materialized view if exists sums", "SUMS"),
        ] {
            assert_eq!(names(text), [expected], "{text}");
        }
        assert!(names("update orders set a = 1; select 1").is_empty());
    }

    #[test]
    fn a_grant_names_what_stands_between_on_and_to() {
        assert_eq!(
            names("GRANT SELECT, INSERT ON TABLE a, s.b TO app"),
            ["A", "B"]
        );
        let all = Objects::of("grant select on all tables in schema s to app");
        assert!(all.all && all.meet(&Objects::of("alter table t add note text")));
        assert!(!all.meet(&Objects::of("select 1")));
    }
}
