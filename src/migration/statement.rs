//! A migration's text, cut into the statements that Postgres will get, each with its line and its transaction.

use super::allowed;
use super::depth;
use super::psql::{self, What};
use super::rehearsed;
use super::scan::{has_plain_backslash, is_wide, newlines};
pub use super::script::{Body, Script, SourceStatement, TransactionHabit};
use super::settings::{STANDARD_STRINGS, Settings};
use super::split::pieces;
use super::transactions::Session;
use super::tree::Tree;
use super::values::shortened;
use pg_query::NodeEnum;
use pg_query::protobuf::RawStmt;
use std::collections::BTreeMap;

/// Cuts scripts into statements, in the order they will run.
///
/// Never fails and never loses one: what Postgres's grammar refuses is [`Body::Unparsable`], and the others
/// stay. The grammar is Postgres 18's, which reads what 14 to 17 read.
#[must_use]
pub fn statements(scripts: &[Script]) -> Vec<SourceStatement> {
    statements_in(scripts, &BTreeMap::new())
}

/// As [`statements`], in sessions that begin with these settings. What is not among them is as Postgres comes.
#[must_use]
pub fn statements_in(
    scripts: &[Script],
    begins: &BTreeMap<String, String>,
) -> Vec<SourceStatement> {
    let mut session = Session::beginning_with(begins.clone());
    let mut strings = Strings::default();
    let mut all = Vec::new();
    for script in scripts {
        let mut cut = cut(script, all.len());
        if let Some(why) = read_in(begins, script) {
            cut.insert(0, why);
        }
        let bodies: Vec<(&Body, bool)> =
            cut.iter().map(|cut| (&cut.body, cut.joins_next)).collect();
        let places = session.places(script.habit, script.sender.puts_back, &bodies);
        all.extend(
            cut.into_iter()
                .zip(places)
                .map(|(cut, place)| SourceStatement {
                    doubt: strings.doubt(&cut, place.may_escape, script.habit),
                    allows: Vec::new(),
                    comment_errors: Vec::new(),
                    reads_rows: None,
                    measured: None,
                    refused: None,
                    file: cut.file,
                    line: cut.line,
                    sql: cut.sql,
                    body: cut.body,
                    transaction: place.transaction,
                    in_block: place.in_block,
                    lock_timeout_ms: place.lock_timeout_ms,
                    statement_timeout_ms: place.statement_timeout_ms,
                    possible: cut.possible,
                    waits_for_safe_snapshot: place.waits_for_safe_snapshot,
                    is_read_only: place.is_read_only,
                    moves: (place.before, place.after),
                }),
        );
    }
    note_what_is_allowed(scripts, &mut all);
    all
}

/// A doubt where the session begins with an encoding in which a character may end like a backslash, and the script has
/// such characters before it sets another one.
fn read_in(begins: &BTreeMap<String, String>, script: &Script) -> Option<Cut> {
    const SETTING: &str = "client_encoding";
    let encoding = begins.get(SETTING).filter(|name| is_wide(name))?;
    let until = find_word(&script.sql, SETTING).unwrap_or(script.sql.len());
    let why = format!(
        "the session begins with {SETTING} {encoding}, in which a character may end like a backslash: begin the file \
         with SET {SETTING} = 'UTF8'"
    );
    (!script.sql[..until].is_ascii()).then(|| doubt_of(script, why))
}

/// Reads the comments above statements.
fn note_what_is_allowed(scripts: &[Script], all: &mut [SourceStatement]) {
    for script in scripts.iter().filter(|s| s.sql.contains("pgguard:")) {
        let is_rehearsed = rehearsed::fingerprint_in(&script.sql).is_some();
        for statement in all.iter_mut().filter(|s| s.file == script.file) {
            let Some(line) = statement.line.checked_sub(script.first_line) else {
                continue;
            };
            statement.reads_rows = rehearsed::rows_read(&script.sql, line);
            if is_rehearsed {
                statement.measured = rehearsed::measured(&script.sql, line);
                statement.refused = rehearsed::refused(&script.sql, line);
            }
            (statement.allows, statement.comment_errors) =
                allowed::above(&script.sql, line, &script.file, script.first_line);
        }
    }
}

