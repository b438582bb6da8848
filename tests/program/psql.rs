//! What psql sends is what pgguard sees: random scripts, run with the real psql, and the server is the judge.
//!
//! Each script is a mix of tables that are dropped and of what could hide a DROP. A table that is gone after psql
//! ran, and whose DROP pgguard did not see, is a false green, unless pgguard has a doubt about the script.

use crate::common;
use pgguard::test_support::migration::source::{ReadOptions, read};
use pgguard::test_support::migration::statement::{Body, SourceStatement, statements_in};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

const TABLES: usize = 12;

/// Fragments of scripts; `@` is a DROP of the next table.
#[rustfmt::skip]
const FRAGMENTS: &[&str] = &[
    "SELECT E'a'\n'\\'';';", "SELECT E'a' -- c\n'\\';';", "E'a'\r\n", "U&'a'\n'\\';",
    "@", "@", "@", "@", "@\n", "@\n", "@\r", " ", "\n", "\n", "\r", "\r\n", ";", "\t",
    "-- c", "-- c\n", "-- c\r", "/* c", "*/", "/* /* c */", "--",
    "SELECT 'a';", "'", "''", "\"", "E'\\'", "E'a'\n'\\''", "E'a' -- c\n'\\' '", "U&'\\0041'", "N'\\'", "B'1'", "$$", "$a$", "$1$", "a$b$",
    "(", ")", "SELECT", " 1", ",",
    "COPY k FROM stdin;", "COPY k FROM stdin;\n", "7\n", "\\.\n", "\n\\.\n", "COPY (SELECT 1 FROM stdin) TO stdout;", "COPY stdin TO stdout;\n",
    "COPY k FROM stdin \\;", "COPY k FROM stdin;\n7\n\\.\n", "\\copy k from stdin\n", "\\copy k to '/dev/null'\n", "\\copy (select 1) to pstdout\n",
    "\\echo hi\n", "\\echo hi", "\\echo 'a\\'b'\n", "\\echo 'a", "\\echo `echo hi`\n", "\\\\", "\\", "\\;", "\\:", "\\x\n", "\\timing off\n", "\\nonsense x\n",
    "\\set a 1\n", "\\set a 'b'\n", "\\set q ''''\n", "\\set q '\\''\n", "\\set d $$\n", "\\set c --\n", "\\set AUTOCOMMIT on\n", ":a", ":'a'", ":q", ":d", ":c", ":{?a}", "::int", ":=",
    "\\if true\n", "\\if false\n", "\\if :a\n", "\\if :{?a}\n", "\\elif true\n", "\\elif :zz\n", "\\else\n", "\\endif\n", "\\endif",
    "\\g\n", "\\g /dev/null\n", "\\gx\n", "\\gset\n", "\\gexec\n", "\\gdesc\n", "SELECT 'DROP TABLE ' || 'm1' \\gexec\n", "SELECT 1 AS a \\gset\n", "\\crosstabview\n", "\\r\n", "\\p\n", "\\q\n", "\\q",
    "\\i inner.sql\n", "\\ir inner.sql\n", "\\i quits.sql\n", "\\ir folder/deep.sql\n", "\\i missing.sql\n", "\\i open.sql\n",
    "\\restrict k\n", "\\unrestrict k\n", "\\c -\n", "\\o /dev/null\n", "\\o | cat >/dev/null\n", "\\encoding UTF8\n", "\\prompt 'x' a\n",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END;", "CREATE FUNCTION begin() RETURNS int LANGUAGE sql AS 'select 1';", "CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC", "END;", "BEGIN;", "COMMIT;", "CASE",
    "SET standard_conforming_strings = off;", "SET standard_conforming_strings = off;\n", "SELECT 'a\\'';", "'\\'", "\u{e9}", "\u{feff}",
];

