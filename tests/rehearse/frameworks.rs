//! Real frameworks, each with production's address, user and password fixed in its configuration: what their migrations
//! would send is captured on the copy, is judged, and is what they then send to production.

use crate::common::{self, Dump, LaidOut, Outcome, Project};
use crate::production::Production;

/// A framework's project and the production that its configuration names.
pub struct Scene {
    pub name: &'static str,
    pub production: Production,
    pub project: LaidOut,
}

impl Scene {
    /// Each framework and each step meets another major version of the server.
    fn of(project: &Project, step: &str) -> Self {
        let majors = common::majors();
        Self::on(
            majors[(project.name.len() + step.len()) % majors.len()],
            project,
            step,
        )
    }

    /// With migrations of this step.
    pub fn on(major: u32, project: &Project, step: &str) -> Self {
        let production = Production::on(major);
        let laid_out = project.laid_out(step, &production.address());
        Self {
            name: project.name,
            production,
            project: laid_out,
        }
    }

    /// pgguard with these arguments, production, and the project's command behind them.
    pub fn pgguard(&self, arguments: &[&str]) -> Outcome {
        let url = self.production.url();
        let mut command = self
            .production
            .command(&[arguments, &["-d", &url]].concat());
        self.project.with_command(&mut command);
        common::run_with_input(command, "")
    }

    /// The deploy itself.
    pub fn migrate(&self) -> Outcome {
        common::run_with_input(self.project.alone(), "")
    }
}

