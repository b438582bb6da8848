//! The picture: a pure function of what the screen knows.

use super::ink::{bold, faint, ink};
use super::list::list;
use super::rows::View;
use super::screen::{Mode, Screen};
use super::session::{about, ask, in_short};
use crate::model::{Estimate, Role, age};
use crate::report::page::{Page, columns};
use crate::report::status_words::{ends, progress};
use crate::safe::printable;
use crate::words::brief;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Color;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};

/// Draws the screen. It learns how many rows are visible.
pub fn draw(frame: &mut Frame<'_>, screen: &mut Screen) {
    let bars = backups(screen, usize::from(frame.area().width));
    let bar_lines = u16::try_from(bars.len().min(3)).unwrap_or(0);
    let outage = outage(screen, frame.area().width);
    let outage_lines = u16::try_from(outage.len()).unwrap_or(0);
    let [head, worst, backups, names, rows, foot] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(outage_lines),
        Constraint::Length(bar_lines),
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    screen.height = usize::from(rows.height);
    frame.render_widget(
        Paragraph::new(heading(screen, usize::from(frame.area().width))),
        head,
    );
    frame.render_widget(Paragraph::new(outage), worst);
    frame.render_widget(Paragraph::new(bars), backups);
    list(frame, screen, names, rows);
    below(frame, screen, rows);
    frame.render_widget(
        Paragraph::new(footing(screen, usize::from(foot.width))),
        foot,
    );
    let screen = &*screen;
    match &screen.mode {
        Mode::Rows | Mode::Filter(_) => {}
        Mode::Help => overlay(frame, " Keys ", help()),
        Mode::Detail(dossier) => {
            let lines = about(dossier, frame.area().width.saturating_sub(2));
            overlay(frame, " Session · Esc back · K end it ", lines);
        }
        Mode::Kill(dossier, typed) => {
            let lines = ask(dossier, typed, frame.area().width.saturating_sub(2));
            overlay(frame, " End this session? ", lines);
        }
    }
}

/// Who was looked at, and what matters; what does not fit is left out whole.
fn heading(screen: &Screen, width: usize) -> Vec<Line<'static>> {
    let Some(look) = &screen.look else {
        let state = screen.lost.clone().unwrap_or_else(|| "connecting …".into());
        return vec![Line::raw(printable(&state))];
    };
    let server = &look.snapshot.server;
    let waiting = look.waits.waiters().count();
    let longest = look.waits.waiters().filter_map(|waiter| waiter.since).min();
    let state = match (waiting, longest) {
        (0, _) => Span::styled("nobody waits", ink(screen.color, Color::Green)),
        (_, Some(since)) => {
            let age = brief(age(since, look.snapshot.taken_at));
            let text = format!("{waiting} waiting, the longest {age}");
            Span::styled(text, ink(screen.color, Color::Red))
        }
        (_, None) => Span::styled(format!("{waiting} waiting"), ink(screen.color, Color::Red)),
    };
    let mut first = vec![
        Span::styled(printable(&server.datname), bold()),
        Span::raw(format!(
            "  Postgres {}  {} sessions  {}  ",
            server.major(),
            look.sessions.len(),
            look.report(&screen.shown).looked_at()
        )),
        state,
    ];
    let mut more: Vec<String> = Vec::new();
    if screen.paused {
        more.push("PAUSED".into());
    }
    more.extend(look.report(&screen.shown).findings_in_words());
    match look.running {
        0 => {}
        1 => more.push("a migration is running".into()),
        count => more.push(format!("{count} migrations are running")),
    }
    let mut used: usize = first.iter().map(Span::width).sum();
    for text in more {
        used += 2 + columns(&text);
        if used <= width {
            first.push(Span::styled(
                format!("  {text}"),
                ink(screen.color, Color::Yellow),
            ));
        }
    }
    if let Some(past) = &screen.past {
        let text = Line::styled(printable(past), ink(screen.color, Color::Yellow));
        return vec![Line::from(first), text];
    }
    let second = screen.lost.as_ref().map_or_else(
        || filters(screen, look.snapshot.masked_rows()),
        |why| {
            let text = format!("NO CONNECTION, trying again: {}", printable(why));
            Line::styled(text, ink(screen.color, Color::Red))
        },
    );
    vec![Line::from(first), second]
}

