//! The advisory keys of tools, and the sum that some of them are made with.

use crate::model::{LockTarget, Oid};

/// How a tool chooses its advisory key. Keys of one bigint (`pg_locks.objsubid` 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Always the same.
    Fixed(i64),
    /// `factor × crc32(database name)`, wrapped to 64 bits.
    TimesCrc32(i64),
    /// `base + String.hashCode(quoted table)`: any of the 2³² keys around the base.
    PlusJavaHash(i64),
    /// `crc32(schema \0 table \0 database) × salt` in 32 bits; the command line tool writes the database as `/name`.
    GolangMigrate,
}

/// The salt of golang-migrate (`database/util.go`, `advisoryLockIDSalt`).
const GOLANG_MIGRATE_SALT: u32 = 1_486_364_155;

impl Key {
    /// Whether the tool would use this key in this database.
    #[must_use]
    pub fn matches(self, database: &str, key: i64) -> bool {
        match self {
            Self::Fixed(fixed) => key == fixed,
            Self::TimesCrc32(factor) => {
                key == factor.wrapping_mul(i64::from(crc32(database.as_bytes())))
            }
            Self::PlusJavaHash(base) => i32::try_from(key.wrapping_sub(base)).is_ok(),
            Self::GolangMigrate => {
                [database.to_owned(), format!("/{database}")]
                    .iter()
                    .any(|name| {
                        let text = format!("public\0schema_migrations\0{name}");
                        key == i64::from(crc32(text.as_bytes()).wrapping_mul(GOLANG_MIGRATE_SALT))
                    })
            }
        }
    }
}

/// The bigint that `pg_locks` shows as `classid` and `objid` (with `objsubid` 1).
#[must_use]
pub const fn bigint_key(classid: u32, objid: u32) -> i64 {
    (((classid as u64) << 32) | objid as u64).cast_signed()
}

/// The key of an advisory lock of one bigint; `None`: another kind of lock, or one of two ints.
#[must_use]
pub const fn key_of(target: &LockTarget) -> Option<i64> {
    match *target {
        LockTarget::Advisory {
            classid,
            objid,
            objsubid: 1,
            ..
        } => Some(bigint_key(classid, objid)),
        _ => None,
    }
}

/// As [`key_of`], of a lock in this database (`pg_database.oid`).
#[must_use]
pub fn key_in(target: &LockTarget, datid: Oid) -> Option<i64> {
    let is_here = matches!(target, LockTarget::Advisory { database, .. } if *database == datid);
    key_of(target).filter(|_| is_here)
}

/// CRC-32 as in zlib (polynomial 0xEDB88320, reflected), which the tools above use.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}
