//! What commands do besides sending one statement after the other, and how a rehearsal is asked for.

use crate::common::{self, Outcome};
use crate::production::Production;
use std::path::Path;
use std::process::Command;

fn rehearse(production: &Production, flags: &[&str], script: &str) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    rehearse_in(folder.path(), production, flags, script)
}

fn rehearse_in(folder: &Path, production: &Production, flags: &[&str], script: &str) -> Outcome {
    let url = production.url();
    let before = ["rehearse", "-d", &url];
    let arguments = [&before[..], flags, &["--", "sh", "-c", script]].concat();
    production.pgguard(folder, &arguments)
}

fn first() -> Production {
    Production::on(common::majors()[0])
}

#[test]
fn what_sessions_begin_with_is_set_in_the_script() {
    let mut modes = std::collections::BTreeSet::new();
    for major in common::majors() {
        let production = Production::on(major);
        let url = production.url();
        let options =
            "PGOPTIONS='-c lock_timeout=1234ms --search-path=public,pg_catalog -c work_mem=8MB'";
        for mode in ["disable", "require"] {
            let script = format!(
                "{options} PGSSLMODE={mode} psql -X -q '{url}' -c 'ALTER TABLE orders ADD COLUMN x int'
                 psql -X -q '{url}' -c 'ALTER TABLE orders ADD COLUMN y int'"
            );
            let told = production.rehearse(&script);
            // Some fetched psql speak no TLS.
            if told.stderr.contains("SSL support is not compiled in") {
                continue;
            }
            modes.insert(mode);
            assert_eq!(told.status, 0, "{major} {mode}: {told}");
            let begin = "\nSET lock_timeout = '1234ms';\n\
                         -- pgguard: measured nothing\n\
                         SELECT pg_catalog.set_config('search_path', 'public,pg_catalog', false);\n\n\
                         -- pgguard: measured ACCESS EXCLUSIVE on public.orders\nALTER TABLE orders ADD COLUMN x int;\n\n\
                         \\connect -\n\n-- pgguard: measured ACCESS EXCLUSIVE on public.orders\nALTER TABLE orders ADD COLUMN y int;";
            assert!(told.stdout.contains(begin), "{major} {mode}: {told}");
        }
        production.is_untouched();
    }
    assert_eq!(modes.len(), 2, "{modes:?}");
}

/// Both directions, more than fits into any buffer.
#[test]
fn tls_carries_as_much_as_there_is() {
    let production = first();
    let script = "export PGSSLMODE=require
         { echo \"SELECT length('\"; head -c 3000000 /dev/zero | tr '\\0' x; echo \"');\"; } | psql -X -q -At 'URL' >length
         grep -q 3000001 length && echo sent >&2
         psql -X -q -At 'URL' -c \"SELECT repeat('y', 3000000)\" | wc -c >&2"
        .replace("URL", &production.url());
    let told = production.rehearse(&script);
    assert!(told.stderr.contains("sent\n"), "{told}");
    assert!(told.stderr.contains("3000001"), "{told}");
    production.is_untouched();
}

#[test]
fn a_file_is_gated_until_other_migrations_are_applied() {
    let production = first();
    let folder = tempfile::tempdir().expect("a folder");
    let script = format!(
        "psql -X -q '{}' -c 'ALTER TABLE orders ADD COLUMN x int'",
        production.url()
    );
    let told = rehearse_in(folder.path(), &production, &["-o", "new.sql"], &script);
    assert_eq!(told.status, 0, "{told}");
    let url = production.url();
    let gate = || production.pgguard(folder.path(), &["gate", "-d", &url, "new.sql"]);
    let clear = gate();
    assert_eq!(clear.status, 0, "{clear}");
    production
        .shop
        .sql("INSERT INTO schema_migrations VALUES ('2')");
    let moved = gate();
    assert_eq!(moved.status, 2, "{moved}");
    assert!(
        moved
            .stdout
            .contains("public.schema_migrations has other rows"),
        "{moved}"
    );
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|found| found.uid() == 0)
}

