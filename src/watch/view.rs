//! The picture: a pure function of what the screen knows.

use super::rows::{Mark, Row, View};
use super::screen::{Mode, Screen};
use crate::kill::Dossier;
use crate::model::{Estimate, Role, age};
use crate::report::page::Page;
use crate::report::status_words::{ends, progress};
use crate::safe::printable;
use crate::words::brief;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};

/// Draws the screen. It learns how many rows are visible.
pub fn draw(frame: &mut Frame<'_>, screen: &mut Screen) {
    let bars = backups(screen);
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
    frame.render_widget(Paragraph::new(heading(screen)), head);
    frame.render_widget(Paragraph::new(outage), worst);
    frame.render_widget(Paragraph::new(bars), backups);
    list(frame, screen, names, rows);
    frame.render_widget(
        Paragraph::new(footing(screen, usize::from(foot.width))),
        foot,
    );
    let screen = &*screen;
    match &screen.mode {
        Mode::Rows | Mode::Filter(_) => {}
        Mode::Help => overlay(frame, " Keys ", help()),
        Mode::Detail(dossier) => overlay(frame, " Session · Esc back · K end it ", about(dossier)),
        Mode::Kill(dossier, typed) => overlay(frame, " End this session? ", ask(dossier, typed)),
    }
}

const fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

const fn faint() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

fn ink(screen: &Screen, color: Color) -> Style {
    if screen.color {
        bold().fg(color)
    } else {
        bold()
    }
}

fn heading(screen: &Screen) -> Vec<Line<'static>> {
    let Some(look) = &screen.look else {
        let state = screen.lost.clone().unwrap_or_else(|| "connecting …".into());
        return vec![Line::raw(printable(&state))];
    };
    let server = &look.snapshot.server;
    let waiting = look.waits.waiters().count();
    let longest = look.waits.waiters().filter_map(|waiter| waiter.since).min();
    let state = match (waiting, longest) {
        (0, _) => Span::styled("nobody waits", ink(screen, Color::Green)),
        (_, Some(since)) => {
            let age = brief(age(since, look.snapshot.taken_at));
            let text = format!("{waiting} waiting, the longest {age}");
            Span::styled(text, ink(screen, Color::Red))
        }
        (_, None) => Span::styled(format!("{waiting} waiting"), ink(screen, Color::Red)),
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
    if let Some(findings) = look.report(&screen.shown).findings_in_words() {
        first.push(Span::styled(
            format!("  {findings}"),
            ink(screen, Color::Yellow),
        ));
    }
    if look.running > 0 {
        let text = match look.running {
            1 => "  a migration is running".to_owned(),
            count => format!("  {count} migrations are running"),
        };
        first.push(Span::styled(text, ink(screen, Color::Yellow)));
    }
    if let Some(past) = &screen.past {
        let text = Line::styled(printable(past), ink(screen, Color::Yellow));
        return vec![Line::from(first), text];
    }
    if screen.paused {
        first.push(Span::styled("  PAUSED", ink(screen, Color::Yellow)));
    }
    let second = screen.lost.as_ref().map_or_else(
        || filters(screen, look.snapshot.masked_rows()),
        |why| {
            let text = format!("NO CONNECTION, trying again: {}", printable(why));
            Line::styled(text, ink(screen, Color::Red))
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
        .lines(headline, 0)
        .into_iter()
        .map(|text| Line::styled(text, ink(screen, Color::Red)))
        .collect();
    for (nth, step) in advice.iter().take(MOST_STEPS).enumerate() {
        let text = format!("{}  {}", if nth == 0 { "do" } else { "or" }, step.text);
        lines.extend(page.lines(&text, 0).into_iter().map(Line::raw));
        let commands = step.commands.iter();
        lines.extend(commands.map(|command| Line::styled(format!("    {command}"), bold())));
    }
    lines
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
fn backups(screen: &Screen) -> Vec<Line<'static>> {
    let Some(look) = &screen.look else {
        return Vec::new();
    };
    look.sessions
        .in_role(Role::Backup)
        .map(|session| {
            let tool = session.backup.as_ref().map_or("backup", |b| b.tool.word());
            let said = look
                .estimates
                .get(&session.pid)
                .map_or_else(String::new, bar);
            Line::from(vec![
                Span::styled(format!("{tool} {} ", session.pid), bold()),
                Span::raw(said),
            ])
        })
        .collect()
}

const BAR: usize = 20;

fn bar(estimate: &Estimate) -> String {
    let full = estimate.fraction_done.map_or(0, |done| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "between 0 and BAR"
        )]
        let full = (done.clamp(0.0, 1.0) * BAR as f64).round() as usize;
        full
    });
    let end = ends(estimate).map_or_else(String::new, |end| format!("{end}, "));
    format!(
        "[{}{}] {end}{}",
        "#".repeat(full),
        "-".repeat(BAR - full),
        progress(estimate)
    )
}