/// Fragments that leave no doubt as they stand: most mixes of these have to be seen exactly.
#[rustfmt::skip]
const PLAIN: &[&str] = &[
    "@", "@", "@", "@\n", "@\n", "@\r", " ", "\n", "\r", "\r\n", ";", "\t", "-- c\n", "-- c\r", "-- ' c\n", "-- \\q\r", "/* c ' */", "/* /* c */ ; */",
    "SELECT 'a;';", "SELECT E'\\';';", "SELECT E'a'\r'\\';';", "SELECT $$;'$$;", "SELECT $a$;$$;$a$;", "SELECT 1 AS a$b;",
    "COPY k FROM stdin;\n7;'\n\\.\n", "COPY k FROM stdin;", "\n7'\n\\.\n", "COPY (SELECT 1 FROM stdin) TO stdout;", "COPY k FROM stdin \\;", "\\copy k from stdin\n7'\n\\.\n", "\\copy k to '/dev/null'\n",
    "\\echo hi\n", "\\echo 'a\\'b;'\n", "\\echo hi \\\\", "\\timing off\n", "\\set a 1\n", "\\set t m11\n", "DROP TABLE :t;\n", "SELECT :'a', :{?t};",
    "\\if true\n", "\\if false\n", "\\elif true\n", "\\else\n", "\\endif\n", "\\g\n", "SELECT 1 AS a \\gset\n", "DROP TABLE m12 \\g /dev/null\n", "\\p\n", "\\r\n",
    "\\i inner.sql\n", "\\ir inner.sql\n", "\\i quits.sql\n", "\\restrict k\n", "\\unrestrict k\n", "\\c -\n", "BEGIN;", "COMMIT;",
];

/// The DROPs of tables that pgguard sees, and whether it has a doubt.
fn seen(found: &[SourceStatement]) -> (BTreeSet<String>, bool) {
    let mut dropped = BTreeSet::new();
    let mut doubt = false;
    for statement in found {
        doubt |= matches!(statement.body, Body::Doubt(_) | Body::Unparsable(_));
        doubt |= statement.doubt.is_some();
        let body = format!("{:?}", statement.body);
        if body.starts_with("Sql(DropStmt") {
            let names = (1..=TABLES).map(|at| format!("m{at}"));
            dropped.extend(names.filter(|name| body.contains(&format!("\"{name}\""))));
        }
    }
    (dropped, doubt)
}

struct Yard {
    database: common::Database,
    begins: BTreeMap<String, String>,
    folder: tempfile::TempDir,
    session: common::Session,
}

impl Yard {
    fn new() -> Self {
        Self::beginning_with(&[])
    }

    /// Its sessions begin with these settings.
    fn beginning_with(settings: &[(&str, &str)]) -> Self {
        let database = common::database();
        for (name, value) in settings {
            let name_of = &database.name;
            database.sql(&format!("ALTER DATABASE {name_of} SET {name} = {value}"));
        }
        let own = |text: &&str| (*text).to_owned();
        let begins = settings.iter().map(|(n, v)| (own(n), own(v))).collect();
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("inner.sql", "DROP TABLE m10;\n");
        write("quits.sql", "\\q\nDROP TABLE m11;\n");
        write("open.sql", "SELECT 1 +\n\\else\n");
        std::fs::create_dir(folder.path().join("folder")).unwrap();
        write("folder/deep.sql", "\\ir ../inner.sql\n\\i inner.sql\n");
        let session = database.session();
        Self {
            database,
            begins,
            folder,
            session,
        }
    }

    /// The tables that are gone after psql ran the script.
    fn gone_after(&mut self, script: &Path) -> BTreeSet<String> {
        for at in 1..=TABLES {
            self.session
                .exec(&format!("CREATE TABLE IF NOT EXISTS m{at} ()"));
        }
        self.session.exec("CREATE TABLE IF NOT EXISTS k (a text)");
        self.session
            .exec("CREATE TABLE IF NOT EXISTS stdin (a int)");
        // Whether it fails is no matter here.
        Command::new("psql")
            .args(["-X", "-q", "-f"])
            .arg(script)
            .arg(self.database.url())
            .current_dir(self.folder.path())
            .env_remove("PGCLIENTENCODING")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("psql runs");
        let left = self.session.query_text(
            "SELECT string_agg(relname, ' ') FROM pg_class WHERE relname ~ '^m[0-9]+$'",
        );
        let left: BTreeSet<&str> = left.split(' ').collect();
        (1..=TABLES)
            .map(|at| format!("m{at}"))
            .filter(|name| !left.contains(name.as_str()))
            .collect()
    }