/// Lower case, without quotes, with single blanks.
fn plain(text: &str) -> String {
    let text = text.to_lowercase().replace('"', "");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What every step `all` has, in one of several spellings.
const KINDS: &[(&str, &[&str])] = &[
    (
        "column with a default",
        &["orders add priority", "orders add column priority"],
    ),
    (
        "foreign key",
        &["references products", "references public.products"],
    ),
    (
        "change of a type",
        &[
            "alter column status type",
            "alter column quantity type bigint",
            "alter status set data type",
            "alter column status set data type",
        ],
    ),
    (
        "rename",
        &["rename column note to remark", "rename note to remark"],
    ),
    (
        "raw SQL",
        &["add constraint has_at check (email like '%@%') not valid;"],
    ),
    (
        "DO block",
        &["begin alter table products add column weight integer; end $$;"],
    ),
    ("enum value", &["alter type order_state add value"]),
];

#[test]
fn all_kinds_of_migrations_are_captured_and_are_what_is_then_sent_to_production() {
    for project in common::projects() {
        let scene = Scene::of(project, "all");
        let name = scene.name;
        let told = scene.pgguard(&["rehearse"]);
        assert_eq!(told.status, 0, "{name}: {told}");
        scene.production.is_untouched();
        let script = plain(&told.stdout);
        for (kind, spellings) in KINDS {
            let is_there = spellings.iter().any(|one| script.contains(one));
            assert!(is_there, "{name}: no {kind} in {told}");
        }
        assert!(!told.stdout.contains("reads rows of"), "{name}: {told}");
        // Drizzle runs all of its migrations in one transaction.
        let definitions = definitions(&told.stdout);
        let concurrently = definitions
            .iter()
            .any(|one| one.starts_with("create index concurrently"));
        assert_eq!(concurrently, name != "drizzle", "{name}: {told}");

        assert!(!told.stderr.contains("not measured"), "{name}: {told}");
        agrees(&scene, &told.stdout);
        let log = logged(&scene);
        for statement in &definitions {
            assert!(log.contains(statement), "{name}: {statement} in {log}");
        }
        let again = scene.pgguard(&["rehearse"]);
        let nothing = again.stderr.contains("no migration is pending");
        assert!(again.status == 0 && nothing, "{name}: {again}");
    }
}

/// What production logs of the deploy.
fn logged(scene: &Scene) -> String {
    let shop = &scene.production.shop;
    shop.sql(&format!(
        "ALTER DATABASE {} SET log_statement = 'all'",
        shop.name
    ));
    let before = shop.server.log().len();
    let migrated = scene.migrate();
    assert_eq!(migrated.status, 0, "{}: {migrated}", scene.name);
    plain(&shop.server.log()[before..])
}

/// The statements of a script that define something.
fn definitions(script: &str) -> Vec<String> {
    let is_sql = |line: &&str| !line.starts_with("--") && !line.starts_with('\\');
    let sql: Vec<&str> = script.lines().filter(is_sql).collect();
    let sql = sql.join("\n");
    let statements = pg_query::split_with_parser(&sql).expect("SQL");
    let plain = statements.into_iter().map(plain);
    let defines = |text: &String| {
        ["create ", "alter ", "do "]
            .iter()
            .any(|word| text.starts_with(word))
    };
    plain.filter(defines).collect()
}

/// What the rules foretell of a script is what its rehearsal locked, and every statement was measured that can be.
fn agrees(scene: &Scene, script: &str) {
    let file = scene.project.folder.path().join("pending.sql");
    std::fs::write(&file, script).expect("written");
    let file = file.to_str().expect("UTF-8");
    let url = scene.production.url();
    let told = common::pgguard(["explain", "-d", &url, "--format", "json", file]);
    let name = format!("{} on {}", scene.name, scene.production.shop.server.major());
    let told = told.json();
    assert_eq!(told["rehearsal"]["differences"], 0, "{name}: {told}");
    let statements = told["statements"].as_array().expect("a list");
    let unmeasured: Vec<String> = statements
        .iter()
        .filter(|one| one["measured"].is_null())
        .filter_map(|one| one["sql"].as_str().map(plain))
        .filter(|sql| !IS_NOT_MEASURED.iter().any(|word| sql.starts_with(word)))
        .collect();
    assert_eq!(unmeasured, [""; 0], "{name}: {told}");
}

/// What keeps the rules: it controls a transaction or a session, or runs in no transaction.
const IS_NOT_MEASURED: &[&str] = &[
    "begin",
    "start transaction",
    "commit",
    "rollback",
    "savepoint",
    "release",
    "set ",
    "show ",
    "\\",
    "create index concurrently",
];

/// What the gate says where rules and measure agree.
const AGREES: &str = "were measured on the copy: they lock what the rules predict";

#[test]
fn the_gate_says_which_statement_of_a_framework_would_wait_for_the_backup() {
    for project in common::projects() {
        let scene = Scene::of(project, "one");
        let mut dump = Dump::stalled(&scene.production.shop);
        let told = scene.pgguard(&["gate", "--patience", "0s", "--rehearse"]);
        dump.kill();
        let name = scene.name;
        assert_eq!(told.status, 1, "{name}: {told}");
        let is_named =
            plain(&told.stdout).contains("alter table") && told.stdout.contains("backup (pg_dump");
        assert!(is_named, "{name}: {told}");
        // What it only asks the catalogs is no doubt.
        assert!(!told.stdout.contains("CANNOT TELL"), "{name}: {told}");
        assert_eq!(told.stdout.matches(AGREES).count(), 1, "{name}: {told}");
        scene.production.is_untouched();
    }
}

#[test]
fn a_migration_that_fails_there_is_no_green_gate() {
    for project in common::projects() {
        let scene = Scene::of(project, "fails");
        let name = scene.name;
        let told = scene.pgguard(&["rehearse"]);
        assert_eq!(told.status, 1, "{name}: {told}");
        let says =
            told.stderr.contains("failed on the copy") && plain(&told.stderr).contains("nobody");
        assert!(says, "{name}: {told}");
        scene.production.is_untouched();
    }
}

#[test]
fn a_backfill_is_a_doubt_until_it_is_allowed() {
    for project in common::projects().into_iter().filter(|one| one.is_code) {
        let scene = Scene::of(project, "rows");
        let name = scene.name;
        let told = scene.pgguard(&["gate", "--rehearse"]);
        assert_eq!(told.status, 2, "{name}: {told}");
        let doubts: Vec<&str> = told
            .stdout
            .lines()
            .filter(|line| line.contains("CANNOT TELL"))
            .collect();
        let of_rows = doubts
            .iter()
            .all(|line| plain(line).contains("reads rows of orders"));
        assert!(!doubts.is_empty() && of_rows, "{name}: {told}");
        assert_eq!(told.stdout.matches(AGREES).count(), 1, "{name}: {told}");
        scene.production.is_untouched();
    }
}

#[test]
fn both_databases_of_a_rails_project_land_on_the_copy() {
    let Some(project) = common::project("rails") else {
        return;
    };
    let production = Production::on(common::majors()[0]);
    let animals = Production::on(common::majors()[0]);
    let second = format!("{}_animals", production.shop.name);
    animals
        .shop
        .server
        .sql(
            "postgres",
            &format!("ALTER DATABASE {} RENAME TO {second}", animals.shop.name),
        )
        .expect("renamed");
    let laid_out = project.laid_out("two", &production.address());
    let scene = Scene {
        name: project.name,
        production,
        project: laid_out,
    };
    let forgotten = scene.pgguard(&["rehearse"]);
    assert_eq!(forgotten.status, 1, "{forgotten}");
    let named = forgotten.stderr.contains(&format!("--also {second}"));
    assert!(named, "{forgotten}");
    let told = scene.pgguard(&["rehearse", "--also", &second]);
    assert_eq!(told.status, 0, "{told}");
    let script = plain(&told.stdout);
    assert!(
        script.contains("alter table orders add total integer")
            && script.contains("alter table products add legs integer"),
        "{told}"
    );
    scene.production.is_untouched();
}
