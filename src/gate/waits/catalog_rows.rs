//! Rows of the system catalogs: a schema change writes them like any table's, and waits for another
//! transaction that has written or locked the same row.
//!
//! Mostly a lock on the relation keeps two schema changes apart, and that lock is in the footprint. Not so
//! for GRANT (before 18 it locks no relation), for functions, roles, and for two that create the same
//! name. Nor does `pg_locks` show who wrote: the lock on the catalog is given back with the statement
//! (`table_close(…, RowExclusiveLock)`), the row stays. So what is seen are signs ([`crate::gate::signs`]), and they
//! make a doubt: in the lock table, and in the number that an updated row bears.
//!
//! Source: `ExecGrant_Relation` (aclchk.c), `heap_inplace_lock` (heapam.c), `_bt_check_unique` (nbtinsert.c).

use crate::gate::blocker::Owner;
use crate::gate::clearing::is_autovacuum;
use crate::gate::judge::Judge;
use crate::gate::scene::{CATALOGS, Party};
use crate::gate::signs::Signs;
use crate::model::{Backend, ChangedRow, Effect, LockMode, LockTarget, Oid, Statement, class};
use crate::sessions::query_text;

/// Doubts a schema change where another open transaction shows signs of the same catalog rows.
pub fn judge(judge: &mut Judge) {
    let is_unread = judge.statement.command.is_empty();
    let effect = judge.statement.kind().effect;
    if (is_unread || effect != Effect::Schema) && !may_change_schema_inside(judge) {
        return;
    }
    if let Some(who) = lockers(judge) {
        judge.doubt(
            format!(
                "{who} has system catalogs or rows of them locked, which this statement writes"
            ),
            "run it again once that transaction is over",
            false,
        );
    }
    let named = changers_of_the_same(judge);
    if let Some(who) = Owner::names(named.iter().copied(), judge.scene) {
        judge.doubt(
            format!(
                "{who} changes the schema too, has not committed, and last worked on an object that this \
                 statement names"
            ),
            "run it again once that transaction is over; no view shows which rows of the catalogs it wrote",
            false,
        );
    }
    let known: Vec<Party> = named.iter().map(|owner| owner.party).collect();
    open_changes(judge, &known);
}

/// The catalogs whose rows a command writes that has one of these words in its name, or a GRANT after its ON. Other
/// rows are known by their names.
const SAID_BY: [(Oid, &[&str]); 4] = [
    (class::TYPE, &["TYPE", "DOMAIN"]),
    (
        class::PROC,
        &["FUNCTION", "PROCEDURE", "ROUTINE", "AGGREGATE"],
    ),
    (class::SCHEMA, &["SCHEMA"]),
    (class::DEFAULT_ACL, &["DEFAULT"]),
];

/// A catalog row that a statement writes, and that this transaction has changed.
fn same_row<'a>(judge: &Judge, signs: &Signs<'a>) -> Option<&'a ChangedRow> {
    if signs.changed.is_empty() {
        return None;
    }
    let statement = judge.statement;
    let ours = objects_of(judge);
    let said = kinds_said(statement);
    let says = |word: &str| said.iter().any(|own| own == word);
    let writes_others =
        ours.all || says("EXTENSION") || says("OWNED") || says("DROP") && says("CASCADE");
    let meets = |row: &&&ChangedRow| {
        let mut rows = SAID_BY
            .iter()
            .filter(|(catalog, _)| *catalog == row.catalog);
        let locked = |oid| statement.locks.iter().any(|lock| lock.oid == Some(oid));
        writes_others
            || ours.names.contains(&row.name.to_uppercase())
            || rows.any(|(_, words)| words.iter().any(|word| says(word)))
            || row.catalog == class::RELATION && locked(row.oid)
    };
    signs.changed.iter().find(meets).copied()
}

/// The words that say on what kind of object a statement works: those of its command, of a GRANT all.
fn kinds_said(statement: &Statement) -> Vec<String> {
    let is_grant = matches!(statement.command.as_str(), "GRANT" | "REVOKE");
    let is_drop = statement.command.starts_with("DROP");
    let text = query_text::words(&statement.sql, 200).into_iter().flatten();
    let text = text.filter(|word| is_grant || is_drop && word == "CASCADE");
    let command = statement.command.split(' ').map(str::to_owned);
    command.chain(text).collect()
}

/// Doubts a statement where another open transaction shows that it changes the schema too.
fn open_changes(judge: &mut Judge, known: &[Party]) {
    let scene = judge.scene;
    for signs in &scene.signs {
        let owner = Owner {
            party: signs.party,
            lock: Some(signs.lock),
        };
        let counts = Some(owner.party) != scene.asker()
            && !known.contains(&owner.party)
            && !owner.backend(scene).is_some_and(is_autovacuum)
            && judge.lasts(&owner);
        let Some(what) = Some(signs)
            .filter(|_| counts)
            .and_then(|signs| what_it_shows(judge, signs, &owner))
        else {
            continue;
        };
        let Some(who) = Owner::names(std::iter::once(owner), scene) else {
            continue;
        };
        judge.doubt(
            format!("{who} changes the schema too and has not committed ({what})"),
            "run it again once that transaction is over; no view shows which rows of the catalogs it wrote",
            false,
        );
    }
}

