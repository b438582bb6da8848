//! No migration at hand: the strictest guess, ACCESS EXCLUSIVE on every user table.

use crate::model::{
    FIRST_NORMAL_OID, Footprint, LockMode, LockRequest, LockWork, RelationKind, Snapshot, Statement,
};

/// The kinds that a schema change can lock for itself; indexes, sequences and TOAST follow their tables.
const LOCKABLE: [RelationKind; 5] = [
    RelationKind::Table,
    RelationKind::PartitionedTable,
    RelationKind::View,
    RelationKind::MaterializedView,
    RelationKind::ForeignTable,
];

/// A footprint that asks for ACCESS EXCLUSIVE on every user relation that anybody has locked. The others
/// cannot be in the way, so they need not be listed.
#[must_use]
pub fn strictest(snapshot: &Snapshot) -> Footprint {
    let locks = snapshot
        .relations
        .iter()
        .filter(|(oid, relation)| **oid >= FIRST_NORMAL_OID && LOCKABLE.contains(&relation.kind))
        .map(|(&oid, relation)| LockRequest {
            oid: Some(oid),
            name: relation.name.clone(),
            kind: relation.kind,
            mode: LockMode::AccessExclusive,
            named: false,
            reason: "no migration was given: the strictest guess".into(),
            work: LockWork::Instant,
            transient: false,
            is_given_back: false,
            own: false,
            nowait: false,
            only_after: None,
            possible: false,
            one_of: None,
            rows: None,
            bytes: Some(relation.bytes),
        })
        .collect();
    Footprint {
        statements: vec![Statement {
            sql: "any schema change".into(),
            command: "schema change".into(),
            locks,
            ..Statement::default()
        }],
    }
}
