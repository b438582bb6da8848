//! What the screen knows, and what a look or a key changes in it.

use super::look::Look;
use super::rows::{Key, Row, Sort, View, rows};
use crate::kill::{Dossier, dossier};
use crate::model::Role;
use crate::report::Shown;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What the keys are for at the moment.
#[derive(Debug, Clone, PartialEq)]
pub enum Mode {
    /// Walking the rows.
    Rows,
    /// Reading about one session.
    Detail(Box<Dossier>),
    /// Being asked before a session is ended; what was typed so far.
    Kill(Box<Dossier>, String),
    /// Typing a text to filter by.
    Filter(String),
    /// Reading which keys there are.
    Help,
}

/// What a key wants done outside of the screen.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// Nothing but another picture.
    None,
    Quit,
    /// To end this session, which was confirmed.
    End(Box<Dossier>),
    /// A look right now.
    Look,
    /// The look before the one on the screen.
    Earlier,
    /// The look after it.
    Later,
}

/// All that the screen knows.
#[derive(Debug, Clone)]
pub struct Screen {
    /// The last look.
    pub look: Option<Look>,
    before: Option<Look>,
    /// The rows of the last look, in order.
    pub rows: Vec<Row>,
    /// What is filtered.
    pub shown: Shown,
    /// Which rows.
    pub view: View,
    /// In which order.
    pub sort: Sort,
    /// What the keys are for.
    pub mode: Mode,
    /// Who is under the cursor; `None`: nobody, since that one has ended or nobody is there.
    pub selected: Option<Key>,
    /// The row that the cursor is, or was, on.
    pub cursor: usize,
    /// The first row that is visible.
    pub top: usize,
    /// How many rows are visible, as the last picture had it.
    pub height: usize,
    /// Whether looking is stopped.
    pub paused: bool,
    /// Why there is no connection.
    pub lost: Option<String>,
    /// The last thing that was done.
    pub message: Option<String>,
    /// Whether there are colours.
    pub color: bool,
    /// That the look is of the past, in words.
    pub past: Option<String>,
    /// The last look while the past is on the screen.
    now: Option<Look>,
    /// Whether a person has chosen the rows; before that, those are shown that matter most.
    is_view_chosen: bool,
}

impl Screen {
    /// A screen before its first look.
    #[must_use]
    pub const fn new(shown: Shown, color: bool) -> Self {
        Self {
            look: None,
            before: None,
            rows: Vec::new(),
            shown,
            view: View::Sessions,
            sort: Sort::Role,
            mode: Mode::Rows,
            selected: None,
            cursor: 0,
            top: 0,
            height: 10,
            paused: false,
            lost: None,
            message: None,
            color,
            past: None,
            now: None,
            is_view_chosen: false,
        }
    }

    /// Takes a new look. The row under the cursor stays on its line of the screen.
    pub fn on_look(&mut self, look: Look) {
        self.lost = None;
        if self.past.is_some() {
            self.now = Some(look);
            return;
        }
        self.show(look);
    }

    /// Shows a look of the past; `note` says so.
    pub fn on_past(&mut self, look: Look, note: String) {
        if self.past.replace(note).is_none() {
            self.now = self.look.take();
        }
        self.show(look);
        self.before = None;
    }

    /// Goes back to now.
    pub fn go_to_now(&mut self) {
        self.past = None;
        if let Some(look) = self.now.take() {
            self.show(look);
        }
    }

    fn show(&mut self, look: Look) {
        if !self.is_view_chosen {
            // Somebody waits: the tree is what one has to see.
            self.view = match look.waits.is_empty() {
                true => View::Sessions,
                false => View::Waits,
            };
        }
        let first = self.rows.is_empty();
        self.before = self.look.replace(look);
        self.arrange();
        if first {
            self.move_to(0);
        }
    }

    /// Makes the rows.
    fn arrange(&mut self) {
        let Some(look) = &self.look else {
            return;
        };
        self.rows = rows(look, &self.shown, self.view, self.sort);
        let last = self.rows.len().saturating_sub(1);
        let line = self.cursor.saturating_sub(self.top);
        let place = self.selected.as_ref().and_then(|key| {
            self.rows
                .iter()
                .position(|row| row.key.as_ref() == Some(key))
        });
        match place {
            Some(place) => {
                self.cursor = place;
                self.top = place.saturating_sub(line);
            }
            None => {
                self.selected = None;
                self.cursor = self.cursor.min(last);
                self.top = self.top.min(last);
            }
        }
    }

