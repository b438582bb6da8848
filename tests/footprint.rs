//! Footprints, judged by a real server.

mod footprint_oracle;

use footprint_oracle::{Outcome, brief, cut, judge, locked, predicted, relations};
use pgguard::migration::statement::Body;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

async fn connect(database: &str) -> PgConnection {
    let base = std::env::var("PGGUARD_ORACLE").expect("PGGUARD_ORACLE");
    PgConnection::connect(&base.replace("DB", database))
        .await
        .expect("connects")
}

async fn run(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .map(drop)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn every_form_in_the_fixtures_locks_what_is_predicted() {
    runtime().block_on(async {
        let only = std::env::var("ONLY").unwrap_or_default();
        let mut files: Vec<_> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations-fixtures/forms"))
            .unwrap()
            .map(|e| e.unwrap().path())
            .filter(|p| p.extension().is_some_and(|e| e == "sql") && p.to_string_lossy().contains(&only))
            .collect();
        files.sort();
        let mut wrong = 0;
        let mut exact = 0;
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
            let (setup, forms) = text.split_once("-- forms\n").expect("a setup and forms");
            let mut admin = connect("postgres").await;
            let database = format!("forms_{stem}");
            run(&mut admin, &format!("DROP DATABASE IF EXISTS {database}")).await.unwrap();
            run(&mut admin, &format!("CREATE DATABASE {database}")).await.unwrap();
            let mut runner = connect(&database).await;
            let mut looker = connect(&database).await;
            run(&mut runner, setup).await.unwrap_or_else(|e| panic!("{stem}: {e}"));
            let before = relations(&mut looker).await;
            for statement in cut(forms) {
                let said = predicted(&mut looker, &statement).await;
                let held = locked(&mut runner, &statement.sql, &before, false).await;
                let first = statement.sql.lines().map(str::trim).collect::<Vec<_>>().join(" ");
                match held {
                    Err(e) => {
                        if said.fails.is_none() {
                            println!("REFUSED  {stem}: {first}\n         {e}");
                        }
                    }
                    Ok(held) => match judge(&said, &held, &before) {
                        Outcome::Exact if said.fails.is_none() && said.opaque.is_none() => exact += 1,
                        Outcome::Exact => println!("THOUGHT  {stem}: {first}\n         {:?} {:?}", said.fails, said.opaque),
                        Outcome::Opaque { missed, extra } => {
                            println!("OPAQUE   {stem}: {first}\n         {:?} missed {} extra {}", said.opaque, brief(&missed), brief(&extra));
                        }
                        Outcome::Wrong { missed, extra } => {
                            wrong += 1;
                            println!("WRONG    {stem}: {first}\n         missed {}\n         extra  {}  {:?}", brief(&missed), brief(&extra), said.fails);
                        }
                        Outcome::Refused(_) => {}
                    },
                }
            }
        }
        println!("{exact} exact, {wrong} wrong");
        assert_eq!(wrong, 0);
    });
}