/// Steps that are shown above the rows.
const MOST_STEPS: usize = 2;

/// How many hang, and what frees most of them at the least harm; a command is whole on a line of its own.
fn outage(screen: &Screen, width: u16) -> Vec<Line<'static>> {
    let worst = screen.look.as_ref().and_then(|look| look.worst.as_ref());
    let Some((headline, advice)) = worst else {
        return Vec::new();
    };
    let page = Page::of_width(usize::from(width));
    let mut lines: Vec<Line> = page
        .hanging(headline)
        .into_iter()
        .map(|text| Line::styled(text, ink(screen.color, Color::Red)))
        .collect();
    for (nth, step) in advice.iter().take(MOST_STEPS).enumerate() {
        let text = format!("{}  {}", if nth == 0 { "do" } else { "or" }, step.text);
        lines.extend(page.hanging(&text).into_iter().map(Line::raw));
        let commands = step.commands.iter();
        lines.extend(commands.map(|command| Line::styled(format!("    {command}"), bold())));
    }
    lines
}

/// Fewer lines than this below the rows stay empty.
const LEAST_BELOW: usize = 6;

/// While somebody waits, the lines below the rows say what matters of the session under the cursor.
fn below(frame: &mut Frame<'_>, screen: &Screen, rows: Rect) {
    let spare = screen.height.saturating_sub(screen.rows.len());
    let dossier = screen.dossier().ok().filter(|_| {
        screen.view == View::Waits && screen.mode == Mode::Rows && spare >= LEAST_BELOW
    });
    let (Some(dossier), Ok(used)) = (dossier, u16::try_from(screen.rows.len() + 1)) else {
        return;
    };
    let area = Rect {
        y: rows.y + used,
        height: rows.height.saturating_sub(used),
        ..rows
    };
    let lines = in_short(&dossier, area.width, usize::from(area.height));
    frame.render_widget(Paragraph::new(lines), area);
}

/// What is shown, and in which order.
fn filters(screen: &Screen, hidden: usize) -> Line<'static> {
    let mut parts = vec![match screen.view {
        View::Sessions => format!("sessions by {}", screen.sort.word()),
        View::Waits => "who waits behind whom".into(),
    }];
    parts.extend(
        screen
            .shown
            .roles
            .iter()
            .map(|role| format!("role {}", role.in_words())),
    );
    parts.extend(
        screen
            .shown
            .database
            .iter()
            .map(|name| format!("database {}", printable(name))),
    );
    parts.extend(
        screen
            .shown
            .search
            .iter()
            .map(|text| format!("text \"{}\"", printable(text))),
    );
    if screen.shown.all {
        parts.push("idle and server processes too".into());
    }
    if hidden > 0 {
        parts.push(format!(
            "{hidden} hidden from this role: GRANT pg_monitor shows them"
        ));
    }
    Line::styled(parts.join(" · "), faint())
}

/// A bar and the end of every running backup, always in view.
fn backups(screen: &Screen, width: usize) -> Vec<Line<'static>> {
    let Some(look) = &screen.look else {
        return Vec::new();
    };
    look.sessions
        .in_role(Role::Backup)
        .map(|session| {
            let tool = session.backup.as_ref().map_or("backup", |b| b.tool.word());
            let name = format!("{tool} {} ", session.pid);
            let room = width.saturating_sub(name.chars().count());
            let said = look.estimates.get(&session.pid);
            let said = said.map_or_else(String::new, |estimate| bar(estimate, room));
            Line::from(vec![Span::styled(name, bold()), Span::raw(said)])
        })
        .collect()
}

