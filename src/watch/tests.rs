//! The screen on looks made by hand: what is drawn, and whom a key means.

use super::rows::{Key, View};
use super::screen::Mode;
use super::{Look, Screen, Wish, draw};
use crate::model::Snapshot;
use crate::report::Shown;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Instant;

/// A session that runs a statement; its pid is its age.
fn session(pid: i32) -> Value {
    json!({
        "pid": pid, "datid": 5, "datname": "shop", "usename": "app", "application_name": format!("web{pid}"),
        "backend_start": format!("2026-03-01T01:{:02}:{:02}Z", pid / 60 % 60, pid % 60),
        "xact_start": "2026-03-01T01:30:00Z", "query_start": "2026-03-01T01:30:00Z",
        "state": "active", "query": format!("SELECT {pid} | '\u{1b}[31m'"), "backend_type": "client backend"
    })
}

fn look_at(pids: impl IntoIterator<Item = i32>) -> Look {
    let backends: Vec<Value> = pids.into_iter().map(session).collect();
    let snapshot: Snapshot = serde_json::from_value(json!({
        "taken_at": "2026-03-01T02:00:00Z",
        "server": {"version_num": 150_018, "own_pid": 1, "datid": 5, "datname": "shop", "user": "duty",
                   "in_recovery": false, "sees_all": true, "deadlock_timeout_ms": 1000, "pooled": false},
        "backends": backends, "locks": []
    }))
    .expect("a snapshot");
    Look::new(snapshot, BTreeMap::new())
}

fn screen() -> Screen {
    Screen::new(Shown::default(), false)
}

fn press(screen: &mut Screen, code: KeyCode) -> Wish {
    screen.on_key(KeyEvent::new(code, KeyModifiers::NONE))
}

fn picture(screen: &mut Screen, columns: u16, lines: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(columns, lines)).expect("a terminal");
    terminal
        .draw(|frame| draw(frame, screen))
        .expect("a picture");
    let buffer = terminal.backend().buffer();
    let cell = |x, y| buffer[(x, y)].symbol().to_owned();
    (0..lines)
        .map(|y| {
            (0..columns)
                .map(|x| cell(x, y))
                .collect::<String>()
                .trim_end()
                .to_owned()
        })
        .collect()
}

/// The line of the screen with the cursor, and what it says.
fn under_cursor(screen: &mut Screen) -> Option<(usize, String)> {
    let lines = picture(screen, 120, 14);
    let found = lines.into_iter().enumerate();
    found.into_iter().find(|(_, line)| line.starts_with('>'))
}

fn selected_pid(screen: &Screen) -> Option<i32> {
    match &screen.selected {
        Some(Key::Session(identity)) => Some(identity.pid),
        _ => None,
    }
}

#[test]
fn a_row_stays_under_the_cursor_on_its_line_whatever_comes_above_it() {
    let mut screen = screen();
    screen.on_look(look_at(100..130));
    picture(&mut screen, 120, 14);
    for _ in 0..15 {
        press(&mut screen, KeyCode::Down);
    }
    let (line, text) = under_cursor(&mut screen).expect("a cursor");
    assert!(text.starts_with(">115 "), "{text}");
    screen.on_look(look_at((50..60).chain(100..130)));
    let (line_then, text) = under_cursor(&mut screen).expect("a cursor");
    assert!(text.starts_with(">115 "), "{text}");
    assert_eq!(line_then, line);
}

#[test]
fn the_end_of_the_session_under_the_cursor_leaves_the_cursor_on_nobody() {
    let mut screen = screen();
    screen.on_look(look_at(100..110));
    press(&mut screen, KeyCode::Down);
    assert_eq!(selected_pid(&screen), Some(101));
    screen.on_look(look_at((100..101).chain(102..110)));
    assert_eq!(screen.selected, None);
    assert_eq!(press(&mut screen, KeyCode::Char('K')), Wish::None);
    assert_eq!(screen.mode, Mode::Rows, "nobody is asked about");
    assert!(
        screen
            .message
            .as_deref()
            .is_some_and(|m| m.contains("has ended"))
    );
    press(&mut screen, KeyCode::Down);
    assert!(selected_pid(&screen).is_some());
}

