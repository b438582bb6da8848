//! One statement while its footprint is being told: the world it finds, the locks it has asked for.
//!
//! Every command's file works through this: it resolves names and asks for locks in the order in which
//! Postgres would, and changes the world behind it. [`Refused`] stops a command where Postgres would
//! raise an error; the locks asked for so far remain, for they are waited for before the error.

use super::jobs::{self, Works};
use super::role;
use super::world::{FIRST_OWN_OID, World};
use crate::migration::statement::SourceStatement;
use crate::model::{
    AdvisoryRequest, Command, Comparison, LockMode, LockRequest, LockWork, ObjectRequest, Oid,
    Relation, RelationKind, RelationName, RowWait, Statement, WaitPhase, class,
};
use pg_query::NodeEnum;
use pg_query::protobuf::RangeVar;
use std::collections::{HashMap, HashSet};

/// Why Postgres will refuse the statement.
#[derive(Debug, Clone)]
pub struct Refused(pub String);

/// What a command's file answers: done, or refused at some point.
pub type Step<T = ()> = Result<T, Refused>;

/// Shorthand for `Err(Refused(…))`.
pub fn refuse<T>(why: impl Into<String>) -> Step<T> {
    Err(Refused(why.into()))
}

/// A statement in the act.
pub struct Act<'a> {
    /// The catalog as the statement finds it.
    pub world: &'a mut World,
    /// The statement's text and place.
    pub source: &'a SourceStatement,
    /// What plays a statement: bodies of functions hold statements of every kind.
    pub run: fn(&mut Act, &NodeEnum) -> Step,
    locks: Vec<LockRequest>,
    place: HashMap<(Oid, LockMode, bool), usize>,
    held: HashSet<(Oid, LockMode)>,
    named: HashSet<Oid>,
    works: Works,
    made: HashSet<Oid>,
    /// What it waits for besides relation locks.
    pub phases: Vec<WaitPhase>,
    /// Advisory locks.
    pub advisory: Vec<AdvisoryRequest>,
    objects: Vec<ObjectRequest>,
    /// Things worth knowing.
    pub notes: Vec<String>,
    opaque: Option<String>,
    /// How deep in bodies that call bodies.
    pub depth: u8,
    /// The trigger functions that run, with their tables: one that fires itself asks for nothing new.
    pub firing: Vec<(Oid, Option<Oid>)>,
    /// Names under which the trigger function that is played reads the rows that have changed: no relations.
    pub transition_tables: Vec<String>,
    /// NOWAIT or SKIP LOCKED is in force for the locks asked for now.
    pub nowait: bool,
    /// The locks asked for now are asked for only if that relation's conditional lock was granted.
    pub only_after: Option<Oid>,
    /// Set while a body is played: its names may be those of variables.
    pub in_body: bool,
    /// Code that may not run, or may fail unseen, or that is not known, has changed the catalog.
    pub is_unsure: bool,
    /// Set while the locks that are recorded may or may not be requested at run time.
    pub possible: bool,
    /// Code that may not run has taken something away, or changed it.
    pub takes_away: bool,
    /// Whether a part of its code runs is not known: what it finds or leaves behind may be otherwise.
    pub guesses: bool,
    /// The tables that it reads may be empty: what happens for each row may not happen.
    pub may_have_no_rows: bool,
    rows: HashMap<Oid, RowWait>,
    /// What a rehearsal measured, beside what the rules predict.
    pub measured: Option<Comparison>,
}

impl<'a> Act<'a> {
    /// A statement that has not begun.
    pub fn new(
        world: &'a mut World,
        source: &'a SourceStatement,
        run: fn(&mut Act, &NodeEnum) -> Step,
    ) -> Self {
        Self {
            world,
            source,
            run,
            locks: Vec::new(),
            place: HashMap::new(),
            held: HashSet::new(),
            named: HashSet::new(),
            works: Works::default(),
            made: HashSet::new(),
            phases: Vec::new(),
            advisory: Vec::new(),
            objects: Vec::new(),
            notes: Vec::new(),
            opaque: None,
            depth: 0,
            firing: Vec::new(),
            transition_tables: Vec::new(),
            nowait: false,
            only_after: None,
            in_body: false,
            is_unsure: false,
            possible: false,
            takes_away: false,
            guesses: false,
            may_have_no_rows: false,
            rows: HashMap::new(),
            measured: None,
        }
    }

