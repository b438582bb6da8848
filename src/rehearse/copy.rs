//! The throw-away copy: a server in a closed world of its own, with production's schema, roles and settings in it.

use super::Wanted;
use super::schema::Schema;
use crate::throwaway::{Binaries, Options, Server};
use crate::world::Plan;
use crate::{Error, Result};
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::path::PathBuf;

/// The superuser of the copy: no role of production is one there.
pub(super) const SUPERUSER: &str = "pgguard_rehearsal";

#[derive(Debug)]
pub struct Copy {
    pub server: Server,
    /// Whether each database has its pristine copy already.
    is_doubled: bool,
}

impl Copy {
    /// Starts the server, in a world in which nothing can be reached; unconfined: in everybody's. `kept`: under which
    /// name the cache may have it with everything loaded.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(
        wanted: &Wanted,
        binaries: &Binaries,
        settings: &[(String, String)],
        kept: Option<String>,
    ) -> Result<Self> {
        let closed = Plan {
            folders: sockets_of(wanted),
            ..Plan::default()
        };
        let own = [
            ("logging_collector", "on"),
            ("log_destination", "csvlog"),
            ("log_filename", "postgresql.log"),
            ("log_rotation_age", "0"),
            ("log_rotation_size", "0"),
            ("log_file_mode", "0600"),
            ("log_parameter_max_length", "-1"),
            ("autovacuum", "off"),
            ("max_locks_per_transaction", "512"),
            ("wal_level", "logical"),
            // No checkpoint while the schema is loaded: its segments are small.
            ("max_wal_size", "1GB"),
            // What is kept of it has no empty segments.
            ("wal_recycle", "off"),
            // To compile a question takes longer than to answer it once.
            ("jit", "off"),
            ("track_functions", "all"),
        ];
        let own = own
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let server = Server::start(&Options {
            bin: Some(binaries.folder().to_owned()),
            settings: own.chain(settings.iter().cloned()).collect(),
            // Whatever password a configuration has, it fits.
            hba: vec!["host all all all trust".into()],
            superuser: Some(SUPERUSER.into()),
            // Small segments: there is less to copy.
            initdb: vec!["--wal-segsize=1".into()],
            from_template: true,
            kept,
            within: if wanted.unconfined {
                Vec::new()
            } else {
                closed.prefix()
            },
            ..Options::default()
        })?;
        Ok(Self {
            server,
            is_doubled: false,
        })
    }

    /// Whether everything was loaded already when it started.
    #[must_use]
    pub fn holds(&self, schemas: &[Schema]) -> bool {
        self.server.loaded() == loaded(schemas)
    }

    /// Whether it began with something loaded, which may be older than production's schema.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        !self.server.loaded().is_empty()
    }

    /// Lets the next one begin without what this one began with.
    pub fn forget(&self) {
        self.server.forget();
    }

    /// Keeps it for the next rehearsal with the same schemas; without that, the next one only takes longer.
    pub fn keep(&self, schemas: &[Schema]) {
        let _ = self.server.keep(&loaded(schemas));
    }

    /// Puts a database in.
    ///
    /// # Errors
    /// The server refuses it, or lacks an extension.
    pub fn load(&self, schema: &Schema) -> Result<()> {
        self.lacks_nothing(schema)?;
        self.server.sql("postgres", &before(schema))?;
        self.server.sql(&schema.database, &inside(schema))?;
        self.give(schema)
    }

    /// Gives a database its owner, rights and settings.
    fn give(&self, schema: &Schema) -> Result<()> {
        self.server.sql("postgres", &after(schema)).map(drop)
    }

    /// Puts the pristine copy of a database in its place.
    ///
    /// # Errors
    /// The server refuses.
    pub(super) fn begin_again(&self, schema: &Schema) -> Result<()> {
        let (used, kept) = (
            quoted(&schema.database),
            quoted(&pristine(&schema.database)),
        );
        // To drop it takes as long as the whole replay; all of it goes in a moment anyway.
        let text = format!(
            "SELECT pg_catalog.pg_terminate_backend(pid, 10000) FROM pg_catalog.pg_stat_activity WHERE datname = {};\n\
             ALTER DATABASE {used} RENAME TO {};\nALTER DATABASE {kept} RENAME TO {used}",
            literal(&schema.database),
            quoted(&played(&schema.database)),
        );
        self.server.sql("postgres", &text)?;
        self.give(schema)
    }

    /// An extension that something depends on has to be here; one that nothing depends on is left out.
    fn lacks_nothing(&self, schema: &Schema) -> Result<()> {
        let available = self.available()?;
        let missing = schema
            .around
            .extensions
            .iter()
            .find(|name| !available.contains(name));
        let Some(missing) = missing else {
            return Ok(());
        };
        let version = self.server.version();
        Err(Error::Program {
            program: format!("a copy of {}", schema.database),
            why: format!(
                "the schema uses the extension {missing}, which the installation of Postgres {version} here lacks"
            ),
            help: "install its package here, or name an installation that has it in PGGUARD_PG_BIN"
                .into(),
        })
    }

    fn available(&self) -> Result<Vec<String>> {
        let text = self.server.sql(
            "postgres",
            "SELECT name FROM pg_catalog.pg_available_extensions",
        )?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// A second copy of each database, for the replay; nobody may be connected to them.
    ///
    /// # Errors
    /// The server refuses.
    pub fn double<'a>(&mut self, databases: impl Iterator<Item = &'a String>) -> Result<()> {
        if self.is_doubled {
            return Ok(());
        }
        // Block by block through the log (the default since 15) takes ten times as long for many small tables.
        let strategy = match self.server.major() {
            ..15 => "",
            _ => " STRATEGY FILE_COPY",
        };
        for database in databases {
            let (kept, used) = (quoted(&pristine(database)), quoted(database));
            let text = format!("CREATE DATABASE {kept} TEMPLATE {used}{strategy}");
            self.server.sql("postgres", &text)?;
        }
        self.is_doubled = true;
        Ok(())
    }

    /// From here on the server logs every statement.
    ///
    /// # Errors
    /// The server refuses.
    pub fn begin_log(&self) -> Result<()> {
        let text = "ALTER SYSTEM SET log_statement = 'all';\nALTER SYSTEM SET log_connections = 'on';\n\
                    ALTER SYSTEM SET log_min_messages = 'notice';\n\
                    SELECT pg_catalog.pg_reload_conf();\n\\! sleep 0.1\n";
        self.server.sql("postgres", text).map(drop)
    }

    /// The log so far. A statement of ours goes through it last, so that nothing is still on its way.
    ///
    /// # Errors
    /// The server does not answer.
    pub fn log(&self) -> Result<Vec<u8>> {
        let mark = format!("pgguard {}", self.server.password());
        self.server.sql("postgres", &format!("SELECT '{mark}'"))?;
        let path = self.server.data_dir().join("log/postgresql.csv");
        let failed = |why: String| Error::File {
            what: "read",
            path: path.display().to_string(),
            why,
        };
        for _ in 0..500 {
            let log = std::fs::read(&path).map_err(|error| failed(error.to_string()))?;
            if log.windows(mark.len()).any(|part| part == mark.as_bytes()) {
                return Ok(log);
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Err(failed("it does not have the last statement".into()))
    }

    /// The server's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        let name = format!(".s.PGSQL.{}", self.server.port());
        self.server.socket_dir().join(name)
    }
}