/// The settings before the last of these statements.
#[must_use]
pub fn settings_before_the_last(statements: &[SourceStatement]) -> Settings {
    let mut settings = Settings::default();
    for (at, statement) in statements.iter().enumerate() {
        let (before, after) = &statement.moves;
        before.iter().for_each(|happens| settings.play(happens));
        if at + 1 == statements.len() {
            break;
        }
        if let Body::Sql(tree) = &statement.body
            && let Some(node) = tree.deciding()
        {
            settings.apply(node, statement.in_block);
            settings.apply_calls(node, statement.in_block);
        }
        after.iter().for_each(|happens| settings.play(happens));
    }
    settings
}

/// Whether the server, and psql, may take a backslash in a plain string as an escape: it then hides the quote after it.
#[derive(Default)]
struct Strings {
    /// A statement that the machine of settings does not follow names the setting.
    is_named: bool,
    /// The file, and the line up to which the text was read while the setting was off: psql asks for the setting once a
    /// line, and the server reads a message as a whole.
    read: Option<(String, usize)>,
}

impl Strings {
    /// Notes a statement. Says why the server may read it otherwise.
    fn doubt(&mut self, cut: &Cut, may_escape: bool, habit: TransactionHabit) -> Option<String> {
        let was_read = self.read.as_ref().is_some_and(|(file, line)| {
            *file == cut.file && (cut.line <= *line || habit != TransactionHabit::PerStatement)
        });
        if may_escape {
            self.read = Some((cut.file.clone(), cut.line + newlines(&cut.sql)));
        }
        let doubt = ((may_escape || was_read || self.is_named) && has_plain_backslash(&cut.sql))
            .then(|| {
                format!(
                    "{STANDARD_STRINGS} may be off, and then the string with a backslash in it ends elsewhere: \
                     write E'…', or SET {STANDARD_STRINGS} = on first"
                )
            });
        let is_set = matches!(&cut.body, Body::Sql(tree) if matches!(tree.deciding(), Some(NodeEnum::VariableSetStmt(_))));
        self.is_named |= !is_set && find_word(&cut.sql, STANDARD_STRINGS).is_some();
        doubt
    }
}