    /// Whether pgguard has a doubt about a script; an error: it missed something.
    fn compare(&mut self, sql: &str) -> Result<bool, String> {
        let script = self.folder.path().join("script.sql");
        std::fs::write(&script, sql).unwrap();
        let scripts = read(std::slice::from_ref(&script), &ReadOptions::default());
        let gone = self.gone_after(&script);
        let Ok(mut scripts) = scripts else {
            return match gone.is_empty() {
                true => Ok(true),
                false => Err(format!("{gone:?} are gone, and pgguard saw nothing")),
            };
        };
        // psql looks in its working directory, which is not that of this test.
        for path in ["inner.sql", "quits.sql", "open.sql", "folder/deep.sql"] {
            let text = std::fs::read_to_string(self.folder.path().join(path)).unwrap();
            scripts[0].sender.included.insert(path.to_owned(), Ok(text));
        }
        let (dropped, doubt) = seen(&statements_in(&scripts, &self.begins));
        let missed: Vec<_> = gone.difference(&dropped).collect();
        match missed.is_empty() || doubt {
            true => Ok(doubt),
            false => Err(format!("{missed:?} are gone, and pgguard saw {dropped:?}")),
        }
    }
}

fn script_of(fragments: &[&str]) -> String {
    let mut next = 0;
    let mut text = String::new();
    for fragment in fragments {
        for (at, part) in fragment.split('@').enumerate() {
            if at > 0 {
                next = next % 9 + 1;
                write!(text, "DROP TABLE m{next};").unwrap();
            }
            text.push_str(part);
        }
    }
    text
}

/// Runs random mixes of these; says how many are doubted, of how many.
fn mixes(of: &'static [&'static str], at_most: usize, yard: Yard) -> (u32, u32) {
    let cases = std::env::var("PGGUARD_PSQL_CASES").ok();
    let config = ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 400,
        ..ProptestConfig::with_cases(cases.as_ref().and_then(|n| n.parse().ok()).unwrap_or(150))
    };
    let mut runner = TestRunner::new(config);
    let yard = std::cell::RefCell::new(yard);
    let counts = std::cell::Cell::new((0, 0));
    let fragments = prop::collection::vec(prop::sample::select(of.to_vec()), 1..at_most);
    let agree = |fragments: Vec<&'static str>| {
        let sql = script_of(&fragments);
        match yard.borrow_mut().compare(&sql) {
            Ok(doubt) => {
                let (doubts, all) = counts.get();
                counts.set((doubts + u32::from(doubt), all + 1));
                Ok(())
            }
            Err(why) => Err(TestCaseError::fail(format!("{why}:\n{sql:?}"))),
        }
    };
    runner.run(&fragments, agree).unwrap();
    counts.get()
}

#[test]
fn what_psql_sends_is_seen_or_doubted() {
    mixes(FRAGMENTS, 10, Yard::new());
}

/// Fragments that a backslash in a plain string moves.
#[rustfmt::skip]
const ESCAPES: &[&str] = &[
    "@", "@", "@\n", "@\n", " ", "\n", ";", "-- c\n", "'", "'", "''", "\\'", "'\\'", "SELECT 'a\\'';", "SELECT 'a\\\\';", "SELECT E'a\\'';", "SELECT 'a'\n'\\'';",
    "SET standard_conforming_strings = on;", "SET standard_conforming_strings = on;\n", "SET standard_conforming_strings = off;", "RESET standard_conforming_strings;\n", "RESET ALL;\n", "BEGIN;", "SET LOCAL standard_conforming_strings = on;\n", "ROLLBACK;", "COMMIT;\n", "\\c -\n",
    "\\i inner.sql\n", "SELECT 1 \\;", "DO $$ BEGIN PERFORM 'a\\''; DROP TABLE m11; --'; \n END $$;",
];

#[test]
fn where_strings_begin_with_escapes_every_statement_is_seen_or_doubted() {
    let off = &[("standard_conforming_strings", "off")];
    mixes(ESCAPES, 10, Yard::beginning_with(off));
    mixes(FRAGMENTS, 10, Yard::beginning_with(off));
}

