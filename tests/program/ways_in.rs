//! The ways in that are no program: the GitHub Action, the GitLab component, the hooks of pre-commit.

use crate::common::{self, Database, Outcome};
use crate::public_judges::python;
use std::path::{Path, PathBuf};
use std::process::Command;

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    std::fs::read_to_string(project().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_way_in_names_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    for (path, named) in [
        ("action.yml", format!("default: {version}")),
        ("pyproject.toml", format!("version = \"{version}\"")),
        ("pyproject.toml", format!("pgguard=={version}")),
        ("templates/gate.yml", format!("default: {version}")),
        ("docs/pipelines.md", format!("pgguard/pgguard@v{version}")),
        ("docs/pipelines.md", format!("rev: v{version}")),
    ] {
        assert!(text(path).contains(&named), "{path} does not say {named}");
    }
}

/// check-jsonschema has the forms that GitHub, GitLab and pre-commit publish.
#[test]
fn their_files_have_the_published_forms() {
    const JUDGE: &str = "
import json, subprocess, sys
for schema, path in json.load(sys.stdin):
    done = subprocess.run([sys.executable, '-m', 'check_jsonschema', '--builtin-schema', schema, path], capture_output=True, text=True)
    if done.returncode != 0:
        print(path, done.stdout, done.stderr)
";
    let folder = tempfile::tempdir().expect("a folder");
    // A component is its inputs, and a pipeline in which they are put in.
    let template = text("templates/gate.yml");
    let (_, pipeline) = template.split_once("\n---\n").expect("two documents");
    let pipeline = pipeline.replace("$[[ inputs.", "input ").replace(" ]]", "");
    let path = folder.path().join("gate.yml");
    std::fs::write(&path, pipeline).expect("written");
    let asked = serde_json::json!([
        ["vendor.github-actions", project().join("action.yml")],
        ["vendor.gitlab-ci", path],
    ]);
    if let Some(faults) = python("check_jsonschema", JUDGE, &asked.to_string()) {
        assert_eq!(faults, "");
    }
}

/// A runner of GitHub's, as far as the action meets it.
struct Runner {
    shop: Database,
    folder: tempfile::TempDir,
}

impl Runner {
    fn new() -> Self {
        let runner = Self {
            shop: common::shop(),
            folder: tempfile::tempdir().expect("a folder"),
        };
        runner.write("0057.sql", "ALTER TABLE orders ADD COLUMN remark text;\n");
        runner
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).expect("written");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Runs the action with these inputs besides its usual ones.
    fn act(&self, inputs: &[(&str, &str)]) -> Outcome {
        let built = Path::new(env!("CARGO_BIN_EXE_pgguard"));
        let mut command = Command::new("bash");
        command
            .arg(project().join("packaging/action.sh"))
            .current_dir(self.folder.path())
            .env("INPUT_MIGRATION", "0057.sql")
            .env("INPUT_COMMAND", "gate")
            .env("INPUT_DATABASE_URL", self.shop.url())
            .env("INPUT_TARGET", "")
            .env("INPUT_WAIT", "")
            .env("INPUT_ARGS", "--patience\n0s\n--no-history")
            .env("INPUT_FORMAT", "github")
            .env("INPUT_VERSION", env!("CARGO_PKG_VERSION"))
            .env("INPUT_SHA256", "")
            .env("RUNNER_TEMP", self.folder.path())
            .env("GITHUB_OUTPUT", self.path("output"))
            .env("GITHUB_STEP_SUMMARY", self.path("summary"));
        let usual = std::env::var("PATH").expect("a PATH");
        let folder = built.parent().expect("a folder").display();
        command.env("PATH", format!("{folder}:{usual}"));
        command.envs(inputs.iter().copied());
        common::run_with_input(command, "")
    }
}

#[test]
fn the_action_passes_the_answer_on_with_annotations_and_outputs() {
    let runner = Runner::new();
    let mut reader = runner.shop.session();
    reader.begin_and_lock("orders", "ACCESS SHARE");
    let blocked = runner.act(&[]);
    assert_eq!(blocked.status, 1, "{blocked}");
    assert!(
        blocked.to_string().contains("::error file=0057.sql,line=1"),
        "{blocked}"
    );
    assert!(
        runner.read("output").contains("status=1\n"),
        "{}",
        runner.read("output")
    );
    assert!(
        runner.read("summary").contains("0057.sql"),
        "{}",
        runner.read("summary")
    );
    reader.close();
    let clear = runner.act(&[("INPUT_WAIT", "1m")]);
    assert_eq!(clear.status, 0, "{clear}");
    for (inputs, status) in [
        (
            [("INPUT_MIGRATION", "nosuch.sql"), ("INPUT_FORMAT", "text")],
            2,
        ),
        ([("INPUT_COMMAND", "explain"), ("INPUT_ARGS", "")], 0),
        ([("INPUT_COMMAND", "kill"), ("INPUT_ARGS", "")], 2),
        // What begins with a hyphen is a file's name there, and no option.
        ([("INPUT_MIGRATION", "--help"), ("INPUT_FORMAT", "text")], 2),
    ] {
        let output = runner.act(&inputs);
        assert_eq!(output.status, status, "{inputs:?} {output}");
    }
}