/// Where an ASCII word is in a text, in any case.
fn find_word(text: &str, word: &str) -> Option<usize> {
    let mut windows = text.as_bytes().windows(word.len());
    windows.position(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

/// A statement on its own.
struct Cut {
    file: String,
    line: usize,
    /// The line of the script that it comes from.
    script_line: usize,
    sql: String,
    body: Body,
    joins_next: bool,
    possible: bool,
}

/// In a comment: the next step is no SQL, and nobody knows what it does. Django's words (`sqlmigrate`, for
/// RunPython); the readers of tools' folders use them for migrations that are code.
pub(super) const NOT_AS_SQL: &str = "THIS OPERATION CANNOT BE WRITTEN AS SQL";

/// Cuts a script; `before`: how many statements came before it.
fn cut(script: &Script, before: usize) -> Vec<Cut> {
    let text = script.text();
    let mut cuts = said_of_it(script, text);
    for step in psql::steps(script, text) {
        let one = |sql: String, lines: usize, body: Body, joins_next: bool| Cut {
            file: step.file.clone(),
            line: step.line + lines,
            script_line: step.script_line + lines,
            sql,
            body,
            joins_next,
            possible: step.possible,
        };
        let (sent, joins_next) = match step.what {
            What::Sql { sent, joins_next } => (sent, joins_next),
            What::Doubt(why) => {
                cuts.push(one(step.text, 0, Body::Doubt(why), false));
                continue;
            }
            What::Refused(why) => {
                cuts.push(one(step.text, 0, Body::Unparsable(why), false));
                continue;
            }
            What::Include(path) => {
                let why = format!("psql reads {path} here, which pgguard has not read");
                cuts.push(one(step.text, 0, Body::Doubt(why), false));
                continue;
            }
            What::Connect(connect) => {
                cuts.push(one(step.text, 0, Body::Connect(connect), false));
                continue;
            }
        };
        let last = step.line + newlines(&step.text);
        if let Some(why) = script.sender.changes(&step.text, step.line, last) {
            let body = Body::Unparsable(why);
            cuts.push(one(step.text, 0, body, false));
            continue;
        }
        let mut bodies = parse(
            &shortened(sent.as_deref().unwrap_or(&step.text)),
            before + cuts.len(),
        );
        // With a variable replaced, the text shown is still the file's.
        if let [(sql, _, _)] = bodies.as_mut_slice() {
            sql.clone_from(&step.text);
        }
        cuts.extend(
            bodies
                .into_iter()
                .map(|(sql, lines, body)| one(sql, lines, body, joins_next)),
        );
    }
    cuts.sort_by_key(|cut| cut.script_line);
    cuts
}

/// A doubt about a script as a whole.
fn doubt_of(script: &Script, why: String) -> Cut {
    Cut {
        file: script.file.clone(),
        line: script.first_line,
        script_line: script.first_line,
        sql: String::new(),
        body: Body::Doubt(why),
        joins_next: false,
        possible: false,
    }
}

/// What makes the text doubtful as a whole, and the steps that are only comments that say so.
fn said_of_it(script: &Script, text: &str) -> Vec<Cut> {
    let one = |line: usize, sql: &str, body: Body| Cut {
        file: script.file.clone(),
        line,
        script_line: line,
        sql: sql.to_owned(),
        body,
        joins_next: false,
        possible: false,
    };
    let doubts = script.sender.doubts.iter();
    let doubts = doubts.map(|why| doubt_of(script, why.clone()));
    let unwritten = text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.starts_with("--") && line.contains(NOT_AS_SQL))
        .map(|(at, line)| one(script.first_line + at, line, Body::Code));
    doubts.chain(unwritten).collect()
}

/// A piece by Postgres's grammar, as (text, lines before it, what it is): one, unless the cutting was too coarse.
fn parse(text: &str, number: usize) -> Vec<(String, usize, Body)> {
    let whole = |body| vec![(text.to_owned(), 0, body)];
    if depth::is_too_deep(text) {
        return whole(Body::Unparsable(TOO_DEEP.to_owned()));
    }
    // The crate asserts on shapes of trees that it does not expect: a panic in it is one more refusal.
    let result = std::panic::catch_unwind(|| pg_query::parse(text, 0));
    let mut statements = match result {
        Ok(Ok(parsed)) => parsed.protobuf.stmts,
        Ok(Err(error)) => return whole(Body::Unparsable(refusal(text, &error))),
        Err(_) => return whole(Body::Unparsable("the parser gave up on it".to_owned())),
    };
    if statements.len() == 1
        && let Some(node) = statements
            .pop()
            .and_then(|raw| raw.stmt)
            .and_then(|stmt| stmt.node)
    {
        return whole(Body::Sql(Tree::of(text, node, number)));
    }
    let bodies: Vec<_> = statements
        .into_iter()
        .filter_map(|raw| part(text, raw))
        .collect();
    if bodies.is_empty() {
        whole(Body::Unparsable("no statement in it".to_owned()))
    } else {
        bodies
    }
}

fn part(text: &str, raw: RawStmt) -> Option<(String, usize, Body)> {
    let start = usize::try_from(raw.stmt_location).ok()?;
    let length = usize::try_from(raw.stmt_len).ok()?;
    let end = if length == 0 {
        text.len()
    } else {
        start + length
    };
    let sql = text.get(start..end)?;
    let first = pieces(sql).first().map_or(0, |piece| piece.line);
    let node = raw.stmt?.node?;
    Some((
        sql.trim().to_owned(),
        newlines(&text[..start]) + first,
        Body::Sql(Tree::kept(node)),
    ))
}

const TOO_DEEP: &str = "it is nested too deeply to be read";

/// Why the parser refused, in its own words where it has some.
fn refusal(text: &str, error: &pg_query::Error) -> String {
    if let Some(name) = psql::variables::variable_in(text) {
        return format!("psql variable {name} has no value here");
    }
    match error {
        pg_query::Error::Parse(why) if why.contains("stack depth") => TOO_DEEP.to_owned(),
        pg_query::Error::Parse(why) => why.clone(),
        pg_query::Error::Conversion(_) => "it holds a NUL byte".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn script(sql: &str, habit: TransactionHabit) -> Script {
        Script {
            habit,
            ..Script::psql("a.sql", sql)
        }
    }

    fn run(sql: &str, habit: TransactionHabit) -> Vec<SourceStatement> {
        statements(&[script(sql, habit)])
    }

    /// Per statement: the number of its transaction, negative when it is not in a block.
    fn transactions(sql: &str, habit: TransactionHabit) -> Vec<i64> {
        let sign = |s: &SourceStatement| if s.in_block { 1 } else { -1 };
        run(sql, habit)
            .iter()
            .map(|s| sign(s) * i64::try_from(s.transaction).unwrap())
            .collect()
    }

    fn lock_timeouts(sql: &str, habit: TransactionHabit) -> Vec<Option<i64>> {
        run(sql, habit)
            .iter()
            .filter(|s| s.sql.starts_with("drop"))
            .map(|s| s.lock_timeout_ms)
            .collect()
    }

    use TransactionHabit::{PerMessage, PerScript, PerStatement, WholeRun};

    #[test]
    fn one_bad_statement_loses_no_other() {
        let found = run(
            "alter table a add b int;\n\nnot sql; \n drop table :x;\r\ndrop table c",
            PerStatement,
        );
        let lines: Vec<_> = found.iter().map(|s| s.line).collect();
        assert_eq!(lines, [1, 3, 4, 5]);
        assert!(matches!(*found[0].body_node(), NodeEnum::AlterTableStmt(_)));
        assert!(
            matches!(&found[1].body, Body::Unparsable(why) if why == "syntax error at or near \"not\"")
        );
        assert!(
            matches!(&found[2].body, Body::Unparsable(why) if why == "psql variable :x has no value here")
        );
        assert!(matches!(*found[3].body_node(), NodeEnum::DropStmt(_)));
    }

    impl SourceStatement {
        fn body_node(&self) -> &NodeEnum {
            match &self.body {
                Body::Sql(tree) => tree.deciding().unwrap(),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_byte_order_mark_and_the_first_line_count_for_nothing_and_something() {
        let mut one = script("\u{feff}-- up\nselect 1", PerScript);
        one.first_line = 10;
        assert_eq!(statements(&[one])[0].line, 11);
    }

    #[test]
    fn psql_runs_each_statement_by_itself() {
        assert_eq!(
            transactions("select 1; begin; select 2; commit; select 3", PerStatement),
            [-1, -2, 2, 2, -3]
        );
        assert_eq!(
            transactions(
                "begin; commit and chain; select 1; abort; end; select 1",
                PerStatement
            ),
            [-1, 1, 2, 2, -3, -4]
        );
        assert_eq!(
            transactions("select 1\\; select 2; select 3", PerStatement),
            [1, 1, -2]
        );
        assert_eq!(
            transactions("begin;\n\\c other\nselect 1", PerStatement),
            [-1, 1, -2]
        );
        assert_eq!(
            transactions(
                "begin; prepare transaction 'x'; commit prepared 'x'",
                PerStatement
            ),
            [-1, 1, -2]
        );
    }

    #[test]
    fn a_message_of_several_statements_is_one_transaction() {
        assert_eq!(transactions("select 1; select 2", PerMessage), [1, 1]);
        assert_eq!(
            transactions("create index concurrently i on a (b)", PerMessage),
            [-1]
        );
        assert_eq!(
            transactions(
                "select 1; begin; select 2; commit; select 3; select 4",
                PerMessage
            ),
            [1, 1, 1, 1, 2, 2]
        );
    }

    #[test]
    fn the_runners_transaction_ends_at_a_commit_in_the_text() {
        assert_eq!(transactions("begin; select 1", PerScript), [1, 1]);
        assert_eq!(
            transactions("select 1; commit; select 2; select 3", PerScript),
            [1, 1, 2, 2]
        );
        let two = |habit| {
            let found = statements(&[script("select 1", habit), script("select 2", habit)]);
            found.iter().map(|s| s.transaction).collect::<Vec<_>>()
        };
        assert_eq!(two(PerScript), [1, 2]);
        assert_eq!(two(WholeRun), [1, 1]);
    }

    #[test]
    fn timeouts_follow_the_order_and_the_transactions() {
        for (sql, expected) in [
            (
                "drop table a; set lock_timeout = '5s'; drop table a",
                vec![None, Some(5000)],
            ),
            (
                "set lock_timeout to 50; reset lock_timeout; drop table a",
                vec![None],
            ),
            (
                "set LOCK_TIMEOUT to 50; set lock_timeout to default; drop table a",
                vec![None],
            ),
            (
                "set lock_timeout to 50; reset all; drop table a",
                vec![None],
            ),
            (
                "set lock_timeout to 50; discard all; drop table a",
                vec![None],
            ),
            (
                "set lock_timeout to 50; set lock_timeout to 'nonsense'; drop table a",
                vec![Some(50)],
            ),
            ("set local lock_timeout = 50; drop table a", vec![None]),
            (
                "begin; set local lock_timeout = 50; drop table a; commit; drop table b",
                vec![Some(50), None],
            ),
            (
                "begin; set lock_timeout = 50; drop table a; rollback; drop table b",
                vec![Some(50), None],
            ),
            (
                "begin; set lock_timeout = 50; commit; drop table b",
                vec![Some(50)],
            ),
            (
                "set lock_timeout = 7; begin; set local lock_timeout = 50; set lock_timeout = 9; drop table a; commit; drop table a",
                vec![Some(9), Some(9)],
            ),
            (
                "begin; set local lock_timeout = 5; savepoint s; set lock_timeout = 50; drop table a; rollback to s; drop table a; release s; drop table a",
                vec![Some(50), Some(5), Some(5)],
            ),
            (
                "begin; savepoint s; set local lock_timeout = 50; release s; drop table a; end; drop table a",
                vec![Some(50), None],
            ),
            (
                "select set_config('lock_timeout', '1min', false); drop table a",
                vec![Some(60_000)],
            ),
            (
                "select pg_catalog.set_config('lock_timeout', '1min'::text, true); drop table a",
                vec![None],
            ),
            (
                "begin; select set_config('lock_timeout', '1min', true); drop table a; end; drop table a",
                vec![Some(60_000), None],
            ),
            ("set lock_timeout = 0; drop table a", vec![Some(0)]),
        ] {
            assert_eq!(lock_timeouts(sql, PerStatement), expected, "{sql}");
        }
        assert_eq!(
            lock_timeouts("set local lock_timeout = 50; drop table a", PerScript),
            [Some(50)]
        );
        assert_eq!(
            lock_timeouts("set local lock_timeout = 50; drop table a", PerMessage),
            [Some(50)]
        );
        assert_eq!(
            run("set statement_timeout = '1h'; select 1", PerScript)[1].statement_timeout_ms,
            Some(3_600_000)
        );
    }

    #[test]
    fn a_variable_that_the_script_sets_is_read() {
        let found = run("\\set t orders\ndrop table :t;", PerStatement);
        assert!(matches!(*found[0].body_node(), NodeEnum::DropStmt(_)));
        assert_eq!(found[0].sql, "drop table :t");
    }

    /// The server's own cutting is the judge: Postgres's parser on the whole text.
    fn agrees_with_the_parser(sql: &str) {
        let Ok(whole) = pg_query::parse(sql, 0) else {
            return;
        };
        let texts: Vec<_> = run(sql, PerStatement)
            .into_iter()
            .map(|s| (s.body, s.sql))
            .collect();
        let nodes: Vec<_> = whole
            .protobuf
            .stmts
            .into_iter()
            .filter_map(|s| s.stmt?.node)
            .collect();
        assert_eq!(texts.len(), nodes.len(), "{sql:?} {texts:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1500))]

        #[test]
        fn whatever_the_parser_reads_is_cut_as_it_reads_it(parts in prop::collection::vec(prop::sample::select(vec![
            "select", " 1", ";", " ", "\n", "'a;b'", "$$;$$", "$x$ ; $x$", "/* ; */", "-- ;\n", "\"a;\"", "e'\\'", "'", ",", "(", ")",
            "create function f() returns int begin atomic select 1; end", "create rule r as on insert to a do (select 1; select 2)",
            "case when true then 1 end", "begin", "end", "u&'a'", "$1", "a$b", "\u{e9}", ":", "::int", " as ", "n'x'", "1e5", "\r\n", "\t"]), 0..14)) {
            agrees_with_the_parser(&parts.concat());
        }

        #[test]
        fn any_bytes_become_statements_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), habit in prop::sample::select(vec![PerStatement, PerMessage, PerScript, WholeRun])) {
            let _ = run(&String::from_utf8_lossy(&bytes), habit);
        }
    }

    /// Texts that nest a number of times, each in another way.
    fn nested(times: usize) -> Vec<String> {
        let around = |open: &str, close: &str| {
            format!("select {}1{}", open.repeat(times), close.repeat(times))
        };
        vec![
            around("(select(", "))"),
            around("(", ")"),
            around("- ", ""),
            around("not ", ""),
            around("f(", ")"),
            around("case when true then ", " end"),
            around("array[", "]"),
            around("row(", ")"),
            format!("select array{}{}", "[".repeat(times), "]".repeat(times)),
            format!("select a{}", " || a".repeat(times)),
            format!("select a{}", " + 1".repeat(times)),
            format!("select a{}", " is null".repeat(times)),
            format!("select a{}", " collate \"C\"".repeat(times)),
            format!("select a{}", "::text".repeat(times)),
            format!("select a{}", " and b".repeat(times)),
            format!("select a from a{}", " cross join b".repeat(times)),
            format!("select a{}", " union select b".repeat(times)),
            format!("select a, b{}", " union select c, d".repeat(times)),
            around("(2, ", ")"),
            format!("create view v as select a{}", " || a".repeat(times)),
            format!("alter table t add check (a{} = b)", " || a".repeat(times)),
            format!("update t set a = a{}", " || a".repeat(times)),
            format!(
                "create function f() returns int begin atomic select a{}; end",
                " || a".repeat(times)
            ),
        ]
    }

    /// Everything that reads the tree: names, footprint, and its end.
    fn read(sql: &str) -> Vec<SourceStatement> {
        use crate::migration::footprint;
        let found = run(&format!("{sql}; drop table a"), PerStatement);
        let _ = footprint::reach(&found);
        let _ = footprint::of(&found, crate::model::Catalog::default(), 0);
        found.clone()
    }

    #[test]
    fn a_chain_of_hundreds_of_operators_is_read() {
        depth::with_room(|| {
            for sql in nested(300) {
                let found = read(&sql);
                assert!(matches!(found[0].body, Body::Sql(_)), "{sql:.60}");
            }
            let chain = format!("select a{}", " || a".repeat(1000));
            assert!(matches!(read(&chain)[0].body, Body::Sql(_)));
        });
    }

    #[test]
    fn no_nesting_ends_the_program_and_none_hides_the_next_statement() {
        depth::with_room(|| {
            for times in [1000, 8000, 100_000] {
                for sql in nested(times) {
                    let found = read(&sql);
                    let last = found.last().map(|s| &s.sql[..]);
                    assert_eq!(last, Some("drop table a"), "{times} {sql:.60}");
                }
            }
        });
    }

    #[test]
    fn nesting_without_end_is_refused_and_nothing_else() {
        let deep = format!(
            "select {}1{}; drop table a",
            "(".repeat(100_000),
            ")".repeat(100_000)
        );
        let found = run(&deep, PerStatement);
        assert!(matches!(found[0].body, Body::Unparsable(_)));
        assert!(matches!(found[1].body, Body::Sql(_)));
        let long = format!("select 1{}; drop table a", "+1".repeat(100_000));
        assert!(matches!(run(&long, PerStatement)[1].body, Body::Sql(_)));
    }
}