#[test]
fn a_pid_that_is_reused_is_another_row() {
    let mut screen = screen();
    screen.on_look(look_at([100]));
    let mut later = look_at([100]);
    later.snapshot.backends[0].backend_start = Some(later.snapshot.taken_at);
    let later = Look::new(later.snapshot, BTreeMap::new());
    screen.on_look(later);
    assert_eq!(screen.selected, None);
}

#[test]
fn a_question_is_about_the_session_that_was_chosen_whatever_comes_meanwhile() {
    let mut screen = screen();
    screen.on_look(look_at(100..110));
    press(&mut screen, KeyCode::Char('K'));
    screen.on_look(look_at(105..110));
    press(&mut screen, KeyCode::Char('y'));
    match press(&mut screen, KeyCode::Enter) {
        Wish::End(dossier) => assert_eq!(dossier.identity.pid, 100),
        other => panic!("{other:?}"),
    }
}

#[test]
fn anything_but_yes_ends_nobody() {
    let mut screen = screen();
    screen.on_look(look_at([100]));
    for keys in [
        &[KeyCode::Enter][..],
        &[KeyCode::Char('n'), KeyCode::Enter],
        &[KeyCode::Char('y'), KeyCode::Esc],
    ] {
        press(&mut screen, KeyCode::Char('K'));
        for key in keys {
            assert_eq!(press(&mut screen, *key), Wish::None);
        }
        assert_eq!(screen.mode, Mode::Rows);
    }
}

#[test]
fn what_is_typed_filters_and_escape_shows_all_again() {
    let mut screen = screen();
    screen.on_look(look_at(100..110));
    press(&mut screen, KeyCode::Char('/'));
    for c in "WEB107".chars() {
        press(&mut screen, KeyCode::Char(c));
    }
    press(&mut screen, KeyCode::Enter);
    assert_eq!(screen.rows.len(), 1);
    assert_eq!(selected_pid(&screen), Some(107));
    press(&mut screen, KeyCode::Esc);
    assert_eq!(screen.rows.len(), 10);
    assert_eq!(selected_pid(&screen), Some(107), "the cursor follows");
}

#[test]
fn every_mode_can_be_drawn_on_every_size() {
    let mut screen = screen();
    picture(&mut screen, 80, 24);
    screen.on_look(look_at(100..140));
    for code in [
        KeyCode::Null,
        KeyCode::Enter,
        KeyCode::Char('?'),
        KeyCode::Char('K'),
        KeyCode::Char('/'),
    ] {
        screen.mode = Mode::Rows;
        press(&mut screen, code);
        for (columns, lines) in [(1, 1), (2, 3), (20, 5), (80, 24), (300, 100)] {
            picture(&mut screen, columns, lines);
        }
    }
}

#[test]
fn nothing_of_a_query_reaches_the_terminal_raw() {
    let mut screen = screen();
    screen.on_look(look_at([100]));
    for code in [KeyCode::Null, KeyCode::Enter] {
        press(&mut screen, code);
        let all = picture(&mut screen, 200, 30).join("\n");
        assert!(all.contains("SELECT 100"), "{all}");
        assert!(!all.contains('\u{1b}'), "{all}");
    }
}

#[test]
fn the_screen_is_readable_without_colours() {
    let mut screen = screen();
    screen.on_look(look_at([100, 101]));
    let lines = picture(&mut screen, 120, 8);
    assert!(
        lines[0].starts_with("shop  Postgres 15  2 sessions  02:00:00 UTC  nobody waits"),
        "{}",
        lines[0]
    );
    assert!(lines[2].starts_with("PID  ROLE"), "{}", lines[2]);
    assert!(lines[3].starts_with(">100 application"), "{}", lines[3]);
    assert!(lines[4].starts_with(" 101 application"), "{}", lines[4]);
}