/// `file://` stands for the place of the releases: curl, the sums and the tarball are real.
#[test]
fn the_action_runs_no_release_whose_sum_is_another() {
    let runner = Runner::new();
    let name = format!(
        "pgguard-9.9.9-{}-unknown-linux-musl",
        std::env::consts::ARCH
    );
    let place = runner.path("v9.9.9");
    let script = format!(
        "set -e; mkdir -p {place}/{name}; cp {built} {place}/{name}/pgguard; cd {place}
         tar -czf {name}.tar.gz {name}; sha256sum {name}.tar.gz >SHA256SUMS",
        place = place.display(),
        built = env!("CARGO_BIN_EXE_pgguard"),
    );
    let mut make = Command::new("bash");
    make.args(["-c", &script]);
    let made = common::run_with_input(make, "");
    assert_eq!(made.status, 0, "{made}");
    let releases = format!("file://{}", runner.folder.path().display());
    let inputs = [
        ("INPUT_VERSION", "9.9.9"),
        ("PGGUARD_RELEASES", releases.as_str()),
    ];
    let right = runner.act(&inputs);
    assert_eq!(right.status, 0, "{right}");
    let other = "0".repeat(64);
    let pinned = runner.act(&[&inputs[..], &[("INPUT_SHA256", other.as_str())]].concat());
    assert_eq!(pinned.status, 2, "{pinned}");
    assert!(pinned.to_string().contains("is not the file"), "{pinned}");
    runner.write("v9.9.9/SHA256SUMS", &format!("{other}  {name}.tar.gz\n"));
    let changed = runner.act(&inputs);
    assert_eq!(changed.status, 2, "{changed}");
    let missing = runner.act(&[("INPUT_VERSION", "9.9.8"), inputs[1]]);
    assert_eq!(missing.status, 2, "{missing}");
}

