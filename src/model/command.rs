//! Kinds of statements: one row a command tag, with all that is asked about a kind.
//!
//! A statement knows its command by its tag ([`Statement::kind`](super::Statement::kind)). A tag without a row is
//! taken for a command that may do anything.

use super::Oid;

/// What a command changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing that outlives the session.
    Nothing,
    /// Rows of tables.
    Rows,
    /// Rows of the system catalogs.
    Schema,
    /// Whatever the code does that it runs.
    Code,
}

/// A kind of statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command {
    /// The command tag (cmdtaglist.h).
    pub tag: &'static str,
    /// What it changes.
    pub effect: Effect,
    /// Takes a snapshot before it runs (`PlannedStmtRequiresSnapshot`, pquery.c).
    pub needs_snapshot: bool,
    /// The first major in which it fires event triggers (cmdtaglist.h, Event Trigger Firing Matrix).
    pub fires_event_triggers: Option<i32>,
    /// What it makes may come to depend on what it names (`recordMultipleDependencies`, pg_depend.c).
    pub makes_dependencies: bool,
    /// Functions may run on the way: in queries, expressions of columns, checks, indexes.
    pub runs_code: bool,
    /// Rights are checked before the lock is asked for (tablecmds.c, lockcmds.c, indexcmds.c, cluster.c,
    /// matview.c).
    pub refused_before_locking: bool,
    /// Passes over what the role may not touch (`vacuum_is_permitted_for_relation`), and a conditional lock that
    /// is not granted.
    pub passes_over: bool,
    /// Passes over partitions that the role may not touch (`get_tables_to_cluster_partitioned`).
    pub passes_over_parts: bool,
    /// The catalog of the objects that it takes away, where these are not looked up by name here.
    pub drops_from: Option<Oid>,
}

impl Command {
    /// The row of a tag.
    #[must_use]
    pub fn of(tag: &str) -> &'static Self {
        let row = COMMANDS.iter().find(|c| c.tag == tag);
        row.unwrap_or(&UNKNOWN)
    }

    /// Whether it fires event triggers in this major.
    #[must_use]
    pub const fn fires_in(&self, major: i32) -> bool {
        match self.fires_event_triggers {
            Some(first) => major >= first,
            None => false,
        }
    }

    const fn on(tag: &'static str, effect: Effect) -> Self {
        Self {
            tag,
            effect,
            needs_snapshot: true,
            fires_event_triggers: None,
            makes_dependencies: false,
            runs_code: false,
            refused_before_locking: false,
            passes_over: false,
            passes_over_parts: false,
            drops_from: None,
        }
    }

    /// A command of the session or the transaction.
    const fn session(tag: &'static str) -> Self {
        Self::on(tag, Effect::Nothing)
    }

    /// The same where no snapshot is needed.
    const fn control(tag: &'static str) -> Self {
        Self {
            needs_snapshot: false,
            ..Self::session(tag)
        }
    }

    /// A command that reads or writes rows.
    const fn rows(tag: &'static str) -> Self {
        Self::on(tag, Effect::Rows).code()
    }

    /// A change of the schema that fires no event triggers: of what is shared, mostly.
    const fn shared(tag: &'static str) -> Self {
        Self {
            makes_dependencies: true,
            ..Self::on(tag, Effect::Schema)
        }
    }

    /// Any other change of the schema.
    const fn ddl(tag: &'static str) -> Self {
        Self {
            fires_event_triggers: Some(0),
            ..Self::shared(tag)
        }
    }

    /// Something goes.
    const fn drop(tag: &'static str) -> Self {
        Self {
            makes_dependencies: false,
            ..Self::ddl(tag)
        }
    }

    const fn from(self, catalog: Oid) -> Self {
        Self {
            drops_from: Some(catalog),
            ..self
        }
    }

    const fn code(self) -> Self {
        Self {
            runs_code: true,
            ..self
        }
    }

    const fn rights_first(self) -> Self {
        Self {
            refused_before_locking: true,
            ..self
        }
    }

    const fn silent(self) -> Self {
        Self {
            fires_event_triggers: None,
            ..self
        }
    }

    const fn makes_nothing(self) -> Self {
        Self {
            makes_dependencies: false,
            ..self
        }
    }

    const fn since(self, major: i32) -> Self {
        Self {
            fires_event_triggers: Some(major),
            ..self
        }
    }

    const fn passing_over_parts(self) -> Self {
        Self {
            passes_over_parts: true,
            ..self
        }
    }

    const fn passing_over(self) -> Self {
        Self {
            passes_over: true,
            ..self
        }
    }
}

/// A command without a row.
const UNKNOWN: Command = Command::ddl("").code();

