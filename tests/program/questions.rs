//! The ten questions of a night (`docs/questions.md`): every row of the table is asked on a real server, and the answer
//! is where the table says.

use crate::common::{
    self, Database, Dump, Outcome, Session, pgguard_command, run_with_input, until,
};
use crate::watch::Terminal;
use pgguard::test_support::throwaway::Options;

const TABLE: &str = include_str!("../../docs/questions.md");

/// A row of the table.
struct Question {
    asks: String,
    command: String,
    /// The words that the answer begins with, or that name it.
    answers: Vec<String>,
    /// Keys on the live screen, and words without a key.
    keys: Vec<String>,
}

fn quoted(text: &str) -> Vec<String> {
    let parts = text.split('`').enumerate();
    parts
        .filter(|(nth, _)| nth % 2 == 1)
        .map(|(_, part)| part.to_owned())
        .collect()
}

fn questions() -> Vec<Question> {
    let rows = TABLE
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains("? |"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [asks, command, answers, keys] = cells.as_slice() else {
            panic!("four cells: {row}");
        };
        Question {
            asks: (*asks).to_owned(),
            command: quoted(command).remove(0),
            answers: quoted(answers),
            keys: quoted(keys),
        }
    })
    .collect()
}

/// The first story: a backup, a migration that waits for it, readers behind the migration. Before them somebody has
/// changed a table under an application that goes on, and killed a `CREATE INDEX CONCURRENTLY`.
struct Scene {
    shop: Database,
    dump: Dump,
    migration: Session,
    _others: Vec<Session>,
    folder: tempfile::TempDir,
}

impl Scene {
    fn play() -> Self {
        let options = Options::default().setting("track_commit_timestamp", "on");
        let shop = Database::shop(common::own_server(&options));
        shop.sql("CREATE TABLE parts (id int)");
        let mut web = shop.session_named("web.1");
        web.exec("SELECT * FROM parts");
        shop.sql("ALTER TABLE parts ADD COLUMN name text");
        kill_an_index_build(&shop);

        let dump = Dump::stalled(&shop);
        shop.sql("CREATE TABLE untouched (id int)");
        let mut migration = shop.session_named("rake");
        migration.start("ALTER TABLE orders ADD COLUMN extra int");
        migration.until_waiting();
        let mut reader = shop.session_named("web.2");
        reader.start("SELECT count(*) FROM orders");
        reader.until_waiting();
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(
            folder.path().join("0057.sql"),
            "ALTER TABLE orders ADD COLUMN total int;\n",
        )
        .expect("written");
        Self {
            shop,
            dump,
            migration,
            _others: vec![web, reader],
            folder,
        }
    }

    /// Runs a command of the table. `PID` is the backup: the first one that a tired person would kill.
    fn run(&self, command: &str) -> Outcome {
        let pid = self.dump.pid().to_string();
        let mut words = command.split_whitespace();
        assert_eq!(words.next(), Some("pgguard"), "{command}");
        let mut pgguard = pgguard_command();
        pgguard
            .args(words.map(|word| word.replace("PID", &pid)))
            .args(["-d", &self.shop.url()])
            .current_dir(self.folder.path());
        run_with_input(pgguard, "n\n")
    }
}

/// What a `CREATE INDEX CONCURRENTLY` leaves whose session is ended while it waits.
fn kill_an_index_build(shop: &Database) {
    let mut writer = shop.session();
    writer.begin_and_lock("parts", "ROW EXCLUSIVE");
    let mut build = shop.session_named("rake");
    build.start("CREATE INDEX CONCURRENTLY parts_name ON parts (name)");
    build.until_waiting();
    shop.sql(&format!("SELECT pg_terminate_backend({})", build.pid()));
    build.join().expect_err("it was ended");
    until("it has gone", || !build.is_there());
    writer.exec("ROLLBACK");
    writer.close();
}

#[test]
fn each_of_ten_questions_has_its_answer_where_the_table_says() {
    let questions = questions();
    assert_eq!(questions.len(), 10);
    let scene = Scene::play();
    for question in &questions {
        let told = scene.run(&question.command);
        let context = format!("{}\n{told}", question.asks);
        assert!(!question.answers.is_empty(), "{context}");
        for answer in &question.answers {
            let said = format!("{}{}", told.stdout, told.stderr);
            assert!(said.contains(answer), "no `{answer}`: {context}");
        }
        scene.check(&question.asks, &told, &context);
    }
    assert!(scene.migration.is_waiting(), "nobody was signalled");
}

impl Scene {
    /// Whether the answer is right, and not only there.
    fn check(&self, asks: &str, told: &Outcome, context: &str) {
        let dump = format!("pid {}", self.dump.pid());
        let migration = format!("pgguard kill {}", self.migration.pid());
        let says = |part: &str| assert!(told.stdout.contains(part), "no `{part}`: {context}");
        match asks {
            "Who blocks my migration?" => says(&dump),
            "Since when?" => says("hangs on public.orders since"),
            "May I kill it?" => says(&migration),
            "What does that cost?" => says("must be run again"),
            "When does the backup end?" => says(&dump),
            "Which tables may I migrate now?" => {
                says("public.orders");
                assert!(!told.stdout.contains("untouched"), "{context}");
            }
            "Who queues behind me?" => says("public.orders"),
            // By the dump's estimate it is not known, or not clear; and a guess is never a green light.
            "Is it safe in ten minutes?" => {
                assert_ne!(told.status, 0, "{context}");
                assert!(told.stdout.starts_with("AT "), "{context}");
                says(&dump);
            }
            "What did the killed run leave?" => says("parts_name"),
            "Is the app on the old schema?" => says("web.1"),
            other => panic!("`{other}` has no test"),
        }
    }
}

#[test]
fn each_key_of_the_table_shows_its_answer() {
    let scene = Scene::play();
    let Some(terminal) = Terminal::watch(&scene.shop, &[]) else {
        return;
    };
    let first = terminal.until_shows("OUTAGE");
    assert!(
        first.contains("1 session hangs on public.orders since"),
        "{first}"
    );
    let bar = format!("pg_dump {} ", scene.dump.pid());
    terminal.until_shows(&bar);
    terminal.until_shows("who waits behind whom");
    let mut known = Vec::new();
    for question in questions() {
        known.extend(question.keys.clone());
        if question.keys.is_empty() {
            continue;
        }
        terminal.choose(scene.dump.pid());
        for key in &question.keys {
            terminal.keys(&[key]);
            terminal.until_shows(match key.as_str() {
                "Enter" => "cost",
                "K" => "End this session?",
                "w" => "sessions by role",
                other => panic!("`{other}` has no test"),
            });
        }
        terminal.keys(&["Escape"]);
        terminal.until("the rows", |text| {
            !text.contains("End this session?") && !text.contains("Esc back")
        });
    }
    for key in ["Enter", "K", "w"] {
        assert!(known.iter().any(|k| k == key), "{key}");
    }
    assert!(scene.migration.is_waiting(), "nobody was signalled");
}