    /// Major version of the server.
    #[must_use]
    pub const fn version(&self) -> i32 {
        self.world.version
    }

    // ---- asking for locks -----------------------------------------------------------------------

    /// Asks for a lock that is kept to the end of the transaction.
    pub fn lock(&mut self, oid: Oid, mode: LockMode, reason: impl Into<String>) {
        self.held.insert((oid, mode));
        self.request(oid, mode, false, reason.into());
    }

    /// Asks for a lock that is let go before the statement ends.
    pub fn touch(&mut self, oid: Oid, mode: LockMode, reason: impl Into<String>) {
        if !self.held.contains(&(oid, mode)) {
            self.request(oid, mode, true, reason.into());
        }
    }

    fn request(&mut self, oid: Oid, mode: LockMode, transient: bool, reason: String) {
        // Nobody can be in the way of a lock on what the statement itself makes.
        if oid == 0 || self.made.contains(&oid) {
            return;
        }
        // Every statement reads the catalogs; who names one to do more than that locks it like a table.
        if World::is_catalog(oid) && (mode == LockMode::AccessShare || !self.named.contains(&oid)) {
            return;
        }
        if !transient && self.keeps_earlier(oid, mode) {
            return;
        }
        if let Some(&at) = self.place.get(&(oid, mode, transient)) {
            self.locks[at].possible &= self.possible;
            return;
        }
        let Some(relation) = self.world.relation(oid) else {
            return;
        };
        let created = self.world.created_in(oid);
        let request = LockRequest {
            oid: created.is_none().then_some(oid),
            name: relation.name.clone(),
            kind: relation.kind,
            mode,
            named: false,
            reason,
            work: LockWork::Instant,
            transient,
            is_given_back: false,
            own: created == Some(self.source.transaction),
            nowait: self.nowait,
            only_after: self.only_after,
            possible: self.possible,
            one_of: None,
            rows: None,
            bytes: (created.is_none() && relation.bytes > 0).then_some(relation.bytes),
        };
        self.place.insert((oid, mode, transient), self.locks.len());
        self.locks.push(LockRequest {
            // The oid comes back in `finish`; until then every request keeps it to find its work.
            oid: Some(oid),
            ..request
        });
    }

    /// Kept after having been transient: one request, kept. What is sure to be let go stays so where it is only perhaps
    /// asked for again.
    fn keeps_earlier(&mut self, oid: Oid, mode: LockMode) -> bool {
        let earlier = self.place.get(&(oid, mode, true)).copied();
        let Some(at) = earlier.filter(|at| !self.possible || self.locks[*at].possible) else {
            return false;
        };
        self.place.remove(&(oid, mode, true));
        self.locks[at].transient = false;
        self.locks[at].possible &= self.possible;
        self.place.insert((oid, mode, false), at);
        true
    }

    /// How many locks have been asked for.
    #[must_use]
    pub const fn requests(&self) -> usize {
        self.locks.len()
    }

    /// COMMIT or ROLLBACK in its own code: what it has locked so far is given back.
    pub fn ends_transaction(&mut self) {
        self.let_go_since(0);
        for request in &mut self.locks {
            request.is_given_back = true;
        }
    }

    /// Locks asked for since then are not kept: the subtransaction that took them fails.
    pub fn let_go_since(&mut self, first: usize) {
        for request in self.locks.iter_mut().skip(first) {
            request.transient = true;
            if let Some(oid) = request.oid {
                self.held.remove(&(oid, request.mode));
            }
        }
        let since = self.place.iter().filter(|(_, at)| **at >= first);
        let moved: Vec<_> = since.map(|(key, at)| (*key, *at)).collect();
        for ((oid, mode, transient), at) in moved {
            self.place.remove(&(oid, mode, transient));
            self.place.insert((oid, mode, true), at);
        }
    }

    /// Asks for a lock on what is no relation.
    pub fn object(&mut self, classid: Oid, objid: Oid, mode: LockMode, what: String) {
        self.object_request(ObjectRequest {
            classid,
            objid,
            mode,
            what,
            possible: false,
        });
    }