/// Every command, in the order of the alphabet.
pub const COMMANDS: &[Command] = &[
    Command::ddl("ALTER ACCESS METHOD"),
    Command::ddl("ALTER AGGREGATE"),
    Command::ddl("ALTER CAST"),
    Command::ddl("ALTER COLLATION"),
    Command::ddl("ALTER CONVERSION"),
    Command::shared("ALTER DATABASE"),
    Command::ddl("ALTER DEFAULT PRIVILEGES"),
    Command::ddl("ALTER DOMAIN").code(),
    Command::shared("ALTER EVENT TRIGGER"),
    Command::ddl("ALTER EXTENSION"),
    Command::ddl("ALTER FOREIGN DATA WRAPPER"),
    Command::ddl("ALTER FOREIGN TABLE").code().rights_first(),
    Command::ddl("ALTER FUNCTION"),
    Command::ddl("ALTER INDEX").rights_first(),
    Command::ddl("ALTER LANGUAGE"),
    Command::shared("ALTER LARGE OBJECT"),
    Command::ddl("ALTER MATERIALIZED VIEW")
        .code()
        .rights_first(),
    Command::ddl("ALTER OPERATOR"),
    Command::ddl("ALTER OPERATOR CLASS"),
    Command::ddl("ALTER OPERATOR FAMILY"),
    Command::ddl("ALTER POLICY"),
    Command::ddl("ALTER PROCEDURE"),
    Command::ddl("ALTER PUBLICATION"),
    Command::shared("ALTER ROLE"),
    Command::ddl("ALTER ROUTINE"),
    Command::ddl("ALTER RULE"),
    Command::ddl("ALTER SCHEMA"),
    Command::ddl("ALTER SEQUENCE").rights_first(),
    Command::ddl("ALTER SERVER"),
    Command::ddl("ALTER STATISTICS"),
    Command::ddl("ALTER SUBSCRIPTION"),
    Command::session("ALTER SYSTEM"),
    Command::ddl("ALTER TABLE").code().rights_first(),
    Command::shared("ALTER TABLESPACE"),
    Command::ddl("ALTER TEXT SEARCH CONFIGURATION"),
    Command::ddl("ALTER TEXT SEARCH DICTIONARY"),
    Command::ddl("ALTER TEXT SEARCH PARSER"),
    Command::ddl("ALTER TEXT SEARCH TEMPLATE"),
    Command::ddl("ALTER TRANSFORM"),
    Command::ddl("ALTER TRIGGER"),
    Command::ddl("ALTER TYPE").code(),
    Command::ddl("ALTER USER MAPPING"),
    Command::ddl("ALTER VIEW").rights_first(),
    Command::shared("ANALYZE")
        .code()
        .makes_nothing()
        .passing_over(),
    Command::control("BEGIN"),
    Command::on("CALL", Effect::Code).code(),
    Command::control("CHECKPOINT"),
    Command::session("CLOSE CURSOR"),
    Command::shared("CLUSTER")
        .code()
        .makes_nothing()
        .rights_first()
        .passing_over_parts(),
    Command::ddl("COMMENT"),
    Command::control("COMMIT"),
    Command::control("COMMIT PREPARED"),
    Command::rows("COPY"),
    Command::ddl("CREATE ACCESS METHOD"),
    Command::ddl("CREATE AGGREGATE"),
    Command::ddl("CREATE CAST"),
    Command::ddl("CREATE COLLATION"),
    Command::ddl("CREATE CONVERSION"),
    Command::shared("CREATE DATABASE"),
    Command::ddl("CREATE DOMAIN"),
    Command::shared("CREATE EVENT TRIGGER"),
    Command::ddl("CREATE EXTENSION"),
    Command::ddl("CREATE FOREIGN DATA WRAPPER"),
    Command::ddl("CREATE FOREIGN TABLE"),
    Command::ddl("CREATE FUNCTION"),
    Command::ddl("CREATE INDEX").code().rights_first(),
    Command::ddl("CREATE LANGUAGE"),
    Command::ddl("CREATE MATERIALIZED VIEW").code(),
    Command::ddl("CREATE OPERATOR"),
    Command::ddl("CREATE OPERATOR CLASS"),
    Command::ddl("CREATE OPERATOR FAMILY"),
    Command::ddl("CREATE POLICY"),
    Command::ddl("CREATE PROCEDURE"),
    Command::ddl("CREATE PUBLICATION"),
    Command::shared("CREATE ROLE"),
    Command::ddl("CREATE RULE"),
    Command::ddl("CREATE SCHEMA").code(),
    Command::ddl("CREATE SEQUENCE"),
    Command::ddl("CREATE SERVER"),
    Command::ddl("CREATE STATISTICS"),
    Command::ddl("CREATE SUBSCRIPTION"),
    // ATTACH PARTITION and PARTITION OF read the default partition.
    Command::ddl("CREATE TABLE").code(),
    Command::ddl("CREATE TABLE AS").code(),
    Command::shared("CREATE TABLESPACE"),
    Command::ddl("CREATE TEXT SEARCH CONFIGURATION"),
    Command::ddl("CREATE TEXT SEARCH DICTIONARY"),
    Command::ddl("CREATE TEXT SEARCH PARSER"),
    Command::ddl("CREATE TEXT SEARCH TEMPLATE"),
    Command::ddl("CREATE TRANSFORM"),
    Command::ddl("CREATE TRIGGER"),
    Command::ddl("CREATE TYPE"),
    Command::ddl("CREATE USER MAPPING"),
    Command::ddl("CREATE VIEW"),
    Command::session("DEALLOCATE"),
    Command::session("DECLARE CURSOR").code(),
    Command::rows("DELETE"),
    Command::session("DISCARD"),
    Command::on("DO", Effect::Code).code(),
    Command::drop("DROP ACCESS METHOD"),
    Command::drop("DROP AGGREGATE"),
    Command::drop("DROP CAST"),
    Command::drop("DROP COLLATION"),
    Command::drop("DROP CONVERSION").from(2607),
    Command::drop("DROP DATABASE").silent().from(1262),
    Command::drop("DROP DOMAIN"),
    Command::drop("DROP EVENT TRIGGER").silent().from(3466),
    Command::drop("DROP EXTENSION"),
    Command::drop("DROP FOREIGN DATA WRAPPER"),
    Command::drop("DROP FOREIGN TABLE"),
    Command::drop("DROP FUNCTION"),
    Command::drop("DROP INDEX"),
    Command::drop("DROP LANGUAGE"),
    Command::drop("DROP MATERIALIZED VIEW"),
    Command::drop("DROP OPERATOR"),
    Command::drop("DROP OPERATOR CLASS"),
    Command::drop("DROP OPERATOR FAMILY"),
    Command::drop("DROP OWNED"),
    Command::drop("DROP POLICY"),
    Command::drop("DROP PROCEDURE"),
    Command::drop("DROP PUBLICATION").from(6104),
    Command::drop("DROP ROLE").silent().from(1260),
    Command::drop("DROP ROUTINE"),
    Command::drop("DROP RULE"),
    Command::drop("DROP SCHEMA"),
    Command::drop("DROP SEQUENCE"),
    Command::drop("DROP SERVER"),
    Command::drop("DROP STATISTICS"),
    Command::drop("DROP SUBSCRIPTION").from(6100),
    Command::drop("DROP TABLE"),
    Command::drop("DROP TABLESPACE").silent().from(1213),
    Command::drop("DROP TEXT SEARCH CONFIGURATION"),
    Command::drop("DROP TEXT SEARCH DICTIONARY"),
    Command::drop("DROP TEXT SEARCH PARSER"),
    Command::drop("DROP TEXT SEARCH TEMPLATE"),
    Command::drop("DROP TRANSFORM"),
    Command::drop("DROP TRIGGER"),
    Command::drop("DROP TYPE"),
    Command::drop("DROP USER MAPPING"),
    Command::drop("DROP VIEW"),
    Command::on("EXECUTE", Effect::Code).code(),
    Command::session("EXPLAIN").code(),
    Command::control("FETCH"),
    Command::ddl("GRANT"),
    Command::shared("GRANT ROLE"),
    Command::ddl("IMPORT FOREIGN SCHEMA"),
    Command::rows("INSERT"),
    Command::control("LISTEN"),
    Command::session("LOAD"),
    Command::control("LOCK TABLE").rights_first(),
    Command::rows("MERGE"),
    Command::control("MOVE"),
    Command::control("NOTIFY"),
    Command::session("PREPARE").code(),
    Command::control("PREPARE TRANSACTION"),
    Command::shared("REASSIGN OWNED"),
    Command::ddl("REFRESH MATERIALIZED VIEW")
        .code()
        .makes_nothing()
        .rights_first(),
    Command::shared("REINDEX")
        .since(17)
        .code()
        .makes_nothing()
        .rights_first(),
    Command::control("RELEASE"),
    Command::control("RESET"),
    Command::ddl("REVOKE"),
    Command::shared("REVOKE ROLE"),
    Command::control("ROLLBACK"),
    Command::control("ROLLBACK PREPARED"),
    Command::control("SAVEPOINT"),
    Command::ddl("SECURITY LABEL"),
    Command::rows("SELECT"),
    Command::ddl("SELECT INTO").code(),
    Command::control("SET"),
    Command::control("SET CONSTRAINTS"),
    Command::control("SHOW"),
    Command::control("START TRANSACTION"),
    Command::shared("TRUNCATE TABLE")
        .code()
        .makes_nothing()
        .rights_first(),
    Command::control("UNLISTEN"),
    Command::rows("UPDATE"),
    Command::shared("VACUUM")
        .code()
        .makes_nothing()
        .passing_over(),
    Command::session("psql"),
];

#[cfg(test)]
mod tests {
    use super::{COMMANDS, Command};

    #[test]
    fn a_tag_has_one_row_and_one_place() {
        for pair in COMMANDS.windows(2) {
            let [a, b] = pair else { continue };
            assert!(a.tag < b.tag, "{} comes before {}", b.tag, a.tag);
        }
    }

    #[test]
    fn a_command_that_is_not_known_may_do_anything() {
        let unknown = Command::of("ALTER MOON");
        assert!(unknown.runs_code && unknown.makes_dependencies && unknown.needs_snapshot);
        assert!(unknown.fires_in(14) && !unknown.refused_before_locking);
    }
}