/// The bar, and of what is known as much as fits, what matters most first.
pub(super) fn bar(estimate: &Estimate, room: usize) -> String {
    let cells = if room < 80 { 10 } else { 20 };
    let full = estimate.fraction_done.map_or(0, |done| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "between 0 and the number of cells"
        )]
        let full = (done.clamp(0.0, 1.0) * cells as f64).round() as usize;
        full
    });
    let bar = format!("[{}{}] ", "#".repeat(full), "-".repeat(cells - full));
    let progress = progress(estimate);
    let end = ends(estimate);
    let parts: Vec<&str> = end
        .iter()
        .map(String::as_str)
        .chain(progress.split(", "))
        .collect();
    let known = whole_ones(&parts, ", ", room.saturating_sub(bar.chars().count()));
    bar + &known
}

fn footing(screen: &Screen, width: usize) -> Line<'static> {
    if let Mode::Filter(typed) = &screen.mode {
        return Line::from(format!(
            "/{}█  Enter keeps it, Esc clears it",
            printable(typed)
        ));
    }
    if let Some(message) = &screen.message {
        return Line::styled(printable(message), bold());
    }
    if screen.look.is_some() && screen.selected.is_none() && !screen.rows.is_empty() {
        return Line::styled(
            "the session under the cursor has ended: move to choose another",
            bold(),
        );
    }
    Line::styled(whole_ones(&FOOT, "  ", width), faint())
}

/// The keys at the foot of the screen, those that matter most first: as many as fit.
const FOOT: [&str; 12] = [
    "? help",
    "q quit",
    "↑↓ move",
    "Enter open",
    "w waits",
    "K end",
    "← past",
    "/ filter",
    "s sort",
    "r role",
    "d database",
    "space pause",
];

/// The first parts that fit into a line, none of them cut.
fn whole_ones(parts: &[&str], between: &str, width: usize) -> String {
    let mut line = String::new();
    for part in parts {
        let gap = if line.is_empty() { "" } else { between };
        if columns(&line) + gap.len() + columns(part) > width {
            break;
        }
        line.push_str(gap);
        line.push_str(part);
    }
    line
}

/// Every key, and what it does.
const KEYS: [(&str, &str); 16] = [
    ("↑ ↓  k j", "move"),
    ("PgUp PgDn  b f", "a page"),
    ("Home End  g G", "first, last"),
    (
        "Enter",
        "open: statement, locks, whom it blocks, why it has its role",
    ),
    ("w  Tab  F5", "who waits behind whom, or all sessions"),
    (
        "K  F9",
        "end the session, after the same question as pgguard kill",
    ),
    ("/  F4", "only sessions with this text"),
    ("r", "only one role, the next one"),
    ("d", "only one database, the next one"),
    ("Esc", "no filter"),
    ("a", "idle sessions and the server's own processes too"),
    ("s  F6", "another order"),
    ("space  p", "pause, go on"),
    (
        "← →  Esc",
        "back in time and forth, as far as somebody looked; now",
    ),
    ("?  h  F1", "this help"),
    ("q  F10  Ctrl-C", "quit"),
];

fn help() -> Vec<Line<'static>> {
    KEYS.iter()
        .map(|(keys, what)| {
            Line::from(vec![
                Span::styled(format!("{keys:<16}"), bold()),
                Span::raw(*what),
            ])
        })
        .collect()
}

fn overlay(frame: &mut Frame<'_>, title: &'static str, lines: Vec<Line<'static>>) {
    let area = frame.area();
    let inner = Rect {
        x: area.x,
        y: area.y + 2.min(area.height),
        width: area.width,
        height: area.height.saturating_sub(3),
    };
    frame.render_widget(Clear, inner);
    let paragraph = Paragraph::new(lines)
        .wrap(Wrap { trim: false })
        .block(Block::bordered().title(title));
    frame.render_widget(paragraph, inner);
}
