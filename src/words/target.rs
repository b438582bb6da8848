//! What a lock is on.

use crate::model::{LockTarget, Oid};

/// What a lock is on: `public.orders`, `transaction 771`, `advisory lock 42`. `relation` names one by the
/// oids of its database and its own.
#[must_use]
pub fn target(target: &LockTarget, relation: impl Fn(Oid, Oid) -> String) -> String {
    match target {
        LockTarget::Relation {
            database,
            relation: oid,
        } => relation(*database, *oid),
        LockTarget::VirtualXid { virtualxid } => format!("virtual transaction {virtualxid}"),
        LockTarget::TransactionId { transactionid } => format!("transaction {transactionid}"),
        LockTarget::Tuple {
            database,
            relation: oid,
            ..
        } => format!("a row of {}", relation(*database, *oid)),
        LockTarget::Advisory {
            classid,
            objid,
            objsubid: 1,
            ..
        } => {
            let key = (u64::from(*classid) << 32) | u64::from(*objid);
            format!("advisory lock {}", key.cast_signed())
        }
        LockTarget::Advisory { classid, objid, .. } => format!(
            "advisory lock ({}, {})",
            classid.cast_signed(),
            objid.cast_signed()
        ),
        LockTarget::Object { classid, objid, .. } => format!("object {objid} of catalog {classid}"),
        LockTarget::Other { name, .. } => format!("a lock of type {name}"),
    }
}