    /// Puts the cursor on a row, and no further from the edge than that needs.
    fn move_to(&mut self, row: usize) {
        self.cursor = row.min(self.rows.len().saturating_sub(1));
        self.selected = self.rows.get(self.cursor).and_then(|row| row.key.clone());
        let height = self.height.max(1);
        self.top = self
            .top
            .min(self.cursor)
            .max((self.cursor + 1).saturating_sub(height));
    }

    /// A list in another order, or of others: the cursor follows its session, else it begins at the top.
    fn rearrange(&mut self) {
        self.arrange();
        match self.selected {
            Some(_) => self.move_to(self.cursor),
            None => self.move_to(0),
        }
    }

    /// Takes a key.
    pub fn on_key(&mut self, key: KeyEvent) -> Wish {
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Wish::Quit;
        }
        match std::mem::replace(&mut self.mode, Mode::Rows) {
            Mode::Rows => self.row_key(key.code),
            Mode::Help => Wish::None,
            Mode::Detail(dossier) => self.detail_key(key.code, dossier),
            Mode::Kill(dossier, typed) => self.kill_key(key.code, dossier, typed),
            Mode::Filter(typed) => self.filter_key(key.code, typed),
        }
    }

    fn row_key(&mut self, code: KeyCode) -> Wish {
        self.message = None;
        let page = self.height.max(1);
        match code {
            KeyCode::Char('q') | KeyCode::F(10) => return Wish::Quit,
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.mode = Mode::Help,
            KeyCode::Down | KeyCode::Char('j') => self.move_to(self.cursor.saturating_add(1)),
            KeyCode::Up | KeyCode::Char('k') => self.move_to(self.cursor.saturating_sub(1)),
            KeyCode::PageDown | KeyCode::Char('f') => {
                self.move_to(self.cursor.saturating_add(page))
            }
            KeyCode::PageUp | KeyCode::Char('b') => self.move_to(self.cursor.saturating_sub(page)),
            KeyCode::Home | KeyCode::Char('g') => self.move_to(0),
            KeyCode::End | KeyCode::Char('G') => self.move_to(usize::MAX),
            KeyCode::Enter => self.open(|dossier| Mode::Detail(Box::new(dossier))),
            KeyCode::Char('K') | KeyCode::F(9) => self.ask_to_kill(),
            KeyCode::Char(' ' | 'p') => {
                self.paused = !self.paused;
                return if self.paused { Wish::None } else { Wish::Look };
            }
            KeyCode::Char('/') | KeyCode::F(4) => {
                self.mode = Mode::Filter(self.shown.search.clone().unwrap_or_default());
            }
            KeyCode::Char('s') | KeyCode::F(6) => {
                self.sort = self.sort.next();
                self.rearrange();
            }
            KeyCode::Char('w' | 't') | KeyCode::Tab | KeyCode::F(5) => {
                self.is_view_chosen = true;
                self.view = match self.view {
                    View::Sessions => View::Waits,
                    View::Waits => View::Sessions,
                };
                self.rearrange();
            }
            KeyCode::Left => return Wish::Earlier,
            KeyCode::Right => return Wish::Later,
            KeyCode::Esc if self.past.is_some() => self.go_to_now(),
            KeyCode::Char('a') => {
                self.shown.all = !self.shown.all;
                self.rearrange();
            }
            KeyCode::Char('r') => self.next_role(),
            KeyCode::Char('d') => self.next_database(),
            KeyCode::Esc => {
                self.shown.search = None;
                self.shown.roles.clear();
                self.shown.database = None;
                self.rearrange();
            }
            _ => {}
        }
        Wish::None
    }

    /// The filter goes to the next role that somebody has, and after the last to all.
    fn next_role(&mut self) {
        let Some(look) = &self.look else {
            return;
        };
        let present: Vec<Role> = Role::ALL
            .into_iter()
            .filter(|role| look.sessions.in_role(*role).next().is_some())
            .collect();
        let next = after(&present, self.shown.roles.first());
        self.shown.roles = next.into_iter().collect();
        self.rearrange();
    }

    fn next_database(&mut self) {
        let Some(look) = &self.look else {
            return;
        };
        let mut names: Vec<String> = look
            .snapshot
            .backends
            .iter()
            .filter_map(|b| b.datname.clone())
            .collect();
        names.sort();
        names.dedup();
        self.shown.database = after(&names, self.shown.database.as_ref());
        self.rearrange();
    }

    /// The dossier of whom the cursor is on, from the look that is on the screen.
    pub(super) fn dossier(&self) -> Result<Dossier, String> {
        let look = self
            .look
            .as_ref()
            .ok_or("nothing was read from the server yet")?;
        match &self.selected {
            None => Err("no session selected: it has ended; move the cursor".into()),
            Some(Key::Prepared(gid)) => Err(format!(
                "a prepared transaction has no process: pgguard kill --prepared {}",
                crate::safe::shell_word(gid)
            )),
            Some(Key::Session(identity)) => dossier(
                identity.pid,
                &look.snapshot,
                &look.sessions,
                &look.waits,
                self.before.as_ref().map(|before| &before.snapshot),
            )
            .filter(|found| found.identity == *identity)
            .map(|found| {
                let estimate = look.estimates.get(&found.identity.pid);
                found.with_estimate(estimate, &look.waits, look.snapshot.taken_at)
            })
            .ok_or_else(|| "that session has ended".into()),
        }
    }

    fn open(&mut self, mode: impl FnOnce(Dossier) -> Mode) {
        match self.dossier() {
            Ok(dossier) => self.mode = mode(dossier),
            Err(why) => self.message = Some(why),
        }
    }

    fn ask_to_kill(&mut self) {
        match self.dossier() {
            Ok(dossier) => self.ask(Box::new(dossier)),
            Err(why) => self.message = Some(why),
        }
    }

    fn ask(&mut self, dossier: Box<Dossier>) {
        if self.past.is_some() {
            self.message = Some("this is the past: Esc goes back to now".into());
            return;
        }
        match &dossier.refused {
            Some(why) => self.message = Some(why.clone()),
            None => self.mode = Mode::Kill(dossier, String::new()),
        }
    }

    fn detail_key(&mut self, code: KeyCode, dossier: Box<Dossier>) -> Wish {
        match code {
            KeyCode::Char('K') | KeyCode::F(9) => self.ask(dossier),
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q') | KeyCode::Left => {}
            _ => self.mode = Mode::Detail(dossier),
        }
        Wish::None
    }

    fn kill_key(&mut self, code: KeyCode, dossier: Box<Dossier>, mut typed: String) -> Wish {
        match code {
            KeyCode::Enter if dossier.confirmation.accepts(&typed) => return Wish::End(dossier),
            KeyCode::Enter | KeyCode::Esc => {
                self.message = Some("not confirmed: nothing was done".into());
                return Wish::None;
            }
            KeyCode::Backspace => {
                typed.pop();
            }
            KeyCode::Char(c) => typed.push(c),
            _ => {}
        }
        self.mode = Mode::Kill(dossier, typed);
        Wish::None
    }

    fn filter_key(&mut self, code: KeyCode, mut typed: String) -> Wish {
        match code {
            KeyCode::Enter => return Wish::None,
            KeyCode::Esc => typed.clear(),
            KeyCode::Backspace => {
                typed.pop();
            }
            KeyCode::Char(c) => typed.push(c),
            _ => {}
        }
        self.shown.search = Some(typed.clone()).filter(|text| !text.is_empty());
        self.rearrange();
        if code != KeyCode::Esc {
            self.mode = Mode::Filter(typed);
        }
        Wish::None
    }
}

/// The one after, the first after none, none after the last.
fn after<T: Clone + PartialEq>(all: &[T], current: Option<&T>) -> Option<T> {
    match current {
        None => all.first().cloned(),
        Some(current) => {
            let at = all.iter().position(|one| one == current);
            at.and_then(|at| all.get(at + 1)).cloned()
        }
    }
}
