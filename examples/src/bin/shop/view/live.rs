//! A screen that follows the board, drawn ten times a second.

use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Paragraph, Row, Sparkline, Table};
use ratatui::{DefaultTerminal, Frame};

use super::{human, size};
use crate::board::Board;
use crate::events::Change;
use crate::kinds::Watched;

/// How often the screen is drawn.
pub(crate) const FRAME: Duration = Duration::from_millis(100);
/// How many columns of the rate chart are kept.
const HISTORY: usize = 240;

/// The terminal in its full-screen mode; dropping it gives the screen back.
pub(crate) struct Live {
    terminal: DefaultTerminal,
    title: String,
    last_total: u64,
    rates: Vec<u64>,
}

impl Live {
    pub(crate) fn open(title: String) -> std::io::Result<Self> {
        Ok(Self {
            terminal: ratatui::try_init()?,
            title,
            last_total: 0,
            rates: Vec::new(),
        })
    }

    /// True where somebody pressed Ctrl-C or `q`: in this mode the terminal sends keys, not signals.
    pub(crate) fn wants_to_end(&self) -> std::io::Result<bool> {
        while event::poll(Duration::ZERO)? {
            if is_end(&event::read()?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(crate) fn draw(&mut self, board: &Board, watched: &[Watched]) -> std::io::Result<()> {
        let total = board.events();
        self.rates.push(total - self.last_total);
        self.last_total = total;
        if self.rates.len() > HISTORY {
            self.rates.remove(0);
        }
        let (title, rates) = (&self.title, &self.rates);
        self.terminal
            .draw(|frame| screen(frame, title, rates, board, watched))
            .map(|_| ())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

fn screen(frame: &mut Frame<'_>, title: &str, rates: &[u64], board: &Board, watched: &[Watched]) {
    let kinds = u16::try_from(watched.len()).unwrap_or(u16::MAX).saturating_add(3);
    let [head, table, chart, recent] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Max(kinds),
        Constraint::Length(3),
        Constraint::Min(3),
    ])
    .areas(frame.area());
    let second = rates.iter().rev().take(10).sum::<u64>();
    let line = Line::from(vec![
        " kubewire ".bold().reversed(),
        format!("  {title}   ").into(),
        format!("{}   ", human(board.elapsed())).dim(),
        format!("{} events, {second}/s   ", board.events()).cyan(),
        "Ctrl-C ends".dim(),
    ]);
    frame.render_widget(Paragraph::new(line), head);
    draw_kinds(frame, table, board, watched);
    let width = usize::from(chart.width.saturating_sub(2));
    let shown: Vec<u64> = rates.iter().skip(rates.len().saturating_sub(width)).copied().collect();
    let sparkline = Sparkline::default()
        .data(&shown)
        .style(Color::Cyan)
        .block(Block::bordered().title(" events "));
    frame.render_widget(sparkline, chart);
    draw_recent(frame, recent, board);
}

fn draw_kinds(frame: &mut Frame<'_>, area: Rect, board: &Board, watched: &[Watched]) {
    let header = Row::new([
        "KIND",
        "CACHED",
        "BYTES",
        "ADD",
        "UPDATE",
        "DELETE",
        "SYNC",
        "SYNCED IN",
    ])
    .style(Style::new().add_modifier(Modifier::BOLD));
    let rows = board.rows().iter().zip(watched).map(|(row, watched)| {
        let figures = watched.stats();
        let mut cells = vec![
            Cell::from(row.kind),
            Cell::from(figures.objects.to_string()),
            Cell::from(size(figures.bytes as u64)).dark_gray(),
        ];
        for change in Change::ALL {
            let count = row.count(change);
            let style = if count == 0 {
                Style::new().fg(Color::DarkGray)
            } else {
                color(change).into()
            };
            cells.push(Cell::from(count.to_string()).style(style));
        }
        cells.push(Cell::from(figures.time_to_sync.map_or_else(|| "…".to_owned(), human)).dark_gray());
        Row::new(cells)
    });
    let widths = [26, 8, 10, 7, 8, 8, 7, 10].map(Constraint::Length);
    frame.render_widget(
        Table::new(rows, widths)
            .header(header)
            .block(Block::bordered().title(" informers ")),
        area,
    );
}

fn draw_recent(frame: &mut Frame<'_>, area: Rect, board: &Board) {
    let lines: Vec<Line<'_>> = board
        .recent(usize::from(area.height))
        .into_iter()
        .map(|seen| {
            Line::from(vec![
                Span::from(format!("{:>8.2}s  ", seen.at.as_secs_f64())).dim(),
                Span::from(format!("{:<7}", seen.change.word())).fg(color(seen.change)),
                Span::from(format!("{:<26}", seen.kind)),
                Span::from(seen.key),
                Span::from(format!("  {}", seen.resource_version)).dim(),
            ])
        })
        .collect();
    frame.render_widget(
        Paragraph::new(lines).block(Block::bordered().title(" latest events ")),
        area,
    );
}

fn color(change: Change) -> Color {
    match change {
        Change::Add => Color::Green,
        Change::Update => Color::Yellow,
        Change::Delete => Color::Red,
        Change::Sync => Color::Blue,
    }
}

fn is_end(event: &Event) -> bool {
    let Event::Key(key) = event else { return false };
    let ctrl_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    key.is_press() && (ctrl_c || key.code == KeyCode::Char('q'))
}

#[cfg(test)]
mod tests {
    use ratatui::crossterm::event::KeyEvent;

    use super::*;

    #[test]
    fn keys_that_end_the_view() {
        let key = |code, modifiers| Event::Key(KeyEvent::new(code, modifiers));
        assert!(is_end(&key(KeyCode::Char('c'), KeyModifiers::CONTROL)));
        assert!(is_end(&key(KeyCode::Char('q'), KeyModifiers::NONE)));
        assert!(!is_end(&key(KeyCode::Char('c'), KeyModifiers::NONE)));
        assert!(!is_end(&Event::Resize(80, 24)));
    }
}
