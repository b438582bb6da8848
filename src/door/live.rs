//! The terminal while a live screen has it.

use crate::{Error, Result};
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute};
use ratatui::backend::CrosstermBackend;
use ratatui::{Frame, Terminal};
use std::io::{self, Stdout};

/// The terminal while it is ours; given back however we leave. What is drawn goes into cells, and a cell
/// takes no control character.
pub struct Live(Terminal<CrosstermBackend<Stdout>>);

impl Live {
    /// Takes the terminal.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn begin() -> Result<Self> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
        }));
        enable_raw_mode().map_err(|error| unusable(&error))?;
        // From here on Drop gives it back, should the next step fail.
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()));
        let live = Self(terminal.map_err(|error| {
            give_back();
            unusable(&error)
        })?);
        execute!(io::stdout(), EnterAlternateScreen, cursor::Hide)
            .map_err(|error| unusable(&error))?;
        Ok(live)
    }

    /// Draws a picture.
    ///
    /// # Errors
    /// When the terminal does not take it.
    pub fn draw(&mut self, picture: impl FnOnce(&mut Frame)) -> Result<()> {
        let drawn = self.0.draw(picture);
        drawn.map(|_| ()).map_err(|error| unusable(&error))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        give_back();
    }
}

/// Nothing can be done about a terminal that does not take it.
fn give_back() {
    let _ = execute!(io::stdout(), LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
}

fn unusable(error: &io::Error) -> Error {
    Error::File {
        what: "use",
        path: "the terminal".into(),
        why: format!("{error}; try pgguard status without --watch"),
    }
}
