//! The catalog: the relations that a migration can reach and what binds them together, as plain values.
//!
//! Field by field it is what the system catalogs say (`pg_class`, `pg_depend`, `pg_constraint` …), cut
//! down to what decides about locks. An object is known by the catalog that lists it and its oid there,
//! as in `pg_depend`: see [`class`].

mod tables;

pub use tables::{
    Column, ColumnDefault, Constraint, ExtendedStatistics, Index, IndexKey, Inheritance,
    PartitionKey, Relation,
};

use super::Oid;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Oids of the catalogs that list objects (`pg_depend.classid`); the same on every server.
pub mod class {
    use super::Oid;
    /// `pg_type`
    pub const TYPE: Oid = 1247;
    /// `pg_proc`
    pub const PROC: Oid = 1255;
    /// `pg_default_acl`
    pub const DEFAULT_ACL: Oid = 826;
    /// `pg_class`
    pub const RELATION: Oid = 1259;
    /// `pg_attrdef`
    pub const DEFAULT: Oid = 2604;
    /// `pg_constraint`
    pub const CONSTRAINT: Oid = 2606;
    /// `pg_language`
    pub const LANGUAGE: Oid = 2612;
    /// `pg_namespace`
    pub const SCHEMA: Oid = 2615;
    /// `pg_opclass`
    pub const OPCLASS: Oid = 2616;
    /// `pg_operator`
    pub const OPERATOR: Oid = 2617;
    /// `pg_rewrite`
    pub const RULE: Oid = 2618;
    /// `pg_trigger`
    pub const TRIGGER: Oid = 2620;
    /// `pg_opfamily`
    pub const OPFAMILY: Oid = 2753;
    /// `pg_extension`
    pub const EXTENSION: Oid = 3079;
    /// `pg_policy`
    pub const POLICY: Oid = 3256;
    /// `pg_statistic_ext`
    pub const STATISTICS: Oid = 3381;
    /// `pg_collation`
    pub const COLLATION: Oid = 3456;
    /// `pg_foreign_data_wrapper`
    pub const FDW: Oid = 2328;
    /// `pg_foreign_server`
    pub const SERVER: Oid = 1417;
    /// `pg_am`
    pub const ACCESS_METHOD: Oid = 2601;
    /// `pg_ts_dict`
    pub const TS_DICTIONARY: Oid = 3600;
    /// `pg_ts_parser`
    pub const TS_PARSER: Oid = 3601;
    /// `pg_ts_config`
    pub const TS_CONFIGURATION: Oid = 3602;
    /// `pg_ts_template`
    pub const TS_TEMPLATE: Oid = 3764;
    /// `pg_publication`
    pub const PUBLICATION: Oid = 6104;
    /// `pg_publication_rel`
    pub const PUBLICATION_RELATION: Oid = 6106;
}

/// The relations that a migration can reach, as one look at the catalog found them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Catalog {
    /// What the session would run with.
    pub session: SessionSettings,
    /// Schemas that are named, searched, or hold something below.
    pub schemas: Vec<NamedObject>,
    /// Relations of every kind, indexes and TOAST tables included.
    pub relations: Vec<Relation>,
    /// `pg_index`
    pub indexes: Vec<Index>,
    /// `pg_inherits`
    pub inherits: Vec<Inheritance>,
    /// `pg_constraint`
    pub constraints: Vec<Constraint>,
    /// `pg_attrdef`
    pub defaults: Vec<ColumnDefault>,
    /// `pg_trigger`
    pub triggers: Vec<Trigger>,
    /// `pg_rewrite`
    pub rules: Vec<Rule>,
    /// `pg_policy`
    pub policies: Vec<Policy>,
    /// `pg_type`
    pub types: Vec<DataType>,
    /// `pg_proc`: those that are named or that something reached depends on; not the built-in ones.
    pub routines: Vec<Routine>,
    /// `pg_statistic_ext`
    pub statistics: Vec<ExtendedStatistics>,
    /// `pg_publication_rel`
    pub publications: Vec<PublicationTable>,
    /// `pg_event_trigger`, enabled ones.
    pub event_triggers: Vec<EventTrigger>,
    /// Objects of other catalogs that a migration names in order to drop or alter them.
    pub objects: Vec<NamedObject>,
    /// `pg_depend`, the rows that touch what was reached.
    pub dependencies: Vec<Dependency>,
    /// Names that exist only as another session's temporary table.
    pub foreign_temporaries: Vec<String>,
    /// Relations on which a role that the migration acts in has no right at all.
    pub powerless: Vec<Powerless>,
    /// `pg_shdepend`: what belongs to the roles whose objects are worked on.
    pub owned: Vec<Owned>,
    /// Rows of migration tools' version tables that the migration asks about.
    pub version_rows: Vec<VersionRows>,
    /// Which of the names exist; `None`: an older recording, which does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub named: Option<Named>,
}