/// The name of the pristine copy of a database, which locks are measured on.
fn pristine(database: &str) -> String {
    aside("pristine", database)
}

/// The name that a database has once the command has migrated it.
fn played(database: &str) -> String {
    aside("played", database)
}

/// A name that fits, however long the database's own is.
fn aside(what: &str, database: &str) -> String {
    let mut hasher = DefaultHasher::new();
    database.hash(&mut hasher);
    format!("pgguard {what} {:016x}", hasher.finish())
}

/// Folders in which production has its sockets, as far as the target says it.
#[must_use]
pub fn sockets_of(wanted: &Wanted) -> Vec<PathBuf> {
    let endpoints = wanted.target.endpoints.iter();
    endpoints
        .filter(|endpoint| endpoint.is_socket())
        .map(|endpoint| PathBuf::from(&endpoint.host))
        .collect()
}

/// All that is loaded, as one text: where it is the same, so is the copy.
fn loaded(schemas: &[Schema]) -> String {
    let mut all = String::from("-- loaded 1\n");
    for schema in schemas {
        let parts = [before(schema), inside(schema), after(schema)];
        for line in parts.iter().flat_map(|part| part.lines()) {
            // pg_dump makes up another word for each dump.
            if !line.starts_with("\\restrict ") && !line.starts_with("\\unrestrict ") {
                all.push_str(line);
                all.push('\n');
            }
        }
    }
    all
}

/// Roles and the database. A role that another database has brought is there; a circle of grants is refused.
fn before(schema: &Schema) -> String {
    let around = &schema.around;
    let (roles, create) = (
        loosely(&around.roles),
        create(&schema.database, &around.encoding),
    );
    format!("{roles}\\set ON_ERROR_STOP on\n{create}")
}