/// The licences that deny.toml names; cargo deny, where it is installed, looks at the texts too.
#[test]
fn every_crate_may_be_carried() {
    let allowed: toml::Table = text("deny.toml").parse().expect("TOML");
    let allowed: Vec<&str> = allowed["licenses"]["allow"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(toml::Value::as_str)
        .collect();
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut metadata = Command::new(cargo);
    metadata
        .current_dir(project())
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(["--filter-platform", &host]);
    let told = common::run_with_input(metadata, "");
    assert_eq!(told.status, 0, "{}", told.stderr);
    let told = told.json();
    let packages = told["packages"].as_array().expect("packages");
    assert!(packages.len() > 100, "{}", packages.len());
    for package in packages {
        let licence = package["license"].as_str().unwrap_or("none");
        // `(A OR B) AND C`, and the older `A/B`.
        let may = licence.split(" AND ").all(|part| {
            part.trim_matches(['(', ')'])
                .split(" OR ")
                .flat_map(|one| one.split('/'))
                .any(|one| allowed.contains(&one.trim()))
        });
        assert!(may, "{}: {licence}", package["name"]);
    }
}

/// RustSec's database, in the folder that `$PGGUARD_TEST_ADVISORIES` names, has no open advisory on a crate. One that is no
/// longer looked after is printed.
#[test]
fn no_crate_has_an_open_advisory() {
    let Some(database) = std::env::var_os("PGGUARD_TEST_ADVISORIES") else {
        eprintln!("skipped: no advisories in $PGGUARD_TEST_ADVISORIES");
        return;
    };
    let lock: toml::Table = text("Cargo.lock").parse().expect("TOML");
    let advisories = advisories(&Path::new(&database).join("crates"));
    assert!(advisories.len() > 500, "{} advisories", advisories.len());
    let mut open = Vec::new();
    for package in lock["package"].as_array().expect("a list") {
        let name = package["name"].as_str().expect("a name");
        let version = package["version"].as_str().expect("a version");
        let version = semver::Version::parse(version).expect("a version");
        let about = advisories
            .iter()
            .filter(|a| a["advisory"]["package"].as_str() == Some(name));
        for advisory in about.filter(|a| concerns(a, &version)) {
            let told = &advisory["advisory"];
            let line = format!("{}: {name} {version}", told["id"]);
            match told.get("informational").and_then(toml::Value::as_str) {
                Some("unmaintained" | "notice") => eprintln!("{line}"),
                _ => open.push(line),
            }
        }
    }
    assert!(open.is_empty(), "{open:#?}");
}

/// The advisories that were not withdrawn: each is a page that begins with a table in TOML.
fn advisories(folder: &Path) -> Vec<toml::Table> {
    let crates = std::fs::read_dir(folder)
        .expect("a folder a crate")
        .flatten();
    let pages = crates.filter_map(|of_crate| std::fs::read_dir(of_crate.path()).ok());
    let tables = pages.flatten().flatten().filter_map(|page| {
        let page = std::fs::read_to_string(page.path()).ok()?;
        let table = page.split("```toml").nth(1)?.split("```").next()?;
        Some(table.parse::<toml::Table>().expect("TOML"))
    });
    tables
        .filter(|advisory| advisory["advisory"].get("withdrawn").is_none())
        .collect()
}

/// Whether a version is neither patched nor unaffected.
fn concerns(advisory: &toml::Table, version: &semver::Version) -> bool {
    let lists = ["patched", "unaffected"].into_iter().filter_map(|list| {
        let versions = advisory.get("versions")?;
        versions.get(list)?.as_array()
    });
    let mut spared = lists.flatten().filter_map(toml::Value::as_str);
    !spared.any(|range| {
        semver::VersionReq::parse(range)
            .expect("a range")
            .matches(version)
    })
}

fn copied(from: &Path, to: &Path) {
    if from.is_dir() {
        std::fs::create_dir_all(to).expect("a folder");
        for entry in std::fs::read_dir(from).expect("a folder").flatten() {
            copied(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        std::fs::copy(from, to).expect("copied");
    }
}

/// The shell takes the last one of two values with one name, wherever they stand: a list of servers was once lost so.
#[test]
fn a_name_has_one_value_in_dev() {
    let text = std::fs::read_to_string(project().join("dev")).expect("dev");
    let mut names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .filter(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        .collect();
    assert!(
        names.contains(&"majors") && names.contains(&"server_packages"),
        "{names:?}"
    );
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "{names:?}");
}

/// A release is tried in a repository of its own.
#[test]
fn a_release_changes_its_number_everywhere_and_pushes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let there = folder.path();
    for name in [
        "dev",
        "Cargo.toml",
        "Cargo.lock",
        "pyproject.toml",
        "action.yml",
        "CHANGELOG.md",
        "templates",
        "packaging",
        "docs",
    ] {
        copied(&project().join(name), &there.join(name));
    }
    let run = |words: &[&str]| {
        let output = Command::new(words[0])
            .args(&words[1..])
            .current_dir(there)
            .envs([
                ("GIT_CONFIG_GLOBAL", "/dev/null"),
                ("GIT_CONFIG_SYSTEM", "/dev/null"),
            ])
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "releaser")))
            .envs(
                ["AUTHOR", "COMMITTER"]
                    .map(|who| (format!("GIT_{who}_EMAIL"), "releaser@example.org")),
            )
            .output();
        let Ok(output) = output else {
            return None;
        };
        let said = [output.stdout, output.stderr].concat();
        Some((
            output.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        ))
    };
    if run(&["git", "init", "-q"]).is_none() {
        println!("skipped: there is no git");
        return;
    }
    let refused = |version: &str, because: &str| {
        let (is_done, said) = run(&["./dev", "release", version]).expect("it runs");
        assert!(!is_done && said.contains(because), "{version}: {said}");
    };
    refused("99.0.0", "not committed");
    run(&["git", "add", "-A"]);
    run(&["git", "commit", "-qm", "All"]);
    refused(env!("CARGO_PKG_VERSION"), "is no later than");
    refused("0.0.9", "is no later than");
    refused("v2", "three parts");

    let (is_done, said) = run(&["./dev", "release", "99.0.0"]).expect("it runs");
    assert!(is_done, "{said}");
    let (_, left) = run(&[
        "git",
        "grep",
        "-nF",
        env!("CARGO_PKG_VERSION"),
        "--",
        "*.toml",
        "*.yml",
        "docs/pipelines.md",
    ])
    .expect("git");
    let left: Vec<&str> = left
        .lines()
        .filter(|line| line.contains("pgguard"))
        .collect();
    assert!(left.is_empty(), "{left:#?}");
    let (_, tags) = run(&["git", "tag"]).expect("git");
    assert_eq!(tags.trim(), "v99.0.0");
    let log = std::fs::read_to_string(there.join("CHANGELOG.md")).expect("a changelog");
    assert!(log.contains("## [Unreleased]\n\n## [99.0.0] - "), "{log}");
    let lock = std::fs::read_to_string(there.join("Cargo.lock")).expect("a lock file");
    assert!(lock.contains("name = \"pgguard\"\nversion = \"99.0.0\""));
    refused("99.0.1", "nothing below [Unreleased]");
}
