//! Nobody else's code runs with the rights of the role that looks (cases/safety/01), and no question of ours waits
//! for a locked catalog without end (cases/safety/05).

use crate::common::{self, Database, pgguard, until};
use pgguard::test_support::throwaway::Options;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every word that stands before a parenthesis in our SQL, whichever file it is in.
fn functions_that_we_name() -> BTreeSet<String> {
    let mut texts = Vec::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut texts,
    );
    let mut names = BTreeSet::new();
    for text in texts {
        for (at, _) in text.match_indices('(') {
            let before = text[..at].trim_end_matches(' ');
            let word: String = before
                .chars()
                .rev()
                .take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_')
                .collect();
            names.insert(word.chars().rev().collect());
        }
    }
    names.retain(|name: &String| name.len() > 2);
    names
}

fn collect(folder: &Path, texts: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path: PathBuf = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, texts);
        } else if path
            .extension()
            .is_some_and(|ending| ending == "sql" || ending == "rs")
        {
            texts.push(fs::read_to_string(path).expect("a source"));
        }
    }
}

/// Look-alikes in a schema: of each function that we name one for each of its forms with other argument types, of each
/// operator of pg_catalog one for each pair of usual types that it lacks, of each view and table of pg_catalog one
/// that calls the trap, and types of the usual names. Whatever runs one leaves a line in the server's log.
fn plant(schema: &str) -> String {
    let names: Vec<String> = functions_that_we_name().into_iter().collect();
    format!(
        r#"
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE FUNCTION {schema}.trap(what text) RETURNS text LANGUAGE plpgsql AS
  $$ BEGIN RAISE LOG 'PGGUARD-TRAP %', what; RETURN what; END $$;
-- The planter does not fall into what it plants.
SET search_path = pg_catalog;
DO $plant$
DECLARE
    types text[] := '{{bool,int2,int4,int8,oid,text,name,varchar,numeric,float8,timestamptz,interval,"char",xid,regclass,int4[],oid[],text[],name[],json}}';
    f record; l text; r text; i int := 0; o record; args text[]; n int;
BEGIN
    -- operators
    FOR o IN SELECT DISTINCT oprname, oprresult = 'bool'::regtype AS compares FROM pg_operator WHERE oprkind = 'b'
                AND oprname IN ('=', '<>', '<', '>', '<=', '>=', '+', '-', '*', '/', '%', '||', '~', '~~', '~~*', '!~', '!~~', '->', '->>', '&&', '@>') LOOP
        FOREACH l IN ARRAY types LOOP FOREACH r IN ARRAY types LOOP
            CONTINUE WHEN to_regoperator(format('pg_catalog.%s(%s,%s)', o.oprname, l, r)) IS NOT NULL;
            i := i + 1;
            BEGIN
                EXECUTE format($f$CREATE FUNCTION {schema}.trap_%s(%s, %s) RETURNS %s LANGUAGE plpgsql AS
                    'BEGIN RAISE LOG ''PGGUARD-TRAP operator %s''; RETURN NULL; END'$f$,
                    i, l, r, CASE WHEN o.compares THEN 'bool' ELSE l END, replace(o.oprname, '%', '%%'));
                EXECUTE format('CREATE OPERATOR {schema}.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = {schema}.trap_%s)', o.oprname, l, r, i);
            EXCEPTION WHEN OTHERS THEN NULL;
            END;
        END LOOP; END LOOP;
    END LOOP;
    -- functions: the same forms, and those with another type at each place
    FOR f IN SELECT proname, pronargs, proargtypes::oid[] AS types, prorettype FROM pg_proc
              WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY ('{{{names}}}') AND prokind = 'f' AND pronargs BETWEEN 1 AND 4 LOOP
        FOR n IN 0 .. f.pronargs LOOP
            FOREACH l IN ARRAY types LOOP
                SELECT array_agg(CASE WHEN place = n OR kind::regtype::text LIKE 'any%' THEN l ELSE format_type(kind, NULL) END ORDER BY place)
                  INTO args FROM unnest(f.types) WITH ORDINALITY AS a (kind, place);
                BEGIN
                    EXECUTE format($f$CREATE FUNCTION {schema}.%I(%s) RETURNS %s LANGUAGE plpgsql AS
                        'BEGIN RAISE LOG ''PGGUARD-TRAP function %s''; RETURN NULL; END'$f$,
                        f.proname, array_to_string(args, ', '),
                        CASE WHEN f.prorettype::regtype::text LIKE 'any%' THEN l ELSE format_type(f.prorettype, NULL) END, f.proname);
                EXCEPTION WHEN OTHERS THEN NULL;
                END;
                EXIT WHEN n = 0;
            END LOOP;
        END LOOP;
    END LOOP;
    -- aggregates over the usual types
    FOREACH l IN ARRAY types LOOP
        BEGIN
            EXECUTE format($f$CREATE FUNCTION {schema}.agg_step(text[], %s) RETURNS text[] LANGUAGE plpgsql AS
                'BEGIN RAISE LOG ''PGGUARD-TRAP aggregate''; RETURN NULL; END'$f$, l);
            FOREACH r IN ARRAY '{{array_agg,json_agg,bool_or,count,max,min,string_agg,sum}}'::text[] LOOP
                BEGIN
                    EXECUTE format('CREATE AGGREGATE {schema}.%I(%s) (SFUNC = {schema}.agg_step, STYPE = text[], INITCOND = ''{{{{}}}}'')', r, l);
                EXCEPTION WHEN OTHERS THEN NULL;
                END;
            END LOOP;
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
    -- relations, and types under the usual names
    FOR o IN SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v') LOOP
        BEGIN
            EXECUTE format('CREATE VIEW {schema}.%I AS SELECT *, {schema}.trap(%L) AS trap FROM pg_catalog.%I',
                           o.relname, 'relation ' || o.relname, o.relname);
        EXCEPTION WHEN OTHERS THEN NULL; -- a column of a pseudo-type
        END;
    END LOOP;
    FOREACH l IN ARRAY '{{text,name,oid,int8,int4,float8,numeric,interval,timestamptz,regclass,bool}}'::text[] LOOP
        EXECUTE format('CREATE DOMAIN {schema}.%I AS pg_catalog.%I CHECK ({schema}.trap(%L) IS NOT NULL)', l, l, 'type ' || l);
    END LOOP;
END $plant$;"#,
        names = names.join(",")
    )
}

