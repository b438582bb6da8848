//! docs/verdicts: each page has a scene, what the gate says of it, and its exit status. The scenes are played.

use crate::common::{self, Database, pgguard_command, run_with_input};
use pgguard::test_support::throwaway::{Options, Server};
use std::path::{Path, PathBuf};

/// The blocks of a page that are fenced with ``` and a language.
fn blocks<'p>(page: &'p str, language: &str) -> Vec<&'p str> {
    let fence = format!("\n```{language}\n");
    let parts = page.split(&fence).skip(1);
    parts
        .filter_map(|part| part.split("\n```").next())
        .collect()
}

/// The first words of each line, in a row: the rest (pids, times, sizes) differs from run to run.
fn labels(told: &str) -> Vec<&str> {
    told.lines()
        .map(|line| &line[..line.floor_char_boundary(11)])
        .map(str::trim_end)
        .collect()
}

fn play(server: &'static Server, path: &Path) {
    let page = std::fs::read_to_string(path).expect("a page");
    let shop = Database::empty(server);
    let folder = tempfile::tempdir().expect("a folder");
    let mut other = shop.session_named("report");
    for block in blocks(&page, "sql") {
        let (title, sql) = block.split_once('\n').expect("a title and statements");
        match title.trim_start_matches("-- ") {
            "before" => _ = shop.sql(sql),
            "another session" => other.exec(sql),
            file => std::fs::write(folder.path().join(file), sql).expect("written"),
        }
    }
    let outputs: Vec<&str> = page.split("\n```\n$ pgguard ").skip(1).collect();
    assert_eq!(outputs.len(), 1, "{} shows one command", path.display());
    let output = outputs[0].split("\n```").next().expect("its end");
    let (command, told) = output.split_once('\n').expect("what it says");

    let mut gate = pgguard_command();
    gate.args(command.split(' '))
        .args(["--no-history", "-d", &shop.url()]);
    gate.current_dir(folder.path());
    let answer = run_with_input(gate, "");

    let status = page
        .split("Exit status ")
        .nth(1)
        .and_then(|rest| rest.chars().next()?.to_digit(10));
    assert_eq!(
        Some(u32::try_from(answer.status).expect("a status")),
        status,
        "{}: {answer}",
        path.display()
    );
    let (said, shown) = (labels(&answer.stdout), labels(told));
    let said = &said[..shown.len().min(said.len())];
    assert_eq!(said, shown, "{}: {answer}", path.display());

    let word = page
        .split("`\"verdict\": \"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let mut gate = pgguard_command();
    gate.args(command.split(' '))
        .args(["--no-history", "--format", "json", "-d", &shop.url()]);
    gate.current_dir(folder.path());
    let answer = run_with_input(gate, "").json();
    assert_eq!(answer["verdict"].as_str(), word, "{}", path.display());
}

#[test]
fn the_pages_of_the_verdicts_show_what_the_gate_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verdicts");
    let pages = std::fs::read_dir(folder).expect("a folder");
    let pages: Vec<PathBuf> = pages.flatten().map(|entry| entry.path()).collect();
    assert_eq!(pages.len(), 5, "a page a verdict");
    // Of its own: who waits in the databases of other tests is told first.
    let server = common::own_server(&Options::major(common::majors()[0]));
    for page in pages {
        play(server, &page);
    }
}
