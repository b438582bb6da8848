//! Who owns locks.

use crate::model::Pid;

/// Who owns locks: a lock group (`proc.h lockGroupLeader`: a parallel query's leader and its workers),
/// or a prepared transaction, which has no process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party<'a> {
    /// The group's leader; a process by itself leads its own.
    Group(Pid),
    /// `pg_locks.virtualtransaction` of rows without a pid.
    Prepared(&'a str),
}
