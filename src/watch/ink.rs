//! How words stand out on the screen; without colours too, and on a light background as on a dark one.

use ratatui::style::{Color, Modifier, Style};

pub const fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

pub const fn faint() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

/// A colour where there are colours, and bold everywhere.
pub fn ink(colors: bool, color: Color) -> Style {
    if colors { bold().fg(color) } else { bold() }
}
