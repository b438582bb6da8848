//! Relations as the catalogs have them: columns, indexes, constraints.

use crate::model::{Oid, RelationKind, RelationName};
use serde::{Deserialize, Serialize};

/// A row of `pg_class`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Relation {
    /// `oid`
    pub oid: Oid,
    /// Schema and name.
    #[serde(flatten)]
    pub name: RelationName,
    /// `relkind`
    pub kind: RelationKind,
    /// `relpersistence`: `p`, `u` or `t`.
    pub persistence: char,
    /// `pg_get_userbyid(relowner)`
    pub owner: String,
    /// `reltype`; 0: none.
    #[serde(default)]
    pub row_type: Oid,
    /// `reloftype`; 0: none.
    #[serde(default)]
    pub of_type: Oid,
    /// `reltoastrelid`; 0: none.
    #[serde(default)]
    pub toast: Oid,
    /// Name of the access method.
    #[serde(default)]
    pub access_method: Option<String>,
    /// Name of the tablespace; `None`: the database's.
    #[serde(default)]
    pub tablespace: Option<String>,
    /// `relispartition`
    #[serde(default)]
    pub is_partition: bool,
    /// `relrowsecurity`
    #[serde(default)]
    pub row_security: bool,
    /// `relpages` × 8 KiB
    #[serde(default)]
    pub bytes: i64,
    /// `reltuples`; -1: never counted.
    #[serde(default)]
    pub rows: f64,
    /// `pg_stat_get_live_tuples`: rows as the counters have them; 0: none, or not counted.
    #[serde(default)]
    pub live_rows: f64,
    /// `relispopulated`
    #[serde(default)]
    pub is_populated: bool,
    /// `relreplident`
    #[serde(default)]
    pub replica_identity: char,
    /// `relpartbound`: the node tree of a partition's bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<String>,
    /// `partdefid` of its parent: whether it is the default partition.
    #[serde(default)]
    pub is_default_partition: bool,
    /// Strategy, columns and whether there are expressions, for a partitioned table.
    #[serde(default)]
    pub partition_key: Option<PartitionKey>,
    /// `pg_attribute`, user columns, dropped ones left out.
    #[serde(default)]
    pub columns: Vec<Column>,
}

/// A row of `pg_partitioned_table`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionKey {
    /// `partstrat`: `l`, `r` or `h`.
    pub strategy: char,
    /// `partattrs`: 0 where the key is an expression.
    pub columns: Vec<i16>,
}

/// A row of `pg_attribute`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// `attnum`
    pub number: i16,
    /// `attname`
    pub name: String,
    /// `atttypid`
    pub type_oid: Oid,
    /// `atttypmod`; -1: none.
    pub type_modifier: i32,
    /// `attnotnull`
    #[serde(default)]
    pub not_null: bool,
    /// `attidentity`: `a`, `d` or empty.
    #[serde(default)]
    pub identity: String,
    /// `attgenerated`: `s`, `v` or empty.
    #[serde(default)]
    pub generated: String,
    /// `attislocal`
    #[serde(default)]
    pub is_local: bool,
    /// `attinhcount`
    #[serde(default)]
    pub inherited: i32,
    /// `attcollation`
    #[serde(default)]
    pub collation: Oid,
}