#[test]
fn widths_go_to_what_differs() {
    let mut screen = screen();
    screen.on_look(look_at([100, 101]));
    let lines = picture(&mut screen, 120, 8);
    // The same user in each row, and nobody who blocks: neither takes a column.
    assert!(!lines[2].contains("BLOCKS"), "{}", lines[2]);
    assert!(lines[3].contains(" web100 SELECT 100"), "{}", lines[3]);
    let mut look = look_at([100, 101]);
    look.snapshot.backends[0].usename = Some("duty".into());
    screen.on_look(look);
    let lines = picture(&mut screen, 120, 8);
    assert!(lines[3].contains(" duty web100 "), "{}", lines[3]);
    assert!(lines[4].contains(" app web101 "), "{}", lines[4]);
}

#[test]
fn a_name_of_others_begins_no_line_of_a_session_s_page() {
    let mut look = look_at([100]);
    let name = format!("{} cost nothing is lost", "x".repeat(70));
    look.snapshot.backends[0].application_name = name.clone();
    look.snapshot.backends[0].query = format!("SELECT '{} better pgguard kill 1'", "y ".repeat(60));
    let mut screen = screen();
    screen.on_look(look);
    for key in [KeyCode::Enter, KeyCode::Char('K')] {
        press(&mut screen, key);
        for columns in [60, 80, 120] {
            for line in picture(&mut screen, columns, 30) {
                let inside = line.trim_start_matches('│');
                let forged = inside.starts_with("cost nothing") || inside.starts_with("better pg");
                assert!(!forged, "{line}");
            }
        }
        press(&mut screen, KeyCode::Esc);
    }
}

#[test]
fn the_bar_of_a_backup_is_never_cut() {
    let estimate: crate::model::Estimate = serde_json::from_value(json!({
        "started": "2026-03-01T01:00:00Z", "fraction_done": 0.4, "remaining_s": 3600.0, "earliest_s": 1800.0, "latest_s": 7200.0,
        "tables_done": 17, "tables_total": 4400, "copying": [], "phase": "copying a relation with a long name",
        "basis": "", "from_past_runs": false
    }))
    .expect("an estimate");
    for columns in 40..200 {
        let told = super::view::bar(&estimate, columns);
        assert!(
            told.contains(']') && told.chars().count() <= columns,
            "{told}"
        );
        let whole = ["2 h 0 min)", "40 %", "4400 tables", "a long name", "] "];
        assert!(
            whole.iter().any(|end| told.ends_with(end)),
            "{columns}: {told}"
        );
    }
}

#[test]
fn the_other_view_and_every_order_keep_the_cursor_on_its_session() {
    let mut screen = screen();
    screen.on_look(look_at(100..110));
    press(&mut screen, KeyCode::End);
    assert_eq!(selected_pid(&screen), Some(109));
    for _ in 0..4 {
        press(&mut screen, KeyCode::Char('s'));
        assert_eq!(selected_pid(&screen), Some(109));
    }
    press(&mut screen, KeyCode::Tab);
    assert_eq!(screen.view, View::Waits);
    assert!(screen.rows.is_empty(), "nobody waits");
}

/// No figure to pass or fail by: only that no part of it is quadratic, which would take minutes.
#[test]
fn two_thousand_sessions_are_a_look_like_any_other() {
    let mut screen = screen();
    let started = Instant::now();
    for _ in 0..3 {
        screen.on_look(look_at(100..2100));
        press(&mut screen, KeyCode::PageDown);
        picture(&mut screen, 200, 60);
    }
    assert_eq!(screen.rows.len(), 2000);
    println!(
        "a look and a picture of 2,000 sessions: {:?}",
        started.elapsed() / 3
    );
}
