//! The work of a statement that takes longer the larger its relations are, with their sizes.
//!
//! Sizes come from what the catalogs and the counters tell: asking for a relation's size opens it.

use super::world::World;
use crate::migration::script::{Body, SourceStatement};
use crate::model::{Index, Job, JobKind, LockMode, LockWork, Oid, Relation, RelationKind};
use pg_query::NodeEnum;
use pg_query::protobuf::{AExprKind, BoolExprType, Node};
use std::collections::{BTreeMap, BTreeSet};

/// What a statement says that it does, besides the [`LockWork`] of its locks.
#[derive(Debug, Default)]
pub struct Works {
    /// How long it works on each relation.
    pub work: BTreeMap<Oid, LockWork>,
    /// Indexes that it builds, as (table, index).
    pub builds: BTreeSet<(Oid, Oid)>,
    /// Relations whose rows are looked up in others.
    pub joins: BTreeSet<Oid>,
    /// Relations that a constraint of theirs may spare from being read.
    pub spared: BTreeSet<Oid>,
    /// Relations whose files are copied as they are.
    pub moves: BTreeSet<Oid>,
}

/// The jobs of a statement that has been played through. `named`: the relations that it says by name, with the
/// modes that it keeps them in.
pub fn of(
    world: &World,
    source: &SourceStatement,
    command: &str,
    works: &Works,
    named: impl Iterator<Item = (Oid, LockMode)>,
) -> Vec<Job> {
    let mut builds = works.builds.clone();
    let mut jobs = Vec::new();
    for (&oid, &work) in &works.work {
        let kind = match work {
            LockWork::Instant => continue,
            _ if works.moves.contains(&oid) => JobKind::Move,
            LockWork::Rewrite => JobKind::Rewrite,
            _ if works.joins.contains(&oid) => JobKind::Join,
            LockWork::Scan => JobKind::Scan,
        };
        // Building an index is what the table is read for.
        if kind == JobKind::Scan && builds.iter().any(|(table, _)| *table == oid) {
            continue;
        }
        if kind == JobKind::Rewrite {
            builds.extend(world.indexes.of(oid).map(|index| (oid, index.oid)));
        }
        jobs.extend(job(world, oid, kind).map(|job| Job {
            whole: !works.spared.contains(&oid),
            ..job
        }));
    }
    jobs.extend(builds.iter().filter_map(|&(t, i)| build(world, t, i)));
    jobs.extend(queries(world, source, command, named));
    jobs
}

fn job(world: &World, oid: Oid, kind: JobKind) -> Option<Job> {
    let relation = world.relation(oid)?;
    // What is partitioned has no rows of its own; a sequence and a view have none to speak of.
    if !matches!(
        relation.kind,
        RelationKind::Table | RelationKind::MaterializedView | RelationKind::ForeignTable
    ) {
        return None;
    }
    let size = Size::of(world, relation);
    Some(Job {
        kind,
        oid: world.created_in(oid).is_none().then_some(oid),
        name: relation.name.clone(),
        index: None,
        rows: size.rows,
        bytes: size.bytes,
        toast_bytes: size.toast_bytes,
        index_bytes: 0.0,
        method: None,
        slow_keys: false,
        indexes: world.indexes.of(oid).count(),
        whole: true,
    })
}

fn build(world: &World, table: Oid, oid: Oid) -> Option<Job> {
    let mut job = job(world, table, JobKind::Build)?;
    let index = world.indexes.get(oid)?;
    let relation = world.relation(oid)?;
    // A partial index has fewer rows than its table.
    if relation.bytes > PAGE as i64 && relation.rows >= 0.0 {
        job.rows = Some(relation.rows);
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let bytes = relation.bytes as f64;
        job.index_bytes = bytes;
    } else {
        let rows = job.rows.unwrap_or_default();
        job.index_bytes = rows * entry_width(world, table, index, &job);
    }
    job.index = world.created_in(oid).is_none().then_some(oid);
    job.method.clone_from(&relation.access_method);
    let columns = world.relation(table)?.columns.iter();
    // What GIN takes apart has no fixed width: an expression, mostly `to_tsvector`, is what costs more.
    let is_gin = relation.access_method.as_deref() == Some("gin");
    job.slow_keys = index.expressions.is_some()
        || columns
            .filter(|c| index.columns.contains(&c.number) && !is_gin)
            .any(|c| fixed_width(c.type_oid).is_none());
    Some(job)
}

const PAGE: f64 = 8192.0;

/// How large a table is, as far as the catalogs and the counters tell.
struct Size {
    rows: Option<f64>,
    bytes: f64,
    toast_bytes: f64,
}

impl Size {
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    fn of(world: &World, relation: &Relation) -> Self {
        let (counted, live) = (relation.rows, relation.live_rows);
        // Rows that came after the last ANALYZE are in the counters only. Those of a load and of its
        // ANALYZE may have come in the wrong order and count twice.
        let rows = match (counted >= 0.0, live > 0.0) {
            (true, true) if live > 2.5 * counted => Some(live),
            (true, _) => Some(counted),
            (false, true) => Some(live),
            (false, false) if world.created_in(relation.oid).is_some() => Some(0.0),
            (false, false) => None,
        };
        let told = relation.bytes as f64;
        let bytes = match rows {
            Some(rows) if told > 0.0 && counted > 0.0 => told * (rows / counted),
            Some(rows) => told.max(rows * row_width(relation)),
            None => told,
        };
        let toast = world.relation(relation.toast);
        Self {
            rows,
            bytes,
            // Only VACUUM counts its pages: until then the counters alone know of its pieces.
            toast_bytes: toast.map_or(0.0, |t| (t.bytes as f64).max(t.live_rows * PIECE)),
        }
    }
}