/// Which of the migration's names are names of these kinds of object. A name that is in none of them does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Named {
    /// `pg_roles`
    pub roles: BTreeSet<String>,
    /// `pg_proc`, of every schema
    pub functions: BTreeSet<String>,
    /// `pg_tablespace`
    pub tablespaces: BTreeSet<String>,
    /// `pg_am`
    pub access_methods: BTreeSet<String>,
    /// `pg_opclass`, of every access method
    pub operator_classes: BTreeSet<String>,
    /// `pg_available_extensions`; `None`: not asked for.
    pub extensions: Option<BTreeSet<String>>,
    /// `pg_cast`, between the types that are named and those of the columns.
    pub casts: Vec<Cast>,
}

/// A row of `pg_cast`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cast {
    /// `castsource`
    pub from: Oid,
    /// `casttarget`
    pub to: Oid,
    /// `castcontext`: `i`, `a` (assignment), `e` (explicit).
    pub context: char,
}

/// The rows of a migration tool's version table, in the columns that a migration names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VersionRows {
    /// `pg_class.oid`
    pub table: Oid,
    /// Names of columns.
    pub columns: Vec<String>,
    /// A value for each column, as text.
    pub rows: Vec<Vec<Option<String>>>,
}

/// An object of a role's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owned {
    /// `pg_roles.rolname`
    pub role: String,
    /// `classid`, see [`class`].
    pub class: Oid,
    /// `objid`
    pub oid: Oid,
}

/// A role without any right on a relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Powerless {
    /// `pg_roles.rolname`
    pub role: String,
    /// `pg_class.oid`
    pub relation: Oid,
}

/// What a session that runs the migration starts with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionSettings {
    /// `server_version_num`, such as 150018; 0: unknown.
    pub server_version_num: i32,
    /// `current_database()`
    pub database: String,
    /// `current_user`
    pub user: String,
    /// `search_path` as it is set, not expanded.
    pub search_path: String,
    /// `search_path` as the session began, where a pooler shares it with others who may have changed it.
    #[serde(default)]
    pub own_search_path: Option<String>,
    /// Whether `TimeZone` keeps UTC, which makes `timestamptz` → `timestamp` free.
    pub utc: bool,
    /// `check_function_bodies`
    pub check_function_bodies: bool,
    /// `session_replication_role = replica`: triggers and foreign keys do not fire.
    pub replica: bool,
    /// `default_tablespace`
    pub default_tablespace: String,
    /// What the session begins with by server, database, role and options, by lower-case name, as far as it was read.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub begins: BTreeMap<String, String>,
    /// The role that the session acts in, where it was told: SET ROLE was before the migration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acting: Option<String>,
}

/// An object of any catalog, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedObject {
    /// The catalog that lists it, see [`class`].
    pub class: Oid,
    /// As the catalog numbers it.
    pub oid: Oid,
    /// Its schema, if its kind has one.
    #[serde(default)]
    pub schema: Option<String>,
    /// As `pg_catalog` has it, without quotes.
    pub name: String,
}

/// A row of `pg_trigger`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// `oid`
    pub oid: Oid,
    /// `tgname`
    pub name: String,
    /// `tgrelid`
    pub table: Oid,
    /// `tgfoid`
    pub function: Oid,
    /// `tgtype`: bits of `pg_trigger.h`.
    pub events: i16,
    /// `tgenabled`: `O`, `D`, `R`, `A`.
    pub enabled: char,
    /// `tgisinternal`
    pub is_internal: bool,
    /// `tgconstraint`; 0: none.
    pub constraint: Oid,
    /// `tgconstrrelid`; 0: none.
    pub referenced: Oid,
    /// `tgparentid`; 0: none.
    pub parent: Oid,
    /// `tgattr`: only for updates of these columns.
    #[serde(default)]
    pub columns: Vec<i16>,
    /// `tginitdeferred`
    #[serde(default)]
    pub is_deferred: bool,
    /// `tgoldtable` and `tgnewtable`: names under which its function reads the rows that have changed.
    #[serde(default)]
    pub transition_tables: Vec<String>,
}

/// A row of `pg_rewrite`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// `oid`
    pub oid: Oid,
    /// `rulename`
    pub name: String,
    /// `ev_class`
    pub table: Oid,
    /// `ev_type`: `1` SELECT, `2` UPDATE, `3` INSERT, `4` DELETE.
    pub event: char,
    /// `is_instead`
    pub is_instead: bool,
    /// `ev_enabled`
    pub enabled: char,
    /// The relations in its actions' range tables.
    #[serde(default)]
    pub range: Vec<RangeEntry>,
}