/// A row of `pg_index`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// `indexrelid`
    pub oid: Oid,
    /// `indrelid`
    pub table: Oid,
    /// `indkey`: 0 where it is an expression.
    pub columns: Vec<i16>,
    /// `indnkeyatts`
    pub key_columns: i16,
    /// `indisunique`
    pub is_unique: bool,
    /// `indisprimary`
    pub is_primary: bool,
    /// `indisexclusion`
    pub is_exclusion: bool,
    /// `indisvalid`
    pub is_valid: bool,
    /// `indislive`
    #[serde(default = "yes")]
    pub is_live: bool,
    /// `indisclustered`
    pub is_clustered: bool,
    /// `indisreplident`
    pub is_replica_identity: bool,
    /// `indimmediate`
    #[serde(default = "yes")]
    pub is_immediate: bool,
    /// `indclass`, `indcollation` and `indoption` as text, to tell whether two indexes are alike.
    #[serde(default)]
    pub operators: String,
    /// Each key column's operator class and collation, by name: to tell whether an existing index on a
    /// partition is like a new one. Empty where the table is no partition.
    #[serde(default)]
    pub keys: Vec<IndexKey>,
    /// `indexprs`
    #[serde(default)]
    pub expressions: Option<String>,
    /// `indpred`
    #[serde(default)]
    pub predicate: Option<String>,
}

/// How a key column of an index is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexKey {
    /// `pg_opclass.opcname`; empty in a new index that names none.
    pub opclass: String,
    /// Whether it is the type's default (`opcdefault`), or none was named.
    pub is_default: bool,
    /// `pg_collation.collname`; empty where the type has none, and in a new index that names none.
    pub collation: String,
    /// Whether it is the column's own, or none was named.
    pub is_columns: bool,
}

impl IndexKey {
    /// Whether two key columns are compared alike (`CompareIndexInfo`).
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        (self.opclass == other.opclass || self.is_default && other.is_default)
            && (self.collation == other.collation || self.is_columns && other.is_columns)
    }
}

pub(super) const fn yes() -> bool {
    true
}

/// A row of `pg_inherits`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inheritance {
    /// `inhrelid`
    pub child: Oid,
    /// `inhparent`
    pub parent: Oid,
    /// `inhdetachpending`
    #[serde(default)]
    pub detach_pending: bool,
}

/// A row of `pg_constraint`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraint {
    /// `oid`
    pub oid: Oid,
    /// `conname`
    pub name: String,
    /// `contype`: `c`, `f`, `n`, `p`, `u`, `x`, `t`.
    pub kind: char,
    /// `conrelid`; 0: of a domain.
    pub table: Oid,
    /// `contypid`; 0: of a table.
    pub domain: Oid,
    /// `conindid`; 0: none.
    pub index: Oid,
    /// `conparentid`; 0: none.
    pub parent: Oid,
    /// `confrelid`; 0: not a foreign key.
    pub referenced: Oid,
    /// `conkey`
    #[serde(default)]
    pub columns: Vec<i16>,
    /// `confkey`
    #[serde(default)]
    pub referenced_columns: Vec<i16>,
    /// `confdeltype`: `a`, `r`, `c`, `n`, `d`; a space: not a foreign key.
    pub on_delete: char,
    /// `confupdtype`
    pub on_update: char,
    /// `convalidated`
    pub is_validated: bool,
    /// `connoinherit`
    pub no_inherit: bool,
    /// `conislocal`
    pub is_local: bool,
    /// `coninhcount`
    pub inherited: i32,
    /// `condeferrable`
    #[serde(default)]
    pub is_deferrable: bool,
    /// `condeferred`
    #[serde(default)]
    pub is_deferred: bool,
    /// `conenforced` (18)
    #[serde(default = "yes")]
    pub is_enforced: bool,
    /// `pg_description` has something about it.
    #[serde(default)]
    pub has_comment: bool,
    /// `conbin`: the node tree of a check.
    #[serde(default)]
    pub expression: Option<String>,
}

/// A row of `pg_attrdef`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnDefault {
    /// `oid`
    pub oid: Oid,
    /// `adrelid`
    pub table: Oid,
    /// `adnum`
    pub column: i16,
}

/// A row of `pg_statistic_ext`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtendedStatistics {
    /// `oid`
    pub oid: Oid,
    /// Schema.
    pub schema: String,
    /// `stxname`
    pub name: String,
    /// `stxrelid`
    pub table: Oid,
    /// `stxkeys`
    #[serde(default)]
    pub columns: Vec<i16>,
}