/// Bytes of an average piece of a value that is stored out of line (`TOAST_MAX_CHUNK_SIZE`: 1996 at most).
const PIECE: f64 = 1600.0;

/// Bytes of a row by its columns' types, with its header and line pointer.
fn row_width(relation: &Relation) -> f64 {
    let columns = relation.columns.iter();
    HEADER
        + columns
            .map(|c| fixed_width(c.type_oid).unwrap_or(VARIABLE))
            .sum::<f64>()
}

/// Bytes of a row's header and line pointer.
const HEADER: f64 = 28.0;

/// Bytes of an index entry, with its header, line pointer and the room that a build leaves free. `job` has
/// the table's rows and bytes: what columns of a fixed width leave is shared out among the others.
fn entry_width(world: &World, table: Oid, index: &Index, job: &Job) -> f64 {
    let columns = world
        .relation(table)
        .map_or(&[][..], |r| r.columns.as_slice());
    let fixed: f64 = columns.iter().filter_map(|c| fixed_width(c.type_oid)).sum();
    let others = columns
        .iter()
        .filter(|c| fixed_width(c.type_oid).is_none())
        .count();
    let row = job.bytes / job.rows.filter(|rows| *rows > 0.0).unwrap_or(f64::INFINITY);
    let others = f64::from(u32::try_from(others.max(1)).unwrap_or(u32::MAX));
    let share = ((row - HEADER - fixed) / others).max(4.0);
    let of_column = |number: &i16| {
        let found = columns.iter().find(|c| c.number == *number);
        found.and_then(|c| fixed_width(c.type_oid)).unwrap_or(share)
    };
    let widths: f64 = index.columns.iter().map(of_column).sum();
    ((12.0 + (widths / 8.0).ceil() * 8.0) / 0.9).min(PAGE / 3.0)
}

/// Bytes of a value of a type without a fixed width, where nothing tells more.
const VARIABLE: f64 = 24.0;

/// Bytes of a value of a built-in type (`pg_type.typlen`); `None`: it varies.
const fn fixed_width(type_oid: Oid) -> Option<f64> {
    Some(match type_oid {
        16 | 18 => 1.0,
        21 => 2.0,
        23 | 26 | 700 | 1082 => 4.0,
        20 | 701 | 790 | 1083 | 1114 | 1184 => 8.0,
        1186 | 2950 => 16.0,
        _ => return None,
    })
}

/// What a query reads and writes: only what it says by name, and only where no index leads there.
fn queries(
    world: &World,
    source: &SourceStatement,
    command: &str,
    named: impl Iterator<Item = (Oid, LockMode)>,
) -> Vec<Job> {
    let Body::Sql(tree) = &source.body else {
        return Vec::new();
    };
    let writes = matches!(command, "UPDATE" | "DELETE" | "MERGE");
    let reads = matches!(
        command,
        "SELECT"
            | "INSERT"
            | "COPY"
            | "CREATE TABLE AS"
            | "SELECT INTO"
            | "CREATE MATERIALIZED VIEW"
    );
    if !writes && !reads {
        return Vec::new();
    }
    let node = tree.node();
    let condition = condition(&node);
    let mut jobs = Vec::new();
    for (oid, mode) in named {
        let kind = match mode {
            LockMode::AccessShare => JobKind::Read,
            LockMode::RowExclusive if writes => JobKind::Write,
            _ => continue,
        };
        if condition.is_some_and(|c| leads_to_one(world, oid, c)) {
            continue;
        }
        if let Some(mut job) = job(world, oid, kind) {
            job.whole = condition.is_none() && command != "MERGE";
            if kind == JobKind::Write {
                let indexes = world.indexes.of(oid);
                let builds = indexes.filter_map(|index| build(world, oid, index.oid));
                job.index_bytes = builds.map(|build| build.index_bytes).sum();
            }
            jobs.push(job);
        }
    }
    jobs
}

/// The WHERE of a statement's outermost query.
fn condition(node: &NodeEnum) -> Option<&Node> {
    match node {
        NodeEnum::UpdateStmt(s) => s.where_clause.as_deref(),
        NodeEnum::DeleteStmt(s) => s.where_clause.as_deref(),
        NodeEnum::SelectStmt(s) => s.where_clause.as_deref(),
        _ => None,
    }
}

/// Whether a condition asks for one value of a column with which an index of the table begins.
fn leads_to_one(world: &World, table: Oid, condition: &Node) -> bool {
    match &condition.node {
        Some(NodeEnum::BoolExpr(all)) if all.boolop() == BoolExprType::AndExpr => {
            all.args.iter().any(|part| leads_to_one(world, table, part))
        }
        Some(NodeEnum::AExpr(e)) if is_equality(e) => {
            let sides = [e.lexpr.as_deref(), e.rexpr.as_deref()];
            let columns: Vec<&str> = sides.iter().filter_map(|s| column(s.as_deref()?)).collect();
            let [name] = columns.as_slice() else {
                return false;
            };
            let Some(number) = world.column(table, name).map(|c| c.number) else {
                return false;
            };
            world
                .indexes
                .of(table)
                .any(|i| i.is_valid && i.columns.first() == Some(&number))
        }
        _ => false,
    }
}

fn is_equality(e: &pg_query::protobuf::AExpr) -> bool {
    let names_equal = e
        .name
        .iter()
        .any(|n| matches!(&n.node, Some(NodeEnum::String(s)) if s.sval == "="));
    names_equal && e.kind() == AExprKind::AexprOp
}

fn column(node: &Node) -> Option<&str> {
    let Some(NodeEnum::ColumnRef(found)) = &node.node else {
        return None;
    };
    match &found.fields.last()?.node {
        Some(NodeEnum::String(name)) => Some(&name.sval),
        _ => None,
    }
}
