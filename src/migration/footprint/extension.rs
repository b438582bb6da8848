//! Extensions: their scripts make functions, types and tables of their own. Those that are listed here lock
//! nothing of the user's; what another one does is not known.

use super::act::{Act, Step, refuse};
use super::listed;
use crate::model::{LockMode, Oid, class, quoted};
use pg_query::protobuf::CreateExtensionStmt;

/// Extensions whose scripts, new and for updates, touch only what belongs to them: those of Postgres itself
/// (contrib, and its languages) and some that are often installed with it.
const HARMLESS: &[&str] = &[
    "address_standardizer",
    "address_standardizer_data_us",
    "adminpack",
    "age",
    "amcheck",
    "autoinc",
    "bloom",
    "bool_plperl",
    "bool_plperlu",
    "btree_gin",
    "btree_gist",
    "citext",
    "citus",
    "citus_columnar",
    "cube",
    "dblink",
    "dict_int",
    "dict_xsyn",
    "earthdistance",
    "file_fdw",
    "fuzzystrmatch",
    "h3",
    "h3_postgis",
    "hll",
    "hstore",
    "hstore_plperl",
    "hstore_plperlu",
    "hstore_plpython3u",
    "hypopg",
    "insert_username",
    "intagg",
    "intarray",
    "isn",
    "jsonb_plperl",
    "jsonb_plperlu",
    "jsonb_plpython3u",
    "lo",
    "ltree",
    "ltree_plpython3u",
    "moddatetime",
    "old_snapshot",
    "orafce",
    "pageinspect",
    "pg_buffercache",
    "pg_cron",
    "pg_freespacemap",
    "pg_hint_plan",
    "pg_logicalinspect",
    "pg_overexplain",
    "pg_partman",
    "pg_prewarm",
    "pg_qualstats",
    "pg_repack",
    "pg_stat_kcache",
    "pg_stat_statements",
    "pg_surgery",
    "pg_trgm",
    "pg_uuidv7",
    "pg_visibility",
    "pg_walinspect",
    "pgaudit",
    "pgcrypto",
    "pglogical",
    "pgrouting",
    "pgrowlocks",
    "pgstattuple",
    "pgtap",
    "pgvector",
    "plperl",
    "plperlu",
    "plpgsql",
    "plpython3u",
    "plv8",
    "pltcl",
    "pltclu",
    "postgis",
    "postgis_raster",
    "postgis_sfcgal",
    "postgis_tiger_geocoder",
    "postgis_topology",
    "postgres_fdw",
    "refint",
    "rum",
    "seg",
    "semver",
    "sslinfo",
    "tablefunc",
    "tcn",
    "timescaledb",
    "timescaledb_toolkit",
    "tsm_system_rows",
    "tsm_system_time",
    "unaccent",
    "uuid-ossp",
    "vector",
    "xml2",
];

/// Those whose updates may alter tables of the user's that they look after.
const UPDATES_MORE: &[&str] = &[
    "age",
    "citus",
    "pg_partman",
    "pglogical",
    "postgis_topology",
    "timescaledb",
];

/// `CREATE EXTENSION`
pub fn create(act: &mut Act, statement: &CreateExtensionStmt) -> Step {
    // It is skipped, or refused.
    if act.world.has_extension(&statement.extname) {
        return Ok(());
    }
    let named = act.world.named.as_ref();
    let available = named.and_then(|named| named.extensions.as_ref());
    if available.is_some_and(|list| !list.contains(&statement.extname)) {
        return refuse(format!(
            "extension {} is not available: its files are not on the server",
            quoted(&statement.extname)
        ));
    }
    ask(act, &statement.extname);
    // What its script makes is in no list here: what is not found later may be one of these objects.
    act.world.is_doubtful = true;
    act.is_unsure = true;
    listed::put(
        act,
        class::EXTENSION,
        std::slice::from_ref(&statement.extname),
    );
    Ok(())
}

/// `ALTER EXTENSION … UPDATE`: the script may alter what belongs to the extension.
pub fn update(act: &mut Act, name: &str) {
    ask(act, name);
    act.is_unsure = true;
    if UPDATES_MORE.contains(&name) {
        act.opaque(format!(
            "an update of {name} may alter tables that it looks after"
        ));
    }
    let mut objects = act.world.objects.iter();
    let extension = objects.find(|o| o.class == class::EXTENSION && o.name == name);
    let Some(oid) = extension.map(|o| o.oid) else {
        return;
    };
    let members = act.world.below((class::EXTENSION, oid, 0));
    let members = members.filter(|d| d.kind == 'e' && d.class == class::RELATION);
    let relations: Vec<Oid> = members.map(|d| d.oid).collect();
    let outer = std::mem::replace(&mut act.possible, true);
    for relation in relations {
        let why = format!("belongs to extension {name}, and its script may alter it");
        act.lock(relation, LockMode::AccessExclusive, why);
    }
    act.possible = outer;
}

fn ask(act: &mut Act, name: &str) {
    if !HARMLESS.contains(&name) {
        act.opaque(format!(
            "extension {name} is not known here: its script runs code of its own"
        ));
    }
}
