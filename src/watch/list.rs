//! The rows of the screen: each column is as wide as what differs in it, and the last takes the rest.

use super::ink::{faint, ink};
use super::rows::{Mark, Row, View};
use super::screen::Screen;
use crate::report::page::{columns, cut};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

/// Name of the columns, and the most that each takes on a wide screen and on a narrow one; 0: it is not there. The last
/// takes the rest.
const COLUMNS: [(&str, usize, usize); 7] = [
    ("PID", 9, 9),
    ("ROLE", 22, 13),
    ("FOR", 8, 8),
    ("IN TX", 8, 0),
    ("BLOCKS", 8, 8),
    ("WHO", 30, 14),
    ("WHAT", 0, 0),
];

/// Below this width the screen is narrow.
const NARROW: u16 = 110;

/// A cell for each column.
type Cells = [String; COLUMNS.len()];
type Widths = [usize; COLUMNS.len()];

/// Draws the names of the columns and the rows that fit.
pub fn list(frame: &mut Frame<'_>, screen: &Screen, names: Rect, area: Rect) {
    let narrow = area.width < NARROW;
    let widths = widths(&screen.rows, narrow);
    let titles = match screen.rows.is_empty() {
        true => nobody(screen).to_owned(),
        false => side_by_side(&COLUMNS.map(|(name, ..)| name.to_owned()), &widths),
    };
    frame.render_widget(Paragraph::new(Line::styled(titles, faint())), names);
    let visible = screen
        .rows
        .iter()
        .enumerate()
        .skip(screen.top)
        .take(usize::from(area.height));
    let lines: Vec<Line<'static>> = visible
        .map(|(nth, row)| {
            let under_cursor = nth == screen.cursor && screen.selected.is_some();
            let style = style(screen, row, under_cursor);
            Line::styled(
                side_by_side(&cells(row, under_cursor, narrow), &widths),
                style,
            )
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), area);
}

/// What is shown where there are no rows.
fn nobody(screen: &Screen) -> &'static str {
    match (&screen.look, screen.view) {
        (None, _) => "",
        (Some(_), View::Waits) => "nobody waits",
        (Some(_), View::Sessions) if screen.shown.all => "no session",
        (Some(_), View::Sessions) => "no session is active; press a to see idle sessions too",
    }
}

/// As wide as the longest cell of any row, so that nothing moves when the rows are walked through; a column that is
/// empty in every row is not there.
fn widths(rows: &[Row], narrow: bool) -> Widths {
    let mut longest: Widths = Default::default();
    for row in rows {
        for (longest, cell) in longest.iter_mut().zip(cells(row, false, narrow)) {
            *longest = columns(&cell).max(*longest);
        }
    }
    let mut widths: Widths = Default::default();
    for (nth, (title, wide, small)) in COLUMNS.iter().enumerate() {
        let most = if narrow { *small } else { *wide };
        widths[nth] = match longest[nth] {
            0 if nth > 0 => 0,
            longest => (longest.max(title.len()) + 1).min(most),
        };
    }
    widths
}

/// What a row says, column by column.
fn cells(row: &Row, under_cursor: bool, narrow: bool) -> Cells {
    [
        // A dumb eye sees the cursor too.
        format!("{}{}", if under_cursor { ">" } else { " " }, row.pid),
        role(&row.role, narrow),
        row.lasts.clone(),
        row.in_transaction.clone(),
        row.blocks.clone(),
        row.who.clone(),
        row.what.clone(),
    ]
}

/// On a narrow screen a role without what is in its parentheses, in fewer letters.
fn role(role: &str, narrow: bool) -> String {
    match role.split_once(" (") {
        _ if !narrow => role.to_owned(),
        Some((role, _)) => role.to_owned(),
        None => role.replace("idle in transaction", "idle in tx"),
    }
}

fn style(screen: &Screen, row: &Row, under_cursor: bool) -> Style {
    let style = match row.mark {
        Mark::Plain => Style::new(),
        Mark::Waits => ink(screen.color, Color::Red),
        Mark::Blocks => ink(screen.color, Color::Yellow),
    };
    match under_cursor {
        true => style.add_modifier(Modifier::REVERSED),
        false => style,
    }
}

/// Cells side by side, each cut to its width; what is cut says so.
fn side_by_side(cells: &Cells, widths: &Widths) -> String {
    let (last, others) = match cells.as_slice() {
        [others @ .., last] => (last.as_str(), others),
        [] => ("", cells.as_slice()),
    };
    let mut out = String::new();
    for (cell, &width) in others.iter().zip(widths).filter(|(_, width)| **width > 0) {
        let cell = cut(cell, width - 1);
        let gap = width - columns(&cell);
        out.push_str(&cell);
        out.push_str(&" ".repeat(gap));
    }
    out + last
}