    /// The same where the statement perhaps comes to depend on it.
    pub fn may_depend_on(&mut self, classid: Oid, objid: Oid, mode: LockMode, what: String) {
        let asked = |o: &ObjectRequest| (o.classid, o.objid) == (classid, objid);
        if !self.objects.iter().any(asked) {
            self.object_request(ObjectRequest {
                classid,
                objid,
                mode,
                what,
                possible: true,
            });
        }
    }

    fn object_request(&mut self, request: ObjectRequest) {
        if request.objid < FIRST_OWN_OID && !self.objects.contains(&request) {
            self.objects.push(request);
        }
    }

    /// Keeps the schema that something is made in or moves to from being dropped
    /// (`RangeVarGetAndCheckCreationNamespace`, namespace.c).
    pub fn puts_into(&mut self, schema: &str) {
        if let Some(oid) = self.world.schema(schema) {
            let what = format!("schema {}", crate::model::quoted(schema));
            self.object(class::SCHEMA, oid, LockMode::AccessShare, what);
        }
    }

    /// Something new comes to depend on a relation (`recordDependencyOn`).
    pub fn depends_on(&mut self, oid: Oid, reason: impl Into<String>) {
        if self.world.locks_what_is_depended_on() && !self.held.iter().any(|(o, _)| *o == oid) {
            self.lock(oid, LockMode::AccessShare, reason);
        }
    }

    /// What happens for each row: certain only where there are rows.
    pub fn for_each_row(&mut self, work: impl FnOnce(&mut Self)) {
        self.possibly(self.may_have_no_rows, work);
    }

    /// Asks for possible locks only, if `is_possible`.
    pub fn possibly(&mut self, is_possible: bool, work: impl FnOnce(&mut Self)) {
        let outer = self.possible;
        self.possible |= is_possible;
        work(self);
        self.possible = outer;
    }

    /// Says that a row goes to one of the partitions of `parent`, perhaps to this one.
    pub fn routes(&mut self, partition: Oid, parent: Oid) {
        let requests = self.locks.iter_mut();
        for request in requests.filter(|l| l.oid == Some(partition) && l.possible) {
            request.one_of = Some(parent);
        }
    }

    /// Says how long it works on a relation: the longest counts.
    pub fn works(&mut self, oid: Oid, work: LockWork) {
        let entry = self.works.work.entry(oid).or_insert(work);
        *entry = (*entry).max(work);
    }

    /// The same for a table and its partitions.
    pub fn works_on_tree(&mut self, oid: Oid, work: LockWork) {
        for table in self.world.tree(oid) {
            self.works(table, work);
        }
    }

    /// Says that it builds an index.
    pub fn builds(&mut self, table: Oid, index: Oid) {
        self.works.builds.insert((table, index));
    }

    /// Says that it reads a relation in order to find each row in another one.
    pub fn joins(&mut self, oid: Oid) {
        self.works(oid, LockWork::Scan);
        self.works.joins.insert(oid);
    }

    /// Says that a constraint of the relation may spare it from being read.
    pub fn may_be_spared(&mut self, oid: Oid) {
        self.works.spared.insert(oid);
    }

    /// Says that it copies a relation's files as they are.
    pub fn moves(&mut self, oid: Oid) {
        self.works(oid, LockWork::Rewrite);
        self.works.moves.insert(oid);
    }

    /// The relations that the statement says by name, with the modes that it keeps them in.
    pub fn named_locks(&self) -> impl Iterator<Item = (Oid, LockMode)> {
        let mut named: Vec<(Oid, LockMode)> = self.held.iter().copied().collect();
        named.retain(|(oid, _)| self.named.contains(oid));
        named.sort_unstable();
        named.into_iter()
    }

    /// Says which rows of others it waits for when it meets them in a relation: the strongest counts.
    pub fn meets_rows(&mut self, oid: Oid, wait: RowWait) {
        let entry = self.rows.entry(oid).or_insert(wait);
        *entry = (*entry).max(wait);
    }

    /// The mode held already, strongest.
    #[must_use]
    pub fn holds(&self, oid: Oid, mode: LockMode) -> bool {
        self.held.contains(&(oid, mode))
    }

    // ---- names ----------------------------------------------------------------------------------

    /// Resolves a name that the statement says, or refuses.
    pub fn resolve(&mut self, range: &RangeVar) -> Step<Oid> {
        match self.find(range) {
            Some(oid) => Ok(oid),
            None => self.missing(range),
        }
    }