/// A relation in the range table of a stored query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeEntry {
    /// `relid`
    pub relation: Oid,
    /// `inh`: with its children.
    pub with_children: bool,
    /// `rellockmode`, a number of `lockdefs.h`.
    pub mode: i32,
}

/// A row of `pg_policy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// `oid`
    pub oid: Oid,
    /// `polname`
    pub name: String,
    /// `polrelid`
    pub table: Oid,
    /// Relations in the range tables of USING.
    #[serde(default)]
    pub range: Vec<RangeEntry>,
    /// Relations in the range tables of WITH CHECK.
    #[serde(default)]
    pub check_range: Vec<RangeEntry>,
    /// `polcmd`: `r`, `a`, `w`, `d` or `*`.
    pub command: char,
    /// Names of `polroles`; none: for everybody.
    #[serde(default)]
    pub roles: Vec<String>,
}

/// A row of `pg_type`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataType {
    /// `oid`
    pub oid: Oid,
    /// Schema.
    pub schema: String,
    /// `typname`
    pub name: String,
    /// `typtype`: `b`, `c`, `d`, `e`, `r`, `m`, `p`.
    pub kind: char,
    /// `typrelid`; 0: not composite.
    pub relation: Oid,
    /// `typbasetype`; 0: not a domain.
    pub base: Oid,
    /// `typtypmod`
    pub base_modifier: i32,
    /// `typelem`; 0: not an array.
    pub element: Oid,
    /// `typnotnull`
    pub not_null: bool,
    /// `typdefault` is set.
    pub has_default: bool,
    /// `typstorage`
    #[serde(default)]
    pub storage: char,
    /// `typcategory`; zero: not known.
    #[serde(default)]
    pub category: char,
    /// The labels of an enum (`pg_enum`); `None`: not known, or no enum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
}

/// A row of `pg_proc`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routine {
    /// `oid`
    pub oid: Oid,
    /// Schema.
    pub schema: String,
    /// `proname`
    pub name: String,
    /// `prokind`: `f`, `p`, `a`, `w`.
    pub kind: char,
    /// Name of the language.
    pub language: String,
    /// `provolatile`: `i`, `s`, `v`.
    pub volatility: char,
    /// `pronargs`
    pub arguments: i16,
    /// Argument types as Postgres names them, for overloads.
    #[serde(default)]
    pub signature: Vec<Oid>,
    /// `proargnames`
    #[serde(default)]
    pub argument_names: Vec<String>,
    /// `pg_get_expr(proargdefaults, 0)`: the defaults of the last parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<String>,
    /// `prorettype`; 0: not known.
    #[serde(default)]
    pub returns: Oid,
    /// `prosrc`, for languages whose body is text.
    #[serde(default)]
    pub body: Option<String>,
    /// `prosqlbody`: a body that is stored parsed.
    #[serde(default)]
    pub parsed: Option<ParsedBody>,
    /// `prosecdef`: it runs with its owner's rights; a catalog that does not say so is taken to.
    #[serde(default = "tables::yes")]
    pub is_definer: bool,
    /// `proconfig`: settings that it runs with, such as `search_path=app`.
    #[serde(default)]
    pub settings: Vec<String>,
}

/// What the body of an SQL function says that is stored parsed (`BEGIN ATOMIC`, `RETURN`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParsedBody {
    /// It holds nothing but SELECT.
    pub only_reads: bool,
    /// What its queries read.
    pub range: Vec<RangeEntry>,
    /// The server's own functions that it calls.
    pub calls: Vec<String>,
}

/// A row of `pg_publication_rel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicationTable {
    /// `oid`
    pub oid: Oid,
    /// `prrelid`
    pub table: Oid,
    /// Name of the publication.
    pub publication: String,
}

/// A row of `pg_event_trigger`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventTrigger {
    /// `evtname`
    pub name: String,
    /// `evtevent`
    pub event: String,
    /// `evttags`; empty: all.
    #[serde(default)]
    pub tags: Vec<String>,
    /// `evtfoid`; 0: not known.
    #[serde(default)]
    pub function: Oid,
}

/// A row of `pg_depend`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// `classid`
    pub class: Oid,
    /// `objid`
    pub oid: Oid,
    /// `objsubid`: a column, or 0.
    pub column: i32,
    /// `refclassid`
    pub on_class: Oid,
    /// `refobjid`
    pub on_oid: Oid,
    /// `refobjsubid`
    pub on_column: i32,
    /// `deptype`: `n`, `a`, `i`, `P`, `S`, `e`, `x`.
    pub kind: char,
}