/// Name and width of the columns; the last takes the rest.
const COLUMNS: [(&str, usize); 7] = [
    ("PID", 8),
    ("ROLE", 20),
    ("FOR", 7),
    ("IN TX", 7),
    ("BLOCKS", 7),
    ("WHO", 24),
    ("WHAT", 0),
];

/// Below this width the widest columns shrink.
const NARROW: u16 = 110;

fn widths(area: Rect) -> [usize; 7] {
    let narrow = area.width < NARROW;
    COLUMNS.map(|(name, width)| match name {
        "ROLE" if narrow => 12,
        "WHO" if narrow => 12,
        "IN TX" if narrow => 0,
        _ => width,
    })
}

fn list(frame: &mut Frame<'_>, screen: &Screen, names: Rect, area: Rect) {
    let widths = widths(area);
    let titles = COLUMNS.map(|(name, _)| name.to_owned());
    frame.render_widget(
        Paragraph::new(Line::styled(columns(&titles, &widths), faint())),
        names,
    );
    let visible = screen
        .rows
        .iter()
        .enumerate()
        .skip(screen.top)
        .take(usize::from(area.height));
    let lines: Vec<Line<'static>> = visible
        .map(|(nth, row)| {
            let under_cursor = nth == screen.cursor && screen.selected.is_some();
            line(screen, row, &widths, under_cursor)
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), area);
}

fn line(screen: &Screen, row: &Row, widths: &[usize; 7], under_cursor: bool) -> Line<'static> {
    let cells = [
        // A dumb eye sees the cursor too.
        format!("{}{}", if under_cursor { ">" } else { " " }, row.pid),
        // Where it does not fit, the role without what is in its parentheses.
        match row.role.split_once(" (") {
            Some((role, _)) if row.role.len() >= widths[1] => role.to_owned(),
            _ => row.role.clone(),
        },
        row.lasts.clone(),
        row.in_transaction.clone(),
        row.blocks.clone(),
        row.who.clone(),
        row.what.clone(),
    ];
    let style = match row.mark {
        Mark::Plain => Style::new(),
        Mark::Waits => ink(screen, Color::Red),
        Mark::Blocks => ink(screen, Color::Yellow),
    };
    let style = if under_cursor {
        style.add_modifier(Modifier::REVERSED)
    } else {
        style
    };
    Line::styled(columns(&cells, widths), style)
}

/// Cells side by side, each cut to its width.
fn columns(cells: &[String; 7], widths: &[usize; 7]) -> String {
    let mut out = String::new();
    for (nth, (cell, &width)) in cells.iter().zip(widths).enumerate() {
        if nth + 1 == cells.len() {
            out.push_str(cell);
        } else if width > 0 {
            let cut: String = cell.chars().take(width - 1).collect();
            out.push_str(&format!("{cut:<width$}"));
        }
    }
    out
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
    Line::styled(whole_ones(&FOOT, width), faint())
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

/// The first words that fit into a line, none of them cut.
fn whole_ones(words: &[&str], width: usize) -> String {
    let mut line = String::new();
    for word in words {
        let gap = if line.is_empty() { "" } else { "  " };
        if line.chars().count() + gap.len() + word.chars().count() > width {
            break;
        }
        line.push_str(gap);
        line.push_str(word);
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

fn about(dossier: &Dossier) -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled(printable(&dossier.who), bold()), Line::raw("")];
    lines.extend(dossier.facts.iter().map(|(label, text)| fact(label, text)));
    lines.extend(dossier.costs.iter().map(|text| fact("cost", text)));
    lines.extend(dossier.better.iter().map(|text| fact("better", text)));
    lines.push(fact("identity", &dossier.identity.to_string()));
    lines
}

fn fact(label: &str, text: &str) -> Line<'static> {
    Line::from(vec![
        Span::styled(format!("{label:<10}"), faint()),
        Span::raw(printable(text)),
    ])
}

fn ask(dossier: &Dossier, typed: &str) -> Vec<Line<'static>> {
    let deed = dossier
        .steps
        .iter()
        .map(|step| step.deed())
        .collect::<Vec<_>>()
        .join(", and if that does nothing ");
    let question = dossier
        .confirmation
        .question(&format!("pid {}: {deed}", dossier.identity.pid));
    let mut lines = vec![
        Line::styled(format!("{question}{}█", printable(typed)), bold()),
        Line::raw(""),
    ];
    lines.extend(about(dossier));
    lines
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