    /// The same after `IF EXISTS`, where it may: `None`: it is not there, and nothing is done.
    pub fn found(&mut self, range: &RangeVar, missing_ok: bool) -> Step<Option<Oid>> {
        match missing_ok {
            true => Ok(self.find(range)),
            false => self.resolve(range).map(Some),
        }
    }

    /// Resolves a name that the statement says.
    pub fn find(&mut self, range: &RangeVar) -> Option<Oid> {
        let oid = self.world.find(range)?;
        self.named.insert(oid);
        Some(oid)
    }

    /// Counts a relation among those that the statement says by name.
    pub fn names(&mut self, oid: Oid) {
        self.named.insert(oid);
    }

    /// A relation that is not there: the statement fails, unless what we look at is not what it will meet.
    pub fn missing<T>(&mut self, range: &RangeVar) -> Step<T> {
        let shown = shown(range);
        // Code that may not run: where it names what is not there, it fails or is not reached.
        if self.possible && self.depth == 0 {
            return refuse(format!("relation {shown} does not exist"));
        }
        if range.schemaname.is_empty() && self.world.is_foreign_temporary(&range.relname) {
            self.opaque(format!(
                "{shown} is a temporary table of another session: what this locks there is unknown"
            ));
        } else {
            let path = match self.world.path_set_at.as_deref() {
                Some(place) if range.schemaname.is_empty() => format!(
                    " (search_path is '{}' since {place})",
                    self.world.path().join(", ")
                ),
                _ => String::new(),
            };
            self.opaque(format!(
                "relation {shown} does not exist here{path}: what this locks where it exists is unknown"
            ));
        }
        refuse(format!("relation {shown} does not exist"))
    }

    /// A relation that must be there by now.
    pub fn relation(&self, oid: Oid) -> Step<&Relation> {
        self.world
            .relation(oid)
            .ok_or_else(|| Refused(format!("relation with oid {oid} does not exist")))
    }

    /// Its kind; `Table` if it is not known.
    #[must_use]
    pub fn kind(&self, oid: Oid) -> RelationKind {
        self.world.kind(oid).unwrap_or(RelationKind::Table)
    }

    /// Its name for a sentence.
    #[must_use]
    pub fn shown(&self, oid: Oid) -> String {
        self.world
            .relation(oid)
            .map_or_else(|| format!("relation {oid}"), |r| r.name.to_string())
    }

    // ---- what is not known ----------------------------------------------------------------------

    /// Says why not everything can be known; the first reason stands.
    pub fn opaque(&mut self, why: impl Into<String>) {
        if self.opaque.is_none() {
            self.opaque = Some(why.into());
        }
    }

    /// Whether something is not known of it.
    #[must_use]
    pub const fn is_opaque(&self) -> bool {
        self.opaque.is_some()
    }

    /// What is not known is this, and no more.
    pub fn is_opaque_because(&mut self, why: String) {
        self.opaque = Some(why);
    }

    /// Nothing is unknown any more: it was seen.
    pub fn is_known(&mut self) {
        self.opaque = None;
    }

    /// The locks that have been asked for.
    #[must_use]
    pub fn requested(&self) -> &[LockRequest] {
        &self.locks
    }

    /// Refuses what Postgres does not do inside a transaction block (`PreventInTransactionBlock`).
    pub fn not_in_block(&self, what: &str) -> Step {
        if self.source.in_block {
            return refuse(format!("{what} cannot run inside a transaction block"));
        }
        Ok(())
    }

    /// The settings after a SET, RESET or DISCARD.
    pub fn follow_settings(&mut self, statement: &NodeEnum) {
        let in_block = self.source.in_block;
        self.world.settings.apply(statement, in_block);
        self.take_settings();
    }

    /// Remembers who changed search_path: for the reader of what is not found later.
    fn take_settings(&mut self) {
        let before = self.world.path();
        self.world.follow_settings();
        if self.world.path() != before {
            self.world.path_set_at = Some(format!("{}:{}", self.source.file, self.source.line));
        }
    }

    /// The settings after `set_config`; a value of `None` is computed.
    pub fn set_config(&mut self, name: Option<String>, value: Option<String>, is_local: bool) {
        let in_block = self.source.in_block;
        let Some(name) = name else {
            return self.opaque("which setting set_config() changes is only known when it runs");
        };
        if self
            .world
            .settings
            .set_config(&name, value, is_local, in_block)
        {
            self.opaque(format!(
                "the value that set_config() gives {name} is only known when it runs"
            ));
        }
        self.take_settings();
    }

