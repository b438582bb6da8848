//! Tools whose migrations are code: the SQL that they run comes on standard input, and what they lock themselves is
//! known by their names.

use crate::common;

#[test]
fn the_lock_of_a_tool_whose_migrations_are_code_is_waited_for() {
    // cases/migrations/23, 7
    let database = common::database();
    database.sql("CREATE TABLE t (a int); CREATE TABLE schema_migrations (version text)");
    let url = database.url();
    let ask = |tool: &str| {
        let arguments = ["gate", "-d", &url, "--patience", "0s", "--tool", tool, "-"];
        common::pgguard_with_input(arguments, "ALTER TABLE t ADD b int;\n")
    };
    let clear = ask("rails");
    assert_eq!(clear.status, 0, "{clear}");
    let mut holder = database.session();
    let key = 2_053_462_845
        * i64::from(pgguard::test_support::tools::crc32(
            database.name.as_bytes(),
        ));
    holder.exec(&format!("SELECT pg_advisory_lock({key})"));
    let rails = ask("rails");
    assert_eq!(rails.status, 1, "{rails}");
    let ecto = ask("ecto");
    assert_eq!(ecto.status, 0, "{ecto}");
    holder.exec("BEGIN");
    holder.exec("LOCK TABLE schema_migrations IN SHARE UPDATE EXCLUSIVE MODE");
    let ecto = ask("Ecto");
    assert_eq!(ecto.status, 1, "{ecto}");
    let unknown = ask("nobody");
    assert_eq!(unknown.status, 2, "{unknown}");
}