/// An extension that the installation here lacks: its name is one that nobody has.
#[test]
fn an_extension_that_is_missing_is_named_unless_nothing_needs_it() {
    let available = "SELECT count(*) FROM pg_available_extensions WHERE name = 'citext'";
    let has_it = |production: &Production| production.shop.sql(available).trim() == "1";
    let rename = "UPDATE pg_extension SET extname = 'nobody_has_it' WHERE extname = 'citext'";
    let run = |sql: &str| {
        let production = Production::with(common::majors()[0], "");
        if !has_it(&production) {
            println!("skipped: no citext here");
            return None;
        }
        production.shop.sql(sql);
        production.shop.sql(rename);
        let url = production.url();
        Some(production.rehearse(&format!(
            "psql -X -q '{url}' -c 'ALTER TABLE orders ADD COLUMN x int'"
        )))
    };
    let Some(unused) = run("CREATE EXTENSION citext") else {
        return;
    };
    assert_eq!(unused.status, 0, "{unused}");
    let used = run(
        "CREATE EXTENSION citext; CREATE TABLE uses (x citext); GRANT SELECT ON uses TO PUBLIC",
    )
    .expect("there");
    assert_eq!(used.status, 2, "{used}");
    for part in ["the extension nobody_has_it", "PGGUARD_PG_BIN"] {
        assert!(used.stderr.contains(part), "{used}");
    }
}

#[test]
fn an_ordinary_user_rehearses() {
    if !is_root() {
        return;
    }
    let production = first();
    let url = production.url();
    let script = format!("psql -X -q '{url}' -c 'ALTER TABLE orders ADD COLUMN x int'");
    let inner = production.command(&["rehearse", "-d", &url, "--", "sh", "-c", &script]);
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(inner.get_program())
        .args(inner.get_args())
        .env_clear()
        .envs(
            inner
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("PGGUARD_PG_BIN", production.shop.server.bin(""))
        .current_dir("/tmp");
    let told = common::run_with_input(command, "");
    assert_eq!(told.status, 0, "{told}");
    assert!(
        told.stdout.contains("ALTER TABLE orders ADD COLUMN x int;"),
        "{told}"
    );
    production.is_untouched();
}

#[test]
fn a_schema_is_completed_by_a_command_first() {
    let production = first();
    let url = production.url();
    let psql = |sql: &str| format!("psql -X -q -v ON_ERROR_STOP=1 '{url}' -c '{sql}'");
    let prepare = psql("CREATE TABLE prepared (id int)");
    let command = psql("ALTER TABLE prepared ADD COLUMN x int");
    let told = rehearse(&production, &["--prepare", &prepare], &command);
    assert_eq!(told.status, 0, "{told}");
    assert!(!told.stdout.contains("CREATE TABLE prepared"), "{told}");
    assert!(told.stdout.contains("ALTER TABLE prepared"), "{told}");
    let fails = rehearse(&production, &["--prepare", "exit 3"], &command);
    assert_eq!(fails.status, 2, "{fails}");
    assert!(fails.stderr.contains("--prepare"), "{fails}");
    production.is_untouched();
}

#[test]
fn a_further_database_is_copied_and_its_changes_are_a_doubt() {
    let production = first();
    let other = Production::on(common::majors()[0]);
    let (url, other_url) = (production.url(), other.url());
    let script = format!(
        "psql -X -q '{url}' -c 'ALTER TABLE orders ADD COLUMN x int' &&
         psql -X -q '{other_url}' -c 'ALTER TABLE products ADD COLUMN y int'"
    );
    let also = ["--also", &other.shop.name];
    let told = rehearse(&production, &also, &script);
    assert_eq!(told.status, 0, "{told}");
    assert!(
        told.stdout.contains("ADD COLUMN x") && told.stdout.contains("ADD COLUMN y"),
        "{told}"
    );
    let gate = production.gate_rehearsed(&script, &also);
    assert_eq!(gate.status, 2, "{gate}");
    assert!(gate.stdout.contains("also changes the database"), "{gate}");
    production.is_untouched();
    other.is_untouched();
}

#[test]
fn unconfined_the_environment_leads_to_the_copy() {
    let production = first();
    let script = "psql -X -q \"$DATABASE_URL\" -c 'ALTER TABLE orders ADD COLUMN x int' &&
                  psql -X -q -c 'ALTER TABLE orders ADD COLUMN y int'";
    let told = rehearse(&production, &["--unconfined"], script);
    assert_eq!(told.status, 0, "{told}");
    for column in ["x", "y"] {
        let sql = format!("ALTER TABLE orders ADD COLUMN {column} int;");
        assert!(told.stdout.contains(&sql), "{told}");
    }
    production.is_untouched();
}

/// An extension of the company's own, which only production's machine has.
#[test]
fn an_extension_that_this_machine_lacks_is_named() {
    let Some(major) = common::majors().into_iter().find(|major| *major >= 18) else {
        return;
    };
    let folder = tempfile::tempdir_in("/tmp").expect("a folder");
    let open = |path: &Path| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("set");
    };
    let own = folder.path().join("extension");
    std::fs::create_dir(&own).expect("made");
    let write = |name: &str, text: &str| std::fs::write(own.join(name), text).expect("written");
    write(
        "shop_tools.control",
        "default_version = '1'\nrelocatable = true\n",
    );
    write(
        "shop_tools--1.sql",
        "CREATE DOMAIN percent AS int CHECK (VALUE BETWEEN 0 AND 100);",
    );
    open(folder.path());
    open(&own);
    let production = Production::with(
        major,
        &format!(
            "SET extension_control_path = '{}:$system'; CREATE EXTENSION shop_tools;
             CREATE TABLE discounts (off percent); GRANT SELECT ON discounts TO PUBLIC",
            folder.path().display()
        ),
    );
    let told = production.rehearse("exit 0");
    assert_eq!(told.status, 2, "{told}");
    for part in ["the extension shop_tools", "PGGUARD_PG_BIN"] {
        assert!(told.stderr.contains(part), "{told}");
    }
    production.is_untouched();
}