#[test]
fn nothing_that_others_planted_runs_with_our_rights() {
    for major in common::majors() {
        let options = Options::major(major).setting("max_prepared_transactions", "5");
        let server = common::own_server(&options);
        let database = Database::empty(server);
        database.sql("CREATE TABLE orders (id int PRIMARY KEY); CREATE TABLE schema_migrations (version varchar PRIMARY KEY); \
             CREATE TABLE knex_migrations_lock (index int, is_locked int); INSERT INTO knex_migrations_lock VALUES (1, 1); \
             CREATE TABLE django_migrations (applied timestamptz); INSERT INTO django_migrations VALUES (now())");
        database.sql(&plant("public"));
        // "$user" comes before public.
        database.sql(&plant("postgres"));
        let name = database.sql("SELECT pg_catalog.current_database()");
        let traps = || {
            let log = server.log();
            log.lines()
                .filter(|line| line.contains("PGGUARD-TRAP") && !line.contains("RAISE"))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        // The look-alikes work: what we would have asked without a path of ours runs one.
        database.sql("SELECT extract(epoch FROM interval '1 s') * 1000");
        until("the trap is in the log", || !traps().is_empty());
        let before = traps().len();

        for path in ["\"$user\", public", "public, postgres, pg_catalog"] {
            database.sql(&format!(
                "ALTER DATABASE {} SET search_path = {path}",
                name.trim()
            ));
            let mut reader = database.session_named("reader");
            reader.exec("BEGIN; LOCK TABLE public.orders IN ACCESS SHARE MODE");
            try_all(&database, major);
            reader.exec("ROLLBACK");
            reader.close();
            let ran: BTreeSet<String> = traps().split_off(before).into_iter().collect();
            assert!(
                ran.is_empty(),
                "Postgres {major}, search_path {path}: {ran:#?}"
            );
        }
    }
}

/// Every command that asks a server something.
fn try_all(database: &Database, major: u32) {
    let url = database.url();
    let folder = tempfile::tempdir().expect("a folder");
    let migrations = folder.path().join("migrations");
    fs::create_dir(&migrations).expect("a folder");
    let file = migrations.join("20240101000000_note.sql");
    fs::write(
        &file,
        "-- migrate:up\nALTER TABLE public.orders ADD COLUMN note text;\n-- migrate:down\n",
    )
    .expect("a file");
    let (file, migrations) = (file.display().to_string(), migrations.display().to_string());
    let history = url.clone();
    let mut runs: Vec<(Vec<&str>, i32)> = vec![
        (vec!["gate", "-d", &url, "--patience", "0s", &file], 1),
        (
            vec![
                "gate",
                "-d",
                &url,
                "--patience",
                "0s",
                "--tool",
                "dbmate",
                &migrations,
            ],
            1,
        ),
        (vec!["gate", "-d", &url, "--patience", "0s"], 1),
        (vec!["explain", "-d", &url, &file], 0),
        (vec!["status", "-d", &url, "--sample"], 0),
        (vec!["doctor", "-d", &url, "--no-history"], -2),
        (
            vec![
                "doctor",
                "-d",
                &url,
                "--no-history",
                "--migrations",
                &migrations,
            ],
            -2,
        ),
        (vec!["backups", "init", "--history", &history], 0),
        (vec!["backups", "-d", &url, "--history", &history], 0),
        (vec!["status", "-d", &url, "--history", &history], 0),
        (vec!["kill", "-d", &url, "--blocking", &file], -2),
    ];
    for mode in [
        "connection",
        "locks",
        "migration",
        "leftovers",
        "backup-running",
        "backup-missing",
        "oldest-transaction",
    ] {
        runs.push((vec!["check", "-d", &url, "-m", mode], -2));
    }
    for (arguments, status) in runs {
        let told = pgguard(&arguments);
        assert_ne!(told.status, 101, "{arguments:?} on {major}: {told}");
        if status >= 0 {
            assert_eq!(told.status, status, "{arguments:?} on {major}: {told}");
        }
    }
}

#[test]
fn a_locked_catalog_leaves_no_session_of_ours_behind() {
    let majors = common::majors();
    for major in [majors[0], *majors.last().expect("a server")] {
        let server = common::own_server(&Options::major(major));
        let database = Database::empty(server);
        for catalog in [
            "pg_proc",
            "pg_type",
            "pg_namespace",
            "pg_statistic",
            "pg_rewrite",
            "pg_operator",
            "pg_depend",
        ] {
            let mut holder = database.session_named("holder");
            holder.exec(&format!(
                "BEGIN; LOCK TABLE pg_catalog.{catalog} IN ACCESS EXCLUSIVE MODE"
            ));
            let mut running: Vec<_> = (0..3)
                .map(|_| {
                    common::pgguard_command()
                        .args([
                            "check",
                            "-d",
                            &database.url(),
                            "-m",
                            "connection",
                            "-t",
                            "2",
                        ])
                        .stdout(std::process::Stdio::null())
                        .spawn()
                        .expect("pgguard starts")
                })
                .collect();
            for child in &mut running {
                child.wait().expect("it ends");
            }
            // While the catalog is still locked, nobody of ours may stay. The view needs catalogs that are not locked:
            // the processes themselves tell.
            until(
                &format!("no session is left behind {catalog} on {major}"),
                || waiting_backends(&server.data_dir()) == 0,
            );
            holder.exec("ROLLBACK");
            holder.close();
        }
    }
}

/// Server processes that wait for a lock, by their titles.
fn waiting_backends(data: &Path) -> usize {
    let pid = fs::read_to_string(data.join("postmaster.pid")).expect("a running server");
    let postmaster = pid.lines().next().expect("its pid").to_owned();
    let listing = std::process::Command::new("ps")
        .args(["--ppid", &postmaster, "-o", "args"])
        .output()
        .expect("ps");
    String::from_utf8_lossy(&listing.stdout)
        .lines()
        .filter(|line| line.trim_end().ends_with("waiting"))
        .count()
}