/// What is in the database.
fn inside(schema: &Schema) -> String {
    let (sql, owned) = (sql_of(schema), owned(schema));
    format!("BEGIN;\n{sql}\n{owned}{SEQUENCES}\nCOMMIT;")
}

/// Its owner, rights and settings.
fn after(schema: &Schema) -> String {
    let owner = format!(
        "ALTER DATABASE {} OWNER TO {}",
        quoted(&schema.database),
        quoted(&schema.around.owner)
    );
    let settings = schema.around.settings.iter().cloned();
    loosely(&std::iter::once(owner).chain(settings).collect::<Vec<_>>())
}

/// Without the extensions that nothing depends on, and with the version rows.
fn sql_of(schema: &Schema) -> String {
    let text = String::from_utf8_lossy(&schema.sql);
    let unused = |line: &str| {
        schema.around.unused_extensions.iter().any(|name| {
            let quoted = quoted(name);
            [name.as_str(), &quoted].iter().any(|name| {
                line.starts_with(&format!("CREATE EXTENSION IF NOT EXISTS {name} "))
                    || line.starts_with(&format!("COMMENT ON EXTENSION {name} "))
            })
        })
    };
    let kept = text.lines().filter(|line| !unused(line));
    let kept = kept.collect::<Vec<_>>().join("\n");
    format!("{kept}\n{}", String::from_utf8_lossy(&schema.rows))
}

fn create(database: &str, encoding: &str) -> String {
    if database == "postgres" {
        return String::new();
    }
    format!(
        "CREATE DATABASE {} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'",
        quoted(database)
    )
}

/// Statements of which one that the copy refuses is passed over.
fn loosely(statements: &[String]) -> String {
    format!("\\set ON_ERROR_STOP off\n{};\n", statements.join(";\n"))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Objects for which a schema file names no owner belong to the owner of production's tables.
fn owned(schema: &Schema) -> String {
    let owner = schema.around.tables_of.as_ref();
    let owner = owner.filter(|_| schema.columns.is_some());
    owner.map_or_else(String::new, |owner| {
        OWNED.replace("{OWNER}", &literal(owner))
    })
}

const OWNED: &str = "DO $$
DECLARE s record;
BEGIN
    FOR s IN
        SELECT pg_catalog.format('%s %s', CASE relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
                                          WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, c.oid::regclass) AS what
        FROM pg_catalog.pg_class c
        WHERE c.oid >= 16384 AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND relowner = current_user::regrole
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 1259 AND d.objid = c.oid
                          AND (d.deptype = 'e' OR relkind = 'S' AND d.deptype IN ('a', 'i')))
        UNION ALL SELECT pg_catalog.format('SCHEMA %I', nspname) FROM pg_catalog.pg_namespace
        WHERE oid >= 16384 AND nspname !~ '^pg_' AND nspowner = current_user::regrole
        UNION ALL SELECT pg_catalog.format('ROUTINE %s', p.oid::regprocedure) FROM pg_catalog.pg_proc p
        WHERE p.oid >= 16384 AND proowner = current_user::regrole AND prokind IN ('f', 'p')
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 1255 AND d.objid = p.oid AND d.deptype = 'e')
        UNION ALL SELECT pg_catalog.format('TYPE %s', t.oid::regtype) FROM pg_catalog.pg_type t
        WHERE t.oid >= 16384 AND typowner = current_user::regrole AND typtype IN ('e', 'd')
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 1247 AND d.objid = t.oid AND d.deptype = 'e')
    LOOP
        EXECUTE pg_catalog.format('ALTER %s OWNER TO %I', s.what, {OWNER});
    END LOOP;
END $$;
";

/// The next number of a version table's column comes after those that are there.
const SEQUENCES: &str = "DO $$
DECLARE s record;
BEGIN
    FOR s IN SELECT d.objid::regclass AS seq, c.oid::regclass AS tab, a.attname AS col
             FROM pg_catalog.pg_depend d
             JOIN pg_catalog.pg_class q ON q.oid = d.objid AND q.relkind = 'S'
             JOIN pg_catalog.pg_class c ON c.oid = d.refobjid
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
             WHERE d.classid = 1259 AND d.refclassid = 1259 AND d.deptype IN ('a', 'i')
               AND pg_catalog.pg_relation_size(c.oid) > 0
    LOOP
        EXECUTE pg_catalog.format('SELECT pg_catalog.setval(%L, max(%I)) FROM %s', s.seq, s.col, s.tab);
    END LOOP;
END $$;
ANALYZE pg_catalog.pg_class, pg_catalog.pg_attribute, pg_catalog.pg_constraint, pg_catalog.pg_depend,
        pg_catalog.pg_index, pg_catalog.pg_type;";