#[test]
fn what_a_pipeline_sends_is_captured() {
    let production = first();
    let url = production.url();
    let script = format!(
        "echo 'ALTER TABLE orders ADD COLUMN x int' | psql -X -q '{url}' | cat
         psql -X -q -At '{url}' -c \"SELECT 'ALTER TABLE ' || 'products ADD COLUMN y int'\" | psql -X -q '{url}'
         psql -X -q '{url}' -c 'ALTER TABLE customers ADD COLUMN z int' & wait"
    );
    let told = rehearse(&production, &[], &script);
    assert_eq!(told.status, 0, "{told}");
    for sql in [
        "orders ADD COLUMN x",
        "products ADD COLUMN y",
        "customers ADD COLUMN z",
    ] {
        assert!(told.stdout.contains(sql), "{sql}: {told}");
    }
    production.is_untouched();
}

/// `db:reset` and kin: what is done to whole databases is done from another one.
#[test]
fn databases_that_are_made_and_dropped_are_no_green_gate() {
    let production = first();
    let server = production.shop.server.port();
    let name = &production.shop.name;
    let as_postgres = |database: &str, sql: &str| {
        format!("psql -X -q postgres://postgres:any@127.0.0.1:{server}/{database} -c '{sql}'\n")
    };
    let makes = as_postgres("postgres", "CREATE DATABASE made_by_it")
        + &as_postgres("made_by_it", "CREATE TABLE new (id int)")
        + &as_postgres(name, "ALTER TABLE orders ADD COLUMN x int")
        + &as_postgres("postgres", "DROP DATABASE made_by_it");
    let told = rehearse(&production, &[], &makes);
    assert_eq!(told.status, 0, "{told}");
    for sql in [
        "CREATE DATABASE made_by_it;",
        "DROP DATABASE made_by_it;",
        "ALTER TABLE orders",
    ] {
        assert!(told.stdout.contains(sql), "{sql}: {told}");
    }
    let resets = as_postgres("postgres", &format!("DROP DATABASE {name}"))
        + &as_postgres("postgres", &format!("CREATE DATABASE {name}"));
    let told = rehearse(&production, &[], &resets);
    assert_eq!(told.status, 0, "{told}");
    assert!(
        told.stdout.contains(&format!("DROP DATABASE {name};")),
        "{told}"
    );
    production.shop.sql("GRANT pg_monitor TO deploy");
    let mut used = production.session();
    used.query_text("SELECT 1");
    let gate = production.gate_rehearsed(&resets, &["--patience", "0s"]);
    assert_eq!(gate.status, 1, "{gate}");
    // Another database of production's that nobody named.
    let other = as_postgres("postgres", "CREATE TABLE left_there (id int)")
        + &as_postgres(name, "ALTER TABLE orders ADD COLUMN x int");
    let gate = production.gate_rehearsed(&other, &[]);
    assert_eq!(gate.status, 2, "{gate}");
    assert!(
        gate.stdout.contains("also changes the database postgres"),
        "{gate}"
    );
    production.is_untouched();
}

#[test]
fn backends_that_it_ends_are_the_copys() {
    let production = first();
    let mut bystander = production.session();
    let own = bystander.query_text("SELECT pg_backend_pid()");
    let url = production.url();
    let script = format!(
        "(echo 'SELECT pg_sleep(600);') | psql -X -q '{url}' & sleep 0.5
         psql -X -q '{url}' -c 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = current_user'
         psql -X -q '{url}' -c 'ALTER TABLE orders ADD COLUMN x int'"
    );
    let told = rehearse(&production, &[], &script);
    assert_eq!(told.status, 0, "{told}");
    assert!(told.stdout.contains("pg_terminate_backend"), "{told}");
    assert_eq!(bystander.query_text("SELECT pg_backend_pid()"), own);
    // Which sessions it would end on production, the copy does not tell.
    let gate = production.gate_rehearsed(&script, &[]);
    assert_eq!(gate.status, 2, "{gate}");
    assert!(
        gate.stdout.contains("reads rows of pg_stat_activity"),
        "{gate}"
    );
    production.is_untouched();
}