/// Scripts that were written for something else, statement after statement in one session.
#[test]
#[ignore = "needs PGGUARD_SCRIPTS: a folder of SQL scripts"]
fn scripts_of_other_people_lock_what_is_predicted() {
    runtime().block_on(async {
        let folder = std::env::var("PGGUARD_SCRIPTS").expect("PGGUARD_SCRIPTS");
        let wanted = std::env::var("ONLY").unwrap_or_default();
        let first_file = std::env::var("FIRST").unwrap_or_default();
        let mut files: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|e| e.unwrap().path())
            .filter(|p| p.extension().is_some_and(|e| e == "sql"))
            .filter(|p| wanted.is_empty() || wanted.split(',').any(|w| p.file_stem().unwrap().to_string_lossy() == w))
            .collect();
        files.sort();
        let (mut exact, mut wrong_ddl, mut wrong_dml, mut opaque, mut opaque_wrong, mut refused) = (0, 0, 0, 0, 0, 0);
        for file in files {
            let bytes = std::fs::read(&file).unwrap();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
            let mut admin = connect("postgres").await;
            run(&mut admin, "DROP DATABASE IF EXISTS scripts WITH (FORCE)").await.unwrap();
            run(&mut admin, "CREATE DATABASE scripts").await.unwrap();
            let mut runner = connect("scripts").await;
            let mut looker = connect("scripts").await;
            run(&mut runner, "SET statement_timeout = '5s'; SET client_min_messages = error").await.unwrap();
            if !first_file.is_empty() {
                let setup = std::fs::read_to_string(&first_file).unwrap_or_default();
                for s in cut(&setup) {
                    if matches!(s.body, Body::Sql(_)) && !s.sql.to_lowercase().starts_with("copy") {
                        let _ = run(&mut runner, &s.sql).await;
                    }
                }
            }
            for statement in cut(&text) {
                let Body::Sql(node) = &statement.body else { continue };
                use pg_query::NodeEnum as N;
                if matches!(**node, N::TransactionStmt(_) | N::FetchStmt(_) | N::ClosePortalStmt(_) | N::NotifyStmt(_) | N::ListenStmt(_)) {
                    continue;
                }
                if matches!(&**node, N::CopyStmt(c) if c.is_from && c.filename.is_empty()) {
                    continue;
                }
                let plain = statement.sql.replace('\n', " ");
                let upper = plain.to_uppercase();
                if matches!(**node, N::VacuumStmt(_) | N::CreatedbStmt(_) | N::DropdbStmt(_) | N::AlterSystemStmt(_) | N::VariableSetStmt(_))
                    || upper.contains("CONCURRENTLY")
                    || upper.starts_with("REINDEX")
                {
                    let _ = run(&mut runner, &statement.sql).await;
                    if matches!(**node, N::VariableSetStmt(_)) && upper.contains("SEARCH_PATH") {
                        let _ = run(&mut looker, &statement.sql).await;
                    }
                    continue;
                }
                let before = relations(&mut looker).await;
                let said = predicted(&mut looker, &statement).await;
                let held = match locked(&mut runner, &statement.sql, &before, true).await {
                    Ok(held) => held,
                    Err(_) => {
                        refused += 1;
                        continue;
                    }
                };
                if held.is_empty() && footprint_oracle::kept(&said, &before).is_empty() && said.opaque.is_none() {
                    continue;
                }
                if said.opaque.is_some() {
                    opaque += 1;
                }
                let is_dml = matches!(**node, N::SelectStmt(_) | N::InsertStmt(_) | N::UpdateStmt(_) | N::DeleteStmt(_) | N::MergeStmt(_) | N::ExplainStmt(_) | N::CopyStmt(_) | N::PrepareStmt(_) | N::DeclareCursorStmt(_));
                let kind = if is_dml { "DML" } else { "DDL" };
                match judge(&said, &held, &before) {
                    Outcome::Exact => {
                        exact += 1;
                        if said.opaque.is_some() && std::env::var("SHOW").is_ok_and(|s| s.contains(kind)) {
                            println!("OPAQUE-EXACT {kind} {stem}:{} {plain:.150}\n       {}", statement.line, said.opaque.unwrap());
                        }
                    }
                    Outcome::Opaque { missed, extra } => {
                        opaque_wrong += 1;
                        if std::env::var("SHOW").is_ok_and(|s| s.contains(kind)) {
                            println!("OPAQUE {kind} {stem}:{} {plain:.150}\n       -{} +{} {}", statement.line, brief(&missed), brief(&extra), said.opaque.unwrap());
                        }
                    }
                    Outcome::Wrong { missed, extra } => {
                        if is_dml { wrong_dml += 1 } else { wrong_ddl += 1 }
                        if !is_dml || std::env::var("SHOW").is_ok_and(|s| s.contains("DML")) {
                            println!("WRONG {kind} {stem}:{} {plain:.200}\n       - {}\n       + {}  {:?}", statement.line, brief(&missed), brief(&extra), said.fails);
                        }
                    }
                    Outcome::Refused(_) => {}
                }
            }
        }
        println!("exact {exact}; wrong DDL {wrong_ddl}, wrong DML {wrong_dml}; opaque {opaque} of which not exact {opaque_wrong}; refused {refused}");
    });
}