/// What a transaction shows of rows that this statement writes too.
fn what_it_shows(judge: &Judge, signs: &Signs, owner: &Owner) -> Option<String> {
    if let Some(row) = same_row(judge, signs) {
        let name = crate::model::quoted(&row.name);
        return Some(match row.name.as_str() {
            "" => "it has changed a row of a catalog that this statement writes".into(),
            _ => format!("it has changed the catalog row of {name}"),
        });
    }
    let says_all = owner.backend(judge.scene).is_some_and(says_all);
    (!says_all && may_meet(judge, signs))
        .then(|| signs.in_words())
        .flatten()
}

/// Whether the text of its last message is all that its transaction has done: it began with it.
fn says_all(backend: &Backend) -> bool {
    let began = backend.xact_start.is_some() && backend.xact_start == backend.query_start;
    began && !backend.masked && !backend.query_truncated && !runs_code(&backend.query)
}

/// Whether a text calls what may do more than it says.
fn runs_code(text: &str) -> bool {
    let heads = query_text::heads(text);
    let calls = ["CALL", "DO", "EXECUTE", "SELECT", "WITH"];
    heads
        .iter()
        .filter_map(|head| head.first())
        .any(|word| calls.contains(&word.as_str()))
}

/// Whether a transaction that shows these signs may have written what this statement writes or names.
fn may_meet(judge: &Judge, signs: &Signs) -> bool {
    let statement = judge.statement;
    if writes_shared_catalogs(statement) && (signs.shared || signs.rights()) {
        return true;
    }
    if !signs.here {
        return false;
    }
    signs.rights()
        || signs.catalogs_only
        || signs.books.is_some()
        || makes_a_name(statement) && may_share_a_schema(statement, signs)
}

/// Whether it writes catalogs that all databases share.
fn writes_shared_catalogs(statement: &Statement) -> bool {
    let words = query_text::words(&statement.sql, 200);
    let first = words.first().map_or(&[][..], Vec::as_slice);
    let on = first.iter().position(|word| word == "ON");
    let target = on.and_then(|at| first.get(at + 1));
    let is_shared = |word: &String| {
        let shared = ["DATABASE", "PARAMETER", "ROLE", "TABLESPACE"];
        shared.contains(&word.as_str())
    };
    match statement.command.as_str() {
        "GRANT" | "REVOKE" | "COMMENT" | "SECURITY LABEL" => target.is_none_or(is_shared),
        "DROP OWNED" | "REASSIGN OWNED" | "GRANT ROLE" | "REVOKE ROLE" => true,
        command => command
            .split_once(' ')
            .is_some_and(|(_, object)| is_shared(&object.to_owned())),
    }
}

/// Whether it makes or takes a name that somebody else may be making.
fn makes_a_name(statement: &Statement) -> bool {
    let moves = ["RENAME", "SCHEMA"];
    statement.command.starts_with("CREATE")
        || statement.command == "SELECT INTO"
        || query_text::words(&statement.sql, 40)
            .iter()
            .flatten()
            .any(|word| moves.contains(&word.as_str()))
}

/// Whether both may make something in the same schema. An index follows its table, and shows no schema.
fn may_share_a_schema(statement: &Statement, signs: &Signs) -> bool {
    let mut ours = statement
        .objects
        .iter()
        .filter(|object| object.classid == class::SCHEMA)
        .map(|object| object.objid)
        .peekable();
    match (signs.schemas.is_empty(), ours.peek().is_none()) {
        (true, _) => signs.made && signs.in_words().is_some(),
        (false, true) => true,
        (false, false) => ours.any(|schema| signs.schemas.contains(&schema)),
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
    // Who makes temporary tables writes catalogs while it does, and nobody else's rows.
    let makes_temporary = |owner: &Owner| {
        let mut all = scene.signs.iter();
        all.any(|signs| signs.party == owner.party && signs.only_temporary)
    };
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
            mode.conflicts_with(LockMode::RowExclusive)
                || of_rows(*mode) && judge.has_xid(owner) && !makes_temporary(owner)
        })
        .map(|(_, owner)| owner)
        .filter(|owner| judge.lasts(owner));
    Owner::names(owners, scene)
}

/// Who has written in an open transaction, and by its last statement changes the schema of something that
/// this statement names.
fn changers_of_the_same<'a>(judge: &Judge<'_, 'a>) -> Vec<Owner<'a>> {
    let scene = judge.scene;
    let ours = objects_of(judge);
    let mut owners = others(judge);
    owners.retain(|owner| {
        let theirs = owner.backend(scene).map(|b| Objects::of(&b.query));
        theirs.is_some_and(|theirs| ours.meet(&theirs))
    });
    owners
}

/// What a statement names whose catalog rows it may write.
fn objects_of(judge: &Judge) -> Objects {
    let mut ours = Objects::of(&judge.statement.sql);
    let named = judge.statement.locks.iter().filter(|lock| lock.named);
    ours.names
        .extend(named.map(|lock| lock.name.relation.to_uppercase()));
    // Which objects a body changes is not sought: any.
    ours.all |= may_change_schema_inside(judge);
    if judge.statement.command == "VACUUM" {
        // vac_update_datfrozenxid writes the database's row.
        ours.names
            .push(judge.scene.snapshot.server.datname.to_uppercase());
    }
    ours
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