/// The command waits for itself: the time ends it, and it is no answer.
#[test]
fn a_command_that_waits_for_itself_is_no_answer() {
    let production = first();
    let url = production.url();
    let script = format!(
        "(echo 'BEGIN; LOCK TABLE orders;'; sleep 600) | psql -X -q '{url}' & sleep 0.5
         psql -X -q '{url}' -c 'ALTER TABLE orders ADD COLUMN x int'"
    );
    let told = rehearse(&production, &["--command-timeout", "3s"], &script);
    assert_eq!(told.status, 2, "{told}");
    assert!(told.stderr.contains("wait for itself"), "{told}");
    production.is_untouched();
}

/// (what psql is given, what the script has)
const KINDS: &[(&str, &str)] = &[
    (
        "BEGIN;\nALTER TABLE orders ADD COLUMN a int;\nROLLBACK;\nALTER TABLE orders ADD COLUMN b int;",
        "ALTER TABLE orders ADD COLUMN a int;\nROLLBACK;",
    ),
    (
        "ALTER TABLE orders ADD COLUMN a int\\; ALTER TABLE products ADD COLUMN b int;",
        "BEGIN;\n-- pgguard: measured ACCESS EXCLUSIVE on public.orders\nALTER TABLE orders ADD COLUMN a int;\n\
         -- pgguard: measured ACCESS EXCLUSIVE on public.products\nALTER TABLE products ADD COLUMN b int;\nCOMMIT;",
    ),
    (
        "ALTER TABLE orders ADD COLUMN a int;\nCOPY schema_migrations FROM STDIN;\n7\n\\.\nALTER TABLE orders ADD COLUMN b int;",
        "COPY schema_migrations FROM STDIN;\n\\.\n",
    ),
    (
        "ALTER TABLE orders ADD COLUMN a int;\nSELECT pg_sleep(0.01);",
        "SELECT pg_sleep(0.01);",
    ),
    (
        "ALTER TABLE orders ADD COLUMN id int;\nALTER TABLE orders ADD COLUMN b int;",
        "-- pgguard: refused there: column \"id\" of relation \"orders\" already exists (42701)\n\
         ALTER TABLE orders ADD COLUMN id int;",
    ),
    (
        "ALTER TABLE orders ADD COLUMN a int;\nSELECT pg_terminate_backend(pg_backend_pid());",
        "SELECT pg_terminate_backend(pg_backend_pid());",
    ),
];

#[test]
fn whatever_is_sent_is_in_the_script() {
    for major in common::majors() {
        let production = Production::on(major);
        let url = production.url();
        for (sql, expected) in KINDS {
            let script = format!("psql -X -q '{url}' <<'SQL'\n{sql}\nSQL\nexit 0");
            let told = production.rehearse(&script);
            assert_eq!(told.status, 0, "{major} {sql}: {told}");
            assert!(told.stdout.contains(expected), "{major} {sql}: {told}");
        }
        production.is_untouched();
    }
}

/// A statement that the server refuses has waited for its lock first.
#[test]
fn what_was_refused_asks_for_its_locks_all_the_same() {
    let production = first();
    let url = production.url();
    let script = format!(
        "psql -X -q '{url}' -c 'ALTER TABLE orders ADD COLUMN id int'
         psql -X -q '{url}' -c 'ALTER TABLE products ADD COLUMN b int'"
    );
    let gate = || production.gate_rehearsed(&script, &["--patience", "0s"]);
    let clear = gate();
    assert_eq!(clear.status, 0, "{clear}");
    let mut holder = production.session();
    holder.begin_and_lock("orders", "ROW EXCLUSIVE");
    let blocked = gate();
    assert_eq!(blocked.status, 1, "{blocked}");
    production.is_untouched();
}

#[test]
fn what_only_a_superuser_may_do_is_refused_on_the_copy() {
    let production = first();
    let url = production.url();
    for sql in [
        "COPY schema_migrations FROM '/etc/hostname'",
        "CREATE DATABASE another",
        "ALTER SYSTEM SET fsync = off",
        "SET SESSION AUTHORIZATION postgres",
    ] {
        let told = production.rehearse(&format!("psql -X -q '{url}' -c \"{sql}\""));
        assert_eq!(told.status, 1, "{sql}: {told}");
        let said = ["ermission denied", "must be superuser"];
        assert!(
            said.iter().any(|said| told.stderr.contains(said)),
            "{sql}: {told}"
        );
    }
    production.is_untouched();
}