    // ---- the end --------------------------------------------------------------------------------

    /// The statement and its share of the footprint.
    pub fn finish(mut self, command: &str, outcome: Step) -> Statement {
        for request in &mut self.locks {
            let oid = request.oid.unwrap_or_default();
            request.named = self.named.contains(&oid);
            if let Some(work) = self.works.work.get(&oid) {
                request.work = *work;
            }
            if matches!(request.mode, LockMode::RowShare | LockMode::RowExclusive) {
                request.rows = self.rows.get(&oid).copied();
            }
            if self.world.created_in(oid).is_some() {
                request.oid = None;
            }
        }
        if self.opaque.is_some() {
            self.world.forget_rights();
        }
        let jobs = jobs::of(
            self.world,
            self.source,
            command,
            &self.works,
            self.named_locks(),
        );
        let refused = role::without_rights(self.world, Command::of(command), &mut self.locks);
        if refused.is_some() {
            self.phases.clear();
            self.objects.clear();
        }
        let fails = refused.clone().or_else(|| outcome.err().map(|r| r.0));
        // A role's rights, and what came after something unknown or after a failure, may be otherwise.
        let fails_for_certain = fails.is_some()
            && refused.is_none()
            && self.opaque.is_none()
            && !self.guesses
            && !self.source.possible
            && self.source.doubt.is_none()
            && !self.world.is_doubtful;
        self.world.is_doubtful |= self.guesses || fails.is_some() || self.opaque.is_some();
        self.world.is_unsure |= self.is_unsure || self.opaque.is_some();
        self.notes
            .extend(self.source.comment_errors.iter().cloned());
        Statement {
            file: self.source.file.clone(),
            line: self.source.line,
            sql: self.source.sql.clone(),
            command: command.to_owned(),
            locks: self.locks,
            phases: self.phases,
            advisory: self.advisory,
            objects: self.objects,
            opaque: self.opaque,
            transaction: self.source.transaction,
            fails,
            fails_for_certain,
            allows: self.source.allows.clone(),
            lock_timeout_ms: self.source.lock_timeout_ms,
            statement_timeout_ms: self.source.statement_timeout_ms,
            notes: self.notes,
            jobs,
            measured: self.measured,
        }
    }

    // ---- making things --------------------------------------------------------------------------

    /// Puts a copy of a relation in its place: nobody else can have a lock on the copy before this commits.
    pub fn renews(&mut self, oid: Oid) -> Option<Oid> {
        let mut relation = self.world.relation(oid)?.clone();
        self.world.forget((class::RELATION, oid, 0));
        relation.oid = self.world.new_oid();
        let new = relation.oid;
        self.world.put_relation(relation);
        self.world.mark_created(new, self.source.transaction);
        self.made.insert(new);
        Some(new)
    }

    /// Puts a new relation into the world: nobody else can have a lock on it before this commits.
    pub fn create(&mut self, name: RelationName, kind: RelationKind) -> Oid {
        let oid = self.world.new_oid();
        let persistence = if name.schema == super::world::TEMPORARY {
            't'
        } else {
            'p'
        };
        let schema = name.schema.clone();
        self.world.put_relation(Relation {
            oid,
            name,
            kind,
            persistence,
            owner: self.world.session.user.clone(),
            row_type: 0,
            of_type: 0,
            toast: 0,
            access_method: None,
            tablespace: None,
            is_partition: false,
            row_security: false,
            bytes: 0,
            rows: -1.0,
            live_rows: 0.0,
            is_populated: true,
            replica_identity: 'd',
            bound: None,
            is_default_partition: false,
            partition_key: None,
            columns: Vec::new(),
        });
        self.world.mark_created(oid, self.source.transaction);
        if !kind.is_index() && kind != RelationKind::Toast {
            self.puts_into(&schema);
        }
        self.made.insert(oid);
        oid
    }
}

/// A range variable as the user wrote it.
#[must_use]
fn shown(range: &RangeVar) -> String {
    if range.schemaname.is_empty() {
        crate::model::quoted(&range.relname)
    } else {
        RelationName::new(&range.schemaname, &range.relname).to_string()
    }
}
