//! The recipes of docs/recipes, each played as far as one machine can: the line that the platform runs, in a plain shell.

use crate::common;
use crate::stage::Stage;
use crate::web::Web;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The last block of a recipe that is in this language.
fn block_of(recipe: &str, language: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/recipes/{recipe}.md"));
    let page =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let fence = format!("```{language}\n");
    let (_, block) = page.rsplit_once(&fence).expect("a block");
    let (block, _) = block.split_once("```").expect("its end");
    block.to_owned()
}

fn played(stage: &Stage, recipe: &str, variables: &[(&str, &str)]) -> Command {
    let pgguard = Path::new(env!("CARGO_BIN_EXE_pgguard"))
        .parent()
        .expect("a folder");
    let programs = stage.shop.server.bin("psql");
    let programs = programs.parent().expect("a folder");
    let path = format!(
        "{}:{}:{}",
        pgguard.display(),
        programs.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let with_home = stage.command(["run"]);
    let mut command = Command::new("bash");
    command
        .arg("-c")
        .arg(block_of(recipe, "sh"))
        .current_dir(stage.folder.path());
    for (name, value) in with_home.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env("PATH", path).envs(variables.iter().copied());
    command
}

#[test]
fn the_line_of_each_platform_migrates_and_is_stopped_by_what_is_in_the_way() {
    let every =
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recipes")).expect("recipes");
    let mut played_now = 0;
    for recipe in every.flatten() {
        let name = recipe.file_name().to_string_lossy().replace(".md", "");
        if name == "cron" {
            continue;
        }
        let stage = Stage::new();
        stage.file("a.sql", "ALTER TABLE orders ADD COLUMN total int;");
        stage.file("template", "<p><%= reason %> <%= deadline %></p>");
        fs::create_dir_all(stage.path("public/system")).expect("made");
        let migrate = format!(
            "psql -X -v ON_ERROR_STOP=1 -1 -f a.sql {}",
            stage.shop.url()
        );
        let home = stage.folder.path().display().to_string();
        let variables = [
            ("MIGRATE", &*migrate),
            ("SHARED", &*home),
            ("TEMPLATE", "template"),
            ("REASON", "a column"),
        ];
        let ran = common::run_with_input(played(&stage, &name, &variables), "");
        assert_eq!(ran.status, 0, "{name}: {ran}");
        assert!(stage.has_column("total"), "{name}");
        assert!(
            !stage.path("public/system/maintenance.html").exists(),
            "{name}"
        );
        played_now += 1;
    }
    assert!(played_now >= 7, "{played_now}");
}

#[test]
fn the_cron_line_ends_with_the_dumps_status_and_keeps_the_last_whole_one() {
    let stage = Stage::new();
    let file = stage.path("shop.sql.gz").display().to_string();
    let url = stage.shop.url();
    let ran = common::run_with_input(
        played(&stage, "cron", &[("DATABASE_URL", &url), ("BACKUP", &file)]),
        "",
    );
    assert_eq!(ran.status, 0, "{ran}");
    let whole = fs::read(&file).expect("a dump");
    let gone = stage.shop.server.url("nobody_has_it");
    let ran = common::run_with_input(
        played(
            &stage,
            "cron",
            &[("DATABASE_URL", &gone), ("BACKUP", &file)],
        ),
        "",
    );
    assert_ne!(ran.status, 0, "{ran}");
    assert_eq!(fs::read(&file).expect("a dump"), whole);
}

#[test]
fn a_real_web_server_shows_the_page_while_it_is_needed_and_no_longer() {
    use nix::sys::signal::Signal;
    let stage = Stage::new();
    let Some(web) = Web::start(&stage) else {
        return;
    };
    web.until("200", "the shop");
    let page = stage
        .path("public/system/maintenance.html")
        .display()
        .to_string();
    let flags = [
        "--no-gate",
        "--max-queue",
        "1h",
        "--maintenance-page",
        &*page,
        "--reason",
        "We add a column.",
    ];
    let command = stage.psql(&["-c", "ALTER TABLE orders ADD COLUMN total int"]);
    for end in [None, Some(Signal::SIGTERM), Some(Signal::SIGKILL)] {
        let holder = stage.holder();
        let mut run = stage.start(&flags, &command);
        stage.until_run_waits();
        web.until("503", "We add a column.");
        match end {
            Some(signal) => run.signal(signal),
            None => holder.close(),
        }
        run.wait();
        web.until("200", "the shop");
        stage.until_no_session();
    }
}

/// `PGGUARD_TEST_HELM` names a Helm; without it the test says that it is skipped.
#[test]
fn helm_takes_the_job_as_a_hook_before_an_upgrade() {
    let Some(helm) = std::env::var_os("PGGUARD_TEST_HELM") else {
        println!("skipped: PGGUARD_TEST_HELM is not set (./dev setup)");
        return;
    };
    let chart = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(chart.path().join(name), text).expect("written");
    fs::create_dir(chart.path().join("templates")).expect("made");
    write("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.2.3\n");
    write("values.yaml", "");
    write("templates/migrate.yaml", &block_of("kubernetes", "yaml"));
    let told = |words: &[&str]| {
        let mut command = Command::new(&helm);
        command
            .args(words)
            .arg(chart.path())
            .env("HOME", chart.path());
        let told = common::run_with_input(command, "");
        assert_eq!(told.status, 0, "{told}");
        told
    };
    told(&["lint", "--strict"]);
    let rendered = told(&["template", "shop"]);
    let job = rendered.stdout.contains("kind: Job");
    let hook = rendered
        .stdout
        .contains("helm.sh/hook: pre-install,pre-upgrade");
    assert!(job && hook, "{rendered}");
    // A hook is no part of the release itself: Helm runs it and waits for it.
    let alone = told(&["template", "shop", "--no-hooks"]);
    assert!(!alone.stdout.contains("kind: Job"), "{alone}");
}