#[test]
fn plain_scripts_are_seen_exactly() {
    let (doubts, all) = mixes(PLAIN, 12, Yard::new());
    assert!(doubts * 2 < all, "{doubts} of {all} scripts are doubted");
}

#[test]
fn what_hides_a_statement_is_seen_or_doubted() {
    // cases/safety/02, 02b
    let mut yard = Yard::new();
    for sql in [
        "COPY k FROM stdin; DROP TABLE m1;\n7\n\\.\n",
        "COPY (SELECT 1 FROM stdin) TO STDOUT;\nDROP TABLE m1;\n\\.\n",
        "SET standard_conforming_strings = off;\nSELECT 'a\\''; DROP TABLE m1; --';\n",
        "SELECT set_config('standard_conforming_strings', 'off', false);\nSELECT 'a\\''; DROP TABLE m1; --';\n",
        "SELECT 1; -- harmless\rDROP TABLE m1;\n",
        "SELECT 'a' -- c\r'b'; DROP TABLE m1;\n",
        "SELECT 1 /* c */; --\rDROP TABLE m1; --\n",
        "-- Add an index\rCREATE INDEX ON k(a);\rDROP TABLE m1;\r",
        "\\echo hi \\g\nDROP TABLE m1 \\echo hi \\g\n",
        "DROP TABLE m1 \\echo 'a\\' \\echo b' \\g\n",
        "\\restrict k\n\\q\nDROP TABLE m1;\n",
        "SELECT 1 AS a \\gset\nDROP TABLE m:a;\n",
        "\\set q ''''\nSELECT :q ' ; DROP TABLE m1; --';\n",
        "DROP TABLE\n\\echo hi\nm1;\n",
        "DROP TABLE m1\\g\n",
        "\\if true\nDROP TABLE m1;\n\\else\n\\endif\n",
        "\\if :unknown\n\\else\nDROP TABLE m1;\n\\endif\n",
        "\\i inner.sql\n",
        "SELECT 1 +\n\\i inner.sql\n1;\n",
        "SELECT E'a'\n'\\'; DROP TABLE m1; --';\n",
        "SELECT E'a' -- c\n'\\'; DROP TABLE m1; --';\n",
        "SELECT E'a'\r\n'\\'; DROP TABLE m1; --';\n",
        "SELECT E'a'\r'\\'; SELECT '; DROP TABLE m1; --';\n",
        "\\set t m1\nSELECT E'a'\n'\\', :'t'; DROP TABLE :t; --';\n",
        "\\i quits.sql\nDROP TABLE m1;\n",
        "DROP TABLE m1 \\q\n",
        "COPY k FROM stdin; SELECT '\n7\n\\.\n'; DROP TABLE m1;\n",
    ] {
        let gone = yard.compare(sql);
        assert!(gone.is_ok(), "{sql:?}: {gone:?}");
    }
}

#[test]
fn what_is_plain_is_not_doubted() {
    // cases/migrations/05
    let mut yard = Yard::new();
    for sql in [
        "\\set ON_ERROR_STOP on\n\\timing on\n\\pset pager off\n\\echo adding\nDROP TABLE m1;\n",
        "\\restrict k\nDROP TABLE m1;\n\\unrestrict k\n",
        "\\set t m1\nDROP TABLE :t;\nDROP TABLE :\"t\";\n",
        "\\if false\nDROP TABLE m1;\n\\else\nDROP TABLE m2;\n\\endif\n",
        "\\set x 1\n\\if :x\nDROP TABLE m1;\n\\endif\n",
        "COPY k FROM stdin;\n7;\t'\n\\.\nDROP TABLE m1;\n",
        "\\copy k from stdin\n7;\t'\n\\.\nDROP TABLE m1;\n",
        "\\copy (select 1) to '/dev/null' csv header\nDROP TABLE m1;\n",
        "\\i inner.sql\n\\ir folder/../inner.sql\nDROP TABLE m1;\n\\q\nDROP TABLE m2;\n",
        "DROP TABLE m1\n\\g\n",
        "\\conninfo\n\\encoding UTF8\n\\x\n\\o /dev/null\nSELECT 1;\n\\o\n",
    ] {
        assert_eq!(yard.compare(sql), Ok(false), "{sql:?}");
    }
}
